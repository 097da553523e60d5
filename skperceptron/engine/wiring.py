"""How a multi-layer perceptron is wired from blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .arrays import ActivationFunction
from .blocks import Activate, Add, Affine, Blend, Block, Dropout, Embed, Scale
from .inputs import NetworkInput
from .network import FIRST, INPUT, Network, Node

#: The name of the input that an embedding reads.
CODES = "codes"


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
    embed: Embed | None = None,
    embed_numbers: Callable[[int], Block] | None = None,
) -> Network:
    """Wire a multi-layer perceptron.

    With no, one and two hidden layers it consists of ::

        affine_1
        affine_1, activation_1, affine_2
        affine_1, activation_1, affine_2, activation_2, affine_3

    and, with everything that can be asked for, of two hidden layers that are equally wide ::

        dropout_0, numeric_embedding_0, scale_0, embedding_0,
        affine_1, normalization_1, activation_1, dropout_1,
        affine_2, normalization_2, activation_2, dropout_2, add_2,
        affine_3

    With `blends`, ``blend_i`` follows ``activation_i`` and reads what that reads, too.

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
        Whether each feature, or each number that it is embedded in, is multiplied by a learned
        factor.
    blends : bool, default=False
        Whether each hidden unit learns how far it follows its activation.
    embed : Embed, default=None
        A block that reads a second input, named "codes"; its value stands beside the first one.
    embed_numbers : callable, default=None
        Makes a block that embeds so many features; its value takes the place of the input.

    Returns
    -------
    Network
    """
    nodes: list[Node] = []
    inputs = [NetworkInput(FIRST, n_inputs)]

    def append(name: str, block: Block, *sources: int) -> int:
        nodes.append(Node(name, block, sources))
        return len(nodes) - 1

    def affine(name: str, sources: Sequence[int], units: int) -> int:
        widths = [n_inputs if s == INPUT else nodes[s].block.units for s in sources]
        return append(name, Affine(widths, units), *sources)

    def dropped(name: str, source: int, units: int, rates: Sequence[float]) -> int:
        return append(name, Dropout(rates, units), source) if any(rates) else source

    rates = dropout or [[0.0]] * (len(hidden) + 1)
    seen = [dropped("dropout_0", INPUT, n_inputs, rates[0])]
    if embed_numbers is not None:
        seen = [append("numeric_embedding_0", embed_numbers(n_inputs), *seen)]
    if scale_inputs:
        units = n_inputs if seen[0] == INPUT else nodes[seen[0]].block.units
        seen = [append("scale_0", Scale(units), *seen)]
    if embed is not None:
        inputs.append(NetworkInput(CODES, len(embed.levels), is_coded=True))
        seen.append(append("embedding_0", embed, INPUT - 1))
    first = seen
    for i, (units, activation) in enumerate(zip(hidden, activations, strict=True), start=1):
        z = affine(f"affine_{i}", seen, units)
        if normalize is not None:
            z = append(f"normalization_{i}", normalize(units), z)
        value = append(f"activation_{i}", Activate(activation, units), z)
        if blends:
            value = append(f"blend_{i}", Blend(units), z, value)
        value = dropped(f"dropout_{i}", value, units, rates[i])
        before = seen[-1]
        if skip_connections == "residual" and i > 1 and hidden[i - 2] == units:
            value = append(f"add_{i}", Add(units), value, before)
        seen = [*seen, value] if skip_connections == "dense" else [value]
    if skip_connections == "linear" and hidden:
        seen = [*seen, *first]
    affine(f"affine_{len(hidden) + 1}", seen, n_outputs)
    return Network(inputs, nodes)
