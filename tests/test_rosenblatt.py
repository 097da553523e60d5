"""RosenblattPerceptron: the perceptron of 1958, with the interface of scikit-learn."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    make_blobs,
    make_classification,
)
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_selection import RFE
from sklearn.linear_model import Perceptron
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import RosenblattPerceptron
from skperceptron.callbacks import EpochLogger
from skperceptron.perceptron.estimator import KEPT_NUMBERS
from skperceptron.perceptron.presentation import Presentation

X_XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y_XOR = np.array([0, 1, 1, 0])
WEIGHTS = ["plain", "averaged", "pocket"]
# On data that is not separable, the rule ends with mistakes and warns about it.
pytestmark = pytest.mark.filterwarnings("ignore:Maximum number of epochs")


def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def separable(seed=0, n_rows=300, n_features=4, margin=0.3):
    """Return rows with a margin to a plane through the origin, their labels and that plane."""
    rng = np.random.RandomState(seed)
    plane = rng.normal(size=n_features)
    plane /= np.linalg.norm(plane)
    X = rng.normal(size=(n_rows, n_features))
    X = X[np.abs(X @ plane) > margin]
    return X, (X @ plane > 0).astype(int), plane


# The elementary perceptron.


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("max_iter", [1, 2, 30])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.3, 1: 2.5}])
@pytest.mark.parametrize("weighted", [False, True])
def test_elementary_perceptron_equals_scikit_learns_weight_for_weight(
    fit_intercept, max_iter, class_weight, weighted
):
    X, y = cancer()
    shared = {"fit_intercept": fit_intercept, "max_iter": max_iter, "shuffle": False}
    theirs = Perceptron(tol=None, class_weight=class_weight, **shared)
    weights = np.random.RandomState(0).uniform(0.1, 2, len(y)) if weighted else None
    if weighted and class_weight == "balanced":
        pytest.skip("scikit-learn balances counts of rows, not their weights")
    theirs.fit(X, y, sample_weight=weights)
    ours = RosenblattPerceptron(0, class_weight=class_weight, **shared).fit(X, y, weights)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-12, atol=1e-12)
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-12, atol=1e-12)
    assert_array_equal(ours.predict(X), theirs.predict(X))


def test_elementary_perceptron_equals_scikit_learns_on_raw_and_on_many_classes():
    X, y = load_digits(return_X_y=True)
    theirs = Perceptron(tol=None, max_iter=3, shuffle=False).fit(X, y)
    ours = RosenblattPerceptron(0, max_iter=3, shuffle=False).fit(X, y)
    assert_array_equal(ours.coef_, theirs.coef_)
    assert_array_equal(ours.intercept_, theirs.intercept_)


@pytest.mark.parametrize("seed", range(5))
def test_separable_data_ends_without_mistakes_within_novikoffs_bound(seed):
    X, y, plane = separable(seed)
    model = RosenblattPerceptron(0, fit_intercept=False, max_iter=1000, random_state=seed).fit(X, y)
    radius = np.linalg.norm(X, axis=1).max()
    margin = np.abs(X @ plane).min()
    assert model.converged_
    assert model.mistakes_[-1] == 0
    assert 0 < sum(model.mistakes_) <= (radius / margin) ** 2
    assert model.score(X, y) == 1


def test_xor_is_learned_with_associative_units_and_not_without():
    machine = RosenblattPerceptron(20, random_state=0).fit(X_XOR, Y_XOR)
    assert machine.converged_
    assert_array_equal(machine.predict(X_XOR), Y_XOR)
    elementary = RosenblattPerceptron(0, max_iter=500, random_state=0).fit(X_XOR, Y_XOR)
    assert not elementary.converged_
    assert len(elementary.mistakes_) == 500
    assert elementary.score(X_XOR, Y_XOR) < 1


@pytest.mark.parametrize("seed", range(10))
def test_forty_associative_units_learn_xor_whatever_the_seed(seed):
    assert RosenblattPerceptron(40, random_state=seed).fit(X_XOR, Y_XOR).score(X_XOR, Y_XOR) == 1


# The associative layer.


@pytest.mark.parametrize("n_connections", [None, 1, 5, 30])
def test_each_associative_unit_has_its_connections_and_splits_the_rows(n_connections):
    X, y = cancer()
    model = RosenblattPerceptron(50, n_connections=n_connections, random_state=0).fit(X, y)
    joined = model.associative_weights_
    assert joined.shape == (30, 50)
    assert set(np.unique(joined)) <= {-1, 0, 1}
    assert_array_equal(np.abs(joined).sum(axis=0), n_connections or 3)
    fires = X @ joined >= model.associative_thresholds_
    assert fires.any(axis=0).all()
    assert not fires.all(axis=0).any()


def test_responses_are_affine_in_the_outputs_of_the_associative_units():
    X, y = iris()
    model = RosenblattPerceptron(30, random_state=0).fit(X, y)
    fires = (X @ model.associative_weights_ >= model.associative_thresholds_).astype(float)
    expected = fires @ model.response_weights_.T + model.intercept_
    assert_allclose(model.decision_function(X), expected, rtol=1e-12, atol=1e-12)
    assert_array_equal(model.predict(X), expected.argmax(axis=1))


def test_features_have_weights_only_without_associative_units():
    X, y = iris()
    X = np.column_stack([np.zeros(len(X)), X])
    elementary = RosenblattPerceptron(0, max_iter=5, weights="averaged", random_state=0)
    assert not RFE(elementary, n_features_to_select=4).fit(X, y).support_[0]
    with_units = RosenblattPerceptron(X.shape[1], random_state=0)
    with pytest.raises(ValueError, match="should have `coef_` or `feature_importances_`"):
        RFE(with_units).fit(X, y)
    with pytest.raises(AttributeError, match="see response_weights_"):
        _ = with_units.fit(X, y).coef_
    with pytest.raises(AttributeError, match="see response_weights_"):
        with_units.coef_ = np.zeros((3, 5))


def test_unfitted_perceptron_has_no_weights_of_features_and_says_so():
    for n_associative in (0, 5):
        model = RosenblattPerceptron(n_associative)
        assert not hasattr(model, "coef_")
        with pytest.raises(
            NotFittedError, match="This RosenblattPerceptron instance is not fitted"
        ):
            _ = model.coef_


def test_weights_of_features_may_be_replaced():
    X, y = iris()
    model = RosenblattPerceptron(0, random_state=0).fit(X, y)
    expected = model.decision_function(2 * X)
    model.coef_ = 2 * model.coef_
    assert_array_equal(model.decision_function(X), expected)


def test_a_constant_column_does_no_harm():
    X, y = iris()
    X = np.column_stack([X, np.full(len(X), 7.0)])
    model = RosenblattPerceptron(50, n_connections=1, weights="averaged", random_state=0)
    assert model.fit(X, y).score(X, y) > 0.9


def test_connections_and_thresholds_stay_while_more_rows_come():
    X, y = iris()
    model = RosenblattPerceptron(20, random_state=0).partial_fit(X[::2], y[::2], classes=[0, 1, 2])
    joined, thresholds = model.associative_weights_, model.associative_thresholds_
    model.partial_fit(X[1::2] * 3, y[1::2])
    assert model.associative_weights_ is joined
    assert model.associative_thresholds_ is thresholds


def test_many_rows_are_computed_window_by_window_with_the_same_result(monkeypatch):
    X, y = iris()
    expected = RosenblattPerceptron(20, random_state=0).fit(X, y)
    monkeypatch.setattr("skperceptron.perceptron.estimator.KEPT_NUMBERS", 0)
    monkeypatch.setattr("skperceptron.perceptron.presentation.LARGE_WINDOW", 50 * 21)
    found = RosenblattPerceptron(20, random_state=0).fit(X, y)
    assert KEPT_NUMBERS > 0
    assert_array_equal(found.response_weights_, expected.response_weights_)
    assert found.mistakes_ == expected.mistakes_


# Which weights are kept.


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("n_associative", [0, 100])
def test_real_data_are_learned(weights, n_associative):
    X, y = load_iris(return_X_y=True)
    model = RosenblattPerceptron(n_associative, weights=weights, random_state=0)
    floor = 0.6 if weights == "plain" and not n_associative else 0.85
    assert cross_val_score(make_pipeline(StandardScaler(), model), X, y).mean() > floor


def test_another_seed_begins_a_new_order_of_rows_in_partial_fit():
    X, y = make_classification(60, 4, flip_y=0.2, random_state=0)

    def weights(first, later):
        model = RosenblattPerceptron(0, shuffle=False, max_iter=1, random_state=first).fit(X, y)
        model.set_params(shuffle=True, random_state=later)
        return model.partial_fit(X, y).response_weights_

    assert_array_equal(weights(0, 1), weights(1, 1))
    assert not np.array_equal(weights(0, 1), weights(0, 0))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_pocket_keeps_earlier_averages_that_answer_more_rows_rightly(method):
    X, y = make_classification(300, 6, flip_y=0.2, class_sep=0.5, random_state=29)
    model = RosenblattPerceptron(0, weights="averaged", max_iter=5, warm_start=True, random_state=0)
    before = model.fit(X, y).score(X, y)
    model.set_params(weights="pocket", max_iter=1)
    assert getattr(model, method)(X, y).score(X, y) >= before


def test_pocket_is_never_worse_on_its_rows_than_the_last_weights():
    X, y = cancer()
    X = X[:, :4]
    plain, pocket = (
        RosenblattPerceptron(0, weights=w, max_iter=20, random_state=0).fit(X, y).score(X, y)
        for w in ("plain", "pocket")
    )
    assert pocket >= plain


def test_averaged_weights_are_those_of_every_row_averaged():
    X, y = cancer()
    signs, weight, total = 2 * y - 1, np.zeros(31), np.zeros(31)
    rows = np.column_stack([X, np.ones(len(X))])
    for _ in range(3):
        for x, sign in zip(rows, signs, strict=True):
            if sign * (weight @ x) <= 0:
                weight = weight + sign * x
            total += weight
    model = RosenblattPerceptron(0, weights="averaged", max_iter=3, shuffle=False).fit(X, y)
    found = np.append(model.response_weights_[0], model.intercept_)
    assert_allclose(found, total / (3 * len(X)), rtol=1e-10)


def test_only_the_plain_rule_warns_of_mistakes_at_the_end():
    X, y = X_XOR, Y_XOR
    with pytest.warns(ConvergenceWarning, match="weights='averaged' or weights='pocket'"):
        RosenblattPerceptron(0, max_iter=5).fit(X, y)


@pytest.mark.parametrize("weights", ["averaged", "pocket"])
def test_averaged_and_pocket_weights_do_not_warn(weights, recwarn):
    RosenblattPerceptron(0, max_iter=5, weights=weights).fit(X_XOR, Y_XOR)
    assert not [w for w in recwarn if issubclass(w.category, ConvergenceWarning)]


# Probabilities.


@pytest.mark.parametrize("data", [cancer, iris], ids=lambda f: f.__name__)
@pytest.mark.parametrize("n_associative", [0, 50])
def test_probabilities_increase_with_the_response_and_sum_to_one(data, n_associative):
    X, y = data()
    model = RosenblattPerceptron(n_associative, weights="averaged", random_state=0).fit(X, y)
    probability, response = model.predict_proba(X), model.decision_function(X)
    assert_allclose(probability.sum(axis=1), 1, rtol=1e-12)
    if response.ndim == 1:
        order = np.argsort(response)
        assert (np.diff(probability[order, 1]) >= 0).all()
        expected = 1 / (1 + np.exp(-model.response_slope_ * response))
        assert_allclose(probability[:, 1], expected, rtol=1e-10)
    else:
        odds = np.log(probability[:, 0] / probability[:, 1])
        expected = model.response_slope_ * (response[:, 0] - response[:, 1])
        assert_allclose(odds, expected, rtol=1e-8, atol=1e-8)
    assert_array_equal(model.classes_[probability.argmax(axis=1)], model.predict(X))
    assert_allclose(model.predict_log_proba(X), np.log(probability), rtol=1e-10, atol=1e-15)


def test_slope_minimizes_the_log_loss_of_smoothed_labels():
    X, y = cancer()
    model = RosenblattPerceptron(0, weights="averaged", random_state=0).fit(X, y)
    response = model.decision_function(X)
    target = (1 - 2 / (len(y) + 2)) * y + 1 / (len(y) + 2)

    def loss(slope):
        return np.mean(np.logaddexp(0, slope * response) - target * slope * response)

    best = loss(model.response_slope_)
    assert best <= loss(1.01 * model.response_slope_)
    assert best <= loss(0.99 * model.response_slope_)


# Weights of rows and classes, orders, dtypes, layouts.


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("n_associative", [0, 30])
def test_a_row_of_weight_two_is_a_repeated_row(weights, n_associative):
    X, y = iris()
    counts = np.random.RandomState(0).randint(3, size=len(y))
    model = RosenblattPerceptron(n_associative, weights=weights, random_state=0)
    repeated = clone(model).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    weighted = clone(model).fit(X, y, sample_weight=counts)
    assert_array_equal(weighted.associative_thresholds_, repeated.associative_thresholds_)
    assert_array_equal(weighted.response_weights_, repeated.response_weights_)
    assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("scale", [0.1, 3.0, 7.3])
def test_only_ratios_of_weights_matter(weights, scale):
    """Although sums of other rows, which are equal, differ by rounding at another scale."""
    for seed in range(20):
        rng = np.random.RandomState(seed)
        X = rng.normal(size=(60, 3))
        y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)
        counts = rng.randint(1, 4, size=60)
        model = RosenblattPerceptron(0, weights=weights, max_iter=20, random_state=0)
        expected = model.fit(X, y, sample_weight=counts).response_weights_
        found = model.fit(X, y, sample_weight=scale * counts).response_weights_
        assert_allclose(found / scale, expected, rtol=1e-9, atol=1e-12)


def test_class_weight_multiplies_sample_weight():
    X, y = iris()
    factors = {0: 1.0, 1: 3.0, 2: 0.5}
    rows = np.array([factors[label] for label in y])
    plain = RosenblattPerceptron(0, shuffle=False, max_iter=5)
    expected = clone(plain).fit(X, y, sample_weight=rows)
    found = clone(plain).set_params(class_weight=factors).fit(X, y)
    assert_array_equal(found.response_weights_, expected.response_weights_)


def test_thresholds_depend_on_class_weights_as_on_sample_weights():
    X, y = iris()
    factors = {0: 1.0, 1: 3.0, 2: 0.5}
    plain = RosenblattPerceptron(20, random_state=0)
    by_class = clone(plain).set_params(class_weight=factors).fit(X, y)
    by_row = clone(plain).fit(X, y, sample_weight=[factors[label] for label in y])
    thresholds = plain.fit(X, y).associative_thresholds_
    assert_array_equal(by_class.associative_thresholds_, by_row.associative_thresholds_)
    assert (by_class.associative_thresholds_ != thresholds).any()


def test_balanced_classes_have_equal_weight():
    X, y = make_blobs([200, 10], centers=[[0, 0], [1.5, 1.5]], random_state=0)
    model = RosenblattPerceptron(0, weights="averaged", random_state=0)
    plain = clone(model).fit(X, y)
    balanced = clone(model).set_params(class_weight="balanced").fit(X, y)
    rare = y == 1
    assert balanced.score(X[rare], y[rare]) > plain.score(X[rare], y[rare])


def test_order_of_the_rows_does_not_matter_while_they_are_shuffled():
    X, y = iris()
    order = np.random.RandomState(1).permutation(len(y))
    a = RosenblattPerceptron(20, random_state=0).fit(X, y)
    b = RosenblattPerceptron(20, random_state=0).fit(X[order], y[order])
    assert_array_equal(a.response_weights_, b.response_weights_)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("n_associative", [0, 25])
def test_sparse_rows_give_what_dense_rows_give(weights, n_associative):
    X, y = load_digits(n_class=4, return_X_y=True)
    model = RosenblattPerceptron(n_associative, weights=weights, max_iter=5, random_state=0)
    dense, thin = clone(model).fit(X, y), clone(model).fit(sparse.csr_array(X), y)
    assert_allclose(thin.response_weights_, dense.response_weights_, rtol=1e-10, atol=1e-10)
    assert_allclose(thin.predict_proba(sparse.csr_array(X)), dense.predict_proba(X), rtol=1e-8)


def test_float32_rows_are_predicted_in_float32():
    X, y = iris()
    model = RosenblattPerceptron(20, random_state=0).fit(X.astype(np.float32), y)
    assert model.response_weights_.dtype == np.float64
    assert model.decision_function(X.astype(np.float32)).dtype == np.float32
    assert model.decision_function(X).dtype == np.float64


def test_float32_rows_meet_their_thresholds_as_in_training():
    # The midpoints of these numbers are not representable in float32.
    X = (2.0**24 + 2 * np.random.RandomState(0).randint(4, size=(100, 3))).astype(np.float32)
    y = (X[:, 0] > X.min() + 2).astype(int)
    model = RosenblattPerceptron(60, n_connections=1, max_iter=500, random_state=0).fit(X, y)
    assert model.converged_
    assert model.score(X, y) == 1


def test_memory_mapped_rows_are_as_good_as_rows_in_memory(tmp_path):
    X, y = iris()
    file = np.memmap(tmp_path / "rows", dtype=np.float64, mode="w+", shape=X.shape)
    file[:] = X
    a = RosenblattPerceptron(20, random_state=0).fit(file, y)
    assert_array_equal(
        a.response_weights_, RosenblattPerceptron(20, random_state=0).fit(X, y).response_weights_
    )


# Warm starts and partial fits.


@pytest.mark.parametrize("weights", WEIGHTS)
def test_partial_fits_in_order_equal_one_fit_of_as_many_epochs(weights):
    X, y = iris()
    whole = RosenblattPerceptron(0, weights=weights, shuffle=False, max_iter=4).fit(X, y)
    steps = RosenblattPerceptron(0, weights=weights, shuffle=False)
    for _ in range(4):
        steps.partial_fit(X, y, classes=[0, 1, 2])
    # Averages are updated by sums over a window, which may round differently in smaller windows.
    assert_allclose(steps.response_weights_, whole.response_weights_, rtol=1e-12)
    assert steps.mistakes_ == whole.mistakes_
    assert steps.t_ == whole.t_ == 4 * len(y)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_warm_start_goes_on(weights):
    X, y = iris()
    whole = RosenblattPerceptron(0, weights=weights, shuffle=False, max_iter=6).fit(X, y)
    parts = RosenblattPerceptron(0, weights=weights, shuffle=False, max_iter=3, warm_start=True)
    parts.fit(X, y).fit(X, y)
    # Average and pocket start again in each call.
    if weights == "plain":
        assert_array_equal(parts.response_weights_, whole.response_weights_)
    assert parts.mistakes_ == whole.mistakes_
    assert (parts.n_iter_, parts.t_) == (3, whole.t_)


def test_fitted_model_survives_pickling_and_goes_on_alike():
    X, y = iris()
    for weights in WEIGHTS:
        model = RosenblattPerceptron(20, weights=weights, random_state=0, max_iter=3).fit(X, y)
        copy = pickle.loads(pickle.dumps(model))
        assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
        assert_array_equal(
            copy.partial_fit(X, y).response_weights_, model.partial_fit(X, y).response_weights_
        )


def test_verbose_counts_mistakes(capsys):
    X, y, _ = separable()
    model = RosenblattPerceptron(0, verbose=True, random_state=0).fit(X, y)
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["epoch", "mistakes", "seconds", "left,", "max"]
    told = [tuple(map(int, row.split()[:2])) for row in rows]
    assert told == list(enumerate(model.mistakes_, start=1))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_generator_of_another_kind_goes_on_where_the_epochs_end():
    together, apart = (np.random.RandomState(np.random.PCG64(3)) for _ in range(2))
    X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
    several = RosenblattPerceptron(0, random_state=together).fit(X, y)
    # Callbacks are called for each epoch.
    single = RosenblattPerceptron(0, random_state=apart, callbacks=[EpochLogger()]).fit(X, y)
    assert several.mistakes_ == single.mistakes_
    assert together.randint(2**31) == apart.randint(2**31)


def test_interruption_leaves_a_usable_model(monkeypatch):
    X, y = iris()
    made = []
    present_epochs = Presentation.present_epochs

    def interrupted_after_a_while(*args):
        if len(made) > 5:
            raise KeyboardInterrupt
        mistakes = present_epochs(*args)
        made.extend(mistakes)
        return mistakes

    monkeypatch.setattr(Presentation, "present_epochs", interrupted_after_a_while)
    with pytest.warns(UserWarning, match="interrupted"):
        model = RosenblattPerceptron(0, random_state=0).fit(X, y)
    assert model.mistakes_ == made
    assert model.n_iter_ == len(made)
    assert model.predict(X).shape == y.shape


# Bad input.


def test_errors_say_what_to_do():
    X, y = iris()
    model = RosenblattPerceptron(10, n_connections=9)
    with pytest.raises(ValueError, match="n_connections=9 must be at most n_features=4"):
        model.fit(X, y)
    fitted = RosenblattPerceptron(10, warm_start=True, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="n_associative=20 must stay 10"):
        fitted.set_params(n_associative=20).fit(X, y)


def test_failed_continuation_leaves_the_memory_of_earlier_weights(monkeypatch):
    X, y = iris()
    model = RosenblattPerceptron(0, weights="averaged", random_state=0, max_iter=3).fit(X, y)
    undisturbed = pickle.loads(pickle.dumps(model)).partial_fit(X, y)

    def fail(*arguments):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("skperceptron.perceptron.estimator.slope_of", fail)
        with pytest.raises(MemoryError):
            model.partial_fit(X, y)
    assert_array_equal(model.partial_fit(X, y).response_weights_, undisturbed.response_weights_)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("n_rows", [8, 300, 2500])
@pytest.mark.parametrize("weights", ["plain", "averaged", "pocket"])
def test_rows_whose_responses_overflow_are_refused(n_rows, weights):
    X = np.random.RandomState(0).standard_normal((n_rows, 3))
    y = np.arange(n_rows) % 2
    model = RosenblattPerceptron(0, weights=weights, max_iter=2, random_state=0).fit(X, y)
    before = model.response_weights_.copy()
    for huge in (X * 1e200, np.abs(X) * 1e200, np.abs(X) * -1e200):
        with pytest.raises(ValueError, match=r"would overflow\. Scale X"):
            model.fit(huge, y)
    with pytest.raises(ValueError, match=r"up to 1e\+140: .* would overflow"):
        model.fit(X * 1e20, y, np.full(n_rows, 1e140))
    with pytest.raises(ValueError, match="would vanish"):
        clone(model).set_params(fit_intercept=False).fit(X * 1e-200, y)
    assert_array_equal(model.response_weights_, before)
    far = np.sign(before) * np.finfo(float).max
    model.response_weights_ = 10 * before
    with pytest.raises(ValueError, match=r"1 row\(s\), the first at position 1.*Scale X"):
        model.predict(np.concatenate([X[:1], far]))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_probabilities_of_large_float32_rows_are_finite():
    X = np.random.RandomState(0).standard_normal((60, 3)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    model = RosenblattPerceptron(0, random_state=0).fit(X * np.float32(1e15), y)
    probability = model.predict_proba(X * np.float32(1e38))
    assert np.isfinite(probability).all()
    assert_array_equal(model.classes_[probability.argmax(axis=1)], model.predict(X))


@pytest.mark.parametrize("before", [0, 7])
def test_a_fitted_perceptron_predicts_as_it_was_fitted_whatever_is_set_later(before):
    X, y = load_iris(return_X_y=True)
    model = RosenblattPerceptron(before, random_state=0, max_iter=5).fit(X, y)
    expected = model.predict(X)
    assert_array_equal(model.set_params(n_associative=7 - before).predict(X), expected)


@pytest.mark.parametrize("weights", ["plain", "averaged", "pocket"])
@pytest.mark.parametrize("n_associative", [0, 15])
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_class_of_weight_zero_counts_as_if_its_rows_were_left_out(
    weights, n_associative, shuffle
):
    X = np.repeat(np.eye(3), 10, axis=0)
    y = np.repeat([0, 1, 2], 10)
    model = RosenblattPerceptron(n_associative, weights=weights, shuffle=shuffle, random_state=0)
    left_out = clone(model).fit(X, y, (y != 2).astype(float))
    weighed = clone(model).set_params(class_weight={2: 0.0}).fit(X, y)
    assert weighed.mistakes_ == left_out.mistakes_
    assert weighed.converged_
    assert weighed.t_ == left_out.t_
    assert_array_equal(weighed.response_weights_, left_out.response_weights_)
    assert weighed.response_slope_ == left_out.response_slope_


def test_class_weights_choose_the_same_units_as_weights_of_rows():
    X, y = load_iris(return_X_y=True)
    model = RosenblattPerceptron(20, random_state=0, max_iter=5, weights="averaged")
    by_class = clone(model).set_params(class_weight={0: 1, 1: 2, 2: 4}).fit(X, y)
    by_row = clone(model).fit(X, y, 2.0**y)
    assert_array_equal(by_class.associative_thresholds_, by_row.associative_thresholds_)
    assert_array_equal(by_class.response_weights_, by_row.response_weights_)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("X", "weight", "class_weight"),
    [
        ([[1e250], [-1e250], [0.0]], [1e140, 1.0, 1.0], None),
        ([[1.0], [-1.0], [0.0]], [1.0, 1e-323, 1.0], "balanced"),
        # A single product is finite, but the sum of a thousand overflows.
        ([[1e153] * 1000, [-1e153] * 1000, [0.0] * 1000], [1.0, 1.0, 1.0], None),
    ],
)
def test_extremely_different_weights_are_refused_with_a_clear_message(X, weight, class_weight):
    network = RosenblattPerceptron(n_associative=0, class_weight=class_weight)
    with pytest.raises(ValueError, match=r"(?i)weight"):
        network.fit(X, [0, 1, 0], weight)
