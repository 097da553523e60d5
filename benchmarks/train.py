"""Time a training step of every peer: ``python -m benchmarks.train [case ...] [options]``.

Peers take turns, so that a busy moment of the machine hits all of them; the table shows
medians, in microseconds per step, and how many times longer each peer takes than we do.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median

from threadpoolctl import threadpool_limits

from .cases import CASES, Case
from .peers import JAX, available


def measure(case: Case, repeats: int, dtype: str, only: list[str] | None) -> dict[str, float]:
    """Return the median time of a step, in microseconds, for each peer."""
    X, y = case.data(dtype)
    peers = {name: p for name, p in available().items() if not only or name in only}
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(repeats):
        for name, peer in peers.items():
            seconds[name].append(peer(case, X, y))
    result = {name: median(times) / case.steps * 1e6 for name, times in seconds.items()}
    for peer in peers.values():
        if isinstance(peer, JAX):
            total = median(seconds["JAX"]) + peer.compile_seconds[case.name]
            result["JAX, compiling"] = total / case.steps * 1e6
    return result


def table(results: dict[str, dict[str, float]]) -> str:
    """Return a Markdown table: microseconds per step (multiples of ours)."""
    columns = list(dict.fromkeys(name for row in results.values() for name in row))
    lines = [f"| case | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for case, row in results.items():
        ours = row["skperceptron"]
        cells = [f"{row[c]:,.0f} ({row[c] / ours:.2f}x)" if c in row else "-" for c in columns]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Read the command line, measure, print, and store JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), help="names of cases")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="float64", choices=["float32", "float64"], help="of X")
    parser.add_argument("--only", nargs="*", help="peers to run")
    parser.add_argument("--json", type=Path, help="where to store the figures")
    options = parser.parse_args()
    if "PyTorch" in available():
        import torch

        torch.set_num_threads(options.threads)
    with threadpool_limits(options.threads):
        results = {
            name: measure(CASES[name], options.repeats, options.dtype, options.only)
            for name in options.cases
        }
    print(f"us per step, {options.threads} threads, {options.dtype} input, ", end="")
    print(f"median of {options.repeats}; in brackets: multiples of skperceptron\n")
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
