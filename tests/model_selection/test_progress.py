"""Progress of stacks: reported to callbacks and printed while networks train."""

import re

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier, MLPRegressor
from skperceptron.activations import Tanh
from skperceptron.callbacks import Callback, Checkpoint, EpochLogger, StopOnPlateau
from skperceptron.inspection import GradientRecorder, WeightsRecorder
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedEnsembleClassifier,
    StackedEnsembleRegressor,
    StackedGridSearchCV,
    _progress,
    _stacking,
    stacked_cross_val_score,
    stacked_cross_validate,
    stacked_learning_curve,
    stacked_validation_curve,
)
from skperceptron.stopping import EarlyStopping
from tests.interrupting import interrupt_at

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = make_classification(80, 5, flip_y=0.3, random_state=0)
NETWORK = MLPBinaryClassifier((3,), max_iter=6, random_state=0)
GRID = {"alpha": [0, 1], "max_iter": [4, 6]}


class Noting(Callback):
    """Notes each call, with the number of epochs trained so far."""

    def __init__(self, max_propagation_depth=1, clock=None):
        self.max_propagation_depth = max_propagation_depth
        self.clock = clock
        self.told = []

    def on_fit_task_begin(self, estimator, context):
        self.told.append(("begin", context.task_name, self._path(context)))

    def on_fit_task_end(self, estimator, context):
        now = None if self.clock is None else self.clock()
        self.told.append(("end", context.task_name, self._path(context), now))

    def _path(self, context):
        path = []
        while context is not None:
            path.append(context.task_id)
            context = context.parent
        return tuple(path[::-1])


class Plain(Callback):
    """Notes the names and reports of tasks; it is not passed on to inner estimators."""

    def setup(self, estimator, context):
        self.told = []

    def on_fit_task_end(self, estimator, context):
        self.told.append((context.task_name, getattr(context, "report", None)))


@pytest.fixture
def epochs_run(monkeypatch):
    """Return a function that returns how many epochs stacks have trained."""
    run, counted = _stacking.Stack.run_epoch, []

    def counting(stack):
        counted.append(1)
        return run(stack)

    monkeypatch.setattr(_stacking.Stack, "run_epoch", counting)
    return lambda: len(counted)


def counts(noting):
    return {
        (event, name): sum(told[:2] == (event, name) for told in noting.told)
        for event, name, *_ in noting.told
    }


@pytest.mark.parametrize("pipeline", [False, True])
def test_callbacks_of_a_search_are_called_after_each_epoch_of_each_network(epochs_run, pipeline):
    pytest.importorskip("sklearn.callback")
    model, grid = NETWORK, GRID
    if pipeline:
        model = make_pipeline(StandardScaler(), NETWORK)
        grid = {f"mlpbinaryclassifier__{name}": values for name, values in GRID.items()}
    noting = Noting(clock=epochs_run)
    StackedGridSearchCV(model, grid, cv=3, refit=False).set_callbacks(noting).fit(X, Y)
    told = counts(noting)
    # Twelve networks, half of them trained for four epochs and half for six; and the search.
    assert told["end", "epoch"] == told["begin", "epoch"] == 60
    assert told["end", "fit"] == told["begin", "fit"] == 12 + 1
    times = [event[3] for event in noting.told if event[:2] == ("end", "epoch")]
    assert times == sorted(times) == sorted([1, 2, 3, 4] * 12 + [5, 6] * 6)
    # The end of a network is reported when it ends, not at the end of its stack.
    ends = [event[3] for event in noting.told if event[:2] == ("end", "fit")]
    assert ends == [4] * 6 + [6] * 7


def test_tasks_are_those_of_a_search_of_scikit_learns():
    pytest.importorskip("sklearn.callback")
    told = []
    for kind in (GridSearchCV, StackedGridSearchCV):
        noting = Noting()
        kind(NETWORK, GRID, cv=2).set_callbacks(noting).fit(X, Y)
        # The order differs: networks of a stack are trained at once.
        told.append(sorted(event[:3] for event in noting.told if "evaluation" not in event[1]))
    assert told[0] == told[1]


def test_callbacks_without_propagation_are_called_for_the_searchs_own_tasks_stack_by_stack(
    monkeypatch,
):
    pytest.importorskip("sklearn.callback")
    for name in ("WORKING_SET", "COMPILED_SET"):
        monkeypatch.setattr(_stacking, name, 1)
    noting = Noting(0)
    StackedGridSearchCV(NETWORK, GRID, cv=2, refit=False).set_callbacks(noting).fit(X, Y)
    assert counts(noting)["end", "candidate-split-evaluation"] == 8
    assert ("end", "epoch") not in counts(noting)


def test_callback_that_needs_the_fitted_network_has_fits_of_its_own():
    pytest.importorskip("sklearn.callback")

    class Asking(Noting):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            self.told.append(("end", context.task_name, fitted_estimator is not None))

    asking = Asking()
    StackedGridSearchCV(NETWORK, GRID, cv=2, refit=False).set_callbacks(asking).fit(X, Y)
    assert asking.told.count(("end", "epoch", True)) == 40


@pytest.mark.usefixtures("eager_workers")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_bars_of_a_search_reach_the_end(capsys, monkeypatch, n_jobs):
    # Wide enough for names and shares.
    monkeypatch.setenv("COLUMNS", "160")
    callback = pytest.importorskip("sklearn.callback")
    pytest.importorskip("rich")
    search = StackedGridSearchCV(NETWORK, {"alpha": np.linspace(0, 1, 9)}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(callback.ProgressBar()).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    bars = [line for line in lines if "candidate-split-evaluation | MLPBinary" in line]
    assert len(bars) == 18
    assert all("100%" in bar for bar in bars)
    assert all("100%" in line for line in lines if "StackedGridSearchCV - " in line)


def test_results_are_the_same_with_and_without_progress():
    quiet = StackedGridSearchCV(NETWORK, GRID, cv=2).fit(X, Y)
    loud = StackedGridSearchCV(NETWORK, GRID, cv=2, verbose=2).fit(X, Y)
    for name in ("mean_test_score", "split1_test_score"):
        assert_array_equal(quiet.cv_results_[name], loud.cv_results_[name])


@pytest.mark.usefixtures("eager_workers")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_lines_report_each_network_and_stack(capfd, n_jobs):
    # Worker processes that another test has started would print to that test's output.
    get_reusable_executor().shutdown(wait=True)
    alphas = np.linspace(0, 1, 10).tolist()
    StackedGridSearchCV(
        NETWORK, {"alpha": alphas}, cv=2, verbose=2, n_jobs=n_jobs, refit=False
    ).fit(X, Y)
    lines = [line for line in capfd.readouterr().out.splitlines() if "stack" in line]
    label = r"\[stack 1 of 1\]" if n_jobs is None else r"\[part \d of 2, stack 1 of 1\]"
    networks = [line for line in lines if re.match(rf"{label} {{'alpha': .*: 6 epochs, loss", line)]
    assert len(networks) == 20
    stacks = [line for line in lines if re.match(rf"{label} \d+ networks: epoch 6 of at", line)]
    assert len(stacks) == (1 if n_jobs is None else 2)
    assert all(re.search(r"\d+ ended, loss 0\.\d+ to 0\.\d+, \d", line) for line in stacks)


def test_lines_of_curves_name_the_splits(capsys):
    def named():
        return re.findall(r"(\S+ \S+ on split \d): 6 epochs", capsys.readouterr().out)

    alphas = {"param_name": "alpha", "param_range": [0, 1]}
    stacked_validation_curve(NETWORK, X, Y, cv=2, verbose=2, **alphas)
    values = [f"{{'alpha': {alpha}}} on split {split}" for split in (0, 1) for alpha in (0, 1)]
    assert sorted(named()) == sorted(values)
    stacked_learning_curve(NETWORK, X, Y, cv=2, verbose=2, train_sizes=[10, 20, 40])
    assert sorted(named()) == [f"the estimator on split {split}" for split in (0, 0, 0, 1, 1, 1)]


def test_lines_arrive_between_epochs_and_state_the_time_left(capsys, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(_progress, "monotonic", lambda: float(next(clock)))
    stacked_cross_validate(NETWORK, X, Y, cv=3, verbose=1)
    lines = [line for line in capsys.readouterr().out.splitlines() if "stack" in line]
    assert [int(re.search(r"epoch (\d+)", line)[1]) for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all("at most" in line.split(",")[-1] for line in lines[:-1])
    assert "left" not in lines[-1] and "3 ended" in lines[-1]


def test_epochs_within_a_second_share_a_line(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "monotonic", lambda: 100.0)
    stacked_cross_validate(NETWORK, X, Y, cv=3, verbose=1)
    lines = [line for line in capsys.readouterr().out.splitlines() if "stack" in line]
    assert [int(re.search(r"epoch (\d+)", line)[1]) for line in lines] == [6]


ENSEMBLES = [
    StackedEnsembleClassifier(NETWORK, n_members=4, random_state=0),
    StackedEnsembleClassifier(make_pipeline(StandardScaler(), NETWORK), 4, random_state=0),
    StackedEnsembleRegressor(MLPRegressor(hidden_layer_sizes=(3,), max_iter=6), n_members=4),
    StackedCrossEnsembleClassifier(NETWORK, {"alpha": [0, 1]}, cv=2, restore_best=False),
]


@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=lambda e: type(e).__name__)
def test_ensembles_call_callbacks_for_members_and_epochs(ensemble):
    plain, logger = Plain(), EpochLogger()
    ensemble = ensemble.set_params(callbacks=[plain, logger])
    ensemble.fit(X, Y)
    names = [name for name, _ in plain.told]
    assert names == ["epoch"] * 20 + ["epoch"] * 4 + ["member"] * 4 + ["fit"] or (
        sorted(names) == ["epoch"] * 24 + ["fit"] + ["member"] * 4
    )
    assert names[-1] == "fit"
    losses = [report["loss"] for name, report in plain.told if name == "epoch"]
    assert [row["loss"] for row in logger.rows_] == losses
    ensemble.set_params(callbacks=None)


@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=lambda e: type(e).__name__)
def test_callbacks_get_no_ensemble_that_is_not_fitted_yet(ensemble):
    class Asking(Plain):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            self.told.append((context.task_name, fitted_estimator))

    asking = Asking()
    ensemble = clone(ensemble).set_params(callbacks=[asking])
    # It is fitted again: callbacks do not get the earlier fit either.
    ensemble.fit(X, Y).fit(X, Y)
    assert "fit" in dict(asking.told)
    assert {fitted for _, fitted in asking.told} == {None}


def test_callbacks_are_called_for_members_that_are_fitted_alone():
    plain, network = Plain(), clone(NETWORK).set_params(solver="lbfgs")
    StackedEnsembleClassifier(network, n_members=2, callbacks=[plain]).fit(X, Y)
    assert [name for name, _ in plain.told] == ["member", "member", "fit"]


def test_callbacks_are_called_for_members_whose_validation_fails():
    scores = iter([0.5])

    def once(estimator, X, y):
        for score in scores:
            return score
        raise RuntimeError("once is enough")

    logger = EpochLogger()
    network = clone(NETWORK).set_params(early_stopping=EarlyStopping(once), random_state=0)
    with pytest.raises(RuntimeError, match="once is enough"):
        StackedEnsembleClassifier(network, n_members=2, callbacks=[logger]).fit(X, Y)
    # The second member fails in the first epoch, and the first one in the second epoch.
    told = [(row["epoch"], row["validation_score"]) for row in logger.rows_]
    assert_array_equal(told, [(1, 0.5), (1, np.nan), (2, np.nan)])


class Raising(Callback):
    """Raises an error in the call of a hook with the given number, for a task of a given name."""

    def __init__(self, hook, task_name, number):
        self.hook, self.task_name, self.number = hook, task_name, number

    def setup(self, estimator, context):
        self.n_calls = 0

    def _called(self, hook, context):
        if (hook, context.task_name) == (self.hook, self.task_name):
            self.n_calls += 1
            if self.n_calls == self.number:
                raise RuntimeError("the callback's own")

    def on_fit_task_begin(self, estimator, context):
        self._called("begin", context)

    def on_fit_task_end(self, estimator, context):
        self._called("end", context)


class RaisingInside(Raising):
    max_propagation_depth = 1


HOOKS = [("begin", "member"), ("begin", "epoch"), ("end", "epoch"), ("end", "member")]


@pytest.mark.parametrize("place", HOOKS, ids="-".join)
@pytest.mark.parametrize("number", [1, 3])
def test_errors_of_callbacks_of_an_ensemble_are_raised(place, number):
    ensemble = StackedEnsembleClassifier(NETWORK, 4, callbacks=[Raising(*place, number)])
    with pytest.raises(RuntimeError, match="the callback's own"):
        ensemble.fit(X, Y)


@pytest.mark.parametrize("place", [("begin", "epoch"), ("end", "epoch")], ids="-".join)
def test_error_of_a_callback_of_a_search_fails_one_fit(place):
    pytest.importorskip("sklearn.callback")
    noting = Noting()
    search = StackedGridSearchCV(NETWORK, GRID, cv=2, refit=False)
    with pytest.warns(FitFailedWarning, match="the callback's own"):
        search.set_callbacks(noting, RaisingInside(*place, 3)).fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).sum() == 1
    # All others are trained to the end, and each task that has begun has ended.
    told = counts(noting)
    assert told["end", "fit"] == told["begin", "fit"] == 8 + 1
    assert 40 - 6 < told["begin", "epoch"] < 40


@pytest.mark.filterwarnings("ignore:Training interrupted by user")
def test_callbacks_hear_that_interrupted_fits_end(monkeypatch):
    pytest.importorskip("sklearn.callback")
    interrupt_at(monkeypatch, 3)
    noting = Noting()
    search = StackedGridSearchCV(NETWORK, {"alpha": [0, 1]}, cv=2, refit=False)
    search.set_callbacks(noting).fit(X, Y)
    told = counts(noting)
    assert told["begin", "epoch"] == told["end", "epoch"] == 4 * 2
    assert told["begin", "fit"] == told["end", "fit"] == 4 + 1


def test_callbacks_hear_once_of_epochs_that_are_trained_again():
    pytest.importorskip("sklearn.callback")
    noting = Noting()

    class Failing(Tanh):
        def forward(self, *arguments):
            super().forward(*arguments)
            if ("end", "epoch") in counts(noting):
                raise RuntimeError("in the second epoch")

    grid = {"activation": ["relu", "tanh", Failing()]}
    search = StackedGridSearchCV(NETWORK, grid, cv=2, refit=False).set_callbacks(noting)
    with pytest.warns(FitFailedWarning, match="in the second epoch"):
        search.fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, False, True]
    told = counts(noting)
    assert told["begin", "epoch"] == told["end", "epoch"] == 4 * 6 + 2 * 1
    assert told["begin", "fit"] == told["end", "fit"] == 6 + 1
    ensemble = StackedCrossEnsembleClassifier(NETWORK, grid, cv=2, callbacks=[noting])
    noting.told.clear()
    with pytest.raises(RuntimeError, match="in the second epoch"):
        ensemble.fit(X, Y)
    told = counts(noting)
    assert told["begin", "epoch"] == told["end", "epoch"] == 4 * 6 + 2 * 1


@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=lambda e: type(e).__name__)
def test_ensembles_print_what_is_asked_for(ensemble, capsys):
    ensemble.set_params(verbose=2).fit(X, Y)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[stack")]
    assert sum("6 epochs, loss" in line for line in lines) == 4
    assert "4 networks: epoch 6 of at most 6, 4 ended" in lines[-1]
    if not isinstance(ensemble, StackedCrossEnsembleClassifier):
        assert sum(f"member {i}:" in "".join(lines) for i in range(1, 5)) == 4
    ensemble.set_params(verbose=0).fit(X, Y)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_bars_of_an_ensemble_and_a_cross_validation_reach_the_end(capsys, monkeypatch, n_jobs):
    monkeypatch.setenv("COLUMNS", "160")
    callback = pytest.importorskip("sklearn.callback")
    pytest.importorskip("rich")
    bar = callback.ProgressBar()
    StackedEnsembleClassifier(NETWORK, 20, n_jobs=n_jobs, callbacks=[bar]).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    bars = [line for line in lines if "StackedEnsembleClassifier - " in line]
    assert len(bars) == 21 and all("100%" in line for line in bars)
    stacked_cross_validate(NETWORK, X, Y, cv=4, n_jobs=n_jobs, callbacks=[callback.ProgressBar()])
    bars = [line for line in capsys.readouterr().out.splitlines() if " - split #" in line]
    assert len(bars) == 4 and all("100%" in line for line in bars)


@pytest.mark.parametrize(
    "callback",
    [StopOnPlateau(), Checkpoint("unused"), WeightsRecorder(), GradientRecorder()],
    ids=lambda callback: type(callback).__name__,
)
def test_callbacks_for_a_single_fit_are_refused_with_the_hint_to_use_the_network(callback):
    name = type(callback).__name__
    calls = [
        lambda: StackedEnsembleClassifier(NETWORK, callbacks=[callback]).fit(X, Y),
        lambda: StackedEnsembleClassifier(NETWORK).set_callbacks(callback).fit(X, Y),
        lambda: stacked_cross_validate(NETWORK, X, Y, callbacks=[callback]),
    ]
    # scikit-learn's own searches have callbacks since version 1.9.
    if hasattr(StackedGridSearchCV, "set_callbacks"):
        calls.append(lambda: StackedGridSearchCV(NETWORK, GRID).set_callbacks(callback).fit(X, Y))
    for call in calls:
        with pytest.raises(TypeError, match=rf"{name} is for a single fit; give it to the network"):
            call()


def test_bar_inside_a_stacked_search_is_refused_in_one_line():
    callback = pytest.importorskip("sklearn.callback")
    pytest.importorskip("rich")
    for inner in (
        NETWORK.__sklearn_clone__().set_params(callbacks=[callback.ProgressBar()]),
        NETWORK.__sklearn_clone__().set_callbacks(callback.ProgressBar()),
    ):
        for model in (inner, make_pipeline(StandardScaler(), inner)):
            with pytest.raises(TypeError, match="give it to the search, with set_callbacks") as got:
                StackedGridSearchCV(model, {}).fit(X, Y)
            assert "\n" not in str(got.value)
    with pytest.raises(TypeError, match="callbacks"):
        stacked_cross_validate(NETWORK, X, Y, callbacks=[3])


def of_sizes(network, **options):
    return stacked_learning_curve(network, X, Y, train_sizes=[0.5, 1.0], **options)


def of_values(network, **options):
    return stacked_validation_curve(
        network, X, Y, param_name="alpha", param_range=[0, 1], **options
    )


FUNCTIONS = {
    "LearningCurve": (of_sizes, 4),
    "ValidationCurve": (of_values, 4),
    "CrossValidationScore": (
        lambda net, **options: stacked_cross_val_score(net, X, Y, **options),
        2,
    ),
}
EVERY_FUNCTION = pytest.mark.parametrize("name", FUNCTIONS)


@EVERY_FUNCTION
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_functions_call_callbacks_for_each_network(name, n_jobs, capsys, monkeypatch):
    function, n_networks = FUNCTIONS[name]
    plain = Plain()
    told = function(NETWORK, cv=2, n_jobs=n_jobs, callbacks=[plain])
    names = [name for name, _ in plain.told]
    if n_jobs is None:
        assert sorted(names) == ["epoch"] * 6 * n_networks + ["fit"] + ["split"] * n_networks
    assert names[-1] == "fit"
    for one, same in zip(told, function(NETWORK, cv=2), strict=True):
        assert_array_equal(one, same)
    callback = pytest.importorskip("sklearn.callback")
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "160")
    function(NETWORK, cv=2, n_jobs=n_jobs, callbacks=[callback.ProgressBar()])
    bars = [line for line in capsys.readouterr().out.splitlines() if f"{name} - " in line]
    assert len(bars) == n_networks + 1 and all("100%" in line for line in bars)


def test_a_callback_of_a_network_without_a_list_is_refused_by_name():
    network = clone(NETWORK).set_params(callbacks=EpochLogger())
    search = StackedGridSearchCV(network, GRID, cv=2, error_score="raise")
    with pytest.raises(TypeError, match="'callbacks' parameter of MLPBinaryClassifier must be an"):
        search.fit(X, Y)


@EVERY_FUNCTION
def test_functions_refuse_callbacks_with_a_hint_where_they_work(name):
    function, _ = FUNCTIONS[name]
    with pytest.raises(
        TypeError, match="StopOnPlateau is for a single fit; give it to the network"
    ):
        function(NETWORK, callbacks=[StopOnPlateau()])
    with pytest.raises(TypeError, match="'callbacks' parameter of stacked_"):
        function(NETWORK, callbacks=[3])
    callback = pytest.importorskip("sklearn.callback")
    pytest.importorskip("rich")
    inner = NETWORK.__sklearn_clone__().set_params(callbacks=[callback.ProgressBar()])
    with pytest.raises(TypeError, match=r"inside stacked_\w+\(\): .* give it to the function, as"):
        function(inner)


def test_incremental_learning_curve_has_no_whole_fits_to_report():
    with pytest.raises(ValueError, match="whole fits, of which there are none"):
        of_sizes(NETWORK, exploit_incremental_learning=True, callbacks=[Plain()])
