"""Scaling of columns by their quartiles, with smooth clipping of outliers.

X has N rows and D columns throughout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array, gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from .._sklearn.checks import as_table, checking, refuse_other_columns, restored_on_failure
from .._sklearn.compat import fit_context
from .._sklearn.estimators import PackageEstimator
from ..engine.arrays import Floats, stored_once
from ..options import ChecksOptions, Flag, Interval, Rules, speaks_for_itself

#: Numbers that are processed at a time (8 MB of float64): computing quartiles copies them.
TOGETHER = 2**20

#: Numbers that are clipped at a time: intermediate results stay in the cache.
IN_CACHE = 2**16

QUARTILES = (0.25, 0.5, 0.75)


@speaks_for_itself
class RobustSmoothClipScaler(
    ChecksOptions,
    PackageEstimator,
    OneToOneFeatureMixin,
    TransformerMixin,
    BaseEstimator,
):
    r"""Scale each column by its quartiles, and clip outliers smoothly.

    A column becomes :math:`z = (x - \mathrm{median}) / \mathrm{IQR}`. Where the interquartile
    range is 0, half of the range takes its place. A column that was constant in ``fit`` always
    becomes 0. Then :math:`z / \sqrt{1 + (z / m)^2}` with m = `max_abs` leaves small numbers nearly
    unchanged and lets no number exceed m.

    So a single extreme value neither squeezes all others together, as with ``StandardScaler``, nor
    reaches a network unchanged (Holzmüller, Grinsztajn & Steinwart 2024, *Better by default*).

    Missing values (NaN) are left out of the statistics and stay NaN. Sparse columns are only
    divided, not centered, so that their zeros stay zeros: for a column that is mostly zero, whose
    median is 0, this is the same.

    Parameters
    ----------
    max_abs : float, default=3.0
        Limit that absolute values approach, > 0. With None, outliers are not clipped.

    copy : bool, default=True
        Whether `transform` leaves X unchanged. With False, a float array is changed in place if
        possible.

    Attributes
    ----------
    center_ : ndarray of shape (n_features,)
        The medians; zeros for sparse data, NaN for columns without any number.

    scale_ : ndarray of shape (n_features,)
        The interquartile ranges, half ranges, or zeros.

    n_features_in_ : int
        Number of columns in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all are strings.

    See Also
    --------
    TabularPreprocessor : The same after categories and missing values have become numbers.
    sklearn.preprocessing.RobustScaler : Scales by quartiles without clipping outliers.

    Examples
    --------
    >>> import numpy as np
    >>> from skperceptron.preprocessing import RobustSmoothClipScaler
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [1000.0]])
    >>> RobustSmoothClipScaler().fit_transform(X).ravel().round(2)
    array([-0.95, -0.49,  0.  ,  0.49,  3.  ])
    """

    _parameter_constraints: dict[str, Rules] = {
        "max_abs": [Interval(0), None],
        "copy": [Flag()],
    }

    def __init__(self, max_abs=3.0, *, copy=True) -> None:
        self.max_abs = max_abs
        self.copy = copy

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> RobustSmoothClipScaler:
        """Learn the statistics of the columns.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Numbers; NaN is a missing value.

        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted scaler.

        Raises
        ------
        ValueError
            If X holds infinite values, or a sparse X holds NaN. An earlier fit is then left as it
            was.
        """
        with restored_on_failure(self):
            X = self._validated(X, sparse_format="csc", reset=True)
            if sparse.issparse(X):
                self.scale_ = _sparse_scale(X)
                self.center_ = np.zeros_like(self.scale_)
            else:
                self.center_, self.scale_ = _center_and_scale(X)
        return self

    def transform(self, X: Any) -> Any:
        """Scale columns and clip outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Numbers; NaN stays NaN.

        Returns
        -------
        {ndarray, CSR matrix} of shape (n_samples, n_features)
            Of dtype float32 if X is float32, else of float64.
        """
        check_is_fitted(self)
        X = self._validated(X, sparse_format="csr", reset=False, copy=self.copy)
        if not sparse.issparse(X):
            return self.transform_in_place(X)
        X = stored_once(X)
        data = X.data[np.newaxis]
        factor = inverse_or_zero(self.scale_, X.dtype)
        with np.errstate(over="ignore"):
            data *= factor[X.indices]
        _draw_in(data, self.max_abs)
        return X

    def transform_in_place(self, X: Floats) -> Floats:
        """Transform a dense array of the right width in place, without checks."""
        constant = self.scale_ == 0
        if constant.any():
            X[:, constant] = np.where(np.isnan(X[:, constant]), np.nan, 0)
        with np.errstate(over="ignore"):
            X -= np.where(constant, 0, self.center_).astype(X.dtype)
            X *= inverse_or_zero(self.scale_, X.dtype)
        _draw_in(X, self.max_abs)
        return X

    def inverse_transform(self, X: Any) -> Any:
        """Undo `transform`; constant columns of dense data get their constant back.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Output of `transform`. Numbers of `max_abs` or more, which distant outliers can become
            by rounding, are treated as the largest float below `max_abs`.

        Returns
        -------
        {ndarray, CSR matrix} of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        refuse_other_columns(X)
        X = check_array(
            X,
            accept_sparse="csr",
            copy=True,
            force_writeable=True,
            dtype=(np.float64, np.float32),
            ensure_all_finite="allow-nan",
        )
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting"
                f" {self.n_features_in_} features as input."
            )
        if sparse.issparse(X):
            X = stored_once(X)
            _let_out(X.data, self.max_abs)
            X.data *= self.scale_.astype(X.dtype)[X.indices]
            return X
        _let_out(X, self.max_abs)
        X *= self.scale_.astype(X.dtype)
        X += np.nan_to_num(self.center_).astype(X.dtype)
        return X

    def _validated(self, X: Any, *, sparse_format: str, reset: bool, copy: bool = False) -> Any:
        X = as_table(X)
        refuse_other_columns(X)
        with checking():
            X = validate_data(
                self,
                X,
                accept_sparse=sparse_format,
                copy=copy,
                force_writeable=not reset,
                dtype=(np.float64, np.float32),
                ensure_all_finite="allow-nan",
                reset=reset,
            )
        if sparse.issparse(X) and np.isnan(X.data).any():
            raise ValueError(
                f"Sparse X holds NaN, which {type(self).__name__} accepts in dense X only: replace"
                " it first, or pass X.toarray()."
            )
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def blocks_of(n: int, length: int, n_numbers: int = TOGETHER) -> list[slice]:
    """Cut n rows or columns, of ``length`` numbers each, into blocks of at most ``n_numbers``.

    A block has at least one row or column, however long it is.
    """
    return list(gen_batches(n, max(1, n_numbers // max(1, length))))


def _center_and_scale(X: Floats) -> tuple[Floats, Floats]:
    """Return the medians and scales of dense columns, (D,) each; NaN are left out."""
    center, scale = np.empty(X.shape[1]), np.empty(X.shape[1])
    for columns in blocks_of(X.shape[1], len(X)):
        part = X[:, columns].T.astype(np.float64)
        if np.isnan(part).any():
            rows = (_quartiles_and_range(row[~np.isnan(row)][np.newaxis]) for row in part)
            found = np.concatenate(list(rows), axis=1)
        else:
            found = _quartiles_and_range(part)
        center[columns], scale[columns] = found[1], _scale_of(*found[[0, 2, 3, 4]])
    return center, scale


def _quartiles_and_range(rows: Floats) -> Floats:
    """Return quartiles, minimum and maximum of each row, (5, n); NaN where there is no number."""
    if not rows.shape[1]:
        return np.full((5, len(rows)), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        quartiles = np.quantile(rows, QUARTILES, axis=1)
    return np.stack([*quartiles, rows.min(axis=1), rows.max(axis=1)])


def _scale_of(low: Floats, high: Floats, least: Floats, largest: Floats) -> Floats:
    """Return the interquartile range, else half the range, else 0; finite for all floats."""
    with np.errstate(over="ignore", invalid="ignore"):
        scale = high - low
        scale = np.where(scale > 0, scale, largest / 2 - least / 2)
    return np.nan_to_num(scale)


def _sparse_scale(X: Any) -> Floats:
    """Return the scales of the columns of a CSC matrix, (D,), zeros included."""
    n_rows = X.shape[0]
    X = stored_once(X)
    column = np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))
    low, high = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    least = X.min(axis=0).toarray().ravel()
    largest = X.max(axis=0).toarray().ravel()
    n_below = np.bincount(column, X.data < 0, minlength=X.shape[1])
    n_above = np.bincount(column, X.data > 0, minlength=X.shape[1])
    # The first quartile has position (N - 1) / 4, counted from 0, in the sorted column. So both
    # quartiles are 0 if no more than `rest` numbers are below 0, and no more above it.
    rest = (n_rows - 1) / 4
    for j in np.flatnonzero((n_below > rest) | (n_above > rest)):
        filled = np.zeros(n_rows)
        stored = X.data[X.indptr[j] : X.indptr[j + 1]]
        filled[: len(stored)] = stored
        low[j], high[j] = np.quantile(filled, [QUARTILES[0], QUARTILES[2]])
    return _scale_of(low, high, least, largest)


def inverse_or_zero(scale: Floats, dtype: Any) -> Floats:
    """Return 1 / scale, finite in the given dtype, and 0 where a column is constant."""
    with np.errstate(over="ignore"):
        inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    return np.minimum(inverse, np.finfo(dtype).max).astype(dtype)


def _draw_in(z: Floats, max_abs: float | None) -> None:
    """Compute z / sqrt(1 + (z / m)^2) in place, without overflow, a block of rows at a time."""
    # Half of the limit, so that no quotient by max_abs overflows.
    largest = np.finfo(z.dtype).max * min(1, (max_abs or 2) / 2)
    for rows in blocks_of(len(z), z.shape[1], IN_CACHE):
        part = z[rows]
        np.clip(part, -largest, largest, out=part)
        if max_abs is not None:
            part /= _hypotenuse(part / z.dtype.type(max_abs))


def _hypotenuse(x: Floats) -> Floats:
    """Return sqrt(1 + x^2), without overflow."""
    if x.dtype != np.float32:
        return np.hypot(1, x)
    # In float64, the squares of such numbers are finite. This takes half as long as np.hypot.
    squares = x.astype(np.float64)
    np.multiply(squares, squares, out=squares)
    squares += 1
    return np.sqrt(squares, out=squares).astype(np.float32)


def _let_out(z: Floats, max_abs: float | None) -> None:
    """Undo ``_draw_in`` in place."""
    if max_abs is None:
        return
    share = z / z.dtype.type(max_abs)
    largest = np.nextafter(z.dtype.type(1), z.dtype.type(0))
    np.clip(share, -largest, largest, out=share)
    np.divide(share * z.dtype.type(max_abs), np.sqrt((1 - share) * (1 + share)), out=z)
