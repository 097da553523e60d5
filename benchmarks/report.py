"""Write tables as Markdown, as JSON, and as files that the documentation includes."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .measuring import Options, Table

PACKAGES = ("skperceptron", "numpy", "scipy", "scikit-learn", "torch", "jax")


def circumstances(options: Options) -> dict[str, Any]:
    """Return the date, machine, settings and versions of a measurement."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": options.threads,
        "repeats": options.repeats,
        "quick": options.quick,
        "python": platform.python_version(),
        "versions": dict(_versions()),
    }


def in_words(facts: dict[str, Any]) -> str:
    """Return the circumstances as a sentence."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return (
        f"{facts['date']}, {facts['processor']}, {facts['cores']} cores,"
        f" {in_threads(facts['threads'])}, medians of {facts['repeats']};"
        f" Python {facts['python']}, {versions}."
    )


def in_threads(n: int) -> str:
    """Return a number of threads as text."""
    return f"{n} thread{'s' * (n > 1)}"


def markdown(table: Table) -> str:
    """Return a table in Markdown."""
    heading, *rows = table.cells()
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join([f"**{table.title}**", "", *(f"| {' | '.join(line)} |" for line in lines)])


def restructured_text(table: Table, facts: dict[str, Any]) -> str:
    """Return a table as a reStructuredText directive."""
    rows = io.StringIO()
    # A cell with only a hyphen would become a bullet.
    cells = [["\\-" if cell == "-" else cell for cell in row] for row in table.cells()]
    csv.writer(rows, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(cells)
    body = "".join(f"   {line}\n" for line in rows.getvalue().splitlines())
    hint = ", small problems: these numbers are not meaningful" if facts["quick"] else ""
    title = f"{table.title} ({facts['date']}, {facts['processor']}{hint})"
    return f".. csv-table:: {title}\n   :header-rows: 1\n\n{body}"


def store_json(tables: Iterable[Table], facts: dict[str, Any], path: Path) -> None:
    """Write the circumstances and all tables into one file."""
    path.write_text(json.dumps({**facts, "tables": [t.as_dict() for t in tables]}, indent=2))


def store_for_docs(tables: Iterable[Table], facts: dict[str, Any], folder: Path) -> None:
    """Write one file per table, and one with the circumstances."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        (folder / f"{table.name}.inc").write_text(restructured_text(table, facts))
    (folder / "circumstances.inc").write_text(in_words(facts) + "\n")


def _processor() -> str:
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        for line in cpu_info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> Iterable[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
