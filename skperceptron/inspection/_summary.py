"""Which matrix has which shape, layer by layer."""

from __future__ import annotations

from typing import Any

from ._graph import computational_graph
from ._table import make_table
from ._wiring import Estimator

COLUMNS = (
    "block",
    "layer",
    "kind",
    "function",
    "input_shape",
    "weight_shape",
    "bias_shape",
    "output_shape",
    "n_parameters",
    "trained",
)


def network_summary(
    estimator: Estimator,
    batch_size: int | None = None,
    n_features: int | None = None,
    n_outputs: int | None = None,
) -> Any:
    """Return a table of the blocks of a network with their shapes and parameters.

    Parameters
    ----------
    estimator : estimator of this package
        Fitted, or not.
    batch_size : int, default=None
        Rows in the shapes: 1 shows what one sample becomes, None leaves them open.
    n_features, n_outputs : int, default=None
        Widths of an estimator that is not fitted, as in :func:`computational_graph`.

    Returns
    -------
    pandas.DataFrame, or Table where pandas is not installed
        One row per block, and a last one with the total. ``trained`` is False where no
        gradient or correction reaches the weights.

    Raises
    ------
    TypeError
        If the estimator is not one of this package's.
    ValueError
        If a width is missing or does not fit the estimator.

    Examples
    --------
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.inspection import network_summary
    >>> network = MLPSoftmaxClassifier((64,))
    >>> summary = network_summary(network, batch_size=32, n_features=784, n_outputs=10)
    >>> list(summary["output_shape"])
    [(32, 784), (32, 64), (32, 64), (32, 10), (32, 10), '']
    >>> [int(n) for n in summary["n_parameters"]]
    [0, 50240, 0, 650, 0, 50890]
    """
    graph = computational_graph(estimator, batch_size, n_features, n_outputs)
    rows = []
    for node in graph.nodes:
        values = {**vars(node), "block": node.name}
        if not node.n_parameters:
            values["trained"] = ""
        rows.append(["" if values[name] is None else values[name] for name in COLUMNS])
    rows.append(["total", *[""] * (len(COLUMNS) - 3), graph.n_parameters, ""])
    return make_table(COLUMNS, rows)
