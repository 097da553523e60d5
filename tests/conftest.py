"""What all tests share."""

import os
import tracemalloc

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def one_thread_per_worker():
    """Leave the cores to the workers of pytest-xdist, which are as many."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    with threadpool_limits(1):
        yield


@pytest.fixture
def peak_of():
    """Return a function that tells by how many bytes memory rises at most during a call.

    What only the first call allocates does not count.
    """

    def measure(call):
        call()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            call()
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    return measure
