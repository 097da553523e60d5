"""How functions that fit an estimator many times report to callbacks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from .._sklearn.compat import CallbackSupportMixin
from .._sklearn.tasks import NetworkTask
from ..callbacks.listening import CALLBACKS, Listener, listening
from ..callbacks.placing import refuse_misplaced, refuse_single_fits
from ..options import check_option
from ._options import check_search
from ._parallel import StackedParallel


class ManyFits(CallbackSupportMixin, BaseEstimator):
    """The estimator that callbacks see as being fitted; progress bars show its name.

    The estimator in it is the one that is fitted many times.
    """

    #: The function that the user has called.
    function: ClassVar[str]

    def __init__(self, estimator=None, callbacks=None) -> None:
        self.estimator = estimator
        self.callbacks = callbacks


class CrossValidation(ManyFits):
    """All fits of a cross-validation."""

    function = "stacked_cross_validate"


class CrossValidationScore(ManyFits):
    """All fits of a cross-validation that returns only scores."""

    function = "stacked_cross_val_score"


class LearningCurve(ManyFits):
    """All fits of a learning curve."""

    function = "stacked_learning_curve"


class ValidationCurve(ManyFits):
    """All fits of a validation curve."""

    function = "stacked_validation_curve"


def _new_task(fits: ManyFits, listener: Listener) -> NetworkTask | None:
    """Return the callback task of the next fit; None if nobody listens."""
    context = listener.subtask("split")
    return None if context is None else NetworkTask(fits, context, is_propagated=False)


def run_reported(
    given: dict[str, Any],
    kind: type[ManyFits],
    with_parallel: Callable[[Callable[..., StackedParallel]], Callable[..., Any]],
) -> Any:
    """Run a function of scikit-learn as stacks, and report each network to callbacks.

    ``given`` are all arguments of the public function that is called: those of scikit-learn's, and
    ``callbacks``. ``with_parallel`` returns scikit-learn's function with a replacement of its
    ``Parallel``.

    Raises InvalidOption if an option is not what it must be, TypeError if a callback cannot work
    there.
    """
    fits = kind(given["estimator"], given.pop("callbacks"))
    check_search(fits.function, given)
    check_option(fits.function, "callbacks", fits.callbacks, [CALLBACKS, None])
    refuse_misplaced(fits, fits.function)
    refuse_single_fits(fits, fits.function)
    with listening(fits, None, given["X"], given["y"], None) as listener:
        parallel = partial(StackedParallel, new_task=partial(_new_task, fits, listener))
        return with_parallel(parallel)(**given)
