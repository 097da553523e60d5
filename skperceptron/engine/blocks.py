"""The computing blocks that a network is wired from.

A block is a description: which shapes it holds, and which array calls it
contributes to a step. It owns no buffer; a :class:`~skperceptron.engine.Workspace`
does, and asks each block once for its calls. ``forward`` lists the calls that
compute the block's value, ``backward`` those that send ``dL/d(value)`` back to
the block's parameters and inputs.

Values are (K, B, units). Weights are (K, fan_in, H); everything else that a block
learns (biases, slopes) is (K, 1, H), ready to broadcast over the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from .arrays import ActivationFunction, Call, Floats, runs
from .sparse import SparseBatch

if TYPE_CHECKING:
    from .workspace import Workspace

Input = Floats | SparseBatch


class Block(Protocol):
    """What every block declares."""

    kind: ClassVar[str]
    units: int
    weight_shape: tuple[int, int] | None
    n_other_parameters: int

    def forward(self, work: Workspace, node: int) -> Iterator[Call]:
        """List the calls that compute the value of ``node``."""

    def backward(self, work: Workspace, node: int) -> Iterator[Call]:
        """List the calls that propagate the gradient of the value of ``node``."""


class Affine:
    """``z = x W + b``, where x is one or several earlier values side by side.

    Several inputs are multiplied with their own rows of W one after another, so that
    no concatenated copy is made and a sparse input stays sparse.

    Parameters
    ----------
    fan_in : sequence of int
        Width of each input.
    units : int
        Width of the value.
    """

    kind: ClassVar[str] = "affine"

    def __init__(self, fan_in: Sequence[int], units: int) -> None:
        self.fan_in = tuple(fan_in)
        self.units = units
        self.weight_shape: tuple[int, int] | None = (sum(self.fan_in), units)
        self.n_other_parameters = units

    def _rows(self, weight: Floats) -> list[Floats]:
        """Split W into the rows that belong to each input."""
        edges = np.cumsum((0, *self.fan_in)).tolist()
        return [weight[:, start:stop] for start, stop in pairwise(edges)]

    def forward(self, work: Workspace, node: int) -> Iterator[Call]:
        weight, bias = work.parameters_of(node)
        out = work.value_of(node)
        for i, (x, rows) in enumerate(zip(work.inputs_of(node), self._rows(weight), strict=True)):
            if i == 0:
                yield _product(x, rows, out)
            else:
                partial_sum = work.scratch(self.units)
                yield _product(x, rows, partial_sum)
                yield partial(np.add, out, partial_sum, out)
        yield partial(np.add, out, bias, out)

    def backward(self, work: Workspace, node: int) -> Iterator[Call]:
        weight, _ = work.parameters_of(node)
        weight_grad, bias_grad = work.gradients_of(node)
        delta = work.gradient_at(node)
        for x, rows in zip(work.inputs_of(node), self._rows(weight_grad), strict=True):
            yield _transposed_product(x, delta, rows)
        yield _sum_of_rows(delta, bias_grad)
        for source, rows in zip(work.sources_of(node), self._rows(weight), strict=True):
            if work.wants_gradient(source):
                to_input, add_up = work.gradient_slot(source)
                yield _matmul(delta, rows.swapaxes(1, 2), to_input)
                yield from add_up


class Activate:
    """``a = f(z)``, unit by unit; each member of the stack may have its own f.

    Parameters
    ----------
    activations : sequence of ActivationFunction
        One per member, or a single one for all.
    units : int
        Width of the value.
    """

    kind: ClassVar[str] = "activation"
    weight_shape: tuple[int, int] | None = None

    def __init__(self, activations: Sequence[ActivationFunction], units: int) -> None:
        self.activations = tuple(activations)
        self.units = units
        sizes = {activation.n_parameters(units) for activation in self.activations}
        if len(sizes) > 1:
            raise ValueError("members of one stack must learn equally many activation parameters.")
        self.n_other_parameters = sizes.pop()

    @property
    def keeps_input(self) -> bool:
        """Whether z must survive beside a."""
        return any(activation.keeps_input for activation in self.activations)

    def passes_gradient(self, member: int) -> bool:
        """Tell whether a member's activation has a derivative."""
        return self.activations[member if len(self.activations) > 1 else 0].differentiable

    def members(self, kept: Sequence[int]) -> Activate:
        """Return the block of the members with the given positions."""
        if len(self.activations) == 1:
            return self
        return Activate([self.activations[k] for k in kept], self.units)

    def _groups(self, members: slice) -> list[tuple[ActivationFunction, slice]]:
        """List each run of neighbouring members that share an activation."""
        if len(self.activations) == 1:
            return [(self.activations[0], slice(None))]
        return list(runs(self.activations[members]))

    def forward(self, work: Workspace, node: int) -> Iterator[Call]:
        (source,) = work.sources_of(node)
        z, a = work.value_of(source), work.value_of(node)
        for activation, k in self._groups(work.members):
            apply = activation.forward if work.trains else activation.infer
            learned = [theta[k] for theta in work.parameters_of(node)]
            yield partial(apply, z[k], a[k], *learned)

    def backward(self, work: Workspace, node: int) -> Iterator[Call]:
        (source,) = work.sources_of(node)
        z, a = work.value_of(source), work.value_of(node)
        # The gradient is changed where it lies: dL/da becomes dL/dz.
        grad = work.gradient_at(node)
        work.hand_over(grad, source)
        for activation, k in self._groups(work.members):
            thetas = (*work.parameters_of(node), *work.gradients_of(node))
            yield partial(activation.backward, z[k], a[k], grad[k], *(t[k] for t in thetas))


class Add:
    """``f + h``, the shortcut of a residual network (He et al. 2016)."""

    kind: ClassVar[str] = "add"
    weight_shape: tuple[int, int] | None = None
    n_other_parameters = 0

    def __init__(self, units: int) -> None:
        self.units = units

    def forward(self, work: Workspace, node: int) -> Iterator[Call]:
        f, h = work.inputs_of(node)
        yield partial(np.add, f, h, work.value_of(node))

    def backward(self, work: Workspace, node: int) -> Iterator[Call]:
        transformed, shortcut = work.sources_of(node)
        grad = work.gradient_at(node)
        to_shortcut, add_up = work.gradient_slot(shortcut)
        yield partial(np.copyto, to_shortcut, grad)
        yield from add_up
        work.hand_over(grad, transformed)


def _product(x: Input, weight: Floats, out: Floats) -> Call:
    if isinstance(x, SparseBatch):
        return partial(x.matmul, weight, out)
    return _matmul(x, weight, out)


def _sum_of_rows(delta: Floats, out: Floats) -> Call:
    if delta.dtype == np.float64:
        # The order of adding that gives scikit-learn's bits.
        return partial(np.add.reduce, delta, 1, None, out, True)
    # A product takes a third of the time.
    return _matmul(np.ones((len(delta), 1, delta.shape[1]), delta.dtype), delta, out)


def _transposed_product(x: Input, delta: Floats, out: Floats) -> Call:
    if isinstance(x, SparseBatch):
        return partial(x.transposed_matmul, delta, out)
    return _matmul(x.swapaxes(1, 2), delta, out)


def _matmul(a: Floats, b: Floats, out: Floats) -> Call:
    if len(out) == 1:
        # The same BLAS routine; np.dot gets there a microsecond earlier, half of a small product.
        return partial(np.dot, a[0], b[0], out[0])
    return partial(np.matmul, a, b, out)
