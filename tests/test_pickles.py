"""Estimators pickled by version 0.1.0: they load, predict and continue training as in it.

Each file holds a dict of a fitted estimator, rows, and that version's predictions for them.
"""

import inspect
import pickle
import warnings
from copy import copy, deepcopy
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning as OfScikitLearn

import skperceptron
from skperceptron import RosenblattPerceptron, __version__
from skperceptron._sklearn import estimators
from skperceptron.estimators.fitted import fitted_network
from skperceptron.exceptions import InconsistentVersionWarning
from skperceptron.inspection import collapse_linear, computational_graph, network_summary
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedEnsembleRegressor,
    StackedGridSearchCV,
)
from skperceptron.preprocessing import RobustSmoothClipScaler, TabularPreprocessor
from skperceptron.tabular import TabularMLPClassifier
from tests.public import names_in_pickle

from .test_public_api import BEHIND_EXTRAS, MODULES

FILES = sorted((Path(__file__).parent / "data" / "pickles_0_1_0").glob("*.pkl"))
EVERY_FILE = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def load(path):
    # The files were written with NumPy 2 and name this module; of the versions before it, only the
    # last ones have it.
    pytest.importorskip("numpy._core")
    with warnings.catch_warnings():
        # The files were written under one version of scikit-learn.
        warnings.simplefilter("ignore", OfScikitLearn)
        return pickle.loads(path.read_bytes())


def predict(estimator, X):
    return getattr(estimator, "predict_proba", estimator.predict)(X)


@EVERY_FILE
def test_old_pickle_predicts_what_it_predicted(path):
    found = load(path)
    assert_allclose(predict(found["estimator"], found["X"]), found["expected"], rtol=1e-12)


@EVERY_FILE
def test_old_pickle_can_be_pickled_again(path):
    found = load(path)
    again = pickle.loads(pickle.dumps(found["estimator"]))
    assert_allclose(predict(again, found["X"]), found["expected"], rtol=1e-12)


@EVERY_FILE
def test_network_of_an_old_pickle_has_the_shape_of_that_of_a_new_fit(path):
    found = load(path)
    estimator, X = found["estimator"], found["X"]
    y = np.arange(len(X)) % 2 if hasattr(estimator, "classes_") else np.arange(float(len(X)))
    if hasattr(estimator, "classes_"):
        y = estimator.classes_[np.arange(len(X)) % len(estimator.classes_)]
    elif estimator.n_outputs_ > 1:
        y = np.column_stack([y] * estimator.n_outputs_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fresh = clone(estimator).fit(X, y)
    networks = [fitted_network(one).network for one in (fresh, estimator)]
    assert networks[0].shape == networks[1].shape
    assert networks[0].n_parameters == networks[1].n_parameters


@EVERY_FILE
def test_old_pickle_is_inspected(path):
    found = load(path)
    estimator, X = found["estimator"], found["X"]
    graph = computational_graph(estimator).with_values(X)
    assert graph.nodes[-1].value.shape[0] == len(X)
    assert len(network_summary(estimator)["block"]) == len(graph.nodes) + 1
    if "layer_normalization" not in path.stem:
        assert_allclose(
            predict(collapse_linear(estimator), X), found["expected"], rtol=1e-6, atol=1e-6
        )


@EVERY_FILE
def test_old_pickle_goes_on_learning(path):
    found = load(path)
    estimator, X = found["estimator"], found["X"]
    if isinstance(estimator, RosenblattPerceptron) or estimator.solver == "lbfgs":
        pytest.skip("partial_fit needs a stochastic solver")
    y = np.zeros((len(X), estimator.n_outputs_)).squeeze()
    if hasattr(estimator, "classes_"):
        y = estimator.classes_[np.arange(len(X)) % len(estimator.classes_)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.partial_fit(X, y)
    assert not np.allclose(predict(estimator, X), found["expected"], rtol=1e-9)


def test_network_has_the_defaults_of_parameters_that_its_old_pickle_lacks():
    network = skperceptron.MLPRegressor(alpha=0.5)
    state = network.__getstate__()
    for name in ("categorical_features", "clip_predictions", "drop_last", "embedding_dim"):
        del state[name]
    old = skperceptron.MLPRegressor.__new__(skperceptron.MLPRegressor)
    old.__setstate__(state)
    assert old.get_params() == network.get_params()


def pickled_by(version, estimator, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(estimators, "__version__", version)
        return pickle.dumps(estimator)


@pytest.mark.parametrize(
    "estimator",
    [
        *(getattr(skperceptron, name)() for name in skperceptron.__all__),
        StackedGridSearchCV(skperceptron.MLPRegressor(), {}),
        StackedEnsembleRegressor(skperceptron.MLPRegressor()),
        StackedCrossEnsembleClassifier(skperceptron.MLPClassifier(), {}),
        TabularMLPClassifier(),
        TabularPreprocessor(),
        RobustSmoothClipScaler(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_pickle_of_another_version_warns_at_the_users_line(estimator, monkeypatch):
    stored = pickled_by("0.0.7", estimator, monkeypatch)
    text = f"{type(estimator).__name__} was pickled by skperceptron 0.0.7.*by {__version__}"
    with pytest.warns(InconsistentVersionWarning, match=text) as caught:
        pickle.loads(stored)
    assert {w.filename for w in caught} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = pickle.loads(pickle.dumps(estimator))
        copies = [again, copy(estimator), deepcopy(estimator), clone(estimator)]
    for one in copies:
        assert estimators.KEY not in vars(one)
    assert estimators.KEY not in vars(estimator)


OFFERED = {
    f"{module}.{name}": getattr(import_module(module), name)
    for module in MODULES
    for name in import_module(module).__all__
    if name not in BEHIND_EXTRAS.get(module, ())
}
CLASSES = {path: offered for path, offered in OFFERED.items() if inspect.isclass(offered)}


@pytest.mark.parametrize("path", CLASSES)
def test_public_class_is_named_by_a_path_that_users_import(path):
    cls = CLASSES[path]
    assert OFFERED[f"{cls.__module__}.{cls.__qualname__}"] is cls
    assert pickle.loads(pickle.dumps(cls)) is cls


@EVERY_FILE
def test_new_pickle_contains_public_paths_only(path):
    found = load(path)
    asked = names_in_pickle(found["estimator"])
    assert asked
    assert asked <= CLASSES.keys()


def test_pickle_with_components_and_callbacks_contains_public_paths_only():
    callbacks = [
        skperceptron.callbacks.CSVLogger("epochs.csv"),
        skperceptron.callbacks.StopOnPlateau(),
        skperceptron.inspection.GradientRecorder(),
        skperceptron.inspection.WeightsRecorder(),
    ]
    network = skperceptron.MLPRegressor(
        activation=skperceptron.activations.ELU(),
        solver=skperceptron.optimizers.Lion(),
        learning_rate=skperceptron.schedules.Cosine(),
        initializer=skperceptron.initializers.HeNormal(),
        early_stopping=skperceptron.stopping.EarlyStopping(),
        callbacks=callbacks,
    )
    search = StackedGridSearchCV(network, {"alpha": [1e-3, 1e-4]})
    asked = names_in_pickle(search)
    assert len(asked) == 11
    assert asked <= CLASSES.keys()


def test_public_classes_are_inspected():
    for cls in (skperceptron.MLPClassifier, StackedGridSearchCV, TabularPreprocessor):
        assert "def fit" in inspect.getsource(cls.fit)
        assert "self" in inspect.signature(cls.fit).parameters
        assert repr(cls) == f"<class '{cls.__module__}.{cls.__name__}'>"
        assert inspect.getmodule(cls) is import_module(cls.__module__)
