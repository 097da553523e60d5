"""Second calls: warm starts, ``partial_fit``, and options that change between calls."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.averaging import EMA
from skperceptron.callbacks import EpochLogger, StopOnPlateau
from skperceptron.estimators.data import forget_history
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.optimizers import AdamW
from skperceptron.stopping import EarlyStopping
from skperceptron.training.step import Step

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NETWORKS = [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor]
EVERY_NETWORK = pytest.mark.parametrize("cls", NETWORKS)
EVERY_ESTIMATOR = pytest.mark.parametrize("cls", [*NETWORKS, RosenblattPerceptron])

#: Labels of the two data sets are the signs of two different features.
FIRST, SECOND = np.random.RandomState(1).normal(size=(2, 300, 4))
OF_FIRST, OF_SECOND = (FIRST[:, 0] > 0).astype(int), (SECOND[:, 1] > 0).astype(int)


def make(cls, **options):
    if cls is RosenblattPerceptron:
        return cls(**{"n_associative": 12, "max_iter": 5, "random_state": 0} | options)
    defaults = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0, "batch_size": 32}
    return cls(**(defaults | options))


def some(cls, n=100):
    """Return data that no straight line separates."""
    X = FIRST[:n]
    y = X[:, 0] * X[:, 1] + 0.5 * X[:, 2]
    return X, y if cls is MLPRegressor else (y > 0).astype(int)


def streamed(model, X, y, n_calls=1):
    """Call ``partial_fit`` `n_calls` times."""
    first = {} if isinstance(model, MLPRegressor) else {"classes": [0, 1]}
    for _ in range(n_calls):
        model.partial_fit(X, y, **first)
    return model


def weights(model):
    if isinstance(model, RosenblattPerceptron):
        return np.column_stack([model.response_weights_, model.intercept_]).ravel()
    return np.concatenate([w.ravel() for w in (*model.coefs_, *model.intercepts_)])


# Each fit has its own best, patience and average.


@pytest.mark.parametrize("monitor", ["score", "loss", "roc_auc"])
@pytest.mark.parametrize("averaging", [None, "ema", "swa"])
def test_best_weights_of_a_second_fit_are_those_of_its_own_data(monitor, averaging):
    model = make(
        MLPBinaryClassifier,
        hidden_layer_sizes=(16,),
        warm_start=True,
        max_iter=60,
        learning_rate_init=0.01,
        averaging=averaging,
        early_stopping=EarlyStopping(monitor, patience=100),
    )
    model.fit(FIRST[:200], OF_FIRST[:200], X_val=FIRST[200:], y_val=OF_FIRST[200:])
    model.fit(SECOND[:200], OF_SECOND[:200], X_val=SECOND[200:], y_val=OF_SECOND[200:])
    assert model.n_iter_ == 60
    assert len(model.validation_scores_) == len(model.loss_curve_) == 120
    assert model.best_validation_score_ == max(model.validation_scores_[60:])
    score = model.score(SECOND[200:], OF_SECOND[200:])
    assert score > 0.9
    if monitor == "score":
        assert score == model.best_validation_score_


@EVERY_NETWORK
def test_second_fit_has_its_full_patience(cls):
    y = (OF_FIRST, OF_SECOND) if cls is not MLPRegressor else (FIRST[:, 0], SECOND[:, 1])
    model = make(cls, warm_start=True, max_iter=300, learning_rate_init=0.01, tol=1e-3)
    model.fit(FIRST, y[0]).fit(SECOND, y[1])
    assert model.score(SECOND, y[1]) > 0.9
    assert model.best_loss_ == min(model.loss_curve_[-model.n_iter_ :])


@pytest.mark.parametrize("monitor", ["loss", "validation_loss", "validation_score"])
def test_plateau_is_one_of_this_call(monitor):
    stop = StopOnPlateau(monitor, patience=5, tol=1e-4)
    options = {"max_iter": 200, "tol": 0, "n_iter_no_change": np.inf, "learning_rate_init": 0.01}
    model = make(MLPBinaryClassifier, warm_start=True, callbacks=[stop], **options)
    model.fit(FIRST, OF_FIRST, X_val=FIRST, y_val=OF_FIRST)
    model.fit(SECOND, OF_SECOND, X_val=SECOND, y_val=OF_SECOND)
    assert model.score(SECOND, OF_SECOND) > 0.9


def test_l_bfgs_leaves_no_history_and_no_average_of_another_solver():
    X, y = some(MLPRegressor)
    model = make(MLPRegressor, warm_start=True, averaging="ema").fit(X, y)
    model.set_params(solver="lbfgs", averaging=None, max_iter=50).fit(X, y)
    assert len(model.loss_curve_) == model.n_iter_
    found = model.loss_
    model.set_params(max_iter=1).fit(X, y)
    assert model.loss_ <= found
    model.set_params(solver="adam", max_iter=3).fit(X, y)
    assert len(model.loss_curve_) == 3
    assert model.loss_curve_[0] < 2 * found


def test_average_ends_with_the_option():
    X, y = some(MLPRegressor)
    model = streamed(make(MLPRegressor, averaging=EMA(0.99)), X, y, 3)
    model.set_params(averaging=None)
    before = weights(streamed(model, X, y))
    assert not np.array_equal(weights(streamed(model, X, y)), before)


@pytest.mark.parametrize("kept", ["averaged", "pocket"])
def test_perceptron_keeps_weights_for_the_data_of_its_last_fit(kept, rng):
    model = RosenblattPerceptron(0, weights=kept, warm_start=True, max_iter=60, random_state=0)
    # With noise, so that every epoch has mistakes.
    noisy = [np.where(rng.uniform(size=300) < 0.05, 1 - y, y) for y in (OF_FIRST, OF_SECOND)]
    model.fit(FIRST, noisy[0]).fit(SECOND, noisy[1])
    fresh = clone(model).fit(SECOND, noisy[1])
    assert model.score(SECOND, noisy[1]) > fresh.score(SECOND, noisy[1]) - 0.03
    assert len(model.mistakes_) == 120


@EVERY_ESTIMATOR
def test_repeated_warm_starts_keep_a_bounded_history(cls):
    X, y = some(cls, 20)
    model = make(cls, warm_start=True, max_iter=1).fit(X, y)
    name = "mistakes_" if cls is RosenblattPerceptron else "loss_curve_"
    setattr(model, name, [1] * 5000)
    model.fit(X, y)
    assert len(getattr(model, name)) == 1000 + model.n_iter_
    assert getattr(model, name)[0] == 1


# Streams.


@EVERY_ESTIMATOR
def test_stream_keeps_a_bounded_history(cls):
    X, y = some(cls, 20)
    model = streamed(make(cls), X, y, 2)
    name = "mistakes_" if cls is RosenblattPerceptron else "loss_curve_"
    assert len(getattr(model, name)) == 2
    setattr(model, name, [0.5] * 3000)
    sizes = []
    for _ in range(3):
        streamed(model, X, y, 2)
        sizes.append(len(pickle.dumps(model)))
        assert len(getattr(model, name)) <= 1001
    assert max(sizes) - min(sizes) < 100


@pytest.mark.parametrize("noise", [{"dropout": 0.5}, {"input_dropout": 0.5}], ids=str)
@EVERY_NETWORK
def test_noisy_partial_fits_equal_one_fit_of_as_many_epochs(cls, noise):
    X, y = some(cls)
    options = {"shuffle": False, "n_iter_no_change": np.inf, **noise}
    whole = make(cls, **options, max_iter=6).fit(X, y)
    assert_array_equal(weights(streamed(make(cls, **options), X, y, 6)), weights(whole))


@pytest.mark.parametrize("method", ["partial_fit", "warm fit"])
def test_masks_and_shuffles_differ_from_call_to_call(method):
    X, y = some(MLPRegressor)
    # The rate is so small that equal masks would give equal steps.
    options = {"learning_rate_init": 1e-9, "solver": "sgd", "momentum": 0, "max_iter": 1}
    model = make(MLPRegressor, dropout=0.5, warm_start=method == "warm fit", **options)
    call = model.partial_fit if method == "partial_fit" else model.fit
    call(X, y)
    losses = [call(X, y).loss_ for _ in range(5)]
    assert np.ptp(losses) > 1e-3


@EVERY_ESTIMATOR
@pytest.mark.parametrize("seed", [0, np.int64(3)])
def test_streams_of_equal_seeds_are_equal(cls, seed):
    X, y = some(cls)
    noise = {} if cls is RosenblattPerceptron else {"input_dropout": 0.2}
    model = streamed(make(cls, random_state=seed, **noise), X, y, 2)
    again = streamed(make(cls, random_state=seed, **noise), X, y, 2)
    assert_array_equal(weights(model), weights(again))


def test_shuffled_partial_fits_of_a_perceptron_equal_one_fit_of_as_many_epochs():
    X, y = some(RosenblattPerceptron)
    whole = make(RosenblattPerceptron, max_iter=4).fit(X, y)
    assert_array_equal(weights(streamed(make(RosenblattPerceptron), X, y, 4)), weights(whole))


COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "deepcopy": deepcopy,
}


@pytest.mark.parametrize("copied", COPIES)
@EVERY_ESTIMATOR
def test_a_copy_continues_a_stream_in_the_same_way(cls, copied):
    X, y = some(cls)
    noise = {} if cls is RosenblattPerceptron else {"dropout": 0.3, "averaging": "ema"}
    model = streamed(make(cls, **noise), X, y, 3)
    twin = COPIES[copied](model)
    for n in (100, 40, 1, 100):
        assert_array_equal(
            weights(streamed(twin, X[:n], y[:n])), weights(streamed(model, X[:n], y[:n]))
        )
    assert not hasattr(clone(model), "n_features_in_")
    assert_array_equal(weights(clone(model).fit(X, y)), weights(make(cls, **noise).fit(X, y)))


class Failure(Exception):
    pass


class FailAtTheEnd(EpochLogger):
    """Fails at the end of an epoch."""

    def on_fit_task_end(self, estimator, context):
        raise Failure


@EVERY_ESTIMATOR
def test_failed_call_leaves_model_and_noise_as_they_were(cls):
    X, y = some(cls)
    noise = {} if cls is RosenblattPerceptron else {"dropout": 0.3}
    model = streamed(make(cls, **noise), X, y, 3)
    twin = deepcopy(model)
    for method in ("partial_fit", "fit"):
        model.set_params(callbacks=[FailAtTheEnd()])
        with pytest.raises(Failure):
            getattr(model, method)(X, y)
        assert_array_equal(weights(model), weights(twin))
    model.set_params(callbacks=None)
    assert_array_equal(weights(streamed(model, X, y)), weights(streamed(twin, X, y)))


@EVERY_NETWORK
def test_interrupted_call_can_be_continued(cls, monkeypatch):
    X, y = some(cls)
    model = streamed(make(cls, dropout=0.3), X, y, 2)
    steps = []

    def interrupted(step, i, original=Step.run):
        steps.append(i)
        if len(steps) == 3:
            raise KeyboardInterrupt
        original(step, i)

    with monkeypatch.context() as patch, pytest.warns(UserWarning, match="interrupted by user"):
        # Compiled steps do not call `run`.
        patch.setenv("SKPERCEPTRON_STEPS", "numpy")
        patch.setattr(Step, "run", interrupted)
        model.partial_fit(X, y)
    twin = deepcopy(model)
    assert_array_equal(weights(streamed(model, X, y)), weights(streamed(twin, X, y)))
    assert np.isfinite(weights(model)).all()


@EVERY_NETWORK
def test_partial_fit_goes_on_from_the_best_weights_of_a_stopped_fit(cls):
    X, y = some(cls)
    for averaging in (None, "ema"):
        model = make(cls, early_stopping=True, max_iter=40, averaging=averaging).fit(X, y)
        before = weights(model)
        model.set_params(early_stopping=False, learning_rate_init=1e-12)
        assert_allclose(weights(streamed(model, X, y)), before, atol=1e-8)
        assert model.best_loss_ == model.loss_


# Options that change between calls.

SGD_ONLY = {"solver": "sgd", "learning_rate_init": 0.05}
HEEDED, REFUSED, IRRELEVANT = "heeded", "refused", "irrelevant"

#: For each parameter: whether a call of ``partial_fit`` or a warm-started ``fit`` after its change
#: heeds it, refuses it or ignores it, its new value, and other options of the model.
OF_NETWORKS = {
    "hidden_layer_sizes": (REFUSED, (7,), {}),
    "activation": (HEEDED, "tanh", {}),
    "solver": (HEEDED, "sgd", {}),
    "alpha": (HEEDED, 10.0, {}),
    "batch_size": (HEEDED, 7, {}),
    "learning_rate": (HEEDED, "invscaling", SGD_ONLY),
    "learning_rate_init": (HEEDED, 0.1, {}),
    "power_t": (HEEDED, 0.1, {**SGD_ONLY, "learning_rate": "invscaling"}),
    "max_iter": ({"partial_fit": IRRELEVANT, "fit": HEEDED}, 9, {}),
    "shuffle": (HEEDED, False, {}),
    "random_state": (HEEDED, 5, {}),
    "tol": (HEEDED, 100.0, {**SGD_ONLY, "learning_rate": "adaptive", "n_iter_no_change": 1}),
    "verbose": (IRRELEVANT, False, {}),
    "warm_start": ({"partial_fit": IRRELEVANT, "fit": HEEDED}, False, {}),
    "momentum": (HEEDED, 0.1, SGD_ONLY),
    "nesterovs_momentum": (HEEDED, False, SGD_ONLY),
    "early_stopping": ({"partial_fit": REFUSED, "fit": HEEDED}, True, {}),
    "validation_fraction": ({"partial_fit": IRRELEVANT, "fit": HEEDED}, 0.4, {}),
    "beta_1": (HEEDED, 0.1, {}),
    "beta_2": (HEEDED, 0.1, {}),
    "epsilon": (HEEDED, 1.0, {}),
    "n_iter_no_change": (HEEDED, 1, {**SGD_ONLY, "learning_rate": "adaptive", "tol": 100.0}),
    # Only L-BFGS counts evaluations, and it has no partial_fit.
    "max_fun": ({"partial_fit": IRRELEVANT, "fit": HEEDED}, 2, {}),
    "skip_connections": (REFUSED, "dense", {}),
    "l1_ratio": (HEEDED, 1.0, {"alpha": 1.0}),
    "max_grad_norm": (HEEDED, 1e-6, SGD_ONLY),
    # Weights are drawn once.
    "initializer": (IRRELEVANT, "zeros", {}),
    "dropout": (HEEDED, 0.5, {}),
    "input_dropout": (HEEDED, 0.5, {}),
    "normalization": (REFUSED, "batch", {}),
    "averaging": (HEEDED, "ema", {}),
    "parameter_groups": (HEEDED, ParameterGroups(bias=ParameterGroup(rate=0.1)), {}),
    "feature_scale": (REFUSED, True, {}),
    "parametric_activation": (REFUSED, True, {}),
    "ensemble_size": (REFUSED, 3, {}),
    "numeric_embedding": (REFUSED, "pbld", {}),
    "categorical_features": (REFUSED, [0], {}),
    "embedding_dim": (IRRELEVANT, 3, {}),
    "parametrization": (HEEDED, "ntk", {}),
    "decay_schedule": (HEEDED, "exponential", {"solver": AdamW(1.0)}),
    "dropout_schedule": (HEEDED, "exponential", {"dropout": 0.5}),
    "drop_last": (HEEDED, True, {}),
    "max_time": ({"partial_fit": IRRELEVANT, "fit": HEEDED}, 1e-9, {}),
    "callbacks": (
        {"partial_fit": IRRELEVANT, "fit": HEEDED},
        [StopOnPlateau(tol=9, patience=1)],
        {},
    ),
    "dtype": (HEEDED, "float32", {}),
}
OF_CLASSIFIERS = {
    **OF_NETWORKS,
    "loss": (HEEDED, "focal", {}),
    "class_weight": (HEEDED, {0: 5.0, 1: 1.0}, {}),
}
OF_PERCEPTRON = {
    "n_associative": (REFUSED, 13, {}),
    "n_connections": (REFUSED, 2, {}),
    "weights": (HEEDED, "averaged", {}),
    "fit_intercept": (REFUSED, False, {}),
    "max_iter": ({"partial_fit": IRRELEVANT, "fit": HEEDED}, 9, {}),
    "shuffle": (HEEDED, False, {}),
    "class_weight": (HEEDED, {0: 5.0, 1: 1.0}, {}),
    "random_state": (HEEDED, 5, {}),
    "warm_start": ({"partial_fit": IRRELEVANT, "fit": HEEDED}, False, {}),
    "verbose": (IRRELEVANT, False, {}),
    "callbacks": (
        {"partial_fit": IRRELEVANT, "fit": HEEDED},
        [StopOnPlateau("mistakes", tol=99, patience=1)],
        {},
    ),
}
TABLES = {
    MLPBinaryClassifier: OF_CLASSIFIERS,
    MLPSoftmaxClassifier: OF_CLASSIFIERS,
    MLPRegressor: {
        **OF_NETWORKS,
        "loss": (HEEDED, "huber", {}),
        "output": (REFUSED, "categorical", {}),
        "output_range": (REFUSED, (-9, 9), {}),
        "standardize_target": (REFUSED, True, {}),
        # Only predictions use it.
        "categorical_prediction": (IRRELEVANT, "mode", {}),
        "clip_predictions": (IRRELEVANT, True, {}),
    },
    RosenblattPerceptron: OF_PERCEPTRON,
}
#: What a warm-started fit needs for a parameter to matter.
NEEDED = {"validation_fraction": {"early_stopping": True}, "max_fun": {"solver": "lbfgs"}}


@EVERY_ESTIMATOR
def test_every_parameter_has_a_row_in_the_table(cls):
    assert set(TABLES[cls]) == set(cls().get_params())


CHANGES = [(cls, name) for cls, table in TABLES.items() for name in table]


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@pytest.mark.parametrize("cls, name", CHANGES, ids=lambda value: getattr(value, "__name__", value))
def test_changed_parameter_is_used_or_refused(cls, name, method):
    outcome, value, options = TABLES[cls][name]
    outcome = outcome if isinstance(outcome, str) else outcome[method]
    X, y = some(cls)
    if name == "output":
        y = np.round(y)
    needed = NEEDED.get(name, {}) if method == "fit" else {}
    model = make(cls, **{"warm_start": method == "fit", **options, **needed})

    def call(estimator):
        return streamed(estimator, X, y) if method == "partial_fit" else estimator.fit(X, y)

    for _ in range(3):
        call(model)
    before, unchanged = weights(model), deepcopy(model)
    model.set_params(**{name: value})
    if outcome == REFUSED:
        with pytest.raises(ValueError, match=name):
            call(model)
        assert_array_equal(weights(model), before)
        return
    # A rate that changes at the end of an epoch has an effect in the next one.
    for _ in range(3):
        call(model)
        call(unchanged)
    assert np.array_equal(weights(model), weights(unchanged)) == (outcome == IRRELEVANT)


@EVERY_NETWORK
def test_new_learning_rate_is_that_of_the_next_step(cls):
    X, y = some(cls)
    plain = {"solver": "sgd", "momentum": 0, "alpha": 0, "batch_size": 100, "dtype": "float64"}
    model = streamed(make(cls, **plain), X, y, 2)
    twin, start = deepcopy(model), weights(model)
    moved = [
        weights(streamed(of.set_params(learning_rate_init=rate), X, y)) - start
        for of, rate in ((model, 0.001), (twin, 0.01))
    ]
    assert_allclose(moved[1], 10 * moved[0], rtol=1e-6, atol=1e-12)


def test_inverse_scaling_of_a_new_rate_counts_the_rows_of_earlier_calls():
    X, y = some(MLPRegressor)
    options = {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5}
    logger = EpochLogger()
    model = streamed(make(MLPRegressor, **options), X, y, 3)
    streamed(model.set_params(learning_rate_init=0.2, callbacks=[logger]), X, y)
    assert_allclose(logger.rows_[0]["learning_rate"], 0.2 / np.sqrt(301))


@EVERY_NETWORK
def test_another_solver_begins_with_its_own_moments(cls):
    X, y = some(cls)
    model = streamed(make(cls, solver="sgd"), X, y, 3)
    twin = make(cls, warm_start=True, max_iter=1).set_params(n_iter_no_change=np.inf)
    vars(twin).update(
        {k: v for k, v in vars(deepcopy(model)).items() if k not in twin.get_params()}
    )
    forget_history(twin)
    model.set_params(solver="adam")
    twin.fit(X, y)
    assert_array_equal(weights(streamed(model, X, y)), weights(twin))


def test_solver_without_steps_has_no_partial_fit():
    X, y = some(MLPRegressor)
    model = streamed(make(MLPRegressor), X, y)
    model.set_params(solver="lbfgs")
    with pytest.raises(AttributeError, match="partial_fit"):
        model.partial_fit(X, y)


@EVERY_ESTIMATOR
def test_labels_and_rows_that_do_not_fit_are_refused_in_later_calls(cls):
    X, y = some(cls)
    model = streamed(make(cls), X, y, 2)
    twin = deepcopy(model)
    bad = [(X, y[1:]), (X[:, 1:], y), (np.where(X == X[3, 1], np.nan, X), y)]
    unknown = np.where(y == y[0], 7, y)
    bad.append((X, np.where(y == y[0], np.nan, y) if cls is MLPRegressor else unknown))
    for rows, targets in bad:
        with pytest.raises(ValueError):
            model.partial_fit(rows, targets)
    assert_array_equal(weights(streamed(model, X, y)), weights(streamed(twin, X, y)))


@pytest.mark.filterwarnings("error")
@EVERY_ESTIMATOR
def test_rows_given_as_lists_are_the_rows_given_as_arrays(cls):
    X, y = some(cls)
    model = streamed(make(cls), X, y, 2)
    twin = streamed(make(cls), X, y, 2)
    streamed(twin, X.tolist(), y.tolist())
    assert_array_equal(weights(streamed(model, X, y)), weights(twin))
