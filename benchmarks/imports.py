"""Import time in a new interpreter."""

from __future__ import annotations

import os
import time
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from unittest.mock import patch

from .measuring import Options, Table, in_own_process, medians

MODULES = {
    "skperceptron": "skperceptron",
    "scikit-learn": "sklearn.neural_network",
    "PyTorch": "torch",
    "JAX": "jax.numpy",
}


def tables(options: Options) -> list[Table]:
    """Measure milliseconds per import, with stored bytecode."""
    here = {name: m for name, m in MODULES.items() if find_spec(m.partition(".")[0])}
    runs = {
        name: partial(in_own_process, seconds_of_import, module=module)
        for name, module in options.chosen(here).items()
    }
    with TemporaryDirectory() as folder:
        # The first run stores the bytecode of a checkout; pip has stored that of packages.
        settings = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        with patch.dict(os.environ, settings):
            times = {name: 1e3 * time for name, time in medians(runs, options.repeats).items()}
    return [Table("imports", "Import: milliseconds", "", {"import": times})]


def seconds_of_import(module: str) -> float:
    """Return the seconds that an import takes; to be run in its own process."""
    start = time.perf_counter()
    import_module(module)
    return time.perf_counter() - start
