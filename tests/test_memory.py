"""The memory of a fit, which never holds a second copy of X."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.perceptron.presentation import Presentation
from skperceptron.stopping import EarlyStopping

N, D = 4000, 1000
INTEGERS = ["int8", "uint8", "int16", "int32", "int64", "uint64", "bool"]
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The number of unique classes is greater:UserWarning"),
]
DTYPES = ["float64", "float32", "float16", *INTEGERS]
OPTIONS = {
    "plain": {},
    "early stopping": {"early_stopping": True},
    "early stopping by the loss": {"early_stopping": EarlyStopping(monitor="loss")},
    "not shuffled": {"shuffle": False},
    "float32 arithmetic": {"dtype": "float32"},
    "averaged": {"averaging": "ema"},
}


def data(dtype="float64", n_rows=N):
    rng = np.random.RandomState(0)
    X = rng.randint(0, 2, size=(n_rows, D)).astype(dtype)
    return X, X[:, 0].astype(int)


def network(estimator_class=MLPBinaryClassifier, **options):
    model = estimator_class(hidden_layer_sizes=(3,), max_iter=9, tol=10, n_iter_no_change=1)
    return model.set_params(**{"random_state": 0, "batch_size": 50, **options})


def layouts(X):
    """Return X in all memory layouts that a fit accepts without a copy."""
    return {
        "C order": X,
        "Fortran order": np.asfortranarray(X),
        "read-only": np.lib.stride_tricks.as_strided(X, writeable=False),
        "every other row": np.repeat(X, 2, axis=0)[::2],
    }


@pytest.mark.parametrize("layout", layouts(np.zeros((1, 1))))
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
def test_fit_holds_no_copy_of_any_layout(peak_of, dtype, layout):
    X, y = data(dtype)
    X = layouts(X)[layout]
    assert peak_of(lambda: network().fit(X, y)) < _allowed(X)


@pytest.mark.parametrize("dtype", DTYPES)
def test_fit_holds_no_copy_of_any_dtype(peak_of, dtype):
    X, y = data(dtype)
    assert peak_of(lambda: network().fit(X, y)) < _allowed(X)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("kind", [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor])
def test_fit_with_any_option_holds_no_copy(peak_of, kind, options):
    X, y = data()
    model = network(kind, **options)
    assert peak_of(lambda: model.fit(X, y)) < _allowed(X)


def test_own_validation_data_is_not_copied(peak_of):
    X, y = data()
    model = network()
    peak = peak_of(lambda: model.fit(X[:100], y[:100], X_val=X, y_val=y))
    assert peak < _allowed(X)


def test_partial_fit_holds_no_copy(peak_of):
    X, y = data()
    model = network()
    assert peak_of(lambda: model.partial_fit(X, y, classes=[0, 1])) < _allowed(X)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_batch_of_all_rows_is_one_copy_and_not_two(peak_of, solver):
    X, y = data("uint8")
    model = network(solver=solver, batch_size=N)
    assert peak_of(lambda: model.fit(X, y)) < 1.9 * N * D * 8


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_train_and_predict_as_the_same_numbers_in_float64(dtype):
    X, y = data(dtype, 200)
    X[0, 0] = 1 if dtype == "bool" else 99
    ours, expected = network().fit(X, y), network().fit(X.astype("float64"), y)
    for found, wanted in zip(ours.coefs_, expected.coefs_, strict=True):
        assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)
    probability = ours.predict_proba(X)
    assert probability.dtype == np.float64
    # Integers are converted, and so multiplied, in smaller blocks: BLAS may sum up in another
    # order.
    assert_allclose(probability, expected.predict_proba(X.astype("float64")), rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_prediction_holds_no_copy_of_any_dtype(peak_of, dtype):
    X, y = data(dtype)
    model = network().fit(X[:200], y[:200])
    assert peak_of(lambda: model.predict_proba(X)) < _allowed(X)


def _allowed(X):
    """Return the allowed number of bytes: enough for rows and batches, far less than X."""
    # The sum of float16 numbers overflows, so that scikit-learn checks each one: a byte each.
    checked = X.size if X.dtype == np.float16 else 0
    return checked + min(0.75 * X.nbytes, 5_000_000)


def many_labels(n_rows=5000, n_labels=1500):
    """Return rows of three labels each, as a CSR matrix."""
    rng = np.random.RandomState(0)
    places = rng.randint(n_labels, size=3 * n_rows), np.arange(0, 3 * n_rows + 1, 3)
    y = sparse.csr_matrix((np.ones(3 * n_rows), *places), shape=(n_rows, n_labels))
    y.sum_duplicates()
    y.data[:] = 1
    return rng.normal(size=(n_rows, 3)), y


#: Bytes of all labels of `many_labels`, dense and in float64.
DENSE = 5000 * 1500 * 8


def test_sparse_labels_are_never_made_dense(peak_of):
    X, y = many_labels()
    model = network(batch_size=50).set_params(max_iter=1)
    assert peak_of(lambda: model.fit(X, y)) < DENSE / 5
    assert peak_of(lambda: model.fit(X, y, np.arange(len(X)) % 3)) < DENSE / 5
    assert peak_of(lambda: model.partial_fit(X, y)) < DENSE / 5
    validated = network(batch_size=50, early_stopping=True).set_params(max_iter=1)
    assert peak_of(lambda: validated.fit(X, y)) < DENSE
    assert peak_of(lambda: model.predict(X)) < 0.7 * DENSE
    assert peak_of(lambda: model.score(X, y)) < 0.7 * DENSE


CLASSES = 10_000
#: Bytes of a float64 matrix of classes by classes.
SQUARE = CLASSES * CLASSES * 8


def test_many_classes_need_no_array_of_classes_times_classes(peak_of):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(300, 3)), rng.randint(CLASSES, size=300)
    y[0], y[1] = 0, CLASSES - 1
    softmax = network(MLPSoftmaxClassifier, batch_size=50).set_params(max_iter=1)
    classes = np.arange(CLASSES)
    assert peak_of(lambda: softmax.partial_fit(X, y, classes=classes)) < SQUARE / 10
    assert peak_of(lambda: softmax.score(X, y)) < SQUARE / 10
    integers = network(MLPRegressor, batch_size=50, output="categorical").set_params(max_iter=1)
    assert peak_of(lambda: integers.fit(X, y)) < SQUARE / 10
    assert peak_of(lambda: integers.predict(X)) < SQUARE / 10


def test_perceptron_of_many_classes_holds_no_answer_for_every_row_and_class(peak_of):
    rng = np.random.RandomState(0)
    n_rows, n_classes = 20_000, 2000
    X, y = rng.normal(size=(n_rows, 2)), np.arange(n_rows) % n_classes
    model = RosenblattPerceptron(0, random_state=0)
    model.partial_fit(X[:50], y[:50], classes=np.arange(n_classes))
    all_answers = n_rows * n_classes * 8
    training = _training_of(model, X, y)
    window = next(training._windows(np.arange(n_rows)))
    assert peak_of(lambda: training._content(window)) < all_answers / 2
    weights = np.zeros((n_classes, X.shape[1] + 1))
    assert peak_of(lambda: training.sample(weights)) < all_answers / 2


def _training_of(model, X, y):
    rows = np.arange(len(X))
    return Presentation(model._inputs(X), rows, y, len(model.classes_), np.ones(len(X)))


@pytest.mark.parametrize(
    ("y", "bounds"), [([0, 10**6], None), ([0, 10**15], None), ([0, 5], (0, 10**9))]
)
def test_a_distribution_over_too_many_integers_is_refused_before_memory_is_taken(
    peak_of, y, bounds
):
    X = np.arange(200.0).reshape(100, 2)
    model = MLPRegressor(output="categorical", output_range=bounds, random_state=0)

    def refused():
        with pytest.raises(ValueError, match=r"one output for each integer.*output_range|narrower"):
            model.fit(X, np.tile(y, 50))

    assert peak_of(refused) < 2**20
