"""
How large a learning rate?
==========================

The range test of Smith (2017) trains a copy of a network for a hundred steps, each with a larger
learning rate. At tiny rates nothing happens, then the loss falls, and in the end it
explodes. Good rates lie where it falls fastest.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from skperceptron import MLPSoftmaxClassifier
from skperceptron.inspection import learning_rate_range_test

X, y = load_digits(return_X_y=True)
X = X / 16

# %%
# Each optimiser has a range of its own. Plain descent wants far larger rates than Adam. With Lion,
# whose steps never shrink with the gradient, the loss explodes at rates that are best for Adam.
_, axes = plt.subplots(1, 3, figsize=(9, 3.4), sharey=True, layout="constrained")
found = {}
for ax, solver in zip(axes, ("sgd", "adam", "lion"), strict=True):
    network = MLPSoftmaxClassifier((32,), solver=solver, random_state=0)
    found[solver] = learning_rate_range_test(network, X, y)
    found[solver].plot(ax).set(title=solver, ylim=(0, 5), ylabel="")
axes[0].set_ylabel("loss")
plt.show()

# %%
# One cycle (Smith 2018) rises to the suggested rate and falls to almost nothing, which trains the
# network in few epochs.
network = MLPSoftmaxClassifier(
    (32,),
    learning_rate="one_cycle",
    learning_rate_init=found["adam"].suggestion,
    max_iter=12,
    tol=0,
    random_state=0,
)
print(f"accuracy on new rows: {network.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]):.3f}")
