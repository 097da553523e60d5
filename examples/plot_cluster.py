"""
====================================
Fifty million rows, block by block
====================================

A network is trained on rows that no single worker holds. The workers of a Dask cluster create them,
write them to Parquet, read them, train on them and predict them, block by block. This page does so
with 100,000 rows; ``python plot_cluster.py 50000000`` takes as many rows as you choose, and
uses a cluster of processes. It needs the extra ``distributed``, pandas and pyarrow.
"""

import sys
import tempfile
from pathlib import Path

import dask.dataframe
import distributed
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skperceptron import MLPClassifier
from skperceptron.distributed import fit, predict_proba

N_ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
N_BLOCKS = max(4, N_ROWS // 500_000)
FEATURES = [f"x{i}" for i in range(8)]

# %%
# Each worker creates the blocks that it needs from their numbers. Whether a row belongs to class 1
# depends on a product and a square, which no linear model can learn.


def block(number):
    """Return the rows of one block."""
    rng = np.random.default_rng(number)
    X = rng.normal(size=(N_ROWS // N_BLOCKS, len(FEATURES))).astype(np.float32)
    noise = rng.normal(scale=0.3, size=len(X))
    frame = pd.DataFrame(X, columns=FEATURES)
    frame["label"] = (X[:, 0] * X[:, 1] + X[:, 2] ** 2 + noise > 1).astype(np.int8)
    return frame


# %%
# Each worker holds its share of the rows and trains on them for an epoch; then the networks are
# averaged. Predictions are written block by block, too. The validation rows are few, and are held
# in memory.


def train_and_predict(folder):
    """Train on Parquet files, write predictions to others; return the fitted network."""
    dask.dataframe.from_map(block, range(N_BLOCKS)).to_parquet(folder / "rows")
    table = dask.dataframe.read_parquet(folder / "rows")
    unseen = block(N_BLOCKS)[:20_000]
    network = MLPClassifier(
        (32,), batch_size=500, learning_rate_init=0.01, max_iter=6, random_state=0, dtype="float32"
    )
    fit(
        network,
        table[FEATURES],
        table["label"],
        X_val=unseen[FEATURES],
        y_val=unseen["label"],
        mode="averaged",
    )
    predict_proba(network, table[FEATURES]).rename(columns=str).to_parquet(folder / "predicted")
    predicted = dask.dataframe.read_parquet(folder / "predicted")
    accuracy = network.score(unseen[FEATURES], unseen["label"])
    print(f"{len(predicted):,} rows predicted; accuracy on new rows {accuracy:.3f}")
    return network


def main():
    """Open a cluster, train, and show the losses of each epoch."""
    in_processes = N_ROWS > 1_000_000
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        tempfile.TemporaryDirectory() as folder,
        distributed.Client(processes=in_processes, **options),
    ):
        network = train_and_predict(Path(folder))
    for name, value in network.cluster_report_.items():
        print(f"{name}: {value:,.3g}" if isinstance(value, float) else f"{name}: {value}")
    _, axes = plt.subplots(figsize=(5, 3), layout="constrained")
    epochs = range(1, network.n_iter_ + 1)
    axes.plot(epochs, network.loss_curve_, "o-", label="training, during the epoch")
    axes.plot(epochs, network.validation_loss_curve_, "s-", label="validation, of the average")
    axes.set(xlabel="epoch", ylabel="log loss", title=f"{N_ROWS:,} rows on two workers")
    axes.legend()
    plt.show()


if __name__ == "__main__":
    main()
