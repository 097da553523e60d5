"""The same training loop in several packages: seconds for all epochs of a case.

Every peer gets the same data, batch size, number of epochs, initial scale and solver with
scikit-learn's constants; it shuffles, gathers batches, and adds the L2 penalty (or weight
decay) that scikit-learn has by default. A peer raises an error for a case that it does not
support. Times are those of the whole call of ``fit``, without imports and, where stated, without
compilation.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from unittest.mock import patch

import numpy as np

from .cases import Case
from .measuring import OURS, PRODUCTS, UnsupportedError

Peer = Callable[..., float]

ALPHA = 1e-4
RATE = 1e-3
MOMENTUM = 0.9

#: Names of activations in PyTorch's ``nn`` and in scikit-learn.
IN_PYTORCH = {
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
}
IN_SCIKIT_LEARN = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}


def _fit_seconds(
    estimator_class: type, case: Case, X: np.ndarray, y: np.ndarray, **options
) -> float:
    estimator = estimator_class(
        case.hidden,
        solver=case.solver,
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
    """Ours, with dtype="auto" unless given, and with compiled steps where they are available."""
    from skperceptron import MLPSoftmaxClassifier

    return _fit_seconds(MLPSoftmaxClassifier, case, X, y, activation=case.activation, **options)


def by_numpy_steps(case: Case, X: np.ndarray, y: np.ndarray, **options) -> float:
    """Ours without compiled steps."""
    with patch.dict(os.environ, {"SKPERCEPTRON_STEPS": "numpy"}):
        return skperceptron(case, X, y, **options)


def scikit_learn(case: Case, X: np.ndarray, y: np.ndarray, **options) -> float:
    """``MLPClassifier``, which trains in the dtype of X."""
    from sklearn.neural_network import MLPClassifier

    if case.activation not in IN_SCIKIT_LEARN:
        raise UnsupportedError
    activation = IN_SCIKIT_LEARN[case.activation]
    return _fit_seconds(MLPClassifier, case, X, y, activation=activation, **options)


#: Peers that also take sparse and memory-mapped X, and options of the estimator.
ESTIMATORS: dict[str, Peer] = {OURS: skperceptron, "scikit-learn": scikit_learn}


def pytorch(case: Case, X: np.ndarray, y: np.ndarray) -> float:
    """Eager PyTorch in float32 with a fused solver."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    start = time.perf_counter()
    inputs = torch.from_numpy(X.astype(np.float32))
    targets = torch.from_numpy(y)
    model = _torch_model(case)
    common = {"lr": RATE, "weight_decay": ALPHA / case.batch_size, "fused": True}
    if case.solver == "adam":
        optimizer = torch.optim.Adam(model.parameters(), **common)
    else:
        optimizer = torch.optim.SGD(model.parameters(), momentum=MOMENTUM, nesterov=True, **common)
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


def _torch_model(case: Case):
    from torch import nn

    activation = getattr(nn, IN_PYTORCH[case.activation])
    layers: list[nn.Module] = []
    for fan_in, units in pairwise(case.widths):
        layers += [nn.Linear(fan_in, units), activation()]
    return nn.Sequential(*layers[:-1])


def pytorch_predictor(case: Case, dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that computes probabilities with PyTorch, from and to NumPy arrays."""
    import torch

    model = _torch_model(case).to(getattr(torch, dtype)).eval()

    @torch.inference_mode()
    def predict(X: np.ndarray) -> np.ndarray:
        return torch.softmax(model(torch.from_numpy(X)), dim=1).numpy()

    return predict


def jax_predictor(case: Case, dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a compiled function that computes probabilities with JAX, in float32 only."""
    import jax

    assert dtype == "float32"
    parameters = _jax_parameters(case, np.random.RandomState(0))

    @jax.jit
    def predict(X):
        return jax.nn.softmax(_jax_logits(parameters, X), axis=1)

    return lambda X: np.asarray(predict(X))


class JAX:
    """A whole epoch compiled by XLA (float32); compilation is timed separately."""

    def __init__(self) -> None:
        self.compile_seconds: dict[str, float] = {}
        self._epochs: dict[str, Callable] = {}

    def __call__(self, case: Case, X: np.ndarray, y: np.ndarray) -> float:
        """Return the seconds of all epochs without compilation."""
        import jax
        import jax.numpy as jnp

        if (case.activation, case.solver) != ("relu", "adam"):
            raise UnsupportedError
        start = time.perf_counter()
        rng = np.random.RandomState(0)
        parameters = _jax_parameters(case, rng)
        moments = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
        state = (parameters, *moments, jnp.zeros((), jnp.float32))
        inputs, targets = jnp.asarray(X, jnp.float32), jnp.asarray(y)
        n_batches = case.n_rows // case.batch_size
        orders = [
            rng.permutation(case.n_rows)[: n_batches * case.batch_size].reshape(n_batches, -1)
            for _ in range(case.epochs)
        ]
        preparing = time.perf_counter() - start
        if case.name not in self._epochs:
            start = time.perf_counter()
            # The new state overwrites that of the previous epoch.
            jitted = jax.jit(_jax_epoch(case), donate_argnums=0)
            compiled = jitted.lower(state, inputs, targets, orders[0]).compile()
            self.compile_seconds[case.name] = time.perf_counter() - start
            self._epochs[case.name] = compiled
        epoch = self._epochs[case.name]
        start = time.perf_counter()
        for order in orders:
            state, loss = epoch(state, inputs, targets, order)
            float(loss)
        seconds = time.perf_counter() - start
        # A shorter last batch would need a second compilation. It is left out, and its time is
        # added in proportion to its rows.
        return preparing + seconds * case.n_rows / (n_batches * case.batch_size)


def _jax_parameters(case: Case, rng: np.random.RandomState):
    import jax.numpy as jnp

    return [
        (jnp.asarray(rng.uniform(-b, b, (i, o)), jnp.float32), jnp.zeros(o, jnp.float32))
        for i, o in pairwise(case.widths)
        for b in [np.sqrt(6 / (i + o))]
    ]


def _jax_logits(parameters, x):
    import jax

    for weight, bias in parameters[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = parameters[-1]
    return x @ weight + bias


def _jax_epoch(case: Case) -> Callable:
    import jax
    import jax.numpy as jnp

    def loss_of(parameters, x, t):
        logits = _jax_logits(parameters, x)
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
    """Only the matrix products of all steps (float32, NumPy)."""
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
    """Return the installed peers, ours first."""
    from skperceptron.engine.compiled import is_available

    peers = dict(ESTIMATORS)
    if is_available():
        peers["skperceptron, NumPy steps"] = by_numpy_steps
    if find_spec("torch"):
        peers["PyTorch"] = pytorch
    if find_spec("jax"):
        peers["JAX"] = JAX()
    peers[PRODUCTS] = products_alone
    return peers


def limit_threads(threads: int) -> None:
    """Limit PyTorch's own threads, which a limit on BLAS does not affect."""
    import torch

    torch.set_num_threads(threads)
