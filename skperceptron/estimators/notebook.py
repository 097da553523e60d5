"""How notebooks show fitted estimators: with a drawing.

The drawing is inline SVG: one box per layer, skip connections as arcs. It takes its colors
from the page, so that it is readable on light and dark pages, and has a title and a
description for screen readers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from html import escape
from typing import Any

import numpy as np

from .._sklearn.compat import VisualBlock
from ..engine.description import LAYER_NAMES, GraphEdge, GraphNode, describe

#: Pixels: width and height of a box, gap between boxes, height of an arc per box passed.
WIDTH, HEIGHT, GAP, RISE = 118, 58, 34, 16

#: Kinds of blocks that are visible in a drawing; the caption names all others.
PLAIN = ("affine", "activation", "link", "add")

#: Layers that are drawn; of a deeper network, the middle is left out.
DRAWN = 8


class NotebookMixin:
    """Shows the network of a fitted estimator in notebooks.

    Must precede ``BaseEstimator`` among the bases.
    """

    #: Names of the first, the hidden and the last layers.
    _layer_names: tuple[str, str, str] = LAYER_NAMES

    def _fitted_network(self) -> Any:
        """Return a FittedNetwork, or None if there is no fit."""
        return None

    def _drawn(self) -> tuple[NotebookMixin | None, str]:
        """Return the estimator whose network is drawn, or None, and a remark for the caption."""
        return (None if self._fitted_network() is None else self), ""

    def _repr_html_inner(self) -> str:
        with _outermost(self):
            return super()._repr_html_inner() + self._drawing()  # type: ignore[misc]

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        with _outermost(self):
            bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if "text/html" in bundle:
            bundle["text/html"] += self._drawing()
        return bundle

    def _get_params_html(self, *arguments: Any, **keywords: Any) -> Any:
        """Return the table of parameters; inside another estimator, with the drawing below."""
        table = super()._get_params_html(*arguments, **keywords)  # type: ignore[misc]
        # An enclosing estimator of this package has a drawing of its own.
        return table if _SHOWN.get() is not None else _WithDrawing(table, self._drawing())

    @property
    def _sk_visual_block_(self) -> Callable[[], Any]:
        """How the estimator looks inside another one: its layers, and how training has ended.

        An estimator without a network of its own lacks this attribute, so that scikit-learn shows
        what is inside it.
        """
        fitted = self._fitted_network()
        if fitted is None or VisualBlock is None:
            raise AttributeError("_sk_visual_block_")
        nodes, _ = describe(fitted.network, fitted.target.link_name)
        widths = [node.output_shape[1] for node in nodes if node.kind in ("input", "affine")]
        caption = ", ".join(["-".join(map(str, widths)), *_ending(self)])
        named = {"names": type(self).__name__, "name_details": str(self), "name_caption": caption}
        return partial(VisualBlock, "single", self, **named)

    def _drawing(self) -> str:
        """Return the fitted network as HTML, "" if there is none."""
        shown, remark = self._drawn()
        if shown is None:
            return ""
        fitted = shown._fitted_network()
        link = fitted.target.link_name
        nodes, edges = describe(fitted.network, link, layer_names=shown._layer_names)
        svg = draw(nodes, edges, type(shown).__name__)
        return framed(svg, "; ".join(filter(None, [remark, *_facts(nodes, shown)])))


#: The estimator of this package that is being shown; those inside it add no drawings.
_SHOWN: ContextVar[Any] = ContextVar("shown", default=None)


@contextmanager
def _outermost(estimator: Any) -> Iterator[None]:
    token = _SHOWN.set(estimator)
    try:
        yield
    finally:
        _SHOWN.reset(token)


class _WithDrawing:
    """A table of scikit-learn's with something below it."""

    def __init__(self, table: Any, below: str) -> None:
        self._table, self._below = table, below

    def _repr_html_inner(self) -> str:
        return f"{self._table._repr_html_inner()}{self._below}"


def framed(svg: str, caption: str) -> str:
    """Return a drawing that scrolls where it is too wide, and a line of text below it."""
    below = f'<div style="font-size: 0.9em">{escape(caption)}</div>' if caption else ""
    return f'<div style="overflow-x: auto; margin-top: 0.5em">{svg}{below}</div>'


def _facts(nodes: Sequence[GraphNode], estimator: Any) -> list[str]:
    """Return facts for the caption: blocks that are not drawn, and how training has ended."""
    kinds = dict.fromkeys(n.kind for n in nodes if n.kind not in ("input", *PLAIN))
    facts = [
        f"{kind.replace('_', ' ')} ({', '.join(n.layer for n in nodes if n.kind == kind)})"
        for kind in kinds
    ]
    if "dropout" in kinds and np.any(estimator.dropout):
        facts = [f"{f}: {estimator.dropout}" if f.startswith("dropout") else f for f in facts]
    return facts + _ending(estimator)


def _ending(estimator: Any) -> list[str]:
    facts = []
    if hasattr(estimator, "n_iter_"):
        facts.append(f"{estimator.n_iter_} epoch{'s' * (estimator.n_iter_ != 1)}")
    if isinstance(loss := getattr(estimator, "loss_", None), float):
        facts.append(f"final loss {loss:.4g}")
    if getattr(estimator, "best_validation_score_", None) is not None:
        facts.append(f"best validation score {estimator.best_validation_score_:.4g}")
    if getattr(estimator, "mistakes_", None):
        facts.append(f"{estimator.mistakes_[-1]} mistakes in the last")
    return facts


def layer_names_of(estimator: NotebookMixin) -> tuple[str, str, str]:
    """Return the names that an estimator gives to its first, its hidden and its last layers."""
    return estimator._layer_names


def draw(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], title: str) -> str:
    """Return a network as SVG; screen readers announce the title."""
    layers: dict[str, list[GraphNode]] = {}
    for node in nodes:
        layers.setdefault(node.layer, []).append(node)
    names = list(layers)
    columns = _columns(names)
    arcs = _arcs(nodes, edges, columns)
    top = 6 + RISE * max((stop - start for start, stop in arcs), default=0)
    width = columns[names[-1]] * (WIDTH + GAP) + WIDTH + 2
    height = top + HEIGHT + 2
    parts = [_box(columns[name], top, name, layers[name]) for name in names if name in columns]
    parts += [_arrow(column, top) for column in range(columns[names[-1]])]
    parts += [_arc(start, stop, top) for start, stop in arcs]
    if len(columns) < len(names):
        parts.append(_ellipsis(DRAWN // 2, top, len(names) - len(columns)))
    lines = "; ".join(", ".join([name, *_lines(layers[name])]) for name in names)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
        f' fill="currentColor" stroke="none"><title>{escape(title)}</title>'
        f"<desc>{escape(lines)}</desc>{''.join(parts)}</svg>"
    )


def _columns(names: Sequence[str]) -> dict[str, int]:
    """Return the column of each layer that is drawn."""
    if len(names) <= DRAWN:
        return {name: column for column, name in enumerate(names)}
    half = DRAWN // 2
    ends = [*names[:half], *names[-half + 1 :]]
    return {name: i + (i >= half) for i, name in enumerate(ends)}


def _arcs(
    nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], columns: dict[str, int]
) -> list[tuple[int, int]]:
    """Return the first and the last column of each skip connection."""
    layer = {node.name: node.layer for node in nodes}
    ends = {(layer[edge.source], layer[edge.target]) for edge in edges if edge.skips}
    return sorted((columns[a], columns[b]) for a, b in ends if a in columns and b in columns)


def _lines(nodes: Sequence[GraphNode]) -> list[str]:
    """Return what a layer's box says below its name."""
    units = nodes[-1].output_shape[1]
    functions = [node.function for node in nodes if node.kind in ("activation", "link")]
    return [f"{units} unit{'s' if units > 1 else ''}", *filter(None, functions[-1:])]


def _left(column: int) -> int:
    return 1 + column * (WIDTH + GAP)


def _box(column: int, top: int, name: str, nodes: Sequence[GraphNode]) -> str:
    x = _left(column)
    texts = [name, *_lines(nodes)]
    first = top + HEIGHT / 2 + 4 - 8 * (len(texts) - 1)
    frame = (
        f'<rect x="{x}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="currentColor"'
        ' fill-opacity="0.06" stroke="currentColor" stroke-opacity="0.6"/>'
    )
    weights = [' font-weight="bold"', *[""] * (len(texts) - 1)]
    return frame + "".join(
        f'<text x="{x + WIDTH / 2:g}" y="{first + 16 * i:g}" text-anchor="middle"{weight}>'
        f"{escape(shortened(text))}</text>"
        for i, (text, weight) in enumerate(zip(texts, weights, strict=True))
    )


def shortened(text: str, length: int = 17) -> str:
    """Return a text of at most some letters; an ellipsis stands for those left out."""
    return text if len(text) <= length else f"{text[: length - 1]}\N{HORIZONTAL ELLIPSIS}"


def _arrow(column: int, top: int) -> str:
    start, stop, y = _left(column) + WIDTH + 4, _left(column + 1) - 4, top + HEIGHT / 2
    return (
        f'<path d="M{start} {y:g}H{stop - 6}" stroke="currentColor" stroke-width="1.5"/>'
        f'<path d="M{stop} {y:g}l-8 -4v8z"/>'
    )


def _arc(start: int, stop: int, top: int) -> str:
    # Arcs leave a box right of its center and arrive left of it, so that their ends do not meet.
    a, b = _left(start) + 0.62 * WIDTH, _left(stop) + 0.38 * WIDTH
    peak = top - RISE * (stop - start) * 4 / 3
    return (
        f'<path d="M{a:g} {top}C{a:g} {peak:g} {b:g} {peak:g} {b:g} {top - 7}" fill="none"'
        ' stroke="currentColor" stroke-dasharray="4 3"/>'
        f'<path d="M{b:g} {top - 1}l-4 -8h8z"/>'
    )


def _ellipsis(column: int, top: int, n_hidden: int) -> str:
    x, y = _left(column) + WIDTH / 2, top + HEIGHT / 2 + 4
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle">{n_hidden} more</text>'
