"""Predictions for the blocks of a Dask collection, on the workers that hold them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dask.array
import numpy as np

from .._sklearn.compat import safe_indexing
from .._sklearn.pipelines import last_step
from ._blocks import delayed, of_whole_rows


def predict(estimator: Any, X: Any) -> Any:
    """Predict each block of a Dask collection on the worker that holds it.

    Parameters
    ----------
    estimator : estimator
        Fitted; may be a pipeline.
    X : dask Array of shape (n_samples, n_features) or dask DataFrame

    Returns
    -------
    dask Array, or dask Series or DataFrame with the index of X
        Not computed yet, except for the first row if the estimator refuses a row of zeros.

    Raises
    ------
    TypeError
        If X is not a Dask collection.

    Examples
    --------
    >>> import dask.array
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPClassifier
    >>> from skperceptron.distributed import predict
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier(solver="lbfgs", random_state=0).fit(X, y)
    >>> blocks = dask.array.from_array(X, chunks=(50, 4))
    >>> bool((predict(network, blocks).compute() == network.predict(X)).all())
    True
    """
    return _mapped(estimator, "predict", X, "prediction")


def predict_proba(estimator: Any, X: Any) -> Any:
    """Predict the probabilities of the classes for each block of a Dask collection.

    Parameters
    ----------
    estimator : estimator with ``predict_proba``
        Fitted; may be a pipeline.
    X : dask Array of shape (n_samples, n_features) or dask DataFrame

    Returns
    -------
    dask Array of shape (n_samples, n_classes), or dask DataFrame with the index of X
        Not computed yet, except for the first row as in :func:`predict`. The columns of a frame are
        the classes, or the ``values_`` of a regressor.

    Raises
    ------
    TypeError
        If X is not a Dask collection.
    """
    # The classes of a classifier, the values of a regressor with output="categorical".
    values = getattr(last_step(estimator), "values_", "probability")
    return _mapped(estimator, "predict_proba", X, getattr(estimator, "classes_", values))


def _mapped(estimator: Any, method: str, X: Any, names: Any) -> Any:
    if isinstance(X, dask.array.Array):
        return _of_array(estimator, method, X)
    if dask.is_dask_collection(X) and hasattr(X, "map_partitions"):
        from dask.dataframe.dispatch import make_meta

        predicted = partial(_of_frame, estimator=estimator, method=method, names=names)
        like = _like(predicted, partial(_one_row, make_meta(X)), X)
        return X.map_partitions(_of_rows, predicted, like, meta=like)
    raise TypeError(
        f"X must be an array or a data frame of Dask, got a {type(X).__name__}: the estimator's"
        f" own {method} takes what is in memory."
    )


def _of_array(estimator: Any, method: str, X: Any) -> Any:
    X, predicted = of_whole_rows(X), getattr(estimator, method)
    like = _like(predicted, partial(np.zeros, (1, *X.shape[1:]), X.dtype), X)
    chunks = (X.chunks[0], *((width,) for width in like.shape[1:]))
    axes = {"drop_axis": [*range(1, X.ndim)], "new_axis": [*range(1, like.ndim)]}
    return X.map_blocks(
        _of_rows, predicted, like, dtype=like.dtype, chunks=chunks, meta=like, **axes
    )


def _like(predicted: Callable[[Any], Any], make_row: Callable[[], Any], X: Any) -> Any:
    """Return a prediction without rows, made from a row that has the form of those of X."""
    try:
        return predicted(make_row())[:0]
    except Exception:
        # A pipeline may refuse values that it has not seen. Take the first row that there is.
        for block in delayed(X):
            rows = dask.delayed(safe_indexing)(block, slice(0, 1)).compute()
            if rows.shape[0]:
                return predicted(rows)[:0]
        raise


def _of_rows(part: Any, predicted: Callable[[Any], Any], like: Any) -> Any:
    # Estimators refuse empty input, which a filter may leave.
    return predicted(part) if part.shape[0] else like


def _of_frame(rows: Any, estimator: Any, method: str, names: Any) -> Any:
    import pandas as pd

    found = np.asarray(getattr(estimator, method)(rows))
    if found.ndim == 1:
        return pd.Series(found, index=rows.index, name=names)
    if not np.ndim(names):
        names = ["_".join(map(str, (names, *place))) for place in np.ndindex(found.shape[1:])]
    return pd.DataFrame(found.reshape(len(found), -1), index=rows.index, columns=names)


def _one_row(part: Any) -> Any:
    import pandas as pd

    values = {
        # The first category; missing if there is none.
        name: pd.Categorical.from_codes([min(len(dtype.categories), 1) - 1], dtype=dtype)
        if isinstance(dtype, pd.CategoricalDtype)
        else np.zeros(1)
        for name, dtype in part.dtypes.items()
    }
    return pd.DataFrame(values).astype(part.dtypes.to_dict())
