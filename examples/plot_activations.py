"""
==================================
Every activation in one picture
==================================

The activations that turn the weighted sum ``z`` of a hidden unit into its value: the function, its
derivative, by which every gradient is multiplied, and where the derivative is close to zero.
"""

# %%
# Here are all activations that have a name, with default parameters. In the shaded regions at the
# ends, :math:`|f'(z)| < 0.01`: the unit is *saturated*, and hardly learns. The sigmoid ("logistic")
# and tanh saturate on both sides, ReLU is dead below zero, the threshold ("heaviside") has no
# gradient at all. "leaky_relu" learns everywhere, "elu" also some way below zero.

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skperceptron.activations import Activation, get_activation, list_activations
from skperceptron.inspection import ActivationDisplay


def saturated(slope):
    """Tell where the slope is small and stays so, to the left or to the right."""
    small = np.abs(slope) < 0.01
    left, right = np.logical_and.accumulate(small), np.logical_and.accumulate(small[::-1])[::-1]
    return left | right


names = list_activations()
z = np.linspace(-6, 6, 1201)
n_rows = math.ceil(len(names) / 4)
fig, axes = plt.subplots(n_rows, 4, figsize=(8, 11), sharex=True, layout="constrained")
for ax, name in zip(axes.flat, names, strict=False):
    activation = get_activation(name)
    value, slope = activation(z), activation.derivative(z)
    ax.fill_between(
        z,
        0,
        1,
        where=saturated(slope),
        transform=ax.get_xaxis_transform(),
        color="#e69f00",
        alpha=0.3,
        lw=0,
    )
    ax.axhline(0, color="gray", lw=0.5)
    ax.axvline(0, color="gray", lw=0.5)
    (function,) = ax.plot(z, value, color="#0072b2", lw=2)
    (derivative,) = ax.plot(z, slope, "--", color="#d55e00", lw=1.5)
    ax.set(title=name, xlim=(-6, 6), ylim=(-2, 3.2))
    ax.tick_params(labelbottom=True)
for ax in axes.flat[len(names) :]:
    ax.remove()
fig.legend(
    [function, derivative, plt.Rectangle((0, 0), 1, 1, color="#e69f00", alpha=0.3)],
    ["f(z)", "f'(z)", "saturated"],
    loc="outside upper center",
    ncols=3,
)
plt.show()

# %%
# The table shows the largest slope: the activation multiplies the gradient by this factor at most.
# For the sigmoid it is 1/4, so ten layers divide the gradient by a million. The last two columns
# say where, between -20 and 20, the activation is not saturated.

wide = np.linspace(-20, 20, 4001)
rows = {}
for name in names:
    activation = get_activation(name)
    slope = activation.derivative(wide)
    learns = pd.Series(wide[~saturated(slope)])
    rows[name] = {
        "range of f": "{:.2f} to {:.2f}".format(*activation.value_range),
        "largest slope": np.abs(slope).max(),
        "learns from": learns.min(),
        "learns to": learns.max(),
    }
print(pd.DataFrame.from_dict(rows, orient="index").round(2).to_string())

# %%
# Your own activation is a class with two methods. It can be trained, searched, pickled and drawn
# like the built-in ones. Here is a parabola, which has no upper bound and no flat ends.


class Parabola(Activation):
    """z * z / 2."""

    formula = r"z^2 / 2"
    value_range = (0.0, np.inf)
    keeps_input = True

    def forward(self, z, out, *learned):
        np.multiply(z, z, out=out)
        np.divide(out, 2, out=out)

    def backward(self, z, a, grad, *learned):
        np.multiply(grad, z, out=grad)


ActivationDisplay.from_activation(Parabola(), np.linspace(-2, 2, 101))
plt.show()
