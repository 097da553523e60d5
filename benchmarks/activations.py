"""Training time with each activation, compared with ReLU in the same network."""

from __future__ import annotations

from dataclasses import replace

from .cases import CASES
from .measuring import OURS, Options, Table
from .training import compare

NAMES = ("relu", "sigmoid", "tanh", "elu", "gelu", "silu", "mish")


def tables(options: Options) -> list[Table]:
    """Measure microseconds per step on the mnist case."""
    rows = compare({name: replace(CASES["mnist"], activation=name) for name in NAMES}, options)
    ratios = {
        name: {"ours / ours with ReLU": row[OURS] / rows["relu"][OURS]}
        for name, row in rows.items()
    }
    title = "Activations, mnist case: microseconds per step"
    return [Table("activations", title, "activation", rows, ratios)]
