"""Tasks that are taken apart for a Dask cluster, and put together again."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skperceptron.model_selection._sending import ProcessCache, Sender
from skperceptron.model_selection._spreading import sender
from skperceptron.model_selection._transforming import Transformed

pytest.importorskip("distributed")
dask_sending = pytest.importorskip("skperceptron.model_selection._dask")


class Client:
    """Stands in for a Dask client; a submitted call runs when its result is requested."""

    def __init__(self):
        self.submitted = []

    def submit(self, function, *arguments, pure):
        self.submitted.append(Future(function, arguments))
        return self.submitted[-1]


class Future:
    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments

    def result(self):
        given = [one.result() if isinstance(one, Future) else one for one in self.arguments]
        return self.function(*given)


# The sender recognizes futures by the name of their class and module.
Future.__module__ = "distributed.client"


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def sending(client):
    from skperceptron.model_selection._dask import DaskSender

    return DaskSender(client)


def echo(*arguments):
    return arguments


def itself(value):
    return value


def test_a_task_does_the_same(sending):
    X = np.arange(4000.0).reshape(2000, 2)
    frame, matrix = pd.DataFrame(X), sparse.csr_array(X)
    run, written, *aside = sending.task(echo, {"rows": [X, (frame, matrix)]}, X, X[:3], echo)
    given, again, few, function = run(written, *aside)
    assert given["rows"][0] is X
    assert given["rows"][1][0] is frame
    assert given["rows"][1][1] is matrix
    assert again is X
    assert_array_equal(few, X[:3])
    assert function is echo


def test_an_array_is_sent_once_for_all_tasks(sending, client):
    X, y = np.arange(4000.0), np.arange(2000)
    tasks = [sending.task(echo, [X, y], X), sending.task(echo, y, X)]
    first, second = (future.arguments[0] for future in client.submitted)
    assert first is X
    assert second is y
    assert all(len(written) < 1000 for _, written, *_ in tasks)


def test_tasks_of_one_worker_share_a_value(sending, client):
    cache = ProcessCache()
    shared = sending.shared(cache)
    for _ in range(2):
        run, written, *aside = sending.task(echo, {"cache": shared})
        assert aside == [shared]
        assert run(written, *aside)[0]["cache"] is cache
    assert len(client.submitted) == 1
    # Nothing but its future keeps it on the cluster.
    assert not sending._sent


@pytest.mark.parametrize(("bytes_per_second", "is_sent"), [(0, False), (np.inf, True)])
def test_rows_that_are_made_faster_than_sent_are_made_where_they_are_needed(
    sending, monkeypatch, bytes_per_second, is_sent
):
    monkeypatch.setattr(dask_sending, "BYTES_PER_SECOND", bytes_per_second)
    rows = Transformed((np.arange(4000.0),), seconds=1.0)
    cache = ProcessCache()
    started = sending.started(sending.shared(cache), {"split": (itself, rows)})
    # The worker has kept them.
    kept = cache.get("split", list)
    assert_array_equal(kept.arguments[0], rows.arguments[0])
    if is_sent:
        assert started["split"].result() is kept
    else:
        assert started == {}


def test_cost_of_rows_is_seconds_and_bytes():
    X, y = np.arange(4000.0), np.arange(1000)
    seconds, n_bytes = dask_sending._cost(Transformed((X, y), seconds=3.0))
    assert seconds == 3.0
    assert X.nbytes + y.nbytes <= n_bytes < X.nbytes + y.nbytes + 1000


def test_what_a_process_has_made_stays_there():
    cache = ProcessCache()
    assert cache.get(("a", 1), lambda: "first") == "first"
    assert cache.get(("a", 1), lambda: "second") == "first"
    assert cache.get(("a", 2), lambda: "third") == "third"
    copy = pickle.loads(pickle.dumps(cache))
    assert copy.get(("a", 1), lambda: "fourth") == "fourth"


def test_tasks_in_threads_make_one_result():
    cache, both, n_made = ProcessCache(), threading.Barrier(2), []

    def make():
        n_made.append(1)
        with suppress(threading.BrokenBarrierError):
            # It breaks, since the other thread does not come here.
            both.wait(0.2)
        return object()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: cache.get("key", make), range(2))
    assert first is second
    assert len(n_made) == 1


def test_other_backends_take_tasks_as_they_are():
    found = sender(2)
    assert type(found) is Sender
    assert found.task(echo, 1, 2) == (echo, 1, 2)
    assert found.shared(echo) is echo
