"""How a multi-layer perceptron is wired from blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .arrays import ActivationFunction
from .blocks import (
    Activate,
    Adapt,
    Add,
    Affine,
    Average,
    Blend,
    Block,
    Concatenate,
    Dropout,
    EmbedColumns,
    Scale,
    Select,
    SeparateAffine,
)
from .network import INPUT, Network, Node


@dataclass(frozen=True)
class InputBlocks:
    """What stands between the input of a network and its first layer, besides dropout.

    Attributes
    ----------
    embed_numbers : callable, default=None
        Makes a block that embeds a given number of features; its value replaces these features.
    numbers_to_embed : sequence of int, default=None
        Positions in the input of the features that it embeds, at least one; None means all.
    embed_columns : EmbedColumns, default=None
        A block that embeds some columns of the input; its value stands beside the other columns.
        Only those are then dropped out or embedded as numbers.
    scales : bool, default=False
        Whether each feature, or each number of its embedding, is multiplied by a learned factor.
    """

    embed_numbers: Callable[[int], Block] | None = None
    numbers_to_embed: Sequence[int] | None = None
    embed_columns: EmbedColumns | None = None
    scales: bool = False


def multilayer_perceptron(
    n_inputs: int,
    hidden: Sequence[int],
    n_outputs: int,
    activations: Sequence[Sequence[ActivationFunction]],
    skip_connections: str = "none",
    *,
    input_blocks: InputBlocks | None = None,
    normalize: Callable[[int], Block] | None = None,
    dropout: Sequence[Sequence[float]] = (),
    blends: bool = False,
    n_networks: int | None = None,
    link: str = "identity",
) -> Network:
    """Wire a multi-layer perceptron.

    With no, one and two hidden layers it consists of ::

        affine_1
        affine_1, activation_1, affine_2
        affine_1, activation_1, affine_2, activation_2, affine_3

    With nearly all options, and two hidden layers of equal width, it consists of ::

        dropout_0, numeric_embedding_0, scale_0,
        affine_1, normalization_1, activation_1, blend_1, dropout_1,
        affine_2, normalization_2, activation_2, blend_2, dropout_2, add_2,
        affine_3

    With embedded columns, dropout and scaling, but no hidden layer, it consists of ::

        numbers_0, dropout_0, embedding_0, joined_0, scale_0, affine_1

    With an embedding of some of the numbers only, and no hidden layer, it consists of ::

        embedded_0, numeric_embedding_0, others_0, joined_0, affine_1

    With `n_networks` networks that share all weights but the last layer's, it consists of ::

        adapter_in_1, affine_1, adapter_out_1, activation_1,
        adapter_in_2, affine_2, adapter_out_2, activation_2,
        affine_3, average

    Parameters
    ----------
    n_inputs, n_outputs : int
        Widths of input and output.
    hidden : sequence of int
        Widths of the hidden layers.
    activations : sequence over the hidden layers
        Each a sequence with one activation per member, or a single one for all.
    skip_connections : {"none", "residual", "dense", "linear"}, default="none"
        "residual": a hidden layer that is as wide as the hidden layer before it adds
        that layer's value to its own (He et al. 2016). "dense": every layer, the output
        included, sees the input and all earlier hidden layers (Huang et al. 2017). "linear":
        the output layer sees the input, too (Cheng et al. 2016).
    input_blocks : InputBlocks, default=None
        None means that the first layer reads the input itself.
    normalize : callable, default=None
        Makes a block of the given width that stands between a hidden layer's affine block
        and its activation.
    dropout : sequence over the input and the hidden layers, default=()
        Each a sequence with one rate per member, or a single one for all. Where all are
        zero, no block is added.
    blends : bool, default=False
        Whether each hidden unit learns how far it follows its activation.
    n_networks : int, default=None
        How many networks share their hidden weights, each with factors of its own (Gorishniy et
        al. 2025). Only for "none" and "residual".
    link : str, default="identity"
        Inverse link, which turns outputs into predictions; the mean of these over the networks
        is taken.

    Returns
    -------
    Network
    """
    wires = _Wires(n_inputs, n_networks)
    rates = dropout or [[0.0]] * (len(hidden) + 1)
    first = seen = wires.read(rates[0], input_blocks or InputBlocks())
    for i, (units, activation) in enumerate(zip(hidden, activations, strict=True), start=1):
        before = seen[-1]
        z = wires.adapted_affine(i, seen, units)
        if normalize is not None:
            z = wires.append(f"normalization_{i}", normalize(units), z)
        value = wires.append(f"activation_{i}", Activate(activation, units), z)
        if blends:
            value = wires.append(f"blend_{i}", Blend(units), z, value)
        value = wires.dropped(f"dropout_{i}", value, rates[i])
        if skip_connections == "residual" and i > 1 and hidden[i - 2] == units:
            value = wires.append(f"add_{i}", Add(units), value, before)
        seen = [*seen, value] if skip_connections == "dense" else [value]
    if skip_connections == "linear" and hidden:
        seen = [*seen, *first]
    wires.last_layer(len(hidden) + 1, seen, n_outputs, link)
    return Network(n_inputs, wires.nodes)


class _Wires:
    """The nodes of a network that is being wired, in their order.

    ``n_networks`` is the number of networks that share weights, if they do.
    """

    def __init__(self, n_inputs: int, n_networks: int | None) -> None:
        self.n_inputs = n_inputs
        self.n_networks = n_networks
        self.nodes: list[Node] = []

    def append(self, name: str, block: Block, *sources: int) -> int:
        """Add a node; return the number of its value."""
        self.nodes.append(Node(name, block, sources))
        return len(self.nodes) - 1

    def width_of(self, source: int) -> int:
        return self.n_inputs if source == INPUT else self.nodes[source].block.units

    def dropped(self, name: str, source: int, rates: Sequence[float]) -> int:
        """Add dropout, if any member has a rate above 0."""
        if not any(rates):
            return source
        return self.append(name, Dropout(rates, self.width_of(source)), source)

    def joined(self, sources: list[int]) -> list[int]:
        """Put values side by side, if there are several."""
        if len(sources) < 2:
            return sources
        return [self.append("joined_0", Concatenate(list(map(self.width_of, sources))), *sources)]

    def read(self, rates: Sequence[float], blocks: InputBlocks) -> list[int]:
        """Wire what stands before the first layer; return the values that this layer reads."""
        if self.n_networks is not None and blocks.embed_columns is not None:
            raise ValueError("networks that share weights read no codes of categories.")
        values = self.numbers(rates, blocks)
        if blocks.embed_columns is not None:
            values.append(self.append("embedding_0", blocks.embed_columns, INPUT))
        if not blocks.scales:
            return values
        values = self.joined(values)
        return [self.append("scale_0", Scale(self.width_of(values[0])), *values)]

    def numbers(self, rates: Sequence[float], blocks: InputBlocks) -> list[int]:
        """Wire those columns of the input that are not category codes, if there are any."""
        coded = () if blocks.embed_columns is None else blocks.embed_columns.columns
        # A range costs nothing, however many inputs there are.
        numbers: Sequence[int] = range(self.n_inputs)
        source = INPUT
        if coded:
            numbers = [j for j in numbers if j not in coded]
            if not numbers:
                return []
            source = self.append("numbers_0", Select(numbers), INPUT)
        source = self.dropped("dropout_0", source, rates)
        if blocks.embed_numbers is None:
            return [source]
        chosen = set(numbers if blocks.numbers_to_embed is None else blocks.numbers_to_embed)
        others = [place for place, j in enumerate(numbers) if j not in chosen]
        read = source
        if others:
            places = [place for place, j in enumerate(numbers) if j in chosen]
            read = self.append("embedded_0", Select(places), source)
        block = blocks.embed_numbers(len(numbers) - len(others))
        values = [self.append("numeric_embedding_0", block, read)]
        if others:
            values.append(self.append("others_0", Select(others), source))
        # They are one input to the first layer. Scales join more than these.
        return values if blocks.scales else self.joined(values)

    def adapted(self, layer: int, sources: Sequence[int]) -> list[int]:
        """Multiply what a layer reads by factors of each network, if networks share weights."""
        n = self.n_networks
        if n is None:
            return list(sources)
        return [
            self.append(
                f"adapter_in_{layer}",
                Adapt(n, self.width_of(source), has_shifts=False, is_first=layer == 1),
                source,
            )
            for source in sources
        ]

    def affine(self, layer: int, sources: Sequence[int], units: int) -> int:
        widths = list(map(self.width_of, sources))
        return self.append(f"affine_{layer}", Affine(widths, units), *sources)

    def adapted_affine(self, layer: int, sources: Sequence[int], units: int) -> int:
        """Add the affine part of a hidden layer, between adapters if networks share weights."""
        z = self.affine(layer, self.adapted(layer, sources), units)
        if self.n_networks is None:
            return z
        adapt = Adapt(self.n_networks, units, has_shifts=True, is_first=False)
        return self.append(f"adapter_out_{layer}", adapt, z)

    def last_layer(self, layer: int, sources: Sequence[int], units: int, link: str) -> None:
        """Add the output layer: one, or one for each network and the mean of their predictions."""
        if self.n_networks is None:
            self.affine(layer, sources, units)
            return
        if layer == 1:
            sources = self.adapted(layer, sources)
        block = SeparateAffine(self.n_networks, self.width_of(sources[0]), units)
        outputs = self.append(f"affine_{layer}", block, *sources)
        self.append("average", Average(self.n_networks, units, link), outputs)
