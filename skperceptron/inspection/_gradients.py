"""How gradients flow: norms, update-to-weight ratios, saturated and dead units, layer by layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..callbacks import Callback
from ..engine.arrays import Floats
from ..engine.blocks.activate import value_and_slopes
from ..engine.description import describe
from ..engine.network import Learned
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.run import Run
from ..options import Interval, check_option
from ..training import Stack
from ._evaluate import Evaluation, evaluate_training, prepare, weights_of_rows
from ._networks import unwrapped
from ._table import make_table

#: |f'| below this counts as saturated: |z| > 4.6 for a sigmoid, |z| > 3.0 for tanh.
SATURATION_BOUND = 0.01

_BOUND = Interval(0, low_closed=True)

COLUMNS = (
    "layer",
    "block",
    "activation",
    "gradient_norm",
    "weight_norm",
    "update_ratio",
    "signal",
    "saturated",
    "dead",
)


def gradient_report(
    estimator: BaseMultilayerPerceptron,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    saturation_bound: float = SATURATION_BOUND,
) -> Any:
    r"""Return a table that shows where gradients vanish, explode, or meet dead units.

    All rows are one batch, in float64; a few hundred to a few thousand are enough.
    The estimator is not changed. Dropout is off; batch normalization uses the statistics of
    the batch, as in training.

    Parameters
    ----------
    estimator : MLPBinaryClassifier, MLPClassifier, MLPSoftmaxClassifier or MLPRegressor
        Fitted, with `fit` or `partial_fit`; or a pipeline or search that ends in one.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows, in the loss and in the shares.
    saturation_bound : float, default=0.01
        A unit is saturated on a row if \|f'(z)\| lies below this.

    Returns
    -------
    pandas.DataFrame, or Table where pandas is not installed
        One row for each layer with weights, first to last:

        - ``layer``, ``block``, ``activation``: its names;
        - ``gradient_norm``: Euclidean norm of the gradient of the mean loss, without
          penalty, with respect to the layer's weights;
        - ``weight_norm``: Euclidean norm of the weights, in the network's units;
        - ``update_ratio``: norm of the change that the estimator's optimizer would make to
          the weights in its next step on this batch, with its present state and learning
          rate, divided by ``weight_norm``. About 1e-3 is usual; NaN for L-BFGS, which has no
          such step;
        - ``signal``: root mean square, over rows and units, of the gradient of each row's own
          loss with respect to the layer's weighted sums z;
        - ``saturated``: share of (row, unit) pairs with \|f'(z)\| below the bound, for
          activations that are bounded on both sides, such as sigmoid and tanh; else NaN;
        - ``dead``: share of units with f'(z) = 0 on every row, which get no gradient: dead
          ReLUs (Maas et al. 2013). NaN where there is no activation.

    Raises
    ------
    TypeError
        If the estimator is not a multi-layer perceptron of this package.
    NotFittedError
        If it is not fitted.
    ValueError
        If the data does not fit the estimator.

    References
    ----------
    Glorot & Bengio (2010), Understanding the difficulty of training deep feedforward
    neural networks. AISTATS.

    Maas, Hannun & Ng (2013), Rectifier nonlinearities improve neural network acoustic
    models. ICML workshop.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.inspection import gradient_report
    >>> X, y = load_iris(return_X_y=True)
    >>> deep = MLPSoftmaxClassifier((10,) * 6, "logistic", random_state=0)
    >>> report = gradient_report(deep.partial_fit(X, y, classes=[0, 1, 2]), X, y)
    >>> norms = list(report["gradient_norm"])
    >>> bool(norms[0] < 1e-3 * norms[-1])
    True
    """
    check_option("gradient_report", "saturation_bound", saturation_bound, [_BOUND])
    rows = gradient_rows(estimator, X, y, sample_weight, saturation_bound)
    return make_table(COLUMNS, rows)


def gradient_rows(
    estimator: BaseMultilayerPerceptron,
    X: Any,
    y: Any,
    sample_weight: Any,
    saturation_bound: float = SATURATION_BOUND,
) -> list[dict[str, Any]]:
    """Return the rows of :func:`gradient_report`, one dict per layer."""
    run = prepare(estimator, X, y, sample_weight)
    network = run.model.network
    found = evaluate_training(run)
    weights = weights_of_rows(run)
    learned = network.views(run.member.parameters.astype(np.float64)[np.newaxis])
    changes = None if run.model.choices.is_lbfgs else _next_step(run)
    nodes, _ = describe(network, "")
    rows: list[dict[str, Any]] = []
    for position, node in enumerate(network.nodes):
        activation = node.block.activation_of(0)
        if node.block.opens_layer:
            rows.append(dict.fromkeys(COLUMNS, np.nan))
            rows[-1].update(layer=nodes[position + 1].layer, block=node.name, activation="")
            rows[-1].update(_of_weights(position, found, learned, changes))
            rows[-1]["signal"] = _signal(found.gradients[position], weights)
        elif activation is not None:
            z = found.values[node.sources[0]]
            _, slopes, *_ = value_and_slopes(activation, z[np.newaxis], learned[position])
            rows[-1]["activation"] = nodes[position + 1].function
            rows[-1].update(_of_units(activation, slopes[0], weights, saturation_bound))
    return rows


def _of_weights(
    position: int, found: Evaluation, learned: Learned, changes: Learned | None
) -> dict[str, float]:
    size = np.linalg.norm(learned[position][0])
    change = np.nan if changes is None else np.linalg.norm(changes[position][0])
    return {
        "gradient_norm": float(np.linalg.norm(found.parameter_gradients[position]["weight"])),
        "weight_norm": float(size),
        "update_ratio": float(change / size) if size else np.nan,
    }


def _signal(gradient: Floats | None, weights: Floats) -> float:
    assert gradient is not None
    # The gradient of the mean loss contains each row's share of the weights: divide by it.
    counted = weights > 0
    shares = weights[counted] / weights.sum()
    alone = gradient[counted] / shares[:, np.newaxis]
    return float(np.sqrt(np.average((alone**2).mean(axis=1), weights=shares)))


def _of_units(activation: Any, slopes: Floats, weights: Floats, bound: float) -> dict[str, float]:
    counted = weights > 0
    shares = {"dead": float((slopes[counted] == 0).all(axis=0).mean())}
    if np.isfinite(activation.value_range).all():
        flat = (np.abs(slopes) < bound).mean(axis=1)
        shares["saturated"] = float(np.average(flat, weights=weights))
    return shares


def _next_step(run: Run) -> Learned:
    """Return the change that the optimizer's next step would make, with all rows as one batch."""
    network, member, data = run.model.network, run.member, run.data
    before = member.parameters.astype(np.float64)
    stack = Stack(network, [member], data, data.n_rows, np.dtype(np.float64), is_brief=True)
    stack.run_epoch()
    return network.views((stack.vectors.parameters[0] - before)[np.newaxis])


class GradientRecorder(Callback):
    """Collect :func:`gradient_report` over the course of training.

    A callback: in ``callbacks`` of an estimator it reports on the training rows after each epoch,
    at the cost of a pass over them. ``record`` reports on other rows, or between calls of
    ``partial_fit``. Fits that run at the same time, in several threads, need a recorder each.

    Parameters
    ----------
    saturation_bound : float, default=0.01
        As in :func:`gradient_report`.

    Attributes
    ----------
    rows_ : list of dict
        One per layer and record: ``epoch``, then the columns of :func:`gradient_report`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.inspection import GradientRecorder
    >>> X, y = load_iris(return_X_y=True)
    >>> recorder = GradientRecorder()
    >>> network = MLPSoftmaxClassifier((8,), random_state=0, callbacks=[recorder])
    >>> for epoch in range(5):
    ...     network = network.partial_fit(X, y, classes=[0, 1, 2])
    >>> [row["epoch"] for row in recorder.rows_ if row["layer"] == "output"]
    [1, 2, 3, 4, 5]
    """

    looks_into_network = True
    rules = {"saturation_bound": [_BOUND]}

    def __init__(self, saturation_bound: float = SATURATION_BOUND) -> None:
        self.saturation_bound = saturation_bound
        self.rows_: list[dict[str, Any]] = []

    def on_fit_task_end(
        self,
        estimator: Any,
        context: Any,
        *,
        X: Any = None,
        y: Any = None,
        metadata: Any = None,
        fitted_estimator: Any = None,
    ) -> bool:
        if getattr(context, "report", None) is not None:
            weight = (metadata or {}).get("sample_weight")
            self.record(fitted_estimator, X, y, weight)
        return False

    def record(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> None:
        """Add a report on the estimator as it is now.

        Parameters
        ----------
        estimator : MLPBinaryClassifier, MLPClassifier, MLPSoftmaxClassifier or MLPRegressor
            Fitted; or a pipeline or search that ends in one. ``loss_curve_`` counts its epochs.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
        """
        rows = gradient_rows(estimator, X, y, sample_weight, self.saturation_bound)
        epoch = len(getattr(unwrapped(estimator), "loss_curve_", ()))
        self.rows_ += [{"epoch": epoch, **row} for row in rows]

    def to_frame(self) -> Any:
        """Return all records.

        Returns
        -------
        pandas.DataFrame, or Table where pandas is not installed
        """
        return make_table(("epoch", *COLUMNS), self.rows_)
