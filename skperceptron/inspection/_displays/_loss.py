"""Loss over the epochs of one or several fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...options import Instance, check_option
from .._networks import check_estimator_type, unwrapped
from ._common import CATEGORIES, Display, color_of, styled, tick_integers

#: Markers of networks with the same color; each is used for seven networks, one per color.
MARKERS: tuple[str | None, ...] = (None, "o", "s", "^", "D", "v", "P")

#: What holds the curves of a fit.
CURVES = Instance(Mapping, "a dict of curves")

#: Lines from which the legend stands beside the curves.
CROWDED = 8


@dataclass(eq=False, repr=False)
class LossCurveDisplay(Display):
    """Training and validation curves.

    It is recommended to use :meth:`from_estimator` or :meth:`from_losses`.

    Parameters
    ----------
    losses : dict of str to sequence of float
        Training loss of each epoch, by name.
    validation_losses : dict of str to sequence of float, default=None
        Drawn dashed, in the color of the same name.
    validation_scores : dict of str to sequence of float, default=None
        Drawn dotted, on an axis of their own at the right.
    kept_epochs : dict of str to int, default=None
        The epoch, counted from 1, whose weights early stopping has restored: marked by a star.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    score_ax_ : matplotlib.axes.Axes or None
        The right axis.
    figure_ : matplotlib.figure.Figure
    lines_, validation_lines_, score_lines_ : list of matplotlib.lines.Line2D
    kept_points_ : list of matplotlib.lines.Line2D
        Stars at the epochs whose weights are kept.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.inspection import LossCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), tol=1e-2, random_state=0).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(network)
    """

    losses: Mapping[str, Sequence[float]]
    validation_losses: Mapping[str, Sequence[float]] | None = None
    validation_scores: Mapping[str, Sequence[float]] | None = None
    kept_epochs: Mapping[str, int] | None = None

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, names: Any = None, ax: Any = None, **kwargs: Any
    ) -> LossCurveDisplay:
        """Draw the curves of fitted networks.

        Parameters
        ----------
        estimator : estimator or sequence of estimators
            Fitted networks, or pipelines and searches that end in one.
        names : str or sequence of str, default=None
            Names in the legend; if None, those of the classes.
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        TypeError
            If an estimator is not one of this package's.
        NotFittedError
            If an estimator is not fitted.
        ValueError
            If an estimator has no loss curve, or there is not one distinct name for each.
        """
        estimators = list(estimator) if isinstance(estimator, list | tuple) else [estimator]
        estimators = list(map(unwrapped, estimators))
        names = _names(estimators, names)
        training, losses, scores, kept = {}, {}, {}, {}
        for name, one in zip(names, estimators, strict=True):
            training[name] = _loss_curve(one)
            if getattr(one, "validation_loss_curve_", None):
                losses[name] = list(one.validation_loss_curve_)
            elif getattr(one, "validation_scores_", None):
                scores[name] = list(one.validation_scores_)
            if (epoch := _kept_epoch(one)) is not None:
                kept[name] = epoch
        return cls(training, losses, scores, kept).plot(ax, **kwargs)

    @classmethod
    def from_losses(
        cls,
        losses: Mapping[str, Sequence[float]],
        validation_losses: Mapping[str, Sequence[float]] | None = None,
        validation_scores: Mapping[str, Sequence[float]] | None = None,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> LossCurveDisplay:
        """Draw given curves.

        Parameters
        ----------
        losses : dict of str to sequence of float
        validation_losses, validation_scores : dict of str to sequence of float, default=None
            All three as for the class.
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        LossCurveDisplay
        """
        check_option("LossCurveDisplay", "losses", losses, [CURVES])
        check_option("LossCurveDisplay", "validation_losses", validation_losses, [CURVES, None])
        check_option("LossCurveDisplay", "validation_scores", validation_scores, [CURVES, None])
        return cls(losses, validation_losses, validation_scores).plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, log_scale: bool = False, **kwargs: Any) -> LossCurveDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            New ones, if None.
        log_scale : bool, default=False
            Whether the loss has a logarithmic axis.
        **kwargs : dict
            For ``ax.plot`` of the training curves.

        Returns
        -------
        LossCurveDisplay
            Itself.
        """
        ax = self._open(ax)
        names = list(self.losses)
        validation, scores = self.validation_losses or {}, self.validation_scores or {}
        self.lines_, self.validation_lines_, self.score_lines_ = [], [], []
        self.score_ax_ = ax.twinx() if scores else None
        for i, name in enumerate(names):
            color, marks = color_of(i), _marks(i)
            prefix = f"{name}: " if len(names) > 1 else ""
            style = styled("lines.Line2D", kwargs, color=color, label=f"{prefix}training", **marks)
            self.lines_ += _curve(ax, self.losses[name], **style)
            if name in validation:
                style = {"color": color, "linestyle": "--", "label": f"{prefix}validation", **marks}
                self.validation_lines_ += _curve(ax, validation[name], **style)
            if name in scores:
                style = {"color": color, "linestyle": ":", "linewidth": 2, **marks}
                style["label"] = f"{prefix}validation score (right)"
                self.score_lines_ += _curve(self.score_ax_, scores[name], **style)
        ax.set(xlabel="epoch", ylabel="loss", yscale="log" if log_scale else "linear")
        tick_integers(ax.xaxis)
        if self.score_ax_ is not None:
            self.score_ax_.set_ylabel("validation score")
        self.kept_points_ = self._mark_kept(ax)
        lines = [*self.lines_, *self.validation_lines_, *self.score_lines_, *self.kept_points_]
        if len(lines) > CROWDED:
            ax.legend(handles=lines, loc="center left", bbox_to_anchor=(1.08, 0.5), fontsize=8)
        elif self.score_ax_ is None:
            ax.legend(handles=lines)
        else:
            # In the right axes, which are drawn last: their curves would otherwise cross it.
            self.score_ax_.legend(handles=lines, loc="center right", framealpha=0.9)
        return self

    def _mark_kept(self, ax: Any) -> list[Any]:
        """Mark the epochs whose weights are kept."""
        points = []
        for i, name in enumerate(self.losses):
            epoch = (self.kept_epochs or {}).get(name)
            if epoch is None:
                continue
            curves = [
                (ax, self.validation_losses),
                (self.score_ax_, self.validation_scores),
                (ax, self.losses),
            ]
            own, values = next((a, c[name]) for a, c in curves if c and name in c)
            prefix = f"{name}: " if len(self.losses) > 1 else ""
            style = {"color": color_of(i), "markersize": 13, "linestyle": "none"}
            label = f"{prefix}epoch {epoch}, kept"
            point = (epoch, values[epoch - 1])
            points += own.plot(*point, marker="*", mec="white", label=label, zorder=5, **style)
        return points


def _marks(i: int) -> dict[str, Any]:
    """Return the markers that distinguish the i-th network from others of the same color."""
    shape = MARKERS[i // len(CATEGORIES) % len(MARKERS)]
    return {} if shape is None else {"marker": shape, "markevery": 0.15, "markersize": 5}


def _kept_epoch(estimator: Any) -> int | None:
    """Return the epoch whose weights early stopping has restored, counted over all calls."""
    best = getattr(estimator, "best_validation_score_", None)
    rules = getattr(estimator, "early_stopping", False)
    if best is None or not getattr(rules, "restore_best", True):
        return None
    scores = np.asarray(estimator.validation_scores_, dtype=np.float64)
    start = len(scores) - estimator.n_iter_
    (found,) = np.nonzero(scores[start:] == best)
    if not len(found):
        return None
    last = getattr(rules, "ties", "first") == "latest"
    return int(start + found[-1 if last else 0]) + 1


def _curve(ax: Any, values: Sequence[float], **style: Any) -> Any:
    # Epochs without validation are NaN: the line connects the others.
    epochs = np.flatnonzero(~np.isnan(np.asarray(values, dtype=np.float64)))
    if len(epochs) == 1:
        # A line of one point is invisible.
        style = {**style, "marker": style.get("marker", "o")}
    return ax.plot(epochs + 1, np.asarray(values)[epochs], **style)


def _names(estimators: Sequence[Any], names: Any) -> list[str]:
    """Return one name for each estimator, all different."""
    if names is not None:
        names = [names] if isinstance(names, str) or not np.iterable(names) else list(names)
        if len(names) != len(estimators) or len(set(names)) < len(names):
            raise ValueError(
                f"names={names!r} must hold one name for each of the {len(estimators)} estimators,"
                " all different."
            )
        return names
    classes = [type(estimator).__name__ for estimator in estimators]
    if len(set(classes)) == len(classes):
        return classes
    return [f"{name} {i}" for i, name in enumerate(classes, start=1)]


def _loss_curve(estimator: Any) -> list[float]:
    check_estimator_type(estimator)
    check_is_fitted(estimator)
    curve = getattr(estimator, "loss_curve_", None)
    if not curve:
        raise ValueError(
            f"This {type(estimator).__name__} has no loss_curve_, or an empty one. For a"
            " RosenblattPerceptron use MistakesDisplay."
        )
    return list(curve)
