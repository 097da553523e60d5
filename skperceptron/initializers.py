"""Initializers: the weights and biases that a layer starts with.

Except for the rules of scikit-learn and PyTorch, nearly all set biases to zero and scale weights by
the *gain* of the activation that follows: the factor that undoes its effect on the size of signals,
:math:`1 / \\sqrt{E f(z)^2}` for standard normal z (He et al. 2015), which is
:math:`\\sqrt 2` for ReLU and 1 for the identity. It is computed for any activation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from .components import Component, Interval, by_name, find, undefined
from .engine.arrays import Floats
from .options import COUNT, Flag, HasMethods, Instance, Listing, Name

__all__ = [
    "Constant",
    "Given",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Initializer",
    "Layer",
    "LeCunNormal",
    "LeCunUniform",
    "NTKNormal",
    "Orthogonal",
    "PyTorch",
    "ScikitLearn",
    "UnitVariance",
    "ZeroOutput",
    "Zeros",
    "gain",
    "get_initializer",
    "list_initializers",
]

#: The weights of all layers, or the biases, as users pass them.
ARRAYS = Listing([HasMethods("an array-like", ("__len__",))], "arrays, one for each layer")


@cache
def _quadrature() -> tuple[Floats, Floats]:
    """Return nodes and weights, enough for functions with kinks, too."""
    return np.polynomial.hermite_e.hermegauss(200)


@dataclass(frozen=True)
class Layer:
    """What an initializer knows about a layer.

    Attributes
    ----------
    fan_in, units : int
        Shape of the weight matrix.
    activation : callable or None
        The activation that follows; None at the output.
    init_factor : float
        ``init_factor`` of the activation; at the output, of the last hidden layer's activation.
    inputs : ndarray or CSR matrix of shape (n, fan_in), float64, or None
        Inputs of the layer for some training rows, computed by the layers before it, which are
        already initialized. None if the initializer needs no rows, or there are none yet.
    """

    fan_in: int
    units: int
    activation: Callable[[Floats], Floats] | None
    init_factor: float
    inputs: Any = None


def gain(activation: Callable[[Floats], Floats] | None) -> float:
    r"""Return :math:`1 / \sqrt{E f(z)^2}` for standard normal z.

    It is 1 without an activation, and if f is zero everywhere or not finite.

    Parameters
    ----------
    activation : Activation, another function of an array, or None

    Examples
    --------
    >>> from skperceptron.activations import ReLU
    >>> round(gain(ReLU()), 2)
    1.41
    """
    if activation is None:
        return 1.0
    nodes, weights = _quadrature()
    values = activation(nodes)
    largest = np.abs(values).max()
    if not 0 < largest < np.inf:
        return 1.0
    # Dividing by a power of two is exact; afterwards no square overflows or vanishes.
    exponent = np.frexp(largest)[1]
    power = (weights * np.ldexp(values, -exponent) ** 2).sum() / weights.sum()
    return float(np.ldexp(1 / np.sqrt(power), -exponent))


def _check_layer(name: str, result: Any, arguments: Sequence[Any]) -> None:
    """Raise ValueError if weights or biases are not finite, or have shapes that may broadcast."""
    layer = arguments[0]
    expected = [(layer.fan_in, layer.units), (layer.units,)]
    found = [np.shape(x) for x in result] if isinstance(result, tuple | list) else np.shape(result)
    if found != expected:
        raise ValueError(
            f"{name} must return weights and biases, of shapes {expected[0]} and {expected[1]}"
            f" here: (layer.fan_in, layer.units) and (layer.units,). Got {found}."
        )
    _check_finite(name, result)


def _check_table(name: str, result: Any, arguments: Sequence[Any]) -> None:
    """Raise ValueError if a table of category vectors has the wrong shape, or is not finite."""
    if np.shape(result) != arguments[0]:
        raise ValueError(
            f"{name} must return an array of shape {arguments[0]}, got {np.shape(result)}."
        )
    _check_finite(name, [result])


def _check_finite(name: str, arrays: Sequence[Any]) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(f"{name} must return finite numbers: it returned NaN or infinity.")


class Initializer(Component):
    """Base of all initializers.

    Attributes
    ----------
    n_rows : int
        Largest number of rows for which it needs the inputs of a layer; 0 if it needs no data.
    coefs_init, intercepts_init : list of array-like or None
        Arrays that replace the drawn ones, in the units of the target.
    """

    shortcuts = {"draw": ("looks_at_inputs",)}
    result_checks = {"draw": _check_layer, "draw_table": _check_table}

    n_rows: int = 0
    coefs_init: Any = None
    intercepts_init: Any = None

    def looks_at_inputs(self, activation: Callable[[Floats], Floats] | None) -> bool:
        """Tell whether it needs the inputs of a layer for some training rows.

        Parameters
        ----------
        activation : callable or None
            The activation that follows; None at the output.
        """
        return self.n_rows > 0

    def draw(self, layer: Layer, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        """Draw one layer.

        Parameters
        ----------
        layer : Layer
        rng : RandomState
            Source of all randomness.

        Returns
        -------
        weight : ndarray of shape (fan_in, units), float64
        bias : ndarray of shape (units,), float64
        """
        raise undefined(self, "draw")

    def draw_table(self, shape: tuple[int, ...], rng: np.random.RandomState) -> Floats:
        """Draw a table of category vectors: uniform numbers, each row with a length of about 0.6.

        Parameters
        ----------
        shape : tuple (levels, width)
        rng : RandomState

        Returns
        -------
        ndarray of shape (levels, width), float64
        """
        return rng.uniform(-1, 1, size=shape) / np.sqrt(shape[1])


class _NormalTables(Initializer):
    """Base of initializers that draw category vectors from the standard normal distribution."""

    def draw_table(self, shape: tuple[int, ...], rng: np.random.RandomState) -> Floats:
        return rng.normal(size=shape)


def _uniform(layer: Layer, bound: float, rng: np.random.RandomState) -> tuple[Floats, Floats]:
    """Draw weights, then biases, between ``-bound`` and ``bound``."""
    weight = rng.uniform(-bound, bound, (layer.fan_in, layer.units))
    return weight, rng.uniform(-bound, bound, layer.units)


class ScikitLearn(Initializer):
    r"""Weights and biases uniform in :math:`\pm\sqrt{f / (\text{fan in} + \text{units})}`.

    Glorot & Bengio (2010), as in scikit-learn: f is 6, and 2 for the sigmoid; weights
    are drawn before biases.
    """

    names = ("scikit-learn",)

    def draw(self, layer: Layer, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        bound = np.sqrt(layer.init_factor / (layer.fan_in + layer.units))
        return _uniform(layer, bound, rng)


class PyTorch(Initializer):
    r"""Weights and biases uniform in :math:`\pm 1 / \sqrt{\text{fan in}}`, as in PyTorch.

    The default for linear layers in Paszke et al. (2019). With any activation, values become
    smaller from layer to layer; the first predictions are small for a target of variance 1.
    """

    names = ("pytorch",)

    def draw(self, layer: Layer, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        bound = 1 / np.sqrt(layer.fan_in)
        return _uniform(layer, bound, rng)


class _Scaled(Initializer):
    """Weights of mean zero and variance ``gain**2 / size``, biases zero."""

    is_uniform: ClassVar[bool]

    def size(self, layer: Layer) -> float:
        """Return the number that the variance is divided by."""
        raise NotImplementedError

    def draw(self, layer: Layer, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        deviation = self.gain(layer) / np.sqrt(self.size(layer))
        shape = layer.fan_in, layer.units
        if self.is_uniform:
            weight = rng.uniform(-1, 1, shape) * np.sqrt(3) * deviation
        else:
            weight = rng.normal(size=shape) * deviation
        return weight, np.zeros(layer.units)

    def gain(self, layer: Layer) -> float:
        """Return the factor on the standard deviation."""
        return gain(layer.activation)


class _Glorot(_Scaled):
    def size(self, layer: Layer) -> float:
        return (layer.fan_in + layer.units) / 2


class _FanIn(_Scaled):
    def size(self, layer: Layer) -> float:
        return layer.fan_in


class GlorotUniform(_Glorot):
    """Uniform, variance ``2 gain**2 / (fan_in + units)`` (Glorot & Bengio 2010)."""

    names = ("glorot_uniform",)
    is_uniform = True


class GlorotNormal(_Glorot):
    """Normal, variance ``2 gain**2 / (fan_in + units)`` (Glorot & Bengio 2010)."""

    names = ("glorot_normal",)
    is_uniform = False


class HeUniform(_FanIn):
    """Uniform, variance ``gain**2 / fan_in`` (He et al. 2015)."""

    names = ("he_uniform",)
    is_uniform = True


class HeNormal(_FanIn):
    """Normal, variance ``gain**2 / fan_in`` (He et al. 2015)."""

    names = ("he_normal",)
    is_uniform = False


class _LeCun(_FanIn):
    def gain(self, layer: Layer) -> float:
        return 1.0


class LeCunUniform(_LeCun):
    """Uniform, variance ``1 / fan_in`` for every activation (LeCun et al. 1998); use with SELU."""

    names = ("lecun_uniform",)
    is_uniform = True


class LeCunNormal(_LeCun):
    """Normal, variance ``1 / fan_in`` for every activation (LeCun et al. 1998); use with SELU."""

    names = ("lecun_normal",)
    is_uniform = False


class Orthogonal(Initializer):
    """A random matrix with orthonormal rows or columns, times the gain (Saxe et al. 2014)."""

    names = ("orthogonal",)

    def draw(self, layer: Layer, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        long, short = max(layer.fan_in, layer.units), min(layer.fan_in, layer.units)
        q, r = np.linalg.qr(rng.normal(size=(long, short)))
        # Without correct signs, some matrices would be drawn more often than others.
        q = q * np.sign(np.diag(r))
        weight = q if layer.fan_in >= layer.units else q.T
        return np.ascontiguousarray(weight) * gain(layer.activation), np.zeros(layer.units)


class UnitVariance(_NormalTables):
    r"""Normal weights, rescaled so that z of each unit has variance 1 on the training data.

    Layers are drawn one after the other, each from the outputs of the layers before it for some
    rows (Krähenbühl et al. 2016, *Data-dependent initializations*; Mishkin & Matas 2016). If z is
    constant, or there is no data, the variance of a weight is 1 / fan_in, and biases are 0.

    The boundary z = 0 of each unit passes through a random point between `points` rows:
    biases are :math:`-\sum_i w_i z_i` with random rows i, and weights w from a flat Dirichlet
    distribution. Holzmüller et al. (2024), *Better by default*, use five points for tables.
    Vectors of categories start as standard normal numbers.

    Parameters
    ----------
    n_rows : int, default=512
        The largest number of random rows that are used, >= 1.
    points : int, default=5
        Number of rows for each bias, >= 0. With 0 biases are zero.
    zero_output : bool, default=True
        Whether the output layer starts at zero, so that the first predictions are constant.
    """

    names = ("unit_variance",)
    ranges = {"n_rows": COUNT, "points": Interval(0, low_closed=True, whole=True)}
    rules = {"zero_output": [Flag()]}

    def __init__(self, n_rows: int = 512, points: int = 5, zero_output: bool = True) -> None:
        self.n_rows = n_rows
        self.points = points
        self.zero_output = zero_output

    def looks_at_inputs(self, activation: Callable[[Floats], Floats] | None) -> bool:
        return activation is not None or not self.zero_output

    def draw(self, layer: Layer, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        weight = rng.normal(size=(layer.fan_in, layer.units)) / np.sqrt(layer.fan_in)
        bias = np.zeros(layer.units)
        if layer.activation is None and self.zero_output:
            return np.zeros_like(weight), bias
        if layer.inputs is None:
            return weight, bias
        with np.errstate(over="ignore", invalid="ignore"):
            z = layer.inputs @ weight
        # A unit whose sums overflow keeps its weights, like a unit whose sums are constant.
        z[:, ~np.isfinite(z).all(axis=0)] = 0
        largest = np.abs(z).max(axis=0)
        # Squares of huge sums would overflow, and those of tiny ones vanish. Scaling by a power of
        # two is exact.
        _, exponent = np.frexp(largest)
        deviation = np.ldexp(np.ldexp(z, -exponent).std(axis=0), exponent)
        # Rounding errors give even a constant column a small deviation.
        varies = deviation > 1e-10 * largest
        factor = np.divide(1, deviation, out=np.ones(layer.units), where=varies)
        if self.points:
            chosen = rng.randint(len(z), size=(self.points, layer.units))
            shares = rng.standard_exponential(size=chosen.shape)
            shares /= shares.sum(axis=0)
            # That of a constant sum would leave nothing but rounding errors to the next layer.
            bias = -(shares * z[chosen, np.arange(layer.units)]).sum(axis=0) * factor * varies
        return weight * factor, bias


class NTKNormal(_NormalTables):
    """Normal weights of variance 1 / fan_in, and normal biases of variance 1.

    With ``parametrization="ntk"``, which trains ``W`` of ``x W / sqrt(fan_in) + b``, both W and b
    start as standard normal numbers (Jacot et al. 2018; Holzmüller et al. 2024, *Better by
    default*, for RealMLP-TD-S). So do vectors of categories.

    Parameters
    ----------
    zero_output : bool, default=True
        Whether the output layer starts at zero, so that the first predictions are constant.
    """

    names = ("ntk_normal",)
    rules = {"zero_output": [Flag()]}

    def __init__(self, zero_output: bool = True) -> None:
        self.zero_output = zero_output

    def draw(self, layer: Layer, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        weight = rng.normal(size=(layer.fan_in, layer.units)) / np.sqrt(layer.fan_in)
        bias = rng.normal(size=layer.units)
        if layer.activation is None and self.zero_output:
            return np.zeros_like(weight), np.zeros_like(bias)
        return weight, bias


class Constant(Initializer):
    """All weights equal, biases zero; hidden units then stay equal throughout training.

    Parameters
    ----------
    value : float, default=0.0
    """

    names = ("constant",)
    ranges = {"value": Interval()}

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def draw(self, layer: Layer, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        return np.full((layer.fan_in, layer.units), float(self.value)), np.zeros(layer.units)


class Zeros(Constant):
    """All weights and biases zero; for networks without hidden layers."""

    names = ("zeros",)

    def __init__(self) -> None:
        super().__init__(0.0)


class _Otherwise(Initializer):
    """Base of initializers that draw with another initializer, ``otherwise``."""

    otherwise: str | Initializer

    @property
    def n_rows(self) -> int:  # type: ignore[override]
        """``n_rows`` of the other initializer."""
        return get_initializer(self.otherwise).n_rows

    def check_parameters(self) -> None:
        super().check_parameters()
        # The valid names are known only when all classes are defined.
        wanted = [Name(list_initializers()), Instance(Initializer)]
        self._check_parameter("otherwise", wanted)
        get_initializer(self.otherwise).check_parameters()

    def draw(self, layer: Layer, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        return get_initializer(self.otherwise).draw(layer, rng)

    def draw_table(self, shape: tuple[int, ...], rng: np.random.RandomState) -> Floats:
        return get_initializer(self.otherwise).draw_table(shape, rng)


class ZeroOutput(_Otherwise):
    """Zeros for the output layer, another rule for hidden layers: first predictions are constant.

    Zhang, Dauphin & Ma (2019), *Fixup initialization*, use such an output layer.

    Parameters
    ----------
    otherwise : str or Initializer, default="he_normal"
        Draws the hidden layers.
    """

    names = ("zero_output",)

    def __init__(self, otherwise: str | Initializer = "he_normal") -> None:
        self.otherwise = otherwise

    def draw(self, layer: Layer, rng: np.random.RandomState) -> tuple[Floats, Floats]:
        weight, bias = super().draw(layer, rng)
        if layer.activation is None:
            return np.zeros_like(weight), np.zeros_like(bias)
        return weight, bias


class Given(_Otherwise):
    """Arrays of your own: weights of an earlier fit, or of another library.

    The same as ``coefs_init`` and ``intercepts_init`` of ``fit``, but as a parameter: for
    ``partial_fit``, and for searches over starting points.

    Parameters
    ----------
    coefs_init, intercepts_init : list of array-like, default=None
        Weights and biases, shaped like ``coefs_`` and ``intercepts_`` and, in a regression, in the
        units of y. If None, they are drawn.
    otherwise : str or Initializer, default="scikit-learn"
        Draws what is not given. Random numbers are also drawn for given arrays, so that all later
        random numbers stay the same.
    """

    rules = {"coefs_init": [ARRAYS, None], "intercepts_init": [ARRAYS, None]}

    def __init__(
        self,
        coefs_init: Any = None,
        intercepts_init: Any = None,
        otherwise: str | Initializer = "scikit-learn",
    ) -> None:
        self.coefs_init = coefs_init
        self.intercepts_init = intercepts_init
        self.otherwise = otherwise


def list_initializers() -> list[str]:
    """Return the names of the built-in initializers, sorted.

    Examples
    --------
    >>> from skperceptron.initializers import list_initializers
    >>> "he_normal" in list_initializers()
    True
    """
    return sorted(by_name(Initializer))


def get_initializer(initializer: str | Initializer) -> Initializer:
    """Return an initializer from its name, or the initializer itself.

    Parameters
    ----------
    initializer : str or Initializer

    Raises
    ------
    ValueError
        If no initializer has that name.
    TypeError
        If `initializer` is neither a string nor an Initializer.
    """
    return find(initializer, Initializer)
