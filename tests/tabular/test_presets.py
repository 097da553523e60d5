"""The presets of tabular estimators: arms, folds, batches and epochs."""

import pickle
from functools import partial

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.utils import get_tags

from skperceptron import export
from skperceptron.embeddings import NumericEmbedding, Periodic
from skperceptron.engine.blocks import Scale
from skperceptron.tabular import TabularMLPClassifier, TabularMLPRegressor
from skperceptron.tabular import _base as base
from skperceptron.tabular._presets import is_skewed
from tests.tabular.tables import BOTH, frame, pd, small, target_of


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
    for recipe, few, many in ((preset.classification, 8, 4), (preset.regression, 6, 6)):
        assert preset.draws_and_folds(recipe, 1_000) == (1, few)
        assert preset.draws_and_folds(recipe, 1_001) == (1, many)


def test_epochs_and_batches_follow_from_the_number_of_rows():
    preset = base.PRESETS["default"]
    assert preset.classification.batch_size(100) == 32
    assert [preset.classification.batch_size(n) for n in (1_448, 1_449)] == [64, 128]
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


def test_networks_stop_after_a_third_of_all_epochs_without_improvement():
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
        recipe = preset.classification if is_classifier else preset.regression
        return recipe.arms_for(n_rows, n_inputs, is_dense=is_dense, is_skewed=False)

    wide, binned, waved = arms_of(default, 399, 61), *(arms_of(default, n, 30) for n in (1, 2_000))
    assert [arm.get("activation") for arm in wide] == [None, "relu", "relu"]
    assert wide[2]["hidden_layer_sizes"] == (100, 100)
    assert arms_of(default, 1_999, 30)[:2] == binned[:2] == wide[:2]
    assert binned[2]["hidden_layer_sizes"] == (100,)
    assert binned[2]["numeric_embedding"].n_bins == 12
    assert waved[0]["numeric_embedding"].n_frequencies == 8
    assert waved[1] == wide[1]
    assert waved[2]["numeric_embedding"].n_bins == 12
    assert arms_of(default, 2_000, 31)[:2] == wide[:2]
    assert arms_of(default, 399, 60)[2]["numeric_embedding"].n_bins == 6
    assert arms_of(default, 2_000, 61) == arms_of(default, 399, 30, is_dense=False) == wide
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
    multiplied = default.regression.arms_for(600, 15, **skewed)
    assert repr(multiplied[:2]) == repr(narrow[:2])
    assert multiplied[2]["numeric_embedding"].n_bins == 12
    assert multiplied[2]["learning_rate_init"] == narrow[0]["learning_rate_init"]
    assert multiplied[2]["loss"] == "poisson"
    few = default.regression.arms_for(599, 15, **skewed)
    assert few[:2] == plain[:2]
    assert few[2] == {**plain[0], "hidden_layer_sizes": (64, 64), "loss": "poisson"}
    assert default.regression.arms_for(600, 61, **skewed) == plain
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
    # The large targets have almost no weight.
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


def test_targets_that_grow_to_the_end_of_a_column_are_learned():
    X = np.random.RandomState(0).standard_t(3, size=(600, 3))
    y = X @ [1.0, 2.0, 3.0]
    model = TabularMLPRegressor(n_folds=2, max_epochs=40, random_state=0).fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.99


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
    arms = partial(recipe.arms_for, is_skewed=False)
    narrow, wide = arms(100, 60, is_dense=True), arms(100, 61, is_dense=True)
    assert wide == arms(99, 60, is_dense=True) == arms(100, 60, is_dense=False)
    weak, rectified, deeper, strong = wide
    found = [arm.get("numeric_embedding") for arm in narrow]
    assert found[0].n_frequencies == 8
    assert found[2].n_bins == found[3].n_bins == 6
    few = arms(100, 15, is_dense=True)
    assert [arm["numeric_embedding"].n_bins for arm in few[2:4]] == [12, 12]
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
    recipe = cls("accurate")._recipe
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


#: Parameters of the networks as published, and those that depend on the task: for classes, for
#: numbers.
_REALMLP = {
    "hidden_layer_sizes": (256, 256, 256),
    "feature_scale": True,
    "parametrization": "ntk",
    "learning_rate": "coslog4",
    "solver__beta_1": 0.9,
    "solver__beta_2": 0.95,
    "parameter_groups__bias__rate": 0.1,
    "parameter_groups__feature_scale__rate": 6.0,
}
_REALMLP_BOTH = {"activation": ("selu", "mish"), "loss__label_smoothing": (0.1, None)}
PUBLISHED = {
    "realmlp-td-s": (
        {**_REALMLP, "dropout": 0.0, "solver__weight_decay": 0.0},
        {**_REALMLP_BOTH, "learning_rate_init": (0.04, 0.07)},
    ),
    "realmlp-td": (
        {
            **_REALMLP,
            "dropout": 0.15,
            "dropout_schedule": "flat_cosine",
            "solver__weight_decay": 0.02,
            "decay_schedule": "flat_cosine",
            "parametric_activation": True,
            "numeric_embedding": "pbld",
            "parameter_groups__numeric_embedding__rate": 0.1,
            "parameter_groups__activation_share__rate": 0.1,
            "embedding_dim": 8,
        },
        {**_REALMLP_BOTH, "learning_rate_init": (0.04, 0.2), "clip_predictions": (None, True)},
    ),
    "tabm": (
        {
            "hidden_layer_sizes": (512, 512, 512),
            "ensemble_size": 32,
            "activation": "relu",
            "learning_rate_init": 0.002,
            "dropout": 0.1,
        },
        {},
    ),
}


@BOTH
@pytest.mark.parametrize("preset", PUBLISHED)
def test_published_networks_have_the_parameters_of_their_papers(cls, preset):
    X = np.random.RandomState(0).normal(size=(350, 1))
    model = cls(preset, max_epochs=1, random_state=0).fit(X, np.arange(350) % 2)
    of_both, of_tasks = PUBLISHED[preset]
    place = 0 if cls is TabularMLPClassifier else 1
    expected = {**of_both, **{name: values[place] for name, values in of_tasks.items()}}
    expected.update(alpha=0.0, batch_size=256)
    ((network,),) = model.ensemble_.estimators_
    found = network.get_params()
    assert {name: found.get(name) for name in expected} == expected


@BOTH
@pytest.mark.parametrize("preset", PUBLISHED)
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
    # Missing values are a level, too.
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
    """Return a frame of a number with missing values, and of categories without any number."""
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
    # A number, a mark of missing values, a column of -1 and +1, and three levels.
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
    recipe = cls("realmlp-td")._recipe
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
        # One vector for rare towns, and another for missing values.
        assert [table.shape for table in network.embeddings_] == [(12, 8)]


@BOTH
def test_networks_that_share_weights_get_a_column_for_each_level(cls):
    X, y = towns(60)
    arm = {"ensemble_size": 2, "initializer": "ntk_normal"}
    model = small(cls, preset="realmlp-td", arms=[arm]).fit(X, y * 1.0)
    assert not model.preprocessor_.code_columns_
    assert model.ensemble_.estimators_[0][0].adapters_


def test_equally_good_epochs_do_not_prolong_the_training_of_tabm():
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


@pytest.mark.parametrize("preset", ["realmlp-td", "tabm"])
def test_presets_that_need_dense_tables_say_so(preset):
    X, y = sparse.random(40, 5, 0.5, format="csr", random_state=0), np.arange(40) % 2
    model = TabularMLPClassifier(preset, max_epochs=1, hidden_layer_sizes=(4,))
    with pytest.raises(ValueError, match=f"preset='{preset}' needs dense X.*'accurate'"):
        model.fit(X, y)
    taken = get_tags(model).input_tags
    assert taken.categorical and not taken.sparse
    # An arm of the user that needs no dense table is taken, and one that does is told by name.
    own = {"numeric_embedding": None, "ensemble_size": None}
    model.set_params(arms=[own]).fit(X, y)
    with pytest.raises(ValueError, match="ensemble_size=2 needs dense X"):
        model.set_params(arms=[own | {"ensemble_size": 2}]).fit(X, y)


@BOTH
def test_accurate_preset_takes_sparse_tables(cls):
    """Numbers of sparse tables are not embedded."""
    X = sparse.random(120, 12, 0.3, format="csr", random_state=0)
    y = target_of(cls, np.where(X.toarray()[:, 0] > 0, "yes", "no"))
    model = cls("accurate", n_folds=2, max_epochs=2, random_state=0).fit(X, y)
    assert all("numeric_embedding" not in arm for arm in model.arms_)
    assert len(model.predict(X)) == 120
