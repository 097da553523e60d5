"""Combining the predictions of several models: temperatures, weights, greedy selection.

Pure functions of arrays. The models are called arms. A is the number of arms, N that of the rows
used for learning, C that of the classes. A ``sample_weight`` of 2 has the same effect as repeating
the row.

Calibration by a temperature: Guo, Pleiss, Sun & Weinberger (2017), On calibration of modern
neural networks. ICML. Weights of a mixture: Dempster, Laird & Rubin (1977), Maximum likelihood
from incomplete data via the EM algorithm. JRSS B. Stacking with non-negative weights: Breiman
(1996), Stacked regressions. Machine Learning 24. Greedy selection: Caruana, Niculescu-Mizil, Crew
& Ksikes (2004), Ensemble selection from libraries of models. ICML.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar, nnls
from sklearn.utils import gen_even_slices

from ..engine.arrays import Floats, Integers
from ..estimators.targets.units import Moments
from ..kept import kept_as

#: Bounds of a temperature. If all held-out rows are predicted correctly, their log loss keeps
#: falling as the temperature goes to zero, and then a single wrong prediction has a huge loss. With
#: 12 random candidates x 5 folds on wine (4 seeds), the out-of-fold log loss was .086 within these
#: bounds, .103 within (1/5, 5) and .129 within (1/20, 20).
TEMPERATURES = (1 / 3, 3.0)

#: Pseudo-counts of all arms together, if there are more arms than this. With 30 random candidates,
#: some of them bad, on iris, wine and breast cancer, a pseudo-count of 1 for each arm gave the bad
#: ones so much weight that the log loss was .072 (geometric mean); with 3 in total it was .060.
PSEUDO_COUNTS = 3.0

#: Numbers that are processed at a time.
BLOCK = 2**17

#: Smaller probabilities are raised to this one before their logarithm is taken.
LEAST_PROBABILITY = 1e-30


def blocks_of(n_rows: int, width: int) -> list[slice]:
    """Cut rows of ``width`` numbers into blocks of nearly equal size, each of about 1 MB.

    Intermediate results of a block stay in the cache. No block has a single row, of which NumPy
    adds the numbers in another order, unless it is the only one.
    """
    return list(gen_even_slices(n_rows, max(1, min(n_rows // 2, n_rows * width // BLOCK))))


def log_of(probabilities: Floats) -> Floats:
    """Return logarithms of probabilities, finite even where one is zero."""
    raised = np.maximum(probabilities, LEAST_PROBABILITY)
    return np.log(raised, out=raised)


def tempered(logits: Floats, temperature: float) -> Floats:
    """Return the softmax of logits, (..., C), or of log-probabilities, divided by a temperature.

    Above 1, probabilities move towards each other; below 1, apart.
    """
    # Classes on the first axis: sums over two or three adjacent numbers take five times as long.
    powers = np.array(np.moveaxis(logits, -1, 0), order="C")
    powers /= temperature
    powers -= powers.max(axis=0)
    np.exp(powers, out=powers)
    powers /= powers.sum(axis=0)
    return np.ascontiguousarray(np.moveaxis(powers, 0, -1))


def fit_temperature(logits: Floats, truth: Integers | Floats, sample_weight: Floats) -> float:
    """Return the temperature, within ``TEMPERATURES``, with the least log loss (Guo et al. 2017).

    Logits, or log-probabilities, are (C, N), since sums over classes on the first axis are fast.
    They are all finite, and are overwritten. The truth is the classes, (N,), or the probabilities
    of all classes, (N, C). Weights are not negative, and not all zero.
    """
    # The largest logit of each row becomes 0, so that no exponential overflows at any temperature.
    logits -= logits.max(axis=0)
    true = (
        logits[truth, np.arange(len(truth))] if truth.ndim == 1 else (logits * truth.T).sum(axis=0)
    )
    blocks, of_rows = blocks_of(len(truth), len(logits)), np.empty(len(truth))
    share = sample_weight / sample_weight.sum()

    def loss(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        for rows in blocks:
            powers = logits[:, rows] * inverse
            np.exp(powers, out=powers)
            total = powers.sum(axis=0, out=of_rows[rows])
            np.log(total, out=total)
            total -= true[rows] * inverse
        return float(share @ of_rows)

    # The loss is convex in 1 / temperature, so that it has no other minimum.
    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def em_weights(
    likelihoods: Floats, sample_weight: Floats, *, pseudo_count: float, n_steps: int = 60
) -> Floats:
    """Return weights of arms whose mixture makes the truth most likely (Dempster et al. 1977).

    ``likelihoods``, (A, N), is the probability that each arm gives to the true class of each row.
    The weights, (A,), start out equal; they are not negative, with the sum 1. ``pseudo_count`` is
    the number of rows that is added to those that each arm explains, so that few rows leave the
    weights nearly equal. With 0, many steps approach the maximum of the likelihood.
    """
    n_arms = len(likelihoods)
    likelihoods = np.maximum(likelihoods, LEAST_PROBABILITY)
    weights = np.full(n_arms, 1 / n_arms)
    for _ in range(n_steps):
        explained = weights * (likelihoods @ (sample_weight / (weights @ likelihoods)))
        weights = explained + pseudo_count
        weights /= weights.sum()
    return weights


def nnls_weights(errors: Floats, sample_weight: Floats) -> Floats:
    """Return weights of arms whose mean has the least squared error (Breiman 1996).

    Errors, (A, N), are predictions minus truth, perhaps of several targets side by side. The
    weights, (A,), are not negative, with the sum 1; equal if every arm is perfect.

    The sum is 1 exactly, not by a penalty. For w = t v with sum(v) = 1 and any c > 0, the least
    value over t of ``|E w|^2 + c^2 (sum(w) - 1)^2`` is ``c^2 q / (q + c^2)`` with ``q = |E v|^2``.
    It grows with q, so the solution of this problem, in which the sum is free, has the least ``|E
    v|^2`` of all such v once it is scaled to the sum 1.
    """
    n_arms = len(errors)
    scaled = (errors * np.sqrt(sample_weight)).T
    largest = np.abs(scaled).max(initial=0.0)
    if largest == 0:
        return np.full(n_arms, 1 / n_arms)
    # The triangular factor has at most A rows, but gives the same squared errors.
    triangle: Floats = np.asarray(np.linalg.qr(scaled / largest, mode="r"))
    c = np.sqrt((triangle**2).sum() / n_arms)
    system = np.vstack([triangle, np.full(n_arms, c)])
    weights, _ = nnls(system, np.append(np.zeros(len(triangle)), c))
    return weights / weights.sum()


def minus_log_likelihood(likelihoods: Floats, sample_weight: Floats | None = None) -> Floats:
    """Return the log loss, given probabilities of the true classes: (..., N) to (...)."""
    return np.average(-log_of(likelihoods), axis=-1, weights=sample_weight)


def mean_square(errors: Floats, sample_weight: Floats | None = None) -> Floats:
    """Return the mean square of errors over the last axis: (..., N) to (...)."""
    return np.average(errors**2, axis=-1, weights=sample_weight)


def greedy_selection(
    predictions: Floats, loss: Callable[[Floats], Floats], *, n_rounds: int = 50
) -> Floats:
    """Choose arms one by one, with replacement, to minimize the loss of their mean (Caruana 2004).

    Each round adds the arm with which the mean of all chosen arms has the least loss. An arm may be
    chosen several times; its weight is its share of the choices. The weights of the best round,
    (A,), are returned. Predictions, (A, N), are probabilities of the true class, or errors;
    ``loss`` maps K means, (K, N), to their losses, (K,).
    """
    counts = np.zeros(len(predictions))
    total = np.zeros(predictions.shape[1])
    best, least = counts, np.inf
    for n_chosen in range(1, n_rounds + 1):
        losses = loss((total + predictions) / n_chosen)
        chosen = int(np.argmin(losses))
        total = total + predictions[chosen]
        counts[chosen] += 1
        if n_chosen == 1 or losses[chosen] < least:
            least, best = losses[chosen], counts / n_chosen
    return best


@dataclass(frozen=True)
class BlendRules:
    """How arms are weighted.

    Attributes
    ----------
    combination : {"weights", "greedy", "mean"}
        Weights with the least loss, weights from greedy selection, or equal weights.
    calibrate : bool
        Whether a blend of probabilities gets a temperature.
    n_best : int or None
        Only this many arms, those with the least loss by themselves, get a weight; None is all.
    """

    combination: str = "weights"
    calibrate: bool = True
    n_best: int | None = None

    def weights(
        self,
        predictions: Floats,
        loss: Callable[..., Floats],
        best_weights: Callable[..., Floats],
        sample_weight: Floats,
    ) -> Floats:
        """Return the weights of arms, (A,).

        Called with predictions, (A, N), and ``sample_weight``, (N,), ``loss`` returns the loss of
        each arm, and ``best_weights`` the weights with which the mean of the arms has the least
        loss.
        """
        chosen, taken = np.arange(len(predictions)), predictions
        if self.n_best is not None:
            own = loss(predictions, sample_weight)
            chosen = np.sort(np.argsort(own, kind="stable")[: self.n_best])
            taken = predictions[chosen]
        weights = np.zeros(len(predictions))
        if self.combination == "weights":
            weights[chosen] = best_weights(taken, sample_weight)
        elif self.combination == "greedy":
            weights[chosen] = greedy_selection(taken, partial(loss, sample_weight=sample_weight))
        else:
            weights[chosen] = 1 / len(chosen)
        return weights


@kept_as("blend")
@dataclass(frozen=True)
class Blend:
    """A weighted mean of arms.

    Weights, (A,), are not negative; their sum is 1. The temperature is that of the mean, if the
    arms predict probabilities; None for other numbers.
    """

    weights: Floats
    temperature: float | None = None

    def of(self, predictions: Floats) -> Floats:
        """Return the mean of predictions, (A, ...) to (...)."""
        mean = np.tensordot(self.weights, predictions, axes=1)
        return mean if self.temperature is None else tempered(log_of(mean), self.temperature)


@dataclass(frozen=True)
class BlendProblem:
    """What a blend is learned from.

    Attributes
    ----------
    predictions : ndarray of shape (A, N, ...)
        Those of all arms.
    truth : ndarray of shape (n, ...)
    sample_weight : ndarray of shape (n,)
    rules : BlendRules
    rows : ndarray of int, shape (n,), or None
        The rows of the predictions to learn from; None is all, in their order.
    """

    predictions: Floats
    truth: Any
    sample_weight: Floats
    rules: BlendRules
    rows: Integers | None = None

    @property
    def chosen(self) -> Floats:
        """The predictions of the rows to learn from, (A, n, ...)."""
        return self.predictions if self.rows is None else self.predictions[:, self.rows]


def logs_by_class(
    probabilities_of: Callable[[slice], Floats], shape: tuple[int, int, int]
) -> Floats:
    """Return the logarithms of probabilities, (C, N L), of which a function returns blocks of rows.

    The shape of all probabilities is (N, L, C), that of a block (n, L, C).
    """
    n_rows, n_labels, n_classes = shape
    logs = np.empty((n_classes, n_rows * n_labels))
    for rows in blocks_of(n_rows, n_labels * n_classes):
        block = log_of(probabilities_of(rows)).reshape(-1, n_classes)
        logs[:, rows.start * n_labels : rows.stop * n_labels] = block.T
    return logs


def of_labels(sample_weight: Floats, n_labels: int) -> Floats:
    """Return the weight of each label of each row, (N L,); not copied if a row has a single one."""
    return sample_weight if n_labels == 1 else np.repeat(sample_weight, n_labels)


def blend_of_probabilities(problem: BlendProblem) -> Blend:
    """Learn how to blend arms that predict probabilities, (A, N, L, C), of true classes, (n, L).

    L is the number of labels of a row, or 1 if classes exclude each other.
    """
    probabilities, codes, rows = problem.predictions, problem.truth, problem.rows
    n_arms, _, n_labels, n_classes = probabilities.shape
    n_rows = len(codes)

    def of_arms(block: slice) -> Floats:
        return probabilities[:, block if rows is None else rows[block]]

    weight = of_labels(problem.sample_weight, n_labels)
    likelihoods = np.empty((n_arms, n_rows, n_labels))
    for block in blocks_of(n_rows, n_arms * n_labels * n_classes):
        places = codes[np.newaxis, block, :, np.newaxis]
        likelihoods[:, block] = np.take_along_axis(of_arms(block), places, axis=3)[..., 0]
    of_truth = likelihoods.reshape(n_arms, n_rows * n_labels)
    weights = problem.rules.weights(of_truth, minus_log_likelihood, _likely_weights, weight)
    if not problem.rules.calibrate:
        return Blend(weights, 1.0)
    del likelihoods, of_truth
    logits = logs_by_class(
        lambda block: np.tensordot(weights, of_arms(block), axes=1), (n_rows, n_labels, n_classes)
    )
    return Blend(weights, fit_temperature(logits, codes.ravel(), weight))


def blend_to_distributions(problem: BlendProblem) -> Blend:
    """Learn how to blend arms, (A, N, 1, C), if the truth of a row is a distribution, (n, C).

    The result is that of `blend_of_probabilities` for data in which each row occurs once with each
    class, weighted by the probability of that class.
    """
    probabilities, truth = problem.chosen[:, :, 0], problem.truth
    counts = truth * problem.sample_weight[:, np.newaxis]
    likelihoods = probabilities.reshape(len(probabilities), -1)
    weights = problem.rules.weights(
        likelihoods, minus_log_likelihood, _likely_weights, counts.ravel()
    )
    if not problem.rules.calibrate:
        return Blend(weights, 1.0)
    logits = np.array(log_of(np.tensordot(weights, probabilities, axes=1)).T, order="C")
    return Blend(weights, fit_temperature(logits, truth, problem.sample_weight))


def _likely_weights(likelihoods: Floats, sample_weight: Floats) -> Floats:
    return em_weights(
        likelihoods, sample_weight, pseudo_count=min(1.0, PSEUDO_COUNTS / len(likelihoods))
    )


def blend_of_means(problem: BlendProblem) -> Blend:
    """Learn how to blend arms that predict numbers, (A, N, D): the same weights for all columns.

    Errors of each column of y, (n, D), are divided by its standard deviation over weighted rows.
    """
    predictions, y, sample_weight = problem.chosen, problem.truth, problem.sample_weight
    n_arms, n_rows, n_columns = predictions.shape
    deviation = Moments.of(y, sample_weight).deviation
    deviation[deviation == 0] = 1
    errors = ((predictions - y) / deviation).reshape(n_arms, n_rows * n_columns)
    weight = of_labels(sample_weight, n_columns)
    return Blend(problem.rules.weights(errors, mean_square, nnls_weights, weight))
