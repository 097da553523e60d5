"""Rows that a network is not trained on, and its score and loss on them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from math import isfinite
from typing import Any, NoReturn

import numpy as np
from scipy import sparse
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import check_scoring
from sklearn.utils import indexable

from .._sklearn.checks import as_table, renamed
from .._sklearn.compat import safe_indexing, takes_sample_weight
from ..engine.arrays import Floats, Integers
from ..engine.memory_mapped import pages_of
from ..engine.prediction import predict_raw
from ..exceptions import DivergedError
from ..options import is_number, shown
from ..stopping import EarlyStopping
from ..training import TrainingSet
from ..training.validating import ValidationMetrics
from ..usercall import correcting, warn
from .comparison import Comparison, TrueValues, parts_of
from .fitted import FEW_OUTPUTS, blocks_of_rows
from .model import Model

#: Parts of the validation rows. With more parts, more rows choose the epoch of each, but every
#: evaluation takes longer.
N_PARTS = 5


@dataclass(frozen=True)
class HeldOut:
    """Rows of a data set that networks are validated on: their positions, or None for all rows.

    ``y``, (N, ...), is checked, but not encoded; the weights are (N,), and ``given`` are X and y as
    the user gave them.
    """

    data: TrainingSet
    y: Any
    sample_weight: Floats | None
    given: tuple[Any, Any]
    rows: Integers | None = None

    @cached_property
    def true_values(self) -> TrueValues:
        """The true values of these rows, made once for all networks."""
        values = TrueValues(self.data.targets, self.y, self.sample_weight)
        return values if self.rows is None else values.part(self.rows)


class CrossFitting:
    """The parameters of the best epoch of one network for each part of its validation rows.

    With the epoch that is best on all rows, the scores on these rows would be too high: new rows
    would have lower ones (Varma & Simon 2006). So each part has an epoch that is best on all other
    parts; the latest one, if no epoch has had a finite score on them.

    Parameters
    ----------
    n_rows : int
        Number of validation rows.
    prefers_latest : bool
        Whether the last of several equally good epochs counts as the best.
    """

    def __init__(self, n_rows: int, prefers_latest: bool) -> None:
        self._n_rows, self._prefers_latest = n_rows, prefers_latest
        self._best_scores = np.full(N_PARTS, -np.inf)
        self._best: list[Floats] = [np.empty(0)] * N_PARTS

    def see(self, scores: Floats | None, parameters: Floats) -> None:
        """Consider an epoch: the score without each part, if known, and the parameters, (P,)."""
        if scores is None:
            scores = np.full(N_PARTS, np.nan)
        is_better = (scores > self._best_scores) | ~np.isfinite(self._best_scores)
        if self._prefers_latest:
            is_better |= scores == self._best_scores
        if not is_better.any():
            return
        self._best_scores[is_better] = scores[is_better]
        kept = parameters.copy()
        for part in np.flatnonzero(is_better):
            self._best[part] = kept

    def chosen(self) -> Iterator[tuple[Integers, Floats]]:
        """Yield the parameters of each chosen epoch once, after the rows that they predict."""
        rows = np.arange(self._n_rows)
        parts = parts_of(self._n_rows, N_PARTS)
        for parameters in {id(best): best for best in self._best if len(best)}.values():
            pairs = zip(parts, self._best, strict=True)
            places = np.concatenate([rows[part] for part, best in pairs if best is parameters])
            if len(places):
                yield places, parameters


class Validation:
    """Computes score and loss of one network on validation rows, for parameters given later.

    The estimator is being fitted: scorers get a fitted copy of it.
    """

    def __init__(self, model: Model, held_out: HeldOut, estimator: Any) -> None:
        self._model, self._estimator = model, estimator
        self._monitor = (model.choices.stopping or EarlyStopping()).monitor
        data, rows = held_out.data, held_out.rows
        self._given, self._given_rows = held_out.given, rows
        if rows is None:
            rows = np.arange(data.n_rows)
        elif sparse.issparse(self._given[0]):
            # Not every sparse format can be indexed by rows.
            self._given = data.X, self._given[1]
        self._X, self._rows = data.X, rows
        self._true_values = held_out.true_values
        self._targets, self._weight = self._true_values.targets, self._true_values.weight
        #: Compares raw predictions of the rows with the true values.
        self.comparison = Comparison(model.target, self._monitor, [self._true_values])
        self._cross_fitting: CrossFitting | None = None
        self._scorer: Callable[..., Any] | None = None
        if not self.comparison.gives_scores:
            self._scorer = check_scoring(estimator, self._monitor)
        #: Whether a score was finite; until then, any other is an error.
        self.has_scored = False
        self._has_warned = False

    def __call__(self, parameters: Floats) -> tuple[float, float]:
        """Return score and loss.

        Raises DivergedError if training has diverged, ValueError if the first score is not a
        finite number.
        """
        network = self._model.network
        learned = network.views(parameters[np.newaxis])
        blocks = blocks_of_rows(len(self._rows), network.n_outputs)
        if self._cross_fitting is not None:
            # The loss without some rows needs the predictions of all rows.
            blocks = [slice(0, len(self._rows))]
        portions = (
            (block, predict_raw(network, learned, self._X, self._rows[block])[np.newaxis])
            for block in blocks
        )
        return self.outcome(self.comparison.evaluate_portions(portions).of(0), parameters)

    def cross_fit(self, prefers_latest: bool) -> None:
        """Note what ``cross_fitted`` needs, from now on."""
        self._cross_fitting = CrossFitting(len(self._rows), prefers_latest)
        counted = np.arange(len(self._rows))
        if self._weight is not None:
            counted = np.flatnonzero(self._weight)
        if self._scorer is None and len(np.unique(counted % N_PARTS)) > 1:
            # Whichever part is left out, others have rows that count.
            self.comparison = Comparison(
                self._model.target, self._monitor, [self._true_values], N_PARTS
            )

    def cross_fitted(self, method: str) -> Iterator[tuple[Integers, Any]]:
        """Yield places among the rows, and what a method of the estimator predicts there.

        Each row is predicted with the parameters of an epoch that was chosen on other rows. Rows
        without such an epoch are left out: all, if ``cross_fit`` was not called before the fit.
        """
        if self._cross_fitting is None:
            return
        for places, parameters in self._cross_fitting.chosen():
            X = _rows_of(self._given[0], self._rows[places])
            yield places, getattr(self._fitted_with(parameters), method)(X)

    def _fitted_with(self, parameters: Floats) -> Any:
        """Return a fitted copy of the estimator."""
        fitted = copy(self._estimator)
        fitted._store_fitted(self._model.fitted(parameters))
        return fitted

    @property
    def score_name(self) -> str | None:
        """The name of the score; None if it is the negative loss."""
        if self._monitor == "loss":
            return None
        if self._monitor == "score":
            return self._model.target.score_name
        name = self._monitor if isinstance(self._monitor, str) else ""
        return name or getattr(self._monitor, "__name__", type(self._monitor).__name__)

    @property
    def n_rows_together(self) -> int:
        """Number of rows, if they can be predicted together with those of other networks, else 0.

        They cannot if they are sparse, memory-mapped or of several inputs, or have many outputs.
        """
        is_plain = isinstance(self._X, np.ndarray) and pages_of(self._X) is None
        has_few_outputs = self._model.network.n_outputs <= FEW_OUTPUTS
        return len(self._rows) if is_plain and has_few_outputs else 0

    def dense_rows(self) -> Floats:
        """Return the rows, (n, D)."""
        return np.asarray(self._X[self._rows])

    def outcome(self, metrics: ValidationMetrics, parameters: Floats) -> tuple[float, float]:
        """Return score and loss, as a call does, from the metrics of the comparison."""
        loss, score, without_parts = metrics
        if not isfinite(loss):
            self._refuse_diverged()
        fitted = None if self._scorer is None else self._fitted_with(parameters)
        score = self._score(fitted, self._given_rows) if score is None else float(score)
        if self._cross_fitting is not None:
            if fitted is not None:
                without_parts = self._scores_without_parts(fitted)
            self._cross_fitting.see(without_parts, parameters)
        return self._checked(score), float(loss)

    def _refuse_diverged(self) -> NoReturn:
        if self._given_rows is not None:
            self._model.refuse_diverged()
        raise DivergedError(
            "Predictions of X_val, or their loss, are non-finite: the training diverged, or X_val"
            " contains far larger values than X. Preprocess both (for example with StandardScaler),"
            f" or lower learning_rate_init={self._model.choices.learning_rate!r}."
        )

    def _scores_without_parts(self, fitted: Any) -> Floats:
        """Return the scorer's scores of all rows but those of each part; NaN if there is none."""
        scores = np.full(N_PARTS, np.nan)
        for k, part in enumerate(parts_of(len(self._rows), N_PARTS)):
            # Some scores need rows of every class.
            with suppress(ValueError):
                scores[k] = self._score(fitted, np.delete(self._rows, part), part)
        return scores

    def _score(self, fitted: Any, rows: Integers | None, left_out: Any = ()) -> float:
        """Return the scorer's score of some of the given rows; the weights of some are left out."""
        scorer = self._scorer
        assert scorer is not None
        options = {}
        if self._weight is not None and takes_sample_weight(scorer):
            options["sample_weight"] = np.delete(self._weight, left_out)
        X, y = (_rows_of(given, rows) for given in self._given)
        is_own = self._given_rows is None
        try:
            # Filters belong to all threads, so they are left alone after the first score.
            with (
                nullcontext() if self.has_scored else warnings.catch_warnings(),
                correcting(partial(renamed, "X", "X_val")) if is_own else nullcontext(),
            ):
                if not self.has_scored:
                    # An undefined first score leads to an error, which says more.
                    warnings.simplefilter("ignore", UndefinedMetricWarning)
                score = scorer(fitted, X, y, **options)
        except (AttributeError, ValueError) as error:
            raise ValueError(f"{self._subject()} cannot be computed: {error}") from error
        return self._number(score)

    def _number(self, score: Any) -> float:
        with suppress(AttributeError, ValueError):
            # NumPy's numbers, and arrays of one element.
            score = score.item()
        if not is_number(score):
            raise ValueError(f"{self._subject()} must be a number, but is {shown(score)}.")
        return float(score)

    def _checked(self, score: float) -> float:
        """Return the score; if it is not finite, raise for the first one and warn of others."""
        if isfinite(score):
            self.has_scored = True
        elif not self.has_scored:
            raise ValueError(
                f"{self._subject()} is {score}: it cannot tell which epoch is better. Validate on"
                " more rows, of every class (validation_fraction, or X_val and y_val), or monitor"
                " another metric, such as early_stopping=EarlyStopping('loss')."
            )
        elif not self._has_warned:
            self._has_warned = True
            warn(f"{self._subject()} has become {score}: such an epoch counts as no improvement.")
        return score

    def _subject(self) -> str:
        """Describe the metric and the rows that it was computed on."""
        codes = self._targets.codes
        rows = f"{len(self._rows)} validation row{'s' * (len(self._rows) != 1)}"
        if codes is not None:
            n_classes = max(2, self._targets.n_outputs)
            rows += f", which hold {len(np.unique(codes))} of {n_classes} classes,"
        return f"The metric monitor={self._monitor!r} of the {rows}"


def _rows_of(given: Any, rows: Integers | None) -> Any:
    """Return some rows of an array or a container of the user's; all rows, if None."""
    if rows is None:
        return given
    pages = pages_of(given)
    if pages is None:
        return safe_indexing(*indexable(as_table(given)), rows)
    return pages.rows_of(given, rows)
