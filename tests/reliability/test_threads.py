"""Threads that begin at the same moment get what one thread gets alone, to the last bit.

Without Python's global lock they run side by side. With it, they take turns very often here.
"""

import copy
import os
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import ELU
from skperceptron.callbacks import CSVLogger, EpochLogger, StopOnPlateau
from skperceptron.engine.prediction import PREDICTIONS_BEFORE_TABLES
from skperceptron.estimators.blas_threads import n_blas_threads
from skperceptron.model_selection import StackedCrossEnsembleClassifier, StackedGridSearchCV
from skperceptron.optimizers import SGD
from skperceptron.schedules import Cosine
from skperceptron.tabular import TabularMLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_THREADS = 8
X, Y = load_iris(return_X_y=True)
# Whole numbers, so that this column may hold categories.
X[:, 0] = np.floor(X[:, 0])
SHORT = {"max_iter": 8, "random_state": 0}


@pytest.fixture(autouse=True)
def frequent_turns():
    """Let threads take turns very often, where Python lets only one run at a time."""
    earlier = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(earlier)


def at_once(calls):
    """Make each call in a thread of its own, all at the same moment; return the results."""
    barrier = Barrier(len(calls))

    def start(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(start, calls))


def learned(model):
    """Return all arrays that a fitted network has learned, one after another."""
    return np.concatenate([np.ravel(array) for array in (*model.coefs_, *model.intercepts_)])


def labels_for(model):
    return Y > 0 if isinstance(model, MLPBinaryClassifier) else Y


def predicted(model, rows):
    return getattr(model, "predict_proba", model.predict)(rows)


NETWORKS = {
    "adam": MLPSoftmaxClassifier((8,), batch_size=16, **SHORT),
    "float32": MLPSoftmaxClassifier((8, 4), dtype="float32", batch_size=16, **SHORT),
    "dropout": MLPBinaryClassifier((8,), dropout=0.2, batch_size=16, **SHORT),
    "lbfgs": MLPBinaryClassifier((8,), solver="lbfgs", **SHORT),
    "batch": MLPRegressor(hidden_layer_sizes=(8,), normalization="batch", **SHORT),
    "stopping": MLPRegressor(hidden_layer_sizes=(8,), early_stopping=True, **SHORT),
    "range": MLPRegressor(hidden_layer_sizes=(8,), output_range=(-1, 3), **SHORT),
    "categories": MLPSoftmaxClassifier((8,), categorical_features=[0], **SHORT),
    # Fits in all threads share these objects.
    "objects": MLPSoftmaxClassifier(
        (8,),
        activation=ELU(alpha=0.5),
        solver=SGD(nesterov=True),
        learning_rate=Cosine(),
        **SHORT,
    ),
}
OTHERS = {
    "rosenblatt": RosenblattPerceptron(10, weights="averaged", random_state=0),
    "ensemble": StackedCrossEnsembleClassifier(
        MLPSoftmaxClassifier((8,), max_iter=5), {"alpha": [0.0, 0.1]}, cv=3, random_state=0
    ),
    "tabular": TabularMLPClassifier("fast", n_folds=2, arms=1, max_epochs=3, random_state=0),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_fits_that_share_data_and_components_are_those_of_one_thread(name):
    model = NETWORKS[name]
    alone = learned(clone(model).fit(X, labels_for(model)))
    # Copies, unlike clones, share the objects that are parameters.
    copies = [copy.copy(model) for _ in range(N_THREADS)]
    fitted = at_once([partial(one.fit, X, labels_for(model)) for one in copies])
    for one in fitted:
        assert_array_equal(learned(one), alone)


@pytest.mark.parametrize("name", ["adam", "lbfgs"])
def test_fits_that_share_sparse_data_are_those_of_one_thread(name):
    model, rows = NETWORKS[name], sparse.csr_array(X)
    alone = learned(clone(model).fit(rows, labels_for(model)))
    copies = [clone(model) for _ in range(N_THREADS)]
    for one in at_once([partial(one.fit, rows, labels_for(model)) for one in copies]):
        assert_array_equal(learned(one), alone)


def test_fits_that_share_a_rule_for_stopping_end_as_those_of_one_thread():
    networks = [
        MLPSoftmaxClassifier((8,), learning_rate_init=rate, max_iter=60, random_state=0)
        for rate in np.geomspace(1e-3, 1, N_THREADS)
    ]
    alone = [clone(one).set_params(callbacks=[StopOnPlateau(patience=2)]) for one in networks]
    expected = [one.fit(X, Y).n_iter_ for one in alone]
    rule = StopOnPlateau(patience=2)
    for one in networks:
        one.callbacks = [rule]
    found = [one.n_iter_ for one in at_once([partial(one.fit, X, Y) for one in networks])]
    assert found == expected
    assert len(set(found)) > 1


def test_fits_that_share_loggers_have_a_line_for_each_of_their_epochs(tmp_path):
    path, logger = tmp_path / "epochs.csv", EpochLogger()
    callbacks = [logger, CSVLogger(path, append=True)]
    networks = [
        MLPSoftmaxClassifier((4,), **SHORT, learning_rate_init=rate, tol=0, callbacks=callbacks)
        for rate in np.geomspace(1e-3, 1, N_THREADS)
    ]
    fitted = at_once([partial(one.fit, X, Y) for one in networks])
    curves = {
        number: [row["loss"] for row in logger.rows_ if row["fit"] == number]
        for number in range(1, N_THREADS + 1)
    }
    assert sorted(curves.values()) == sorted(one.loss_curve_ for one in fitted)
    header, *lines = path.read_text().splitlines()
    assert header == "epoch,loss,learning_rate"
    losses = sorted(float(line.split(",")[1]) for line in lines)
    assert losses == sorted(loss for one in fitted for loss in one.loss_curve_)


@pytest.mark.parametrize("name", ["adam", "float32", "dropout"])
def test_steps_of_many_networks_are_those_of_one_thread(name):
    model = NETWORKS[name]

    y = labels_for(model)

    def step_by_step(network):
        for start in range(10):
            rows = slice(start, start + 120)
            network.partial_fit(X[rows], y[rows], classes=np.unique(y))
        return network

    alone = learned(step_by_step(clone(model)))
    for one in at_once([partial(step_by_step, copy.copy(model)) for _ in range(N_THREADS)]):
        assert_array_equal(learned(one), alone)


@pytest.mark.parametrize("name", [*NETWORKS, *OTHERS])
def test_first_predictions_of_one_model_are_those_of_one_thread(name):
    model = clone((NETWORKS | OTHERS)[name])
    model.fit(X, labels_for(model))
    parts = [X[i : i + 1 + 9 * i] for i in range(N_THREADS)]
    expected = [predicted(copy.deepcopy(model), rows) for rows in parts]
    for _ in range(5):
        # What is made by the first prediction is missing in a copy.
        shared = copy.deepcopy(model)
        found = at_once([partial(predicted, shared, rows) for rows in parts])
        for one, other in zip(found, expected, strict=True):
            assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["adam", "float32", "batch", "categories"])
def test_predictions_stay_the_same_until_tables_make_them(name, dtype):
    model = clone(NETWORKS[name]).fit(X, labels_for(NETWORKS[name]))
    rows = [X[i::N_THREADS][:3].astype(dtype) for i in range(N_THREADS)]
    expected = [predicted(model, of_thread) for of_thread in rows]

    def repeated(of_thread):
        return [predicted(model, of_thread) for _ in range(PREDICTIONS_BEFORE_TABLES + 50)]

    for found, alone in zip(at_once([partial(repeated, r) for r in rows]), expected, strict=True):
        for one in found:
            assert_array_equal(one, alone)


def searched(search, X, Y):
    return clone(search).fit(X, Y)


SEARCHES = {
    "grid": GridSearchCV(
        MLPSoftmaxClassifier(max_iter=5, random_state=0),
        {"hidden_layer_sizes": [(4,), (8,)], "activation": ["relu", ELU(alpha=0.5)]},
        cv=3,
    ),
    "stacked": StackedGridSearchCV(
        MLPSoftmaxClassifier(max_iter=5, random_state=0),
        {"hidden_layer_sizes": [(4,), (8,)], "activation": ["relu", ELU(alpha=0.5)]},
        cv=3,
    ),
    "stacked stopping": StackedGridSearchCV(
        MLPSoftmaxClassifier((4,), early_stopping=True, max_iter=10, random_state=0),
        {"alpha": np.geomspace(1e-6, 1e-2, 16)},
        cv=3,
    ),
}


def assert_same_search(one, other):
    assert_array_equal(one.cv_results_["mean_test_score"], other.cv_results_["mean_test_score"])
    assert_array_equal(learned(one.best_estimator_), learned(other.best_estimator_))


@pytest.mark.parametrize("name", SEARCHES)
def test_search_by_threads_is_that_of_one_thread(name):
    alone = searched(SEARCHES[name], X, Y)
    with parallel_config("threading", n_jobs=N_THREADS):
        assert_same_search(searched(SEARCHES[name], X, Y), alone)


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_side_by_side_are_those_of_one_thread(name):
    alone = searched(SEARCHES[name], X, Y)
    for one in at_once([partial(searched, SEARCHES[name], X, Y)] * 4):
        assert_same_search(one, alone)


def test_ensembles_are_fitted_by_threads_and_side_by_side():
    ensemble = clone(OTHERS["ensemble"])
    alone = clone(ensemble).fit(X, Y).predict_proba(X)
    with parallel_config("threading", n_jobs=N_THREADS):
        assert_array_equal(clone(ensemble).fit(X, Y).predict_proba(X), alone)
    for one in at_once([partial(clone(ensemble).fit, X, Y) for _ in range(4)]):
        assert_array_equal(one.predict_proba(X), alone)


def test_fits_of_different_sizes_leave_the_threads_of_blas_as_they_were():
    before = n_blas_threads()
    rows = np.random.RandomState(0).normal(size=(300, 40))
    networks = [
        MLPRegressor(hidden_layer_sizes=(width,), batch_size=100, max_iter=3, random_state=0)
        for width in (10, 60, 80, 100, 120, 200, 300, 400)
    ]
    at_once([partial(one.fit, rows, rows[:, 0]) for one in networks])
    assert n_blas_threads() == before


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python needs its global lock"
)
def test_import_leaves_the_lock_off():
    # Python turns the lock on, with a warning, for a module that does not say that it needs none.
    code = "import sys, skperceptron; sys.exit(sys._is_gil_enabled())"
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", code]
    free = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    subprocess.run(command, check=True, env=free)
