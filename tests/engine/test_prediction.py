"""Prediction in blocks: the same numbers for any block size, in bounded memory."""

import pickle
import weakref
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skperceptron.activations import ReLU, Tanh
from skperceptron.engine import multilayer_perceptron, prediction
from skperceptron.engine.prediction import Predictor, Predictors, predict_raw

WIRINGS = ["none", "residual", "dense"]
N, D, C = 23, 4, 3


def model(skip_connections="none", hidden=(5, 5), dtype=np.float64, n_inputs=D):
    """Return a network of one member with its parameters listed."""
    network = multilayer_perceptron(n_inputs, hidden, C, [[Tanh()]] * len(hidden), skip_connections)
    vector = np.random.RandomState(0).normal(size=(1, network.n_parameters))
    return network, network.views(vector.astype(dtype))


def data(n_rows=N, n_columns=D):
    rng = np.random.RandomState(1)
    return rng.normal(size=(n_rows, n_columns)) * (rng.uniform(size=(n_rows, n_columns)) < 0.6)


def plain_prediction(network, learned, x):
    layers = [(views[0][0], views[1][0, 0]) for views in learned if views]
    for weight, bias in layers[:-1]:
        x = np.tanh(x @ weight + bias)
    return x @ layers[-1][0] + layers[-1][1]


KINDS = {
    "C order": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "every other column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "CSR array": sparse.csr_array,
    "CSR matrix": sparse.csr_matrix,
}


@pytest.mark.parametrize("rows", [None, np.array([3, 3, 0, 22, 7])], ids=["all rows", "some"])
@pytest.mark.parametrize("kind", KINDS)
def test_prediction_equals_the_formula_written_out(kind, rows):
    network, learned = model()
    X = data()
    expected = plain_prediction(network, learned, X if rows is None else X[rows])
    raw = predict_raw(network, learned, KINDS[kind](X), rows)
    assert_allclose(raw, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("skip_connections", WIRINGS)
@pytest.mark.parametrize("rows_per_block", [1, 2, 7, 22, 23, 24])
def test_blocks_of_any_size_give_the_same_prediction(
    monkeypatch, rows_per_block, skip_connections, kind
):
    network, learned = model(skip_connections)
    X = KINDS[kind](data())
    expected = predict_raw(network, learned, X)
    monkeypatch.setattr(prediction, "BLOCK", rows_per_block * 5)
    assert_allclose(predict_raw(network, learned, X), expected, rtol=1e-13, atol=1e-13)


def test_block_smaller_than_one_row_still_predicts_row_by_row(monkeypatch):
    network, learned = model()
    expected = predict_raw(network, learned, data())
    monkeypatch.setattr(prediction, "BLOCK", 1)
    assert_allclose(predict_raw(network, learned, data()), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_is_predicted_as_among_others(kind):
    network, learned = model("dense")
    together = predict_raw(network, learned, KINDS[kind](data()))
    for i in range(N):
        alone = predict_raw(network, learned, KINDS[kind](data()[i : i + 1]))
        assert_allclose(alone[0], together[i], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("kind", ["C order", "CSR array"])
def test_no_rows_give_no_predictions(kind):
    network, learned = model()
    none = np.empty(0, dtype=np.intp)
    assert predict_raw(network, learned, KINDS[kind](data()), none).shape == (0, C)
    assert predict_raw(network, learned, KINDS[kind](data())[:0]).shape == (0, C)


@pytest.mark.parametrize("of_data", [np.float32, np.float64])
@pytest.mark.parametrize("of_parameters", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_dtype_of_a_prediction_follows_the_parameters(of_parameters, of_data, kind):
    network, learned = model(dtype=of_parameters)
    raw = predict_raw(network, learned, KINDS[kind](data().astype(of_data)))
    assert raw.dtype == of_parameters
    expected = predict_raw(*model(), data())
    assert_allclose(raw, expected, atol=1e-4 if np.float32 in (of_data, of_parameters) else 1e-12)


def test_prediction_changes_neither_data_nor_parameters():
    network, learned = model("residual")
    X = data()
    X.flags.writeable = False
    before = [[array.copy() for array in views] for views in learned]
    predict_raw(network, learned, X)
    for views, kept in zip(learned, before, strict=True):
        for array, copy in zip(views, kept, strict=True):
            assert_array_equal(array, copy)


def test_memory_grows_with_the_block_and_not_with_the_rows(peak_of, monkeypatch):
    monkeypatch.setattr(prediction, "BLOCK", 2**14)
    network = multilayer_perceptron(2, (512,), 1, [[ReLU()]])
    learned = network.views(np.ones((1, network.n_parameters)))
    X = np.ones((20_000, 2))
    all_hidden_values = X.shape[0] * 512 * X.itemsize
    assert peak_of(lambda: predict_raw(network, learned, X)) < all_hidden_values / 50


@pytest.mark.parametrize("some_rows", [False, True])
@pytest.mark.usefixtures("large_files")
def test_memory_mapped_file_is_predicted_block_by_block(peak_of, monkeypatch, tmp_path, some_rows):
    monkeypatch.setattr(prediction, "BLOCK", 2**14)
    shape = (20_000, 64)
    X = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=shape)
    X[::7] = 1
    network, learned = model(n_inputs=64)
    rows = np.arange(shape[0]) if some_rows else None
    assert peak_of(lambda: predict_raw(network, learned, X, rows)) < X.nbytes / 5
    expected = predict_raw(network, learned, np.asarray(X[:2]))
    assert_allclose(predict_raw(network, learned, X, rows)[[0, 1]], expected)


def test_a_million_sparse_columns_are_predicted_without_densifying(peak_of):
    n_rows, n_columns = 200, 1_000_000
    columns = np.random.RandomState(0).randint(n_columns, size=n_rows)
    X = sparse.csr_array((np.ones(n_rows), (np.arange(n_rows), columns)), shape=(n_rows, n_columns))
    network = multilayer_perceptron(n_columns, (), 1, [])
    vector = np.arange(n_columns + 1.0)[np.newaxis]
    learned = network.views(vector)
    raw = np.empty(0)

    def predict():
        nonlocal raw
        raw = predict_raw(network, learned, X)

    assert peak_of(predict) < vector.nbytes
    assert_array_equal(raw[:, 0], columns + float(n_columns))


def test_dense_rows_of_the_same_dtype_are_not_copied(peak_of):
    network, learned = model(hidden=(), n_inputs=1000)
    X = np.ones((2000, 1000))
    assert peak_of(lambda: predict_raw(network, learned, X)) < X.nbytes / 20


def test_kept_predictor_does_not_keep_the_rows_that_it_has_predicted():
    X = data()
    predictor = Predictor(*model(), X.dtype)
    predictor(X)
    rows = weakref.ref(X)
    del X
    assert rows() is None


def test_kept_predictor_uses_changes_inside_arrays_of_another_dtype():
    network, learned = model(dtype=np.float32)
    predictor = Predictor(network, learned, np.dtype(np.float64))
    X = data()
    predictor(X)
    learned[0][0][:] *= 2
    predictor.refresh()
    assert_array_equal(predictor(X), Predictor(network, learned, np.dtype(np.float64))(X))


def test_predictor_is_taken_by_one_caller_at_a_time_and_only_for_the_same_parts():
    network, learned = model()
    dtype = np.dtype(np.float64)
    pool, parts = Predictors(), [network, *learned[0]]

    def take(parts):
        return pool.take(dtype, parts, lambda: learned)

    first = take(parts)
    assert take(parts) is not first
    pool.put_back(dtype, parts, first)
    assert take(list(parts)) is first
    pool.put_back(dtype, parts, first)
    assert take([network, learned[0][0].copy(), learned[0][1]]) is not first


def test_each_of_several_callers_gets_a_predictor_again(monkeypatch):
    monkeypatch.setattr(prediction, "MOST_RESTING", 2)
    network, learned = model()
    dtype = np.dtype(np.float64)
    pool, parts, seen = Predictors(), [network, *learned[0]], []
    for _ in range(2):
        taken = [pool.take(dtype, parts, lambda: learned) for _ in range(3)]
        assert len(set(map(id, taken))) == 3
        for predictor in taken:
            pool.put_back(dtype, parts, predictor)
        seen += taken
    # Two were kept.
    assert len(set(map(id, seen))) == 4


def test_predictors_of_other_parts_are_all_dropped():
    network, learned = model()
    dtype = np.dtype(np.float64)
    pool = Predictors()
    for _ in range(2):
        pool.put_back(dtype, [network], Predictor(network, learned, dtype))
    pool.take(dtype, [network, *learned[0]], lambda: learned)
    assert not pool._resting[dtype]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_shared_predictor_serves_all_models_with_the_same_network(dtype):
    network, learned = model(dtype=np.float32)
    other = [tuple(array + 1 for array in arrays) for arrays in learned]
    pool, dtype, X = Predictors(are_shared=True), np.dtype(dtype), data().astype(dtype)
    used = []
    for arrays in (learned, other, learned):
        before = deepcopy(arrays)
        parts = [network, *(array for of_node in arrays for array in of_node)]
        predictor = pool.take(dtype, parts, lambda arrays=arrays: arrays)
        assert_array_equal(predictor(X), Predictor(network, arrays, dtype)(X))
        pool.put_back(dtype, parts, predictor)
        used.append(predictor)
        for now, then in zip(arrays, before, strict=True):
            assert all(map(np.array_equal, now, then))
    assert used[0] is used[1] is used[2]
    same, learned = model(dtype=np.float32)
    parts = [same, *(array for of_node in learned for array in of_node)]
    assert pool.take(dtype, parts, lambda: learned) is not used[0]


def test_copies_and_pickles_leave_predictors_behind():
    network, learned = model()
    dtype = np.dtype(np.float64)
    pool = Predictors()
    pool.put_back(dtype, [], Predictor(network, learned, dtype))
    assert pickle.dumps(pool) == pickle.dumps(Predictors())
    assert not vars(deepcopy(pool))["_resting"]
