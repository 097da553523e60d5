"""Time and memory of one epoch on a memory-mapped file of 2 GB."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from .cases import Case
from .measuring import OURS, Options, Table, in_own_process, peak_memory
from .peers import ESTIMATORS


def tables(options: Options) -> list[Table]:
    """Measure seconds and the megabytes that the fit adds, each peer in its own process."""
    n_rows = 5_000 if options.quick else 2_000_000_000 // (784 * 4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        write(path, n_rows)
        found = {
            name: in_own_process(fit, peer=name, path=str(path), threads=options.threads)
            for name in options.chosen(ESTIMATORS)
        }
        gigabytes = path.stat().st_size / 1e9
    rows = {key: {name: of[key] for name, of in found.items()} for key in found[OURS]}
    title = f"Memory-mapped float32 file of {gigabytes:.2g} GB, (256, 128), one epoch"
    return [Table("mapped", title, "quantity", rows)]


def write(path: Path, n_rows: int) -> None:
    """Write random rows of 784 numbers, block by block."""
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, 784))
    rng = np.random.default_rng(0)
    for start in range(0, n_rows, 10_000):
        rng.random(dtype=np.float32, out=rows[start : start + 10_000])
    rows.flush()


def fit(peer: str, path: str, threads: int) -> dict[str, float]:
    """Fit a network to the file; to be run in its own process."""
    X = np.load(path, mmap_mode="r")
    y = (np.arange(len(X)) * 7919) % 10
    case = Case("mapped", len(X), X.shape[1], 10, (256, 128), 256, 1)
    warm_up = Case("warm-up", 512, X.shape[1], 10, (256, 128), 256, 1)
    ESTIMATORS[peer](warm_up, np.array(X[:512]), y[:512])
    # Only libraries that are loaded can be limited.
    with threadpool_limits(threads), peak_memory() as growth:
        seconds = ESTIMATORS[peer](case, X, y)
    return {
        "seconds": seconds,
        "private MB": growth["private"],
        "resident MB, pages of the file included": growth["resident"],
    }
