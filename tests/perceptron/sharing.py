"""Checks of epochs whose rows are presented together, for every way of presenting them."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skperceptron import RosenblattPerceptron
from skperceptron.callbacks import Callback


class Onlooker(Callback):
    """A callback that is called after each epoch, so that epochs cannot share a window."""

    n_epochs = 0

    def on_fit_task_end(self, estimator, context):
        self.n_epochs += context.task_name == "epoch"


def assert_epochs_may_share_a_window(X, y, options, converges, rtol):
    """Check that a fit is the same with and without a callback for each epoch."""
    generators = [np.random.RandomState(3) for _ in "ab"]
    together, apart = (RosenblattPerceptron(**options, random_state=rng) for rng in generators)
    together.fit(X, y)
    onlooker = Onlooker()
    apart.set_params(callbacks=[onlooker]).fit(X, y)
    assert onlooker.n_epochs == together.n_iter_ == apart.n_iter_
    assert together.converged_ == apart.converged_ == converges
    assert together.mistakes_ == apart.mistakes_
    assert together.t_ == apart.t_
    assert_allclose(together.coef_, apart.coef_, rtol=rtol)
    assert_allclose(together.intercept_, apart.intercept_, rtol=rtol)
    # No number was drawn for an epoch that did not take place.
    assert_array_equal(*(rng.permutation(9) for rng in generators))
