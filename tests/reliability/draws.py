"""Random parts of a fuzz case: estimators with their parameters, and data.

Parameters are drawn by the rules of the classes: an estimator's ``_parameter_constraints``, a
component's ``ranges``. A new component, parameter or option needs no entry here. Only parameters
that would take too long (``SMALL``) or that have no range (``COMPONENT_CHOICES``) are listed.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

import skperceptron
from skperceptron import (
    activations,
    averaging,
    components,
    initializers,
    losses,
    normalizations,
    optimizers,
    schedules,
)
from skperceptron.groups import ATTRIBUTES, ParameterGroup, ParameterGroups
from skperceptron.options import Flag, Infinity, Interval, Listing, Name, Precision
from skperceptron.stopping import EarlyStopping

#: Parameters of estimators that decide how long a case takes.
SMALL: dict[str, tuple[Any, ...]] = {
    "hidden_layer_sizes": ((), (1,), (3,), (7,), (4, 3), (3, 3, 3), 5, [2], np.array([3, 2])),
    "max_iter": (1, 2, 3, 5),
    "max_fun": (1, 3, 20),
    "n_iter_no_change": (1, 2, 10, np.inf),
    "batch_size": ("auto", 1, 2, 7, 50, 1000),
    "n_associative": (0, 0, 1, 5, 30),
    "n_connections": (None, 1, 2, 5),
    "max_time": (None,),
    "verbose": (False,),
    "callbacks": (None,),
}

#: Parameters that name a component: the module with its names, and its base class.
FAMILIES: dict[str, tuple[Any, Any]] = {
    "activation": (activations, activations.Activation),
    "solver": (optimizers, optimizers.Optimizer),
    "learning_rate": (schedules, schedules.Schedule),
    "initializer": (initializers, initializers.Initializer),
    "normalization": (normalizations, normalizations.Normalization),
    "averaging": (averaging, averaging.Averaging),
    "loss": (losses, losses.Loss),
}

#: Parameters of components that are not a number in a range.
COMPONENT_CHOICES: dict[str, tuple[Any, ...]] = {
    "approximate": ("none", "tanh"),
    "surrogate": (None, "straight_through", "sigmoid"),
    "period": (None, 0.5, 3.0, 1e9),
    "quantile": (0.5, 0.01, [0.1, 0.9], [0.5], [0.05, 0.5, 0.95]),
    "otherwise": ("scikit-learn", "he_normal"),
}

#: Functions that make the columns of a table.
COLUMNS: dict[str, Any] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "huge": lambda rng, n: rng.normal(size=n) * 1e300,
    "constant": lambda rng, n: np.full(n, 3.0),
    "counts": lambda rng, n: rng.integers(1000, size=n),
    "flags": lambda rng, n: rng.random(n) < 0.5,
    "category": lambda rng, n: pd.Categorical(np.array(list("abc"))[rng.integers(3, size=n)]),
    "levels": lambda rng, n: [f"level {k}" for k in rng.integers(12, size=n)],
    "names": lambda rng, n: [f"name {k}" for k in rng.integers(100, size=n)],
    "days": lambda rng, n: pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.random(n), unit="D"),
}

#: Values that are invalid for most parameters.
NONSENSE = (None, -1, np.nan, np.inf, "nonsense", True, 1e400, (), [1, "a"], object, -0.5, 0)

#: Base classes, which are not used by themselves.
ABSTRACT = (
    activations.Activation,
    optimizers.Optimizer,
    schedules.Schedule,
    schedules.TimeSchedule,
    schedules.UserSchedule,
    initializers.Initializer,
    normalizations.Normalization,
    averaging.Averaging,
    losses.Loss,
    losses.ScaledSquaredError,
)

ESTIMATORS = sorted(
    (
        cls
        for _, cls in inspect.getmembers(skperceptron, inspect.isclass)
        if hasattr(cls, "partial_fit")
    ),
    key=lambda cls: cls.__name__,
)


class Draws:
    """A source of random choices.

    Parameters
    ----------
    rng : Generator
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return bool(self.rng.random() < probability)

    def one_of(self, options: Any, weights: Any = None) -> Any:
        """Return one of the options, which may be any objects."""
        options = list(options)
        return options[int(self.rng.choice(len(options), p=weights))]

    def number_in(self, low: float, high: float, ends: tuple[bool, bool]) -> float:
        """Return a number in a range: mostly an ordinary one, sometimes an end or an extreme."""
        edges = [bound for bound, closed in zip((low, high), ends, strict=True) if closed]
        if edges and self.chance(0.2):
            return float(self.one_of(edges))
        if np.isfinite([low, high]).all():
            return float(low + (high - low) * self.rng.uniform(0.01, 0.99))
        sizes = (-300, 300) if self.chance(0.05) else (-4, 2)
        size = 10.0 ** self.rng.uniform(*sizes)
        if np.isfinite(low):
            return float(low + size) if low + size > low or ends[0] else float(low + 1)
        return float(self.rng.choice([-1, 1]) * size)

    # Estimators.

    def estimator(self, cls: Any = None) -> Any:
        """Return an estimator of which some parameters differ from their defaults."""
        cls = self.one_of(ESTIMATORS) if cls is None else cls
        given = {name: choices for name, choices in SMALL.items() if name in _defaults(cls)}
        given = {name: self.one_of(choices) for name, choices in given.items()}
        others = [name for name in _defaults(cls) if name not in given and name != "random_state"]
        for name in others:
            if self.chance(0.6 if name in ("activation", "solver", "loss", "output") else 0.15):
                given[name] = self.parameter(cls, name)
        given["random_state"] = int(self.rng.integers(2**31))
        if self.chance(0.03):
            given[self.one_of(given)] = self.one_of(NONSENSE)
        return cls(**given)

    def parameter(self, cls: Any, name: str) -> Any:
        """Return a value of an estimator's parameter."""
        if name in SMALL:
            return self.one_of(SMALL[name])
        if name in FAMILIES:
            return self.family_member(cls, name)
        special = getattr(self, f"_of_{name}", None)
        if special is not None:
            return special()
        return self._by_constraint(self.one_of(cls._parameter_constraints[name]), cls, name)

    def _by_constraint(self, constraint: Any, cls: Any, name: str) -> Any:
        """Return a value that a rule of :mod:`skperceptron.options` allows."""
        if isinstance(constraint, Name):
            return self.one_of(constraint.options)
        if isinstance(constraint, Interval):
            if constraint.whole:
                return int(constraint.low + self.rng.integers(20))
            ends = constraint.low_closed, constraint.high_closed
            return self.number_in(constraint.low, constraint.high, ends)
        if isinstance(constraint, Flag):
            return self.one_of([True, False, np.True_, np.False_])
        if isinstance(constraint, Listing):
            length = constraint.length or int(self.rng.integers(1, 4))
            items = [self._by_constraint(constraint.of[0], cls, name) for _ in range(length)]
            return self.one_of([list, tuple, np.array])(items)
        if isinstance(constraint, Infinity):
            return np.inf
        if isinstance(constraint, Precision):
            return self.one_of([*constraint.names, np.float32, np.dtype(np.float64)])
        # None, or a kind of object for which there is no method here.
        return None if constraint is None else _defaults(cls)[name]

    def family_member(self, cls: Any, name: str) -> Any:
        """Return a component, by a name or as an object."""
        module, base = FAMILIES[name]
        task = _task_of(cls)
        known = [
            found
            for found in components.public_classes(module, base)
            if found not in ABSTRACT and (name != "loss" or found.task == task)
        ]
        chosen = self.one_of(known)
        if self.chance(0.1) and _defaults(cls)[name] is None:
            return None
        if chosen.names and self.chance(0.4):
            return self.one_of(chosen.names)
        return self.component(chosen)

    def component(self, cls: Any) -> Any:
        """Return a component of a class with drawn parameters."""
        given = {}
        for name, default in _defaults(cls).items():
            if self.chance(0.5):
                continue
            interval = cls.ranges.get(name)
            if name in COMPONENT_CHOICES:
                given[name] = self.one_of(COMPONENT_CHOICES[name])
            elif isinstance(default, bool):
                given[name] = self.chance(0.5)
            elif interval is not None and isinstance(default, int):
                given[name] = int(max(interval.low, 0) + self.rng.integers(1, 30))
            elif interval is not None:
                ends = interval.low_closed, interval.high_closed
                given[name] = self.number_in(interval.low, interval.high, ends)
        return cls(**given)

    def _of_early_stopping(self) -> Any:
        if self.chance(0.5):
            return self.chance(0.7)
        return EarlyStopping(
            monitor=self.one_of(["score", "loss"]),
            patience=self.one_of([None, 1, 3]),
            tol=self.one_of([None, 0.0, 1e-3]),
            restore_best=self.chance(0.5),
        )

    def _of_parameter_groups(self) -> ParameterGroups | None:
        names = [name for name in ATTRIBUTES if self.chance(0.4)]
        return ParameterGroups(**{name: self._parameter_group() for name in names})

    def _parameter_group(self) -> ParameterGroup:
        factors = (0.0, 0.1, 1.0, 6.0, 1e300)
        return ParameterGroup(
            rate=self.one_of(factors),
            decay=self.one_of([None, *factors]),
            penalty=self.one_of([None, *factors]),
        )

    def _of_class_weight(self) -> Any:
        weights = [1, 2.5, 0, 1e-300, 1e300, 1e-3]
        keys = [0, 1, 2, "a", "b"]
        as_dict = {key: self.one_of(weights) for key in keys[: self.rng.integers(1, 4)]}
        return self.one_of([None, "balanced", as_dict])

    def _of_output_range(self) -> Any:
        return self.one_of([None, None, (0, 1), (-5, 20), (0.5, 0.75), (-1e300, 1e300)])

    def _of_learning_rate_init(self) -> float:
        sizes = (-300, 300) if self.chance(0.1) else (-5, 1)
        return float(10.0 ** self.rng.uniform(*sizes))

    # Data.

    def data(self, estimator: Any) -> Data:
        """Return rows and targets for an estimator."""
        n_rows = self.one_of([1, 2, 3, 4, 8, 20, 21, 60, 150, 300])
        n_features = self.one_of([1, 2, 3, 5, 12, 40])
        X, kind = self._numbers(n_rows, n_features)
        y, of_y = self._targets(estimator, X, n_rows)
        weight = self._weights(n_rows)
        notes = f"{n_rows} x {n_features}, {kind}; y: {of_y}"
        if self.chance(0.04) and np.asarray(X).dtype.kind == "f":
            X[self.rng.integers(n_rows), self.rng.integers(n_features)] = self.one_of(
                [np.nan, np.inf, -np.inf]
            )
            notes += "; one number of X is not finite"
        return Data(X, y, weight, notes).contained(self)

    def table(self, is_classification: bool) -> Data:
        """Return a frame with columns of many kinds and missing values, and targets."""
        n_rows = self.one_of([1, 2, 5, 20, 80])
        kinds = [self.one_of(sorted(COLUMNS)) for _ in range(self.one_of([1, 3, 6]))]
        X = pd.DataFrame({f"{i}_{k}": COLUMNS[k](self.rng, n_rows) for i, k in enumerate(kinds)})
        for name in X:
            if self.chance(0.4):
                X[name] = X[name].mask(self.rng.random(n_rows) < self.one_of([0.1, 0.5, 1.0]))
        y: Any
        if is_classification:
            n_classes = self.one_of([2, 3])
            y = np.array(["no", "yes", "maybe"])[self.rng.integers(n_classes, size=n_rows)]
        else:
            y = self.rng.normal(size=n_rows) * 10.0 ** self.one_of([-100, -3, 0, 3, 100])
        return Data(X, y, self._weights(n_rows), f"{n_rows} rows of {', '.join(kinds)}")

    def like(self, data: Data) -> Data:
        """Return other rows for the same estimator: some of the given ones, perhaps changed."""
        n_rows = len(data.y) if not sparse.issparse(data.y) else data.y.shape[0]
        rows = self.rng.integers(n_rows, size=self.one_of([1, 2, 5, 30, 150]))
        X = _rows_of(data.X, rows)
        notes = f"{len(rows)} rows of the former"
        factor = self.one_of([1, 1, 1, -1, 1e-3, 1e3, 1e100, 1e300])
        if factor != 1 and not isinstance(X, list) and _dtype_of(X).kind == "f":
            with np.errstate(all="ignore"):
                X = X * _dtype_of(X).type(factor)
            notes += f" times {factor}"
        weight = self._weights(len(rows))
        return replace(data, X=X, y=_rows_of(data.y, rows), weight=weight, notes=notes)

    def _numbers(self, n_rows: int, n_features: int) -> tuple[Any, str]:
        """Return numbers, (n_rows, n_features), and a description of them."""
        shape = n_rows, n_features
        kind = self.one_of(["normal", "integers", "constant", "duplicates", "zeros", "columns"])
        X = self.rng.normal(size=shape)
        if kind == "integers":
            X = np.round(3 * X)
        elif kind == "constant":
            X[:] = X[0, 0]
        elif kind == "duplicates":
            X = X[self.rng.integers(max(1, n_rows // 4), size=n_rows)]
        elif kind == "zeros":
            X *= self.rng.random(shape) < 0.2
        elif kind == "columns":
            X *= 10.0 ** self.rng.uniform(-3, 3, n_features)
        dtype = self.one_of([np.float64] * 5 + [np.float32, np.float32, np.float16, np.int64, bool])
        factor = 1.0
        if self.chance(0.35):
            factor = 10.0 ** self.rng.uniform(*self.one_of([(-300, 300), (-38, 38), (-6, 6)]))
        with np.errstate(all="ignore"):
            X = X * factor
            if np.dtype(dtype).kind == "f":
                largest = np.finfo(dtype).max
                X = np.clip(X, -largest, largest)
            else:
                X = np.clip(X, -(2**62), 2**62)
            X = X.astype(dtype)
        return X, f"{kind} {np.dtype(dtype).name} times {factor:.3g}"

    def _targets(self, estimator: Any, X: Any, n_rows: int) -> tuple[Any, str]:
        if _task_of(type(estimator)) == "regression":
            return self._numeric_targets(n_rows)
        return self._labels(estimator, X, n_rows)

    def _labels(self, estimator: Any, X: Any, n_rows: int) -> tuple[Any, str]:
        if _task_of(type(estimator)) == "binary" and self.chance(0.15):
            n_labels = self.one_of([1, 2, 4])
            indicator = (self.rng.random((n_rows, n_labels)) < 0.4).astype(int)
            return indicator, f"{n_labels} indicators"
        most = 2 if _task_of(type(estimator)) == "binary" else 6
        n_classes = int(self.rng.integers(2, most + 1))
        codes = self.rng.integers(n_classes, size=n_rows)
        kind = self.one_of(["even", "rare", "one class", "learnable"], [0.3, 0.25, 0.05, 0.4])
        if kind == "rare":
            codes = np.where(self.rng.random(n_rows) < 0.9, 0, codes)
            codes[: n_classes - 1] = np.arange(1, n_classes)[: len(codes[: n_classes - 1])]
        elif kind == "one class":
            codes[:] = 0
        elif kind == "learnable":
            order = np.argsort(np.argsort(np.asarray(X, dtype=np.float64)[:, 0], kind="stable"))
            codes = order * n_classes // n_rows
        names: Any = self.one_of(
            [
                np.arange(n_classes),
                np.array(list("abcdef"))[:n_classes],
                np.array(list("abcdef"), dtype=object)[:n_classes],
                np.arange(n_classes) * 3 - 1,
                np.arange(n_classes, dtype=np.float64),
                np.array([False, True]) if n_classes == 2 else np.arange(n_classes, dtype=np.int8),
            ]
        )
        y = names[codes]
        if self.chance(0.05):
            y = y[:, np.newaxis]
        return y, f"{n_classes} labels {kind} {y.dtype}"

    def _numeric_targets(self, n_rows: int) -> tuple[Any, str]:
        n_targets = self.one_of([1, 1, 1, 2, 3])
        y = self.rng.normal(size=(n_rows, n_targets))
        kind = self.one_of(
            ["normal", "positive", "counts", "constant", "offset", "share", "outlier"]
        )
        if kind == "positive":
            y = np.exp(y)
        elif kind == "counts":
            y = np.round(np.exp(y))
        elif kind == "constant":
            y[:] = self.one_of([0.0, 1.0, -3.0, 0.1])
        elif kind == "offset":
            y += 10.0 ** self.rng.uniform(1, 12)
        elif kind == "share":
            y = self.rng.random(y.shape)
        elif kind == "outlier":
            y[0] = 10.0 ** self.rng.uniform(3, 150)
        factor = 1.0
        if self.chance(0.3):
            factor = 10.0 ** self.rng.uniform(*self.one_of([(-300, 300), (-38, 38), (-6, 6)]))
        with np.errstate(all="ignore"):
            y = np.clip(y * factor, -np.finfo(float).max, np.finfo(float).max)
        if n_targets == 1:
            y = y[:, 0] if self.chance(0.9) else y
        if kind == "counts" and factor == 1:
            y = y.astype(self.one_of([int, float, np.float32, np.uint8]))
        if self.chance(0.03):
            y = y.astype(float)
            y[0] = self.one_of([np.nan, np.inf])
        return y, f"{n_targets} numbers {kind} times {factor:.3g} {y.dtype}"

    def _weights(self, n_rows: int) -> Any:
        if self.chance(0.65):
            return None
        weight = self.rng.uniform(0.1, 3, n_rows)
        kind = self.one_of(["plain", "zeros", "huge", "tiny", "mixed", "counts", "bad", "number"])
        if kind == "zeros":
            weight *= self.rng.random(n_rows) < 0.5
        elif kind == "huge":
            weight *= 10.0 ** self.rng.uniform(100, 307)
        elif kind == "tiny":
            weight *= 10.0 ** self.rng.uniform(-322, -100)
        elif kind == "mixed":
            weight = 10.0 ** self.rng.uniform(-300, 300, n_rows)
        elif kind == "counts":
            weight = self.rng.integers(0, 4, n_rows)
        elif kind == "bad":
            weight[0] = self.one_of([-1, np.nan, np.inf])
        elif kind == "number":
            return self.one_of([1.0, 0.5, 3, 0.0])
        return weight if self.chance(0.8) else weight.tolist()


@dataclass
class Data:
    """Rows, targets and weights as a user would give them, and a description."""

    X: Any
    y: Any
    weight: Any
    notes: str

    def contained(self, draws: Draws) -> Data:
        """Return the same numbers in another container."""
        kind = draws.one_of(
            ["array"] * 6 + ["csr", "csr", "csc", "frame", "frame", "list", "fortran", "strided"]
        )
        X, y = self.X, self.y
        if kind in ("csr", "csc"):
            X = getattr(sparse, f"{kind}_{draws.one_of(['array', 'matrix'])}")(
                X if X.dtype != np.float16 else X.astype(np.float32)
            )
            if y.ndim == 2 and y.dtype.kind == "i" and y.shape[1] > 1 and draws.chance(0.5):
                y = sparse.csr_array(y)
        elif kind == "frame":
            index = pd.RangeIndex(5, 5 + len(X))
            X = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])], index=index)
            if y.ndim == 1 and draws.chance(0.5):
                y = pd.Series(y, index=index, name="target")
        elif kind == "list":
            X = X.tolist()
        elif kind == "fortran":
            X = np.asfortranarray(X)
        elif kind == "strided":
            X = np.repeat(X, 2, axis=0)[::2]
        return replace(self, X=X, y=y, notes=f"{self.notes}; {kind}")


def _rows_of(table: Any, rows: Any) -> Any:
    if isinstance(table, list):
        return [table[i] for i in rows]
    return table.iloc[rows] if hasattr(table, "iloc") else table[rows]


def _dtype_of(X: Any) -> np.dtype:
    return X.dtypes.iloc[0] if hasattr(X, "iloc") else X.dtype


def _defaults(cls: Any) -> dict[str, Any]:
    """Return the parameters of a class and their defaults."""
    found = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in found if p.default is not p.empty}


def _task_of(cls: Any) -> str:
    """Return the task of an estimator's losses."""
    if getattr(cls, "_estimator_type", "") == "regressor" or "Regressor" in cls.__name__:
        return "regression"
    return "binary" if "Binary" in cls.__name__ else "multiclass"
