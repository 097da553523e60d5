"""First-order optimisers on the flat parameter vectors of a stack.

An optimiser is a description. What changes during training lies outside: vectors of
the parameters' shape (``state_names``) and the number of steps taken. ``coefficients``
gives one member's scalars for each step; ``update`` applies them, for all members at
once, to a chunk of the vectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from .engine.arrays import Floats, Integers

__all__ = ["SGD", "Adam", "Optimizer"]


class Optimizer(BaseEstimator):
    """Base of all optimisers.

    Attributes
    ----------
    state_names : tuple of str
        Names of the vectors, shaped like the parameters, that live between steps.
        They start at zero.
    """

    state_names: ClassVar[tuple[str, ...]] = ()

    @property
    def operations(self) -> tuple[object, ...]:
        """What decides which operations ``update`` consists of; equal throughout a stack."""
        return (type(self),)

    def coefficients(
        self, learning_rate: float, steps: int | Integers
    ) -> tuple[float | Floats, ...]:
        """Return the scalars of one member's steps.

        Parameters
        ----------
        learning_rate : float
            As the schedule has it.
        steps : int or ndarray of int
            Counted from 1.

        Returns
        -------
        tuple
            Each a number, or an array with one number per step.
        """
        raise NotImplementedError

    def update(
        self,
        parameters: Floats,
        gradient: Floats,
        state: Sequence[Floats],
        coefficients: Sequence[Floats],
    ) -> None:
        """Change the parameters in place.

        Parameters
        ----------
        parameters : ndarray of shape (K, n) or (n,)
            A chunk of the stack's vectors; of a single member, a plain vector.
        gradient : ndarray of the same shape
            Of the same chunk; may be overwritten.
        state : sequence of ndarray of the same shape
            The vectors of ``state_names``, same chunk.
        coefficients : sequence of ndarray of shape (K, 1) or ()
            What ``coefficients`` returned, member by member.
        """
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (Polyak 1964; Nesterov 1983).

    Parameters
    ----------
    momentum : float, default=0.9
        In [0, 1].
    nesterov : bool, default=True
        Whether to look ahead along the momentum (Sutskever et al. 2013).
    """

    state_names = ("velocity",)

    def __init__(self, momentum: float = 0.9, nesterov: bool = True) -> None:
        self.momentum = momentum
        self.nesterov = nesterov

    @property
    def operations(self) -> tuple[object, ...]:
        return type(self), self.nesterov

    def coefficients(
        self, learning_rate: float, steps: int | Integers
    ) -> tuple[float | Floats, ...]:
        return learning_rate, self.momentum

    def update(
        self,
        parameters: Floats,
        gradient: Floats,
        state: Sequence[Floats],
        coefficients: Sequence[Floats],
    ) -> None:
        (velocity,) = state
        learning_rate, momentum = coefficients
        np.multiply(gradient, learning_rate, out=gradient)
        np.multiply(velocity, momentum, out=velocity)
        np.subtract(velocity, gradient, out=velocity)
        if self.nesterov:
            np.subtract(parameters, gradient, out=parameters)
            np.multiply(velocity, momentum, out=gradient)
            np.add(parameters, gradient, out=parameters)
        else:
            np.add(parameters, velocity, out=parameters)


class Adam(Optimizer):
    """Adaptive moment estimation (Kingma & Ba 2015).

    The moments are kept without the factors ``1 - beta``, which are folded into the
    step size and epsilon: two passes over the vectors fewer, same update.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of the first and second moment, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root of the second moment; > 0.
    """

    state_names = ("first_moment", "second_moment")

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def coefficients(
        self, learning_rate: float, steps: int | Integers
    ) -> tuple[float | Floats, ...]:
        first, second = 1 - self.beta_1, 1 - self.beta_2
        root = math.sqrt(second)
        bias = np.sqrt(1 - self.beta_2**steps) / (1 - self.beta_1**steps)
        return self.beta_1, self.beta_2, self.epsilon / root, learning_rate * bias * first / root

    def update(
        self,
        parameters: Floats,
        gradient: Floats,
        state: Sequence[Floats],
        coefficients: Sequence[Floats],
    ) -> None:
        m, v = state
        beta_1, beta_2, epsilon, step_size = coefficients
        np.multiply(m, beta_1, out=m)
        np.add(m, gradient, out=m)
        np.multiply(v, beta_2, out=v)
        np.multiply(gradient, gradient, out=gradient)
        np.add(v, gradient, out=v)
        np.sqrt(v, out=gradient)
        np.add(gradient, epsilon, out=gradient)
        np.divide(m, gradient, out=gradient)
        np.multiply(gradient, step_size, out=gradient)
        np.subtract(parameters, gradient, out=parameters)
