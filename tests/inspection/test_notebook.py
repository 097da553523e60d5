"""Display of estimators in notebooks: a link to the documentation, and the fitted network."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import ExtraTreeClassifier

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
    model_selection,
    preprocessing,
    tabular,
)
from skperceptron._sklearn import estimators
from skperceptron.inspection import Table, computational_graph
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedEnsembleClassifier,
    StackedGridSearchCV,
)

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


def test_layers_stand_side_by_side_and_hold_their_texts():
    model = MLPBinaryClassifier((2,) * 20, skip_connections="dense", max_iter=2).fit(X, Y)
    drawing = drawing_in(model._repr_html_())
    boxes = [
        [float(box.get(name)) for name in ("x", "width")] for box in drawing.iter(f"{SVG}rect")
    ]
    (more,) = [text for text in drawing.iter(f"{SVG}text") if text.text == "15 more"]
    places = sorted([x + width / 2 for x, width in boxes] + [float(more.get("x"))])
    assert len(set(np.diff(places))) == 1 and places[4] == float(more.get("x"))
    box = next(drawing.iter(f"{SVG}rect"))
    top, height = float(box.get("y")), float(box.get("height"))
    assert all(top < float(text.get("y")) < top + height for text in drawing.iter(f"{SVG}text"))
    assert top + height < float(drawing.get("height"))


def test_names_are_escaped():
    class Loud(MLPBinaryClassifier):
        pass

    Loud.__name__ = "<b>"
    html = Loud((2,), max_iter=2).fit(X, Y)._repr_html_()
    assert drawing_in(html).find(f"{SVG}title").text == "<b>"


@EVERY_ESTIMATOR
def test_documentation_is_linked_where_the_project_names_its_address(estimator, monkeypatch):
    monkeypatch.setattr(estimators, "documentation_url", lambda: "https://docs.example/stable/")
    name = type(estimator).__name__
    link = f"https://docs.example/stable/api/generated/skperceptron.{name}.html"
    assert f'href="{link}"' in estimator._repr_html_()
    assert link in make_pipeline(estimator)._repr_html_()
    monkeypatch.setattr(estimators, "documentation_url", lambda: "")
    assert "api/generated" not in estimator._repr_html_()
    assert estimator._get_doc_link() == ""


@pytest.mark.parametrize("module", [model_selection, preprocessing, tabular])
def test_documentation_is_linked_under_the_module_that_users_import_from(module, monkeypatch):
    monkeypatch.setattr(estimators, "documentation_url", lambda: "https://docs.example")
    public = [getattr(module, name) for name in module.__all__]
    classes = [one for one in public if isinstance(one, type) and issubclass(one, BaseEstimator)]
    assert classes
    for cls in classes:
        page = f"{module.__name__}.{cls.__name__}.html"
        # Links do not depend on parameters, which differ.
        assert cls.__new__(cls)._get_doc_link().endswith(f"/api/generated/{page}")


def test_address_is_that_of_the_metadata(monkeypatch):
    class Metadata:
        def get_all(self, name):
            assert name == "Project-URL"
            return ["Source, https://source.example", "Documentation, https://docs.example"]

    monkeypatch.setattr(estimators, "metadata", lambda package: Metadata())
    assert estimators.documentation_url.__wrapped__() == "https://docs.example"


def test_text_is_shown_where_the_user_wants_text():
    model = ESTIMATORS["softmax"].fit(X, Y)
    with config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert list(model._repr_mimebundle_()) == ["text/plain"]


def drawings_in(html):
    """Return the titles of all drawings, and the lines below them."""
    titles = re.findall(r'role="img".*?<title>(.*?)</title>', html, re.S)
    below = re.findall(r'</svg><div style="font-size: 0.9em">(.*?)</div>', html)
    return titles, below


@pytest.mark.parametrize("name", ESTIMATORS)
def test_network_is_drawn_inside_pipelines_and_searches_once(name):
    pytest.importorskip("sklearn.utils._repr_html")
    estimator = ESTIMATORS[name]
    title = type(estimator).__name__
    pipeline = make_pipeline(StandardScaler(), estimator)
    search = GridSearchCV(pipeline, {}, cv=2)
    stacked = StackedGridSearchCV(estimator, {}, cv=2)
    for model in (pipeline, search, stacked):
        assert drawings_in(clone(model)._repr_html_())[0] == []
        for html in (model.fit(X, Y)._repr_html_(), model._repr_mimebundle_()["text/html"]):
            assert drawings_in(html)[0] == [title]
    html = estimator.fit(X, Y)._repr_html_()
    assert drawings_in(html)[0] == [title]
    # The caption is visible without a click.
    caption = re.findall(r'<div class="caption">([^<]*)</div>', pipeline._repr_html_())
    assert len(caption) == 1
    assert re.match(r"3-[-0-9]*\d, \d epochs", caption[0])


@pytest.mark.parametrize("rates", [[0.25, 0.5], np.array([0.25, 0.5])], ids=["list", "array"])
def test_drawing_states_the_dropout_rate_of_each_layer(rates):
    network = MLPSoftmaxClassifier((4, 3), dropout=rates, max_iter=2, random_state=0).fit(X, Y)
    assert f"dropout (hidden 1, hidden 2): {rates};" in network._repr_html_()


def test_drawing_states_blocks_epochs_and_loss():
    network = MLPSoftmaxClassifier(
        (4, 3), dropout=0.25, normalization="batch", max_iter=7, tol=0, random_state=0
    ).fit(X, Y)
    ((below,), loss) = drawings_in(network._repr_html_())[1], network.loss_
    assert below == (
        "batch normalization (hidden 1, hidden 2); dropout (hidden 1, hidden 2): 0.25; 7 epochs;"
        f" final loss {loss:.4g}"
    )
    stopped = MLPBinaryClassifier((4,), early_stopping=True, max_iter=1, random_state=0)
    ((below,),) = drawings_in(stopped.fit(X, Y)._repr_html_())[1:]
    assert below.startswith("1 epoch; final loss")
    assert below.endswith(f"best validation score {stopped.best_validation_score_:.4g}")
    perceptron = RosenblattPerceptron(0, max_iter=3, random_state=0).fit(X, Y)
    ((below,),) = drawings_in(perceptron._repr_html_())[1:]
    assert f"{perceptron.mistakes_[-1]} mistakes in the last" in below


@pytest.mark.parametrize("inner", [False, True])
def test_ensembles_draw_their_first_member(inner):
    network = MLPSoftmaxClassifier((4,), max_iter=2, random_state=0)
    member = make_pipeline(StandardScaler(), network) if inner else network
    for ensemble in (
        StackedEnsembleClassifier(member, 3, random_state=0),
        StackedCrossEnsembleClassifier(member, {}, cv=2),
    ):
        assert drawings_in(ensemble._repr_html_())[0] == []
        titles, (below,) = drawings_in(ensemble.fit(X, Y)._repr_html_())
        assert titles == ["MLPSoftmaxClassifier"]
        assert re.match(r"the first of [23] members; \d epochs; final loss", below)
    trees = StackedEnsembleClassifier(ExtraTreeClassifier(random_state=0), 2).fit(X, Y)
    assert drawings_in(trees._repr_html_()) == ([], [])


def test_graphs_and_tables_have_a_form_for_notebooks():
    network = MLPBinaryClassifier((4,), max_iter=2, random_state=0).fit(X, Y)
    graph = computational_graph(network)
    titles, (below,) = drawings_in(graph._repr_html_())
    assert titles == ["MLPBinaryClassifier"]
    assert below == "MLPBinaryClassifier: 21 parameters"
    with_loss = graph.with_values(X, Y)
    assert f"mean loss of the batch {with_loss.loss:.6g}" in with_loss._repr_html_()
    table = Table(["name", "<share>"], [["a & b", 0.123456], ["c", 2]])
    html = table._repr_html_()
    assert "<th>&lt;share&gt;</th>" in html and "<td>a &amp; b</td><td>0.1235</td>" in html
    assert html.count("<tr>") == 3
    ElementTree.fromstring(html)


def test_stacked_searches_draw_their_best_candidate():
    network = MLPSoftmaxClassifier((4,), max_iter=2, random_state=0)
    for refit, word in ((True, "the best candidate"), ("ensemble", "the first member of the best")):
        search = StackedGridSearchCV(network, {"alpha": [0, 1]}, cv=2, refit=refit)
        assert drawings_in(search._repr_html_()) == ([], [])
        titles, (below,) = drawings_in(search.fit(X, Y)._repr_html_())
        assert titles == ["MLPSoftmaxClassifier"] and below.startswith(word)
