"""Whole optimizer updates: as lists of NumPy calls, or, in tables, as one pass over the vectors.

Arrays are (K, n), or (n,) for a single member; coefficients are (K, 1), or 0-d. NumPy's calls
overwrite the gradient. Both forms give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..arrays import Arrays, Call


def adam_calls(vectors: Arrays, coefficients: Arrays) -> list[Call]:
    """List the calls of Adam, on parameters, gradient, first and second moment.

    A fifth vector, for AMSGrad, holds the largest second moments so far, and is used instead.
    """
    parameters, gradient, m, v, *largest = vectors
    beta_1, beta_2, epsilon, step_size = coefficients
    return [
        partial(np.multiply, m, beta_1, m),
        partial(np.add, m, gradient, m),
        partial(np.multiply, v, beta_2, v),
        partial(np.multiply, gradient, gradient, gradient),
        partial(np.add, v, gradient, v),
        *(partial(np.maximum, x, v, out=x) for x in largest),
        partial(np.sqrt, *(largest or [v]), gradient),
        partial(np.add, gradient, epsilon, gradient),
        partial(np.divide, m, gradient, gradient),
        partial(np.multiply, gradient, step_size, gradient),
        partial(np.subtract, parameters, gradient, parameters),
    ]


def sgd_calls(vectors: Arrays, coefficients: Arrays) -> list[Call]:
    """List the calls of gradient descent, on parameters, gradient and velocity."""
    parameters, _, velocity = vectors
    return [
        *_velocity_calls(vectors, coefficients),
        partial(np.add, parameters, velocity, parameters),
    ]


def nesterov_calls(vectors: Arrays, coefficients: Arrays) -> list[Call]:
    """List the same with Nesterov's momentum, which looks ahead along the velocity."""
    parameters, gradient, velocity = vectors
    _, momentum = coefficients
    return [
        *_velocity_calls(vectors, coefficients),
        partial(np.subtract, parameters, gradient, parameters),
        partial(np.multiply, velocity, momentum, gradient),
        partial(np.add, parameters, gradient, parameters),
    ]


def _velocity_calls(vectors: Arrays, coefficients: Arrays) -> list[Call]:
    """List the calls that multiply the gradient by the rate and update the velocity with it."""
    _, gradient, velocity = vectors
    learning_rate, momentum = coefficients
    return [
        partial(np.multiply, gradient, learning_rate, gradient),
        partial(np.multiply, velocity, momentum, velocity),
        partial(np.subtract, velocity, gradient, velocity),
    ]


def _at_once(calls_of: Callable[[Arrays, Arrays], list[Call]]) -> Callable[[Arrays, Arrays], None]:
    """Return a function that takes a step by such calls; tables recognize it."""

    def step(vectors: Arrays, coefficients: Arrays) -> None:
        for call in calls_of(vectors, coefficients):
            call()

    return step


adam, sgd, nesterov = map(_at_once, (adam_calls, sgd_calls, nesterov_calls))
