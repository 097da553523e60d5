"""How a multi-layer perceptron is wired from blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


def multilayer_perceptron(
    n_inputs: int,
    hidden: Sequence[int],
    n_outputs: int,
    activations: Sequence[Sequence[ActivationFunction]],
    skip_connections: str = "none",
    *,
    normalize: Callable[[int], Block] | None = None,
    dropout: Sequence[Sequence[float]] = (),
    scale_inputs: bool = False,
    blends: bool = False,
    n_networks: int | None = None,
    link: str = "identity",
    embed_numbers: Callable[[int], Block] | None = None,
    numbers_to_embed: Sequence[int] | None = None,
    embed_columns: EmbedColumns | None = None,
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
    normalize : callable, default=None
        Makes a block of the given width that stands between a hidden layer's affine block
        and its activation.
    dropout : sequence over the input and the hidden layers, default=()
        Each a sequence with one rate per member, or a single one for all. Where all are
        zero, no block is added.
    scale_inputs : bool, default=False
        Whether each feature, or each number of its embedding, is multiplied by a learned factor.
    blends : bool, default=False
        Whether each hidden unit learns how far it follows its activation.
    n_networks : int, default=None
        How many networks share their hidden weights, each with factors of its own (Gorishniy et
        al. 2025). Only for "none" and "residual".
    link : str, default="identity"
        Inverse link, which turns outputs into predictions; the mean of these over the networks
        is taken.
    embed_numbers : callable, default=None
        Makes a block that embeds a given number of features; its value replaces these features.
    numbers_to_embed : sequence of int, default=None
        Positions in the input of the features that it embeds, at least one; None means all.
    embed_columns : EmbedColumns, default=None
        A block that embeds some columns of the input; its value stands beside the other columns.
        Only those are then dropped out or embedded as numbers.

    Returns
    -------
    Network
    """
    nodes: list[Node] = []

    def append(name: str, block: Block, *sources: int) -> int:
        nodes.append(Node(name, block, sources))
        return len(nodes) - 1

    def width_of(source: int) -> int:
        return n_inputs if source == INPUT else nodes[source].block.units

    def affine(name: str, sources: Sequence[int], units: int) -> int:
        return append(name, Affine(list(map(width_of, sources)), units), *sources)

    def adapted(layer: int, source: int) -> int:
        block = Adapt(n_networks or 1, width_of(source), has_shifts=False, is_first=layer == 1)
        return append(f"adapter_in_{layer}", block, source)

    def dropped(name: str, source: int, units: int, rates: Sequence[float]) -> int:
        return append(name, Dropout(rates, units), source) if any(rates) else source

    def joined(sources: list[int]) -> list[int]:
        if len(sources) < 2:
            return sources
        return [append("joined_0", Concatenate(list(map(width_of, sources))), *sources)]

    if n_networks is not None and embed_columns is not None:
        raise ValueError("networks that share weights read no codes of categories.")
    rates = dropout or [[0.0]] * (len(hidden) + 1)
    seen = [INPUT]
    coded = () if embed_columns is None else embed_columns.columns
    # A range costs nothing, however many inputs there are.
    numbers = [j for j in range(n_inputs) if j not in coded] if coded else range(n_inputs)
    if coded:
        seen = [append("numbers_0", Select(numbers), INPUT)] if numbers else []
    if seen:
        seen = [dropped("dropout_0", seen[0], len(numbers), rates[0])]
    if seen and embed_numbers is not None:
        chosen = set(numbers if numbers_to_embed is None else numbers_to_embed)
        others = [place for place, j in enumerate(numbers) if j not in chosen]
        source = seen[0]
        if others:
            places = [place for place, j in enumerate(numbers) if j in chosen]
            source = append("embedded_0", Select(places), seen[0])
        block = embed_numbers(len(numbers) - len(others))
        embedded = [append("numeric_embedding_0", block, source)]
        seen = [*embedded, append("others_0", Select(others), seen[0])] if others else embedded
        # They are one input to the first layer.
        seen = seen if scale_inputs else joined(seen)
    if embed_columns is not None:
        seen.append(append("embedding_0", embed_columns, INPUT))
    if scale_inputs:
        seen = joined(seen)
        seen = [append("scale_0", Scale(width_of(seen[0])), *seen)]
    first = seen
    for i, (units, activation) in enumerate(zip(hidden, activations, strict=True), start=1):
        before = seen[-1]
        if n_networks is not None:
            seen = [adapted(i, source) for source in seen]
        z = affine(f"affine_{i}", seen, units)
        if n_networks is not None:
            adapt = Adapt(n_networks, units, has_shifts=True, is_first=False)
            z = append(f"adapter_out_{i}", adapt, z)
        if normalize is not None:
            z = append(f"normalization_{i}", normalize(units), z)
        value = append(f"activation_{i}", Activate(activation, units), z)
        if blends:
            value = append(f"blend_{i}", Blend(units), z, value)
        value = dropped(f"dropout_{i}", value, units, rates[i])
        if skip_connections == "residual" and i > 1 and hidden[i - 2] == units:
            value = append(f"add_{i}", Add(units), value, before)
        seen = [*seen, value] if skip_connections == "dense" else [value]
    if skip_connections == "linear" and hidden:
        seen = [*seen, *first]
    last = f"affine_{len(hidden) + 1}"
    if n_networks is None:
        affine(last, seen, n_outputs)
        return Network(n_inputs, nodes)
    if not hidden:
        seen = [adapted(1, source) for source in seen]
    outputs = append(last, SeparateAffine(n_networks, width_of(seen[0]), n_outputs), *seen)
    append("average", Average(n_networks, n_outputs, link), outputs)
    return Network(n_inputs, nodes)
