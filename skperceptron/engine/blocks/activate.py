"""``a = f(z)``: activations as a block."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..arrays import ActivationFunction, Arrays, Call, Floats, runs
from ..calls import of_members
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block, LearnedArray


class Activate(Block):
    """``a = f(z)``, unit by unit, of H units.

    There is an activation for each member of the stack, or a single one for all.
    """

    kind: ClassVar[str] = "activation"

    def __init__(self, activations: Sequence[ActivationFunction], units: int) -> None:
        self.activations = tuple(activations)
        self.units = units
        if len({activation.n_parameters(units) for activation in self.activations}) > 1:
            raise ValueError("members of one stack must learn equally many activation parameters.")

    @property
    def learned(self) -> tuple[LearnedArray, ...]:
        n = self.activations[0].n_parameters(self.units)
        return (LearnedArray("other", "activation_parameters_", (n,)),) if n else ()

    def initial_arrays(self, rng: np.random.RandomState) -> list[Floats]:
        return [self.activations[0].initial_parameters(self.units)] if self.learned else []

    # An activation calculates in the arrays z and a: it may overwrite z in the forward pass, and
    # both in the backward pass, which needs the content that the forward pass has left there.

    def shares_value(self, trains: bool) -> bool:
        return not any(activation.keeps_input for activation in self.activations)

    def overwrites_input(self, trains: bool) -> bool:
        return True

    def keeps_value(self, trains: bool) -> bool:
        return trains

    def passes_gradient(self, member: int) -> bool:
        return self.activation_of(member).differentiable

    def activation_of(self, member: int) -> ActivationFunction:
        return self.activations[member if len(self.activations) > 1 else 0]

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        return self.activation_of(0).to_onnx(graph, inputs[0], *(theta[0] for theta in learned))

    def text(self) -> str:
        return " ".join(str(self.activations[0]).split())

    def members(self, positions: Sequence[int]) -> Activate:
        if len(self.activations) == 1:
            return self
        return Activate([self.activations[k] for k in positions], self.units)

    @property
    def shape(self) -> Hashable:
        return Activate, self.units, self.n_parameters

    def joined(self, blocks: Sequence[Activate], unify: Callable[[Any], Any]) -> Activate:
        functions = [unify(block.activations[0]) for block in blocks]
        one_for_all = all(function is functions[0] for function in functions)
        return Activate(functions[:1] if one_for_all else functions, self.units)

    def _groups(self, members: slice) -> list[tuple[ActivationFunction, slice]]:
        """List each run of neighboring members that share an activation."""
        if len(self.activations) == 1:
            return [(self.activations[0], slice(None))]
        return list(runs(self.activations[members]))

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        (z,), a = work.inputs_of(node), work.value_of(node)
        for activation, k in self._groups(work.members):
            learned = [theta[k] for theta in work.parameters_of(node)]
            calls: Sequence[Call]
            if not work.trains:
                calls = [partial(activation.infer, z[k], a[k], *learned)]
            elif work.like_numpy:
                calls = [partial(activation.reference, z[k], a[k], *learned)]
            else:
                calls = activation.forward_calls(z[k], a[k], *learned)
            yield from of_members(calls, k, len(a))

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,), (z,), a = work.sources_of(node), work.inputs_of(node), work.value_of(node)
        # The gradient is changed in place: dL/da becomes dL/dz.
        grad = work.gradient_at(node)
        for activation, k in self._groups(work.members):
            thetas = (*work.parameters_of(node), *work.gradients_of(node))
            arrays = (z[k], a[k], grad[k], *(theta[k] for theta in thetas))
            yield from of_members(activation.backward_calls(*arrays), k, len(a))
        yield from work.send_gradient(grad, source)


def learned_at_first(activation: ActivationFunction, dtype: Any = np.float64) -> Arrays:
    """Return the initial values of what one unit learns, (1, 1, 1), if it learns anything."""
    if not activation.n_parameters(1):
        return ()
    return (activation.initial_parameters(1).astype(dtype).reshape(1, 1, 1),)


def value_and_slopes(
    activation: ActivationFunction, z: Floats, learned: Arrays, filling: float = 0.0
) -> Arrays:
    """Return f(z), f'(z) and the gradient of what is learned; z, (K, B, H), stays as it is.

    ``filling`` is what the arrays of f(z) and of this gradient hold before.
    """
    z = z.copy()
    out = np.full_like(z, filling) if activation.keeps_input else z
    activation.forward(z, out, *learned)
    value, slopes = out.copy(), np.ones_like(out)
    gradients = [np.full_like(array, filling) for array in learned]
    activation.backward(z, out, slopes, *learned, *gradients)
    return value, slopes, *gradients
