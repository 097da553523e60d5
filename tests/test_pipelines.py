"""The estimators in scikit-learn's tools: pipelines, searches, routing, data frames.

The results of a tool are compared with those of the same steps done by hand.
"""

import pickle
from itertools import product
from pathlib import Path
from tempfile import mkdtemp

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import BaggingRegressor, StackingRegressor, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, get_scorer, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import ELU, LeakyReLU, ReLU

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got batch_size=1000:UserWarning"),
]

ESTIMATORS = [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor]
EVERY_ESTIMATOR = pytest.mark.parametrize("cls", ESTIMATORS)
WITH_PERCEPTRON = pytest.mark.parametrize("cls", [*ESTIMATORS, RosenblattPerceptron])
FOLDS = KFold(3, shuffle=True, random_state=0)


def make_data():
    """Return every fourth row of diabetes, with binary labels and standardized targets."""
    X, y = load_diabetes(return_X_y=True)
    X, y = X[::4] * 20, (y[::4] - y.mean()) / y.std()
    return X, (y > 0).astype(int), y


X, LABELS, NUMBERS = make_data()


def data_for(cls):
    return X, (NUMBERS if cls is MLPRegressor else LABELS)


def make(cls, **options):
    own = {"hidden_layer_sizes": (6,), "learning_rate_init": 0.01}
    if cls is RosenblattPerceptron:
        own = {"n_associative": 30, "weights": "averaged"}
    return cls(**own | {"max_iter": 15, "random_state": 0} | options)


def pipeline(cls, **options):
    return Pipeline([("scale", StandardScaler()), ("mlp", make(cls, **options))])


def raw(estimator, X):
    return estimator.decision_function(X) if is_classifier(estimator) else estimator.predict(X)


# Pipelines, cross-validation, searches.


@WITH_PERCEPTRON
def test_pipeline_equals_its_steps_by_hand(cls):
    X, y = data_for(cls)
    model = pipeline(cls).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    expected = make(cls).fit(scaled, y)
    assert_array_equal(raw(model, X), raw(expected, scaled))
    assert model.score(X, y) == expected.score(scaled, y)
    assert model[-1].n_features_in_ == model.n_features_in_ == X.shape[1]


@WITH_PERCEPTRON
def test_cross_validation_equals_its_folds_by_hand(cls):
    X, y = data_for(cls)
    expected = [
        pipeline(cls).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in FOLDS.split(X)
    ]
    assert_array_equal(cross_val_score(pipeline(cls), X, y, cv=FOLDS), expected)
    result = cross_validate(pipeline(cls), X, y, cv=FOLDS, return_estimator=True)
    assert_array_equal(result["test_score"], expected)
    scores = [
        model.score(X[test], y[test])
        for model, (_, test) in zip(result["estimator"], FOLDS.split(X), strict=True)
    ]
    assert_array_equal(scores, expected)
    predicted = cross_val_predict(pipeline(cls), X, y, cv=FOLDS)
    score = r2_score if is_regressor(make(cls)) else accuracy_score
    folds = [score(y[test], predicted[test]) for _, test in FOLDS.split(X)]
    assert_allclose(folds, expected, rtol=1e-12)


def test_classifiers_and_the_regressor_are_recognized():
    assert is_classifier(make(MLPBinaryClassifier)) and is_classifier(make(MLPSoftmaxClassifier))
    assert is_regressor(make(MLPRegressor))
    # An integer cv is stratified for classifiers only.
    for cls, folds in ((MLPBinaryClassifier, StratifiedKFold(3)), (MLPRegressor, KFold(3))):
        scores = [cross_val_score(make(cls), X, LABELS, cv=cv) for cv in (3, folds)]
        assert_array_equal(*scores)


@EVERY_ESTIMATOR
def test_grid_search_over_activations_and_sizes_equals_single_fits(cls):
    X, y = data_for(cls)
    activations = ["tanh", LeakyReLU(0.1), ELU(0.5), ["relu"]]
    grid = {"mlp__activation": activations, "mlp__hidden_layer_sizes": [(3,), 5]}
    search = GridSearchCV(pipeline(cls), grid, cv=FOLDS, error_score="raise").fit(X, y)
    results = search.cv_results_
    assert len(results["params"]) == 8
    for parameters, found in zip(results["params"], results["mean_test_score"], strict=True):
        one = pipeline(cls).set_params(**parameters)
        assert_allclose(found, cross_val_score(one, X, y, cv=FOLDS).mean(), rtol=1e-12)
    assert len(set(results["mean_test_score"])) > 4
    best = search.best_estimator_[-1]
    assert best.get_params()["hidden_layer_sizes"] == search.best_params_["mlp__hidden_layer_sizes"]
    assert search.predict(X).shape == y.shape


@EVERY_ESTIMATOR
def test_parameter_of_an_activation_is_searched_by_its_nested_name(cls):
    X, y = data_for(cls)
    model = pipeline(cls, activation=ELU())
    grid = {"mlp__activation__alpha": [0.1, 1.0, 4.0]}
    search = GridSearchCV(model, grid, cv=FOLDS, error_score="raise").fit(X, y)
    expected = [
        cross_val_score(pipeline(cls, activation=ELU(alpha)), X, y, cv=FOLDS).mean()
        for alpha in (0.1, 1.0, 4.0)
    ]
    assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-12)
    assert len(set(expected)) == 3
    assert search.best_estimator_[-1].activation.alpha == [0.1, 1.0, 4.0][np.argmax(expected)]
    assert model[-1].activation.alpha == 1.0, "the search works on clones"


def test_activation_and_its_parameter_are_searched_together():
    grid = [
        {"mlp__activation": [ReLU()]},
        {"mlp__activation": [ELU(), LeakyReLU()], "mlp__activation__alpha": [0.1, 0.5]},
    ]
    search = GridSearchCV(pipeline(MLPBinaryClassifier), grid, cv=2, error_score="raise")
    search.fit(X, LABELS)
    expected = [
        cross_val_score(pipeline(MLPBinaryClassifier, activation=a), X, LABELS, cv=2).mean()
        for a in (ReLU(), ELU(0.1), ELU(0.5), LeakyReLU(0.1), LeakyReLU(0.5))
    ]
    assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-12)


def test_grid_search_in_two_processes_gives_the_same_result():
    grid = {"mlp__activation": ["relu", ELU(0.5)], "mlp__alpha": [1e-4, 1.0]}
    one, two = (
        GridSearchCV(pipeline(MLPSoftmaxClassifier), grid, cv=2, n_jobs=n).fit(X, LABELS)
        for n in (1, 2)
    )
    assert_array_equal(two.cv_results_["mean_test_score"], one.cv_results_["mean_test_score"])
    assert_array_equal(two.predict_proba(X), one.predict_proba(X))


def test_learning_curve_trains_incrementally():
    sizes, _, scores = learning_curve(
        make(MLPBinaryClassifier),
        X,
        LABELS,
        train_sizes=[20, 40],
        cv=FOLDS,
        exploit_incremental_learning=True,
    )
    for (train, test), (first, second) in zip(FOLDS.split(X), scores.T, strict=True):
        by_hand = make(MLPBinaryClassifier).partial_fit(X[train[:20]], LABELS[train[:20]], [0, 1])
        assert first == by_hand.score(X[test], LABELS[test])
        by_hand.partial_fit(X[train[20:40]], LABELS[train[20:40]])
        assert second == by_hand.score(X[test], LABELS[test])
    assert_array_equal(sizes, [20, 40])


# Copies.


@EVERY_ESTIMATOR
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_clone_after_fit_is_unfitted_and_fits_the_same(cls, solver):
    X, y = data_for(cls)
    fitted = make(cls, solver=solver, activation=ELU(0.5)).fit(X, y)
    copy = clone(fitted)
    with pytest.raises(NotFittedError):
        copy.predict(X)
    assert vars(copy).keys() == vars(make(cls)).keys()
    assert copy.activation is not fitted.activation
    assert_array_equal(raw(copy.fit(X, y), X), raw(fitted, X))


def by_pickle(estimator, folder):
    return pickle.loads(pickle.dumps(estimator))


def by_joblib(estimator, folder):
    joblib.dump(estimator, folder / "model", compress=3)
    return joblib.load(folder / "model")


def by_memory_map(estimator, folder):
    # Windows does not overwrite a file that is mapped.
    path = Path(mkdtemp(dir=folder)) / "model"
    joblib.dump(estimator, path)
    return joblib.load(path, mmap_mode="r")


@EVERY_ESTIMATOR
@pytest.mark.parametrize("store", [by_pickle, by_joblib, by_memory_map])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": "lbfgs"},
        {"solver": "sgd", "learning_rate": "adaptive"},
        {"activation": ["prelu", ELU(0.5)], "hidden_layer_sizes": (5, 4)},
        {"skip_connections": "residual", "hidden_layer_sizes": (5, 5)},
        {"early_stopping": True, "dtype": "float32"},
    ],
    ids=repr,
)
def test_stored_model_predicts_the_same_and_goes_on_the_same(tmp_path, cls, options, store):
    X, y = data_for(cls)
    model = make(cls, **options, warm_start=True).fit(X, y)
    restored = store(model, tmp_path)
    assert_array_equal(raw(restored, X), raw(model, X))
    assert_array_equal(raw(restored.fit(X, y), X), raw(model.fit(X, y), X))
    if hasattr(model, "partial_fit") and not model.early_stopping:
        again = store(model, tmp_path)
        assert_array_equal(raw(again.partial_fit(X, y), X), raw(model.partial_fit(X, y), X))


# Data frames.


@pytest.fixture
def pd():
    return pytest.importorskip("pandas")


@pytest.fixture
def frame(pd):
    return pd.DataFrame(X, columns=[f"column {j}" for j in range(X.shape[1])])


@EVERY_ESTIMATOR
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_data_frames_give_the_model_of_their_numbers_and_its_feature_names(pd, frame, cls, solver):
    X, y = data_for(cls)
    expected = make(cls, solver=solver).fit(X, y)
    assert not hasattr(expected, "feature_names_in_")
    model = make(cls, solver=solver).fit(frame, pd.Series(y, index=np.arange(len(y)) + 7))
    assert_array_equal(raw(model, frame), raw(expected, X))
    assert_array_equal(model.feature_names_in_, frame.columns)


@WITH_PERCEPTRON
def test_data_frame_with_other_columns_is_refused_by_name(frame, cls):
    model = make(cls).fit(frame, data_for(cls)[1])
    with pytest.raises(ValueError, match=r"(?s)feature names.*unseen at fit time.*- surprise"):
        model.predict(frame.rename(columns={"column 3": "surprise"}))
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        model.predict(frame[frame.columns[::-1]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(frame.to_numpy())


@EVERY_ESTIMATOR
@pytest.mark.parametrize("output", ["pandas", "default"])
def test_transformers_before_it_may_return_data_frames(pd, frame, cls, output):
    y = data_for(cls)[1]
    scale = make_column_transformer((StandardScaler(), list(frame.columns[:6])))
    model = make_pipeline(scale, make(cls)).set_output(transform=output).fit(frame, y)
    assert hasattr(model[-1], "feature_names_in_") == (output == "pandas")
    assert model[-1].n_features_in_ == 6
    numbers = StandardScaler().fit_transform(X[:, :6])
    expected = make(cls).fit(numbers, y)
    assert_allclose(raw(model, frame), raw(expected, numbers), rtol=1e-9, atol=1e-12)


def test_perceptron_keeps_the_feature_names_of_a_data_frame(pd, frame):
    expected = make(RosenblattPerceptron).fit(X, LABELS)
    model = make(RosenblattPerceptron).fit(frame, pd.Series(LABELS, index=range(7, 7 + len(X))))
    assert_array_equal(raw(model, frame), raw(expected, X))
    assert_array_equal(model.feature_names_in_, frame.columns)


def test_targets_may_be_a_data_frame_with_several_columns(pd, frame):
    targets = pd.DataFrame({"one": NUMBERS, "two": X[:, 0]})
    model = make(MLPRegressor).fit(frame, targets)
    assert_array_equal(
        model.predict(frame), make(MLPRegressor).fit(X, targets.to_numpy()).predict(X)
    )


def test_text_becomes_sparse_rows_in_a_pipeline():
    words = ["sun warm sand", "warm sun sea", "snow cold ice", "ice snow frost"] * 5
    seasons = ["summer", "summer", "winter", "winter"] * 5
    model = make_pipeline(TfidfVectorizer(), make(MLPBinaryClassifier, max_iter=100))
    model.fit(words, seasons)
    assert list(model.predict(["warm sea", "cold frost"])) == ["summer", "winter"]
    assert list(model.classes_) == ["summer", "winter"]


# Labels.


LABEL_TYPES = {
    "strings": lambda y: np.array(["no", "yes"])[y],
    "objects": lambda y: np.array(["no", "yes"], dtype=object)[y],
    "booleans": lambda y: y.astype(bool),
    "floats": lambda y: np.array([-1.0, 1.0])[y],
    "far integers": lambda y: np.array([-7, 10**12])[y],
    "a list": lambda y: [["no", "yes"][c] for c in y],
}


LABELED = [
    (RosenblattPerceptron, {}),
    *product(
        [MLPBinaryClassifier, MLPSoftmaxClassifier],
        [{}, {"early_stopping": True}, {"solver": "lbfgs"}],
    ),
]


@pytest.mark.parametrize("labels", LABEL_TYPES)
@pytest.mark.parametrize(("cls", "options"), LABELED, ids=repr)
def test_labels_of_any_type_give_the_same_model(cls, options, labels):
    y = LABEL_TYPES[labels](LABELS)
    expected = make(cls, **options).fit(X, LABELS)
    model = make(cls, **options).fit(X, y)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert_array_equal(model.classes_, np.unique(y))
    assert_array_equal(model.predict(X), np.asarray(model.classes_)[expected.predict(X)])
    assert model.predict(X).dtype == np.asarray(y).dtype
    assert model.score(X, y) == expected.score(X, LABELS)


def test_data_frame_categories_are_labels(pd):
    y = pd.Series(np.array(["no", "yes"])[LABELS], dtype="category")
    model = make(MLPBinaryClassifier).fit(X, y)
    assert set(model.predict(X)) == {"no", "yes"}
    assert model.score(X, y) > 0.6


# Metadata routing.

WEIGHTS = np.random.RandomState(1).randint(0, 4, size=len(X)).astype(float)


@EVERY_ESTIMATOR
def test_sample_weight_counts_in_fit_partial_fit_and_score(cls):
    X, y = data_for(cls)
    times = WEIGHTS.astype(int)
    repeated = X.repeat(times, axis=0), y.repeat(times)
    options = {"solver": "lbfgs", "max_iter": 5}
    weighted = make(cls, **options).fit(X, y, WEIGHTS)
    by_hand = make(cls, **options).fit(*repeated)
    assert_allclose(raw(weighted, X), raw(by_hand, X), rtol=1e-6, atol=1e-8)
    assert_allclose(weighted.score(X, y, WEIGHTS), weighted.score(*repeated), rtol=1e-12)
    arguments = ([0, 1],) if is_classifier(weighted) else ()
    weighted = make(cls, batch_size=1000).partial_fit(X, y, *arguments, sample_weight=WEIGHTS)
    by_hand = make(cls, batch_size=1000).partial_fit(*repeated, *arguments)
    assert_allclose(raw(weighted, X), raw(by_hand, X), rtol=1e-9, atol=1e-12)


@WITH_PERCEPTRON
@pytest.mark.parametrize("to_fit", [False, True])
@pytest.mark.parametrize("to_score", [False, True])
def test_sample_weight_is_routed_to_fit_and_score_as_requested(cls, to_fit, to_score):
    X, y = data_for(cls)
    folds = list(FOLDS.split(X))
    model = make(cls)
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=to_fit).set_score_request(sample_weight=to_score)
        weights = {"sample_weight": WEIGHTS} if to_fit or to_score else {}
        found = cross_validate(model, X, y, cv=folds, params=weights)["test_score"]
    expected = [
        make(cls)
        .fit(X[train], y[train], WEIGHTS[train] if to_fit else None)
        .score(X[test], y[test], WEIGHTS[test] if to_score else None)
        for train, test in folds
    ]
    assert_allclose(found, expected, rtol=1e-12)


@WITH_PERCEPTRON
def test_sample_weight_is_routed_through_pipeline_and_grid_search(cls):
    X, y = data_for(cls)
    with sklearn.config_context(enable_metadata_routing=True):
        scale = StandardScaler().set_fit_request(sample_weight=False)
        network = make(cls).set_fit_request(sample_weight=True)
        model = Pipeline([("scale", scale), ("mlp", network)])
        scorer = get_scorer("r2" if is_regressor(network) else "accuracy")
        scorer = scorer.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"mlp__max_iter": [5, 15]}, cv=FOLDS, scoring=scorer)
        search.fit(X, y, sample_weight=WEIGHTS)
    scaled = StandardScaler().fit_transform(X)
    expected = make(cls, max_iter=search.best_params_["mlp__max_iter"]).fit(scaled, y, WEIGHTS)
    assert_array_equal(search.predict(X), expected.predict(scaled))
    assert not np.array_equal(raw(search.best_estimator_, X), raw(pipeline(cls).fit(X, y), X))


@WITH_PERCEPTRON
def test_sample_weight_without_a_request_is_refused(cls):
    X, y = data_for(cls)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"),
    ):
        cross_validate(make(cls), X, y, cv=FOLDS, params={"sample_weight": WEIGHTS})


@WITH_PERCEPTRON
def test_fit_partial_fit_and_score_can_request_sample_weight(cls):
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(cls)
        for method in ("fit", "partial_fit", "score"):
            getattr(model, f"set_{method}_request")(sample_weight=True)
            requests = getattr(model.get_metadata_routing(), method).requests
            assert requests["sample_weight"] is True


def test_partial_fit_gets_its_weights_through_a_meta_estimator():
    with sklearn.config_context(enable_metadata_routing=True):
        network = make(MLPRegressor).set_partial_fit_request(sample_weight=True)
        model = MultiOutputRegressor(network)
        model.partial_fit(X, np.c_[NUMBERS, X[:, 0]], sample_weight=WEIGHTS)
    expected = make(MLPRegressor).partial_fit(X, NUMBERS, WEIGHTS).predict(X)
    assert_array_equal(model.predict(X)[:, 0], expected)
    assert not np.array_equal(make(MLPRegressor).partial_fit(X, NUMBERS).predict(X), expected)


# Meta-estimators.


@pytest.mark.parametrize("cls", [MLPBinaryClassifier, MLPSoftmaxClassifier])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_probabilities_can_be_calibrated(cls, method):
    model = CalibratedClassifierCV(pipeline(cls), method=method, cv=2).fit(X, LABELS)
    probabilities = model.predict_proba(X)
    assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert model.score(X, LABELS) > 0.65


def test_one_versus_rest_makes_one_binary_network_per_class():
    X, y = load_iris(return_X_y=True)
    scaled = StandardScaler().fit_transform(X)
    base = make(MLPBinaryClassifier, max_iter=60)
    model = OneVsRestClassifier(base).fit(scaled, y)
    assert len(model.estimators_) == 3
    for c in range(3):
        expected = clone(base).fit(scaled, (y == c).astype(int)).decision_function(scaled)
        assert_array_equal(model.decision_function(scaled)[:, c], expected)
    assert model.score(scaled, y) > 0.8


def test_several_targets_make_one_network_each():
    targets = np.c_[NUMBERS, X[:, 0]]
    model = MultiOutputRegressor(make(MLPRegressor)).fit(X, targets)
    for c in range(2):
        expected = make(MLPRegressor).fit(X, targets[:, c]).predict(X)
        assert_array_equal(model.predict(X)[:, c], expected)
    labels = np.c_[LABELS, X[:, 0] > 0].astype(int)
    for meta in (MultiOutputClassifier, ClassifierChain):
        model = meta(make(MLPBinaryClassifier, max_iter=40)).fit(X, labels)
        assert model.predict(X).shape == labels.shape
        assert (model.predict(X) == labels).mean() > 0.75


def test_transformed_target_is_transformed_back():
    y = np.exp(NUMBERS)
    model = TransformedTargetRegressor(pipeline(MLPRegressor), func=np.log, inverse_func=np.exp)
    expected = np.exp(pipeline(MLPRegressor).fit(X, NUMBERS).predict(X))
    assert_allclose(model.fit(X, y).predict(X), expected, rtol=1e-9)


def test_voting_averages_the_probabilities_of_its_members():
    members = [
        ("binary", make(MLPBinaryClassifier)),
        ("softmax", make(MLPSoftmaxClassifier)),
        ("linear", LogisticRegression()),
    ]
    labels = np.array(["low", "high"])[LABELS]
    model = VotingClassifier(members, voting="soft").fit(X, labels)
    # The members see labels that are already encoded.
    codes = (labels == "low").astype(int)
    each = [clone(member).fit(X, codes).predict_proba(X) for _, member in members]
    assert_allclose(model.predict_proba(X), np.mean(each, axis=0), rtol=1e-12)
    assert set(model.predict(X)) == {"low", "high"}


def test_bagging_and_stacking_train_on_their_samples():
    bag = BaggingRegressor(make(MLPRegressor, max_iter=40), n_estimators=3, random_state=0)
    bag.fit(X, NUMBERS)
    each = [member.predict(X) for member in bag.estimators_]
    assert_allclose(bag.predict(X), np.mean(each, axis=0), rtol=1e-12)
    members = [("mlp", make(MLPRegressor, max_iter=40)), ("linear", LinearRegression())]
    assert StackingRegressor(members, cv=3).fit(X, NUMBERS).score(X, NUMBERS) > 0.3


# Representations.


@EVERY_ESTIMATOR
def test_html_shows_the_estimator_its_parameters_and_whether_it_is_fitted(cls):
    X, y = data_for(cls)
    model = make(cls, activation=ELU(0.5))
    for shown in (model, pipeline(cls, activation=ELU(0.5))):
        assert cls.__name__ in shown._repr_html_()
        assert "ELU(alpha=0.5)" in estimator_html_repr(shown)
        assert "<span>Not fitted</span>" in shown._repr_html_()
        assert "<span>Fitted</span>" in shown.fit(X, y)._repr_html_()


@EVERY_ESTIMATOR
def test_repr_shows_what_differs_from_the_defaults(cls):
    assert repr(cls()) == f"{cls.__name__}()"
    assert repr(cls(activation=ELU(0.5))) == f"{cls.__name__}(activation=ELU(alpha=0.5))"
    assert repr(cls(activation=["relu", ELU()])) == f"{cls.__name__}(activation=['relu', ELU()])"
