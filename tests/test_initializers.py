"""Every initializer draws from its published distribution, with the generator that it is given.

A new one needs one row of ``LAWS``.
"""

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

from skperceptron import MLPBinaryClassifier, MLPSoftmaxClassifier, initializers
from skperceptron import MLPRegressor as OurRegressor
from skperceptron.activations import ELU, LeakyReLU, ReLU, Tanh, get_activation
from skperceptron.estimators.blas_threads import n_blas_threads
from skperceptron.exceptions import DivergedError
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.initializers import (
    Constant,
    Given,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    Layer,
    LeCunNormal,
    LeCunUniform,
    NTKNormal,
    Orthogonal,
    PyTorch,
    ScikitLearn,
    UnitVariance,
    ZeroOutput,
    Zeros,
    gain,
    get_initializer,
    list_initializers,
)
from skperceptron.model_selection import StackedGridSearchCV

INITIALIZERS = [get_initializer(name) for name in list_initializers()]
RANDOM = [i for i in INITIALIZERS if not isinstance(i, Constant)]
EVERY_INITIALIZER = pytest.mark.parametrize("initializer", INITIALIZERS, ids=repr)
EVERY_RANDOM_ONE = pytest.mark.parametrize("initializer", RANDOM, ids=repr)


def layer(fan_in, units, init_factor=6.0, activation="relu"):
    return Layer(fan_in, units, activation and get_activation(activation), init_factor)


@EVERY_INITIALIZER
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (200, 100)])
def test_layer_has_the_asked_shape_in_float64(initializer, shape):
    weight, bias = initializer.draw(layer(*shape), np.random.RandomState(0))
    assert weight.shape == shape
    assert bias.shape == shape[1:]
    assert weight.dtype == bias.dtype == np.float64
    assert np.isfinite(weight).all() and np.isfinite(bias).all()


# The textbook: the distribution of the weights and biases of a layer.


@dataclass
class Law:
    """How the weights of a layer are distributed; their mean is zero, unless they are equal.

    Attributes
    ----------
    shape : {"uniform", "normal", "orthogonal", "equal"}
    variance : callable
        Variance of the weights, from the initializer, fan in, units, and the gain of the next
        activation; for equal weights, their value.
    bias_variance : callable
        The same for the biases, which are zero by default.
    zero_output : bool
        Whether the weights of the output layer are zero.
    """

    shape: str
    variance: Callable
    bias_variance: Callable = lambda i, fan_in, units, gain: 0.0
    zero_output: bool = False


def glorot(i, fan_in, units, gain):
    return 2 * gain**2 / (fan_in + units)


def he(i, fan_in, units, gain):
    return gain**2 / fan_in


def lecun(i, fan_in, units, gain):
    return 1 / fan_in


def of_scikit_learn(i, fan_in, units, gain):
    """A third of the squared bound, which is the root of 6 / (fan in + units)."""
    return 2 / (fan_in + units)


def of_pytorch(i, fan_in, units, gain):
    """A third of the squared bound, which is the root of 1 / fan in."""
    return 1 / (3 * fan_in)


#: The distribution in the paper of every class.
LAWS = {
    Constant: Law("equal", lambda i, *_: i.value),
    Given: Law("uniform", of_scikit_learn, of_scikit_learn),
    GlorotNormal: Law("normal", glorot),
    GlorotUniform: Law("uniform", glorot),
    HeNormal: Law("normal", he),
    HeUniform: Law("uniform", he),
    LeCunNormal: Law("normal", lecun),
    LeCunUniform: Law("uniform", lecun),
    # All rows, or all columns, have length 1, times the gain.
    Orthogonal: Law("orthogonal", lambda i, fan_in, units, gain: gain**2 / max(fan_in, units)),
    PyTorch: Law("uniform", of_pytorch, of_pytorch),
    ScikitLearn: Law("uniform", of_scikit_learn, of_scikit_learn),
    NTKNormal: Law("normal", lecun, lambda *_: 1.0, zero_output=True),
    # Without data; tests below give it data.
    UnitVariance: Law("normal", lecun, zero_output=True),
    ZeroOutput: Law("normal", he, zero_output=True),
    Zeros: Law("equal", lambda i, *_: 0.0),
}
#: Properties of the random draws, in units of the standard deviation: largest, fourth moment.
LARGEST = {"uniform": 3**0.5, "normal": np.inf, "orthogonal": np.inf}
FOURTH_MOMENT = {"uniform": 1.8, "normal": 3.0, "orthogonal": 3.0}


def classes():
    found = [getattr(initializers, name) for name in initializers.__all__]
    found = {one for one in found if inspect.isclass(one) and issubclass(one, Initializer)}
    return found - {Initializer}


def test_every_initializer_has_a_known_distribution():
    assert set(LAWS) == classes()


def assert_follows(drawn, shape, variance):
    """Check the moments of numbers with mean zero; they are drawn with a fixed seed."""
    if not variance:
        assert not drawn.any()
        return
    fourth, n = FOURTH_MOMENT[shape], drawn.size
    # Five standard errors each.
    assert abs(drawn.mean()) < 5 * np.sqrt(variance / n)
    assert abs(drawn.var() / variance - 1) < 5 * np.sqrt((fourth - 1) / n)
    units = np.abs(drawn) / np.sqrt(variance)
    assert units.max() <= LARGEST[shape] * (1 + 1e-12)
    # The largest of n uniform draws lies within 20 / n of the bound, but for e^-20 of the cases.
    assert units.max() > min(LARGEST[shape] * (1 - 20 / n), 2.2)
    if n > 10_000:
        assert abs((units**4).mean() / fourth - 1) < 0.05


@pytest.mark.parametrize("activation", ["relu", "tanh", None])
@pytest.mark.parametrize(("fan_in", "units"), [(400, 300), (100, 700)])
@pytest.mark.parametrize("initializer", [*(cls() for cls in LAWS), Constant(0.3)], ids=repr)
def test_draws_follow_the_distribution(initializer, fan_in, units, activation):
    law = LAWS[type(initializer)]
    asked = layer(fan_in, units, activation=activation)
    weight, bias = initializer.draw(asked, np.random.RandomState(0))
    of_layer = (initializer, fan_in, units, gain(asked.activation))
    is_zero = law.zero_output and activation is None
    if law.shape == "equal":
        assert (weight == law.variance(*of_layer)).all()
    else:
        assert_follows(weight, law.shape, 0.0 if is_zero else law.variance(*of_layer))
    assert_follows(bias, law.shape, 0.0 if is_zero else law.bias_variance(*of_layer))
    if law.shape == "orthogonal":
        product = weight.T @ weight if fan_in >= units else weight @ weight.T
        assert_allclose(product, of_layer[-1] ** 2 * np.eye(len(product)), atol=1e-12)


@EVERY_RANDOM_ONE
def test_same_seed_gives_the_same_layer_and_another_seed_another(initializer):
    first, again, other = (
        initializer.draw(layer(3, 5), np.random.RandomState(seed)) for seed in (0, 0, 1)
    )
    assert_array_equal(first[0], again[0])
    assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


@EVERY_INITIALIZER
def test_global_generator_is_left_alone(initializer):
    before = np.random.get_state()[1].copy()
    initializer.draw(layer(3, 5), np.random.RandomState(0))
    assert_array_equal(np.random.get_state()[1], before)


@EVERY_RANDOM_ONE
def test_units_of_a_layer_do_not_start_alike(initializer):
    weight, _ = initializer.draw(layer(10, 50), np.random.RandomState(0))
    assert len(np.unique(weight, axis=1).T) == 50


@pytest.mark.parametrize("factor", [2.0, 6.0])
@pytest.mark.parametrize(("fan_in", "units"), [(1, 1), (4, 3), (300, 200), (20, 1000)])
def test_draws_stay_within_their_bound_and_fill_it(fan_in, units, factor):
    bound = np.sqrt(factor / (fan_in + units))
    weight, bias = ScikitLearn().draw(layer(fan_in, units, factor), np.random.RandomState(0))
    drawn = np.concatenate([weight.ravel(), bias])
    assert (np.abs(drawn) <= bound).all()
    # The largest of n uniform draws lies within 20 / n of the bound, but for e^-20 of the cases.
    assert np.abs(drawn).max() >= bound * (1 - 20 / drawn.size)


@pytest.mark.parametrize("factor", [2.0, 6.0])
def test_draws_have_mean_zero_and_variance_a_third_of_the_squared_bound(factor):
    fan_in, units = 400, 300
    weight, _ = ScikitLearn().draw(layer(fan_in, units, factor), np.random.RandomState(0))
    variance = factor / (fan_in + units) / 3
    # Five standard errors of the mean, and of the variance of a uniform law.
    assert abs(weight.mean()) < 5 * np.sqrt(variance / weight.size)
    assert abs(weight.var() / variance - 1) < 5 * np.sqrt(0.8 / weight.size)


def frozen(estimator, **options):
    """Return scikit-learn's network as initialized: its only step has a negligible rate."""
    return estimator(solver="sgd", learning_rate_init=1e-300, max_iter=1, **options)


@pytest.mark.parametrize("activation", ["relu", "tanh", "identity", "logistic"])
@pytest.mark.parametrize("hidden", [(7,), (5, 4, 3)])
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_draws_equal_those_of_scikit_learn(estimator, hidden, activation):
    X = np.random.RandomState(1).normal(size=(30, 6))
    y = np.arange(30) % 3
    model = frozen(estimator, hidden_layer_sizes=hidden, activation=activation, random_state=42)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    rng = np.random.RandomState(42)
    factor = get_activation(activation).init_factor
    for coefs, intercepts in zip(model.coefs_, model.intercepts_, strict=True):
        weight, bias = ScikitLearn().draw(layer(*coefs.shape, factor), rng)
        assert_array_equal(weight, coefs)
        assert_array_equal(bias, intercepts)


# Those that scale with the layer.


@pytest.mark.parametrize(
    "activation, expected",
    [
        (ReLU(), np.sqrt(2)),
        (LeakyReLU(0.2), np.sqrt(2 / 1.04)),
        (get_activation("heaviside"), np.sqrt(2)),
        (get_activation("identity"), 1.0),
        (None, 1.0),
        (get_activation("selu"), 1.0),
        # E tanh(z)^2 = 0.394294...
        (Tanh(), 1 / np.sqrt(0.39429449039746)),
    ],
    ids=repr,
)
def test_gain_undoes_what_an_activation_does_to_the_size_of_signals(activation, expected):
    assert_allclose(gain(activation), expected, rtol=1e-4)


@pytest.mark.parametrize("factor", [2.0**800, 2.0**-800])
def test_gain_is_found_for_values_of_any_size(factor):
    relu = ReLU()
    assert gain(lambda z: factor * relu(z)) == gain(relu) / factor


@pytest.mark.parametrize("value", [0.0, np.inf, np.nan])
def test_gain_is_one_where_an_activation_has_no_size(value):
    assert gain(lambda z: np.full_like(z, value)) == 1


@pytest.mark.parametrize("activation", ["relu", "tanh", "elu", "silu"])
def test_signals_keep_their_size_through_many_layers(activation):
    rng = np.random.RandomState(0)
    signal = rng.normal(size=(200, 300))
    for _ in range(20):
        weight, _ = get_initializer("he_normal").draw(layer(300, 300, activation=activation), rng)
        signal = get_activation(activation)(signal) @ weight
    assert 0.3 < signal.std() < 3


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7)])
def test_orthogonal_matrices_are_orthogonal(shape):
    weight, _ = Orthogonal().draw(layer(*shape, activation=None), np.random.RandomState(0))
    product = weight.T @ weight if shape[0] >= shape[1] else weight @ weight.T
    assert_allclose(product, np.eye(min(shape)), atol=1e-12)


def test_constants_are_constant():
    weight, bias = Constant(0.3).draw(layer(4, 2), None)
    assert (weight == 0.3).all() and not bias.any()


# Through the estimators.

X, Y = load_iris(return_X_y=True)
OPTIONS = {"hidden_layer_sizes": (5, 3), "max_iter": 3, "random_state": 0, "dtype": "float64"}
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Telling(Initializer):
    """Notes the layers that it is called with."""

    asked = []

    def draw(self, layer, rng):
        self.asked.append(layer)
        return np.zeros((layer.fan_in, layer.units)), np.ones(layer.units)


@quiet
def test_an_initializer_is_told_shapes_and_activations():
    Telling.asked.clear()
    model = MLPSoftmaxClassifier(**OPTIONS, activation=["relu", ELU(0.5)], initializer=Telling())
    model.fit(X, Y)
    asked = [(a.fan_in, a.units, repr(a.activation)) for a in Telling.asked]
    assert asked == [(4, 5, "ReLU()"), (5, 3, "ELU(alpha=0.5)"), (3, 3, "None")]
    Telling.asked.clear()
    model.set_params(hidden_layer_sizes=(), activation="relu").fit(X, Y)
    assert [layer.activation for layer in Telling.asked] == [None]


@quiet
def test_initializers_are_searched():
    model = MLPSoftmaxClassifier(**OPTIONS)
    grid = {"initializer": ["he_normal", Orthogonal(), "scikit-learn"]}
    search = GridSearchCV(model, grid, cv=2).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()


def test_bad_parameters_of_an_initializer_are_refused():
    with pytest.raises(ValueError, match="'value' parameter of Constant"):
        MLPSoftmaxClassifier(**OPTIONS, initializer=Constant(np.inf)).fit(X, Y)


# Initializers that use the data, and those that start at zero.

SKEWED = np.random.RandomState(3).standard_t(4, size=(300, 6)) * [1, 5, 0.1, 3, 1, 0] + 2


def started(form=np.asarray, **options):
    """Return a network with its initial weights, for skewed data with one constant column."""
    options = {"hidden_layer_sizes": (8, 5), "random_state": 0, "dtype": "float64"} | options
    frozen_groups = ParameterGroups(
        weight=ParameterGroup(rate=0, penalty=0), bias=ParameterGroup(rate=0)
    )
    # Otherwise the last bias would be converted into the units of y.
    options |= {"standardize_target": False}
    model = OurRegressor(**options, parameter_groups=frozen_groups, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(form(SKEWED), SKEWED[:, 0])


def layers_of(model, n_rows=300):
    """Yield z of each hidden layer without and with biases, in plain NumPy, for relu."""
    value = SKEWED[:n_rows]
    for weight, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        yield value @ weight, value @ weight + bias
        value = np.maximum(value @ weight + bias, 0)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("scale", [False, True])
def test_hidden_units_start_with_unit_variance_on_the_data(form, scale):
    model = started(form, initializer="unit_variance", feature_scale=scale)
    for z, _ in layers_of(model):
        assert_allclose(z.std(axis=0), 1, rtol=1e-9)
    assert not model.coefs_[-1].any()
    assert not model.intercepts_[-1].any()


def test_borders_of_hidden_units_lead_through_the_middle_of_some_rows():
    model = started(initializer=UnitVariance(points=5))
    for z, moved in layers_of(model):
        # A mean over five rows lies in the range of all rows, and differs from unit to unit.
        middle = z[0] - moved[0]
        assert ((z.min(axis=0) < middle) & (middle < z.max(axis=0))).all()
        assert np.ptp(middle) > 0
    one_point = started(initializer=UnitVariance(points=1))
    for _, moved in layers_of(one_point):
        assert_allclose(np.abs(moved).min(axis=0), 0, atol=1e-12)
    none = started(initializer=UnitVariance(points=0))
    assert not any(bias.any() for bias in none.intercepts_)


def test_output_starts_like_a_hidden_layer_unless_at_zero():
    model = started(initializer=UnitVariance(zero_output=False))
    (*_, (_, last)) = layers_of(model)
    z = np.maximum(last, 0) @ model.coefs_[-1]
    assert_allclose(z.std(axis=0), 1, rtol=1e-9)
    middle = -model.intercepts_[-1]
    assert ((z.min(axis=0) < middle) & (middle < z.max(axis=0))).all()


def test_few_rows_are_drawn_from_many():
    few = started(initializer=UnitVariance(n_rows=20, points=0))
    deviations = next(layers_of(few))[0].std(axis=0)
    assert not np.isclose(deviations, 1, rtol=0.01).any()
    assert (np.abs(np.log(deviations)) < 1).all()


@pytest.mark.parametrize("skips", ["none", "residual", "dense", "linear"])
@pytest.mark.parametrize("more", [{}, {"normalization": "batch"}, {"input_dropout": 0.5}], ids=str)
def test_data_reaches_every_layer_of_every_wiring(skips, more):
    options = {"hidden_layer_sizes": (5, 5), "skip_connections": skips, **more}
    for form in (np.asarray, sparse.csr_array):
        model = started(form, initializer=UnitVariance(zero_output=False), **options)
        assert all(weight.std() > 0 for weight in model.coefs_)
    dense = started(initializer=UnitVariance(zero_output=False), **options)
    for found, expected in zip(model.coefs_, dense.coefs_, strict=True):
        assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("factor", [2.0**800, 2.0**-800])
def test_variance_is_found_in_numbers_of_any_size(factor):
    inputs = np.random.RandomState(1).normal(size=(50, 3))
    weights, biases = zip(
        *(
            UnitVariance().draw(Layer(3, 4, ReLU(), 6.0, inputs * by), np.random.RandomState(0))
            for by in (1, factor)
        ),
        strict=True,
    )
    assert_array_equal(weights[0], weights[1] * factor)
    assert_array_equal(*biases)


def test_units_whose_sums_overflow_keep_their_weights():
    asked = Layer(3, 4, ReLU(), 6.0, np.full((10, 3), 1e308))
    weight, bias = UnitVariance().draw(asked, np.random.RandomState(0))
    assert np.isfinite(weight).all()
    assert np.isfinite(bias).all()


def test_units_with_constant_inputs_keep_their_weights():
    constant = np.ones((10, 3))
    asked = Layer(3, 4, ReLU(), 6.0, constant)
    weight, bias = UnitVariance(points=0).draw(asked, np.random.RandomState(0))
    plain, _ = UnitVariance().draw(Layer(3, 4, ReLU(), 6.0), np.random.RandomState(0))
    assert_array_equal(weight, plain)
    assert not UnitVariance().draw(asked, np.random.RandomState(0))[1].any()
    assert not bias.any()


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(4))
def test_equal_rows_do_not_make_weights_from_rounding_errors(seed):
    model = MLPSoftmaxClassifier(
        hidden_layer_sizes=(64, 64, 64),
        numeric_embedding="pbld",
        initializer=UnitVariance(zero_output=False),
        activation="selu",
        learning_rate_init=1e-9,
        max_iter=1,
        random_state=seed,
    )
    model.fit(np.zeros((5, 1)), [0, 1, 2, 2, 2])
    assert max(np.abs(coefs).max() for coefs in model.coefs_) < 10


@pytest.mark.parametrize("hidden", ["orthogonal", UnitVariance(zero_output=False)], ids=repr)
def test_output_layer_starts_at_zero_and_hidden_layers_by_another_rule(hidden):
    zero, other = (started(initializer=i) for i in (ZeroOutput(hidden), hidden))
    assert_array_equal(zero.coefs_[0], other.coefs_[0])
    assert other.coefs_[-1].any() and not zero.coefs_[-1].any()
    assert np.ptp(zero.predict(SKEWED)) == 0
    given = started(initializer=Given(otherwise=hidden))
    assert_array_equal(given.coefs_[0], other.coefs_[0])


class Seeing(UnitVariance):
    """Notes which layers it is given the inputs of; its rules may use all of them."""

    def draw(self, layer, rng):
        self.seen.append(None if layer.inputs is None else layer.inputs.shape)
        return super().draw(layer, rng)


@quiet
@pytest.mark.parametrize("looks", [True, False])
def test_inputs_that_are_not_used_are_not_computed(looks, monkeypatch):
    monkeypatch.setattr(Seeing, "seen", [], raising=False)
    if not looks:
        monkeypatch.setattr(Seeing, "looks_at_inputs", UnitVariance.looks_at_inputs)
    # A user's class that only redefines ``draw`` is given all inputs.
    found, plain = (started(initializer=cls(n_rows=30)) for cls in (Seeing, UnitVariance))
    assert [seen is not None for seen in Seeing.seen] == [True] * (len(Seeing.seen) - 1) + [looks]
    for weights, expected in zip(found.coefs_, plain.coefs_, strict=True):
        assert_array_equal(weights, expected)


@quiet
def test_stacked_search_over_initializers_that_use_data_equals_single_fits():
    model = MLPSoftmaxClassifier(**OPTIONS, batch_size=20, initializer=UnitVariance(30))
    grid = {"initializer__points": [0, 5], "initializer__n_rows": [10, 512]}
    stacked, single = (
        search(model, grid, cv=3).fit(X, Y).cv_results_["mean_test_score"]
        for search in (StackedGridSearchCV, GridSearchCV)
    )
    assert_array_equal(stacked, single)


@pytest.mark.parametrize(
    ("initializer", "fragment"),
    [
        (UnitVariance(n_rows=0), "'n_rows' parameter of UnitVariance"),
        (UnitVariance(points=-1), "'points' parameter of UnitVariance"),
        (ZeroOutput("he"), "'otherwise' parameter of ZeroOutput"),
        (ZeroOutput(Constant(np.nan)), "'value' parameter of Constant"),
    ],
    ids=repr,
)
def test_bad_parameters_of_initializers_that_use_data_are_refused(initializer, fragment):
    with pytest.raises(ValueError, match=fragment):
        started(initializer=initializer)


def arrays(*shapes):
    rng = np.random.RandomState(7)
    return [rng.normal(size=shape) for shape in shapes]


WEIGHTS = arrays((4, 5), (5, 3), (3, 3))
BIASES = arrays(5, 3, 3)


@quiet
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_training_starts_from_given_arrays(solver):
    # Adam's step is too small to change anything; L-BFGS meets its large tolerance at the start.
    options = OPTIONS | {"learning_rate_init": 1e-300, "tol": 1e9, "n_iter_no_change": 1}
    model = MLPSoftmaxClassifier(**options, solver=solver)
    model.fit(X, Y, coefs_init=WEIGHTS, intercepts_init=BIASES)
    for found, given in zip(model.coefs_ + model.intercepts_, WEIGHTS + BIASES, strict=True):
        assert_array_equal(found, given)


@quiet
def test_what_is_not_given_is_drawn_as_usual():
    options = OPTIONS | {"learning_rate_init": 1e-300, "max_iter": 1}
    plain = MLPSoftmaxClassifier(**options).fit(X, Y)
    model = MLPSoftmaxClassifier(**options).fit(X, Y, coefs_init=WEIGHTS)
    assert_array_equal(model.coefs_[0], WEIGHTS[0])
    for found, drawn in zip(model.intercepts_, plain.intercepts_, strict=True):
        assert_array_equal(found, drawn)


@quiet
@pytest.mark.parametrize("incremental", [False, True], ids=["fit", "partial_fit"])
def test_an_object_with_arrays_starts_as_arrays_given_to_fit_do(incremental):
    y = 1e6 * X[:, 0]
    first = OurRegressor(hidden_layer_sizes=(5, 3), max_iter=20, random_state=0).fit(X, y)
    model = OurRegressor(hidden_layer_sizes=(5, 3), max_iter=1, random_state=1)
    expected = model.fit(X, y, coefs_init=first.coefs_).predict(X)
    given = clone(model).set_params(initializer=Given(first.coefs_))
    found = (given.partial_fit(X, y) if incremental else given.fit(X, y)).predict(X)
    assert_array_equal(found, expected)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_weights_too_large_for_the_units_of_the_network_are_refused():
    # Divided by the target's standard deviation, they are infinite.
    model = OurRegressor(hidden_layer_sizes=(), standardize_target=True, max_iter=2)
    with pytest.raises(DivergedError, match="non-finite"):
        model.fit(X, X[:, 0] * 1e-200, coefs_init=[np.full((X.shape[1], 1), 1e200)])


@quiet
@pytest.mark.parametrize("search", [GridSearchCV, StackedGridSearchCV])
def test_arrays_to_start_from_are_searched(search):
    options = OPTIONS | {"learning_rate_init": 1e-300, "max_iter": 1, "batch_size": 50}
    model = MLPSoftmaxClassifier(**options, initializer=Given(intercepts_init=BIASES))
    tuned = MLPSoftmaxClassifier(**OPTIONS | {"max_iter": 300}).fit(X, Y)
    grid = {"initializer__coefs_init": [WEIGHTS, tuned.coefs_], "initializer__otherwise": ["zeros"]}
    found = search(model, grid, cv=3, error_score="raise").fit(X, Y)
    for fitted, given in zip(found.best_estimator_.coefs_, tuned.coefs_, strict=True):
        assert_array_equal(fitted, given)
    assert_array_equal(found.best_estimator_.intercepts_[0], BIASES[0])


@quiet
def test_arrays_given_to_fit_take_precedence_over_those_of_the_object():
    options = OPTIONS | {"learning_rate_init": 1e-300, "max_iter": 1}
    model = MLPSoftmaxClassifier(**options, initializer=Given([2 * w for w in WEIGHTS], BIASES))
    model.fit(X, Y, coefs_init=WEIGHTS)
    assert_array_equal(model.coefs_[0], WEIGHTS[0])
    assert_array_equal(model.intercepts_[0], BIASES[0])


@quiet
def test_bad_arrays_of_an_object_are_refused():
    for initializer, fragment in (
        (Given(WEIGHTS[:2]), "coefs_init has 2 arrays"),
        (Given(otherwise="he"), "'otherwise' parameter of Given .* Got 'he'"),
        (Given(otherwise=Constant(np.nan)), "'value' parameter of Constant"),
    ):
        with pytest.raises(ValueError, match=fragment):
            MLPSoftmaxClassifier(**OPTIONS, initializer=initializer).fit(X, Y)


@quiet
def test_given_arrays_are_in_units_of_the_target():
    y = 1e6 * X[:, 0]
    first = OurRegressor(hidden_layer_sizes=(3,), max_iter=50, random_state=0, dtype="float64").fit(
        X, y
    )
    model = OurRegressor(
        hidden_layer_sizes=(3,), max_iter=1, learning_rate_init=1e-300, dtype="float64"
    )
    model.fit(X, y, coefs_init=first.coefs_, intercepts_init=first.intercepts_)
    assert_allclose(model.predict(X), first.predict(X), rtol=1e-12)


@quiet
@pytest.mark.parametrize(
    "given, fragment",
    [
        ({"coefs_init": WEIGHTS[:2]}, "coefs_init has 2 arrays, but there are 3 layers"),
        (
            {"coefs_init": [WEIGHTS[0].T, *WEIGHTS[1:]]},
            r"coefs_init\[0\] has shape \(5, 4\), but layer 0 needs \(4, 5\)",
        ),
        ({"intercepts_init": [*BIASES[:2], np.ones(2)]}, r"intercepts_init\[2\] has shape \(2,\)"),
        ({"coefs_init": [np.full((4, 5), np.nan), *WEIGHTS[1:]]}, "coefs_init contains NaN"),
    ],
)
def test_bad_arrays_are_refused(given, fragment):
    model = MLPSoftmaxClassifier(**OPTIONS).fit(X, Y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=fragment):
        model.fit(X, Y, **given)
    assert_array_equal(model.predict_proba(X), before)


@quiet
def test_given_arrays_and_warm_start_exclude_each_other():
    model = MLPSoftmaxClassifier(**OPTIONS, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="cannot be used with warm_start=True"):
        model.fit(X, Y, coefs_init=WEIGHTS)


@quiet
def test_one_neuron_may_start_at_zero():
    y = (Y == 0).astype(int)
    model = MLPBinaryClassifier((), initializer="zeros", solver="lbfgs", max_iter=100).fit(X, y)
    assert model.score(X, y) == 1.0


def test_initializers_use_the_threads_of_the_fit(monkeypatch):
    def draw(self, layer, rng):
        seen.append(n_blas_threads())
        return plain(self, layer, rng)

    seen, plain = [], UnitVariance.draw
    monkeypatch.setattr(UnitVariance, "draw", draw)
    X = np.random.RandomState(0).normal(size=(300, 20))
    with threadpool_limits(2, user_api="blas"):
        # 300 rows times 20 x 64 weights are a product for one thread.
        model = OurRegressor(
            hidden_layer_sizes=(64,), initializer="unit_variance", max_iter=1, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, X[:, 0])
    assert seen == [1, 1]
