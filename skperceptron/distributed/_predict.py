"""Predictions for the blocks of a Dask collection, on the workers that hold them."""

from __future__ import annotations

from typing import Any

import dask.array
import numpy as np

from ._blocks import of_whole_rows


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
        Not computed yet.

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
    estimator : classifier
        Fitted; may be a pipeline.
    X : dask Array of shape (n_samples, n_features) or dask DataFrame

    Returns
    -------
    dask Array of shape (n_samples, n_classes), or dask DataFrame with the index of X
        Not computed yet. The columns of a frame are the classes.

    Raises
    ------
    TypeError
        If X is not a Dask collection.
    """
    return _mapped(estimator, "predict_proba", X, estimator.classes_)


def _mapped(estimator: Any, method: str, X: Any, names: Any) -> Any:
    if isinstance(X, dask.array.Array):
        return _of_array(estimator, method, X)
    if dask.is_dask_collection(X) and hasattr(X, "map_partitions"):
        from dask.dataframe.dispatch import make_meta

        meta = _of_frame(make_meta(X), estimator, method, names)
        return X.map_partitions(_of_frame, estimator, method, names, meta=meta)
    raise TypeError(
        f"X must be an array or a data frame of Dask, got a {type(X).__name__}: the estimator's"
        f" own {method} takes what is in memory."
    )


def _of_array(estimator: Any, method: str, X: Any) -> Any:
    X = of_whole_rows(X)
    like = _of_block(np.zeros((1, *X.shape[1:]), X.dtype), estimator, method)
    chunks = (X.chunks[0], *((width,) for width in like.shape[1:]))
    options: dict[str, Any] = {"drop_axis": 1} if like.ndim == 1 else {}
    return X.map_blocks(
        _of_block, estimator, method, dtype=like.dtype, chunks=chunks, meta=like[:0], **options
    )


def _of_block(block: Any, estimator: Any, method: str) -> Any:
    n_rows, *width = block.shape
    # Estimators refuse empty input, which a filter may leave.
    rows = block if n_rows else np.zeros((1, *width), block.dtype)
    return getattr(estimator, method)(rows)[:n_rows]


def _of_frame(part: Any, estimator: Any, method: str, names: Any) -> Any:
    import pandas as pd

    # Estimators refuse empty input: the prediction of a dummy row has the form of the result.
    rows = part if len(part) else _one_row(part)
    found = np.asarray(getattr(estimator, method)(rows))[: len(part)]
    if found.ndim == 1:
        return pd.Series(found, index=part.index, name=names)
    columns = names if np.ndim(names) else [f"{names}_{i}" for i in range(found.shape[1])]
    return pd.DataFrame(found, index=part.index, columns=columns)


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
