r"""Two linear layers are one: :math:`W_2 (W_1 x + b_1) + b_2 = \tilde W x + \tilde b`.

Every value of a network is written as a sum of matrices times *bases*: the input, and the
outputs of the activations that remain. An activation whose units stay on one linear piece
each is only a factor and a shift, and is removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from ..activations import (
    Activation,
    HardSigmoid,
    HardSwish,
    HardTanh,
    Heaviside,
    Identity,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
)
from ..engine.arrays import Booleans, Floats
from ..engine.blocks.base import Line
from ..engine.network import INPUT, Node
from ..estimators.fitted import FittedNetwork, fitted_network
from ..estimators.for_inspection import with_network
from ..perceptron.estimator import RosenblattPerceptron
from ._evaluate import evaluate
from ._networks import Estimator, check_estimator_type

#: Lower end, upper end, slope and offset of a linear piece of an activation.
Piece = tuple[float, float, Any, Any]
INF = np.inf


def collapse_linear(estimator: Estimator, X: Any = None) -> Estimator:
    r"""Return an equivalent estimator in which every run of linear layers is one.

    Two linear layers in a row compute
    :math:`W_2 (W_1 x + b_1) + b_2 = \tilde W x + \tilde b`: without activations, depth
    adds nothing.

    Parameters
    ----------
    estimator : estimator of this package
        Fitted.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        Without data, identity activations are removed; batch normalization, which is linear in
        predictions, is merged with its layer, and learned factors of the features with the
        weights that follow. With data, layers are also removed if each unit stays on one linear
        piece of its activation (ReLU, LeakyReLU, PReLU, ReLU6, Heaviside, and the hard
        variants) on all rows; predictions are then guaranteed to agree on these rows only.

    Returns
    -------
    estimator : estimator of the same class
        A new one, fitted: `hidden_layer_sizes`, `activation`, `skip_connections`,
        `normalization`, `feature_scale`, `parametric_activation` and `dropout` describe what is
        left. Skip connections that a layer still needs become ``skip_connections="dense"``, with
        zeros in ``coefs_`` for missing connections. The optimizer's state is dropped. Of a
        RosenblattPerceptron, a copy is returned: a threshold stands between its linear maps.

    Raises
    ------
    TypeError
        If the estimator is not one of this package's.
    NotFittedError
        If it is not fitted.
    ValueError
        If a block in it, such as layer normalization, is not linear in any part and cannot
        be carried over.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.inspection import collapse_linear
    >>> X, y = load_iris(return_X_y=True)
    >>> deep = MLPSoftmaxClassifier((8, 8), "identity", solver="lbfgs", random_state=0).fit(X, y)
    >>> single = collapse_linear(deep)
    >>> single.hidden_layer_sizes, single.coefs_[0].shape
    ((), (4, 3))
    >>> bool(np.allclose(deep.predict_proba(X), single.predict_proba(X)))
    True
    """
    check_estimator_type(estimator)
    fitted = fitted_network(estimator)
    if isinstance(estimator, RosenblattPerceptron):
        return deepcopy(estimator)
    values = None if X is None else evaluate(estimator, X).values
    return _Collapse(fitted, values).applied_to(estimator)


class _Collapse:
    """Writes the values of a network as layers over bases.

    Attributes
    ----------
    layers : list of Line
        The inputs of each activation that remains.
    bases : list of int
        Positions of these activations among the nodes: later lines are sums over them.
    output : Line
    """

    def __init__(self, fitted: FittedNetwork, values: Sequence[Floats] | None) -> None:
        self._values = values
        self._network, self._learned = fitted.network, fitted.views(np.float64)
        self.layers: list[Line] = []
        self.bases: list[int] = []
        n_inputs = self._network.n_inputs
        lines = {INPUT: Line({INPUT: np.eye(n_inputs)}, np.zeros(n_inputs))}
        for position, node in enumerate(self._network.nodes):
            lines[position] = self._line(position, node, [lines[s] for s in node.sources])
        self.output = lines[len(self._network.nodes) - 1]

    def _line(self, position: int, node: Node, inputs: Sequence[Line]) -> Line:
        block, learned = node.block, self._learned[position]
        line = block.line(inputs, learned)
        if line is not None:
            return line
        activation = block.activation_of(0)
        if activation is None:
            raise ValueError(
                f"collapse_linear cannot carry over the block {node.name!r} of kind {block.kind!r}."
            )
        z = None if self._values is None else self._values[node.sources[0]]
        slopes = learned[0][0, 0] if learned else None
        found = line_of(activation, slopes, z, block.units)
        if found is not None:
            return inputs[0].scaled(*found)
        self.layers.append(inputs[0])
        self.bases.append(position)
        return Line({position: np.eye(block.units)}, np.zeros(block.units))

    def applied_to(self, estimator: Any) -> Any:
        """Return a copy of the estimator with the remaining network."""
        bases = [INPUT, *self.bases]
        lines = [*self.layers, self.output]
        is_chain = all(
            set(line.matrices) <= {base} for line, base in zip(lines, bases, strict=True)
        )
        blocks = [self._network.nodes[position].block for position in self.bases]
        parameters = dict(
            hidden_layer_sizes=tuple(block.units for block in blocks),
            activation=[block.activation_of(0) for block in blocks] or "identity",
            skip_connections="none" if is_chain else "dense",
            normalization=None,
            feature_scale=False,
            parametric_activation=False,
            dropout=0.0,
            input_dropout=0.0,
        )
        inner, outer = estimator.coefs_[0].dtype, estimator.coefs_[-1].dtype
        coefs, intercepts = [], []
        for i, line in enumerate(lines):
            sources = bases[i : i + 1] if is_chain else bases[: i + 1]
            dtype = outer if line is self.output else inner
            rows = [self._matrix(line, base) for base in sources]
            coefs.append(np.concatenate(rows).astype(dtype))
            intercepts.append(line.shift.astype(dtype))
        slopes = [self._learned[p][0][0, 0].astype(inner) for p in self.bases if self._learned[p]]
        learned = {"coefs_": coefs, "intercepts_": intercepts, "activation_parameters_": slopes}
        return with_network(estimator, parameters, learned)

    def _matrix(self, line: Line, base: int) -> Floats:
        if base in line.matrices:
            return line.matrices[base]
        return np.zeros((self._network.width(base), len(line.shift)))


def line_of(
    activation: Any, slopes: Floats | None, z: Floats | None, units: int
) -> tuple[Floats, Floats] | None:
    """Return factor and shift of each unit if an activation is linear on its inputs, else None.

    The activation may have learned slopes, (units,). Its inputs z are (B, units); None stands for
    all numbers.
    """
    factor, shift = np.zeros(units), np.zeros(units)
    undecided: Booleans = np.ones(units, dtype=bool)
    low, high = (-INF, INF) if z is None else (z.min(axis=0), z.max(axis=0))
    for start, stop, slope, offset in _pieces(activation, slopes):
        inside = undecided & (start <= low) & (high <= stop)
        factor = np.where(inside, slope, factor)
        shift = np.where(inside, offset, shift)
        undecided &= ~inside
    return None if undecided.any() else (factor, shift)


def _pieces(activation: Activation, slopes: Any) -> list[Piece]:
    """List the known linear pieces of an activation; none for a subclass, which may differ."""
    below_zero = np.nextafter(0.0, -1.0)
    alpha = getattr(activation, "alpha", None)
    known: dict[type[Activation], list[Piece]] = {
        Identity: [(-INF, INF, 1, 0)],
        ReLU: [(-INF, 0, 0, 0), (0, INF, 1, 0)],
        LeakyReLU: [(-INF, 0, alpha, 0), (0, INF, 1, 0)],
        PReLU: [(-INF, 0, slopes, 0), (0, INF, 1, 0)],
        ReLU6: [(-INF, 0, 0, 0), (0, 6, 1, 0), (6, INF, 0, 6)],
        HardTanh: [(-INF, -1, 0, -1), (-1, 1, 1, 0), (1, INF, 0, 1)],
        HardSigmoid: [(-INF, -3, 0, 0), (-3, 3, 1 / 6, 0.5), (3, INF, 0, 1)],
        HardSwish: [(-INF, -3, 0, 0), (3, INF, 1, 0)],
        Heaviside: [(-INF, below_zero, 0, 0), (0, INF, 0, 1)],
    }
    return known.get(type(activation), [])
