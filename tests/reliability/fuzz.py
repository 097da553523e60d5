"""A fuzz test: random calls of random estimators on random data.

Every call must end with a finite model with the right shapes, or with a clear error that leaves
the estimator, the data and the parameters unchanged. Equal seeds must give equal models: by NumPy's
calls and by compiled steps, from a new estimator and from one that was fitted before, from frames
and from plain arrays. There must be no warnings that the package does not intend.

Run it by hand with more cases, or repeat one of them::

    python tests/reliability/fuzz.py --cases 5000 --seed 3
    python tests/reliability/fuzz.py --seed 3 --case 1234
"""

from __future__ import annotations

import argparse
import os
import pickle
import re
import signal
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import joblib
import numpy as np
from draws import Data, Draws
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, FitFailedWarning
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV

import skperceptron
from skperceptron.engine.compiled import VARIABLE, is_available
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedCrossEnsembleRegressor,
    StackedEnsembleClassifier,
    StackedEnsembleRegressor,
    StackedGridSearchCV,
)
from skperceptron.tabular import TabularMLPClassifier, TabularMLPRegressor

PACKAGE = str(Path(skperceptron.__file__).parent)

#: Processor seconds after which a case counts as endless.
LIMIT = 20.0

#: Attributes that are not checked: squares of huge numbers may be infinite, and labels need not be
#: numbers.
MAY_BE_INFINITE = ("best_loss_", "classes_", "loss_", "oof_loss_")

#: Classes of warnings that may come at any time.
MEANT = (ConvergenceWarning, DataConversionWarning, FitFailedWarning)

#: Texts of other warnings that may come, from the package or from scikit-learn.
KNOWN_WARNINGS = (
    "Got batch_size=",
    "The gradient of Heaviside",
    "X(_val)? does not have valid feature names",
    "X(_val)? has feature names, but",
    "The number of unique classes is greater than 50%",
    r"R\^2 score is not well-defined",
    r"D\^2 score is not well-defined",
    # Some fits of a search may fail.
    "One or more of the test scores are non-finite",
    "The least populated class in y has only",
    "X_val has another scale than X",
    r"\w+=.+ is ignored: (solver|learning_rate)=",
    r"\w+=.+ has no effect: ",
    "Batches have a single row",
    r"Scoring failed[\s\S]*their numbers are too large for this network",
)

#: Texts that no message to a user should contain.
INTERNALS = (
    "broadcast",
    "zero-size array",
    "out of bounds for axis",
    "cannot reshape",
    "object is not",
    "object has no",
    "unsupported operand",
    "index out of range",
    "ufunc",
    "positional argument",
    "unpack",
    "NoneType",
)


class Fault(Exception):
    """A violation of what this test checks."""


class _TooLong(BaseException):
    """The time limit of a case is exceeded."""


@dataclass
class Report:
    """The outcome of a case.

    Attributes
    ----------
    number : int
    story : list of str
        What was done, and how it ended.
    fault : str or None
    place : str
        Kind and place of the fault; faults with the same text are counted together.
    """

    number: int
    story: list[str] = field(default_factory=list)
    fault: str | None = None
    place: str = ""

    def text(self, seed: int) -> str:
        """Return a description with which the case can be repeated."""
        command = f"python tests/reliability/fuzz.py --seed {seed} --case {self.number}"
        return "\n".join([f"{self.place}: {self.fault}", *self.story, f"Repeat it: {command}"])


def run_case(seed: int, number: int) -> Report:
    """Run one case; the two numbers seed everything random in it."""
    report = Report(number)
    draws = Draws(np.random.default_rng([seed, number]))
    try:
        # A verbose case may print.
        with _limited(LIMIT), redirect_stdout(StringIO()):
            kinds = [_sequence, _search, _ensemble, _cross_ensemble, _table]
            kind = draws.one_of(kinds, [0.89, 0.03, 0.04, 0.02, 0.02])
            kind(draws, report)
    except Fault as fault:
        report.fault = str(fault)
        cause = fault.__cause__
        report.place = type(fault).__name__ if cause is None else _place(cause)
        if cause is not None:
            report.story += traceback.format_exception(cause)[-6:]
        else:
            report.place = re.sub(r"[\d.e+-]+", "#", report.fault)[:70]
    except _TooLong as error:
        report.fault = f"was not over after {LIMIT} seconds"
        report.place = "time " + _place(error)
    return report


def _place(error: BaseException) -> str:
    """Return the kind of an error, and the line of the package that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if f.filename.startswith(PACKAGE)] or list(frames)
    where = f"{Path(inside[-1].filename).name}:{inside[-1].lineno} {inside[-1].name}"
    return f"{type(error).__name__} ({str(error)[:40]}) at {where}"


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Interrupt a case that takes too long, if the system has timers."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def interrupt(*_: Any) -> None:
        raise _TooLong

    # Processor time, which other work on the machine does not affect.
    before = signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# Calls with checks.


class Checked:
    """An estimator whose every call is checked.

    Parameters
    ----------
    estimator : estimator
    report : Report
    """

    def __init__(self, estimator: Any, report: Report) -> None:
        self.estimator = estimator
        self.report = report
        #: Whether a failed call restores the estimator: scikit-learn's searches do not.
        self.is_restored = not isinstance(estimator, GridSearchCV)

    def call(self, method: str, *args: Any, trains: bool = False, **options: Any) -> Any:
        """Call a method; return what it returns, or None after a clear error."""
        inputs = (args, options)
        before = _print_of(inputs), _print_of(self.estimator.get_params())
        state = _print_of(vars(self.estimator))
        self.report.story.append(f"  {method}({', '.join(options)})")
        result, failed = None, False
        try:
            result = _heard(lambda: getattr(self.estimator, method)(*args, **options))
        except (ValueError, TypeError, AttributeError) as error:
            failed = True
            self._check_error(method, error)
        except Exception as error:
            raise Fault(f"{method} raised {type(error).__name__}: {error}") from error
        if before != (_print_of(inputs), _print_of(self.estimator.get_params())):
            raise Fault(f"{method} changed its inputs or parameters")
        keeps = self.is_restored if failed else not trains
        if keeps and state != _print_of(vars(self.estimator)):
            raise Fault(f"{method} {'failed and ' if failed else ''}changed the estimator")
        return None if failed else result

    def _check_error(self, method: str, error: Exception) -> None:
        message = str(error)
        self.report.story[-1] += f" -> {type(error).__name__}: {message[:160]}"
        unavailable = method in ("partial_fit", "predict_proba") and "available" in message + repr(
            error.__cause__
        )
        if isinstance(error, AttributeError) and not unavailable:
            raise Fault(f"{method} raised an AttributeError: {message}") from error
        if isinstance(error, AttributeError):
            return
        if len(message.split()) < 3 or any(words in message for words in INTERNALS):
            raise Fault(f"{method} raised an error that explains nothing: {message}") from error


def _heard(call: Callable[[], Any]) -> Any:
    """Call a function, and check its warnings."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("always", FitFailedWarning)
        # scikit-learn's own search squares scores as large as 1e200.
        theirs = r"sklearn\.model_selection\._search"
        warnings.filterwarnings("ignore", "overflow encountered", RuntimeWarning, theirs)
        result = call()
    for warning in given:
        message = str(warning.message)
        if not (
            issubclass(warning.category, MEANT) or any(re.match(k, message) for k in KNOWN_WARNINGS)
        ):
            raise Fault(f"unexpected {warning.category.__name__}: {message}")
        if warning.filename.startswith(PACKAGE):
            raise Fault(f"a warning points into the package, at {warning.filename}: {message}")
    return result


def _print_of(value: Any) -> str:
    """Return a hash of all that a value holds."""
    return str(joblib.hash(_plain(value)))


def _plain(value: Any) -> Any:
    """Replace sparse matrices, whose hash may change when they are used."""
    if sparse.issparse(value):
        return value.format, value.shape, value.data, value.indices, value.indptr
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


# Sequences of calls.


def _sequence(draws: Draws, report: Report) -> None:
    """Fit an estimator, and make further calls."""
    estimator = draws.estimator()
    data = draws.data(estimator)
    report.story += [repr(estimator), data.notes]
    checked = Checked(estimator, report)
    steps = [_fit, _fit_other, _partial_fit, _set_params, _warm_start, _start, _validate]
    steps += [_predict_others, _predict_others]
    chosen = [_fit if draws.chance(0.8) else _partial_fit]
    chosen += [draws.one_of(steps) for _ in range(draws.one_of([0, 1, 1, 2, 3]))]
    for step in chosen:
        step(draws, checked, data)
    _round_trip(checked, data)


def _fit(draws: Draws, checked: Checked, data: Data) -> None:
    is_fitted = _train(checked, data, "fit", _weights(data))
    if draws.chance(0.4):
        _fit_twins(checked, data, is_fitted)


def _fit_other(draws: Draws, checked: Checked, data: Data) -> None:
    other = draws.like(data)
    checked.report.story.append(f"  now {other.notes}")
    _train(checked, other, "fit", _weights(other))


def _partial_fit(draws: Draws, checked: Checked, data: Data) -> None:
    options = _weights(data)
    if is_classifier(checked.estimator) and draws.chance(0.8):
        y = np.asarray(data.y) if not sparse.issparse(data.y) else data.y
        is_indicator = y.ndim == 2 and y.shape[1] > 1
        options["classes"] = np.arange(y.shape[1]) if is_indicator else np.unique(y)
    for _ in range(draws.one_of([1, 2])):
        _train(checked, data, "partial_fit", options)


def _set_params(draws: Draws, checked: Checked, data: Data) -> None:
    names = list(checked.estimator.get_params(deep=False))
    name = draws.one_of([n for n in names if n != "random_state"])
    value = draws.parameter(type(checked.estimator), name)
    checked.report.story.append(f"  set_params({name}={value!r})")
    checked.estimator.set_params(**{name: value})


def _warm_start(draws: Draws, checked: Checked, data: Data) -> None:
    checked.estimator.set_params(warm_start=True)
    checked.report.story.append("  set_params(warm_start=True)")
    _fit_other(draws, checked, data) if draws.chance(0.3) else _fit(draws, checked, data)


def _start(draws: Draws, checked: Checked, data: Data) -> None:
    """Start a fit from the weights of the previous one."""
    if not hasattr(checked.estimator, "coefs_"):
        return
    factor = draws.one_of([1.0, 1.0, 0.0, 1e-300, 1e300])
    with np.errstate(over="ignore"):
        coefs = [c.astype(float) * factor for c in checked.estimator.coefs_]
    _train(checked, data, "fit", {**_weights(data), "coefs_init": coefs})


def _validate(draws: Draws, checked: Checked, data: Data) -> None:
    if not hasattr(checked.estimator, "early_stopping"):
        return
    other = draws.like(data)
    checked.report.story.append(f"  validated on {other.notes}")
    options = {**_weights(data), "X_val": other.X, "y_val": other.y}
    if other.weight is not None:
        options["sample_weight_val"] = other.weight
    _train(checked, data, "fit", options)


def _predict_others(draws: Draws, checked: Checked, data: Data) -> None:
    """Predict rows that may be far from the training rows."""
    if hasattr(checked.estimator, "n_features_in_"):
        other = draws.like(data)
        checked.report.story.append(f"  now {other.notes}")
        _check_predictions(checked, other)


def _weights(data: Data) -> dict[str, Any]:
    return {} if data.weight is None else {"sample_weight": data.weight}


def _train(checked: Checked, data: Data, method: str, options: dict[str, Any]) -> bool:
    """Call a method that trains, check the outcome, and tell whether it was no error."""
    fitted = checked.call(method, data.X, data.y, trains=True, **options)
    if fitted is None:
        return False
    checked.report.story[-1] += " -> fitted"
    _check_finite(checked.estimator)
    _check_predictions(checked, data)
    return True


def _check_finite(estimator: Any) -> None:
    """Check that all learned attributes are finite."""
    for name, value in vars(estimator).items():
        if not name.endswith("_") or name in MAY_BE_INFINITE:
            continue
        for array in value if isinstance(value, list) else [value]:
            is_number = isinstance(array, float | np.floating | np.ndarray)
            if is_number and np.asarray(array).dtype.kind == "f" and not np.isfinite(array).all():
                raise Fault(f"{name} is not finite")
    if hasattr(estimator, "coefs_"):
        # For networks that share hidden layers, the last biases have a row for each network.
        widths = [b.shape[-1] for b in estimator.intercepts_]
        if [c.shape[1] for c in estimator.coefs_] != widths or widths[-1] != estimator.n_outputs_:
            raise Fault("coefs_ and intercepts_ do not fit together")


def _check_predictions(checked: Checked, data: Data) -> None:
    """Check shapes and values of all kinds of predictions."""
    estimator = checked.estimator
    n_rows = data.y.shape[0] if hasattr(data.y, "shape") else len(data.y)
    for method in ("predict", "predict_proba", "decision_function", "predict_log_proba"):
        if hasattr(estimator, method):
            found = checked.call(method, data.X)
            if found is not None:
                _check_values(method, found, n_rows)
    if hasattr(estimator, "predict_proba") and is_classifier(estimator):
        proba = checked.call("predict_proba", data.X)
        has_one_label = proba is not None and len(checked.call("predict", data.X).shape) == 1
        if has_one_label and not np.allclose(proba.sum(axis=1), 1, atol=1e-3):
            raise Fault("probabilities do not sum to 1")
    options = _weights(data) if _scores_check_weights() else {}
    score = checked.call("score", data.X, data.y, **options)
    if score is not None and n_rows > 1 and not np.isfinite(score):
        raise Fault(f"score is {score}")


@cache
def _scores_check_weights() -> bool:
    """Tell whether scikit-learn refuses weights that are not finite: 1.6 returns NaN."""
    with np.errstate(invalid="ignore"):
        try:
            accuracy_score([0, 1], [0, 1], sample_weight=[np.inf, 1])
        except ValueError:
            return True
    return False


def _check_values(method: str, found: Any, n_rows: int) -> None:
    if found.shape[0] != n_rows:
        raise Fault(f"{method} returned {found.shape[0]} rows for {n_rows}")
    values = found.data if sparse.issparse(found) else np.asarray(found)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Fault(f"{method} returned what is not finite")
    if method == "predict_proba" and not ((values >= 0) & (values <= 1)).all():
        raise Fault("a probability lies outside [0, 1]")


def _fit_twins(checked: Checked, data: Data, is_fitted: bool = False) -> None:
    """Check that an equal estimator learns the same from plain arrays, also by compiled steps.

    So must the estimator itself have done, if it is fitted to these rows.
    """
    parameters = checked.estimator.get_params(deep=False)
    if parameters.get("warm_start") or parameters["random_state"] is None:
        return
    # The two ways of Rosenblatt's perceptron round averaged and pocket weights differently.
    is_same = isinstance(checked.estimator, skperceptron.RosenblattPerceptron) or not is_available()
    learned = [_learned_by(checked)] if is_fitted and not is_same else []
    for way in ("numpy", "numpy" if is_same else "compiled"):
        twin = Checked(clone(checked.estimator), Report(0))
        with patch.dict(os.environ, {VARIABLE: way}):
            twin.call("fit", _plain_rows(data.X), data.y, trains=True, **_weights(data))
        learned.append(_learned_by(twin))
    if len(set(learned)) > 1:
        raise Fault("equal seeds gave different models")


def _learned_by(checked: Checked) -> str:
    """Return a hash of what an estimator has learned, apart from the names of columns."""
    learned = {name: v for name, v in vars(checked.estimator).items() if name.endswith("_")}
    learned.pop("feature_names_in_", None)
    return _print_of(learned)


def _plain_rows(X: Any) -> Any:
    """Return X as an array in C order; tables of several dtypes, lists and sparse X as they are."""
    is_frame = hasattr(X, "dtypes") and X.dtypes.nunique() == 1
    return np.ascontiguousarray(X) if is_frame or isinstance(X, np.ndarray) else X


def _round_trip(checked: Checked, data: Data) -> None:
    """Check that a pickle predicts the same."""
    if not hasattr(checked.estimator, "n_features_in_"):
        return
    restored = Checked(pickle.loads(pickle.dumps(checked.estimator)), checked.report)
    before, after = (w.call("predict", data.X) for w in (checked, restored))
    if _print_of(before) != _print_of(after):
        raise Fault("a pickle predicts something else")


# Searches and ensembles.


def _modest(draws: Draws) -> tuple[Any, Data]:
    """Return an estimator and data whose results do not depend on rounding or on chance."""
    while True:
        estimator = draws.estimator()
        if not hasattr(estimator, "solver") or estimator.random_state is None:
            continue
        estimator.set_params(early_stopping=False, learning_rate_init=0.01, dtype="float64")
        rng = draws.rng
        X = rng.normal(size=(40, 3))
        y: Any = X[:, 0] + 0.1 * rng.normal(size=40)
        if is_classifier(estimator):
            y = (y > 0).astype(int)
        elif estimator.output == "categorical":
            y = np.round(y)
        return estimator, Data(X, y, None, "40 x 3 modest rows")


def _search(draws: Draws, report: Report) -> None:
    """Compare a stacked search with scikit-learn's."""
    estimator, data = _modest(draws)
    report.story += [f"search over {estimator!r}", data.notes]
    grid = {"alpha": [1e-4, 1.0], "max_iter": [1, 3]}
    if draws.chance(0.5):
        grid["activation"] = ["relu", "tanh"]
    found = []
    for search in (GridSearchCV, StackedGridSearchCV):
        checked = Checked(search(estimator, grid, cv=2, refit=False), report)
        if checked.call("fit", data.X, data.y, trains=True) is None:
            found.append(None)
        else:
            found.append(checked.estimator.cv_results_["mean_test_score"])
    if (found[0] is None) != (found[1] is None):
        raise Fault("only one of the searches failed")
    if found[0] is not None and not np.allclose(found[0], found[1], rtol=1e-6, equal_nan=True):
        raise Fault(f"scores differ: {found[0]} and {found[1]}")


def _network(draws: Draws) -> Any:
    """Return an estimator that can be a member of an ensemble."""
    estimator = draws.estimator()
    while not hasattr(estimator, "solver"):
        estimator = draws.estimator()
    return estimator


def _ensemble(draws: Draws, report: Report) -> None:
    """Fit an ensemble on any data."""
    estimator = _network(draws)
    data = draws.data(estimator)
    kind = StackedEnsembleClassifier if is_classifier(estimator) else StackedEnsembleRegressor
    ensemble = kind(estimator, n_members=draws.one_of([1, 2, 3]), random_state=0)
    report.story += [repr(ensemble), data.notes]
    checked = Checked(ensemble, report)
    _train(checked, data, "fit", _weights(data))


def _cross_ensemble(draws: Draws, report: Report) -> None:
    """Fit an ensemble over folds on any data."""
    estimator = _network(draws)
    data = draws.data(estimator)
    is_classification = is_classifier(estimator)
    kind = StackedCrossEnsembleClassifier if is_classification else StackedCrossEnsembleRegressor
    arms = draws.one_of([{}, {"alpha": [1e-4, 1.0]}, [{"alpha": [0.0]}, {"max_iter": [1, 3]}]])
    ensemble = kind(estimator, arms, cv=draws.one_of([2, 3]), random_state=0)
    report.story += [repr(ensemble), data.notes]
    _train(Checked(ensemble, report), data, "fit", _weights(data))


def _table(draws: Draws, report: Report) -> None:
    """Fit an estimator for tables on a frame of columns of all kinds."""
    kind = draws.one_of([TabularMLPClassifier, TabularMLPRegressor])
    options = {"n_folds": draws.one_of([2, 3]), "max_epochs": draws.one_of([1, 3])}
    preset = draws.one_of(["default", "fast", "realmlp-td"])
    model = kind(preset=preset, hidden_layer_sizes=(3,), random_state=0, **options)
    data = draws.table(is_classifier(model))
    report.story += [repr(model), data.notes]
    checked = Checked(model, report)
    _train(checked, data, "fit", _weights(data))
    _fit_twins(checked, data)


# The program.


def main() -> int:
    """Run the cases of the command line; return 1 if there were faults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=300, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="run this one only, and tell its story")
    parser.add_argument("--outcomes", action="store_true", help="count all outcomes")
    asked = parser.parse_args()
    first, cases = (asked.first, asked.cases) if asked.case is None else (asked.case, 1)
    faults: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for number in range(first, first + cases):
        report = run_case(asked.seed, number)
        ends = [line.split(" -> ", 1)[1] for line in report.story if " -> " in line]
        outcomes.update(re.sub(r"[\d.]+", "#", end)[:90] for end in ends)
        if report.fault is not None:
            faults[report.place] += 1
            print(report.text(asked.seed), end="\n\n", flush=True)
        elif asked.case is not None:
            print("\n".join(report.story))
    for kind, count in outcomes.most_common() if asked.outcomes else ():
        print(f"{count:6d} {kind}")
    for kind, count in faults.most_common():
        print(f"{count:6d} {kind}")
    print(f"{cases} cases, {faults.total()} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
