"""Generators of random numbers from a `random_state`, as scikit-learn makes them."""

import numpy as np
import pytest
from sklearn.utils import check_random_state

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
