"""Weights from scikit-learn's networks, and back."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.preprocessing import StandardScaler

from skperceptron import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.exchange import KNOWS_POISSON, from_sklearn, to_sklearn
from skperceptron.inspection import network_summary
from skperceptron.losses import Pinball

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (7, 5), "max_iter": 12, "random_state": 0}


def iris(n_classes=3):
    X, y = load_iris(return_X_y=True)
    kept = y < n_classes
    return StandardScaler().fit_transform(X)[kept], np.array(["a", "b", "c"])[y[kept]]


def two():
    return iris(2)


def labels():
    return make_multilabel_classification(80, 5, n_classes=3, random_state=0)


def number():
    X, _ = iris()
    return X[:, 1:], X[:, 0] * 3 + 7


def numbers():
    X, _ = iris()
    return X[:, 2:], X[:, :2] * [1, 1000]


def counts():
    X, _ = iris()
    return X, np.random.RandomState(0).poisson(np.exp(X[:, 0]))


CLASSIFICATIONS = [iris, two, labels]
REGRESSIONS = [number, numbers]
DATA = [*CLASSIFICATIONS, *REGRESSIONS]


def assert_predict_alike(one, other, X, tolerance=1e-10):
    if hasattr(one, "classes_"):
        assert_array_equal(one.predict(X), other.predict(X))
        assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=tolerance, atol=1e-14)
        assert_array_equal(one.classes_, other.classes_)
    else:
        assert_allclose(one.predict(X), other.predict(X), rtol=tolerance)


def theirs_for(make, **options):
    kind = TheirClassifier if make in CLASSIFICATIONS else TheirRegressor
    return kind(**SMALL | options)


def ours_for(make, **options):
    kind = MLPClassifier if make in CLASSIFICATIONS else MLPRegressor
    return kind(**SMALL | options)


@pytest.mark.parametrize("make", DATA)
@pytest.mark.parametrize(
    "options",
    [{}, {"activation": "tanh", "solver": "lbfgs"}, {"hidden_layer_sizes": 4, "solver": "sgd"}],
    ids=str,
)
def test_models_of_scikit_learn_predict_here_what_they_predict_there(make, options):
    X, y = make()
    theirs = theirs_for(make, **options).fit(X, y)
    ours = from_sklearn(theirs)
    assert_predict_alike(ours, theirs, X)
    assert {n: v for n, v in ours.get_params().items() if n in theirs.get_params()} == (
        theirs.get_params()
    )
    for name in ("n_iter_", "loss_", "n_layers_", "n_outputs_", "out_activation_", "t_"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert_predict_alike(pickle.loads(pickle.dumps(ours)), theirs, X)
    # They are copies: a change of one does not change the other.
    ours.coefs_[0][:] = 0
    assert theirs.coefs_[0].any()


@pytest.mark.parametrize("make", DATA)
def test_there_and_back_again_is_the_same_model(make):
    X, y = make()
    theirs = theirs_for(make).fit(X, y)
    again = to_sklearn(from_sklearn(theirs))
    assert type(again) is type(theirs)
    assert again.get_params() == theirs.get_params()
    assert again.loss_curve_ == theirs.loss_curve_
    assert_predict_alike(again, theirs, X)


@pytest.mark.parametrize("make", DATA)
def test_both_go_on_with_the_weights(make):
    X, y = make()
    classes = {} if make in REGRESSIONS else {"classes": np.unique(y) if y.ndim == 1 else range(3)}
    # Steps without momentum need nothing but the weights.
    plain = {"solver": "sgd", "momentum": 0, "learning_rate_init": 1e-4, "batch_size": len(X)}
    theirs = theirs_for(make, **plain).partial_fit(X, y, **classes)
    ours = from_sklearn(theirs)
    back = to_sklearn(ours)
    for model in (theirs, ours, back):
        model.partial_fit(X, y)
    assert_predict_alike(ours, theirs, X, 1e-6)
    assert_predict_alike(back, theirs, X, 1e-6)


def test_epochs_without_improvement_are_counted_on():
    X, y = number()
    plain = {"solver": "sgd", "learning_rate": "adaptive", "momentum": 0, "batch_size": len(X)}
    theirs = TheirRegressor(**SMALL | plain, tol=10, n_iter_no_change=3)
    for _ in range(3):
        theirs.partial_fit(X, y)
    ours = from_sklearn(theirs)
    back = to_sklearn(ours)
    for model in (theirs, ours, back):
        # The second of these calls lowers the learning rate.
        for _ in range(4):
            model.partial_fit(X, y)
    assert_predict_alike(ours, theirs, X, 1e-9)
    assert_predict_alike(back, theirs, X, 1e-9)


def test_trained_on_a_warm_start_continues():
    X, y = iris()
    theirs = TheirClassifier(**SMALL, warm_start=True).fit(X, y)
    ours = from_sklearn(theirs)
    before = ours.loss_
    assert ours.fit(X, y).loss_ < before


@pytest.mark.skipif(not KNOWS_POISSON, reason="scikit-learn < 1.7 does not know the loss")
def test_counts_are_carried_over_both_ways():
    X, y = counts()
    theirs = TheirRegressor("poisson", **SMALL).fit(X, y)
    assert_predict_alike(from_sklearn(theirs), theirs, X)
    ours = MLPRegressor("poisson", **SMALL).fit(X, y)
    assert_predict_alike(to_sklearn(ours), ours, X)


@pytest.mark.parametrize("make", DATA)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dropout": 0.2, "averaging": "ema", "solver": "adamw", "activation": "logistic"},
        {"hidden_layer_sizes": (), "solver": "lbfgs"},
        {"early_stopping": True, "batch_size": 32, "parametrization": "ntk"},
    ],
    ids=str,
)
def test_models_of_ours_predict_there_what_they_predict_here(make, options):
    X, y = make()
    ours = ours_for(make, **options).fit(X, y)
    theirs = to_sklearn(ours)
    assert_predict_alike(theirs, ours, X)
    assert theirs.hidden_layer_sizes == options.get("hidden_layer_sizes", (7, 5))
    assert theirs.random_state == 0


def test_softmax_of_two_classes_becomes_the_sigmoid_that_equals_it():
    X, y = two()
    ours = MLPSoftmaxClassifier(**SMALL).fit(X, y)
    theirs = to_sklearn(ours)
    assert theirs.n_outputs_ == 1 and theirs.out_activation_ == "logistic"
    assert_predict_alike(theirs, ours, X)
    binary = MLPBinaryClassifier(**SMALL).fit(X, y)
    assert_predict_alike(to_sklearn(binary), binary, X)


def test_names_of_features_are_carried_over():
    X, y = iris()
    frame = pd.DataFrame(X, columns=list("abcd"))
    ours = MLPClassifier(**SMALL).fit(frame, y)
    theirs = to_sklearn(ours)
    assert list(theirs.feature_names_in_) == list("abcd")
    assert list(from_sklearn(theirs).feature_names_in_) == list("abcd")
    assert "35" in str(network_summary(from_sklearn(theirs)))


@pytest.mark.parametrize(
    ("make", "options", "fragment"),
    [
        (iris, {"activation": "gelu"}, "activation='gelu'.*one of identity, logistic, tanh, relu"),
        (iris, {"activation": ["relu", "tanh"]}, "for all hidden layers"),
        (iris, {"skip_connections": "dense"}, "affine 'affine_2', they support plain layers only"),
        (iris, {"skip_connections": "residual", "hidden_layer_sizes": (5, 5)}, "add"),
        (iris, {"normalization": "layer"}, "layer_normalization 'normalization_1'"),
        (iris, {"feature_scale": True}, "scale"),
        (iris, {"numeric_embedding": "pbld"}, "periodic_embedding"),
        (number, {"output_range": (0, 20)}, "output through 'scaled_logistic'"),
        (number, {"loss": Pinball([0.1, 0.9])}, "one number per target"),
        (number, {"loss": "gaussian_nll"}, "one number per target"),
        (number, {"clip_predictions": True}, "clip_predictions=True"),
        (counts, {"output": "categorical"}, "output of WholeNumbers, they support plain numbers"),
    ],
)
def test_what_scikit_learn_cannot_express_is_refused_by_name(make, options, fragment):
    X, y = make()
    ours = ours_for(make, **options).fit(X, y)
    with pytest.raises(ValueError, match=fragment):
        to_sklearn(ours)


def test_other_estimators_are_refused():
    X, y = two()
    for other in (LogisticRegression().fit(X, y), MLPClassifier(), None):
        with pytest.raises(TypeError, match="must be an MLPClassifier"):
            from_sklearn(other)
    for other in (RosenblattPerceptron(), TheirClassifier(), None):
        with pytest.raises(TypeError, match="must be an MLPClassifier"):
            to_sklearn(other)
    # The classes have the same name: the message says whose is meant.
    with pytest.raises(TypeError, match=r"got <class 'skperceptron\.MLPClassifier'>"):
        from_sklearn(MLPClassifier())
    with pytest.raises(TypeError, match=r"got <class 'sklearn\..*MLPClassifier'>"):
        to_sklearn(TheirClassifier())
    with pytest.raises(NotFittedError):
        from_sklearn(TheirClassifier())
    with pytest.raises(NotFittedError):
        to_sklearn(MLPClassifier())


def test_single_class_is_refused():
    theirs = TheirClassifier(**SMALL).fit([[0.0], [1.0]], ["only", "only"])
    with pytest.raises(ValueError, match="single class"):
        from_sklearn(theirs)
