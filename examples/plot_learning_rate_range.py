"""
How large a learning rate?
==========================

The range test of Smith (2017) trains a copy of a network for a hundred steps, each with a larger
learning rate. At tiny rates the loss hardly changes, then it falls, and in the end training
diverges. The test suggests the rate at which the loss falls fastest. Is that a good rate?
"""

# %%
# The test takes as long as a few epochs of training. Here it is run for three optimizers, on
# handwritten digits.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skperceptron import MLPSoftmaxClassifier
from skperceptron.inspection import learning_rate_range_test

warnings.simplefilter("ignore", ConvergenceWarning)
X, y = load_digits(return_X_y=True)
X = X / 16
X_train, y_train, X_test, y_test = X[:1200], y[:1200], X[1200:], y[1200:]
SOLVERS = ("sgd", "adam", "lion")
found = {}
for solver in SOLVERS:
    network = MLPSoftmaxClassifier((32,), solver=solver, random_state=0)
    found[solver] = learning_rate_range_test(network, X_train, y_train)

# %%
# To see whether the suggestions are good, networks are trained for 12 epochs at constant rates,
# from a hundredth of the suggested rate to ten times this rate, and scored on new rows.


def accuracy(solver, rate):
    networks = [
        MLPSoftmaxClassifier(
            (32,), solver=solver, learning_rate_init=rate, max_iter=12, random_state=seed
        ).fit(X_train, y_train)
        for seed in range(2)
    ]
    return np.mean([network.score(X_test, y_test) for network in networks])


factors = np.geomspace(0.01, 10, 7)
fig, axes = plt.subplots(2, 3, figsize=(9, 5.4), sharex="col", sharey="row", layout="constrained")
rows = {}
for (upper, lower), solver in zip(axes.T, SOLVERS, strict=True):
    suggestion = found[solver].suggestion
    found[solver].plot(upper).set(title=solver, xlabel="", ylabel="", ylim=(0, 5))
    rates = suggestion * factors
    scores = np.array([accuracy(solver, rate) for rate in rates])
    lower.plot(rates, scores, "o-", color="#0072b2")
    lower.axvline(suggestion, color="0.35", ls=":")
    lower.set(xscale="log", xlabel="learning rate")
    rows[solver] = {
        "suggestion": suggestion,
        "accuracy there": scores[np.argmin(np.abs(factors - 1))],
        "best accuracy": scores.max(),
        "at the rate": rates[scores.argmax()],
    }
axes[0, 0].set_ylabel("loss of the range test")
axes[1, 0].set_ylabel("accuracy after 12 epochs")
plt.show()
print(pd.DataFrame(rows).T.round(3))

# %%
# The upper row shows the test, the lower row the accuracy that it is meant to optimize. Each
# optimizer has its own range: plain gradient descent needs rates ten times as large as Adam. The
# suggestion (dotted) is at the best of the seven rates, or next to it.
#
# The test covers only a short training of this network on these data, in batches of this size.
# Large networks and long training need smaller rates: Lion's authors use a hundredth of the rate
# that suits this small network, which takes only 72 steps here.
