"""A network as a picture: a single neuron, neuron by neuron, or block by block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from ...engine.description import GraphNode
from ...options import Instance, Name, check_option
from .._graph import ComputationalGraph, affine_nodes, graph_for
from .._networks import feature_names_of, unwrapped
from ._blocks import draw_blocks
from ._common import Display
from ._neurons import draw_neurons, draw_single_neuron

KINDS = ("auto", "neuron", "neurons", "blocks")

#: Units of the widest hidden or output layer, and layers, that "auto" draws neuron by neuron.
SMALL, SHALLOW = 16, 9


@dataclass(eq=False, repr=False)
class NetworkGraphDisplay(Display):
    """Drawing of a computational graph.

    It is recommended to use :meth:`from_estimator` or :meth:`from_graph`.

    Parameters
    ----------
    graph : ComputationalGraph
    kind : {"neuron", "neurons", "blocks"}
    feature_names : list of str, default=None
        Names of the inputs.
    output_names : list of str, default=None
        Names of the outputs, such as the classes.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    connections_ : list
        Weights, as ``matplotlib.collections.LineCollection``, or arrows.
    nodes_ : list
        Neurons or boxes, as matplotlib's artists.
    texts_ : list of matplotlib.text.Text
    colorbar_ : matplotlib.colorbar.Colorbar or None
        Of the weights.

    Examples
    --------
    >>> from skperceptron import MLPBinaryClassifier
    >>> from skperceptron.inspection import NetworkGraphDisplay
    >>> display = NetworkGraphDisplay.from_estimator(
    ...     MLPBinaryClassifier((4, 3)), n_features=2
    ... )
    """

    graph: ComputationalGraph
    kind: str
    feature_names: list[str] | None = None
    output_names: list[str] | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        kind: str = "auto",
        n_features: int | None = None,
        n_outputs: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> NetworkGraphDisplay:
        """Draw an estimator's network.

        Parameters
        ----------
        estimator : estimator of this package
            Fitted, or not: then it is drawn without weights. Or a pipeline or search that ends in
            one: inputs then have the feature names that the transformers return.
        kind : {"auto", "neuron", "neurons", "blocks"}, default="auto"
            "neuron": the textbook drawing of a network that is one neuron. "neurons":
            every unit, weights as color and width; wide layers are shortened.
            "blocks": a box for each block, with shapes. "auto" takes the first of these that
            shows the whole network (inputs may be shortened): networks with up to 7 hidden layers
            of up to 16 units are drawn neuron by neuron.
        n_features, n_outputs : int, default=None
            Widths of an estimator that is not fitted, as in
            :func:`~skperceptron.inspection.computational_graph`.
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`from_graph`, such as other `feature_names` and `output_names` than those that
            the estimator knows, and for :meth:`plot`.

        Returns
        -------
        NetworkGraphDisplay
        """
        graph = graph_for(cls.__name__, estimator, None, n_features, n_outputs)
        names, outputs = feature_names_of(estimator), _output_names(unwrapped(estimator), graph)
        named = {"feature_names": names, "output_names": outputs}
        return cls.from_graph(graph, kind=kind, ax=ax, **named | kwargs)

    @classmethod
    def from_graph(
        cls,
        graph: ComputationalGraph,
        *,
        kind: str = "auto",
        feature_names: list[str] | None = None,
        output_names: list[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> NetworkGraphDisplay:
        """Draw a graph, with the values of its nodes if they are of one row.

        Parameters
        ----------
        graph : ComputationalGraph
        kind : {"auto", "neuron", "neurons", "blocks"}, default="auto"
            As in :meth:`from_estimator`.
        feature_names : list of str, default=None
            Names of the inputs.
        output_names : list of str, default=None
            Names of the outputs.
        ax : matplotlib.axes.Axes, default=None
        **kwargs : dict
            For :meth:`plot`.

        Returns
        -------
        NetworkGraphDisplay

        Raises
        ------
        ValueError
            If `kind` is unknown, or "neuron" for a network that is not one neuron, or "neuron"
            or "neurons" for a network that embeds features; or if the number of names differs
            from that of inputs or outputs.
        """
        check_option("NetworkGraphDisplay", "kind", kind, [Name(KINDS)])
        check_option("NetworkGraphDisplay", "graph", graph, [Instance(ComputationalGraph)])
        feature_names = _checked_names("feature_names", feature_names, graph.nodes[0], "inputs")
        output_names = _checked_names("output_names", output_names, graph.nodes[-1], "outputs")
        if kind == "neuron" and not _is_single(graph):
            raise ValueError(
                "kind='neuron' draws a network without hidden layers and with one output."
            )
        if kind in ("neuron", "neurons") and _embeds(graph):
            raise ValueError(
                f"kind={kind!r} draws features as the first layer sees them, but this network"
                " embeds them: use kind='blocks'."
            )
        kind = _usual_kind(graph) if kind == "auto" else kind
        return cls(graph, kind, feature_names, output_names).plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> NetworkGraphDisplay:
        """Draw the network.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            New ones, if None.
        **kwargs : dict
            For the ``LineCollection`` of the weights, such as ``cmap``, or, with
            ``kind="blocks"``, for the boxes' ``FancyBboxPatch``.

        Returns
        -------
        NetworkGraphDisplay
            Itself.
        """
        draw = {"neuron": draw_single_neuron, "neurons": draw_neurons, "blocks": draw_blocks}
        artists = draw[self.kind](self, partial(self._open, ax), kwargs)
        self.connections_, self.nodes_, self.texts_, self.colorbar_ = artists
        self.ax_.set_axis_off()
        return self


def _output_names(estimator: Any, graph: ComputationalGraph) -> list[str] | None:
    """Return the names of the outputs' classes; a single output is for the second class."""
    classes = getattr(estimator, "classes_", None)
    n_outputs = graph.nodes[-1].output_shape[1]
    if classes is None or (n_outputs == 1 and len(classes) != 2):
        return None
    shown = classes[1:] if n_outputs == 1 else classes
    return [str(name) for name in shown] if len(shown) == n_outputs else None


def _checked_names(parameter: str, names: Any, node: GraphNode, what: str) -> list[str] | None:
    n_units = node.output_shape[1]
    if names is not None and len(names) != n_units:
        raise ValueError(f"{parameter} has {len(names)} entries, the network {n_units} {what}.")
    return None if names is None else list(map(str, names))


def _embeds(graph: ComputationalGraph) -> bool:
    """Tell whether the first layer reads anything other than the features, one by one."""
    first, *others = next(iter(graph.layers.values()))
    width = first.output_shape[1]
    return any(n.output_shape[1] != width or n.kind == "column_embedding" for n in others)


def _is_single(graph: ComputationalGraph) -> bool:
    layers = affine_nodes(graph)
    return len(layers) == 1 and layers[0].output_shape[1] == 1


def _usual_kind(graph: ComputationalGraph) -> str:
    """Return the kind of drawing that "auto" stands for."""
    widest = max(node.output_shape[1] for node in affine_nodes(graph))
    if _embeds(graph) or widest > SMALL or len(graph.layers) > SHALLOW:
        return "blocks"
    return "neuron" if _is_single(graph) else "neurons"
