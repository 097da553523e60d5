"""The computational graph of an estimator, with exports and with the values of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from ..engine.description import GraphEdge, GraphNode, Shape, describe
from ..estimators.fitted import fitted_network, is_fitted
from ..estimators.notebook import draw, framed, layer_names_of
from ..options import COUNT, check_option, plain
from ._evaluate import Evaluation, dense, evaluate, evaluate_training, prepare
from ._networks import Estimator, node_parameters, unwrapped, unwrapped_with_rows, wiring_of
from ._table import make_table

#: The columns of a summary.
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


@dataclass(frozen=True)
class ComputationalGraph:
    """A network as plain data: blocks and the values that flow between them.

    ``graph[name]`` is the node of this name.

    Attributes
    ----------
    nodes : tuple of GraphNode
        From "input" to "link", each after its sources. The link turns raw predictions into
        predicted values: identity, sigmoid, softmax, threshold...
    edges : tuple of GraphEdge
        Skip connections are marked.
    loss : float or None
        Mean loss, without penalty, of the batch whose values the nodes hold.
    """

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    loss: float | None = None
    _estimator: Any = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> GraphNode:
        """Return the node of the given name; KeyError if there is none."""
        named = {node.name: node for node in self.nodes}
        if name not in named:
            raise KeyError(f"{name!r}; nodes: {', '.join(named)}")
        return named[name]

    @property
    def n_parameters(self) -> int:
        """Parameters of all nodes together."""
        return sum(node.n_parameters for node in self.nodes)

    @property
    def layers(self) -> dict[str, tuple[GraphNode, ...]]:
        """Nodes by layer, in order."""
        found: dict[str, tuple[GraphNode, ...]] = {}
        for node in self.nodes:
            found[node.layer] = (*found.get(node.layer, ()), node)
        return found

    def with_values(self, X: Any, y: Any = None, sample_weight: Any = None) -> ComputationalGraph:
        """Return the graph with the values, and gradients, of a batch on its nodes.

        Back-propagation (Rumelhart, Hinton & Williams 1986) is the engine's own. Values and
        gradients are in the network's units (those of ``loss_curve_``), except that
        the link has predictions in y's units.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Computed as one batch, in float64. The steps of a pipeline transform it.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            With targets, nodes also get the gradient of the mean loss with respect to
            their value (that of "input" shows to which features the loss is sensitive) and
            to their parameters; the penalty is left out. Dropout is off, and batch
            normalization uses the statistics of X, as in training.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; needs y.

        Returns
        -------
        ComputationalGraph

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If y is given for a perceptron, which has no gradients.
        ValueError
            If the data does not fit the estimator, or weights come without targets.
        """
        if y is None:
            if sample_weight is not None:
                raise ValueError("sample_weight needs y: it weights the rows in the loss.")
            found = evaluate(*unwrapped_with_rows(self._estimator, X))
        else:
            run = prepare(self._estimator, X, y, sample_weight)
            found = evaluate_training(run, with_input_gradient=True)
        return replace(self, nodes=self._nodes_with(found), loss=found.loss)

    def _nodes_with(self, found: Evaluation) -> tuple[GraphNode, ...]:
        first, *blocks, link = self.nodes
        rows = found.x.shape[0]

        def sized(node: GraphNode, **more: Any) -> GraphNode:
            before, after = (rows, node.input_shape[1]), (rows, node.output_shape[1])
            return replace(node, input_shape=before, output_shape=after, **more)

        middle = [
            sized(node, value=dense(value), gradient=gradient, parameter_gradients=of_parameters)
            for node, value, gradient, of_parameters in zip(
                blocks, found.values, found.gradients, found.parameter_gradients, strict=True
            )
        ]
        predicted = fitted_network(unwrapped(self._estimator)).target.linked(found.values[-1])
        first = sized(first, value=dense(found.x), gradient=found.input_gradient)
        return first, *middle, sized(link, value=predicted)

    def _repr_html_(self) -> str:
        name = "network" if self._estimator is None else type(unwrapped(self._estimator)).__name__
        loss = "" if self.loss is None else f", mean loss of the batch {self.loss:.6g}"
        caption = f"{name}: {self.n_parameters:,} parameters{loss}"
        return framed(draw(self.nodes, self.edges, name), caption)

    def to_dot(self) -> str:
        """Return the graph in the DOT language of Graphviz."""
        lines = ["digraph network {", "  rankdir=LR;", '  node [shape=box, style="rounded"];']
        for node in self.nodes:
            label = "\\n".join(_quoted(line) for line in label_lines(node))
            lines.append(f'  {node.name} [label="{label}"];')
        for edge in self.edges:
            style = ", style=dashed" if edge.skips else ""
            label = shape_text(edge.shape)
            lines.append(f'  {edge.source} -> {edge.target} [label="{label}"{style}];')
        return "\n".join([*lines, "}"])

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart."""
        lines = ["flowchart LR"]
        for node in self.nodes:
            label = "<br/>".join(escape(line, quote=True) for line in label_lines(node))
            lines.append(f'  {node.name}["{label}"]')
        for edge in self.edges:
            arrow = "-.->" if edge.skips else "-->"
            lines.append(f'  {edge.source} {arrow}|"{shape_text(edge.shape)}"| {edge.target}')
        return "\n".join(lines)

    def to_networkx(self) -> Any:
        """Return the graph as a ``networkx.DiGraph``.

        Attributes of its nodes are those of :class:`GraphNode` without the name; those of
        its edges are ``shape`` and ``skips``.

        Raises
        ------
        ImportError
            If networkx is not installed.
        """
        try:
            import networkx
        except ImportError as error:
            raise ImportError(
                "ComputationalGraph.to_networkx requires networkx. Install it with"
                " `pip install networkx` or `pip install 'skperceptron[plot]'`."
            ) from error
        graph = networkx.DiGraph()
        for node in self.nodes:
            attributes = dict(vars(node))
            graph.add_node(attributes.pop("name"), **attributes)
        for edge in self.edges:
            graph.add_edge(edge.source, edge.target, shape=edge.shape, skips=edge.skips)
        return graph


def computational_graph(
    estimator: Estimator,
    batch_size: int | None = None,
    n_features: int | None = None,
    n_outputs: int | None = None,
) -> ComputationalGraph:
    """Return an estimator's network as a graph of computing blocks.

    Parameters
    ----------
    estimator : estimator of this package
        Fitted, or not; or a pipeline or fitted search that ends in one.
    batch_size : int, default=None
        Rows in the shapes; None leaves them open.
    n_features : int, default=None
        Width of the input of an estimator that is not fitted.
    n_outputs : int, default=None
        Number of network outputs of an estimator that is not fitted. None means one output,
        or one for each number that the loss estimates or each integer of `output_range`; for
        an MLPSoftmaxClassifier it must be given.

    Returns
    -------
    ComputationalGraph

    Raises
    ------
    TypeError
        If the estimator is not one of this package's.
    ValueError
        If a width is missing or does not fit the estimator.

    Examples
    --------
    >>> from skperceptron import MLPBinaryClassifier
    >>> from skperceptron.inspection import computational_graph
    >>> graph = computational_graph(MLPBinaryClassifier(()), n_features=3)
    >>> [node.name for node in graph.nodes], graph.n_parameters
    (['input', 'affine_1', 'link'], 4)
    >>> print(graph.to_mermaid())
    flowchart LR
      input["input"]
      affine_1["affine_1<br/>3 × 1<br/>4 parameters"]
      link["link<br/>logistic"]
      input -->|"n × 3"| affine_1
      affine_1 -->|"n × 1"| link
    """
    return graph_for("computational_graph", estimator, batch_size, n_features, n_outputs)


def graph_for(
    owner: str, given: Any, batch_size: Any, n_features: Any, n_outputs: Any
) -> ComputationalGraph:
    """Do what ``computational_graph`` does; errors name the owner of the parameters."""
    widths = {"batch_size": batch_size, "n_features": n_features, "n_outputs": n_outputs}
    for name, value in widths.items():
        check_option(owner, name, value, [COUNT, None])
    estimator = unwrapped(given)
    network, link = wiring_of(estimator, plain(n_features), plain(n_outputs))
    nodes, edges = describe(network, link, plain(batch_size), layer_names_of(estimator))
    if is_fitted(estimator):
        of_nodes = node_parameters(network, fitted_network(estimator).views())
        nodes[1:-1] = [
            replace(node, parameters=parameters)
            for node, parameters in zip(nodes[1:-1], of_nodes, strict=True)
        ]
    return ComputationalGraph(tuple(nodes), tuple(edges), _estimator=given)


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
        Fitted, or not; or a pipeline or fitted search that ends in one.
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
    graph = graph_for("network_summary", estimator, batch_size, n_features, n_outputs)
    records: list[dict[str, Any]] = []
    for node in graph.nodes:
        record = {**vars(node), "block": node.name}
        if not node.n_parameters:
            del record["trained"]
        records.append({name: value for name, value in record.items() if value is not None})
    records.append({"block": "total", "n_parameters": graph.n_parameters})
    return make_table(COLUMNS, records)


def affine_nodes(graph: ComputationalGraph) -> list[GraphNode]:
    """Return the nodes with the weights of the layers, one for each, in order."""
    return [node for node in graph.nodes if node.kind == "affine"]


def label_lines(node: GraphNode) -> Sequence[str]:
    """Return the lines of text in the box of a node."""
    lines = [node.name, node.function]
    if node.weight_shape is not None:
        lines.append(shape_text(node.weight_shape))
    if node.n_parameters:
        lines.append(f"{node.n_parameters:,} parameters{'' if node.trained else ', fixed'}")
    return [line for line in lines if line]


def shape_text(shape: Shape, any_rows: str = "n") -> str:
    """Return a shape as text; ``any_rows`` stands for any number of rows."""
    rows, units = shape
    return f"{any_rows if rows is None else rows} \N{MULTIPLICATION SIGN} {units}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
