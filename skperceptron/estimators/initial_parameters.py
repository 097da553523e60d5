"""Initial parameters: an initializer draws them layer by layer, and may use some rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from .._sklearn.checks import FLOAT64, checking
from .._sklearn.fit_calls import Extras
from ..engine import Network, Node, Scale
from ..engine.arrays import Floats
from ..engine.network import Learned
from ..engine.prediction import Predictor
from ..initializers import ARRAYS, Layer
from ..options import check_option
from .blas_threads import suited_threads
from .choices import Choices
from .data import CheckedData
from .fitted import Outputs


def initial_parameters(
    network: Network,
    choices: Choices,
    checked: CheckedData,
    extras: Extras,
    rng: np.random.RandomState,
) -> Floats:
    """Draw the initial parameters, (P,), and replace some by arrays that the user has given.

    The network starts in units of the target, and the initializer may use some of the training
    rows.
    """
    initializer = choices.initializer
    n_rows = min(checked.data.n_rows, initializer.n_rows)
    with suited_threads(n_rows * network.largest_product):
        vector = _drawn_vector(network, choices, checked, rng)
    coefs, intercepts = extras.coefs_init, extras.intercepts_init
    _take_given(
        network.by_attribute(network.views(vector)),
        checked.target,
        initializer.coefs_init if coefs is None else coefs,
        initializer.intercepts_init if intercepts is None else intercepts,
    )
    return vector[0]


def _drawn_vector(
    network: Network, choices: Choices, checked: CheckedData, rng: np.random.RandomState
) -> Floats:
    """Draw weights, biases and tables, (1, P), in float64; other blocks start as they declare."""
    # There is an activation for each hidden layer, and at least one.
    initializer, activations = choices.initializer, choices.wiring.activations
    vector = np.empty((1, network.n_parameters))
    learned = network.views(vector)
    rows = _some_rows(checked, initializer.n_rows, rng)
    # As in scikit-learn, the output layer follows the rule of the last hidden layer.
    n_hidden = sum(node.block.opens_layer for node in network.nodes) - 1
    factors = [activations[min(k, len(activations) - 1)].init_factor for k in range(n_hidden + 1)]
    layers = iter(zip([*activations[:n_hidden], None], factors, strict=True))
    for position, (node, views) in enumerate(zip(network.nodes, learned, strict=True)):
        block = node.block
        if block.holds_tables:
            starts = [initializer.draw_table(view.shape[1:], rng) for view in views]
        elif block.opens_layer:
            follows, factor = next(layers)
            inputs = None
            if rows is not None and initializer.looks_at_inputs(follows):
                inputs = _inputs_of(network, position, learned, rows)
            fan_in, units = views[0].shape[1] // block.n_layers, views[0].shape[2]
            layer = Layer(fan_in, units, follows, factor, inputs)
            drawn = [initializer.draw(layer, rng) for _ in range(block.n_layers)]
            starts = [np.concatenate(arrays) for arrays in zip(*drawn, strict=True)]
        else:
            shown = _some_rows(checked, block.n_start_rows, rng)
            if shown is None:
                declared = block.initial_arrays(rng)
            else:
                declared = block.arrays_for(_inputs_of(network, position, learned, shown))
            pairs = zip(declared, views, strict=True)
            starts = [start.reshape(view.shape[1:]) for start, view in pairs]
        for view, start in zip(views, starts, strict=True):
            view[0] = start
    return vector


def _some_rows(checked: CheckedData, n_rows: int, rng: np.random.RandomState) -> Any:
    """Return some random rows of X that are trained on, (n, D); None if none are needed."""
    if not n_rows:
        return None
    data, fold = checked.data, checked.fold
    chosen = np.arange(data.n_rows) if fold is None else fold.train
    if len(chosen) > n_rows:
        chosen = chosen[np.sort(rng.choice(len(chosen), n_rows, replace=False))]
    return data.rows_at(chosen).astype(FLOAT64)


def _inputs_of(network: Network, position: int, learned: Learned, rows: Any) -> Any:
    """Return the inputs of a node for some rows, side by side, (n, fan_in)."""
    found = []
    for source in network.nodes[position].sources:
        # Dropout and scales start as the identity; skipping them keeps a sparse input sparse.
        while source >= 0 and network.nodes[source].block.keeps_kind:
            (source,) = network.nodes[source].sources
        if source < 0:
            found.append(rows)
            continue
        nodes, own = network.nodes[: source + 1], learned[: source + 1]
        if not any(own):
            # A network that learns nothing, such as a selection of columns, has no dtype.
            width = network.width(source)
            nodes = (*nodes, Node("same", Scale(width), (source,)))
            own = [*own, (np.ones((1, 1, width)),)]
        found.append(Predictor(Network(network.inputs, nodes), own, FLOAT64)(rows))
    if len(found) == 1:
        return found[0]
    if any(map(sparse.issparse, found)):
        return sparse.csr_array(sparse.hstack(found))
    return np.hstack(found)


def _take_given(
    drawn: dict[str, list[Floats]], target: Outputs, coefs: Any, intercepts: Any
) -> None:
    """Replace drawn arrays by those that the user has given."""
    weights, biases = drawn["coefs_"], drawn["intercepts_"]
    own_weights = _checked("coefs_init", coefs, weights)
    own_biases = _checked("intercepts_init", intercepts, biases)
    for place, own in zip([*weights, *biases], [*own_weights, *own_biases], strict=True):
        place[...] = place if own is None else own
    # The user's arrays are in units of y.
    given = coefs is not None, intercepts is not None
    if any(given):
        unfolded = target.unfold(weights[-1], biases[-1])
        for place, own, is_given in zip((weights[-1], biases[-1]), unfolded, given, strict=True):
            if is_given:
                place[...] = own


def _checked(name: str, given: Any, drawn: Sequence[Floats]) -> Sequence[Floats | None]:
    """Return the user's arrays, checked; None for each layer if there are none."""
    if given is None:
        return [None] * len(drawn)
    check_option("fit", name, given, [ARRAYS, None])
    if len(given) != len(drawn):
        raise ValueError(f"{name} has {len(given)} arrays, but there are {len(drawn)} layers.")
    arrays = []
    for layer, (array, expected) in enumerate(zip(given, drawn, strict=True)):
        try:
            with checking():
                checked = check_array(array, ensure_2d=False, dtype=np.float64, input_name=name)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{name}[{layer}] is not an array of finite numbers: {error}"
            ) from None
        if checked.shape != expected.shape:
            raise ValueError(
                f"{name}[{layer}] has shape {checked.shape}, but layer {layer} needs"
                f" {expected.shape}."
            )
        arrays.append(checked)
    return arrays
