"""Cross ensembles trained on rows of probabilities in place of labels."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPClassifier, MLPSoftmaxClassifier
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedEnsembleClassifier,
    StackedGridSearchCV,
)
from skperceptron.model_selection._combination import (
    BlendProblem,
    BlendRules,
    blend_of_probabilities,
    blend_to_distributions,
    fit_temperature,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_iris(return_X_y=True)
#: Probabilities like those of a teacher: mostly right.
SOFT = 0.7 * np.eye(3)[LABELS] + 0.3 * np.random.RandomState(0).dirichlet([1, 1, 1], len(X))
ARMS = {"alpha": [1e-3, 10.0]}


def network(**options):
    defaults = {"max_iter": 30, "learning_rate_init": 0.02, "batch_size": 20, "random_state": 0}
    return MLPSoftmaxClassifier((6,), **defaults | options)


def ensemble(estimator=None, arms=ARMS, **options):
    estimator = network() if estimator is None else estimator
    return StackedCrossEnsembleClassifier(estimator, arms, **{"cv": 3, "random_state": 0} | options)


def test_truth_of_a_row_equals_the_row_repeated_with_each_class(rng):
    predictions = rng.dirichlet([1, 1, 1], (2, 40, 1))
    truth, weight = rng.dirichlet([1, 1, 1], 40), rng.uniform(0.5, 2, 40)
    for combination in ("weights", "greedy", "mean"):
        rules = BlendRules(combination, calibrate=combination != "mean")
        found = blend_to_distributions(BlendProblem(predictions, truth, weight, rules))
        of_repeated = BlendProblem(
            np.repeat(predictions, 3, axis=1),
            np.tile([0, 1, 2], 40)[:, np.newaxis],
            (truth * weight[:, np.newaxis]).ravel(),
            rules,
        )
        repeated = blend_of_probabilities(of_repeated)
        assert_allclose(found.weights, repeated.weights, rtol=1e-9)
        assert_allclose(found.temperature, repeated.temperature, rtol=1e-6)


def test_temperature_of_certain_rows_is_that_of_labels(rng):
    logits, codes = rng.normal(size=(3, 50)), rng.randint(0, 3, 50)
    of_rows = fit_temperature(logits.copy(), np.eye(3)[codes], np.ones(50))
    assert of_rows == pytest.approx(fit_temperature(logits, codes, np.ones(50)))


def test_rows_of_zeros_and_ones_give_what_labels_give():
    soft, hard = ensemble().fit(X, np.eye(3)[LABELS]), ensemble().fit(X, LABELS)
    for name in ("weights_", "temperatures_", "oof_predictions_"):
        assert_allclose(getattr(soft, name), getattr(hard, name), rtol=1e-5, atol=1e-6)
    assert soft.oof_score_ == hard.oof_score_
    assert_allclose(soft.oof_loss_, hard.oof_loss_, rtol=1e-5)
    assert_allclose(soft.predict_proba(X), hard.predict_proba(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cv", [4, KFold(3), StratifiedKFold(3)], ids=repr)
def test_probabilities_are_learned(cv):
    fitted = ensemble(cv=cv).fit(X, SOFT)
    assert_array_equal(fitted.classes_, [0, 1, 2])
    assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)
    if not isinstance(cv, KFold):
        assert fitted.score(X, LABELS) > 0.9
        assert fitted.score(X, SOFT) == fitted.score(X, SOFT.argmax(axis=1))
    cross_entropy = -(SOFT * np.log(fitted.oof_predictions_)).sum(axis=1).mean()
    assert_allclose(fitted.oof_loss_, cross_entropy)
    entropy = -(SOFT * np.log(SOFT)).sum(axis=1).mean()
    assert entropy < fitted.oof_loss_
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_pipelines_lists_and_weights_are_supported():
    pipeline = make_pipeline(StandardScaler(), network())
    arms = {"mlpsoftmaxclassifier__alpha": [1e-3, 10.0]}
    weight = np.where(np.arange(150) % 3, 1.0, 0.0)
    key = {"mlpsoftmaxclassifier__sample_weight": weight}
    fitted = ensemble(pipeline, arms).fit(X, SOFT.tolist(), **key)
    expected = -(SOFT * np.log(fitted.oof_predictions_)).sum(axis=1) @ weight / weight.sum()
    assert_allclose(fitted.oof_loss_, expected)


def test_other_ensembles_and_searches_take_them_too():
    averaged = StackedEnsembleClassifier(network(), 2, random_state=0).fit(X, SOFT)
    assert averaged.score(X, SOFT) > 0.85
    with pytest.raises(ValueError, match="2 columns of probabilities, but 3 classes"):
        averaged.score(X, np.full((150, 2), 0.5))
    cv = KFold(3, shuffle=True, random_state=0)
    search = StackedGridSearchCV(network(), ARMS, cv=cv, refit="ensemble")
    assert search.fit(X, SOFT).best_estimator_.oof_score_ > 0.7
    assert_allclose(search.predict_proba(X).sum(axis=1), 1)


def test_zeros_and_ones_stay_labels_where_a_network_takes_several_of_them():
    several = ensemble(MLPClassifier((4,), max_iter=3)).fit(X, np.eye(3)[LABELS])
    assert several.predict(X).shape == (150, 3)


def test_networks_that_need_labels_refuse_them():
    with pytest.raises(ValueError, match=r"continuous-multioutput|probabilities"):
        ensemble(MLPClassifier((4,), max_iter=3)).fit(X, SOFT)
