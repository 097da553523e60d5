"""Raw tables in, predictions out: preparation, networks and their combination as one estimator."""

from ..kept import offered_by as _offered_by
from ._estimators import TabularMLPClassifier, TabularMLPRegressor

__all__ = ["TabularMLPClassifier", "TabularMLPRegressor"]

_offered_by(__name__)
