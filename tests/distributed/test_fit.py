"""Fits over the blocks of a Dask collection, on a cluster of processes."""

import os
import pickle
import signal
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import ReLU
from skperceptron.averaging import EMA
from skperceptron.callbacks import Callback, Checkpoint
from skperceptron.initializers import UnitVariance
from skperceptron.inspection import GradientRecorder, gradient_report
from skperceptron.schedules import Cosine

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

from skperceptron.distributed import fit  # noqa: E402
from skperceptron.distributed._blocks import Blocks  # noqa: E402
from skperceptron.distributed._cluster import Cluster  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*Sending large graph:UserWarning"),
    pytest.mark.filterwarnings("ignore:Port 8787:UserWarning"),
]

RNG = np.random.RandomState(0)
X = RNG.normal(size=(230, 5))
LABELS = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]
NUMBERS = X[:, :2] @ np.array([[3.0, -1.0], [1.0, 2.0]]) + 5
WEIGHT = RNG.uniform(size=len(X))
SETTINGS = {"hidden_layer_sizes": (7,), "max_iter": 2, "batch_size": 64, "random_state": 0}
MODES = ["summed", "averaged"]


def blocks(array, size=50):
    """Return a dask array; the last block is shorter."""
    return da.from_array(array, chunks=(size, *array.shape[1:]))


def predict(estimator, rows=X):
    return getattr(estimator, "predict_proba", estimator.predict)(rows)


CASES = {
    "softmax": (MLPSoftmaxClassifier(**SETTINGS), LABELS),
    "labels": (MLPClassifier(**SETTINGS, alpha=0.5, l1_ratio=0.3), LABELS),
    "several labels": (MLPBinaryClassifier(**SETTINGS), (NUMBERS > 5).astype(int)),
    "balanced": (MLPSoftmaxClassifier(**SETTINGS, class_weight="balanced"), LABELS),
    "numbers": (MLPRegressor(**SETTINGS, solver="sgd", max_grad_norm=1.0), NUMBERS[:, 0]),
    "several numbers": (MLPRegressor(**SETTINGS, averaging=EMA(), tol=10.0), NUMBERS),
    "no shuffles": (MLPRegressor(**SETTINGS, shuffle=False, drop_last=True), NUMBERS),
    "one batch": (MLPRegressor(**SETTINGS | {"batch_size": 500}), NUMBERS),
    "shared weights": (MLPSoftmaxClassifier(**SETTINGS, ensemble_size=2), LABELS),
    "schedule": (MLPSoftmaxClassifier(**SETTINGS, learning_rate=Cosine()), LABELS),
    "float32": (MLPSoftmaxClassifier(**SETTINGS, dtype="float32"), LABELS),
    "normalization": (MLPSoftmaxClassifier(**SETTINGS, normalization="layer"), LABELS),
}


@pytest.mark.filterwarnings("ignore:.*batch_size:UserWarning")
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", CASES)
def test_summed_gradients_make_the_fit_of_one_machine(client, name, weighted):
    alone, y = CASES[name]
    weight = WEIGHT if weighted else None
    alone.fit(X, y, sample_weight=weight)
    spread = clone(alone)
    fit(spread, blocks(X), blocks(y), weight, mode="summed", client=client)
    atol = 1e-4 if name == "float32" else 1e-8
    assert_allclose(predict(spread), predict(alone), atol=atol)
    assert_allclose(spread.loss_curve_, alone.loss_curve_, atol=atol)
    assert spread.n_iter_ == alone.n_iter_
    assert spread.t_ == alone.t_
    assert spread.cluster_report_["n_shares"] == 2


@pytest.mark.parametrize("mode", MODES)
def test_validation_rows_stop_a_fit(client, mode):
    options = SETTINGS | {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 40}
    alone = MLPSoftmaxClassifier(**options).fit(X, LABELS, X_val=X[:60], y_val=LABELS[:60])
    spread = MLPSoftmaxClassifier(**options)
    fit(spread, blocks(X), blocks(LABELS), X_val=X[:60], y_val=LABELS[:60], mode=mode)
    assert len(spread.validation_scores_) == spread.n_iter_ < 40
    assert spread.score(X[:60], LABELS[:60]) == spread.best_validation_score_
    if mode == "summed":
        assert_array_equal(spread.validation_scores_, alone.validation_scores_)


@pytest.mark.parametrize("name", ["softmax", "numbers", "several numbers", "schedule"])
def test_one_share_is_trained_as_by_one_machine(client, name):
    """Without shuffling, which workers draw themselves, the average of one network is itself."""
    estimator, y = CASES[name]
    alone = clone(estimator).set_params(shuffle=False).fit(X, y)
    spread = clone(alone)
    fit(spread, blocks(X, 230), blocks(y, 230), mode="averaged")
    assert spread.cluster_report_["n_shares"] == 1
    assert_allclose(predict(spread), predict(alone), atol=1e-10)
    assert_allclose(spread.loss_curve_, alone.loss_curve_, atol=1e-10)


def test_equal_shares_make_the_network_of_one_of_them(client):
    twice, y = np.concatenate([X, X]), np.concatenate([LABELS, LABELS])
    options = SETTINGS | {"shuffle": False}
    alone = MLPSoftmaxClassifier(**options).fit(X, LABELS)
    spread = fit(
        MLPSoftmaxClassifier(**options), blocks(twice, 230), blocks(y, 230), mode="averaged"
    )
    assert spread.cluster_report_["n_shares"] == 2
    assert_allclose(predict(spread), predict(alone), atol=1e-10)


def test_averages_of_networks_learn(client):
    options = SETTINGS | {"max_iter": 60, "learning_rate_init": 0.02, "dropout": 0.1}
    network = fit(MLPClassifier(**options), blocks(X), blocks(LABELS), mode="averaged")
    assert network.score(X, LABELS) > 0.9
    assert network.loss_ < 0.7 * network.loss_curve_[0]
    again = fit(MLPClassifier(**options), blocks(X), blocks(LABELS), mode="averaged")
    assert_array_equal(predict(again), predict(network))


@pytest.mark.parametrize("mode", MODES)
def test_batch_normalization_needs_averages(client, mode):
    network = MLPClassifier(**SETTINGS, normalization="batch")
    if mode == "summed":
        with pytest.raises(ValueError, match="over the rows of a batch"):
            fit(network, blocks(X), blocks(LABELS), mode=mode)
    else:
        assert np.isfinite(predict(fit(network, blocks(X), blocks(LABELS), mode=mode))).all()


class KillsWorkers(Callback):
    """Kills processes of the cluster after the second epoch."""

    def __init__(self, client=None, n_workers=1, victims=None):
        self.client, self.n_workers, self.victims = client, n_workers, victims

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        pass

    def on_fit_task_end(self, estimator, context, **kwargs):
        if getattr(context, "report", {}).get("epoch") == 2:
            for pid in sorted(self.client.run(os.getpid).values())[: self.n_workers]:
                os.kill(pid, signal.SIGKILL)
                self.victims.append(pid)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_callbacks_get_the_first_rows(client, weight):
    class Asking(Callback):
        def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
            seen.append((context.task_name, X, y, (metadata or {}).get("sample_weight")))

    seen = []
    recorder = GradientRecorder()
    network = MLPSoftmaxClassifier(**SETTINGS, callbacks=[Asking(), recorder])
    fit(network, blocks(X), blocks(LABELS), weight)
    assert [name for name, *_ in seen] == ["epoch", "epoch", "fit"]
    for _, *given in seen:
        for found, expected in zip(given, (X, LABELS, weight), strict=True):
            assert_array_equal(found, None if expected is None else expected[:50])
    of_last_epoch = gradient_report(
        network, X[:50], LABELS[:50], None if weight is None else weight[:50]
    )
    norms = [row["gradient_norm"] for row in recorder.rows_[-2:]]
    assert_allclose(norms, of_last_epoch["gradient_norm"])


@pytest.mark.parametrize("mode", ["summed", "averaged"])
@pytest.mark.parametrize(("n_workers", "n_killed"), [(2, 1), (1, 1), (2, 2)])
def test_killed_workers_change_nothing(mode, n_workers, n_killed, monkeypatch):
    monkeypatch.setattr("skperceptron.distributed._cluster.PATIENCE", 0.5)
    options = SETTINGS | {"max_iter": 4, "dropout": 0.2}
    with (
        distributed.LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        undisturbed = fit(MLPClassifier(**options), blocks(X), blocks(LABELS), mode=mode)
        victims = []
        disturbed = MLPClassifier(**options, callbacks=[KillsWorkers(client, n_killed, victims)])
        fit(disturbed, blocks(X), blocks(LABELS), mode=mode)
    assert len(victims) == n_killed
    assert_array_equal(predict(disturbed), predict(undisturbed))
    assert disturbed.loss_curve_ == undisturbed.loss_curve_
    assert disturbed.cluster_report_["rounds"] == undisturbed.cluster_report_["rounds"]


def test_shares_are_not_made_for_a_round_that_is_given_up(client, monkeypatch):
    made, make = [], Cluster._make_shares

    def counted(cluster):
        made.append(cluster)
        make(cluster)

    monkeypatch.setattr(Cluster, "_make_shares", counted)
    monkeypatch.setattr(Cluster, "_have_ended", lambda cluster, futures: False)
    with pytest.raises(RuntimeError, match="have died 4 times in one round"):
        fit(MLPClassifier(**SETTINGS), blocks(X), blocks(LABELS))
    assert len(made) == 4


def test_frames_keep_their_names(client):
    frames = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame["label"] = LABELS
    table = frames.from_pandas(frame, npartitions=3)
    # After a filter, Dask does not know the number of rows.
    table = table[table.a > -1]
    kept = frame[frame.a > -1]
    network = MLPSoftmaxClassifier(**SETTINGS)
    fit(network, table[list("abcde")], table["label"], mode="summed")
    alone = MLPSoftmaxClassifier(**SETTINGS).fit(kept[list("abcde")], kept["label"])
    assert_array_equal(network.feature_names_in_, list("abcde"))
    assert_allclose(predict(network, kept[list("abcde")]), predict(alone, kept[list("abcde")]))


def test_columns_of_one_file_are_cut_at_the_same_rows(client, tmp_path):
    frames = pytest.importorskip("dask.dataframe")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(X, columns=list("abcde")).assign(u=NUMBERS[:, 0], v=NUMBERS[:, 1])
    frames.from_pandas(frame, npartitions=8).to_parquet(tmp_path)
    table = frames.read_parquet(tmp_path)
    alone = MLPRegressor(**SETTINGS).fit(frame[list("abcde")], frame[["u", "v"]])
    spread = fit(MLPRegressor(**SETTINGS), table[list("abcde")], table[["u", "v"]], mode="summed")
    assert_allclose(predict(spread, frame[list("abcde")]), predict(alone, frame[list("abcde")]))


@pytest.mark.parametrize("targets", [NUMBERS[:, 0], NUMBERS], ids=["one", "two"])
def test_frames_of_unknown_index_are_taken_block_by_block(client, targets):
    frames = pytest.importorskip("dask.dataframe")
    rows, y = pd.DataFrame(X, columns=list("abcde")), pd.DataFrame(targets).squeeze()
    cuts = [slice(0, 100), slice(100, 150), slice(150, 230)]
    # Labels of rows occur in all blocks, as they do if each is read from a file of its own.
    of_x = [dask.delayed(rows[cut].reset_index(drop=True)) for cut in cuts]
    of_y = [dask.delayed(y[cut].reset_index(drop=True)) for cut in cuts]
    table = frames.from_delayed(of_x)
    spread = fit(MLPRegressor(**SETTINGS), table, frames.from_delayed(of_y), mode="summed")
    alone = MLPRegressor(**SETTINGS).fit(rows, y)
    assert_allclose(predict(spread, rows), predict(alone, rows))
    for others, message in [
        (of_y[::-1], "a block of X has .* rows, but that of y has"),
        (of_y[:2], "X has 3 blocks, but y has 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            fit(MLPRegressor(**SETTINGS), table, frames.from_delayed(others))


@pytest.mark.parametrize(
    ("of_x", "of_y", "message"),
    [
        ((0, 100), (0, 200), "X has 0 rows, but that of y has 100"),
        ((100, 200), (0, 200), "X has 0 rows, but that of y has 100"),
        ((0, 200), (100, 200), "X has 100 rows, but that of y has 0"),
        ((0, 200), (0, 100), "X has 100 rows, but that of y has 0"),
    ],
    ids=["X ends", "X begins late", "y begins late", "y ends"],
)
def test_filters_that_leave_other_rows_of_y_are_refused(client, of_x, of_y, message):
    places = dask.array.arange(200, chunks=100)
    given = [
        dask.array.from_array(array[:200], chunks=(100, *array.shape[1:]))[
            (places >= first) & (places < end)
        ]
        for array, (first, end) in [(X, of_x), (LABELS, of_y)]
    ]
    with pytest.raises(ValueError, match=message):
        fit(MLPSoftmaxClassifier(**SETTINGS), *given)


def test_features_may_have_any_name(client):
    frames = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(X, columns=["target 0", "0", " 0", "target", "y"])
    rows, y = (frames.from_pandas(part, npartitions=3) for part in (frame, pd.Series(LABELS)))
    spread = fit(MLPSoftmaxClassifier(**SETTINGS), rows, y, mode="summed")
    alone = MLPSoftmaxClassifier(**SETTINGS).fit(frame, LABELS)
    assert_allclose(predict(spread, frame), predict(alone, frame))


def test_a_client_that_is_not_the_default_computes_everything(client):
    options = {"processes": False, "dashboard_address": None, "set_as_default": False}
    alone = MLPSoftmaxClassifier(**SETTINGS).fit(X, LABELS, WEIGHT)
    with distributed.Client(n_workers=2, **options) as other:
        given = [other.persist(blocks(array)) for array in (X, LABELS, WEIGHT)]
        spread = fit(MLPSoftmaxClassifier(**SETTINGS), *given, mode="summed", client=other)
    assert_allclose(predict(spread), predict(alone))


def test_blocks_of_columns_are_put_together(client):
    cut = da.from_array(X, chunks=(50, 2))
    found = fit(MLPRegressor(**SETTINGS), cut, da.from_array(NUMBERS, chunks=(33, 1)))
    assert_allclose(
        predict(found), predict(fit(MLPRegressor(**SETTINGS), blocks(X), blocks(NUMBERS)))
    )


def test_warm_start_goes_on(client):
    network = MLPRegressor(**SETTINGS, warm_start=True)
    alone = MLPRegressor(**SETTINGS, warm_start=True).fit(X, NUMBERS).fit(X, NUMBERS)
    for _ in range(2):
        fit(network, blocks(X), blocks(NUMBERS), mode="summed")
    assert_allclose(predict(network), predict(alone), atol=1e-9)
    assert network.t_ == alone.t_


@pytest.mark.parametrize(
    "look", [{"initializer": UnitVariance(n_rows=90)}, {"numeric_embedding": "ple"}], ids=str
)
def test_what_starts_from_rows_uses_those_of_all_blocks(client, look):
    alone = MLPRegressor(**SETTINGS, **look).fit(X, NUMBERS)
    spread = fit(clone(alone), blocks(X, 70), blocks(NUMBERS, 70), mode="summed")
    assert_allclose(predict(spread, X), predict(alone), atol=1e-8)


def test_report_is_of_the_last_fit_on_a_cluster(client):
    network = fit(MLPRegressor(**SETTINGS), blocks(X), blocks(NUMBERS), mode="averaged")
    report = network.cluster_report_
    n_parameters = sum(array.size for array in (*network.coefs_, *network.intercepts_))
    assert report["mode"] == "averaged"
    assert report["rounds"] == 2
    # Parameters and two moments are sent to two workers and back.
    assert report["bytes_per_round"] == 3 * 8 * n_parameters * 2 * 2
    assert min(report["compute"], report["wait"], report["wire"]) >= 0
    assert pickle.loads(pickle.dumps(network)).cluster_report_ == report
    assert not hasattr(network.fit(X, NUMBERS), "cluster_report_")


def test_sizes_choose_the_mode(client):
    small = fit(MLPRegressor(hidden_layer_sizes=(5,), max_iter=1), blocks(X), blocks(NUMBERS))
    assert small.cluster_report_["mode"] == "averaged"
    options = {"batch_size": 230, "max_iter": 1, "solver": "sgd"}
    wide = MLPRegressor(hidden_layer_sizes=(2000, 2000), **options)
    large = fit(wide, blocks(X), blocks(NUMBERS))
    assert large.cluster_report_["mode"] == "summed"


@pytest.mark.parametrize("rule", ["auto", lambda n_samples: n_samples // 100])
def test_a_limit_of_epochs_may_depend_on_all_rows(client, rule):
    options = SETTINGS | {"max_iter": rule, "tol": 0, "n_iter_no_change": 300}
    local = MLPRegressor(**options).fit(X, NUMBERS)
    there = fit(MLPRegressor(**options), blocks(X), blocks(NUMBERS), mode="averaged")
    assert there.n_iter_ == local.n_iter_ > 1


CODES = np.column_stack([X[:, :2], RNG.permutation(np.arange(230) % 9), RNG.randint(-1, 4, 230)])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [50, 230])
def test_categories_are_found_in_all_blocks(client, mode, size):
    """The largest code of a column is in a single block."""
    given = CODES.copy()
    given[120, 2] = 15
    options = SETTINGS | {"categorical_features": [2, 3], "alpha": 0.1}
    alone = MLPRegressor(**options).fit(given, NUMBERS)
    spread = fit(MLPRegressor(**options), blocks(given, size), blocks(NUMBERS, size), mode=mode)
    assert [table.shape for table in spread.embeddings_] == [
        table.shape for table in alone.embeddings_
    ]
    assert spread.embeddings_[0].shape[0] == 16
    assert spread.predict(given).shape == NUMBERS.shape
    if mode == "summed":
        assert_allclose(spread.predict(given), alone.predict(given), rtol=1e-7)
        assert_allclose(spread.loss_curve_, alone.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("known", [True, False], ids=["known", "from block to block"])
def test_categories_of_frames_are_those_of_one_machine(client, known):
    """The categories of the blocks differ, like those read from Parquet files."""
    frames = pytest.importorskip("dask.dataframe")
    towns = pd.Series(np.array(["Ulm", "Bonn", "Kiel", "Jena"])[np.arange(230) // 60])
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(town=towns.astype("category"))
    of_frame = frames.from_pandas(frame, npartitions=4)
    if not known:
        of_frame = of_frame.assign(town=of_frame["town"].astype(object))
        of_frame = of_frame.assign(town=of_frame["town"].astype("category"))
    labels = frames.from_pandas(pd.Series(LABELS, index=frame.index), npartitions=4)
    options = SETTINGS | {"categorical_features": "from_dtype"}
    alone = MLPSoftmaxClassifier(**options).fit(frame, LABELS)
    spread = fit(MLPSoftmaxClassifier(**options), of_frame, labels, mode="summed")
    assert_allclose(spread.predict_proba(frame), alone.predict_proba(frame), atol=1e-9)
    again = fit(spread.set_params(warm_start=True), of_frame, labels, mode="summed")
    assert again.loss_ < alone.loss_


def test_blocks_that_mark_other_columns_are_refused(client):
    chosen = lambda rows: [2] if rows[0, 0] > 0 else [3]  # noqa: E731
    network = MLPRegressor(categorical_features=chosen)
    with pytest.raises(ValueError, match=r"same columns .*\[2\] and \[3\]"):
        fit(network, blocks(np.where(CODES > 9, 0, CODES), 1)[:20], blocks(NUMBERS, 1)[:20])


BAD = {
    "an estimator of others": (LogisticRegression(), {}, TypeError, "LogisticRegression"),
    "a pipeline": (make_pipeline(StandardScaler(), MLPRegressor()), {}, TypeError, "Pipeline"),
    "a perceptron": (RosenblattPerceptron(), {}, TypeError, "RosenblattPerceptron"),
    "no such mode": (MLPRegressor(), {"mode": "best"}, ValueError, "'mode' .* Got 'best'"),
    "a list of modes": (MLPRegressor(), {"mode": ["auto"]}, ValueError, r"'mode' .* Got \['auto'"),
    "L-BFGS": (MLPRegressor(solver="lbfgs"), {}, ValueError, "solver='lbfgs'"),
    "rows to hold out": (MLPRegressor(early_stopping=True), {}, ValueError, "X_val and y_val"),
    "categories that are none": (
        MLPRegressor(categorical_features=[0]),
        {},
        ValueError,
        "codes must be whole numbers",
    ),
    "a bad parameter": (MLPRegressor(alpha=-1), {}, ValueError, "alpha"),
    "a bad weight": (MLPRegressor(), {"sample_weight": np.ones(3)}, ValueError, "sample_weight"),
    "an array in memory": (MLPRegressor(), {"X": X}, TypeError, "X must be an array or a data"),
    "other blocks": (MLPRegressor(), {"y": blocks(NUMBERS[:99])}, ValueError, "y has 99"),
    "no rows": (MLPRegressor(), {"X": blocks(X[:0]), "y": blocks(X[:0])}, ValueError, "no rows"),
    "NaN far from here": (
        MLPRegressor(),
        {"X": da.where(blocks(np.arange(230.0))[:, None] > 200, np.nan, blocks(X))},
        ValueError,
        "NaN",
    ),
    "no target": (MLPRegressor(), {"y": blocks(NUMBERS) * np.nan}, ValueError, "y contains NaN"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_fitted_is_refused(client, case):
    estimator, given, kind, message = BAD[case]
    given = {"X": blocks(X), "y": blocks(NUMBERS), **given}
    before = dict(vars(estimator))
    with pytest.raises(kind, match=message):
        fit(estimator, **given)
    assert vars(estimator) == before


class FailsInSteps(ReLU):
    """An activation that has no derivative."""

    def backward(self, z, a, grad):
        raise ValueError("no derivative")


FAILING = {
    "a share": ({}, BAD["NaN far from here"][1]["X"], "NaN"),
    "a step": ({"activation": FailsInSteps()}, blocks(X), "no derivative"),
}


@pytest.mark.parametrize("what", FAILING)
def test_a_fit_that_fails_leaves_nothing_on_the_cluster(what):
    options, rows, message = FAILING[what]
    network = MLPRegressor(**{**SETTINGS, **options})
    cluster = {"n_workers": 2, "processes": False, "dashboard_address": None}
    with distributed.Client(**cluster) as client:
        with pytest.raises(ValueError, match=message) as kept:
            fit(network, rows, blocks(NUMBERS), mode="summed")
        # Futures are removed by the thread of the client, which answers after that.
        client.nthreads()
        assert not client.futures
    # A notebook keeps the last error.
    assert kept.value.__traceback__ is not None


def test_a_checkpoint_is_refused(client, tmp_path):
    network = MLPRegressor(callbacks=[Checkpoint(tmp_path / "fit.npz")])
    with pytest.raises(ValueError, match=r"Checkpoint cannot resume skperceptron\.distributed"):
        fit(network, blocks(X), blocks(NUMBERS))


def test_blocks_are_cut_evenly_into_runs():
    for counts in ([5, 5, 5, 5], [100, 1, 1, 1], [1, 1, 1, 100], [3, 0, 9], [7]):
        for n_shares in range(1, len(counts) + 1):
            cut = Blocks(counts, counts, counts).cut(n_shares)
            assert (cut[0].start, cut[-1].stop) == (0, len(counts))
            assert all(one.stop == next_one.start for one, next_one in pairwise(cut))
            assert all(one.stop > one.start for one in cut)
            largest = max(sum(counts[one]) for one in cut)
            assert largest <= sum(counts) / n_shares + max(counts)
    assert Blocks([], [], [5, 5, 5, 5]).cut(2) == [slice(0, 2), slice(2, 4)]


def test_without_a_cluster_it_says_how_to_open_one(monkeypatch):
    def no_client():
        raise ValueError("No global client found")

    monkeypatch.setattr(distributed, "get_client", no_client)
    with pytest.raises(ValueError, match=r"distributed\.Client\(\)"):
        fit(MLPRegressor(), blocks(X), blocks(NUMBERS))
