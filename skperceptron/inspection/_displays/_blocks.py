"""A network block by block: boxes from top to bottom, skip connections at the side."""

from __future__ import annotations

from typing import Any

from ...engine.description import GraphNode
from ...estimators.notebook import shortened
from .._graph import ComputationalGraph, shape_text
from ._common import arrow, styled
from ._neurons import Artists

#: Fill colors by kind of block: tints of Okabe & Ito's colors.
TINTS = {
    "affine": "#CCE3F0",
    "activation": "#F7DFCC",
    "link": "#F7DFCC",
    "add": "#CCECE3",
    "input": "#EEEEEE",
}
OTHER = "#F5E4ED"

#: Half the width of a box, its height, and the distance from one to the next.
HALF, HEIGHT, STEP = 2.2, 0.7, 1.0


def draw_blocks(display: Any, open_axes: Any, kwargs: dict[str, Any]) -> Artists:
    """Draw a graph block by block; return the artists by kind."""
    graph: ComputationalGraph = display.graph
    ys = {node.name: -STEP * i for i, node in enumerate(graph.nodes)}
    ax = open_axes(height=0.3 + 0.6 * len(graph.nodes))
    from matplotlib.patches import FancyBboxPatch

    boxes, texts = [], []
    for node in graph.nodes:
        tint = TINTS.get(node.kind, OTHER)
        shape = "round,pad=0,rounding_size=0.12"
        style = styled("patches.FancyBboxPatch", kwargs, boxstyle=shape, fc=tint, ec="0.25", lw=1.0)
        corner = (-HALF, ys[node.name] - HEIGHT / 2)
        boxes.append(ax.add_patch(FancyBboxPatch(corner, 2 * HALF, HEIGHT, **style)))
        texts += _texts(ax, node, ys[node.name])
    arrows = [
        arrow(ax, (0, ys[edge.source] - HEIGHT / 2), (0, ys[edge.target] + HEIGHT / 2))
        for edge in graph.edges
        if not edge.skips
    ]
    lanes = _lanes(graph)
    arrows += [_detour(ax, ys, lane, source, target) for lane, (source, target) in lanes]
    n_lanes = max((lane for lane, _ in lanes), default=-1) + 1
    bottom = -STEP * (len(graph.nodes) - 1)
    ax.set(xlim=(-HALF - 2.6, HALF + max(2.6, 0.5 + 0.35 * n_lanes)), ylim=(bottom - 0.5, 0.5))
    return arrows, boxes, texts, None


def _texts(ax: Any, node: GraphNode, y: float) -> list[Any]:
    """Write name and function into the box, the layer left of it, shapes right below."""
    title = node.name if not node.function else f"{node.name}: {node.function}"
    lines = [shortened(title, 36)]
    if node.n_parameters:
        weight = "" if node.weight_shape is None else f"{shape_text(node.weight_shape)}, "
        fixed = "" if node.trained else ", fixed"
        lines.append(f"{weight}{node.n_parameters:,} parameters{fixed}")
    style = {"va": "center", "fontsize": 8.5}
    texts = [ax.text(0, y, "\n".join(lines), ha="center", linespacing=1.3, **style)]
    texts.append(ax.text(-HALF - 0.15, y, node.layer, ha="right", color="0.3", **style))
    if node.kind != "link":
        place = (0.12, y - STEP / 2)
        shape = shape_text(node.output_shape)
        texts.append(ax.text(*place, shape, ha="left", va="center", fontsize=7.5, color="0.3"))
    return texts


def _lanes(graph: ComputationalGraph) -> list[tuple[int, tuple[str, str]]]:
    """Give each skip connection the innermost lane that is free along its way."""
    order = {node.name: i for i, node in enumerate(graph.nodes)}
    ways = [(edge.source, edge.target) for edge in graph.edges if edge.skips]
    ways.sort(key=lambda way: order[way[1]] - order[way[0]])
    taken: list[tuple[int, int, int]] = []
    lanes = []
    for source, target in ways:
        start, stop = order[source], order[target]
        busy = {lane for lane, a, b in taken if a <= stop and start <= b}
        lane = next(lane for lane in range(len(ways)) if lane not in busy)
        taken.append((lane, start, stop))
        lanes.append((lane, (source, target)))
    return lanes


def _detour(ax: Any, ys: dict[str, float], lane: int, source: str, target: str) -> Any:
    """Draw a skip connection: out at the right, down its lane, and in again."""
    x = HALF + 0.45 + 0.35 * lane
    # Lines arrive above the middle of a box and leave below it.
    start, stop = ys[source] - 0.14, ys[target] + 0.14
    ax.plot([HALF, x, x], [start, start, stop], color="0.25", lw=1.1, ls="--")
    return arrow(ax, (x, stop), (HALF, stop), ls="--")
