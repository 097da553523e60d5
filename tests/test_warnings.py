"""Warnings: none where the user gets what was requested, and each names the user's line."""

import gc
import sys
import warnings
import weakref

import numpy as np
import pandas as pd
import pytest
import scipy
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import validation
from sklearn.utils.fixes import parse_version

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron import RosenblattPerceptron as Rosenblatt
from skperceptron.callbacks import Callback, EpochLogger
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedEnsembleClassifier,
    StackedGridSearchCV,
    stacked_cross_validate,
)
from skperceptron.schedules import Cosine
from skperceptron.stopping import EarlyStopping
from skperceptron.usercall import interrupted
from tests.interrupting import interrupt_at

X, Y = make_classification(80, 5, flip_y=0.3, random_state=0)
SMALL = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
CONVERGED = {"tol": 10.0, "n_iter_no_change": 1, "max_iter": 20}
ENDLESS = {"max_iter": 10**6, "n_iter_no_change": np.inf, "max_fun": 10**7, "tol": 0}


class Interrupting(Callback):
    """Interrupts like a user at the end of the first epoch."""

    def on_fit_task_end(self, estimator, context):
        if getattr(context, "report", None):
            raise KeyboardInterrupt
        return False


class Ending(Callback):
    """Ends training after a given epoch."""

    def __init__(self, epoch=2):
        self.epoch = epoch

    def on_fit_task_end(self, estimator, context):
        report = getattr(context, "report", None)
        return report is not None and report["epoch"] >= self.epoch


class Later:
    """A scorer that fails in the third epoch."""

    def __init__(self):
        self.n_calls = 0

    def __call__(self, estimator, X, y):
        self.n_calls += 1
        return np.nan if self.n_calls == 3 else 1.0


#: name: (estimator, what the warning says)
WARNED = {
    "epochs": (MLPBinaryClassifier(**SMALL), "Maximum iterations"),
    "epochs of three classes": (MLPSoftmaxClassifier(**SMALL), "Maximum iterations"),
    "time": (MLPBinaryClassifier(**{**SMALL, **ENDLESS, "max_time": 1e-9}), "Maximum time"),
    "batch": (MLPBinaryClassifier(**SMALL | CONVERGED, batch_size=999), "batch_size=999"),
    "L-BFGS": (MLPBinaryClassifier(**SMALL, solver="lbfgs", tol=0), "lbfgs failed to converge"),
    "L-BFGS, time": (
        MLPBinaryClassifier(**{**SMALL, **ENDLESS, "max_time": 1e-9}, solver="lbfgs"),
        "L-BFGS: Maximum time",
    ),
    "interrupted": (MLPBinaryClassifier(**SMALL, callbacks=[Interrupting()]), "interrupted"),
    "interrupted L-BFGS": (
        MLPBinaryClassifier(**SMALL, solver="lbfgs", callbacks=[Interrupting()]),
        "interrupted",
    ),
    "interrupted perceptron": (Rosenblatt(0, callbacks=[Interrupting()]), "interrupted"),
    "mistakes": (Rosenblatt(0, max_iter=2, random_state=0), "mistakes are still being made"),
    "untrainable": (MLPBinaryClassifier(**SMALL | CONVERGED, activation="heaviside"), "eaviside"),
    "later score": (
        MLPRegressor(**SMALL | {"max_iter": 5}, early_stopping=EarlyStopping(Later())),
        "has become nan",
    ),
}


def warnings_of(call, fragment):
    """Return the file and line of those warnings of a call that contain a fragment."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [(w.filename, w.lineno) for w in caught if fragment in str(w.message)]


@pytest.mark.parametrize("name", WARNED)
@pytest.mark.parametrize("place", ["alone", "pipeline", "search"])
def test_warning_points_at_the_users_line(name, place):
    estimator, fragment = WARNED[name]
    split = [(np.arange(60), np.arange(60, 80))]
    model = {
        "alone": lambda: clone(estimator),
        "pipeline": lambda: make_pipeline(StandardScaler(), clone(estimator)),
        "search": lambda: GridSearchCV(clone(estimator), {}, cv=split, refit=False),
    }[place]()
    line = sys._getframe().f_lineno + 1
    found = warnings_of(lambda: model.fit(X, Y), fragment)
    assert set(found) == {(__file__, line)}


@pytest.mark.usefixtures("eager_workers")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_warnings_of_stacks_point_at_the_users_line_where_there_is_one(n_jobs):
    network = MLPBinaryClassifier(**SMALL, batch_size=999)
    search = StackedGridSearchCV(network, {"alpha": [0, 1]}, cv=2, refit=False, n_jobs=n_jobs)
    crossed = StackedCrossEnsembleClassifier(network, {}, restore_best=False, n_jobs=n_jobs)
    calls = [
        (sys._getframe().f_lineno, lambda: search.fit(X, Y)),
        (sys._getframe().f_lineno, lambda: stacked_cross_validate(network, X, Y, n_jobs=n_jobs)),
        (sys._getframe().f_lineno, lambda: StackedEnsembleClassifier(network, 3).fit(X, Y)),
        (sys._getframe().f_lineno, lambda: crossed.fit(X, Y)),
    ]
    for line, call in calls:
        for fragment in ("Maximum iterations", "batch_size=999"):
            found = warnings_of(call, fragment)
            # Warnings in other processes are not recorded here.
            assert set(found) <= {(__file__, line)}
            assert found or n_jobs


def test_partial_fit_warns_at_the_users_line():
    network = MLPBinaryClassifier(**SMALL, batch_size=999)
    line = sys._getframe().f_lineno + 1
    found = warnings_of(lambda: network.partial_fit(X, Y, classes=[0, 1]), "batch_size=999")
    assert set(found) == {(__file__, line)}


def test_a_batch_of_all_rows_is_not_too_large():
    network = MLPBinaryClassifier(**SMALL, batch_size=80)
    assert not warnings_of(lambda: network.fit(X, Y), "batch_size")


def test_warnings_of_scikit_learns_checks_point_at_the_users_line_too():
    network = MLPBinaryClassifier(**SMALL | CONVERGED)
    line = sys._getframe().f_lineno + 1
    with pytest.warns(DataConversionWarning) as caught:
        network.fit(X, Y[:, np.newaxis])
    assert {(w.filename, w.lineno) for w in caught} == {(__file__, line + 1)}


ROW_NAMES = {
    "names in X": (pd.DataFrame(X, columns=list("abcde")), X, "X_val does not have valid feature"),
    "names in X_val": (X, pd.DataFrame(X, columns=list("abcde")), "X_val has feature names, but"),
}


@pytest.mark.parametrize("name", ROW_NAMES)
@pytest.mark.parametrize("monitor", ["score", "average_precision"])
def test_warnings_of_scikit_learns_checks_name_validation_rows(name, monitor):
    rows, X_val, expected = ROW_NAMES[name]
    model = network(**CONVERGED, early_stopping=EarlyStopping(monitor))
    with pytest.warns(UserWarning) as caught:
        line = sys._getframe().f_lineno + 1
        model.fit(rows, Y, X_val=X_val, y_val=Y[:, np.newaxis])
    texts = {str(w.message) for w in caught}
    assert len(texts) == 2
    assert any(text.startswith(expected) for text in texts)
    assert any("A column-vector y_val was passed" in text for text in texts)
    assert {(w.filename, w.lineno) for w in caught} == {(__file__, line)}
    # Outside this call, X is the right name again.
    with pytest.warns(UserWarning, match="^X ") as caught:
        model.predict(X_val)
    assert {w.filename for w in caught} == {validation.__file__}


def test_warning_about_categories_names_validation_rows():
    frame = pd.DataFrame({"a": X[:, 0], "town": pd.Categorical(np.where(Y, "Ulm", "Bern"))})
    others = frame.assign(town=pd.Categorical(Y))
    model = network(**CONVERGED, categorical_features="from_dtype")
    with pytest.warns(UserWarning, match="^X_val: Column 'town' holds 0, but"):
        model.fit(frame, Y, X_val=others, y_val=Y)


def network(**options):
    return MLPBinaryClassifier(**{**SMALL, "max_iter": 4, **options})


AS_ASKED = {
    "one cycle": network(learning_rate="one_cycle", n_iter_no_change=np.inf),
    "one cycle without a tolerance": network(learning_rate="one_cycle", tol=0),
    "cosine": network(learning_rate="cosine", n_iter_no_change=np.inf),
    "best epoch of all": network(early_stopping=EarlyStopping("loss", patience=np.inf)),
    "ended by a callback": network(callbacks=[Ending()]),
    "ended by a callback at the end": network(callbacks=[Ending(4)]),
    "L-BFGS ended by a callback": network(callbacks=[Ending()], solver="lbfgs", max_iter=99),
    "plateau": network(**CONVERGED),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", AS_ASKED)
def test_requested_behavior_gives_no_warning(name):
    clone(AS_ASKED[name]).fit(X, Y)
    if not AS_ASKED[name].callbacks:
        StackedGridSearchCV(clone(AS_ASKED[name]), {"alpha": [0, 1]}, cv=2).fit(X, Y)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": "one_cycle", "max_iter": 20},
        {"early_stopping": True},
        {"early_stopping": EarlyStopping(patience=np.inf, restore_best=False)},
        {"tol": 0},
        {"n_iter_no_change": np.inf},
        {"learning_rate": "step", "n_iter_no_change": np.inf},
        {"learning_rate": Cosine(period=2), "n_iter_no_change": np.inf},
        {"early_stopping": True, "tol": 0, "learning_rate": "cosine", "max_iter": 12},
    ],
    ids=repr,
)
def test_running_out_of_epochs_is_reported_where_a_stopping_rule_was_active(options):
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        network(**options).fit(X, Y)


@pytest.mark.filterwarnings("error")
def test_one_call_of_partial_fit_does_not_run_out_of_epochs():
    Rosenblatt(0, max_iter=1).partial_fit(X, Y, classes=[0, 1])


class Asking(Callback):
    """Predicts with the network of each epoch."""

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
        if getattr(context, "report", None):
            fitted_estimator.predict(X)
        return False


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("early_stopping", [True, EarlyStopping("roc_auc"), EarlyStopping("loss")])
def test_no_warning_about_feature_names_where_all_have_them(early_stopping):
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = network(**CONVERGED, early_stopping=early_stopping)
    clone(model).set_params(callbacks=[Asking(), EpochLogger()]).fit(frame, Y).score(frame, Y)
    clone(model).fit(frame, Y, X_val=frame[:40], y_val=Y[:40])
    for search in (GridSearchCV, StackedGridSearchCV):
        search(model, {"alpha": [0, 1]}, cv=2, scoring="roc_auc").fit(frame, Y).predict(frame)
    StackedEnsembleClassifier(model, 2).fit(frame, Y).predict(frame)
    stacked_cross_validate(model, frame, Y, cv=2)


def test_interruptions_are_counted_for_each_call_of_the_users():
    class Twice(Callback):
        def setup(self, estimator, context):
            interrupted()

    for _ in range(2):
        network(callbacks=[Twice()], **CONVERGED).fit(X, Y)
    with pytest.raises(KeyboardInterrupt):
        network(callbacks=[Twice(), Twice()], **CONVERGED).fit(X, Y)


@pytest.mark.parametrize(
    "make",
    [
        lambda: network(**CONVERGED),
        lambda: StackedGridSearchCV(network(**CONVERGED), {"alpha": [0, 1]}, cv=2),
        lambda: StackedEnsembleClassifier(network(**CONVERGED), 2),
    ],
)
def test_interruption_keeps_what_was_learned_where_warnings_are_errors(make, monkeypatch, capsys):
    interrupt_at(monkeypatch, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(X, Y).predict(X)
    assert "interrupted by user" in capsys.readouterr().err


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_fit_that_warns_keeps_nothing_alive(solver):
    if solver == "lbfgs" and parse_version(scipy.__version__) < parse_version("1.14"):
        pytest.skip("The objective of SciPy's minimize is in a reference cycle.")
    # Without reference cycles, memory is freed without the garbage collector, which may run late.
    model, x = MLPSoftmaxClassifier(solver=solver, **SMALL), X.copy()
    gone = weakref.ref(x)
    gc.disable()
    try:
        with pytest.warns(ConvergenceWarning):
            model.fit(x, Y)
        del model, x
        assert gone() is None
    finally:
        gc.enable()
