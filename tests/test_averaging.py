"""Averages of weights: their formulas, and from which weights later calls continue.

A new average needs one row of ``TEXTBOOK``.
"""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris

from skperceptron import MLPSoftmaxClassifier, averaging
from skperceptron.averaging import EMA, SWA, Averaging
from skperceptron.engine.compiled import VARIABLE
from skperceptron.model_selection._fits import Common, Fit
from skperceptron.model_selection._stacking import RunOptions, trained
from skperceptron.stopping import EarlyStopping

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
OPTIONS = {"hidden_layer_sizes": (4,), "random_state": 0, "dtype": "float64", "max_iter": 12}


def make(**options):
    return MLPSoftmaxClassifier(**(OPTIONS | options))


def weights_after(n_epochs, **options):
    return make(max_iter=n_epochs, **options).fit(X, Y).coefs_[0]


def textbook_ema(rule, passed, n_steps, max_iter):
    """Polyak & Juditsky (1992), as a sum: each weight times the product of all later decays."""
    steps = np.arange(1, len(passed) + 1)
    decays = np.minimum(rule.decay, (1 + steps) / (10 + steps))
    return sum((1 - decays[t]) * decays[t + 1 :].prod() * passed[t] for t in range(len(passed)))


def textbook_swa(rule, passed, n_steps, max_iter):
    """Izmailov et al. (2018): the mean of the weights at the ends of epochs, from `start` on."""
    ends = passed[n_steps - 1 :: n_steps]
    averaged = ends[int(rule.start * max_iter) :]
    return np.mean(averaged if len(averaged) else ends[-1:])


#: An independent formula for every class: the average of the weights after each step, (S,), with
#: ``n_steps`` of them in an epoch.
TEXTBOOK = {EMA: textbook_ema, SWA: textbook_swa}


def classes():
    found = [getattr(averaging, name) for name in averaging.__all__]
    found = {one for one in found if inspect.isclass(one) and issubclass(one, Averaging)}
    return found - {Averaging}


def test_every_average_has_an_independent_formula():
    assert set(TEXTBOOK) == classes()


@pytest.mark.parametrize("rule", [EMA(), EMA(0.4), EMA(0.0), SWA(), SWA(0.0), SWA(0.5)], ids=repr)
def test_average_is_that_of_the_formula(rule):
    n_steps, max_iter = 3, 8
    passed = np.random.RandomState(0).normal(size=n_steps * max_iter)
    average = 0.0
    for epoch in range(max_iter):
        steps = epoch * n_steps + np.arange(1, n_steps + 1)
        for step, share in zip(steps, rule.shares(steps, epoch + 1, max_iter), strict=True):
            average += share * (passed[step - 1] - average)
    expected = TEXTBOOK[type(rule)](rule, passed, n_steps, max_iter)
    assert average == pytest.approx(expected, rel=1e-12)


def test_moving_average_follows_the_weights_of_each_step():
    # With one batch per epoch, steps are epochs.
    passed = [weights_after(n, batch_size=150) for n in range(1, 13)]
    rng = np.random.RandomState(0)
    bound = np.sqrt(6 / (4 + 4))
    average = rng.uniform(-bound, bound, (4, 4))
    for step, weights in enumerate(passed, start=1):
        decay = min(0.5, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weights
    found = make(averaging=EMA(0.5), batch_size=150).fit(X, Y)
    assert_allclose(found.coefs_[0], average, rtol=1e-10)


def test_moving_average_is_taken_step_by_step():
    of_steps = make(averaging=EMA(0.9), batch_size=30).fit(X, Y).coefs_[0]
    assert not np.allclose(of_steps, weights_after(12, batch_size=30))


def test_stochastic_weight_averaging_is_the_mean_over_the_last_epochs():
    found = make(averaging=SWA(start=0.75), batch_size=30).fit(X, Y)
    expected = np.mean([weights_after(n, batch_size=30) for n in (10, 11, 12)], axis=0)
    assert_allclose(found.coefs_[0], expected, rtol=1e-10)


def test_before_its_start_the_average_is_the_weights_themselves():
    model = make(averaging="swa", max_iter=100, n_iter_no_change=1, tol=10.0).fit(X, Y)
    assert model.n_iter_ < 75
    assert_array_equal(model.coefs_[0], weights_after(model.n_iter_))


@pytest.mark.parametrize("steps", ["auto", "numpy"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_averages_of_one_stack_begin_at_their_own_epochs(early_stopping, steps, monkeypatch):
    monkeypatch.setenv(VARIABLE, steps)
    rules = [None, SWA(start=0.25), SWA(start=0.75), EMA(0.9)]
    options = {"batch_size": 30, "early_stopping": early_stopping}
    fits = [Fit(make(averaging=rule, **options), X, Y) for rule in rules]
    assert sorted(trained(dict(enumerate(fits)), RunOptions(0, "stack"), Common())) == [0, 1, 2, 3]
    for rule, fit in zip(rules, fits, strict=True):
        alone = make(averaging=rule, **options).fit(X, Y)
        assert_allclose(fit.estimator.coefs_[0], alone.coefs_[0], rtol=1e-9)


def test_training_goes_on_from_the_weights_and_not_from_their_average():
    options = {"averaging": EMA(0.8), "batch_size": 30}
    whole = make(**options)
    for _ in range(6):
        whole.partial_fit(X, Y, classes=[0, 1, 2])
    plain = make(batch_size=30)
    for _ in range(6):
        plain.partial_fit(X, Y, classes=[0, 1, 2])
    in_training = [
        one._later.parameters(one._fitted, one._fitted.target, one._fitted.network)
        for one in (whole, plain)
    ]
    assert_array_equal(*in_training)
    assert_array_equal(whole.loss_curve_, plain.loss_curve_)
    assert not np.allclose(whole.coefs_[0], plain.coefs_[0])


def test_the_average_is_what_is_validated():
    rules = EarlyStopping("loss", patience=np.inf, restore_best=False)
    model = make(averaging=EMA(0.9), early_stopping=rules)
    model.fit(X, Y, X_val=X[::3], y_val=Y[::3])
    own = -np.log(model.predict_proba(X[::3])[np.arange(50), Y[::3]]).mean()
    assert_allclose(model.validation_loss_curve_[-1], own, rtol=1e-9)


@pytest.mark.parametrize(
    "averaging, fragment",
    [
        (EMA(1.0), r"'decay' parameter of EMA .* in the range \[0, 1\). Got 1.0"),
        (SWA(-0.1), r"'start' parameter of SWA .* in the range \[0, 1\). Got -0.1"),
    ],
    ids=repr,
)
def test_bad_averages_are_refused(averaging, fragment):
    with pytest.raises(ValueError, match=fragment):
        make(averaging=averaging).fit(X, Y)


def test_lbfgs_has_nothing_to_average():
    with pytest.raises(ValueError, match="averaging='ema' needs a stochastic solver"):
        make(averaging="ema", solver="lbfgs").fit(X, Y)


def test_an_average_that_needs_the_number_of_epochs_is_refused_in_partial_fit():
    with pytest.raises(ValueError, match="partial_fit does not support averaging"):
        make(averaging="swa").partial_fit(X, Y, classes=[0, 1, 2])
