"""A small network as one page of HTML to play with: no server, no downloads, no framework.

The page computes what it shows from weights, in the browser. It contains the graph of the network:
the inputs and operators of each block (``_program``), and what is drawn (``_picture``).
``compute.js`` runs the operators, ``view.js`` draws and reacts to the user.
"""

from __future__ import annotations

import json
import re
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_array, check_consistent_length

from ..._sklearn.fit_calls import FitMode
from ..._sklearn.labels import encoded_labels
from ...engine.arrays import Floats
from ...engine.network import Learned
from ...estimators.fitted import FittedNetwork, fitted_network
from ...options import Instance, check_option
from .._evaluate import checked_rows
from .._graph import ComputationalGraph, affine_nodes, computational_graph
from .._networks import check_estimator_type, feature_names_of, unwrapped_with_rows
from .._weights_recorder import WeightsRecorder, learned_arrays
from ._network import Shown, network_as_json
from ._program import rounded

#: Largest numbers of features and layers that a picture can show.
MOST_FEATURES, MOST_LAYERS = 12, 8

#: Largest number of weights and biases: a browser computes the network for 5,000 points of a
#: picture.
MOST_WEIGHTS = 5_000

#: Largest numbers of rows, of epochs, and of weights in all epochs together, so that the page stays
#: below 300 kB.
MOST_ROWS, MOST_EPOCHS, MOST_NUMBERS = 300, 60, 20_000

#: The labels of a page are among those of the fit.
KNOWN_LABELS = FitMode(continuing=True, incremental=True)


class Page(str):
    """The text of a page, which a notebook displays as a page."""

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
    color and width, and the values of a chosen sample in every unit. A slider goes through up to
    60 of the epochs that a recorder has kept, with more of the early ones. The hidden activation
    can be exchanged, to see what that does to a trained network. Everything is in one page, which
    is smaller than 300 kB and needs no network access.

    A column of units shows the last value of a layer, after normalization, activation and shortcut.
    Scaled or embedded features have a column of their own. Dashed lines carry a value without a
    weight, such as the shortcut of a residual network. Below the picture, the page shows block by
    block how the value of the chosen unit for the chosen sample is computed.

    Parameters
    ----------
    estimator : estimator of this package, or a pipeline or search that ends in one
        Fitted, with up to 8 layers and up to 5,000 weights and biases. If a layer has more than 16
        units, the 16 with the largest weights are drawn; all are computed. An activation of your
        own that learns parameters, and a loss of your own that transforms several outputs, need a
        method ``to_onnx``, which defines the operators that they consist of.
    X : array-like of shape (n_samples, n_features)
        Data to show, with up to 12 features; at most 300 rows are shown. With a pipeline, features
        are shown as the network sees them, and categories by their codes.
    y : array-like of shape (n_samples,)
        Labels or numbers.
    path : str or Path, default=None
        A file to which the page is also written.
    recorder : WeightsRecorder, default=None
        The callback of the fit. Without it, the page shows the fitted network only.
    title : str, default="A neural network to play with"

    Returns
    -------
    str
        The page; a notebook displays it if it is the last value of a cell.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator is not one of this package's.
    ValueError
        If the network or its data is too large, it predicts several labels or numbers for each
        row, several networks share weights (``ensemble_size``), a part of the network does not
        define its operators, or the recorder has followed another network.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skperceptron import MLPBinaryClassifier
    >>> from skperceptron.inspection import WeightsRecorder, to_html
    >>> X, y = make_moons(100, noise=0.1, random_state=0)
    >>> recorder = WeightsRecorder()
    >>> network = MLPBinaryClassifier((4,), n_iter_no_change=3, tol=1, callbacks=[recorder])
    >>> network = network.fit(X, y)
    >>> page = to_html(network, X, y, recorder=recorder)  # or path="network.html"
    >>> len(page) < 300_000
    True
    """
    check_option("to_html", "recorder", recorder, [Instance(WeightsRecorder), None])
    check_option("to_html", "title", title, [Instance(str)])
    names = feature_names_of(estimator)
    estimator, X = unwrapped_with_rows(estimator, X)
    check_estimator_type(estimator)
    fitted = fitted_network(estimator)
    graph = computational_graph(estimator)
    _check_size(estimator, graph)
    X, y = _checked(estimator, fitted.target, X, y)
    epochs = _epochs(fitted, graph, recorder)
    target = fitted.target
    if hasattr(target, "predicting"):
        target = target.predicting(estimator.categorical_prediction)
    shown = Shown(graph, fitted.network, target, [learned for _, learned in epochs], X)
    data = {
        "features": names or [f"x{i + 1}" for i in range(X.shape[1])],
        "epochs": [name for name, _ in epochs],
        **_rows(estimator, X, y),
        **network_as_json(shown),
    }
    page = Page(_page(data, title))
    if path is not None:
        Path(path).write_text(page, encoding="utf-8")
    return page


def _checked(estimator: Any, target: Any, X: Any, y: Any) -> tuple[Floats, Any]:
    """Return the data as arrays; raise ValueError if they do not fit the network."""
    y = np.asarray(y)
    check_consistent_length(X, y)
    if y.ndim != 1:
        raise ValueError(f"y has shape {y.shape}: one label or number per row is shown.")
    units = getattr(target, "units", None)
    # Quantiles of one number are several predictions.
    n = np.prod(estimator.predict(X).shape[1:]) if units is None else len(units.scale)
    if n > 1:
        raise ValueError(
            f"This {type(estimator).__name__} predicts {n} labels or numbers per row: to_html shows"
            " networks that predict one."
        )
    return checked_rows(estimator, X, accept_sparse=False), y


def _page(data: dict[str, Any], title: str) -> str:
    """Return the text of the page: its parts, and data as JSON."""
    folder = resources.files(__package__)
    text, compute, view = (
        folder.joinpath(name).read_text("utf-8") for name in ("page.html", "compute.js", "view.js")
    )
    as_json = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"COMPUTE": compute, "VIEW": view, "TITLE": escape(title), "DATA": as_json}
    return re.sub("__([A-Z]+)__", lambda mark: parts[mark[1]], text)


def _check_size(estimator: Any, graph: ComputationalGraph) -> None:
    """Raise ValueError if the network is too large for a page."""
    for what, size, most in (
        ("features", graph.nodes[0].output_shape[1], MOST_FEATURES),
        ("layers", len(affine_nodes(graph)), MOST_LAYERS),
        ("weights and biases", graph.n_parameters, MOST_WEIGHTS),
    ):
        if size > most:
            raise ValueError(
                f"This {type(estimator).__name__} has {size} {what}; to_html shows up to {most}."
            )


def _rows(estimator: Any, X: Floats, y: Any) -> dict[str, Any]:
    """Return the data that the page shows, and the kind of task."""
    classes = estimator.classes_ if is_classifier(estimator) else []
    rows = np.unique(np.linspace(0, len(X) - 1, min(len(X), MOST_ROWS)).astype(int))
    if len(classes):
        _, codes = encoded_labels(y, classes, KNOWN_LABELS, len, same_classes=False)
        targets = codes[rows].tolist()
    else:
        targets = rounded(check_array(y[rows], ensure_2d=False, dtype=np.float64, input_name="y"))
    return {
        "task": "classification" if len(classes) else "regression",
        "classes": [str(label) for label in classes],
        "X": rounded(X[rows]),
        "y": targets,
    }


def _epochs(
    fitted: FittedNetwork, graph: ComputationalGraph, recorder: WeightsRecorder | None
) -> list[tuple[str, Learned]]:
    """Return names and weights of the epochs that the page shows, the fitted network last.

    Weights are in the network's units.
    """
    final = fitted.views(np.float64, folded=False)
    if recorder is None or not recorder.epochs_:
        return [("fitted", final)]
    n = len(recorder.epochs_)
    most = max(2, min(MOST_EPOCHS, MOST_NUMBERS // graph.n_parameters))
    # Most changes happen in the first epochs, so more of these are shown.
    spread = np.geomspace(1, n, most) if n > most else np.arange(1, n + 1)
    chosen = np.unique(spread.round().astype(int)) - 1
    epochs = []
    for i in chosen:
        learned = learned_arrays(fitted.network, recorder.parameters_[i])
        if learned is None:
            raise ValueError("The recorder has followed the fit of another network.")
        epochs.append((str(recorder.epochs_[i]), learned))
    return [*epochs, ("fitted", final)]
