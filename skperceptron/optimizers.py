"""First-order optimizers, and the settings of L-BFGS.

An optimizer object only describes the method. What changes during training is kept elsewhere:
vectors of the parameters' shape (``state_names``) and the number of steps taken. ``coefficients``
returns one member's scalars for each step; ``update`` applies them, for all members at once, to a
chunk of the vectors.

To add one, write one class in this module: its string names and its place in tests follow from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from .components import Component, Interval, by_name, find, is_built_in, key_of, undefined
from .engine.arrays import Arrays, Call, Floats, Integers
from .engine.compiled import fused
from .options import COUNT, Flag, Rules, shown

__all__ = [
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "NAdam",
    "Optimizer",
    "RMSprop",
    "get_optimizer",
    "list_optimizers",
]

Scalars = tuple[float | Floats, ...]

_BELOW_ONE = Interval(0, 1, low_closed=True)
_NOT_NEGATIVE = Interval(0, low_closed=True)
_POSITIVE = Interval(0)


def _check_coefficients(name: str, result: Any, arguments: Sequence[Any]) -> None:
    """Raise TypeError unless the coefficients are numbers, or have one number for each step."""
    allowed = {(), *map(np.shape, arguments)}
    if not isinstance(result, tuple | list) or not allowed.issuperset(map(np.shape, result)):
        raise TypeError(
            f"{name} must return a tuple, each element a number or an array with one number per"
            f" step, as in (learning_rate,), got {shown(result)}."
        )


class Optimizer(Component):
    """Base of all optimizers.

    A subclass defines ``coefficients`` and ``update``.

    Attributes
    ----------
    state_names : tuple of str
        Names of the vectors, shaped like the parameters, that are kept from step to step.
        They start at zero.
    n_scratch : int
        How many temporary vectors ``update`` needs in addition.
    is_stochastic : bool
        Whether it takes one step per batch.
    is_scale_free : bool
        Whether steps stay the same, up to epsilon, if all gradients are multiplied by a factor.
    weight_decay : float
        Each step first shrinks the weights (not the biases) by this share times the learning
        rate; 0 for optimizers without decoupled decay.
    """

    state_names: ClassVar[tuple[str, ...]] = ()
    n_scratch: ClassVar[int] = 0
    is_stochastic: ClassVar[bool] = True
    is_scale_free: ClassVar[bool] = False
    weight_decay: float = 0.0
    in_place = ("update",)
    result_checks = {"coefficients": _check_coefficients}
    shortcuts = {"update": ("update_calls", "fused_calls"), "update_calls": ("fused_calls",)}

    @property
    def operations(self) -> tuple[object, ...]:
        """A key for the operations of ``update``; it must be equal for all members of a stack.

        ``update`` of a class from elsewhere may read all parameters. If it reads none of them, the
        class can return ``(type(self),)``: networks that differ in them are then trained together.
        """
        kind = type(self)
        return (kind,) if is_built_in(kind) else (kind, key_of(self))

    def coefficients(self, learning_rate: float | Floats, steps: int | Integers) -> Scalars:
        """Return the scalars of one member's steps.

        Parameters
        ----------
        learning_rate : float or ndarray of float
            From the schedule: one rate for all steps, or one for each.
        steps : int or ndarray of int
            Counted from 1.

        Returns
        -------
        tuple
            Each a number, or an array with one number per step.
        """
        raise undefined(self, "coefficients")

    def update(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> None:
        """Change the parameters in place, each number by itself.

        A sum or norm over an array would mix the networks of a stack, and parts of their vectors.

        Parameters
        ----------
        parameters : ndarray of shape (K, n) or (n,)
            A chunk of the stack's vectors; of a single member, a plain vector.
        gradient : ndarray of the same shape
            Of the same chunk; may be overwritten.
        state : sequence of ndarray of the same shape
            The same chunk of the vectors ``state_names``, then temporary vectors with arbitrary
            content.
        coefficients : sequence of ndarray of shape (K, 1) or ()
            What ``coefficients`` returned, member by member.
        """
        raise undefined(self, "update")

    def update_calls(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> list[Call]:
        """Bind ``update`` to the arrays of a training step, for all steps to come."""
        return [partial(self.update, parameters, gradient, state, coefficients)]

    def fused_calls(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> list[Call]:
        """Bind ``update`` in the form that compiled steps run fastest."""
        return self.update_calls(parameters, gradient, state, coefficients)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (Polyak 1964; Nesterov 1983).

    Parameters
    ----------
    momentum : float, default=0.9
        Decay of the velocity, in [0, 1].
    nesterov : bool, default=True
        Whether to look ahead along the momentum (Sutskever et al. 2013).
    """

    names = ("sgd",)
    ranges = {"momentum": Interval(0, 1, low_closed=True, high_closed=True)}
    rules = {"nesterov": [Flag()]}
    state_names = ("velocity",)

    def __init__(self, momentum: float = 0.9, nesterov: bool = True) -> None:
        self.momentum = momentum
        self.nesterov = nesterov

    @property
    def operations(self) -> tuple[object, ...]:
        return *super().operations, self.nesterov

    def coefficients(self, learning_rate: float | Floats, steps: int | Integers) -> Scalars:
        return learning_rate, self.momentum

    def update(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> None:
        for call in SGD.update_calls(self, parameters, gradient, state, coefficients):
            call()

    def update_calls(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> list[Call]:
        list_calls = fused.nesterov_calls if self.nesterov else fused.sgd_calls
        return list_calls((parameters, gradient, *state), coefficients)

    def fused_calls(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> list[Call]:
        step = fused.nesterov if self.nesterov else fused.sgd
        return [partial(step, (parameters, gradient, *state), coefficients)]


def _divide_by_root(gradient: Floats, squares: Floats, epsilon: Floats, room: Floats) -> None:
    """Divide a gradient by the root of ``squares`` plus epsilon, in place."""
    np.sqrt(squares, out=room)
    np.add(room, epsilon, out=room)
    np.divide(gradient, room, out=gradient)


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients (Duchi et al. 2011).

    For sparse features, whose rare gradients then count for more. Steps only ever shrink.

    Parameters
    ----------
    epsilon : float, default=1e-10
        Added to the root, > 0.
    """

    names = ("adagrad",)
    is_scale_free = True
    ranges = {"epsilon": _POSITIVE}
    state_names = ("squares",)
    n_scratch = 1

    def __init__(self, epsilon: float = 1e-10) -> None:
        self.epsilon = epsilon

    def coefficients(self, learning_rate: float | Floats, steps: int | Integers) -> Scalars:
        return learning_rate, self.epsilon

    def update(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> None:
        squares, room = state
        learning_rate, epsilon = coefficients
        np.multiply(gradient, gradient, out=room)
        np.add(squares, room, out=squares)
        _divide_by_root(gradient, squares, epsilon, room)
        np.multiply(gradient, learning_rate, out=gradient)
        np.subtract(parameters, gradient, out=parameters)


class RMSprop(Optimizer):
    """Steps divided by the root of a moving average of squared gradients (Hinton 2012).

    Parameters
    ----------
    rho : float, default=0.99
        Decay of the average, in [0, 1).
    momentum : float, default=0.0
        Decay of the velocity, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root, > 0.
    """

    names = ("rmsprop",)
    is_scale_free = True
    ranges = {"rho": _BELOW_ONE, "momentum": _BELOW_ONE, "epsilon": _POSITIVE}
    state_names = ("squares", "velocity")
    n_scratch = 1

    def __init__(self, rho: float = 0.99, momentum: float = 0.0, epsilon: float = 1e-8) -> None:
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon

    def coefficients(self, learning_rate: float | Floats, steps: int | Integers) -> Scalars:
        return learning_rate, self.rho, 1 - self.rho, self.momentum, self.epsilon

    def update(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> None:
        squares, velocity, room = state
        learning_rate, rho, rest, momentum, epsilon = coefficients
        np.multiply(gradient, gradient, out=room)
        np.multiply(room, rest, out=room)
        np.multiply(squares, rho, out=squares)
        np.add(squares, room, out=squares)
        _divide_by_root(gradient, squares, epsilon, room)
        np.multiply(velocity, momentum, out=velocity)
        np.add(velocity, gradient, out=velocity)
        np.multiply(velocity, learning_rate, out=gradient)
        np.subtract(parameters, gradient, out=parameters)


class Adam(Optimizer):
    """Adaptive moment estimation (Kingma & Ba 2015).

    The moments are kept without the factors ``1 - beta``, which are merged into the step
    size and epsilon: the update is the same, with two passes fewer over the vectors.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of the first and second moment, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root of the second moment; > 0.
    amsgrad : bool, default=False
        Whether to divide by the largest second moment so far (Reddi et al. 2018).
    corrects_before_epsilon : bool, default=False
        Whether the bias of the root is corrected before epsilon is added, as in PyTorch, or
        afterwards, as in scikit-learn.
    """

    names = ("adam",)
    is_scale_free = True
    ranges = {"beta_1": _BELOW_ONE, "beta_2": _BELOW_ONE, "epsilon": _POSITIVE}
    rules: ClassVar[Mapping[str, Rules]] = {
        "amsgrad": [Flag()],
        "corrects_before_epsilon": [Flag()],
    }

    def __init__(
        self,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        amsgrad: bool = False,
        corrects_before_epsilon: bool = False,
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        self.corrects_before_epsilon = corrects_before_epsilon

    @property
    def state_names(self) -> tuple[str, ...]:  # type: ignore[override]
        moments = ("first_moment", "second_moment")
        return (*moments, "largest_second_moment") if self.amsgrad else moments

    @property
    def operations(self) -> tuple[object, ...]:
        return *super().operations, self.amsgrad

    def coefficients(self, learning_rate: float | Floats, steps: int | Integers) -> Scalars:
        first, second = 1 - self.beta_1, 1 - self.beta_2
        root = math.sqrt(second)
        correction = np.sqrt(1 - self.beta_2**steps)
        bias = correction / (1 - self.beta_1**steps)
        epsilon: float | Floats = self.epsilon / root
        if self.corrects_before_epsilon:
            epsilon = epsilon * correction
        return self.beta_1, self.beta_2, epsilon, learning_rate * bias * first / root

    def update(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> None:
        for call in Adam.update_calls(self, parameters, gradient, state, coefficients):
            call()

    def update_calls(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> list[Call]:
        return fused.adam_calls((parameters, gradient, *state), coefficients)

    def fused_calls(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> list[Call]:
        if self.amsgrad:
            return self.update_calls(parameters, gradient, state, coefficients)
        return [partial(fused.adam, (parameters, gradient, *state), coefficients)]


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019).

    Before each step, weights (not biases) shrink by the share ``learning_rate * weight_decay``.
    Set the estimator's ``alpha`` to 0: it is another penalty, which is part of the gradient.

    Parameters
    ----------
    weight_decay : float, default=0.01
        Strength of the decay, >= 0.
    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of the first and second moment, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root of the second moment; > 0.
    amsgrad : bool, default=False
        Whether to divide by the largest second moment so far (Reddi et al. 2018).
    """

    names = ("adamw",)
    ranges = {**Adam.ranges, "weight_decay": _NOT_NEGATIVE}
    rules = {"amsgrad": [Flag()]}
    corrects_before_epsilon = True

    def __init__(
        self,
        weight_decay: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        amsgrad: bool = False,
    ) -> None:
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad


class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016).

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of the first and second moment, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root of the second moment; > 0.
    momentum_decay : float, default=0.004
        How fast the momentum grows to `beta_1`, >= 0.
    """

    names = ("nadam",)
    is_scale_free = True
    ranges = {
        "beta_1": _BELOW_ONE,
        "beta_2": _BELOW_ONE,
        "epsilon": _POSITIVE,
        "momentum_decay": _NOT_NEGATIVE,
    }
    state_names = ("first_moment", "second_moment")
    n_scratch = 1

    def __init__(
        self,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        momentum_decay: float = 0.004,
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.momentum_decay = momentum_decay

    def coefficients(self, learning_rate: float | Floats, steps: int | Integers) -> Scalars:
        now, following = np.asarray(steps), np.asarray(steps) + 1
        first, second = 1 - self.beta_1, 1 - self.beta_2
        scale = np.sqrt(second / (1 - self.beta_2**steps))
        of_gradient = learning_rate * (1 - self._momenta(now)) / (1 - self._products(now))
        of_moment = learning_rate * self._momenta(following) / (1 - self._products(following))
        return (
            self.beta_1,
            self.beta_2,
            self.epsilon / scale,
            of_gradient / scale,
            of_moment * first / scale,
        )

    def _momenta(self, steps: Integers) -> Floats:
        """Return the momentum of each step, counted from 1."""
        return self.beta_1 * (1 - 0.5 * 0.96 ** (steps * self.momentum_decay))

    def _products(self, steps: Integers) -> Floats:
        """Return the product of all momenta up to each step."""
        # No momentum exceeds beta_1, so the product falls below 2**-60, where 1 - product is 1.
        # Later steps use 0: computing the product would take longer with each epoch.
        last = math.ceil(60 * math.log(2) / -math.log(self.beta_1)) if self.beta_1 else 1
        n_steps = min(int(steps.max()), last)
        products = np.cumprod(self._momenta(np.arange(1, n_steps + 1)))
        return np.where(steps > n_steps, 0.0, products[np.minimum(steps, n_steps) - 1])

    def update(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> None:
        m, v, room = state
        beta_1, beta_2, epsilon, of_gradient, of_moment = coefficients
        np.multiply(m, beta_1, out=m)
        np.add(m, gradient, out=m)
        np.multiply(v, beta_2, out=v)
        np.multiply(gradient, gradient, out=room)
        np.add(v, room, out=v)
        np.multiply(gradient, of_gradient, out=gradient)
        np.multiply(m, of_moment, out=room)
        np.add(gradient, room, out=gradient)
        _divide_by_root(gradient, v, epsilon, room)
        np.subtract(parameters, gradient, out=parameters)


class Lion(Optimizer):
    """Steps of equal size along the sign of the momentum (Chen et al. 2023).

    Large networks need a learning rate three to ten times smaller than with Adam, and more weight
    decay.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Share of the momentum in the direction of a step, in [0, 1).
    beta_2 : float, default=0.99
        Decay of the momentum, in [0, 1).
    weight_decay : float, default=0.0
        Decoupled, as in :class:`AdamW`; >= 0.
    """

    names = ("lion",)
    is_scale_free = True
    ranges = {"beta_1": _BELOW_ONE, "beta_2": _BELOW_ONE, "weight_decay": _NOT_NEGATIVE}
    state_names = ("momentum",)
    n_scratch = 1

    def __init__(
        self, beta_1: float = 0.9, beta_2: float = 0.99, weight_decay: float = 0.0
    ) -> None:
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.weight_decay = weight_decay

    def coefficients(self, learning_rate: float | Floats, steps: int | Integers) -> Scalars:
        # The momentum is kept without its factor 1 - beta_2. It is part of the share instead: a
        # common factor does not change the sign.
        share = self.beta_1 * (1 - self.beta_2) / (1 - self.beta_1)
        return learning_rate, share, self.beta_2

    def update(
        self, parameters: Floats, gradient: Floats, state: Arrays, coefficients: Arrays
    ) -> None:
        momentum, room = state
        learning_rate, share, beta_2 = coefficients
        np.multiply(momentum, share, out=room)
        np.add(room, gradient, out=room)
        np.sign(room, out=room)
        np.multiply(room, learning_rate, out=room)
        np.subtract(parameters, room, out=parameters)
        np.multiply(momentum, beta_2, out=momentum)
        np.add(momentum, gradient, out=momentum)


class LBFGS(Optimizer):
    """L-BFGS through SciPy (Liu & Nocedal 1989), on all rows at once.

    Parameters
    ----------
    max_fun : int, default=15000
        Largest number of function evaluations, >= 1.
    """

    names = ("lbfgs",)
    ranges = {"max_fun": COUNT}
    is_stochastic = False

    def __init__(self, max_fun: int = 15000) -> None:
        self.max_fun = max_fun


def list_optimizers() -> list[str]:
    """Return the names of the built-in optimizers, sorted.

    Examples
    --------
    >>> from skperceptron.optimizers import list_optimizers
    >>> "adamw" in list_optimizers()
    True
    """
    return sorted(by_name(Optimizer))


def get_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """Return an optimizer from its name, or the optimizer itself.

    Parameters
    ----------
    optimizer : str or Optimizer

    Raises
    ------
    ValueError
        If no optimizer has that name.
    TypeError
        If `optimizer` is neither a string nor an Optimizer.
    """
    return find(optimizer, Optimizer)
