"""Fits on a Dask cluster of processes, through joblib, and predictions over Dask collections."""

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPSoftmaxClassifier
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedGridSearchCV,
    stacked_cross_val_predict,
)

distributed = pytest.importorskip("distributed")
array = pytest.importorskip("dask.array")
_dask = pytest.importorskip("skperceptron.model_selection._dask")

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*Sending large graph:UserWarning"),
    pytest.mark.filterwarnings("ignore:Port 8787:UserWarning"),
]

X, Y = load_iris(return_X_y=True)
PIPELINE = make_pipeline(StandardScaler(), MLPSoftmaxClassifier((6,), max_iter=5, random_state=0))
ALPHAS = {"mlpsoftmaxclassifier__alpha": [1e-4, 1e-2, 1.0]}


def test_a_search_finds_what_it_finds_alone(client):
    alone = StackedGridSearchCV(PIPELINE, ALPHAS, cv=3).fit(X, Y)
    with parallel_config("dask"):
        spread = StackedGridSearchCV(PIPELINE, ALPHAS, cv=3, n_jobs=2).fit(X, Y)
    assert spread.best_params_ == alone.best_params_
    for name in ("mean_test_score", "std_test_score"):
        assert_allclose(spread.cv_results_[name], alone.cv_results_[name], atol=1e-9)


def test_a_cross_ensemble_is_what_it_is_alone(client):
    options = {"param_grid": ALPHAS, "cv": 3, "random_state": 0}
    alone = StackedCrossEnsembleClassifier(PIPELINE, **options).fit(X, Y)
    with parallel_config("dask"):
        spread = StackedCrossEnsembleClassifier(PIPELINE, n_jobs=2, **options).fit(X, Y)
    assert_allclose(spread.weights_, alone.weights_, atol=1e-9)
    assert_allclose(spread.predict_proba(X), alone.predict_proba(X), atol=1e-9)


def test_a_cross_ensemble_of_networks_on_a_frame_is_what_it_is_alone(client):
    """Networks cannot share the rows of frames, so that workers select them for each fold."""
    frame, options = pd.DataFrame(X), {"param_grid": {"alpha": [1e-4, 1.0]}, "random_state": 0}
    weight = np.linspace(0, 1, len(Y))
    alone = StackedCrossEnsembleClassifier(PIPELINE[-1], **options)
    alone.fit(frame, Y, sample_weight=weight)
    with parallel_config("dask"):
        spread = StackedCrossEnsembleClassifier(PIPELINE[-1], n_jobs=2, **options)
        spread.fit(frame, Y, sample_weight=weight)
    assert_allclose(spread.validation_loss_curves_, alone.validation_loss_curves_, rtol=1e-6)
    assert_allclose(spread.predict_proba(frame), alone.predict_proba(frame), atol=1e-9)


def test_cross_validated_predictions_are_those_of_one_process(client):
    alone = stacked_cross_val_predict(PIPELINE, X, Y, cv=3)
    with parallel_config("dask"):
        spread = stacked_cross_val_predict(PIPELINE, X, Y, cv=3, n_jobs=2)
    assert_array_equal(spread, alone)


def test_blocks_of_an_array_are_predicted_where_they_lie(client):
    model = PIPELINE.fit(X, Y)
    blocks = array.from_array(X, chunks=(40, 4))
    found = blocks.map_blocks(model.predict_proba, dtype=X.dtype, chunks=(blocks.chunks[0], (3,)))
    assert_allclose(found.compute(), model.predict_proba(X), atol=1e-12)


def test_partitions_of_a_frame_go_from_parquet_to_parquet(client, tmp_path):
    frames = pytest.importorskip("dask.dataframe")
    pytest.importorskip("pyarrow")
    names = ["a", "b", "c", "d"]
    frame = pd.DataFrame(X, columns=names)
    model = make_pipeline(StandardScaler(), MLPSoftmaxClassifier((6,), max_iter=5, random_state=0))
    model.fit(frame, Y)
    frames.from_pandas(frame, npartitions=3).to_parquet(tmp_path / "in")
    table = frames.read_parquet(tmp_path / "in")

    def with_label(part):
        return part.assign(label=model.predict(part))

    meta = frame[:0].assign(label=np.array([], dtype=Y.dtype))
    table.map_partitions(with_label, meta=meta).to_parquet(tmp_path / "out")
    found = pd.read_parquet(tmp_path / "out").sort_index()
    assert_array_equal(found["label"], model.predict(frame))


@pytest.mark.parametrize("step", [StandardScaler(), "passthrough"])
def test_a_killed_worker_loses_nothing_and_progress_is_reported(step, tmp_path, capfd):
    """The first worker that computes a score is killed, and its data are lost."""
    pipeline = clone(PIPELINE).set_params(standardscaler=step)
    large = np.tile(X, (1, 5))
    mark = tmp_path / "has died"

    def score(model, X, y):
        import os
        import signal

        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return model.score(X, y)
        os.kill(os.getpid(), signal.SIGKILL)

    def accuracy(model, X, y):
        return model.score(X, y)

    alone = StackedGridSearchCV(pipeline, ALPHAS, cv=3, scoring=accuracy).fit(large, Y)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        distributed.LocalCluster(dashboard_address=None, **options) as cluster,
        distributed.Client(cluster),
        parallel_config("dask"),
    ):
        capfd.readouterr()
        search = StackedGridSearchCV(pipeline, ALPHAS, cv=3, scoring=score, n_jobs=2, verbose=1)
        search.fit(large, Y)
        told = capfd.readouterr().out
    assert mark.exists()
    assert_allclose(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"], atol=1e-9
    )
    assert "epoch 5 of at most 5" in told


def count_sent():
    """Let this process count the bytes that it sends."""
    from distributed.comm import tcp

    tcp.sent, tcp.write = 0, tcp.TCP.write

    async def counting(self, *arguments, **keywords):
        n_bytes = await tcp.write(self, *arguments, **keywords)
        tcp.sent += n_bytes or 0
        return n_bytes

    tcp.TCP.write = counting


def sent():
    """Return the number of bytes sent so far, and stop counting."""
    from distributed.comm import tcp

    tcp.TCP.write = tcp.write
    return tcp.sent


@pytest.mark.parametrize(
    ("estimator", "prefix"),
    [(PIPELINE[-1], ""), (PIPELINE, "mlpsoftmaxclassifier__")],
    ids=["network", "pipeline"],
)
def test_data_are_sent_once_to_each_worker(client, estimator, prefix, monkeypatch):
    """Once to the scheduler and to each of two workers; these make the rows of splits."""
    monkeypatch.setattr(_dask, "BYTES_PER_SECOND", 0)
    pytest.importorskip("distributed.comm.tcp")
    large = np.tile(X, (1, 200))
    # Each size is a stack, and so a task of its own.
    sizes = {f"{prefix}hidden_layer_sizes": [(n,) for n in range(2, 10)]}
    count_sent()
    client.run(count_sent)
    try:
        with parallel_config("dask"):
            StackedGridSearchCV(estimator, sizes, cv=5, n_jobs=2, refit=False).fit(large, Y)
    finally:
        n_bytes = sent() + sum(client.run(sent).values())
    # 3.4 and 3.6 times; rarely one more, perhaps since Dask has moved a task to the other worker.
    # With a copy for each task, it would be 16 and 27 times.
    assert large.nbytes < n_bytes < 6 * large.nbytes


def noting(folder):
    """Return a transformer that notes each fit in a folder."""

    # Workers cannot import this module, but get classes of functions with their tasks.
    class Noting(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            import os
            import uuid

            (folder / f"{os.getpid()} {X.sum():.6f} {uuid.uuid4().hex}").touch()
            self.n_features_in_ = X.shape[1]
            return self

        def transform(self, X):
            return X

    return Noting()


def searched(estimator, sizes):
    StackedGridSearchCV(estimator, sizes, cv=2, n_jobs=2, refit=False).fit(X, Y)


def combined(estimator, sizes):
    StackedCrossEnsembleClassifier(estimator, sizes, cv=2, n_jobs=2).fit(X, Y)


@pytest.mark.parametrize("bytes_per_second", [0, np.inf])
@pytest.mark.parametrize("run", [searched, combined])
def test_each_worker_fits_the_transformers_of_a_split_once_at_most(
    client, run, bytes_per_second, monkeypatch, tmp_path
):
    """If this takes longer than sending the rows, only one worker does it."""
    monkeypatch.setattr(_dask, "BYTES_PER_SECOND", bytes_per_second)
    pipeline = make_pipeline(noting(tmp_path), PIPELINE[-1])
    # Each size is a stack, and so a task of its own, with networks of both splits.
    sizes = {"mlpsoftmaxclassifier__hidden_layer_sizes": [(n,) for n in range(2, 8)]}
    with parallel_config("dask"):
        run(pipeline, sizes)
    fits = [tuple(path.name.split()[:2]) for path in tmp_path.iterdir()]
    assert len(fits) == len(set(fits))
    assert len({rows for _, rows in fits}) == 2
    if bytes_per_second:
        assert len(fits) == 2


def test_searches_may_be_tasks_of_the_cluster_themselves(client):
    """Also if they take all workers, and wait for tasks of their own."""
    search = StackedGridSearchCV(PIPELINE, ALPHAS, cv=3, n_jobs=2)
    alone = cross_val_score(search, X, Y, cv=4)
    with parallel_config("dask"):
        spread = cross_val_score(search, X, Y, cv=4, n_jobs=2)
    assert_allclose(spread, alone, atol=1e-9)


def cross_ensemble(estimator, X):
    StackedCrossEnsembleClassifier(estimator, {}, cv=6, n_jobs=2).fit(X, Y)


def cross_validated(estimator, X):
    stacked_cross_val_predict(estimator, X, Y, cv=6, n_jobs=2)


@pytest.mark.parametrize("run", [cross_ensemble, cross_validated])
@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame])
@pytest.mark.parametrize("estimator", [PIPELINE[-1], PIPELINE], ids=["network", "pipeline"])
def test_folds_are_taken_by_the_workers(client, estimator, kind, run):
    """This process sends the data once to its own scheduler and once to each worker."""
    pytest.importorskip("distributed.comm.tcp")
    large = kind(np.tile(X, (1, 200)))
    count_sent()
    try:
        with parallel_config("dask"):
            run(estimator, large)
    finally:
        n_bytes = sent()
    n_data = np.asarray(large).nbytes
    assert n_data < n_bytes < 3.5 * n_data


class Refuses(TransformerMixin, BaseEstimator):
    """A transformer that cannot be fitted."""

    def fit(self, X, y=None):
        raise ValueError("refused")

    def transform(self, X):
        return X


FAILING = {
    "search": StackedGridSearchCV(
        make_pipeline(Refuses(), PIPELINE[-1]), ALPHAS, cv=2, n_jobs=2, error_score="raise"
    ),
    "ensemble": StackedCrossEnsembleClassifier(
        make_pipeline(Refuses(), PIPELINE[-1]), {}, cv=2, n_jobs=2
    ),
}


@pytest.mark.parametrize("which", FAILING)
def test_what_fails_leaves_no_data_on_the_cluster(which):
    options = {"n_workers": 2, "processes": False, "dashboard_address": None}
    large = np.tile(X, (1, 20))
    with distributed.Client(**options) as client:
        # A notebook keeps the last error, as this does.
        with parallel_config("dask"), pytest.raises(ValueError, match="refused") as kept:
            FAILING[which].fit(large, Y)
        # Futures are removed by the thread of the client, which answers after that.
        client.nthreads()
        assert not [key for key in client.futures if key.startswith("_itself")]
    assert kept.value.__traceback__ is not None
