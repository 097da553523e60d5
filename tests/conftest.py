"""Options, hooks and fixtures of all tests."""

import os
import tracemalloc

import numpy as np
import pytest
from _pytest.doctest import DoctestModule
from threadpoolctl import threadpool_limits


@pytest.hookimpl(wrapper=True)
def pytest_collect_file():
    """Collect no doctests in test modules: a module with a failing import would be skipped."""
    collectors = yield
    return [one for one in collectors if not isinstance(one, DoctestModule)]


def pytest_addoption(parser):
    """Let the fuzz test of ``tests/reliability`` run other numbers of cases, and other cases."""
    group = parser.getgroup("fuzz")
    group.addoption("--cases", type=int, default=300, help="how many cases the fuzz test runs")
    group.addoption("--fuzz-seed", type=int, default=0, help="of all that they draw")


@pytest.fixture(scope="session", autouse=True)
def one_thread_per_worker():
    """Limit BLAS to one thread in each worker of pytest-xdist, since there are many workers."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    with threadpool_limits(1):
        yield


@pytest.fixture
def peak_of():
    """Return a function that measures the peak memory of a call, in bytes above its start.

    Allocations that only a first call makes do not count, nor those of other threads, such as one
    that another test has left, unless they occur in each of three calls.
    """

    def measured(call):
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        call()
        return tracemalloc.get_traced_memory()[1] - before

    def measure(call):
        call()
        tracemalloc.start()
        try:
            return min(measured(call) for _ in range(3))
        finally:
            tracemalloc.stop()

    return measure


@pytest.fixture
def rng():
    """Return a generator whose numbers do not depend on the tests that have run before."""
    return np.random.RandomState(0)


@pytest.fixture
def large_files(monkeypatch):
    """Let mapped files of any size count as large ones, whose pages are released."""
    monkeypatch.setattr("skperceptron.engine.memory_mapped.RESIDENT", 0)


@pytest.fixture
def eager_workers(monkeypatch):
    """Let worker processes start even for work that is shorter than their start."""
    monkeypatch.setattr("skperceptron.model_selection._spreading.START", 0.0)


@pytest.fixture
def make_answered_rows():
    """Return a function that makes rows and their right answers, 1 or -1, for each unit."""

    def make(n_units=1, noise=0.5, integers=False, n_rows=327, seed=0):
        rng = np.random.RandomState(seed)
        features = rng.normal(size=(n_rows, 6))
        if integers:
            features = np.round(2 * features)
        scores = features @ rng.normal(size=(6, n_units))
        return features, np.where(scores + noise * rng.normal(size=scores.shape) > 0, 1.0, -1.0)

    return make


@pytest.fixture(
    params=[
        (1, 0.0, False),
        (1, 0.5, False),
        (1, 50.0, False),
        (3, 1.0, False),
        (1, 1.0, True),
        (4, 50.0, True),
    ],
    ids=lambda case: "{}-unit noise={} integers={}".format(*case).replace(" ", "-"),
)
def answered_rows(request, make_answered_rows):
    """Return rows and right answers of one or several units, with few or many mistakes or ties."""
    return make_answered_rows(*request.param)


@pytest.fixture(params=[False, True], ids=["unweighted", "weighted"])
def row_weights(request, answered_rows):
    """Return ones, or weights of the answered rows."""
    n_rows = len(answered_rows[0])
    return np.random.RandomState(1).uniform(0.1, 3, n_rows) if request.param else np.ones(n_rows)


@pytest.fixture
def loss_in_pytorch():
    """Return a function that computes each row's loss with PyTorch, (..., T) -> (...).

    A loss that PyTorch does not have needs no entry: the test is skipped.
    """
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional

    def smoothed(loss, y, n_classes):
        return y * (1 - loss.label_smoothing) + loss.label_smoothing / n_classes

    def binary_log_loss(loss, raw, y):
        y = smoothed(loss, y, 2)
        return functional.binary_cross_entropy_with_logits(raw, y, reduction="none")

    def categorical_log_loss(loss, raw, y):
        return -smoothed(loss, y, y.shape[-1]) * functional.log_softmax(raw, dim=-1)

    def binary_focal_loss(loss, raw, y):
        cross_entropy = functional.binary_cross_entropy_with_logits(raw, y, reduction="none")
        alpha = 1 if loss.alpha is None else y * loss.alpha + (1 - y) * (1 - loss.alpha)
        return alpha * (1 - torch.exp(-cross_entropy)) ** loss.gamma * cross_entropy

    def categorical_focal_loss(loss, raw, y):
        log_p = functional.log_softmax(raw, dim=-1)
        alpha = torch.tensor([1.0] if loss.alpha is None else loss.alpha, dtype=raw.dtype)
        return -y * alpha * (1 - torch.exp(log_p)) ** loss.gamma * log_p

    def pinball(loss, raw, y):
        quantiles = torch.tensor(loss.quantiles, dtype=raw.dtype)
        error = y[..., None] - raw.reshape(*y.shape, len(quantiles))
        return torch.maximum(quantiles * error, (quantiles - 1) * error).sum(-1)

    def gaussian_nll(loss, raw, y):
        variance = torch.exp(raw[..., 1::2])
        return functional.gaussian_nll_loss(raw[..., 0::2], y, variance, reduction="none")

    def poisson_deviance(loss, raw, y):
        likelihood = functional.poisson_nll_loss(raw, y, log_input=True, reduction="none")
        return likelihood + torch.xlogy(y, y) - y

    terms = {
        "AbsoluteError": lambda _, z, y: functional.l1_loss(z, y, reduction="none"),
        "BinaryFocalLoss": binary_focal_loss,
        "BinaryLogLoss": binary_log_loss,
        "CategoricalFocalLoss": categorical_focal_loss,
        "CategoricalLogLoss": categorical_log_loss,
        "GammaDeviance": lambda _, z, y: z - torch.log(y) + y * torch.exp(-z) - 1,
        "GaussianNLL": gaussian_nll,
        "Huber": lambda loss, z, y: functional.huber_loss(z, y, reduction="none", delta=loss.delta),
        "Pinball": pinball,
        "PoissonDeviance": poisson_deviance,
        "ScaledSquaredError": lambda _, z, y: 0.5 * (torch.sigmoid(z) - y) ** 2,
        "SquaredError": lambda _, z, y: 0.5 * functional.mse_loss(z, y, reduction="none"),
    }

    def per_row(loss, raw, y):
        if type(loss).__name__ not in terms:
            pytest.skip("PyTorch has no such loss")
        return terms[type(loss).__name__](loss, raw, y).sum(-1)

    return per_row
