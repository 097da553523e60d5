"""Mistakes of Rosenblatt's perceptron, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.utils.validation import check_is_fitted

from ...perceptron.estimator import RosenblattPerceptron
from .._networks import unwrapped
from ._common import CATEGORIES, Display, styled, tick_integers


@dataclass(eq=False, repr=False)
class MistakesDisplay(Display):
    """Corrections that a perceptron has made in each epoch.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    mistakes : sequence of int
        Corrections in each epoch.
    name : str, default=None
        Name in the legend.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    line_ : matplotlib.lines.Line2D
    converged_point_ : matplotlib.lines.Line2D or None
        The first epoch without a mistake.

    Examples
    --------
    >>> from skperceptron import RosenblattPerceptron
    >>> from skperceptron.inspection import MistakesDisplay
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> perceptron = RosenblattPerceptron(n_associative=20, random_state=0).fit(X, y)
    >>> display = MistakesDisplay.from_estimator(perceptron)
    """

    mistakes: Sequence[int]
    name: str | None = None

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None, **kwargs: Any
    ) -> MistakesDisplay:
        """Draw the mistakes of a fitted perceptron.

        Parameters
        ----------
        estimator : RosenblattPerceptron
            Or a pipeline or search that ends in one.
        name : str, default=None
            Name in the legend.
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        MistakesDisplay

        Raises
        ------
        TypeError
            If the estimator is not a RosenblattPerceptron.
        NotFittedError
            If it is not fitted.
        """
        estimator = unwrapped(estimator)
        if not isinstance(estimator, RosenblattPerceptron):
            raise TypeError(
                "MistakesDisplay shows a RosenblattPerceptron, got"
                f" {type(estimator).__name__}; LossCurveDisplay shows networks."
            )
        check_is_fitted(estimator)
        return cls(list(estimator.mistakes_), name).plot(ax, **kwargs)

    @classmethod
    def from_mistakes(
        cls, mistakes: Sequence[int], *, name: str | None = None, ax: Any = None, **kwargs: Any
    ) -> MistakesDisplay:
        """Draw given numbers.

        Parameters
        ----------
        mistakes : sequence of int
            Corrections in each epoch.
        name : str, default=None
            Name in the legend.
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        MistakesDisplay
        """
        return cls(mistakes, name).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> MistakesDisplay:
        """Draw the mistakes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            New ones, if None.
        **kwargs : dict
            For ``ax.plot``.

        Returns
        -------
        MistakesDisplay
            Itself.
        """
        ax = self._open(ax)
        epochs = range(1, len(self.mistakes) + 1)
        style: dict[str, Any] = {"color": CATEGORIES[0], "marker": "o", "markersize": 4}
        style = styled("lines.Line2D", kwargs, label=self.name, **style)
        (self.line_,) = ax.plot(epochs, self.mistakes, **style)
        self.converged_point_ = None
        if 0 in self.mistakes:
            first = list(self.mistakes).index(0) + 1
            style = {"color": CATEGORIES[2], "marker": "*", "markersize": 14, "linestyle": "none"}
            label = f"no mistake in epoch {first}"
            (self.converged_point_,) = ax.plot(first, 0, label=label, clip_on=False, **style)
        tick_integers(ax.xaxis)
        tick_integers(ax.yaxis)
        ax.set(xlabel="epoch", ylabel="mistakes")
        ax.set_ylim(bottom=0)
        if self.name is not None or self.converged_point_ is not None:
            ax.legend()
        return self
