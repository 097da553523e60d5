"""One fit on 1, 2 and 4 workers of a Dask cluster: ``python -m benchmarks.distributed [--quick]``.

Workers are processes of this machine with one thread each. The first table has the cost of a round
for each network, mode and number of workers: bytes, and milliseconds for computing, for waiting for
the slowest worker, and for communication, called "wire" (serialization, scheduler, sockets). Then a
model of the wire time is fitted to these points, compared with them, and extrapolated to 1,000
workers.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from itertools import product

import dask.array as da
import distributed
import numpy as np

from skperceptron import MLPRegressor
from skperceptron.distributed import fit

WORKERS = [1, 2, 4]

#: Numbers of workers to which the model is extrapolated.
MORE_WORKERS = [10, 100, 1000]

#: Features, hidden units, rows per batch.
NETWORKS = [(20, (64,), 200), (200, (512,), 1000), (500, (1024,), 2000)]


@dataclass(frozen=True)
class Point:
    """The measured cost of one round of a fit.

    Attributes
    ----------
    mode : str
    n_parameters : int
    batch : int
    workers : int
    n_bytes : float
    compute, wait, wire : float
        Seconds.
    """

    mode: str
    n_parameters: int
    batch: int
    workers: int
    n_bytes: float
    compute: float
    wait: float
    wire: float

    @property
    def seconds(self):
        """Seconds of the whole round."""
        return self.compute + self.wait + self.wire


def measure(client, mode, features, hidden, batch, n_rounds, repeats):
    """Return the point of the fastest of some fits."""
    workers = len(client.nthreads())
    n_rows = batch * n_rounds if mode == "summed" else batch * 5
    X = da.random.RandomState(0).normal(size=(n_rows, features), chunks=(n_rows // 4, features))
    y = X[:, 0] * X[:, 1]
    max_iter = 1 if mode == "summed" else n_rounds
    points = []
    for _ in range(repeats):
        network = MLPRegressor(hidden_layer_sizes=hidden, batch_size=batch, max_iter=max_iter)
        report = fit(network.set_params(random_state=0, tol=0), X, y, mode=mode).cluster_report_
        n_parameters = sum(a.size for a in (*network.coefs_, *network.intercepts_))
        times = [report[name] / report["rounds"] for name in ("compute", "wait", "wire")]
        points.append(Point(mode, n_parameters, batch, workers, report["bytes_per_round"], *times))
    return min(points, key=lambda point: point.seconds)


def fitted_model(points):
    """Return seconds per round, per worker and per byte of the wire, none of them negative."""
    from scipy.optimize import nnls

    rows = np.array([[1.0, p.workers, p.n_bytes] for p in points])
    wire = np.array([p.wire for p in points])
    # Least squares of relative deviations, so that small networks count as much as large ones.
    found, _ = nnls(rows / wire[:, None], np.ones(len(points)))
    return found


def predicted(model, workers, n_bytes):
    """Return the wire time of a round, in seconds."""
    return float(np.dot(model, [1.0, workers, n_bytes]))


def measured(quick):
    """Print the cost of a round for each network, mode and number of workers; return the points."""
    networks = NETWORKS[:1] if quick else NETWORKS
    n_rounds, repeats = (4, 1) if quick else (8, 3)
    points = []
    print("parameters | batch | mode | workers | bytes/round | compute | wait | wire (ms)")
    for workers in WORKERS[:2] if quick else WORKERS:
        options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
            for (features, hidden, batch), mode in product(networks, ("summed", "averaged")):
                p = measure(client, mode, features, hidden, batch, n_rounds, repeats)
                points.append(p)
                times = " | ".join(f"{1e3 * t:.1f}" for t in (p.compute, p.wait, p.wire))
                print(
                    f"{p.n_parameters:,} | {batch} | {mode} | {workers} | {p.n_bytes:,.0f}"
                    f" | {times}"
                )
    return points


def compare(model, points):
    """Print the model of the wire time, and its prediction for each point."""
    print(
        f"\nwire = {1e3 * model[0]:.1f} ms + {1e3 * model[1]:.1f} ms per worker"
        f" + bytes / {1e-6 / max(model[2], 1e-15):,.0f} MB/s"
    )
    print("parameters | mode | workers | wire measured | wire of the model (ms)")
    for p in points:
        model_wire = predicted(model, p.workers, p.n_bytes)
        print(
            f"{p.n_parameters:,} | {p.mode} | {p.workers} | {1e3 * p.wire:.1f}"
            f" | {1e3 * model_wire:.1f}"
        )


def extrapolate(model, points):
    """Print the seconds of a round with more workers, by the model."""
    print("\nOne client and W workers, by the model: seconds per round (computing)")
    print("parameters | mode | " + " | ".join(map(str, MORE_WORKERS)))
    for p in (p for p in points if p.workers == 1):
        cells = []
        for workers in MORE_WORKERS:
            # Summed: the workers share a batch. Averaged: each has as many rows as the measured
            # worker.
            compute = p.compute / workers if p.mode == "summed" else p.compute
            wire = predicted(model, workers, p.n_bytes * workers)
            cells.append(f"{compute + wire:.3g} ({compute:.2g})")
        print(f"{p.n_parameters:,} | {p.mode} | " + " | ".join(cells))


def main(arguments=None):
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small problems, one repetition")
    warnings.simplefilter("ignore")
    points = measured(parser.parse_args(arguments).quick)
    model = fitted_model(points)
    compare(model, points)
    extrapolate(model, points)


if __name__ == "__main__":
    main()
