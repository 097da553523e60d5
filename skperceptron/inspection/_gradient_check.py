"""Whether back-propagation agrees with finite differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..engine.arrays import Floats
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.run import Run
from ..options import COUNT, check_option
from ._evaluate import Evaluation, evaluate_training, prepare
from ._table import make_table

COLUMNS = ("block", "parameter", "checked", "gradient", "finite_difference", "difference")

#: The step that makes central differences in float64 most precise, relative to the parameter.
STEP = np.finfo(np.float64).eps ** (1 / 3)

#: Smaller gradients than this, relative to the loss, are lost in the rounding of the loss.
LEAST = 1e-6


def gradient_check(
    estimator: BaseMultilayerPerceptron,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    n_checked: int = 20,
    random_state: Any = None,
) -> Any:
    """Compare the gradients of back-propagation with finite differences of the loss.

    Use it to test an activation, loss or block of your own: a mistake in its derivative raises no
    error, but the network learns badly. All rows are one batch, in float64; about 20 are enough.
    The estimator is not changed. Dropout is off; batch normalization uses the statistics of the
    batch, as in training.

    Parameters
    ----------
    estimator : MLPBinaryClassifier, MLPClassifier, MLPSoftmaxClassifier or MLPRegressor
        Fitted, if only for one epoch; or a pipeline or search that ends in one.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in the loss.
    n_checked : int, default=20
        Largest number of parameters to check in each array, drawn at random.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    pandas.DataFrame, or Table where pandas is not installed
        One row for each array of parameters, first block to last:

        - ``block``, ``parameter``: its names;
        - ``checked``: how many of its numbers were checked;
        - ``gradient``, ``finite_difference``: derivative of the mean loss, without penalty (for
          several targets, of their sum), where the two differ most;
        - ``difference``: their difference there, divided by the largest derivative in the array. It
          is below 1e-4 if the gradients are right and the features about standardized. A row that
          lies at a kink, such as ReLU's at zero, makes it larger, and so does an activation whose
          derivative is replaced on purpose, such as :class:`~skperceptron.activations.Heaviside`.

    Raises
    ------
    TypeError
        If the estimator is not a multi-layer perceptron of this package.
    NotFittedError
        If it is not fitted.
    ValueError
        If the data does not fit the estimator.

    Examples
    --------
    An activation whose ``backward`` has the wrong sign:

    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.activations import Activation
    >>> from skperceptron.inspection import gradient_check
    >>> class WrongTanh(Activation):
    ...     def forward(self, z, out, *learned):
    ...         np.tanh(z, out=out)
    ...
    ...     def backward(self, z, a, grad, *learned):
    ...         np.multiply(grad, a * a - 1, out=grad)
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((5,), WrongTanh(), random_state=0)
    >>> network = network.partial_fit(X, y, classes=[0, 1, 2])
    >>> table = gradient_check(network, X[::10], y[::10], random_state=0)
    >>> wrong = np.array(table["difference"]) > 1e-4
    >>> [str(block) for block in np.array(table["block"])[wrong]]
    ['affine_1', 'affine_1']
    """
    check_option("gradient_check", "n_checked", n_checked, [COUNT])
    run = prepare(estimator, X, y, sample_weight)
    rng = check_random_state(random_state)
    return make_table(COLUMNS, list(_rows(run, int(n_checked), rng)))


def _rows(run: Run, n_checked: int, rng: np.random.RandomState) -> Iterator[dict[str, Any]]:
    network = run.model.network
    parameters = run.member.parameters = run.member.parameters.astype(np.float64)
    found = evaluate_training(run)
    # Views of these parameters, in the order of their gradients.
    learned = network.views(parameters[np.newaxis])
    least = LEAST * max(1.0, abs(_summed(run, found)))
    for node, gradients, arrays in zip(
        network.nodes, found.parameter_gradients, learned, strict=True
    ):
        for (name, gradient), array in zip(gradients.items(), arrays, strict=True):
            flat = array.reshape(-1)
            places = rng.permutation(flat.size)[:n_checked]
            expected = np.array([_finite_difference(run, flat, i) for i in places])
            compared = _compared(gradient.reshape(-1)[places], expected, least)
            yield {"block": node.name, "parameter": name, "checked": len(places), **compared}


def _compared(computed: Floats, expected: Floats, least: float) -> dict[str, float]:
    """Return the two derivatives that differ most, and by how much, relative to the largest."""
    apart = np.abs(computed - expected)
    worst = int(apart.argmax())
    largest = max(least, np.abs(computed).max(), np.abs(expected).max())
    return {
        "gradient": float(computed[worst]),
        "finite_difference": float(expected[worst]),
        "difference": float(apart[worst] / largest),
    }


def _finite_difference(run: Run, flat: Floats, i: int) -> float:
    """Return the derivative of the loss with respect to ``flat[i]``, a view of the parameters."""
    value = flat[i]
    step = STEP * max(1.0, abs(value))
    losses = []
    for moved in (value + step, value - step):
        flat[i] = moved
        losses.append(_summed(run, evaluate_training(run)))
    flat[i] = value
    return (losses[0] - losses[1]) / (2 * step)


def _summed(run: Run, found: Evaluation) -> float:
    """Return the loss of which gradients are computed: a sum over the outputs."""
    assert found.loss is not None
    averages = run.member.recipe.loss.averages_outputs
    return found.loss * (run.model.network.n_outputs if averages else 1)
