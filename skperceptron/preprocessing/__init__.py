"""Transformers that prepare tables for networks; each can be used before any estimator."""

from ._scaler import RobustSmoothClipScaler
from ._tabular import TabularPreprocessor

__all__ = ["RobustSmoothClipScaler", "TabularPreprocessor"]
