"""How tasks travel to workers, with the data that they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joblib.parallel import get_active_backend

__all__ = ["Sender", "sender"]


class Sender:
    """Leaves tasks as they are: joblib's own backends map large arrays, or share them."""

    #: Whether results of :meth:`start` stay on the workers, as futures that tasks may take.
    keeps_results = False

    def task(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
        """Return function and arguments of a task that does the same."""
        return function, *arguments

    def start(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function; return its result, or the future of it."""
        return function(*arguments)


def sender(n_jobs: int | None) -> Sender:
    """Return what sends tasks to the workers of joblib's active backend."""
    backend, _ = get_active_backend()
    client = getattr(backend, "client", None)
    # A single worker is not asked: joblib then runs the tasks here.
    is_dask = type(client).__module__.startswith("distributed.")
    if not is_dask or backend.effective_n_jobs(n_jobs) == 1:
        return Sender()
    from ._dask import DaskSender

    return DaskSender(client)
