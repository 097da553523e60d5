"""Fitted networks from scikit-learn, and back: the weights are carried over, nothing is trained."""

from .estimators.exchange import from_sklearn, to_sklearn

__all__ = ["from_sklearn", "to_sklearn"]
