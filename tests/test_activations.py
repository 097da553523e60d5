"""Every activation: its formula, its derivative, its kinks and limits, and its life in an estimator.

A new activation joins with one row of ``CASES``; whatever needs no formula to compare with
runs over all classes of ``skperceptron.activations`` by itself.
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
from skperceptron.engine import multilayer_perceptron
from skperceptron.losses import SquaredError
from skperceptron.optimizers import Adam
from skperceptron.schedules import Constant
from skperceptron.training import Member, Stack, Targets, TrainingSet

INF = np.inf
BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


class SquaredReLU(Activation):
    """A user's own activation with a parameter: scale * max(0, z)^2 (So et al. 2021)."""

    keeps_input = True
    value_range = (0.0, INF)
    ranges = {"scale": (0.0, INF)}

    def __init__(self, scale=1.0):
        self.scale = scale

    def forward(self, z, out, *learned):
        np.maximum(z, 0, out=z)
        np.multiply(z, z, out=out)
        np.multiply(out, self.scale, out=out)

    def backward(self, z, a, grad, *learned):
        np.multiply(z, 2 * self.scale, out=z)
        np.multiply(grad, z, out=grad)


# The textbook: what each activation is, in the widest float there is.


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def elu(z, alpha, scale=1.0):
    return scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def leaky(z, alpha):
    return np.where(z > 0, z, alpha * z)


def gelu(z):
    # math.erfc keeps what 1 + erf would round away on the left.
    normal = [0.5 * math.erfc(-float(x) / math.sqrt(2)) for x in z]
    return z * np.array(normal, dtype=np.longdouble)


def gelu_tanh(z):
    pi = np.longdouble("3.14159265358979323846264338327950288")
    return z / 2 * (1 + np.tanh(np.sqrt(2 / pi) * (z + np.longdouble("0.044715") * z**3)))


@dataclass
class Case:
    """What is true of one activation.

    ``limits`` are those of f and f' at minus and at plus infinity; ``kinks`` maps each point
    without a derivative to the documented value and derivative there; ``slope_of`` is the
    function whose derivative stands in for f', where that is not f.
    """

    activation: Activation
    f: Callable
    limits: tuple
    kinks: dict = field(default_factory=dict)
    slope_of: Callable | None = None


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

CASES = [
    Case(Identity(), lambda z: z, (-INF, INF, 1, 1)),
    Case(Sigmoid(), sigmoid, (0, 1, 0, 0)),
    Case(Tanh(), lambda z: 1 - 2 / (1 + np.exp(2 * z)), (-1, 1, 0, 0)),
    Case(Softsign(), lambda z: z / (1 + abs(z)), (-1, 1, 0, 0)),
    Case(Gaussian(), lambda z: np.exp(-z * z), (0, 0, 0, 0)),
    Case(Sine(), np.sin, None),
    Case(Sine(3.0), lambda z: np.sin(3 * z), None),
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
    Case(PReLU(0.0), lambda z: np.maximum(z, 0), (0, INF, 0, 1), {0: (0, 0)}),
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
    Case(ELU(3.0), lambda z: elu(z, 3), (-3, INF, 0, 1), {0: (0, 3)}),
    Case(
        SELU(),
        lambda z: elu(z, SELU_ALPHA, SELU_SCALE),
        (-SELU_ALPHA * SELU_SCALE, INF, 0, SELU_SCALE),
        {0: (0, SELU_ALPHA * SELU_SCALE)},
    ),
    Case(CELU(), lambda z: elu(z, 1), (-1, INF, 0, 1)),
    Case(CELU(0.5), lambda z: 0.5 * elu(z / 0.5, 1), (-0.5, INF, 0, 1)),
    Case(CELU(3.0), lambda z: 3 * elu(z / 3, 1), (-3, INF, 0, 1)),
    Case(Softplus(), lambda z: np.maximum(z, 0) + np.log1p(np.exp(-abs(z))), (0, INF, 0, 1)),
    Case(SiLU(), lambda z: z * sigmoid(z), (0, INF, 0, 1)),
    Case(GELU(), gelu, (0, INF, 0, 1)),
    Case(GELU("tanh"), gelu_tanh, (0, INF, 0, 1)),
    Case(
        Mish(),
        lambda z: z * np.tanh(np.maximum(z, 0) + np.log1p(np.exp(-abs(z)))),
        (0, INF, 0, 1),
    ),
    Case(SquaredReLU(), lambda z: np.maximum(z, 0) ** 2, (0, INF, 0, INF)),
    Case(SquaredReLU(0.1), lambda z: np.maximum(z, 0) ** 2 / 10, (0, INF, 0, INF)),
]
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case.activation))
BUILT_IN = [
    value
    for _, value in sorted(vars(activations).items())
    if isinstance(value, type) and issubclass(value, Activation) and value.names
]
EVERY_CLASS = pytest.mark.parametrize("cls", BUILT_IN, ids=lambda cls: cls.__name__)

FAR_POINTS = np.array([-1e4, -1e3, -88.7, 88.7, 1e3, 1e4])
NEAR_POINTS = np.concatenate([np.linspace(-30, 30, 1201), [-1e-3, -1e-9, -0.0, 1e-9, 1e-3]])
POINTS = np.concatenate([NEAR_POINTS, FAR_POINTS])


def reference(f, z):
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(f(z.astype(np.longdouble)), dtype=np.longdouble)


def central_differences(f, z):
    """Return the slope of f at z and by how much rounding and curvature may falsify it."""
    step = np.longdouble(1e-6)
    with np.errstate(over="ignore", under="ignore"):
        slope = (f(z + step) * 1.0 - f(z - step) * 1.0) / (2 * step)
        size = np.abs(f(z) * 1.0)
    return slope, 100 * step**2 + 4 * np.finfo(np.longdouble).eps * (size + abs(z)) / step


def away_from(kinks, z, distance=1e-5):
    return z[np.all([abs(z - kink) > distance for kink in [INF, *kinks]], axis=0)]


def learned_by(activation, shape, dtype):
    """Return what the engine hands to forward for a layer of this shape."""
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
    z = POINTS
    if isinstance(case.activation, GELU):
        # There the reference itself underflows to a subnormal number.
        z = z[z > -38]
    expected = reference(case.f, z).astype(np.float64)
    assert_allclose(case.activation(z), expected, rtol=1e-12, atol=1e-14)


@EVERY_CASE
def test_gradient_matches_central_differences(case):
    z = away_from(case.kinks, POINTS)
    if isinstance(case.activation, GELU) and case.activation.approximate == "none":
        # math.erfc is a double function: its steps show in a difference quotient.
        slope = reference(lambda z: gelu(z) / z + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi), z[z != 0])
        assert_allclose(case.activation.derivative(z[z != 0]), slope.astype(float), atol=1e-14)
        return
    slope, tolerance = central_differences(case.slope_of or case.f, z.astype(np.longdouble))
    difference = np.abs(case.activation.derivative(z) - slope)
    assert (difference <= tolerance + 1e-9 * np.abs(slope)).all(), z[difference.argmax()]
