"""Training on sparse input like that of 20newsgroups, without making it dense."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import sparse

from .cases import Case
from .measuring import Options, Table, medians
from .peers import ESTIMATORS

DENSITY = 0.002


def tables(options: Options) -> list[Table]:
    """Measure seconds per epoch on CSR matrices."""
    n_rows, n_columns = (400, 2_000) if options.quick else (20_000, 50_000)
    case = Case("20newsgroups", n_rows, n_columns, 20, (100,), 200, 1)
    X, y = data(case)
    peers = options.chosen(ESTIMATORS)
    rows = {}
    for dtype in ("float64", "float32"):
        runs = {name: partial(peer, case, X.astype(dtype), y) for name, peer in peers.items()}
        rows[f"CSR, {dtype}"] = medians(runs, min(3, options.repeats))
    title = f"Sparse input, {n_rows:,} x {n_columns:,}, density 0.2%, (100): seconds per epoch"
    return [Table("sparse", title, "X", rows)]


def data(case: Case) -> tuple[sparse.csr_array, np.ndarray]:
    """Return a random matrix and classes that depend on it."""
    rng = np.random.RandomState(0)
    X = sparse.random(case.n_rows, case.n_features, DENSITY, format="csr", random_state=rng)
    scores = X @ rng.standard_normal((case.n_features, case.n_classes))
    return sparse.csr_array(X), scores.argmax(axis=1)
