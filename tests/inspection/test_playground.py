"""Interactive pages: their data, the models that they refuse, and their work in a browser."""

import json
import re
import shutil
from html import unescape

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.datasets import load_iris, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import Activation, PReLU, get_activation
from skperceptron.callbacks import Checkpoint
from skperceptron.embeddings import Periodic
from skperceptron.estimators.fitted import fitted_network
from skperceptron.estimators.targets import Numbers
from skperceptron.exceptions import NotDeclaredError
from skperceptron.inspection import (
    GradientRecorder,
    WeightsRecorder,
    computational_graph,
    to_html,
)
from skperceptron.inspection._playground._program import OPERATORS, PageGraph
from skperceptron.losses import OrdinalLogLoss, Pinball, SquaredError

pytestmark = pytest.mark.filterwarnings("ignore")

MOONS = make_moons(80, noise=0.15, random_state=0)
IRIS = load_iris(return_X_y=True)
LINE = np.linspace(-2, 2, 50)[:, np.newaxis]
WAVE = 50 + 30 * np.sin(3 * LINE[:, 0])
CODED = np.c_[IRIS[0][:, :3], IRIS[0][:, 3].astype(int)], IRIS[1]
CORNERS = np.array([[0, 0], [1, 1], [0, 1], [1, 0]] * 5), np.array([0, 0, 1, 1] * 5)


def moons(**options):
    options = {"max_iter": 30, "learning_rate_init": 0.05, "random_state": 0, **options}
    return MLPBinaryClassifier((5, 3), "tanh", **options).fit(*MOONS)


def held(page):
    """Return the data of a page."""
    (text,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page)
    return json.loads(text)


class Cube(Activation):
    """A user's activation: z to the third power."""

    keeps_input = True

    def forward(self, z, out, *learned):
        np.power(z, 3, out=out)

    def backward(self, z, a, grad, *learned):
        np.multiply(grad, 3 * z * z, out=grad)


class SquaredOutput(SquaredError):
    """Predicts the square of the output, and does not declare the operators."""

    names = ()
    equivariance = "none"

    def inverse_link(self, raw, out):
        np.square(raw, out=out)


class SquaredQuantiles(Pinball):
    """Predicts squares of several outputs, and does not declare the operators."""

    names = ()

    def inverse_link(self, raw, out):
        np.square(raw, out=out)


class SquaredNumbers(Numbers):
    """A target that redefines its link, and does not declare the operators."""

    output = None

    def link(self, raw):
        return raw**2


def own_target():
    network, X, y = regression(max_iter=5)
    fitted_network(network).target.__class__ = SquaredNumbers
    return network, X, y


class Steep(PReLU):
    """Learns slopes, and does not declare its operators."""

    names = ()

    def forward(self, z, out, slope):
        np.multiply(z, slope, out=out)


def test_recorder_keeps_the_weights_of_each_epoch_of_the_latest_fit():
    recorder = WeightsRecorder()
    network = moons(callbacks=[recorder])
    network.fit(*MOONS)
    assert recorder.epochs_ == list(range(1, network.n_iter_ + 1))
    for (weight, bias), coef, intercept in zip(
        recorder.layers_[-1], network.coefs_, network.intercepts_, strict=True
    ):
        assert_array_equal(weight, coef)
        assert_array_equal(bias, intercept)
    assert not np.array_equal(recorder.layers_[0][0][0], recorder.layers_[-1][0][0])


def test_recorder_does_not_mix_a_resumed_fit_with_the_one_before(tmp_path):
    recorder, saving = WeightsRecorder(), Checkpoint(tmp_path / "fit.npz")
    moons(max_iter=5, callbacks=[saving])
    moons(max_iter=3, alpha=0.5, callbacks=[recorder])
    moons(max_iter=7, callbacks=[recorder, saving])
    assert recorder.epochs_ == [6, 7]
    assert len(recorder.layers_) == len(recorder.parameters_) == 2


def test_page_contains_everything_and_loads_nothing():
    recorder = WeightsRecorder()
    network = moons(callbacks=[recorder])
    page = to_html(network, *MOONS, recorder=recorder)
    assert len(page.encode()) < 300_000
    assert not re.search(r"https?:|src=|href=|@import|url\(", page)
    data = held(page)
    assert data["features"] == ["x1", "x2"]
    assert [column["units"] for column in data["columns"]] == [2, 5, 3, 1]
    assert data["epochs"][0] == "1" and data["epochs"][-1] == "fitted"
    for edge, coef in zip(data["edges"], network.coefs_, strict=True):
        weights = data["constants"][int(edge["weights"][1:])]
        assert len(weights["epochs"]) == len(data["epochs"])
        assert_allclose(weights["epochs"][-1], coef.ravel(), rtol=1e-4)


@pytest.mark.parametrize("hidden", [(16,) * 7, (60, 60)], ids=["deep", "wide"])
def test_largest_pages_stay_small(hidden):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(2000, 12)), rng.randint(3, size=2000)
    recorder = WeightsRecorder()
    network = MLPSoftmaxClassifier(hidden, max_iter=60, tol=0, callbacks=[recorder]).fit(X, y)
    page = to_html(network, X, y, recorder=recorder)
    assert len(page.encode()) < 300_000
    assert len(held(page)["X"]) == 300


def test_units_with_the_largest_weights_are_drawn():
    network = MLPBinaryClassifier((20, 17), max_iter=3, random_state=0).fit(*MOONS)
    columns = held(to_html(network, *MOONS))["columns"]
    _, first, second, output = (column["drawn"] for column in columns)
    left_out = set(range(20)) - set(first)
    sizes = np.abs(network.coefs_[1]).sum(axis=1)
    assert len(first) == len(second) == 16 and first == sorted(first)
    assert sizes[first].min() >= max(sizes[unit] for unit in left_out)
    assert output == [0]


def test_text_of_users_cannot_leave_its_place():
    X, y = MOONS
    names = np.array(["</script><b>", "b&c"])
    network = moons().fit(X, names[y])
    page = to_html(network, X, names[y], title="<i>")
    assert page.count("</script>") == 2 and "<i>" not in page
    assert held(page)["classes"] == sorted(names)


def test_title_may_hold_the_name_of_a_placeholder():
    page = to_html(moons(), *MOONS, title="__DATA__ and __VIEW__")
    assert page.count("__DATA__ and __VIEW__") == 2 and held(page)["classes"] == ["0", "1"]


@pytest.mark.filterwarnings("error:X does not have valid feature names")
def test_frame_gives_no_warning_of_names_that_it_has():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(MOONS[0], columns=["width", "height"])
    network = moons().fit(frame, MOONS[1])
    assert held(to_html(network, frame, MOONS[1]))["features"] == ["width", "height"]


def test_largest_float_does_not_become_infinite():
    X, y = MOONS[0].copy(), MOONS[1]
    X[0] = -1, np.finfo(np.float64).max
    assert held(to_html(moons(), X, y))["X"][0] == [-1, 1e308]


def test_notebook_shows_the_page_in_a_frame():
    page = to_html(moons(), *MOONS)
    frame = page._repr_html_()
    assert frame.startswith("<iframe srcdoc=") and unescape(frame).count(page) == 1


def test_page_is_written_to_a_file(tmp_path):
    page = to_html(moons(), *MOONS, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page


def test_pipeline_is_shown_with_the_inputs_of_its_network():
    pipeline = make_pipeline(StandardScaler(), moons()).fit(*MOONS)
    data = held(to_html(pipeline, *MOONS))
    assert_allclose(data["X"], pipeline[0].transform(MOONS[0]), rtol=1e-4)


def test_categories_are_shown_by_their_codes():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"size": np.linspace(0, 1, 20), "shape": list("xyyx") * 5})
    y = np.arange(20) % 2
    network = MLPBinaryClassifier((3,), categorical_features=["shape"], max_iter=3).fit(X, y)
    data = held(to_html(network, X, y))
    assert data["features"] == ["size", "shape"]
    assert_array_equal(np.array(data["X"])[:, 1], [0, 1, 1, 0] * 5)


def test_search_shows_its_best_network_with_the_names_of_its_features():
    X, y = load_iris(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(StandardScaler(), MLPSoftmaxClassifier((3,), max_iter=5))
    search = GridSearchCV(pipeline, {"mlpsoftmaxclassifier__alpha": [0.1, 1]}, cv=2).fit(X, y)
    data = held(to_html(search, X, y))
    assert data["features"] == list(X.columns)
    assert_allclose(data["X"], search.best_estimator_[0].transform(X), rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MLPBinaryClassifier((80, 80)),
            "6801 weights and biases; to_html shows up to 5000",
        ),
        (lambda: MLPBinaryClassifier((2,) * 9), "10 layers"),
        (lambda: MLPBinaryClassifier((4,), ensemble_size=2), "share weights"),
        (
            lambda: MLPRegressor(SquaredQuantiles([0.1, 0.9]), hidden_layer_sizes=(4,)),
            "SquaredQuantiles.* browser",
        ),
        (lambda: MLPBinaryClassifier((4,), Steep()), "Steep.* browser.*define its to_onnx"),
    ],
)
def test_what_the_page_cannot_show_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        to_html(make().set_params(max_iter=1).fit(*MOONS), *MOONS)


def test_columns_in_another_order_are_refused():
    pandas = pytest.importorskip("pandas")
    X, y = pandas.DataFrame(MOONS[0], columns=["a", "b"]), MOONS[1]
    network = MLPBinaryClassifier((3,), max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="same order as they were in fit"):
        to_html(network, X[["b", "a"]], y)


def test_wrong_arguments_are_refused():
    X, y = MOONS
    with pytest.raises(NotFittedError):
        to_html(MLPBinaryClassifier(), X, y)
    with pytest.raises(TypeError, match="LogisticRegression"):
        to_html(LogisticRegression().fit(X, y), X, y)
    with pytest.raises(ValueError, match="3 features, but MLPBinaryClassifier is expecting 2"):
        to_html(moons(), np.c_[X, X[:, 0]], y)
    with pytest.raises(ValueError, match="one label or number"):
        to_html(moons(), X, np.c_[y, y])
    with pytest.raises(TypeError, match="X holds dates or durations"):
        to_html(moons(), X.astype("datetime64[D]"), y)
    with pytest.raises(TypeError, match="dense data is required"):
        to_html(moons(), sparse.csr_array(X), y)
    for several in (MLPBinaryClassifier, MLPRegressor):
        with pytest.raises(ValueError, match="predicts 2 labels or numbers per row"):
            to_html(several(max_iter=1).fit(X, np.c_[y, y]), X, y)
    with pytest.raises(ValueError, match="`y` has classes not in"):
        to_html(moons(), X, np.where(y == 1, "one", "none"))
    recorder = WeightsRecorder()
    MLPBinaryClassifier((3,), max_iter=2, callbacks=[recorder]).fit(X, y)
    with pytest.raises(ValueError, match=r"'recorder' parameter of to_html.*GradientRecorder"):
        to_html(moons(), X, y, recorder=GradientRecorder())
    with pytest.raises(TypeError, match="'title' parameter of to_html"):
        to_html(moons(), X, y, title=3)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        to_html(MLPRegressor(max_iter=1).fit(X, y), X, np.where(y > 0, np.nan, y))
    with pytest.raises(ValueError, match="another network"):
        to_html(moons(), X, y, recorder=recorder)


@pytest.fixture(scope="module")
def browser():
    """Return a headless Chromium; tests are skipped if none is installed."""
    api = pytest.importorskip("playwright.sync_api")
    place = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    with api.sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=place, args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(f"no Chromium: {error}")
        yield opened
        opened.close()


@pytest.fixture
def show(browser, tmp_path):
    """Return a function that opens a network's page; fail if it has an error or sends a request."""
    errors, pages = [], []

    def open_page(estimator, X, y, recorder=None, width=1280):
        path = tmp_path / "page.html"
        to_html(estimator, X, y, path, recorder=recorder)
        page = browser.new_page(viewport={"width": width, "height": 800})
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text))
        page.on("request", lambda asked: asked.url == path.as_uri() or errors.append(asked.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not errors


def fitted(make, *arguments, data=MOONS, **options):
    """Return a fitted network and its data."""
    options = {"max_iter": 20, "random_state": 0, **options}
    return make(*arguments, **options).fit(*data), *data


def binary(*arguments, **options):
    return fitted(MLPBinaryClassifier, *arguments, **options)


def softmax(*arguments, **options):
    return fitted(MLPSoftmaxClassifier, *arguments, data=IRIS, **options)


def regression(**options):
    options = {"hidden_layer_sizes": (6,), "solver": "lbfgs", **options}
    return fitted(MLPRegressor, data=(LINE, WAVE), **options)


CASES = {
    "binary": lambda: (moons(), *MOONS),
    "threshold": lambda: binary((4,), "heaviside"),
    "one's own": lambda: binary((4,), Cube()),
    "wide": lambda: binary((40, 30), "tanh"),
    "neuron": lambda: binary(()),
    "softmax": lambda: softmax((5,), solver="lbfgs", alpha=1, dropout=0),
    "regression": lambda: regression(standardize_target=True),
    "range": lambda: regression(output_range=(0, 100)),
    "Rosenblatt": lambda: (RosenblattPerceptron(8, random_state=3).fit(*CORNERS), *CORNERS),
    "residual": lambda: softmax((5, 5, 5), "tanh", skip_connections="residual"),
    "dense": lambda: softmax((5, 4), "tanh", skip_connections="dense"),
    "linear": lambda: binary((5, 4), skip_connections="linear"),
    "batch": lambda: softmax((5, 4), "tanh", normalization="batch"),
    "layer": lambda: softmax((5, 4), "gelu", normalization="layer"),
    "feature scales": lambda: softmax((5,), feature_scale=True, input_dropout=0.1, dropout=0.2),
    "learned slopes": lambda: binary((5,), "prelu", learning_rate_init=0.1),
    "learned shares": lambda: binary((5,), "mish", parametric_activation=True),
    "several activations": lambda: binary((5, 4, 3), ["relu", "selu", "sine"]),
    "ntk": lambda: binary((5, 4), parametrization="ntk"),
    "ordered": lambda: softmax((5,), "tanh", loss="ordinal", solver="lbfgs"),
    "reordered": lambda: softmax((5,), loss=OrdinalLogLoss(order=[1, 0, 2]), max_iter=100),
    "periodic": lambda: binary((5,), numeric_embedding="pbld"),
    "periodic, linear": lambda: softmax((5,), numeric_embedding="plr"),
    "periodic, some columns": lambda: softmax((5,), numeric_embedding=Periodic(columns=[0, 3])),
    "categories": lambda: fitted(
        MLPSoftmaxClassifier, (5,), data=CODED, categorical_features=[3], numeric_embedding="pbld"
    ),
    "Gaussian": lambda: regression(loss="gaussian_nll", max_iter=5),
    "quantiles": lambda: regression(loss=Pinball([0.1, 0.5, 0.9]), solver="adam"),
    "counts": lambda: regression(loss="poisson", max_iter=5),
    "one's own loss": lambda: regression(loss=SquaredOutput(), max_iter=5),
    "one's own target": own_target,
    "clipped": lambda: regression(clip_predictions=True, solver="adam"),
    "whole numbers": lambda: fitted(
        MLPRegressor, data=(LINE, np.round(WAVE / 10)), output="categorical", max_iter=50
    ),
    "everything": lambda: softmax(
        (6, 6, 6),
        ["mish", "prelu", "softplus"],
        skip_connections="residual",
        normalization="batch",
        feature_scale=True,
        numeric_embedding="pbld",
        parametric_activation=True,
        parametrization="ntk",
        dropout=0.1,
        loss="ordinal",
    ),
}

#: Options of a network with every kind of block that recorders and swaps handle.
ALL_OPTIONS = {
    "skip_connections": "residual",
    "normalization": "batch",
    "feature_scale": True,
    "loss": "ordinal",
    "learning_rate_init": 0.02,
}


#: Returns a page's results: predictions, probabilities if there are any, and values of units.
COMPUTED = """() => {
  const found = evaluated(P.X), { shares } = found, columns = [];
  P.columns.forEach(({ nodes, drawn, value }, c) => {
    const node = value === "link" ? "link" : nodes.length ? P.nodes[nodes.at(-1)].name : "input";
    const values = drawn.map((unit) => unitValues(found, c, unit));
    if (value !== "shares") columns.push({ node, drawn, values });
  });
  return { said: answers(found), columns, shares: shares && Array.from({ length: P.X.length },
    (_, i) => Array.from(shares.data.subarray(i * shares.shape[1], (i + 1) * shares.shape[1]))) };
}"""


@pytest.mark.parametrize("case", CASES)
def test_browser_computes_what_the_network_does(show, case):
    estimator, X, y = CASES[case]()
    page = show(estimator, X, y)
    found = page.evaluate(COMPUTED)
    if is_classifier(estimator):
        assert_allclose(found["shares"], estimator.predict_proba(X), atol=1e-3)
        assert_array_equal(estimator.classes_[found["said"]], estimator.predict(X))
    else:
        expected = estimator.predict(X).reshape(len(X), -1)
        middle = expected[:, expected.shape[1] // 2]
        assert_allclose(found["said"], middle, atol=1e-3 * np.abs(middle).max())
    score = "accuracy" if is_classifier(estimator) else "R2"
    assert f"{score} on these {len(X)} rows" in page.text_content("#effect")
    graph = computational_graph(estimator).with_values(X)
    for column in found["columns"]:
        expected = graph[column["node"]].value[:, column["drawn"]]
        assert_allclose(
            np.transpose(column["values"]), expected, atol=1e-3 * np.abs(expected).max()
        )


def test_score_of_a_constant_target_is_that_of_scikit_learn(show):
    X, y = IRIS[0], np.full(150, 3.0)
    network = MLPRegressor(hidden_layer_sizes=(3,), max_iter=1, random_state=0).fit(X, y)
    assert network.score(X, y) == 0
    assert "R2 on these 150 rows: 0.000." in show(network, X, y).text_content("#effect")


def followed(**options):
    """Return a network with all of these options, its data, and its recorder."""
    recorder = WeightsRecorder()
    options = {"random_state": 0, "max_iter": 15, "callbacks": [recorder], **options}
    network = MLPSoftmaxClassifier((4, 4), ["tanh", "prelu"], **ALL_OPTIONS, **options).fit(*IRIS)
    return network, *IRIS, recorder


def test_each_epoch_predicts_what_the_network_did_then(show):
    network, X, y, recorder = followed()
    page = show(network, X, y, recorder)
    names = page.evaluate("P.epochs")
    assert names == [*map(str, recorder.epochs_), "fitted"]
    shorter = followed(max_iter=4)[0]
    page.fill("#epoch", str(names.index("4")))
    assert_allclose(page.evaluate(COMPUTED)["shares"], shorter.predict_proba(X), atol=1e-3)


def test_recorder_keeps_all_that_blocks_learn():
    network, *_, recorder = followed()
    nodes = computational_graph(network).nodes[1:-1]
    for node, arrays in zip(nodes, recorder.parameters_[-1], strict=True):
        assert_parameters_equal(arrays, node.parameters)
    assert_array_equal(recorder.layers_[-1][0][0], network.coefs_[0])


def assert_parameters_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert_array_equal(found[name], array)


def test_predicted_numbers_far_from_zero_are_red_above_the_mean_and_blue_below(show):
    X, y = MOONS[0], 100 + 5 * MOONS[0][:, 0]
    network = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0).fit(X, y)
    page = show(network, X, y)
    rows = page.evaluate(
        """() => {
          const found = gridValues(9), color = decisionColors(found);
          return answers(found).map((v, k) => [v, ...color(k)]);
        }"""
    )
    predicted, red, _, blue = np.transpose(rows)
    assert_array_equal(red > blue, predicted > y.mean())
    assert 0.3 < np.mean(red > blue) < 0.7


def test_swap_changes_activations_and_nothing_else(show):
    network, X, y, _ = followed()
    page = show(network, X, y)
    page.select_option("#activation", "identity")
    values = page.evaluate("evaluated(P.X).nodes.map(({ data }) => Array.from(data))")
    for node, told in enumerate(page.evaluate("P.nodes")):
        if told["isActivation"]:
            assert values[node] == values[told["sources"][0]]
    assert "identity in the hidden layers" in page.text_content("#effect")
    page.select_option("#activation", "")
    assert_allclose(page.evaluate(COMPUTED)["shares"], network.predict_proba(X), atol=1e-3)


def test_value_of_the_chosen_unit_is_shown_block_by_block(show):
    network, X, y, _ = followed()
    page = show(network, X, y)
    page.get_by_role("button", name="hidden 2, unit 3").click()
    said = page.text_content("#unit")
    steps = [step.rsplit(" ", 1)[0] for step in said.split(": ")[1].split(" → ")]
    assert steps == ["weighted sum", "batch normalization", "PReLU()", "sum with shortcut"]
    graph = computational_graph(network).with_values(X[:1])
    names = ["affine_2", "normalization_2", "activation_2", "add_2"]
    values = [float(v) for v in re.findall(r"(-?\d+\.\d+)(?: →|\.$)", said)]
    assert_allclose(values, [graph[name].value[0, 2] for name in names], atol=0.011)


def test_edges_follow_the_graph():
    network, X, y, _ = followed()
    data = held(to_html(network, X, y))
    titles = [column["title"] for column in data["columns"]]
    assert titles == ["input", "scale", "Tanh()", "PReLU()", "output", "classes"]
    edges = [(edge["from"], edge["to"], edge["weights"] is not None) for edge in data["edges"]]
    assert edges == [
        (0, 1, True),
        (1, 2, True),
        (2, 3, True),
        (2, 3, False),
        (3, 4, True),
        (4, 5, False),
    ]


def test_embedded_numbers_are_joined_to_their_feature():
    data = held(to_html(*CASES["periodic"]()))
    edge = data["edges"][0]
    n = data["columns"][1]["units"] // 2
    assert edge["pairs"] == [[unit // n, unit] for unit in range(2 * n)]


@pytest.mark.parametrize(
    ("case", "names"),
    [
        ("ordered", ["above 0", "above 1"]),
        ("reordered", ["above 1", "above 0"]),
        ("quantiles", ["10 %", "50 %", "90 %"]),
        ("Gaussian", ["mean", "std"]),
        ("binary", []),
    ],
)
def test_outputs_are_named(case, names):
    columns = held(to_html(*CASES[case]()))["columns"]
    assert next(column["names"] for column in columns if column["value"] == "link") == names


@pytest.mark.parametrize(
    ("case", "curves", "column"),
    [("quantiles", [0, 1, 2], 1), ("Gaussian", [0], 0), ("whole numbers", [0], 0)],
)
def test_predicted_numbers_are_drawn(case, curves, column):
    data = held(to_html(*CASES[case]()))
    assert (data["curves"], data["answerColumn"]) == (curves, column)


def test_every_activation_to_swap_is_the_right_function(show):
    page = show(*CASES["binary"]())
    points = np.linspace(-20, 20, 401)
    found = page.evaluate(
        """(points) => Object.fromEntries(Object.entries(P.swaps).map(([name, program]) =>
        [name, Array.from(run(program, [matrix([points])], constants).data)]))""",
        points.tolist(),
    )
    assert len(found) >= 20
    for name, values in found.items():
        expected = get_activation(name)(points)
        assert_allclose(values, expected, rtol=1e-4, atol=1e-5, err_msg=name)


def test_page_has_a_function_for_every_operator(show):
    page = show(*CASES["binary"]())
    assert set(page.evaluate("Object.keys(OPERATORS)")) == OPERATORS


def test_page_has_no_operator_for_strings():
    graph = PageGraph()
    with pytest.raises(NotDeclaredError, match="LabelEncoder, which the page does not have"):
        graph.coded(graph.source(0), ["a", "b"])


def test_page_has_no_operator_for_networks_that_share_weights():
    graph = PageGraph()
    with pytest.raises(NotDeclaredError, match="ReduceLogSumExp, which the page does not have"):
        graph.log_of_sum(graph.source(0))


def test_slider_goes_through_the_epochs(show):
    recorder = WeightsRecorder()
    network = moons(callbacks=[recorder])
    page = show(network, *MOONS, recorder)
    assert page.text_content("#epochName") == "fitted"
    late = page.text_content("#effect")
    page.fill("#epoch", "0")
    assert page.text_content("#epochName") == "1"
    assert page.text_content("#effect") != late
    page.click("#play")
    page.wait_for_function("document.getElementById('epochName').textContent !== '1'")
    page.click("#play")


def test_unit_that_is_clicked_is_shown_and_clicked_again_is_not(show):
    page = show(moons(), *MOONS)
    picture = "document.getElementById('surface').toDataURL()"
    decision = page.evaluate(picture)
    unit = page.get_by_role("button", name="hidden 1, unit 2")
    unit.click()
    assert unit.get_attribute("aria-pressed") == "true"
    assert page.evaluate(picture) != decision
    unit.click()
    assert page.evaluate(picture) == decision


def test_sample_that_is_clicked_flows_through_the_graph(show):
    network = moons()
    page = show(network, *MOONS)
    page.click("#surface", position={"x": 50, "y": 300})
    chosen = int(re.findall(r"Sample (\d+)", page.text_content("#chosen"))[0]) - 1
    values = page.locator(".value").all_text_contents()
    assert_allclose([float(v) for v in values[:2]], MOONS[0][chosen], atol=0.006)
    hidden = np.tanh(MOONS[0][chosen] @ network.coefs_[0] + network.intercepts_[0])
    assert_allclose([float(v) for v in values[2:7]], hidden, atol=0.006)


def test_samples_can_be_chosen_with_the_keyboard(show):
    page = show(moons(), *MOONS)
    page.press("#sample", "ArrowRight")
    assert page.text_content("#chosen").startswith("Sample 2:")
    page.press("#sample", "End")
    assert page.text_content("#chosen").startswith("Sample 80:")
    page.click("#surface", position={"x": 50, "y": 300})
    chosen = int(re.findall(r"Sample (\d+)", page.text_content("#chosen"))[0])
    assert page.input_value("#sample") == str(chosen) != "80"


def test_wide_layers_say_how_many_units_are_drawn(show):
    page = show(*CASES["wide"]())
    assert page.locator(".unit").count() == 2 + 16 + 16 + 1
    names = page.locator(".layer").all_text_contents()
    assert names == ["input", "Tanh() (16 of 40)", "Tanh() (16 of 30)", "output"]


def test_exchanged_activation_shows_its_effect(show):
    network = moons()
    page = show(network, *MOONS)
    page.select_option("#activation", "relu")
    said = page.text_content("#effect")
    assert "relu in the hidden layers" in said
    now, trained = map(float, re.findall(r": (\d\.\d+)\.", said))
    assert abs(trained - network.score(*MOONS)) < 0.001
    network.set_params(activation="relu")
    X = MOONS[0]
    for weight, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        X = np.maximum(X @ weight + bias, 0)
    raw = X @ network.coefs_[-1] + network.intercepts_[-1]
    assert abs(now - ((raw[:, 0] >= 0) == MOONS[1]).mean()) < 0.02
    page.select_option("#activation", "")
    assert "hidden layers" not in page.text_content("#effect")


@pytest.mark.parametrize("case", ["softmax", "everything"])
@pytest.mark.parametrize("width", [390, 1280])
def test_page_fits_the_window(show, case, width):
    network, X, y = CASES[case]()
    page = show(network, X, y, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    units = [unit.bounding_box() for unit in page.locator(".unit").all()]
    picture = page.locator("#surface").bounding_box()
    right = max(unit["x"] + unit["width"] for unit in units)
    bottom = max(unit["y"] + unit["height"] for unit in units)
    assert right <= picture["x"] or bottom <= picture["y"]
    lefts = sorted({unit["x"] for unit in units})
    assert min(np.diff(lefts)) > units[0]["width"]


@pytest.mark.parametrize("width", [390, 1280])
def test_long_names_are_broken_into_lines(show, width):
    pandas = pytest.importorskip("pandas")
    X, y = IRIS
    names = np.array(["setosa" * 20, "versicolor" * 20, "virginica" * 20])[y]
    X = pandas.DataFrame(X, columns=[letter * 60 for letter in "abcd"])
    network = MLPSoftmaxClassifier((3,), max_iter=2, random_state=0).fit(X, names)
    page = show(network, X, names, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#view").bounding_box()["width"] <= 362
