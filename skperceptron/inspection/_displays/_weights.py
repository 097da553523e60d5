"""Weights as images or histograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isqrt, sqrt
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...engine.arrays import Floats
from ...options import COUNT, Instance, Listing, Name, check_option
from .._graph import computational_graph
from .._networks import unwrapped
from ._common import DIVERGING, Display, colors_by_depth, largest, styled

#: Valid shapes of an image.
SHAPE = Listing([COUNT], "two positive integers, (height, width)", 2)

#: Features from which a square input is taken for an image.
IMAGE_FROM = 16

#: The histograms of layers differ in these, too, beside their colors.
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

#: Ratio of the largest weights of two layers from which each layer is shown in its own unit.
RELATIVE_FROM = 8.0


@dataclass(eq=False, repr=False)
class WeightsDisplay(Display):
    """First-layer weights as images, or the distribution of every layer's weights.

    It is recommended to use :meth:`from_estimator` or :meth:`from_weights`.

    Parameters
    ----------
    weights : dict of str to ndarray of shape (fan_in, units)
        By layer, first to last.
    kind : {"images", "histogram"}
    image_shape : tuple of two int, default=None
        Of the input; needed for images.
    max_images : int, default=25
        Largest number of units that are shown.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    image_ : matplotlib.image.AxesImage or None
        All images side by side, with gaps of one pixel.
    histograms_ : list of matplotlib.patches.StepPatch
        One per layer.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.inspection import WeightsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((16,), tol=1e-1, random_state=0).fit(X, y)
    >>> display = WeightsDisplay.from_estimator(network)
    """

    weights: Mapping[str, Floats]
    kind: str
    image_shape: tuple[int, int] | None = None
    max_images: int = 25

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        kind: str = "auto",
        image_shape: tuple[int, int] | None = None,
        max_images: int = 25,
        ax: Any = None,
        **kwargs: Any,
    ) -> WeightsDisplay:
        """Draw the weights of a fitted estimator.

        Parameters
        ----------
        estimator : estimator of this package
            Or a pipeline or search that ends in one.
        kind : {"auto", "images", "histogram"}, default="auto"
            "images": the weights of each unit of the first layer, as an image of the input.
            "histogram": one for each layer. "auto" draws images if `image_shape` is given or
            the number of features is a square number of at least 16.
        image_shape : tuple of two int, default=None
            Height and width of the input; a square, if None.
        max_images : int, default=25
            Largest number of units that are shown, the first ones.
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        WeightsDisplay

        Raises
        ------
        TypeError
            If the estimator is not one of this package's.
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `kind` or `image_shape` does not fit.
        """
        estimator = unwrapped(estimator)
        check_is_fitted(estimator)
        nodes = computational_graph(estimator).nodes
        weights = {n.layer: n.parameters["weight"] for n in nodes if "weight" in n.parameters}
        is_embedded = len(next(iter(weights.values()))) != nodes[0].output_shape[1]
        if kind == "auto" and image_shape is None and is_embedded:
            kind = "histogram"
        kwargs |= {"kind": kind, "image_shape": image_shape, "max_images": max_images}
        return cls.from_weights(weights, ax=ax, **kwargs)

    @classmethod
    def from_weights(
        cls,
        weights: Mapping[str, Floats],
        *,
        kind: str = "auto",
        image_shape: tuple[int, int] | None = None,
        max_images: int = 25,
        ax: Any = None,
        **kwargs: Any,
    ) -> WeightsDisplay:
        """Draw given weights.

        Parameters
        ----------
        weights : dict of str to ndarray of shape (fan_in, units)
            By layer, first to last.
        kind : {"auto", "images", "histogram"}, default="auto"
        image_shape : tuple of two int, default=None
        max_images : int, default=25
            All three as in :meth:`from_estimator`.
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        WeightsDisplay

        Raises
        ------
        ValueError
            If there are no weights, or `kind` or `image_shape` does not fit.
        """
        check_option("WeightsDisplay", "kind", kind, [Name(("auto", "images", "histogram"))])
        check_option("WeightsDisplay", "weights", weights, [Instance(Mapping, "a dict of arrays")])
        check_option("WeightsDisplay", "max_images", max_images, [COUNT])
        check_option("WeightsDisplay", "image_shape", image_shape, [SHAPE, None])
        if not weights:
            raise ValueError("weights is empty: one layer or more is needed.")
        n_features = len(next(iter(weights.values())))
        side = isqrt(n_features)
        if kind == "auto":
            is_image = image_shape is not None or side * side == n_features >= IMAGE_FROM
            kind = "images" if is_image else "histogram"
        if kind == "images":
            height, width = shape = (side, side) if image_shape is None else image_shape
            if height * width != n_features:
                raise ValueError(
                    f"image_shape={image_shape!r} must be (height, width) with height * width"
                    f" equal to the {n_features} features."
                )
            image_shape = shape
        return cls(weights, kind, image_shape, max_images).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> WeightsDisplay:
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            New ones, if None.
        **kwargs : dict
            For ``ax.imshow`` or ``ax.stairs``.

        Returns
        -------
        WeightsDisplay
            Itself.
        """
        self.image_: Any = None
        self.histograms_: list[Any] = []
        if self.kind == "images":
            self._plot_images(ax, kwargs)
        else:
            self._plot_histograms(ax, kwargs)
        return self

    def _plot_images(self, ax: Any, kwargs: dict[str, Any]) -> None:
        assert self.image_shape is not None
        name, weight = next(iter(self.weights.items()))
        images = weight.T[: self.max_images]
        tiles = mosaic(images.reshape(-1, *self.image_shape))
        ax = self._open(ax, height=min(7.0, 0.6 + 6.0 * tiles.shape[0] / tiles.shape[1]))
        limit = largest(images)
        limits = {} if "norm" in kwargs else {"vmin": -limit, "vmax": limit}
        self.image_ = ax.imshow(tiles, **{"cmap": DIVERGING, **limits, **kwargs})
        self.figure_.colorbar(self.image_, ax=ax, label="weight", shrink=0.8)
        units = weight.shape[1]
        shown = "all" if len(images) == units else f"the first {len(images)} of"
        ax.set_title(f"{name}: weights of {shown} {units} units")
        ax.set_axis_off()

    def _plot_histograms(self, ax: Any, kwargs: dict[str, Any]) -> None:
        ax = self._open(ax)
        colors = colors_by_depth(len(self.weights))
        limits = {name: largest(weight) for name, weight in self.weights.items()}
        # A perceptron has fixed weights of 1 and -1, and counts of corrections: each layer then
        # has a unit of its own.
        is_relative = max(limits.values()) > RELATIVE_FROM * min(limits.values())
        for i, (name, weight) in enumerate(self.weights.items()):
            unit = limits[name] if is_relative else 1.0
            values, bins = weight / unit, int(np.clip(sqrt(weight.size), 5, 30))
            # As NumPy does with equal numbers, also with those that differ by rounding errors.
            margin = 0.5 * (np.ptp(values) < 1e-6 * largest(values))
            ends = values.min() - margin, values.max() + margin
            counts, edges = np.histogram(values, bins, ends)
            style = {"color": colors[i], "linestyle": LINE_STYLES[i % len(LINE_STYLES)]}
            label = f"{name} (largest: {limits[name]:.3g})" if is_relative else name
            style = styled("patches.StepPatch", kwargs, linewidth=1.8, label=label, **style)
            self.histograms_.append(ax.stairs(counts / weight.size, edges, **style))
        own = ", in units of the layer's largest" if is_relative else ""
        ax.set(xlabel=f"weight{own}", ylabel="share of the layer's weights", ylim=(0, None))
        ax.legend()


def mosaic(images: Floats) -> Floats:
    """Lay images, (n, height, width), side by side; gaps of one pixel are NaN."""
    n, height, width = images.shape
    n_columns = ceil(sqrt(n))
    n_rows = ceil(n / n_columns)
    tiles = np.full((n_rows * (height + 1) - 1, n_columns * (width + 1) - 1), np.nan)
    for i, image in enumerate(images):
        top, left = i // n_columns * (height + 1), i % n_columns * (width + 1)
        tiles[top : top + height, left : left + width] = image
    return tiles
