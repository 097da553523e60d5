"""Rows of X and y are gathered into batches: the right ones, in any storage, never all at once."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skperceptron.engine import DenseInput, SparseBatch
from skperceptron.training import Targets, TrainingSet
from skperceptron.training import data as data_module
from skperceptron.training.data import TABLED, OneOfMany, SomeOfMany, one_below_another, one_hot

N, D, C = 50, 6, 3
DTYPES = [np.dtype(np.float64), np.dtype(np.float32)]


def values(n_rows=N, n_columns=D):
    rng = np.random.RandomState(0)
    dense = rng.randint(-8, 8, size=(n_rows, n_columns)) / 4
    return dense * (rng.uniform(size=dense.shape) < 0.5)


def memory_mapped(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


STORAGE = {
    "C order": lambda X, folder: np.ascontiguousarray(X),
    "Fortran order": lambda X, folder: np.asfortranarray(X),
    "every other row": lambda X, folder: np.repeat(X, 2, axis=0)[::2],
    "read only": lambda X, folder: read_only(X),
    "memory-mapped": memory_mapped,
    "memory-mapped, Fortran order": lambda X, folder: memory_mapped(np.asfortranarray(X), folder),
}
IN_ANY_STORAGE = pytest.mark.parametrize("store", STORAGE.values(), ids=STORAGE)
ROWS = np.array([[3, 3, 0, 49], [7, 1, 2, 48]])


@IN_ANY_STORAGE
@pytest.mark.parametrize("of_batch", DTYPES, ids=str)
@pytest.mark.parametrize("of_data", DTYPES, ids=str)
@pytest.mark.usefixtures("large_files")
def test_batch_holds_the_chosen_rows(tmp_path, store, of_data, of_batch):
    X = values()
    data = TrainingSet(store(X.astype(of_data), tmp_path), Targets(np.zeros((N, C))))
    x = np.full((2, 4, D), np.nan, of_batch)
    data.fill({"x": DenseInput(x)}, ROWS, of_batch)
    assert_array_equal(x, X[ROWS])
    data.fill({"x": DenseInput(x)}, ROWS[::-1], of_batch)
    assert_array_equal(x, X[ROWS[::-1]])


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("of_batch", DTYPES, ids=str)
@pytest.mark.parametrize("of_data", DTYPES, ids=str)
def test_sparse_batch_holds_one_matrix_of_the_chosen_rows_per_member(kind, of_data, of_batch):
    X = values()
    data = TrainingSet(kind(X.astype(of_data)), Targets(np.zeros((N, C))))
    batch = SparseBatch(2)
    data.fill({"x": batch}, ROWS, of_batch)
    assert data.is_sparse
    assert len(batch.matrices) == 2
    for matrix, rows in zip(batch.matrices, ROWS, strict=True):
        assert sparse.issparse(matrix)
        assert matrix.dtype == of_batch
        assert_array_equal(matrix.toarray(), X[rows])


@IN_ANY_STORAGE
@pytest.mark.parametrize("of_batch", DTYPES, ids=str)
@pytest.mark.usefixtures("large_files")
def test_filling_a_batch_never_copies_the_data(peak_of, tmp_path, store, of_batch):
    X = values(20_000, 20)
    data = TrainingSet(store(X, tmp_path), Targets(np.zeros((20_000, 1))))
    x = np.empty((1, 32, 20), of_batch)
    rows = np.arange(0, 20_000, 625)[np.newaxis]
    assert peak_of(lambda: data.fill({"x": DenseInput(x)}, rows, of_batch)) < X.nbytes / 100


@pytest.mark.parametrize("of_batch", DTYPES, ids=str)
def test_filling_a_batch_from_whole_rows_allocates_nothing_of_its_size(peak_of, of_batch):
    data = TrainingSet(values(2_000, 100), Targets(np.zeros((2_000, 1))))
    x = np.empty((1, 1_000, 100), of_batch)
    rows = np.arange(0, 2_000, 2)[np.newaxis]
    assert peak_of(lambda: data.fill({"x": DenseInput(x)}, rows, of_batch)) < x.nbytes / 2


def test_astype_converts_targets_and_leaves_what_it_was_given_alone():
    X = values()
    given = TrainingSet(X, Targets(np.zeros((N, C))))
    data = given.astype(np.dtype(np.float32))
    assert given.X is X and X.dtype == given.targets.table.dtype == np.float64
    assert data.targets.table.dtype == np.float32
    assert data.n_rows == N
    assert not data.is_sparse


def test_targets_with_codes_equal_the_table_they_stand_for():
    codes = np.random.RandomState(0).randint(C, size=N)
    short, long = Targets(np.eye(C), codes), Targets(np.eye(C)[codes])
    assert short.n_outputs == long.n_outputs == C
    for targets in (short, long):
        out = np.full((2, 4, C), np.nan)
        targets.take(ROWS, out)
        assert_array_equal(out, np.eye(C)[codes[ROWS]])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_targets_in_fortran_order_are_not_copied_at_every_step(peak_of, dtype):
    table = np.asfortranarray(values(20_000, 10))
    targets = Targets(table).astype(dtype)
    out = np.empty((1, 32, 10), dtype)
    rows = np.arange(32)[np.newaxis]
    assert peak_of(lambda: targets.take(rows, out)) < table.nbytes / 100
    assert_array_equal(out[0], table[:32])


def test_small_data_sets_become_one_and_each_member_finds_its_own_rows(monkeypatch):
    rng = np.random.RandomState(0)
    coded = TrainingSet(rng.normal(size=(5, 2)), Targets(np.eye(3), np.array([0, 1, 2, 1, 0])))
    plain = TrainingSet(rng.normal(size=(4, 2)), Targets(rng.normal(size=(4, 3))))
    order = [plain, coded, coded, plain]
    joined, first_rows = one_below_another(order)
    assert len({id(one) for one in joined}) == 1
    for own, one, start in zip(order, joined, first_rows[:, 0], strict=True):
        assert_array_equal(one.X[start : start + own.n_rows], own.X)
        found = np.empty((1, own.n_rows, 3))
        one.targets.take(np.arange(own.n_rows)[np.newaxis] + start, found)
        assert_array_equal(found[0], own.targets.of_rows())
    monkeypatch.setattr(data_module, "JOINED", plain.X.nbytes)
    apart, first_rows = one_below_another(order)
    assert apart == order
    assert not first_rows.any()


def test_small_rows_are_converted_once_and_others_batch_by_batch(monkeypatch):
    X = np.random.RandomState(0).normal(size=(6, 3))
    for limit, dtype in [(X.nbytes, np.float32), (X.nbytes - 1, np.float64)]:
        monkeypatch.setattr(data_module, "CONVERTED", limit)
        found = TrainingSet(np.asfortranarray(X), Targets(np.zeros((6, 1)))).astype(np.dtype("f"))
        assert found.X.dtype == dtype
        assert_array_equal(found.X, X.astype(dtype))


def indicator(n_rows=N, n_labels=7):
    rng = np.random.RandomState(0)
    return sparse.csr_array((rng.uniform(size=(n_rows, n_labels)) < 0.3).astype(np.int8))


@pytest.mark.parametrize("of_batch", DTYPES, ids=str)
@pytest.mark.parametrize("kind", ["one of many", "some of many"])
def test_places_of_ones_equal_the_table_they_stand_for(kind, of_batch):
    codes = np.random.RandomState(0).randint(9, size=N)
    short, long = (
        (OneOfMany(codes, 9), np.eye(9)[codes])
        if kind == "one of many"
        else (SomeOfMany(indicator()), indicator().toarray())
    )
    short = short.astype(of_batch)
    out = np.full((2, 4, long.shape[1]), np.nan, of_batch)
    short.take(ROWS, out)
    assert_array_equal(out, long[ROWS])
    assert_array_equal(short.of_rows(), long)
    assert_array_equal(short.part(ROWS[0]).of_rows(), long[ROWS[0]])
    assert_array_equal(short.part(slice(3, 9)).of_rows(), long[3:9])
    both = short.followed_by([short.part(slice(0, 2))])
    assert type(both) is type(short)
    assert_array_equal(both.of_rows(), np.concatenate([long, long[:2]]))
    mixed = short.followed_by([Targets(long)])
    assert_array_equal(mixed.of_rows(), np.concatenate([long, long]))


def test_joined_classes_stay_codes_if_they_have_the_same_table():
    first, second = one_hot(np.array([0, 2]), 3), one_hot(np.array([1]), 3)
    both = first.followed_by([second])
    assert_array_equal(both.codes, [0, 2, 1])
    assert_array_equal(both.of_rows(), np.eye(3)[[0, 2, 1]])
    others = Targets(-np.eye(3), np.array([1])), Targets(np.eye(3))
    for other in others:
        joined = first.followed_by([other])
        assert joined.codes is None
        assert_array_equal(joined.of_rows(), np.concatenate([first.of_rows(), other.of_rows()]))


def test_many_classes_need_no_table_and_few_have_one(peak_of):
    codes = np.arange(300)
    assert isinstance(one_hot(codes[:TABLED], TABLED), Targets)
    many = one_hot(codes, 100_000)
    out = np.empty((1, 2, 100_000))
    assert peak_of(lambda: many.take(ROWS[:1, :2], out)) < out.nbytes / 10
    assert_array_equal(np.flatnonzero(out), [3, 100_003])
