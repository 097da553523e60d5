"""The client's side: stacks whose steps, or epochs, are computed by the shares of a cluster.

The usual loop of epochs trains them like any other stack: it monitors the loss, stops, validates
and reports.
"""

from __future__ import annotations

import numpy as np

from ..engine import Network
from ..engine.arrays import Floats
from ..training import Member, Stack
from ..training.compiled_steps import Ahead
from ..training.data import RemoteRows
from ..training.step import BoundStep
from ._cluster import Cluster


class _StackOnCluster(Stack):
    """Base of both stacks of a single member."""

    reads_members = True

    def __init__(
        self,
        network: Network,
        member: Member,
        data: RemoteRows,
        batch_size: int,
        dtype: np.dtype,
        cluster: Cluster,
    ) -> None:
        self._cluster = cluster
        super().__init__(network, [member], data, batch_size, dtype)


class SummedStack(_StackOnCluster):
    """Each step sums the gradients of all shares: without dropout, the fit of one machine."""

    def _take_steps(self) -> Floats:
        total, i = 0.0, 0
        for window, steps in zip(self._plan.windows, self.steps, strict=True):
            for batch, step in zip(window.batches, steps, strict=True):
                first = window.start + batch.start
                loss = self._take_step(i, slice(first, first + batch.size), step.bound)
                total += batch.size * loss
                i += 1
        return np.array([total])

    def _take_step(self, i: int, places: slice, bound: BoundStep) -> float:
        """Take step ``i`` of the epoch with the rows at these places; return their mean loss."""
        (member,) = self.members
        in_batch, noise = self._weights.in_batch, self.scalars.noise_shares
        gradient, loss = self._cluster.gradient(
            self.vectors.parameters[0],
            self.order[0, places],
            1 / (places.stop - places.start) if in_batch is None else in_batch[0, places],
            (member.n_iter, i),
            None if noise is None else float(noise[i, 0]),
        )
        self.vectors.gradient[0] = gradient
        bound.update(i)
        return loss


class AveragedStack(_StackOnCluster):
    """In each epoch, all shares train copies of the same network, which are then averaged.

    See McMahan et al. (2017), and Stich (2019). The state of the optimizer is averaged, too.
    """

    def _bind(self, ahead: Ahead) -> None:
        # There are no steps here.
        self._bound_members = self.members
        self.order = np.asarray(self.members[0].rows[np.newaxis], dtype=np.intp)
        self._order_of = [0]
        self._validation = None

    def run_epoch(self) -> Floats:
        (member,) = self.members
        arrays = {"parameters": self.vectors.parameters[0]}
        arrays |= {name: vectors[0] for name, vectors in self.vectors.state.items()}
        if self.vectors.average is not None:
            arrays["average"] = self.vectors.average[0]
        rows_seen = member.progress.rows_seen
        mean, loss, largest = self._cluster.round(
            arrays, member.current_rate, member.n_iter, rows_seen
        )
        for name, array in arrays.items():
            array[:] = mean[name]
        member.current_rate = largest.rate
        member.steps += largest.steps
        return np.array([loss])
