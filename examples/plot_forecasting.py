"""
====================================
Forecasting: a network with feedback
====================================

A graph may have feedback: its output is used as an input again. A network that has learned to
predict the next value of a series from the latest values can continue the series by itself, if
each prediction is used as the next value.
"""

# %%
# Mackey and Glass (1977) modeled the production of blood cells, which responds with a delay. Their
# series nearly repeats itself, but never exactly. It is chaotic, and often used to compare
# forecasts.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.exceptions import ConvergenceWarning

from skperceptron import MLPRegressor

warnings.simplefilter("ignore", ConvergenceWarning)


def mackey_glass(n_values, delay=17, steps=10):
    """Return x with x' = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x, at integer times."""
    x = np.empty((n_values + delay) * steps)
    x[: delay * steps] = 1.2
    for t in range(delay * steps, len(x)):
        late = x[t - delay * steps]
        x[t] = x[t - 1] + (0.2 * late / (1 + late**10) - 0.1 * x[t - 1]) / steps
    return x[delay * steps :: steps]


series = mackey_glass(2200)[200:]
n_train, lags = 1500, 20

# %%
# Each row has 20 values, and its target is the next value. A small network, trained with L-BFGS,
# fits these targets closely.

windows = sliding_window_view(series, lags + 1)
X, y = windows[:, :-1], windows[:, -1]
network = MLPRegressor(
    hidden_layer_sizes=(32,),
    activation="tanh",
    solver="lbfgs",
    alpha=1e-4,
    max_iter=500,
    max_fun=10**5,
    tol=1e-7,
    standardize_target=True,
    random_state=0,
)
network.fit(X[: n_train - lags], y[: n_train - lags])
one_step = np.sqrt(np.mean((network.predict(X[n_train - lags :]) - y[n_train - lags :]) ** 2))
print(f"one step ahead: root mean squared error {one_step:.5f}")
print(f"standard deviation of the series: {series.std():.3f}")

# %%
# For feedback, drop the oldest value of each window and append the prediction. Many forecasts run
# at once, from different times after the training rows.


def forecast(network, windows, n_steps):
    """Return the next values of each window, shape (n_windows, n_steps)."""
    values = windows
    for _ in range(n_steps):
        values = np.column_stack([values, network.predict(values[:, -lags:])])
    return values[:, lags:]


horizon = 300
starts = np.arange(n_train, len(series) - horizon, 10)
truth = sliding_window_view(series, horizon)[starts]
forecasts = forecast(network, sliding_window_view(series, lags)[starts - lags], horizon)

# %%
# Left, the first of the forecasts. Right, the error of all of them: it grows with the steps, since
# in a chaotic series small differences grow. The dashed line is the error of always predicting the
# mean.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained", width_ratios=(3, 2))
before = np.arange(-60, 1)
axes[0].plot(before, series[starts[0] - 1 + before], color="black", lw=1)
ahead = np.arange(1, horizon + 1)
axes[0].plot(ahead, truth[0], color="black", lw=1, label="truth")
axes[0].plot(ahead, forecasts[0], "--", color="#d55e00", lw=2, label="forecast")
axes[0].axvline(0, color="gray", lw=1, ls=":")
axes[0].set(title="the first forecast", xlabel="steps ahead", ylabel="value", ylim=(0.1, 1.6))
axes[0].legend(loc="upper center", ncols=2)
error = np.sqrt(np.mean((forecasts - truth) ** 2, axis=0))
axes[1].plot(ahead, error, color="#0072b2", label="network with feedback")
axes[1].axhline(series[:n_train].std(), color="#e69f00", ls="--", label="mean of the series")
axes[1].set(xlabel="steps ahead", ylabel="root mean squared error", yscale="log")
axes[1].set_title("the error of all forecasts")
axes[1].legend(loc="lower right")
plt.show()
