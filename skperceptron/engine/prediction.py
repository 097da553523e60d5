"""Raw predictions of one network for any number of rows, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import numpy as np
from scipy import sparse

from .arrays import Floats, Integers
from .blocks import BatchNormalize
from .mapped import SCATTERED, pages_of
from .network import Learned, Network, Node, first_weight
from .sparse import BorrowedRows, SparseBatch
from .workspace import Workspace

#: Elements of the widest layer that are computed at a time, 1 MB in float64: a network of
#: 64-100-10 units took 62, 58, 59 and 83 ms for 100,000 rows with 2^16, 2^17, 2^18 and 2^20.
BLOCK = 2**17


def predict_raw(
    network: Network,
    parameters: Learned,
    X: Floats | sparse.csr_array,
    rows: Integers | None = None,
) -> Floats:
    """Compute raw predictions block by block.

    Parameters
    ----------
    network : Network
        Of a single member.
    parameters : list of tuples of ndarray
        Listed as ``network.views`` does, with a member axis of length 1. Their dtype is
        that of the arithmetic and of the result.
    X : ndarray or CSR matrix of shape (N, D)
    rows : ndarray of int, default=None
        The rows to predict; all, if None.

    Returns
    -------
    raw : ndarray of shape (n_rows, C)
    """
    return Predictor(network, parameters, first_weight(parameters).dtype)(X, rows)


class Predictor:
    """A network bound to what it has learned, with the buffers that it has used last.

    One row costs less than buffers and calls to predict it with: a predictor that is kept
    makes them once. It serves one thread at a time.

    Parameters
    ----------
    network : Network
        Of a single member.
    learned : list of tuples of ndarray
        Listed as ``network.views`` does, with a member axis of length 1.
    dtype : dtype
        Of the arithmetic and of the result.
    """

    def __init__(self, network: Network, learned: Learned, dtype: np.dtype) -> None:
        self._dtype = dtype
        # What float32 has no room for becomes infinite, and so does what is predicted with it.
        with np.errstate(over="ignore"):
            converted = [tuple(array.astype(dtype, copy=False) for array in of) for of in learned]
        #: Copies in another dtype, and what they are copies of.
        self._copies = [
            (copy, array)
            for of_node in zip(converted, learned, strict=True)
            for copy, array in zip(*of_node, strict=True)
            if copy is not array
        ]
        self._network, self._parameters = fold_batch_normalization(network, converted)
        self._is_folded = self._network is not network
        self._work: Workspace | None = None
        self._shape: tuple[int, type[SparseBatch] | None] = (0, None)

    @property
    def lasts(self) -> bool:
        """Whether ``refresh`` finds all changes."""
        return not self._is_folded

    def refresh(self) -> None:
        """Look for changes inside the arrays that were given."""
        with np.errstate(over="ignore"):
            for copy, array in self._copies:
                np.copyto(copy, array)

    def __call__(self, X: Floats | sparse.csr_array, rows: Integers | None = None) -> Floats:
        """Return raw predictions, (n_rows, C), of all rows of X or of those at ``rows``.

        Of rows whose sums overflow they are infinite or NaN; NumPy does not warn of it.
        """
        n_rows = X.shape[0] if rows is None else len(rows)
        kind = self._kind_of_input(X, rows)
        pages = pages_of(X)
        size = max(1, min(n_rows, BLOCK // self._network.widest(kind is not None)))
        if pages is not None and rows is not None:
            size = min(size, SCATTERED)
        raw = np.empty((n_rows, self._network.n_outputs), dtype=self._dtype)
        for start in range(0, n_rows, size):
            block = slice(start, min(start + size, n_rows))
            work = self._workspace(block.stop - start, kind)
            chosen = X[block if rows is None else rows[block]]
            # Overflow is either meant, as in a sigmoid, or found in what is returned.
            with np.errstate(over="ignore", invalid="ignore"):
                if isinstance(work.x, SparseBatch):
                    work.x.matrices = [chosen.astype(self._dtype, copy=False)]
                else:
                    work.x[0] = chosen
                work.forward()
            raw[block] = work.raw[0]
            if pages is not None:
                pages.let_go()
        return raw

    def _kind_of_input(
        self, X: Floats | sparse.csr_array, rows: Integers | None
    ) -> type[SparseBatch] | None:
        """Return what holds the input; nothing, if it is to be copied."""
        if sparse.issparse(X):
            return SparseBatch
        return BorrowedRows if rows is None and X.dtype == self._dtype else None

    def _workspace(self, n_rows: int, kind: type[SparseBatch] | None) -> Workspace:
        if self._work is None or self._shape != (n_rows, kind):
            x = None if kind is None else kind(1)
            self._work = Workspace(self._network, self._parameters, n_rows, x=x)
            self._shape = (n_rows, kind)
        return self._work


class Predictors:
    """Predictors of one model at rest, one for each dtype.

    A predictor leaves while it works, so that threads can share a model. Copies and pickles
    of the model start without any.
    """

    def __init__(self) -> None:
        self._resting: dict[np.dtype, tuple[Sequence[Any], Predictor]] = {}

    def __reduce__(self) -> tuple[type[Predictors], tuple[()]]:
        return Predictors, ()

    def lend(
        self, dtype: np.dtype, parts: Sequence[Any], make: Callable[[], Predictor]
    ) -> Predictor:
        """Return the predictor that was made of the same objects, or a new one.

        Parameters
        ----------
        dtype : dtype
            Of the arithmetic.
        parts : sequence
            The network and the arrays that it has learned.
        make : callable
            Makes a predictor of them.
        """
        known, predictor = self._resting.pop(dtype, ((), None))
        if predictor is None or len(known) != len(parts) or not all(map(is_, known, parts)):
            return make()
        predictor.refresh()
        return predictor

    def take_back(self, dtype: np.dtype, parts: Sequence[Any], predictor: Predictor) -> None:
        """Keep a predictor for the next call, if it can go on."""
        if predictor.lasts:
            self._resting[dtype] = parts, predictor


def fold_batch_normalization(network: Network, parameters: Learned) -> tuple[Network, Learned]:
    """Merge running statistics into the weights before them: predictions then cost nothing more.

    Parameters
    ----------
    network : Network
    parameters : list of tuples of ndarray
        As in :func:`predict_raw`; left as they are.

    Returns
    -------
    network : Network
        Without batch normalisation.
    parameters : list of tuples of ndarray
        Those of the returned network.
    """
    if not any(isinstance(node.block, BatchNormalize) for node in network.nodes):
        return network, parameters
    nodes: list[Node] = []
    learned: Learned = []
    # Where the value of each old node is found now.
    place = {-1: -1}
    for position, (node, arrays) in enumerate(zip(network.nodes, parameters, strict=True)):
        if isinstance(node.block, BatchNormalize):
            place[position] = place[node.sources[0]]
            weight, bias = learned[-1]
            factor, shift = node.block.line(arrays[0])
            learned[-1] = weight * factor, bias * factor + shift
        else:
            place[position] = len(nodes)
            sources = tuple(place[source] for source in node.sources)
            nodes.append(Node(node.name, node.block, sources))
            learned.append(arrays)
    return Network(network.n_inputs, nodes), learned
