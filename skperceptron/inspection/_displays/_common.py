"""What all displays share: the import of matplotlib when something is drawn, and colors.

Categories have the colors of Okabe & Ito (2008), amounts those of cividis, signed numbers
those of coolwarm: people with any kind of color vision can distinguish them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ...engine.arrays import Floats
from ...options import Instance, check_option

#: Okabe & Ito's palette, the yellow (too pale for lines on white) left out.
CATEGORIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
SEQUENTIAL = "cividis"
DIVERGING = "coolwarm"

#: Width of a picture in inches: 700 pixels at matplotlib's 100 dots per inch.
WIDTH = 7.0


def axes_or_new(caller: str, ax: Any, height: float = 4.0, width: float = WIDTH) -> Any:
    """Return the given axes, or new ones if there are none.

    Raises an error, which names the caller, if matplotlib is not installed, or `ax` is not an Axes.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f"{caller} requires matplotlib. Install it with `pip install matplotlib` or"
            " `pip install 'skperceptron[plot]'`."
        ) from error
    check_option(caller, "ax", ax, [Instance(pyplot.Axes, "an Axes of matplotlib"), None])
    if ax is None:
        _, ax = pyplot.subplots(figsize=(width, height), layout="constrained")
    return ax


class Display:
    """Base of the displays: takes or makes the axes, and keeps them.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    """

    ax_: Any
    figure_: Any

    def _open(self, ax: Any, height: float = 4.0, width: float = WIDTH) -> Any:
        """Store the given axes, or new ones if there are none, and return them."""
        self.ax_ = axes_or_new(f"{type(self).__name__}.plot", ax, height, width)
        self.figure_ = self.ax_.figure
        return self.ax_


def styled(artist: str, given: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """Return defaults overridden by a user's keyword arguments, which may have any alias.

    ``artist`` is the artist's class and its module in matplotlib, such as "lines.Line2D", for which
    "lw" stands for "linewidth".
    """
    from matplotlib.cbook import normalize_kwargs

    module, name = artist.split(".")
    cls = getattr(import_module(f"matplotlib.{module}"), name)
    return {**normalize_kwargs(defaults, cls), **normalize_kwargs(given, cls)}


def tick_integers(axis: Any) -> None:
    """Put ticks at integers only, unless the user has chosen another scale than a linear one."""
    from matplotlib.ticker import MaxNLocator

    locator = axis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(integer=True)


def arrow(ax: Any, start: tuple[float, float], stop: tuple[float, float], **style: Any) -> Any:
    """Draw an arrow between two points; return it."""
    usual = {"arrowstyle": "-|>", "color": "0.25", "shrinkA": 0, "shrinkB": 0}
    return ax.annotate("", stop, start, arrowprops={**usual, **style})


def color_of(i: int) -> str:
    """Return the color of the i-th category."""
    return CATEGORIES[i % len(CATEGORIES)]


def colors_by_depth(n: int) -> list[Any]:
    """Return n colors from dark to bright; the palest are left out."""
    from matplotlib import colormaps

    return list(colormaps[SEQUENTIAL](np.linspace(0.0, 0.85, n)))


def style_of_weights(weights: Floats) -> tuple[dict[str, Any], Floats]:
    """Return the style of lines with the colors of weights, and absolute weights up to 1."""
    from matplotlib.colors import Normalize

    limit = largest(weights)
    style = {"cmap": DIVERGING, "norm": Normalize(-limit, limit), "array": weights}
    return style, np.abs(weights) / limit


def largest(values: Floats) -> float:
    """Return the largest absolute value, or 1 if all values are zero."""
    return float(np.abs(values).max(initial=0.0)) or 1.0
