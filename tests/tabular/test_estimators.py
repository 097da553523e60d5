"""Tabular estimators: from raw tables of any kind to predictions and out-of-fold scores."""

import pickle
import re
import warnings
from datetime import date, timedelta
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier, export
from skperceptron.callbacks import EpochLogger, StopOnPlateau
from skperceptron.embeddings import NumericEmbedding, Periodic
from skperceptron.engine.blocks import Scale
from skperceptron.tabular import TabularMLPClassifier, TabularMLPRegressor
from skperceptron.tabular import _base as base
from skperceptron.tabular._presets import is_skewed

pd = pytest.importorskip("pandas")

SMALL = {"n_folds": 2, "arms": 1, "hidden_layer_sizes": (8,), "max_epochs": 15, "random_state": 0}
BOTH = pytest.mark.parametrize("cls", [TabularMLPClassifier, TabularMLPRegressor])


def small(cls=TabularMLPClassifier, **parameters):
    return cls(**{**SMALL, **parameters})


def frame(n=120, seed=0):
    """Return a frame of all kinds of columns, and labels that follow from two of them."""
    rng = np.random.RandomState(seed)
    size, color = rng.normal(size=n), rng.choice(["red", "green", "blue"], n)
    y = np.where((color == "red") | (size > 0.5), "yes", "no")
    X = pd.DataFrame(
        {
            "size": np.where(rng.rand(n) < 0.1, np.nan, size),
            "color": pd.Series(color, dtype=object).where(rng.rand(n) > 0.1, None),
            "kind": pd.Categorical(rng.choice(["a", "b"], n)),
            "known": rng.rand(n) < 0.5,
            "day": [date(2024, 1, 1) + timedelta(int(d)) for d in rng.randint(400, size=n)],
            "empty": np.full(n, np.nan),
            "constant": np.full(n, 7.0),
        }
    )
    X["day"] = pd.to_datetime(X["day"])
    return X, y


def target_of(cls, y):
    return y if cls is TabularMLPClassifier else (y == "yes") * 1000.0 - 500


def passing_parts(estimator):
    """Return the checks that are expected to fail: weights are not equal to repetitions.

    Folds are drawn by rows: the copies of a repeated row may be in two folds.
    """
    return {
        "check_sample_weight_equivalence_on_dense_data": "folds are drawn by rows",
        "check_sample_weight_equivalence_on_sparse_data": "folds are drawn by rows",
    }


QUICK = {"n_folds": 2, "hidden_layer_sizes": (16,), "max_epochs": 30, "random_state": 0}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [TabularMLPClassifier(arms=2, **QUICK), TabularMLPRegressor(arms=1, **QUICK)],
    expected_failed_checks=passing_parts,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@BOTH
def test_raw_frame_goes_in_and_good_predictions_come_out(cls):
    X, labels = frame(300)
    y = target_of(cls, labels)
    model = small(cls, max_epochs=60, arms=2).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) > (0.85 if cls is TabularMLPClassifier else 0.5)
    assert model.n_features_in_ == 7
    assert list(model.feature_names_in_) == list(X.columns)
    assert model.predict(X[:3]).dtype == y.dtype
    assert model.weights_.shape == (2,)
    assert model.weights_.sum() == pytest.approx(1)


def test_probabilities_are_calibrated_and_add_up():
    X, y = frame()
    model = small(arms=2).fit(X, y)
    probability = model.predict_proba(X)
    assert probability.shape == (120, 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(probability))
    np.testing.assert_array_equal(model.predict(X), model.classes_[probability.argmax(axis=1)])
    assert model.temperatures_.shape == (2,)


def test_scores_of_a_fit_are_those_of_its_out_of_fold_predictions():
    X, y = load_iris(return_X_y=True)
    model = small(arms=2).fit(X, y)
    predicted = model.classes_[model.oof_predictions_.argmax(axis=1)]
    assert model.cv_score_ == pytest.approx(accuracy_score(y, predicted))
    assert model.cv_loss_ == pytest.approx(log_loss(y, model.oof_predictions_))
    X, y = load_diabetes(return_X_y=True)
    model = small(TabularMLPRegressor).fit(X, y)
    assert model.cv_score_ == pytest.approx(r2_score(y, model.oof_predictions_))
    assert model.cv_loss_ == pytest.approx(np.mean((y - model.oof_predictions_) ** 2))


@pytest.mark.filterwarnings("error")
def test_score_has_no_unit():
    X, y = load_diabetes(return_X_y=True)
    scores = [
        small(TabularMLPRegressor).fit(X, y * unit).score(X, y * unit) for unit in (1, 2.0**600)
    ]
    np.testing.assert_allclose(*scores, rtol=1e-5)


@BOTH
def test_networks_have_not_seen_the_rows_that_they_predict_out_of_fold(cls):
    """Random labels can be memorised, but not predicted."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(80, 20)), rng.permutation(np.repeat(["no", "yes"], 40))
    y = target_of(cls, y)
    model = small(cls, max_epochs=200, n_folds=4).fit(X, y)
    assert model.cv_score_ < 0.7
    tests = np.concatenate([test for _, test in model.ensemble_.splits_])
    np.testing.assert_array_equal(np.sort(tests), np.arange(80))


@BOTH
def test_same_seed_gives_the_same_model(cls):
    X, labels = frame()
    y = target_of(cls, labels)
    first, second = (small(cls).fit(X, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@BOTH
def test_preset_fills_in_what_is_none(cls):
    X, labels = frame(40)
    y = target_of(cls, labels)
    model = cls(max_epochs=1, random_state=0).fit(X, y)
    assert len(model.arms_) == 3
    assert len(model.ensemble_.splits_) == (8 if cls is TabularMLPClassifier else 6)
    network = model.ensemble_.estimators_[0][0]
    assert network.hidden_layer_sizes == (128, 128)
    assert model.n_epochs_ == 1


def test_folds_follow_from_the_number_of_rows():
    preset = base.PRESETS["default"]
    assert [preset.folds(preset.classification, n) for n in (1_000, 1_001)] == [8, 4]
    assert [preset.folds(preset.regression, n) for n in (1_000, 1_001)] == [6, 6]


def test_epochs_and_batches_follow_from_the_number_of_rows():
    preset = base.PRESETS["default"]
    assert preset.classification.batch_size(100) == 32
    assert preset.classification.batch_size(1_600) == 128
    assert preset.classification.batch_size(10**6) == 256
    assert preset.regression.batch_size(50) == 64
    assert preset.regression.batch_size(100) == 64
    assert preset.regression.batch_size(1_000) == 128
    assert preset.regression.batch_size(10**6) == 256
    assert preset.epochs(preset.classification, 100, batches=3) == 200
    assert preset.epochs(preset.classification, 10_000, batches=20) == 100
    assert preset.epochs(preset.classification, 10**6, batches=3_000) == 7
    assert preset.epochs(preset.regression, 100, batches=2) == 200


@pytest.mark.parametrize("preset", ["default", "tabm"])
def test_a_batch_has_at_most_the_rows_that_a_network_is_trained_on(preset):
    X = np.random.RandomState(0).normal(size=(30, 2))
    model = TabularMLPRegressor(preset, arms=1, n_folds=2, max_epochs=1, random_state=0)
    for network in model.fit(X, X[:, 0]).ensemble_.estimators_[0]:
        assert network.batch_size == 15


def test_networks_stop_when_a_third_of_all_epochs_has_brought_nothing():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, 20)), np.repeat(["no", "yes"], 30)
    model = TabularMLPClassifier(arms=1, max_epochs=90, random_state=0).fit(X, rng.permutation(y))
    for network in model.ensemble_.estimators_[0]:
        scores = np.array(network.validation_scores_)
        best = np.flatnonzero(scores == np.nanmax(scores))[-1]
        assert len(scores) - 1 - best in range(30, 34) or len(scores) == 90
    assert min(len(network.validation_scores_) for network in model.ensemble_.estimators_[0]) < 90


def test_arms_follow_from_the_table():
    default, fast, accurate = (base.PRESETS[name] for name in ("default", "fast", "accurate"))

    def arms_of(preset, n_rows, n_inputs, is_dense=True, is_classifier=True):
        recipe = preset.recipe(is_classifier=is_classifier)
        return preset.arms(recipe, n_rows, n_inputs, is_dense=is_dense)

    few, binned, waved = (arms_of(default, n, 30) for n in (399, 400, 2_000))
    assert arms_of(default, 1_999, 30)[:2] == binned[:2] == few[:2]
    assert [arm.get("activation") for arm in few] == [None, "relu", "relu"]
    assert few[2]["hidden_layer_sizes"] == (100, 100)
    assert binned[2]["hidden_layer_sizes"] == (100,)
    assert binned[2]["numeric_embedding"].n_bins == 12
    assert waved[0]["numeric_embedding"].n_frequencies == 8
    assert waved[1] == few[1]
    assert waved[2]["numeric_embedding"].n_bins == 12
    assert arms_of(default, 2_000, 31)[:2] == few[:2]
    assert arms_of(default, 400, 60)[2]["numeric_embedding"].n_bins == 6
    assert arms_of(default, 2_000, 61) == arms_of(default, 2_000, 30, is_dense=False) == few
    plain, embedded = (arms_of(default, n, 60, is_classifier=False) for n in (599, 600))
    assert not any("numeric_embedding" in arm for arm in plain)
    for options in ({"n_inputs": 61}, {"n_inputs": 60, "is_dense": False}):
        assert arms_of(default, 600, is_classifier=False, **options) == plain
    bins = [arm.get("numeric_embedding") for arm in embedded]
    assert bins[0].n_bins == bins[2].n_bins == 6
    assert bins[1] is None
    assert embedded[2] == {**embedded[1], "numeric_embedding": bins[2]}
    narrow = arms_of(default, 600, 15, is_classifier=False)
    assert [arm["numeric_embedding"].n_bins for arm in narrow[::2]] == [24, 12]
    skewed = {"is_dense": True, "is_skewed": True}
    multiplied = default.arms(default.regression, 600, 15, **skewed)
    assert repr(multiplied[:2]) == repr(narrow[:2])
    assert multiplied[2]["numeric_embedding"].n_bins == 12
    assert multiplied[2]["learning_rate_init"] == narrow[0]["learning_rate_init"]
    assert multiplied[2]["loss"] == "poisson"
    few = default.arms(default.regression, 599, 15, **skewed)
    assert few[:2] == plain[:2]
    assert few[2] == {**plain[0], "hidden_layer_sizes": (64, 64), "loss": "poisson"}
    assert default.arms(default.regression, 600, 61, **skewed) == plain
    few = arms_of(fast, 399, 3)
    assert not any("numeric_embedding" in arm for arm in few)
    weak, binned = arms_of(fast, 5_000, 3)
    assert weak == few[0]
    assert binned["numeric_embedding"].n_bins == 12
    assert repr(arms_of(accurate, 600, 15, is_classifier=False)) == repr(narrow)
    quick = {**narrow[0], "numeric_embedding": narrow[2]["numeric_embedding"]}
    assert repr(arms_of(fast, 600, 15, is_classifier=False)) == repr((quick, narrow[1]))
    assert arms_of(fast, 599, 15, is_classifier=False) == (plain[0], plain[2])


def test_targets_are_skewed_if_none_is_negative_and_the_skewness_is_above_a_bound():
    # With a share p of ones, skewness is (1 - 2p) / sqrt(p (1 - p)): 1.42 and 1.58.
    below, above = (np.repeat([0.0, 1.0], [100 - n, n]) for n in (21, 19))
    assert is_skewed(above, None)
    assert not is_skewed(below, None)
    assert not is_skewed(above - 1, None)
    assert not is_skewed(1 - above, None)
    assert not is_skewed(np.zeros(6), None)
    assert not is_skewed(np.full(6, 0.1), None)
    assert is_skewed(np.stack([above, above[::-1]], axis=1), None)
    assert not is_skewed(np.stack([above, below], axis=1), None)


def test_skewness_counts_weights_and_has_no_unit():
    values = np.array([0.0, 1.0])
    assert not is_skewed(values, None)
    assert is_skewed(values, np.array([81, 19]))
    for unit in (2.0**1000, 2.0**-1000):
        assert is_skewed(np.repeat(values, [81, 19]) * unit, None)
        assert not is_skewed(np.arange(6) * unit, None)


def test_one_arm_multiplies_effects_if_the_target_of_a_narrow_table_is_skewed():
    X = np.random.RandomState(0).normal(size=(640, 3))
    skewed = np.exp(2 * X[:, 0])

    def losses(n_rows, y, sample_weight=None, **parameters):
        options = {"arms": None, "max_epochs": 1, **parameters}
        model = small(TabularMLPRegressor, **options).fit(X[:n_rows], y[:n_rows], sample_weight)
        return [members[0].loss for members in model.ensemble_.estimators_]

    ordinary = ["squared_error"] * 3
    for n_rows in (599, 640):
        assert losses(n_rows, skewed) == ["squared_error", "squared_error", "poisson"]
    for y in (-skewed, X[:, 0], X[:, 0] - X[:, 0].min()):
        assert losses(640, y) == ordinary
    # The large targets weigh next to nothing.
    assert losses(640, skewed, np.where(skewed < 2, 1.0, 1e-6)) == ordinary
    assert losses(640, skewed, preset="accurate") == ordinary
    assert losses(640, skewed, preset="fast") == ordinary[:2]
    assert losses(640, skewed, arms=[{}]) == ["squared_error"]


def test_products_of_effects_are_learned_from_few_rows():
    X = np.random.RandomState(0).normal(size=(1_200, 6))
    y = np.exp(X @ [0.5, 0.4, 0.3, 0.2, 0.2, 0.1])
    model = TabularMLPRegressor(n_folds=2, max_epochs=20, random_state=0).fit(X[:600], y[:600])
    assert model.weights_.argmax() == 2
    assert model.score(X[600:], y[600:]) > 0.9


@pytest.mark.filterwarnings("error")
def test_targets_that_are_nearly_all_zero_are_learned():
    X = np.random.RandomState(0).normal(size=(600, 3))
    y = np.zeros(600)
    y[3] = 8
    model = small(TabularMLPRegressor, n_folds=4, arms=3).fit(X, y)
    assert model.arms_[2]["loss"] == "poisson"
    predicted = model.predict(X)
    assert np.all((predicted >= 0) & (predicted <= 8))


def test_accurate_classifiers_embed_numbers_of_all_narrow_tables():
    recipe = base.PRESETS["accurate"].classification
    arms = partial(base.PRESETS["accurate"].arms, recipe)
    narrow, wide = arms(100, 60, is_dense=True), arms(100, 61, is_dense=True)
    assert wide == arms(99, 60, is_dense=True) == arms(100, 60, is_dense=False)
    weak, rectified, deeper, strong = wide
    found = [arm.get("numeric_embedding") for arm in narrow]
    assert found[0].n_frequencies == 8
    assert found[2].n_bins == found[3].n_bins == 6
    assert narrow == (
        {**weak, "numeric_embedding": found[0]},
        rectified,
        {**rectified, "numeric_embedding": found[2]},
        {**deeper, "numeric_embedding": found[3]},
        narrow[4],
    )
    decays = [arm["solver"].weight_decay for arm in (weak, narrow[4], strong)]
    assert decays == [0.02, 0.3, 2.0]


@BOTH
def test_folds_of_few_rows_are_drawn_several_times(cls):
    X, labels = frame(60)
    model = cls("accurate", arms=1, hidden_layer_sizes=8, max_epochs=2, random_state=0)
    model.fit(X, target_of(cls, labels))
    recipe = base.PRESETS["accurate"].recipe(is_classifier=cls is TabularMLPClassifier)
    splits = model.ensemble_.splits_
    n_folds = recipe.n_folds[0]
    assert len(splits) == len(model.ensemble_.estimators_[0]) == n_folds * recipe.n_draws[0]
    for start in range(0, len(splits), n_folds):
        held = np.concatenate([test for _, test in splits[start : start + n_folds]])
        np.testing.assert_array_equal(np.sort(held), np.arange(60))
    assert np.isfinite(model.oof_predictions_).all()
    model.set_params(n_folds=3).fit(X, target_of(cls, labels))
    assert len(model.ensemble_.splits_) == 3


@BOTH
def test_rows_of_folds_may_be_marked(cls):
    X, labels = frame(60)
    first = np.arange(60) < 30
    model = small(cls, n_folds=[(first, ~first), (~first, first)]).fit(X, target_of(cls, labels))
    held_out = [test for _, test in model.ensemble_.splits_]
    np.testing.assert_array_equal(held_out, [np.arange(30, 60), np.arange(30)])
    assert np.isfinite(model.oof_predictions_).all()


@BOTH
def test_widths_that_are_asked_for_are_those_of_all_arms(cls):
    X, labels = frame(60)
    model = cls(n_folds=2, hidden_layer_sizes=(5, 4), max_epochs=2).fit(X, target_of(cls, labels))
    assert len(model.arms_) > 1
    shapes = {tuple(w.shape[1] for w in m[0].coefs_[:2]) for m in model.ensemble_.estimators_}
    assert shapes == {(5, 4)}


def test_accurate_preset_trains_arms_of_several_shapes():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(100, 2)), np.repeat(["no", "yes"], 50)
    model = TabularMLPClassifier("accurate", n_folds=2, max_epochs=2, random_state=0).fit(X, y)
    networks = [members[0] for members in model.ensemble_.estimators_]
    plain = [network for network in networks if network.parametrization == "standard"]
    assert [network.hidden_layer_sizes for network in plain] == [(100, 100)]
    assert [network.activation for network in networks] == ["selu", "relu", "relu", "relu", "selu"]
    embedded = [hasattr(network, "numeric_embeddings_") for network in networks]
    assert embedded == [True, False, True, True, False]


@BOTH
def test_numbers_of_long_narrow_tables_are_embedded(cls):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(2_000, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0, "yes", "no")
    model = cls(n_folds=2, max_epochs=2, random_state=0).fit(X, target_of(cls, y))
    networks = [members[0] for members in model.ensemble_.estimators_]
    assert [network.numeric_embedding is None for network in networks] == [False, True, False]
    assert networks[0].numeric_embeddings_
    assert networks[2].numeric_embeddings_


@BOTH
@pytest.mark.parametrize("preset", ["realmlp-td-s", "realmlp-td", "tabm"])
def test_published_networks_hold_one_fifth_out_and_are_not_calibrated(cls, preset):
    X, labels = frame()
    model = cls(preset, max_epochs=3, random_state=0).fit(X, target_of(cls, labels))
    ((network,),) = model.ensemble_.estimators_
    ((train, test),) = model.ensemble_.splits_
    assert len(test) / (len(train) + len(test)) == pytest.approx(0.2, abs=0.01)
    predicted = model.oof_predictions_.reshape(len(X), -1)
    assert np.isnan(predicted[:, 0]).sum() == len(train)
    assert np.isfinite(model.cv_score_)
    assert len(network.hidden_layer_sizes) == 3
    assert network.early_stopping.ties == ("first" if preset == "tabm" else "latest")
    if cls is TabularMLPClassifier:
        np.testing.assert_array_equal(model.temperatures_, 1)
        alone = network.predict_proba(model.preprocessor_.transform(X))
        # In float32 the number of BLAS's threads may change the last bits.
        np.testing.assert_allclose(model.predict_proba(X), alone, rtol=1e-5)


def towns(n=200):
    """Return a frame with a column of eleven levels, ten of them with a number of their own."""
    rng = np.random.RandomState(0)
    town = rng.choice(list("abcdefghij"), n).astype(object)
    town[:9] = None
    letter = rng.choice(list("stuvwxyz"), n)
    X = pd.DataFrame({"letter": letter, "town": town, "size": rng.normal(size=n)})
    return X, X["town"].isin(list("acdh")).to_numpy()


@BOTH
def test_realmlp_td_embeds_columns_of_more_than_eight_levels(cls):
    X, known = towns()
    y = known if cls is TabularMLPClassifier else known * 10.0
    model = cls("realmlp-td", hidden_layer_sizes=(32,), max_epochs=60, random_state=0).fit(X, y)
    ((network,),) = model.ensemble_.estimators_
    # Gaps are a level, too.
    assert [table.shape for table in network.embeddings_] == [(11, 8)]
    # Eight levels, a number embedded in four, and a vector of eight.
    assert network.coefs_[0].shape == (8 + 4 + 8, 32)
    assert model.score(X, y) > 0.9
    news = X[:3].assign(town=["never", None, "a"])
    unknown, missing, _ = model.predict(news.assign(letter="s", size=0.0))
    assert unknown == missing
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict(news), model.predict(news))
    found = model.permutation_importances(X, y, n_repeats=2, random_state=0)
    assert np.argmax(found.importances_mean) == 1
    # The smaller form, as published, does not embed.
    ((network,),) = small(cls, preset="realmlp-td-s", n_folds=None).fit(X, y).ensemble_.estimators_
    assert not hasattr(network, "embeddings_")
    assert network.coefs_[0].shape == (19, 8)


def flags(n=200):
    """Return a frame of a number with gaps, and columns of categories without any number."""
    rng = np.random.RandomState(0)
    size = np.where(rng.rand(n) < 0.1, np.nan, rng.normal(size=n))
    X = pd.DataFrame({"size": size, "new": rng.rand(n) < 0.5, "kind": rng.choice(list("uvw"), n)})
    return X, (X["kind"] == "u").to_numpy() ^ X["new"].to_numpy()


@BOTH
def test_networks_that_embed_only_numbers_are_stored_in_files(cls, tmp_path):
    pytest.importorskip("safetensors")
    X, y = flags()
    model = cls("realmlp-td", n_folds=2, max_epochs=2, random_state=0).fit(X, y * 1.0)
    export.save(model, tmp_path / "model.safetensors")
    restored = export.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))


@BOTH
def test_only_numbers_are_embedded_periodically(cls):
    X, y = flags()
    arms = [{}, {"numeric_embedding": "plr"}, {"numeric_embedding": Periodic(columns=[1, 2])}]
    model = cls("realmlp-td", arms=arms, n_folds=2, max_epochs=2, random_state=0).fit(X, y * 1.0)
    networks = [members[0] for members in model.ensemble_.estimators_]
    # A number, a mark of gaps, a column of -1 and +1, and three levels.
    assert [n.numeric_embeddings_[0].shape[0] for n in networks] == [1, 1, 2]
    assert [n.coefs_[0].shape[0] for n in networks] == [4 + 5, 8 + 5, 4 + 4 + 4]
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))
    assert set(model.permutation_importances(X, y * 1.0, n_repeats=1).importances.shape) == {3, 1}
    plain = cls("realmlp-td", max_epochs=2, random_state=0).fit(X[["new", "kind"]], y * 1.0)
    assert not hasattr(plain.ensemble_.estimators_[0][0], "numeric_embeddings_")
    numbers = cls("realmlp-td", max_epochs=2, random_state=0).fit(X[["size"]].fillna(0), y * 1.0)
    assert numbers.ensemble_.estimators_[0][0].numeric_embedding == "pbld"


class Squares(NumericEmbedding):
    """A user's embedding, of all features."""

    def block(self, n_features):
        return Scale(n_features)


@BOTH
def test_other_embeddings_are_of_all_columns(cls):
    X, y = flags()
    own = small(cls, preset="realmlp-td", arms=[{"numeric_embedding": Squares()}]).fit(X, y * 1.0)
    assert own.ensemble_.estimators_[0][0].coefs_[0].shape[0] == 6
    # Networks for use, unlike published ones, gain from embedded columns of zeros and ones.
    default = small(cls, arms=[{"numeric_embedding": "pbld"}]).fit(X, y * 1.0)
    assert default.ensemble_.estimators_[0][0].coefs_[0].shape[0] == 6 * 4
    with pytest.raises(ValueError, match=r"(?s)'numeric_embedding' .* must be .*arm 0"):
        small(cls, preset="realmlp-td", arms=[{"numeric_embedding": "waves"}]).fit(X, y * 1.0)


@BOTH
def test_realmlp_td_starts_and_decays_as_pytabkit_does(cls):
    recipe = base.PRESETS["realmlp-td"].recipe(is_classifier=cls is TabularMLPClassifier)
    groups = recipe.network["parameter_groups"].chosen()
    # There, the decay of an array is multiplied twice by the factor of its learning rate.
    assert {name: group.decay for name, group in groups.items()} == {
        "bias": None,
        "feature_scale": 6.0,
        "numeric_embedding": 0.1,
        "activation_share": 0.1,
    }
    assert all(group.decay in (None, group.rate) for group in groups.values())
    X, y = towns(60)
    arm = {"learning_rate_init": 1e-300}
    model = cls("realmlp-td", arms=[arm], max_epochs=1, random_state=0).fit(X, y * 1.0)
    ((network,),) = model.ensemble_.estimators_
    assert network.coefs_[-1].all() and network.intercepts_[-1].all()
    assert np.std(network.embeddings_[0]) == pytest.approx(1, abs=0.2)


@BOTH
def test_several_folds_and_arms_embed(cls):
    X, y = towns()
    arms = [{}, {"dropout": 0.3}]
    model = small(cls, preset="realmlp-td", arms=arms).fit(X, y * 1.0)
    networks = [network for members in model.ensemble_.estimators_ for network in members]
    assert [len(network.embeddings_) for network in networks] == [1] * 4
    assert np.isfinite(model.oof_predictions_).all()


@BOTH
@pytest.mark.parametrize("preset", ["default", "fast", "accurate"])
def test_columns_of_many_levels_are_embedded_where_levels_have_rows(cls, preset):
    X, y = towns()
    X["name"] = [f"row {i}" for i in range(len(X))]
    X.loc[:1, "town"] = "rare"
    model = cls(preset, n_folds=2, max_epochs=2, random_state=0).fit(X, y * 1.0)
    assert model.preprocessor_.code_columns_ == [8 + 1 + 50]
    assert sorted(model.preprocessor_.categories_["town"]) == list("abcdefghij")
    for network, _ in model.ensemble_.estimators_:
        # Gaps and rare towns share a vector.
        assert [table.shape for table in network.embeddings_] == [(11, 8)]


@BOTH
def test_networks_that_share_weights_get_a_column_for_each_level(cls):
    X, y = towns(60)
    arm = {"ensemble_size": 2, "initializer": "ntk_normal"}
    model = small(cls, preset="realmlp-td", arms=[arm]).fit(X, y * 1.0)
    assert not model.preprocessor_.code_columns_
    assert model.ensemble_.estimators_[0][0].adapters_


def test_equally_good_epochs_do_not_keep_tabm_going():
    X = np.random.RandomState(0).randn(80, 3)
    arm = {"hidden_layer_sizes": (16,), "ensemble_size": 2, "learning_rate_init": 0.05}
    model = TabularMLPClassifier("tabm", arms=[arm], max_epochs=160, random_state=0)
    ((network,),) = model.fit(X, X[:, 0] > 0).ensemble_.estimators_
    assert network.initializer == "pytorch"
    scores, patience = network.validation_scores_, 10
    first_best = int(np.argmax(scores))
    assert scores.count(max(scores)) > 1
    # Training ends one epoch after the patience.
    assert network.n_iter_ == first_best + 1 + patience + 1


def test_published_networks_are_trained_for_all_of_their_epochs():
    preset = base.PRESETS["realmlp-td-s"]
    assert (
        preset.epochs(preset.classification, 100, batches=1)
        == preset.epochs(preset.classification, 10**6, batches=3_000)
        == 256
    )
    X, y = load_iris(return_X_y=True)
    folds = TabularMLPClassifier("realmlp-td-s", n_folds=3, max_epochs=2).fit(X, y)
    assert len(folds.ensemble_.splits_) == 3


def test_arms_of_ones_own_are_parameters_of_the_network():
    X, y = frame()
    model = small(arms=[{}, {"activation": "relu", "dropout": 0.3}]).fit(X, y)
    kept, changed = (members[0] for members in model.ensemble_.estimators_)
    assert (kept.activation, changed.activation) == ("selu", "relu")
    assert model.arms_[1]["dropout"] == 0.3
    assert model.arms_[1]["learning_rate_init"] == model.arms_[0]["learning_rate_init"] == 0.04


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"preset": "defalt"}, "'preset' parameter .* Did you mean 'default'"),
        ({"arms": 4}, "arms=4, but the preset 'default' has 3"),
        ({"arms": []}, "at least one"),
        ({"arms": [1]}, "'arms' parameter"),
        (
            {"arms": [{}, {"dropuot": 0.3}]},
            r"arms\[1\] sets 'dropuot'.* of MLPSoftmaxClassifier: .* Did you mean 'dropout'\?",
        ),
        ({"arms": [{"alpha": -1}]}, "'alpha' parameter .* Got -1"),
        ({"arms": [{"hidden_layer_sizes": [4.5]}]}, "'hidden_layer_sizes' parameter .* Got .4.5"),
        ({"n_folds": 1}, "'n_folds' parameter"),
        ({"hidden_layer_sizes": (0,)}, "'hidden_layer_sizes' parameter"),
        ({"max_epochs": 0}, "'max_epochs' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"max_time": 0}, "'max_time' parameter"),
        ({"categorical_features": ["wheight"]}, "no such column"),
    ],
)
def test_wrong_parameters_are_refused_by_name(parameters, message):
    X, y = frame(40)
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(X, y)


def test_callbacks_that_mind_one_fit_are_sent_to_an_arm():
    X, y = frame(40)
    stop = StopOnPlateau(tol=9, patience=1)
    sentence = r"of a TabularMLPClassifier: .* arms=\[\{'callbacks': \[StopOnPlateau\(\)\]\}\]\.$"
    with pytest.raises(TypeError, match=sentence):
        small(callbacks=[stop]).fit(X, y)
    (members,) = small(arms=[{"callbacks": [stop]}]).fit(X, y).ensemble_.estimators_
    assert [member.n_iter_ for member in members] == [3, 3]


def test_categories_may_be_codes():
    rng = np.random.RandomState(0)
    X = rng.randint(5, size=(200, 1))
    y = np.isin(X[:, 0], [1, 3])
    model = small(max_epochs=80, categorical_features=[0]).fit(X, y)
    assert model.preprocessor_.kinds_ == ["category"]
    assert model.score(X, y) == 1


def test_texts_of_many_levels_and_levels_that_nobody_has_seen():
    rng = np.random.RandomState(0)
    X = pd.DataFrame({"id": [f"row {i}" for i in range(150)], "x": rng.normal(size=150)})
    y = X["x"] > 0
    model = small(max_epochs=40).fit(X, y)
    assert model.preprocessor_.transform(X).shape == (150, 51)
    news = pd.DataFrame({"id": ["never", None], "x": [2.0, -2.0]})
    np.testing.assert_array_equal(model.predict(news), [True, False])


@BOTH
def test_columns_that_say_nothing_change_nothing(cls):
    X, labels = frame()
    y = target_of(cls, labels)
    informative = X.drop(columns=["empty", "constant"])
    with_them = small(cls).fit(X, y)
    assert np.isfinite(with_them.oof_predictions_).all()
    assert with_them.cv_score_ == pytest.approx(small(cls).fit(informative, y).cv_score_, abs=0.2)


def test_table_without_any_value_is_refused():
    X = np.full((20, 2), None, dtype=object)
    X[:, 0] = None
    with pytest.raises(ValueError, match="no value in any column"):
        small(categorical_features=[0, 1]).fit(X, np.arange(20) % 2)


def test_class_with_a_single_row_is_known_to_all_networks():
    X, y = load_iris(return_X_y=True)
    rows = np.r_[:101]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = small(n_folds=3).fit(X[rows], y[rows])
    assert model.predict_proba(X[:1]).shape == (1, 3)
    for member in model.ensemble_.estimators_[0]:
        np.testing.assert_array_equal(member.classes_, [0, 1, 2])
    # The single row is never held out, and so has no prediction.
    assert np.isnan(model.oof_predictions_[100]).all()
    assert np.isfinite(model.oof_predictions_[:100]).all()


def test_classes_with_fewer_rows_than_folds():
    X, y = load_iris(return_X_y=True)
    rows = np.r_[:50, 50:52, 100:103]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = small(n_folds=5).fit(X[rows], y[rows])
    assert np.isfinite(model.oof_predictions_).all()


@BOTH
def test_too_few_rows_are_refused(cls):
    y = target_of(cls, np.array(["no", "yes"]))
    if cls is TabularMLPRegressor:
        y = y[:1]
    with pytest.raises(ValueError, match=f"n_samples={len(y)} is too few"):
        small(cls).fit(np.arange(len(y)).reshape(-1, 1), y)


def test_sparse_counts_are_taken():
    rng = np.random.RandomState(0)
    X = sparse.random(150, 400, density=0.05, random_state=rng, format="csr")
    X.data = np.ceil(X.data * 3)
    y = np.asarray(X[:, :20].sum(axis=1)).ravel() > 1.5
    model = small(max_epochs=40).fit(X, y)
    assert model.predict_proba(X[:3]).shape == (3, 2)
    dense = small(max_epochs=40).fit(X.toarray(), y)
    assert model.cv_loss_ == pytest.approx(dense.cv_loss_, abs=0.1)


def test_too_many_columns_are_refused_in_one_sentence():
    X = sparse.random(30, 50_000, density=1e-3, random_state=0, format="csr")
    with pytest.raises(ValueError, match=r"50000 columns.*up to 10000.*TruncatedSVD") as refused:
        small().fit(X, np.arange(30) % 2)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_other_frames_are_as_good_as_those_of_pandas(kind):
    library = pytest.importorskip(kind)
    X, y = frame()
    given = library.from_pandas(X) if kind == "polars" else library.Table.from_pandas(X)
    expected = small().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(small().fit(given, y).predict_proba(given), expected)


@BOTH
def test_rows_without_weight_do_not_count(cls):
    X, labels = frame(200)
    y = target_of(cls, labels)
    noise = np.arange(200) % 2 == 1
    wrong = y.copy()
    wrong[noise] = np.random.RandomState(1).permutation(y[noise])
    parameters = {"max_epochs": 60, "n_folds": 3}
    weighted = small(cls, **parameters).fit(X, wrong, sample_weight=1.0 - noise)
    unweighted = small(cls, **parameters).fit(X, wrong)
    assert weighted.score(X, y) > unweighted.score(X, y)


def test_weights_are_checked():
    X, y = frame(40)
    with pytest.raises(ValueError, match="Negative values"):
        small().fit(X, y, sample_weight=-np.ones(40))
    with pytest.raises(ValueError, match="sample_weight"):
        small().fit(X, y, sample_weight=np.ones(39))


@BOTH
def test_groups_are_held_out_together(cls):
    X, labels = frame()
    groups = np.repeat(np.arange(12), 10)
    model = small(cls, n_folds=3).fit(X, target_of(cls, labels), groups=groups)
    assert len(model.ensemble_.splits_) == 3
    for train, test in model.ensemble_.splits_:
        assert not set(groups[train]) & set(groups[test])
    with pytest.raises(ValueError, match="groups has a single group"):
        small(cls).fit(X, target_of(cls, labels), groups=np.zeros(120))


@pytest.mark.parametrize("splitter", [KFold(3), TimeSeriesSplit(3), GroupKFold(3)])
def test_splitters_draw_the_folds(splitter):
    X, y = frame()
    groups = np.arange(120) // 10 if isinstance(splitter, GroupKFold) else None
    model = small(n_folds=splitter).fit(X, y, groups=groups)
    expected = splitter.split(X, y, groups)
    for (train, test), split in zip(expected, model.ensemble_.splits_, strict=True):
        np.testing.assert_array_equal(train, split[0])
        np.testing.assert_array_equal(test, split[1])


def test_several_labels_per_row():
    X, y = frame()
    labels = np.stack([y == "yes", X["known"]], axis=1).astype(int)
    model = small(max_epochs=60).fit(X, labels)
    assert isinstance(model.ensemble_.estimators_[0][0], MLPBinaryClassifier)
    assert model.predict(X).shape == model.predict_proba(X).shape == (120, 2)
    assert model.oof_predictions_.shape == (120, 2)


def test_several_numbers_per_row():
    X, labels = frame()
    y = target_of(TabularMLPRegressor, labels)
    model = small(TabularMLPRegressor, max_epochs=40).fit(X, np.stack([y, -y], axis=1))
    assert model.predict(X).shape == (120, 2)
    assert isinstance(model.ensemble_.estimators_[0][0], MLPRegressor)


@pytest.mark.parametrize(
    ("max_time", "n_epochs"),
    [
        # One epoch takes 3.5 s, and 28.5 s are left: too few epochs to look more closely.
        (32, 8),
        # Three epochs take 4.5 s, and 52 s are left: each takes 0.5 s, and all else 3 s.
        (60, 98),
        (1e6, 200),
        (1, 1),
    ],
)
def test_time_is_bounded_by_fewer_epochs(monkeypatch, max_time, n_epochs):
    now = 0.0

    def train(self, ensemble, *rest, usual=base.BaseTabularMLP._train):
        nonlocal now
        now += 3 + ensemble.estimator.max_iter / 2
        return usual(self, ensemble, *rest)

    # The name in `base`, not the `time` module itself: other threads read the clock, too.
    monkeypatch.setattr(base, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(base.BaseTabularMLP, "_train", train)
    assert small(max_epochs=200, max_time=max_time).fit(*frame()).n_epochs_ == n_epochs


@BOTH
def test_importances_find_the_columns_that_matter(cls):
    X, labels = frame(300)
    y = target_of(cls, labels)
    model = small(cls, max_epochs=60, n_folds=3).fit(X, y)
    found = model.permutation_importances(X, y, n_repeats=3, random_state=0)
    assert found.importances.shape == (7, 3)
    assert set(np.argsort(found.importances_mean)[-2:]) == {0, 1}
    np.testing.assert_array_equal(found.importances[5:], 0)
    np.testing.assert_allclose(found.importances_std, found.importances.std(axis=1))


def test_importances_need_the_rows_of_the_fit():
    X, y = frame()
    model = small().fit(X, y)
    with pytest.raises(ValueError, match="X has 100 rows, but fit has seen 120"):
        model.permutation_importances(X[:100], y[:100])
    with pytest.raises(ValueError, match="fit has seen"):
        model.permutation_importances(X, np.where(y == "yes", "maybe", "no"))
    with pytest.raises(ValueError, match="'n_repeats' parameter"):
        model.permutation_importances(X, y, n_repeats=0)
    numbers = target_of(TabularMLPRegressor, y)
    model = small(TabularMLPRegressor).fit(X, numbers)
    with pytest.raises(ValueError, match="y has 2 targets for each row, but fit has seen 1"):
        model.permutation_importances(X, np.column_stack([numbers, numbers]))


@BOTH
def test_rows_of_zero_weight_do_not_change_importances(cls):
    X = np.random.RandomState(0).normal(size=(60, 3))
    y = target_of(cls, np.where(X[:, 0] > 0, "yes", "no"))
    model = small(cls, max_epochs=20, n_folds=3).fit(X, y)
    weight = np.ones(60)
    # All of one fold, and some of the others.
    weight[model.ensemble_.splits_[0][1]] = weight[::5] = 0
    options = {"sample_weight": weight, "n_repeats": 2, "random_state": 0}
    found = [
        model.permutation_importances(np.where(weight[:, np.newaxis], X, other), y, **options)
        for other in (X, 1e3)
    ]
    assert found[0].importances_mean[0] > 0
    np.testing.assert_array_equal(found[0].importances, found[1].importances)


def test_importances_of_sparse_columns_are_those_of_dense_ones():
    rng = np.random.RandomState(0)
    X = sparse.random(80, 6, density=0.5, random_state=rng, format="csr")
    y = X[:, [0]].toarray().ravel() > 0
    model = small(max_epochs=30).fit(X, y)
    options = {"n_repeats": 2, "random_state": 0}
    sparsely = model.permutation_importances(X, y, **options).importances
    model.preprocessor_._parts = None
    densely = base.rises_of_loss(
        model.ensemble_,
        model.preprocessor_.transform(X).toarray(),
        [slice(j, j + 1) for j in range(6)],
        y.astype(int)[:, np.newaxis],
        np.ones(80),
        2,
        np.random.RandomState(0),
    )
    np.testing.assert_allclose(sparsely, densely, atol=1e-6)


@BOTH
def test_copies_and_pickles(cls):
    X, labels = frame()
    model = small(cls).fit(X, target_of(cls, labels))
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))
    assert restored.cv_score_ == model.cv_score_
    assert clone(model).get_params() == model.get_params()


@BOTH
def test_skops_files(cls):
    skops = pytest.importorskip("skops.io")
    X, labels = frame(40)
    model = small(cls, max_epochs=2).fit(X, target_of(cls, labels))
    dumped = skops.dumps(model)
    again = skops.loads(dumped, trusted=skops.get_untrusted_types(data=dumped))
    np.testing.assert_array_equal(model.predict(X), again.predict(X))


def test_parameters_are_searchable_in_a_pipeline():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(FunctionTransformer(), small())
    grid = {"tabularmlpclassifier__preset": ["default", "fast"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.5


def test_weights_are_routed():
    X, y = load_iris(return_X_y=True)
    with config_context(enable_metadata_routing=True):
        model = small().set_fit_request(sample_weight=True, groups=True)
        model.set_score_request(sample_weight=False)
        search = GridSearchCV(model, {"arms": [1]}, cv=2)
        search.fit(X, y, sample_weight=np.ones(150), groups=np.arange(150) // 5)
    assert search.best_score_ > 0.5


@BOTH
def test_html_form(cls):
    X, labels = frame(40)
    assert cls.__name__ in small(cls, max_epochs=1).fit(X, target_of(cls, labels))._repr_html_()


def test_verbose_output_tells_weights_and_score(capsys):
    X, y = frame()
    small(arms=2, verbose=1).fit(X, y)
    printed = capsys.readouterr().out
    assert re.search(r"2 arms on 2 folds", printed)
    assert "Out-of-fold score" in printed


@pytest.mark.usefixtures("eager_workers")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_callbacks_hear_of_each_epoch_of_each_network(n_jobs):
    X, y = load_iris(return_X_y=True)
    logger = EpochLogger()
    options = {"arms": 2, "max_epochs": 3, "hidden_layer_sizes": (128,), "n_jobs": n_jobs}
    model = small(**options, callbacks=[logger]).fit(X, y)
    n_networks = sum(map(len, model.ensemble_.estimators_))
    assert len(logger.rows_) == 3 * n_networks
    # The trial of a few epochs, which measures their time, is not reported to callbacks.
    quick = EpochLogger()
    small(**options | {"n_jobs": None}, max_time=1e6, callbacks=[quick]).fit(X, y)
    assert len(quick.rows_) == 3 * n_networks


def test_failed_fit_leaves_the_earlier_one():
    X, y = frame()
    model = small().fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(X, y[:-1])
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.mark.usefixtures("eager_workers")
@pytest.mark.parametrize("units", [16, 128])
def test_workers_give_the_same_model(units):
    """Small networks are trained by processes, large ones by threads."""
    X, y = load_iris(return_X_y=True)
    options = {"arms": 2, "max_epochs": 6, "hidden_layer_sizes": (units,)}
    alone, together = (small(**options, n_jobs=n).fit(X, y).predict_proba(X) for n in (1, 2))
    np.testing.assert_allclose(alone, together, atol=1e-3)


def test_networks_are_those_of_the_package():
    X, y = frame(40)
    member = small(max_epochs=1).fit(X, y).ensemble_.estimators_[0][0]
    assert isinstance(member, MLPSoftmaxClassifier)


@BOTH
def test_rows_without_weight_are_dealt_to_all_folds(cls):
    """Otherwise a fold might hold out no row that has a weight."""
    X, labels = frame(60)
    weight = np.zeros(60)
    weight[np.r_[np.flatnonzero(labels == "yes")[:2], np.flatnonzero(labels == "no")[:2]]] = 1
    model = small(cls, max_epochs=2).fit(X, target_of(cls, labels), sample_weight=weight)
    assert [weight[test].sum() for _, test in model.ensemble_.splits_] == [2, 2]
    assert np.isfinite(model.cv_loss_)


@BOTH
def test_a_single_row_that_counts_is_too_few(cls):
    X, labels = frame(20)
    weight = np.eye(20)[0]
    with pytest.raises(ValueError, match="n_samples=1 with a positive weight is too few"):
        small(cls).fit(X, target_of(cls, labels), sample_weight=weight)


@BOTH
def test_groups_that_cannot_be_compared_are_refused(cls):
    X, labels = frame(20)
    groups = [None, *(["a", "b"] * 9), "a"]
    with pytest.raises(TypeError, match="groups holds values that cannot be compared"):
        small(cls).fit(X, target_of(cls, labels), groups=groups)


@pytest.mark.parametrize(
    ("y", "name"),
    [
        ([None, *(["a", "b"] * 9), "a"], "None"),
        ([np.nan, *([0.0, 1.0] * 9), 1.0], "NaN"),
        (pd.Series([None, *(["a", "b"] * 9), "a"], dtype="string"), "(<NA>|NaN)"),
        (pd.Series(pd.Categorical([None, *(["a", "b"] * 9), "a"])), "NaN"),
        (np.array(["NaT", *(["2024-01-01", "2024-01-02"] * 9), "NaT"], dtype="M8[D]"), "NaT"),
    ],
)
def test_missing_labels_are_refused_without_a_warning(y, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=f"Input y contains {name}: leave out the rows"):
            small().fit(frame(20)[0], y)


def test_the_only_class_is_named_as_it_was_given():
    with pytest.raises(ValueError, match=r"contains only one class: 'a'$"):
        small().fit(frame(20)[0], ["a"] * 20)


@BOTH
def test_accurate_preset_takes_sparse_tables(cls):
    """Numbers of sparse tables are not embedded."""
    X = sparse.random(120, 12, 0.3, format="csr", random_state=0)
    y = target_of(cls, np.where(X.toarray()[:, 0] > 0, "yes", "no"))
    model = cls("accurate", n_folds=2, max_epochs=2, random_state=0).fit(X, y)
    assert all("numeric_embedding" not in arm for arm in model.arms_)
    assert len(model.predict(X)) == 120


def test_labels_of_several_types_are_refused():
    with pytest.raises(TypeError, match="labels of the types int and str"):
        small().fit(frame(20)[0], np.array(["a", 1] * 10, dtype=object))


def test_dates_are_no_numbers_to_predict():
    days = [date(2024, 1, 1) + timedelta(i) for i in range(20)]
    with pytest.raises(TypeError, match="y holds dates or durations, but numbers are needed"):
        small(TabularMLPRegressor).fit(frame(20)[0], days)


@BOTH
def test_numbers_far_from_zero_are_told_apart(cls):
    """In float32 all of them would be the same number."""
    labels = frame(200)[1]
    y = target_of(cls, labels)
    column = np.where(labels == "yes", 1.0, -1.0)[:, np.newaxis] + 1e9
    assert small(cls, max_epochs=60).fit(column, y).score(column, y) > 0.95
    assert small(cls, max_epochs=60).fit(column * 1e-200, y).score(column * 1e-200, y) > 0.95


@BOTH
def test_unit_of_weights_changes_nothing(cls):
    X, labels = frame(60)
    y, weight = target_of(cls, labels), np.arange(60) % 3 + 1.0
    arms = [{}, {"alpha": 1.0}]
    first, *others = (
        small(cls, arms=arms).fit(X, y, sample_weight=weight * unit).oof_predictions_
        for unit in (1.0, 2.0**-900, 2.0**900)
    )
    for other in others:
        np.testing.assert_array_equal(first, other)


@BOTH
@pytest.mark.parametrize("splitter", [TimeSeriesSplit(3), 4])
def test_splits_in_which_nothing_counts_are_left_out(cls, splitter):
    X, labels = frame()
    y, rows = target_of(cls, labels), np.arange(120)
    if splitter == 4:
        groups, weight = rows // 30, (rows < 60) * 1.0
    else:
        groups, weight = None, (rows >= 60) * 1.0
    model = small(cls, n_folds=splitter)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y, sample_weight=weight, groups=groups)
    assert len(model.ensemble_.splits_) == (2 if splitter == 4 else 1)
    for split in model.ensemble_.splits_:
        assert all(weight[part].any() for part in split)
    groups = rows // 30
    with (
        warnings.catch_warnings(),
        pytest.raises(ValueError, match="In no split do both training and held-out rows count"),
    ):
        warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)
        model.fit(X, y, sample_weight=(rows < 10) * 1.0, groups=groups)


def test_split_that_trains_on_one_class_is_refused():
    X, y = frame()
    with pytest.raises(ValueError, match="training rows of split 0, of 3, are all of one class"):
        small(n_folds=TimeSeriesSplit(3)).fit(X, np.sort(y))
    with pytest.raises(ValueError, match="training rows of split 0, of 2, are all of one class"):
        small().fit(X, y, groups=y)


@BOTH
def test_folds_may_be_a_list_of_splits(cls):
    X, labels = frame()
    splits = [(np.arange(60), np.arange(60, 120)), (np.arange(60, 120), np.arange(60))]
    model = clone(small(cls, n_folds=splits)).fit(X, target_of(cls, labels))
    np.testing.assert_array_equal(model.ensemble_.splits_, splits)
    with pytest.raises(ValueError, match="'n_folds' parameter"):
        small(cls, n_folds=[]).fit(X, target_of(cls, labels))


@BOTH
def test_networks_may_have_no_hidden_layer(cls):
    X, labels = frame()
    y = target_of(cls, labels)
    model = small(cls, hidden_layer_sizes=()).fit(X, y)
    assert len(model.ensemble_.estimators_[0][0].coefs_) == 1
    assert model.predict(X).shape == (120,)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.arange(20)[:, np.newaxis], r"one value for each row, got shape \(20, 1\)"),
        ([np.nan, *([1.0] * 19)], "groups contains NaN"),
    ],
)
@BOTH
def test_wrong_groups_are_refused(cls, groups, message):
    X, labels = frame(20)
    with pytest.raises(ValueError, match=message):
        small(cls).fit(X, target_of(cls, labels), groups=groups)


@BOTH
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_networks_get_arrays_even_where_transformers_return_frames(cls, library):
    pytest.importorskip(library)
    X, labels = frame()
    y = target_of(cls, labels)
    plain = small(cls).fit(X, y)
    with config_context(transform_output=library):
        framed = small(cls).fit(X, y)
        np.testing.assert_array_equal(plain.predict(X), framed.predict(X))
        rises = plain.permutation_importances(X, y, random_state=0).importances
        score = plain.score(X, y)
    assert framed.score(X, y) == score
    found = framed.permutation_importances(X, y, random_state=0).importances
    np.testing.assert_array_equal(found, rises)


def test_sparse_tables_are_taken_where_transformers_return_frames():
    table = sparse.random(60, 5, density=0.5, random_state=0, format="csr")
    X = sparse.csr_array(table)
    y = X.toarray()[:, 0] > 0.2
    plain = small().fit(X, y).predict_proba(X)
    with config_context(transform_output="pandas"):
        np.testing.assert_array_equal(small().fit(X, y).predict_proba(X), plain)
