"""Time of a training step of every peer on the six cases, with X in float64 and in float32."""

from __future__ import annotations

from functools import partial

from .cases import CASES, Case
from .measuring import PRODUCTS, Options, Results, Table, medians, ratio_to
from .report import in_threads
from .worker import Worker, workers


def tables(options: Options) -> list[Table]:
    """Measure microseconds per step."""
    cases = {name: CASES[name] for name in options.cases or CASES}
    found = []
    for dtype in ("float64", "float32"):
        rows = compare(cases, options, dtype)
        title = f"Training, X in {dtype}, {in_threads(options.threads)}: microseconds per step"
        ratios = ratio_to(PRODUCTS, rows, "ours / products")
        name = f"training_{dtype}_{options.threads}"
        found.append(Table(name, title, "case", rows, ratios))
    return found


def compare(cases: dict[str, Case], options: Options, dtype: str = "float64") -> Results:
    """Return the median time of a step, in microseconds, for each case and peer."""
    if options.quick:
        cases = {name: case.shrunk() for name, case in cases.items()}
    compiling: Results = {name: {} for name in cases}

    def seconds_of(name: str, peer: str, worker: Worker) -> float:
        answer = worker.train(cases[name], dtype)
        if answer["compiling"]:
            compiling[name][peer] = answer["compiling"]
        return answer["seconds"]

    with workers(options) as peers:
        contestants = {
            (name, peer): partial(seconds_of, name, peer, worker)
            for name in cases
            for peer, worker in peers.items()
        }
        seconds: Results = {name: {} for name in cases}
        for (name, peer), found in medians(contestants, options.repeats, warm_up=False).items():
            seconds[name][peer] = found
    return {name: _per_step(case, seconds[name], compiling[name]) for name, case in cases.items()}


def _per_step(
    case: Case, seconds: dict[str, float], compiling: dict[str, float]
) -> dict[str, float]:
    """Return microseconds per step, without and with compilation; the products come last."""
    seconds = seconds | {
        f"{peer}, compiling": seconds[peer] + compiling[peer] for peer in compiling
    }
    if PRODUCTS in seconds:
        seconds[PRODUCTS] = seconds.pop(PRODUCTS)
    return {peer: time / case.steps * 1e6 for peer, time in seconds.items()}
