"""Every option of every class: right values work, all others are refused by name.

The classes are found in the modules, so that new ones are tested without an entry here.
"""

import importlib
import inspect
import pkgutil
import warnings
from collections import deque
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone

import skperceptron
from skperceptron import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
    inspection,
    model_selection,
)
from skperceptron.activations import ELU, Activation
from skperceptron.averaging import EMA, Averaging
from skperceptron.callbacks import Callback, Checkpoint, StopOnPlateau
from skperceptron.embeddings import NumericEmbedding
from skperceptron.estimators.parameters import NAMES_ELSEWHERE
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.initializers import Given, Initializer, ZeroOutput
from skperceptron.inspection import (
    GradientRecorder,
    MatrixShapesDisplay,
    computational_graph,
    gradient_check,
    gradient_report,
    learning_rate_range_test,
    network_summary,
)
from skperceptron.losses import BinaryLogLoss, Loss
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedCrossEnsembleRegressor,
    StackedEnsembleClassifier,
    StackedEnsembleRegressor,
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
    StackedHalvingRandomSearchCV,
    StackedRandomizedSearchCV,
    stacked_cross_validate,
)
from skperceptron.normalizations import Normalization
from skperceptron.optimizers import SGD, Adam, AdamW, Optimizer
from skperceptron.options import Checked, Interval, Listing, Name, check_option, items_of, shown
from skperceptron.schedules import InverseScaling, Schedule
from skperceptron.stopping import EarlyStopping

X = np.random.RandomState(0).normal(size=(30, 3))
Y = (X[:, 0] > 0).astype(int)
REGRESSORS = [MLPRegressor, StackedEnsembleRegressor, StackedCrossEnsembleRegressor]
TARGETS = dict.fromkeys(REGRESSORS, X[:, 0])


def nothing(*arguments, **keywords):
    """A callable that returns nothing useful."""


BAD_VALUES = [
    object(),
    "no",
    b"x",
    np.nan,
    np.inf,
    -np.inf,
    10**400,
    Fraction(10**400),
    np.ndarray,
    deque([1]),
    True,
    np.True_,
    [],
    {},
    [[]],
    {1},
    np.array(3),
    np.array([1.0, 2.0]),
    nothing,
    BaseEstimator,
    Adam,
    1j,
    None,
    -1,
    0,
    0.5,
    (5, 1),
]

ESTIMATORS = [
    MLPBinaryClassifier,
    MLPClassifier,
    MLPSoftmaxClassifier,
    MLPRegressor,
    RosenblattPerceptron,
]
ENSEMBLES = [
    StackedEnsembleClassifier,
    StackedEnsembleRegressor,
    StackedCrossEnsembleClassifier,
    StackedCrossEnsembleRegressor,
]
SEARCHES = [
    StackedGridSearchCV,
    StackedRandomizedSearchCV,
    StackedHalvingGridSearchCV,
    StackedHalvingRandomSearchCV,
]


def small(cls, **options):
    """Return an estimator that trains quickly."""
    size = "n_associative" if cls is RosenblattPerceptron else "hidden_layer_sizes"
    return cls(**{size: 3, "max_iter": 2, "random_state": 0} | options)


def all_parts():
    """Return all public classes that check their parameters by rules."""
    found = set()
    for module in pkgutil.walk_packages(skperceptron.__path__, "skperceptron."):
        try:
            members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        except ImportError:
            # The extra of this module is not installed.
            continue
        for _, cls in members:
            is_own = cls.__module__.startswith("skperceptron") and cls.__name__[0] != "_"
            if is_own and issubclass(cls, Checked) and inspect.signature(cls).parameters:
                found.add(cls)
    return sorted(found, key=lambda cls: (cls.__module__, cls.__name__))


PARTS = all_parts()
REQUIRED = {
    "low": 0.0,
    "high": 1.0,
    "function": lambda time: 1.0,
    "path": "checkpoint.npz",
    "folder": "runs",
    "trial": SimpleNamespace(report=nothing, should_prune=nothing),
}


def make_part(cls):
    parameters = inspect.signature(cls).parameters.values()
    return cls(**{p.name: REQUIRED[p.name] for p in parameters if p.default is p.empty})


def carrier_of(part):
    """Return a small estimator that uses a component, callback or stopping rule."""
    if isinstance(part, Loss):
        if part.task == "bounded":
            return None
        of_labels = dict.fromkeys(["multiclass", "ordinal"], MLPSoftmaxClassifier)
        classes = {"binary": MLPBinaryClassifier} | of_labels
        return small(classes.get(part.task, MLPRegressor), loss=part)
    if isinstance(part, Callback):
        return small(MLPBinaryClassifier, callbacks=[part])
    if isinstance(part, ParameterGroup):
        return small(MLPBinaryClassifier, parameter_groups=ParameterGroups(bias=part))
    if isinstance(part, Schedule):
        return small(MLPBinaryClassifier, solver="sgd", learning_rate=part)
    places = {
        Activation: "activation",
        Averaging: "averaging",
        EarlyStopping: "early_stopping",
        Initializer: "initializer",
        Normalization: "normalization",
        NumericEmbedding: "numeric_embedding",
        Optimizer: "solver",
        ParameterGroups: "parameter_groups",
    }
    place = next(name for base, name in places.items() if isinstance(part, base))
    return small(MLPBinaryClassifier, **{place: part})


def run(model, part=None):
    """Fit; return what a model predicts."""
    if model is None:
        part.check_parameters()
        return np.zeros(1)
    target = X[:, 0] if isinstance(model, tuple(TARGETS)) else Y
    if isinstance(model, MLPRegressor) and part is not None:
        target = np.exp(target)
    model.fit(X, target)
    return model.predict(X) if hasattr(model, "predict") else np.zeros(1)


def assert_right_or_refused(call, name):
    """Check that a call ends with finite predictions, or with an error that names the option."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        try:
            predicted = call()
        except (ValueError, TypeError) as error:
            assert name in str(error), f"{type(error).__name__}: {error}"
        except ImportError as error:
            # A tracker first checks that its library is installed.
            assert "needs" in str(error)
        else:
            assert np.isfinite(predicted).all()


def options_of(classes):
    return [(cls, name) for cls in classes for name in inspect.signature(cls).parameters]


@pytest.mark.parametrize(("cls", "name"), options_of(ESTIMATORS))
def test_an_estimator_refuses_what_an_option_cannot_be(cls, name):
    for value in BAD_VALUES:
        model = small(cls, **{name: value})
        assert_right_or_refused(lambda model=model: run(clone(model)), name)


@pytest.mark.parametrize(("cls", "name"), options_of(PARTS))
def test_a_part_refuses_what_an_option_cannot_be(cls, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in BAD_VALUES:
        part = make_part(cls).set_params(**{name: value})
        carrier = carrier_of(part)
        assert_right_or_refused(lambda part=part, carrier=carrier: run(carrier, part), name)


def make_tool(cls, **options):
    """Return an ensemble or a search over small networks."""
    of = MLPRegressor if cls in REGRESSORS else MLPBinaryClassifier
    needed = {
        "estimator": small(of),
        "n_members": 2,
        "param_grid": {"alpha": [0.1]},
        "param_distributions": {"alpha": [0.1]},
        "n_iter": 1,
        "cv": 2,
        # With fewer rows one class may be missing.
        "min_resources": 20,
    }
    names = inspect.signature(cls).parameters
    return cls(**{name: value for name, value in needed.items() if name in names} | options)


@pytest.mark.parametrize(("cls", "name"), options_of([*ENSEMBLES, *SEARCHES]))
def test_a_tool_refuses_what_an_option_cannot_be(cls, name):
    for value in BAD_VALUES:
        if name == "n_jobs" and isinstance(value, int) and value == -1:
            continue
        # scikit-learn's message about the result of a function for ``refit`` says "best_index_".
        word = "best_index_" if name == "refit" and value is nothing else name
        model = make_tool(cls, **{name: value})
        assert_right_or_refused(lambda model=model: run(model), word)


@pytest.mark.parametrize("value", [True, np.True_, "1", 1.5, np.nan, object()])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("batch_size", lambda v: computational_graph(small(MLPBinaryClassifier), v, n_features=3)),
        ("n_features", lambda v: network_summary(small(MLPBinaryClassifier), n_features=v)),
        ("n_outputs", lambda v: network_summary(small(MLPRegressor), None, 3, v)),
        ("n_steps", lambda v: learning_rate_range_test(small(MLPRegressor), X, Y, n_steps=v)),
        ("n_checked", lambda v: gradient_check(small(MLPRegressor).fit(X, Y), X, Y, None, v)),
        ("n_jobs", lambda v: stacked_cross_validate(small(MLPRegressor), X, Y, n_jobs=v)),
        ("cv", lambda v: stacked_cross_validate(small(MLPRegressor), X, Y, cv=v)),
    ],
)
def test_a_function_refuses_what_a_count_cannot_be(name, call, value):
    with pytest.raises((ValueError, TypeError), match=name):
        call(value)


@pytest.mark.parametrize("width", ["batch_size", "n_features", "n_outputs"])
def test_a_drawing_of_a_network_refuses_a_width_in_its_own_name(width):
    for draw, name in (
        (computational_graph, "computational_graph"),
        (network_summary, "network_summary"),
        (MatrixShapesDisplay.from_estimator, "MatrixShapesDisplay"),
    ):
        with pytest.raises(ValueError, match=f"'{width}' parameter of {name} must be"):
            draw(small(MLPRegressor), **{"n_features": 3, width: 0})


@pytest.mark.parametrize("value", [True, "1", -1, np.nan, object(), 10**400])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        (
            "saturation_bound",
            lambda v: gradient_report(small(MLPRegressor).fit(X, X[:, 0]), X, Y, None, v),
        ),
        ("min_rate", lambda v: learning_rate_range_test(small(MLPRegressor), X, Y, min_rate=v)),
        ("max_rate", lambda v: learning_rate_range_test(small(MLPRegressor), X, Y, max_rate=v)),
        ("smoothing", lambda v: learning_rate_range_test(small(MLPRegressor), X, Y, smoothing=v)),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_function_refuses_what_a_number_cannot_be(name, call, value):
    with pytest.raises((ValueError, TypeError), match=name):
        call(value)


WHOLE = {"hidden_layer_sizes": 20, "batch_size": 20, "max_iter": 7, "n_iter_no_change": 3}
REAL = {"alpha": 0.25, "momentum": 0.5, "learning_rate_init": 0.125, "tol": 0.5, "dropout": 0.25}


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int64, np.uint64])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_integers_of_every_width_mean_the_same(kind):
    many = np.tile(X, (10, 1)), np.tile(Y, 10)
    plain = MLPBinaryClassifier(random_state=5, **WHOLE).fit(*many)
    sized = {name: kind(value) for name, value in WHOLE.items()}
    network = MLPBinaryClassifier(random_state=kind(5), **sized).fit(*many)
    assert_array_equal(network.coefs_[0], plain.coefs_[0])
    listed = MLPBinaryClassifier(random_state=5, **sized | {"hidden_layer_sizes": [kind(20)]})
    assert_array_equal(listed.fit(*many).coefs_[0], plain.coefs_[0])
    perceptrons = [
        RosenblattPerceptron(number(100), max_iter=number(3), random_state=0).fit(*many)
        for number in (int, kind)
    ]
    assert_array_equal(perceptrons[0].response_weights_, perceptrons[1].response_weights_)
    ensemble = StackedEnsembleClassifier(small(MLPBinaryClassifier), kind(3), random_state=0)
    assert len(ensemble.fit(*many).estimators_) == 3


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_real_numbers_of_every_width_mean_the_same(kind):
    plain = small(MLPBinaryClassifier, solver="sgd", **REAL).fit(X, Y)
    sized = {name: kind(value) for name, value in REAL.items()}
    network = small(MLPBinaryClassifier, solver="sgd", **sized).fit(X, Y)
    assert_array_equal(network.coefs_[0], plain.coefs_[0])
    parts = [
        small(MLPBinaryClassifier, activation=ELU(number(0.5)), averaging=EMA(number(0.5)))
        for number in (float, kind)
    ]
    assert_array_equal(*[part.fit(X, Y).coefs_[0] for part in parts])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_small_floats_of_parts_are_computed_with_as_pythons(kind):
    def fitted(number):
        network = small(
            MLPBinaryClassifier,
            activation=ELU(number(kind(0.3))),
            solver=AdamW(beta_1=number(kind(0.8)), weight_decay=number(kind(0.01))),
            parameter_groups=ParameterGroups(weight=ParameterGroup(rate=number(kind(0.1)))),
            parametrization="ntk",
        )
        return network.fit(X, Y)

    # These powers and products are rounded to few digits in a small type.
    sized, plain = fitted(kind), fitted(float)
    assert_array_equal(sized.coefs_[0], plain.coefs_[0])
    assert_array_equal(sized.intercepts_[0], plain.intercepts_[0])


# Sequences.


@pytest.mark.parametrize(
    "sizes", [[3, 4], (3, 4), np.array([3, 4]), np.array([3, 4], dtype=np.int8), range(3, 5)]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_kind_of_list_means_the_same(sizes):
    network = MLPBinaryClassifier(
        sizes, np.array(["relu", "tanh"]), dropout=np.array([0.0, 0.5]), max_iter=2
    ).fit(X, Y)
    assert [w.shape[1] for w in network.coefs_] == [3, 4, 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", "64,32"),
        ("hidden_layer_sizes", (n for n in (3, 4))),
        ("hidden_layer_sizes", {3, 4}),
        ("hidden_layer_sizes", {3: 4}),
        ("hidden_layer_sizes", [[3], [4]]),
        ("hidden_layer_sizes", np.ones((2, 2), int)),
        ("activation", ["relu"]),
        ("activation", [["relu"], ["tanh"]]),
        ("activation", ({"relu"}, {"tanh"})),
        ("activation", ["relu", "rleu"]),
        ("dropout", [0.1]),
        ("dropout", [0.1, True]),
        ("dropout", [0.1, "0.2"]),
        ("dropout", [[0.1, 0.2]]),
    ],
)
def test_a_list_of_the_wrong_shape_is_refused_by_name(name, value):
    network = MLPBinaryClassifier(**{"hidden_layer_sizes": (3, 4), name: value})
    with pytest.raises((ValueError, TypeError)) as caught:
        network.fit(X, Y)
    assert name in str(caught.value)
    assert "unhashable" not in str(caught.value)


@pytest.mark.parametrize("start", [5, 0.5, True, "no", [1], [None, None], [[[1.0]], [["x"]]], {}])
@pytest.mark.parametrize("name", ["coefs_init", "intercepts_init"])
def test_initial_weights_that_are_not_a_list_of_arrays_are_refused_by_name(name, start):
    with pytest.raises((ValueError, TypeError), match=name):
        small(MLPBinaryClassifier).fit(X, Y, **{name: start})
    with pytest.raises((ValueError, TypeError), match=name):
        small(MLPBinaryClassifier, initializer=Given(**{name: start})).fit(X, Y)


# Nested parameters, clones, earlier fits.


@pytest.mark.parametrize("activation", ["elu", ("relu", ELU()), ELU])
def test_parameters_of_a_name_cannot_be_set(activation):
    network = MLPBinaryClassifier(activation=activation)
    message = "activation__alpha cannot be set, because activation=.* has no parameters"
    with pytest.raises(ValueError, match=message):
        network.set_params(activation__alpha=1.0)
    network.set_params(activation__alpha=0.5, activation=ELU())
    assert network.activation.alpha == 0.5


@pytest.mark.parametrize(
    "part, name", [(ZeroOutput(), "otherwise__points"), (ParameterGroups(), "bias__rate")]
)
def test_neither_can_those_of_a_name_or_none_inside_a_part(part, name):
    owner, _ = name.split("__")
    message = f"{name} cannot be set, because {owner}=.* has no parameters"
    with pytest.raises(ValueError, match=message):
        MLPBinaryClassifier(initializer=part).set_params(**{f"initializer__{name}": 1})


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_bad_option_of_a_part_is_refused_by_fit_alone_and_harms_nothing():
    network = small(MLPBinaryClassifier, activation=ELU(), solver=Adam()).fit(X, Y)
    before = network.predict_proba(X)
    network.set_params(activation__alpha=-1, solver__amsgrad="no")
    copied = clone(network)
    for model in (network, copied):
        with pytest.raises(ValueError, match="'alpha' parameter of ELU"):
            model.fit(X, Y)
    assert_array_equal(network.predict_proba(X), before)
    assert not hasattr(copied, "coefs_")


def test_a_part_that_is_used_alone_checks_its_options():
    with pytest.raises(ValueError, match="'alpha' parameter of ELU"):
        ELU(-1)(X)


# Words.

CALLS = [
    (lambda cls: cls(epochs=3), "__init__() got an unexpected keyword argument 'epochs'"),
    (lambda cls: make_any(cls).fit(), "fit() missing "),
    (lambda cls: make_any(cls).predict(), "predict() missing 1 required positional argument: 'X'"),
    (lambda cls: make_any(cls).score(), "score() missing "),
]


def make_any(cls):
    return small(cls) if cls in ESTIMATORS else make_tool(cls)


@pytest.mark.parametrize("cls", [*ESTIMATORS, *ENSEMBLES, *SEARCHES])
def test_errors_of_wrong_calls_state_the_public_name(cls):
    inherited = cls in (*ENSEMBLES, *SEARCHES)
    for call, words in CALLS[:2] if inherited else CALLS:
        with pytest.raises(TypeError) as caught:
            call(cls)
        assert str(caught.value).startswith(f"{cls.__name__}.{words}")


def test_errors_of_partial_fit_state_the_public_name():
    for cls in ESTIMATORS:
        with pytest.raises(TypeError, match=rf"^{cls.__name__}\.partial_fit\(\) missing 1"):
            small(cls).partial_fit(X)


def test_errors_of_parts_state_the_public_name():
    for call, name in (
        (lambda: BinaryLogLoss(smooth=1), "BinaryLogLoss"),
        (lambda: SGD(x=1), "SGD"),
    ):
        with pytest.raises(TypeError, match=rf"^{name}\.__init__\(\) got an unexpected"):
            call()


ELSEWHERE = NAMES_ELSEWHERE.items()


def test_names_of_other_libraries_are_answered_with_existing_parameters():
    for _, here in ELSEWHERE:
        assert here in MLPClassifier().get_params()


def test_a_misspelled_option_or_name_is_answered_with_the_right_one():
    for call, word in (
        (lambda: MLPRegressor(hidden_layers=3), "'hidden_layer_sizes'"),
        (lambda: small(MLPBinaryClassifier, solver="adma").fit(X, Y), "'adam'"),
        (lambda: small(MLPBinaryClassifier, activation="rleu").fit(X, Y), "'relu'"),
        (lambda: small(MLPBinaryClassifier, activation="ReLU").fit(X, Y), "'relu'"),
        (lambda: small(MLPBinaryClassifier, solver="SGD").fit(X, Y), "'sgd'"),
        *((partial(MLPClassifier, **{name: 1}), f"'{here}'") for name, here in ELSEWHERE),
    ):
        with pytest.raises((ValueError, TypeError), match=f"Did you mean {word}?"):
            call()


def test_an_unknown_monitor_is_refused_with_a_list_of_the_known_ones():
    for option in (EarlyStopping("val_loss"), "val_loss"):
        with pytest.raises(ValueError) as caught:
            small(MLPBinaryClassifier, early_stopping=option).fit(X, Y)
        for name in ("'score'", "'loss'", "'roc_auc'", "'accuracy'", "Did you mean"):
            assert name in str(caught.value)


def test_a_monitor_that_cannot_score_says_so():
    for option in ("neg_log_loss", EarlyStopping("neg_log_loss")):
        with pytest.raises(ValueError, match=r"monitor='neg_log_loss' .* cannot be computed"):
            small(MLPRegressor, early_stopping=option).fit(X, X[:, 0])


def test_items_are_those_of_lists_and_arrays_only():
    assert items_of(np.arange(2)) == items_of(range(2)) == items_of((0, 1)) == [0, 1]
    assert items_of(np.array(5)) is items_of("ab") is items_of(deque([1])) is None
    assert items_of(np.ndarray) is None


def test_a_long_value_is_shown_in_part():
    assert len(shown(list(range(1000)))) < 250
    assert "bits" in shown(10**5000)
    with pytest.raises(ValueError, match=r"'a'.*must be an int.*Got a number of"):
        check_option("f", "a", 10**5000, [Interval(1, low_closed=True, whole=True)])


def test_alternatives_are_listed_in_one_sentence():
    rules = [Name(["a", "b"]), Interval(0, 1), Listing([Interval()], "numbers"), None]
    words = "must be 'a', 'b', a float in the range (0, 1), an array-like of numbers or None. Got"
    with pytest.raises(ValueError) as caught:
        check_option("f", "x", "c", rules)
    assert words in str(caught.value)
    with pytest.raises(ValueError, match=r"must be 'a' or 'b'\. Got 'c'"):
        check_option("f", "x", "c", rules[:1])


# Short forms.


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("monitor", ["loss", "score", "roc_auc"])
def test_the_name_of_a_monitor_is_an_early_stopping(monitor):
    short, long = (
        small(MLPBinaryClassifier, max_iter=5, early_stopping=option).fit(X, Y)
        for option in (monitor, EarlyStopping(monitor))
    )
    assert short.validation_scores_ == long.validation_scores_
    assert clone(short).early_stopping == monitor


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["float32", "float64"])
def test_a_dtype_is_as_good_as_its_name(name, tmp_path):
    kinds = [name, np.dtype(name), np.dtype(name).type]
    fits = [small(MLPBinaryClassifier, dtype=kind).fit(X, Y) for kind in kinds]
    for kind, fit in zip(kinds, fits, strict=True):
        assert fit.dtype_ == np.dtype(name)
        assert clone(fit).get_params()["dtype"] == kind
        assert name in repr(fit)
        assert_array_equal(fit.coefs_[0], fits[0].coefs_[0])
        # The second fit accepts the checkpoint of the first.
        path = tmp_path / f"{type(kind).__name__}.npz"
        for _ in range(2):
            clone(fit).set_params(callbacks=[Checkpoint(path)]).fit(X, Y)


def test_other_dtypes_are_refused():
    for kind in (np.float16, np.int64, int, "f4", np.dtype("int32"), object, ">f4"):
        with pytest.raises(ValueError, match="'dtype' parameter"):
            small(MLPBinaryClassifier, dtype=kind).fit(X, Y)


# Rates.


@pytest.mark.parametrize(
    "options",
    [{"learning_rate": InverseScaling(400.0)}, {"learning_rate": "invscaling", "power_t": 500}],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_rate_that_falls_beyond_the_smallest_float_is_zero(options):
    one, many = (
        small(MLPBinaryClassifier, solver="sgd", momentum=0, **options | {"max_iter": n})
        for n in (1, 4)
    )
    assert_array_equal(one.fit(X, Y).coefs_[0], many.fit(X, Y).coefs_[0])
    assert InverseScaling(400.0).after_epoch(0.1, 0.1, 10**6) == 0


class Named(MLPRegressor):
    def __init__(self, mine=1):
        self.mine = mine


def test_each_class_has_the_option_names_of_its_own():
    names = MLPRegressor().get_params().keys()
    assert {"alpha", "random_state"} <= names
    assert Named().get_params() == {"mine": 1}
    # A caller may change the returned list without an effect on later calls.
    MLPRegressor._get_param_names().clear()
    assert MLPRegressor().get_params().keys() == names


# The lists of classes above.


def test_all_classes_with_options_are_among_those_that_are_tested():
    public = [getattr(inspection, name) for name in inspection.__all__]
    public += [getattr(model_selection, name) for name in model_selection.__all__]
    public += [getattr(skperceptron, name) for name in skperceptron.__all__ if name[0] != "_"]
    tested = {*ESTIMATORS, *ENSEMBLES, *SEARCHES, *PARTS}
    classes = {c for c in public if inspect.isclass(c) and issubclass(c, BaseEstimator)}
    asked = {cls for cls in classes if inspect.signature(cls).parameters}
    assert asked <= tested
    assert {StopOnPlateau, GradientRecorder, EarlyStopping, ELU, SGD, Given} <= tested


def test_every_option_of_a_part_has_a_rule():
    for cls in PARTS:
        ruled = {*cls.rules, *getattr(cls, "ranges", ())}
        # A parameter that is a component is checked where its names are known.
        assert set(inspect.signature(cls).parameters) - ruled <= {"otherwise"}
