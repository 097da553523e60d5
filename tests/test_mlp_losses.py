"""Losses and class weights through the estimators."""

import inspect
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.linear_model import GammaRegressor, LogisticRegression, QuantileRegressor
from sklearn.metrics import accuracy_score, balanced_accuracy_score, d2_pinball_score, r2_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from skperceptron import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
)
from skperceptron.callbacks import Checkpoint
from skperceptron.losses import (
    BinaryFocalLoss,
    BinaryLogLoss,
    CategoricalFocalLoss,
    CategoricalLogLoss,
    GaussianNLL,
    Huber,
    Loss,
    Pinball,
    get_loss,
    list_losses,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:Got .*batch_size.* larger than:UserWarning",
)

CLASSIFIERS = [MLPBinaryClassifier, MLPSoftmaxClassifier]
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}
GOOD = {"hidden_layer_sizes": (8,), "max_iter": 60, "learning_rate_init": 0.02, "random_state": 0}

REGRESSION = [
    *(get_loss(name) for name in list_losses("regression")),
    Huber(0.3),
    Pinball([0.1, 0.5, 0.9]),
]
EVERY_REGRESSION = pytest.mark.parametrize("loss", REGRESSION, ids=repr)
CLASSIFICATION = [
    (cls, loss)
    for cls, losses in (
        (MLPBinaryClassifier, [BinaryLogLoss(0.1), BinaryFocalLoss(), BinaryFocalLoss(1.5, 0.25)]),
        (MLPSoftmaxClassifier, [CategoricalLogLoss(0.1), CategoricalFocalLoss(alpha=[1, 2, 3])]),
    )
    for loss in losses
]
EVERY_CLASSIFICATION = pytest.mark.parametrize(("cls", "loss"), CLASSIFICATION, ids=repr)


def diabetes():
    """Return positive targets of size 1."""
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X)[::2], y[::2] / 100


def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def imbalanced(n_rows=600):
    """Return two overlapping classes, one of them rare."""
    rng = np.random.RandomState(0)
    y = (rng.uniform(size=n_rows) < 0.1).astype(int)
    return rng.normal(size=(n_rows, 2)) + y[:, np.newaxis], y


def data_for(cls):
    if cls is MLPBinaryClassifier:
        return imbalanced(200)
    return iris() if cls is MLPSoftmaxClassifier else diabetes()


def same_weights(a, b):
    return all(
        np.array_equal(x, y)
        for name in ("coefs_", "intercepts_")
        for x, y in zip(getattr(a, name), getattr(b, name), strict=True)
    )


# Regression.


@EVERY_REGRESSION
def test_every_loss_is_learned_and_its_string_means_its_defaults(loss):
    X, y = diabetes()
    model = MLPRegressor(loss, **GOOD).fit(X, y)
    median = isinstance(loss, Pinball)
    assert model.score(X, y) > (0.3 if median else 0.45)
    assert model.n_outputs_ == model.coefs_[-1].shape[1] == loss.outputs_per_target
    assert model.out_activation_ == loss.out_activation
    if loss.get_params() == type(loss)().get_params():
        for name in loss.names:
            assert same_weights(model, clone(model).set_params(loss=name).fit(X, y))


@EVERY_REGRESSION
@pytest.mark.parametrize("exponent", [-20, 20])
def test_units_of_the_target_do_not_matter(loss, exponent):
    X, y = diabetes()
    # With a power of two, the network's own targets are the same to the last bit.
    unit, shift = 2.0**exponent, 3.0 * (loss.equivariance == "affine")
    model = MLPRegressor(loss, **SMALL, standardize_target=True, dtype="float64")
    in_units = clone(model)
    if isinstance(loss, Huber):
        in_units.set_params(loss__delta=loss.delta * unit)
    plain, in_units = model.fit(X, y), in_units.fit(X, unit * (y + shift))
    assert_allclose(in_units.loss_curve_, plain.loss_curve_, rtol=1e-9)
    found = np.asarray(in_units.predict(X))
    assert_allclose(found, unit * (plain.predict(X) + shift), rtol=1e-9)
    if loss.estimates_std:
        ratio = in_units.predict(X, return_std=True)[1] / plain.predict(X, return_std=True)[1]
        assert_allclose(ratio, unit, rtol=1e-9)


@EVERY_REGRESSION
@pytest.mark.parametrize("unit", [1e-6, 1e6])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_default_fit_learns_targets_of_any_size(loss, unit, solver):
    X, y = diabetes()
    model = MLPRegressor(loss, **GOOD, solver=solver).fit(X, unit * y)
    assert model.score(X, unit * y) > (0.3 if isinstance(loss, Pinball) else 0.45)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_losses_of_scikit_learn_keep_ordinary_units_and_others_do_not(loss):
    X, y = diabetes()
    raw = {"standardize_target": False}
    ordinary = y if loss == "poisson" else y - y.mean()
    assert same_weights(
        MLPRegressor(loss, **SMALL).fit(X, ordinary),
        MLPRegressor(loss, **SMALL, **raw).fit(X, ordinary),
    )
    for other in ("huber", "gamma"):
        auto = MLPRegressor(other, **SMALL).fit(X, 100 * y)
        assert not same_weights(auto, MLPRegressor(other, **SMALL, **raw).fit(X, 100 * y))
        assert same_weights(
            auto, MLPRegressor(other, **SMALL, standardize_target=True).fit(X, 100 * y)
        )


@EVERY_REGRESSION
def test_several_targets_have_their_outputs_side_by_side(loss):
    X, y = diabetes()
    Y = np.c_[y, 1e4 * y]
    model = MLPRegressor(loss, **GOOD).fit(X, Y)
    k = loss.outputs_per_target
    assert model.n_outputs_ == 2 * k
    predicted = model.predict(X)
    assert predicted.shape == (len(X), 2) + ((k,) if isinstance(loss, Pinball) and k > 1 else ())
    assert model.score(X, Y) > 0.25
    per_target = predicted.mean(axis=0).reshape(2, -1)
    assert_allclose(per_target[1] / per_target[0], 1e4, rtol=0.3)


def assert_weights_equal_repeated_rows(model, X, y):
    times = np.random.RandomState(0).randint(0, 4, size=len(X))
    weighted = clone(model).fit(X, y, sample_weight=times)
    repeated = clone(model).fit(X.repeat(times, axis=0), y.repeat(times))
    assert_allclose(weighted.coefs_[0], repeated.coefs_[0], rtol=1e-6, atol=1e-8)
    assert_allclose(weighted.loss_, repeated.loss_, rtol=1e-6)


@EVERY_REGRESSION
def test_weights_equal_repeated_rows(loss):
    assert_weights_equal_repeated_rows(MLPRegressor(loss, **SMALL, batch_size=2000), *diabetes())


@EVERY_REGRESSION
def test_partial_fits_equal_one_fit_of_as_many_epochs(loss):
    X, y = diabetes()
    whole = MLPRegressor(loss, **{**SMALL, "max_iter": 4}, shuffle=False).fit(X, 1e5 * y)
    parts = clone(whole)
    for _ in range(4):
        parts.partial_fit(X, 1e5 * y)
    assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-6)
    assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-6)


def test_quantiles_are_ordered_and_cover_their_share():
    rng = np.random.RandomState(0)
    X = rng.uniform(-1, 1, size=(1000, 2))
    y = X[:, 0] + (0.1 + np.abs(X[:, 1])) * rng.normal(size=1000)
    quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
    model = MLPRegressor(Pinball(quantiles), **GOOD).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (1000, 5)
    assert_allclose((y[:, np.newaxis] <= predicted).mean(axis=0), quantiles, atol=0.04)
    # Quantiles do not cross far from the data either, where raw outputs do.
    far = 100 * rng.normal(size=(1000, 2))
    raw = model._raw_predictions(far)
    assert (np.diff(raw, axis=1) < 0).any()
    assert (np.diff(model.predict(far), axis=1) >= 0).all()
    scores = [d2_pinball_score(y, predicted[:, i], alpha=q) for i, q in enumerate(quantiles)]
    assert model.score(X, y) == pytest.approx(np.mean(scores))


def test_score_of_a_pinball_loss_is_d2_with_weights():
    X, y = diabetes()
    weight = np.random.RandomState(0).uniform(size=len(X))
    model = MLPRegressor(Pinball(0.9), **SMALL).fit(X, y)
    wanted = d2_pinball_score(y, model.predict(X), sample_weight=weight, alpha=0.9)
    assert model.score(X, y, sample_weight=weight) == pytest.approx(wanted)
    one = MLPRegressor(Pinball([0.9]), **SMALL).fit(X, y)
    assert_array_equal(one.predict(X), model.predict(X))
    assert one.score(X, y) == model.score(X, y)


def test_gaussian_loss_finds_mean_and_standard_deviation():
    rng = np.random.RandomState(0)
    X = rng.uniform(-1, 1, size=(3000, 1))
    true_std = 1e4 * np.exp(X[:, 0])
    y = 1e6 + 5e4 * X[:, 0] + true_std * rng.normal(size=3000)
    model = MLPRegressor("gaussian_nll", **GOOD).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    assert_array_equal(model.predict(X), mean)
    assert std.shape == mean.shape == (3000,)
    assert_allclose(mean, 1e6 + 5e4 * X[:, 0], atol=3e3)
    assert_allclose(std, true_std, rtol=0.2)


@pytest.mark.parametrize("model", [MLPRegressor(), MLPRegressor("pinball")], ids=repr)
def test_only_a_loss_with_a_variance_predicts_standard_deviations(model):
    X, y = diabetes()
    with pytest.raises(ValueError, match=r"return_std=True.*'gaussian_nll', got loss='"):
        model.set_params(**SMALL).fit(X, y).predict(X, return_std=True)


def test_gamma_without_hidden_layers_is_scikit_learns_gamma_regressor():
    X, y = diabetes()
    theirs = GammaRegressor(alpha=0.1, tol=1e-10, max_iter=1000).fit(X, y)
    ours = MLPRegressor(
        "gamma", (), solver="lbfgs", alpha=0.1 * len(X), tol=1e-10, max_iter=1000, random_state=0
    ).fit(X, y)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5)


def test_pinball_without_hidden_layers_is_nearly_the_best_linear_quantile():
    X, y = diabetes()
    best = QuantileRegressor(quantile=0.8, alpha=0).fit(X, y)
    ours = MLPRegressor(
        Pinball(0.8), (), alpha=0, max_iter=2000, tol=0, n_iter_no_change=2000,
        learning_rate_init=0.005, random_state=0,
    ).fit(X, y)  # fmt: skip
    wanted = d2_pinball_score(y, best.predict(X), alpha=0.8)
    assert wanted - 0.01 < ours.score(X, y) <= wanted


def held_out_rows(X, width, n_outputs, stratify=None):
    """Return the validation rows, drawn after the initial weights."""
    rng = np.random.RandomState(0)
    for a, b in [(X.shape[1], width), (width, n_outputs)]:
        rng.uniform(size=a * b + b)
    return train_test_split(np.arange(len(X)), test_size=0.1, random_state=rng, stratify=stratify)[
        1
    ]


@EVERY_REGRESSION
def test_early_stopping_monitors_r2_of_means_and_the_negative_loss_of_the_others(loss):
    X, y = diabetes()
    model = MLPRegressor(loss, **SMALL, early_stopping=True, standardize_target=False).fit(X, y)
    rows = held_out_rows(X, 8, model.n_outputs_)
    if loss.judged_by_r2:
        wanted = r2_score(y[rows], model.predict(X[rows]))
    else:
        wanted = -loss.mean(model._raw_predictions(X[rows]), y[rows, np.newaxis])
    assert model.best_validation_score_ == pytest.approx(wanted)


@pytest.mark.parametrize("loss", ["absolute_error", "gaussian_nll"])
def test_validation_scores_do_not_depend_on_units(loss):
    X, y = diabetes()
    scores = [
        MLPRegressor(loss, **SMALL, early_stopping=True).fit(X, unit * y).validation_scores_
        for unit in (1, 1024)
    ]
    assert_allclose(*scores, rtol=1e-9)


def test_parameters_of_a_loss_are_searched_by_their_nested_names():
    X, y = diabetes()
    grid = (
        {"loss": [Huber(), Pinball()], "alpha": [1e-4]},
        {
            "loss": [Huber()],
            "loss__delta": [0.1, 1.0],
        },
    )
    search = GridSearchCV(MLPRegressor(**SMALL), list(grid), cv=2, error_score="raise").fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] == scores[3] != scores[2]


def test_fit_does_not_touch_the_users_loss_and_later_changes_do_not_touch_the_fit():
    X, y = diabetes()
    loss = Pinball([0.1, 0.9])
    model = MLPRegressor(loss, **SMALL).fit(X, y)
    before = model.predict(X)
    loss.quantile = 0.5
    assert_array_equal(model.predict(X), before)
    assert model.loss is loss


@pytest.mark.parametrize(
    ("first", "then", "fragment"),
    [
        ("absolute_error", "gamma", "'gamma'.* the kind of loss must stay"),
        ("huber", "gaussian_nll", "standardized for other outputs"),
        (Pinball([0.1, 0.9]), Pinball(0.5), "standardized for other outputs"),
        ("poisson", Pinball([0.1, 0.9]), "the number of outputs"),
    ],
    ids=repr,
)
def test_warm_start_refuses_a_loss_with_other_outputs_or_units(first, then, fragment):
    X, y = diabetes()
    model = MLPRegressor(first, **SMALL, warm_start=True).fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match=fragment):
        model.set_params(loss=then).fit(X, y)
    assert_array_equal(model.set_params(loss=first).predict(X), before)


def test_warm_start_obeys_a_change_of_a_losss_parameter():
    X, y = diabetes()
    model = MLPRegressor(Pinball(0.1), **GOOD, warm_start=True).fit(X, y)
    low = model.predict(X).mean()
    assert model.set_params(loss__quantile=0.9).fit(X, y).predict(X).mean() > low + 0.5


# Classification.


@EVERY_CLASSIFICATION
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_classification_loss_is_learned(cls, loss, solver):
    X, y = iris()
    if cls is MLPBinaryClassifier:
        y = (y == 2).astype(int)
    model = cls(**{**GOOD, "loss": loss, "solver": solver, "max_iter": 200, "random_state": 1})
    model.fit(X, y)
    assert model.score(X, y) > 0.93
    assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_strings_mean_the_defaults_and_focal_without_gamma_is_the_log_loss(cls):
    X, y = data_for(cls)
    plain = cls(**SMALL).fit(X, y)
    task = "binary" if cls is MLPBinaryClassifier else "multiclass"
    for name in list_losses(task):
        by_name = cls(**SMALL, loss=name).fit(X, y)
        assert same_weights(by_name, cls(**SMALL, loss=get_loss(name, task)).fit(X, y))
        assert same_weights(by_name, plain) == (name == "log_loss")
    focal = cls(**SMALL, loss=get_loss("focal", task).set_params(gamma=0.0)).fit(X, y)
    assert_allclose(focal.loss_curve_, plain.loss_curve_, rtol=1e-9)


@EVERY_CLASSIFICATION
def test_weights_equal_repeated_rows_in_classification(cls, loss):
    model = cls(**SMALL, loss=loss, batch_size=2000)
    assert_weights_equal_repeated_rows(model, *data_for(cls))


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_label_smoothing_makes_probabilities_less_confident(cls):
    X, y = iris()
    y = np.minimum(y, 1) if cls is MLPBinaryClassifier else y
    options = {**GOOD, "alpha": 0.0, "solver": "lbfgs"}
    certain = cls(**options).fit(X, y).predict_proba(X).max(axis=1)
    task = "binary" if cls is MLPBinaryClassifier else "multiclass"
    smoothed = get_loss("log_loss", task).set_params(label_smoothing=0.2)
    model = cls(**options, loss=smoothed).fit(X, y)
    cautious = model.predict_proba(X).max(axis=1)
    n_classes = len(model.classes_)
    assert np.median(certain) > 0.99
    assert np.median(cautious) == pytest.approx(0.8 + 0.2 / n_classes, abs=0.02)


def test_labels_of_a_row_may_have_any_binary_loss():
    X, y = make_multilabel_classification(150, 8, n_classes=3, random_state=0)
    X = StandardScaler().fit_transform(X)
    for loss in ("focal", BinaryLogLoss(0.1), BinaryFocalLoss(alpha=0.6)):
        model = MLPBinaryClassifier(**{**GOOD, "loss": loss}).fit(X, y)
        assert accuracy_score(y.ravel(), model.predict(X).ravel()) > 0.8
    rare = MLPBinaryClassifier(**SMALL, loss=BinaryFocalLoss(alpha=0.05)).fit(X, y)
    often = MLPBinaryClassifier(**SMALL, loss=BinaryFocalLoss(alpha=0.95)).fit(X, y)
    assert often.predict(X).sum() > rare.predict(X).sum()


# Class weights.


@pytest.mark.parametrize("cls", CLASSIFIERS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 0.5, 1: 4.0}, {0: 0.0}], ids=str)
def test_class_weights_are_weights_of_rows_and_multiply_them(cls, solver, class_weight):
    X, y = imbalanced(200)
    of_rows = compute_sample_weight(class_weight, y)
    model = cls(**SMALL, solver=solver)
    weighted = clone(model).set_params(class_weight=class_weight)
    assert same_weights(clone(weighted).fit(X, y), clone(model).fit(X, y, sample_weight=of_rows))
    if class_weight != "balanced":
        given = np.random.RandomState(0).uniform(size=len(y))
        both = clone(model).fit(X, y, sample_weight=given * of_rows)
        assert_allclose(weighted.fit(X, y, given).coefs_[0], both.coefs_[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_balanced_counts_a_weight_as_repeated_rows(cls):
    X, y = imbalanced(200)
    model = cls(**SMALL, class_weight="balanced", batch_size=2000)
    assert_weights_equal_repeated_rows(model, X, y)
    nothing = np.where(y == 1, 0, 1)
    only_zeros = clone(model).set_params(solver="lbfgs").fit(X, y, sample_weight=nothing)
    assert (only_zeros.predict(X) == 0).all()


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_balanced_classes_find_the_rare_one(cls):
    X, y = imbalanced()
    plain = cls(**SMALL, solver="lbfgs").fit(X, y)
    balanced = cls(**SMALL, solver="lbfgs", class_weight="balanced").fit(X, y)
    scores = [balanced_accuracy_score(y, model.predict(X)) for model in (plain, balanced)]
    assert scores[1] > scores[0] + 0.1


def test_class_weight_equals_that_of_logistic_regression_without_hidden_layers():
    X, y = imbalanced()
    names = np.array(["common", "rare"])[y]
    weights = {"common": 0.7, "rare": 5.0}
    theirs = LogisticRegression(class_weight=weights, tol=1e-8, max_iter=1000).fit(X, names)
    ours = MLPBinaryClassifier(
        (), solver="lbfgs", alpha=1, class_weight=weights, tol=1e-9, max_iter=1000, random_state=0
    ).fit(X, names)
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), rtol=1e-3, atol=1e-4)


def test_early_stopping_monitors_the_accuracy_weighted_by_class():
    X, y = imbalanced()
    model = MLPBinaryClassifier(**SMALL, early_stopping=True, class_weight="balanced").fit(X, y)
    rows = held_out_rows(X, 8, 1, stratify=y)
    weight = compute_sample_weight("balanced", y)[rows]
    wanted = accuracy_score(y[rows], model.predict(X[rows]), sample_weight=weight)
    assert model.best_validation_score_ == pytest.approx(wanted)


def test_given_validation_data_are_weighted_by_class_too():
    X, y = imbalanced()
    model = MLPBinaryClassifier(**SMALL, class_weight="balanced")
    model.fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])
    wanted = balanced_accuracy_score(y[400:], model.predict(X[400:]))
    assert model.validation_scores_[-1] == pytest.approx(wanted)


@pytest.mark.parametrize(
    "change", [{"class_weight": {0: 1.0, 1: 3.0}}, {"loss": BinaryLogLoss(0.1)}], ids=str
)
def test_checkpoint_of_another_objective_is_refused_by_name(tmp_path, change):
    X, y = imbalanced(100)
    model = MLPBinaryClassifier(
        **SMALL, class_weight={0: 1.0, 1: 2.0}, callbacks=[Checkpoint(tmp_path / "fit")]
    ).fit(X, y)
    with pytest.raises(ValueError, match=f"parameter {next(iter(change))}"):
        model.set_params(**change).fit(X, y)


@pytest.mark.parametrize(
    ("cls", "names"),
    [
        (MLPClassifier, "'focal', 'log_loss' or"),
        (MLPBinaryClassifier, "'focal', 'log_loss' or"),
        (MLPSoftmaxClassifier, "'focal', 'log_loss', 'ordinal' or"),
    ],
)
def test_an_unknown_loss_is_answered_with_all_that_the_classifier_knows(cls, names):
    X, y = imbalanced(100)
    message = f"'loss' parameter of {cls.__name__} must be {names} an instance of 'Loss'"
    with pytest.raises(ValueError, match=message):
        cls(loss="ordnal").fit(X, y)


@pytest.mark.parametrize("cls", CLASSIFIERS)
def test_class_weight_of_a_dict_counts_in_partial_fit_even_where_a_class_is_missing(cls):
    X, y = imbalanced(200)
    X, y = X[y == 0], y[y == 0]
    model = cls(**SMALL, class_weight={1: 3.0, 2: 2.0}, batch_size=50)
    if cls is MLPSoftmaxClassifier:
        model.partial_fit(X, y, classes=[0, 1, 2])
    else:
        model.set_params(class_weight={1: 3.0}).partial_fit(X, y, classes=[0, 1])
    assert model.t_ == len(X)


def test_signature_of_a_classifier_ends_in_its_own_keywords():
    base = [p for p in inspect.signature(MLPRegressor).parameters.values()]
    for cls in CLASSIFIERS:
        parameters = list(inspect.signature(cls).parameters.values())
        assert [p.name for p in parameters[:2]] == ["hidden_layer_sizes", "activation"]
        assert [p.name for p in parameters[-2:]] == ["loss", "class_weight"]
        assert all(p.kind is p.KEYWORD_ONLY for p in parameters[2:])
        shared = {p.name: p.default for p in base} | {"loss": "log_loss"}
        assert all(shared[p.name] == p.default for p in parameters[:-1])
        with pytest.raises(TypeError, match="hidden"):
            cls(hidden=3)


# A user's loss.


class LogCosh(Loss):
    """log cosh of the error times a sharpness."""

    equivariance = "affine"

    def __init__(self, sharpness=1.0):
        self.sharpness = sharpness

    def inverse_link(self, raw, out):
        np.copyto(out, raw)

    def losses(self, raw, y):
        return np.log(np.cosh(self.sharpness * (raw - y))).sum(axis=-1)

    def gradient(self, raw, y, out, scratch):
        np.subtract(raw, y, out=out)
        np.multiply(out, self.sharpness, out=out)
        np.tanh(out, out=out)
        np.multiply(out, self.sharpness, out=out)


class BrierScore(Loss):
    """Half the squared error of a probability."""

    task = "binary"
    out_activation = "logistic"

    def inverse_link(self, raw, out):
        expit(raw, out=out)

    def losses(self, raw, y):
        return 0.5 * ((expit(raw) - y) ** 2).sum(axis=-1)

    def gradient(self, raw, y, out, scratch):
        expit(raw, out=raw)
        np.subtract(raw, y, out=out)
        np.multiply(out, raw, out=out)
        np.subtract(1, raw, out=scratch)
        np.multiply(out, scratch, out=out)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    ("cls", "loss"), [(MLPRegressor, LogCosh(2.0)), (MLPBinaryClassifier, BrierScore())], ids=repr
)
def test_a_users_loss_works_in_fit_clone_and_pickle(cls, loss, solver):
    X, y = data_for(cls)
    model = cls(**{**GOOD, "loss": loss, "solver": solver}).fit(X, y)
    assert model.score(X, y) > 0.45
    assert_array_equal(clone(model).fit(X, y).predict(X), model.predict(X))
    restored = pickle.loads(pickle.dumps(model))
    assert_array_equal(restored.predict(X), model.predict(X))
    assert restored.loss.get_params() == loss.get_params()


def test_a_users_loss_and_its_parameter_can_be_searched():
    X, y = diabetes()
    grid = {"loss": [LogCosh()], "loss__sharpness": [0.01, 1.0]}
    search = GridSearchCV(MLPRegressor(**SMALL), grid, cv=2, error_score="raise").fit(X, 1e6 * y)
    assert search.cv_results_["mean_test_score"][0] < search.best_score_
    assert search.best_params_["loss__sharpness"] == 1.0


def test_gaussian_loss_goes_on_with_its_units():
    X, y = diabetes()
    model = MLPRegressor(GaussianNLL(), **GOOD)
    for i in range(150):
        rows = slice(i % 3, None, 3)
        model.partial_fit(X[rows], 1e6 * y[rows] + 1e7)
    mean, std = model.predict(X, return_std=True)
    assert model.score(X, 1e6 * y + 1e7) > 0.4
    assert np.sqrt(np.mean((1e6 * y + 1e7 - mean) ** 2)) == pytest.approx(std.mean(), rel=0.3)


class ComplementaryLogLog(BinaryLogLoss):
    """The log loss of p = 1 - exp(-exp(z)), which is not one half where z is zero."""

    out_activation = "cloglog"

    def inverse_link(self, raw, out):
        np.negative(np.expm1(-np.exp(np.minimum(raw, 3))), out=out)

    def losses(self, raw, y):
        p = np.empty_like(raw)
        self.inverse_link(raw, p)
        return self._terms(p, y).sum(axis=-1)

    def gradient(self, raw, y, out, scratch):
        p, rate = np.empty_like(raw), np.exp(np.minimum(raw, 3))
        self.inverse_link(raw, p)
        np.copyto(out, rate * (1 - y / np.maximum(p, 1e-6)))


@pytest.mark.parametrize("has_labels", [False, True])
def test_classes_and_probabilities_come_from_a_losss_own_link(has_labels):
    X, y = load_iris(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), y == 2
    y = np.column_stack([y, X[:, 0] > 0]) if has_labels else y
    model = MLPBinaryClassifier(loss=ComplementaryLogLog(), **GOOD).fit(X, y)
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    raw = hidden @ model.coefs_[1] + model.intercepts_[1]
    expected = 1 - np.exp(-np.exp(np.minimum(raw, 3)))
    found = model.predict_proba(X) if has_labels else model.predict_proba(X)[:, 1:]
    assert_allclose(found, expected, rtol=1e-9)
    assert_array_equal(model.predict(X).reshape(expected.shape), expected > 0.5)
    assert_array_equal(model.decision_function(X).reshape(expected.shape) > 0, expected > 0.5)
    assert model.out_activation_ == "cloglog"
    assert model.score(X, y) > 0.8
