"""BLAS takes one thread while a fit's products are small, and as many as before afterwards."""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from skperceptron import MLPRegressor
from skperceptron.callbacks import Callback
from skperceptron.engine.compiled import MemberTeam, has_teams
from skperceptron.estimators import blas_threads
from skperceptron.estimators.blas_threads import (
    LARGE_PRODUCT,
    LIMITS,
    ONE_THREAD,
    SHARED_WORK,
    SMALL_PRODUCT,
    STEP,
    Limit,
    suited_team,
    suited_threads,
)
from skperceptron.model_selection import StackedEnsembleRegressor


def n_threads():
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return {library.num_threads for library in libraries}


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        if n_threads() != {2}:
            pytest.skip("this BLAS has one thread only")
        yield


@pytest.mark.parametrize(
    ("product", "expected"),
    [(SMALL_PRODUCT, 2), (SMALL_PRODUCT + 1, 1), (LARGE_PRODUCT - 1, 1), (LARGE_PRODUCT, 2)],
)
def test_size_of_products_decides(product, expected):
    with suited_threads(product):
        assert n_threads() == {expected}
    assert n_threads() == {2}


@pytest.mark.skipif(not has_teams(), reason="there are no teams")
def test_large_products_make_a_team_of_the_threads_that_blas_may_use():
    assert suited_team(LARGE_PRODUCT).n_threads == 2
    assert suited_team(LARGE_PRODUCT - 1) is None
    with ONE_THREAD:
        assert suited_team(LARGE_PRODUCT) is None


@pytest.mark.skipif(not has_teams(), reason="there are no teams")
def test_small_products_make_a_team_that_shares_out_the_members():
    few, many = SHARED_WORK // LARGE_PRODUCT, SHARED_WORK // STEP
    assert suited_team(LARGE_PRODUCT - 1, 1, many) is None
    assert suited_team(0, 5, many - 1) is None
    for size, n_steps in ((0, many), (LARGE_PRODUCT - 1, few)):
        found = suited_team(size, 5, n_steps)
        assert isinstance(found, MemberTeam) and found.n_threads == 2
    with ONE_THREAD:
        assert suited_team(0, 5, many) is None


def test_without_atomic_operations_there_is_no_team(monkeypatch):
    monkeypatch.setattr("skperceptron.estimators.blas_threads.has_teams", lambda: False)
    assert suited_team(LARGE_PRODUCT) is None
    assert suited_team(LARGE_PRODUCT - 1, 5, SHARED_WORK) is None


def test_last_user_restores_what_the_first_one_found():
    with ONE_THREAD:
        with ONE_THREAD:
            assert n_threads() == {1}
        assert n_threads() == {1}
    assert n_threads() == {2}


def test_the_least_of_overlapping_limits_holds_and_all_end():
    with threadpool_limits(4, user_api="blas"):
        if n_threads() != {4}:
            pytest.skip("this BLAS cannot use four threads")
        limits = [Limit(3), Limit(2), ONE_THREAD]
        found = []
        for limit in limits:
            limit.__enter__()
            found.append(n_threads())
        # Fits in several threads of a program end in any order.
        for limit in (limits[0], limits[2], limits[1]):
            limit.__exit__()
            found.append(n_threads())
    assert found == [{3}, {2}, {1}, {1}, {2}, {4}]


def in_thread(function):
    """Return what a function returns in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_a_limit_may_be_set_and_ended_by_any_thread():
    def within():
        with ONE_THREAD:
            return n_threads()

    # The main thread has set the number before.
    assert in_thread(within) == {1} and n_threads() == {2}
    ONE_THREAD.__enter__()
    in_thread(ONE_THREAD.__exit__)
    assert n_threads() == {2}


@pytest.mark.parametrize("call", [1, 2, 3])
def test_interruption_while_the_number_is_set_leaves_no_limit(call, monkeypatch):
    library = blas_threads.controller().select(user_api="blas").lib_controllers[0]
    kind, n_calls = type(library), itertools.count(1)
    set_number = kind.set_num_threads

    def interrupted(library, n):
        if next(n_calls) == call:
            raise KeyboardInterrupt
        set_number(library, n)

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(kind, "set_num_threads", interrupted)
        with ONE_THREAD:
            pass
    assert n_threads() == {2}
    with ONE_THREAD:
        assert n_threads() == {1}
    assert n_threads() == {2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_process_has_no_users():
    with ONE_THREAD:
        process = os.fork()
        if not process:
            os._exit(len(LIMITS._limits))
        _, status = os.waitpid(process, 0)
    assert status == 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize(("n_networks", "expected"), [(None, 1), (16, 2)])
def test_products_of_networks_that_share_weights_have_more_rows(n_networks, expected, stacked):
    # 1.2 million multiply-adds for a network alone, 19 million for 16.
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(400, 30)), rng.normal(size=400)
    seen = []

    class Look(Callback):
        def on_fit_task_end(self, *_, **__):
            seen.append(n_threads())

    options = {"hidden_layer_sizes": (100,), "batch_size": 400, "max_iter": 1}
    model = MLPRegressor(**options, ensemble_size=n_networks)
    if stacked:
        StackedEnsembleRegressor(model, 2, callbacks=[Look()]).fit(X, y)
    else:
        model.set_params(callbacks=[Look()]).fit(X, y)
    assert seen[0] == {expected}


def test_fit_restores_threads_whether_or_not_it_ends_well():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(200, 30)), rng.normal(size=200)
    seen = []

    class Look(Callback):
        def on_fit_task_end(self, *_, **__):
            seen.append(n_threads())
            if len(seen) == 2:
                raise RuntimeError("enough")

    options = {"hidden_layer_sizes": (60,), "batch_size": 200, "max_iter": 2}
    model = MLPRegressor(**options, callbacks=[Look()])
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(X, y)
    assert seen == [{1}, {1}] and n_threads() == {2}
