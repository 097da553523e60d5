"""The earlier home of Rosenblatt's perceptron: models that were stored then name it."""

import sys

from .perceptron import RosenblattPerceptron, error_correction

__all__ = ["RosenblattPerceptron"]

# A model that was stored in the middle of its training also names the earlier place of this module.
sys.modules.setdefault("skperceptron.engine.error_correction", error_correction)
