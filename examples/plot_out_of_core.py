"""
===================================
Data that does not fit into memory
===================================

``partial_fit`` trains on the rows of each call, one call after another. Here the rows are in a
file that is mapped into memory, so that only the part in use is read.
"""

# %%
# First, write a file of 100,000 rows with 100 features in single precision, chunk by chunk. The
# class depends on the distance from the origin in ten of the dimensions, which no linear model can
# learn.

import tempfile
import tracemalloc
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skperceptron import MLPBinaryClassifier

N_ROWS, N_FEATURES, CHUNK = 100_000, 100, 4_000
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.float32"
rng = np.random.default_rng(0)
stored = np.memmap(path, np.float32, "w+", shape=(N_ROWS, N_FEATURES))
for start in range(0, N_ROWS, CHUNK):
    stored[start : start + CHUNK] = rng.normal(size=(CHUNK, N_FEATURES))
stored.flush()
del stored
X = np.memmap(path, np.float32, "r", shape=(N_ROWS, N_FEATURES))
y = np.concatenate(
    [(X[start : start + CHUNK, :10] ** 2).sum(axis=1) > 9.34 for start in range(0, N_ROWS, CHUNK)]
)
print(
    f"{path.stat().st_size / 2**20:.0f} MiB in the file, {y.mean():.2f} of the rows in class True"
)

# %%
# The last chunk is for testing. The first call must name all classes, because a chunk may not
# contain all of them. ``tracemalloc`` measures how much memory NumPy allocates meanwhile.

X_test, y_test = X[-CHUNK:], y[-CHUNK:]
network = MLPBinaryClassifier((64,), learning_rate_init=0.005, dtype="float32", random_state=0)
seen, accuracy, memory = [], [], []
tracemalloc.start()
for start in 2 * list(range(0, N_ROWS - CHUNK, CHUNK)):
    rows = slice(start, start + CHUNK)
    network.partial_fit(X[rows], y[rows], classes=[False, True])
    seen.append(network.t_)
    accuracy.append(network.score(X_test, y_test))
    memory.append(tracemalloc.get_traced_memory()[1] / 2**20)
tracemalloc.stop()
print(f"accuracy {accuracy[-1]:.3f}; at most {memory[-1]:.1f} MiB in memory at a time")

# %%
# Rows could just as well come from a database or a queue, since the network does not store them.
# The optimizer's state is kept from call to call.

size = path.stat().st_size / 2**20
fig, axes = plt.subplots(1, 2, figsize=(8, 3.5), layout="constrained")
axes[0].plot(seen, accuracy, "o-", ms=4, color="#0072b2")
axes[0].axvline(N_ROWS - CHUNK, color="black", lw=1, ls=":", label="second pass over the file")
axes[0].set(xlabel="rows read", ylabel="accuracy on the last chunk")
axes[0].set_title("accuracy while the file is read")
axes[0].legend(loc="lower right")
axes[1].axhline(size, color="#d55e00", ls="--", label="the file")
axes[1].plot(seen, memory, color="#0072b2", label="allocated at most so far")
axes[1].set(xlabel="rows read", ylabel="MiB", ylim=(0, 1.1 * size))
axes[1].set_title("memory in use")
axes[1].legend(loc="center right")
for ax in axes:
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.locator_params(axis="x", nbins=4)
plt.show()
del X, X_test
folder.cleanup()
