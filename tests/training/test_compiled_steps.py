"""Compiled steps give the same bits as NumPy's calls, for all networks and options."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from threadpoolctl import threadpool_limits

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    activations,
    losses,
    optimizers,
    schedules,
)
from skperceptron.embeddings import Periodic, PeriodicLinear
from skperceptron.engine.compiled import VARIABLE, MemberTeam, RowTeam, has_teams, is_available
from skperceptron.estimators.blas_threads import ONE_THREAD, n_blas_threads
from skperceptron.groups import ATTRIBUTES
from skperceptron.model_selection import StackedGridSearchCV
from skperceptron.tabular import TabularMLPClassifier, TabularMLPRegressor
from skperceptron.tabular._presets import PRESETS
from skperceptron.training.compiled_steps import CompiledSteps, NumPySteps

pytestmark = [
    pytest.mark.skipif(not is_available(), reason="there are no compiled steps"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The gradient of Heaviside"),
]

N, D = 75, 5
RNG = np.random.RandomState(0)
X = RNG.normal(size=(N, D))
NUMBERS = X @ RNG.normal(size=(D, 2)) + RNG.normal(size=(N, 2))
CLASSES = np.digitize(NUMBERS[:, 0], [-1, 1])
IS_POSITIVE = NUMBERS[:, 0] > 0
OPTIONS = {"batch_size": 16, "max_iter": 4, "random_state": 0}
DTYPES = ["float64", "float32"]

both_dtypes = pytest.mark.parametrize("dtype", DTYPES)


@pytest.fixture
def programs(monkeypatch):
    """Return the list of programs that are made while a test runs."""
    made = []

    def make(self, *args):
        made.append(plain(self, *args))
        return made[-1]

    plain = CompiledSteps._make
    monkeypatch.setattr(CompiledSteps, "_make", make)
    return made


def learned(model):
    """Return all learned parameters of a fit and its loss curve, in one array."""
    arrays = [np.ravel(array) for name in ATTRIBUTES.values() for array in getattr(model, name, ())]
    return np.concatenate([*arrays, model.loss_curve_])


def assert_both_ways_agree(make, *data, monkeypatch, **options):
    found = []
    for way in ("numpy", "compiled"):
        monkeypatch.setenv(VARIABLE, way)
        found.append(learned(make().fit(*data, **options)))
    assert_array_equal(*found)


def classifier(**options):
    return partial(MLPSoftmaxClassifier, **{**OPTIONS, "hidden_layer_sizes": (7, 4), **options})


def regressor(**options):
    return partial(MLPRegressor, **{**OPTIONS, "hidden_layer_sizes": (7, 4), **options})


@both_dtypes
@pytest.mark.parametrize("activation", activations.list_activations())
def test_activations_give_the_same_bits(activation, dtype, monkeypatch, programs):
    make = classifier(activation=activation, dtype=dtype)
    assert_both_ways_agree(make, X, CLASSES, monkeypatch=monkeypatch)
    assert programs and not any(program.n_python_calls for program in programs)


@both_dtypes
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_losses_give_the_same_bits(task, dtype, monkeypatch, programs):
    makers = {
        "regression": (MLPRegressor, np.abs(NUMBERS) + 0.1),
        "binary": (MLPBinaryClassifier, IS_POSITIVE),
        "multiclass": (MLPSoftmaxClassifier, CLASSES),
    }
    cls, y = makers[task]
    for loss in losses.list_losses(task):
        programs.clear()
        make = partial(cls, loss=loss, dtype=dtype, **OPTIONS)
        assert_both_ways_agree(make, X, y, monkeypatch=monkeypatch)
        # Huber's loss in the target's units divides float32 by float64, which is left to NumPy.
        may_call = loss == "huber" and dtype == "float32"
        assert programs and (may_call or not any(one.n_python_calls for one in programs))


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (MLPRegressor, {"output_range": (-20, 20)}),
        (MLPRegressor, {"loss": losses.Pinball([0.1, 0.5, 0.9])}),
        (MLPRegressor, {"loss": losses.Huber(0.3), "standardize_target": True}),
        (MLPSoftmaxClassifier, {"loss": losses.CategoricalLogLoss(0.1)}),
        (MLPSoftmaxClassifier, {"loss": losses.CategoricalFocalLoss(1.5, [1.0, 2.0, 3.0])}),
        (MLPBinaryClassifier, {"loss": losses.BinaryLogLoss(0.2)}),
        (MLPBinaryClassifier, {"loss": losses.BinaryFocalLoss(1.0, 0.3)}),
    ],
)
def test_losses_with_parameters_give_the_same_bits(cls, options, monkeypatch):
    y = {MLPRegressor: NUMBERS, MLPSoftmaxClassifier: CLASSES}.get(cls, IS_POSITIVE)
    assert_both_ways_agree(partial(cls, **OPTIONS, **options), X, y, monkeypatch=monkeypatch)


@both_dtypes
@pytest.mark.parametrize(
    "solver",
    [
        *(name for name in optimizers.list_optimizers() if name != "lbfgs"),
        optimizers.SGD(nesterov=False),
        optimizers.Adam(amsgrad=True),
        optimizers.RMSprop(momentum=0.5),
        optimizers.Lion(weight_decay=0.1),
    ],
    ids=str,
)
def test_optimizers_give_the_same_bits(solver, dtype, monkeypatch, programs):
    make = regressor(solver=solver, dtype=dtype, alpha=0.01)
    assert_both_ways_agree(make, X, NUMBERS, monkeypatch=monkeypatch)
    assert programs and not any(program.n_python_calls for program in programs)


OTHER_OPTIONS = {
    "no_penalty": {"alpha": 0},
    "l1": {"alpha": 0.1, "l1_ratio": 0.5},
    "clipping": {"max_grad_norm": 0.1},
    "dropout": {"dropout": 0.3, "input_dropout": 0.1},
    "batch_normalization": {"normalization": "batch"},
    "layer_normalization": {"normalization": "layer"},
    "ema": {"averaging": "ema"},
    "swa": {"averaging": "swa"},
    "residual": {"skip_connections": "residual", "hidden_layer_sizes": (5, 5)},
    "dense": {"skip_connections": "dense"},
    "one_unit": {"hidden_layer_sizes": (1,)},
    "one_row": {"batch_size": 1, "max_iter": 2},
    "whole_set": {"batch_size": N},
    "linear": {"hidden_layer_sizes": ()},
    "cosine": {"learning_rate": schedules.Cosine()},
    "early_stopping": {"early_stopping": True},
    "not_shuffled": {"shuffle": False},
}


@both_dtypes
@pytest.mark.parametrize("options", OTHER_OPTIONS.values(), ids=OTHER_OPTIONS)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_other_options_give_the_same_bits(make, options, dtype, monkeypatch):
    y = CLASSES if make is classifier else NUMBERS[:, 0]
    assert_both_ways_agree(make(dtype=dtype, **options), X, y, monkeypatch=monkeypatch)


@pytest.mark.parametrize("options", [{}, {"normalization": "batch"}], ids=str)
def test_weights_of_rows_give_the_same_bits(options, monkeypatch):
    weights = np.linspace(0, 2, N)
    make = classifier(**options)
    assert_both_ways_agree(make, X, CLASSES, monkeypatch=monkeypatch, sample_weight=weights)


@pytest.mark.parametrize(
    "data",
    [
        X.astype(np.float32),
        (X * 10).astype(np.int16),
        np.asfortranarray(X),
        X[:, ::-1],
        sparse.csr_array(X * (X > 0)),
        X.astype(">f8"),
    ],
    ids=["float32", "int16", "fortran", "backwards", "sparse", "big_endian"],
)
@both_dtypes
def test_forms_of_data_give_the_same_bits(data, dtype, monkeypatch):
    assert_both_ways_agree(classifier(dtype=dtype), data, CLASSES, monkeypatch=monkeypatch)


@pytest.mark.usefixtures("large_files")
def test_memory_mapped_data_give_the_same_bits(tmp_path, monkeypatch):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_both_ways_agree(classifier(), mapped, CLASSES, monkeypatch=monkeypatch)


def test_many_windows_give_the_same_bits(monkeypatch):
    monkeypatch.setattr("skperceptron.training.stack.WINDOW", 2 * 16 * 3)
    make = classifier(averaging="swa", max_iter=5)
    assert_both_ways_agree(make, X, CLASSES, monkeypatch=monkeypatch)


def test_tables_of_a_short_window_are_followed_by_longer_ones(monkeypatch, programs):
    monkeypatch.setattr("skperceptron.training.stack.WINDOW", 2 * 16 * 3)
    # Of three steps in windows of two, only the last one of the first epoch is compiled.
    monkeypatch.setattr("skperceptron.training.compiled_steps.STEPS_BEFORE_TABLES", 2)
    found = []
    for way in ("numpy", "auto"):
        monkeypatch.setenv(VARIABLE, way)
        model = classifier()()
        for _ in range(3):
            model.partial_fit(X[:48], CLASSES[:48], classes=[0, 1, 2])
        found.append(learned(model))
    assert_array_equal(*found)
    assert [program.n_steps for program in programs] == [1, 2]


@pytest.mark.parametrize(
    "grid",
    [
        {"activation": ["relu", "tanh", "gelu"], "learning_rate_init": [0.1, 0.01]},
        {"alpha": [0.0, 0.1], "dropout": [0.0, 0.3]},
        {"loss": ["log_loss", "focal"], "max_grad_norm": [0.1, None]},
    ],
    ids=str,
)
@both_dtypes
def test_stacks_give_the_same_bits(grid, dtype, monkeypatch):
    found = []
    for way in ("numpy", "compiled"):
        monkeypatch.setenv(VARIABLE, way)
        search = StackedGridSearchCV(classifier(dtype=dtype)(), grid, cv=4, n_jobs=1)
        search.fit(X, CLASSES)
        found.append([*search.cv_results_["mean_test_score"], *learned(search.best_estimator_)])
    assert_array_equal(*found)


@both_dtypes
@pytest.mark.parametrize("schedule", [None, "flat_cosine"])
def test_dropout_is_drawn_without_python(schedule, dtype, monkeypatch, programs):
    options = {"dropout": [0.3, 0.0], "input_dropout": 0.1, "dropout_schedule": schedule}
    make = classifier(dtype=dtype, **options)
    assert_both_ways_agree(make, X, CLASSES, monkeypatch=monkeypatch)
    assert programs and not any(program.n_python_calls for program in programs)


@both_dtypes
@pytest.mark.parametrize("embedding", [Periodic(3, 2), PeriodicLinear(3, 2)], ids=str)
def test_numbers_are_embedded_without_python(embedding, dtype, monkeypatch, programs):
    make = classifier(numeric_embedding=embedding, dtype=dtype, feature_scale=True)
    assert_both_ways_agree(make, X, CLASSES, monkeypatch=monkeypatch)
    assert programs and not any(program.n_python_calls for program in programs)


def with_categories(rng, n_columns=D):
    """Return a table of numbers with categories in some columns, and options that embed these."""
    table = rng.normal(size=(N, n_columns))
    columns = sorted(rng.choice(n_columns, rng.randint(1, n_columns + 1), replace=False).tolist())
    for column in columns:
        # -1 means that there is no category.
        table[:, column] = rng.randint(-1, rng.choice([1, 3, 20]), size=N)
    # Each table has a category at least.
    table[0, columns] = 0
    return table, {
        "categorical_features": columns,
        "embedding_dim": ["auto", 1, 2, 9][rng.randint(4)],
        "feature_scale": bool(rng.randint(2)),
        "input_dropout": rng.choice([0.0, 0.2]),
        "skip_connections": rng.choice(["none", "dense", "linear"]),
        "dtype": rng.choice(DTYPES),
        "solver": rng.choice(["adam", "sgd", "adamw"]),
    }


@pytest.mark.parametrize("seed", range(20))
def test_categories_are_embedded_without_python(seed, monkeypatch, programs):
    table, options = with_categories(np.random.RandomState(seed))
    assert_both_ways_agree(regressor(**options), table, NUMBERS, monkeypatch=monkeypatch)
    assert programs and not any(program.n_python_calls for program in programs)


@pytest.mark.parametrize("seed", range(5))
def test_stacks_of_networks_that_embed_categories_give_the_same_bits(seed, monkeypatch, programs):
    table, options = with_categories(np.random.RandomState(seed))
    grid = {"activation": ["relu", "mish"], "dropout": [0.0, 0.3], "alpha": [0.0, 0.1]}
    found = []
    for way in ("numpy", "compiled"):
        monkeypatch.setenv(VARIABLE, way)
        search = StackedGridSearchCV(regressor(**options)(), grid, cv=3, n_jobs=1)
        search.fit(table, NUMBERS)
        found.append([*search.cv_results_["mean_test_score"], *learned(search.best_estimator_)])
    assert_array_equal(*found)
    assert programs and not any(program.n_python_calls for program in programs)


@pytest.fixture(scope="module")
def frame():
    """Return a frame of numbers, missing values, and columns of few and of many levels."""
    pd = pytest.importorskip("pandas")
    rng = np.random.RandomState(0)
    columns = dict(zip("abcde", X.T, strict=True))
    columns["incomplete"] = np.where(rng.uniform(size=N) < 0.2, np.nan, X[:, 0])
    for name, n_levels in (("few", 3), ("many", 10), ("more", 12)):
        levels = np.array([f"level {i}" for i in range(n_levels)], dtype=object)
        columns[name] = levels[rng.randint(n_levels, size=N)]
    return pd.DataFrame(columns)


@pytest.mark.parametrize("cls", [TabularMLPClassifier, TabularMLPRegressor])
@pytest.mark.parametrize("has_categories", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_networks_of_tables_need_no_python(
    cls, preset, has_categories, frame, monkeypatch, programs
):
    # The arms of tables with the most rows: some of them embed numbers.
    recipes = {}
    for name in ("classification", "regression"):
        recipe = getattr(PRESETS[preset], name)
        arms = {1: recipe.narrow_arms[max(recipe.narrow_arms)]} if recipe.narrow_arms else {}
        recipes[name] = replace(recipe, narrow_arms=arms)
    monkeypatch.setitem(PRESETS, preset, replace(PRESETS[preset], **recipes))
    table = frame if has_categories else X
    y = CLASSES if cls is TabularMLPClassifier else NUMBERS[:, 0]
    options = {"max_epochs": 3, "hidden_layer_sizes": (9, 9), "random_state": 0}
    found = []
    for way in ("numpy", "compiled"):
        monkeypatch.setenv(VARIABLE, way)
        found.append(cls(preset, **options).fit(table, y).oof_predictions_)
    assert_array_equal(*found)
    assert programs and not any(program.n_python_calls for program in programs)


@both_dtypes
@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, N)], ids=["alike", "weighted"])
@pytest.mark.parametrize(
    ("cls", "y"),
    [
        (MLPSoftmaxClassifier, CLASSES),
        (MLPBinaryClassifier, IS_POSITIVE),
        (MLPRegressor, NUMBERS),
    ],
)
def test_networks_that_share_weights_need_no_python(cls, y, weights, dtype, monkeypatch, programs):
    make = partial(cls, ensemble_size=3, hidden_layer_sizes=(7, 4), dtype=dtype, **OPTIONS)
    assert_both_ways_agree(make, X, y, monkeypatch=monkeypatch, sample_weight=weights)
    assert programs and not any(program.n_python_calls for program in programs)


@pytest.fixture
def set_team(monkeypatch):
    """Return a function that sets the team of threads for networks and tables of any size."""
    if not has_teams():
        pytest.skip("there are no teams")
    monkeypatch.setattr("skperceptron.engine.compiled.layout.WORTH_DIVIDING", 1)
    monkeypatch.setenv(VARIABLE, "compiled")

    def set_to(team):
        for module in ("estimators.running", "model_selection._stacking"):
            monkeypatch.setattr(f"skperceptron.{module}.suited_team", lambda *size: team)

    return set_to


@pytest.mark.parametrize(
    ("make", "y"),
    [
        (classifier(dropout=0.2, averaging="ema"), CLASSES),
        (classifier(solver="sgd", max_grad_norm=0.1, normalization="layer"), CLASSES),
        (regressor(alpha=0.1, loss="huber", shuffle=False), NUMBERS),
        (regressor(solver="adamw", activation="mish", skip_connections="residual"), NUMBERS),
    ],
)
def test_several_threads_learn_what_one_does(make, y, set_team, programs):
    team, found = RowTeam(2, ONE_THREAD), []
    for one in (team, None):
        set_team(one)
        found.append(learned(make().fit(X, y)))
    assert programs[0].team is team and programs[-1].team is None
    assert_allclose(*found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("kind", "tolerance"), [(RowTeam, 1e-9), (MemberTeam, 0)])
def test_several_threads_train_the_networks_of_a_stack(
    kind, tolerance, set_team, programs, monkeypatch
):
    for name in ("least_work", "worth_waking"):
        monkeypatch.setattr(MemberTeam, name, 1)
    grid = {"activation": ["relu", "tanh"], "dropout": [0.0, 0.3]}
    team, found = kind(2, ONE_THREAD), []
    for one in (team, None):
        set_team(one)
        search = StackedGridSearchCV(classifier()(), grid, cv=4, n_jobs=1).fit(X, CLASSES)
        found.append([*search.cv_results_["mean_test_score"], *learned(search.best_estimator_)])
    assert programs[0].team is team and programs[-1].team is None
    assert_allclose(*found, rtol=tolerance, atol=tolerance)


@pytest.fixture
def steps_by_call(monkeypatch):
    """A list of the numbers of steps that are taken call by call; tables are made as usual."""
    found, plain = [], NumPySteps.take

    def take(self, steps, i, gathers):
        found.append(len(steps))
        plain(self, steps, i, gathers)

    monkeypatch.setattr(NumPySteps, "take", take)
    monkeypatch.delenv(VARIABLE, raising=False)
    return found


@pytest.mark.parametrize(("patience", "waits"), [(30, False), (1, True)])
def test_members_that_stay_have_new_tables_at_once_if_these_pay(patience, waits, steps_by_call):
    make = classifier(n_iter_no_change=patience, tol=0.0)
    StackedGridSearchCV(make(), {"max_iter": [20, 60]}, cv=2, refit=False).fit(X, CLASSES)
    assert bool(steps_by_call) == waits


@pytest.mark.parametrize("team", [None, RowTeam(2, ONE_THREAD)], ids=["alone", "team"])
def test_threads_share_even_a_single_small_batch(team, set_team, steps_by_call):
    set_team(team)
    classifier(batch_size=N // 2 + 1, max_iter=2)().fit(X, CLASSES)
    assert bool(steps_by_call) == (team is None)


@pytest.mark.parametrize(("limit", "n_by_call"), [(1, 0), (10_000_000, 2)])
def test_steps_with_large_products_run_as_tables_at_once(
    limit, n_by_call, steps_by_call, monkeypatch
):
    # A fit of two steps ends before tables pay, unlike one of many that was stopped after two.
    monkeypatch.setattr("skperceptron.training.step.LARGE_PRODUCT", limit)
    classifier(batch_size=N, max_iter=2)().fit(X, CLASSES)
    assert sum(steps_by_call) == n_by_call


def test_blas_has_one_thread_during_the_epochs_of_a_team(set_team, monkeypatch):
    seen = []

    def take(self, steps, i, gathers):
        seen.append(n_blas_threads())
        plain(self, steps, i, gathers)

    plain = CompiledSteps.take
    monkeypatch.setattr(CompiledSteps, "take", take)
    set_team(RowTeam(2, ONE_THREAD))
    with threadpool_limits(2, user_api="blas"):
        before = n_blas_threads()
        classifier()().fit(X, CLASSES)
        assert seen and set(seen) == {1}
        assert n_blas_threads() == before
