"""The matrices of a network drawn to size: which one has which shape, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...engine.description import GraphNode, Shape
from .._graph import ComputationalGraph, affine_nodes, graph_for, shape_text
from ._common import CATEGORIES, Display, styled

#: The sign before each matrix of a layer, from left to right, and the color of the matrix.
SIGNS = {"input": "", "weights": "·", "biases": "+", "output": "="}
COLORS = {
    "input": CATEGORIES[0],
    "weights": CATEGORIES[1],
    "biases": CATEGORIES[5],
    "output": CATEGORIES[2],
}

#: Longer sides are drawn with this length; the label shows the true one.
LONGEST = 12

#: Rows that are drawn for a batch of any size.
ANY = 5


@dataclass(eq=False, repr=False)
class MatrixShapesDisplay(Display):
    """The matrix product of each layer, with rectangles for matrices.

    A layer with D inputs and H units maps a batch of B rows to ``Z = X W + 1 b``: X is B × D, W is
    D × H, b is 1 × H and Z is B × H. What is learned does not depend on the number of rows.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    graph : ComputationalGraph

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    rectangles_ : list of dict of str to matplotlib.patches.Rectangle
        One dict for each layer, with the keys "input", "weights", "biases" and "output".
    texts_ : list of matplotlib.text.Text

    Examples
    --------
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.inspection import MatrixShapesDisplay
    >>> display = MatrixShapesDisplay.from_estimator(
    ...     MLPSoftmaxClassifier((5,)), batch_size=8, n_features=4, n_outputs=3
    ... )
    """

    graph: ComputationalGraph

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        batch_size: int | None = None,
        n_features: int | None = None,
        n_outputs: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> MatrixShapesDisplay:
        """Draw the matrices of an estimator's network.

        Parameters
        ----------
        estimator : estimator of this package
            Fitted, or not; or a pipeline or fitted search that ends in one.
        batch_size : int, default=None
            Rows of the batch; if None, any number.
        n_features, n_outputs : int, default=None
            Widths of an estimator that is not fitted, as in
            :func:`~skperceptron.inspection.computational_graph`.
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        MatrixShapesDisplay
        """
        graph = graph_for(cls.__name__, estimator, batch_size, n_features, n_outputs)
        return cls(graph).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> MatrixShapesDisplay:
        """Draw one row for each layer.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            New ones, if None.
        **kwargs : dict
            For the rectangles, ``matplotlib.patches.Rectangle``.

        Returns
        -------
        MatrixShapesDisplay
            Itself.
        """
        layers = affine_nodes(self.graph)
        heights = [max(_drawn(shape)[0] for shape in _shapes(node).values()) for node in layers]
        ax = self._open(ax, height=0.6 + sum(0.19 * height + 0.75 for height in heights))
        self.rectangles_: list[dict[str, Any]] = []
        self.texts_: list[Any] = []
        top = 0.0
        for node, height in zip(layers, heights, strict=True):
            self._draw_layer(node, top, height, kwargs)
            top -= height + 4.5
        ax.set_aspect("equal")
        ax.autoscale_view()
        ax.margins(0.02)
        ax.set_axis_off()
        return self

    def _draw_layer(
        self, node: GraphNode, top: float, height: float, given: dict[str, Any]
    ) -> None:
        """Draw ``X W + b = Z`` below ``top``, all matrices centered on one line."""
        middle, left = top - height / 2, 0.0
        self._write(left, top + 1.9, f"{node.layer}  ({node.name})", ha="left", weight="bold")
        drawn = {}
        for name, shape in _shapes(node).items():
            rows, columns = _drawn(shape)
            if SIGNS[name]:
                self._write(left + 1.2, middle, SIGNS[name], size="x-large")
                left += 2.4
            drawn[name] = self._draw_matrix(name, (left, middle - rows / 2), (rows, columns), given)
            label = f"{name}\n{shape_text(shape, 'B')}"
            self._write(left + columns / 2, middle - rows / 2 - 0.3, label, va="top", size="small")
            # The label of a narrow matrix needs more room than the matrix.
            left += (columns + max(columns, 5.5)) / 2
        self.rectangles_.append(drawn)

    def _draw_matrix(self, name: str, corner: Any, size: tuple[int, int], given: dict) -> Any:
        from matplotlib.patches import Rectangle

        rows, columns = size
        style = styled("patches.Rectangle", given, facecolor=COLORS[name], alpha=0.35)
        frame = Rectangle(corner, columns, rows, **{"edgecolor": "black", **style})
        self.ax_.add_patch(frame)
        x, y = corner
        lines = {"color": "white", "linewidth": 1}
        self.ax_.hlines([y + i for i in range(1, rows)], x, x + columns, **lines)
        self.ax_.vlines([x + j for j in range(1, columns)], y, y + rows, **lines)
        return frame

    def _write(self, x: float, y: float, text: str, **style: Any) -> None:
        style = {"ha": "center", "va": "center", **style}
        self.texts_.append(self.ax_.text(x, y, text, **style))


def _shapes(node: GraphNode) -> dict[str, Shape]:
    """Return the shapes of a layer's matrices."""
    assert node.weight_shape is not None and node.bias_shape is not None
    return {
        "input": node.input_shape,
        "weights": node.weight_shape,
        "biases": (1, node.bias_shape[0]),
        "output": node.output_shape,
    }


def _drawn(shape: Shape) -> tuple[int, int]:
    """Return how many rows and columns of a matrix are drawn."""
    rows, columns = shape
    return min(ANY if rows is None else rows, LONGEST), min(columns, LONGEST)
