"""What searches and cross-validation want their options to be, beyond scikit-learn's own checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._options import COUNT, N_JOBS, SEED, AnyNumber, Having, Name, Rules, check_option

#: scikit-learn takes True for 1, a class for an estimator, and no grid for a grid.
RULES: dict[str, Rules] = {
    "estimator": [Having("an estimator with fit", ("fit",))],
    "n_iter": [COUNT],
    "n_jobs": N_JOBS,
    "random_state": SEED,
    "error_score": [Name(["raise"]), AnyNumber()],
}


def check_search(owner: str, options: Mapping[str, Any]) -> None:
    """Raise InvalidOption if an option of a search is not what it must be.

    Parameters
    ----------
    owner : str
        The public name of the search.
    options : dict
        More than options may be in it.
    """
    for name in RULES.keys() & options.keys():
        check_option(owner, name, options[name], RULES[name])
