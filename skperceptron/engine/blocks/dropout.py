"""Dropout: units are set to zero at random while a network is trained."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..arrays import Arrays, Call, Floats
from ..calls import of_members
from ..inputs import Noise
from ..operators import OperatorGraph, Value, Values
from .base import Bench, Block, Line


class Dropout(Block):
    """Inverted dropout: in training, units are zeroed at random (Srivastava et al. 2014).

    A unit is set to zero with probability p and multiplied by 1 / (1 - p) otherwise, so that
    its mean stays the same; predictions use every unit unchanged.

    Parameters
    ----------
    rates : sequence of float
        The probability p, in [0, 1), one per member, or a single one for all.
    units : int
        Width of the value (H).
    """

    kind: ClassVar[str] = "dropout"
    accepts = frozenset({"dense", "borrowed", "sparse"})
    keeps_kind = True
    is_noise = True

    def __init__(self, rates: Sequence[float], units: int) -> None:
        self.rates = tuple(rates)
        self.units = units

    def shares_value(self, trains: bool) -> bool:
        return not trains

    def line(self, inputs: Sequence[Line], learned: Arrays) -> Line:
        return inputs[0]

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        return inputs[0]

    def text(self) -> str:
        return f"rate={self.rates[0]:g}"

    def members(self, positions: Sequence[int]) -> Dropout:
        if len(self.rates) == 1:
            return self
        return Dropout([self.rates[k] for k in positions], self.units)

    @property
    def shape(self) -> Hashable:
        return Dropout, self.units

    def joined(self, blocks: Sequence[Dropout], unify: Callable[[Any], Any]) -> Dropout:
        return Dropout([block.rates[0] for block in blocks], self.units)

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        if not work.trains:
            return
        (source,), noise, shares = work.operands_of(node), self._noise(work), work.noise_shares
        if source.kind == "sparse":
            yield partial(_drop_entries, source, noise, shares, work.holder_of(node))
            return
        mask = self._mask(work, node)
        rates = np.array([rate for _, rate in noise], dtype=np.float64)
        # What is compared with each member's numbers, and the factor of the units that stay.
        limits, factors = rates.astype(mask.dtype), (1 / (1 - rates)).astype(mask.dtype)
        if shares is not None and rates.any():
            yield from _of_step(rates, shares, limits, factors)
        for k, (generator, rate) in enumerate(noise):
            m = mask[k : k + 1]
            limit, factor = limits[k : k + 1].reshape(()), factors[k : k + 1].reshape(())
            if generator is not None and rate:
                # A comparison writes 0.0 and 1.0: no array of booleans in between.
                calls: list[Call] = [
                    partial(generator.random, None, mask.dtype, m),
                    partial(np.greater_equal, m, limit, m),
                    partial(np.multiply, m, factor, m),
                ]
                yield from of_members(calls, slice(k, k + 1), len(mask))
            else:
                m.fill(1)
        yield partial(np.multiply, source.array, mask, work.value_of(node))

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        (source,) = work.sources_of(node)
        if not work.wants_gradient(source):
            return
        grad = work.gradient_at(node)
        if work.operands_of(node)[0].kind != "sparse":
            yield partial(np.multiply, grad, self._mask(work, node), grad)
        elif any(generator is not None and rate for generator, rate in self._noise(work)):
            raise ValueError("dropout of a sparse value must come before all that learns.")
        yield from work.send_gradient(grad, source)

    def _mask(self, work: Bench, node: int) -> Floats:
        return work.own_array(node, *work.value_of(node).shape)

    def _noise(self, work: Bench) -> Noise:
        n_members = len(work.noise)
        rates = self.rates * n_members if len(self.rates) == 1 else self.rates[work.members]
        return list(zip(work.noise, rates, strict=True))


def _of_step(rates: Floats, shares: Floats, limits: Floats, factors: Floats) -> Iterator[Call]:
    """List the calls that write p = rate * share and 1 / (1 - p) of each member, (K,)."""
    p, room = np.empty_like(rates), np.empty_like(rates)
    yield partial(np.multiply, shares, rates, p)
    yield partial(np.copyto, limits, p)
    yield partial(np.subtract, 1.0, p, room)
    yield partial(np.divide, 1.0, room, room)
    yield partial(np.copyto, factors, room)


def _drop_entries(source: Any, noise: Noise, shares: Floats | None, out: Any) -> None:
    """Drop entries of a sparse batch at the rates of the current step."""
    if shares is not None:
        noise = [
            (generator, rate * share)
            for (generator, rate), share in zip(noise, shares.tolist(), strict=True)
        ]
    source.drop_entries(noise, out)
