"""Preparation of raw tables: every column becomes numbers for a network.

X has N rows and D columns throughout; the output has W columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._sklearn.checks import as_table, checking, refuse_other_libraries, restored_on_failure
from .._sklearn.compat import fit_context
from .._sklearn.estimators import PackageEstimator
from ..engine.arrays import Floats, Integers, as_slice, side_by_side
from ..options import (
    COUNT,
    ChecksOptions,
    Interval,
    Precision,
    Rules,
    items_of,
    shown,
    speaks_for_itself,
)
from ._columns import (
    CATEGORICAL_FEATURES,
    about_categories,
    as_numbers,
    chosen_columns,
    columns_of_numbers,
    content_of,
    distinct_content_of,
    exact_content_of,
    is_frame,
    kind_of,
    marked_columns,
    names_of,
    numbers_of,
    warn_of_columns,
    zone_of,
)
from ._parts import Categories, Codes, Dates, Levels, Numbers, Part
from ._scaler import RobustSmoothClipScaler, blocks_of


# Long because of its docstrings: parameters and methods are documented where users look for them.
@speaks_for_itself
class TabularPreprocessor(ChecksOptions, PackageEstimator, TransformerMixin, BaseEstimator):
    """Turn a raw table into numbers for a network.

    X is a data frame of pandas or polars, an Arrow table, or an array. Each column is treated
    according to what it contains:

    - Numbers, and durations and times of day, in days, stay one column. If ``fit`` has seen missing
      values (NaN, None, null), a second one, "_missing", marks them.
    - Categories: strings, booleans, and columns of a categorical dtype. Each level gets a column
      of zeros and ones; if there are two levels, they share one of -1 and +1. An unknown or missing
      level is all zeros. If there are more than `max_categories` levels, the most frequent ones get
      columns, and the others count as unknown. A column with more than `max_one_hot` levels becomes
      a column of codes instead.
    - Dates become their number of days, "_days", with "_missing" as above, and points on circles
      (sine and cosine) for the time of the year and the week, and of the day where times are given.
      They are local times: those of the time zone of ``fit``, if the column has had one. Periods
      of pandas are replaced by the dates at which they begin.

    Then :class:`RobustSmoothClipScaler` scales every column and clips outliers; constant columns
    become 0. Finally missing numbers become 0, which is the median. A column of numbers, or of an
    unknown kind, that has no value in ``fit`` always becomes 0; a column of categories without any
    value has no output. Codes are not scaled, and come after all other outputs.

    Sparse matrices, such as word counts, hold numbers, none of them missing; they are scaled and
    stay sparse.

    Parameters
    ----------
    categorical_features : "from_dtype", array-like, callable or None, default="from_dtype"
        Which columns hold categories, in addition to those that are recognized as such; none with
        "from_dtype" or None. An array holds names, positions, or one boolean for each column; a
        callable returns such an array for the X of ``fit``.

    max_categories : int, default=50
        Largest number of levels of a column that get columns, >= 1; rarer ones count as unknown.
        None keeps all levels.

    max_one_hot : int, default=None
        Columns with more levels than this, >= 1, become codes, from 0 on, for a network's
        `categorical_features`: see `code_columns_`. The most frequent level has the largest code.
        With None, no column becomes codes.

    min_frequency : int, default=1
        Number of rows that a level needs to get a code of its own, >= 1. Rarer levels, unknown ones
        and missing values share the code 0 if ``fit`` has seen any of them; otherwise they get -1,
        which means no category. But missing values get the code 1 if there are this many of them,
        and rarer levels, too. A column without a level of this many rows does not become codes; a
        further column, "_missing", marks missing values if there are this many.

    max_abs : float, default=3.0
        Limit that absolute values approach, > 0. With None, outliers are not clipped.

    dtype : {"float64", "float32"} or NumPy dtype, default="float64"
        Dtype of the output.

    Attributes
    ----------
    kinds_ : list of str
        What each column of X holds: "number", "category" or "date".

    categories_ : dict of str or int to list
        The levels that have columns or codes, by the name or position of each categorical column.

    code_columns_ : list of int
        Positions of the outputs that are codes: the last ones.

    number_columns_ : list of int
        Positions of the outputs that are numbers, days or times, not categories or marks of missing
        values.

    scaler_ : RobustSmoothClipScaler
        Fitted to all other outputs. With float32 output, columns that would lose digits, such as
        1e9 + 1, are first replaced by differences from their median, and columns of numbers too
        large or too small for float32 are divided by a power of two.

    n_features_in_ : int
        Number of columns in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all are strings.

    See Also
    --------
    RobustSmoothClipScaler : Only the last step.
    sklearn.compose.ColumnTransformer : Applies transformers of your choice to each column.

    Examples
    --------
    >>> import numpy as np
    >>> from skperceptron.preprocessing import TabularPreprocessor
    >>> X = np.array([[1.0, "red"], [2.0, "blue"], [None, "green"], [4.0, "red"]], dtype=object)
    >>> preprocessor = TabularPreprocessor().fit(X)
    >>> list(preprocessor.get_feature_names_out())
    ['x0', 'x0_missing', 'x1_blue', 'x1_green', 'x1_red']
    >>> preprocessor.transform(X[:1]).round(2)
    array([[-0.65,  0.  ,  0.  ,  0.  ,  0.49]])
    """

    _parameter_constraints: dict[str, Rules] = {
        "categorical_features": CATEGORICAL_FEATURES,
        "max_categories": [COUNT, None],
        "max_one_hot": [COUNT, None],
        "min_frequency": [COUNT],
        "max_abs": [Interval(0), None],
        "dtype": [Precision()],
    }

    #: Defaults for files and pickles of earlier versions, which lack these attributes.
    max_one_hot, min_frequency = None, 1

    def __init__(
        self,
        categorical_features="from_dtype",
        *,
        max_categories=50,
        max_one_hot=None,
        min_frequency=1,
        max_abs=3.0,
        dtype="float64",
    ) -> None:
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.max_one_hot = max_one_hot
        self.min_frequency = min_frequency
        self.max_abs = max_abs
        self.dtype = dtype

    def fit(self, X: Any, y: Any = None) -> TabularPreprocessor:
        """Learn what the columns hold.

        Parameters
        ----------
        X : frame, {array-like, sparse matrix} of shape (n_samples, n_features)
            The table.

        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted preprocessor.

        Raises
        ------
        ValueError
            If X holds infinity, if a sparse X holds NaN or is to have categories, or if
            `categorical_features` names columns that do not exist.
        TypeError
            If X holds values such as lists or complex numbers.
        """
        self._fit_transform(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Learn what the columns hold, and transform them.

        Parameters
        ----------
        X : frame, {array-like, sparse matrix} of shape (n_samples, n_features)
            The table.

        y : None
            Ignored.

        Returns
        -------
        {ndarray, CSR matrix} of shape (n_samples, n_outputs)
        """
        return self._fit_transform(X)

    @fit_context(prefer_skip_nested_validation=True)
    def _fit_transform(self, X: Any) -> Any:
        with restored_on_failure(self):
            return self._learn(X)

    def _learn(self, X: Any) -> Any:
        chosen = chosen_columns(self, X)
        X = self._validated(X, reset=True)
        scaler = RobustSmoothClipScaler(self.max_abs, copy=False)
        if sparse.issparse(X):
            if items_of(chosen):
                raise ValueError(
                    f"categorical_features={shown(chosen)} must be 'from_dtype' or None for sparse"
                    " X, whose columns are all numbers."
                )
            self.kinds_, self._parts = ["number"] * X.shape[1], None
            self.scaler_ = scaler.fit(X)
            return self.scaler_.transform(X)
        marked = marked_columns(chosen, getattr(self, "feature_names_in_", ()), X.shape[1])
        self.kinds_, self._parts, doubtful = [], [], []
        for j in range(X.shape[1]):
            name = self._name(j)
            if j in marked:
                kind, content = "category", exact_content_of(X, j)
            else:
                content, is_category = content_of(X, j)
                kind = "category" if is_category else kind_of(content, name)
                if kind == "category" and not is_category:
                    doubtful.append((name, about_categories(content, name)))
            self.kinds_.append(kind)
            part = self._part_for(kind, j).fit(content, name)
            if kind == "date" or j in marked:
                part.zone = zone_of(X, j)
            self._parts.append(part)
        warn_of_columns([(name, text) for name, text in doubtful if text])
        encoded = self._encoded(X)
        numbers = encoded[:, : self._n_numbers]
        self.scaler_ = scaler.fit(numbers) if numbers.shape[1] else scaler
        return self._scaled(encoded)

    def transform(self, X: Any) -> Any:
        """Transform a table with the same columns.

        Parameters
        ----------
        X : frame, {array-like, sparse matrix} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        {ndarray, CSR matrix} of shape (n_samples, n_outputs)

        Raises
        ------
        ValueError
            If a column that held numbers or dates in ``fit`` holds other values.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        if self._parts is None:
            return self.scaler_.transform(X if sparse.issparse(X) else self._numbers_of(X))
        if sparse.issparse(X):
            X = X.toarray()
        return self._scaled(self._encoded(X))

    def _numbers_of(self, X: Any) -> Floats:
        """Return a copy of a dense table, as numbers: 0 where one is missing."""
        numbers = [as_numbers(content_of(X, j)[0], self._name(j)) for j in range(X.shape[1])]
        with np.errstate(over="ignore"):
            return np.nan_to_num(np.column_stack(numbers).astype(self.dtype))

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the outputs.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X, if these had no names in ``fit``.

        Returns
        -------
        ndarray of str objects
            The name of a column and of its output: "age_missing", "color_red", "born_week_sin".
        """
        check_is_fitted(self)
        names = OneToOneFeatureMixin.get_feature_names_out(self, input_features)
        if self._parts is None:
            return names
        found: list[str] = []
        for part in in_order_of_outputs(self._parts):
            found += [f"{names[part.position]}{suffix}" for suffix in part.suffixes]
        return np.array(_made_unique(found), dtype=object)

    def outputs_of_columns(self) -> list[slice]:
        """Return the outputs that each column of X becomes."""
        check_is_fitted(self)
        if self._parts is None:
            return [slice(j, j + 1) for j in range(self.n_features_in_)]
        parts = in_order_of_outputs(self._parts)
        found = zip(parts, side_by_side(len(part.suffixes) for part in parts), strict=True)
        places = {part.position: place for part, place in found}
        return [places[j] for j in range(self.n_features_in_)]

    @property
    def categories_(self) -> dict[Any, list[Any]]:
        """The levels that have columns or codes, by each categorical column's name or position."""
        check_is_fitted(self)
        parts = self._parts or []
        return {self._name(p.position): list(p.levels) for p in parts if isinstance(p, Categories)}

    @property
    def code_columns_(self) -> list[int]:
        """Positions of the outputs that are codes: the last ones."""
        check_is_fitted(self)
        if self._parts is None:
            return []
        return list(range(self._n_numbers, sum(len(part.suffixes) for part in self._parts)))

    @property
    def number_columns_(self) -> list[int]:
        """Positions of the outputs that are numbers, days or times."""
        check_is_fitted(self)
        if self._parts is None:
            return list(range(self.n_features_in_))
        found = [is_one for p in in_order_of_outputs(self._parts) for is_one in p.are_numbers()]
        return [place for place, is_one in enumerate(found) if is_one]

    @property
    def _n_numbers(self) -> int:
        """Number of outputs of a dense table that are not codes."""
        return sum(len(part.suffixes) for part in self._parts if not isinstance(part, Codes))

    def _validated(self, X: Any, *, reset: bool) -> Any:
        """Run scikit-learn's checks, without converting frames or the dtypes of dense arrays."""
        refuse_other_libraries(X)
        X = as_table(X)
        if is_frame(X):
            if hasattr(type(X), "__dask_graph__"):
                raise TypeError(
                    "X is a Dask frame, whose rows are not in memory: pass X.compute()."
                )
            _refuse_repeated_names(X)
            validate_data(self, X, skip_check_array=True, reset=reset)
            if not X.shape[0] or not X.shape[1]:
                raise ValueError(
                    f"Found array with shape {tuple(X.shape)}: at least 1 sample(s) and 1"
                    " feature(s) are needed."
                )
            return X
        if isinstance(X, list | tuple) and np.asarray(X).dtype.kind in "US":
            # Otherwise numbers would become strings if there are strings in other columns.
            X = np.array(X, dtype=object)
        if getattr(getattr(X, "dtype", None), "kind", "") == "T":
            # NumPy's StringDType, which scikit-learn does not support.
            X = X.astype(object)
        with checking():
            X = validate_data(
                self,
                X,
                accept_sparse="csr",
                dtype=None,
                ensure_all_finite="allow-nan",
                reset=reset,
            )
        if sparse.issparse(X):
            return X.astype(np.dtype(self.dtype), copy=True)
        return X

    def _part_for(self, kind: str, j: int) -> Part:
        if kind == "category":
            return Levels(j, self.max_categories, self.max_one_hot, self.min_frequency)
        return Dates(j, self.dtype) if kind == "date" else Numbers(j, self.dtype)

    def _name(self, j: int) -> Any:
        """Return a column's name, or its position where it has none."""
        return self.feature_names_in_[j] if hasattr(self, "feature_names_in_") else j

    def _encoded(self, X: Any) -> Floats:
        """Return the outputs before they are scaled, (N, W); NaN where a number is missing."""
        width = sum(len(part.suffixes) for part in self._parts)
        out = np.empty((X.shape[0], width), dtype=np.dtype(self.dtype))
        places = self.outputs_of_columns()
        with np.errstate(over="ignore"):
            written = self._write_numbers(X, places, out)
            for part, place in zip(self._parts, places, strict=True):
                j = part.position
                if isinstance(part, Categories):
                    content = distinct_content_of(X, j, part.zone)
                    _write_categories(part, content, self._name(j), out[:, place])
                elif j not in written:
                    content, _ = content_of(X, j, part.zone)
                    part.write(content, self._name(j), out[:, place])
        # Infinite input has been refused: infinite values here have overflowed in this dtype.
        largest = np.finfo(out.dtype).max
        return np.clip(out, -largest, largest, out=out)

    def _write_numbers(self, X: Any, places: Sequence[slice], out: Floats) -> set[int]:
        """Write all columns of usual numbers together; return their positions.

        One by one, 60 columns of a single row would take 4 ms.
        """
        plain = {p.position: p for p in self._parts if isinstance(p, Numbers) and p.is_plain}
        columns = [j for j in columns_of_numbers(X) if j in plain]
        if not columns:
            return set()
        marked = [i for i, j in enumerate(columns) if len(plain[j].suffixes) > 1]
        firsts = [places[j].start for j in columns]
        for rows in blocks_of(X.shape[0], len(columns)):
            numbers = numbers_of(X, rows, columns)
            if np.isinf(numbers).any():
                for i, j in enumerate(columns):
                    as_numbers(numbers[:, i], self._name(j))
            out[rows, as_slice(firsts)] = numbers
            if marked:
                out[rows, [firsts[i] + 1 for i in marked]] = np.isnan(numbers[:, marked])
        return set(columns)

    def _scaled(self, encoded: Floats) -> Floats:
        """Scale all outputs except codes in place, and replace missing values."""
        numbers = encoded[:, : self._n_numbers]
        if numbers.shape[1]:
            self.scaler_.transform_in_place(numbers)
            np.copyto(numbers, 0, where=np.isnan(numbers))
        return encoded

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _write_categories(
    part: Categories, content: tuple[Any, Integers | None], name: Any, out: Floats
) -> None:
    """Write values and, if they are listed once, take their outputs for each row."""
    values, places = content
    if places is None:
        part.write(values, name, out)
        return
    of_values = np.empty((len(values), out.shape[1]), out.dtype)
    part.write(values, name, of_values)
    for rows in blocks_of(len(out), out.shape[1]):
        out[rows] = of_values[places[rows]]


def _made_unique(names: Sequence[str]) -> list[str]:
    """Return names, with "_" appended to those that have occurred before."""
    taken: dict[str, None] = {}
    for name in names:
        unique = name
        while unique in taken:
            unique += "_"
        taken[unique] = None
    return list(taken)


def in_order_of_outputs(parts: Sequence[Part]) -> list[Part]:
    """Return the parts in the order of their outputs: codes come last."""
    return sorted(parts, key=lambda part: isinstance(part, Codes))


def parts_of(preprocessor: TabularPreprocessor) -> list[tuple[Part, Any]] | None:
    """Return the part for each column of a fitted preprocessor, and the column's name or position.

    They are in the order of the outputs, `code_columns_` last. None if the preprocessor was fitted
    to a sparse matrix, whose columns are only scaled.
    """
    check_is_fitted(preprocessor)
    if preprocessor._parts is None:
        return None
    parts = in_order_of_outputs(preprocessor._parts)
    return [(part, preprocessor._name(part.position)) for part in parts]


def _refuse_repeated_names(X: Any) -> None:
    """Raise ValueError if columns of a frame share a name: they could not be distinguished."""
    repeated = [name for name, n in Counter(names_of(X)).items() if n > 1]
    if repeated:
        raise ValueError(
            f"X has several columns named {shown(repeated[0])}: give each column a name of its own."
        )
