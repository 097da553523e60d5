"""Where the parameters of a network start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_array

from .._sklearn.checks import Extras, checking
from ..activations import Activation
from ..engine import Network
from ..engine.arrays import Floats
from ..initializers import ARRAYS, Layer
from ..options import check_option
from .choices import Choices
from .fitted import Outputs


def initial_parameters(
    network: Network, choices: Choices, target: Outputs, extras: Extras, rng: np.random.RandomState
) -> Floats:
    """Draw weights and biases layer by layer; all other blocks start as they declare.

    Parameters
    ----------
    network : Network
    choices : Choices
    target : Outputs
        In whose units the network starts.
    extras : Extras
        May hold arrays to start from, which take the place of those that are drawn.
    rng : RandomState

    Returns
    -------
    ndarray of shape (P,)
    """
    vector = np.empty((1, network.n_parameters))
    wiring, initializer = choices.wiring, choices.initializer
    activations: list[Activation | None] = [*wiring.activations]
    factors = [activation.init_factor for activation in wiring.activations]
    activations = [*activations[: len(wiring.hidden_sizes)], None]
    layer = 0
    for node, views in zip(network.nodes, network.views(vector), strict=True):
        if node.block.opens_layer:
            # scikit-learn's output layer follows the rule of the last hidden layer.
            factor = factors[min(layer, len(factors) - 1)]
            weight, bias = views
            fan_in, units = weight[0].shape
            asked = Layer(fan_in, units, activations[layer], factor)
            weight[0], bias[0, 0] = initializer.draw(asked, rng)
            layer += 1
            continue
        for view, start in zip(views, node.block.initial_arrays(rng), strict=True):
            view[0] = start.reshape(view.shape[1:])
    coefs, intercepts = extras.coefs_init, extras.intercepts_init
    _start_where_told(
        network.by_attribute(network.views(vector)),
        target,
        initializer.coefs_init if coefs is None else coefs,
        initializer.intercepts_init if intercepts is None else intercepts,
    )
    return vector[0]


def _start_where_told(
    drawn: dict[str, list[Floats]], target: Outputs, coefs: Any, intercepts: Any
) -> None:
    """Put the user's own arrays into the place of those that were drawn."""
    weights, biases = drawn["coefs_"], drawn["intercepts_"]
    own_weights = _checked("coefs_init", coefs, weights)
    own_biases = _checked("intercepts_init", intercepts, biases)
    for place, own in zip([*weights, *biases], [*own_weights, *own_biases], strict=True):
        place[...] = place if own is None else own
    # The user speaks the units of y.
    given = coefs is not None, intercepts is not None
    if any(given):
        unfolded = target.unfold(weights[-1], biases[-1])
        for place, own, is_given in zip((weights[-1], biases[-1]), unfolded, given, strict=True):
            if is_given:
                place[...] = own


def _checked(name: str, given: Any, drawn: Sequence[Floats]) -> Sequence[Floats | None]:
    """Return the user's arrays, or None for each, if there are none."""
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
            raise ValueError(f"{name}[{layer}] is no array of finite numbers: {error}") from None
        if checked.shape != expected.shape:
            raise ValueError(
                f"{name}[{layer}] has shape {checked.shape}, but layer {layer} needs"
                f" {expected.shape}."
            )
        arrays.append(checked)
    return arrays
