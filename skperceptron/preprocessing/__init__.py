"""Transformers that prepare tables for networks; each can be used before any estimator."""

from ._scaler import RobustSmoothClipScaler

__all__ = ["RobustSmoothClipScaler"]
