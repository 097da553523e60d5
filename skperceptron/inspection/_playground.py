"""A small network as one page of HTML to play with: no server, no network, no framework.

The page computes what it shows from weights, in the browser. Activations and links are handed to
it as tables of their values, so that each works, a user's own included, without being written
again in another language.
"""

from __future__ import annotations

import json
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

from ..activations import Activation, get_activation, list_activations
from ..engine.arrays import Floats
from ..estimators.fitted import fitted_network
from ._graph import ComputationalGraph, computational_graph
from ._weights_recorder import Layers, WeightsRecorder, layers_of
from ._wiring import check_estimator_type

#: What a picture of a network can show: units of a layer, features, layers. Of wider layers, the
#: units with the largest weights are drawn.
DRAWN_UNITS, MOST_FEATURES, MOST_LAYERS = 16, 12, 8

#: Weights and biases of a network: a browser computes it for 5,000 points of a picture.
MOST_WEIGHTS = 5_000

#: Rows of data, epochs, and numbers of all weights in all epochs that the page holds, so that it
#: stays below 300 kB.
MOST_ROWS, MOST_EPOCHS, MOST_NUMBERS = 300, 60, 15_000

#: Tables have their points at ``scale * sinh(t)``, for so many t that are evenly spaced up to
#: ``REACH``: dense near 0, where functions bend, and as far as 100.
POINTS, SCALE, REACH = 401, 1.0, 5.3

#: A slope between two points from which on it is a jump.
JUMP = 5.0

#: Blocks that a chain of layers may have, and those that predictions pass unchanged.
SHOWN, PASSED = ("input", "affine", "activation", "link"), ("dropout",)


class Page(str):
    """The text of a page, which a notebook shows as the page that it is."""

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self)}" title="A neural network to play with"'
            ' style="width: 100%; height: 720px; border: 1px solid #bbb"></iframe>'
        )


def to_html(
    estimator: Any,
    X: Any,
    y: Any,
    path: str | Path | None = None,
    *,
    recorder: WeightsRecorder | None = None,
    title: str = "A neural network to play with",
) -> Page:
    """Return a page of HTML on which a small network can be explored.

    The page shows the decision surface over two features, what each unit computes, weights as
    colour and width, and the values of a chosen sample in every unit. A slider goes through the
    epochs that a recorder has kept. The hidden activation can be exchanged, to see what that does
    to a trained network. Everything is in the one page, which is smaller than 300 kB and needs no
    network access.

    Parameters
    ----------
    estimator : estimator of this package, or a Pipeline that ends in one
        Fitted: layers in a row, up to 8, with up to 5,000 weights and biases. Of a layer with more
        than 16 units, the 16 with the largest weights are drawn; all are computed with.
    X : array-like of shape (n_samples, n_features)
        Data to show, with up to 12 features; of many rows, 300 are shown. With a pipeline,
        features are shown as the network sees them.
    y : array-like of shape (n_samples,)
        Labels or numbers.
    path : str or Path, default=None
        File to write the page to as well.
    recorder : WeightsRecorder, default=None
        The callback of the fit. Without it, the page shows the fitted network only.
    title : str, default="A neural network to play with"

    Returns
    -------
    str
        The page; as the last value of a cell, a notebook shows it.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator is not one of this package's.
    ValueError
        If the network or its data is too large, is no chain of layers, or does not fit the
        recorder.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skperceptron import MLPBinaryClassifier
    >>> from skperceptron.inspection import WeightsRecorder, to_html
    >>> X, y = make_moons(100, noise=0.1, random_state=0)
    >>> recorder = WeightsRecorder()
    >>> network = MLPBinaryClassifier((4,), max_iter=5, tol=1, callbacks=[recorder]).fit(X, y)
    >>> page = to_html(network, X, y, recorder=recorder)  # or path="network.html"
    >>> len(page) < 300_000
    True
    """
    names = _feature_names(estimator, X)
    if isinstance(estimator, Pipeline):
        X, estimator = estimator[:-1].transform(X), estimator[-1]
    check_estimator_type(estimator)
    check_is_fitted(estimator)
    graph = computational_graph(estimator)
    _check_graph(estimator, graph)
    X = check_array(X, dtype=np.float64)
    y = np.asarray(y)
    check_consistent_length(X, y)
    if y.ndim != 1:
        raise ValueError(f"y has shape {y.shape}: one label or number per row is shown.")
    n_features = graph.nodes[0].output_shape[1]
    if X.shape[1] != n_features:
        raise ValueError(f"X has {X.shape[1]} features, the network {n_features}.")
    data = _data(estimator, graph, X, y, recorder)
    data["features"] = names if len(names) == n_features else _numbered(n_features)
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    template = resources.files(__package__).joinpath("_playground.html").read_text("utf-8")
    page = Page(template.replace("__TITLE__", escape(title)).replace("__DATA__", text))
    if path is not None:
        Path(path).write_text(page, encoding="utf-8")
    return page


def _feature_names(estimator: Any, X: Any) -> list[str]:
    if hasattr(estimator, "feature_names_in_"):
        return [str(name) for name in estimator.feature_names_in_]
    return _numbered(np.shape(X)[1] if np.ndim(X) == 2 else 0)


def _numbered(n_features: int) -> list[str]:
    return [f"x{i + 1}" for i in range(n_features)]


def _check_graph(estimator: Any, graph: ComputationalGraph) -> None:
    """Raise ValueError unless the network is a small chain of layers."""
    kinds = [node.kind for node in graph.nodes]
    others = sorted(set(kinds) - {*SHOWN, *PASSED})
    if others or any(edge.skips for edge in graph.edges):
        raise ValueError(
            "to_html shows what each unit makes of the layer before it, so layers must stand in a"
            " row, each with weights and an activation. This network has"
            f" {', '.join(others) or 'skip connections'}: computational_graph draws it."
        )
    if any(node.kind == "activation" and node.n_parameters for node in graph.nodes):
        raise ValueError("to_html does not show activations that learn parameters.")
    if graph.nodes[-1].function == "cumulative":
        raise ValueError("to_html does not show the probabilities of ordered classes.")
    layers = [node for node in graph.nodes if node.kind == "affine"]
    for what, size, most in (
        ("features", graph.nodes[0].output_shape[1], MOST_FEATURES),
        ("layers", len(layers), MOST_LAYERS),
        ("weights and biases", graph.n_parameters, MOST_WEIGHTS),
    ):
        if size > most:
            raise ValueError(
                f"This {type(estimator).__name__} has {size} {what}; to_html shows up to {most}."
            )


def _data(
    estimator: Any,
    graph: ComputationalGraph,
    X: Floats,
    y: Any,
    recorder: WeightsRecorder | None,
) -> dict[str, Any]:
    """Return all that the page needs, but for the names of features."""
    classes = list(estimator.classes_) if is_classifier(estimator) else []
    rows = np.unique(np.linspace(0, len(X) - 1, min(len(X), MOST_ROWS)).astype(int))
    targets = np.searchsorted(classes, y[rows]) if classes else y[rows].astype(np.float64)
    layers, functions = _layers(estimator, graph)
    swaps = _swaps()
    return {
        "task": "classification" if classes else "regression",
        "classes": [str(label) for label in classes],
        "layers": layers,
        "link": _link(estimator, graph),
        "tables": {name: _table(f) for name, f in {**swaps, **functions}.items()},
        "swaps": list(swaps),
        "axes": _axes(X, layers_of(estimator)[0][0]),
        "X": _rounded(X[rows]),
        "y": targets.tolist() if classes else _rounded(targets),
        "epochs": [
            {"name": name, "W": [_rounded(w) for w, _ in net], "b": [_rounded(b) for _, b in net]}
            for name, net in _epochs(estimator, graph, recorder)
        ],
    }


def _layers(
    estimator: Any, graph: ComputationalGraph
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return name, width, drawn units and activation of each layer; activations by name."""
    fitted = fitted_network(estimator).network
    of_node = {node.name: node.block.activation_of(0) for node in fitted.nodes}
    drawn = _drawn_units(layers_of(estimator))
    layers: list[dict[str, Any]] = []
    functions: dict[str, Any] = {}
    for node in graph.nodes:
        if node.kind == "affine":
            layers.append({"name": node.layer, "units": node.output_shape[1], "activation": None})
            layers[-1]["drawn"] = drawn[len(layers) - 1]
        elif node.kind == "activation":
            layers[-1]["activation"] = node.function
            functions[node.function] = of_node[node.name]
    return layers, functions


def _drawn_units(layers: Layers) -> list[list[int]]:
    """Return which units of each layer are drawn: those whose weights to the next are largest."""
    found = []
    for i, (weight, _) in enumerate(layers):
        is_last = i == len(layers) - 1
        sizes = np.abs(weight).sum(axis=0) if is_last else np.abs(layers[i + 1][0]).sum(axis=1)
        largest = np.argsort(-sizes, kind="stable")[:DRAWN_UNITS]
        found.append(sorted(largest.tolist()))
    return found


def _swaps() -> dict[str, Activation]:
    """Return the activations to exchange for another one: those that learn nothing."""
    activations = {name: get_activation(name) for name in list_activations()}
    return {name: f for name, f in activations.items() if not f.n_parameters(1)}


def _points() -> Floats:
    return SCALE * np.sinh(np.linspace(-REACH, REACH, POINTS))


def _table(function: Any) -> dict[str, Any]:
    values = function(_points())
    return {"values": _rounded(values), "scale": SCALE, "reach": REACH, "jump": JUMP}


def _link(estimator: Any, graph: ComputationalGraph) -> Any:
    """Return "softmax", or the table of what makes a prediction of a raw one."""
    if graph.nodes[-1].function == "softmax":
        return "softmax"
    points = np.repeat(_points()[:, np.newaxis], graph.nodes[-1].output_shape[1], axis=1)
    linked = np.asarray(fitted_network(estimator).target.linked(points), dtype=np.float64)
    # In large units of y, a line is steep and no jump.
    jump = JUMP if graph.nodes[-1].function == "threshold" else 1e300
    return {**_table(lambda _: linked[:, 0]), "jump": jump}


def _epochs(
    estimator: Any, graph: ComputationalGraph, recorder: WeightsRecorder | None
) -> list[tuple[str, Layers]]:
    """Return names and weights of the epochs that the page shows, the fitted network last."""
    final = layers_of(estimator)
    if recorder is None or not recorder.epochs_:
        return [("fitted", final)]
    shapes = [weight.shape for weight, _ in final]
    if [weight.shape for weight, _ in recorder.layers_[-1]] != shapes:
        raise ValueError("The recorder has followed the fit of another network.")
    n = len(recorder.epochs_)
    most = max(2, min(n, MOST_EPOCHS, MOST_NUMBERS // graph.n_parameters))
    # Much happens early, little late.
    chosen = np.unique(np.geomspace(1, n, most).round().astype(int)) - 1
    epochs = [(str(recorder.epochs_[i]), recorder.layers_[i]) for i in chosen]
    return [*epochs, ("fitted", final)]


def _axes(X: Floats, weights: Floats) -> list[int]:
    """Return the two features that move the first layer most, the only one twice."""
    moved = X.std(axis=0) * np.abs(weights).sum(axis=1)
    first, *others = np.argsort(-moved, kind="stable")[:2].tolist()
    return sorted([first, *(others or [first])])


def _rounded(values: Any) -> Any:
    """Return nested lists of numbers with five digits."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim > 1:
        return [_rounded(row) for row in values]
    return [float(f"{value:.5g}") for value in np.nan_to_num(values)]
