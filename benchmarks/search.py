"""Compare the time of whole grid searches: ``python -m benchmarks.search [data ...] [options]``.

Each search trains 180 networks on a data set (3 activations x 4 hidden sizes x 3 alphas x 5
folds): ``StackedGridSearchCV``, ``GridSearchCV`` over our network, and ``GridSearchCV`` over
scikit-learn's. It runs in its own process, once for each number of workers, and the fastest number
is reported. Workers are warmed up first; with ``--cold``, the time is that of the first search of a
process. Memory is the growth of the process's peak plus the peaks of its workers. With ``--brief``,
each search trains 48 networks for 30 epochs instead (2 activations x 2 hidden sizes x 4 alphas x 3
folds), and its time is the median of several searches of the process, unless that is cold.

``--scaling`` times stacked and ordinary searches with 10 to 10,000 fits instead; ``--plot`` draws
these times (it needs matplotlib).
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from skperceptron import MLPBinaryClassifier, MLPSoftmaxClassifier
from skperceptron.model_selection import StackedGridSearchCV

from .measuring import in_own_process

DATA = {
    "breast_cancer": load_breast_cancer,
    "iris": load_iris,
    "wine": load_wine,
    "digits": load_digits,
}
GRID = {
    "activation": ["relu", "tanh", "logistic"],
    "hidden_layer_sizes": [(4,), (8,), (16,), (8, 8)],
    "alpha": [1e-4, 1e-3, 1e-2],
}
BRIEF_GRID = {
    "activation": ["relu", "tanh"],
    "hidden_layer_sizes": [(8,), (16,)],
    "alpha": [1e-4, 1e-3, 1e-2, 1e-1],
}
#: Folds and epochs of a search, by whether it is brief.
FOLDS, EPOCHS = {False: 5, True: 3}, {False: 100, True: 30}
#: How often a brief search is repeated in a process that is warm.
TIMES = 9
PEERS = ("stacked", "GridSearchCV", "scikit-learn")
#: Numbers of fits in the scaling runs, each with five folds.
FITS = (10, 30, 100, 300, 1_000, 3_000, 10_000)


def search_of(
    peer: str, data: str, grid: dict[str, Any], n_jobs: int, epochs: int, folds: int = 5
) -> Any:
    """Return an unfitted search without a final fit."""
    ours = MLPBinaryClassifier if data == "breast_cancer" else MLPSoftmaxClassifier
    network = (MLPClassifier if peer == "scikit-learn" else ours)(
        batch_size=32, max_iter=epochs, tol=0, n_iter_no_change=epochs, random_state=0
    )
    kind = StackedGridSearchCV if peer == "stacked" else GridSearchCV
    return kind(network, grid, cv=folds, n_jobs=n_jobs, refit=False)


def warm_up(peer: str, data: str, n_jobs: int, X: Any, y: Any) -> None:
    """Start all workers and let them import what a search needs."""
    small = {"alpha": np.geomspace(1e-4, 1, 18).tolist(), "hidden_layer_sizes": [(2,), (3,)]}
    search = search_of(peer, data, small, n_jobs, 1)
    # In a single round, the first worker could take all tasks before the second one has started.
    for _ in range(3):
        Parallel(n_jobs)(delayed(clone(search).set_params(n_jobs=1).fit)(X, y) for _ in range(4))
        search.fit(X, y)


def run(
    peer: str,
    data: str,
    grid: dict[str, Any],
    n_jobs: int,
    epochs: int,
    folds: int = 5,
    is_cold: bool = False,
    times: int = 1,
) -> dict[str, float]:
    """Search in this process; return median seconds, megabytes and the best score."""
    warnings.simplefilter("ignore")
    X, y = DATA[data](return_X_y=True)
    X = StandardScaler().fit_transform(X)
    if not is_cold:
        warm_up(peer, data, n_jobs, X, y)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = []
    for _ in range(times):
        search = search_of(peer, data, grid, n_jobs, epochs, folds)
        start = time.perf_counter()
        search.fit(X, y)
        taken.append(time.perf_counter() - start)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if n_jobs > 1:
        get_reusable_executor().shutdown(wait=True)
        kilobytes += n_jobs * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    best = float(np.max(search.cv_results_["mean_test_score"]))
    return {"seconds": median(taken), "megabytes": kilobytes / 1024, "score": best}


def compare(options: argparse.Namespace) -> dict[str, dict[str, dict[str, float]]]:
    """Return, for each data set and peer, the run with the best number of workers."""
    results: dict[str, dict[str, dict[str, float]]] = {}
    for data in options.data:
        ways = [(peer, n_jobs) for peer in options.only for n_jobs in options.jobs]
        runs: dict[tuple[str, int], list[dict[str, float]]] = {way: [] for way in ways}
        # The runs alternate, so that slow phases of the machine affect all of them.
        for _ in range(options.repeats):
            for peer, n_jobs in ways:
                task = {"peer": peer, "data": data, "grid": options.grid, "n_jobs": n_jobs}
                task |= {"epochs": options.epochs, "folds": options.folds, "is_cold": options.cold}
                task["times"] = TIMES if options.brief and not options.cold else 1
                runs[peer, n_jobs].append(in_own_process(run, **task))
        of_peer: dict[str, dict[str, float]] = {}
        for (peer, n_jobs), measured in runs.items():
            found = {key: median(one[key] for one in measured) for key in measured[0]}
            found["n_jobs"] = n_jobs
            if peer not in of_peer or found["seconds"] < of_peer[peer]["seconds"]:
                of_peer[peer] = found
        results[data] = of_peer
        print(table({data: of_peer}).splitlines()[-1], file=sys.stderr, flush=True)
    return results


def table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return a Markdown table of seconds, multiples of ours, workers and memory."""
    peers = list(dict.fromkeys(peer for row in results.values() for peer in row))
    lines = [f"| data | {' | '.join(peers)} |", "|---" * (len(peers) + 1) + "|"]
    for data, row in results.items():
        ours = row[peers[0]]["seconds"]
        cells = [
            f"{one['seconds']:.3g} s ({one['seconds'] / ours:.1f}x), n_jobs={one['n_jobs']:.0f},"
            f" {one['megabytes']:,.0f} MB"
            for one in row.values()
        ]
        lines.append(f"| {data} | {' | '.join(cells)} |")
    return "\n".join(lines)


def scale(options: argparse.Namespace) -> dict[str, dict[str, dict[str, float]]]:
    """Return, for each peer and number of fits, milliseconds per fit and megabytes."""
    results: dict[str, dict[str, dict[str, float]]] = {}
    for peer in ("stacked", "GridSearchCV"):
        for n_fits in FITS:
            if n_fits > options.most[peer]:
                continue
            grid = {
                "hidden_layer_sizes": [(8,)],
                "alpha": np.geomspace(1e-5, 1, n_fits // 5).tolist(),
            }
            found = in_own_process(run, peer=peer, data="iris", grid=grid, n_jobs=1, epochs=20)
            found["ms per fit"] = 1e3 * found["seconds"] / n_fits
            results.setdefault(peer, {})[str(n_fits)] = found
            print(peer, n_fits, found, file=sys.stderr, flush=True)
    return results


def draw(results: dict[str, dict[str, dict[str, float]]], path: Path) -> None:
    """Plot time per fit, and memory, over the number of fits."""
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for peer, of_fits in results.items():
        n_fits = [int(name) for name in of_fits]
        label = "StackedGridSearchCV" if peer == "stacked" else peer
        times = [one["ms per fit"] for one in of_fits.values()]
        left.plot(n_fits, times, "o-", label=label)
        right.plot(n_fits, [one["megabytes"] for one in of_fits.values()], "o-", label=label)
    left.set(xscale="log", xlabel="candidates x folds", ylabel="ms per fit", ylim=(0, None))
    right.set(xscale="log", xlabel="candidates x folds", ylabel="added peak memory, MB")
    left.legend()
    figure.suptitle("Search on iris: 4-8-3 networks, batch 32, 20 epochs, one process")
    figure.savefig(path)


def main() -> None:
    """Read the command line, measure, print, and store JSON and a plot on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", default=list(DATA), help="names of data sets")
    parser.add_argument("--epochs", type=int, help="by default 100, or 30 if brief")
    parser.add_argument("--brief", action="store_true", help="48 fits of few epochs instead of 180")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--cold", action="store_true", help="time the first search of a process")
    parser.add_argument("--only", nargs="*", default=PEERS, choices=PEERS, help="peers, ours first")
    parser.add_argument(
        "--scaling", action="store_true", help="10 to 10,000 fits instead: --json and --plot only"
    )
    parser.add_argument("--json", type=Path, help="where to store the results")
    parser.add_argument("--plot", type=Path, help="where to draw the scaling")
    options = parser.parse_args()
    if options.plot and not options.scaling:
        parser.error("--plot draws the results of --scaling.")
    options.grid, options.folds = (BRIEF_GRID if options.brief else GRID), FOLDS[options.brief]
    options.epochs = options.epochs or EPOCHS[options.brief]
    # The time per fit of an ordinary search does not depend on the number of fits.
    options.most = {"stacked": FITS[-1], "GridSearchCV": 1_000}
    results = scale(options) if options.scaling else compare(options)
    if not options.scaling:
        n_fits = len(ParameterGrid(options.grid)) * options.folds
        print(f"{n_fits} fits, {options.epochs} epochs, batch 32; in brackets: multiples of ours\n")
        print(table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))
    if options.plot:
        draw(results, options.plot)


if __name__ == "__main__":
    main()
