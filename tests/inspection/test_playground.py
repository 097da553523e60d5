"""Pages to play with: what they hold, what they refuse, and that they work in a browser."""

import json
import re
import shutil
from html import unescape

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import Activation
from skperceptron.inspection import WeightsRecorder, to_html

pytestmark = pytest.mark.filterwarnings("ignore")

MOONS = make_moons(80, noise=0.15, random_state=0)
IRIS = load_iris(return_X_y=True)
LINE = np.linspace(-2, 2, 50)[:, np.newaxis]
WAVE = 50 + 30 * np.sin(3 * LINE[:, 0])
CORNERS = np.array([[0, 0], [1, 1], [0, 1], [1, 0]] * 5), np.array([0, 0, 1, 1] * 5)


def moons(**options):
    options = {"max_iter": 30, "learning_rate_init": 0.05, "random_state": 0, **options}
    return MLPBinaryClassifier((5, 3), "tanh", **options).fit(*MOONS)


def held(page):
    """Return the data of a page."""
    (text,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page)
    return json.loads(text)


class Cube(Activation):
    """z to the third power, a user's own."""

    keeps_input = True

    def forward(self, z, out, *learned):
        np.power(z, 3, out=out)

    def backward(self, z, a, grad, *learned):
        np.multiply(grad, 3 * z * z, out=grad)


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


def test_page_holds_everything_and_asks_for_nothing():
    recorder = WeightsRecorder()
    network = moons(callbacks=[recorder])
    page = to_html(network, *MOONS, recorder=recorder)
    assert len(page.encode()) < 300_000
    assert not re.search(r"https?:|src=|href=|@import|url\(", page)
    data = held(page)
    assert data["features"] == ["x1", "x2"]
    assert [layer["units"] for layer in data["layers"]] == [5, 3, 1]
    assert data["epochs"][0]["name"] == "1" and data["epochs"][-1]["name"] == "fitted"
    for shown, coef in zip(data["epochs"][-1]["W"], network.coefs_, strict=True):
        assert_allclose(shown, coef, rtol=1e-4)


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
    first, second, output = (layer["drawn"] for layer in held(to_html(network, *MOONS))["layers"])
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


def test_notebook_shows_the_page_in_a_frame():
    page = to_html(moons(), *MOONS)
    frame = page._repr_html_()
    assert frame.startswith("<iframe srcdoc=") and unescape(frame).count(page) == 1


def test_page_is_written_to_a_file(tmp_path):
    page = to_html(moons(), *MOONS, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page


def test_pipeline_is_shown_as_the_network_sees_it():
    pipeline = make_pipeline(StandardScaler(), moons()).fit(*MOONS)
    data = held(to_html(pipeline, *MOONS))
    assert_allclose(data["X"], pipeline[0].transform(MOONS[0]), rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MLPBinaryClassifier((80, 80)),
            "6801 weights and biases; to_html shows up to 5000",
        ),
        (lambda: MLPBinaryClassifier((2,) * 9), "10 layers"),
        (
            lambda: MLPBinaryClassifier((4, 4), skip_connections="residual"),
            "add: computational_graph",
        ),
        (lambda: MLPBinaryClassifier((4,), normalization="layer"), "normalization"),
        (lambda: MLPBinaryClassifier((4,), "prelu"), "learn parameters"),
    ],
)
def test_what_the_page_cannot_show_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        to_html(make().set_params(max_iter=1).fit(*MOONS), *MOONS)


def test_wrong_arguments_are_refused():
    X, y = MOONS
    with pytest.raises(NotFittedError):
        to_html(MLPBinaryClassifier(), X, y)
    with pytest.raises(TypeError, match="LogisticRegression"):
        to_html(LogisticRegression().fit(X, y), X, y)
    with pytest.raises(ValueError, match="3 features, the network 2"):
        to_html(moons(), np.c_[X, X[:, 0]], y)
    with pytest.raises(ValueError, match="one label or number"):
        to_html(moons(), X, np.c_[y, y])
    recorder = WeightsRecorder()
    MLPBinaryClassifier((3,), max_iter=2, callbacks=[recorder]).fit(X, y)
    with pytest.raises(ValueError, match="another network"):
        to_html(moons(), X, y, recorder=recorder)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; tests are skipped where there is none."""
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
    """Open a network's page; fail if it reports an error or asks for anything."""
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


CASES = {
    "binary": lambda: (moons(), *MOONS),
    "threshold": lambda: (
        MLPBinaryClassifier((4,), "heaviside", max_iter=20, random_state=0).fit(*MOONS),
        *MOONS,
    ),
    "one's own": lambda: (
        MLPBinaryClassifier((4,), Cube(), max_iter=20, random_state=0).fit(*MOONS),
        *MOONS,
    ),
    "wide": lambda: (
        MLPBinaryClassifier((40, 30), "tanh", max_iter=20, random_state=0).fit(*MOONS),
        *MOONS,
    ),
    "neuron": lambda: (MLPBinaryClassifier((), max_iter=20).fit(*MOONS), *MOONS),
    "softmax": lambda: (
        MLPSoftmaxClassifier((5,), solver="lbfgs", alpha=1, dropout=0, random_state=0).fit(*IRIS),
        *IRIS,
    ),
    "regression": lambda: (
        MLPRegressor(
            hidden_layer_sizes=(6,), solver="lbfgs", standardize_target=True, random_state=0
        ).fit(LINE, WAVE),
        LINE,
        WAVE,
    ),
    "range": lambda: (
        MLPRegressor(
            hidden_layer_sizes=(6,), solver="lbfgs", output_range=(0, 100), random_state=0
        ).fit(LINE, WAVE),
        LINE,
        WAVE,
    ),
    "Rosenblatt": lambda: (RosenblattPerceptron(8, random_state=3).fit(*CORNERS), *CORNERS),
}


@pytest.mark.parametrize("case", CASES)
def test_browser_computes_what_the_network_predicts(show, case):
    estimator, X, y = CASES[case]()
    page = show(estimator, X, y)
    shown = page.evaluate("P.X.map((x) => forward(x)[L])")
    if hasattr(estimator, "predict_proba") and case != "Rosenblatt":
        expected = estimator.predict_proba(X)
        expected = expected[:, 1:] if len(shown[0]) == 1 else expected
    else:
        expected = estimator.predict(X).reshape(len(X), -1)
    assert_allclose(shown, expected, atol=0.01 * np.abs(expected).max())
    assert ("accuracy" if case not in ("regression", "range") else "R2") in page.text_content(
        "#effect"
    )


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


@pytest.mark.parametrize("width", [390, 1280])
def test_page_fits_the_window(show, width):
    network, X, y = CASES["softmax"]()
    page = show(network, X, y, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    units = [unit.bounding_box() for unit in page.locator(".unit").all()]
    picture = page.locator("#surface").bounding_box()
    right = max(unit["x"] + unit["width"] for unit in units)
    bottom = max(unit["y"] + unit["height"] for unit in units)
    assert right <= picture["x"] or bottom <= picture["y"]
