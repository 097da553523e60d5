"""Trials of a user's parts on a few numbers: those that would train on wrong numbers are refused.

A derivative that does not match its function may be intended: it only gives a warning.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable

import numpy as np

from ..activations import Activation
from ..components import is_built_in, key_of
from ..engine.arrays import Floats
from ..engine.blocks.activate import learned_at_first, value_and_slopes
from ..losses import Loss
from ..optimizers import Optimizer
from ..usercall import first_in_call, warn

#: What arrays hold before a method is tried: results that depend on it were not written.
FILLINGS = (0.0, 0.0, 1.0)

#: The step of finite differences that are precise enough even for functions computed in float32.
STEP = 1e-3

#: Derivatives may differ from finite differences by this much, relative to 1 plus their size, and
#: by more in this share of the points: some may lie at kinks.
TOLERANCE, AT_KINKS = 0.01, 0.2


def refuse_faulty_parts(
    parts: Iterable[Activation | Loss | Optimizer], n_targets: int, tried: set[Hashable]
) -> None:
    """Try the parts of a user's own, and note their keys; those that are noted are left out."""
    for part in parts:
        if is_built_in(type(part)) or (key := key_of(part)) in tried:
            continue
        if isinstance(part, Activation):
            refuse_faulty_activation(part)
        elif isinstance(part, Optimizer):
            refuse_faulty_optimizer(part)
        else:
            refuse_faulty_loss(part, n_targets)
        # A key that is a number is an id, which a later part may get, too.
        if not isinstance(key, int):
            tried.add(key)


def refuse_faulty_activation(activation: Activation) -> None:
    """Raise ValueError if its methods leave results unwritten, or read what is not kept."""
    try:
        trial = copy.deepcopy(activation)
        with np.errstate(all="ignore"):
            first, again, other = (_results(trial, filling) for filling in FILLINGS)
            needs_input = _needs_lost_input(trial)
            slopes, expected = _slopes(trial), _differences_of_values(trial, STEP)
    except Exception:
        # If this is an error, training raises it, too.
        return
    name = type(activation).__name__
    repeats, agrees = (
        [np.array_equal(x, y, equal_nan=True) for x, y in zip(first, results, strict=True)]
        for results in (again, other)
    )
    if all(repeats) and not all(agrees):
        method, what = "backward", "the gradient of the learned parameters"
        if not agrees[0]:
            method, what = "forward", "`out`"
        raise ValueError(
            f"{name}.{method} must write all elements of {what}: it leaves some as they were,"
            " or adds to them."
        )
    if needs_input:
        raise ValueError(
            f"{name}.backward computes the derivative from z, which forward has overwritten"
            f" with f(z). Set keeps_input = True in {name}, or compute it from a alone."
        )
    if np.isnan(first[0]).any():
        warn(f"{name}.forward gives NaN for finite numbers: training may diverge.")
    if all(repeats):
        _warn_of_wrong_derivative(f"{name}.backward", slopes, expected)


def _points() -> Floats:
    return np.linspace(-2.03, 2.11, 30).reshape(1, -1, 1)


def _results(activation: Activation, filling: float) -> list[Floats]:
    """Return f(z) and the gradient of what is learned; before, these arrays hold ``filling``."""
    value, _, *gradients = value_and_slopes(
        activation, _points(), learned_at_first(activation), filling
    )
    return [value, *gradients]


def _slopes(activation: Activation) -> Floats:
    """Return f'(z), as ``backward`` computes it."""
    return value_and_slopes(activation, _points(), learned_at_first(activation))[1]


def _differences_of_values(activation: Activation, step: float) -> Floats:
    """Return finite differences of f(z)."""
    learned = learned_at_first(activation)
    above, below = (
        value_and_slopes(activation, _points() + shift, learned)[0] for shift in (step, -step)
    )
    return (above - below) / (2 * step)


def _warn_of_wrong_derivative(method: str, found: Floats, expected: Floats) -> None:
    """Warn if a derivative is not near finite differences, except where these are zero.

    The derivative of a function with steps is replaced on purpose.
    """
    error = np.where(expected != 0, np.abs(found - expected) / (1 + np.abs(expected)), 0)
    if np.mean(error > TOLERANCE) > AT_KINKS and first_in_call(f"derivative of {method}"):
        worst = np.unravel_index(np.nanargmax(error), error.shape)
        warn(
            f"{method} gives a derivative of {found[worst]:.3g} where finite differences give"
            f" {expected[worst]:.3g}. Unless this is meant, correct it: the network would learn"
            " badly. All derivatives can be tested with skperceptron.inspection.gradient_check."
        )


def _needs_lost_input(activation: Activation) -> bool:
    """Tell whether the derivative is right with z, and wrong with the output in its place.

    A derivative that is wrong in both cases may be meant as it is.
    """
    if activation.keeps_input or activation.n_parameters(1):
        return False
    z, a = _points(), _points()
    activation.forward(a, a)
    slope = _differences_of_values(activation, 1e-6)

    def is_right(z: Floats, a: Floats) -> bool:
        grad = np.ones_like(a)
        activation.backward(z, a, grad)
        # Points beside a kink do not count.
        return bool(np.mean(np.abs(grad - slope) < 1e-4) > 0.9)

    given = a.copy()
    return not is_right(given, given) and is_right(z, a)


def refuse_faulty_optimizer(optimizer: Optimizer) -> None:
    """Raise an error if its names are no tuple, or if it moves no parameters."""
    name, names = type(optimizer).__name__, optimizer.state_names
    if isinstance(names, str):
        raise TypeError(f"{name}.state_names must be a tuple of names, got {names!r}.")
    n = 2 + len(names) + optimizer.n_scratch
    parameters, gradient, *state = np.arange(1.0, n + 1).reshape(n, 1)
    try:
        trial = copy.deepcopy(optimizer)
        coefficients = list(map(np.asarray, trial.coefficients(0.1, 1)))
        with np.errstate(all="ignore"):
            trial.update(parameters, gradient, state, coefficients)
    except Exception:
        # If this is an error, training raises it, too.
        return
    # A step of size 0, such as the first one of a warm-up, moves nothing.
    if all(map(np.all, coefficients)) and parameters == 1:
        raise ValueError(
            f"{name}.update must change `parameters` in place, as in parameters -= ..., but it"
            " leaves them as they were. A step that changes nothing needs a coefficient of 0."
        )


def refuse_faulty_loss(loss: Loss, n_targets: int) -> None:
    """Raise ValueError if it cannot predict, or if its gradient is not written as a whole.

    Raises NotImplementedError if there is no inverse link.
    """
    raw = np.linspace(-1.9, 2.1, 6 * n_targets * loss.outputs_per_target).reshape(1, 6, -1)
    y = np.ones((1, 6, n_targets))
    if loss.task == "multiclass":
        y[0] = np.eye(n_targets)[np.arange(6) % n_targets]
    found = []
    try:
        trial = copy.deepcopy(loss)
        for filling in FILLINGS:
            out, scratch = np.full_like(raw, filling), np.full_like(raw, filling)
            with np.errstate(all="ignore"):
                trial.gradient(raw.copy(), y, out, scratch)
            found.append(out)
        expected = _differences(trial, raw, y)
    except Exception:
        # If this is an error, training raises it, too.
        return
    repeats, agrees = (np.array_equal(found[0], x, equal_nan=True) for x in found[1:])
    if repeats and not agrees:
        raise ValueError(
            f"{type(loss).__name__}.gradient must write all elements of `out`, whatever `out`"
            " and `scratch` hold before: it leaves some as they were, or adds to them."
        )
    if repeats:
        _warn_of_wrong_derivative(f"{type(loss).__name__}.gradient", found[0], expected)
    _refuse_faulty_outputs(loss, n_targets)


def _differences(loss: Loss, raw: Floats, y: Floats) -> Floats:
    """Return finite differences of the loss of each row for each output, (1, n, C)."""
    found = np.empty_like(raw)
    for j, step in enumerate(STEP * np.eye(raw.shape[-1])):
        with np.errstate(all="ignore"):
            rise = loss.losses(raw + step, y) - loss.losses(raw - step, y)
        found[..., j] = rise / (2 * STEP)
    return found


def _refuse_faulty_outputs(loss: Loss, n_targets: int) -> None:
    """Raise an error if fitting would work, but not predicting or scoring."""
    name, n = type(loss).__name__, loss.outputs_per_target
    if n > 1 and loss.judged_by_r2:
        raise ValueError(
            f"{name}: judged_by_r2 = True needs one output for each target, got"
            f" outputs_per_target={n}. Set judged_by_r2 = False."
        )
    predicted = np.linspace(-1.9, 2.1, 6 * n_targets * n).reshape(6, -1)
    try:
        with np.errstate(all="ignore"):
            copy.deepcopy(loss).inverse_link(predicted, predicted)
    except NotImplementedError:
        raise
    except Exception:
        # If this is an error, predicting raises it, too.
        return
    if loss.estimates_std and (n != 2 or (predicted[:, 1::2] < 0).any()):
        raise ValueError(
            f"{name}.inverse_link must give mean and standard deviation of each target, two outputs"
            " of which the second is not negative, since estimates_std = True."
        )
