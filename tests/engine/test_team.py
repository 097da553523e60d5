"""Teams give the results of one thread, stop together, and start when needed."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperceptron.engine.calls import of_members, sum_by_code
from skperceptron.engine.compiled import MemberTeam, Program, RowTeam, Section, has_teams

pytestmark = pytest.mark.skipif(not has_teams(), reason="there are no teams")

N, N_STEPS = 5_000, 50


def program(x, team, n_steps=N_STEPS):
    """Return a program in whose table each row needs the complete results of the rows before."""
    y, total = np.empty_like(x), np.empty((1, 1, 1))
    calls = [
        partial(np.multiply, x, 0.5, y),
        partial(np.matmul, x[:, np.newaxis], y[:, :, np.newaxis], total),
        partial(np.add, total, 1.0, total),
        partial(np.divide, y, total[0], x),
        partial(np.add, x, 0.25, x),
    ]
    return Program([Section(lambda t: calls, n_steps)], n_steps, 1, team)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_rows_wait_for_those_before(n_threads):
    expected, found = np.ones((2, 1, N))
    taken = np.zeros(1, np.intp)
    for x, team in ((expected, None), (found, RowTeam(n_threads, nullcontext()))):
        taken[:] = 0
        program(x, team).run(taken, 0, N_STEPS, 0)
        assert taken == N_STEPS
    assert_allclose(found, expected, rtol=1e-12)


def test_calls_of_python_between_tables_need_no_team():
    x = np.zeros((1, N))
    calls = [partial(np.add, x, 1.0, x), lambda: None]
    found = Program([Section(lambda t: calls, 3)], 3, 1, RowTeam(2, nullcontext()))
    assert found.team is None
    found.run(np.zeros(1, np.intp), 0, 3, 0)
    assert_array_equal(x, 3)


def test_one_thread_does_all_if_no_other_can_be_started(monkeypatch):
    def refuse(*args):
        raise RuntimeError("can't start new thread")

    x, taken = np.ones((1, N)), np.zeros(1, np.intp)
    expected = x.copy()
    program(expected, None).run(taken, 0, N_STEPS, 0)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    taken[:] = 0
    program(x, RowTeam(3, nullcontext())).run(taken, 0, N_STEPS, 0)
    assert taken == N_STEPS
    assert_array_equal(x, expected)


needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread(),
    reason="there is no timer, or signals are another thread's",
)


@contextmanager
def interruption(seconds):
    """Expect KeyboardInterrupt, which a signal raises after so many seconds."""

    def interrupt(*args):
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


@needs_signals
@pytest.mark.parametrize("kind", [RowTeam, MemberTeam])
def test_all_stop_when_a_signal_stops_the_first(kind):
    x, team, taken = np.ones((3, N)), kind(2, nullcontext()), np.zeros(3, np.intp)
    with interruption(0.05):
        # This would take years.
        stacked_program(x, team).run(taken, 0, 2**40, 0)
    # The same threads work again: none is still waiting.
    again, expected = np.ones((2, 3, N))
    stacked_program(again, team).run(taken, 0, N_STEPS, 0)
    stacked_program(expected, None).run(taken, 0, N_STEPS, 0)
    assert_allclose(again, expected, rtol=1e-12)


@needs_signals
def test_a_signal_stops_another_thread_while_the_first_has_nothing_to_do():
    x, taken, n_steps = np.zeros((2, N)), np.zeros(2, np.intp), 2_000_000
    calls = list(of_members([partial(np.add, x[1:], 1.0, x[1:])], slice(1, 2), 2))
    program = Program([Section(lambda t: calls, n_steps)], n_steps, 2, MemberTeam(2, nullcontext()))
    with interruption(0.1):
        program.run(taken, 0, n_steps, 0)
    assert taken[1] < n_steps


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("kind", ["RowTeam", "MemberTeam"])
def test_forked_process_has_threads_of_its_own(kind):
    script = f"""
        import os, numpy as np
        from contextlib import nullcontext
        from functools import partial
        from skperceptron.engine.compiled import Program, Section, {kind}
        x = np.zeros((2, 5_000))
        {kind}.least_work = {kind}.worth_waking = 1
        team = {kind}(2, nullcontext())
        program = Program([Section(lambda t: [partial(np.add, x, 1, x)], 1)], 1, 2, team)
        program.run(np.zeros(2, np.intp), 0, 5, 0)
        child = os.fork()
        program.run(np.zeros(2, np.intp), 0, 5, 0)
        assert (x == 10).all()
        if child:
            assert os.waitpid(child, 0)[1] == 0
        else:
            os._exit(0)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    subprocess.run(command, check=True, timeout=60)


# Threads that each run some members.


def stacked_program(x, team):
    """Return a program whose members each need the complete results of their own rows before."""
    y, total = np.empty_like(x), np.empty((len(x), 1, 1))
    calls = [
        partial(np.multiply, x, 0.5, y),
        partial(np.matmul, x[:, np.newaxis], y[:, :, np.newaxis], total),
        partial(np.add, total, 1.0, total),
        partial(np.divide, y, total[:, 0], x),
        partial(np.add, x, 0.25, x),
    ]
    return Program([Section(lambda t: calls, N_STEPS)], N_STEPS, len(x), team)


@pytest.fixture
def shares_any_work(monkeypatch):
    for name in ("least_work", "worth_waking"):
        monkeypatch.setattr(MemberTeam, name, 1)


@pytest.mark.usefixtures("shares_any_work")
@pytest.mark.parametrize("n_threads", [2, 3, 7])
def test_members_have_the_bits_that_one_thread_gives_them(n_threads):
    start = np.random.RandomState(0).uniform(size=(5, N))
    found = []
    for team in (None, MemberTeam(n_threads, nullcontext())):
        x, taken = start.copy(), np.zeros(5, np.intp)
        program = stacked_program(x, team)
        assert program.team is team
        program.run(taken, 0, 3, 0)
        program.run(taken, 3, N_STEPS, 0)
        assert_array_equal(taken, N_STEPS)
        found.append(x)
    assert_array_equal(*found)


@pytest.mark.usefixtures("shares_any_work")
def test_one_thread_runs_all_members_if_no_other_can_be_started(monkeypatch):
    def refuse(*args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    found, taken = [np.ones((3, N)), np.ones((3, N))], np.zeros(3, np.intp)
    for x, team in zip(found, (None, MemberTeam(3, nullcontext())), strict=True):
        stacked_program(x, team).run(taken, 0, N_STEPS, 0)
    assert_array_equal(taken, 2 * N_STEPS)
    assert_array_equal(*found)


def test_runs_are_right_whether_other_threads_are_awake_or_asleep():
    """One that has nothing to do for a while goes to sleep, and is woken again."""
    start = np.random.RandomState(0).uniform(size=(4, N))
    found, taken, pauses = start.copy(), np.zeros(4, np.intp), (0, 0.02, 0, 0.02, 0.001)
    alone, shared = (
        stacked_program(start, None),
        stacked_program(found, MemberTeam(2, nullcontext())),
    )
    for pause in pauses:
        alone.run(taken, 0, N_STEPS, 0)
        shared.run(taken, 0, N_STEPS, 0)
        time.sleep(pause)
    assert_array_equal(taken, 2 * len(pauses) * N_STEPS)
    assert_array_equal(found, start)
    deadline = time.monotonic() + 60
    while not all(one.done() for one in shared.team._awake.values()):
        assert time.monotonic() < deadline, "a thread without work does not go to sleep"
        time.sleep(0.001)


def test_other_threads_are_left_asleep_for_little_work(monkeypatch):
    def refuse(*args):
        raise AssertionError("work was shared")

    program = stacked_program(np.ones((2, 10)), MemberTeam(2, nullcontext()))
    monkeypatch.setattr(MemberTeam, "run", refuse)
    program.run(np.zeros(2, np.intp), 0, N_STEPS, 0)
    with pytest.raises(AssertionError, match="shared"):
        program.run(np.zeros(2, np.intp), 0, 2**20, 0)


def test_a_single_member_needs_no_team_of_members():
    assert stacked_program(np.ones((1, N)), MemberTeam(2, nullcontext())).team is None


def test_members_that_share_memory_are_run_by_one_thread():
    team = MemberTeam(2, nullcontext())

    def team_of(*calls):
        return Program([Section(lambda t: calls, 1)], 1, 2, team).team

    x, room, other = np.ones((2, 3, 4)), np.empty((1, 3, 4)), np.empty((1, 3, 4))
    first, second = slice(0, 1), slice(1, 2)

    def doubled(place, room):
        calls = [partial(np.add, x[place], x[place], room), partial(np.copyto, x[place], room)]
        return of_members(calls, place, 2)

    assert team_of(*doubled(first, room), *doubled(second, other)) is team
    assert team_of(*doubled(first, room), *doubled(second, room)) is None
    codes, sums = np.zeros((2, 3)), np.empty((2, 5, 4))
    assert team_of(partial(sum_by_code, x, codes, np.empty((2, 5, 4)), sums)) is team


@pytest.mark.parametrize("is_shared", [False, True])
def test_members_that_share_a_generator_are_run_by_one_thread(is_shared):
    team, x = MemberTeam(2, nullcontext()), np.empty((2, 3, 4))
    own = [np.random.default_rng(seed) for seed in range(2)]
    generators = own[:1] * 2 if is_shared else own
    calls = [
        call
        for k, generator in enumerate(generators)
        for call in of_members(
            [partial(generator.random, None, np.float64, x[k])], slice(k, k + 1), 2
        )
    ]
    program = Program([Section(lambda t: calls, 1)], 1, 2, team)
    assert not program.n_python_calls
    assert program.team is (None if is_shared else team)
