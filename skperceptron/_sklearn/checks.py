"""Checks and guards that all estimators share."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import validate_data

from ..engine.arrays import FEW_NUMBERS, Floats, Integers, all_finite
from ..engine.memory_mapped import RESIDENT, pages_of
from .compat import column_or_1d, convert_sample_weight

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

#: Dtypes that X may keep, because batches are converted one by one; others become float64.
ACCEPTED = tuple(map(np.dtype, "d f e b B h H i I l L q Q ?".split()))

#: Types of a plain matrix.
MATRICES = (np.ndarray, sparse.csr_matrix, sparse.csr_array)

#: Types of objects in a table that are dates or durations.
DATES = (date, timedelta, np.datetime64, np.timedelta64)

#: The smallest and the largest positive float64 number of full precision.
NORMAL_NUMBERS = (float(np.finfo(np.float64).tiny), float(np.finfo(np.float64).max))

#: The y with which ``validate_data`` checks only X.
NO_TARGETS = "no_validation"


@dataclass(frozen=True)
class FitMode:
    """How the estimator was called.

    Attributes
    ----------
    continuing : bool
        Whether training goes on from an earlier call.
    incremental : bool
        Whether this is ``partial_fit``.
    trains : bool, default=True
        Whether training follows; if not, a step is only looked at.
    """

    continuing: bool
    incremental: bool
    trains: bool = True


#: A ``fit`` that goes on from nothing.
FROM_SCRATCH = FitMode(continuing=False, incremental=False)


@dataclass(frozen=True)
class Extras:
    """What ``fit`` takes beyond X, y and sample weights.

    Attributes
    ----------
    X_val, y_val, sample_weight_val
        The user's own validation data.
    coefs_init, intercepts_init : list of array-like
        Initial weights and biases.
    groups : array-like
        Rows of one group are held out together.
    """

    X_val: Any = None
    y_val: Any = None
    sample_weight_val: Any = None
    coefs_init: Any = None
    intercepts_init: Any = None
    groups: Any = None

    @property
    def gives_start(self) -> bool:
        """Whether there are initial weights or biases of the user's own."""
        return self.coefs_init is not None or self.intercepts_init is not None


class _Zeros(ISeedSequence):
    """A seed sequence without entropy, for a generator that is seeded right afterwards."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        return np.zeros(n_words, dtype)


def generator_of(random_state: Any) -> np.random.RandomState:
    """Return the generator that ``check_random_state`` returns, or one in the same state.

    A new generator without a seed sequence draws entropy first: twice the time of all the rest.

    Parameters
    ----------
    random_state : None, int or RandomState
    """
    if not isinstance(random_state, Integral):
        return check_random_state(random_state)
    generator = _unseeded()
    generator.seed(int(random_state))
    return generator


def same_generator(generator: np.random.RandomState) -> np.random.RandomState:
    """Return another generator that will draw the same numbers as one with a seed."""
    other = _unseeded()
    other.set_state(generator.get_state())
    return other


def _unseeded() -> np.random.RandomState:
    start: Any = _Zeros()
    return np.random.RandomState(np.random.MT19937(start))


def state_as_key(generator: np.random.RandomState) -> tuple[Hashable, ...]:
    """Return a key that is equal for generators that will draw the same numbers."""
    state: Any = generator.get_state()
    name, words, *others = state
    return name, words.tobytes(), *others


def check_sample_weight(sample_weight: Any, X: Any) -> Floats:
    """Return the weights of the rows of X as a float64 array.

    Parameters
    ----------
    sample_weight : float or array-like of shape (n_samples,)
    X : {array-like, sparse matrix} of shape (n_samples, n_features)

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Raises
    ------
    ValueError
        If a weight is negative, NaN or infinite, if the shape is wrong, if all are zero, or if
        their sum overflows or vanishes.
    """
    if _is_single(sample_weight):
        sample_weight = _checked_number(sample_weight)
    try:
        with checking():
            weights = convert_sample_weight(sample_weight, X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        if "sample_weight" in str(error):
            raise
        raise ValueError(f"sample_weight: {error}") from error
    if (weights < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if not weights.any():
        raise ValueError("All values of `sample_weight` are zero: at least one must be positive.")
    check_sum_of_weights(weights, "sample_weight:")
    return weights


def _is_single(weight: Any) -> bool:
    """Tell whether a weight is one value for all rows, not an array or a sequence."""
    # np.ndim would convert arrays of other libraries, which may refuse it.
    is_array = hasattr(weight, "__array__") and not isinstance(weight, np.ndarray | np.generic)
    return not is_array and np.ndim(weight) == 0


def _checked_number(weight: Any) -> float:
    """Check a single weight for all rows, and return it."""
    number = weight.item() if isinstance(weight, np.ndarray) else weight
    is_number = isinstance(number, Real) and not isinstance(number, bool | np.bool_)
    if not (is_number and np.isfinite(float(number))):
        raise ValueError(
            f"sample_weight={weight!r}: must be a finite number above 0, or an array of one number"
            " for each row."
        )
    return float(number)


def _summable(weights: Any) -> Any:
    """Return the weights of a mean, scaled if their sum would overflow."""
    if np.ndim(weights) != 1 or np.asarray(weights).dtype.kind not in "fiu":
        # The mean refuses them, or knows what to do with them.
        return weights
    with np.errstate(over="ignore"):
        is_too_large = np.isinf(np.sum(weights, dtype=np.float64))
    return np.ldexp(np.asarray(weights, dtype=np.float64), -64) if is_too_large else weights


def check_sum_of_weights(
    weights: Floats, subject: str, allowed: tuple[float, float] = NORMAL_NUMBERS
) -> None:
    """Refuse weights whose sum overflows, or is so small that a division by it overflows.

    Parameters
    ----------
    weights : ndarray
    subject : str
        Start of the error message.
    allowed : tuple of two floats
        Least and largest sum.
    """
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not allowed[0] <= total <= allowed[1]:
        raise ValueError(
            f"{subject} the sum of the weights must lie between {allowed[0]:.2g} and"
            f" {allowed[1]:.2g}, got {total:.2g}. Multiply all of them by one factor."
        )


def shown_labels(labels: Any) -> str:
    """Return labels for a message, as Python writes them, at most ten."""
    labels = np.asarray(labels)
    texts = [repr(label) for label in labels[:10].tolist()]
    return ", ".join([*texts, "..."] if len(labels) > 10 else texts)


def refuse_dates(values: Any, name: str) -> None:
    """Raise TypeError if an array or table holds dates or durations: NumPy takes them for integers.

    Parameters
    ----------
    values : array-like
    name : str
        Their name in the message.
    """
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", "O") == "O" and hasattr(values, "__getitem__"):
        # Lists, tables, objects: look at the first row; scikit-learn reports any other error.
        with suppress(Exception):
            first = np.asarray(values[:1])
            has_dates = any(isinstance(value, DATES) for value in first.ravel().tolist())
            dtype = np.dtype("datetime64") if has_dates else first.dtype
    if getattr(dtype, "kind", "") in ("m", "M"):
        raise TypeError(
            f"{name} holds dates or durations, but numbers are needed: convert them first, for"
            ' example by (dates - dates[0]) / np.timedelta64(1, "D").'
        )


def is_evidently_valid(X: Any, estimator: BaseEstimator) -> bool:
    """Tell whether scikit-learn's checks would surely return X as it is, without a warning.

    This takes microseconds; the checks themselves take as long as ten predictions of a row.
    If False, they must be run.
    """
    fitted = vars(estimator)
    if "feature_names_in_" in fitted:
        return False
    return are_evidently_numbers(X) and X.shape[1] == fitted.get("n_features_in_")


def are_evidently_numbers(X: Any) -> bool:
    """Tell whether X is surely a matrix of finite numbers, in a dtype that it may keep."""
    return (
        type(X) in MATRICES
        and X.ndim == 2
        and X.dtype in (FLOAT32, FLOAT64)
        and 0 not in X.shape
        and all_finite(X if type(X) is np.ndarray else X.data)
    )


def checking() -> np.errstate:
    """Return a context without NumPy's warnings, for scikit-learn's check that data is finite.

    It adds all numbers up first, and a sum of the largest floats may be ``inf - inf``.
    """
    return np.errstate(over="ignore", invalid="ignore")


def are_evidently_targets(y: Any, n_rows: int, multi_output: bool = True) -> bool:
    """Tell whether scikit-learn's checks would surely return these targets as they are."""
    return (
        type(y) is np.ndarray
        and y.ndim in ((1, 2) if multi_output else (1,))
        and len(y) == n_rows
        and (y.dtype.kind in "biuUS" or (y.dtype == FLOAT64 and bool(np.isfinite(y).all())))
    )


def distinct(labels: Any) -> Any:
    """Return the distinct labels, sorted: what ``np.unique`` does.

    Whole numbers that lie close together are counted, which takes a fifth of the time.
    """
    if labels.dtype.kind == "i" and labels.size:
        low, high = int(labels.min()), int(labels.max())
        if high - low < labels.size:
            counts = np.bincount(labels.astype(np.int64, copy=False).ravel() - low)
            return (np.flatnonzero(counts) + low).astype(labels.dtype, copy=False)
    return np.unique(labels)


def are_evidently_classes(y: Any) -> bool:
    """Tell whether scikit-learn's checks would surely take y for one class per row.

    If there are many classes for few rows, they warn: then False.
    """
    return (
        type(y) is np.ndarray
        and y.ndim == 1
        and y.dtype.kind in "biuU"
        and 4 * len(distinct(y)) <= len(y)
    )


def validated(estimator: BaseEstimator, X: Any, y: Any = NO_TARGETS, **checks: Any) -> Any:
    """Do what ``validate_data`` does, but check a memory-mapped file part by part.

    Parameters
    ----------
    estimator : estimator
    X, y
        As given to ``fit`` or ``predict``.
    **checks
        More arguments of ``validate_data``.

    Returns
    -------
    X, or X and y
        Checked. X keeps its dtype if that is one of ``dtype`` (by default ACCEPTED), and is CSR if
        it is sparse.
    """
    is_plain = type(X) in MATRICES and X.ndim == 2 and X.dtype in checks.get("dtype", ACCEPTED)
    if is_plain and y is not NO_TARGETS:
        is_plain = are_evidently_targets(y, X.shape[0], checks.get("multi_output", False))
    if is_plain and checks.get("reset") is False and is_evidently_valid(X, estimator):
        return X if y is NO_TARGETS else (X, y)
    refuse_dates(X, "X")
    pages = pages_of(X)
    usual = {"accept_sparse": "csr", "dtype": ACCEPTED, "ensure_all_finite": pages is None}
    is_plain &= pages is None and checks.keys() <= {"reset", "dtype", "multi_output", "y_numeric"}
    if is_plain and are_evidently_numbers(X):
        if checks.get("reset", True):
            note_columns(estimator, X.shape[1])
            return X if y is NO_TARGETS else (X, y)
        # Names and number of the columns remain to be checked.
        usual["skip_check_array"] = True
    with checking():
        found = validate_data(estimator, X, y, **{**usual, **checks})
    if pages is not None:
        checked = found[0] if isinstance(found, tuple) else found
        name = type(estimator).__name__
        size = max(1, RESIDENT // checked[:1].nbytes)
        for start in range(0, len(checked), size):
            part = checked[start : start + size]
            with checking():
                assert_all_finite(part, input_name="X", estimator_name=name)
            pages.let_go()
    return found


@contextmanager
def renaming(usual: str, name: str) -> Iterator[None]:
    """Correct the name of a parameter in the error messages of general checks.

    Parameters
    ----------
    usual : str
        The name in the messages, such as "y". A message without it gets the right name in front.
    name : str
        The right name.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        # Not if it is a label or the name of a column.
        alone = rf"(?<![\w'\"])(?<!- ){usual}(?![\w'\"])"
        message, n_found = re.subn(alone, name, str(error)) if usual else (str(error), 0)
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(message if n_found else f"{name}: {message}") from error


@contextmanager
def restored_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Give an estimator its earlier attributes back if the body fails.

    The body must replace attributes, not change them in place.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


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


def note_columns(estimator: Any, n_features: int) -> None:
    """Store the number of features of an X without names."""
    estimator.n_features_in_ = n_features
    # Names of an earlier fit must not survive one without names.
    estimator.__dict__.pop("feature_names_in_", None)


def take_over_features(estimator: Any, source: Any) -> None:
    """Copy the number and the names of features from another, fitted estimator."""
    note_columns(estimator, source.n_features_in_)
    if hasattr(source, "feature_names_in_"):
        estimator.feature_names_in_ = source.feature_names_in_


def accuracy(y: Any, labels: Any) -> float:
    """Return the accuracy of predicted labels, as ``accuracy_score`` does.

    The checks of that function take half a millisecond: longer than an epoch of a small network,
    and longer than the prediction. Labels that are surely of one kind are not checked.

    Parameters
    ----------
    y : array-like
        The true labels.
    labels : ndarray
        The predicted ones.
    """
    plain = isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "biuUS"
    if plain and y.dtype == labels.dtype and y.shape == labels.shape:
        return float(np.mean(y == labels))
    return float(accuracy_score(y, labels))


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
    check_n_classes: Callable[[Any], None],
    *,
    same_classes: bool,
) -> tuple[Any, Integers]:
    """Find the classes, or check y against them, and turn labels into positions among them.

    Parameters
    ----------
    y : array-like of shape (N,)
    known : ndarray of shape (n_classes,) or None
        The classes of the earlier call, or those that were passed to ``partial_fit``.
    mode : FitMode
    check_n_classes : callable
        Raises ValueError for classes that the estimator cannot handle.
    same_classes : bool
        Whether a ``fit`` that continues an earlier one must get the same classes.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
    codes : ndarray of int of shape (N,)
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
            f"`y` has classes not in `self.classes_`. `self.classes_` has {known}. 'y' has {found}."
        )
    return known, np.searchsorted(known, y)


class LogProbabilityMixin:
    """The logarithm of the probabilities of any classifier."""

    predict_proba: Any

    def predict_log_proba(self, X: Any) -> Floats:
        """Return the logarithm of `predict_proba`.

        Parameters
        ----------
        X : as in `predict_proba`
            Rows to predict.

        Returns
        -------
        ndarray, shaped like the result of `predict_proba`
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
        """Raise ValueError if partial_fit would need to know all rows."""
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
        if sample_weight is not None:
            with np.errstate(over="ignore", under="ignore"):
                weights *= sample_weight
            relevant = sample_weight > 0
        else:
            relevant = np.ones(len(weights), dtype=bool)
        if not of_class[codes[relevant]].any():
            raise ValueError(f"class_weight={self.class_weight!r} leaves no row to learn from.")
        factors = [] if self.class_weight is None else [f"class_weight={self.class_weight!r}"]
        factors += [] if sample_weight is None else ["sample_weight"]
        check_sum_of_weights(weights, f"{' times '.join(factors)}:", self._sums_of_weights)
        return weights

    def _class_weights(self, codes: Integers, sample_weight: Floats | None) -> Floats:
        """Return one weight per class."""
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
