"""What estimators show in notebooks: a link to the documentation, and the fitted network."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn import config_context
from sklearn.pipeline import make_pipeline

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.estimators import notebook

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.RandomState(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
ESTIMATORS = {
    "binary": MLPBinaryClassifier((4, 4), skip_connections="residual", max_iter=2),
    "softmax": MLPSoftmaxClassifier((4,), max_iter=2),
    "regressor": MLPRegressor(hidden_layer_sizes=(4,), max_iter=2),
    "perceptron": RosenblattPerceptron(5, max_iter=2, random_state=0),
}
EVERY_ESTIMATOR = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
SVG = "{http://www.w3.org/2000/svg}"


def drawing_in(html):
    found = re.search(r'<svg xmlns="http://www.w3.org/2000/svg" role="img".*?</svg>', html, re.S)
    return None if found is None else ElementTree.fromstring(found[0])


@EVERY_ESTIMATOR
def test_fitted_estimator_shows_its_network(estimator):
    assert drawing_in(estimator._repr_html_()) is None
    fitted = type(estimator)(**estimator.get_params()).fit(X, Y)
    for html in (fitted._repr_html_(), fitted._repr_mimebundle_()["text/html"]):
        drawing = drawing_in(html)
        title, description = drawing.find(f"{SVG}title"), drawing.find(f"{SVG}desc")
        assert title.text == type(estimator).__name__
        assert "3 units" in description.text
        texts = [text.text for text in drawing.iter(f"{SVG}text")]
        assert "3 units" in texts and texts[-1] in ("logistic", "softmax", "identity", "threshold")
    assert "<span>Fitted</span>" in html


def test_perceptron_names_its_units():
    html = ESTIMATORS["perceptron"].fit(X, Y)._repr_html_()
    texts = [text.text for text in drawing_in(html).iter(f"{SVG}text")]
    assert {"sensory (S)", "associative (A)", "response (R)", "5 units"} <= set(texts)


def test_skip_connections_are_arcs():
    model = MLPBinaryClassifier((4, 4, 4), skip_connections="dense", max_iter=2).fit(X, Y)
    paths = [path.get("stroke-dasharray") for path in drawing_in(model._repr_html_()).iter()]
    # The input to three layers, the first hidden one to two, the second to one.
    assert sum(dash is not None for dash in paths) == 6


def test_middle_of_a_deep_network_is_left_out():
    model = MLPBinaryClassifier((2,) * 20, skip_connections="dense", max_iter=2).fit(X, Y)
    drawing = drawing_in(model._repr_html_())
    texts = [text.text for text in drawing.iter(f"{SVG}text")]
    assert "15 more" in texts and {"input", "hidden 20", "output"} <= set(texts)
    assert "hidden 10, 2 units" in drawing.find(f"{SVG}desc").text


def test_names_are_escaped():
    class Loud(MLPBinaryClassifier):
        pass

    Loud.__name__ = "<b>"
    html = Loud((2,), max_iter=2).fit(X, Y)._repr_html_()
    assert drawing_in(html).find(f"{SVG}title").text == "<b>"


@EVERY_ESTIMATOR
def test_documentation_is_linked_where_the_project_names_its_address(estimator, monkeypatch):
    monkeypatch.setattr(notebook, "documentation_url", lambda: "https://docs.example/stable/")
    name = type(estimator).__name__
    link = f"https://docs.example/stable/api/generated/skperceptron.{name}.html"
    assert f'href="{link}"' in estimator._repr_html_()
    assert link in make_pipeline(estimator)._repr_html_()
    monkeypatch.setattr(notebook, "documentation_url", lambda: "")
    assert "api/generated" not in estimator._repr_html_()
    assert estimator._get_doc_link() == ""


def test_address_is_that_of_the_metadata(monkeypatch):
    class Metadata:
        def get_all(self, name):
            assert name == "Project-URL"
            return ["Source, https://source.example", "Documentation, https://docs.example"]

    monkeypatch.setattr(notebook, "metadata", lambda package: Metadata())
    assert notebook.documentation_url.__wrapped__() == "https://docs.example"


def test_text_is_shown_where_the_user_wants_text():
    model = ESTIMATORS["softmax"].fit(X, Y)
    with config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert list(model._repr_mimebundle_()) == ["text/plain"]
