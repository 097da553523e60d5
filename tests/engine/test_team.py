"""Threads of a team run all steps of a table in order, stop together, and start when needed."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperceptron.engine.compiled import Program, Section, Team, has_teams

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
    for x, team in ((expected, None), (found, Team(n_threads, nullcontext()))):
        taken[:] = 0
        program(x, team).run(taken, 0, N_STEPS, 0)
        assert taken == N_STEPS
    assert_allclose(found, expected, rtol=1e-12)


def test_calls_of_python_between_tables_need_no_team():
    x = np.zeros((1, N))
    calls = [partial(np.add, x, 1.0, x), lambda: None]
    found = Program([Section(lambda t: calls, 3)], 3, 1, Team(2, nullcontext()))
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
    program(x, Team(3, nullcontext())).run(taken, 0, N_STEPS, 0)
    assert taken == N_STEPS
    assert_array_equal(x, expected)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer")
@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals are the main's"
)
def test_all_stop_when_a_signal_stops_the_first():
    def interrupt(*args):
        raise KeyboardInterrupt

    x, team, taken = np.ones((1, N)), Team(2, nullcontext()), np.zeros(1, np.intp)
    earlier = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            # This would take years.
            program(x, team).run(taken, 0, 2**40, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    # The same threads work again: none is still waiting.
    again, expected = np.ones((2, 1, N))
    program(again, team).run(taken, 0, N_STEPS, 0)
    program(expected, None).run(taken, 0, N_STEPS, 0)
    assert_allclose(again, expected, rtol=1e-12)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_forked_process_has_threads_of_its_own():
    script = """
        import os, numpy as np
        from contextlib import nullcontext
        from functools import partial
        from skperceptron.engine.compiled import Program, Section, Team
        x = np.zeros(5_000)
        team = Team(2, nullcontext())
        program = Program([Section(lambda t: [partial(np.add, x, 1, x)], 1)], 1, 1, team)
        program.run(np.zeros(1, np.intp), 0, 5, 0)
        child = os.fork()
        program.run(np.zeros(1, np.intp), 0, 5, 0)
        assert (x == 10).all()
        if child:
            assert os.waitpid(child, 0)[1] == 0
        else:
            os._exit(0)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    subprocess.run(command, check=True, timeout=60)
