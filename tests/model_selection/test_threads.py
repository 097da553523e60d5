"""How many threads workers and BLAS get."""

import numpy as np
import pytest
from joblib import parallel_backend
from threadpoolctl import threadpool_limits

from skperceptron import MLPRegressor
from skperceptron.model_selection import StackedCrossEnsembleRegressor
from skperceptron.model_selection._members import Job, Part, _blas_threads
from skperceptron.model_selection._threads import blas_limited_to, n_blas_threads, n_threads


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


def test_a_limit_of_blas_is_heeded_and_ends(two_threads):
    with blas_limited_to(1):
        assert n_blas_threads() == 1
        assert n_threads(None, 1e12) == 1
        with blas_limited_to(2):
            assert n_blas_threads() == 1
    assert n_blas_threads() == 2


@pytest.mark.parametrize(
    ("options", "n_inputs", "expected"),
    [
        ({"hidden_layer_sizes": (128, 128), "batch_size": 256}, 10, 1),
        ({"hidden_layer_sizes": (128, 128), "batch_size": 256}, 5000, 2),
        ({"hidden_layer_sizes": (256, 256), "batch_size": 256}, 10, 2),
        ({"hidden_layer_sizes": (64, 64), "ensemble_size": 32, "batch_size": 256}, 10, 2),
        ({"hidden_layer_sizes": (128,)}, 10, 1),
        ({"hidden_layer_sizes": "endless"}, 10, 2),
    ],
)
def test_blas_has_one_thread_where_products_are_small(options, n_inputs, expected, two_threads):
    jobs, parts = [Job(MLPRegressor(**options))], [Part(np.zeros((3, n_inputs)), np.zeros(3))]
    assert _blas_threads(jobs, parts, n_workers=1) == expected


def test_threads_predict_what_one_does(two_threads, monkeypatch):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 3))
    y = X[:, 0] + rng.normal(size=60)
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0)
    ensemble = StackedCrossEnsembleRegressor(network, {"alpha": [0.0, 1.0]}, cv=3).fit(X, y)
    alone = ensemble.predict(X)
    monkeypatch.setattr("skperceptron.model_selection._threads.WORTH_THREADS", 0)
    np.testing.assert_array_equal(ensemble.predict(X), alone)
    assert n_blas_threads() == 2
