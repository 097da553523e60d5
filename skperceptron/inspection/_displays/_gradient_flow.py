"""Gradients layer by layer, at one moment or over epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ...options import Instance, Name, check_option
from .._gradients import GradientRecorder, gradient_rows
from ._common import CATEGORIES, Display, colors_by_depth, styled, tick_integers

#: What can be drawn, with the label of its axis and whether the axis is logarithmic.
QUANTITIES = {
    "gradient_norm": ("norm of the weights' gradient", True),
    "weight_norm": ("norm of the weights", False),
    "update_ratio": ("update-to-weight ratio", True),
    "signal": ("root mean square of dL/dz", True),
    "saturated": ("share of saturated units", False),
    "dead": ("share of dead units", False),
}

#: Positions on the x axis, and values there, of each layer.
Curves = Sequence[tuple[Sequence[float], Sequence[float]]]


@dataclass(eq=False, repr=False)
class GradientFlowDisplay(Display):
    """One quantity of :func:`~skperceptron.inspection.gradient_report` for each layer.

    It is recommended to use :meth:`from_estimator` or :meth:`from_recorder`.

    Parameters
    ----------
    values : dict of str to sequence of float
        By layer, first to last: one value for each epoch, or a single one.
    epochs : sequence of int
    quantity : str, default="gradient_norm"
        "gradient_norm", "weight_norm", "update_ratio", "signal", "saturated" or "dead".

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    bars_ : matplotlib.container.BarContainer or None
        One bar per layer, where there is one epoch.
    lines_ : list of matplotlib.lines.Line2D
        One per layer, where there are several.
    zeros_ : matplotlib.lines.Line2D or None
        Crosses at the bottom for values of zero, which a logarithmic axis cannot show.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.inspection import GradientFlowDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> deep = MLPSoftmaxClassifier((10,) * 6, "logistic", random_state=0)
    >>> deep = deep.partial_fit(X, y, classes=[0, 1, 2])
    >>> display = GradientFlowDisplay.from_estimator(deep, X, y)
    """

    values: Mapping[str, Sequence[float]]
    epochs: Sequence[int]
    quantity: str = "gradient_norm"

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        quantity: str = "gradient_norm",
        ax: Any = None,
        **kwargs: Any,
    ) -> GradientFlowDisplay:
        """Draw a fitted network's gradients as bars, one per layer.

        Parameters
        ----------
        estimator : MLPBinaryClassifier, MLPClassifier, MLPSoftmaxClassifier or MLPRegressor
            Or a pipeline or search that ends in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
            All four as for :func:`~skperceptron.inspection.gradient_report`.
        quantity : str, default="gradient_norm"
            As for the class.
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        GradientFlowDisplay
        """
        check_option("GradientFlowDisplay", "quantity", quantity, [Name(list(QUANTITIES))])
        rows = gradient_rows(estimator, X, y, sample_weight)
        values = {row["layer"]: [row[quantity]] for row in rows}
        return cls(values, [0], quantity).plot(ax, **kwargs)

    @classmethod
    def from_recorder(
        cls,
        recorder: GradientRecorder,
        *,
        quantity: str = "gradient_norm",
        ax: Any = None,
        **kwargs: Any,
    ) -> GradientFlowDisplay:
        """Draw what a recorder has collected of the latest fit as lines over the epochs.

        Parameters
        ----------
        recorder : GradientRecorder
        quantity : str, default="gradient_norm"
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        GradientFlowDisplay

        Raises
        ------
        ValueError
            If nothing has been recorded.
        """
        check_option("GradientFlowDisplay", "quantity", quantity, [Name(list(QUANTITIES))])
        check_option("GradientFlowDisplay", "recorder", recorder, [Instance(GradientRecorder)])
        if not recorder.rows_:
            raise ValueError("The recorder is empty: call its record method first.")
        pairs = enumerate(pairwise(recorder.rows_), start=1)
        # A fit begins where epochs go back. After a fit of one epoch they do not: the next begins
        # where the layers start again in epoch 1.
        begins = [
            i
            for i, (before, row) in pairs
            if row["epoch"] < before["epoch"] + (row["epoch"] == 1 and before["layer"] == "output")
        ]
        rows = recorder.rows_[begins[-1] if begins else 0 :]
        values: dict[str, list[float]] = {}
        for row in rows:
            values.setdefault(row["layer"], []).append(row[quantity])
        epochs = [row["epoch"] for row in rows if row["layer"] == rows[-1]["layer"]]
        return cls(values, epochs, quantity).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> GradientFlowDisplay:
        """Draw bars or lines.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            New ones, if None.
        **kwargs : dict
            For ``ax.bar`` or ``ax.plot``.

        Returns
        -------
        GradientFlowDisplay
            Itself.
        """
        label, is_logarithmic = QUANTITIES[self.quantity]
        ax = self._open(ax)
        self.bars_: Any = None
        self.lines_: list[Any] = []
        # Layers without this quantity, such as the output layer for "dead", are left out.
        drawn = {name: v for name, v in self.values.items() if not np.isnan(v).all()}
        draw = self._draw_bars if len(self.epochs) == 1 else self._draw_lines
        curves = draw(drawn, kwargs)
        is_logarithmic &= any(np.greater(values, 0).any() for values in drawn.values())
        ax.set(ylabel=label, yscale="log" if is_logarithmic else "linear")
        self.zeros_ = _mark_zeros(ax, curves) if is_logarithmic else None
        if self.quantity in ("saturated", "dead"):
            ax.set_ylim(-0.02, 1.02)
        return self

    def _draw_bars(self, drawn: Mapping[str, Sequence[float]], given: dict[str, Any]) -> Curves:
        """Draw a bar for each layer; return places and heights."""
        heights = [values[0] for values in drawn.values()]
        style = styled("patches.Rectangle", given, color=CATEGORIES[0])
        self.bars_ = self.ax_.bar(list(drawn), heights, **style)
        if len(drawn) > 7:
            self.ax_.tick_params(axis="x", rotation=60)
        self.ax_.set_xlabel("layer")
        return [([i], [height]) for i, height in enumerate(heights)]

    def _draw_lines(self, drawn: Mapping[str, Sequence[float]], given: dict[str, Any]) -> Curves:
        """Draw a line for each layer; return epochs and values."""
        colors = colors_by_depth(len(drawn))
        for color, (name, values) in zip(colors, drawn.items(), strict=True):
            style = styled("lines.Line2D", given, color=color, label=name)
            self.lines_ += self.ax_.plot(self.epochs, values, **style)
        self.ax_.set_xlabel("epoch")
        tick_integers(self.ax_.xaxis)
        if drawn:
            self.ax_.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), reverse=True)
        return [(self.epochs, values) for values in drawn.values()]


def _mark_zeros(ax: Any, curves: Curves) -> Any:
    """Mark zeros at the bottom of a logarithmic axis; return the line, if any."""
    places = [x for xs, values in curves for x, value in zip(xs, values, strict=True) if value == 0]
    if not places:
        return None
    least = min(value for _, values in curves for value in values if value > 0)
    foot = least / 10
    style = {"marker": "X", "markersize": 9, "linestyle": "none", "color": CATEGORIES[1]}
    (line,) = ax.plot(places, [foot] * len(places), **style, label="zero", zorder=4)
    ax.set_ylim(bottom=foot / 3)
    ax.annotate(
        "0", (min(places), foot), (8, 0), textcoords="offset points", va="center",
        color=CATEGORIES[1],
    )  # fmt: skip
    return line
