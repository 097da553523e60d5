"""How a layer's weights and biases start."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from .engine.arrays import Floats

__all__ = ["GlorotUniform", "Initializer"]


class Initializer(BaseEstimator):
    """Base of all initialisers."""

    def draw(
        self, fan_in: int, units: int, factor: float, rng: np.random.RandomState
    ) -> tuple[Floats, Floats]:
        """Draw one layer.

        Parameters
        ----------
        fan_in, units : int
            Shape of the weight matrix.
        factor : float
            The activation's ``init_factor``.
        rng : RandomState
            Source of all randomness.

        Returns
        -------
        weight : ndarray of shape (fan_in, units), float64
        bias : ndarray of shape (units,), float64
        """
        raise NotImplementedError


class GlorotUniform(Initializer):
    r"""Weights and biases uniform in :math:`\pm\sqrt{f / (\text{fan in} + \text{units})}`.

    Glorot & Bengio (2010), as in scikit-learn: f is 6, and 2 for the sigmoid; weights
    are drawn before biases.
    """

    def draw(
        self, fan_in: int, units: int, factor: float, rng: np.random.RandomState
    ) -> tuple[Floats, Floats]:
        bound = np.sqrt(factor / (fan_in + units))
        weight = rng.uniform(-bound, bound, (fan_in, units))
        return weight, rng.uniform(-bound, bound, units)
