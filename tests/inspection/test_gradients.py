"""The gradient report: norms, update ratios, saturated and dead units, over epochs too."""

from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import list_activations
from skperceptron.inspection import (
    GradientRecorder,
    Table,
    computational_graph,
    gradient_report,
)
from skperceptron.optimizers import LBFGS

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The gradient of Heaviside:UserWarning"),
]

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4))
Y = np.digitize(X[:, 0], [-0.5, 0.5])
QUICK = {"max_iter": 3, "random_state": 0, "dtype": "float64"}


def fit(hidden=(5, 4), activation="relu", y=Y, **more):
    return MLPSoftmaxClassifier(hidden, activation, **{**QUICK, **more}).fit(X, y)


def rows_of(estimator, *data, **more):
    report = gradient_report(estimator, *data, **more)
    return {
        layer: {column: report[column][i] for column in report.columns}
        for i, layer in enumerate(report["layer"])
    }


@pytest.mark.filterwarnings("error")
def test_warnings_of_training_are_not_repeated():
    with pytest.warns(UserWarning, match="The gradient of Heaviside"):
        model = fit((4,), "heaviside")
    assert list(rows_of(model, X, Y)) == ["hidden 1", "output"]


@pytest.mark.parametrize("skips", ["none", "residual", "dense", "linear"])
def test_norms_are_those_of_the_graph(skips):
    model = fit((4, 4), skip_connections=skips)
    graph = computational_graph(model).with_values(X, Y)
    rows = rows_of(model, X, Y)
    assert list(rows) == ["hidden 1", "hidden 2", "output"]
    for row, weight in zip(rows.values(), model.coefs_, strict=True):
        node = graph[row["block"]]
        assert_allclose(
            row["gradient_norm"], np.linalg.norm(node.parameter_gradients["weight"]), rtol=1e-12
        )
        assert_allclose(row["weight_norm"], np.linalg.norm(weight), rtol=1e-12)
        # The signal is that of single rows: the mean loss divides their gradients by their number.
        rms = len(X) * np.sqrt((node.gradient**2).mean())
        assert_allclose(row["signal"], rms, rtol=1e-9)


@pytest.mark.parametrize(
    "optimizer",
    [
        {},
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
        {"solver": "sgd", "nesterovs_momentum": False},
        {"alpha": 1.0},
    ],
)
def test_update_ratio_is_that_of_the_next_step(optimizer):
    model = fit(batch_size=60, **optimizer)
    ratios = [row["update_ratio"] for row in rows_of(model, X, Y).values()]
    trained = deepcopy(model).partial_fit(X, Y)
    for ratio, before, after in zip(ratios, model.coefs_, trained.coefs_, strict=True):
        change = np.linalg.norm(after - before) / np.linalg.norm(before)
        assert_allclose(ratio, change, rtol=1e-6)


@pytest.mark.parametrize("solver", ["lbfgs", LBFGS()], ids=["string", "object"])
def test_lbfgs_has_no_next_step(solver):
    model = MLPSoftmaxClassifier((4,), solver=solver, random_state=0).fit(X, Y)
    assert all(np.isnan(row["update_ratio"]) for row in rows_of(model, X, Y).values())


def test_gradient_vanishes_through_sigmoids_and_explodes_through_large_weights():
    deep = fit((8,) * 6, "logistic")
    norms = [row["gradient_norm"] for row in rows_of(deep, X, Y).values()]
    assert norms[0] < 1e-3 * norms[-1]
    steep = fit((8,) * 6, "leaky_relu")
    for weight in steep.coefs_[1:]:
        weight *= 20
    signals = [row["signal"] for row in rows_of(steep, X, Y).values()]
    assert signals[0] > 1e3 * signals[-1]


def test_dead_units_are_counted():
    model = fit((5, 4))
    model.intercepts_[0][:2] = -1000
    rows = rows_of(model, X, Y)
    z = X @ model.coefs_[0] + model.intercepts_[0]
    dead = (z <= 0).all(axis=0).mean()
    assert 0.4 <= rows["hidden 1"]["dead"] == dead
    assert np.isnan(rows["hidden 1"]["saturated"]) and np.isnan(rows["output"]["dead"])


@pytest.mark.parametrize(("activation", "limit"), [("logistic", 4.585), ("tanh", 2.993)])
def test_saturated_units_are_counted(activation, limit):
    model = fit((5,), activation)
    model.coefs_[0] *= 6
    share = rows_of(model, X, Y)["hidden 1"]["saturated"]
    z = X @ model.coefs_[0] + model.intercepts_[0]
    assert 0 < share < 1
    assert_allclose(share, (np.abs(z) > limit).mean())
    everything = rows_of(model, X, Y, saturation_bound=2.0)
    assert everything["hidden 1"]["saturated"] == 1


@pytest.mark.parametrize("activation", list_activations())
def test_every_activation_can_be_reported_on(activation):
    row = rows_of(fit((5,), activation), X, Y)["hidden 1"]
    assert 0 <= row["dead"] <= 1
    assert row["gradient_norm"] > 0 or activation == "heaviside"


def test_slopes_of_a_learned_activation_are_the_learned_ones():
    model = fit((5,), "prelu")
    model.activation_parameters_[0][:] = [0, 0, 0.5, 0.5, 0.5]
    model.intercepts_[0][:] = -1000
    assert rows_of(model, X, Y)["hidden 1"]["dead"] == 0.4


def test_weight_of_two_is_a_repeated_row():
    model = fit((5, 4), "tanh")
    weights = np.where(np.arange(60) < 20, 2.0, 1.0)
    weights[30:40] = 0
    repeated = np.repeat(np.arange(60), weights.astype(int))
    weighted = rows_of(model, X, Y, weights)
    by_rows = rows_of(model, X[repeated], Y[repeated])
    for one, other in zip(weighted.values(), by_rows.values(), strict=True):
        for column in ("gradient_norm", "signal", "saturated", "dead"):
            assert_allclose(one[column], other[column], rtol=1e-9)


def test_report_leaves_the_estimator_and_its_generator_alone():
    model = fit((5,), random_state=np.random.RandomState(0), dropout=0.5, normalization="batch")
    twin = deepcopy(model)
    gradient_report(model, X, Y)
    for one, other in zip(
        model.partial_fit(X, Y).coefs_, twin.partial_fit(X, Y).coefs_, strict=True
    ):
        assert (one == other).all()


def test_report_works_after_early_stopping_and_for_regressors():
    model = MLPRegressor(hidden_layer_sizes=(4,), early_stopping=True, **QUICK).fit(
        X, 1e6 * X[:, 0]
    )
    assert all(row["gradient_norm"] > 0 for row in rows_of(model, X, 1e6 * X[:, 0]).values())


@pytest.mark.parametrize("name", ["learning_rate", "decay_schedule", "dropout_schedule"])
def test_report_takes_schedules_that_need_the_number_of_epochs(name):
    model = fit(**{name: "coslog4"})
    rows = rows_of(model, X, Y)
    graph = computational_graph(model).with_values(X, Y)
    for row in rows.values():
        expected = np.linalg.norm(graph[row["block"]].parameter_gradients["weight"])
        assert_allclose(row["gradient_norm"], expected, rtol=1e-12)
    # The fit is over: the rate of a step that followed would be zero, if it is this one's.
    is_over = [row["update_ratio"] < 1e-12 for row in rows.values()]
    assert is_over == [name == "learning_rate"] * 3


def test_recorder_collects_epochs(hide_package):
    model, recorder = MLPBinaryClassifier((4,), **QUICK), GradientRecorder()
    for _ in range(3):
        model.partial_fit(X, Y > 1, classes=[False, True])
        recorder.record(model, X, Y > 1)
    last = rows_of(model, X, Y > 1)["hidden 1"]
    assert [row["epoch"] for row in recorder.rows_] == [1, 1, 2, 2, 3, 3]
    assert recorder.rows_[-2]["gradient_norm"] == last["gradient_norm"]
    hide_package("pandas")
    frame = recorder.to_frame()
    assert isinstance(frame, Table) and frame.columns[:2] == ["epoch", "layer"]
    assert len(frame) == 6


def test_recorder_counts_the_epochs_of_the_network_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), MLPSoftmaxClassifier(**QUICK)).fit(X, Y)
    recorder = GradientRecorder()
    recorder.record(pipeline, X, Y)
    assert [row["epoch"] for row in recorder.rows_] == [3, 3]


def test_what_has_no_gradients_is_refused():
    with pytest.raises(TypeError, match="error correction"):
        gradient_report(RosenblattPerceptron(5, random_state=0).fit(X, Y), X, Y)
    with pytest.raises(NotFittedError):
        gradient_report(MLPBinaryClassifier(), X, Y > 1)
    with pytest.raises(ValueError, match="classes not in"):
        gradient_report(fit(), X, Y + 7)


def test_recorder_reports_as_a_callback_what_it_reports_between_partial_fits():
    recorder, other = GradientRecorder(), GradientRecorder()
    options = {"hidden_layer_sizes": (4,), "random_state": 0, "batch_size": 30, "shuffle": False}
    MLPSoftmaxClassifier(**options, max_iter=3, callbacks=[recorder]).fit(X, Y)
    network = MLPSoftmaxClassifier(**options)
    for _ in range(3):
        other.record(network.partial_fit(X, Y, classes=[0, 1, 2]), X, Y)
    names = ("epoch", "gradient_norm", "weight_norm", "update_ratio", "saturated", "dead")
    norms = [[[row[n] for n in names] for row in r.rows_] for r in (recorder, other)]
    assert_allclose(*np.array(norms, dtype=float), rtol=1e-9)
    assert sorted({row["epoch"] for row in recorder.rows_}) == [1, 2, 3]
