"""Measuring tools of all subjects: the peers take turns, and medians are reported."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

Name = TypeVar("Name", bound=Hashable)

OURS = "skperceptron"
PRODUCTS = "products alone"

#: The numbers of a table, by row and column.
Results = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Options:
    """The options of the command line.

    Attributes
    ----------
    repeats : int
    threads : int
        Threads of BLAS and PyTorch; for predictions, JAX uses every core.
    quick : bool
        Whether to run small problems, to check that everything works.
    only : tuple of str
        Peers to run; all, if empty.
    cases : tuple of str
        Training cases to run; all, if empty.
    """

    repeats: int = 5
    threads: int = 2
    quick: bool = False
    only: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()

    def chosen(self, peers: Mapping[str, Any]) -> dict[str, Any]:
        """Return the peers selected by `only`, and always ours."""
        wanted = {OURS, *self.only} if self.only else set(peers)
        return {name: run for name, run in peers.items() if name in wanted}


@dataclass
class Table:
    """The results of a subject.

    Attributes
    ----------
    name : str
        The name of the files in which it is stored.
    title : str
        The quantity and its unit.
    heading : str
        The heading of the first column.
    rows : dict
        Numbers by row and column.
    ratios : dict
        Further columns: numbers without a unit.
    reference : str or None
        The column of which the others are shown as multiples, in brackets.
    """

    name: str
    title: str
    heading: str
    rows: Results
    ratios: Results = field(default_factory=dict)
    reference: str | None = OURS

    def cells(self) -> list[list[str]]:
        """Return the table as text, headings first."""
        columns = _columns(self.rows)
        more = _columns(self.ratios)
        lines = [[self.heading, *columns, *more]]
        for name, row in self.rows.items():
            unit = row.get(self.reference) if self.reference else None
            cells = [_with_multiple(row[c], unit) if c in row else "-" for c in columns]
            ratios = self.ratios.get(name, {})
            cells += [f"{ratios[c]:.2f}" if c in ratios else "-" for c in more]
            lines.append([name, *cells])
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return the table as JSON stores it."""
        return asdict(self)


class UnsupportedError(Exception):
    """A peer does not support a case."""


def medians(
    peers: Mapping[Name, Callable[[], float]], repeats: int, warm_up: bool = True
) -> dict[Name, float]:
    """Return the median of the times that each peer returns, without unsupported peers.

    The peers take turns, so that slow phases of the machine affect all of them. With `warm_up`, all
    of them run once before, without being timed.
    """
    found: dict[Name, list[float]] = {name: [] for name in peers}
    for _ in range(warm_up + repeats):
        for name in list(found):
            try:
                found[name].append(peers[name]())
            except UnsupportedError:
                del found[name]
    return {name: median(values[warm_up:]) for name, values in found.items()}


def ratio_to(column: str, rows: Results, heading: str) -> Results:
    """Return the ratio of our number to that of another column, for each row with both."""
    return {
        name: {heading: row[OURS] / row[column]}
        for name, row in rows.items()
        if OURS in row and column in row
    }


def seconds_of(call: Callable[[], object], calls: int = 1) -> float:
    """Return the seconds that a call takes: the median of `calls` calls."""
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times)


def in_own_process(function: Callable[..., Any], **arguments: Any) -> Any:
    """Call a function of a module in a new interpreter; arguments and result are JSON."""
    module = function.__module__
    if module == "__main__":
        module = sys.modules[module].__spec__.name  # type: ignore[union-attr]
    target = [module, function.__name__, json.dumps(arguments)]
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.measuring", *target]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def peak_memory(every: float = 0.005) -> Iterator[dict[str, float]]:
    """Measure the largest growth of the process, in megabytes, while the body runs (Linux).

    "private" is the memory of this process alone; "resident" also includes pages of files that the
    kernel keeps in memory and may discard at any time.
    """
    peaks = before = _resident()
    growth: dict[str, float] = {}
    is_over = threading.Event()

    def watch() -> None:
        nonlocal peaks
        while not is_over.wait(every):
            peaks = {name: max(peaks[name], now) for name, now in _resident().items()}

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield growth
    finally:
        is_over.set()
        watcher.join()
        last = _resident()
        growth.update({n: max(peaks[n], last[n]) - before[n] for n in before})


def _resident() -> dict[str, float]:
    # ``resource`` has only the peak since the start of the process.
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = {
        name: value.split()[0]
        for name, _, value in (li.partition(":") for li in lines)
        if name in ("VmRSS", "RssAnon")
    }
    return {
        "private": int(kilobytes["RssAnon"]) / 1000,
        "resident": int(kilobytes["VmRSS"]) / 1000,
    }


def _columns(rows: Results) -> list[str]:
    return list(dict.fromkeys(column for row in rows.values() for column in row))


def _with_multiple(number: float, unit: float | None) -> str:
    text = f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
    return text if not unit or number == unit else f"{text} ({number / unit:.2f})"


if __name__ == "__main__":
    module, name, arguments = sys.argv[1:]
    print(json.dumps(getattr(import_module(module), name)(**json.loads(arguments))))
