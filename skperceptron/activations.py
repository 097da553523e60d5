r"""Activations: functions of a hidden unit's weighted sum ``z``.

An activation is an object with searchable parameters, like a kernel. To add one, write one class
in this module: its string names and its place in tests, tables and plots follow from it.

Conventions. Arrays have the shape (members, batch, units). All work is done in place, without
temporary arrays. ``forward(z, out)`` writes f(z); ``backward(z, a, grad)`` multiplies ``grad`` by
f'(z). If f' can be computed from the output ``a`` alone, ``out`` is the same array as ``z``. If it
cannot, the class sets ``keeps_input = True``, and z and the output are two arrays. After
``backward``, z and ``a`` are not used any more, so ``backward`` may overwrite both. ``forward`` of
an activation that keeps its input may replace z by what ``backward`` will need.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import numpy as np
from scipy.special import erfc, expit

from .components import Component, Interval, by_name, find, undefined
from .engine.arrays import Call, Floats
from .engine.blocks.activate import learned_at_first, value_and_slopes
from .engine.calls import number, overflowing_sigmoid, sigmoid
from .engine.operators import OperatorGraph, Value, not_declared
from .options import Name

# Masks: `np.greater(z, 0, out=z)` replaces z by an array of floats: 1 where z was positive, 0
# elsewhere. Multiplying by such a mask takes an eighth of the time of `np.copyto(..., where=)`,
# measured on (1, 128, 256) float32. So where a derivative has two values, left and right, the code
# computes `left + (right - left) * mask`.

#: Beyond this every saturating function here has reached its limit, in any precision.
FAR = 1e4

#: Exported models clip z at this where it is multiplied by a sigmoid or the like, which is nearly 0
#: here. It may be rounded to about 1e-8: the product with a much larger z would be wrong.
LEAST_GATED = -60.0

#: Size of an array from which ``np.clip`` is faster: it starts later, but uses vector instructions.
#: (Clipping 65,536 float32 numbers at 0 takes 15 us, ``np.maximum`` 34 us.)
CLIPPED_FROM = 2**12

#: Bytes of an array that are computed at a time by functions that need temporary arrays. (A tabular
#: regressor, whose networks have Mish, took 68, 62, 58 and 55 ms for 10,000 rows with 2^15, 2^16,
#: 2^17 and 2^18; in two threads, which wait for each other between operations, 99, 87, 67 and 57.
#: The largest portions do not fit into every cache.)
PORTION = 2**17

# Abramowitz & Stegun (1964), 7.1.26, give the following constants for the error function.

#: Factor of ``abs(z)`` in the variable t of Hastings' formula for the normal distribution function.
HASTINGS_SCALE = 0.3275911 * math.sqrt(0.5)

#: Coefficients of Hastings' formula for the normal distribution function, that of ``t**5`` first.
HASTINGS = (0.5307027145, -0.7265760135, 0.7107068705, -0.142248368, 0.127414796)

Range = tuple[float, float]


class Activation(Component):
    """Base of all activations.

    A subclass defines ``forward`` and ``backward``, and ``to_onnx`` if it is to be exported; the
    rest has defaults. Parameters are arguments of ``__init__``, stored unchanged, with an
    ``Interval`` of each in ``ranges``.

    Attributes
    ----------
    formula : str
        f(z) in LaTeX.
    value_range : tuple of float
        Infimum and supremum of f for default parameters.
    keeps_input : bool
        Whether ``backward`` needs z, which is then kept beside the output.
    init_factor : float
        Initial weights are uniform in ``±sqrt(init_factor / (fan_in + fan_out))``.
    untrainable_message : str
        Message for the user if the gradient is zero everywhere.
    """

    formula: ClassVar[str] = ""
    value_range: ClassVar[Range] = (-np.inf, np.inf)
    keeps_input: bool = False
    init_factor: float = 6.0
    untrainable_message: ClassVar[str] = ""
    in_place = ("forward", "reference", "infer", "backward")
    shortcuts = {
        "forward": ("forward_calls", "infer", "reference", "to_onnx"),
        "backward": ("backward_calls",),
    }

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        """Write f(z) into ``out``.

        Parameters
        ----------
        z : ndarray of shape (K, B, H)
        out : ndarray of shape (K, B, H)
            ``z`` itself unless ``keeps_input``.
        *learned : ndarray of shape (K, 1, H)
            The learned parameters, if there are any.
        """
        raise undefined(self, "forward")

    def reference(self, z: Floats, out: Floats, *learned: Floats) -> None:
        """Do what ``forward`` does, with the same bits as scikit-learn if it has this activation.

        L-BFGS needs this: there, a difference in the last bit leads to different weights.
        """
        self.forward(z, out, *learned)

    def infer(self, z: Floats, out: Floats, *learned: Floats) -> None:
        """Write f(z) into ``out`` when no backward call will follow."""
        self.forward(z, out, *learned)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        """Multiply ``grad`` by f'(z), in place.

        ``inspection.gradient_check`` tells whether the derivative is right.

        Parameters
        ----------
        z : ndarray of shape (K, B, H)
            The input if ``keeps_input``, else the output; may be overwritten.
        a : ndarray of shape (K, B, H)
            The output; may be overwritten.
        grad : ndarray of shape (K, B, H)
            Gradient with respect to the output; becomes that with respect to the input.
        *learned : ndarray of shape (K, 1, H)
            The learned parameters and the array that receives their gradient, if any.
        """
        raise undefined(self, "backward")

    def forward_calls(self, z: Floats, out: Floats, *learned: Floats) -> list[Call]:
        """Bind ``forward`` to the arrays of a training step, for all steps to come.

        During these calls NumPy does not warn of overflow.
        """
        return [partial(self.forward, z, out, *learned)]

    def backward_calls(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> list[Call]:
        """Bind ``backward`` in the same way."""
        return [partial(self.backward, z, a, grad, *learned)]

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        """Return f(z), expressed in ONNX's operators.

        Only exported models need it. A subclass that redefines ``forward`` does not inherit it.

        Parameters
        ----------
        graph : OperatorGraph
            Its ``op("Tanh", z)`` adds ONNX's operator of this name; see
            ``skperceptron.engine.operators``.
        z : Value
            The weighted sums, (rows, units).
        *learned : ndarray of shape (1, units)
            The learned parameters, if there are any.

        Raises
        ------
        NotDeclaredError
            If the activation does not define this method.
        """
        raise not_declared(self, "graph, z")

    def n_parameters(self, units: int) -> int:
        """Return how many parameters a layer of ``units`` units learns."""
        return 0

    def initial_parameters(self, units: int) -> Floats:
        """Return the initial values of these parameters, (n_parameters,)."""
        return np.empty(0)

    @property
    def differentiable(self) -> bool:
        """Whether layers before this activation get a gradient."""
        return True

    def __call__(self, z: Any) -> Floats:
        """Return f(z) as a new array of z's shape."""
        return self._evaluate(z)[0]

    def derivative(self, z: Any) -> Floats:
        """Return f'(z) as a new array of z's shape."""
        return self._evaluate(z)[1]

    def _evaluate(self, z: Any) -> tuple[Floats, Floats]:
        self.check_parameters()
        z = np.array(z, dtype=np.result_type(np.asarray(z).dtype, np.float32))
        learned = learned_at_first(self, z.dtype)
        value, slopes, *_ = value_and_slopes(self, z.reshape(1, -1, 1), learned)
        return value.reshape(z.shape), slopes.reshape(z.shape)


# The identity, and smooth functions that are bounded on both sides.


class Identity(Activation):
    """No activation: f(z) = z."""

    names = ("identity", "linear")
    formula = "z"

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        if out is not z:
            np.copyto(out, z)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return z

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        """Leave the gradient as it is."""


class Sigmoid(Activation):
    """Logistic sigmoid; saturates on both sides, not centered at zero (Rumelhart et al. 1986)."""

    names = ("logistic", "sigmoid")
    formula = r"\frac{1}{1 + e^{-z}}"
    value_range = (0.0, 1.0)
    init_factor = 2.0

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        sigmoid(z, out)

    def reference(self, z: Floats, out: Floats, *learned: Floats) -> None:
        expit(z, out=out)

    def forward_calls(self, z: Floats, out: Floats, *learned: Floats) -> list[Call]:
        return [partial(overflowing_sigmoid, z, out)]

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return graph.sigmoid(z)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        for call in Sigmoid.backward_calls(self, z, a, grad):
            call()

    def backward_calls(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> list[Call]:
        return [
            partial(np.multiply, grad, a, grad),
            partial(np.subtract, number(1, a.dtype), a, a),
            partial(np.multiply, grad, a, grad),
        ]


class Tanh(Activation):
    """Hyperbolic tangent; saturates on both sides, centered at zero (LeCun et al. 1998)."""

    names = ("tanh",)
    formula = r"\tanh z"
    value_range = (-1.0, 1.0)

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.tanh(z, out=out)

    def forward_calls(self, z: Floats, out: Floats, *learned: Floats) -> list[Call]:
        return [partial(np.tanh, z, out)]

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return graph.op("Tanh", z)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        for call in Tanh.backward_calls(self, z, a, grad):
            call()

    def backward_calls(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> list[Call]:
        return [
            partial(np.multiply, a, a, a),
            partial(np.subtract, number(1, a.dtype), a, a),
            partial(np.multiply, grad, a, grad),
        ]


class Softsign(Activation):
    """A sigmoid with polynomial tails (Bergstra et al. 2009)."""

    names = ("softsign",)
    formula = r"\frac{z}{1 + |z|}"
    value_range = (-1.0, 1.0)
    keeps_input = True

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        largest = np.finfo(z.dtype).max
        np.clip(z, -largest, largest, out=z)
        np.abs(z, out=out)
        np.add(out, 1, out=out)
        np.divide(z, out, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return z / (graph.op("Abs", z) + 1)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        np.abs(z, out=a)
        np.add(a, 1, out=a)
        np.divide(grad, a, out=grad)
        np.divide(grad, a, out=grad)


class Gaussian(Activation):
    """Gaussian function, as in radial basis function networks (Broomhead & Lowe 1988)."""

    names = ("gaussian",)
    formula = r"e^{-z^2}"
    value_range = (0.0, 1.0)
    keeps_input = True

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.clip(z, -FAR, FAR, out=z)
        np.multiply(z, z, out=out)
        np.negative(out, out=out)
        np.exp(out, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return graph.op("Exp", -(z * z))

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        np.multiply(z, a, out=z)
        np.multiply(z, -2, out=z)
        np.multiply(grad, z, out=grad)


class Sine(Activation):
    """A periodic activation (Sitzmann et al. 2020); undefined (NaN) at infinity.

    Parameters
    ----------
    frequency : float, default=1.0
        Factor of z, > 0.
    """

    names = ("sine",)
    formula = r"\sin \omega z"
    value_range = (-1.0, 1.0)
    keeps_input = True
    ranges = {"frequency": Interval(0.0)}

    def __init__(self, frequency: float = 1.0) -> None:
        self.frequency = frequency

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.multiply(z, self.frequency, out=z)
        np.sin(z, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return graph.op("Sin", z * self.frequency)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        np.cos(z, out=z)
        np.multiply(z, self.frequency, out=z)
        np.multiply(grad, z, out=grad)


# Piecewise linear.


class Heaviside(Activation):
    """The threshold of Rosenblatt's units: 0 below zero, 1 from zero on.

    Its gradient is zero, so that only layers after it learn, unless a surrogate replaces
    the derivative.

    Parameters
    ----------
    surrogate : {None, "straight_through", "sigmoid"}, default=None
        "straight_through" passes the gradient unchanged (Bengio et al. 2013); "sigmoid"
        uses the derivative of a sigmoid of slope `sharpness` (Zenke & Ganguli 2018).
    sharpness : float, default=4.0
        > 0; only used by "sigmoid".
    """

    names = ("heaviside", "threshold")
    formula = r"0 \text{ if } z < 0, \; 1 \text{ if } z \geq 0"
    value_range = (0.0, 1.0)
    keeps_input = True
    ranges = {"sharpness": Interval(0.0)}
    rules = {"surrogate": [Name(["straight_through", "sigmoid"]), None]}
    untrainable_message = (
        "The gradient of Heaviside() is zero everywhere: layers before it keep their random"
        " weights. Use Heaviside(surrogate='straight_through') or"
        " Heaviside(surrogate='sigmoid') to train them."
    )

    def __init__(self, surrogate: str | None = None, sharpness: float = 4.0) -> None:
        self.surrogate = surrogate
        self.sharpness = sharpness

    @property
    def differentiable(self) -> bool:
        return self.surrogate is not None

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.greater_equal(z, 0, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return graph.as_numbers(z >= 0)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        if self.surrogate is None:
            grad.fill(0)
        elif self.surrogate == "sigmoid":
            np.multiply(z, self.sharpness, out=z)
            sigmoid(z, z)
            np.subtract(1, z, out=a)
            np.multiply(z, a, out=z)
            np.multiply(z, self.sharpness, out=z)
            np.multiply(grad, z, out=grad)


class ReLU(Activation):
    """Rectified linear unit (Nair & Hinton 2010); f'(0) = 0."""

    names = ("relu",)
    formula = r"\max(0, z)"
    value_range = (0.0, np.inf)
    # The derivative does not need z. The value needs an array of its own: see forward_calls.
    keeps_input = True

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        for call in ReLU.forward_calls(self, z, out):
            call()

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return graph.op("Max", z, 0)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        for call in ReLU.backward_calls(self, z, a, grad):
            call()

    # In a small layer, calling a Python function takes as long as the array operations in it.

    def forward_calls(self, z: Floats, out: Floats, *learned: Floats) -> list[Call]:
        # NumPy computes the maximum of two arrays four times as fast as that of an array and a
        # number. So the output is filled with zeros first.
        return [partial(out.fill, 0), partial(np.maximum, z, out, out=out)]

    def backward_calls(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> list[Call]:
        zero = number(0, a.dtype)
        return [partial(np.greater, a, zero, a), partial(np.multiply, grad, a, grad)]


class LeakyReLU(Activation):
    """ReLU with a small slope on the negative side (Maas et al. 2013); f'(0) = alpha.

    Parameters
    ----------
    alpha : float, default=0.01
        The slope, in (0, 1).
    """

    names = ("leaky_relu",)
    formula = r"\max(\alpha z, z)"
    keeps_input = True
    ranges = {"alpha": Interval(0.0, 1.0)}

    def __init__(self, alpha: float = 0.01) -> None:
        self.alpha = alpha

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.multiply(z, self.alpha, out=out)
        np.maximum(z, out, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return graph.op("Max", z * self.alpha, z)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        _slopes(z, self.alpha, z)
        np.multiply(grad, z, out=grad)


class PReLU(Activation):
    """Leaky ReLU whose slopes are learned, one per unit (He et al. 2015).

    Parameters
    ----------
    alpha : float, default=0.25
        Initial slope; finite.
    """

    names = ("prelu",)
    formula = r"\max(0, z) + a \min(0, z)"
    keeps_input = True
    ranges = {"alpha": Interval()}

    def __init__(self, alpha: float = 0.25) -> None:
        self.alpha = alpha

    def n_parameters(self, units: int) -> int:
        return units

    def initial_parameters(self, units: int) -> Floats:
        return np.full(units, float(self.alpha))

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        (slope,) = learned
        _slopes(z, slope, out)
        np.multiply(out, z, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        (slope,) = learned
        return graph.op("Max", z, 0) + graph.op("Min", z, 0) * slope

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        slope, slope_grad = learned
        np.minimum(z, 0, out=a)
        np.multiply(a, grad, out=a)
        _slopes(z, slope, z)
        np.multiply(grad, z, out=grad)
        np.add.reduce(a, axis=1, out=slope_grad, keepdims=True)


class ReLU6(Activation):
    """ReLU cut off at 6 (Krizhevsky 2010); f' = 0 at both kinks."""

    names = ("relu6",)
    formula = r"\min(\max(0, z), 6)"
    value_range = (0.0, 6.0)
    keeps_input = True

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.clip(z, 0, 6, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return graph.op("Min", graph.op("Max", z, 0), 6)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        # The mask is 1 where 0 < a < 6. The product a (6 - a) is positive there and 0 at the kinks.
        np.subtract(6, a, out=z)
        np.multiply(a, z, out=a)
        np.greater(a, 0, out=a)
        np.multiply(grad, a, out=grad)


class HardTanh(Activation):
    """Piecewise linear tanh (Collobert 2004); f' = 0 at both kinks."""

    names = ("hard_tanh",)
    formula = r"\min(\max(-1, z), 1)"
    value_range = (-1.0, 1.0)

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.clip(z, -1, 1, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return graph.op("Min", graph.op("Max", z, -1), 1)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        _inside(a, 0, 1)
        np.multiply(grad, a, out=grad)


class HardSigmoid(Activation):
    """Piecewise linear sigmoid with slope 1/6 (Howard et al. 2019); f' = 0 at both kinks."""

    names = ("hard_sigmoid",)
    formula = r"\min(\max(0, z / 6 + 1/2), 1)"
    value_range = (0.0, 1.0)
    init_factor = 2.0

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        _hard_sigmoid(z, out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        return graph.op("Min", graph.op("Max", z * (1 / 6) + 0.5, 0), 1)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        _inside(a, 0.5, 0.5)
        np.multiply(a, 1 / 6, out=a)
        np.multiply(grad, a, out=grad)


class HardSwish(Activation):
    """Swish with a hard sigmoid (Howard et al. 2019); f'(-3) = 0, f'(3) = 1."""

    names = ("hard_swish",)
    formula = r"z \min(\max(0, z / 6 + 1/2), 1)"
    value_range = (-0.375, np.inf)
    keeps_input = True

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.maximum(z, -4, out=z)
        _hard_sigmoid(z, out)
        np.multiply(out, z, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        z = graph.op("Max", z, -4)
        return z * HardSigmoid().to_onnx(graph, z)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        np.clip(z, -4, 4, out=z)
        np.copyto(a, z)
        _inside(a, 0, 3)
        np.multiply(a, z, out=a)
        np.multiply(a, 1 / 6, out=a)
        _hard_sigmoid(z, z)
        np.add(a, z, out=a)
        np.multiply(grad, a, out=grad)


# Smooth relatives of ReLU.


class _Exponential(Activation):
    """s max(0, z) + s alpha (exp(min(0, z)) - 1)."""

    keeps_input = True
    scale: ClassVar[float] = 1.0
    alpha: float

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        _at_most(z, 0.0, out)
        if z.dtype == np.float32:
            # The error is at most 6e-8, the precision of numbers near 1; expm1 is 7 times slower.
            np.exp(out, out=out)
            np.subtract(out, 1, out=out)
        else:
            np.expm1(out, out=out)
        np.multiply(out, self.alpha, out=out)
        _at_least(z, 0.0, z)
        np.add(out, z, out=out)
        if self.scale != 1:
            np.multiply(out, self.scale, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        below = graph.op("Exp", graph.op("Min", z, 0)) - 1
        return (graph.op("Max", z, 0) + below * self.alpha) * self.scale

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        # forward has replaced z by max(0, z). For z <= 0, f' is the output plus scale * alpha.
        # For z > 0 this sum is scale * alpha too; the mask then adds scale * (1 - alpha).
        _at_most(a, 0.0, a)
        np.add(a, self.scale * self.alpha, out=a)
        if self.alpha != 1:
            np.greater(z, 0, out=z)
            np.multiply(z, self.scale * (1 - self.alpha), out=z)
            np.add(a, z, out=a)
        np.multiply(grad, a, out=grad)


class ELU(_Exponential):
    r"""Exponential linear unit (Clevert et al. 2016); f'(0) = alpha.

    Parameters
    ----------
    alpha : float, default=1.0
        Minus the limit on the negative side, > 0.
    """

    names = ("elu",)
    formula = r"z \text{ if } z > 0, \; \alpha (e^z - 1) \text{ if } z \leq 0"
    ranges = {"alpha": Interval(0.0)}

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    @property
    def value_range(self) -> Range:  # type: ignore[override]
        """Infimum and supremum of f."""
        return (-self.alpha, np.inf)


class SELU(_Exponential):
    """Self-normalizing scaled ELU (Klambauer et al. 2017); f'(0) is that of the left side."""

    names = ("selu",)
    formula = r"\lambda z \text{ if } z > 0, \; \lambda \alpha (e^z - 1) \text{ if } z \leq 0"
    alpha = 1.6732632423543772
    scale = 1.0507009873554805
    value_range = (-1.6732632423543772 * 1.0507009873554805, np.inf)


class CELU(Activation):
    """ELU with a continuous derivative for every alpha (Barron 2017).

    Parameters
    ----------
    alpha : float, default=1.0
        Minus the limit on the negative side, > 0.
    """

    names = ("celu",)
    formula = r"\max(0, z) + \min(0, \alpha (e^{z / \alpha} - 1))"
    keeps_input = True
    ranges = {"alpha": Interval(0.0)}

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    @property
    def value_range(self) -> Range:  # type: ignore[override]
        """Infimum and supremum of f."""
        return (-self.alpha, np.inf)

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.minimum(z, 0, out=out)
        np.divide(out, self._alpha_in(z.dtype), out=out)
        np.expm1(out, out=out)
        np.multiply(out, self.alpha, out=out)
        np.maximum(z, 0, out=z)
        np.add(out, z, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        alpha = self._alpha_in(graph.dtype)
        below = graph.expm1(graph.op("Min", z, 0) / alpha) * self.alpha
        return graph.op("Max", z, 0) + below

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        np.minimum(a, 0, out=a)
        np.divide(a, self._alpha_in(a.dtype), out=a)
        np.add(a, 1, out=a)
        np.multiply(grad, a, out=grad)

    def _alpha_in(self, dtype: np.dtype) -> float:
        """Return alpha, but at least the smallest normal number of a dtype."""
        return max(self.alpha, float(np.finfo(dtype).tiny))


class Softplus(Activation):
    """The smooth ReLU whose derivative is the sigmoid (Dugas et al. 2001)."""

    names = ("softplus",)
    formula = r"\log(1 + e^z)"
    value_range = (0.0, np.inf)

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.logaddexp(z, 0, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        small = graph.op("Exp", -graph.op("Abs", z))
        return graph.op("Max", z, 0) + graph.op("Log", small + 1)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        # sigmoid(z) = 1 - exp(-softplus(z))
        np.negative(a, out=a)
        np.expm1(a, out=a)
        np.negative(a, out=a)
        np.multiply(grad, a, out=grad)


class SiLU(Activation):
    """Sigmoid-weighted linear unit, also called swish (Elfwing et al. 2018)."""

    names = ("silu", "swish")
    formula = r"\frac{z}{1 + e^{-z}}"
    value_range = (-0.2784645427610738, np.inf)
    keeps_input = True

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.maximum(z, -FAR, out=z)
        sigmoid(z, out)
        np.multiply(out, z, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        z = graph.op("Max", z, LEAST_GATED)
        return z * graph.sigmoid(z)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        # f' = s + z s (1 - s) = s (1 + z (1 - s)) with s the sigmoid of z
        np.minimum(z, FAR, out=z)
        sigmoid(z, a)
        np.multiply(grad, a, out=grad)
        np.subtract(1, a, out=a)
        np.multiply(a, z, out=a)
        np.add(a, 1, out=a)
        np.multiply(grad, a, out=grad)


class GELU(Activation):
    r"""Gaussian error linear unit (Hendrycks & Gimpel 2016).

    Parameters
    ----------
    approximate : {"none", "tanh"}, default="none"
        "tanh" replaces the normal distribution function by a formula with tanh.

    Notes
    -----
    In float32 the normal distribution function follows Hastings (1955), within 1e-7.
    """

    names = ("gelu",)
    formula = r"z \, \Phi(z)"
    keeps_input = True
    rules = {"approximate": [Name(["none", "tanh"])]}
    # u(z) = SLOPE (z + CUBIC z^3) of the approximation (1 + tanh u) / 2
    SLOPE: ClassVar[float] = math.sqrt(2 / math.pi)
    CUBIC: ClassVar[float] = 0.044715

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    @property
    def value_range(self) -> Range:  # type: ignore[override]
        """Infimum and supremum of f."""
        exact = self.approximate == "none"
        return (-0.16997120747990369 if exact else -0.17004075057125412, np.inf)

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.maximum(z, -FAR, out=z)
        share = self._exact_share if self.approximate == "none" else self._approximate_share
        for part, value, *rooms in _portions(z, out):
            slope = share(part, value, *rooms)
            np.add(slope, value, out=slope)
            np.multiply(value, part, out=value)
            # f and f' share most of their computation: z is replaced by f' for ``backward``.
            np.copyto(part, slope)

    def infer(self, z: Floats, out: Floats, *learned: Floats) -> None:
        np.maximum(z, -FAR, out=z)
        if self.approximate == "none" and z.dtype != np.float32:
            _normal_distribution(z, out)
            np.multiply(out, z, out=out)
        else:
            self.forward(z, out)

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        np.multiply(grad, z, out=grad)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        z = graph.op("Max", z, LEAST_GATED)
        if self.approximate == "none":
            return z * (graph.op("Erf", z * math.sqrt(0.5)) + 1) * 0.5
        return z * graph.sigmoid((z + z * z * z * self.CUBIC) * (2 * self.SLOPE))

    @staticmethod
    def _exact_share(z: Floats, share: Floats, slope: Floats, room: Floats) -> Floats:
        """Write Phi(z) into ``share``, return z phi(z)."""
        np.minimum(z, FAR, out=room)
        np.multiply(room, room, out=room)
        np.multiply(room, -0.5, out=room)
        density = np.exp(room, out=room)
        if z.dtype == np.float32:
            _hastings_distribution(z, density, share, slope)
        else:
            _normal_distribution(z, share)
        np.minimum(z, FAR, out=slope)
        np.multiply(slope, density, out=slope)
        return np.multiply(slope, 1 / math.sqrt(2 * math.pi), out=slope)

    def _approximate_share(self, z: Floats, share: Floats, slope: Floats, room: Floats) -> Floats:
        """Write s = (1 + tanh u) / 2 into ``share``, return z s'."""
        # 2 u = 2 SLOPE (z + CUBIC z^3), and z times its derivative, 6 u - 4 SLOPE z.
        z = np.minimum(z, FAR, out=room)
        np.multiply(z, z, out=share)
        np.multiply(share, 2 * self.SLOPE * self.CUBIC, out=share)
        np.add(share, 2 * self.SLOPE, out=share)
        np.multiply(share, z, out=share)
        np.multiply(share, 3, out=slope)
        np.multiply(z, 4 * self.SLOPE, out=room)
        np.subtract(slope, room, out=slope)
        sigmoid(share, share)
        np.multiply(slope, share, out=slope)
        np.subtract(1, share, out=room)
        return np.multiply(slope, room, out=slope)


class Mish(Activation):
    """Product of z and the tanh of its softplus (Misra 2020)."""

    names = ("mish",)
    formula = r"z \tanh \log(1 + e^z)"
    value_range = (-0.30884341301725043, np.inf)
    keeps_input = True
    # exp(20) is so large that 1 + exp(z) rounds to exp(z) and tanh to 1, in float64 too.
    LINEAR_FROM: ClassVar[float] = 20.0

    def forward(self, z: Floats, out: Floats, *learned: Floats) -> None:
        _at_least(z, -FAR, z)
        for part, value, room, _ in _portions(z, out):
            _at_most(part, self.LINEAR_FROM, room)
            self._within_bounds(part, value, room, room)

    def infer(self, z: Floats, out: Floats, *learned: Floats) -> None:
        # Looking for the extremes of many numbers takes less time than clipping them twice.
        if z.size <= CLIPPED_FROM or not (z.min() >= -FAR and z.max() <= self.LINEAR_FROM):
            self.forward(z, out, *learned)
            return
        for part, value, room, _ in _portions(z, out):
            self._within_bounds(part, value, part, room)

    @staticmethod
    def _within_bounds(z: Floats, out: Floats, clipped: Floats, room: Floats) -> None:
        # With e = exp(z) and n = e (e + 2), tanh log(1 + e) = n / (n + 2).
        np.exp(clipped, out=room)
        np.add(room, 2, out=out)
        np.multiply(out, room, out=room)
        np.add(room, 2, out=out)
        np.divide(room, out, out=out)
        np.multiply(out, z, out=out)

    def to_onnx(self, graph: OperatorGraph, z: Value, *learned: Floats) -> Value:
        z = graph.op("Max", z, LEAST_GATED)
        e = graph.op("Exp", graph.op("Min", z, self.LINEAR_FROM))
        n = e * (e + 2)
        return z * (n / (n + 2))

    def backward(self, z: Floats, a: Floats, grad: Floats, *learned: Floats) -> None:
        # With e = exp(z) and q = 1 / ((1 + e)^2 + 1):  f' = 1 + q (4 z e (1 + e) q - 2).
        _at_most(z, self.LINEAR_FROM, z)
        np.exp(z, out=a)
        np.multiply(z, a, out=z)
        np.add(a, 1, out=a)
        np.multiply(z, a, out=z)
        np.multiply(a, a, out=a)
        np.add(a, 1, out=a)
        np.divide(1, a, out=a)
        np.multiply(z, a, out=z)
        np.multiply(z, 4, out=z)
        np.subtract(z, 2, out=z)
        np.multiply(z, a, out=z)
        np.add(z, 1, out=z)
        np.multiply(grad, z, out=grad)


# Helpers of several activations; each may work in place.


def _at_most(z: Floats, bound: float, out: Floats) -> None:
    """Write min(z, bound). A zero may differ in sign from that of ``np.minimum``."""
    if z.size < CLIPPED_FROM:
        np.minimum(z, bound, out=out)
    else:
        np.clip(z, -np.inf, bound, out=out)


def _at_least(z: Floats, bound: float, out: Floats) -> None:
    """Write max(z, bound), as ``_at_most`` does."""
    if z.size < CLIPPED_FROM:
        np.maximum(z, bound, out=out)
    else:
        np.clip(z, bound, np.inf, out=out)


def _normal_distribution(z: Floats, out: Floats) -> None:
    np.multiply(z, -math.sqrt(0.5), out=out)
    erfc(out, out=out)
    np.multiply(out, 0.5, out=out)


def _hastings_distribution(z: Floats, density: Floats, out: Floats, room: Floats) -> None:
    """Write the normal distribution function of float32 numbers (Hastings 1955).

    The error is below 1e-7, about the precision of numbers close to 1. The formula has a polynomial
    in t = 1 / (1 + HASTINGS_SCALE |z|). scipy.special.erfc takes three times as long.

    Parameters
    ----------
    z : ndarray
    density : ndarray
        exp(-z^2 / 2).
    out, room : ndarray
    """
    np.abs(z, out=room)
    np.multiply(room, HASTINGS_SCALE, out=room)
    np.add(room, 1, out=room)
    np.divide(1, room, out=room)
    np.multiply(room, HASTINGS[0], out=out)
    for coefficient in HASTINGS[1:]:
        np.add(out, coefficient, out=out)
        np.multiply(out, room, out=out)
    # The product is the distribution function at -|z|. By symmetry it gives that at z.
    np.multiply(out, density, out=out)
    np.subtract(0.5, out, out=out)
    np.copysign(out, z, out=out)
    np.add(out, 0.5, out=out)


def _portions(z: Floats, out: Floats) -> Iterator[tuple[Floats, ...]]:
    """Yield parts of both arrays, (K, b, H), and two temporary arrays of the same shape."""
    n_members, n_rows, n_units = z.shape
    size = max(1, PORTION // (z.itemsize * n_members * n_units))
    shape = n_members, min(size, n_rows), n_units
    rooms = [np.empty_like(z, shape=shape) for _ in range(2)]
    for start in range(0, n_rows, size):
        part = z[:, start : start + size]
        n = part.shape[1]
        yield part, out[:, start : start + size], *(room[:, :n] for room in rooms)


def _slopes(z: Floats, left: Any, out: Floats) -> None:
    """Write 1 where z > 0, and ``left`` elsewhere: ``left + (1 - left) * mask``."""
    np.greater(z, 0, out=out)
    np.multiply(out, 1 - left, out=out)
    np.add(out, left, out=out)


def _hard_sigmoid(z: Floats, out: Floats) -> None:
    np.multiply(z, 1 / 6, out=out)
    np.add(out, 0.5, out=out)
    np.clip(out, 0, 1, out=out)


def _inside(a: Floats, center: float, radius: float) -> None:
    """Replace ``a`` by 1 where it lies within the radius, by 0 elsewhere."""
    if center:
        np.subtract(a, center, out=a)
    np.abs(a, out=a)
    np.less(a, radius, out=a)


def list_activations() -> list[str]:
    """Return the canonical names of the built-in activations, sorted."""
    return sorted({cls.names[0] for cls in by_name(Activation).values()})


def get_activation(activation: str | Activation) -> Activation:
    """Return an activation from its name, or the activation itself.

    Parameters
    ----------
    activation : str or Activation

    Raises
    ------
    ValueError
        If no activation has that name.
    TypeError
        If `activation` is neither a string nor an Activation.

    Examples
    --------
    >>> from skperceptron.activations import get_activation
    >>> get_activation("leaky_relu")
    LeakyReLU()
    """
    return find(activation, Activation)


__all__ = [
    "Activation",
    "get_activation",
    "list_activations",
    *sorted({cls.__name__ for cls in by_name(Activation).values()}),
]
