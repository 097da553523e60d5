"""The same training loop in several packages: seconds for all epochs of a case.

Every peer gets the same data, batch size, number of epochs, initial scale and Adam with
its default constants; it shuffles, gathers batches, and adds the L2 penalty (or weight
decay) that scikit-learn has by default. Time includes what a user waits for in ``fit``,
but not imports, and, where said so, not compilation.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise

import numpy as np

from .cases import Case

Peer = Callable[[Case, np.ndarray, np.ndarray], float]

ALPHA = 1e-4
RATE = 1e-3


def _fit_seconds(
    estimator_class: type, case: Case, X: np.ndarray, y: np.ndarray, **options
) -> float:
    estimator = estimator_class(
        case.hidden,
        batch_size=case.batch_size,
        max_iter=case.epochs,
        alpha=ALPHA,
        tol=0,
        n_iter_no_change=case.epochs + 1,
        random_state=0,
        **options,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        estimator.fit(X, y)
        return time.perf_counter() - start


def skperceptron(case: Case, X: np.ndarray, y: np.ndarray, **options) -> float:
    """Ours, dtype="auto" unless told otherwise."""
    from skperceptron import MLPSoftmaxClassifier

    return _fit_seconds(MLPSoftmaxClassifier, case, X, y, **options)


def scikit_learn(case: Case, X: np.ndarray, y: np.ndarray) -> float:
    """``MLPClassifier``; it trains in the dtype of X."""
    from sklearn.neural_network import MLPClassifier

    return _fit_seconds(MLPClassifier, case, X, y)


def pytorch(case: Case, X: np.ndarray, y: np.ndarray) -> float:
    """Eager PyTorch in float32 with fused Adam."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    start = time.perf_counter()
    inputs = torch.from_numpy(X.astype(np.float32))
    targets = torch.from_numpy(y)
    layers: list[nn.Module] = []
    for fan_in, units in pairwise(case.widths):
        layers += [nn.Linear(fan_in, units), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(
        model.parameters(), lr=RATE, weight_decay=ALPHA / case.batch_size, fused=True
    )
    loss_function = nn.CrossEntropyLoss()
    for _ in range(case.epochs):
        order = torch.randperm(case.n_rows)
        total = torch.zeros(())
        for rows in order.split(case.batch_size):
            optimizer.zero_grad()
            loss = loss_function(model(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        float(total)
    return time.perf_counter() - start


class JAX:
    """A whole epoch compiled by XLA (float32); compilation is timed apart."""

    def __init__(self) -> None:
        self.compile_seconds: dict[str, float] = {}
        self._epochs: dict[str, Callable] = {}

    def __call__(self, case: Case, X: np.ndarray, y: np.ndarray) -> float:
        """Return the seconds of all epochs without compilation."""
        import jax
        import jax.numpy as jnp

        rng = np.random.RandomState(0)
        parameters = [
            (jnp.asarray(rng.uniform(-b, b, (i, o)), jnp.float32), jnp.zeros(o, jnp.float32))
            for i, o in pairwise(case.widths)
            for b in [np.sqrt(6 / (i + o))]
        ]
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        state = (parameters, zeros, zeros, jnp.zeros((), jnp.float32))
        inputs, targets = jnp.asarray(X, jnp.float32), jnp.asarray(y)
        n_batches = case.n_rows // case.batch_size
        orders = [
            rng.permutation(case.n_rows)[: n_batches * case.batch_size].reshape(n_batches, -1)
            for _ in range(case.epochs)
        ]
        if case.name not in self._epochs:
            start = time.perf_counter()
            compiled = jax.jit(_jax_epoch(case)).lower(state, inputs, targets, orders[0]).compile()
            self.compile_seconds[case.name] = time.perf_counter() - start
            self._epochs[case.name] = compiled
        epoch = self._epochs[case.name]
        start = time.perf_counter()
        for order in orders:
            state, loss = epoch(state, inputs, targets, order)
            float(loss)
        seconds = time.perf_counter() - start
        # The shorter last batch would need a second compilation: it is left out and added here.
        return seconds * case.n_rows / (n_batches * case.batch_size)


def _jax_epoch(case: Case) -> Callable:
    import jax
    import jax.numpy as jnp

    def loss_of(parameters, x, t):
        for weight, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        weight, bias = parameters[-1]
        logits = x @ weight + bias
        data = -jnp.take_along_axis(jax.nn.log_softmax(logits), t[:, None], axis=1).mean()
        penalty = sum((w * w).sum() for w, _ in parameters)
        return data + 0.5 * ALPHA / case.batch_size * penalty

    def step(state, x, t):
        parameters, m, v, count = state
        loss, grads = jax.value_and_grad(loss_of)(parameters, x, t)
        count = count + 1
        m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, grads)
        v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, grads)
        rate = RATE * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        parameters = jax.tree.map(
            lambda p, a, b: p - rate * a / (jnp.sqrt(b) + 1e-8), parameters, m, v
        )
        return (parameters, m, v, count), loss

    def epoch(state, inputs, targets, order):
        def body(state, rows):
            return step(state, inputs[rows], targets[rows])

        state, losses = jax.lax.scan(body, state, order)
        return state, losses.mean()

    return epoch


def products_alone(case: Case, X: np.ndarray, y: np.ndarray) -> float:
    """The matrix products of all steps (float32, NumPy), and nothing else."""
    batch = case.batch_size
    widths = case.widths
    make = np.random.RandomState(0).standard_normal
    values = [make((batch, width)).astype(np.float32) for width in widths]
    weights = [make((i, o)).astype(np.float32) for i, o in pairwise(widths)]
    gradients = [np.empty_like(w) for w in weights]
    outputs = [np.empty_like(v) for v in values]
    start = time.perf_counter()
    for _ in range(case.steps):
        for i, weight in enumerate(weights):
            np.matmul(values[i], weight, out=outputs[i + 1])
        for i in reversed(range(len(weights))):
            np.matmul(values[i].T, values[i + 1], out=gradients[i])
            if i:
                np.matmul(values[i + 1], weights[i].T, out=outputs[i])
    return time.perf_counter() - start


def available() -> dict[str, Peer]:
    """Return the peers that are installed, ours first."""
    peers: dict[str, Peer] = {"skperceptron": skperceptron, "scikit-learn": scikit_learn}
    if find_spec("torch"):
        peers["PyTorch"] = pytorch
    if find_spec("jax"):
        peers["JAX"] = JAX()
    peers["products"] = products_alone
    return peers
