"""MLPClassifier: scikit-learn's classifier under the same name, for all kinds of labels."""

import warnings
from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, make_multilabel_classification
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier, MLPClassifier, MLPSoftmaxClassifier
from skperceptron.inspection import computational_graph, network_summary
from skperceptron.losses import BinaryLogLoss, CategoricalLogLoss
from skperceptron.model_selection import StackedEnsembleClassifier, StackedGridSearchCV
from skperceptron.model_selection._fits import network_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def three_classes():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), np.array(["a", "b", "c"])[y]


def two_classes():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X)[:150, :10], np.array(["no", "yes"])[y[:150]]


def labels():
    X, y = make_multilabel_classification(120, 8, n_classes=3, random_state=0)
    return StandardScaler().fit_transform(X), y


#: name: (data, our special estimator)
PROBLEMS = {
    "three classes": (three_classes, MLPSoftmaxClassifier),
    "two classes": (two_classes, MLPBinaryClassifier),
    "labels": (labels, MLPBinaryClassifier),
}
EVERY_PROBLEM = pytest.mark.parametrize("problem", PROBLEMS)
OPTIONS = {"hidden_layer_sizes": (12, 6), "max_iter": 60, "random_state": 3}


@EVERY_PROBLEM
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": "lbfgs", "activation": "tanh"},
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
        {"early_stopping": True, "batch_size": 32},
    ],
    ids=str,
)
def test_model_is_that_of_scikit_learn(problem, options):
    make, _ = PROBLEMS[problem]
    X, y = make()
    if problem != "two classes" and options.get("early_stopping"):
        # scikit-learn does not stratify the rows it holds out if there are several outputs.
        options = {**options, "early_stopping": False}
    if options.get("early_stopping"):
        # Before version 1.7, scikit-learn cannot score labels that are strings.
        y = np.unique(y, return_inverse=True)[1]
    ours = MLPClassifier(**OPTIONS, **options).fit(X, y)
    theirs = Theirs(**OPTIONS, **options).fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.out_activation_ == theirs.out_activation_
    for one, other in zip(
        [*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True
    ):
        assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    assert_array_equal(ours.classes_, theirs.classes_)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-4, atol=1e-12)


def test_has_all_parameters_of_scikit_learns_with_their_defaults():
    ours, theirs = MLPClassifier().get_params(), Theirs().get_params()
    assert {name: ours[name] for name in theirs} == theirs


@EVERY_PROBLEM
def test_model_is_that_of_the_special_classifier(problem):
    make, special = PROBLEMS[problem]
    X, y = make()
    options = {**OPTIONS, "max_iter": 5, "dropout": 0.2, "loss": "focal"}
    any_labels = MLPClassifier(**options).fit(X, y)
    its = special(**options, dtype="float64").fit(X, y)
    for one, other in zip(any_labels.coefs_, its.coefs_, strict=True):
        assert_array_equal(one, other)


@EVERY_PROBLEM
def test_partial_fit_infers_the_kind_from_the_given_classes(problem):
    make, special = PROBLEMS[problem]
    X, y = make()
    classes = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
    network = MLPClassifier((5,), random_state=0)
    # The first call has rows of one class only.
    first = np.flatnonzero(y == y[0])[:9] if y.ndim == 1 else np.arange(9)
    for rows in (first, np.arange(len(X)), np.arange(40)):
        network.partial_fit(X[rows], y[rows], classes)
    assert network.n_outputs_ == special((5,), max_iter=1).fit(X, y).n_outputs_
    assert network.predict(X).shape == y.shape


@pytest.mark.parametrize("kind", [sparse.csr_matrix, np.asarray])
def test_sparse_labels_are_predicted_sparse(kind):
    X, y = labels()
    network = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, kind(y))
    assert sparse.issparse(network.predict(X)) == sparse.issparse(kind(y))


def test_a_fit_to_other_labels_is_another_network():
    network = MLPClassifier((5,), max_iter=2, random_state=0)
    for problem, n_outputs in (("three classes", 3), ("labels", 3), ("two classes", 1)) * 2:
        X, y = PROBLEMS[problem][0]()
        assert network.fit(X, y).n_outputs_ == n_outputs
        assert network.predict_proba(X).shape[1] == max(2, n_outputs)


@pytest.mark.parametrize("earlier, later", permutations(PROBLEMS, 2))
def test_going_on_with_labels_of_another_kind_is_refused(earlier, later):
    X, y = PROBLEMS[earlier][0]()
    network = MLPClassifier((5,), max_iter=2, random_state=0, warm_start=True).fit(X, y)
    _, other = PROBLEMS[later][0]()
    other = other[: len(X)]
    with pytest.raises(ValueError, match=r"labels|classes"):
        network.fit(X[: len(other)], other)
    with pytest.raises(ValueError, match=r"labels|classes"):
        network.partial_fit(X[: len(other)], other)
    assert_array_equal(network.predict(X).shape, y.shape)


@pytest.mark.parametrize("cls", [MLPClassifier, MLPBinaryClassifier])
@pytest.mark.parametrize("kinds", [("classes", "labels"), ("labels", "classes")])
def test_labels_of_another_kind_are_named(cls, kinds):
    X = np.random.RandomState(0).normal(size=(20, 3))
    of_kind = {"classes": (X[:, 0] > 0).astype(int), "labels": (X[:, :2] > 0).astype(int)}
    y, other = (of_kind[kind] for kind in kinds)
    message = f"holds {kinds[1]}, but the network is trained on {kinds[0]}."
    network = cls((5,), max_iter=2, random_state=0, warm_start=True).fit(X, y)
    for go_on in (network.fit, network.partial_fit):
        with pytest.raises(ValueError, match=f"`y` {message}"):
            go_on(X, other)
    network.set_params(early_stopping=True, warm_start=False)
    with pytest.raises(ValueError, match=f"`y_val` {message}"):
        network.fit(X, y, X_val=X, y_val=other)


def test_loss_of_the_other_kind_is_refused_by_name():
    X, y = three_classes()
    with pytest.raises(ValueError, match="is for task 'binary', but 'multiclass'"):
        MLPClassifier(loss=BinaryLogLoss()).fit(X, y)
    MLPClassifier((3,), loss=CategoricalLogLoss(0.1), max_iter=2).fit(X, y)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="MLPClassifier needs samples of at least 2 classes"):
        MLPClassifier().fit([[0.0], [1.0]], [1, 1])


@EVERY_PROBLEM
def test_stacked_search_and_ensemble_train_it(problem):
    X, y = PROBLEMS[problem][0]()
    network = MLPClassifier((5,), max_iter=8, random_state=0)
    assert network_of(network) is network
    search = StackedGridSearchCV(network, {"alpha": [1e-4, 1.0]}, cv=3).fit(X, y)
    alone = clone(network).set_params(**search.best_params_).fit(X, y)
    assert_allclose(search.best_estimator_.coefs_[0], alone.coefs_[0])
    ensemble = StackedEnsembleClassifier(network, n_members=3, random_state=0).fit(X, y)
    assert ensemble.predict_proba(X).shape == alone.predict_proba(X).shape


def test_inspection_draws_it_fitted_and_unfitted():
    X, y = two_classes()
    assert "5" in str(network_summary(MLPClassifier((5,)), n_features=3, n_outputs=2))
    names = [node.name for node in computational_graph(MLPClassifier((5,)), None, 10, 1).nodes]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = computational_graph(MLPClassifier((5,), max_iter=1).fit(X, y)).nodes
    assert names == [node.name for node in fitted]
