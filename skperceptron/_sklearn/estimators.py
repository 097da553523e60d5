"""The base of all estimators of this package: versions in their pickles, links to their pages."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

from ..exceptions import InconsistentVersionWarning
from ..kept import plain_state, restored_state
from ..usercall import warn
from ..version import __version__

PACKAGE = "skperceptron"

#: Where a pickle keeps the version.
KEY = "_skperceptron_version"

#: What a fit with callbacks adds to an estimator: copies made during the fit take no part in it.
OF_RUNNING_FIT = {"_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks_to_teardown"}

#: The version of pickles that do not hold one: the last version that did not write it.
UNTOLD = "0.1.0"


@cache
def documentation_url() -> str:
    """Return the project's documentation URL as the installed metadata has it, or ""."""
    try:
        listed = metadata(PACKAGE).get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    urls = dict(entry.split(", ", 1) for entry in listed)
    return urls.get("Documentation", "")


class PackageEstimator:
    """Base of estimators, before scikit-learn's ``BaseEstimator``.

    Pickles carry the version of this package, and warn when another one loads them: scikit-learn
    does this for its own estimators only. In pickles, inner objects are plain data: see
    :mod:`skperceptron.kept`. In notebooks, an estimator links to its page in our documentation.
    """

    _doc_link_module = PACKAGE

    @property
    def _doc_link_template(self) -> str:
        base = documentation_url().rstrip("/")
        # scikit-learn fills in the module that users import the class from.
        return f"{base}/api/generated/{{estimator_module}}.{{estimator_name}}.html" if base else ""

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return {**plain_state(_outside_fits(state)), KEY: __version__}

    def __copy__(self) -> Any:
        # A fit copies estimators: do not convert them to plain data and back.
        twin = type(self).__new__(type(self))
        vars(twin).update(_outside_fits(vars(self)))
        return twin

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        written = state.pop(KEY, UNTOLD)
        if written != __version__:
            warn(
                f"This {type(self).__name__} was pickled by skperceptron {written}, and is loaded"
                f" by {__version__}: it may behave differently, or not work. Load it with"
                f" {written}, or fit it again.",
                InconsistentVersionWarning,
            )
        super().__setstate__(restored_state(state))  # type: ignore[misc]


def _outside_fits(state: dict[str, Any]) -> dict[str, Any]:
    if "_callback_fit_ctx" not in state:
        return state
    return {name: value for name, value in state.items() if name not in OF_RUNNING_FIT}
