"""Whether the callbacks of an estimator are where they belong.

Some are for a single fit, which they end, save or resume. Others are for the outermost fit, with
all fits inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._sklearn.pipelines import last_step
from .._sklearn.tasks import follows_whole
from ..options import items_of
from ..usercall import first_in_call, warn

#: Attributes of callbacks that end a fit, or look into the network that is fitted.
SINGLE = ("ends_fits", "looks_into_network")


def callbacks_of(estimator: Any) -> tuple[list[Any], list[Any]]:
    """Return the callbacks set by ``set_callbacks``, and those of the parameter ``callbacks``."""
    # Anything but a list is refused later, when all parameters are checked.
    own = items_of(getattr(estimator, "callbacks", None))
    return list(getattr(estimator, "_skl_callbacks", ())), own or []


def saves_fits(callback: Any) -> bool:
    """Tell whether a callback saves and resumes fits."""
    return hasattr(callback, "resume")


def refuse_single_fits(
    estimator: Any,
    function: str = "",
    place: str = "the network, as estimator=...(callbacks=[{}()])",
) -> None:
    """Raise TypeError for callbacks that belong to a single fit, where there are many fits.

    ``function`` is the name of the function that the user has called, if any; ``place`` says where
    such a callback belongs, with ``{}`` in place of its name.
    """
    registered, own = callbacks_of(estimator)
    for callback in (*registered, *own):
        if saves_fits(callback) or any(getattr(callback, mark, False) for mark in SINGLE):
            name = type(callback).__name__
            raise TypeError(
                f"callbacks=[{name}()] of {_owner(estimator, function)}: {name} is for a single"
                f" fit; give it to {place.format(name)}."
            )


def refuse_misplaced(search: Any, function: str = "") -> None:
    """Raise TypeError for callbacks inside a search that belong to it, before anything is fitted.

    ``function`` is the name of the function that the user has called, if any.
    """
    step = last_step(search.estimator)
    registered, own = callbacks_of(step)
    for callback in (*registered, *own):
        if follows_whole(callback):
            name, owner = type(callback).__name__, _owner(search, function)
            way = f"search, with set_callbacks({name}())"
            if function:
                way = f"function, as callbacks=[{name}()]"
            raise TypeError(
                f"callbacks=[{name}()] of {type(step).__name__} inside {owner}: {name} follows"
                f" a whole fit; give it to the {way}."
            )


def _owner(estimator: Any, function: str) -> str:
    return f"{function}()" if function else f"a {type(estimator).__name__}"


def well_placed(callbacks: list[Any], estimator: Any) -> list[Any]:
    """Refuse callbacks that belong to the outermost estimator, or warn and leave them out.

    Inside a search, no error is raised: the search would catch it for each fit, and print them all.
    Inside pipelines only, TypeError is raised.
    """
    if not hasattr(estimator, "_parent_callback_ctx"):
        return callbacks
    misplaced = [callback for callback in callbacks if follows_whole(callback)]
    if not misplaced:
        return callbacks
    around = set(_names_around(estimator._parent_callback_ctx))
    names = ", ".join(f"{type(callback).__name__}()" for callback in misplaced)
    message = f"callbacks=[{names}] of {type(estimator).__name__} inside another estimator"
    if around <= {"Pipeline"}:
        raise TypeError(
            f"{message} follow a whole fit: give them to the outermost estimator, the"
            f" pipeline, with set_callbacks({names})."
        )
    if first_in_call("callbacks misplaced"):
        warn(
            f"{message} are left out: they follow a whole fit. Give them to the outermost"
            f" estimator ({', '.join(sorted(around - {'Pipeline'}))}), with set_callbacks({names})."
        )
    return [callback for callback in callbacks if callback not in misplaced]


def _names_around(context: Any) -> Iterator[str]:
    """Yield the names of the estimators whose fits a context is part of."""
    while context is not None:
        yield context.estimator_name
        context = context.parent
