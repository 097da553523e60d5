"""A stacked search has GridSearchCV's results, for all kinds of searches and of failures."""

import pickle
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn
from joblib import parallel_backend
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import make_classification, make_regression
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    PredefinedSplit,
    RandomizedSearchCV,
    ShuffleSplit,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron._sklearn.compat import seeing
from skperceptron.activations import ELU, Activation, PReLU, Sine, Tanh
from skperceptron.embeddings import Periodic
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.model_selection import (
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
    StackedRandomizedSearchCV,
    _fits,
    _parallel,
)
from skperceptron.model_selection import _stacking as stacking
from skperceptron.model_selection import _transforming as transforming
from skperceptron.optimizers import AdamW
from skperceptron.schedules import FlatCosine
from skperceptron.stopping import EarlyStopping
from skperceptron.training import Stack

pytestmark = [
    pytest.mark.filterwarnings("ignore:One or more of the .* scores are non-finite:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got .*batch_size.* larger than:UserWarning"),
]

# With 83 rows in three folds, the folds differ in size, and none is a whole number of batches.
X, Y = make_classification(83, 6, n_informative=4, n_classes=2, random_state=0)
_, Y3 = make_classification(83, 6, n_informative=4, n_classes=3, random_state=1)
XR, YR = make_regression(83, 6, n_targets=2, noise=1.0, random_state=0)
YR = YR / YR.std(axis=0)
WEIGHTS = np.random.RandomState(0).randint(0, 4, size=83).astype(float)
QUICK = {"hidden_layer_sizes": (5,), "max_iter": 7, "batch_size": 16, "random_state": 0}
QUICK |= {"learning_rate_init": 0.02, "dtype": "float64", "tol": 0, "n_iter_no_change": 20}
BINARY, SOFTMAX = MLPBinaryClassifier(**QUICK), MLPSoftmaxClassifier(**QUICK)
REGRESSOR = MLPRegressor(**QUICK)


def on_last_step(grid, name="net"):
    return {f"{name}__{key}": values for key, values in grid.items()}


class Faulty(Activation):
    """A user's activation that fails in training."""

    def forward(self, z, out, *learned):
        raise ArithmeticError("out of order")


class Counting(TransformerMixin, BaseEstimator):
    """A scaler that notes each fit."""

    fits = []

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        self.fits.append((self.factor, X.tobytes()))
        self.fitted_ = True
        return self

    def transform(self, X):
        return X * self.factor


class Stubborn(MLPBinaryClassifier):
    """A user's subclass that does something after its fit."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.intercepts_[-1] = self.intercepts_[-1] + 100
        return self


def assert_same_results(ordinary, stacked):
    assert ordinary.cv_results_.keys() == stacked.cv_results_.keys()
    for key, values in ordinary.cv_results_.items():
        if "_score" in key and "_time" not in key and not key.startswith("rank"):
            assert_allclose(stacked.cv_results_[key], values, atol=1e-6, rtol=0, err_msg=key)
        elif key.startswith("param"):
            assert str(values) == str(stacked.cv_results_[key])
    for name in ("best_index_", "best_score_", "n_splits_", "multimetric_"):
        assert hasattr(ordinary, name) == hasattr(stacked, name), name
    if hasattr(ordinary, "best_index_"):
        assert stacked.best_index_ == ordinary.best_index_
        assert str(stacked.best_params_) == str(ordinary.best_params_)


def assert_same_search(estimator, grid, X, y, fit_params=None, **options):
    """Check that both searches score and, once refitted, predict alike; return the stacked one."""
    options = {"cv": 3, "refit": False, "return_train_score": True} | options
    ordinary = GridSearchCV(estimator, grid, **options).fit(X, y, **(fit_params or {}))
    stacked = StackedGridSearchCV(estimator, grid, **options).fit(X, y, **(fit_params or {}))
    assert_same_results(ordinary, stacked)
    if hasattr(ordinary, "predict"):
        assert_allclose(stacked.predict(X), ordinary.predict(X))
    return stacked


@pytest.fixture
def stack_sizes(monkeypatch):
    """Return the sizes of all stacks that are trained during a test."""
    sizes = []

    class Noted(stacking.Stack):
        def __init__(self, network, members, *others, **options):
            sizes.append(len(members))
            super().__init__(network, members, *others, **options)

    monkeypatch.setattr(stacking, "Stack", Noted)
    return sizes


def batch_of(n_samples):
    return n_samples // 5


WIDE = [
    {
        "hidden_layer_sizes": [(3,), (4, 4)],
        "activation": ["relu", "tanh", ELU(0.5), ELU(2.0), PReLU()],
        "alpha": [0, 0.1],
    },
    {"activation": [["tanh", "relu"]], "hidden_layer_sizes": [(4, 4)], "random_state": [0, 1]},
    {"solver": ["sgd"], "momentum": [0.5, 0.9], "nesterovs_momentum": [True, False]},
    {"solver": ["sgd"], "learning_rate": ["adaptive", "invscaling"], "power_t": [0.2, 0.5]},
    {"solver": ["lbfgs"], "alpha": [0.1, 1]},
    {"beta_1": [0.5, 0.9], "epsilon": [1e-8, 1e-4], "max_iter": [2, 5], "shuffle": [False, True]},
    {"batch_size": ["auto", 7, 200], "skip_connections": ["none", "dense"]},
    {"dtype": ["auto", "float64"], "warm_start": [True, False]},
    {"dropout": [0.2, 0.5], "input_dropout": [0.1], "alpha": [0, 0.1]},
    {"normalization": ["batch", "layer"], "averaging": ["ema", None], "dropout": [0, 0.3]},
    {"l1_ratio": [0, 0.5], "alpha": [0.1], "max_grad_norm": [0.1, None]},
    {"solver": ["adamw", "rmsprop", "lion"], "learning_rate": ["constant", "cosine"]},
    {"initializer": ["glorot_uniform", "he_normal"]},
    {
        "parameter_groups": [ParameterGroups(bias=ParameterGroup(), weight=ParameterGroup())],
        "parameter_groups__bias__rate": [0, 0.1, 1, 3],
        "parameter_groups__weight__penalty": [0, None],
        "feature_scale": [True, False],
        "alpha": [0.1],
    },
    {
        "solver": [AdamW(0.5), AdamW(2.0)],
        "decay_schedule": [None, "flat_cosine", FlatCosine(0.2)],
        "parametrization": ["standard", "ntk"],
        "skip_connections": ["linear"],
    },
    {"numeric_embedding": ["pbld", Periodic(4, 2, 0.5)], "feature_scale": [True], "alpha": [0, 1]},
    {"drop_last": [False, True], "batch_size": [7, batch_of]},
    {"max_time": [100.0]},
]


@pytest.mark.parametrize(
    ("estimator", "target"), [(BINARY, Y), (SOFTMAX, Y3)], ids=["binary", "softmax"]
)
def test_wide_grid_has_the_same_scores(estimator, target, stack_sizes):
    search = assert_same_search(estimator, WIDE, X, target, cv=2)
    n_ordinary = 2 + 2 + 1  # L-BFGS, warm_start=True, max_time
    assert sum(stack_sizes) == 2 * (len(search.cv_results_["params"]) - n_ordinary)
    assert max(stack_sizes) >= 24


def test_regression_has_the_same_scores():
    grid = [
        {"standardize_target": [True, False], "activation": ["relu", "tanh"]},
        {"output_range": [(-9, 9)], "alpha": [0, 0.1]},
    ]
    assert_same_search(REGRESSOR, grid, XR, YR * [1, 2], scoring="r2")
    counts = np.round(np.abs(YR[:, 0]) * 3)
    grid = {"loss": ["squared_error", "poisson"], "output": ["continuous", "categorical"]}
    with pytest.warns(FitFailedWarning):
        assert_same_search(REGRESSOR, [grid, {"output_range": [(0, 1)]}], XR, counts)


@pytest.mark.parametrize("name", ["early stopping", "no improvement", "one batch", "ragged"])
def test_members_end_where_they_would_end_alone(name):
    grid, cv = {
        "early stopping": ({"early_stopping": [True], "validation_fraction": [0.1, 0.3]}, 3),
        "no improvement": ({"tol": [0.01, 0.1], "n_iter_no_change": [1, 3]}, 3),
        "one batch": ({"batch_size": ["auto"], "tol": [0, 0.05]}, 3),
        "ragged": ({"alpha": [0, 1]}, PredefinedSplit(np.repeat([0, 1, 2], [50, 25, 8]))),
    }[name]
    grid = grid | {"activation": ["tanh", "relu"], "max_iter": [25], "n_iter_no_change": [3]}
    assert_same_search(BINARY, grid, X, Y, cv=cv)


def test_sparse_input_and_weights_have_the_same_scores():
    grid = {"activation": ["relu", "tanh"], "alpha": [0, 0.1]}
    thin = sparse.csr_array(np.where(np.abs(X) > 0.7, X, 0))
    assert_same_search(SOFTMAX, grid, thin, Y3)
    weighted = assert_same_search(BINARY, grid, X, Y, {"sample_weight": WEIGHTS})
    plain = StackedGridSearchCV(BINARY, grid, cv=3, refit=False).fit(X, Y)
    means = (search.cv_results_["split0_test_score"] for search in (weighted, plain))
    assert not np.array_equal(*means)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_pipelines_have_the_same_scores(n_jobs):
    pipeline = Pipeline([("scale", StandardScaler()), ("inner", make_pipeline(PCA(4), SOFTMAX))])
    net = "inner__mlpsoftmaxclassifier"
    grid = [
        {"scale__with_mean": [True, False], f"{net}__activation": ["relu", "tanh"]},
        {"scale": ["passthrough"], net: [SOFTMAX, clone(SOFTMAX).set_params(alpha=1)]},
        {"inner__pca__n_components": [2, 3], f"{net}__solver": ["adam", "lbfgs"]},
        {"inner": [make_pipeline(StandardScaler(), SOFTMAX), LogisticRegression()]},
    ]
    weights = {f"{net}__sample_weight": WEIGHTS}
    # Threads start faster than processes.
    with parallel_backend("threading"):
        assert_same_search(pipeline, grid, X, Y3, refit=True, n_jobs=n_jobs)
        assert_same_search(pipeline, grid[:1], X, Y3, weights, n_jobs=n_jobs)


@pytest.mark.usefixtures("eager_workers")
def test_workers_may_be_processes():
    pipeline = Pipeline([("scale", StandardScaler()), ("net", BINARY)])
    # Worker processes may be unable to import this module: the activation that fails, ELU(-1.0), is
    # one of the package.
    grid = on_last_step({"activation": ["tanh", ELU(-1.0)], "solver": ["adam", "lbfgs"]})
    with pytest.warns(FitFailedWarning, match="alpha"):
        search = assert_same_search(pipeline, grid, X, Y, n_jobs=2, cv=2)
    failed = np.isnan(search.cv_results_["mean_test_score"])
    assert_array_equal(failed, [False, False, True, True])


def test_workers_may_be_those_of_dask():
    distributed = pytest.importorskip("distributed")
    grid = {"activation": ["tanh", "relu"], "alpha": [0, 0.1], "hidden_layer_sizes": [(3,), (5,)]}
    pipeline = Pipeline([("scale", StandardScaler()), ("net", BINARY)])
    with (
        distributed.Client(n_workers=2, processes=False, dashboard_address=None),
        parallel_backend("dask"),
    ):
        assert_same_search(pipeline, on_last_step(grid), X, Y, n_jobs=2, cv=2)


def test_transformers_are_fitted_once_for_each_setting_and_split(tmp_path):
    pipeline = Pipeline([("count", Counting()), ("net", BINARY)])
    grid = {"count__factor": [1.0, 2.0]} | on_last_step({"alpha": [0, 1], "activation": ["tanh"]})
    Counting.fits.clear()
    StackedGridSearchCV(pipeline, grid, cv=3, refit=False).fit(X, Y)
    assert len(Counting.fits) == len(set(Counting.fits)) == 2 * 3
    pipeline.set_params(memory=str(tmp_path))
    for _ in range(2):
        StackedGridSearchCV(pipeline, grid, cv=3, refit=False).fit(X, Y)
    assert len(Counting.fits) == 2 * 6


def test_failing_transformer_fails_its_candidates_only():
    def refuse(X):
        raise ValueError("not today")

    pipeline = Pipeline([("pass", FunctionTransformer()), ("net", BINARY)])
    grid = {"pass__func": [None, refuse]} | on_last_step({"alpha": [0, 1]})
    with pytest.warns(FitFailedWarning, match="not today"):
        search = assert_same_search(pipeline, grid, X, Y, error_score=-1)
    failed = search.cv_results_["mean_test_score"] == -1
    assert_array_equal(failed, [False, True, False, True])


def test_diverging_member_alone_gets_the_error_score(stack_sizes):
    grid = {"learning_rate_init": [0.02, 1e300], "activation": ["relu", "tanh"]}
    with np.errstate(all="ignore"), pytest.warns(FitFailedWarning, match="diverged"):
        search = assert_same_search(BINARY, grid, X, Y, error_score=-7)
    failed = search.cv_results_["mean_test_score"] == -7
    assert 0 < failed.sum() < len(failed)
    assert stack_sizes == [12]
    strict = StackedGridSearchCV(BINARY, grid, error_score="raise")
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="diverged"):
        strict.fit(X, Y)


def test_member_that_raises_is_fitted_alone_and_fails_alone():
    rng = np.random.RandomState(3)
    grid = {"activation": ["tanh", Faulty()], "alpha": [0, 1], "random_state": [0, rng]}
    with pytest.warns(FitFailedWarning, match="out of order") as caught:
        search = assert_same_search(BINARY, grid, X, Y)
    # The error in the stack that they shared is not told.
    told = [str(one.message) for one in caught if one.category is FitFailedWarning]
    assert [text.count("ArithmeticError: out of order") for text in told] == [1, 1]
    failed = np.isnan(search.cv_results_["mean_test_score"])
    assert_array_equal(failed, [False] * 4 + [True] * 4)


def test_invalid_candidates_fail_as_in_scikit_learn():
    with pytest.warns(FitFailedWarning, match="'alpha' parameter"):
        assert_same_search(BINARY, {"alpha": [0, -1]}, X, Y)
    pipeline = Pipeline([("scale", StandardScaler()), ("net", BINARY)])
    with pytest.warns(FitFailedWarning):
        assert_same_search(pipeline, {"net": [BINARY, Pipeline([])]}, X, Y)
    with pytest.raises(ValueError, match="Invalid parameter 'beta'"):
        StackedGridSearchCV(BINARY, {"beta": [1]}).fit(X, Y)
    with pytest.raises(ValueError, match="All the 5 fits failed"):
        StackedGridSearchCV(BINARY, {"alpha": [0]}).fit(X, Y3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"alpha": [-1]}, "'alpha' parameter"),
        ({"early_stopping": [True], "validation_fraction": [0.001]}, "set is too small"),
        ({"beta": [1]}, "Invalid parameter 'beta'"),
    ],
    ids=["value", "combination", "name"],
)
def test_an_error_that_ends_the_search_is_raised_before_any_training(wrong, message, stack_sizes):
    grid = [{"alpha": [0, 1]}, wrong]
    with pytest.raises(ValueError, match=message):
        StackedGridSearchCV(BINARY, grid, error_score="raise").fit(X, Y)
    assert stack_sizes == []


def test_values_that_have_passed_are_not_checked_again(monkeypatch):
    checked = []

    def record(network):
        checked.append((network.alpha, network.activation))
        check(network)

    check = MLPBinaryClassifier._validate_params
    monkeypatch.setattr(MLPBinaryClassifier, "_validate_params", record)
    grid = {"alpha": [0, 1.0, -1], "activation": ["tanh", "relu"]}
    search = StackedGridSearchCV(BINARY, grid, cv=2, refit=False)
    with pytest.warns(FitFailedWarning, match="4 fits failed"):
        search.fit(X, Y)
    # Each value is checked once, except those that fail.
    news = [(0, "tanh"), (1.0, "tanh"), *[(-1, "tanh")] * 2, (0, "relu"), *[(-1, "relu")] * 2]
    assert sorted(checked) == sorted(news)
    assert np.isnan(search.cv_results_["mean_test_score"]).sum() == 2


class BadForSome:
    """A scorer that fails for networks of a certain `alpha`."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self, estimator, X, y):
        score = estimator.score(X, y)
        if estimator.alpha != 1:
            return score
        if self.kind == "error":
            raise RuntimeError("no score")
        return {"nan": np.nan, "text": "good"}[self.kind]


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("error", RuntimeError, "no score"),
        ("nan", ValueError, "is nan: it cannot tell which epoch is better"),
        ("text", ValueError, "must be a number, but is 'good'"),
    ],
)
def test_score_that_is_not_a_number_fails_only_its_candidate(kind, error, message):
    network = clone(BINARY).set_params(early_stopping=EarlyStopping(BadForSome(kind)))
    grid = {"alpha": [0, 1, 2]}
    with pytest.warns(FitFailedWarning, match="2 fits failed"):
        search = StackedGridSearchCV(network, grid, cv=2, refit=False).fit(X, Y)
    assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), [False, True, False])
    with pytest.raises(error, match=message):
        StackedGridSearchCV(network, grid, cv=2, error_score="raise").fit(X, Y)


def test_random_search_draws_and_scores_the_same_candidates():
    space = {"alpha": loguniform(1e-4, 1), "activation": ["relu", Sine(2.0)]}
    searches = [
        kind(BINARY, space, n_iter=6, cv=3, random_state=0).fit(X, Y)
        for kind in (RandomizedSearchCV, StackedRandomizedSearchCV)
    ]
    assert_same_results(*searches)
    assert_allclose(*(search.predict_proba(X) for search in searches), atol=1e-6)


def test_scorers_refit_and_groups_are_scikit_learns():
    grid = {"alpha": [0, 1], "activation": ["tanh", "relu"]}
    groups = np.arange(83) % 5
    options = {"scoring": ["accuracy", "neg_log_loss"], "cv": GroupKFold(4)}
    assert_same_search(BINARY, grid, X, Y, {"groups": groups}, refit="neg_log_loss", **options)

    def worst(results):
        return int(np.argmin(results["mean_test_accuracy"]))

    chosen = assert_same_search(BINARY, grid, X, Y, {"groups": groups}, refit=worst, **options)
    assert not hasattr(chosen, "best_score_")

    def n_epochs(estimator, X, y):
        return {"epochs": estimator.n_iter_, "norm": float(np.linalg.norm(estimator.coefs_[0]))}

    assert_same_search(BINARY, grid, X, Y, scoring=n_epochs, cv=ShuffleSplit(2, random_state=0))


def test_metadata_is_routed_to_fit_and_score():
    with sklearn.config_context(enable_metadata_routing=True):
        network = clone(BINARY).set_fit_request(sample_weight=True)
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        pipeline = Pipeline([("scale", StandardScaler().set_fit_request(sample_weight=True))])
        pipeline.steps.append(("net", network))
        grid = on_last_step({"alpha": [0, 1]})
        options = {"scoring": scorer, "cv": 3}
        assert_same_search(pipeline, grid, X, Y, {"sample_weight": WEIGHTS}, **options)


def test_what_cannot_be_stacked_is_fitted_the_ordinary_way(stack_sizes, capsys):
    assert_same_search(LogisticRegression(), {"C": [0.1, 1]}, X, Y)
    assert_same_search(Stubborn(**QUICK), {"alpha": [0, 1]}, X, Y)
    assert stack_sizes == []
    assert_same_search(BINARY, {"verbose": [True], "alpha": [0]}, X, Y)
    assert stack_sizes == []
    assert capsys.readouterr().out.count("epoch  ") == 2 * 3
    clusters = StackedGridSearchCV(PCA(), {"n_components": [2, 3]}, cv=3).fit(X)
    assert (
        clusters.best_params_
        == GridSearchCV(PCA(), {"n_components": [2, 3]}, cv=3).fit(X).best_params_
    )


def test_stacks_keep_to_the_working_set(monkeypatch, stack_sizes):
    grid = {"alpha": [0, 0.1, 1], "activation": ["relu", "tanh"]}
    assert_same_search(BINARY, grid, X, Y)
    assert stack_sizes == [18]
    for name in ("WORKING_SET", "COMPILED_SET"):
        monkeypatch.setattr(stacking, name, 40_000)
    assert_same_search(BINARY, grid, X, Y)
    assert stack_sizes[1:] == [6, 6, 6]
    for name in ("WORKING_SET", "COMPILED_SET"):
        monkeypatch.setattr(stacking, name, 1)
    stack_sizes.clear()
    assert_same_search(BINARY, {"alpha": [0, 1]}, X, Y)
    assert stack_sizes == [1] * 6


@pytest.mark.parametrize(("normalization", "sizes"), [(None, [4]), ("batch", [2, 2])])
def test_members_with_and_without_weights_share_a_stack_that_does_not_mix_rows(
    normalization, sizes, stack_sizes
):
    network = clone(BINARY).set_params(normalization=normalization)
    assert_same_search(network, {"class_weight": [None, "balanced"]}, X, Y, cv=2)
    assert stack_sizes == sizes


def test_unseeded_members_differ_and_generators_are_copied_for_each_fit():
    coefficients = []

    def keep(estimator, X, y):
        coefficients.append(estimator.coefs_[0])
        return 0.0

    split = PredefinedSplit(np.arange(83) % 2 - 1)
    # They begin alike, and differ by the order of their rows only.
    alike = {"hidden_layer_sizes": (), "initializer": "zeros"}
    unseeded = clone(BINARY).set_params(random_state=None, **alike)
    StackedGridSearchCV(unseeded, {"alpha": [0, 0]}, cv=split, scoring=keep, refit=False).fit(X, Y)
    assert not np.allclose(*coefficients)
    rng = np.random.RandomState(5)
    before = rng.get_state()[1].copy()
    assert_same_search(clone(BINARY).set_params(random_state=rng), {"alpha": [0, 0.1]}, X, Y)
    assert_array_equal(rng.get_state()[1], before)


def test_fit_times_are_shares_of_the_time_that_was_taken(monkeypatch):
    clock = SimpleNamespace(now=1e4)
    clock.time = clock.perf_counter = lambda: clock.now
    run = stacking._run

    def slow_run(*args):
        run(*args)
        clock.now += 366

    def slow_scale(X):
        clock.now += 8
        return X

    monkeypatch.setattr(stacking, "_run", slow_run)
    for module in (stacking, transforming, _fits, _parallel):
        monkeypatch.setattr(module, "time", clock)
    pipeline = Pipeline([("scale", FunctionTransformer(slow_scale)), ("net", BINARY)])
    grid = on_last_step({"alpha": [0, 1], "max_iter": [1, 60]})
    search = StackedGridSearchCV(pipeline, grid, cv=3, refit=False).fit(X, Y)
    # One stack has trained 3 * 122 epochs, a second each. Four networks share what scaling takes.
    assert_allclose(search.cv_results_["mean_fit_time"], np.array([1, 60, 1, 60]) + 8 / 4)
    assert_allclose(search.cv_results_["mean_score_time"], 8)


def test_messages_are_scikit_learns(capsys):
    outputs = []
    for kind in (GridSearchCV, StackedGridSearchCV):
        kind(BINARY, {"alpha": [0, 1]}, cv=3, verbose=3, refit=False).fit(X, Y)
        lines = capsys.readouterr().out.splitlines()
        lines = [line for line in lines if not line.startswith("[stack")]
        outputs.append(re.sub(r"\.+|total time=.*", "", "\n".join(lines)))
    assert outputs[0] == outputs[1]
    assert outputs[0].count("END") == 6


def test_callbacks_are_called_for_every_fit():
    callback = pytest.importorskip("sklearn.callback")
    seen = []

    class Noting:
        def setup(self, estimator, context):
            seen.append("setup")

        def on_fit_task_begin(self, estimator, context, **others):
            seen.append(context.task_name)

        def on_fit_task_end(self, estimator, context, **others):
            seen.append("end of " + context.task_name)

        def teardown(self, estimator, context):
            seen.append("teardown")

    assert isinstance(Noting(), callback.FitCallback)
    logs = []
    for kind in (GridSearchCV, StackedGridSearchCV):
        seen.clear()
        search = kind(BINARY, {"alpha": [0, 1]}, cv=3)
        search.set_callbacks(Noting()).fit(X, Y)
        logs.append(list(seen))
    assert logs[0] == logs[1]
    assert logs[1].count("end of candidate-split-evaluation") == 6


def test_html_shows_estimator_and_grid():
    html = StackedGridSearchCV(make_pipeline(StandardScaler(), BINARY), {})._repr_html_()
    assert "StackedGridSearchCV" in html and "MLPBinaryClassifier" in html


def test_parameters_of_training_only_are_not_read_by_the_check_of_the_data():
    read = set()

    def spying(kind):
        class Spy(kind):
            def __getattribute__(self, name):
                read.add(name)
                return super().__getattribute__(name)

        return Spy

    for kind, target in (
        (MLPBinaryClassifier, Y),
        (MLPSoftmaxClassifier, Y3),
        (MLPRegressor, YR),
    ):
        estimator = spying(kind)(**QUICK)
        read.clear()
        _fits.check_data(estimator, X, target, WEIGHTS, _fits.FROM_SCRATCH)
        assert "_choose_target" in read
        assert not read & _fits.TRAINING_ONLY
        assert _fits.TRAINING_ONLY <= estimator.get_params().keys()


def assert_same_curves(found, network):
    expected = {
        "loss": network.loss_curve_,
        "validation_loss": network.validation_loss_curve_,
        "validation_score": network.validation_scores_,
    }
    assert found.keys() == {name for name, curve in expected.items() if curve is not None}
    for name, curve in found.items():
        assert isinstance(curve, np.ndarray)
        assert_allclose(curve, expected[name], rtol=1e-9)


@pytest.mark.parametrize("refit", [False, "ensemble"])
def test_curves_are_those_of_the_fits_of_each_candidate_and_split(refit):
    pipeline = Pipeline([("scale", StandardScaler()), ("net", BINARY)])
    grid = [
        {"max_iter": [4, 6]},
        {"early_stopping": [True], "alpha": [1.0]},
        {"warm_start": [True], "alpha": [0.5]},
        {"activation": [Faulty()]},
    ]
    folds = PredefinedSplit(np.repeat([0, 1], [40, 43]))
    search = StackedGridSearchCV(pipeline, [*map(on_last_step, grid)], cv=folds, refit=refit)
    for _ in range(2):
        with pytest.warns(FitFailedWarning, match="out of order"):
            search.fit(X, Y)
        assert [len(of_candidate) for of_candidate in search.curves_] == [2] * 5
        fitted_all = search.cv_results_["params"][:-1], search.curves_[:-1]
        for parameters, curves in zip(*fitted_all, strict=True):
            for (train, _), found in zip(folds.split(), curves, strict=True):
                fitted = clone(pipeline).set_params(**parameters).fit(X[train], Y[train])
                assert_same_curves(found, fitted[-1])
        assert search.curves_[-1] == [{}, {}]


def test_search_that_is_stored_when_scikit_learns_fit_ends_is_complete(monkeypatch):
    """MLflow's autologging wraps that method, and stores the search then."""
    stored, own = [], GridSearchCV.fit

    def fit(self, *arguments, **keywords):
        own(self, *arguments, **keywords)
        stored.append(pickle.dumps(self))
        return self

    monkeypatch.setattr(GridSearchCV, "fit", fit)
    search = StackedGridSearchCV(BINARY, {"alpha": [0.1, 1.0]}, cv=2).fit(X, Y)
    restored = pickle.loads(stored[0])
    assert vars(restored).keys() == vars(search).keys()
    for _ in range(2):
        assert [len(of_candidate) for of_candidate in restored.curves_] == [2, 2]
        assert_array_equal(restored.curves_[1][1]["loss"], search.curves_[1][1]["loss"])
        restored.fit(X, Y)


@pytest.mark.parametrize("refit", [True, "ensemble"])
def test_failed_search_leaves_no_record_behind(refit):
    search = StackedGridSearchCV(BINARY, {"alpha": [-1.0]}, refit=refit, cv=2, error_score="raise")
    for y in (Y[:-1], Y):
        with pytest.raises(ValueError, match=r"inconsistent|'alpha'"):
            search.fit(X, y)
        assert not {"_record", "_preparing", "curves_"} & vars(search).keys()


@pytest.mark.parametrize("search_class", [StackedGridSearchCV, StackedHalvingGridSearchCV])
def test_search_whose_last_fit_fails_keeps_its_earlier_fit(monkeypatch, search_class):
    search = search_class(BINARY, {"alpha": [1e-4, 1e-2]}, cv=2).fit(X, Y)
    before, predicted = dict(vars(search)), search.predict_proba(X)
    train = Stack.run_epoch

    def fail_alone(stack):
        if len(stack.members) == 1:
            raise MemoryError
        return train(stack)

    monkeypatch.setattr(Stack, "run_epoch", fail_alone)
    with pytest.raises(MemoryError):
        search.fit(X[::2, :4], Y[::2])
    assert vars(search) == before
    assert_array_equal(search.predict_proba(X), predicted)


def test_estimators_without_networks_have_no_curves():
    search = StackedGridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X, Y)
    assert search.curves_ == [[{}, {}], [{}, {}]]


@pytest.mark.parametrize(
    ("refit", "scoring", "text"),
    [
        ("ensembles", None, r"scoring=None is the only metric\. Did you mean 'ensemble'\?$"),
        ("roc_auc", "accuracy", r"scoring='accuracy' is the only metric\.$"),
        ("accuracy", "accuracy", None),
        ("score", None, None),
        ("any", make_scorer(accuracy_score), None),
        ("accuracy", ["accuracy", "roc_auc"], None),
    ],
)
@pytest.mark.parametrize("kind", [StackedGridSearchCV, StackedHalvingGridSearchCV])
def test_name_of_no_metric_warns_if_there_is_a_single_one(kind, refit, scoring, text):
    if kind is StackedHalvingGridSearchCV and isinstance(scoring, list):
        pytest.skip("searches by halving have a single metric")
    search = kind(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, refit=refit, scoring=scoring)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        assert hasattr(search.fit(X, Y), "best_estimator_")
    found = [str(w.message) for w in caught if str(w.message).startswith("refit=")]
    assert len(found) == (text is not None)
    assert all(re.match(f"refit='{refit}' counts as True: {text}", message) for message in found)


def test_candidates_of_halving_are_not_combined():
    search = StackedHalvingGridSearchCV(BINARY, {"alpha": [1e-4, 1.0]}, refit="ensemble")
    with pytest.raises(ValueError, match="refit='ensemble' of StackedHalvingGridSearchCV"):
        search.fit(X, Y)


def test_curves_of_all_rounds_of_halving_are_kept():
    search = StackedHalvingGridSearchCV(
        BINARY, {"alpha": [1e-3, 1e-2, 0.1, 1.0]}, resource="max_iter", max_resources=8, factor=2
    )
    search.fit(X, Y)
    n_epochs = [{len(curves["loss"]) for curves in of_all} for of_all in search.curves_]
    assert n_epochs == [{n} for n in search.cv_results_["n_resources"]]


def test_unknown_scikit_learn_is_named():
    with pytest.raises(RuntimeError, match=r"does not use Sequential: this version"):
        seeing(GridSearchCV.fit, Sequential=None)


def test_equal_components_are_recognized_and_arrays_stand_for_themselves():
    common = _fits.Common()
    first = common.unify(ELU(0.5))
    assert common.unify(ELU(0.5)) is first
    assert common.unify(ELU(0.6)) is not first
    assert common.unify(Tanh()) is not first
    with_array = Tanh()
    with_array.table = np.zeros(3)
    assert common.unify(with_array) is with_array
    assert _fits.token((1, 0.5)) == _fits.token((1, 0.5)) != _fits.token((True, 0.5))
    assert _fits.token([1, 2]) == _fits.token([1, 2]) != _fits.token((1, 2))


@pytest.mark.parametrize("size", [(3,), [3]], ids=["tuple", "list"])
def test_parameters_of_equal_candidates_are_checked_once(monkeypatch, size):
    checked = []

    def counted(network):
        checked.append(network)
        check(network)

    check = _fits.check_parameters
    monkeypatch.setattr(_fits, "check_parameters", counted)
    network = MLPSoftmaxClassifier(max_iter=2, random_state=0)
    grid = {"hidden_layer_sizes": [size], "alpha": [0.1, 0.2]}
    StackedGridSearchCV(network, grid, cv=3, refit=False, n_jobs=1).fit(X, Y)
    assert [one.alpha for one in checked] == [0.1, 0.2]


def test_stacks_of_one_process_check_each_split_once(monkeypatch, stack_sizes):
    checked = []

    def counted(estimator, X, *others):
        checked.append(X)
        return check(estimator, X, *others)

    check = _fits.check_data
    monkeypatch.setattr(_fits, "check_data", counted)
    network = MLPSoftmaxClassifier(max_iter=2, random_state=0)
    sizes = [(3,), (4,), (3, 3)]
    StackedGridSearchCV(network, {"hidden_layer_sizes": sizes}, cv=3, refit=False).fit(X, Y)
    assert (len(stack_sizes), len(checked)) == (3, 3)


def test_copy_of_what_is_common_begins_empty():
    common = _fits.Common()
    common.unify(ELU(0.5))
    assert not pickle.loads(pickle.dumps(common)).objects


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_deviations_of_the_largest_scores_are_infinite_without_a_warning():
    search = StackedGridSearchCV(
        MLPSoftmaxClassifier((3,), max_iter=1, random_state=0),
        {"alpha": [1.0, 2.0]},
        scoring=lambda network, X, y: float(1e200 * len(X) * network.alpha),
        cv=[(np.arange(60), np.arange(60, 83)), (np.arange(40, 83), np.arange(40))],
        refit=False,
    )
    assert_array_equal(search.fit(X, Y).cv_results_["std_test_score"], [np.inf, np.inf])


def test_a_scaler_that_changes_its_rows_affects_no_other_fit():
    estimator = Pipeline([("scale", StandardScaler(copy=False)), ("net", BINARY)])
    grid = on_last_step({"alpha": [1e-4, 1.0, 3.0]})
    ordinary = GridSearchCV(estimator, grid, cv=3).fit(X * 9 + 5, Y)
    stacked = StackedGridSearchCV(estimator, grid, cv=3).fit(X * 9 + 5, Y)
    assert_same_results(ordinary, stacked)


def test_parts_of_a_transformer_may_be_varied():
    parts = FeatureUnion([("kept", "passthrough"), ("scaled", Pipeline([("by", "passthrough")]))])
    estimator = Pipeline([("parts", parts), ("net", BINARY)])
    grid = {"parts__scaled__by": [StandardScaler(), FunctionTransformer(np.sign)]}
    ordinary = GridSearchCV(estimator, grid, cv=3).fit(X, Y)
    assert_same_results(ordinary, StackedGridSearchCV(estimator, grid, cv=3).fit(X, Y))


def test_splits_may_be_ranges():
    cv = [(range(50), range(50, 83)), (range(30, 83), range(30))]
    ordinary, stacked = (
        kind(BINARY, {"alpha": [0.1]}, cv=cv) for kind in (GridSearchCV, StackedGridSearchCV)
    )
    assert_same_results(ordinary.fit(X, Y), stacked.fit(X, Y))
