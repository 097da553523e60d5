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

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from .arrays import ActivationFunction, Call, Floats, in_range, runs
from .calls import add_to_rows, product, sum_of_rows
from .sparse import SparseBatch

if TYPE_CHECKING:
    from .workspace import Workspace

#: Each member's source of dropout, and its rate.
Noise = list[tuple[np.random.Generator | None, float]]
Input = Floats | SparseBatch


class Block(Protocol):
    """What every block declares."""

    kind: ClassVar[str]
    units: int
    weight_shape: tuple[int, int] | None
    n_other_parameters: int

    def shares_value(self, trains: bool) -> bool:
        """Tell whether the value may lie where that of its only source lies."""

    def members(self, kept: Sequence[int]) -> Block:
        """Return the block of the members with the given positions."""

    @property
    def shape(self) -> Hashable:
        """What the blocks of single networks must agree in to become one block."""

    def joined(self, blocks: Sequence[Any], same: Callable[[Any], Any]) -> Block:
        """Return the block of members that have these blocks, of which this is one.

        ``same`` returns one object for all that are equal.
        """

    def initial_parameters(self) -> Floats:
        """Return where what is learned beside weights starts, (n_other_parameters,)."""

    def forward(self, work: Workspace, node: int) -> Iterator[Call]:
        """List the calls that compute the value of ``node``."""

    def backward(self, work: Workspace, node: int) -> Iterator[Call]:
        """List the calls that propagate the gradient of the value of ``node``."""


class _Uniform:
    """What blocks share that are the same for all members and have a value of their own."""

    n_other_parameters: int
    weight_shape: tuple[int, int] | None = None

    def shares_value(self, trains: bool) -> bool:
        return False

    def members(self, kept: Sequence[int]) -> Self:
        return self

    @property
    def shape(self) -> Hashable:
        return (type(self), *sorted(vars(self).items()))

    def joined(self, blocks: Sequence[Self], same: Callable[[Any], Any]) -> Self:
        return self

    def initial_parameters(self) -> Floats:
        return np.zeros(self.n_other_parameters)


class Affine(_Uniform):
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
        self.weight_shape = (sum(self.fan_in), units)
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
                partial_sum = work.scratch(out)
                yield _product(x, rows, partial_sum)
                yield partial(np.add, out, partial_sum, out)
        yield add_to_rows(bias, out)

    def backward(self, work: Workspace, node: int) -> Iterator[Call]:
        weight, _ = work.parameters_of(node)
        weight_grad, bias_grad = work.gradients_of(node)
        delta = work.gradient_at(node)
        for x, rows in zip(work.inputs_of(node), self._rows(weight_grad), strict=True):
            yield _transposed_product(x, delta, rows)
        yield sum_of_rows(delta, bias_grad, work.like_numpy)
        for source, rows in zip(work.sources_of(node), self._rows(weight), strict=True):
            if work.wants_gradient(source):
                to_input, add_up = work.gradient_slot(source)
                yield product(delta, rows.swapaxes(1, 2), to_input)
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

    def shares_value(self, trains: bool) -> bool:
        return not self.keeps_input

    def members(self, kept: Sequence[int]) -> Activate:
        if len(self.activations) == 1:
            return self
        return Activate([self.activations[k] for k in kept], self.units)

    @property
    def shape(self) -> Hashable:
        return Activate, self.units, self.n_other_parameters

    def joined(self, blocks: Sequence[Activate], same: Callable[[Any], Any]) -> Activate:
        functions = [same(block.activations[0]) for block in blocks]
        one_for_all = all(function is functions[0] for function in functions)
        return Activate(functions[:1] if one_for_all else functions, self.units)

    def initial_parameters(self) -> Floats:
        return self.activations[0].initial_parameters(self.units)

    def _groups(self, members: slice) -> list[tuple[ActivationFunction, slice]]:
        """List each run of neighbouring members that share an activation."""
        if len(self.activations) == 1:
            return [(self.activations[0], slice(None))]
        return list(runs(self.activations[members]))

    def forward(self, work: Workspace, node: int) -> Iterator[Call]:
        (source,) = work.sources_of(node)
        z, a = work.value_of(source), work.value_of(node)
        for activation, k in self._groups(work.members):
            learned = [theta[k] for theta in work.parameters_of(node)]
            if not work.trains:
                yield partial(activation.infer, z[k], a[k], *learned)
            elif work.like_numpy:
                yield partial(activation.reference, z[k], a[k], *learned)
            else:
                yield from activation.forward_calls(z[k], a[k], *learned)

    def backward(self, work: Workspace, node: int) -> Iterator[Call]:
        (source,) = work.sources_of(node)
        z, a = work.value_of(source), work.value_of(node)
        # The gradient is changed where it lies: dL/da becomes dL/dz.
        grad = work.gradient_at(node)
        work.hand_over(grad, source)
        for activation, k in self._groups(work.members):
            thetas = (*work.parameters_of(node), *work.gradients_of(node))
            arrays = (z[k], a[k], grad[k], *(theta[k] for theta in thetas))
            yield from activation.backward_calls(*arrays)


class Add(_Uniform):
    """``f + h``, the shortcut of a residual network (He et al. 2016)."""

    kind: ClassVar[str] = "add"
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


class Dropout:
    """Inverted dropout: in training, units fall silent at random (Srivastava et al. 2014).

    A unit is silent with probability p and counts 1 / (1 - p) times otherwise, so that
    its mean stays what it was; predictions use every unit as it is.

    Parameters
    ----------
    rates : sequence of float
        The probability p, in [0, 1), one per member, or a single one for all.
    units : int
        Width of the value.
    """

    kind: ClassVar[str] = "dropout"
    weight_shape: tuple[int, int] | None = None
    n_other_parameters = 0

    def __init__(self, rates: Sequence[float], units: int) -> None:
        self.rates = tuple(rates)
        self.units = units

    def shares_value(self, trains: bool) -> bool:
        return not trains

    def members(self, kept: Sequence[int]) -> Dropout:
        return self if len(self.rates) == 1 else Dropout([self.rates[k] for k in kept], self.units)

    @property
    def shape(self) -> Hashable:
        return Dropout, self.units

    def joined(self, blocks: Sequence[Dropout], same: Callable[[Any], Any]) -> Dropout:
        return Dropout([block.rates[0] for block in blocks], self.units)

    def initial_parameters(self) -> Floats:
        return np.zeros(0)

    def forward(self, work: Workspace, node: int) -> Iterator[Call]:
        if not work.trains:
            return
        (source,) = work.inputs_of(node)
        value = work.value_of(node)
        if isinstance(source, SparseBatch) or isinstance(value, SparseBatch):
            yield partial(_drop_entries, source, value, self._noise(work))
            return
        mask = self._mask(work, node)
        for (generator, rate), m in zip(self._noise(work), mask, strict=True):
            if generator is not None and rate:
                # A comparison writes 0.0 and 1.0: no array of booleans in between.
                yield partial(generator.random, None, mask.dtype, m)
                yield partial(np.greater_equal, m, mask.dtype.type(rate), m)
                yield partial(np.multiply, m, mask.dtype.type(1 / (1 - rate)), m)
            else:
                m.fill(1)
        yield partial(np.multiply, source, mask, value)

    def backward(self, work: Workspace, node: int) -> Iterator[Call]:
        (source,) = work.sources_of(node)
        if work.wants_gradient(source):
            grad = work.gradient_at(node)
            yield partial(np.multiply, grad, self._mask(work, node), grad)
            work.hand_over(grad, source)

    def _mask(self, work: Workspace, node: int) -> Floats:
        return work.kept(node, *work.value_of(node).shape)

    def _noise(self, work: Workspace) -> Noise:
        n_members = len(work.noise)
        rates = self.rates * n_members if len(self.rates) == 1 else self.rates[work.members]
        return list(zip(work.noise, rates, strict=True))


class _Normalize(_Uniform):
    r"""What both normalisations share: :math:`\gamma \hat z + \beta`, both learned.

    The standardised :math:`\hat z` takes the place of z in the source's buffer.

    Parameters
    ----------
    units : int
        Width of the value (H).
    epsilon : float
        Added to the variance.
    """

    axis: ClassVar[int]
    n_vectors: ClassVar[int] = 2

    def __init__(self, units: int, epsilon: float) -> None:
        self.units = units
        self.epsilon = epsilon
        self.n_other_parameters = self.n_vectors * units

    def initial_parameters(self) -> Floats:
        # gamma and beta; behind them, running means and variances.
        return np.repeat([1.0, 0.0, 0.0, 1.0][: self.n_vectors], self.units)

    def vectors(self, learned: Floats) -> list[Floats]:
        """Split what is learned, (K, 1, n_others), into vectors of shape (K, 1, H)."""
        return np.split(learned, self.n_vectors, axis=2)

    def _standardize(
        self, z: Floats, room: Floats, mean: Floats, variance: Floats
    ) -> Iterator[Call]:
        """Subtract the mean from z and leave the variance in ``variance``."""
        share = z.dtype.type(1 / z.shape[self.axis])
        yield partial(np.add.reduce, z, self.axis, None, mean, True)
        yield partial(np.multiply, mean, share, mean)
        yield partial(np.subtract, z, mean, z)
        yield partial(np.multiply, z, z, room)
        yield partial(np.add.reduce, room, self.axis, None, variance, True)
        yield partial(np.multiply, variance, share, variance)

    def _inverted(self, variance: Floats) -> Iterator[Call]:
        """Turn variances into factors, in place."""
        yield partial(np.add, variance, in_range(self.epsilon, variance.dtype), variance)
        yield partial(np.sqrt, variance, variance)
        yield partial(np.reciprocal, variance, variance)

    def _scaled(self, z: Floats, gamma: Floats, beta: Floats, out: Floats) -> Iterator[Call]:
        yield partial(np.multiply, z, gamma, out)
        yield partial(np.add, out, beta, out)

    def _statistics(self, work: Workspace, node: int) -> tuple[Floats, Floats]:
        """Return room for means and factors, which broadcast over z."""
        shape = list(work.value_of(node).shape)
        shape[self.axis] = 1
        mean, factor = work.kept(node, 2, *shape)
        return mean, factor

    def _gradients_of_vectors(self, work: Workspace, node: int) -> Iterator[Call]:
        """Send the gradient to gamma and beta."""
        (grads,) = work.gradients_of(node)
        of_gamma, of_beta, *of_statistics = self.vectors(grads)
        (z,) = work.inputs_of(node)
        grad, room = work.gradient_at(node), work.scratch(z)
        yield partial(np.multiply, grad, z, room)
        yield partial(np.add.reduce, room, 1, None, of_gamma, True)
        yield partial(np.add.reduce, grad, 1, None, of_beta, True)
        # The optimiser wrote something else there; statistics must stay as they are.
        yield from (partial(vector.fill, 0) for vector in of_statistics)

    def _through_statistics(
        self, grad: Floats, z: Floats, room: Floats, means: Floats
    ) -> Iterator[Call]:
        """Take from the gradient what moves the mean and the variance."""
        share = grad.dtype.type(1 / grad.shape[self.axis])
        yield partial(np.multiply, grad, z, room)
        yield partial(np.add.reduce, room, self.axis, None, means, True)
        yield partial(np.multiply, means, share, means)
        yield partial(np.multiply, z, means, room)
        yield partial(np.add.reduce, grad, self.axis, None, means, True)
        yield partial(np.multiply, means, share, means)
        yield partial(np.subtract, grad, room, grad)
        yield partial(np.subtract, grad, means, grad)


class BatchNormalize(_Normalize):
    """Batch normalisation (Ioffe & Szegedy 2015): each unit over the rows of the batch.

    Rows count by their weights, so that a weight of 2 is the same as a repeated row.

    Predictions use running statistics. These stand behind gamma and beta in the member's
    vector with a gradient of zero, so that whatever keeps, averages or restores
    parameters does so with them.

    Parameters
    ----------
    units : int
        Width of the value (H).
    epsilon : float
        Added to the variance.
    momentum : float
        Share of the newest batch in the running statistics, in (0, 1].
    """

    kind: ClassVar[str] = "batch_normalization"
    mixes_rows: ClassVar[bool] = True
    axis: ClassVar[int] = 1
    n_vectors: ClassVar[int] = 4

    def __init__(self, units: int, epsilon: float, momentum: float) -> None:
        super().__init__(units, epsilon)
        self.momentum = momentum

    def line(self, learned: Floats) -> tuple[Floats, Floats]:
        """Return factor and shift, (K, 1, H), of the line that it is in predictions."""
        gamma, beta, mean, variance = self.vectors(learned)
        factor = gamma / np.sqrt(variance + in_range(self.epsilon, variance.dtype))
        return factor, beta - mean * factor

    def forward(self, work: Workspace, node: int) -> Iterator[Call]:
        (z,), out = work.inputs_of(node), work.value_of(node)
        gamma, beta, running_mean, running_variance = self.vectors(work.parameters_of(node)[0])
        if not work.trains:
            yield from self._scaled(z, *self.line(work.parameters_of(node)[0]), out)
            return
        mean, factor = self._statistics(work, node)
        if work.row_shares is None:
            yield from self._standardize(z, out, mean, factor)
            yield partial(self._follow, running_mean, mean, 1.0, out)
            n_rows = z.shape[1]
            # The unbiased variance; of a single row there is none.
            yield partial(self._follow, running_variance, factor, n_rows / max(1, n_rows - 1), out)
        else:
            yield from self._standardize_weighted(z, out, mean, factor, work.row_shares)
            running = running_mean, running_variance
            yield partial(self._follow_weighted, running, (mean, factor), work.total_weights)
        yield from self._inverted(factor)
        yield partial(np.multiply, z, factor, z)
        yield from self._scaled(z, gamma, beta, out)

    def _standardize_weighted(
        self, z: Floats, room: Floats, mean: Floats, variance: Floats, shares: Floats
    ) -> Iterator[Call]:
        """Do what ``_standardize`` does, with a part of each row, (K, B, 1), in the statistics."""
        yield partial(np.multiply, z, shares, room)
        yield partial(np.add.reduce, room, 1, None, mean, True)
        yield partial(np.subtract, z, mean, z)
        yield partial(np.multiply, z, z, room)
        yield partial(np.multiply, room, shares, room)
        yield partial(np.add.reduce, room, 1, None, variance, True)

    def _follow_weighted(
        self, running: tuple[Floats, Floats], newest: tuple[Floats, Floats], totals: Floats
    ) -> None:
        """Move running statistics towards those of batches of the given weights, (K, 1, 1)."""
        # Nothing follows a batch that does not count. A weight is a number of rows, and of a
        # single one there is no unbiased variance.
        pace = self.momentum * (totals > 0)
        unbiased = np.where(totals > 1, totals / np.maximum(totals - 1, 1e-30), 1)
        for statistic, found, times in zip(running, newest, (1, unbiased), strict=True):
            statistic += pace.astype(found.dtype) * (found * times - statistic)

    def _follow(self, running: Floats, newest: Floats, times: float, room: Floats) -> None:
        """Move a running statistic towards that of the batch; ``room`` is overwritten."""
        step = room[:, :1]
        np.multiply(newest, step.dtype.type(times), out=step)
        np.subtract(step, running, out=step)
        np.multiply(step, step.dtype.type(self.momentum), out=step)
        np.add(running, step, out=running)

    def backward(self, work: Workspace, node: int) -> Iterator[Call]:
        (z,), (source,) = work.inputs_of(node), work.sources_of(node)
        gamma = self.vectors(work.parameters_of(node)[0])[0]
        means, factor = self._statistics(work, node)
        grad, room = work.gradient_at(node), work.scratch(z)
        yield from self._gradients_of_vectors(work, node)
        if work.row_shares is None:
            yield from self._through_statistics(grad, z, room, means)
        else:
            yield from self._through_weighted(grad, z, room, means, work.row_shares)
        yield partial(np.multiply, grad, factor, grad)
        yield partial(np.multiply, grad, gamma, grad)
        work.hand_over(grad, source)

    def _through_weighted(
        self, grad: Floats, z: Floats, room: Floats, sums: Floats, shares: Floats
    ) -> Iterator[Call]:
        """Do what ``_through_statistics`` does, a row moving the statistics by its part."""
        yield partial(np.multiply, grad, z, room)
        yield partial(np.add.reduce, room, 1, None, sums, True)
        yield partial(np.multiply, z, sums, room)
        yield partial(np.add.reduce, grad, 1, None, sums, True)
        yield partial(np.add, room, sums, room)
        yield partial(np.multiply, room, shares, room)
        yield partial(np.subtract, grad, room, grad)


class LayerNormalize(_Normalize):
    """Layer normalisation (Ba, Kiros & Hinton 2016): each row over its units."""

    kind: ClassVar[str] = "layer_normalization"
    axis: ClassVar[int] = 2

    def forward(self, work: Workspace, node: int) -> Iterator[Call]:
        (z,), out = work.inputs_of(node), work.value_of(node)
        gamma, beta = self.vectors(work.parameters_of(node)[0])
        mean, factor = self._statistics(work, node)
        yield from self._standardize(z, out, mean, factor)
        yield from self._inverted(factor)
        yield partial(np.multiply, z, factor, z)
        yield from self._scaled(z, gamma, beta, out)

    def backward(self, work: Workspace, node: int) -> Iterator[Call]:
        (z,), (source,) = work.inputs_of(node), work.sources_of(node)
        gamma = self.vectors(work.parameters_of(node)[0])[0]
        means, factor = self._statistics(work, node)
        grad, room = work.gradient_at(node), work.scratch(z)
        yield from self._gradients_of_vectors(work, node)
        yield partial(np.multiply, grad, gamma, grad)
        yield from self._through_statistics(grad, z, room, means)
        yield partial(np.multiply, grad, factor, grad)
        work.hand_over(grad, source)


def _drop_entries(source: SparseBatch, value: SparseBatch, noise: Noise) -> None:
    """Drop stored entries: the others are zero with and without dropout."""
    for k, (matrix, (generator, rate)) in enumerate(zip(source.matrices, noise, strict=True)):
        if generator is not None and rate:
            keep = generator.random(len(matrix.data), dtype=np.float32) >= rate
            scaled = matrix.data * keep * matrix.dtype.type(1 / (1 - rate))
            matrix = type(matrix)((scaled, matrix.indices, matrix.indptr), shape=matrix.shape)
        value.matrices[k] = matrix


def _product(x: Input, weight: Floats, out: Floats) -> Call:
    if isinstance(x, SparseBatch):
        return partial(x.matmul, weight, out)
    return product(x, weight, out)


def _transposed_product(x: Input, delta: Floats, out: Floats) -> Call:
    if isinstance(x, SparseBatch):
        return partial(x.transposed_matmul, delta, out)
    return product(x.swapaxes(1, 2), delta, out)
