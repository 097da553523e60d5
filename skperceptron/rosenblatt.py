"""The earlier home of Rosenblatt's perceptron: models that were stored then name it."""

from .perceptron import RosenblattPerceptron

__all__ = ["RosenblattPerceptron"]
