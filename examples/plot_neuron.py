"""
=====================
One neuron, and many
=====================

A neuron multiplies its inputs by weights, adds them up with a bias, and passes the sum through an
activation. With a sigmoid, that is logistic regression. A network is many neurons, layer by layer.
"""

# %%
# Tumors, described by four measurements, in units of their standard deviations. Without hidden
# layers, a classifier is a single neuron, and finds what logistic regression finds. (Both have a
# penalty on the weights: scikit-learn's ``C`` is 1 / ``alpha``.)

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier
from skperceptron.inspection import NetworkGraphDisplay, computational_graph, network_summary

data = load_breast_cancer(as_frame=True)
names = ["mean radius", "mean texture", "mean smoothness", "mean symmetry"]
X = StandardScaler().set_output(transform="pandas").fit_transform(data.data[names])
y = data.target
neuron = MLPBinaryClassifier((), solver="lbfgs", alpha=1, tol=1e-8, random_state=0).fit(X, y)
regression = LogisticRegression(C=1, tol=1e-8, max_iter=1000).fit(X, y)
weights = pd.DataFrame(
    {
        "neuron": [*neuron.coefs_[0][:, 0], *neuron.intercepts_[0]],
        "regression": [*regression.coef_[0], *regression.intercept_],
    },
    index=[*names, "bias"],
)
print(weights)
np.testing.assert_allclose(weights["neuron"], weights["regression"], atol=1e-4)

# %%
# The picture shows the neuron, with the values for the first tumor: the sum is far below zero, so
# the probability of being benign is near 0.

graph = computational_graph(neuron).with_values(X[:1])
display = NetworkGraphDisplay.from_graph(graph, feature_names=names)
display.ax_.set_title("a neuron and its values for the first tumor")
plt.show()

# %%
# Next, a network with two hidden layers: each circle is such a neuron. Blue weights are negative,
# red ones positive; thick lines are large weights.

network = MLPBinaryClassifier((5, 3), "tanh", solver="lbfgs", alpha=1, random_state=0).fit(X, y)
display = NetworkGraphDisplay.from_estimator(network)
display.ax_.set_title("a network with two hidden layers")
plt.show()

# %%
# The shapes of all matrices, for one row and for a batch of 32. Only inputs and outputs change.

shapes = ["block", "input_shape", "weight_shape", "bias_shape", "output_shape"]
for n_rows in (1, 32):
    print(network_summary(network, batch_size=n_rows)[shapes].to_string(index=False), "\n")

# %%
# A network is a graph of computing blocks, which need not be a chain: residual connections bypass
# a layer. (For feedback, see :ref:`sphx_glr_gallery_plot_forecasting.py`.) The graph of a
# network that has not been fitted can be drawn as well, given the number of its inputs.

residual = MLPBinaryClassifier((5, 5), "tanh", skip_connections="residual")
display = NetworkGraphDisplay.from_estimator(residual, kind="blocks", n_features=4)
display.ax_.set_title("the blocks of a residual network")
plt.show()
