"""Targets: how each encodes y and decodes raw predictions."""

import inspect
import pickle
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit, logit, softmax
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron._sklearn.fit_calls import FitMode
from skperceptron.estimators import targets
from skperceptron.estimators.comparison import Comparison, TrueValues
from skperceptron.estimators.fitted import fitted_network
from skperceptron.estimators.targets import (
    BoundedNumbers,
    Indicators,
    ManyClasses,
    Numbers,
    RegressionOptions,
    TwoClasses,
    WholeNumbers,
    integers,
)
from skperceptron.estimators.targets.regression import scored
from skperceptron.estimators.targets.units import Moments, Units
from skperceptron.exceptions import TooLargeError
from skperceptron.losses import GaussianNLL, Pinball
from skperceptron.model_selection import StackedGridSearchCV

FIT = FitMode(continuing=False, incremental=False)
PARTIAL_FIT = FitMode(continuing=True, incremental=True)


def asked(**given):
    return RegressionOptions.of(MLPRegressor(**given))


@dataclass
class Case:
    """An example of a kind of target.

    Attributes
    ----------
    estimator : estimator
        An estimator with this kind of target.
    y : ndarray
    rows : ndarray of shape (N, T)
        The encoded targets for training.
    raw : ndarray of shape (N, C)
        Raw predictions, in units of y, that decode to exactly y.
    """

    estimator: object
    y: object
    rows: object
    raw: object


SMALL = {"hidden_layer_sizes": (8,), "random_state": 0, "solver": "lbfgs", "max_iter": 200}
NUMBERS = np.array([1.0, 2.0, 5.0, 3.0, 0.5, 4.0])
SOFT = 0.1 + 0.7 * np.eye(3)[[2, 0, 1, 0, 1, 2]]
#: One row for each kind of target.
CASES = {
    targets.TwoClasses: Case(
        MLPBinaryClassifier(**SMALL),
        np.array(["no", "yes", "yes", "no", "no", "yes"]),
        np.array([[0.0], [1.0], [1.0], [0.0], [0.0], [1.0]]),
        np.array([[-3.0], [1.0], [2.0], [-1.0], [-9.0], [5.0]]),
    ),
    targets.ManyClasses: Case(
        MLPSoftmaxClassifier(**SMALL),
        np.array([7, 3, 5, 3, 5, 7]),
        np.eye(3)[[2, 0, 1, 0, 1, 2]],
        np.eye(3)[[2, 0, 1, 0, 1, 2]] - 0.5,
    ),
    targets.OrderedClasses: Case(
        MLPSoftmaxClassifier(loss="ordinal", **SMALL),
        np.array([7, 3, 5, 3, 5, 7]),
        np.tri(3, 2, -1)[[2, 0, 1, 0, 1, 2]],
        np.array([[5.0, 0.0], [-5.0, 10.0], [-9.0, 0.0]])[[2, 0, 1, 0, 1, 2]],
    ),
    targets.ClassProbabilities: Case(MLPSoftmaxClassifier(**SMALL), SOFT, SOFT, np.log(SOFT)),
    targets.Indicators: Case(
        MLPBinaryClassifier(**SMALL),
        np.array([[0, 1], [1, 0], [0, 0], [1, 1], [1, 0], [0, 1]]),
        np.array([[0, 1], [1, 0], [0, 0], [1, 1], [1, 0], [0, 1]]),
        np.array([[-1, 2], [3, -1], [-1, -1], [2, 1], [1, -2], [-3, 1]]),
    ),
    targets.Numbers: Case(
        MLPRegressor(standardize_target=False, **SMALL), NUMBERS, NUMBERS[:, None], NUMBERS[:, None]
    ),
    targets.BoundedNumbers: Case(
        MLPRegressor(output_range=(0, 8), standardize_target=False, **SMALL),
        NUMBERS,
        NUMBERS[:, None] / 8,
        logit(NUMBERS[:, None] / 8),
    ),
    targets.WholeNumbers: Case(
        MLPRegressor(output="categorical", **SMALL),
        np.array([2.0, 4.0, 3.0, 2.0, 4.0, 5.0]),
        np.eye(4)[[0, 2, 1, 0, 2, 3]],
        200 * np.eye(4)[[0, 2, 1, 0, 2, 3]],
    ),
}
EVERY_KIND = pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)


def test_every_target_has_a_row():
    public = [getattr(targets, name) for name in targets.__all__]
    kinds = [one for one in public if isinstance(one, type) and issubclass(one, targets.Target)]
    assert {kind for kind in kinds if not inspect.isabstract(kind)} == set(CASES)


@EVERY_KIND
def test_every_target_is_what_its_parameters_ask_for(kind):
    case = CASES[kind]
    found = case.estimator._choose_target(case.y, FIT)
    assert type(found) is kind


def score_of(target, raw, y):
    """Return the validation score of raw predictions of the rows of y."""
    rows = TrueValues(target.encode_validation(y), y, None)
    return Comparison(target, "score", [rows]).evaluate(raw[np.newaxis].copy())[1].item()


@EVERY_KIND
def test_every_target_encodes_y_for_the_network_and_decodes_predictions(kind):
    case = CASES[kind]
    target = case.estimator._choose_target(case.y, FIT)
    rows = target.encode(case.y, None, FIT, None)
    assert_allclose(rows.of_rows(), case.rows)
    assert_allclose(target.encode_validation(case.y).of_rows(), case.rows)
    raw = np.asarray(case.raw, dtype=np.float64)
    if kind is targets.ClassProbabilities:
        assert_array_equal(target.decode(raw.copy()), case.y.argmax(axis=1))
        assert_allclose(target.probabilities(raw.copy()), case.y)
    elif np.asarray(case.y).dtype.kind == "f":
        assert_allclose(target.decode(raw.copy())[:, 0], case.y, rtol=1e-9)
    else:
        assert_array_equal(target.decode(raw.copy()), case.y)
    assert score_of(target, raw, case.y) == pytest.approx(1)
    linked = target.linked(raw.copy())
    assert linked.shape == raw.shape and np.isfinite(linked).all()


@EVERY_KIND
def test_every_target_is_learned_stored_and_searched(kind):
    case = CASES[kind]
    # Rows far apart, so that any y can be learned.
    X = 3.0 * np.eye(6)
    model = clone(case.estimator).fit(X, case.y)
    assert model.score(X, case.y) > 0.9
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    twice = np.vstack([X, X]), np.concatenate([case.y, case.y])
    network = clone(case.estimator).set_params(solver="adam", max_iter=3, tol=0)
    grid, halves = {"alpha": [0.1, 1.0]}, [(np.arange(6), np.arange(6, 12))]
    with pytest.warns(ConvergenceWarning):
        scores = [
            search(network, grid, cv=halves, refit=False).fit(*twice).cv_results_
            for search in (GridSearchCV, StackedGridSearchCV)
        ]
    assert_allclose(*(score["mean_test_score"] for score in scores))


def first(target, y):
    """Return the target as after a first fit, and the encoded targets for training."""
    rows = target.encode(y, None, FIT, None)
    return target, rows.of_rows()


def test_two_classes_are_one_column_and_its_sign_decides():
    y = np.array(["no", "yes", "yes"])
    target, rows = first(TwoClasses("log_loss", None, "Name", same_classes=False), y)
    assert_array_equal(rows, [[0], [1], [1]])
    raw = 2 * rows - 1
    assert_array_equal(target.decode(raw), y)
    assert_allclose(target.probabilities(raw)[:, 1], expit(raw[:, 0]))
    assert score_of(target, raw, y[::-1]) == accuracy_score(y, y[::-1])


def test_many_classes_have_a_column_each_and_the_largest_decides():
    y = np.array([7, 3, 5, 3])
    target, rows = first(ManyClasses("log_loss", None, "Name", same_classes=False), y)
    assert_array_equal(rows, y[:, np.newaxis] == [3, 5, 7])
    assert_array_equal(target.decode(rows), y)
    assert_allclose(target.probabilities(rows.copy()), softmax(rows, axis=1))


@pytest.mark.parametrize("kind", [TwoClasses, Indicators])
def test_an_output_between_two_answers_is_the_first_one(kind):
    X = np.random.RandomState(0).normal(size=(9, 2))
    first_column = X[:, 0] > 0
    y = first_column.astype(int) if kind is TwoClasses else np.column_stack([first_column] * 2) * 1
    model = MLPBinaryClassifier((), max_iter=1, tol=1).fit(X, y)
    model.coefs_ = [np.zeros_like(model.coefs_[0])]
    model.intercepts_ = [np.zeros_like(model.intercepts_[0])]
    assert isinstance(fitted_network(model).target, kind)
    assert (model.predict_proba(X) == 0.5).all()
    assert not model.predict(X).any()


def test_targets_of_validation_rows_must_be_integers_too():
    X, y = np.eye(3), np.arange(3.0)
    model = MLPRegressor(output="categorical", hidden_layer_sizes=(), early_stopping=True)
    with pytest.raises(ValueError, match="needs integers"):
        model.fit(X, y, X_val=X, y_val=y / 2)


def test_integers_may_be_large_as_long_as_their_range_is_short():
    X, y = np.eye(3), 10**9 + np.arange(3.0)
    model = MLPRegressor(output="categorical", hidden_layer_sizes=(), solver="lbfgs", alpha=0)
    assert_allclose(model.fit(X, y).predict(X), y, rtol=0, atol=0.1)
    assert_array_equal(model.values_, y)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_indicators_come_back_in_the_form_of_y(form):
    y = np.array([[0, 1, 1], [1, 0, 0]])
    target, rows = first(Indicators("log_loss", None, "Name", same_classes=False), form(y))
    assert_array_equal(rows, y)
    found = target.decode(rows - 0.5)
    assert sparse.issparse(found) == (form is sparse.csr_array)
    assert_array_equal(found.toarray() if sparse.issparse(found) else found, y)


@pytest.mark.parametrize("kind", ["mean", "mode"])
def test_integers_are_a_distribution_whose_mean_or_mode_is_predicted(kind):
    y = np.array([2, 4, 3])
    given = asked(output="categorical", categorical_prediction=kind, output_range=(1, 4))
    target, rows = first(WholeNumbers(given), y)
    assert_array_equal(rows, y[:, np.newaxis] == [1, 2, 3, 4])
    raw = np.log(np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.2, 0.2, 0.1]]))
    assert_allclose(target.decode(raw)[:, 0], [3.0, 1.9] if kind == "mean" else [4, 1])


def test_bounded_numbers_fill_the_unit_interval():
    target, rows = first(BoundedNumbers(asked(output_range=(-1, 3))), np.array([-1.0, 1.0, 3.0]))
    assert_array_equal(rows[:, 0], [0, 0.5, 1])
    raw = np.array([[0.0], [2.0]])
    assert_allclose(target.decode(raw.copy()), -1 + 4 * expit(raw))


@pytest.mark.parametrize("loss", ["squared_error", "gaussian_nll", "pinball", "poisson", "gamma"])
def test_a_folded_layer_predicts_in_units_of_y_and_unfolding_undoes_it(loss):
    rng = np.random.RandomState(0)
    y = 300 + rng.normal(size=50) * 20
    target, rows = first(Numbers(asked(loss=loss, standardize_target=True)), y)
    n = target.loss.outputs_per_target
    weight, bias = rng.normal(size=(4, n)), rng.normal(size=n)
    h = rng.normal(size=(9, 4))
    own = h @ weight + bias
    folded = target.fold(weight, bias)
    shift, scale = target.units.shift, target.units.scale
    # Only the first output: the network's own prediction after the link, in units of y.
    linked, expected = own.copy(), h @ folded[0] + folded[1]
    target.loss.inverse_link(linked, out=linked)
    target.loss.inverse_link(expected, out=expected)
    assert_allclose(shift + scale * linked[:, 0], expected[:, 0])
    assert_allclose(shift + scale * rows[:, 0], y)
    for before, after in zip((weight, bias), target.unfold(*folded), strict=True):
        assert_allclose(after, before, rtol=1e-9, atol=1e-9)


def test_a_regression_is_scored_by_r2_of_predictions_in_units_of_y():
    rng = np.random.RandomState(0)
    y = 1000 + 50 * rng.normal(size=40)
    target, rows = first(Numbers(asked()), y)
    raw = rows + 0.3 * rng.normal(size=rows.shape)
    predicted = target.units.shift + target.units.scale * raw
    assert_allclose(score_of(target, raw, y), r2_score(y, predicted))


@pytest.mark.parametrize("loss", ["squared_error", Pinball(0.5)])
@pytest.mark.parametrize("given, fitted", [(2, 1), (3, 1), (1, 2), (3, 2)])
def test_scores_refuse_another_number_of_columns(loss, given, fitted):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 3))
    model = MLPRegressor(loss, hidden_layer_sizes=(), max_iter=2, tol=1).fit(X, y[:, :fitted])
    with pytest.raises(ValueError, match=rf"different number of output \({given}!={fitted}\)"):
        model.score(X, y[:, :given])


@pytest.mark.parametrize("columns", [(1, 2), (2, 1), (2, 3)])
def test_another_number_of_targets_is_refused_before_the_fit_continues(columns):
    X = np.random.RandomState(0).normal(size=(20, 3))
    y, other = (X[:, :n] for n in columns)
    message = "{} has {} columns, but {} are expected"
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=2, tol=1, warm_start=True).fit(X, y)
    for go_on in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=message.format("y", *columns[::-1])):
            go_on(X, other)
    model.set_params(warm_start=False, early_stopping=True)
    with pytest.raises(ValueError, match=message.format("y_val", *columns[::-1])):
        model.fit(X, y, X_val=X, y_val=other)


def test_several_numbers_for_a_target_that_are_no_moments_have_no_score():
    class Parameters(GaussianNLL):
        estimates_std = False

    X = np.random.RandomState(0).normal(size=(20, 3))
    model = MLPRegressor(loss=Parameters(), hidden_layer_sizes=(), max_iter=2, tol=1)
    model.fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"loss=Parameters\(\) predicts 2 numbers for each"):
        model.score(X, X[:, 0])


def test_moments_of_parts_are_those_of_all_rows():
    rng = np.random.RandomState(0)
    y, weight = rng.normal(5, 3, size=(30, 2)), rng.uniform(size=30)
    found = Moments.of(y[:7], weight[:7]).joined(Moments.of(y[7:], weight[7:]))
    mean = np.average(y, axis=0, weights=weight)
    assert_allclose(found.mean, mean)
    assert_allclose(found.deviation**2, np.average((y - mean) ** 2, axis=0, weights=weight))
    assert_allclose(found.n_rows, weight.sum() ** 2 / (weight**2).sum())
    assert Moments.of(y, None).joined(Moments.of(y, np.full(30, 1e-300))).n_rows == 30
    assert_allclose(Moments.of(y[:7], None).joined(Moments.of(y[7:], np.ones(23))).n_rows, 30)


def test_a_later_call_uses_the_units_of_the_first():
    y = np.linspace(1000, 2000, 100)
    target, rows = first(Numbers(asked()), y)
    later = Numbers(asked())
    found = later.encode(y[:5] + 7, None, PARTIAL_FIT, target).of_rows()
    assert later.key_of_units == target.key_of_units
    assert_allclose(found, rows[:5] + 7 / target.units.scale)


@pytest.mark.parametrize(
    ("shift", "scale", "lost"),
    [
        (0, 1, False),
        (3, 1, False),
        (1e6, 1, True),
        (1e6, 2.0**20, False),
        (1, 2.0**-20, True),
        (0, 1e-35, True),
        (0, 1e35, True),
    ],
)
def test_units_state_whether_float32_would_lose_numbers(shift, scale, lost):
    units = Units(np.array([float(shift)]), np.array([scale]))
    assert units.outgrow_float32(np.array([])) == lost


@pytest.mark.parametrize("sizes", [[10, 200], [200, 10]])
def test_each_member_of_a_search_is_checked_with_its_own_batch_size(monkeypatch, sizes):
    monkeypatch.setattr(integers, "LARGEST_DISTRIBUTION", 2000)
    X = np.random.RandomState(0).normal(size=(400, 2))
    y = np.arange(400) % 100
    network = MLPRegressor(
        hidden_layer_sizes=(3,), output="categorical", max_iter=1, tol=0, random_state=0
    )
    search = StackedGridSearchCV(network, {"batch_size": sizes}, cv=2, refit=False)
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4"):
        search.fit(X, y)
    finite = np.isfinite(search.cv_results_["mean_test_score"])
    assert_array_equal(finite, np.array(sizes) == 10)
    with pytest.raises(MemoryError, match="100 values times 200 rows"):
        network.set_params(batch_size=200).fit(X, y)
    with pytest.raises(TooLargeError, match="100 values times 300"):
        network.set_params(batch_size=10, hidden_layer_sizes=(300,)).fit(X, y)


@pytest.mark.parametrize("largest", [2.0**60, 1e300])
def test_integers_far_apart_are_refused_before_anything_counts_them(largest):
    y = np.where(np.arange(20) % 2, largest, 0)
    network = MLPRegressor(hidden_layer_sizes=(3,), output="categorical", solver="lbfgs")
    with pytest.raises(TooLargeError, match="one output for each integer from 0 to"):
        network.fit(np.ones((20, 2)), y)


# Predictions within the range of the training targets.

FAR = np.linspace(-30, 30, 50)[:, np.newaxis] * [1, -1, 0.5]


def clipped_and_free(X, y, **options):
    options = {"random_state": 0, "max_iter": 30, "dtype": "float64"} | options
    for clip in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            yield MLPRegressor(clip_predictions=clip, **options).fit(X, y)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("loss", ["squared_error", Pinball([0.2, 0.8]), "gaussian_nll"], ids=str)
def test_clipped_predictions_stay_within_the_targets_and_are_else_the_same(loss, standardize):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 3))
    y = np.column_stack([X[:, 0] * 5 + 20, X[:, 1]]) if loss == "squared_error" else X[:, 0] * 5
    clipped, free = clipped_and_free(X, y, loss=loss, standardize_target=standardize)
    expected = free.predict(FAR)
    least, largest = y.min(axis=0), y.max(axis=0)
    assert (expected > largest).any() or (expected < least).any()
    assert_allclose(clipped.predict(FAR), np.clip(expected, least, largest), rtol=1e-12)
    if loss == "gaussian_nll":
        deviations = [model.predict(FAR, return_std=True)[1] for model in (clipped, free)]
        assert_array_equal(*deviations)


def test_many_rows_of_one_value_do_not_settle_the_unit_of_a_stream():
    X = np.random.RandomState(0).normal(size=(300, 2))
    model = MLPRegressor(hidden_layer_sizes=(3,), standardize_target=True, random_state=0)
    model.partial_fit(X, np.full(300, 5.0)).partial_fit(X, 1000 * X[:, 0])
    assert 300 < fitted_network(model).target.units.scale[0] < 3000


def test_rows_of_almost_no_weight_do_not_settle_the_unit_of_a_stream():
    X = np.random.RandomState(0).normal(size=(300, 2))
    y, weight = 1000 * X[:, 0], np.full(300, 1e-12)
    weight[:2] = 1
    model = MLPRegressor(hidden_layer_sizes=(3,), standardize_target=True, random_state=0)
    model.partial_fit(X, y, weight)
    model.partial_fit(X[2:40], y[2:40])
    assert fitted_network(model).target.units.scale[0] == 1024
    model.partial_fit(X, 100 * y)
    assert fitted_network(model).target.units.scale[0] == 1024


@pytest.mark.parametrize(
    ("first", "y", "options"),
    [
        (20, lambda t: 1e-6 * t, {}),
        (1, lambda t: 1e-3 * t, {"solver": "sgd", "learning_rate_init": 0.02}),
        (1, lambda t: 100 + 1e-3 * t, {}),
        (20, lambda t: 1e-6 * np.exp(t), {"loss": "poisson"}),
        (20, lambda t: 1e-6 * t, {"averaging": "ema"}),
        (20, lambda t: np.column_stack([1e-6 * t, 5 * t]), {}),
    ],
    ids=["tiny", "small, SGD", "far from zero", "counts", "averaged", "beside another"],
)
def test_a_stream_in_a_small_unit_is_learned_whatever_its_first_rows(first, y, options):
    X = np.random.RandomState(0).normal(size=(600, 2))
    y = y(X[:, 0])
    options = {"learning_rate_init": 0.01, "dtype": "float64"} | options
    model = MLPRegressor(hidden_layer_sizes=(20,), random_state=0, **options)
    model.partial_fit(X[:first], y[:first])
    for _ in range(6):
        for start in range(0, 600, 60):
            model.partial_fit(X[start : start + 60], y[start : start + 60])
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, 1), (100, 1)), ((0, 1e3), (0, 1)), ((5, 1e-3), (-5, 1e-3)), ((1e6, 1e3), (0, 1))],
)
@pytest.mark.parametrize("loss", ["squared_error", "gaussian_nll", "gamma"])
def test_a_warm_start_learns_targets_in_other_units(first, second, loss):
    X = np.random.RandomState(0).normal(size=(200, 2))

    def targets(mean, scale):
        return scale * np.exp(0.5 * X[:, 0]) if loss == "gamma" else mean + scale * X[:, 0]

    options = {"learning_rate_init": 0.02, "max_iter": 150, "random_state": 0}
    model = MLPRegressor(loss, hidden_layer_sizes=(10,), warm_start=True, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, targets(*first)).fit(X, targets(*second))
    assert model.score(X, targets(*second)) > 0.9


@pytest.mark.filterwarnings("error")
def test_units_may_change_from_the_largest_numbers_to_the_smallest():
    X = np.random.RandomState(0).normal(size=(40, 2))
    y = 1 + 1e-3 * np.tanh(X[:, 0])
    model = MLPRegressor(hidden_layer_sizes=(4,), tol=1e-2, warm_start=True, random_state=0)
    for size in (1.5e308, -1.5e308, 1e-300):
        assert np.isfinite(model.fit(X, size * y).predict(X)).all()
    joined = Moments.of(np.full((9, 1), 1.5e308), None).joined(
        Moments.of(np.full((9, 1), -1.5e308), None)
    )
    assert_allclose([joined.mean, joined.deviation], [[0], [1.5e308]], rtol=1e-12)


def test_weights_too_large_for_smaller_units_keep_their_numbers():
    y = np.random.RandomState(0).normal(size=100)
    y -= y.mean()
    earlier, now = (first(Numbers(asked()), size * y)[0] for size in (1e6, 1))
    weight, bias = np.ones((3, 1)), np.zeros(1)
    found = now.taken_over(*earlier.fold(weight, bias), earlier)
    assert_allclose(found[0], weight)
    assert_allclose(found[1], bias, atol=1e-9)


def test_a_few_rows_close_together_do_not_tell_the_unit_of_a_stream():
    X = np.random.RandomState(0).normal(size=(20, 2))
    model = MLPRegressor(hidden_layer_sizes=(4,)).partial_fit(X, 1e-3 * X[:, 0])
    assert not fitted_network(model).target.units.differ_from_y


def test_a_learned_function_survives_other_units():
    X = np.random.RandomState(0).normal(size=(80, 2))
    y = 100 + X[:, 0]
    model = MLPRegressor(hidden_layer_sizes=(5,), tol=1e-2, dtype="float64", random_state=0)
    before = model.fit(X[:20], y[:20]).predict(X)
    model.set_params(learning_rate_init=1e-12).partial_fit(X[20:], y[20:])
    assert_allclose(model.predict(X), before, rtol=1e-6)
    model.set_params(warm_start=True).fit(X, 2 * y - 99)
    assert_allclose(model.predict(X), before, rtol=1e-6)


def test_range_is_that_of_rows_that_count_and_grows_with_a_stream():
    X, y = np.eye(6, 3), np.arange(6.0)
    weight = [1, 1, 1, 1, 1, 0]
    model = MLPRegressor(clip_predictions=True, max_iter=1, random_state=0)
    model.partial_fit(X[:3], y[:3]).partial_fit(X, y, weight)
    target = fitted_network(model).target
    assert (target.least, target.largest) == (0, 4)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(FAR), model.predict(FAR))
    assert model.predict(FAR).max() <= 4


@pytest.mark.filterwarnings("error")
def test_a_bound_beyond_float32_limits_nothing_in_float32():
    X, y = np.eye(4, 3, dtype="float32"), np.array([1.0, 2.0, 3.0, 1e300])
    # The last row is in no batch.
    batches = {"batch_size": 3, "drop_last": True, "shuffle": False}
    model = MLPRegressor(
        clip_predictions=True, standardize_target=False, dtype="float32", max_iter=1, **batches
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    found = model.predict(X)
    assert np.isfinite(found).all() and found.min() >= 1


def test_validation_scores_are_those_of_clipped_predictions():
    rng = np.random.RandomState(0)
    X = rng.standard_t(2, size=(80, 3))
    y = np.tanh(X[:, 0])
    model, _ = clipped_and_free(X, y, early_stopping=True, batch_size=20)
    model.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert model.score(X[60:], y[60:]) == pytest.approx(model.best_validation_score_)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_the_worst_score_is_a_number():
    y, weight = np.array([1.0 + 1e-15, 1.0, 1.0, 1.0]), np.array([1e-120, 1.0, 1.0, 1.0])
    score = scored(r2_score, y, np.full(4, -1e200), weight)
    assert -np.inf < score < -1e300


def test_the_size_of_weights_changes_no_score():
    X = np.random.RandomState(0).normal(size=(20, 2))
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=1).fit(X, X[:, 0])
    expected = model.score(X, X[:, 0])
    assert_allclose(model.score(X, X[:, 0], np.full(20, 1e308)), expected, rtol=1e-12)


def test_the_fit_decides_whether_there_is_a_distribution():
    X, y = np.eye(6, 3), np.arange(6) % 3
    model = MLPRegressor(max_iter=1, random_state=0)
    assert not hasattr(model, "predict_proba")
    assert hasattr(clone(model).set_params(output="categorical"), "predict_proba")
    model.fit(X, y).set_params(output="categorical")
    with pytest.raises(AttributeError, match="predict_proba"):
        model.predict_proba(X)
    model.fit(X, y).set_params(output="continuous")
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("how", ["targets", "validation"])
def test_numbers_that_float32_cannot_hold_are_refused_with_a_clear_message(how):
    X, y = np.eye(6, 3), np.arange(6.0)
    network = MLPRegressor(
        hidden_layer_sizes=(3,), dtype="float32", standardize_target=False, max_iter=2
    )
    own = {} if how == "targets" else {"X_val": 1e100 * X, "y_val": y}
    with pytest.raises(ValueError, match=r"(?i)diverged|far larger values"):
        network.fit(X, 1e40 * y if how == "targets" else y, **own)


def test_default_regressor_learns_a_target_of_everyday_units():
    X, y = load_diabetes(return_X_y=True)
    rows, test = np.arange(0, 300), np.arange(300, len(y))
    default, raw = (
        make_pipeline(StandardScaler(), MLPRegressor(random_state=0, **options))
        .fit(X[rows], y[rows])
        .score(X[test], y[test])
        for options in ({}, {"standardize_target": False})
    )
    assert raw < 0
    assert default > 0.4


@pytest.mark.parametrize(
    ("deviation", "mean", "is_changed"),
    [
        (1.0, 0.0, False),
        (0.51, 0.5, False),
        (1.99, -1.9, False),
        (0.49, 0.0, True),
        (2.01, 0.0, True),
        (1.0, 1.01, True),
        (1.0, -1.01, True),
    ],
)
def test_auto_leaves_columns_alone_that_are_standardized_already(deviation, mean, is_changed):
    y = np.random.RandomState(0).normal(size=100)
    y = (y - y.mean()) / y.std()
    # Each column is decided on its own: the other one is always standardized.
    both = np.c_[mean + deviation * y, 1e6 * y]
    target, _ = first(Numbers(asked(standardize_target="auto")), both)
    assert (target.units.scale[0] != 1 or target.units.shift[0] != 0) == is_changed
    assert target.units.scale[1] == 2**20


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("n_rows", [2, 300])
def test_probabilities_of_classes_that_are_infinitely_far_apart_are_one_and_zero(n_rows):
    network = MLPSoftmaxClassifier(hidden_layer_sizes=(), max_iter=1, random_state=0)
    network.fit(np.eye(3), [0, 1, 2])
    network.coefs_ = [np.array([[1.7e308, -1.7e308, 0.0]] * 3)]
    network.intercepts_ = [np.zeros(3)]
    found = network.predict_proba(np.tile([1.0, 0.0, 0.0], (n_rows, 1)))
    assert_allclose(found, np.tile([1.0, 0.0, 0.0], (n_rows, 1)), atol=1e-12)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_decision_between_two_classes_that_are_infinitely_far_apart_is_the_largest_float():
    network = MLPSoftmaxClassifier(hidden_layer_sizes=(), max_iter=1, random_state=0)
    network.fit(np.eye(2), [0, 1])
    network.coefs_ = [np.array([[1.7e308, -1.7e308], [-1.0, 2.0]])]
    network.intercepts_ = [np.zeros(2)]
    assert_array_equal(network.decision_function(np.eye(2)), [-np.finfo(float).max, 3.0])


def test_the_order_of_numbers_in_memory_makes_no_difference():
    # A full batch sorts its rows by their bits, and so decides which of them a dropout mask meets.
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, 3)), rng.gamma(2, 100, size=(60, 2))
    network = MLPRegressor(hidden_layer_sizes=(4,), dropout=0.2, max_iter=3, random_state=0)
    expected = clone(network).fit(X, y).predict(X)
    assert_array_equal(network.fit(X, np.asfortranarray(y)).predict(X), expected)


@pytest.mark.parametrize("options", [{}, {"output_range": (-5000, 5000)}], ids=["free", "bounded"])
def test_weights_equal_repeated_rows_bit_for_bit_in_units_of_y(options):
    rng = np.random.RandomState(0)
    X, Y = rng.normal(size=(60, 3)), rng.normal(50, 1000, size=(60, 6))
    weight = rng.randint(1, 4, size=60)
    repeated = rng.permutation(np.repeat(np.arange(60), weight))
    network = MLPRegressor(
        hidden_layer_sizes=(4,), batch_size=200, dropout=0.2, max_iter=3, random_state=0, **options
    )
    expected = clone(network).fit(X[repeated], Y[repeated]).predict(X)
    assert_array_equal(network.fit(X, Y, sample_weight=weight).predict(X), expected)
