"""Validation of a stack's members in one pass, with the results of each member alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skperceptron.activations import ReLU, Tanh
from skperceptron.engine import multilayer_perceptron
from skperceptron.engine.prediction import predict_raw
from skperceptron.normalizations import BatchNormalization
from skperceptron.training import validating
from skperceptron.training.validating import ValidationMetrics, ValidationPass

N_ROWS = [5, 1, 8, 3]
ACTIVATIONS = [ReLU(), ReLU(), Tanh(), Tanh()]


class Sums:
    """Compares networks by the sum of the raw predictions of each."""

    def __init__(self, validations, fails=False):
        self.validations = validations
        self.fails = fails

    @property
    def key(self):
        return len(self.validations[0].X), self.fails

    def joined(self, others):
        return Sums(
            [validation for one in (self, *others) for validation in one.validations], self.fails
        )

    def evaluate(self, raw):
        if self.fails:
            raise ValueError("no")
        for validation, own in zip(self.validations, raw, strict=True):
            validation.raw = own.copy()
            validation.n_joined = len(self.validations)
        # A comparison may overwrite the raw predictions.
        raw[:] = np.nan
        sums = [validation.raw.sum() for validation in self.validations]
        return ValidationMetrics(
            np.array(sums), None if self.validations[0].is_scorer else -np.array(sums)
        )


class Rows:
    """Validates by the sum of the raw predictions of its rows."""

    def __init__(self, X, is_dense=True, fails=False, is_scorer=False):
        self.X = X
        self.is_dense = is_dense
        self.is_scorer = is_scorer
        self.comparison = Sums([self], fails)
        self.n_alone = 0

    def __call__(self, parameters):
        self.n_alone += 1
        raw = raw_alone(parameters, self.X, ReLU())
        return -raw.sum(), raw.sum()

    @property
    def n_rows_together(self):
        return len(self.X) if self.is_dense else 0

    def dense_rows(self):
        return self.X

    def outcome(self, metrics, parameters):
        score = float(parameters.sum()) if metrics.scores is None else metrics.scores
        return score, metrics.losses


def network_of(activations, normalize=None):
    return multilayer_perceptron(3, (4,), 2, [activations], normalize=normalize)


def raw_alone(parameters, X, activation, normalize=None):
    network = network_of([activation], normalize)
    return predict_raw(network, network.views(parameters[np.newaxis]), X)


@pytest.mark.parametrize("normalize", [None, BatchNormalization().block])
def test_all_members_are_predicted_as_if_alone(normalize):
    rng = np.random.RandomState(0)
    validations = [Rows(rng.normal(size=(n, 3))) for n in N_ROWS]
    network = network_of(ACTIVATIONS, normalize)
    one = ValidationPass(network, validations, np.dtype(np.float64))
    for _ in range(2):
        parameters = rng.uniform(0.1, 1, (4, network.n_parameters))
        outcomes = one.outcomes([0, 2, 3], parameters)
        assert outcomes.keys() == {0, 2, 3}
        for k in (0, 2, 3):
            raw = raw_alone(parameters[k], validations[k].X, ACTIVATIONS[k], normalize)
            assert_allclose(validations[k].raw, raw, rtol=1e-12)
            assert_allclose(outcomes[k], (-raw.sum(), raw.sum()))
    assert not any(validation.n_alone for validation in validations)


def test_equal_comparisons_are_made_at_once():
    rng = np.random.RandomState(0)
    scored, asks_scorer = (
        [Rows(rng.normal(size=(n, 3)), is_scorer=s) for n in (4, 2, 4)] for s in (False, True)
    )
    network = network_of([ReLU()] * 3)
    parameters = rng.normal(size=(3, network.n_parameters))
    for validations in (scored, asks_scorer):
        one = ValidationPass(network, validations, np.dtype(np.float64))
        outcomes = one.outcomes([2, 1], parameters)
        assert [validation.n_joined for validation in validations] == [2, 1, 2]
        assert outcomes.keys() == {1, 2}
        for k, (score, loss) in outcomes.items():
            total = raw_alone(parameters[k], validations[k].X, ReLU()).sum()
            assert_allclose(loss, total)
            assert_allclose(score, parameters[k].sum() if validations is asks_scorer else -total)


def test_a_comparison_that_fails_for_all_is_made_for_each_alone():
    rng = np.random.RandomState(0)
    validations = [Rows(rng.normal(size=(4, 3)), fails=fails) for fails in (True, False, True)]
    network = network_of([ReLU()] * 3)
    parameters = rng.normal(size=(3, network.n_parameters))
    one = ValidationPass(network, validations, np.dtype(np.float64))
    outcomes = one.outcomes([0, 1, 2], parameters)
    assert [validation.n_alone for validation in validations] == [1, 0, 1]
    for k, outcome in outcomes.items():
        total = raw_alone(parameters[k], validations[k].X, ReLU()).sum()
        assert_allclose(outcome, (-total, total))


def test_members_that_cannot_join_are_validated_alone(monkeypatch):
    rng = np.random.RandomState(0)
    network = network_of([ReLU()] * 4)
    parameters = rng.normal(size=(4, network.n_parameters))
    X = rng.normal(size=(6, 3))
    joins, stays = Rows(X), Rows(X, is_dense=False)

    def fails(parameters):
        raise ValueError("no")

    one = ValidationPass(network, [stays, joins, None, fails], np.dtype(np.float64))
    outcomes = one.outcomes([0, 1, 3], parameters)
    assert (stays.n_alone, joins.n_alone) == (1, 0)
    assert isinstance(outcomes.pop(3), ValueError)
    for k, outcome in outcomes.items():
        total = raw_alone(parameters[k], X, ReLU()).sum()
        assert_allclose(outcome, (-total, total))
    # Larger work is done member by member, in passes that stay in the cache.
    monkeypatch.setattr(validating, "TOGETHER", 6 * 4)
    one = ValidationPass(network, [joins, Rows(X)], np.dtype(np.float64))
    one.outcomes([0, 1], parameters)
    assert joins.n_alone == 1
