"""The memory that a fit adds to its process, including any copies of X."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cases import Case
from .measuring import OURS, Options, Table, in_own_process, peak_memory
from .peers import ESTIMATORS

KINDS: dict[str, dict[str, Any]] = {
    "float64": {"dtype": "float64"},
    "float32": {"dtype": "float32"},
    "uint8": {"dtype": "uint8"},
    "float64, Fortran order": {"dtype": "float64", "order": "F"},
    "float64, early stopping": {"dtype": "float64", "early_stopping": True},
    "float64, full batches": {"dtype": "float64", "batch_size": 0},
}


def tables(options: Options) -> list[Table]:
    """Measure the megabytes that a fit adds, each fit in its own process."""
    n_rows = 2_000 if options.quick else 50_000
    rows: dict[str, dict[str, float]] = {}
    for kind, arguments in KINDS.items():
        found = {
            name: in_own_process(fit, peer=name, n_rows=n_rows, **arguments)
            for name in options.chosen(ESTIMATORS)
        }
        size = found[OURS]["X"]
        rows[f"{kind} ({size:,.0f} MB)"] = {name: of["added"] for name, of in found.items()}
    title = f"Memory, {n_rows:,} x 784, (256, 128): megabytes that a fit adds at most"
    return [Table("memory", title, "X", rows)]


def fit(
    peer: str,
    n_rows: int,
    dtype: str,
    order: str = "C",
    batch_size: int = 200,
    early_stopping: bool = False,
) -> dict[str, float]:
    """Fit a network; to be run in its own process."""
    rng = np.random.default_rng(0)
    X = np.asarray(rng.integers(0, 256, (n_rows, 784), dtype=np.uint8).astype(dtype), order=order)
    y = np.arange(n_rows) % 10
    run, options = ESTIMATORS[peer], {"early_stopping": early_stopping}
    warm_up = Case("warm-up", 400, 784, 10, (256, 128), 200, 1)
    run(warm_up, np.array(X[:400]), y[:400], **options)
    case = Case("memory", n_rows, 784, 10, (256, 128), batch_size or n_rows, 1)
    with peak_memory() as growth:
        run(case, X, y, **options)
    return {"added": growth["private"], "X": X.nbytes / 1e6}
