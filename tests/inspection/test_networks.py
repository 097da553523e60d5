"""Displays and tables accept pipelines and searches, and use the network in them."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skperceptron import MLPClassifier, MLPSoftmaxClassifier, RosenblattPerceptron
from skperceptron.inspection import (
    GradientFlowDisplay,
    LossCurveDisplay,
    MistakesDisplay,
    NetworkGraphDisplay,
    WeightsDisplay,
    collapse_linear,
    computational_graph,
    gradient_report,
    network_summary,
)
from skperceptron.inspection._networks import feature_names_of, unwrapped, unwrapped_with_rows
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedEnsembleClassifier,
    StackedGridSearchCV,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True, as_frame=True)
NAMES = list(X.columns)
NETWORK = MLPSoftmaxClassifier((4,), max_iter=4, random_state=0)


def pipeline(network=NETWORK):
    return make_pipeline(StandardScaler(), network)


#: name: (estimator, number of scalers before the network)
WRAPPED = {
    "network": (NETWORK, 0),
    "pipeline": (pipeline(), 1),
    "pipeline of pipelines": (make_pipeline(StandardScaler(), pipeline()), 2),
    "search": (StackedGridSearchCV(NETWORK, {"alpha": [0, 1]}, cv=2), 0),
    "search over a pipeline": (
        GridSearchCV(pipeline(), {"mlpsoftmaxclassifier__alpha": [0, 1]}, cv=2),
        1,
    ),
    "pipeline with a search": (
        make_pipeline(StandardScaler(), StackedGridSearchCV(NETWORK, {"alpha": [0, 1]}, cv=2)),
        1,
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_network_is_found_and_its_rows_are_those_it_was_trained_on(name):
    model, n_scalers = WRAPPED[name]
    model.fit(X, Y)
    network, rows = unwrapped_with_rows(model, X)
    assert isinstance(network, MLPSoftmaxClassifier) and hasattr(network, "coefs_")
    assert unwrapped(model) is network
    means = np.abs(np.asarray(rows).mean(axis=0)).max()
    assert (means < 1e-9) == (n_scalers > 0)
    assert_array_equal(model.predict_proba(X), network.predict_proba(rows))
    assert feature_names_of(model) == NAMES


@pytest.mark.parametrize("name", WRAPPED)
def test_displays_and_tables_take_it(name, pyplot):
    model, _ = WRAPPED[name]
    model.fit(X, Y)
    network, rows = unwrapped_with_rows(model, X)
    assert LossCurveDisplay.from_estimator(model).losses == {
        "MLPSoftmaxClassifier": network.loss_curve_
    }
    display = NetworkGraphDisplay.from_estimator(model)
    texts = [text.get_text() for text in display.texts_]
    assert set(NAMES) <= set(texts) and {"0", "1", "2"} <= set(texts)
    assert "4 units" in "".join(texts)
    found = GradientFlowDisplay.from_estimator(model, X, Y)
    expected = GradientFlowDisplay.from_estimator(network, rows, Y)
    assert found.values == expected.values
    report, of_network = gradient_report(model, X, Y), gradient_report(network, rows, Y)
    assert_array_equal(report["signal"], of_network["signal"])
    weights = WeightsDisplay.from_estimator(model).weights
    assert_array_equal(weights["hidden 1"], network.coefs_[0])
    assert len(network_summary(model)) == len(network_summary(network))
    assert computational_graph(model).nodes == computational_graph(network).nodes


def test_perceptron_in_a_pipeline_shows_its_mistakes(pyplot):
    model = pipeline(RosenblattPerceptron(0, max_iter=5)).fit(X, Y == 0)
    assert MistakesDisplay.from_estimator(model).mistakes == list(model[-1].mistakes_)


def test_what_holds_no_network_is_refused():
    for other in (LogisticRegression(), pipeline(LogisticRegression()), None, 3):
        with pytest.raises(TypeError, match="or a pipeline or search that ends in one"):
            computational_graph(other, n_features=3)
    for whole in (pipeline(), StackedGridSearchCV(NETWORK, {"alpha": [0]}, cv=2)):
        with pytest.raises(TypeError, match=r"got \w+\. Pass the one at its end"):
            collapse_linear(whole.fit(X, Y))
    for several in (
        StackedEnsembleClassifier(NETWORK, 2),
        StackedCrossEnsembleClassifier(NETWORK, {"alpha": [0]}, cv=2),
    ):
        with pytest.raises(TypeError, match=f"got .*{type(several).__name__}"):
            computational_graph(several.fit(X, Y))
    with pytest.raises(NotFittedError):
        unwrapped(StackedGridSearchCV(NETWORK, {"alpha": [0]}))
    with pytest.raises(NotFittedError):
        unwrapped(StackedGridSearchCV(NETWORK, {"alpha": [0]}, refit=False).fit(X, Y))


def test_names_of_new_features_are_shown():
    model = make_pipeline(PolynomialFeatures(2), MLPClassifier((2,), max_iter=1)).fit(X, Y)
    names = feature_names_of(model)
    assert names == model[0].get_feature_names_out(X.columns).tolist()
    assert len(names) == model[-1].n_features_in_ > X.shape[1]


def test_generated_names_of_features_are_not_shown():
    assert feature_names_of(pipeline().fit(X.to_numpy(), Y)) is None
    assert feature_names_of(NETWORK.fit(X.to_numpy(), Y)) is None
    frame = pd.DataFrame(X.to_numpy(), columns=list("abcd"))
    assert feature_names_of(pipeline(MLPClassifier((2,), max_iter=1)).fit(frame, Y)) == list("abcd")
