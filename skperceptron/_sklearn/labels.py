"""Labels: checks whose messages say what is wrong, positions among the classes, weights, scores."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.class_weight import compute_class_weight

from ..engine.arrays import FEW_NUMBERS, Floats, Integers
from ..options import CLASS_WEIGHT, check_option
from .checks import (
    NORMAL_NUMBERS,
    check_sum_of_weights,
    is_missing,
    refuse_odd_targets,
    refuse_texts_of_any_length,
    validated,
)
from .compat import check_classification_targets, check_y, column_or_1d
from .fit_calls import FitMode


def validated_labels(estimator: BaseEstimator, X: Any, y: Any, **checks: Any) -> Any:
    """Do what ``validated`` does for X and labels, but name missing labels as the error."""
    try:
        return validated(estimator, X, y, **checks)
    except (TypeError, ValueError):
        if y is not None:
            refuse_missing_labels(y)
        raise


def check_labels(y: Any) -> None:
    """Check what scikit-learn's ``check_classification_targets`` does.

    Raises ValueError if labels are missing, or y holds no labels; TypeError if labels cannot be
    sorted, such as numbers mixed with strings.
    """
    refuse_texts_of_any_length(y)
    try:
        check_classification_targets(y)
    except (TypeError, ValueError) as error:
        refuse_missing_labels(y)
        _refuse_objects(y, are_unknown="Unknown label type: unknown" in str(error))
        if "continuous-multioutput" in str(error):
            error.add_note("If y holds rows of probabilities, use MLPSoftmaxClassifier.")
        raise


def refuse_missing_labels(y: Any) -> None:
    """Raise ValueError if labels are missing."""
    if sparse.issparse(y):
        return
    found = np.asarray(y)
    if found.dtype.kind == "f" and np.isnan(found).any():
        raise ValueError("Input y contains NaN: leave out the rows without a label.")
    if found.dtype.kind in "OmM":
        missing = [label for label in found.ravel() if is_missing(label)]
        if missing:
            name = "NaN" if isinstance(missing[0], float) else missing[0]
            raise ValueError(f"Input y contains {name}: leave out the rows without a label.")


def _refuse_objects(y: Any, *, are_unknown: bool) -> None:
    """Raise an error if labels are objects that cannot be sorted, or are not labels.

    That is TypeError for labels such as numbers mixed with strings, and, if ``are_unknown``,
    ValueError, which names their types.
    """
    found = np.asarray(y, dtype=object) if isinstance(y, list | tuple) else np.asarray(y)
    if found.dtype.kind != "O":
        return
    labels = found.ravel().tolist()
    types = sorted({type(label).__name__ for label in labels})
    try:
        sorted(set(labels))
    except TypeError as error:
        if len(types) > 1:
            raise TypeError(
                f"y holds labels of the types {' and '.join(types)}, which cannot be compared: give"
                " all of them one type, such as str."
            ) from error
    if are_unknown:
        numbers = [name for name in ("float", "int", "bool") if name in types]
        wanted = numbers[0] if len(numbers) == len(types) else "str"
        raise ValueError(
            f"Unknown label type: y holds objects of type {' and '.join(types)}. Convert y to an"
            f" array of numbers or strings, for example by np.asarray(y).astype({wanted})."
        )


def shown_labels(labels: Any) -> str:
    """Return labels for a message, as Python writes them, at most ten."""
    labels = np.asarray(labels)
    texts = [repr(label) for label in labels[:10].tolist()]
    return ", ".join([*texts, "..."] if len(labels) > 10 else texts)


def distinct(labels: Any) -> Any:
    """Return the distinct labels, sorted: what ``np.unique`` does.

    Whole numbers that lie close together are counted, and texts are put into a set, which takes a
    fifth of the time or less.
    """
    if are_texts(labels):
        return np.array(sorted({*labels.ravel().tolist()}), dtype=object)
    if labels.dtype.kind == "i" and labels.size:
        low, high = int(labels.min()), int(labels.max())
        if high - low < labels.size:
            counts = np.bincount(labels.astype(np.int64, copy=False).ravel() - low)
            return (np.flatnonzero(counts) + low).astype(labels.dtype, copy=False)
    return np.unique(labels)


def are_texts(labels: Any) -> bool:
    """Tell whether labels are an array of objects that are all of the type ``str``."""
    return labels.dtype.kind == "O" and {*map(type, labels.ravel().tolist())} == {str}


def _are_of_one_kind(labels: Any, kinds: str) -> bool:
    """Tell whether an array holds one label per row: of one of these kinds of dtypes, or texts."""
    return labels.ndim == 1 and (labels.dtype.kind in kinds or are_texts(labels))


def n_evident_classes(y: Any) -> int:
    """Return the number of classes if scikit-learn's checks would surely find one class per row.

    Return 0 if they might find anything else, or warn of many classes for few rows.
    """
    if type(y) is not np.ndarray or not _are_of_one_kind(y, "biuU"):
        return 0
    n_classes = len(distinct(y))
    return n_classes if 4 * n_classes <= len(y) else 0


@cache
def _uncertain(dtype: np.dtype) -> tuple[Floats, Floats]:
    """Return the probabilities next to 0 and 1, as arrays, which ufuncs read faster."""
    limits = np.finfo(dtype)
    return np.asarray(limits.tiny, dtype), np.asarray(1 - limits.epsneg, dtype)


def never_certain(probability: Floats) -> Floats:
    """Move probabilities, in place, away from 0 and 1, so that logarithms are finite."""
    smallest, largest = _uncertain(probability.dtype)
    if probability.size > FEW_NUMBERS:
        return np.clip(probability, smallest, largest, out=probability)
    # np.clip takes five times as long for one row.
    np.maximum(probability, smallest, out=probability)
    return np.minimum(probability, largest, out=probability)


def accuracy(y: Any, labels: Any) -> float:
    """Return the accuracy of predicted labels, as ``accuracy_score`` does.

    The checks of that function take half a millisecond: longer than an epoch of a small network,
    and longer than the prediction. Labels that are surely of one kind are not checked.
    """
    # A series of pandas or polars.
    found = y.to_numpy() if hasattr(y, "to_numpy") else y
    if (
        isinstance(found, np.ndarray)
        and found.dtype == labels.dtype
        and found.shape == labels.shape
        and _are_of_one_kind(found, "biuUS")
        and _are_of_one_kind(labels, "biuUS")
    ):
        return float(np.count_nonzero(found == labels) / len(labels))
    return float(accuracy_score(y, labels))


def labels_to_compare(y: Any) -> Any:
    """Return true labels for a score. A frame becomes an array: its dtypes may be pandas' own."""
    refuse_odd_targets(y, are_numbers=False)
    return check_y(y, True) if hasattr(y, "dtypes") and hasattr(y, "columns") else y


def refuse_too_few_classes(classes: Any, estimator_name: str) -> None:
    """Raise ValueError if there are fewer than two classes."""
    if len(classes) < 2:
        found = f"one class: {shown_labels(classes)}" if len(classes) else "none"
        raise ValueError(
            f"{estimator_name} needs samples of at least 2 classes in the data, but the"
            f" data contains only {found}"
        )


def are_known_labels(y: Any, classes: Any, mode: FitMode) -> bool:
    """Tell whether y surely holds labels of the same kind as in an earlier ``partial_fit``."""
    return (
        mode.continuing
        and mode.incremental
        and isinstance(y, np.ndarray)
        and y.ndim == 1
        and y.dtype.kind in "biuUS"
        and y.dtype.kind == classes.dtype.kind
    )


def encoded_labels(
    y: Any,
    known: Any,
    mode: FitMode,
    check_n_classes: Callable[[Any], object],
    *,
    same_classes: bool,
) -> tuple[Any, Integers]:
    """Find the classes, or check y against them; return them and the position of each label, (N,).

    ``known`` are the classes of the earlier call, or those that were passed to ``partial_fit``.
    ``check_n_classes`` raises ValueError for classes that the estimator cannot handle.
    ``same_classes`` says whether a ``fit`` that continues an earlier one must get the same classes.
    """
    if are_known_labels(y, known, mode):
        # Without a search for all labels that occur, a call of partial_fit takes half the time.
        codes = np.searchsorted(known, y)
        np.minimum(codes, len(known) - 1, out=codes)
        if (known[codes] == y).all():
            return known, codes
    if not (type(y) is np.ndarray and y.ndim == 1):
        y = column_or_1d(y, warn=True)
    found = distinct(y)
    if not mode.continuing:
        # partial_fit gets all labels that will ever occur with its first call.
        known = known if mode.incremental else found
        check_n_classes(known)
    if same_classes and not mode.incremental and set(found) != set(known):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous"
            f" call to fit. Previously got {known}, `y` has {found}"
        )
    if known is not found and len(np.setdiff1d(found, known, assume_unique=True)):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {known}. `y` has {found}."
        )
    return known, np.searchsorted(known, y)


def _summable(weights: Any) -> Any:
    """Return the weights of a mean as an array, scaled if their sum would overflow."""
    if np.ndim(weights) != 1 or (found := np.asarray(weights)).dtype.kind not in "fiu":
        # The mean refuses or handles them.
        return weights
    with np.errstate(over="ignore"):
        is_too_large = np.isinf(found.sum(dtype=np.float64))
    return np.ldexp(found.astype(np.float64), -64) if is_too_large else found


class LogProbabilityMixin:
    """The logarithm of the probabilities of any classifier."""

    predict_proba: Any

    def predict_log_proba(self, X: Any) -> Floats:
        """Return the logarithm of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict; a frame where `predict_proba` takes one.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Log-probabilities.
        """
        return np.log(self.predict_proba(X))


class LabelMixin(LogProbabilityMixin, ClassifierMixin):
    """What all classifiers share: labels, their positions in ``classes_``, and their weights."""

    classes_: Any
    class_weight: Any
    warm_start: bool

    #: Range of the sum of all row weights, times those of their classes.
    _sums_of_weights = NORMAL_NUMBERS

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean accuracy on the given data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            True labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Share of the rows that are predicted exactly; with several labels per row, all of them.
        """
        y = labels_to_compare(y)
        if sample_weight is None:
            return accuracy(y, self.predict(X))
        return float(super().score(X, y, _summable(sample_weight)))

    def _label_codes(self, y: Any, mode: FitMode) -> Integers:
        """Set ``classes_``, or check y against it, and return each label's position there."""
        self.classes_, codes = encoded_labels(
            y,
            getattr(self, "classes_", None),
            mode,
            lambda classes: refuse_too_few_classes(classes, type(self).__name__),
            same_classes=self.warm_start,
        )
        return codes

    def _refuse_balancing_batches(self) -> None:
        """Raise ValueError if partial_fit would need to know all rows, or for a wrong option."""
        check_option(type(self).__name__, "class_weight", self.class_weight, CLASS_WEIGHT)
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' is not supported by partial_fit, which does not see all"
                " rows: pass a dict, for example computed by"
                " sklearn.utils.compute_class_weight('balanced', classes=classes, y=y)."
            )

    def _weigh_classes(self, codes: Integers, sample_weight: Floats | None) -> Floats:
        """Multiply the weights of rows by those of their classes."""
        of_class = self._class_weights(codes, sample_weight)
        weights = of_class[codes]
        if not (weights if sample_weight is None else weights[sample_weight > 0]).any():
            raise ValueError(f"class_weight={self.class_weight!r} leaves no row to learn from.")
        if sample_weight is not None:
            with np.errstate(over="ignore", under="ignore"):
                weights *= sample_weight
        factors = [] if self.class_weight is None else [f"class_weight={self.class_weight!r}"]
        factors += [] if sample_weight is None else ["sample_weight"]
        check_sum_of_weights(weights, f"{' times '.join(factors)}:", self._sums_of_weights)
        return weights

    def _class_weights(self, codes: Integers, sample_weight: Floats | None) -> Floats:
        if self.class_weight is None:
            return np.ones(len(self.classes_))
        if isinstance(self.class_weight, str):
            # Unlike scikit-learn's function, this adds weights up: they equal repeated rows.
            totals = np.bincount(codes, sample_weight, minlength=len(self.classes_))
            shares = totals / totals.sum() * np.count_nonzero(totals)
            # A class of almost no weight would get an infinite weight, which is refused later.
            with np.errstate(over="ignore"):
                return np.divide(1, shares, out=np.zeros(len(shares)), where=shares > 0)
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError(
                f"class_weight={self.class_weight!r}: weights must be finite and not negative."
            )
        return weights
