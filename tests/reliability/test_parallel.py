"""Threads and processes: results are the same in parallel and alone."""

import multiprocessing
import operator
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.model_selection import StackedEnsembleClassifier, StackedGridSearchCV

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
SHORT = {"max_iter": 5, "random_state": 0}
MODELS = [
    MLPSoftmaxClassifier((8,), dropout=0.1, **SHORT),
    MLPBinaryClassifier((8,), solver="lbfgs", **SHORT),
    MLPRegressor(hidden_layer_sizes=(8,), normalization="batch", **SHORT),
    RosenblattPerceptron(10, weights="averaged", **SHORT),
    StackedEnsembleClassifier(MLPSoftmaxClassifier((8,), max_iter=3), 3, random_state=0),
]
EVERY_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def labels_for(model):
    return Y > 0 if isinstance(model, MLPBinaryClassifier) else Y


def predicted(model):
    return getattr(model, "predict_proba", model.predict)(X)


@EVERY_MODEL
def test_fits_in_many_threads_are_those_of_one(model):
    y = labels_for(model)
    alone = predicted(pickle.loads(pickle.dumps(model)).fit(X, y))
    copies = [pickle.loads(pickle.dumps(model)) for _ in range(12)]
    with ThreadPoolExecutor(6) as threads:
        fitted = list(threads.map(lambda copy: copy.fit(X, y), copies))
    for copy in fitted:
        assert_array_equal(predicted(copy), alone)


@EVERY_MODEL
def test_threads_share_a_fitted_model(model):
    fitted = pickle.loads(pickle.dumps(model)).fit(X, labels_for(model))
    alone = predicted(fitted)
    with ThreadPoolExecutor(6) as threads:
        for found in threads.map(lambda _: predicted(fitted), range(60)):
            assert_array_equal(found, alone)


@pytest.mark.parametrize("start", multiprocessing.get_all_start_methods())
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_process_of_each_kind_fits_and_predicts_the_same(start):
    # One process for all models: it takes longer to start than to fit.
    with multiprocessing.get_context(start).Pool(1) as pool:
        for model in MODELS:
            y = labels_for(model)
            alone = pickle.loads(pickle.dumps(model)).fit(X, y)
            fitted = pool.apply(operator.methodcaller("fit", X, y), (model,))
            assert_array_equal(predicted(fitted), predicted(alone))
            # The same with a model that has already predicted here.
            found = pool.apply(operator.methodcaller("predict", X), (alone,))
            assert_array_equal(found, alone.predict(X))


def threads_of_blas(estimator, X, y):
    """Return how many threads the matrix products of this process may use."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    pools = threadpoolctl.threadpool_info()
    counts = [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]
    return max(counts, default=1)


@pytest.mark.usefixtures("eager_workers")
@pytest.mark.parametrize("n_jobs", [2, 3])
def test_workers_share_the_processors(n_jobs, monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    search = StackedGridSearchCV(
        MLPSoftmaxClassifier((8,), **SHORT),
        {"hidden_layer_sizes": [(4,), (8,)]},
        cv=2,
        scoring=threads_of_blas,
        n_jobs=n_jobs,
        refit=False,
    )
    found = search.fit(X, Y).cv_results_
    assert np.max(found["mean_test_score"]) <= max(1, (os.cpu_count() or 1) // n_jobs)
