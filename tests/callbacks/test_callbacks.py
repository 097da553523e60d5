"""Callbacks: what they are called with, what they may request, and that they change nothing.

A new built-in callback needs one row of ``CASES``.
"""

import pickle
import re
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
    callbacks,
)
from skperceptron._sklearn import callback_contexts
from skperceptron._sklearn.estimators import OF_RUNNING_FIT
from skperceptron.callbacks import (
    Callback,
    Checkpoint,
    CSVLogger,
    EpochLogger,
    StopOnPlateau,
    loggers,
    stop_on_plateau,
)
from skperceptron.exceptions import DivergedError
from skperceptron.inspection import GradientRecorder
from skperceptron.stopping import EarlyStopping

try:
    import sklearn.callback as sklearn_callback
except ImportError:
    sklearn_callback = None

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
needs_framework = pytest.mark.skipif(
    sklearn_callback is None, reason="scikit-learn has no callbacks before 1.9"
)

X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)[:200]
Y = Y[:200]
TARGET = load_diabetes(return_X_y=True)[1][:200]

NETWORK = {"hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0, "tol": 0.0}
ESTIMATORS = [
    MLPBinaryClassifier(**NETWORK),
    MLPSoftmaxClassifier(**NETWORK),
    MLPRegressor(**NETWORK),
    MLPBinaryClassifier(**NETWORK, solver="lbfgs"),
    RosenblattPerceptron(20, max_iter=5, random_state=0),
]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


def target_of(estimator):
    return TARGET if isinstance(estimator, MLPRegressor) else Y


# Every built-in callback: when it ends a training, and that it changes nothing else.


@dataclass
class Case:
    """The properties of a callback.

    Attributes
    ----------
    make : callable
        Returns the callback, with parameters other than the defaults, from the path of a file.
    ends_after : callable
        Returns the number of epochs after which it ends a training, or None if it never does, from
        the training and validation losses of all epochs, as arrays.
    """

    make: Callable
    ends_after: Callable = lambda losses, validation: None


def textbook_plateau(losses, validation):
    """Prechelt (1998), UP: stop after three epochs without a loss 0.01 below the best before."""
    for n in range(3, len(validation) + 1):
        best_before = [validation[:i].min(initial=np.inf) for i in range(n)]
        if all(validation[i] >= best_before[i] - 0.01 for i in range(n - 3, n)):
            return n
    return None


CASES = {
    Checkpoint: Case(lambda path: Checkpoint(path, every_n_epochs=2)),
    CSVLogger: Case(lambda path: CSVLogger(path.with_suffix(".csv"))),
    EpochLogger: Case(lambda path: EpochLogger()),
    StopOnPlateau: Case(
        lambda path: StopOnPlateau("validation_loss", patience=2, tol=0.01), textbook_plateau
    ),
}
EVERY_CALLBACK = pytest.mark.parametrize("cls", CASES, ids=lambda cls: cls.__name__)


def test_every_callback_has_a_row_in_the_table():
    found = {getattr(callbacks, name) for name in callbacks.__all__}
    assert set(CASES) == found - {Callback}


def overfitted(**options):
    """Return a network that memorizes few rows: its validation loss falls, then rises."""
    rng = np.random.RandomState(0)
    rows, labels = rng.normal(size=(120, 5)), rng.randint(2, size=120)
    labels[:80:2] = rows[:80:2, 0] > 0
    labels[80:] = rows[80:, 0] > 0
    model = MLPBinaryClassifier(
        (30,),
        learning_rate_init=0.02,
        random_state=0,
        dtype="float64",
        early_stopping=EarlyStopping("loss", patience=np.inf, restore_best=False),
        **{"max_iter": 40} | options,
    )
    return model.fit(rows[:80], labels[:80], X_val=rows[80:], y_val=labels[80:])


@EVERY_CALLBACK
def test_training_ends_when_the_formula_says_and_is_otherwise_the_same(cls, tmp_path):
    whole = overfitted()
    curves = np.array(whole.loss_curve_), np.array(whole.validation_loss_curve_)
    case = CASES[cls]
    ends = case.ends_after(*curves)
    # If the callback ends trainings, it must do so here, neither at once nor at the end.
    assert ends is None or 3 < ends < 30
    plain = overfitted(max_iter=ends or 40)
    callback = pickle.loads(pickle.dumps(case.make(tmp_path / "fit.npz")))
    # A second fit with the same callback gives the same model.
    for _ in range(2):
        found = overfitted(callbacks=[callback])
        assert found.n_iter_ == plain.n_iter_
        assert_array_equal(found.loss_curve_, plain.loss_curve_)
        assert_array_equal(found.coefs_[0], plain.coefs_[0])
        assert set(vars(found)) == set(vars(plain))


class Witness(Callback):
    """Notes all calls, and requests a fitted estimator."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at

    def setup(self, estimator, context):
        self.events = ["setup"]
        self.told, self.predictions, self.offered, self.task_ids = [], [], [], []

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.events.append(f"begin {context.task_name}")
        self.task_ids.append(context.task_id)
        self.offered.append(X)

    def on_fit_task_end(self, estimator, context, *, X=None, metadata=None, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        if fitted_estimator is None:
            return False
        self.told.append(getattr(context, "report", None))
        self.predictions.append(fitted_estimator.predict(X))
        self.metadata = metadata
        return self.stop_at is not None and len(self.told) == self.stop_at


@every_estimator
def test_hooks_are_called_in_order_and_predictions_are_those_of_the_moment(estimator):
    y = target_of(estimator)
    witness = Witness()
    model = clone(estimator).set_params(callbacks=[witness]).fit(X, y)
    epochs = [event for event in witness.events if event.split()[-1] in ("epoch", "iteration")]
    assert witness.events[:2] == ["setup", "begin fit"]
    assert witness.events[-2:] == ["end fit", "teardown"]
    assert all(e.startswith("begin") for e in epochs[::2])
    assert all(e.startswith("end") for e in epochs[1::2])
    # The last call is for the whole fit.
    assert len(witness.told) == model.n_iter_ + 1
    assert_array_equal(witness.predictions[-1], model.predict(X))
    plain = clone(estimator).set_params(max_iter=2).fit(X, y)
    assert_array_equal(witness.predictions[1], plain.predict(X))
    assert all(offered is X for offered in witness.offered)
    assert [told["epoch"] for told in witness.told[:-1]] == list(range(1, model.n_iter_ + 1))


@every_estimator
def test_callbacks_change_no_model(estimator):
    y = target_of(estimator)
    watched = clone(estimator).set_params(callbacks=[Witness()]).fit(X, y)
    plain = clone(estimator).fit(X, y)
    assert_array_equal(watched.predict(X), plain.predict(X))
    extra = set(vars(watched)) ^ set(vars(plain))
    assert not extra


@every_estimator
def test_a_callback_may_end_the_training(estimator):
    y = target_of(estimator)
    stopped = clone(estimator).set_params(callbacks=[Witness(stop_at=2)]).fit(X, y)
    assert stopped.n_iter_ == 2
    shorter = clone(estimator).set_params(max_iter=2).fit(X, y)
    assert_array_equal(stopped.predict(X), shorter.predict(X))


@every_estimator
def test_callbacks_are_torn_down_when_the_fit_fails(estimator):
    class Breaks(Witness):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("on purpose")

    y = target_of(estimator)
    callback = Breaks()
    model = clone(estimator).fit(X, y)
    before = set(vars(model))
    expected = model.predict(X)
    model.set_params(callbacks=[callback])
    with pytest.raises(RuntimeError, match="on purpose"):
        model.fit(X[:50], y[:50])
    assert callback.events[-1] == "teardown"
    assert set(vars(model)) == before
    assert_array_equal(model.predict(X), expected)


@every_estimator
@pytest.mark.parametrize("hook", ["on_fit_task_end", "teardown"])
def test_a_callback_that_fails_after_the_training_leaves_the_earlier_fit(estimator, hook):
    class Breaks(Callback):
        def on_fit_task_end(self, estimator, context):
            return self._break("on_fit_task_end", context)

        def teardown(self, estimator, context):
            self._break("teardown", context)

        def _break(self, place, context):
            if place == hook and not hasattr(context, "report"):
                raise RuntimeError("on purpose")

    y = target_of(estimator)
    model = clone(estimator).fit(X, y).set_params(callbacks=[Breaks()])
    before = dict(vars(model))
    with pytest.raises(RuntimeError, match="on purpose"):
        model.fit(X[:50], y[:50])
    assert vars(model) == before


class KeepsCopies(Callback):
    """Keeps copies of the estimator of each epoch."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if hasattr(context, "report"):
            pickled = pickle.loads(pickle.dumps(fitted_estimator))
            self.copies = [fitted_estimator, pickled, deepcopy(estimator), clone(estimator)]


@every_estimator
def test_copies_that_are_made_during_a_fit_do_not_take_part_in_it(estimator):
    y, keeper = target_of(estimator), KeepsCopies()
    clone(estimator).set_params(callbacks=[EpochLogger(), keeper]).fit(X, y)
    for copied in keeper.copies:
        assert not OF_RUNNING_FIT & set(vars(copied))
        logger, _ = copied.callbacks
        logger.rows_ = []
        copied.set_params(callbacks=[logger]).fit(X, y)
        assert [row["epoch"] for row in logger.rows_] == list(range(1, copied.n_iter_ + 1))
        assert set(vars(copied)) == set(vars(clone(estimator).fit(X, y)))


@every_estimator
def test_copies_that_are_made_inside_a_search_do_not_take_part_in_it(estimator):
    y, keeper = target_of(estimator), KeepsCopies()
    search = GridSearchCV(clone(estimator).set_params(callbacks=[keeper]), {"max_iter": [2]}, cv=2)
    if hasattr(search, "set_callbacks"):
        search.set_callbacks(EpochLogger())
    search.fit(X, y)
    (keeper,) = search.best_estimator_.callbacks
    for copied in keeper.copies:
        assert not {name for name in vars(copied) if name.endswith("_ctx")}


@every_estimator
def test_set_callbacks_and_the_parameter_work_together(estimator):
    first, second = Witness(), Witness()
    model = clone(estimator).set_params(callbacks=[first]).set_callbacks(second)
    model.fit(X, target_of(estimator))
    assert first.events == second.events
    model.set_callbacks()
    second.events.clear()
    model.fit(X, target_of(estimator))
    assert not second.events


@pytest.mark.parametrize("callback", [3, Witness, "progress"], ids=["number", "class", "string"])
def test_other_objects_are_refused_as_callbacks(callback):
    with pytest.raises(TypeError, match="FitCallback protocol"):
        MLPBinaryClassifier(callbacks=[callback]).fit(X, Y)


def test_a_hook_of_another_library_gives_a_warning_where_it_is_defined(recwarn):
    class Own(Callback):
        def on_epoch_end(self, estimator, context):
            raise AssertionError

        def on_improvement(self):
            """A helper that only this class calls."""

    class Inherits(Own):
        def on_fit_task_end(self, estimator, context):
            return False

    [warning] = recwarn
    assert re.search(r"Own\.on_epoch_end is never called: .* on_fit_task_end", str(warning.message))
    assert warning.filename == __file__


def test_partial_fit_reports_its_only_epoch():
    witness = Witness()
    model = MLPBinaryClassifier((4,), random_state=0, callbacks=[witness])
    model.partial_fit(X, Y, classes=[0, 1], sample_weight=np.ones(len(X)))
    assert witness.events.count("begin epoch") == 1
    assert_array_equal(witness.metadata["sample_weight"], np.ones(len(X)))


@pytest.mark.parametrize("cls", [MLPBinaryClassifier, RosenblattPerceptron])
def test_partial_fit_counts_epochs_on_and_a_fit_begins_anew(cls, capsys, monkeypatch):
    monkeypatch.setattr("skperceptron.estimators.continuation.KEPT_EPOCHS", 1)
    monkeypatch.setattr("skperceptron.perceptron.estimator.KEPT_EPOCHS", 1)
    logger = EpochLogger()
    model = cls(random_state=0, max_iter=2, warm_start=True, verbose=True, callbacks=[logger])
    for _ in range(3):
        model.partial_fit(X, Y, classes=[0, 1])
    model.fit(X, Y)
    model = pickle.loads(pickle.dumps(model)).partial_fit(X, Y)
    assert [row["epoch"] for row in logger.rows_] == [1, 2, 3, 1, 2]
    [copied] = model.callbacks
    assert copied.rows_[-1]["epoch"] == 3
    printed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    rows = [int(word) for word in printed if word.isdigit()]
    assert rows == [row["epoch"] for row in copied.rows_]


def test_logger_keeps_the_curves_of_the_estimator():
    logger = EpochLogger()
    model = MLPBinaryClassifier(**NETWORK, callbacks=[logger], early_stopping=True)
    for _ in range(2):
        model.fit(X, Y)
    second = [row for row in logger.rows_ if row["fit"] == 2]
    assert [row["loss"] for row in second] == model.loss_curve_
    assert [row["validation_score"] for row in second] == model.validation_scores_
    assert [row["validation_loss"] for row in second] == model.validation_loss_curve_
    assert {row["learning_rate"] for row in second} == {0.001}
    assert all(np.diff([row["seconds"] for row in second]) > 0)


def test_logger_distinguishes_fits_that_run_at_the_same_time(monkeypatch):
    clock = iter([10.0, 12.0, 13.0, 14.0, 17.0])
    monkeypatch.setattr(loggers, "perf_counter", lambda: next(clock))
    logger, fits = EpochLogger(), [object(), object()]
    for fit in fits:
        logger.setup(fit, None)
    for k, loss in ((0, 3.0), (1, 5.0), (0, 2.0)):
        logger.on_fit_task_end(fits[k], SimpleNamespace(report={"epoch": 1, "loss": loss}))
    told = [(row["fit"], row["loss"], row["seconds"]) for row in logger.rows_]
    assert told == [(1, 3.0, 3.0), (2, 5.0, 2.0), (1, 2.0, 7.0)]


def test_logger_follows_the_copy_of_an_estimator_in_a_worker_process():
    logger = EpochLogger()
    logger.setup(object(), None)
    copied = pickle.loads(pickle.dumps(logger))
    copied.on_fit_task_end(object(), SimpleNamespace(report={"epoch": 1, "loss": 0.5}))
    assert [row["loss"] for row in copied.rows_] == [0.5]


@every_estimator
def test_an_estimator_is_not_fitted_while_it_is_being_fitted(estimator):
    errors = []

    class Asks(Callback):
        def on_fit_task_end(self, estimator, context):
            for one in (estimator, deepcopy(estimator)) if hasattr(context, "report") else ():
                with pytest.raises(NotFittedError) as caught:
                    one.predict(X)
                errors.append(caught)
            return False

    fitted = clone(estimator).set_params(callbacks=[Asks()]).fit(X, target_of(estimator))
    assert errors
    fitted.predict(X)


def test_lines_of_other_columns_are_not_appended(tmp_path):
    path = tmp_path / "epochs.csv"
    logger = CSVLogger(path, append=True)
    network = MLPBinaryClassifier((4,), max_iter=2, random_state=0, callbacks=[logger]).fit(X, Y)
    content = path.read_text()
    network.set_params(early_stopping=True)
    with pytest.raises(ValueError, match=r"epochs\.csv has the columns .* append it to another"):
        network.fit(X, Y)
    assert path.read_text() == content


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\x00\xff", "loss".encode("utf-16"), b"x" * 200_000], ids=len
)
def test_nothing_is_appended_to_a_file_that_is_not_a_table(content, tmp_path):
    path = tmp_path / "epochs.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"epochs\.csv has the columns .* append it to another"):
        MLPRegressor(**NETWORK, callbacks=[CSVLogger(path, append=True)]).fit(X, TARGET)
    assert path.read_bytes() == content


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "marked"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=repr)
def test_lines_are_appended_below_the_last_one(mark, end, tmp_path):
    path = tmp_path / "epochs.csv"
    path.write_text(f"{mark}epoch,loss,learning_rate\n7,8,9{end}", encoding="utf-8", newline="")
    MLPRegressor(**NETWORK, callbacks=[CSVLogger(path, append=True)]).fit(X, TARGET)
    lines = path.read_text().splitlines()
    assert lines[1] == "7,8,9"
    assert [line.split(",")[0] for line in lines[2:]] == list("12345")


def test_no_incomplete_line_stays_in_a_file_that_cannot_grow(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "epochs.csv"
    logger = CSVLogger(path, append=True)
    network = MLPBinaryClassifier((4,), max_iter=2, random_state=0, callbacks=[logger]).fit(X, Y)
    content = path.read_text()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(path.read_bytes()) + 9, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            network.fit(X, Y)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == content


def test_logger_keeps_the_mistakes_of_a_perceptron():
    logger = EpochLogger()
    model = RosenblattPerceptron(20, max_iter=5, random_state=0, callbacks=[logger]).fit(X, Y)
    assert [row["mistakes"] for row in logger.rows_] == model.mistakes_


def test_logger_makes_a_data_frame():
    pytest.importorskip("pandas")
    logger = EpochLogger()
    MLPRegressor(**NETWORK, callbacks=[logger]).fit(X, TARGET)
    frame = logger.to_frame()
    assert list(frame.columns) == ["fit", "epoch", "loss", "learning_rate", "seconds"]
    assert len(frame) == 5


def test_logger_without_a_fit_has_no_table():
    logger = EpochLogger()
    clones = GridSearchCV(MLPRegressor(**NETWORK, callbacks=[logger]), {"alpha": [0]}, cv=2)
    clones.fit(X, TARGET)
    with pytest.raises(NotFittedError, match="EpochLogger has no rows yet: no fit has used it"):
        logger.to_frame()


def ends(callback, history, monitor="loss", epoch=None):
    """Return whether a callback ends a fit after an epoch, by default the last in the history."""
    report = {"epoch": epoch or len(history), "history": {monitor: history}}
    return callback.on_fit_task_end(None, SimpleNamespace(report=report))


@pytest.mark.parametrize(
    "values, monitor, n_epochs",
    [
        ([3, 2, 1, 1, 1, 1, 1, 1], "loss", 6),
        ([3, 2.95, 2.9, 2.85, 2.8], "loss", 4),
        ([1, 2, 3, 3, 3, 3, 3, 3], "validation_score", 6),
        ([5, 4, 3, 2, 1], "mistakes", None),
    ],
)
def test_plateaus_end_training_after_the_patience(values, monitor, n_epochs):
    callback = StopOnPlateau(monitor, patience=2, tol=0.1)
    epochs = range(1, len(values) + 1)
    stops = (epoch for epoch in epochs if ends(callback, values[:epoch], monitor))
    assert next(stops, None) == n_epochs


def test_a_plateau_of_rare_validations_ends_at_a_validation():
    values = [np.nan, np.nan, 3.0, np.nan, np.nan, 3.0, np.nan, np.nan, 3.0]
    callback, history = StopOnPlateau("validation_loss", patience=1), []
    stops = []
    for value in values:
        history.append(value)
        stops.append(ends(callback, history, "validation_loss"))
    assert stops.index(True) + 1 == 6


def test_an_epoch_that_diverges_has_no_validation_metrics_and_no_callback_hides_it():
    class Last(Callback):
        def on_fit_task_end(self, estimator, context):
            self.report = getattr(context, "report", None) or self.report
            return False

    last = Last()
    model = MLPRegressor(
        hidden_layer_sizes=(4,),
        activation="identity",
        solver="sgd",
        learning_rate_init=1e38,
        batch_size=16,
        dtype="float32",
        early_stopping=True,
        callbacks=[StopOnPlateau("validation_loss"), last],
    )
    with pytest.raises(DivergedError, match="learning_rate_init=1e\\+38 is too large"):
        model.fit(X, TARGET)
    for value in ("validation_score", "validation_loss"):
        assert_array_equal(last.report[value], np.nan)
        assert_array_equal(last.report["history"][value], [np.nan])


class Counted(list):
    """Counts how many of its items are read."""

    n_read = 0

    def __getitem__(self, place):
        found = super().__getitem__(place)
        self.n_read += len(found) if isinstance(place, slice) else 1
        return found

    def __iter__(self):
        self.n_read += len(self)
        return super().__iter__()


def test_a_plateau_reads_each_value_once():
    callback, history = StopOnPlateau(patience=1000), Counted()
    callback.setup(None, None)
    for epoch in range(1, 501):
        history.append(1 / epoch)
        assert not ends(callback, history)
    assert history.n_read == 500


def test_a_plateau_counts_what_a_resumed_fit_has_waited_and_not_what_an_earlier_fit_has():
    values = [1.0, 2.0, 2.0]
    # Of 3 epochs of this fit, 2 have not improved; the epochs of an earlier one do not count.
    for history, epoch, stops in ((values, 3, True), ([0.5] * 10 + values[:1], 1, False)):
        callback = StopOnPlateau(patience=1)
        callback.setup(None, None)
        assert ends(callback, history, epoch=epoch) is stops


def test_a_plateau_forgets_the_fit_before():
    callback = StopOnPlateau(patience=3, tol=1e9)
    model = MLPBinaryClassifier(**NETWORK | {"max_iter": 50}, callbacks=[callback])
    # The first epoch always counts as an improvement, the next four do not.
    assert [model.fit(X, Y).n_iter_ for _ in range(2)] == [5, 5]
    assert not callback._read.history
    model.set_params(warm_start=True)
    assert [model.fit(X, Y).n_iter_ for _ in range(2)] == [5, 5]


def test_a_plateau_of_one_fit_is_not_that_of_a_fit_in_another_thread(monkeypatch):
    callback = StopOnPlateau(patience=1)
    is_of = stop_on_plateau._Read.is_of

    def interrupted(read, history):
        if len(history) == 3:
            callback._read = stop_on_plateau._Read([5.0, 4.0, 3.0])
        return is_of(read, history)

    monkeypatch.setattr(stop_on_plateau._Read, "is_of", interrupted)
    history = []
    for loss, stops in ((2.0, False), (2.0, False), (2.0, True)):
        history.append(loss)
        assert ends(callback, history) is stops


def calls_of_an_epoch(n_epochs, make_callback):
    """Return the average number of calls of Python functions in an epoch of a fit."""
    n_calls = 0

    def count(frame, event, argument):
        nonlocal n_calls
        n_calls += event in ("call", "c_call")

    callbacks = [make_callback()] if make_callback else None
    options = NETWORK | {"max_iter": n_epochs, "n_iter_no_change": np.inf, "batch_size": 200}
    model = MLPBinaryClassifier(**options, callbacks=callbacks)
    sys.setprofile(count)
    try:
        model.fit(X, Y)
    finally:
        sys.setprofile(None)
    return n_calls / n_epochs


@pytest.mark.parametrize("make_callback", [EpochLogger, StopOnPlateau, GradientRecorder, None])
def test_an_epoch_takes_as_many_calls_after_many_epochs_as_after_few(make_callback):
    if make_callback is StopOnPlateau:
        make_callback = partial(StopOnPlateau, patience=1000)
    few, many = (calls_of_an_epoch(n, make_callback) for n in (20, 80))
    assert many <= few


def test_lbfgs_prints_each_iteration_and_keeps_the_losses(capsys):
    logger = EpochLogger()
    model = MLPBinaryClassifier(**NETWORK, solver="lbfgs", verbose=True, callbacks=[logger])
    model.fit(X, Y)
    losses = [row["loss"] for row in logger.rows_]
    assert model.loss_curve_ == losses
    assert len(losses) == model.n_iter_ == 5
    assert model.loss_ == losses[-1]
    heading, *rows, end = capsys.readouterr().out.splitlines()
    assert heading.split()[:2] == ["iteration", "loss"]
    told = [row.split()[:2] for row in rows]
    assert told == [[str(i), f"{loss:.6f}"] for i, loss in enumerate(losses, start=1)]
    assert end == f"L-BFGS: 5 iterations, loss = {losses[-1]:.8f}"
    model.set_params(verbose=False, solver="adam").fit(X, Y)
    assert len(model.loss_curve_) == 5
    assert not capsys.readouterr().out


def test_lbfgs_keeps_the_losses_of_its_last_call():
    model = MLPBinaryClassifier(**NETWORK, solver="lbfgs", warm_start=True).fit(X, Y)
    first = model.loss_curve_
    assert model.fit(X, Y).loss_curve_[0] < first[0]
    assert len(model.loss_curve_) == model.n_iter_


@pytest.mark.parametrize(
    "callback, fragment",
    [
        (StopOnPlateau("validation_loss"), r"monitor='validation_loss'.*\['loss'\]"),
        (StopOnPlateau(patience=0), r"'patience' .* StopOnPlateau .* \[1, inf\).* Got 0"),
        (StopOnPlateau(patience="3"), r"'patience' .* StopOnPlateau .* Got '3'"),
        (Checkpoint(None), r"'path' .* Checkpoint .* a path.* Got None"),
        # An empty path would stand for the working directory.
        (Checkpoint(""), "'path' .* Checkpoint .* not empty .* Got ''"),
        (CSVLogger(""), "'path' .* CSVLogger .* not empty .* Got ''"),
        (StopOnPlateau(tol=-1), r"'tol' .* StopOnPlateau .* \[0, inf\)\. Got -1"),
        (Checkpoint("x", every_n_epochs=0), "'every_n_epochs' .* Checkpoint .* Got 0"),
        (Checkpoint("x", every_n_seconds=-1), "'every_n_seconds' .* Checkpoint .* Got -1"),
    ],
    ids=repr,
)
def test_bad_callbacks_are_refused(callback, fragment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=fragment):
        MLPBinaryClassifier(**NETWORK, callbacks=[callback]).fit(X, Y)
    assert not any(tmp_path.iterdir())


def test_each_clone_has_callbacks_of_its_own():
    model = MLPBinaryClassifier(**NETWORK, callbacks=[EpochLogger()])
    results = cross_validate(model, X, Y, cv=3, return_estimator=True)
    loggers = [estimator.callbacks[0] for estimator in results["estimator"]]
    assert [len(logger.rows_) for logger in loggers] == [5, 5, 5]
    assert not hasattr(model.callbacks[0], "rows_")


# Our replacement for scikit-learn's callback framework behaves like it.


@needs_framework
@every_estimator
def test_older_versions_call_callbacks_in_the_same_way(estimator, monkeypatch):
    y = target_of(estimator)
    with_framework = Witness()
    clone(estimator).set_params(callbacks=[with_framework]).fit(X, y)

    class Older(callback_contexts.CallbackSupportMixin, type(estimator)):
        pass

    monkeypatch.setattr(
        "skperceptron.callbacks.listening.callback_management_context",
        callback_contexts.callback_management_context,
    )
    stand_in = Witness()
    Older(**estimator.get_params()).set_params(callbacks=[stand_in]).fit(X, y)
    assert stand_in.events == with_framework.events
    assert stand_in.task_ids == with_framework.task_ids
    assert_array_equal(stand_in.predictions[-1], with_framework.predictions[-1])


@every_estimator
@pytest.mark.parametrize("is_older", [False, True])
def test_all_callbacks_are_torn_down_even_if_one_fails_to(estimator, is_older, monkeypatch):
    class Breaks(Callback):
        def teardown(self, estimator, context):
            raise RuntimeError("on purpose")

    cls = type(estimator)
    # With an older version of scikit-learn, the class itself has this base.
    if is_older and not issubclass(cls, callback_contexts.CallbackSupportMixin):

        class Older(callback_contexts.CallbackSupportMixin, cls):
            pass

        cls = Older
        monkeypatch.setattr(
            "skperceptron.callbacks.listening.callback_management_context",
            callback_contexts.callback_management_context,
        )
    first, last = Witness(), Witness()
    model = cls(**estimator.get_params()).set_params(callbacks=[first, Breaks(), last])
    with pytest.raises(RuntimeError, match="on purpose"):
        model.fit(X, target_of(estimator))
    assert first.events[-1] == last.events[-1] == "teardown"


def test_clones_share_what_was_set_in_older_versions_too(monkeypatch):
    class Older(callback_contexts.CallbackSupportMixin, BaseEstimator):
        pass

    monkeypatch.setattr(BaseEstimator, "__sklearn_clone__", lambda self: type(self)())
    witness = Witness()
    assert clone(Older().set_callbacks(witness))._skl_callbacks == [witness]
    assert not hasattr(clone(Older()), "_skl_callbacks")


def test_callbacks_that_were_set_are_called_for_the_fits_of_a_search():
    logger = EpochLogger()
    model = MLPBinaryClassifier(**NETWORK).set_callbacks(logger)
    GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2).fit(X, Y)
    # Two candidates on two folds, and the best on all rows.
    assert [row["fit"] for row in logger.rows_] == [1] * 5 + [2] * 5 + [3] * 5 + [4] * 5 + [5] * 5


@needs_framework
@every_estimator
@pytest.mark.parametrize("wrap", ["alone", "pipeline", "search"])
def test_progress_bars_of_scikit_learn_work(estimator, wrap, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    y = target_of(estimator)
    model = clone(estimator)
    if wrap == "pipeline":
        model = make_pipeline(StandardScaler(), model)
    if wrap == "search":
        model = GridSearchCV(model, {"max_iter": [2, 3]}, cv=2)
    model.set_callbacks(sklearn_callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    bars = [line for line in lines if f"{type(estimator).__name__} - fit" in line]
    assert bars and all("100%" in bar for bar in bars)


@needs_framework
@every_estimator
def test_progress_bars_inside_a_pipeline_are_refused_with_the_hint_to_use_the_pipeline(estimator):
    pytest.importorskip("rich")
    inner = clone(estimator).set_params(callbacks=[sklearn_callback.ProgressBar()])
    model = make_pipeline(StandardScaler(), inner)
    name = type(estimator).__name__
    sentence = rf"\[ProgressBar\(\)\] of {name} inside .*outermost.*set_callbacks"
    with pytest.raises(TypeError, match=sentence):
        model.fit(X, target_of(estimator))


@needs_framework
@every_estimator
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_search_goes_on_without_progress_bars_inside_and_says_in_one_line_where_they_belong(
    estimator, in_pipeline, capsys
):
    pytest.importorskip("rich")
    logger = EpochLogger()
    model = clone(estimator).set_params(callbacks=[sklearn_callback.ProgressBar(), logger])
    if in_pipeline:
        model = make_pipeline(StandardScaler(), model)
    search = GridSearchCV(model, {}, cv=2, error_score="raise")
    with pytest.warns(UserWarning, match=r"left out.*\(GridSearchCV\).*set_callbacks") as caught:
        search.fit(X, target_of(estimator))
    told = [str(one.message) for one in caught if "left out" in str(one.message)]
    assert len(told) == 1 and "\n" not in told[0]
    assert all(one.filename == __file__ for one in caught if "left out" in str(one.message))
    assert "%" not in capsys.readouterr().out
    # Other callbacks stay.
    inner = search.best_estimator_[-1] if in_pipeline else search.best_estimator_
    assert any(isinstance(callback, EpochLogger) for callback in inner.callbacks)


@needs_framework
@every_estimator
@pytest.mark.parametrize("wrap", ["alone", "pipeline", "search"])
def test_score_monitors_of_scikit_learn_work(estimator, wrap):
    y = target_of(estimator)
    scoring = "r2" if isinstance(estimator, MLPRegressor) else "accuracy"
    monitor = sklearn_callback.ScoringMonitor(scoring=scoring)
    model = inner = clone(estimator).set_callbacks(monitor)
    if wrap == "pipeline":
        model = make_pipeline(StandardScaler(), inner)
    if wrap == "search":
        model = GridSearchCV(inner, {"max_iter": [5]}, cv=2)
    model.fit(X, y)
    (log,) = monitor.get_logs(select="all")
    names = [row["task_name"] for row in log.data]
    # Each fit logs its epochs, and itself at the end.
    n_fits = 3 if wrap == "search" else 1
    assert sum(name in ("epoch", "iteration") for name in names) == 5 * n_fits
    scores = [row[scoring] for row in log.data]
    assert len(scores) == len(names) == 6 * n_fits
    if wrap == "alone":
        assert_allclose(scores[-1], model.score(X, y))


class Reporting(Callback):
    """Keeps the largest numbers of epochs that it is told."""

    def setup(self, estimator, context):
        super().setup(estimator, context)
        self.told = [*getattr(self, "told", []), context.max_subtasks]


@every_estimator
def test_the_largest_number_of_epochs_is_reported(estimator):
    callback = Reporting()
    model = clone(estimator).set_params(callbacks=[callback]).fit(X, target_of(estimator))
    if hasattr(model, "partial_fit"):
        model.partial_fit(X, target_of(estimator))
        assert callback.told == [5, 1]
    else:
        assert callback.told == [5]
