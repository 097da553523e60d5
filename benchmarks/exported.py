"""Compare predictions in onnxruntime, after export, with ours: ``python -m benchmarks.exported``.

Both use one thread. Each time is the shortest of several calls.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import onnxruntime
from sklearn.datasets import make_classification
from threadpoolctl import threadpool_limits

from skperceptron import MLPSoftmaxClassifier
from skperceptron.export import onnx_inputs, to_onnx

SHAPES = [(16, (16,)), (64, (100,)), (784, (256, 128))]
ROWS = [1, 100, 10_000]


def least(call, n_calls):
    """Return the microseconds of the fastest call."""
    times = []
    for _ in range(n_calls):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1e6 * min(times)


@threadpool_limits.wrap(limits=1)
def main():
    """Print a table."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    print("features, hidden units | rows | skperceptron, us | onnxruntime, us")
    for n_features, hidden in SHAPES:
        X, y = make_classification(
            10_000, n_features, n_informative=8, n_classes=10, random_state=0
        )
        X = X.astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = MLPSoftmaxClassifier(hidden, max_iter=1, random_state=0).fit(
                X[:1000], y[:1000]
            )
        content = to_onnx(network, X).SerializeToString()
        session = onnxruntime.InferenceSession(content, options)
        for n_rows in ROWS:
            rows = X[:n_rows]
            fed = onnx_inputs(session, rows)
            n_calls = max(20, 2000 // n_rows)
            ours = least(lambda rows=rows, network=network: network.predict_proba(rows), n_calls)
            theirs = least(lambda fed=fed, session=session: session.run(None, fed), n_calls)
            print(f"{n_features}, {hidden} | {n_rows:,} | {ours:,.0f} | {theirs:,.0f}")


if __name__ == "__main__":
    main()
