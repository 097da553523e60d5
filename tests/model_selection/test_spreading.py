"""Tasks spread over workers: where they run, and what is kept of an interruption."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from _thread import interrupt_main
from contextlib import suppress
from importlib import import_module
from threading import Event, Semaphore
from time import sleep
from types import SimpleNamespace

import numpy as np
import pytest
from joblib import parallel_config, wrap_non_picklable_objects
from joblib.parallel import get_active_backend
from numpy.testing import assert_array_equal
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skperceptron import MLPBinaryClassifier
from skperceptron._sklearn.pipelines import last_step
from skperceptron.model_selection import (
    StackedEnsembleClassifier,
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
)
from skperceptron.model_selection import _spreading as spreading
from skperceptron.model_selection._parallel import Call
from skperceptron.model_selection._spreading import Workers
from skperceptron.training import Stack
from skperceptron.training.quiet_epochs import FEW_EPOCHS
from skperceptron.usercall import users_line
from tests.interrupting import interrupt_at

X = np.random.RandomState(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
NETWORK = MLPBinaryClassifier((4,), max_iter=4, n_iter_no_change=5, random_state=0)


@pytest.fixture
def none_running(monkeypatch):
    """Pretend that no worker is running, whatever other tests have started."""
    monkeypatch.setattr(spreading, "active_children", list)


def turn_to(monkeypatch, seconds):
    """Let the clock return these times, one after another."""
    times = iter(seconds)
    monkeypatch.setattr(spreading, "time", SimpleNamespace(perf_counter=lambda: next(times)))


def spread(n_tasks=4, expected=0.0, **options):
    """Spread tasks over two workers; return for each task whether it ran in this process."""
    workers = Workers(2)
    with workers:
        tasks = ((os.getpid,) for _ in range(n_tasks))
        found = list(workers.spread(tasks, n_tasks, expected, **options))
    is_here = [process == os.getpid() for _, process in sorted(found)]
    assert len(found) == n_tasks
    assert workers.n_here == sum(is_here)
    return is_here


@pytest.mark.usefixtures("none_running")
def test_short_work_starts_no_workers():
    assert spread() == [True] * 4


@pytest.mark.usefixtures("none_running")
def test_long_work_starts_workers_at_once():
    assert spread(expected=1e3) == [False] * 4


@pytest.mark.usefixtures("none_running")
def test_work_that_turns_out_to_be_long_starts_workers_on_the_way(monkeypatch):
    # By this clock each task takes a second. Two workers halve the time of the remaining tasks.
    turn_to(monkeypatch, range(100))
    monkeypatch.setattr(spreading, "START", 1.25)
    assert spread(3) == [True] * 3
    assert spread(4) == [True, False, False, False]


@pytest.mark.usefixtures("none_running")
def test_work_stays_where_it_must():
    assert spread(expected=1e3, must_stay=lambda: True) == [True] * 4


def test_running_workers_are_used():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spreading, "START", 0.0)
        assert spread() == [False] * 4
    assert spread() == [False] * 4


@pytest.mark.usefixtures("none_running")
def test_results_come_with_the_numbers_of_the_tasks():
    for expected in (0.0, 1e3):
        tasks = ((abs, -10 * number) for number in range(9))
        found = dict(Workers(2).spread(tasks, 9, expected))
        assert found == {number: 10 * number for number in range(9)}


@pytest.mark.parametrize("prefer", ["threads", "processes"])
def test_warnings_of_tasks_point_at_the_line_that_started_them(prefer):
    lines = list(Workers(2, prefer).spread([(users_line,)] * 2, 2, expected=1e3))
    assert {line.file for _, line in lines} == {__file__}
    assert {line.module for _, line in lines} == {__name__}


class OddError(ValueError):
    """Can be pickled, but not loaded."""

    def __init__(self, column, reason):
        super().__init__(f"{column}: {reason}")


def refuse():
    raise OddError("age", "negative")


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_errors_keep_a_class_that_is_defined_in_a_notebook(backend):
    # Once imported, it lets pickle send the cause and the context of errors, too.
    with suppress(ImportError):
        import_module("distributed")

    class OwnError(ValueError):
        pass

    def refuse_own():
        raise OwnError("negative")

    task = wrap_non_picklable_objects(refuse_own, keep_wrapper=False)
    with parallel_config(backend), pytest.raises(ValueError, match="negative") as caught:
        list(Workers(2).spread([(task,)] * 2, 2, expected=1e3))
    assert caught.type.__name__ == "OwnError"
    assert "in refuse_own" in str(caught.value.__cause__)


def test_errors_that_cannot_be_loaded_come_back_from_processes_as_strings():
    # joblib would end its workers, and a pool of "multiprocessing" would wait for ever.
    with pytest.raises(RuntimeError, match="OddError: age: negative") as caught:
        list(Workers(2, "processes").spread([(refuse,)] * 2, 2, expected=1e3))
    assert 'raise OddError("age", "negative")' in str(caught.value.__cause__)
    with pytest.raises(OddError):
        list(Workers(2, "threads").spread([(refuse,)] * 2, 2, expected=1e3))


def test_filters_of_warnings_that_threads_change_for_a_while_are_restored():
    is_ignoring, has_begun, is_restored = Event(), Event(), Event()

    def first():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            is_ignoring.set()
            has_begun.wait(10)
        is_restored.set()

    def second():
        has_begun.set()
        is_restored.wait(10)

    def tasks():
        yield (abs, 0)
        yield (first,)
        # The second begins while the first ignores warnings, and ends after it.
        is_ignoring.wait(10)
        yield (second,)

    before = warnings.filters
    list(Workers(2, "threads").spread(tasks(), 3))
    assert warnings.filters is before


def test_tasks_of_threads_have_the_configuration_of_their_caller():
    with config_context(assume_finite=True):
        found = list(Workers(2, "threads").spread([(get_config,)] * 2, 2))
    assert all(config["assume_finite"] for _, config in found)


def test_threads_that_outlive_an_error_leave_the_filters_of_warnings_alone():
    n_begun, may_end = Semaphore(0), Event()

    def outlives():
        n_begun.release()
        may_end.wait(10)

    def tasks():
        yield (outlives,)
        yield (outlives,)
        n_begun.acquire()
        n_begun.acquire()
        raise ValueError("no more tasks")

    before, others = list(warnings.filters), set(threading.enumerate())
    with warnings.catch_warnings(), pytest.raises(ValueError, match="no more tasks"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        list(Workers(2, "threads").spread(tasks(), 3))
    may_end.set()
    for thread in set(threading.enumerate()) - others:
        thread.join(10)
    assert warnings.filters == before


@pytest.fixture
def hears_interruptions():
    """Let SIGINT raise KeyboardInterrupt: processes in the background of a shell ignore it."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals are another thread's")
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


@pytest.mark.usefixtures("hears_interruptions")
def test_threads_end_soon_after_the_user_has_ended_the_search(monkeypatch):
    network = clone(NETWORK).set_params(max_iter=500, n_iter_no_change=500, tol=0)
    run_epoch, is_first = Stack.run_epoch, Semaphore(1)
    others, has_ended, n_since = set(threading.enumerate()), Event(), Semaphore(0)

    def interrupting(stack):
        if is_first.acquire(blocking=False):
            interrupt_main()
            # Python drops an interruption that arrives in a finalizer, such as after a collection.
            if not has_ended.wait(10):
                interrupt_main()
        if not has_ended.wait(60):
            # Nothing has ended the search: the epochs that follow need not wait, too.
            has_ended.set()
            raise TimeoutError
        n_since.release()
        return run_epoch(stack)

    monkeypatch.setattr(Stack, "run_epoch", interrupting)
    with parallel_config("threading"), pytest.raises(KeyboardInterrupt):
        StackedGridSearchCV(network, {"alpha": np.arange(40)}, cv=2, n_jobs=2).fit(X, Y)
    has_ended.set()
    for thread in set(threading.enumerate()) - others:
        thread.join(60)
    n_epochs = sum(iter(lambda: n_since.acquire(blocking=False), False))
    # Each of the two threads may end the epochs without a look at them that it has begun.
    assert n_epochs <= 2 * (FEW_EPOCHS + 1)


class StopsSlowly:
    """Stands in for joblib: the user interrupts twice, the second time while workers stop."""

    waiting = ()

    def __init__(self, **options):
        pass

    def __call__(self, tasks):
        (function, arguments, _), *StopsSlowly.waiting = tasks
        yield function.with_config(get_config())(*arguments)
        try:
            raise KeyboardInterrupt
        finally:
            raise KeyboardInterrupt

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        pass


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_second_interruption_while_workers_stop_keeps_what_they_have_returned(monkeypatch):
    monkeypatch.setattr(spreading, "Parallel", StopsSlowly)
    before = list(warnings.filters)
    search = StackedGridSearchCV(NETWORK, {"alpha": np.arange(40)}, cv=2, n_jobs=2, refit=False)
    with parallel_config("threading"), pytest.warns(UserWarning, match="Search ended") as caught:
        search.fit(X, Y)
    assert sum("Search ended by user" in str(one.message) for one in caught) == 1
    assert warnings.filters == before
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).any() and np.isnan(scores).any()
    # Threads learn of the end before their next epoch.
    assert StopsSlowly.waiting
    assert all(task._has_ended.is_set() for task, *_ in StopsSlowly.waiting)


@pytest.mark.parametrize("steps", [(), (FunctionTransformer(),)], ids=["network", "pipeline"])
@pytest.mark.parametrize("can_be_stacked", [True, False])
def test_calls_are_sent_whole(steps, can_be_stacked):
    estimator = make_pipeline(*steps, NETWORK) if steps else NETWORK
    network = NETWORK if can_be_stacked else None
    call = Call(len, (estimator, X, Y), {"parameters": None}, network, "source", 4, 1)
    copy = pickle.loads(pickle.dumps(call))
    names = "function", "keywords", "source", "n_units", "split", "task"
    assert [getattr(copy, name) for name in names] == [getattr(call, name) for name in names]
    assert repr(copy.estimator) == repr(estimator)
    assert last_step(copy.estimator).get_params() == NETWORK.get_params()
    assert_array_equal(copy.arguments[1], X)
    assert_array_equal(copy.arguments[2], Y)
    assert copy.network is (last_step(copy.estimator) if can_be_stacked else None)


@pytest.mark.usefixtures("hears_interruptions")
def test_interruption_while_results_are_awaited_leaves_no_warning(monkeypatch):
    monkeypatch.setattr(spreading, "SOON", 60)
    expected = 2 * spreading.START + 1
    spread(expected=expected)
    has_ended = Event()

    def interrupt():
        # Python drops an interruption that arrives in a finalizer, such as after a collection.
        for seconds in (0.1, 5):
            if not has_ended.wait(seconds):
                interrupt_main()

    threading.Thread(target=interrupt).start()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(KeyboardInterrupt):
            list(Workers(2).spread([(sleep, 20), (sleep, 20)], 2, expected))
        has_ended.set()
        gc.collect()
    assert not caught


@pytest.mark.usefixtures("none_running")
def test_only_processes_have_to_start():
    assert Workers(2).have_to_start()
    assert not Workers(1).have_to_start()
    assert not Workers(2, "threads").have_to_start()
    with parallel_config("threading"):
        assert not Workers(2).have_to_start()
    with parallel_config(prefer="threads"):
        assert not Workers(2).have_to_start()
        assert Workers(2, "processes").have_to_start()
    with parallel_config(n_jobs=2):
        assert Workers(None).have_to_start()


@pytest.mark.usefixtures("none_running")
def test_search_that_starts_no_workers_finds_the_same():
    grid = {"alpha": [0, 1], "hidden_layer_sizes": [(3,), (4,)]}
    alone, here = (
        StackedGridSearchCV(NETWORK, grid, cv=2, refit=False, n_jobs=n).fit(X, Y) for n in (1, 2)
    )
    for split in range(2):
        name = f"split{split}_test_score"
        assert_array_equal(alone.cv_results_[name], here.cv_results_[name])


@pytest.mark.skipif(sys.platform == "win32", reason="processes are started in another way")
def test_short_search_starts_no_process():
    code = """
import multiprocessing.util
def refuse(*arguments):
    raise AssertionError(arguments)
multiprocessing.util.spawnv_passfds = refuse
from sklearn.datasets import load_iris
from skperceptron import MLPSoftmaxClassifier
from skperceptron.model_selection import StackedGridSearchCV
network = MLPSoftmaxClassifier((4,), max_iter=2, n_iter_no_change=3)
StackedGridSearchCV(network, {"alpha": [0, 1]}, cv=2, n_jobs=2).fit(*load_iris(return_X_y=True))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


@pytest.mark.usefixtures("none_running")
@pytest.mark.parametrize("n_jobs", [0, 1.5, "two"])
@pytest.mark.parametrize("kind", [StackedGridSearchCV, StackedHalvingGridSearchCV])
def test_search_refuses_an_invalid_number_of_workers(kind, n_jobs):
    with pytest.raises(ValueError, match=f"The 'n_jobs' parameter of {kind.__name__} must be"):
        kind(NETWORK, {"alpha": [0, 1]}, n_jobs=n_jobs).fit(X, Y)


def test_search_refuses_to_send_no_tasks_to_workers():
    for pre_dispatch in (0, -1):
        search = StackedGridSearchCV(
            NETWORK, {"alpha": [0, 1]}, n_jobs=2, pre_dispatch=pre_dispatch
        )
        with parallel_config("threading"), pytest.raises(ValueError, match="'pre_dispatch' param"):
            search.fit(X, Y)


def test_search_names_the_same_one_of_several_invalid_options_each_time():
    options = {"cv": "two", "n_jobs": "two", "refit": 2.5, "error_score": "two"}
    with pytest.raises(ValueError, match="The 'n_jobs' parameter"):
        StackedGridSearchCV(NETWORK, {"alpha": [0, 1]}, **options).fit(X, Y)


@pytest.mark.usefixtures("none_running")
def test_what_a_search_fits_finds_the_usual_workers():
    seen = []

    def note(X):
        seen.append(type(get_active_backend()[0]).__name__)
        return X

    pipeline = make_pipeline(FunctionTransformer(note), NETWORK)
    search = StackedGridSearchCV(pipeline, {"mlpbinaryclassifier__alpha": [0, 1]}, cv=2, n_jobs=2)
    with parallel_config(n_jobs=2):
        search.fit(X, Y)
    assert set(seen) == {"LokyBackend"}
    # The final fit is among them.
    assert len(seen) >= 5
    with pytest.raises(ValueError, match="inconsistent"):
        search.fit(X, Y[:-1])
    assert type(get_active_backend()[0]).__name__ == "LokyBackend"
    assert "_preparing" not in vars(search)


@pytest.mark.parametrize(
    ("backend", "n_jobs", "inside"),
    [
        ("loky", 2, "SequentialBackend"),
        ("multiprocessing", None, "SequentialBackend"),
        ("threading", 2, "ThreadingBackend"),
        ("loky", 0, "LokyBackend"),
    ],
)
def test_processes_are_not_prepared_twice(backend, n_jobs, inside):
    with parallel_config(backend):
        with spreading.without_preparing(n_jobs):
            assert type(get_active_backend()[0]).__name__ == inside
        assert type(get_active_backend()[0]).__name__ != "SequentialBackend"


def test_search_runs_where_joblib_has_threads_only(monkeypatch):
    for name in ("loky", "multiprocessing"):
        monkeypatch.delitem(spreading.BACKENDS, name)
    search = StackedGridSearchCV(NETWORK, {"alpha": [0, 1]}, cv=2, n_jobs=2)
    with parallel_config("threading"):
        assert search.fit(X, Y).best_params_ in ({"alpha": 0}, {"alpha": 1})


def note_process(X, folder):
    (folder / str(os.getpid())).touch()
    return X


@pytest.mark.skipif(sys.platform != "linux", reason="processes are started in another way")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("kind", [StackedGridSearchCV, StackedHalvingGridSearchCV])
def test_pool_of_processes_is_closed_by_the_search(kind, n_jobs, tmp_path):
    noting = FunctionTransformer(note_process, kw_args={"folder": tmp_path})
    grid = {"mlpbinaryclassifier__alpha": [0, 1]}
    search = kind(make_pipeline(noting, NETWORK), grid, cv=2, n_jobs=n_jobs, refit=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        with parallel_config("multiprocessing", n_jobs=2):
            search.fit(X, Y)
        gc.collect()
    assert not [str(w.message) for w in caught if w.category is ResourceWarning]
    assert str(os.getpid()) not in {file.name for file in tmp_path.iterdir()}


@pytest.mark.usefixtures("none_running")
def test_interrupted_members_that_were_fitted_here_are_kept(monkeypatch):
    interrupt_at(monkeypatch, 3)
    with pytest.warns(UserWarning, match="3 of 3 members"):
        ensemble = StackedEnsembleClassifier(NETWORK, 3, random_state=0, n_jobs=2).fit(X, Y)
    assert {member.n_iter_ for member in ensemble.estimators_} == {2}


@pytest.mark.usefixtures("none_running")
@pytest.mark.filterwarnings("ignore:Training interrupted", "ignore:One or more of the test scores")
def test_search_that_the_user_ends_here_leaves_nothing_to_workers(monkeypatch):
    for name in ("FEWEST", "MOST"):
        monkeypatch.setattr(f"skperceptron.model_selection._pieces.{name}", 2)
    # The third of four pieces takes so long that workers would be worth their start.
    turn_to(monkeypatch, [0, 1, 2, 200, 201])
    monkeypatch.setattr(spreading, "START", 1.6)
    # The second piece is cut short; the third is ended, and with it the search.
    interrupt_at(monkeypatch, 5, 6)
    search = StackedGridSearchCV(NETWORK, {"alpha": [0, 1, 2, 3]}, cv=2, refit=False, n_jobs=2)
    with pytest.warns(UserWarning, match="4 of 8 fits are kept"):
        search.fit(X, Y)
    is_missing = np.isnan(search.cv_results_["mean_test_score"])
    assert_array_equal(is_missing, [False, False, True, True])
