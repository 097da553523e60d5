"""Which dtype is used in training and in prediction, and that the form of X has no effect."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.activations import ELU
from skperceptron.estimators.choices import FLOAT32_FROM
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.optimizers import AdamW

N, D = 90, 8
ESTIMATORS = [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor]
EVERY_ESTIMATOR = pytest.mark.parametrize("cls", ESTIMATORS)
EVERY_SOLVER = pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
BOTH_DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make_data(n_rows=N, n_columns=D):
    """Return integers, many of them zero, in a float64 array, and labels 0 and 1."""
    rng = np.random.RandomState(0)
    X = rng.randint(-4, 5, size=(n_rows, n_columns)) * (rng.uniform(size=(n_rows, n_columns)) < 0.6)
    y = (X[:, 0] + np.abs(X[:, 1]) + rng.normal(scale=0.5, size=n_rows) > 1).astype(int)
    return X.astype(np.float64), y


X, Y = make_data()


def make(cls, **options):
    defaults = {"hidden_layer_sizes": (10,), "max_iter": 20, "batch_size": 32, "random_state": 0}
    if cls is MLPRegressor:
        # The output layer of a standardized target is stored in y's units, in float64.
        defaults["standardize_target"] = False
    return cls(**defaults | options)


def raw(estimator, X):
    """Return decision values of classifiers, predictions of regressors."""
    return getattr(estimator, "decision_function", estimator.predict)(X)


def outputs(estimator, X):
    names = ["predict", "predict_proba", "predict_log_proba", "decision_function"]
    return {name: getattr(estimator, name)(X) for name in names if hasattr(estimator, name)}


def weights(estimator):
    return [*estimator.coefs_, *estimator.intercepts_]


# The dtype of training.


@pytest.mark.parametrize(
    "hidden, skip_connections, expected",
    [
        ((), "none", "float64"),
        ((4, 4), "none", "float64"),
        ((64, FLOAT32_FROM // 64 - 1), "none", "float64"),
        ((64, FLOAT32_FROM // 64), "none", "float32"),
        ((FLOAT32_FROM // D - 1,), "none", "float64"),
        ((FLOAT32_FROM // D,), "none", "float32"),
        # The largest matrix counts, not their sum.
        ((40, 40, 40, 40, 40), "none", "float64"),
        # With dense connections the second layer reads the input, too: 68 x 61 weights in it.
        ((60, 60), "none", "float64"),
        ((60, 61), "dense", "float32"),
    ],
)
def test_auto_trains_in_float32_from_a_documented_size_of_the_largest_matrix_on(
    hidden, skip_connections, expected
):
    estimator = make(
        MLPRegressor, hidden_layer_sizes=hidden, skip_connections=skip_connections, max_iter=1
    )
    estimator.fit(X, Y)
    largest = max(w.size for w in estimator.coefs_)
    assert (largest >= FLOAT32_FROM) == (expected == "float32")
    assert estimator.dtype_ == np.dtype(expected)
    assert all(w.dtype == expected for w in weights(estimator))


def test_number_of_features_and_outputs_count_for_auto():
    wide = np.zeros((4, FLOAT32_FROM)) + np.arange(4)[:, np.newaxis] / FLOAT32_FROM
    y = np.arange(4)
    one_unit = {"hidden_layer_sizes": (1,), "max_iter": 1, "batch_size": 4}
    assert make(MLPRegressor, **one_unit).fit(wide, y).dtype_ == np.float32
    assert make(MLPRegressor, **one_unit).fit(wide[:, 1:], y).dtype_ == np.float64
    assert make(MLPRegressor, **one_unit).fit(y[:, np.newaxis], wide).dtype_ == np.float32


@EVERY_ESTIMATOR
@pytest.mark.parametrize("of_x", [np.float32, np.float64, np.int64])
def test_auto_depends_on_the_network_and_not_on_x(cls, of_x):
    small = make(cls, max_iter=1).fit(X.astype(of_x), Y)
    large = make(cls, max_iter=1, hidden_layer_sizes=(FLOAT32_FROM // D,)).fit(X.astype(of_x), Y)
    assert (small.dtype_, large.dtype_) == (np.float64, np.float32)


@EVERY_ESTIMATOR
@BOTH_DTYPES
@pytest.mark.parametrize("of_x", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", [(4,), (FLOAT32_FROM // D,)])
def test_named_dtype_is_obeyed(cls, dtype, of_x, hidden):
    estimator = make(cls, dtype=dtype, hidden_layer_sizes=hidden, max_iter=2)
    estimator.fit(X.astype(of_x), Y)
    assert isinstance(estimator.dtype_, np.dtype)
    assert estimator.dtype_ == dtype
    assert all(w.dtype == dtype for w in weights(estimator))
    estimator.set_params(warm_start=True).fit(X.astype(of_x), Y)
    assert all(w.dtype == dtype for w in weights(estimator))


@EVERY_ESTIMATOR
@pytest.mark.parametrize("dtype", ["auto", "float32", "float64"])
def test_lbfgs_trains_in_float64_whatever_is_asked(cls, dtype):
    options = {"solver": "lbfgs", "max_iter": 2, "hidden_layer_sizes": (FLOAT32_FROM // D,)}
    estimator = make(cls, dtype=dtype, **options).fit(X.astype(np.float32), Y)
    assert estimator.dtype_ == np.float64
    assert all(w.dtype == np.float64 for w in weights(estimator))


@EVERY_ESTIMATOR
def test_partial_fit_trains_in_the_named_dtype(cls):
    estimator = make(cls, dtype="float32")
    arguments = () if cls is MLPRegressor else ([0, 1],)
    for _ in range(2):
        estimator.partial_fit(X, Y, *arguments)
        assert all(w.dtype == np.float32 for w in weights(estimator))


@EVERY_ESTIMATOR
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"skip_connections": "dense"}])
def test_float32_and_float64_fits_agree(cls, solver, options):
    options = {"solver": solver, "hidden_layer_sizes": (10, 6), "activation": "tanh"} | options
    single, double = (make(cls, dtype=d, **options).fit(X, Y) for d in ("float32", "float64"))
    for found, expected in zip(weights(single), weights(double), strict=True):
        assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert_allclose(single.loss_curve_, double.loss_curve_, rtol=1e-5)
    assert_allclose(raw(single, X), raw(double, X), rtol=1e-3, atol=1e-3)
    assert not np.array_equal(single.coefs_[0], double.coefs_[0])


@pytest.mark.parametrize(
    "make",
    [
        lambda n: {"solver": AdamW(beta_1=n(0.8), weight_decay=n(0.3))},
        lambda n: {"activation": ELU(n(0.3))},
        lambda n: {
            "parametrization": "ntk",
            "parameter_groups": ParameterGroups(weight=ParameterGroup(n(0.3), decay=n(0.7))),
        },
    ],
    ids=["solver", "activation", "groups"],
)
def test_numbers_of_small_types_in_components_cost_no_precision(make):
    X = np.random.RandomState(0).normal(size=(60, 3))
    options = {"hidden_layer_sizes": (5,), "max_iter": 3, "tol": 1, "n_iter_no_change": 9}
    found, expected = (
        MLPRegressor(**options, dtype="float64", random_state=0, **make(number)).fit(X, X[:, 0])
        for number in (np.float16, lambda x: float(np.float16(x)))
    )
    for ours, theirs in zip(found.coefs_, expected.coefs_, strict=True):
        assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loss_is_a_python_float(dtype):
    estimator = make(MLPRegressor, dtype=dtype).fit(X, Y)
    assert type(estimator.loss_) is float
    assert all(type(loss) is float for loss in estimator.loss_curve_)


# The dtype of prediction.


@EVERY_ESTIMATOR
@BOTH_DTYPES
def test_predictions_have_the_dtype_of_x(cls, dtype):
    estimator = make(cls, dtype=dtype).fit(X, Y)
    for of_x in (np.float32, np.float64):
        for form in (np.asarray, sparse.csr_array, sparse.csr_matrix):
            for name, output in outputs(estimator, form(X.astype(of_x))).items():
                if name != "predict" or cls is MLPRegressor:
                    assert output.dtype == of_x, (name, form)
    for of_x in (np.int64, np.int8, bool, np.float16, object):
        assert raw(estimator, X.astype(of_x)).dtype in (np.float32, np.float64)


@pytest.mark.parametrize(
    "options",
    [
        {"output_range": (-1, 2)},
        {"loss": "poisson"},
        {"output": "categorical"},
        {"output": "categorical", "categorical_prediction": "mode"},
        {"standardize_target": True},
    ],
    ids=repr,
)
@pytest.mark.parametrize("of_x", [np.float32, np.float64])
def test_predictions_of_every_output_have_the_dtype_of_x(options, of_x):
    estimator = make(MLPRegressor, **options).fit(X, Y)
    assert all(a.dtype == of_x for a in outputs(estimator, X.astype(of_x)).values())


@EVERY_ESTIMATOR
@BOTH_DTYPES
def test_float32_and_float64_predictions_agree(cls, dtype):
    estimator = make(cls, dtype=dtype).fit(X, Y)
    single, double = outputs(estimator, X.astype(np.float32)), outputs(estimator, X)
    for name, expected in double.items():
        assert_allclose(single[name], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mean, deviation", [(1e6, 1.0), (0.0, 1e6), (5.0, 1e-6)])
def test_target_units_do_not_cost_precision_in_float32(mean, deviation):
    y = mean + deviation * X[:, 0]
    single, double = (
        make(MLPRegressor, dtype=dtype, standardize_target=True).fit(X, y)
        for dtype in ("float32", "float64")
    )
    assert_allclose(single.predict(X), double.predict(X), rtol=1e-12, atol=1e-3 * deviation)


# One row, some rows, all rows.


@EVERY_ESTIMATOR
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("of_x, tolerance", [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_single_rows_and_batches_agree(cls, form, of_x, tolerance):
    estimator = make(cls, hidden_layer_sizes=(30, 20)).fit(X, Y)
    rows = form(X.astype(of_x))
    for name, expected in outputs(estimator, rows).items():
        single = np.concatenate([getattr(estimator, name)(rows[[i]]) for i in range(40)])
        assert_allclose(single, expected[:40], rtol=tolerance, atol=tolerance, err_msg=name)
        permuted = getattr(estimator, name)(rows[::-1])
        assert_allclose(permuted[::-1], expected, rtol=tolerance, atol=tolerance, err_msg=name)


# Forms of X.


def memory_mapped(X, folder):
    path = folder / "X.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


FORMS = {
    "in Fortran order": lambda X, folder: np.asfortranarray(X),
    "every other column": lambda X, folder: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards in memory": lambda X, folder: X[::-1].copy()[::-1],
    "read-only": lambda X, folder: np.frombuffer(X.tobytes()).reshape(X.shape),
    "memory-mapped": memory_mapped,
    "in the other byte order": lambda X, folder: X.astype(X.dtype.newbyteorder()),
    "a list": lambda X, folder: X.tolist(),
    "64-bit integers": lambda X, folder: X.astype(np.int64),
    "8-bit integers": lambda X, folder: X.astype(np.int8),
    "float16": lambda X, folder: X.astype(np.float16),
    "objects": lambda X, folder: X.astype(object),
    "a sparse array": lambda X, folder: sparse.csr_array(X),
    "a sparse matrix": lambda X, folder: sparse.csr_matrix(X),
    "sparse by columns": lambda X, folder: sparse.csc_array(X),
    "sparse coordinates": lambda X, folder: sparse.coo_array(X),
    "sparse integers": lambda X, folder: sparse.csr_array(X.astype(np.int64)),
    "sparse and unsorted": lambda X, folder: unsorted(sparse.csr_array(X)),
}


def unsorted(X):
    """Return the same matrix with the entries of each row reversed and each value in two halves."""
    order = np.concatenate(
        [np.arange(start, stop)[::-1] for start, stop in pairwise(X.indptr)]
    ).astype(int)
    data, indices = np.repeat(X.data[order] / 2, 2), np.repeat(X.indices[order], 2)
    return sparse.csr_array((data, indices, 2 * X.indptr), shape=X.shape)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.usefixtures("large_files")
@EVERY_ESTIMATOR
def test_form_of_x_does_not_change_fit_or_prediction(tmp_path, cls, solver, name):
    options = {"solver": solver, "max_iter": 4, "activation": "tanh", "dtype": "float64"}
    form = FORMS[name](X, tmp_path)
    expected, found = make(cls, **options).fit(X, Y), make(cls, **options).fit(form, Y)
    for w, v in zip(weights(found), weights(expected), strict=True):
        assert_allclose(w, v, rtol=1e-8, atol=1e-10)
    predicted = raw(expected, form)
    tolerance = 1e-5 if predicted.dtype == np.float32 else 1e-12
    assert_allclose(predicted, raw(expected, X), rtol=tolerance, atol=tolerance)


@EVERY_ESTIMATOR
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("large_files")
def test_memory_mapped_and_in_memory_fits_have_the_same_bits(tmp_path, cls, solver, dtype):
    for of_x in (np.float32, np.float64):
        rows = X.astype(of_x)
        options = {"solver": solver, "max_iter": 5, "dtype": dtype}
        expected = make(cls, **options).fit(rows, Y)
        found = make(cls, **options).fit(memory_mapped(rows, tmp_path), Y)
        for w, v in zip(weights(found), weights(expected), strict=True):
            assert_array_equal(w, v)


@EVERY_ESTIMATOR
@BOTH_DTYPES
@pytest.mark.parametrize("skip_connections", ["none", "dense"])
def test_sparse_and_dense_fits_agree_over_many_epochs(cls, dtype, skip_connections):
    scaled = StandardScaler(with_mean=False).fit_transform(X)
    options = {
        "hidden_layer_sizes": (10, 6),
        "max_iter": 40,
        "dtype": dtype,
        "activation": "tanh",
        "skip_connections": skip_connections,
    }
    dense = make(cls, **options).fit(scaled, Y)
    found = make(cls, **options).fit(sparse.csr_array(scaled), Y)
    tolerance = 1e-3 if dtype == "float32" else 1e-10
    for w, v in zip(weights(found), weights(dense), strict=True):
        assert_allclose(w, v, rtol=tolerance, atol=tolerance)


@EVERY_SOLVER
@EVERY_ESTIMATOR
def test_fit_changes_neither_x_nor_y_nor_weights(cls, solver):
    for form in (np.array, sparse.csr_array, lambda X: unsorted(sparse.csr_array(X))):
        rows, y, sample_weight = form(X), Y.astype(float), np.ones(N)
        entries = [*vars(rows).values()] if sparse.issparse(rows) else [rows]
        arrays = [a for a in [*entries, y, sample_weight] if isinstance(a, np.ndarray)]
        kept = [a.copy() for a in arrays]
        make(cls, solver=solver, max_iter=2).fit(rows, y, sample_weight)
        for array, before in zip(arrays, kept, strict=True):
            assert_array_equal(array, before)
