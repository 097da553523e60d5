"""Rules for the options of searches and cross-validation, beyond scikit-learn's own checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..options import (
    COUNT,
    N_JOBS,
    SEED,
    AnyNumber,
    Filled,
    Flag,
    Function,
    HasMethods,
    Instance,
    Interval,
    Listing,
    Name,
    Rule,
    Rules,
    check_option,
    items_of,
)


class Splits(Rule):
    """Pairs of training and test rows. Those of an iterator are not looked at."""

    text = "an iterable of pairs (train, test)"

    def allows(self, value: Any) -> bool:
        pairs = items_of(value)
        if pairs is None:
            return isinstance(value, Iterator)
        return bool(pairs) and all(len(items_of(pair) or ()) == 2 for pair in pairs)


#: scikit-learn accepts True as 1, a class as an estimator, a string as splits, 0 tasks to
#: dispatch, and a factor of 1, with which candidates do not become fewer.
RULES: dict[str, Rules] = {
    "estimator": [HasMethods("an estimator with fit", ("fit",))],
    "param_grid": [Instance(dict), Filled(Listing([Instance(dict)], "dicts"))],
    "param_distributions": [Instance(dict), Filled(Listing([Instance(dict)], "dicts"))],
    "n_iter": [COUNT],
    "scoring": [
        Instance(str),
        Function("(estimator, X, y)"),
        Filled(Listing([Instance(str)], "names")),
        Filled(Instance(dict)),
        None,
    ],
    "factor": [Interval(1)],
    "n_jobs": N_JOBS,
    "pre_dispatch": [COUNT, Instance(str)],
    "cv": [
        Interval(2, low_closed=True, whole=True),
        HasMethods("a splitter", ("split", "get_n_splits")),
        Splits(),
        None,
    ],
    "refit": [Flag(), Instance(str), Function("(cv_results)")],
    "random_state": SEED,
    "error_score": [Name(["raise"]), AnyNumber()],
}


def check_search(owner: str, options: Mapping[str, Any]) -> None:
    """Raise InvalidOption if an option of a search is not what it must be.

    ``owner`` is the public name of the search. Options without a rule are ignored.
    """
    for name, rules in RULES.items():
        if name in options:
            check_option(owner, name, options[name], rules)
