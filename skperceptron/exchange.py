"""Convert fitted networks from and to scikit-learn: weights are copied, nothing is trained."""

from .estimators.exchange import from_sklearn, to_sklearn

__all__ = ["from_sklearn", "to_sklearn"]
