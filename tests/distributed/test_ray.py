"""Searches through Ray's backend of joblib."""

import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris

from skperceptron import MLPSoftmaxClassifier
from skperceptron.model_selection import StackedGridSearchCV

ray = pytest.importorskip("ray")
ray_joblib = pytest.importorskip("ray.util.joblib")

pytestmark = pytest.mark.filterwarnings("ignore")

X, Y = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray_joblib.register_ray()
    yield
    ray.shutdown()


def test_a_search_finds_what_it_finds_alone(cluster):
    network = MLPSoftmaxClassifier((6,), max_iter=5, random_state=0)
    options = {"param_grid": {"alpha": [1e-4, 1e-2, 1.0]}, "cv": 3}
    alone = StackedGridSearchCV(network, **options).fit(X, Y)
    with parallel_config("ray"):
        spread = StackedGridSearchCV(network, n_jobs=2, **options).fit(X, Y)
    assert spread.best_params_ == alone.best_params_
    assert_allclose(
        spread.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"], atol=1e-9
    )
