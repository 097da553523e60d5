"""Checks that all estimators share, and their agreement with scikit-learn."""

import numpy as np
import pytest
from sklearn.utils import check_random_state

from skperceptron import MLPRegressor
from skperceptron._sklearn.generators import generator_of


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, np.int64(3)])
def test_generator_starts_in_the_state_that_scikit_learn_gives_it(seed):
    mine, expected = generator_of(seed), check_random_state(seed)
    np.testing.assert_array_equal(mine.normal(size=3), expected.normal(size=3))
    for part, expected_part in zip(mine.get_state(), expected.get_state(), strict=True):
        np.testing.assert_array_equal(part, expected_part)


def test_generator_of_the_user_is_used_itself():
    rng = np.random.RandomState(0)
    assert generator_of(rng) is rng


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_impossible_seed_is_refused(seed):
    with pytest.raises(ValueError, match="Seed must be between 0 and"):
        generator_of(seed)


class Named(MLPRegressor):
    def __init__(self, mine=1):
        self.mine = mine


def test_each_class_has_the_parameter_names_of_its_own():
    names = MLPRegressor().get_params().keys()
    assert {"alpha", "random_state"} <= names
    assert Named().get_params() == {"mine": 1}
    # A caller may change the returned list without an effect on later calls.
    MLPRegressor._get_param_names().clear()
    assert MLPRegressor().get_params().keys() == names
