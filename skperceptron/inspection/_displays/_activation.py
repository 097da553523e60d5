"""An activation with its derivative and its range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...activations import Activation, get_activation
from ...engine.arrays import Floats
from ._common import CATEGORIES, Display, styled


@dataclass(eq=False, repr=False)
class ActivationDisplay(Display):
    """Function, derivative and range of an activation.

    It is recommended to use :meth:`from_activation`.

    Parameters
    ----------
    z : ndarray of shape (n,)
    value, derivative : ndarray of shape (n,)
        Values of f(z) and f'(z).
    value_range : tuple of two floats
        Infimum and supremum of f.
    name, formula : str, default=""
        For the title; the formula is LaTeX.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    line_, derivative_line_ : matplotlib.lines.Line2D
    range_lines_ : list of matplotlib.lines.Line2D
        One for each finite bound.

    Examples
    --------
    >>> from skperceptron.inspection import ActivationDisplay
    >>> display = ActivationDisplay.from_activation("gelu")
    """

    z: Floats
    value: Floats
    derivative: Floats
    value_range: tuple[float, float]
    name: str = ""
    formula: str = ""

    @classmethod
    def from_activation(
        cls, activation: str | Activation, z: Any = None, *, ax: Any = None, **kwargs: Any
    ) -> ActivationDisplay:
        """Draw an activation.

        Parameters
        ----------
        activation : str or Activation
            One of :func:`skperceptron.activations.list_activations`, or an object, also of
            your own class.
        z : array-like of shape (n,), default=None
            Where to draw it; if None, in [-6, 6].
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        ActivationDisplay

        Raises
        ------
        ValueError
            If there is no such activation, or `z` is not one-dimensional.
        """
        activation = get_activation(activation)
        # An odd number of points, so that one lies at zero, where jumps and kinks are.
        z = np.linspace(-6, 6, 601) if z is None else np.asarray(z, dtype=np.float64)
        if z.ndim != 1:
            raise ValueError(f"z must have one dimension, got an array of shape {z.shape}.")
        value, derivative = activation(z), activation.derivative(z)
        name = " ".join(str(activation).split())
        display = cls(z, value, derivative, activation.value_range, name, activation.formula)
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> ActivationDisplay:
        """Draw function, derivative and range.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            New ones, if None.
        **kwargs : dict
            For ``ax.plot`` of the function.

        Returns
        -------
        ActivationDisplay
            Itself.
        """
        ax = self._open(ax)
        ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        ax.axvline(0, color="0.8", linewidth=0.8, zorder=0)
        style = styled("lines.Line2D", kwargs, color=CATEGORIES[0], linewidth=2, label="f(z)")
        (self.line_,) = ax.plot(self.z, self.value, **style)
        (self.derivative_line_,) = ax.plot(
            self.z, self.derivative, "--", color=CATEGORIES[1], linewidth=2, label="f'(z)"
        )
        bounds = [bound for bound in self.value_range if np.isfinite(bound)]
        label = "range of f: {:.4g} to {:.4g}".format(*self.value_range).replace("inf", "∞")
        self.range_lines_ = [
            ax.axhline(bound, color="0.35", linestyle=":", label=label if i == 0 else None)
            for i, bound in enumerate(bounds)
        ]
        formula = f":  $f(z) = {self.formula}$" if self.formula else ""
        ax.set_xlabel("z")
        # Fractions reach below the baseline of the text.
        ax.set_title(f"{self.name}{formula}", pad=10)
        ax.legend()
        return self
