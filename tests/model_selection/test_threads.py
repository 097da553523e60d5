"""How many threads workers and BLAS get."""

from contextlib import nullcontext

import numpy as np
import pytest
from joblib import parallel_backend, parallel_config
from threadpoolctl import threadpool_limits

from skperceptron import MLPRegressor
from skperceptron.estimators.blas_threads import blas_limited_to, n_blas_threads
from skperceptron.model_selection import StackedCrossEnsembleRegressor
from skperceptron.model_selection._spreading import Workers, n_threads


@pytest.fixture
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        if n_blas_threads() != 2:
            pytest.skip("BLAS cannot use two threads here")
        yield


def test_long_work_is_shared_as_blas_would(two_threads):
    assert n_threads(None, 1e12) == 2
    assert n_threads(None, 1e3) == 1
    assert n_threads(3, 1e3) == 3
    with parallel_backend("threading", n_jobs=4):
        assert n_threads(None, 1e3) == 4


def test_a_limit_of_blas_applies_and_ends(two_threads):
    with blas_limited_to(1):
        assert n_blas_threads() == 1
        assert n_threads(None, 1e12) == 1
        with blas_limited_to(2):
            assert n_blas_threads() == 1
    assert n_blas_threads() == 2


@pytest.mark.parametrize("is_configured", [False, True])
def test_threads_share_the_processors(is_configured, two_threads, monkeypatch):
    monkeypatch.setattr("skperceptron.model_selection._spreading.cpu_count", lambda: 4)
    prefer = None if is_configured else "threads"
    for n_workers, expected in ((1, 2), (2, 2), (3, 1), (9, 1)):
        with parallel_config("threading") if is_configured else nullcontext():
            found = Workers(n_workers, prefer).spread([(n_blas_threads,)] * 3, 3)
            assert dict(found) == dict.fromkeys(range(3), expected)
        assert n_blas_threads() == 2


def test_one_thread_remains_the_limit_when_that_of_another_thread_ends(two_threads):
    first, second = blas_limited_to(1), blas_limited_to(1)
    first.__enter__()
    with second:
        first.__exit__(None, None, None)
        assert n_blas_threads() == 1
    assert n_blas_threads() == 2


def test_threads_predict_what_one_does(two_threads, monkeypatch):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 3))
    y = X[:, 0] + rng.normal(size=60)
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0)
    ensemble = StackedCrossEnsembleRegressor(network, {"alpha": [0.0, 1.0]}, cv=3).fit(X, y)
    alone = ensemble.predict(X)
    monkeypatch.setattr("skperceptron.model_selection._spreading.WORTH_THREADS", 0)
    np.testing.assert_array_equal(ensemble.predict(X), alone)
    assert n_blas_threads() == 2
