"""A small network neuron by neuron, with weights as lines; one neuron as in textbooks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit

from ...engine.arrays import Floats, Integers
from ...engine.description import GraphNode
from ...estimators.notebook import shortened
from .._graph import ComputationalGraph, affine_nodes
from ._common import CATEGORIES, WIDTH, arrow, style_of_weights, styled

#: Connections, neurons or boxes, texts, color bar.
Artists = tuple[list[Any], list[Any], list[Any], Any]

#: Units of a column that are drawn.
MAX_SHOWN = 16

#: Letters that fit above a picture, all columns together.
HEADER = 90

#: Letters of a unit's name that are shown, and the width of one in inches.
LONGEST, LETTER = 40, 0.07

#: Inches: a column with its heading, and the color bar.
COLUMN, COLOR_BAR = 0.55, 1.3

#: Inches of a column with its heading in the usual size, where there are few.
WIDE_COLUMN = 0.8

#: For a single neuron: horizontal places of inputs, sum, activation and output.
INPUT_X, SUM_X, BOX_X, OUTPUT_X = 1.0, 4.3, 7.0, 8.9

#: For a single neuron: curves of links on [-1, 1], drawn in the activation's box.
CURVES = {
    "identity": lambda t: t,
    "logistic": lambda t: 2 * expit(6 * t) - 1,
    "scaled_logistic": lambda t: 2 * expit(6 * t) - 1,
    "exp": lambda t: 2 * np.exp(2.5 * (t - 1)) - 1,
    "threshold": lambda t: np.where(t < 0, -1.0, 1.0),
}


@dataclass(frozen=True)
class Connections:
    """Weights between the units of two columns.

    Attributes
    ----------
    source, target : int
        Columns: 0 is the input, then one for each layer.
    weight : ndarray of shape (source units, target units)
    kind : {"trained", "fixed", "unknown"}
        "unknown": weights are ones, which only show what is connected.
    """

    source: int
    target: int
    weight: Floats
    kind: str


def connections_of(graph: ComputationalGraph) -> list[Connections]:
    """List the connections between columns, shortcuts included."""
    layers = list(graph.layers)
    column = {node.name: layers.index(node.layer) for node in graph.nodes}
    found = []
    for node in graph.nodes:
        edges = [edge for edge in graph.edges if edge.target == node.name]
        if node.kind == "affine":
            assert node.weight_shape is not None
            learned = node.parameters.get("weight")
            kind = "unknown" if learned is None else "trained" if node.trained else "fixed"
            whole = np.ones(node.weight_shape) if learned is None else learned
            weights = np.split(whole, np.cumsum([edge.shape[1] for edge in edges])[:-1])
        else:
            edges = [edge for edge in edges if edge.skips]
            kind, weights = "unknown", [np.eye(node.output_shape[1])] * len(edges)
        found += [
            Connections(column[edge.source], column[node.name], weight, kind)
            for edge, weight in zip(edges, weights, strict=True)
        ]
    return found


def shown_units(n_units: int, limit: int = MAX_SHOWN) -> Integers:
    """Return which units are drawn: all, or the first ones and the last."""
    if n_units <= limit:
        return np.arange(n_units)
    return np.array([*range(limit - 1), n_units - 1])


def draw_neurons(display: Any, open_axes: Any, kwargs: dict[str, Any]) -> Artists:
    """Draw a graph neuron by neuron; return the artists by kind."""
    graph: ComputationalGraph = display.graph
    layers = graph.layers
    units = [nodes[-1].output_shape[1] for nodes in layers.values()]
    shown = [shown_units(n) for n in units]
    ys = [_heights(n, len(s)) for n, s in zip(units, shown, strict=True)]
    tallest = max(float(np.ptp(y)) for y in ys)
    names = input_names(display, units[0])
    inputs = [names[i] for i in shown[0]]
    names = display.output_names or [""] * units[-1]
    outputs = [fitting_name(names[i]) for i in shown[-1]]
    sides = [_room(inputs), _room(outputs)]
    n_gaps = len(layers) - 1
    column = WIDE_COLUMN if n_gaps <= 6 else COLUMN
    width = max(WIDTH, column * n_gaps + sum(sides) + COLOR_BAR)
    ax = open_axes(float(np.clip(1.9 + 0.32 * tallest, 2.6, 7.0)), width)
    connections = connections_of(graph)
    lines = _draw_lines(ax, connections, shown, ys, kwargs)
    bar = None
    if "trained" in lines:
        label = "weight (trained connections)" if "fixed" in lines else "weight"
        bar = display.figure_.colorbar(lines["trained"], ax=ax, label=label, shrink=0.7, pad=0.02)
    nodes, texts = [], []
    size = float(np.clip(150 / max(tallest, 1), 7, 15))
    for x, y in enumerate(ys):
        nodes += ax.plot([x] * len(y), y, "o", ms=size, mfc="white", mec="0.2", zorder=3)
        if len(y) < units[x]:
            texts.append(ax.text(x, (y[-1] + y[-2]) / 2, "⋮", ha="center", va="center"))
    texts += _name_units(ax, inputs, ys[0], size, 0)
    if display.output_names:
        texts += _name_units(ax, outputs, ys[-1], size, len(ys) - 1)
    top = tallest / 2 + max(_bump(link.target - link.source) for link in connections)
    texts += _name_layers(ax, list(layers.items()), top + 0.7)
    texts += _write_values(ax, list(layers.values()), shown, ys, size)
    ax.set(xlim=_limits(ax, sides, len(ys), bar is not None), ylim=(-tallest / 2 - 0.8, top + 2.6))
    return list(lines.values()), nodes, texts, bar


def _heights(n_units: int, n_shown: int) -> Floats:
    """Return the units' heights around zero, the first on top; dots take the place of a unit."""
    if n_shown == n_units:
        return (n_units - 1) / 2 - np.arange(n_units)
    places = np.array([*range(n_shown - 1), n_shown])
    return n_shown / 2 - places


def _draw_lines(
    ax: Any, connections: list[Connections], shown: Any, ys: Any, kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Draw one collection of lines for each kind of connection."""
    from matplotlib.collections import LineCollection

    lines: dict[str, Any] = {}
    for kind in ("trained", "fixed", "unknown"):
        paths, weights = _lines_of(kind, connections, shown, ys)
        if not paths:
            continue
        style = _style(kind, weights, bool(lines))
        # Dashed lines beside weights only show what is connected: they keep their own style.
        given = {} if kind == "unknown" and lines else kwargs
        style = styled("collections.LineCollection", given, **style)
        lines[kind] = ax.add_collection(LineCollection(paths, **style))
    return lines


def _style(kind: str, weights: Floats, has_weights: bool) -> dict[str, Any]:
    if kind == "unknown":
        return {"color": "0.55", "lw": 0.8, "ls": "--" if has_weights else "-", "zorder": 2}
    style, sizes = style_of_weights(weights)
    return {**style, "linewidths": 0.3 + 2.7 * sizes if kind == "trained" else 0.8, "zorder": 1}


def _lines_of(
    kind: str, connections: list[Connections], shown: Any, ys: Any
) -> tuple[list[Floats], Floats]:
    """Return paths and weights of one kind that are not zero, the strong ones last."""
    paths, weights = [], []
    for link in connections:
        weight = link.weight[np.ix_(shown[link.source], shown[link.target])]
        for i, j in np.argwhere(weight) if link.kind == kind else ():
            start, stop = (link.source, ys[link.source][i]), (link.target, ys[link.target][j])
            paths.append(_path(start, stop))
            weights.append(weight[i, j])
    order = np.argsort(np.abs(weights))
    return [paths[i] for i in order], np.array(weights)[order]


def _path(start: tuple[float, float], stop: tuple[float, float]) -> Floats:
    """Return a line, bent upwards where it passes columns."""
    n_passed = stop[0] - start[0] - 1
    t = np.linspace(0, 1, 2 if n_passed <= 0 else 25)[:, np.newaxis]
    line = (1 - t) * np.array(start) + t * np.array(stop)
    line[:, 1] += 4 * t[:, 0] * (1 - t[:, 0]) * _bump(n_passed + 1)
    return line


def _bump(n_columns: float) -> float:
    """Return how far a line that spans some columns is bent."""
    return 0.0 if n_columns < 2 else 0.15 + 0.35 * n_columns


def _name_units(ax: Any, names: list[str], ys: Floats, size: float, x: int) -> list[Any]:
    """Write names left of the inputs, or right of the outputs."""
    side = -1 if x == 0 else 1
    beside = {"textcoords": "offset points", "xytext": (side * (size / 2 + 4), 0)}
    style = {"ha": "right" if side < 0 else "left", "va": "center", "fontsize": 9}
    return [ax.annotate(name, (x, y), **style, **beside) for name, y in zip(names, ys, strict=True)]


def input_names(display: Any, n_inputs: int) -> list[str]:
    """Return the names that are written beside the inputs."""
    if display.feature_names:
        return list(map(fitting_name, display.feature_names))
    return [f"$x_{{{i + 1}}}$" for i in range(n_inputs)]


def fitting_name(name: str) -> str:
    """Return a name that fits and is not taken for a formula."""
    return shortened(name, LONGEST).replace("$", r"\$")


def _room(names: list[str]) -> float:
    """Return the inches for names beside a column, but at least for half a heading."""
    return max(0.5, 0.25 + LETTER * max(map(len, names)))


def _limits(ax: Any, sides: list[float], n_columns: int, has_bar: bool) -> tuple[float, float]:
    """Return limits of the x axis that leave room for the names at both sides, in inches."""
    figure = ax.figure
    width = figure.bbox.width / figure.dpi
    # One of several pictures in a figure has its own width.
    is_alone = len(figure.axes) <= 1 + has_bar
    inches = width - 0.2 - COLOR_BAR * has_bar if is_alone else width * ax.get_position().width
    per_inch = (n_columns - 1) / max(inches - sum(sides), 1.0)
    return -sides[0] * per_inch, n_columns - 1 + sides[1] * per_inch


def _name_layers(ax: Any, layers: list[tuple[str, Any]], height: float) -> list[Any]:
    texts = []
    for x, (name, nodes) in enumerate(layers):
        functions = [n.function for n in nodes if n.kind in ("activation", "link")]
        units = nodes[-1].output_shape[1]
        lines = [name, f"{units} unit{'s' if units > 1 else ''}"]
        lines += [_fitting(function, max(HEADER // len(layers), 12)) for function in functions[-1:]]
        lines += [""] * (3 - len(lines))
        text = "\n".join(lines)
        small = 9 if len(layers) <= 9 else 7
        texts.append(ax.text(x, height, text, ha="center", va="bottom", fontsize=small))
    return texts


def _fitting(function: str, length: int) -> str:
    """Return a function's name, with parameters only if there is room for them."""
    return function if len(function) <= length else shortened(function.split("(")[0], length)


def _write_values(
    ax: Any, layers: list[tuple[GraphNode, ...]], shown: Any, ys: Any, size: float
) -> list[Any]:
    """Write the values of one row below the neurons."""
    texts = []
    for x, (nodes, of_column, y) in enumerate(zip(layers, shown, ys, strict=True)):
        value = nodes[-1].value
        if value is None or len(value) != 1:
            continue
        style = {"ha": "center", "va": "top", "fontsize": 7, "zorder": 4}
        style["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.3, "alpha": 0.7}
        below = {"textcoords": "offset points", "xytext": (0, -size / 2 - 1.5)}
        texts += [
            ax.annotate(f"{value[0, unit]:.3g}", (x, height), **below, **style)
            for unit, height in zip(of_column, y, strict=True)
        ]
    return texts


def draw_single_neuron(display: Any, open_axes: Any, kwargs: dict[str, Any]) -> Artists:
    """Draw a graph whose only layer has one unit; return the artists by kind."""
    graph = display.graph
    affine: Any = affine_nodes(graph)[0]
    if affine.value is not None:
        # In units of y, as weights and bias are; values are in those of the network.
        x = next(graph[edge.source].value for edge in graph.edges if edge.target == affine.name)
        z = x @ affine.parameters["weight"] + affine.parameters["bias"]
        affine = replace(affine, value=z)
    names = input_names(display, affine.weight_shape[0])
    shown = shown_units(len(names), 8)
    drawn = len(shown) + (len(shown) < len(names))
    named = [_with_value(names[i], graph.nodes[0], i) for i in shown]
    output = fitting_name(display.output_names[0]) if display.output_names else ""
    # Room for the names: twelve units take seven inches, and a letter of 10 points 0.17 units.
    left = min(-1.2, INPUT_X - 0.6 - 0.17 * max(map(len, named)))
    right = max(10.8, OUTPUT_X + 0.4 + 0.17 * len(output))
    ax = open_axes(1.6 + 0.52 * drawn, (right - left) / 12 * WIDTH)
    # The dots that stand for omitted inputs take a place of their own.
    places = np.linspace(1, -1, drawn) * 0.5 * max(drawn - 1, 1)
    gap = len(shown) - 1 if drawn > len(shown) else drawn
    ys = np.delete(places, gap) if gap < drawn else places
    weight = affine.parameters["weight"][shown, 0] if affine.parameters else None
    lines = _draw_lines_of_inputs(ax, ys, weight, kwargs)
    nodes, texts = _draw_inputs(ax, ys, named, weight, shown)
    if gap < drawn:
        texts.append(ax.text(INPUT_X, places[gap], "⋮", ha="center", va="center", fontsize=14))
    more_nodes, more_texts = _draw_body(ax, affine, graph.nodes[-1])
    margin = 0.75
    if output:
        more_texts.append(ax.text(OUTPUT_X + 0.15, -0.75, output, ha="left", va="center"))
    ax.set(xlim=(left, right), ylim=(min(places[-1], -1.9) - margin, max(places[0], 1.0) + margin))
    return [lines], nodes + more_nodes, texts + more_texts, None


def _draw_lines_of_inputs(ax: Any, ys: Any, weight: Any, kwargs: dict[str, Any]) -> Any:
    from matplotlib.collections import LineCollection

    segments = [[(INPUT_X, y), (SUM_X, 0)] for y in ys]
    style: dict[str, Any] = {"color": "0.5"}
    if weight is not None:
        style, sizes = style_of_weights(weight)
        style["linewidths"] = 0.8 + 3.2 * sizes
    style = styled("collections.LineCollection", kwargs, zorder=1, **style)
    return ax.add_collection(LineCollection(segments, **style))


def _draw_inputs(
    ax: Any, ys: Any, names: list[str], weight: Any, shown: Any
) -> tuple[list[Any], list[Any]]:
    """Draw inputs with their names, and weights on the lines."""
    nodes = list(ax.plot([INPUT_X] * len(ys), ys, "o", ms=15, mfc="white", mec="0.2", zorder=3))
    texts = []
    for i, (y, name) in enumerate(zip(ys, names, strict=True)):
        texts.append(ax.text(INPUT_X - 0.35, y, name, ha="right", va="center"))
        label = f"$w_{{{shown[i] + 1}}}$" if weight is None else f"{weight[i]:.2g}"
        # On the line, a third of the way along, where lines are still far apart.
        x = INPUT_X + (SUM_X - INPUT_X) / 3
        background = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        texts.append(
            ax.text(x, 2 / 3 * y, label, ha="center", va="center", fontsize=9, bbox=background)
        )
    return nodes, texts


def _draw_body(ax: Any, affine: Any, link: Any) -> tuple[list[Any], list[Any]]:
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
        nodes += ax.plot(BOX_X + 0.42 * t, 0.42 * curve, color=CATEGORIES[0], lw=2, zorder=4)
    return nodes, texts


def _with_value(name: str, node: Any, unit: int = 0) -> str:
    """Return a name, with the value of one of a node's units if it holds the values of one row."""
    has_value = node.value is not None and len(node.value) == 1
    return f"{name} = {node.value[0, unit]:.3g}" if has_value else name
