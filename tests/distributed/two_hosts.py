"""The client's program of test_two_hosts: ``python two_hosts.py ADDRESS``."""

import sys
import warnings

import dask.array as da
import distributed
import numpy as np
from joblib import parallel_config
from sklearn.datasets import load_iris

from skperceptron import MLPClassifier, MLPSoftmaxClassifier
from skperceptron.distributed import fit, predict
from skperceptron.model_selection import StackedGridSearchCV


def main(address):
    """Compare fits and a search on both hosts with those of one process."""
    warnings.simplefilter("ignore")
    X, y = load_iris(return_X_y=True)
    of_x, of_y = da.from_array(X, chunks=(40, 4)), da.from_array(y, chunks=40)
    options = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0}
    grid = {"alpha": [1e-4, 1e-2, 1.0], "hidden_layer_sizes": [(4,), (6,)]}
    alone = MLPClassifier(**options).fit(X, y)
    search = StackedGridSearchCV(MLPSoftmaxClassifier(**options), grid, cv=3).fit(X, y)
    with distributed.Client(address) as client:
        client.wait_for_workers(2)
        hosts = {distributed.comm.get_address_host(worker) for worker in client.nthreads()}
        assert len(hosts) == 2, hosts
        spread = fit(MLPClassifier(**options), of_x, of_y, mode="summed")
        assert spread.cluster_report_["n_shares"] == 2
        averaged = fit(MLPClassifier(**options), of_x, of_y, mode="averaged")
        assert np.array_equal(predict(averaged, of_x).compute(), averaged.predict(X))
        with parallel_config("dask"):
            on_both = StackedGridSearchCV(
                MLPSoftmaxClassifier(**options), grid, cv=3, n_jobs=2
            ).fit(X, y)
    assert np.allclose(spread.predict_proba(X), alone.predict_proba(X), atol=1e-9)
    for name in ("mean_test_score", "std_test_score"):
        assert np.allclose(on_both.cv_results_[name], search.cv_results_[name], atol=1e-9)
    print("same on", *sorted(hosts))


if __name__ == "__main__":
    main(sys.argv[1])
