"""The one object that a fit leaves."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skperceptron import MLPRegressor, MLPSoftmaxClassifier, RosenblattPerceptron
from skperceptron.estimators import fitted as module
from skperceptron.estimators.fitted import fitted_network, is_fitted
from skperceptron.inspection import collapse_linear

X = np.random.RandomState(0).normal(size=(50, 3))
Y = 100 + 20 * X[:, 0] - 7 * X[:, 1]
LABELS = np.digitize(X[:, 0], [-0.5, 0.5])


def model(**options):
    return MLPRegressor(
        hidden_layer_sizes=(4,), activation="tanh", solver="lbfgs", random_state=0, **options
    )


def by_hand(layers):
    (w1, b1), (w2, b2) = layers
    return np.tanh(X @ w1 + b1) @ w2 + b2


@pytest.mark.parametrize("cls", [MLPRegressor, MLPSoftmaxClassifier, RosenblattPerceptron])
def test_before_a_fit_there_is_none(cls):
    assert not is_fitted(cls())
    with pytest.raises(NotFittedError):
        fitted_network(cls())


def test_views_are_in_units_of_y_or_in_those_of_the_network():
    found = fitted_network(model(standardize_target=True).fit(X, Y))
    units = found.target.units
    assert units.shift[0] > 50 and units.scale[0] > 1

    def layers(folded):
        affine = [views for views in found.views(np.float64, folded=folded) if views]
        return [(weight[0], bias[0, 0]) for weight, bias in affine]

    expected = found.raw_predictions(X)
    assert_allclose(by_hand(layers(True)), expected)
    assert_allclose(units.shift + units.scale * by_hand(layers(False)), expected)
    assert_allclose(found.target.linked(by_hand(layers(False))), expected)


@pytest.mark.parametrize(
    ("name", "arrays"),
    [
        ("coefs_", lambda given: given[:1]),
        ("coefs_", lambda given: [given[0][:1], *given[1:]]),
        ("intercepts_", lambda given: [0.0, *given[1:]]),
    ],
    ids=["fewer", "would be broadcast", "a number"],
)
@pytest.mark.parametrize("method", ["predict", "partial_fit"])
def test_assigned_arrays_of_other_shapes_are_refused(name, arrays, method):
    X = np.random.RandomState(0).normal(size=(20, 3))
    model = MLPRegressor(hidden_layer_sizes=(4,), random_state=0).partial_fit(X, X[:, 0])
    setattr(model, name, arrays(getattr(model, name)))
    with pytest.raises(ValueError, match=f"{name} must hold arrays of the shapes"):
        model.predict(X) if method == "predict" else model.partial_fit(X, X[:, 0])


def test_what_the_user_assigns_is_used_and_the_fit_stays():
    network = model().fit(X, Y)
    before, known = network.predict(X), fitted_network(network)
    assert fitted_network(network) is known
    kept = network.coefs_
    network.coefs_ = [2 * kept[0], kept[1]]
    found = fitted_network(network)
    assert found is not known and found.network is known.network
    layers = list(zip(network.coefs_, network.intercepts_, strict=True))
    assert_allclose(network.predict(X), by_hand(layers)[:, 0])
    network.coefs_ = kept
    assert_array_equal(network.predict(X), before)


def test_it_shares_its_lists_with_the_estimator_in_copies_too():
    again = pickle.loads(pickle.dumps(model().fit(X, Y)))
    assert again._fitted.learned["coefs_"] is again.coefs_
    again.coefs_[0] = np.zeros_like(again.coefs_[0])
    layers = list(zip(again.coefs_, again.intercepts_, strict=True))
    assert_allclose(again.predict(X), by_hand(layers)[:, 0])


def test_many_outputs_are_described_part_by_part(monkeypatch):
    network = MLPSoftmaxClassifier((4,), solver="lbfgs", random_state=0).fit(X, LABELS)
    whole = network.predict(X)
    monkeypatch.setattr(module, "FEW_OUTPUTS", 2)
    monkeypatch.setattr(module, "TOGETHER", 20)
    sizes = []
    found = fitted_network(network)
    parts = found.decoded(X, lambda raw: sizes.append(len(raw)) or found.target.decode(raw))
    assert_array_equal(parts, whole)
    assert sizes == [6] * 8 + [2]


def test_a_collapsed_categorical_network_keeps_its_values():
    network = model(output="categorical", max_iter=50).set_params(activation="identity")
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    network.fit(X, y)
    collapsed = collapse_linear(network)
    assert_array_equal(collapsed.values_, [0, 1, 2])
    assert_allclose(collapsed.predict(X), network.predict(X))


def test_responses_of_a_perceptron_are_those_of_its_attributes():
    network = RosenblattPerceptron(n_associative=20, random_state=0).fit(X, LABELS)
    found = fitted_network(network)
    units = (X @ network.associative_weights_ >= network.associative_thresholds_).astype(float)
    responses = units @ network.response_weights_.T + network.intercept_
    assert_allclose(found.raw_predictions(X), responses)
    answers = found.target.linked(responses).argmax(axis=1)
    assert_array_equal(network.classes_[answers], network.predict(X))
