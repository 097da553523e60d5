"""How training time grows with rows and with parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from .cases import Case
from .measuring import PRODUCTS, Options, Results, Table
from .training import compare

ROWS = (1_000, 10_000, 100_000, 1_000_000)
#: Widths of two hidden layers: with 784 inputs, 1e5 to 1e7 parameters.
WIDTHS = (111, 290, 688, 1_437, 2_790)
#: Minimum numbers of row visits and of epochs, to make the fixed cost of a fit negligible.
VISITS, EPOCHS = 300_000, 3


def tables(options: Options) -> list[Table]:
    """Measure nanoseconds per row, and picoseconds per row and parameter."""
    if not options.only:
        # Without JAX, whose compilation would take minutes.
        options = replace(options, only=("scikit-learn", "PyTorch", PRODUCTS))
    return [over_rows(options), over_parameters(options)]


def over_rows(options: Options) -> Table:
    """Return the time per row of data sets that differ only in their number of rows."""
    cases = {
        f"{n:,}": Case(f"{n:,}", n, 50, 10, (100,), 200, max(EPOCHS, VISITS // n))
        for n in (ROWS[:2] if options.quick else ROWS)
    }
    # The number of rows is a multiple of `batch_size`, so that all steps have equal sizes.
    rows = _scaled(cases, options, lambda case: 1e3 / case.batch_size)
    title = "Rows: nanoseconds per row, 50-100-10 units, batches of 200"
    return Table("scaling_rows", title, "rows", rows)


def over_parameters(options: Options) -> Table:
    """Return the time per row and parameter of networks that differ only in their width."""
    cases = {}
    for width in WIDTHS[:2] if options.quick else WIDTHS:
        n_parameters = _n_parameters(width)
        name = f"{n_parameters:,}"
        epochs = max(EPOCHS, 3_000_000 // n_parameters)
        cases[name] = Case(name, 5_120, 784, 10, (width, width), 256, epochs)
    rows = _scaled(
        cases, options, lambda case: 1e6 / (case.batch_size * _n_parameters(case.hidden[0]))
    )
    title = "Parameters: picoseconds per row and parameter, 784 inputs, batches of 256"
    return Table("scaling_parameters", title, "parameters", rows)


def _n_parameters(width: int) -> int:
    return 785 * width + (width + 1) * width + (width + 1) * 10


def _scaled(
    cases: dict[str, Case], options: Options, factor_of: Callable[[Case], float]
) -> Results:
    """Return step times on float32 data, multiplied by each case's factor."""
    return {
        name: {peer: factor_of(cases[name]) * time for peer, time in times.items()}
        for name, times in compare(cases, options, "float32").items()
    }


def draw(tables: Iterable[Table], path: Path) -> None:
    """Plot both tables."""
    from matplotlib import pyplot as plt

    by_name = {table.name: table for table in tables}
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    labels = {
        "scaling_rows": ("rows of X", "ns per row", "50-100-10 units, batches of 200"),
        "scaling_parameters": ("parameters", "ps per row and parameter", "batches of 256"),
    }
    for axis, (name, (x, y, title)) in zip(axes, labels.items(), strict=True):
        rows = by_name[name].rows
        peers = list(dict.fromkeys(peer for row in rows.values() for peer in row))
        for peer in peers:
            shown = {int(n.replace(",", "")): row[peer] for n, row in rows.items() if peer in row}
            style = {"color": "0.6", "linestyle": "--"} if peer == PRODUCTS else {"marker": "o"}
            axis.plot([*shown], [*shown.values()], label=peer, **style)
        axis.set(xscale="log", yscale="log", xlabel=x, ylabel=y, title=title)
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    plt.rcParams["svg.hashsalt"] = "skperceptron"
    figure.savefig(path, metadata={"Date": None})
