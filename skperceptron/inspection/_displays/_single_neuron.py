"""The textbook drawing of one neuron: inputs, weights, bias, sum, activation, output."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit

from ._common import arrow, style_of_weights, styled
from ._neurons import Artists, fitting_name, input_names, shown_units

#: Horizontal places of inputs, sum, activation and output.
INPUT_X, SUM_X, BOX_X, OUTPUT_X = 1.0, 4.3, 7.0, 8.9

#: Curves of links on [-1, 1], drawn in the activation's box.
CURVES = {
    "identity": lambda t: t,
    "logistic": lambda t: 2 * expit(6 * t) - 1,
    "scaled_logistic": lambda t: 2 * expit(6 * t) - 1,
    "exp": lambda t: 2 * np.exp(2.5 * (t - 1)) - 1,
    "threshold": lambda t: np.where(t < 0, -1.0, 1.0),
}


def draw_single_neuron(display: Any, open_axes: Any, kwargs: dict[str, Any]) -> Artists:
    """Draw a graph whose only layer has one unit; return the artists by kind."""
    graph = display.graph
    affine = next(node for node in graph.nodes if node.kind == "affine")
    if affine.value is not None:
        # In units of y, as weights and bias are; values are in those of the network.
        x = next(graph[edge.source].value for edge in graph.edges if edge.target == affine.name)
        z = x @ affine.parameters["weight"] + affine.parameters["bias"]
        affine = replace(affine, value=z)
    names = input_names(display, affine.weight_shape[0])
    shown = shown_units(len(names), 8)
    drawn = len(shown) + (len(shown) < len(names))
    ax = open_axes(height=1.6 + 0.52 * drawn)
    # The dots that stand for omitted inputs take a place of their own.
    places = np.linspace(1, -1, drawn) * 0.5 * max(drawn - 1, 1)
    gap = len(shown) - 1 if drawn > len(shown) else drawn
    ys = np.delete(places, gap) if gap < drawn else places
    weight = affine.parameters["weight"][shown, 0] if affine.parameters else None
    lines = _lines(ax, ys, weight, kwargs)
    nodes, texts = _inputs(ax, ys, [names[i] for i in shown], weight, graph.nodes[0], shown)
    if gap < drawn:
        texts.append(ax.text(INPUT_X, places[gap], "⋮", ha="center", va="center", fontsize=14))
    more_nodes, more_texts = _body(ax, affine, graph.nodes[-1])
    margin = 0.75
    longest = max((len(t.get_text()) for t in texts if t.get_ha() == "right"), default=0)
    # Room for the names: twelve units take six inches, and a letter of 10 points 0.16 units.
    left = min(-1.2, INPUT_X - 0.6 - 0.17 * longest)
    right = 10.8
    if display.output_names:
        name = fitting_name(display.output_names[0])
        more_texts.append(ax.text(OUTPUT_X + 0.15, -0.75, name, ha="left", va="center"))
        right = max(right, OUTPUT_X + 0.4 + 0.17 * len(name))
    ax.set(xlim=(left, right), ylim=(min(places[-1], -1.9) - margin, max(places[0], 1.0) + margin))
    return [lines], nodes + more_nodes, texts + more_texts, None


def _lines(ax: Any, ys: Any, weight: Any, kwargs: dict[str, Any]) -> Any:
    from matplotlib.collections import LineCollection

    segments = [[(INPUT_X, y), (SUM_X, 0)] for y in ys]
    style: dict[str, Any] = {"color": "0.5"}
    if weight is not None:
        style, sizes = style_of_weights(weight)
        style["linewidths"] = 0.8 + 3.2 * sizes
    style = styled("collections.LineCollection", kwargs, zorder=1, **style)
    return ax.add_collection(LineCollection(segments, **style))


def _inputs(
    ax: Any, ys: Any, names: list[str], weight: Any, node: Any, shown: Any
) -> tuple[list[Any], list[Any]]:
    """Draw inputs with their names, and weights on the lines."""
    nodes = list(ax.plot([INPUT_X] * len(ys), ys, "o", ms=15, mfc="white", mec="0.2", zorder=3))
    texts = []
    for i, (y, name) in enumerate(zip(ys, names, strict=True)):
        named = _with_value(name, node, shown[i])
        texts.append(ax.text(INPUT_X - 0.35, y, named, ha="right", va="center"))
        label = f"$w_{{{shown[i] + 1}}}$" if weight is None else f"{weight[i]:.2g}"
        # On the line, a third of the way along, where lines are still far apart.
        x = INPUT_X + (SUM_X - INPUT_X) / 3
        background = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        texts.append(
            ax.text(x, 2 / 3 * y, label, ha="center", va="center", fontsize=9, bbox=background)
        )
    return nodes, texts


def _body(ax: Any, affine: Any, link: Any) -> tuple[list[Any], list[Any]]:
    """Draw sum, bias, activation and output."""
    from matplotlib.patches import FancyBboxPatch

    nodes = list(ax.plot([SUM_X], [0], "o", ms=34, mfc="white", mec="0.2", zorder=3))
    box = FancyBboxPatch(
        (BOX_X - 0.5, -0.5), 1.0, 1.0, boxstyle="round,pad=0.08", fc="white", ec="0.2", zorder=3
    )
    nodes.append(ax.add_patch(box))
    bias = "b" if not affine.parameters else f"b = {affine.parameters['bias'][0]:.2g}"
    texts = [
        ax.text(SUM_X, 0, "Σ", ha="center", va="center", fontsize=17, zorder=4),
        ax.text(SUM_X, -1.75, bias, ha="center", va="center"),
        ax.text(BOX_X, 0.85, link.function, ha="center", va="bottom"),
        ax.text(OUTPUT_X + 0.15, 0, _with_value("$\\hat{y}$", link), ha="left", va="center"),
        ax.text(
            (SUM_X + BOX_X) / 2 - 0.05, 0.16, _with_value("z", affine), ha="center", va="bottom"
        ),
    ]
    arrow(ax, (SUM_X, -1.5), (SUM_X, -0.62), color="0.2")
    arrow(ax, (SUM_X + 0.52, 0), (BOX_X - 0.6, 0), color="0.2")
    arrow(ax, (BOX_X + 0.6, 0), (OUTPUT_X, 0), color="0.2")
    if link.function in CURVES:
        t = np.linspace(-1, 1, 200)
        curve = CURVES[link.function](t)
        nodes += ax.plot(BOX_X + 0.42 * t, 0.42 * curve, color="#0072B2", lw=2, zorder=4)
    return nodes, texts


def _with_value(name: str, node: Any, unit: int = 0) -> str:
    """Return a name, with the value of one of a node's units if it holds the values of one row."""
    has_value = node.value is not None and len(node.value) == 1
    return f"{name} = {node.value[0, unit]:.3g}" if has_value else name
