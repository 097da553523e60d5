"""Exported models, run by onnxruntime, predict what the estimators predict."""

import importlib
import sys
from datetime import date

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import skperceptron
from skperceptron import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
    model_selection,
    preprocessing,
    tabular,
)
from skperceptron.activations import (
    CELU,
    ELU,
    GELU,
    Activation,
    Gaussian,
    Heaviside,
    LeakyReLU,
    PReLU,
    Sine,
    get_activation,
    list_activations,
)
from skperceptron.embeddings import Periodic, PeriodicLinear, PiecewiseLinear
from skperceptron.engine import Network, Node, blocks
from skperceptron.engine.network import INPUT
from skperceptron.exceptions import NotDeclaredError
from skperceptron.losses import (
    BinaryLogLoss,
    CategoricalLogLoss,
    GaussianNLL,
    Loss,
    Pinball,
    SquaredError,
    list_losses,
)
from skperceptron.model_selection import (
    StackedCrossEnsembleClassifier,
    StackedCrossEnsembleRegressor,
    StackedEnsembleClassifier,
    StackedEnsembleRegressor,
    StackedGridSearchCV,
    StackedRandomizedSearchCV,
)

from .conftest import NEWEST, OLDEST, assert_close

onnxruntime = pytest.importorskip("onnxruntime")
export = pytest.importorskip("skperceptron.export")
skl2onnx = pytest.importorskip("skl2onnx")

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The gradient of Heaviside"),
]
BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])
BOTH_OPSETS = pytest.mark.parametrize("opset", [OLDEST, NEWEST])

SOFT = {"voting": "soft", "flatten_transform": False}
SHORT = {"max_iter": 3, "random_state": 0}
X, Y = make_classification(80, 6, n_informative=4, n_classes=3, random_state=0)
TWO = (Y > 0).astype(int)
NUMBERS = make_regression(80, 6, n_targets=2, noise=0.1, random_state=0)[1]
ONE = NUMBERS[:, 0] / NUMBERS[:, 0].std()

#: Activations whose parameters lead through other code than their defaults.
FAR_FROM_DEFAULTS = [
    CELU(1e3),
    CELU(0.5),
    ELU(2.0),
    GELU("tanh"),
    Heaviside(sharpness=2.0),
    LeakyReLU(0.3),
    PReLU(-0.5),
    Sine(2.5),
]


def test_every_parameter_of_an_activation_has_been_moved():
    known = {name: get_activation(name) for name in list_activations()}
    with_parameters = {type(one) for one in known.values() if one.get_params()}
    assert with_parameters == {type(one) for one in FAR_FROM_DEFAULTS}


@BOTH_OPSETS
@BOTH_DTYPES
@pytest.mark.parametrize("activation", [*list_activations(), *FAR_FROM_DEFAULTS], ids=str)
def test_every_activation_is_exported(check_exported, activation, dtype, opset):
    network = MLPSoftmaxClassifier((8, 5), activation, **SHORT).fit(X, Y)
    check_exported(network, (3 * X).astype(dtype), target_opset=opset)


@BOTH_DTYPES
@pytest.mark.parametrize("activation", [a for a in list_activations() if a != "sine"])
def test_activations_of_large_numbers_are_exported(exported, activation, dtype):
    network = MLPRegressor(hidden_layer_sizes=(8,), activation=activation, **SHORT).fit(X, ONE)
    run = exported(network, X.astype(dtype))
    # Somewhere between 10 and 10,000, exponentials are subnormal numbers.
    for scale in (*np.geomspace(10, 1e4, 20), 1e22):
        rows = (scale * X).astype(dtype)
        assert_close(run(rows)[0], network.predict(rows))


@BOTH_OPSETS
@BOTH_DTYPES
@pytest.mark.parametrize("skip_connections", ["none", "residual", "dense", "linear"])
@pytest.mark.parametrize("normalization", ["layer", "batch"])
def test_every_wiring_is_exported(check_exported, skip_connections, normalization, dtype, opset):
    network = MLPRegressor(
        hidden_layer_sizes=(7, 7),
        skip_connections=skip_connections,
        normalization=normalization,
        dropout=0.1,
        feature_scale=True,
        numeric_embedding=Periodic(4, 2, 0.3),
        **SHORT,
    )
    check_exported(network.fit(X, NUMBERS), X.astype(dtype), target_opset=opset)


@BOTH_OPSETS
@BOTH_DTYPES
@pytest.mark.parametrize("hidden", [(), (5,), (7, 7)])
def test_networks_that_share_weights_are_exported(check_exported, hidden, dtype, opset):
    options = {"hidden_layer_sizes": hidden, "ensemble_size": 3, **SHORT}
    check_exported(MLPRegressor(**options).fit(X, NUMBERS), X.astype(dtype), target_opset=opset)
    labels = np.arange(len(X)) % 3
    for network in (MLPSoftmaxClassifier(**options), MLPBinaryClassifier(**options)):
        y = labels if isinstance(network, MLPSoftmaxClassifier) else labels > 0
        check_exported(network.fit(X, y), X.astype(dtype), target_opset=opset)


@BOTH_OPSETS
@BOTH_DTYPES
@pytest.mark.parametrize("kind", [MLPSoftmaxClassifier, MLPBinaryClassifier])
def test_decisions_of_networks_that_share_weights_are_exported(check_exported, kind, dtype, opset):
    network = kind((5,), ensemble_size=3, **SHORT)
    labels = Y if kind is MLPSoftmaxClassifier else TWO
    check_exported(calibrated(network).fit(X, labels), X.astype(dtype), target_opset=opset)
    network.fit(X, labels)
    asked = {id(network): {"raw_scores": True, "zipmap": False}}
    for scale in (1, 100, 1e4):
        # Of large numbers, probabilities are 0 and 1, and decisions differ nevertheless.
        rows = (scale * X).astype(dtype)
        model = skl2onnx.to_onnx(network, rows[:1], options=asked, target_opset=opset)
        session = onnxruntime.InferenceSession(model.SerializeToString())
        decisions = session.run(None, {"X": rows})[1]
        expected = network.decision_function(rows)
        if kind is MLPBinaryClassifier:
            expected = np.column_stack([-expected, expected])
        assert_close(decisions, expected)


@BOTH_OPSETS
@BOTH_DTYPES
@pytest.mark.parametrize("embedding", [PeriodicLinear(4, 2, 0.3), PiecewiseLinear(4)], ids=repr)
def test_parametric_activations_and_embeddings_are_exported(
    check_exported, embedding, dtype, opset
):
    network = MLPRegressor(
        hidden_layer_sizes=(7, 7),
        activation="selu",
        parametric_activation=True,
        numeric_embedding=embedding,
        **SHORT,
    )
    check_exported(network.fit(X, NUMBERS), X.astype(dtype), target_opset=opset)


@BOTH_OPSETS
@BOTH_DTYPES
@pytest.mark.parametrize("scales", [False, True])
def test_periodic_embeddings_of_some_columns_are_exported(check_exported, scales, dtype, opset):
    embedding = Periodic(4, 2, 0.3, columns=[0, 2])
    network = MLPRegressor(
        hidden_layer_sizes=(7,), feature_scale=scales, numeric_embedding=embedding, **SHORT
    )
    check_exported(network.fit(X, NUMBERS), X.astype(dtype), target_opset=opset)


@pytest.mark.parametrize("hidden", [(), (3,)])
def test_scaled_features_and_no_hidden_layer_are_exported(check_exported, hidden):
    network = MLPRegressor(hidden_layer_sizes=hidden, feature_scale=True, **SHORT)
    check_exported(network.fit(X, ONE), X)


@BOTH_OPSETS
@BOTH_DTYPES
@pytest.mark.parametrize(
    ("loss", "y"),
    [
        *((name, np.abs(NUMBERS) + 0.1) for name in list_losses("regression")),
        (Pinball([0.1, 0.5, 0.9]), NUMBERS),
        (Pinball([0.1, 0.5, 0.9]), ONE),
    ],
)
def test_every_loss_of_numbers_is_exported(check_exported, loss, y, dtype, opset):
    network = MLPRegressor(loss, (8,), **SHORT).fit(X, y)
    check_exported(network, X.astype(dtype), target_opset=opset)


@BOTH_DTYPES
@pytest.mark.parametrize(
    "options",
    [
        {"output_range": (-4, 4)},
        {"output": "categorical"},
        {"output": "categorical", "categorical_prediction": "mode"},
        {"clip_predictions": True},
        {"clip_predictions": True, "loss": "gaussian_nll"},
        {"standardize_target": True},
    ],
    ids=str,
)
def test_every_output_of_numbers_is_exported(check_exported, options, dtype):
    y = np.round(ONE) if options.get("output") == "categorical" else ONE
    network = MLPRegressor(hidden_layer_sizes=(8,), **options, **SHORT).fit(X, y)
    check_exported(network, X.astype(dtype))


def test_targets_beyond_float32_are_predicted_in_float64(check_exported):
    network = MLPRegressor(hidden_layer_sizes=(8,), **SHORT).fit(X, 1e42 * ONE)
    model = check_exported(network, X.astype(np.float32))
    assert model(X.astype(np.float32))[0].dtype == np.float64


@BOTH_DTYPES
def test_deviations_are_exported_on_request(exported, dtype):
    rows = X.astype(dtype)
    network = MLPRegressor(GaussianNLL(), (8,), **SHORT).fit(X, NUMBERS)
    for model in (network, make_pipeline(StandardScaler(), network).fit(X, NUMBERS)):
        outputs = exported(model, rows, return_std=True)(rows)
        for found, expected in zip(outputs, model.predict(rows, return_std=True), strict=True):
            assert_close(found, expected)


def test_distributions_over_integers_are_exported_on_request(exported):
    network = MLPRegressor(output="categorical", hidden_layer_sizes=(8,), **SHORT)
    network.fit(X, np.round(ONE))
    mean, distribution = exported(network, X, return_proba=True)(X)
    assert_close(mean, network.predict(X))
    assert_close(distribution, network.predict_proba(X))


def test_what_a_regressor_does_not_estimate_is_refused(exported):
    network = MLPRegressor(hidden_layer_sizes=(8,), **SHORT).fit(X, ONE)
    with pytest.raises(ValueError, match="return_std needs a loss that estimates standard dev"):
        exported(network, X, return_std=True)


@BOTH_OPSETS
@BOTH_DTYPES
@pytest.mark.parametrize("loss", ["log_loss", "focal"])
def test_exported_classifiers_predict_the_same(check_exported, loss, dtype, opset):
    rows = X.astype(dtype)
    labels = make_multilabel_classification(80, 6, random_state=0)[1]
    for network, y in [
        (MLPBinaryClassifier((8,), loss=loss, **SHORT), TWO),
        (MLPBinaryClassifier((8,), loss=loss, **SHORT), labels),
        (MLPSoftmaxClassifier((8,), loss=loss, **SHORT), TWO),
        (MLPSoftmaxClassifier((8,), loss=loss, **SHORT), Y),
        (MLPClassifier((8,), loss=loss, **SHORT), TWO),
        (MLPClassifier((8,), loss=loss, **SHORT), labels),
        (MLPClassifier((8,), loss=loss, **SHORT), Y),
    ]:
        check_exported(network.fit(X, y), rows, target_opset=opset)


@pytest.mark.parametrize(
    "names",
    [["a", "ü", "c"], np.array(["a", "b", "c"], dtype=object), [5, -3, 2], [1.0, 2.0, 7.0]],
    ids=str,
)
def test_exported_models_return_the_labels_of_the_fit(check_exported, names):
    check_exported(MLPSoftmaxClassifier((8,), **SHORT).fit(X, np.asarray(names)[Y]), X)


def test_models_of_scikit_learn_return_unsigned_labels(check_exported):
    network = MLPSoftmaxClassifier((8,), **SHORT)
    for model in (
        CalibratedClassifierCV(network, cv=2),
        BaggingClassifier(network, 2, random_state=0),
        OneVsRestClassifier(network),
        StackingClassifier([("a", network)], cv=2),
        VotingClassifier([("a", network)], **SOFT),
    ):
        model.fit(X, Y.astype(np.uint8))
        check_exported(model, X)
        assert model.classes_.dtype == np.uint8


def test_models_of_scikit_learn_return_words(check_exported):
    network = MLPSoftmaxClassifier((8,), **SHORT)
    for model in (
        CalibratedClassifierCV(network, cv=2),
        VotingClassifier([("a", network)], **SOFT),
    ):
        check_exported(model.fit(X, np.array(["a", "b", "c"])[Y]), X)


def test_labels_that_skl2onnx_would_change_are_refused(exported):
    network = MLPBinaryClassifier((8,), **SHORT)
    for model, labels, message in [
        (OneVsOneClassifier(network), Y + 1, "other labels than 0, 1, 2"),
        (OneVsOneClassifier(network), np.array(["a", "b", "c"])[Y], "other labels than 0, 1, 2"),
        (OneVsRestClassifier(network), Y + 2**31, "labels beyond int32"),
        (make_pipeline(CalibratedClassifierCV(network, cv=2)), -TWO * 2**32, "labels beyond int32"),
        (OneVsRestClassifier(RosenblattPerceptron(20)), Y, "a unit for each class"),
    ]:
        with pytest.raises(ValueError, match=message):
            export.to_onnx(model.fit(X, labels), X)
    for model, labels in [
        (OneVsOneClassifier(network), Y),
        (OneVsRestClassifier(RosenblattPerceptron(20)), TWO),
    ]:
        found = exported(model.fit(X, labels), X)(X)[0].ravel()
        np.testing.assert_array_equal(found, model.predict(X))


def test_booleans_are_predicted_as_integers(exported):
    network = MLPBinaryClassifier((8,), **SHORT).fit(X, TWO == 1)
    labels, _ = exported(network, X)(X)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels.astype(bool), network.predict(X))


@pytest.mark.parametrize("labels", [[0.5, 1.0], np.array([date(2024, 1, 1), "a"], dtype=object)])
def test_labels_that_onnx_has_not_are_refused(labels):
    from skperceptron.export._onnx._outputs import label_type

    with pytest.raises(ValueError, match="must be integers, booleans or strings"):
        label_type(labels, [None])


def test_probabilities_may_be_dicts_or_columns(exported):
    names = np.array(["low", "mid", "high"])
    network = MLPSoftmaxClassifier((8,), **SHORT)
    pipeline = make_pipeline(StandardScaler(), network).fit(X, names[Y])
    expected = pipeline.predict_proba(X)
    # In ONNX, such dicts can hold float32 only.
    _, as_dicts = exported(pipeline, X, zipmap=True)(X)
    as_arrays = np.array([[row[name] for name in sorted(names)] for row in as_dicts])
    assert_close(as_arrays.astype(np.float32), expected)
    outputs = exported(pipeline, X, zipmap="columns")(X)
    assert_close(np.column_stack(outputs[1:]), expected)


def test_dicts_from_models_of_scikit_learn_need_float32(exported):
    calibrated = CalibratedClassifierCV(MLPSoftmaxClassifier((8,), **SHORT), cv=2)
    search = GridSearchCV(make_pipeline(StandardScaler(), calibrated), {}, cv=2).fit(X, Y)
    rows = X.astype(np.float32)
    _, as_dicts = exported(search, rows, zipmap=True)(rows)
    as_arrays = np.array([[row[label] for label in range(3)] for row in as_dicts])
    assert_close(as_arrays.astype(np.float32), search.predict_proba(rows))
    with pytest.raises(ValueError, match="needs X as float32"):
        exported(search, X, zipmap=True)


@BOTH_OPSETS
@BOTH_DTYPES
@pytest.mark.parametrize("options", [{}, {"n_associative": 30}], ids=str)
@pytest.mark.parametrize("y", [TWO, Y], ids=["two", "three"])
def test_exported_perceptron_predicts_the_same(check_exported, options, y, dtype, opset):
    perceptron = RosenblattPerceptron(random_state=0, weights="averaged", **options).fit(X, y)
    check_exported(perceptron, X.astype(dtype), target_opset=opset)


# Networks inside other models.


@BOTH_DTYPES
def test_meta_estimators_of_scikit_learn_are_exported(check_exported, dtype):
    network = MLPSoftmaxClassifier((8,), max_iter=20, random_state=0)
    two = MLPBinaryClassifier((8,), max_iter=20, random_state=0)
    for model, y in [
        (make_pipeline(StandardScaler(), network), Y),
        (CalibratedClassifierCV(network, cv=2), Y),
        (CalibratedClassifierCV(make_pipeline(StandardScaler(), two), cv=2), TWO),
        (CalibratedClassifierCV(RosenblattPerceptron(random_state=0), cv=2), TWO),
        (VotingClassifier([("a", network), ("b", LogisticRegression())], **SOFT), Y),
        (StackingClassifier([("a", network), ("b", two)], cv=2), TWO),
        (BaggingClassifier(network, 1, random_state=0), Y),
    ]:
        check_exported(model.fit(X, y), X.astype(dtype))


def calibrated(model):
    return CalibratedClassifierCV(model, cv=2)


def piped(model):
    return make_pipeline(StandardScaler(), model)


def of_decisions(model):
    return StackingClassifier([("a", model)], cv=2, stack_method="decision_function")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda network: calibrated(piped(piped(network))),
        lambda network: calibrated(piped(calibrated(piped(network)))),
        lambda network: piped(VotingClassifier([("a", calibrated(piped(network)))], **SOFT)),
        lambda network: BaggingClassifier(calibrated(piped(network)), 2, random_state=0),
        lambda network: calibrated(BaggingClassifier(piped(network), 2, random_state=0)),
        lambda network: calibrated(StackingClassifier([("a", network)], piped(network), cv=2)),
        lambda network: OneVsRestClassifier(calibrated(GridSearchCV(piped(network), {}, cv=2))),
        lambda network: of_decisions(piped(network)),
        lambda network: of_decisions(GridSearchCV(piped(network), {}, cv=2)),
        lambda network: of_decisions(StackedGridSearchCV(network, {}, cv=2)),
        lambda network: of_decisions(StackingClassifier([("a", network)], piped(network), cv=2)),
    ],
)
def test_decisions_of_pipelines_inside_other_models_are_exported(check_exported, wrap):
    network = MLPClassifier((4,), max_iter=20, random_state=0)
    check_exported(wrap(network).fit(X, Y), X)


@BOTH_DTYPES
def test_calibrated_searches_and_frozen_estimators_are_exported(check_exported, dtype):
    two = MLPBinaryClassifier((8,), max_iter=20, random_state=0)
    pipeline = make_pipeline(StandardScaler(), two)
    of_pipeline = {"mlpbinaryclassifier__alpha": [1e-4, 1]}
    for model in (
        FrozenEstimator(clone(two).fit(X, TWO)),
        FrozenEstimator(clone(pipeline).fit(X, TWO)),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2),
        StackedGridSearchCV(two, {"alpha": [1e-4, 1]}, cv=2),
        StackedGridSearchCV(pipeline, of_pipeline, cv=2),
        FrozenEstimator(StackedGridSearchCV(pipeline, of_pipeline, cv=2).fit(X, TWO)),
    ):
        model = calibrated(model).fit(X, TWO)
        held = [one.estimator for one in model.calibrated_classifiers_]
        check_exported(model, X.astype(dtype))
        assert [one.estimator for one in model.calibrated_classifiers_] == held
    check_exported(piped(model).fit(X, TWO), X.astype(dtype))


def test_calibrated_pipelines_inside_other_models_are_exported(check_exported):
    two = MLPBinaryClassifier((8,), max_iter=20, random_state=0)
    calibrated = CalibratedClassifierCV(make_pipeline(StandardScaler(), two), cv=2)
    named = [("a", calibrated), ("b", two)]
    voting = VotingClassifier(named, voting="soft", weights=[1, 2])
    for model in (
        BaggingClassifier(calibrated, 2, random_state=0),
        CalibratedClassifierCV(calibrated, cv=2),
        StackingClassifier(named, cv=2),
        voting,
    ):
        check_exported(model.fit(X, TWO), X)
    assert voting.weights == [1, 2] and voting.flatten_transform


def test_weights_of_dropped_estimators_do_not_count(check_exported):
    def named(kind):
        members = (kind(max_iter=n, learning_rate_init=0.1, random_state=0) for n in (1, 30))
        return list(zip("abc", ("drop", *members), strict=True))

    weights = [1, 2, 9]
    voting = VotingClassifier(named(MLPClassifier), **SOFT, weights=weights)
    check_exported(voting.fit(X, Y), X)
    check_exported(VotingRegressor(named(MLPRegressor), weights=weights).fit(X, ONE), X)
    assert voting.weights == weights


def test_models_that_would_be_exported_wrongly_are_refused():
    network = MLPBinaryClassifier((8,), max_iter=20, random_state=0)
    tuned = TunedThresholdClassifierCV(network, cv=2).fit(X, TWO)
    cross = StackedCrossEnsembleClassifier(network, {"alpha": [1e-4, 1]}, cv=2, random_state=0)
    for model, message in [
        (tuned, f"compare probabilities with {tuned.best_threshold_:.6g}"),
        (make_pipeline(StandardScaler(), clone(tuned)).fit(X, TWO), "leaves out the threshold"),
        (GridSearchCV(clone(tuned), {}, cv=2).fit(X, TWO), "leaves out the threshold"),
        (CalibratedClassifierCV(cross, cv=2).fit(X, TWO), "Export it alone"),
        (CalibratedClassifierCV(network, method="isotonic").fit(X, TWO), "method='sigmoid'"),
        (of_decisions(network).fit(X, TWO), "stack_method='predict_proba'"),
    ]:
        with pytest.raises(ValueError, match=message):
            export.to_onnx(model, X)


@BOTH_OPSETS
@BOTH_DTYPES
def test_ensembles_of_classifiers_are_exported(check_exported, dtype, opset):
    rows = X.astype(dtype)
    labels = make_multilabel_classification(80, 6, random_state=0)[1]
    network = MLPSoftmaxClassifier((8,), max_iter=15)
    for ensemble, y in [
        (StackedEnsembleClassifier(network, 3, random_state=0), np.array(["a", "b", "c"])[Y]),
        (StackedEnsembleClassifier(MLPBinaryClassifier((8,)), 2, random_state=0), labels),
        (StackedCrossEnsembleClassifier(network, {"alpha": [1e-4, 1]}, random_state=0), Y),
        (
            StackedCrossEnsembleClassifier(
                make_pipeline(StandardScaler(), MLPBinaryClassifier((8,))),
                {"mlpbinaryclassifier__alpha": [1e-4, 1]},
                random_state=0,
            ),
            labels,
        ),
    ]:
        check_exported(ensemble.fit(X, y), rows, target_opset=opset)


def test_labels_as_probable_as_not_are_exported(check_exported):
    labels = np.column_stack([TWO, Y == 0])
    network = MLPBinaryClassifier((8,), **SHORT)
    for model in (network, StackedEnsembleClassifier(network, 2, random_state=0)):
        for fitted in getattr(model.fit(X, labels), "estimators_", [model]):
            fitted.coefs_[-1][:] = fitted.intercepts_[-1][:] = 0
        assert (model.predict_proba(X) == 0.5).all()
        check_exported(model, X)


@BOTH_DTYPES
def test_members_that_were_not_trained_on_all_classes_are_exported(check_exported, dtype):
    y = Y.copy()
    y[:1] = 9
    network = MLPSoftmaxClassifier((8,), max_iter=5)
    ensemble = StackedCrossEnsembleClassifier(network, {}, cv=2, random_state=0)
    with pytest.warns(UserWarning, match="least populated class"):
        check_exported(ensemble.fit(X, y), X.astype(dtype))


@BOTH_DTYPES
@pytest.mark.parametrize("y", [ONE, NUMBERS, 1e41 * ONE], ids=["one", "two", "large"])
def test_ensembles_of_regressors_are_exported(check_exported, y, dtype):
    rows = X.astype(dtype)
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=5)
    for ensemble in [
        StackedEnsembleRegressor(network, 3, random_state=0),
        StackedCrossEnsembleRegressor(network, {"alpha": [1e-4, 1]}, random_state=0),
    ]:
        check_exported(ensemble.fit(X, y), rows)


@BOTH_DTYPES
def test_ensembles_of_ensembles_are_exported(check_exported, dtype):
    classifier = StackedEnsembleClassifier(MLPSoftmaxClassifier((4,), **SHORT), 2, random_state=0)
    regressor = StackedEnsembleRegressor(
        MLPRegressor(hidden_layer_sizes=(4,), **SHORT), 2, random_state=0
    )
    soft = VotingClassifier([("a", classifier), ("b", LogisticRegression())], voting="soft")
    mean = VotingRegressor([("a", regressor), ("b", LinearRegression())])
    bagging = BaggingRegressor(regressor, 2, random_state=0)
    members = StackedEnsembleRegressor(regressor, 2, random_state=0)
    cross = StackedCrossEnsembleRegressor(regressor.estimator, {}, random_state=0)
    for model, y in [
        (BaggingClassifier(soft, 2, random_state=0), Y),
        (StackingClassifier([("a", BaggingClassifier(classifier, 2)), ("b", soft)], cv=2), Y),
        (StackedEnsembleClassifier(classifier, 2, random_state=0), Y),
        (BaggingRegressor(mean, 2, random_state=0), ONE),
        (StackingRegressor([("a", bagging), ("b", mean)], cv=2), ONE),
        (members, ONE),
        (members, NUMBERS),
        (StackedEnsembleRegressor(cross, 2, random_state=0), NUMBERS),
        (StackedEnsembleRegressor(bagging, 2, random_state=0), ONE),
    ]:
        check_exported(clone(model).fit(X, y), X.astype(dtype))


def test_ensembles_that_skl2onnx_would_export_wrongly_are_refused():
    network = MLPSoftmaxClassifier((4,), **SHORT)
    hard = VotingClassifier([("a", network), ("b", LogisticRegression())])
    of_numbers = BaggingRegressor(MLPRegressor(hidden_layer_sizes=(4,), **SHORT), 2)
    tables = StackedCrossEnsembleClassifier(DecisionTreeClassifier(), {}, cv=2)
    for model, y, message in [
        (BaggingClassifier(hard, 2), Y, "BaggingClassifier of classifiers without predict_proba"),
        (StackingClassifier([("a", hard)], cv=2), Y, "StackingClassifier of classifiers without"),
        (of_numbers, NUMBERS, "a BaggingRegressor of several targets"),
        (StackedCrossEnsembleRegressor(of_numbers, {}, cv=2), NUMBERS, "a BaggingRegressor of"),
        (tables, np.eye(3, dtype=int)[Y], "DecisionTreeClassifier for several labels"),
    ]:
        with pytest.raises(ValueError, match=message):
            export.to_onnx(model.fit(X, y), X)


def test_ensemble_of_quantiles_is_exported(check_exported):
    network = MLPRegressor(Pinball([0.2, 0.8]), (8,), max_iter=5)
    for n_members in (1, 2):
        ensemble = StackedEnsembleRegressor(network, n_members, random_state=0)
        check_exported(ensemble.fit(X, ONE), X)


@pytest.mark.parametrize("refit", [True, "ensemble"])
def test_searches_are_exported_with_their_best_estimator(check_exported, refit):
    pipeline = make_pipeline(StandardScaler(), MLPSoftmaxClassifier((8,), **SHORT))
    grid = {"mlpsoftmaxclassifier__alpha": [1e-4, 1]}
    for search in [
        StackedGridSearchCV(pipeline, grid, cv=2, refit=refit),
        StackedRandomizedSearchCV(pipeline, grid, n_iter=2, cv=2, refit=refit, random_state=0),
    ]:
        check_exported(search.fit(X, Y), X)


def run_by_skl2onnx(model, X, options):
    converted = skl2onnx.to_onnx(model, X[:1], options={id(model): options})
    session = onnxruntime.InferenceSession(converted.SerializeToString())
    return session.run(None, {"X": X})


def test_skl2onnx_itself_knows_all_of_it():
    network = MLPSoftmaxClassifier((8,), **SHORT)
    pipeline = make_pipeline(StandardScaler(), network).fit(X, Y)
    for model in (pipeline, network):
        for dtype in (np.float32, np.float64):
            rows = X.astype(dtype)
            (label, *_), (row, *_) = run_by_skl2onnx(model, rows, {})
            assert label == model.predict(rows)[0]
            assert_close(np.array(list(row.values()), np.float32), model.predict_proba(rows)[0])
    names = np.array(["a", "b", "c"])
    network.fit(X, names[Y])
    options = {"zipmap": False, "output_class_labels": True}
    labels, _, classes = run_by_skl2onnx(network, X, options)
    np.testing.assert_array_equal(labels, network.predict(X))
    np.testing.assert_array_equal(classes, names)
    # Positions of the classes instead of labels.
    codes, _ = run_by_skl2onnx(network, X, {"zipmap": False, "nocl": True})
    np.testing.assert_array_equal(names[codes], labels)


@pytest.mark.parametrize(
    "wrap",
    [
        piped,
        lambda network: calibrated(piped(network)),
        lambda network: OneVsRestClassifier(piped(network)),
        lambda network: StackingClassifier([("a", network)], cv=2, passthrough=True),
        lambda network: BaggingClassifier(network, 2, max_features=2, random_state=0),
    ],
)
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_models_of_scikit_learn_take_arrays_of_integers(exported, wrap, dtype):
    whole = np.abs(3 * X).astype(dtype)
    model = wrap(MLPClassifier((4,), max_iter=20, random_state=0)).fit(whole, Y)
    assert_close(exported(model, whole)(whole)[1], model.predict_proba(whole))


def test_integers_are_predicted_in_float32(exported):
    rows = np.round(5 * X).astype(int)
    network = MLPRegressor(hidden_layer_sizes=(8,), **SHORT).fit(rows, ONE)
    assert_close(exported(network, rows)(rows)[0], network.predict(rows))


# Classes of the user's.


class Declared(Gaussian):
    """A bump with tails, which declares its operators."""

    def forward(self, z, out, *learned):
        np.multiply(z, z, out=out)
        np.add(out, 1, out=out)
        np.divide(1, out, out=out)

    def to_onnx(self, graph, z, *learned):
        return 1 / (z * z + 1)


class Undeclared(Gaussian):
    """The same bump; its inherited operators would compute another formula."""

    forward = Declared.forward


class Own(Activation):
    """An activation that declares no operators."""

    keeps_input = True

    def forward(self, z, out, *learned):
        np.copyto(out, z)

    def backward(self, z, a, grad, *learned):
        pass


def test_an_activation_of_the_users_declares_its_operators(check_exported):
    check_exported(
        MLPRegressor(hidden_layer_sizes=(8,), activation=Declared(), **SHORT).fit(X, ONE), X
    )


@pytest.mark.parametrize("activation", [Own(), Undeclared()], ids=str)
def test_an_activation_that_does_not_is_refused_by_name(exported, activation):
    network = MLPRegressor(hidden_layer_sizes=(8,), activation=activation, **SHORT).fit(X, ONE)
    with pytest.raises(NotDeclaredError, match=f"{type(activation).__name__} cannot be exported"):
        exported(network, X)


class Doubled(SquaredError):
    """A loss that redefines its link without declaring the operators."""

    def inverse_link(self, raw, out):
        np.multiply(raw, 2, out=out)


class Sharpened(CategoricalLogLoss):
    """Another such loss, of a classifier."""

    def inverse_link(self, raw, out):
        np.copyto(out, softmax(2 * raw, axis=-1))


class Doubtful(BinaryLogLoss):
    """A loss for two classes that declares the operators of its link."""

    def inverse_link(self, raw, out):
        expit(raw + 1, out=out)

    def to_onnx(self, graph, raw):
        return graph.sigmoid(raw + 1)


@pytest.mark.parametrize("y", [ONE > 0, np.column_stack([ONE > 0, ONE > 1])], ids=["one", "two"])
def test_a_declared_link_of_classes_is_exported(check_exported, y):
    network = MLPBinaryClassifier(loss=Doubtful(), hidden_layer_sizes=(8,), **SHORT)
    check_exported(network.fit(X, y), X)


@pytest.mark.parametrize(
    "network",
    [
        MLPRegressor(loss=Doubled(), hidden_layer_sizes=(8,), **SHORT),
        MLPSoftmaxClassifier(loss=Sharpened(), hidden_layer_sizes=(8,), **SHORT),
    ],
    ids=str,
)
def test_a_loss_with_a_link_of_its_own_is_refused(exported, network):
    network.fit(X, ONE > 0)
    with pytest.raises(NotDeclaredError, match=f"{type(network.loss).__name__} cannot be exported"):
        exported(network, X)


class Halved(blocks.Scale):
    """A block that inherits its operators and its formula."""


class Squared(blocks.Add):
    """A block that redefines its formula, but not its operators."""

    def forward(self, work, node):
        yield from ()


def test_blocks_declare_operators_or_are_refused():
    from skperceptron.engine.operators import refuse_inherited

    refuse_inherited(Halved(2), "to_onnx", ("forward",), general=blocks.Block)
    with pytest.raises(NotDeclaredError, match="Squared cannot be exported"):
        refuse_inherited(Squared(2), "to_onnx", ("forward",), general=blocks.Block)
    with pytest.raises(NotDeclaredError, match="Own cannot"):
        Own().to_onnx(None, None)


def test_all_estimators_are_registered():
    from skperceptron.export._onnx import CONVERTERS

    modules = (skperceptron, model_selection, preprocessing, tabular)
    public = [getattr(module, name) for module in modules for name in module.__all__]
    assert set(CONVERTERS) == {kind for kind in public if isinstance(kind, type)}


def test_a_derived_class_is_registered(check_exported):
    class Mine(MLPRegressor):
        pass

    export.register(Mine)
    check_exported(Mine(hidden_layer_sizes=(4,), **SHORT).fit(X, ONE), X)
    with pytest.raises(TypeError, match="LogisticRegression is derived from none"):
        export.register(LogisticRegression)


def test_an_unfitted_estimator_is_refused():
    with pytest.raises(NotFittedError):
        export.to_onnx(MLPRegressor(), X)


def test_the_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    for name in [name for name in sys.modules if name.startswith("skperceptron.export")]:
        monkeypatch.delitem(sys.modules, name)
    without = importlib.import_module("skperceptron.export")
    with pytest.raises(ImportError, match=r"pip install 'skperceptron\[onnx\]'"):
        without.to_onnx  # noqa: B018


# Networks that no estimator builds.


def raw_of(network, learned, feeds):
    """Return what onnxruntime computes for a network of the engine."""
    from onnx import TensorProto, helper

    from skperceptron.export._onnx._estimators import raw_outputs
    from skperceptron.export._onnx._graph import Graph
    from skperceptron.export._onnx._graph import Value as Tensor

    class Container:
        target_opset = NEWEST

        def __init__(self):
            self.nodes, self.constants = [], []

        def add_node(self, op, inputs, outputs, op_domain="", name=None, **attributes):
            made = helper.make_node(op, inputs, outputs, name=name, domain=op_domain, **attributes)
            self.nodes.append(made)

        def add_initializer(self, name, onnx_type, shape, tensor):
            tensor.name = name
            self.constants.append(tensor)

    class Scope:
        n = 0

        def get_unique_variable_name(self, hint):
            self.n += 1
            return f"{hint}{self.n}"

        get_unique_operator_name = get_unique_variable_name

    class Fitted:
        def __init__(self):
            self.network = network

        def views(self, dtype):
            return learned

    container = Container()
    graph = Graph(Scope(), container, np.float64)
    values = {name: Tensor(graph, name, array.dtype.name) for name, array in feeds.items()}
    raw = raw_outputs(graph, Fitted(), values)
    types = {"float64": TensorProto.DOUBLE, "int64": TensorProto.INT64}
    inputs = [
        helper.make_tensor_value_info(name, types[array.dtype.name], [None, array.shape[1]])
        for name, array in feeds.items()
    ]
    output = helper.make_tensor_value_info(raw.name, TensorProto.DOUBLE, None)
    made = helper.make_graph(container.nodes, "raw", inputs, [output], container.constants)
    opset = helper.make_opsetid("", NEWEST)
    model = helper.make_model(made, opset_imports=[opset], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, feeds)[0]


def test_blend_of_two_inputs_is_exported():
    from skperceptron.engine.inputs import NetworkInput
    from skperceptron.engine.prediction import Predictor

    rng = np.random.RandomState(0)
    inputs = [NetworkInput("x", 3), NetworkInput("others", 2)]
    network = Network(
        inputs,
        [
            Node("affine", blocks.Affine([3, 2], 4), (INPUT, INPUT - 1)),
            Node("gate", blocks.Activate([Heaviside()], 4), (0,)),
            Node("blend", blocks.Blend(4), (0, 1)),
            Node("last", blocks.Affine([4], 2), (2,)),
        ],
    )
    learned = network.views(rng.normal(size=(1, network.n_parameters)))
    feeds = {"x": rng.normal(size=(9, 3)), "others": rng.normal(size=(9, 2))}
    expected = Predictor(network, learned, np.dtype(np.float64))(feeds)
    assert_close(raw_of(network, learned, feeds), expected)


def test_every_loss_states_its_link():
    kinds = [cls for cls in vars(importlib.import_module("skperceptron.losses")).values()]
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Loss) and kind is not Loss:
            assert any("to_onnx" in vars(base) for base in kind.__mro__[:-1])


@pytest.mark.parametrize(
    "before",
    [
        lambda network: network,
        lambda network: make_pipeline(StandardScaler(), network),
        lambda network: make_union(StandardScaler(), network),
        lambda network: make_column_transformer((network, [0, 1])),
    ],
    ids=["network", "pipeline", "union", "columns"],
)
def test_hidden_layers_that_another_step_reads_are_refused(before):
    network = MLPRegressor(hidden_layer_sizes=(1,), **SHORT)
    pipeline = make_pipeline(before(network), LinearRegression()).fit(X, ONE)
    for model in (pipeline, GridSearchCV(pipeline, {}, cv=2).fit(X, ONE)):
        with pytest.raises(ValueError, match="This MLPRegressor stands before another step"):
            export.to_onnx(model, X)
