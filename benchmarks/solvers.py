"""Adam and SGD with Nesterov's momentum, with scikit-learn's default settings."""

from __future__ import annotations

from dataclasses import replace

from .cases import CASES
from .measuring import PRODUCTS, Options, Table, ratio_to
from .training import compare


def tables(options: Options) -> list[Table]:
    """Measure microseconds per step."""
    cases = {
        f"{name}, {solver}": replace(CASES[name], solver=solver)
        for name in ("small", "mnist")
        for solver in ("adam", "sgd")
    }
    rows = compare(cases, options)
    ratios = ratio_to(PRODUCTS, rows, "ours / products")
    return [Table("solvers", "Solvers: microseconds per step", "case", rows, ratios)]
