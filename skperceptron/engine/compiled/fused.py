"""Whole updates of optimisers: lists of calls for NumPy, one pass over the vectors for tables.

Vectors are (K, n), or (n,) of a single member; coefficients are (K, 1), or 0-d. The gradient is
used up. Both forms have the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..arrays import Call, Floats

Vectors = Sequence[Floats]


def adam_calls(vectors: Vectors, coefficients: Vectors) -> list[Call]:
    """List what Adam does with parameters, gradient, first and second moment.

    A fifth vector, of AMSGrad, holds the largest second moment so far, and takes its place.
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


def sgd_calls(vectors: Vectors, coefficients: Vectors) -> list[Call]:
    """List what gradient descent does with parameters, gradient and velocity."""
    parameters, _, velocity = vectors
    return [
        *_velocity_calls(vectors, coefficients),
        partial(np.add, parameters, velocity, parameters),
    ]


def nesterov_calls(vectors: Vectors, coefficients: Vectors) -> list[Call]:
    """List the same with Nesterov's momentum, which looks ahead along the velocity."""
    parameters, gradient, velocity = vectors
    _, momentum = coefficients
    return [
        *_velocity_calls(vectors, coefficients),
        partial(np.subtract, parameters, gradient, parameters),
        partial(np.multiply, velocity, momentum, gradient),
        partial(np.add, parameters, gradient, parameters),
    ]


def _velocity_calls(vectors: Vectors, coefficients: Vectors) -> list[Call]:
    """List what turns the gradient into a step, and the velocity into its moving sum."""
    _, gradient, velocity = vectors
    learning_rate, momentum = coefficients
    return [
        partial(np.multiply, gradient, learning_rate, gradient),
        partial(np.multiply, velocity, momentum, velocity),
        partial(np.subtract, velocity, gradient, velocity),
    ]


# One call each, which tables know by these functions.


def adam(vectors: Vectors, coefficients: Vectors) -> None:
    """Let Adam make a step."""
    for call in adam_calls(vectors, coefficients):
        call()


def sgd(vectors: Vectors, coefficients: Vectors) -> None:
    """Let gradient descent with momentum make a step."""
    for call in sgd_calls(vectors, coefficients):
        call()


def nesterov(vectors: Vectors, coefficients: Vectors) -> None:
    """Let gradient descent with Nesterov's momentum make a step."""
    for call in nesterov_calls(vectors, coefficients):
        call()
