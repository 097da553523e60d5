"""The block, the part that networks are wired from, and its whole interface.

A block is a description. It declares what it learns, what it reads, how it is shown, and which
array calls it contributes to a step: ``forward`` lists those that compute its value, ``backward``
those that compute the gradients of its parameters and its inputs from ``dL/d(value)``. It owns no
buffer: a :class:`~skperceptron.engine.Workspace` does, and lists the calls of each block once. No
code outside this folder checks the type of a block.

Conventions
-----------
Shapes. K members, B rows of a batch, D inputs, H units, C outputs. Values are (K, B, H). A weight
matrix is (K, fan_in, H); any other learned array is (K, 1, n), ready to broadcast over the batch.

Dtypes. All arrays of one workspace have the dtype of its parameters; codes are integers.

Buffers. A value belongs to the block that computes it. Its readers leave it unchanged, unless they
declare in ``overwrites_input`` that they change it: such a reader gets the buffer itself if
nothing else needs the content, and a copy otherwise. The gradient of a value is complete, and
belongs to the block, when ``backward`` runs; the block may change it in place and pass the array on
to one of its inputs (``send_gradient``). All blocks share scratch, for a few calls at a time.

A new block is one file in this folder and one row in the table of
``tests/engine/test_every_block.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, wraps
from math import prod
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from ...kept import kept_as
from ..arrays import ActivationFunction, Arrays, Call, Floats
from ..calls import WritingCall
from ..operators import OperatorGraph, Value, Values, not_declared


@dataclass(frozen=True)
class Line:
    """A value as a linear function of bases: ``sum(base @ matrix) + shift``.

    Attributes
    ----------
    matrices : dict of int to ndarray of shape (width of the base, H)
        The keys are the bases: values of a network, inputs or nodes, by their positions.
    shift : ndarray of shape (H,)
    """

    matrices: dict[int, Floats]
    shift: Floats

    def __add__(self, other: Line) -> Line:
        matrices = dict(self.matrices)
        for base, matrix in other.matrices.items():
            matrices[base] = matrices[base] + matrix if base in matrices else matrix
        return Line(matrices, self.shift + other.shift)

    def scaled(self, factor: Floats, shift: Floats) -> Line:
        """Return the value times a factor for each unit, plus a shift for each unit."""
        matrices: dict[int, Floats] = {b: matrix * factor for b, matrix in self.matrices.items()}
        return Line(matrices, self.shift * factor + shift)

    def through(self, weight: Floats) -> Line:
        """Return the value times a weight matrix."""
        matrices: dict[int, Floats] = {b: matrix @ weight for b, matrix in self.matrices.items()}
        return Line(matrices, self.shift @ weight)


@dataclass(frozen=True)
class LearnedArray:
    """One array that a block learns.

    Attributes
    ----------
    name : str
        Its name in graphs, beside that of the block.
    attribute : str
        The attribute of a fitted estimator, a list, that holds it.
    shape : tuple of int
        Its shape in that list.
    is_weight : bool, default=False
        Whether it is penalized and decays. Weights are matrices, and come first in a member's
        vector.
    n_statistics : int, default=0
        How many elements at its end are statistics, which no gradient changes.
    """

    name: str
    attribute: str
    shape: tuple[int, ...]
    is_weight: bool = False
    n_statistics: int = 0

    @cached_property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @cached_property
    def shape_in_stack(self) -> tuple[int, ...]:
        """Shape without the member axis."""
        return self.shape if self.is_weight else (1, self.size)


class Bench(Protocol):
    """What a workspace offers to blocks while they list their calls."""

    #: Whether ``backward`` will follow ``forward``.
    trains: bool
    #: Share of each row in the total weight of its batch, (K, B, 1), and that total, (K, 1, 1), if
    #: rows have weights.
    row_shares: Floats | None
    total_weights: Floats | None
    #: Whether results must have the bits of plain NumPy, even if that takes longer.
    like_numpy: bool
    #: Generator of each member's dropout masks; None where there is no dropout.
    noise: Sequence[np.random.Generator | None]
    #: Factor of each member's dropout rates in the current step, (K,); None is 1 for all.
    noise_shares: Floats | None
    #: Which members of the network's stack take part.
    members: slice

    def sources_of(self, node: int) -> tuple[int, ...]:
        """Return which values the node reads."""

    def operands_of(self, node: int) -> list[Any]:
        """Return what the node reads, as :class:`~skperceptron.engine.inputs.Input`."""

    def inputs_of(self, node: int) -> list[Floats]:
        """Return the arrays that the node reads, if it accepts arrays only."""

    def holder_of(self, node: int) -> Any:
        """Return the ``Input`` that holds the node's own value."""

    def value_of(self, node: int) -> Floats:
        """Return the array that the node writes."""

    def parameters_of(self, node: int) -> tuple[Floats, ...]:
        """Return what the node has learned."""

    def gradients_of(self, node: int) -> tuple[Floats, ...]:
        """Return where the gradient of what the node learns goes."""

    def scratch(self, like: Floats) -> Floats:
        """Return an array of the same layout for a few neighboring calls; all nodes share it."""

    def own_array(self, node: int, *shape: int) -> Floats:
        """Return an array that only this node uses, from the forward to the backward pass."""

    def wants_gradient(self, value: int) -> bool:
        """Tell whether a value's gradient is needed."""

    def gradient_at(self, node: int) -> Floats:
        """Return the gradient of the node's value, which is complete and belongs to the node."""

    def gradient_slot(self, value: int) -> tuple[Floats, Iterable[Call]]:
        """Return where one reader writes its share of a value's gradient, and calls that add it."""

    def send_gradient(self, gradient: Floats, value: int) -> Iterable[Call]:
        """List the calls that add an array to a value's gradient; they may overwrite the array."""

    def send_copy(self, gradient: Floats, value: int) -> Iterable[Call]:
        """List the calls that add an array to a value's gradient and leave it unchanged."""


class Block:
    """Base of all blocks: by default, a block learns nothing and has a buffer for its value.

    A block stores the arguments of ``__init__`` under their names, and computes everything else
    from them: blocks with equal arguments do the same, and pickles hold nothing else. If members
    of a stack may differ in an argument, a block overrides ``members`` and ``joined``.
    """

    #: Its name in graphs.
    kind: ClassVar[str]
    #: Kinds of :class:`~skperceptron.engine.inputs.Input` that it reads.
    accepts: ClassVar[frozenset[str]] = frozenset({"dense"})
    #: Whether its value is sparse if its input is.
    keeps_kind: ClassVar[bool] = False
    #: Whether a layer, as graphs and initializers count them, begins here.
    opens_layer: ClassVar[bool] = False
    #: Whether its learned arrays are tables of category vectors, (levels, width), which an
    #: initializer draws.
    holds_tables: ClassVar[bool] = False
    #: Whether a row's value depends on the other rows of its batch, in training.
    mixes_rows: ClassVar[bool] = False
    #: Whether it does nothing but add noise in training.
    is_noise: ClassVar[bool] = False
    #: Width of the value (H).
    units: int
    #: Whether the methods that it binds do the same arithmetic for all numbers: compiled steps then
    #: record this arithmetic once and repeat it.
    records: ClassVar[bool] = False
    #: Largest number of rows of the input that its initial values depend on; 0 if they do not
    #: depend on data.
    n_start_rows: ClassVar[int] = 0

    # What it learns.

    @property
    def learned(self) -> tuple[LearnedArray, ...]:
        """The arrays that it learns, in the order of ``parameters_of``."""
        return ()

    def initial_arrays(self, rng: np.random.RandomState) -> list[Floats]:
        """Return the initial values of these arrays, in their declared shapes.

        Not called for a block that opens a layer or holds tables: an initializer draws these.
        """
        return [np.zeros(array.shape) for array in self.learned]

    def arrays_for(self, inputs: Floats) -> list[Floats]:
        """Return initial values that suit the input in some rows, (n, width).

        Called instead of ``initial_arrays`` if ``n_start_rows`` is not 0.
        """
        raise NotImplementedError

    @property
    def n_parameters(self) -> int:
        """Number of elements of all that it learns."""
        return sum(array.size for array in self.learned)

    def shape_of(self, name: str) -> Any:
        """Return the shape of the learned array of this name, or None."""
        return next((array.shape for array in self.learned if array.name == name), None)

    @property
    def rows_of_inputs(self) -> tuple[int, ...]:
        """How many rows of its weight matrix, the first array, belong to each input."""
        return ()

    @property
    def n_layers(self) -> int:
        """How many layers its weight matrix holds, one below another; each is drawn separately."""
        return 1

    # What it reads, and where its value lies.

    def multiplicity(self, of_input: int, trains: bool) -> int:
        """Return how many rows its value has for each row of X, if its source has `of_input`.

        Several rows lie block by block: the first ones of all rows of the batch, then the second
        ones, and so on.
        """
        return of_input

    def average(self, x: Floats, out: Floats) -> None:
        """Write one prediction for each row of X into ``out``, if the last value has several."""
        raise NotImplementedError

    def shares_value(self, trains: bool) -> bool:
        """Tell whether the value lies in the buffer of its only source."""
        return False

    def overwrites_input(self, trains: bool) -> bool:
        """Tell whether its calls change the content of the buffer of its only source."""
        return False

    def keeps_value(self, trains: bool) -> bool:
        """Tell whether it needs its own value again, so that no reader may overwrite it."""
        return False

    def puts_units_first(self, trains: bool) -> bool:
        """Tell whether the value, (K, B, H), lies in memory as (K, H, B)."""
        return False

    def passes_gradient(self, member: int) -> bool:
        """Tell whether it passes gradients on to its inputs, for one member."""
        return True

    # What it is as a function.

    def factor_and_shift(self, learned: Arrays) -> tuple[Floats, Floats] | None:
        """Return both, (K, 1, H), if predictions are ``x * factor + shift``, else None."""
        return None

    def line(self, inputs: Sequence[Line], learned: Arrays) -> Line | None:
        """Return the value in predictions of one member if it is linear in its inputs, else None.

        ``learned`` is what it has learned, with a member axis of length 1.
        """
        found = self.factor_and_shift(learned)
        return None if found is None else inputs[0].scaled(*(array[0, 0] for array in found))

    def after_line(
        self, learned: Arrays, factor: Floats, shift: Floats
    ) -> tuple[Floats, ...] | None:
        """Return parameters that compute ``value * factor + shift`` instead, or None."""
        return None

    def activation_of(self, member: int) -> ActivationFunction | None:
        """Return the function that a member applies unit by unit, or None for other blocks."""
        return None

    def to_onnx(self, graph: OperatorGraph, inputs: Values, learned: Arrays) -> Value:
        """Return the value in predictions, in ONNX operators on its inputs, (rows, width).

        ``learned`` is what it has learned, with a member axis of length 1. Raises NotDeclaredError
        if a block without ``factor_and_shift`` does not define this method.
        """
        line = self.factor_and_shift(learned)
        if line is None:
            raise not_declared(self, "graph, inputs, learned")
        factor, shift = (array[0] for array in line)
        return inputs[0] * factor + shift

    # How it is shown.

    def text(self) -> str:
        """Return the text that graphs show beside name and shapes."""
        return ""

    def input_width(self, widths: Sequence[int]) -> int:
        """Return the input width that graphs show, given the widths of all inputs."""
        return widths[0]

    # Members of a stack.

    def members(self, positions: Sequence[int]) -> Self:
        """Return the block of the members with the given positions."""
        return self

    @property
    def shape(self) -> Hashable:
        """What must be equal in blocks of single networks for them to become one block."""
        return (type(self), *sorted(vars(self).items()))

    def joined(self, blocks: Sequence[Any], unify: Callable[[Any], Any]) -> Self:
        """Return one block for members with these blocks, of which this is one.

        ``unify`` returns the same object for equal ones.
        """
        return self

    # What it contributes to a step.

    def forward(self, work: Bench, node: int) -> Iterator[Call]:
        """List the calls that compute the value of ``node``."""
        raise NotImplementedError

    def backward(self, work: Bench, node: int) -> Iterator[Call]:
        """List the calls that propagate the gradient of the value of ``node``."""
        raise NotImplementedError

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__.startswith(__package__):
            # A user's own block is pickled under its class, as activations are.
            if hasattr(cls, "kind"):
                kept_as(f"block {cls.kind}")(cls)
            return
        cls.records = vars(cls).get("records", False)
        for name in ("forward", "backward"):
            if name in vars(cls):
                setattr(cls, name, _checked(vars(cls)[name]))

    def __setstate__(self, state: dict[str, Any]) -> None:
        # In version 0.1.0, blocks also held values that follow from their arguments.
        names = inspect.signature(type(self)).parameters
        vars(self).update({name: value for name, value in state.items() if name in names})


def _checked(method: Callable[..., Iterable[Call]]) -> Callable[..., Iterator[Call]]:
    """Return ``forward`` or ``backward`` of a user's block with checks of what it lists."""

    @wraps(method)
    def checked(self: Block, work: Bench, node: int) -> Iterator[Call]:
        calls = method(self, work, node)
        if not isinstance(calls, Iterable) or isinstance(calls, np.ndarray):
            raise TypeError(
                f"{method.__qualname__} must yield the calls of a step, as in yield partial(np.add,"
                f" x, y, out), but it returned {type(calls).__name__}."
            )
        for call in calls:
            # Calls of other types are those that functions of this package return.
            if type(call) is partial:
                call = WritingCall(call)
                call.listed_by = method.__qualname__
            yield call

    return checked


class EmbedNumbers(Block):
    """Base of blocks that turn each of D features into a few numbers, by parameters of its own."""

    n_features: int

    def puts_units_first(self, trains: bool) -> bool:
        # A unit of all rows is then computed with one parameter: 256 rows of 9 features with 24
        # bins each take 62 us instead of 143, 1,000 rows of 9 features in waves 173 instead of 403.
        return not trains

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what is learned, by names."""
        raise NotImplementedError

    @property
    def learned(self) -> tuple[LearnedArray, ...]:
        arrays = self.shapes().items()
        return tuple(LearnedArray(n, "numeric_embeddings_", shape) for n, shape in arrays)
