"""Bad parameters, bad data, diverged and interrupted training: clear errors that change nothing.

Every refusal is checked by ``assert_refused``: the call fails with the expected words, both on
a new estimator and after an earlier fit, of which all attributes and predictions are kept.
"""

import pickle
import warnings
from datetime import date, time
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import ELU, ReLU
from skperceptron.groups import ParameterGroup
from skperceptron.losses import (
    BinaryFocalLoss,
    BinaryLogLoss,
    CategoricalFocalLoss,
    Huber,
    Pinball,
    ScaledSquaredError,
)
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedEnsembleClassifier,
    StackedGridSearchCV,
)
from skperceptron.tabular import TabularMLPClassifier
from skperceptron.training import Stack
from skperceptron.training.lbfgs import Objective
from skperceptron.training.step import Step

N, D = 40, 3
ESTIMATORS = [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor]
CLASSIFIERS = ESTIMATORS[:2]
EVERY_ESTIMATOR = pytest.mark.parametrize("cls", ESTIMATORS)
WITH_PERCEPTRON = pytest.mark.parametrize("cls", [*ESTIMATORS, RosenblattPerceptron])
CLASSIFIERS_AND_PERCEPTRON = pytest.mark.parametrize("cls", [*CLASSIFIERS, RosenblattPerceptron])
BOTH_METHODS = pytest.mark.parametrize("method", ["fit", "partial_fit"])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make_data():
    X = np.random.RandomState(0).normal(size=(N, D))
    return X, (X[:, 0] > 0).astype(int)


X, Y = make_data()


def make(cls, **options):
    size = "n_associative" if cls is RosenblattPerceptron else "hidden_layer_sizes"
    return cls(**{size: 4, "max_iter": 3, "random_state": 0} | options)


def fit(estimator, *data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(*data)


def train(estimator, method, *data):
    """Call fit or partial_fit, whose first call needs the classes."""
    if method == "partial_fit" and is_classifier(estimator):
        X, y, *weight = data
        data = (X, y, [0, 1], *weight)
    return getattr(estimator, method)(*data)


def state(estimator):
    """Return all attributes and predictions, as bytes."""
    attributes = pickle.dumps(vars(estimator))
    answers = [
        getattr(estimator, name)(X).tobytes()
        for name in ("predict", "predict_proba", "decision_function")
        if hasattr(estimator, name)
    ]
    return attributes, answers


def assert_refused(estimator, call, fragments, bad=None, error=ValueError):
    """Check that ``call(estimator)``, with the bad parameters, fails and changes nothing."""
    bad = bad or {}
    fitted = fit(clone(estimator), X, Y)
    good = {name: fitted.get_params()[name] for name in bad}
    before = state(fitted)
    for attempt in (clone(estimator), fitted):
        attempt.set_params(**bad)
        attributes = set(vars(attempt))
        with pytest.raises(error) as caught:
            call(attempt)
        for fragment in fragments:
            assert fragment in str(caught.value), f"{fragment!r} is not in {caught.value}"
        assert set(vars(attempt)) == attributes
        attempt.set_params(**good)
    assert state(fitted) == before
    return caught.value


# Parameters: the message names the parameter, the value and what is allowed.

COUNT = "an int in the range [1, inf)"
SIZES = "integers in the range [1, inf)"
FROM_ZERO = "a float in the range [0.0, inf)"
ABOVE_ZERO = "a float in the range (0.0, inf)"
BELOW_ONE = "a float in the range [0.0, 1.0)"
BOOLEAN = "'bool'"
SEED = "an int in the range [0, 4294967295]"

BAD_PARAMETERS = [
    ("hidden_layer_sizes", 0, COUNT),
    ("hidden_layer_sizes", -3, COUNT),
    ("hidden_layer_sizes", 2.5, COUNT),
    ("hidden_layer_sizes", None, "an array-like"),
    ("hidden_layer_sizes", "3", "an array-like"),
    ("hidden_layer_sizes", True, SIZES),
    ("hidden_layer_sizes", (3, 0), SIZES),
    ("hidden_layer_sizes", (3, -1), SIZES),
    ("hidden_layer_sizes", (2.5,), SIZES),
    ("hidden_layer_sizes", ("3",), SIZES),
    ("hidden_layer_sizes", (True,), SIZES),
    ("hidden_layer_sizes", ((2, 3),), SIZES),
    ("hidden_layer_sizes", np.array([2.0]), SIZES),
    ("activation", "rleu", "'relu'"),
    ("activation", None, "'str'"),
    ("activation", 3, "Activation"),
    ("activation", ReLU, "Activation"),
    ("solver", "newton", "'lbfgs'", "'sgd'", "'adam'"),
    ("solver", None, "'lbfgs'"),
    ("alpha", -1, FROM_ZERO),
    ("alpha", np.nan, FROM_ZERO),
    ("alpha", np.inf, FROM_ZERO),
    ("alpha", "0.1", FROM_ZERO),
    ("batch_size", 0, COUNT, "'auto'"),
    ("batch_size", 2.5, COUNT),
    ("batch_size", "all", "'auto'"),
    ("learning_rate", "fast", "'constant'", "'invscaling'", "'adaptive'"),
    ("learning_rate_init", 0, ABOVE_ZERO),
    ("learning_rate_init", np.nan, ABOVE_ZERO),
    ("learning_rate_init", np.inf, ABOVE_ZERO),
    ("power_t", -0.5, FROM_ZERO),
    ("max_iter", 0, COUNT),
    ("max_iter", 1.5, COUNT),
    ("max_iter", "all", "'auto'", "a callable (n_samples)"),
    ("shuffle", "yes", BOOLEAN),
    ("random_state", -1, SEED),
    ("random_state", "x", SEED),
    ("tol", -1, FROM_ZERO),
    ("tol", np.nan, FROM_ZERO),
    ("verbose", "loud", BOOLEAN),
    ("warm_start", 2, BOOLEAN),
    ("momentum", 1.1, "a float in the range [0.0, 1.0]"),
    ("momentum", -0.1, "a float in the range [0.0, 1.0]"),
    ("nesterovs_momentum", "no", BOOLEAN),
    ("early_stopping", 3, BOOLEAN),
    ("validation_fraction", 1.0, BELOW_ONE),
    ("validation_fraction", -0.1, BELOW_ONE),
    ("beta_1", 1.0, BELOW_ONE),
    ("beta_1", -0.1, BELOW_ONE),
    ("beta_2", 1.0, BELOW_ONE),
    ("beta_2", -0.1, BELOW_ONE),
    ("epsilon", 0, ABOVE_ZERO),
    ("n_iter_no_change", 0, COUNT),
    ("n_iter_no_change", 2.5, COUNT),
    ("max_fun", 0, COUNT),
    ("skip_connections", "all", "'none'", "'residual'", "'dense'"),
    ("l1_ratio", 1.5, "a float in the range [0.0, 1.0]"),
    ("max_grad_norm", 0, ABOVE_ZERO),
    ("initializer", "xavier", "'glorot_uniform'", "'he_normal'"),
    ("dropout", 1.0, BELOW_ONE),
    ("dropout", -0.1, BELOW_ONE),
    ("dropout", [1.5], "[0.0, 1.0)"),
    ("dropout", [0.1, 0.2], "one entry per hidden layer"),
    ("input_dropout", 1.0, BELOW_ONE),
    ("normalization", "group", "'batch'", "'layer'"),
    ("normalization", 3, "'str'"),
    ("averaging", "mean", "'ema'", "'swa'"),
    ("averaging", 0.9, "'str'"),
    ("parameter_groups", ParameterGroup(), "'ParameterGroups'", "None"),
    ("parameter_groups", {"bias": 0.1}, "'ParameterGroups'"),
    ("feature_scale", 1, BOOLEAN),
    ("parametric_activation", 1, BOOLEAN),
    ("ensemble_size", 0, "int", "None"),
    ("numeric_embedding", "pel", "'pbld', 'ple', 'plr'"),
    ("numeric_embedding", 3, "'pbld', 'ple', 'plr'", "'NumericEmbedding'"),
    ("categorical_features", "color", "'from_dtype'", "names, positions or booleans"),
    ("embedding_dim", 0, "int", "'auto'"),
    ("parametrization", "mup", "'standard'", "'ntk'"),
    ("decay_schedule", "adaptive", "'flat_cosine'", "a callable (time)"),
    ("dropout_schedule", 0.5, "'flat_cosine'", "a callable (time)"),
    ("drop_last", 1, BOOLEAN),
    ("max_time", 0, ABOVE_ZERO),
    ("callbacks", 3, "array-like"),
    ("dtype", "float16", "'auto'", "'float32'", "'float64'"),
    ("dtype", np.float16, "'float32'"),
]
BAD_REGRESSOR_PARAMETERS = [
    ("loss", "absolute", "'squared_error'", "'poisson'"),
    ("loss", BinaryLogLoss(), "'regression'"),
    ("loss", ScaledSquaredError(0, 1), "'bounded'", "'regression'"),
    ("loss", None, "'str'", "Loss"),
    ("output", "integer", "'continuous'", "'categorical'"),
    ("output_range", 3, "an array-like", "None"),
    ("output_range", "01", "an array-like"),
    ("output_range", (1,), "two finite numbers"),
    ("output_range", (0, 1, 2), "two finite numbers"),
    ("output_range", (0, np.nan), "two finite numbers"),
    ("output_range", (0, np.inf), "two finite numbers"),
    ("output_range", ("0", "1"), "two finite numbers"),
    ("output_range", (False, 3), "two finite numbers"),
    ("output_range", (5, 1), "the lower bound must be below the upper bound"),
    ("output_range", (1, 1), "the lower bound must be below the upper bound"),
    ("categorical_prediction", "median", "'mean'", "'mode'"),
    ("clip_predictions", 1, BOOLEAN),
    ("standardize_target", "never", "'auto'", BOOLEAN),
]


BAD_CLASSIFIER_PARAMETERS = [
    ("loss", "hinge", "'focal'", "'log_loss'"),
    ("loss", Huber(), "'regression'"),
    ("loss", None, "'focal'", "Loss"),
    ("class_weight", "equal", "'balanced'", "'dict'", "None"),
    ("class_weight", [1, 2], "'dict'"),
    ("class_weight", {0: -1.0}, "not negative"),
    ("class_weight", {0: np.inf}, "finite"),
    ("class_weight", {0: 0, 1: 0}, "leaves no row to learn from"),
]


BAD_PERCEPTRON_PARAMETERS = [
    ("n_associative", -1, "an int in the range [0, inf)"),
    ("n_associative", 2.5, "an int in the range [0, inf)"),
    ("n_connections", 0, COUNT),
    ("n_connections", 1.5, COUNT),
    ("n_connections", D + 1, f"at most n_features={D}"),
    ("weights", "best", "'plain'", "'averaged'", "'pocket'"),
    ("fit_intercept", "yes", BOOLEAN),
    ("max_iter", 0, COUNT),
    ("shuffle", 3, BOOLEAN),
    ("class_weight", "equal", "'balanced'", "'dict'", "None"),
    ("class_weight", {0: -1.0}, "not negative"),
    ("class_weight", {0: 0, 1: 0}, "leaves no row to learn from"),
    ("random_state", -1, SEED),
    ("warm_start", 2, BOOLEAN),
    ("verbose", "loud", BOOLEAN),
    ("callbacks", 3, "array-like"),
]

OWN_BAD_PARAMETERS = {
    MLPBinaryClassifier: [*BAD_PARAMETERS, *BAD_CLASSIFIER_PARAMETERS],
    MLPSoftmaxClassifier: [*BAD_PARAMETERS, *BAD_CLASSIFIER_PARAMETERS],
    MLPRegressor: [*BAD_PARAMETERS, *BAD_REGRESSOR_PARAMETERS],
    RosenblattPerceptron: BAD_PERCEPTRON_PARAMETERS,
}


def name_of(row):
    return row.__name__ if isinstance(row, type) else f"{row[0]}={row[1]!r}"


@pytest.mark.parametrize(
    "cls, row",
    [(cls, row) for cls, rows in OWN_BAD_PARAMETERS.items() for row in rows],
    ids=name_of,
)
def test_bad_parameter_is_refused_by_name_value_and_range(cls, row):
    parameter, value, *allowed = row
    # The message about a list names its length or one of its elements.
    named = () if isinstance(value, list) else (repr(value),)
    fragments = (parameter, *named, *allowed)
    assert_refused(make(cls), lambda e: e.fit(X, Y), fragments, {parameter: value})
    if parameter != "solver":
        for estimator in (make(cls), fit(make(cls), X, Y)):
            with pytest.raises(ValueError, match=parameter):
                train(estimator.set_params(**{parameter: value}), "partial_fit", X, Y)


@WITH_PERCEPTRON
def test_every_parameter_with_a_range_has_a_row_in_the_table(cls):
    assert {row[0] for row in OWN_BAD_PARAMETERS[cls]} == set(cls().get_params())


@pytest.mark.parametrize(
    "activation, hidden, error, fragments",
    [
        (["relu", "tanh"], (4,), ValueError, ["activation has 2 entries", "per hidden layer"]),
        (["relu"], (4, 4), ValueError, ["activation has 1 entries", "per hidden layer"]),
        ([], (4,), ValueError, ["activation has 0 entries"]),
        (["relu"], (), ValueError, ["activation has 1 entries"]),
        (["relu", "rleu"], (4, 4), ValueError, ["'rleu'", "'relu'"]),
        (["relu", None], (4, 4), TypeError, ["activation", "None"]),
        ([ReLU], (4,), TypeError, ["Pass an instance: ReLU()"]),
    ],
    ids=repr,
)
@EVERY_ESTIMATOR
def test_list_of_activations_must_hold_one_known_activation_per_hidden_layer(
    cls, activation, hidden, error, fragments
):
    bad = {"activation": activation, "hidden_layer_sizes": hidden}
    assert_refused(make(cls), lambda e: e.fit(X, Y), fragments, bad, error)


@EVERY_ESTIMATOR
def test_activation_with_a_parameter_out_of_range_is_refused(cls):
    estimator = make(cls, activation=ELU())
    bad = {"activation__alpha": 0.0}
    fragments = ["'alpha' parameter of ELU", "(0.0, inf)", "Got 0.0"]
    assert_refused(estimator, lambda e: e.fit(X, Y), fragments, bad)


# Data.


def with_one(array, value):
    array = np.array(array, dtype=float)
    array.flat[4] = value
    return array


ONES = np.ones(N)

BAD_DATA = {
    "NaN in X": ((with_one(X, np.nan), Y), "Input X contains NaN"),
    "infinity in X": ((with_one(X, -np.inf), Y), "Input X contains infinity"),
    "NaN in sparse X": ((sparse.csr_array(with_one(X, np.nan)), Y), "X contains NaN"),
    "NaN in y": ((X, with_one(Y, np.nan)), "Input y contains NaN"),
    "infinity in y": ((X, with_one(Y, np.inf)), "Input y contains infinity"),
    "X with one dimension": ((X[:, 0], Y), "Expected 2D array, got 1D array instead"),
    "X with three dimensions": ((X[np.newaxis], Y), "Found array with dim 3"),
    "y with three dimensions": ((X, np.ones((N, 1, 1))), "dim"),
    "strings in X": ((np.full((N, D), "red"), Y), "could not convert string to float"),
    "complex X": ((X * 1j, Y), "Complex data not supported"),
    "no rows": ((X[:0], Y[:0]), "0 sample(s)"),
    "no columns": ((X[:, :0], Y), "0 feature(s)"),
    "no y": ((X, None), "requires y to be passed, but the target y is None"),
    "short y": ((X, Y[:-1]), "inconsistent numbers of samples"),
    "negative weight": ((X, Y, with_one(ONES, -1)), "Negative values in data"),
    "negative scalar weight": ((X, Y, -1.0), "Negative values in data"),
    "NaN weight": ((X, Y, with_one(ONES, np.nan)), "sample_weight contains NaN"),
    "infinite weight": ((X, Y, with_one(ONES, np.inf)), "sample_weight contains infinity"),
    "weights all zero": ((X, Y, 0 * ONES), "zero"),
    "scalar weight of zero": ((X, Y, 0.0), "zero"),
    "short weights": ((X, Y, ONES[:-1]), "sample_weight.shape == (39,), expected (40,)"),
    "weights in two columns": ((X, Y, np.ones((N, 2))), "must be 1D array"),
    "strings as weights": ((X, Y, np.full(N, "heavy")), "could not convert string to float"),
}
BAD_LABELS = {
    "one row": ((X[:1], Y[:1]), "at least 2 classes"),
    "one class": ((X, 0 * Y), "at least 2 classes"),
    "numbers as classes": ((X, X[:, 0]), "Unknown label type: continuous"),
    "labels in two columns": ((X, np.c_[Y, Y + 1]), "y should be a 1d array"),
    "missing label": ((X, np.where(Y, "yes", None)), "y contains None: leave out the rows"),
    "missing text": (
        (X, pd.Series(np.where(Y, "yes", None), dtype="string")),
        "y contains <NA>: leave out the rows",
    ),
    "missing category": (
        (X, pd.Series(np.where(Y, "yes", None), dtype="category")),
        "y contains NaN: leave out the rows",
    ),
}


@pytest.mark.parametrize("name", BAD_DATA)
@WITH_PERCEPTRON
@BOTH_METHODS
def test_bad_data_is_refused_in_the_words_of_scikit_learn(cls, method, name):
    data, fragment = BAD_DATA[name]
    assert_refused(make(cls), lambda e: train(e, method, *data), [fragment])


@pytest.mark.parametrize("name", BAD_LABELS)
@CLASSIFIERS_AND_PERCEPTRON
def test_bad_labels_are_refused(cls, name):
    data, fragment = BAD_LABELS[name]
    assert_refused(make(cls), lambda e: e.fit(*data), [fragment])


@CLASSIFIERS_AND_PERCEPTRON
@pytest.mark.parametrize("first", [0, 1])
def test_labels_of_several_types_are_refused(cls, first):
    labels = np.where(Y == first, "yes", np.array(1, dtype=object))
    words = ["y holds labels of the types int and str, which cannot be compared"]
    assert_refused(make(cls), lambda e: e.fit(X, labels), words, error=TypeError)


@CLASSIFIERS_AND_PERCEPTRON
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([date(2024, 1, 1), date(2024, 1, 2)], ["objects of type date", "astype(str)"]),
        ([Decimal(1), Decimal(2)], ["objects of type Decimal", "astype(str)"]),
        ([1, 2], ["objects of type int", "astype(int)"]),
        ([True, False], ["objects of type bool", "astype(bool)"]),
        ([1, 2.0], ["objects of type float and int", "astype(float)"]),
        ([1j, 2j], ["objects of type complex", "astype(str)"]),
    ],
)
def test_labels_that_are_objects_are_refused_with_their_type_and_a_conversion(cls, labels, words):
    y = np.array(labels, dtype=object)[Y]
    words = ["Unknown label type", "np.asarray(y)", *words]
    assert_refused(make(cls), lambda e: e.fit(X, y), words)


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_columns_of_labels_that_are_objects_are_refused_in_the_same_words(cls):
    y = np.c_[Y, Y[::-1]].astype(object)
    words = ["Unknown label type: y holds objects of type int", "np.asarray(y).astype(int)"]
    assert_refused(make(cls), lambda e: e.fit(X, y), words)


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1 has no such strings")
@pytest.mark.parametrize(
    "model",
    [
        *(make(cls) for cls in [*ESTIMATORS, RosenblattPerceptron]),
        TabularMLPClassifier("fast", max_epochs=1),
        StackedEnsembleClassifier(MLPSoftmaxClassifier((2,), max_iter=2), 2),
        StackedCrossEnsembleClassifier(MLPSoftmaxClassifier((2,), max_iter=2), {}),
        StackedGridSearchCV(MLPSoftmaxClassifier((2,), max_iter=2), {}),
    ],
    ids=lambda model: type(model).__name__,
)
def test_strings_of_any_length_are_refused_with_a_conversion(model):
    y = np.array(["no", "yes"], dtype=np.dtypes.StringDType())[Y]
    with pytest.raises(TypeError, match=r"StringDType.*pass y\.astype\(object\)"):
        model.fit(X, y)
    if is_classifier(model):
        model.fit(X, y.astype(object))
        with pytest.raises(TypeError, match=r"StringDType.*pass y\.astype\(object\)"):
            model.score(X, y)


def test_strings_as_numbers_to_predict_are_refused():
    labels = np.where(Y, "yes", "no")
    assert_refused(make(MLPRegressor), lambda e: e.fit(X, labels), ["could not convert string"])


@pytest.mark.parametrize(
    "options", [{}, {"output_range": (-9, 9)}, {"output": "categorical"}], ids=str
)
@BOTH_METHODS
def test_none_as_a_number_to_predict_is_refused_as_nan_is(method, options):
    numbers = np.where(Y, 1.0, np.array(None))
    fragments = ["Input y contains NaN"]
    assert_refused(make(MLPRegressor, **options), lambda e: train(e, method, X, numbers), fragments)


DAYS = np.array(["2020-01-01"], dtype="datetime64[D]") + np.arange(N)
DATES = {
    "dates": DAYS[:, np.newaxis],
    "durations": (DAYS - DAYS[0])[:, np.newaxis],
    "list of dates": [[day] for day in DAYS],
    "datetime objects": DAYS.astype(object)[:, np.newaxis],
}


@pytest.mark.parametrize("name", DATES)
@WITH_PERCEPTRON
def test_dates_as_x_are_refused_with_a_conversion(cls, name):
    dates = DATES[name]
    with pytest.raises(TypeError, match=r"X holds dates or durations.*timedelta64"):
        make(cls).fit(dates, Y)
    fitted = make(cls).fit(np.arange(float(np.size(dates))).reshape(np.shape(dates)), Y)
    with pytest.raises(TypeError, match="X holds dates or durations"):
        fitted.predict(dates)


@pytest.mark.parametrize("columns", [["day", "number"], ["day"], ["number", "time"]])
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@WITH_PERCEPTRON
def test_dates_in_a_frame_are_refused_with_a_conversion(cls, library, columns):
    times = [None, *(DAYS - DAYS[0]).tolist()[1:]]
    table = {"day": DAYS, "number": np.arange(float(N)), "time": times}
    if library == "pyarrow":
        frame = pytest.importorskip("pyarrow").table(table).select(columns)
    else:
        frame = pytest.importorskip(library).DataFrame(table)[columns]
    with pytest.raises(TypeError, match=r"X holds dates or durations.*timedelta64"):
        make(cls).fit(frame, Y)


@pytest.mark.parametrize("cls", [MLPBinaryClassifier, MLPRegressor])
@pytest.mark.parametrize("in_chunks", [True, False])
def test_dictionaries_of_arrow_with_missing_values_are_refused_as_numbers_and_targets(
    cls, in_chunks
):
    pa = pytest.importorskip("pyarrow")
    y = pa.array([None, *Y[1:].tolist()]).dictionary_encode()
    y = pa.chunked_array([y]) if in_chunks else y
    for of_one_column in (y, pa.table({"y": y})):
        with pytest.raises(ValueError, match="Input y contains"):
            make(cls).fit(X, of_one_column)
    codes = pa.array([None, *range(1, N)]).dictionary_encode()
    with pytest.raises(ValueError, match="Input X contains null"):
        make(cls).fit(pa.table({"a": np.arange(float(N)), "b": codes}), Y)


@pytest.mark.parametrize("name", [None, "y_val"])
@pytest.mark.parametrize("cls", [*ESTIMATORS, RosenblattPerceptron])
def test_targets_that_would_become_others_are_refused_in_fit_validation_and_score(cls, name):
    """A mask would be ignored, and a missing value of an Arrow dictionary would be the last one."""
    pa = pytest.importorskip("pyarrow")
    codes = pa.array([None, *Y[1:].tolist()]).dictionary_encode()
    for y, found in [
        (np.ma.array(Y, mask=Y > 0), "{0} is a masked array.*by {0}.filled"),
        (pa.table({"y": codes}), "Input {0} contains null"),
        (pa.chunked_array([codes]), "Input {0} contains"),
        (pytest.importorskip("polars").DataFrame({"y": Y}).lazy(), "pass {0}.collect"),
    ]:
        if name is None:
            with pytest.raises((TypeError, ValueError), match=found.format("y")):
                make(cls).fit(X, y)
            with pytest.raises((TypeError, ValueError), match=found.format("y")):
                make(cls).fit(X, Y).score(X, y)
        elif cls is not RosenblattPerceptron:
            with pytest.raises((TypeError, ValueError), match=found.format("y_val")):
                make(cls).fit(X, Y, X_val=X, y_val=y)


@pytest.mark.parametrize(
    "y",
    [
        DAYS,
        DAYS - DAYS[0],
        np.c_[DAYS, DAYS],
        DAYS.tolist(),
        DAYS.astype("M8[us]").tolist(),
        (DAYS - DAYS[0]).astype(object),
        [time(12, minute) for minute in range(N)],
        [[number, day] for number, day in enumerate(DAYS.tolist())],
    ],
)
def test_dates_as_numbers_to_predict_are_refused(y):
    with pytest.raises(TypeError, match="y holds dates or durations"):
        make(MLPRegressor).fit(X, y)
    with pytest.raises(TypeError, match="y_val holds dates or durations"):
        make(MLPRegressor).fit(X, np.zeros(np.shape(y)), X_val=X, y_val=y)
    with pytest.raises(TypeError, match="y holds dates or durations"):
        make(MLPRegressor).fit(X, np.zeros(np.shape(y))).score(X, y)


@pytest.mark.parametrize("values", [(-1, 1), (1, 2), (0, 5), (-1, 0), (0.0, 2.0)])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_labels_in_columns_other_than_zero_and_one_are_refused(kind, values):
    present = np.arange(2 * N).reshape(N, 2) % 3 == 0
    y = kind(np.where(present, values[1], values[0]))
    with pytest.raises(ValueError, match="several labels per row"):
        make(MLPBinaryClassifier).fit(X, y)
    with pytest.raises(ValueError, match="several labels per row"):
        make(MLPBinaryClassifier).fit(X, kind(present), X_val=X, y_val=y)


@pytest.mark.parametrize("kind", [bool, float, np.int8])
def test_labels_in_columns_may_be_any_zeros_and_ones(kind):
    present = (np.arange(2 * N).reshape(N, 2) % 3 == 0).astype(kind)
    model = make(MLPBinaryClassifier).fit(X, present)
    assert set(np.unique(model.predict(X))) <= {0, 1}
    assert 0 <= model.score(X, present) <= 1


BAD_WEIGHTS = [np.nan, np.inf, -1.0, 0, True, "2", "two", 1j]


@pytest.mark.parametrize("weight", BAD_WEIGHTS, ids=repr)
@WITH_PERCEPTRON
@BOTH_METHODS
def test_a_weight_that_all_rows_share_must_be_a_positive_number(cls, method, weight):
    assert_refused(make(cls), lambda e: train(e, method, X, Y, weight), ["sample_weight"])
    if cls is not RosenblattPerceptron and method == "fit":
        own = {"X_val": X, "y_val": Y, "sample_weight_val": weight}
        assert_refused(make(cls), lambda e: e.fit(X, Y, **own), ["sample_weight_val"])


@WITH_PERCEPTRON
def test_a_weight_that_all_rows_share_is_that_of_each(cls):
    shared, each = make(cls).fit(X, Y, 2), make(cls).fit(X, Y, np.full(N, 2.0))
    assert_array_equal(shared.predict(X), each.predict(X))


@pytest.mark.parametrize("weight", [1e308, 1e-320], ids=str)
@WITH_PERCEPTRON
@BOTH_METHODS
def test_weights_whose_sum_overflows_or_vanishes_are_refused(cls, method, weight):
    weights = np.full(N, weight)
    weights[2:] *= weight > 1
    fragments = ["sample_weight", "sum of the weights"]
    assert_refused(make(cls), lambda e: train(e, method, X, Y, weights), fragments)


@WITH_PERCEPTRON
def test_strings_as_weights_are_refused_by_name(cls):
    assert_refused(make(cls), lambda e: e.fit(X, Y, ["a"] * N), ["sample_weight"])


@CLASSIFIERS_AND_PERCEPTRON
def test_class_weights_whose_sum_overflows_are_refused_by_name(cls):
    bad = {"class_weight": {0: 1e308, 1: 1e308}}
    fragments = ["class_weight={0: 1e+308, 1: 1e+308}", "sum"]
    assert_refused(make(cls), lambda e: e.fit(X, Y), fragments, bad)


def test_one_class_is_named_as_python_writes_it():
    with pytest.raises(ValueError, match="one class: 'a'"):
        make(MLPSoftmaxClassifier).fit(X, np.array(["a"] * N))


def test_three_classes_are_refused_by_the_binary_estimator_which_points_to_the_softmax():
    fragments = ["Only binary classification is supported", "3 classes", "MLPSoftmaxClassifier"]
    estimator = make(MLPBinaryClassifier)
    assert_refused(estimator, lambda e: e.fit(X, np.arange(N) % 3), fragments)
    new = make(MLPBinaryClassifier)
    with pytest.raises(ValueError, match="MLPSoftmaxClassifier"):
        new.partial_fit(X, Y, classes=[0, 1, 2])
    assert not hasattr(new, "classes_")


def test_several_labels_per_row_are_refused_by_the_softmax_which_points_to_the_binary():
    estimator = make(MLPSoftmaxClassifier)
    fragments = ["multilabel", "MLPBinaryClassifier", "argmax"]
    assert_refused(estimator, lambda e: e.fit(X, np.c_[Y, 1 - Y]), fragments)


PREDICTIONS = ["predict", "predict_proba", "predict_log_proba", "decision_function", "score"]


@pytest.mark.parametrize(
    "bad, fragment",
    [
        (X[:, :2], "X has 2 features, but {} is expecting 3 features as input"),
        (np.c_[X, X], "X has 6 features, but {} is expecting 3 features as input"),
        (sparse.csr_array(X[:, :2]), "X has 2 features, but {} is expecting 3 features"),
        (X[0], "Expected 2D array, got 1D array instead"),
        (X[:0], "0 sample(s)"),
        (with_one(X, np.nan), "Input X contains NaN"),
        (with_one(X, np.inf), "Input X contains infinity"),
        (np.full((N, D), "red"), "could not convert string to float"),
    ],
    ids=["narrow", "wide", "narrow sparse", "1-D", "empty", "NaN", "infinity", "text"],
)
@WITH_PERCEPTRON
def test_bad_rows_to_predict_are_refused_and_harm_nothing(cls, bad, fragment):
    estimator = fit(make(cls), X, Y)
    before = state(estimator)
    for name in PREDICTIONS:
        if hasattr(estimator, name):
            arguments = (bad, Y) if name == "score" else (bad,)
            with pytest.raises(ValueError) as caught:
                getattr(estimator, name)(*arguments)
            assert fragment.format(cls.__name__) in str(caught.value)
    assert state(estimator) == before


@WITH_PERCEPTRON
def test_nothing_is_predicted_before_fit(cls):
    for name in PREDICTIONS:
        if hasattr(cls(), name):
            with pytest.raises(NotFittedError, match=f"This {cls.__name__} instance is not fitted"):
                getattr(cls(), name)(*((X, Y) if name == "score" else (X,)))


# Outputs of the regressor.


@pytest.mark.parametrize(
    "options, y, fragments",
    [
        ({"output_range": (0, 0.5)}, Y, ["[0, 0.5]", "from 0.0 to 1.0"]),
        ({"output_range": (0.5, 2)}, Y, ["[0.5, 2]", "from 0.0 to 1.0"]),
        ({"loss": "poisson"}, Y - 1, ["[0, inf)", "from -1.0 to 0.0"]),
        ({"loss": "gamma"}, Y, ["(0, inf)", "from 0.0 to 1.0"]),
        ({"output": "categorical"}, Y + 0.5, [f"needs integers in y, got {Y[0] + 0.5}."]),
        (
            {"output": "categorical", "output_range": (0, 3)},
            Y + 3,
            ["[0, 3]", "from 3.0 to 4.0"],
        ),
        (
            {"output": "categorical", "output_range": (0.0, 1.0)},
            Y,
            ["output_range=(0.0, 1.0)", "two integers"],
        ),
        ({"output": "categorical", "output_range": (3, 0)}, Y, ["output_range=(3, 0)", "below"]),
        ({"output": "categorical"}, np.c_[Y, Y], ["one target column", "2"]),
        ({"output": "categorical"}, 0 * Y, ["at least two different values"]),
        ({"loss": "poisson", "output_range": (0, 1)}, Y, ["loss='poisson'", "(0, 1)"]),
        ({"loss": "poisson", "output": "categorical"}, Y, ["loss='poisson'", "'categorical'"]),
        ({"loss": Pinball(0.9), "output_range": (0, 1)}, Y, ["Pinball(quantile=0.9)", "(0, 1)"]),
    ],
    ids=repr,
)
@BOTH_METHODS
def test_targets_that_the_output_cannot_give_are_refused(options, y, fragments, method):
    new = make(MLPRegressor, **options)
    with pytest.raises(ValueError) as caught:
        train(new, method, X, y)
    assert all(fragment in str(caught.value) for fragment in fragments), caught.value
    assert vars(new).keys() == vars(make(MLPRegressor)).keys()
    if method == "fit":
        assert_refused(make(MLPRegressor), lambda e: e.fit(X, y), fragments, options)


@BOTH_METHODS
@pytest.mark.parametrize("columns", [1, 3])
def test_sparse_numbers_to_predict_are_refused(method, columns):
    y = sparse.csr_array(X[:, :columns])
    fragments = ["Sparse data was passed for y, but dense data is required"]
    call = lambda e: train(e, method, X, y)  # noqa: E731
    assert_refused(make(MLPRegressor), call, fragments, error=TypeError)


@pytest.mark.parametrize(
    "first", [{}, {"output_range": (0, 5)}, {"output": "categorical"}], ids=repr
)
@pytest.mark.parametrize("then", [{"output": "continuous"}, {"output": "categorical"}], ids=repr)
@BOTH_METHODS
def test_training_does_not_go_on_with_another_kind_of_output(first, then, method):
    estimator = train(make(MLPRegressor, warm_start=True, **first), method, X, Y)
    goes_on = first.get("output", "continuous") == then["output"]
    before = state(estimator)
    good = estimator.get_params()
    if goes_on:
        train(estimator.set_params(**then), method, X, Y)
        return
    with pytest.raises(ValueError, match=f"output='{then['output']}': warm_start and partial_fit"):
        train(estimator.set_params(**then), method, X, Y)
    assert state(estimator.set_params(output=good["output"])) == before


@BOTH_METHODS
def test_training_does_not_go_on_with_another_range_of_values(method):
    estimator = make(MLPRegressor, warm_start=True, output="categorical")
    before = state(train(estimator, method, X, Y))
    with pytest.raises(ValueError, match=r"output_range=\(0, 5\): .* earlier fit, \(0, 1\)"):
        train(estimator.set_params(output_range=(0, 5)), method, X, Y)
    assert state(estimator.set_params(output_range=None)) == before
    train(estimator.set_params(output_range=(0, 1)), method, X, Y)


def test_later_targets_outside_the_values_of_the_first_call_are_refused():
    estimator = make(MLPRegressor, output="categorical").partial_fit(X, Y)
    before = state(estimator)
    with pytest.raises(ValueError, match=r"\[0, 1\], got values from 1.0 to 2.0"):
        estimator.partial_fit(X, Y + 1)
    assert state(estimator) == before


@BOTH_METHODS
def test_another_number_of_labels_is_refused_by_later_calls(method):
    estimator = make(MLPBinaryClassifier, warm_start=True)
    before = state(train(estimator, method, X, np.c_[Y, 1 - Y]))
    with pytest.raises(ValueError, match="`y` has 3 labels, but 2 are expected"):
        train(estimator, method, X, np.c_[Y, Y, Y])
    assert state(estimator) == before


def test_another_number_of_target_columns_is_refused_by_later_calls():
    estimator = make(MLPRegressor).partial_fit(X, np.c_[Y, X])
    before = state(estimator)
    with pytest.raises(ValueError, match="y has 1 columns, but 4 are expected"):
        estimator.partial_fit(X, Y)
    assert state(estimator) == before


@pytest.mark.parametrize(
    "cls, loss, fragment",
    [
        (MLPRegressor, Huber(delta=-1.0), "'delta'"),
        (MLPRegressor, Pinball([0.9, 0.1]), "rising order"),
        (MLPBinaryClassifier, BinaryLogLoss(label_smoothing=1.0), "[0, 1). Got 1.0"),
        (MLPBinaryClassifier, BinaryFocalLoss(gamma=-1.0), "[0, inf)"),
        (MLPSoftmaxClassifier, CategoricalFocalLoss(alpha=[1.0, 2.0, 3.0]), "the 2 classes"),
    ],
    ids=repr,
)
@BOTH_METHODS
def test_loss_with_a_parameter_out_of_range_is_refused(cls, loss, fragment, method):
    assert_refused(make(cls), lambda e: train(e, method, X, Y), [fragment], {"loss": loss})


@BOTH_METHODS
def test_class_weights_of_several_labels_per_row_are_refused(method):
    estimator = make(MLPBinaryClassifier, class_weight={0: 1.0, 1: 2.0})
    with pytest.raises(ValueError, match=r"class_weight=\{.*multilabel.*BinaryFocalLoss"):
        train(estimator, method, X, np.c_[Y, 1 - Y])


# Calls in the wrong order.


@CLASSIFIERS_AND_PERCEPTRON
def test_partial_fit_cannot_balance_classes(cls):
    fragments = ["class_weight='balanced'", "partial_fit", "compute_class_weight"]
    bad = {"class_weight": "balanced"}
    assert_refused(make(cls), lambda e: train(e, "partial_fit", X, Y), fragments, bad)


@pytest.mark.parametrize("given", [True, "loss"])
@EVERY_ESTIMATOR
def test_partial_fit_refuses_early_stopping(cls, given):
    fragments = [f"partial_fit does not support early_stopping={given!r}"]
    bad = {"early_stopping": given}
    assert_refused(make(cls), lambda e: train(e, "partial_fit", X, Y), fragments, bad)


@EVERY_ESTIMATOR
def test_lbfgs_has_no_partial_fit_and_says_why(cls):
    estimator = make(cls, solver="lbfgs")
    assert not hasattr(estimator, "partial_fit")
    error = assert_refused(
        estimator, lambda e: e.partial_fit(X, Y), ["partial_fit"], error=AttributeError
    )
    assert "lbfgs is not stochastic" in str(error.__cause__)


@CLASSIFIERS_AND_PERCEPTRON
@pytest.mark.parametrize(
    "arguments, fragment",
    [
        ((X, Y), "classes must be passed on the first call to partial_fit"),
        ((X, Y + 1, [0, 1]), "`y` has classes not in `self.classes_`"),
        ((X, Y, [0]), "at least 2 classes"),
        ((X, Y, []), "at least 2 classes"),
    ],
    ids=["none", "others", "one", "empty"],
)
def test_first_partial_fit_needs_all_classes(cls, arguments, fragment):
    estimator = make(cls)
    with pytest.raises(ValueError) as caught:
        estimator.partial_fit(*arguments)
    assert fragment in str(caught.value)
    assert vars(estimator).keys() == vars(make(cls)).keys()


@CLASSIFIERS_AND_PERCEPTRON
@pytest.mark.parametrize("first", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "arguments, fragment",
    [
        ((X, Y + 1), "`y` has classes not in `self.classes_`"),
        ((X, np.where(Y, 1, -1)), "`y` has classes not in `self.classes_`"),
        ((X, Y, [0, 1, 2]), "is not the same as on last call to partial_fit"),
        ((X, Y + 2, [2, 3]), "is not the same as on last call to partial_fit"),
        ((X[:, :2], Y), "X has 2 features"),
    ],
    ids=["new class", "class in between", "more classes", "other classes", "fewer features"],
)
def test_later_partial_fit_refuses_anything_new(cls, first, arguments, fragment):
    estimator = make(cls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        train(estimator, first, X, Y)
    before = state(estimator)
    with pytest.raises(ValueError) as caught:
        estimator.partial_fit(*arguments)
    assert fragment in str(caught.value)
    assert state(estimator) == before


@pytest.mark.parametrize("first", [Y, np.c_[Y, 1 - Y]], ids=["classes", "labels"])
def test_classes_and_labels_do_not_follow_each_other(first):
    then = np.c_[Y, 1 - Y] if first.ndim == 1 else Y
    estimator = make(MLPBinaryClassifier).partial_fit(X, first, classes=[0, 1])
    before = state(estimator)
    with pytest.raises(ValueError, match="but the network is trained on"):
        estimator.partial_fit(X, then)
    assert state(estimator) == before
    with pytest.raises(ValueError, match=r"`y_val` holds .* but the network is trained on"):
        make(MLPBinaryClassifier).fit(X, first, X_val=X, y_val=then)


@EVERY_ESTIMATOR
@pytest.mark.parametrize(
    "bad, fragment",
    [
        ({"hidden_layer_sizes": (3,)}, "hidden_layer_sizes=(3,)"),
        ({"hidden_layer_sizes": (4, 4)}, "hidden_layer_sizes=(4, 4)"),
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes=()"),
        ({"skip_connections": "dense"}, "skip_connections='dense'"),
        ({"activation": "prelu"}, "activation"),
    ],
    ids=repr,
)
def test_warm_start_refuses_another_architecture(cls, bad, fragment):
    estimator = fit(make(cls, warm_start=True), X, Y)
    before = state(estimator)
    good = {name: estimator.get_params()[name] for name in bad}
    with pytest.raises(ValueError) as caught:
        fit(estimator.set_params(**bad), X, Y)
    assert fragment in str(caught.value)
    assert state(estimator.set_params(**good)) == before


@EVERY_ESTIMATOR
def test_warm_start_obeys_a_change_of_activation(cls):
    estimator = fit(make(cls, warm_start=True, solver="lbfgs", activation="relu"), X, Y)
    fit(estimator.set_params(activation="tanh", max_iter=20), X, Y)
    (first, second), (b1, b2) = estimator.coefs_, estimator.intercepts_
    raw = np.tanh(X @ first + b1) @ second + b2
    expected = raw[:, -1] - raw[:, 0] if raw.shape[1] == 2 else raw[:, 0]
    answer = getattr(estimator, "decision_function", estimator.predict)
    assert_allclose(answer(X), expected, rtol=1e-9, atol=1e-12)


@CLASSIFIERS_AND_PERCEPTRON
def test_warm_start_refuses_other_classes(cls):
    estimator = fit(make(cls, warm_start=True), X, Y)
    before = state(estimator)
    for y in (Y + 1, np.where(Y, "b", "a"), np.arange(N) % 3, 0 * Y):
        with pytest.raises(ValueError, match="`y` has the same classes as in the previous call"):
            estimator.fit(X, y)
        assert state(estimator) == before


@WITH_PERCEPTRON
def test_warm_start_refuses_another_number_of_features(cls):
    estimator = fit(make(cls, warm_start=True), X, Y)
    before = state(estimator)
    with pytest.raises(ValueError, match="X has 2 features"):
        estimator.fit(X[:, :2], Y)
    assert state(estimator) == before


@EVERY_ESTIMATOR
def test_too_small_a_validation_set_is_refused(cls):
    few = np.argsort(Y, kind="stable")[[0, 1, 2, -1, -2, -3]]
    bad = {"early_stopping": True}
    assert_refused(make(cls), lambda e: e.fit(X[few], Y[few]), ["validation_fraction"], bad)


@EVERY_ESTIMATOR
def test_early_stopping_refuses_a_split_of_which_one_part_counts_nothing(cls):
    estimator = make(cls, early_stopping=True, validation_fraction=0.5)
    parts = set()
    for row in range(10):
        # The only row with a weight is in one of the two parts.
        with pytest.raises(ValueError, match=r"rows of the .* set have a weight of zero") as caught:
            estimator.fit(X, Y, np.arange(N) == row)
        parts.add(str(caught.value).split(" set have")[0].split()[-1])
    assert parts == {"training", "validation"}


@EVERY_ESTIMATOR
def test_early_stopping_without_a_validation_set_is_refused(cls):
    bad = {"early_stopping": True, "validation_fraction": 0.0}
    assert_refused(make(cls), lambda e: e.fit(X, Y), ["validation_fraction"], bad)


# Divergence.

WAYS_TO_DIVERGE = {
    "huge steps": ({"solver": "sgd", "learning_rate_init": 1e300}, X * 1e5),
    "huge steps, adaptive": (
        {"solver": "sgd", "learning_rate_init": 1e300, "learning_rate": "adaptive"},
        X * 1e5,
    ),
    "huge steps, early stopping": (
        {"solver": "sgd", "learning_rate_init": 1e300, "early_stopping": True},
        X * 1e5,
    ),
    "huge steps, Adam": ({"learning_rate_init": 1e300}, X * 1e5),
    "huge numbers": ({"solver": "sgd"}, X * 1e300),
    "huge numbers, float32": ({"dtype": "float32"}, X * 1e39),
    "huge numbers, L-BFGS": ({"solver": "lbfgs"}, X * 1e300),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", WAYS_TO_DIVERGE)
@EVERY_ESTIMATOR
def test_diverged_fit_names_the_likely_cause(cls, name):
    bad, unscaled = WAYS_TO_DIVERGE[name]
    estimator = make(cls, activation="identity", max_iter=50)
    fragments = ["non-finite", "diverged", "StandardScaler"]
    if bad.get("solver") != "lbfgs":
        fragments.append(f"learning_rate_init={bad.get('learning_rate_init', 0.001)!r}")
    assert_refused(estimator, lambda e: e.fit(unscaled, Y), fragments, bad)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@EVERY_ESTIMATOR
def test_message_of_diverged_lbfgs_does_not_name_a_learning_rate(cls):
    with pytest.raises(ValueError, match="diverged") as caught:
        make(cls, activation="identity", solver="lbfgs", max_iter=50).fit(X * 1e300, Y)
    assert "learning_rate_init" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@EVERY_ESTIMATOR
def test_diverged_partial_fit_names_the_likely_cause(cls):
    def call(estimator):
        for _ in range(50):
            state_before.append(vars(estimator).copy())
            train(estimator, "partial_fit", X * 1e5, Y)

    state_before = []
    estimator = make(cls, activation="identity", solver="sgd", learning_rate_init=1e300)
    with pytest.raises(ValueError, match=r"diverged.*learning_rate_init=1e\+300"):
        call(estimator)
    assert vars(estimator) == state_before[-1]


def test_unscaled_regression_with_large_steps_diverges_with_a_clear_error():
    estimator = make(MLPRegressor, solver="sgd", activation="identity", max_iter=50)
    bad = {"learning_rate_init": 0.5}
    fragments = ["diverged", "StandardScaler", "learning_rate_init=0.5"]
    y = 1000 * X[:, 0]
    with np.errstate(all="ignore"):
        assert_refused(estimator, lambda e: e.fit(1000 * X, y), fragments, bad)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("of_x", [1.0, 1e-300, 1e10, 1e100, 1e300])
@pytest.mark.parametrize(
    "cls, of_y",
    [
        *((cls, 1) for cls in CLASSIFIERS),
        *((MLPRegressor, of_y) for of_y in (1, 1e-300, 1e10, 1e100, 1e200, 1e300)),
    ],
)
def test_fit_to_numbers_of_any_size_gives_finite_weights_or_a_clear_error(cls, of_y, of_x, solver):
    y = of_y * X[:, 0] if cls is MLPRegressor else Y
    estimator = make(cls, solver=solver, max_iter=10)
    try:
        estimator.fit(X * of_x, y)
    except ValueError as error:
        assert "diverged" in str(error)
        return
    assert all(np.isfinite(w).all() for w in (*estimator.coefs_, *estimator.intercepts_))
    assert np.isfinite(estimator.loss_)


# Interruption.


def interrupt_after(monkeypatch, owner, name, n_calls):
    """Let a method raise KeyboardInterrupt once, after `n_calls` calls."""
    original = getattr(owner, name)
    calls = iter(range(n_calls + 1))

    def interrupted(*args, **kwargs):
        if next(calls, None) == n_calls:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, interrupted)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("n_epochs", [0, 1, 3])
@EVERY_ESTIMATOR
def test_interrupted_fit_keeps_the_epochs_that_it_had(monkeypatch, cls, n_epochs, early_stopping):
    options = {"early_stopping": early_stopping, "warm_start": True, "n_iter_no_change": np.inf}
    estimator = make(cls, **options, max_iter=10)
    interrupt_after(monkeypatch, Stack, "run_epoch", n_epochs)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.fit(X, Y)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == n_epochs
    assert np.isfinite(estimator.predict(X)).all()
    if n_epochs:
        expected = fit(make(cls, **options, max_iter=n_epochs), X, Y)
        for found, weights in zip(estimator.coefs_, expected.coefs_, strict=True):
            assert_array_equal(found, weights)
    fit(estimator, X, Y)
    assert len(estimator.loss_curve_) == n_epochs + 10


@pytest.mark.parametrize("n_steps", [0, 3, 11])
@EVERY_ESTIMATOR
def test_fit_interrupted_within_an_epoch_leaves_a_usable_model(monkeypatch, cls, n_steps):
    estimator = make(cls, batch_size=8, max_iter=10)
    # Compiled steps do not call `gather`.
    monkeypatch.setenv("SKPERCEPTRON_STEPS", "numpy")
    interrupt_after(monkeypatch, Step, "gather", n_steps)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.fit(X, Y)
    assert estimator.n_iter_ == n_steps // 5
    assert np.isfinite(estimator.predict(X)).all()
    assert all(np.isfinite(w).all() for w in estimator.coefs_)


@EVERY_ESTIMATOR
def test_interrupted_partial_fit_leaves_a_usable_model(monkeypatch, cls):
    estimator = train(make(cls), "partial_fit", X, Y)
    interrupt_after(monkeypatch, Stack, "run_epoch", 0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        train(estimator, "partial_fit", X, Y)
    assert np.isfinite(estimator.predict(X)).all()
    train(estimator, "partial_fit", X, Y)
    assert len(estimator.loss_curve_) == 2


@pytest.mark.parametrize("n_evaluations", [0, 6])
@EVERY_ESTIMATOR
def test_interrupted_lbfgs_leaves_a_usable_model(monkeypatch, cls, n_evaluations):
    estimator = make(cls, solver="lbfgs", max_iter=50)
    interrupt_after(monkeypatch, Objective, "__call__", n_evaluations)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.fit(X, Y)
    assert estimator.n_iter_ < n_evaluations or estimator.n_iter_ == n_evaluations == 0
    assert np.isfinite(estimator.loss_) == (estimator.n_iter_ > 0)
    assert np.isfinite(estimator.predict(X)).all()
