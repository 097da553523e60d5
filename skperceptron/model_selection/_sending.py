"""How tasks are sent to workers, with the data that they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joblib.parallel import get_active_backend

__all__ = ["Sender", "sender"]


class Sender:
    """Leaves tasks as they are: joblib's own backends memory-map or share large arrays."""

    #: Whether results of :meth:`start` stay on the workers, as futures that tasks may take.
    keeps_results = False

    def task(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
        """Return the function and arguments of an equivalent task that can be sent."""
        return function, *arguments

    def start(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function; return its result or a future."""
        return function(*arguments)


def sender(n_jobs: int | None) -> Sender:
    """Return the sender of tasks for joblib's active backend."""
    backend, _ = get_active_backend()
    client = getattr(backend, "client", None)
    # For a single worker, joblib runs the tasks in this process.
    is_dask = type(client).__module__.startswith("distributed.")
    if not is_dask or backend.effective_n_jobs(n_jobs) == 1:
        return Sender()
    from ._dask import DaskSender

    return DaskSender(client)
