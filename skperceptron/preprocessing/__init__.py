"""Transformers that prepare tables for networks; each can be used before any estimator."""

from ..kept import offered_by as _offered_by
from ._scaler import RobustSmoothClipScaler
from ._tabular import TabularPreprocessor

__all__ = ["RobustSmoothClipScaler", "TabularPreprocessor"]

_offered_by(__name__)
