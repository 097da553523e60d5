"""Interruptions by the user: of searches, cross-validations and ensembles."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, ShuffleSplit

from skperceptron import MLPBinaryClassifier
from skperceptron.callbacks import Callback
from skperceptron.model_selection import (
    StackedEnsembleClassifier,
    StackedGridSearchCV,
    stacked_cross_validate,
)
from skperceptron.training import Stack
from tests.interrupting import interrupt_at

pytestmark = [
    pytest.mark.filterwarnings("ignore:One or more of the .* scores are non-finite:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

X, Y = make_classification(83, 6, n_informative=4, n_classes=2, random_state=0)
BINARY = MLPBinaryClassifier((5,), max_iter=7, batch_size=16, random_state=0)


def test_interrupted_members_keep_what_they_have_learned_and_are_named(monkeypatch):
    grid = {"alpha": [0, 0.25], "hidden_layer_sizes": [(3,), (5,)]}
    whole = StackedGridSearchCV(BINARY, grid, cv=3, refit=False).fit(X, Y)
    stopped = clone(BINARY).set_params(max_iter=3)
    short = StackedGridSearchCV(stopped, grid, cv=3, refit=False).fit(X, Y)
    # The wider networks are trained first: their fourth epoch is interrupted.
    interrupt_at(monkeypatch, 4)
    with pytest.warns(UserWarning, match="Training interrupted by user") as caught:
        search = StackedGridSearchCV(BINARY, grid, cv=3, refit=False).fit(X, Y)
    (warning,) = [w for w in caught if "interrupted" in str(w.message)]
    assert warning.filename == __file__
    for parameters in search.cv_results_["params"]:
        for split in range(3):
            named = f"{parameters} on split {split} (3 epochs)" in str(warning.message)
            assert named == (parameters["hidden_layer_sizes"] == (5,))
    scores = search.cv_results_["mean_test_score"]
    expected = [
        (short if parameters["hidden_layer_sizes"] == (5,) else whole).cv_results_[
            "mean_test_score"
        ][i]
        for i, parameters in enumerate(search.cv_results_["params"])
    ]
    assert_array_equal(scores, expected)


@pytest.mark.filterwarnings("ignore:Training interrupted")
@pytest.mark.parametrize("calls", [(2, 3), (2, 5)], ids=["next stack", "later"])
def test_second_interruption_of_a_search_of_scikit_learns_ends_it(monkeypatch, calls):
    search = GridSearchCV(BINARY, {"hidden_layer_sizes": [(3,), (5,)]}, cv=2)
    interrupt_at(monkeypatch, *calls)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert not hasattr(search, "cv_results_")


def own_scores(estimator, X, y):
    return {"accuracy": estimator.score(X, y), "rows": float(len(X))}


@pytest.mark.filterwarnings("ignore:Training interrupted", "ignore:One or more of the test scores")
@pytest.mark.parametrize("calls", [(2, 3), (2, 5)], ids=["next stack", "later"])
@pytest.mark.parametrize("scoring", [None, ["accuracy", "neg_log_loss"], own_scores])
def test_second_interruption_ends_the_search_and_keeps_what_is_finished(
    monkeypatch, calls, scoring
):
    grid = {"hidden_layer_sizes": [(3,), (5,)]}
    refit = True if scoring is None else "accuracy"
    search = StackedGridSearchCV(BINARY, grid, cv=2, scoring=scoring, refit=refit)
    for _ in range(2):
        # The second search ignores the results of the first.
        with monkeypatch.context() as patch:
            interrupt_at(patch, *calls)
            with pytest.warns(UserWarning, match="Search ended by user. 2 of 4 fits are kept"):
                search.fit(X, Y)
        # The wider networks come first.
        for name, values in search.cv_results_.items():
            if "_test_" in name and "rank" not in name:
                assert np.isnan(values[0]) and np.isfinite(values[1])
        assert search.best_params_ == {"hidden_layer_sizes": (5,)}
        assert [sorted(curves) for curves in search.curves_[0]] == [[], []]
        assert [sorted(curves) for curves in search.curves_[1]] == [["loss"], ["loss"]]
        # The final fit, with the best of the kept candidates, takes place.
        assert search.best_estimator_.n_iter_ == BINARY.max_iter


def test_search_that_is_ended_before_anything_is_finished_is_not_fitted(monkeypatch):
    interrupt_at(monkeypatch, 1, 2)
    search = StackedGridSearchCV(BINARY, {"hidden_layer_sizes": [(3,), (5,)]}, cv=2, refit=False)
    with pytest.warns(UserWarning, match="Search ended by user. 2 of 4"):
        search.fit(X, Y)
    monkeypatch.undo()
    interrupt_at(monkeypatch, 2, 3)

    class Never:
        def __call__(self, estimator, X, y):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clone(search).set_params(scoring=Never()).fit(X, Y)


@pytest.mark.filterwarnings("ignore:Training interrupted")
def test_interruption_while_the_last_fit_takes_place_ends_that_fit(monkeypatch):
    n_epochs = []
    train = Stack.run_epoch

    def counted(stack):
        n_epochs.append(len(stack.members))
        is_last = len(n_epochs) > 3 and len(stack.members) == 1
        if len(n_epochs) == 2 or (is_last and n_epochs.count(1) == 3):
            raise KeyboardInterrupt
        return train(stack)

    monkeypatch.setattr(Stack, "run_epoch", counted)
    grid = {"alpha": [0, 1], "hidden_layer_sizes": [(3,), (5,)]}
    search = StackedGridSearchCV(BINARY, grid).fit(X, Y)
    assert search.best_estimator_.n_iter_ == 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


class Impatient(Callback):
    """Interrupts like a user, in the second epoch of networks with this `alpha`."""

    def __init__(self, alpha=1):
        self.alpha = alpha

    def on_fit_task_end(self, estimator, context):
        report = getattr(context, "report", None)
        if report and estimator.alpha == self.alpha and report["epoch"] == 2:
            raise KeyboardInterrupt
        return False


@pytest.mark.parametrize("kind", [GridSearchCV, StackedGridSearchCV])
def test_networks_that_are_fitted_alone_are_named_and_counted_too(kind):
    network = clone(BINARY).set_params(callbacks=[Impatient()])
    split = [next(ShuffleSplit(1, random_state=0).split(X))]
    search = kind(network, {"alpha": [0, 1]}, cv=split, refit=False)
    with pytest.warns(UserWarning, match=r"interrupted by user.*alpha=1.*in 2 epochs"):
        search.fit(X, Y)
    again = kind(network, {"alpha": [0, 1]}, cv=2, refit=False)
    if kind is GridSearchCV:
        with pytest.warns(UserWarning), pytest.raises(KeyboardInterrupt):
            again.fit(X, Y)
        return
    with pytest.warns(UserWarning, match="ended by user. 3 of 4"):
        again.fit(X, Y)
    assert np.isnan(again.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_interrupted_cross_validation_names_its_splits(monkeypatch):
    interrupt_at(monkeypatch, 3)
    with pytest.warns(UserWarning, match=r"the estimator on split 1 \(2 epochs\)"):
        stacked_cross_validate(BINARY, X, Y, cv=2)


def test_interrupted_ensemble_counts_its_members(monkeypatch):
    interrupt_at(monkeypatch, 3)
    with pytest.warns(UserWarning, match="3 of 3 members"):
        ensemble = StackedEnsembleClassifier(BINARY, 3, random_state=0).fit(X, Y)
    assert {member.n_iter_ for member in ensemble.estimators_} == {2}


def test_search_that_is_interrupted_outside_of_training_is_not_fitted():
    def interrupt(estimator, X, y):
        raise KeyboardInterrupt

    search = StackedGridSearchCV(BINARY, {"alpha": [0, 1]}, scoring=interrupt)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert not hasattr(search, "cv_results_")
