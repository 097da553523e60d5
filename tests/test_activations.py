"""Every activation: its formula, its derivative, its kinks and limits, and its use in a model.

A new activation needs one row of ``CASES``; tests that compare with no formula run over all
classes of ``skperceptron.activations`` anyway.
"""

import math
import pickle
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier, activations
from skperceptron.activations import (
    CELU,
    ELU,
    GELU,
    SELU,
    Activation,
    Gaussian,
    HardSigmoid,
    HardSwish,
    HardTanh,
    Heaviside,
    Identity,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Sine,
    Softplus,
    Softsign,
    Tanh,
    get_activation,
    list_activations,
)
from skperceptron.components import Interval
from skperceptron.engine import multilayer_perceptron
from skperceptron.engine.blocks.activate import learned_at_first, value_and_slopes
from skperceptron.training import Stack, Targets, TrainingSet
from tests.members import member_of

INF = np.inf
BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


class SquaredReLU(Activation):
    """A user's own activation with a parameter: scale * max(0, z)^2 (So et al. 2021)."""

    keeps_input = True
    value_range = (0.0, INF)
    ranges = {"scale": Interval(0.0)}

    def __init__(self, scale=1.0):
        self.scale = scale

    def forward(self, z, out, *learned):
        np.maximum(z, 0, out=z)
        np.multiply(z, z, out=out)
        np.multiply(out, self.scale, out=out)

    def backward(self, z, a, grad, *learned):
        np.multiply(z, 2 * self.scale, out=z)
        np.multiply(grad, z, out=grad)


# The textbook: the formula of each activation, in the widest float of NumPy.


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def elu(z, alpha, scale=1.0):
    return scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def leaky(z, alpha):
    return np.where(z > 0, z, alpha * z)


def gelu(z):
    # For large negative z, math.erfc keeps digits that 1 + erf would lose.
    normal = [0.5 * math.erfc(-float(x) / math.sqrt(2)) for x in z]
    return z * np.array(normal, dtype=np.longdouble)


def gelu_tanh(z):
    pi = np.longdouble("3.14159265358979323846264338327950288")
    return z / 2 * (1 + np.tanh(np.sqrt(2 / pi) * (z + np.longdouble("0.044715") * z**3)))


@dataclass
class Case:
    """The properties of one activation.

    ``limits`` are those of f and f' at minus and at plus infinity; ``kinks`` maps each point
    where f or f' has no derivative to the documented value and derivative there; ``slope_of``
    is the function whose derivative stands in for f', where that is not f.
    """

    activation: Activation
    f: Callable
    limits: tuple
    kinks: dict = field(default_factory=dict)
    slope_of: Callable | None = None


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

UNDEFINED = (np.nan, np.nan, np.nan, np.nan)

CASES = [
    Case(Identity(), lambda z: z, (-INF, INF, 1, 1)),
    Case(Sigmoid(), sigmoid, (0, 1, 0, 0)),
    Case(Tanh(), lambda z: 1 - 2 / (1 + np.exp(2 * z)), (-1, 1, 0, 0)),
    Case(Softsign(), lambda z: z / (1 + abs(z)), (-1, 1, 0, 0), {0: (0, 1)}),
    Case(Gaussian(), lambda z: np.exp(-z * z), (0, 0, 0, 0)),
    Case(Sine(), np.sin, UNDEFINED),
    Case(Sine(3.0), lambda z: np.sin(3 * z), UNDEFINED),
    Case(Heaviside(), lambda z: z >= 0, (0, 1, 0, 0), {0: (1, 0)}),
    Case(
        Heaviside("straight_through"),
        lambda z: z >= 0,
        (0, 1, 1, 1),
        {0: (1, 1)},
        slope_of=lambda z: z,
    ),
    Case(
        Heaviside("sigmoid"),
        lambda z: z >= 0,
        (0, 1, 0, 0),
        {0: (1, 1)},
        slope_of=lambda z: sigmoid(4 * z),
    ),
    Case(
        Heaviside("sigmoid", sharpness=2.0),
        lambda z: z >= 0,
        (0, 1, 0, 0),
        {0: (1, 0.5)},
        slope_of=lambda z: sigmoid(2 * z),
    ),
    Case(ReLU(), lambda z: np.maximum(z, 0), (0, INF, 0, 1), {0: (0, 0)}),
    Case(LeakyReLU(), lambda z: leaky(z, 0.01), (-INF, INF, 0.01, 1), {0: (0, 0.01)}),
    Case(LeakyReLU(0.3), lambda z: leaky(z, 0.3), (-INF, INF, 0.3, 1), {0: (0, 0.3)}),
    Case(PReLU(), lambda z: leaky(z, 0.25), (-INF, INF, 0.25, 1), {0: (0, 0.25)}),
    Case(PReLU(-0.5), lambda z: leaky(z, -0.5), (INF, INF, -0.5, 1), {0: (0, -0.5)}),
    Case(PReLU(2.0), lambda z: leaky(z, 2.0), (-INF, INF, 2, 1), {0: (0, 2)}),
    # Zero times minus infinity is NaN.
    Case(PReLU(0.0), lambda z: np.maximum(z, 0), (np.nan, INF, 0, 1), {0: (0, 0)}),
    Case(ReLU6(), lambda z: np.minimum(np.maximum(z, 0), 6), (0, 6, 0, 0), {0: (0, 0), 6: (6, 0)}),
    Case(
        HardTanh(),
        lambda z: np.minimum(np.maximum(z, -1), 1),
        (-1, 1, 0, 0),
        {-1: (-1, 0), 1: (1, 0)},
    ),
    Case(
        HardSigmoid(),
        lambda z: np.minimum(np.maximum(z + 3, 0), 6) / 6,
        (0, 1, 0, 0),
        {-3: (0, 0), 3: (1, 0)},
    ),
    Case(
        HardSwish(),
        lambda z: z * np.minimum(np.maximum(z + 3, 0), 6) / 6,
        (0, INF, 0, 1),
        {-3: (0, 0), 3: (3, 1)},
    ),
    Case(ELU(), lambda z: elu(z, 1), (-1, INF, 0, 1), {0: (0, 1)}),
    Case(ELU(0.5), lambda z: elu(z, 0.5), (-0.5, INF, 0, 1), {0: (0, 0.5)}),
    Case(ELU(2.0), lambda z: elu(z, 2), (-2, INF, 0, 1), {0: (0, 2)}),
    Case(
        SELU(),
        lambda z: elu(z, SELU_ALPHA, SELU_SCALE),
        (-SELU_ALPHA * SELU_SCALE, INF, 0, SELU_SCALE),
        {0: (0, SELU_ALPHA * SELU_SCALE)},
    ),
    Case(CELU(), lambda z: elu(z, 1), (-1, INF, 0, 1), {0: (0, 1)}),
    Case(CELU(0.5), lambda z: 0.5 * elu(z / 0.5, 1), (-0.5, INF, 0, 1), {0: (0, 1)}),
    Case(CELU(2.0), lambda z: 2 * elu(z / 2, 1), (-2, INF, 0, 1), {0: (0, 1)}),
    Case(Softplus(), lambda z: np.maximum(z, 0) + np.log1p(np.exp(-abs(z))), (0, INF, 0, 1)),
    Case(SiLU(), lambda z: z * sigmoid(z), (0, INF, 0, 1)),
    Case(GELU(), gelu, (0, INF, 0, 1)),
    Case(GELU("tanh"), gelu_tanh, (0, INF, 0, 1)),
    Case(
        Mish(),
        lambda z: z * np.tanh(np.maximum(z, 0) + np.log1p(np.exp(-abs(z)))),
        (0, INF, 0, 1),
    ),
    Case(SquaredReLU(), lambda z: np.maximum(z, 0) ** 2, (0, INF, 0, INF), {0: (0, 0)}),
    Case(SquaredReLU(0.1), lambda z: np.maximum(z, 0) ** 2 / 10, (0, INF, 0, INF), {0: (0, 0)}),
]
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case.activation))
BUILT_IN = [
    value
    for _, value in sorted(vars(activations).items())
    if isinstance(value, type) and issubclass(value, Activation) and value.names
]
EVERY_CLASS = pytest.mark.parametrize("cls", BUILT_IN, ids=lambda cls: cls.__name__)

# Multiples of powers of two, to which STEP can be added without rounding.
NEAR_POINTS = np.concatenate([np.arange(-960, 961) / 32, [-(2.0**-30), -0.0, 2.0**-30]])
POINTS = np.concatenate([NEAR_POINTS, [-1e4, -1e3, -88.75, 88.75, 1e3, 1e4]])
STEP = 2.0**-13


def textbook(f, z):
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(f(np.asarray(z, dtype=np.longdouble)), dtype=np.longdouble)


def central_differences(f, z):
    """Return the slope of f at z, and a bound on its rounding error."""
    z = np.asarray(z, dtype=np.longdouble)
    left2, left, right, right2 = (textbook(f, z + k * STEP) for k in (-2, -1, 1, 2))
    slope = (8 * (right - left) - (right2 - left2)) / (12 * STEP)
    return slope, 4 * np.finfo(np.float64).eps * (1 + np.abs(right)) / STEP


def away_from(kinks, z):
    return z[np.all([abs(z - kink) > 2 * STEP for kink in [INF, *kinks]], axis=0)]


def learned_by(activation, shape, dtype):
    """Return the learned parameters that the engine passes to forward for a layer of this shape."""
    n_members, _, units = shape
    if not activation.n_parameters(units):
        return ()
    start = activation.initial_parameters(units).astype(dtype)
    return (np.tile(start, (n_members, 1, 1)),)


def run(activation, z, in_place):
    """Return value and derivative as the engine computes them."""
    z = z.copy()
    learned = learned_by(activation, z.shape, z.dtype)
    out = z if in_place else np.empty_like(z)
    activation.forward(z, out, *learned)
    value, grad = out.copy(), np.ones_like(z)
    activation.backward(z, out, grad, *learned, *(np.empty_like(theta) for theta in learned))
    return value, grad


# The function and its derivative.


def test_every_built_in_activation_has_a_row_in_the_table():
    assert {type(case.activation) for case in CASES} - {SquaredReLU} == set(BUILT_IN)


@EVERY_CASE
def test_value_equals_the_textbook_formula(case):
    expected = textbook(case.f, POINTS).astype(np.float64)
    assert_allclose(case.activation(POINTS), expected, rtol=1e-14, atol=1e-14)


@EVERY_CASE
def test_gradient_matches_central_differences(case):
    z = away_from(case.kinks, POINTS)
    slope, tolerance = central_differences(case.slope_of or case.f, z)
    difference = np.abs(case.activation.derivative(z) - slope)
    assert (difference <= tolerance).all(), f"z = {z[difference > tolerance]}"


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.kinks], ids=lambda case: repr(case.activation)
)
@BOTH_DTYPES
def test_value_and_derivative_at_a_kink_are_the_documented_ones(case, dtype):
    for kink, expected in case.kinks.items():
        for z in {float(kink), -float(kink)} if kink == 0 else {float(kink)}:
            found = case.activation(dtype(z)), case.activation.derivative(dtype(z))
            assert_allclose(found, expected, rtol=np.finfo(dtype).eps, err_msg=f"z = {z}")


@EVERY_CASE
@BOTH_DTYPES
def test_value_and_derivative_at_infinity_are_the_limits(case, dtype):
    ends = np.array([-INF, INF], dtype)
    with np.errstate(invalid="ignore" if np.isnan(case.limits).any() else "raise"):
        found = [*case.activation(ends), *case.activation.derivative(ends)]
    assert_allclose(found, case.limits, rtol=4 * np.finfo(dtype).eps)


@EVERY_CASE
@BOTH_DTYPES
def test_far_values_and_derivatives_are_reached_without_a_floating_point_error(case, dtype):
    z = np.array([-1e4, -1e3, 1e3, 1e4], dtype)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        value, derivative = case.activation(z), case.activation.derivative(z)
    # How much the rounding of z, or of a multiple of it, may change a function of slope 1.
    rounding = 16 * np.finfo(dtype).eps * np.abs(z.astype(float))
    assert (np.abs(value - textbook(case.f, z)) <= rounding * (1 + np.abs(value))).all()
    slope, tolerance = central_differences(case.slope_of or case.f, z)
    assert (np.abs(derivative - slope) <= tolerance + rounding * (1 + np.abs(slope))).all()


@EVERY_CASE
@BOTH_DTYPES
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_no_number_gives_nan(case, dtype):
    exponents = np.arange(-30, 0) if dtype == np.float32 else np.arange(-300, 0, 3)
    sizes = np.concatenate([10.0**exponents, 10.0 ** np.arange(0, 31), [1e38]]).astype(dtype)
    if dtype == np.float64:
        sizes = np.append(sizes, [1e100, 1e200, 1e307])
    z = np.concatenate([-sizes, sizes])
    assert not np.isnan(case.activation(z)).any()
    assert not np.isnan(case.activation.derivative(z)).any()


@EVERY_CASE
def test_float32_agrees_with_float64(case):
    z = NEAR_POINTS.astype(np.float32)
    for function in (case.activation, case.activation.derivative):
        assert function(z).dtype == np.float32
        assert_allclose(function(z), function(z.astype(np.float64)), rtol=3e-6, atol=3e-6)


@EVERY_CASE
@BOTH_DTYPES
def test_engine_gets_the_same_in_place_beside_and_when_inferring(case, dtype):
    activation = case.activation
    z = NEAR_POINTS.astype(dtype)[:1920].reshape(2, 240, 4)
    expected = activation(z), activation.derivative(z)
    assert_array_equal(run(activation, z, in_place=False), expected)
    if not activation.keeps_input:
        assert_array_equal(run(activation, z, in_place=True), expected)
    inferred = z.copy()
    out = np.empty_like(z) if activation.keeps_input else inferred
    activation.infer(inferred, out, *learned_by(activation, z.shape, z.dtype))
    assert_array_equal(out, expected[0])


@EVERY_CASE
def test_reference_is_forward_but_for_a_few_roundings(case):
    z = NEAR_POINTS[:1920].reshape(2, 240, 4)
    out = z.copy()
    case.activation.reference(z.copy(), out, *learned_by(case.activation, z.shape, z.dtype))
    assert_allclose(out, case.activation(z), rtol=1e-15)


@EVERY_CASE
def test_backward_multiplies_the_gradient_that_comes_in(case):
    z = NEAR_POINTS[:60].reshape(1, 15, 4) / 7
    grad = np.random.RandomState(0).normal(size=z.shape)
    expected = grad * case.activation.derivative(z)
    out = np.empty_like(z)
    learned = learned_by(case.activation, z.shape, z.dtype)
    case.activation.forward(z, out, *learned)
    case.activation.backward(z, out, grad, *learned, *(np.empty_like(t) for t in learned))
    assert_allclose(grad, expected, rtol=1e-13, atol=1e-15)


@EVERY_CASE
@BOTH_DTYPES
def test_forward_and_backward_allocate_nothing_of_batch_size(case, dtype):
    z = np.linspace(-3, 3, 400_000).astype(dtype).reshape(1, 4000, 100)
    out, grad = np.empty_like(z), np.ones_like(z)
    learned = learned_by(case.activation, z.shape, z.dtype)
    gradients = [np.empty_like(theta) for theta in learned]
    tracemalloc.start()
    try:
        case.activation.forward(z, out, *learned)
        case.activation.backward(z, out, grad, *learned, *gradients)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    a_byte_per_value = z.size
    assert peak < a_byte_per_value


@EVERY_CASE
def test_call_and_derivative_leave_their_argument_alone_and_keep_its_shape(case):
    z = np.linspace(-2, 2, 6).reshape(2, 1, 3)
    kept = z.copy()
    assert case.activation(z).shape == case.activation.derivative(z).shape == z.shape
    assert_array_equal(z, kept)
    assert case.activation([-1, 0, 2]).dtype == np.float64


@pytest.mark.parametrize(
    "activation", [*(cls() for cls in BUILT_IN), GELU("tanh")], ids=lambda a: repr(a)
)
def test_value_range_is_infimum_and_supremum(activation):
    z = np.concatenate([np.linspace(-40, 40, 80_001), [-1e30, 1e30]])
    values = activation(z)
    low, high = activation.value_range
    for bound, reached in ((low, values.min()), (high, values.max())):
        if np.isinf(bound):
            assert reached * np.sign(bound) > 1e20
        else:
            assert abs(bound - reached) < 1e-7


def test_slope_gradient_of_prelu_matches_central_differences():
    rng = np.random.RandomState(0)
    z, grad = rng.normal(scale=3, size=(2, 2, 7, 4))
    slope = rng.normal(size=(2, 1, 4))
    found = np.full_like(slope, np.nan)

    def total(slope):
        out = np.empty_like(z)
        PReLU().forward(z.copy(), out, slope)
        return (out * grad).sum(axis=1, keepdims=True)

    step = 1e-4
    expected = (total(slope + step) - total(slope - step)) / (2 * step)
    out = np.empty_like(z)
    PReLU().forward(z, out, slope)
    PReLU().backward(z, out, grad.copy(), slope, found)
    assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


# Names and parameters.


NAMES = {name: cls for cls in BUILT_IN for name in cls.names}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_gives_its_activation_with_default_parameters(name):
    activation = get_activation(name)
    assert type(activation) is NAMES[name]
    assert activation.get_params() == NAMES[name]().get_params()


def test_the_names_of_the_plan_are_known():
    assert type(get_activation("logistic")) is type(get_activation("sigmoid")) is Sigmoid
    assert type(get_activation("silu")) is type(get_activation("swish")) is SiLU
    assert set(list_activations()) == {cls.names[0] for cls in BUILT_IN}
    assert list_activations() == sorted(list_activations())
    assert len(NAMES) == sum(len(cls.names) for cls in BUILT_IN), "two classes share a name"


def test_an_activation_is_returned_as_it_is():
    activation = ELU(0.5)
    assert get_activation(activation) is activation


def test_unknown_name_is_refused_with_a_list_of_the_known_ones():
    with pytest.raises(ValueError, match="'rleu'") as caught:
        get_activation("rleu")
    assert all(repr(name) in str(caught.value) for name in NAMES)


@pytest.mark.parametrize("wrong", [None, 3, np.tanh, ["relu"]], ids=repr)
def test_anything_but_a_name_or_an_activation_is_refused(wrong):
    with pytest.raises(TypeError, match="must be a string or an Activation"):
        get_activation(wrong)


def test_a_class_is_refused_with_the_hint_to_pass_an_instance():
    with pytest.raises(TypeError, match=r"Pass an instance: ELU\(\)"):
        get_activation(ELU)


NUMERIC = [(cls, name, bounds) for cls in BUILT_IN for name, bounds in cls.ranges.items()]
EVERY_NUMERIC = pytest.mark.parametrize(
    "cls, name, bounds", NUMERIC, ids=[f"{cls.__name__}-{name}" for cls, name, _ in NUMERIC]
)


@EVERY_NUMERIC
def test_number_out_of_range_is_refused_by_name_value_and_range(cls, name, bounds):
    low, high = bounds.low, bounds.high
    for value in {low, high, low - 0.5, high + 0.5, np.nan}:
        with pytest.raises(ValueError) as caught:
            cls(**{name: value})(0.0)
        for expected in (repr(name), cls.__name__, repr(value), str(bounds)):
            assert expected in str(caught.value)


@EVERY_NUMERIC
@pytest.mark.parametrize("value", ["0.5", None, True, [0.5], 1j], ids=repr)
def test_anything_but_a_number_is_refused_by_name_and_value(cls, name, bounds, value):
    with pytest.raises(TypeError) as caught:
        cls(**{name: value})(0.0)
    assert repr(name) in str(caught.value)
    assert repr(value) in str(caught.value)


@EVERY_NUMERIC
@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_numpy_numbers_are_numbers(cls, name, bounds, number):
    assert getattr(cls(**{name: number(0.5)}), name) == 0.5


@pytest.mark.parametrize(
    "cls, name, allowed",
    [
        (Heaviside, "surrogate", ["None", "'straight_through'", "'sigmoid'"]),
        (GELU, "approximate", ["'none'", "'tanh'"]),
    ],
)
@pytest.mark.parametrize("value", ["nonsense", 3, True], ids=repr)
def test_unknown_option_is_refused_with_the_allowed_ones(cls, name, allowed, value):
    with pytest.raises(ValueError) as caught:
        cls(**{name: value})(0.0)
    for expected in (repr(name), cls.__name__, repr(value), *allowed):
        assert expected in str(caught.value)


@EVERY_CASE
def test_parameters_clone_pickle_and_repr_survive(case):
    activation = case.activation
    for copy in (clone(activation), pickle.loads(pickle.dumps(activation))):
        assert type(copy) is type(activation)
        assert copy is not activation
        assert copy.get_params() == activation.get_params()
        assert_array_equal(copy(NEAR_POINTS), activation(NEAR_POINTS))
    assert type(activation)(**activation.get_params())(2.0) == activation(2.0)
    assert repr(activation).startswith(f"{type(activation).__name__}(")
    for name, value in activation.get_params().items():
        changed = clone(activation).set_params(**{name: value})
        assert changed.get_params() == activation.get_params()


@EVERY_CLASS
def test_values_and_slopes_are_computed_without_changing_the_numbers(cls):
    z = np.linspace(-3, 3, 7).reshape(1, 7, 1)
    before, activation = z.copy(), cls()
    value, slopes, *_ = value_and_slopes(activation, z, learned_at_first(activation))
    assert_array_equal(z, before)
    assert_array_equal([value, slopes], [activation(z), activation.derivative(z)])


@EVERY_CLASS
def test_every_built_in_is_described_for_tables(cls):
    assert cls.formula
    assert cls.__doc__
    assert cls.__name__ in activations.__all__


# In an estimator.


def moons():
    X, y = make_moons(200, noise=0.15, random_state=0)
    return X, y


def small(activation, **options):
    defaults = {
        "hidden_layer_sizes": (8,),
        "learning_rate_init": 0.02,
        "max_iter": 60,
        "batch_size": 20,
        "n_iter_no_change": INF,
        "random_state": 0,
    }
    return MLPBinaryClassifier(activation=activation, **defaults | options)


def fit_quietly(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y)


@EVERY_CASE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore:The gradient of Heaviside:UserWarning")
def test_every_activation_learns_two_moons(case, dtype):
    X, y = moons()
    model = fit_quietly(small(case.activation, dtype=dtype), X, y)
    # Nearly as well as a straight line (0.87), which eight units with fixed weights can do.
    assert model.score(X, y) > 0.75
    assert model.loss_curve_[-1] < 0.7 * model.loss_curve_[0]


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.filterwarnings("ignore:The gradient of Heaviside:UserWarning")
def test_name_and_default_object_give_the_same_model(name):
    X, y = moons()
    models = [
        fit_quietly(small(activation, max_iter=3), X, y)
        for activation in (name, get_activation(name), [name])
    ]
    for model in models[1:]:
        assert_array_equal(model.coefs_[0], models[0].coefs_[0])
    assert models[0].activation == name


def test_a_list_gives_each_layer_its_own_activation():
    X, y = moons()
    options = {"hidden_layer_sizes": (8, 5), "solver": "lbfgs", "max_iter": 30}
    model = fit_quietly(small(["tanh", ELU(0.5)], **options), X, y)
    (first, second, third), (b1, b2, b3) = model.coefs_, model.intercepts_
    hidden = ELU(0.5)(np.tanh(X @ first + b1) @ second + b2)
    assert_allclose(model.decision_function(X), (hidden @ third + b3)[:, 0], rtol=1e-9, atol=1e-12)


def test_fit_works_on_a_copy_of_the_activation():
    X, y = moons()
    activation = ELU(0.5)
    model = fit_quietly(small(activation, max_iter=5), X, y)
    before = model.decision_function(X)
    activation.set_params(alpha=0.9)
    assert_array_equal(model.decision_function(X), before)


@pytest.mark.parametrize(
    "activation, name", [(ELU(), "alpha"), (SquaredReLU(), "scale")], ids=["built-in", "user's own"]
)
def test_parameter_set_out_of_range_is_refused_by_fit(activation, name):
    X, y = moons()
    model = small(activation).set_params(**{f"activation__{name}": -1.0})
    message = rf"'{name}' parameter of {type(activation).__name__} .*\(0.0, inf\).*-1.0"
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def test_heaviside_warns_and_names_the_remedy():
    X, y = moons()
    with pytest.warns(UserWarning, match=r"Heaviside\(surrogate='straight_through'\)") as caught:
        small("heaviside", tol=1.0, n_iter_no_change=1).fit(X, y)
    (warning,) = (w for w in caught if "Heaviside" in str(w.message))
    assert warning.filename == __file__


@pytest.mark.parametrize("alpha", [0.0, 0.0001])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.filterwarnings("ignore:The gradient of Heaviside:UserWarning")
def test_layers_before_heaviside_keep_their_random_weights_as_the_warning_says(solver, alpha):
    X, y = moons()
    short, long = (
        fit_quietly(small("heaviside", solver=solver, alpha=alpha, max_iter=n), X, y)
        for n in (1, 100)
    )
    # Only the penalty may change them, a little.
    assert_allclose(long.coefs_[0], short.coefs_[0], rtol=0.05)
    assert_array_equal(long.intercepts_[0], short.intercepts_[0])
    assert np.abs(long.coefs_[1] - short.coefs_[1]).max() > 0.01


@pytest.mark.parametrize("surrogate, score", [("straight_through", 0.85), ("sigmoid", 0.95)])
def test_a_surrogate_trains_the_layers_before_heaviside_without_a_warning(surrogate, score):
    X, y = moons()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        one, model = (
            small(Heaviside(surrogate), alpha=0.0, max_iter=n).fit(X, y) for n in (1, 100)
        )
    hidden = X @ model.coefs_[0] + model.intercepts_[0] >= 0
    expected = hidden @ model.coefs_[1] + model.intercepts_[1]
    assert_allclose(model.decision_function(X), expected[:, 0], rtol=1e-9, atol=1e-12)
    assert np.abs(model.coefs_[0] - one.coefs_[0]).min(axis=0).max() > 0.1
    assert model.score(X, y) > score


def test_prelu_learns_one_slope_per_unit():
    X, y = moons()
    model = fit_quietly(small([PReLU(), "relu"], hidden_layer_sizes=(8, 3)), X, y)
    (slopes,) = model.activation_parameters_
    assert slopes.shape == (8,)
    assert len(np.unique(slopes)) == 8
    assert np.abs(slopes - 0.25).max() > 0.01
    z = X @ model.coefs_[0] + model.intercepts_[0]
    hidden = np.maximum(np.where(z > 0, z, slopes * z) @ model.coefs_[1] + model.intercepts_[1], 0)
    expected = hidden @ model.coefs_[2] + model.intercepts_[2]
    assert_allclose(model.decision_function(X), expected[:, 0], rtol=1e-9, atol=1e-12)


# A user's activation.


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("cls", [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor])
def test_user_defined_activation_works_in_fit_clone_and_pickle(cls, solver):
    X, y = moons()
    model = cls(
        hidden_layer_sizes=(6, 4),
        activation=["tanh", SquaredReLU(0.5)],
        solver=solver,
        max_iter=20,
        random_state=0,
    )
    expected = fit_quietly(model, X, y).predict(X)
    assert_array_equal(fit_quietly(clone(model), X, y).predict(X), expected)
    restored = pickle.loads(pickle.dumps(model))
    assert_array_equal(restored.predict(X), expected)
    assert restored.activation[1].scale == 0.5


def test_user_defined_activation_and_its_parameter_can_be_searched():
    X, y = moons()
    grid = [
        {"activation": [SquaredReLU(), "tanh"]},
        {"activation": [SquaredReLU()], "activation__scale": [0.1, 1.0]},
    ]
    search = GridSearchCV(small("relu", max_iter=30), grid, cv=2, error_score="raise")
    fit_quietly(search, X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 4
    assert scores[0] == scores[3], "the default scale is 1.0"
    assert scores[2] != scores[3]


def test_user_defined_activation_shares_a_stack_with_others():
    rng = np.random.RandomState(0)
    data = TrainingSet(rng.normal(size=(60, 4)), Targets(rng.normal(size=(60, 1))))
    functions = [SquaredReLU(), ReLU(), SquaredReLU(0.1), Tanh()]
    network = multilayer_perceptron(4, (6,), 1, [functions])

    def members():
        return [
            member_of(
                parameters=np.random.RandomState(k).normal(size=network.n_parameters),
                rows=np.arange(60),
                rng=np.random.RandomState(k),
            )
            for k in range(4)
        ]

    def train(network, members):
        stack = Stack(network, members, data, 20, np.dtype(np.float64))
        for _ in range(3):
            stack.run_epoch()
        return stack.vectors.parameters

    together = train(network, members())
    for k, member in enumerate(members()):
        assert_array_equal(train(network.members([k]), [member])[0], together[k])


# Against PyTorch.


TORCH = {
    "sigmoid": (Sigmoid(), lambda t, z: t.sigmoid(z)),
    "tanh": (Tanh(), lambda t, z: t.tanh(z)),
    "sin": (Sine(2.0), lambda t, z: t.sin(2 * z)),
    "softsign": (Softsign(), lambda t, z: t.nn.functional.softsign(z)),
    "relu": (ReLU(), lambda t, z: t.nn.functional.relu(z)),
    "leaky_relu": (LeakyReLU(0.2), lambda t, z: t.nn.functional.leaky_relu(z, 0.2)),
    "prelu": (PReLU(), lambda t, z: t.nn.functional.prelu(z, t.full((1,), 0.25, dtype=z.dtype))),
    "relu6": (ReLU6(), lambda t, z: t.nn.functional.relu6(z)),
    "hardtanh": (HardTanh(), lambda t, z: t.nn.functional.hardtanh(z)),
    "hardsigmoid": (HardSigmoid(), lambda t, z: t.nn.functional.hardsigmoid(z)),
    "hardswish": (HardSwish(), lambda t, z: t.nn.functional.hardswish(z)),
    "elu": (ELU(0.7), lambda t, z: t.nn.functional.elu(z, 0.7)),
    "selu": (SELU(), lambda t, z: t.nn.functional.selu(z)),
    # PyTorch computes 1 / alpha in float32.
    "celu": (CELU(0.5), lambda t, z: t.nn.functional.celu(z, 0.5)),
    # PyTorch's default is linear from 20 on, where ours differs by 2e-9.
    "softplus": (Softplus(), lambda t, z: t.nn.functional.softplus(z, threshold=40)),
    "silu": (SiLU(), lambda t, z: t.nn.functional.silu(z)),
    "gelu": (GELU(), lambda t, z: t.nn.functional.gelu(z)),
    "gelu tanh": (GELU("tanh"), lambda t, z: t.nn.functional.gelu(z, approximate="tanh")),
    "mish": (Mish(), lambda t, z: t.nn.functional.mish(z)),
}


@pytest.mark.torch
@BOTH_DTYPES
@pytest.mark.parametrize("name", TORCH)
def test_value_and_gradient_equal_those_of_pytorch(name, dtype):
    torch = pytest.importorskip("torch")
    activation, theirs = TORCH[name]
    # No point is a kink: there PyTorch sometimes has the derivative of the other side.
    z = np.linspace(-20.03, 20.05, 997).astype(dtype)
    x = torch.tensor(z, requires_grad=True)
    value = theirs(torch, x)
    value.sum().backward()
    # PyTorch's hard sigmoid has a slope of 1/6 in float32.
    rounds = dtype == np.float32 or name == "hardsigmoid"
    tolerance = 1e-5 if rounds else 1e-12
    assert_allclose(activation(z), value.detach().numpy(), rtol=tolerance, atol=tolerance)
    assert_allclose(activation.derivative(z), x.grad.numpy(), rtol=tolerance, atol=tolerance)


def test_gelu_in_float32_is_as_near_to_the_exact_one_as_numbers_close_to_one_are_rounded():
    z = np.linspace(-12, 12, 20_001)
    activation = GELU()
    for exact, found in (
        (activation(z), activation(z.astype(np.float32))),
        (activation.derivative(z), activation.derivative(z.astype(np.float32))),
    ):
        assert found.dtype == np.float32
        assert (np.abs(found - exact) <= 3e-7 * np.maximum(1, np.abs(z))).all()


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_celu_of_an_alpha_that_vanishes_is_a_relu(dtype):
    z = np.array([-3, 0, 2], dtype=dtype)
    with np.errstate(over="ignore"):
        assert_allclose(CELU(1e-300)(z), [0, 0, 2], atol=1e-37)
        assert np.isfinite(CELU(1e-300).derivative(z)).all()


@pytest.mark.parametrize("name", ["gelu", "mish"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_computed_in_portions_is_computed_everywhere(name, dtype):
    activation = activations.get_activation(name)
    # Several portions for each member, the last one shorter.
    z = np.random.RandomState(0).randn(2, 517, 96).astype(dtype)
    assert z.nbytes > 2 * activations.PORTION
    found, slope = np.empty_like(z), np.ones_like(z)
    activation.infer(z.copy(), found)
    few = [np.empty_like(z[:, :11]) for _ in range(47)]
    for i, part in enumerate(few):
        activation.infer(z[:, 11 * i : 11 * (i + 1)].copy(), part)
    assert_allclose(found, np.concatenate(few, axis=1), rtol=1e-5, atol=1e-6)
    own, again = z.copy(), np.empty_like(z)
    activation.forward(own, again)
    activation.backward(own, again, slope)
    step = 1e-6
    wide = z.astype(np.float64)
    above, below = (np.empty_like(wide) for _ in range(2))
    activation.forward(wide + step, above)
    activation.forward(wide - step, below)
    assert_allclose(slope, (above - below) / (2 * step), atol=1e-5)
