"""The computational graph and the summary: shapes, exports, values and gradients on the nodes."""

from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn import neural_network
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.inspection import Table, computational_graph, network_summary

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The gradient of Heaviside:UserWarning"),
]

RNG = np.random.RandomState(0)
X = RNG.normal(size=(40, 3))
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
NUMBERS = 1e5 + 1e4 * X[:, 0]

QUICK = {"max_iter": 3, "random_state": 0, "dtype": "float64"}
NETWORKS = {
    "neuron": (MLPBinaryClassifier((), **QUICK), LABELS),
    "chain": (MLPSoftmaxClassifier((4, 5), "tanh", **QUICK), CLASSES),
    "residual": (
        MLPSoftmaxClassifier((4,) * 3, "elu", skip_connections="residual", **QUICK),
        CLASSES,
    ),
    "dense": (MLPBinaryClassifier((4, 2), "prelu", skip_connections="dense", **QUICK), LABELS),
    "layer norm": (MLPBinaryClassifier((4, 3), "silu", normalization="layer", **QUICK), LABELS),
    "batch norm": (MLPSoftmaxClassifier((4, 3), "relu", normalization="batch", **QUICK), CLASSES),
    "dropout": (MLPBinaryClassifier((4,), dropout=0.5, input_dropout=0.2, **QUICK), LABELS),
    "large numbers": (MLPRegressor(hidden_layer_sizes=(4,), **QUICK), NUMBERS),
    "gaussian": (MLPRegressor("gaussian_nll", (4,), "tanh", **QUICK), NUMBERS),
    "integers": (MLPRegressor(output="categorical", output_range=(0, 2), **QUICK), CLASSES),
    "class weights": (MLPClassifier((4,), class_weight="balanced", **QUICK), LABELS),
    "feature scale": (
        MLPBinaryClassifier((4,), "tanh", feature_scale=True, input_dropout=0.2, **QUICK),
        LABELS,
    ),
    "averaged": (MLPBinaryClassifier((4,), averaging="ema", **QUICK), LABELS),
    "perceptron": (RosenblattPerceptron(6, max_iter=3, random_state=0), CLASSES),
    "elementary": (RosenblattPerceptron(0, max_iter=3, random_state=0), LABELS),
}
EVERY_NETWORK = pytest.mark.parametrize("name", NETWORKS)
EVERY_MLP = pytest.mark.parametrize(
    "name", [n for n in NETWORKS if n not in ("perceptron", "elementary")]
)


def fitted(name):
    estimator, y = NETWORKS[name]
    return deepcopy(estimator).fit(X, y), y


@EVERY_NETWORK
def test_graph_before_the_fit_is_that_of_the_fit(name):
    estimator, _ = fitted(name)
    after = computational_graph(estimator, batch_size=7)
    n_outputs = after.nodes[-1].output_shape[1]
    before = computational_graph(NETWORKS[name][0], 7, n_features=3, n_outputs=n_outputs)
    assert before.nodes == after.nodes and before.edges == after.edges


@pytest.mark.parametrize("network", [MLPBinaryClassifier((4,)), MLPRegressor(hidden_layer_sizes=4)])
def test_one_output_is_usual(network):
    graph = computational_graph(network, 7, n_features=3)
    assert graph.nodes[-1].output_shape == (7, 1)


@EVERY_NETWORK
def test_parameters_are_counted(name):
    estimator, _ = fitted(name)
    arrays = [
        *getattr(estimator, "coefs_", []),
        *getattr(estimator, "intercepts_", []),
        *getattr(estimator, "activation_parameters_", []),
        *getattr(estimator, "normalization_parameters_", []),
        *getattr(estimator, "feature_scales_", []),
    ]
    if isinstance(estimator, RosenblattPerceptron):
        arrays = [estimator.associative_weights_, estimator.associative_thresholds_]
        arrays += [estimator.response_weights_, estimator.intercept_]
    graph = computational_graph(estimator)
    assert graph.n_parameters == sum(np.size(array) for array in arrays)
    for node in graph.nodes:
        held = sum(array.size for array in node.parameters.values())
        assert held == node.n_parameters
        if node.weight_shape is not None:
            assert node.parameters["weight"].shape == node.weight_shape
            assert node.parameters["bias"].shape == node.bias_shape


@EVERY_NETWORK
def test_link_has_the_predictions_and_shapes_are_those_of_values(name):
    estimator, _ = fitted(name)
    graph = computational_graph(estimator).with_values(X)
    for node in graph.nodes:
        assert node.value.shape == node.output_shape
    value = graph["link"].value
    if isinstance(estimator, RosenblattPerceptron):
        codes = value.argmax(axis=1) if value.shape[1] > 1 else value[:, 0].astype(int)
        assert (estimator.classes_[codes] == estimator.predict(X)).all()
    elif name == "gaussian":
        assert_allclose(value.T, estimator.predict(X, return_std=True), rtol=1e-9)
    else:
        method = getattr(estimator, "predict_proba", estimator.predict)
        predicted = method(X).reshape(len(X), -1)[:, -value.shape[1] :]
        assert_allclose(value, predicted, rtol=1e-9)


def test_the_steps_of_a_pipeline_transform_the_batch_whose_values_a_graph_holds():
    network = MLPSoftmaxClassifier((4,), **QUICK)
    pipeline = make_pipeline(StandardScaler(), network).fit(5 + 3 * X, CLASSES)
    search = GridSearchCV(pipeline, {"mlpsoftmaxclassifier__alpha": [0.1]}, cv=2)
    for model in (pipeline, search.fit(5 + 3 * X, CLASSES)):
        graph = computational_graph(model)
        scaled = StandardScaler().fit_transform(X)
        for values in (graph.with_values(5 + 3 * X), graph.with_values(5 + 3 * X, CLASSES)):
            assert_allclose(values["input"].value, scaled, rtol=1e-9)
            assert_allclose(values["link"].value, model.predict_proba(5 + 3 * X), rtol=1e-9)
            assert "MLPSoftmaxClassifier: " in values._repr_html_()


@EVERY_MLP
def test_gradients_are_those_of_central_differences(name):
    estimator, y = fitted(name)
    weights = np.arange(1.0, len(y) + 1)

    def evaluated(changed):
        return computational_graph(changed).with_values(X, y, weights)

    graph = evaluated(deepcopy(estimator))
    node, array, parameters = {
        "neuron": ("affine_1", "bias", "intercepts_"),
        "feature scale": ("scale_0", "scale", "feature_scales_"),
    }.get(name, ("affine_1", "weight", "coefs_"))
    gradient = graph[node].parameter_gradients[array]
    place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    losses = []
    for step in (1e-6, -1e-6):
        changed = deepcopy(estimator)
        getattr(changed, parameters)[0][place] += step
        losses.append(evaluated(changed).loss)
    assert_allclose(gradient[place], (losses[0] - losses[1]) / 2e-6, rtol=1e-4, atol=1e-9)


@EVERY_MLP
def test_gradient_at_the_input_is_that_of_central_differences(name):
    estimator, y = fitted(name)
    graph = computational_graph(estimator)
    gradient = graph.with_values(X, y)["input"].gradient
    place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    losses = []
    for step in (1e-6, -1e-6):
        changed = X.copy()
        changed[place] += step
        losses.append(graph.with_values(changed, y).loss)
    assert_allclose(gradient[place], (losses[0] - losses[1]) / 2e-6, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", ["chain", "residual", "dense", "layer norm", "averaged"])
def test_values_and_gradients_fit_together(name):
    estimator, y = fitted(name)
    graph = computational_graph(estimator).with_values(X, y)
    predicted = graph["link"].value
    assert_allclose(predicted, estimator.predict_proba(X)[:, -predicted.shape[1] :], rtol=1e-9)
    for node in graph.nodes:
        if node.kind == "affine":
            sources = [graph[e.source].value for e in graph.edges if e.target == node.name]
            x = np.concatenate(sources, axis=1)
            assert_allclose(
                x @ node.parameters["weight"] + node.parameters["bias"], node.value, atol=1e-12
            )
            assert_allclose(node.parameter_gradients["weight"], x.T @ node.gradient, atol=1e-14)
            assert_allclose(node.parameter_gradients["bias"], node.gradient.sum(0), atol=1e-14)
        if node.kind == "activation" and name == "chain":
            (source,) = [graph[e.source] for e in graph.edges if e.target == node.name]
            assert_allclose(node.value, np.tanh(source.value), rtol=1e-12)
            assert_allclose(
                source.gradient, node.gradient * (1 - node.value**2), rtol=1e-9, atol=1e-18
            )


@pytest.mark.parametrize("size", [1e-4, 1, 1e4])
def test_units_of_a_fit_to_few_rows_do_not_depend_on_the_rows_that_are_looked_at(rng, size):
    X, y = rng.normal(size=(10, 3)), size * (2 + rng.normal(size=10))
    network = MLPRegressor(hidden_layer_sizes=(4,), **QUICK).fit(X, y)
    graph, rows = computational_graph(network), X[:5]
    alone, found = graph.with_values(rows), graph.with_values(rows, 3 * y[:5], np.arange(5))
    for node in alone.nodes:
        assert_allclose(found[node.name].value, node.value, rtol=1e-9)


def test_values_without_targets_take_the_place_of_earlier_ones_with_gradients():
    graph = computational_graph(fitted("chain")[0]).with_values(X, CLASSES).with_values(X[:2])
    for node in graph.nodes:
        assert node.gradient is None and node.parameter_gradients == {}, node.name
    assert graph.loss is None


@EVERY_MLP
def test_laying_values_on_a_graph_leaves_the_estimator_as_it_is(name):
    estimator, y = fitted(name)
    estimator.set_params(random_state=np.random.RandomState(1))
    before = deepcopy(vars(estimator))
    computational_graph(estimator).with_values(X, y)
    after = vars(estimator)
    assert before.keys() == after.keys()
    for attribute in ("coefs_", "intercepts_", "normalization_parameters_"):
        for one, other in zip(before[attribute], after[attribute], strict=True):
            assert (one == other).all()
    drawn = [state["random_state"].randint(2**31) for state in (before, after)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("name", ["chain", "feature scale"])
def test_sparse_rows_have_the_same_values(name):
    estimator, y = fitted(name)
    graph = computational_graph(estimator)
    dense, csr = graph.with_values(X, y), graph.with_values(sparse.csr_array(X), y)
    for one, other in zip(dense.nodes, csr.nodes, strict=True):
        assert_allclose(one.value, other.value, atol=1e-12)
    assert_allclose(dense["affine_1"].gradient, csr["affine_1"].gradient, atol=1e-12)


@pytest.mark.parametrize("values", [[30, 10, 20], ["c", "a", "b"]], ids=["numbers", "strings"])
def test_categories_of_a_frame_are_those_of_the_network(values):
    pandas = pytest.importorskip("pandas")
    kind = pandas.Categorical(np.array(values)[np.arange(len(X)) % 3])
    frame = pandas.DataFrame({"kind": kind, "size": X[:, 0]})
    network = MLPBinaryClassifier((4,), categorical_features="from_dtype", max_iter=3)
    graph = computational_graph(network.fit(frame, X[:, 1] > 0)).with_values(frame)
    assert_allclose(graph.nodes[-1].value[:, 0], network.predict_proba(frame)[:, 1])


def test_skip_connections_are_edges_of_their_own():
    residual = computational_graph(NETWORKS["residual"][0], n_features=3, n_outputs=2)
    skips = [(e.source, e.target) for e in residual.edges if e.skips]
    assert skips == [("activation_1", "add_2"), ("add_2", "add_3")]
    dense = computational_graph(NETWORKS["dense"][0], n_features=3)
    skips = {(e.source, e.target) for e in dense.edges if e.skips}
    assert skips == {("input", "affine_2"), ("input", "affine_3"), ("activation_1", "affine_3")}


def test_perceptron_has_sensory_associative_and_response_units():
    graph = computational_graph(fitted("perceptron")[0])
    assert [name.split()[0] for name in graph.layers] == ["sensory", "associative", "response"]
    assert not graph["affine_1"].trained and graph["affine_2"].trained


def test_weights_before_a_threshold_are_not_trained():
    network = MLPBinaryClassifier((4, 4, 4), ["relu", "threshold", "relu"])
    graph = computational_graph(network, n_features=3)
    trained = [node.trained for node in graph.nodes if node.kind == "affine"]
    assert trained == [False, False, True, True]


def test_dot_and_mermaid_name_every_block_and_mark_skips():
    graph = computational_graph(NETWORKS["dense"][0], batch_size=5, n_features=3)
    dot, mermaid = graph.to_dot(), graph.to_mermaid()
    for node in graph.nodes:
        assert f"  {node.name} [" in dot and f"  {node.name}[" in mermaid
    assert 'input -> affine_2 [label="5 × 3", style=dashed];' in dot
    assert 'input -.->|"5 × 3"| affine_2' in mermaid
    assert dot.count("->") == mermaid.count("->|") == len(graph.edges)


def test_networkx_has_shapes_and_counts():
    networkx = pytest.importorskip("networkx")
    graph = computational_graph(NETWORKS["dense"][0], n_features=3)
    exported = graph.to_networkx()
    assert networkx.is_directed_acyclic_graph(exported)
    assert sum(n for _, n in exported.nodes(data="n_parameters")) == graph.n_parameters
    assert exported.edges["input", "affine_3"] == {"shape": (None, 3), "skips": True}


def test_networkx_that_is_absent_is_named_with_the_extra(hide_package):
    hide_package("networkx")
    with pytest.raises(ImportError, match=r"to_networkx requires networkx.*skperceptron\[plot\]"):
        computational_graph(MLPBinaryClassifier(()), n_features=2).to_networkx()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: computational_graph(MLPBinaryClassifier()), ValueError, "n_features must be"),
        (
            lambda: computational_graph(MLPSoftmaxClassifier(), n_features=2),
            ValueError,
            "n_outputs must be",
        ),
        (
            lambda: computational_graph(MLPBinaryClassifier(), n_features=0),
            ValueError,
            r"'n_features' .* must be an int in the range .* Got 0",
        ),
        (
            lambda: computational_graph(MLPBinaryClassifier(alpha=-1), n_features=2),
            ValueError,
            "'alpha' parameter",
        ),
        (
            lambda: computational_graph(MLPBinaryClassifier(), 0, n_features=2),
            ValueError,
            r"'batch_size' .* Got 0",
        ),
        (
            lambda: computational_graph(fitted("chain")[0], n_features=9),
            ValueError,
            "n_features=9, but the estimator has been fitted with 3",
        ),
        (
            lambda: computational_graph(make_pipeline(StandardScaler())),
            TypeError,
            "a pipeline or search that ends in one, got .*StandardScaler",
        ),
        (
            lambda: computational_graph(neural_network.MLPClassifier()),
            TypeError,
            r"got <class 'sklearn\..*MLPClassifier'>",
        ),
        (
            lambda: computational_graph(fitted("perceptron")[0]).with_values(X, CLASSES),
            TypeError,
            "no gradients",
        ),
        (
            lambda: computational_graph(fitted("chain")[0]).with_values(X, None, np.ones(40)),
            ValueError,
            "needs y",
        ),
        (
            lambda: computational_graph(MLPBinaryClassifier(), n_features=3).with_values(X),
            NotFittedError,
            "not fitted",
        ),
        (
            lambda: computational_graph(MLPBinaryClassifier(), n_features=3).with_values(X, LABELS),
            NotFittedError,
            "not fitted",
        ),
        (lambda: computational_graph(fitted("chain")[0])["no"], KeyError, "affine_1"),
        (
            lambda: computational_graph(fitted("chain")[0]).with_values(X.astype("datetime64[D]")),
            TypeError,
            "X holds dates or durations",
        ),
    ],
)
def test_mistakes_are_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_summary_has_every_shape_of_a_batch():
    network = MLPSoftmaxClassifier((64, 32))
    summary = network_summary(network, batch_size=16, n_features=784, n_outputs=10)
    rows = {
        name: shapes
        for name, *shapes in zip(
            *(summary[c] for c in ("block", "input_shape", "weight_shape", "output_shape")),
            strict=True,
        )
    }
    assert rows["affine_1"] == [(16, 784), (784, 64), (16, 64)]
    assert rows["activation_2"] == [(16, 32), "", (16, 32)]
    assert rows["link"] == [(16, 10), "", (16, 10)]
    assert list(summary["n_parameters"])[-1] == 784 * 64 + 64 + 64 * 32 + 32 + 32 * 10 + 10


def test_sizes_may_be_integers_of_numpy():
    n = np.int64(3)
    summary = network_summary(MLPSoftmaxClassifier((4,)), n, n_features=n, n_outputs=n)
    assert summary["output_shape"][0] == (3, 3)


def test_summary_is_a_data_frame_where_pandas_is_installed():
    pandas = pytest.importorskip("pandas")
    assert isinstance(network_summary(fitted("chain")[0]), pandas.DataFrame)


def test_summary_without_pandas_can_be_printed(hide_package):
    estimator, _ = fitted("chain")
    hide_package("pandas")
    summary = network_summary(estimator, batch_size=2)
    assert isinstance(summary, Table) and len(summary) == 8
    header, *lines = repr(summary).splitlines()
    assert header.split()[:3] == ["block", "layer", "kind"]
    assert lines[-1].split() == ["total", "59"]
    assert summary["block"][0] == "input"
