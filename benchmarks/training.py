"""A training step of every peer, on the six cases, with X in float64 and in float32."""

from __future__ import annotations

from functools import partial

from .cases import CASES, Case
from .measuring import PRODUCTS, Figures, Options, Table, medians, ratio_to
from .peers import JAX, available


def tables(options: Options) -> list[Table]:
    """Measure microseconds per step."""
    cases = [CASES[name] for name in options.cases or CASES]
    found = []
    for dtype in ("float64", "float32"):
        rows = {case.name: step_times(case, options, dtype) for case in cases}
        title = f"Training, X in {dtype}: microseconds per step"
        ratios = ratio_to(PRODUCTS, rows, "ours / products")
        found.append(Table(f"training_{dtype}", title, "case", rows, ratios))
    return found


def step_times(case: Case, options: Options, dtype: str = "float64") -> dict[str, float]:
    """Return the median time of a step, in microseconds, for each peer that can do it."""
    case = case.shrunk() if options.quick else case
    X, y = case.data(dtype)
    peers = options.chosen(available())
    runs = {name: partial(peer, case, X, y) for name, peer in peers.items()}
    seconds = medians(runs, options.repeats)
    jax = peers.get("JAX")
    if isinstance(jax, JAX) and "JAX" in seconds:
        seconds["JAX, compiling"] = seconds["JAX"] + jax.compile_seconds[case.name]
    if PRODUCTS in seconds:
        # The last column.
        seconds[PRODUCTS] = seconds.pop(PRODUCTS)
    return {name: time / case.steps * 1e6 for name, time in seconds.items()}


def compare(cases: dict[str, Case], options: Options) -> Figures:
    """Return the step times of several variants."""
    return {name: step_times(case, options) for name, case in cases.items()}
