"""Tasks that are taken apart for a Dask cluster, and put together again."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skperceptron.model_selection._sending import Sender, sender

pytest.importorskip("distributed")


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
        return self.function(*self.arguments)


# The sender recognises futures by the name of their class and module.
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


def test_results_stay_on_the_cluster(sending, client):
    X = np.arange(4000.0)
    started = sending.start(echo, X)
    run, written, *aside = sending.task(echo, {"made": started})
    assert aside == [started]
    assert run(written, *aside)[0]["made"][0] is X


def test_other_backends_take_tasks_as_they_are():
    found = sender(2)
    assert type(found) is Sender
    assert found.task(echo, 1, 2) == (echo, 1, 2)
    assert found.start(echo, 1, 2) == (1, 2)
