"""Rosenblatt's perceptron of 1958, and everything that only it needs."""

from .estimator import RosenblattPerceptron

__all__ = ["RosenblattPerceptron"]
