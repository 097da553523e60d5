"""A training step of every peer, on the six cases, with X in float64 and in float32."""

from __future__ import annotations

from functools import partial

from .cases import CASES, Case
from .measuring import PRODUCTS, Figures, Options, Table, medians, ratio_to
from .worker import Worker, workers


def tables(options: Options) -> list[Table]:
    """Measure microseconds per step."""
    cases = {name: CASES[name] for name in options.cases or CASES}
    found = []
    for dtype in ("float64", "float32"):
        rows = compare(cases, options, dtype)
        title = f"Training, X in {dtype}: microseconds per step"
        ratios = ratio_to(PRODUCTS, rows, "ours / products")
        found.append(Table(f"training_{dtype}", title, "case", rows, ratios))
    return found


def compare(cases: dict[str, Case], options: Options, dtype: str = "float64") -> Figures:
    """Return the median time of a step, in microseconds, for each case and peer."""
    with workers(options) as peers:
        return {name: _step_times(peers, case, options, dtype) for name, case in cases.items()}


def _step_times(
    peers: dict[str, Worker], case: Case, options: Options, dtype: str
) -> dict[str, float]:
    case = case.shrunk() if options.quick else case
    compiling: dict[str, float] = {}

    def seconds_of(name: str) -> float:
        answer = peers[name].train(case, dtype)
        compiling[name] = answer["compiling"]
        return answer["seconds"]

    seconds = medians({name: partial(seconds_of, name) for name in peers}, options.repeats)
    for name in [name for name in seconds if compiling[name]]:
        seconds[f"{name}, compiling"] = seconds[name] + compiling[name]
    if PRODUCTS in seconds:
        # The last column.
        seconds[PRODUCTS] = seconds.pop(PRODUCTS)
    return {name: time / case.steps * 1e6 for name, time in seconds.items()}
