"""
===========================================
A fit that is killed, and resumed
===========================================

``Checkpoint`` saves a fit while it runs. When the fit is started again, it resumes where the file
was last written, and ends with exactly the weights of an uninterrupted fit: the file contains the
weights, the optimizer's moments, random generators and the history of losses.
"""

# %%
# A callback simulates a power failure: it ends the program in epoch 23.

import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skperceptron import MLPSoftmaxClassifier
from skperceptron.callbacks import Callback, Checkpoint, EpochLogger

warnings.simplefilter("ignore", ConvergenceWarning)


class PowerFailure(Callback):
    """End the program at the end of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_fit_task_end(self, estimator, context):
        report = getattr(context, "report", None)
        if report is not None and report["epoch"] == self.epoch:
            raise SystemExit(f"power failure in epoch {self.epoch}")
        return False


X, y = load_digits(return_X_y=True)
X = X / 16


def make_network(*callbacks):
    return MLPSoftmaxClassifier(
        (64,), dropout=0.2, max_iter=40, random_state=0, callbacks=list(callbacks)
    )


# %%
# The first attempt fails in epoch 23. Every tenth epoch is saved, so the file holds epoch 20.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "network.npz"
first, second = EpochLogger(), EpochLogger()
try:
    make_network(first, Checkpoint(path, every_n_epochs=10), PowerFailure(23)).fit(X, y)
except SystemExit as failure:
    print(failure)
print(f"{path.name}: {path.stat().st_size:,} bytes")

# %%
# The second attempt is the same program without the failure. It starts with epoch 21.

resumed = make_network(second, Checkpoint(path, every_n_epochs=10)).fit(X, y)
print(first.to_frame().tail(4).to_string(index=False))
print(second.to_frame().head(4).to_string(index=False))

# %%
# A third network, which was never interrupted, has the same weights, bit for bit.

undisturbed = make_network().fit(X, y)
for ours, theirs in zip(resumed.coefs_, undisturbed.coefs_, strict=True):
    np.testing.assert_array_equal(ours, theirs)
np.testing.assert_array_equal(resumed.loss_curve_, undisturbed.loss_curve_)
print(f"{resumed.n_iter_} epochs, all weights equal")

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.plot(
    range(1, undisturbed.n_iter_ + 1),
    undisturbed.loss_curve_,
    color="#e69f00",
    lw=7,
    alpha=0.5,
    label="never interrupted",
)
for logger, style, color, name in (
    (first, "o", "#d55e00", "first attempt"),
    (second, ".", "#0072b2", "second attempt"),
):
    frame = logger.to_frame()
    ax.plot(frame["epoch"], frame["loss"], style, color=color, label=name)
ax.axvline(20, color="black", lw=1, ls=":", label="saved last")
ax.set(title="a fit in two attempts", xlabel="epoch", ylabel="training loss")
ax.legend()
plt.show()
folder.cleanup()
