"""Raw predictions of one network for any number of rows, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import numpy as np
from scipy import sparse

from ..kept import kept_as
from .arrays import Floats, Integers
from .calls import lies_by_columns
from .compiled import Program, Section, Way, warns_as_usual, way
from .inputs import BorrowedRows, DenseInput, Input, SparseBatch
from .memory_mapped import SCATTERED, pages_of
from .network import INPUT, Learned, Network, Node, first_weight
from .workspace import Workspace

#: Elements of the widest layer that are computed at a time, 1 MB in float64: a network of
#: 64-100-10 units took 62, 58, 59 and 83 ms for 100,000 rows with 2^16, 2^17, 2^18 and 2^20.
BLOCK = 2**17

#: Elements of the widest layer up to which a network's calls are made a compiled table. With more,
#: the calls take longer than the interpreter's work between them.
FEW_ELEMENTS = 2**12

#: Predictions of equally many rows after which a table pays: making one takes 0.5 to 1 ms, and each
#: prediction with it saves 2 to 5 us.
PREDICTIONS_BEFORE_TABLES = 128

#: Unused predictors that a model keeps for each dtype: more threads than that cannot run at once.
MOST_RESTING = os.cpu_count() or 1

#: Makers of holders that do not copy the rows of the only member, by kind of input.
HOLDERS: dict[str, Callable[[], Input]] = {
    BorrowedRows.kind: BorrowedRows,
    SparseBatch.kind: lambda: SparseBatch(1),
}


def predict_raw(
    network: Network,
    parameters: Learned,
    X: Floats | sparse.csr_array,
    rows: Integers | None = None,
) -> Floats:
    """Compute raw predictions, (n_rows, C), of a network of one member, block by block.

    ``parameters`` are listed as ``network.views`` does, with a member axis of length 1; their dtype
    is that of the arithmetic and of the result. ``rows`` are those of X, (N, D), to predict; None
    is all.
    """
    return Predictor(network, parameters, first_weight(parameters).dtype)(X, rows)


class Predictor:
    """A network bound to what it has learned, with the buffers of its last prediction.

    Making buffers and calls takes longer than predicting one row: a predictor that is kept makes
    them only once. It serves one thread at a time.

    Parameters
    ----------
    network : Network
        Of a single member.
    learned : list of tuples of ndarray
        Listed as ``network.views`` does, with a member axis of length 1.
    dtype : dtype
        Of the arithmetic and of the result.
    copies : bool, default=False
        Whether all arrays are copied, so that others can be put in their place, not only those of
        another dtype.
    """

    def __init__(
        self, network: Network, learned: Learned, dtype: np.dtype, copies: bool = False
    ) -> None:
        self._dtype = dtype
        # Parameters too large for the dtype become infinite, and predictions with them, too.
        with np.errstate(over="ignore", invalid="ignore"):
            converted = [
                tuple(array.astype(dtype, copy=copies) for array in of_node) for of_node in learned
            ]
            self._network, self._parameters = fold_lines(network, converted)
        #: Copies, with their originals.
        self._copies = [
            (copy, array)
            for of_node in zip(converted, learned, strict=True)
            for copy, array in zip(*of_node, strict=True)
            if copy is not array
        ]
        #: Whether predictions after ``refresh`` use all changes of the given arrays.
        self.can_refresh = self._network is network
        self._first = network.inputs[0].name
        self._borrows = network.reads(INPUT, BorrowedRows.kind)
        #: Width of the widest array that is allocated: with inputs, and without them.
        self._widest = [self._network.widest(spares_input) for spares_input in (False, True)]
        self._work: Workspace | None = None
        #: Number of rows, and the kind of the first input.
        self._shape = (0, "")
        #: How often rows of this shape have been predicted, and the table that does it, if any.
        self._n_predicted = 0
        self._table: CompiledWorkspace | None = None

    def replace(self, learned: Learned) -> None:
        """Put what another network of the same shape has learned in place of all copies."""
        arrays = [array for of_node in learned for array in of_node]
        copies = [copy for copy, _ in self._copies]
        self._copies = list(zip(copies, arrays, strict=True))
        self.refresh()

    def refresh(self) -> None:
        """Take over changes of the content of the arrays that were given."""
        if not self._copies:
            return
        with np.errstate(over="ignore"):
            for copy, array in self._copies:
                np.copyto(copy, array)

    def __call__(
        self,
        X: Floats | sparse.csr_array | dict[str, Any],
        rows: Integers | None = None,
    ) -> Floats:
        """Return raw predictions, (n_rows, C), of all rows of X or of those at ``rows``.

        X is the only input, or a dict of all inputs by their names. For rows whose sums overflow,
        predictions are infinite or NaN, without a warning.
        """
        more: dict[str, Any] = {}
        if isinstance(X, dict):
            more = dict(X)
            X = more.pop(self._first)
        n_rows = X.shape[0] if rows is None else len(rows)
        kind = self._kind_of_first(X, rows)
        pages = pages_of(X)
        size = max(1, min(n_rows, BLOCK // self._widest[kind in HOLDERS]))
        if pages is not None and rows is not None:
            size = min(size, SCATTERED)
        if n_rows > size:
            # Blocks of nearly equal size: most of them share buffers. For a short last block,
            # buffers would be made twice in each call.
            size = -(-n_rows // -(-n_rows // size))
        raw = np.empty((n_rows, self._network.n_outputs), dtype=self._dtype)
        for start in range(0, n_rows, size):
            block = slice(start, min(start + size, n_rows))
            chosen = block if rows is None else rows[block]
            bound = self._bound(X, block.stop - start, kind)
            # Overflow is either intended, as in a sigmoid, or visible in the result.
            with np.errstate(over="ignore", invalid="ignore"):
                bound.inputs[self._first].put(X[chosen], self._dtype)
                for name, array in more.items():
                    bound.inputs[name].put(array[chosen], self._dtype)
                bound.forward()
            raw[block] = bound.raw[0]
            if pages is not None:
                pages.let_go()
        if kind == BorrowedRows.kind and self._work is not None:
            borrowed: Any = self._work.inputs[self._first]
            borrowed.let_go()
        return raw

    def _kind_of_first(self, X: Floats | sparse.csr_array, rows: Integers | None) -> str:
        """Return which kind holds the first input; rows are copied only if necessary."""
        if sparse.issparse(X):
            return SparseBatch.kind
        if rows is None and self._borrows and X.dtype == self._dtype:
            return BorrowedRows.kind
        return DenseInput.kind

    def _bound(self, X: Any, n_rows: int, kind: str) -> Workspace | CompiledWorkspace:
        """Return the workspace or the table that predicts `n_rows` rows of X."""
        if self._work is None or self._shape != (n_rows, kind):
            inputs = {self._first: HOLDERS[kind]()} if kind in HOLDERS else {}
            self._work = Workspace(self._network, self._parameters, n_rows, inputs=inputs)
            self._shape = (n_rows, kind)
            self._n_predicted, self._table = 0, None
        if self._n_predicted == PREDICTIONS_BEFORE_TABLES:
            self._table = self._tabled(n_rows, kind)
        self._n_predicted += 1
        if self._table is None or not warns_as_usual():
            return self._work
        # A table copies rows: the product may be rounded differently if their columns are adjacent.
        return self._work if kind == BorrowedRows.kind and lies_by_columns(X) else self._table

    def _tabled(self, n_rows: int, kind: str) -> CompiledWorkspace | None:
        """Return a table that predicts `n_rows` rows, if one is possible and pays."""
        is_small = n_rows * self._widest[kind in HOLDERS] <= FEW_ELEMENTS
        if not is_small or kind == SparseBatch.kind or way() is Way.NUMPY:
            return None
        # A table reads rows from the same array each time: they are copied into it.
        work = Workspace(self._network, self._parameters, n_rows)
        program = Program([Section(lambda _: work.forward_calls, 1)], 1, 1)
        return None if program.n_python_calls else CompiledWorkspace(work, program)


class CompiledWorkspace:
    """A workspace whose forward pass is run by compiled code."""

    def __init__(self, work: Workspace, program: Program) -> None:
        self.inputs = work.inputs
        self.raw = work.raw
        self._program = program
        self._taken = np.zeros(1, np.intp)

    def forward(self) -> None:
        """Compute ``raw`` from the inputs."""
        self._program.run(self._taken, 0, 1, 0)


@kept_as("predictors")
class Predictors:
    """The unused predictors of one model, by dtype.

    A caller takes a predictor out and puts it back after use, so that threads can share a model.
    There are as many as threads have predicted at the same time, but at most ``MOST_RESTING``.
    Copies and pickles of the model start without predictors.

    Parameters
    ----------
    are_shared : bool, default=False
        Whether models that predict one after another share them, as those of a search do. A
        predictor then serves all models that have the same network.
    """

    def __init__(self, are_shared: bool = False) -> None:
        self._are_shared = are_shared
        self._resting: dict[np.dtype, list[tuple[Sequence[Any], Predictor]]] = {}

    def clear(self) -> None:
        """Drop predictors, with their buffers, that no other model shares."""
        if not self._are_shared:
            self._resting.clear()

    def __reduce__(self) -> tuple[type[Predictors], tuple[bool]]:
        return Predictors, (self._are_shared,)

    def take(
        self, dtype: np.dtype, parts: Sequence[Any], views: Callable[[], Learned]
    ) -> Predictor:
        """Return the predictor that was made of the same objects, or a new one.

        The objects are the network and the arrays that it has learned. `views` lists these arrays
        as ``network.views`` does.
        """
        try:
            # The one that was used last: a single thread always gets the same.
            known, predictor = self._resting[dtype].pop()
        except LookupError:
            known = ()
        if len(known) == len(parts) and all(map(is_, known, parts)):
            predictor.refresh()
            return predictor
        if self._are_shared and known and known[0] is parts[0]:
            predictor.replace(views())
            return predictor
        # It is out of date, and so are those that were put back before it.
        self._resting[dtype] = []
        return Predictor(parts[0], views(), dtype, copies=self._are_shared)

    def put_back(self, dtype: np.dtype, parts: Sequence[Any], predictor: Predictor) -> None:
        """Keep a predictor for the next call, if it can be refreshed."""
        if predictor.can_refresh:
            resting = self._resting.setdefault(dtype, [])
            if len(resting) < MOST_RESTING:
                resting.append((parts, predictor))


def fold_lines(network: Network, parameters: Learned) -> tuple[Network, Learned]:
    """Merge linear blocks into the layers before them, so that predictions take no longer.

    Batch normalization is such a block: in predictions, it multiplies each unit by a factor and
    adds a shift. Changed weights and a changed bias of the unit have the same effect. Parameters
    are as in :func:`predict_raw`; both are returned as they are if there is nothing to merge.
    """
    nodes: list[Node] = []
    learned: Learned = []
    # The new position of each old node's value.
    place: dict[int, int] = {}
    for position, (node, arrays) in enumerate(zip(network.nodes, parameters, strict=True)):
        merged = None
        source = node.sources[0]
        line = node.block.factor_and_shift(arrays)
        # Other readers of the layer before need its value unchanged.
        if line is not None and source >= 0 and network.n_readers[source] == 1:
            before = place[source]
            merged = nodes[before].block.after_line(learned[before], *line)
        if merged is not None:
            place[position] = before
            learned[before] = merged
        else:
            place[position] = len(nodes)
            sources = tuple(s if s < 0 else place[s] for s in node.sources)
            nodes.append(Node(node.name, node.block, sources))
            learned.append(arrays)
    if len(nodes) == len(network.nodes):
        return network, parameters
    return Network(network.inputs, nodes), learned
