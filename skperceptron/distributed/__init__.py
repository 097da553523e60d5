"""A fit to, and predictions for, the blocks of a Dask collection (extra ``distributed``)."""

from __future__ import annotations

try:
    from ._fit import fit
    from ._predict import predict, predict_proba
except ImportError as error:
    if (error.name or "").split(".")[0] not in ("dask", "distributed"):
        raise
    raise ImportError(
        "skperceptron.distributed needs dask: pip install 'skperceptron[distributed]'."
    ) from error

__all__ = ["fit", "predict", "predict_proba"]
