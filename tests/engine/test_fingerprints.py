"""Rows compared by content: equal in every form of X and in any order, merged with weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from scipy import sparse

from skperceptron.engine import fingerprints
from skperceptron.engine.compiled import VARIABLE, is_available
from skperceptron.engine.compiled.extension import steps as extension
from skperceptron.engine.fingerprints import merge_equal_rows, row_fingerprints

N, D = 60, 7


def make_rows(dtype=np.float64):
    """Return rows of which some are equal, with many zeros, and two targets for each."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(25, D)).astype(np.float32) * (rng.uniform(size=(25, D)) < 0.5)
    extra = rng.randint(2, size=(N, 2)).astype(float)
    return X[rng.randint(25, size=N)].astype(dtype), extra


X, EXTRA = make_rows()


def not_canonical(X):
    """Return the same CSR matrix with unsorted columns, values in halves, and stored zeros."""
    X = sparse.csr_array(X)
    starts = 2 * X.indptr + np.arange(len(X.indptr))
    data, indices = np.zeros(starts[-1]), np.zeros(starts[-1], dtype=np.int32)
    for i in range(X.shape[0]):
        entries, out = slice(X.indptr[i], X.indptr[i + 1]), slice(starts[i], starts[i + 1] - 1)
        data[out] = np.tile(X.data[entries][::-1] / 2, 2)
        indices[out] = np.tile(X.indices[entries][::-1], 2)
        indices[out.stop] = i % X.shape[1]
    return sparse.csr_array((data, indices, starts.astype(np.int32)), shape=X.shape)


def with_stored_zeros(X):
    stored = sparse.csr_array(np.where(X == 0, 1.0, X))
    stored.data[np.asarray(X).ravel() == 0] = 0.0
    return stored


FORMS = {
    "float32": lambda X: X.astype(np.float32),
    "in Fortran order": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "negative zeros": lambda X: np.where(X == 0, -0.0, X),
    "CSR array": sparse.csr_array,
    "CSR matrix": sparse.csr_matrix,
    "CSR in float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "CSR with 64-bit indices": lambda X: with_long_indices(sparse.csr_array(X)),
    "CSR with stored zeros": with_stored_zeros,
    "CSR with stored negative zeros": lambda X: -with_stored_zeros(-X),
    "CSR not canonical": not_canonical,
}


def without_targets(X):
    return np.empty((X.shape[0], 0))


def with_long_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.mark.parametrize("extra", [np.empty((N, 0)), EXTRA], ids=["X alone", "with targets"])
@pytest.mark.parametrize("form", FORMS)
def test_form_of_x_does_not_change_fingerprints(form, extra):
    expected = row_fingerprints(X, extra)
    assert expected.dtype == np.uint64
    assert_array_equal(row_fingerprints(FORMS[form](X), extra), expected)


NEEDS_EXTENSION = pytest.mark.skipif(not is_available(), reason="there is no extension")


@NEEDS_EXTENSION
@pytest.mark.parametrize("form", [*FORMS, "integers"])
def test_fingerprints_are_the_same_both_ways(form, monkeypatch):
    rows = np.round(4 * X).astype(np.int32) if form == "integers" else FORMS[form](X)
    monkeypatch.setenv(VARIABLE, "compiled")
    found = row_fingerprints(rows, EXTRA)
    monkeypatch.setenv(VARIABLE, "numpy")
    assert_array_equal(row_fingerprints(rows, EXTRA), found)


@NEEDS_EXTENSION
@pytest.mark.parametrize(
    "starts", [[0, 2], [0, 2, 5, 6], [0, 2, 5], [-1, 2, 4], [0, 3, 2], [0, 9, 4]], ids=str
)
def test_extension_refuses_to_hash_what_does_not_fit(starts):
    with pytest.raises(ValueError, match=r"hash_rows\(\) got"):
        multipliers, hashes = np.ones(4, np.uint64), np.zeros(2, np.uint64)
        extension.hash_rows(np.ones(4), multipliers, np.array(starts), hashes)


@NEEDS_EXTENSION
def test_extension_refuses_to_hash_rows_of_another_length():
    with pytest.raises(ValueError, match=r"hash_rows\(\) got"):
        extension.hash_rows(np.ones((2, 3)), np.ones(2, np.uint64), None, np.zeros(2, np.uint64))


@pytest.mark.parametrize("form", FORMS)
def test_fingerprinting_and_merging_change_nothing(form):
    rows = FORMS[form](X)
    parts = [rows.data, rows.indices, rows.indptr] if sparse.issparse(rows) else [rows]
    kept = [part.copy() for part in parts]
    row_fingerprints(rows, EXTRA)
    merge_equal_rows(rows, EXTRA, np.ones(N))
    now = [rows.data, rows.indices, rows.indptr] if sparse.issparse(rows) else [rows]
    for part, before in zip(now, kept, strict=True):
        assert_array_equal(part, before)
    assert_array_equal(EXTRA, make_rows()[1])


def test_fingerprints_are_equal_where_rows_are_and_nowhere_else():
    same_row = (X[:, np.newaxis] == X).all(axis=2)
    assert same_row.sum() > N, "no two rows are equal"
    found = row_fingerprints(X, without_targets(X))
    assert_array_equal(found[:, np.newaxis] == found, same_row)
    same_target = (EXTRA[:, np.newaxis] == EXTRA).all(axis=2)
    found = row_fingerprints(X, EXTRA)
    assert_array_equal(found[:, np.newaxis] == found, same_row & same_target)


def test_every_single_change_of_a_row_changes_its_fingerprint():
    row = np.array([[1.0, 0.0, -2.5, 1e-3, 0.0]])
    changed = [row]
    for j in range(row.shape[1]):
        for value in (row[0, j] + 1, -row[0, j] - 7, np.nextafter(row[0, j], np.inf), 1e300):
            changed.append(row.copy())
            changed[-1][0, j] = value
    changed += [np.roll(row, shift) for shift in range(1, row.shape[1])]
    changed = np.concatenate(changed)
    found = row_fingerprints(changed, without_targets(changed))
    assert len(set(found.tolist())) == len(changed)


def test_columns_and_targets_cannot_stand_in_for_each_other():
    a, b = np.array([[1.0, 2.0]]), np.array([[2.0, 1.0]])
    none = np.zeros((1, 2))
    found = [
        row_fingerprints(X, extra)[0]
        for X, extra in [(a, none), (b, none), (none, a), (none, b), (a, b), (b, a), (none, none)]
    ]
    assert len(set(found)) == 7


def test_many_different_rows_share_no_fingerprint():
    numbers = np.arange(100_000.0)
    for rows in (numbers[:, np.newaxis], np.c_[numbers // 300, numbers % 300], -numbers[:, None]):
        assert len(np.unique(row_fingerprints(rows, without_targets(rows)))) == len(rows)
    one_hot = sparse.csr_array(sparse.eye(3000, format="csr"))
    assert len(np.unique(row_fingerprints(one_hot, without_targets(one_hot)))) == 3000


@pytest.mark.parametrize("block", [1, 50, 10**9])
def test_blocks_of_any_size_give_the_same_fingerprints(monkeypatch, block):
    expected = row_fingerprints(X, EXTRA)
    monkeypatch.setattr(fingerprints, "BLOCK", block)
    assert_array_equal(row_fingerprints(X, EXTRA), expected)


def test_fingerprints_do_not_depend_on_the_rows_around():
    order = np.random.RandomState(1).permutation(N)[:20]
    expected = row_fingerprints(X, EXTRA)[order]
    assert_array_equal(row_fingerprints(X[order], EXTRA[order]), expected)
    assert_array_equal(row_fingerprints(sparse.csr_array(X)[order], EXTRA[order]), expected)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1)])
def test_smallest_inputs_are_hashed(shape):
    zeros, targets = np.zeros(shape), np.empty((shape[0], 0))
    found = row_fingerprints(zeros, targets)
    assert_array_equal(found, row_fingerprints(sparse.csr_array(zeros), targets))
    assert len(found) == shape[0]


# Merging.


def contents(X, extra, chosen):
    """Return the chosen rows with their targets, each as a tuple."""
    X = X.toarray() if sparse.issparse(X) else X
    return [tuple(row) for row in np.c_[X, extra][chosen].tolist()]


def totals_by_hand(X, extra, sample_weight, rows):
    totals = {}
    for i, content in zip(rows, contents(X, extra, rows), strict=True):
        totals[content] = totals.get(content, 0) + sample_weight[i]
    return {content: total for content, total in totals.items() if total > 0}


WEIGHTS = np.random.RandomState(2).randint(0, 3, size=N).astype(float)
SUBSET = np.random.RandomState(3).permutation(N)[:35]


@pytest.mark.parametrize("rows", [None, SUBSET, SUBSET[:1]], ids=["all", "some", "one"])
@pytest.mark.parametrize("sample_weight", [None, WEIGHTS, WEIGHTS / 8], ids=["none", "int", "frac"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, not_canonical])
def test_equal_rows_are_merged_and_their_weights_summed(form, sample_weight, rows):
    chosen, weights = merge_equal_rows(form(X), EXTRA, sample_weight, rows)
    looked_at = np.arange(N) if rows is None else rows
    ones = np.ones(N)
    expected = totals_by_hand(X, EXTRA, ones if sample_weight is None else sample_weight, looked_at)
    found = dict(zip(contents(X, EXTRA, chosen), weights.tolist(), strict=True))
    assert found == expected
    assert len(chosen) == len(expected)
    assert set(chosen) <= set(looked_at)
    assert weights.dtype == np.float64


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS], ids=["none", "some"])
def test_rows_without_an_equal_keep_their_weights_in_the_order_of_their_fingerprints(sample_weight):
    rows = np.random.RandomState(4).normal(size=(N, 3))
    chosen, weights = merge_equal_rows(rows, EXTRA, sample_weight)
    given = np.ones(N) if sample_weight is None else sample_weight
    in_order = np.argsort(row_fingerprints(rows, EXTRA))
    assert_array_equal(chosen, in_order[given[in_order] > 0])
    assert_array_equal(weights, given[chosen])
    assert weights.dtype == np.float64


def test_rows_of_weight_zero_are_dropped():
    chosen, weights = merge_equal_rows(X, EXTRA, np.zeros(N))
    assert len(chosen) == len(weights) == 0
    only = np.zeros(N)
    only[17] = 2.5
    chosen, weights = merge_equal_rows(X, EXTRA, only)
    assert contents(X, EXTRA, chosen) == contents(X, EXTRA, [17])
    assert_array_equal(weights, [2.5])


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS])
def test_order_of_the_result_depends_on_contents_alone(sample_weight):
    expected, expected_weights = merge_equal_rows(X, EXTRA, sample_weight)
    for seed in range(5):
        order = np.random.RandomState(seed).permutation(N)
        weight = None if sample_weight is None else sample_weight[order]
        chosen, weights = merge_equal_rows(X[order], EXTRA[order], weight)
        assert contents(X[order], EXTRA[order], chosen) == contents(X, EXTRA, expected)
        assert_array_equal(weights, expected_weights)


def test_repeated_rows_equal_weighted_ones():
    times = WEIGHTS.astype(int)
    chosen, weights = merge_equal_rows(X, EXTRA, WEIGHTS)
    repeated = merge_equal_rows(X.repeat(times, axis=0), EXTRA.repeat(times, axis=0))
    assert contents(X, EXTRA, chosen) == contents(
        X.repeat(times, axis=0), EXTRA.repeat(times, axis=0), repeated[0]
    )
    assert_array_equal(repeated[1], weights)


numbers = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, -1e300, 3.0])


@settings(max_examples=60, deadline=None)
@given(
    table=st.integers(1, 8).flatmap(
        lambda n: arrays(np.float64, st.tuples(st.just(n), st.integers(1, 4)), elements=numbers)
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_merging_keeps_contents_and_weight_whatever_the_rows(table, seed):
    rng = np.random.RandomState(seed)
    rows, extra = table[:, :-1], table[:, -1:]
    weight = rng.randint(0, 3, size=len(table)).astype(float)
    chosen, weights = merge_equal_rows(rows, extra, weight)
    found = dict(zip(contents(rows, extra, chosen), weights.tolist(), strict=True))
    # Tuples of 0.0 and -0.0 are equal, as the rows are.
    assert found == totals_by_hand(rows, extra, weight, range(len(table)))
    order = rng.permutation(len(table))
    again = merge_equal_rows(sparse.csr_array(rows)[order], extra[order], weight[order])
    assert contents(rows[order], extra[order], again[0]) == contents(rows, extra, chosen)
    assert_array_equal(again[1], weights)


def test_sparse_targets_have_the_fingerprints_of_dense_ones():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(40, 3))
    labels = (rng.uniform(size=(40, 6)) < 0.4).astype(np.int8)
    of_dense = row_fingerprints(X, labels)
    assert_array_equal(row_fingerprints(X, sparse.csr_array(labels)), of_dense)
    assert len(np.unique(row_fingerprints(X[:1].repeat(40, 0), labels))) > 1
