"""Tabular estimators: from raw tables of any kind to predictions and out-of-fold scores."""

import pickle
import re
import warnings
import weakref
from collections import Counter
from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.callbacks import Callback, EpochLogger, StopOnPlateau
from skperceptron.model_selection import _cross_base
from skperceptron.preprocessing import TabularPreprocessor
from skperceptron.tabular import TabularMLPClassifier, TabularMLPRegressor
from skperceptron.tabular import _base as base
from tests.interrupting import interrupt_at
from tests.tabular.tables import BOTH, frame, pd, small, target_of


def passing_parts(estimator):
    """Return the checks that are expected to fail: weights are not equal to repetitions.

    Folds are drawn by rows: the copies of a repeated row may be in two folds.
    """
    return {
        "check_sample_weight_equivalence_on_dense_data": "folds are drawn by rows",
        "check_sample_weight_equivalence_on_sparse_data": "folds are drawn by rows",
    }


# After 30 epochs, one of the regressor's predictions is so near to 0 that, in float32, the order of
# rows changes it by more than a check of random orders tolerates.
QUICK = {"n_folds": 2, "hidden_layer_sizes": (16,), "max_epochs": 40, "random_state": 0}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [TabularMLPClassifier(arms=2, **QUICK), TabularMLPRegressor(arms=1, **QUICK)],
    expected_failed_checks=passing_parts,
)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


@BOTH
def test_raw_frame_gives_good_predictions(cls):
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
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_options_of_a_preset_that_an_arm_does_not_use_give_no_warning(cls, n_jobs):
    X, labels = frame()
    arms = [{"solver": "adam", "dropout": 0.0}]
    model = small(cls, preset="realmlp-td", arms=arms, n_jobs=n_jobs)
    model.fit(X[["size", "day"]], target_of(cls, labels))


@BOTH
def test_networks_are_not_trained_on_the_rows_that_they_predict_out_of_fold(cls):
    """Random labels can be memorized, but not predicted."""
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


def test_custom_arms_are_parameters_of_the_network():
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
            r"arms\[1\] sets 'dropuot', which MLPSoft.* does not have: .* Did you mean 'dropout'\?",
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


def test_callbacks_for_a_single_fit_are_refused_with_the_hint_to_use_an_arm():
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


def test_strings_with_many_levels_and_unknown_levels_are_accepted():
    rng = np.random.RandomState(0)
    X = pd.DataFrame({"id": [f"row {i}" for i in range(150)], "x": rng.normal(size=150)})
    y = X["x"] > 0
    model = small(max_epochs=40).fit(X, y)
    assert model.preprocessor_.transform(X).shape == (150, 51)
    news = pd.DataFrame({"id": ["never", None], "x": [2.0, -2.0]})
    np.testing.assert_array_equal(model.predict(news), [True, False])


@BOTH
def test_uninformative_columns_change_nothing(cls):
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


def test_sparse_counts_are_accepted():
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


def test_several_labels_per_row_are_predicted_by_binary_networks():
    X, y = frame()
    labels = np.stack([y == "yes", X["known"]], axis=1).astype(int)
    model = small(max_epochs=60).fit(X, labels)
    assert isinstance(model.ensemble_.estimators_[0][0], MLPBinaryClassifier)
    assert model.predict(X).shape == model.predict_proba(X).shape == (120, 2)
    assert model.oof_predictions_.shape == (120, 2)


def test_several_numbers_per_row_are_predicted():
    X, labels = frame()
    y = target_of(TabularMLPRegressor, labels)
    model = small(TabularMLPRegressor, max_epochs=40).fit(X, np.stack([y, -y], axis=1))
    assert model.predict(X).shape == (120, 2)
    assert isinstance(model.ensemble_.estimators_[0][0], MLPRegressor)


@pytest.mark.parametrize(
    ("max_epochs", "max_time", "n_epochs"),
    [
        # One epoch takes 3.5 s, and 16.5 s are left: too few epochs to look more closely.
        (200, 20, 4),
        # After 1, 2, 4 and 8 epochs, 40.5 s are left: each takes 0.5 s, and all else 3 s.
        (200, 60, 75),
        (200, 1e6, 200),
        (200, 1, 1),
        (2, 1, 1),
    ],
)
def test_time_is_bounded_by_fewer_epochs(monkeypatch, max_epochs, max_time, n_epochs):
    now = 0.0

    def train(self, ensemble, *rest, usual=base.BaseTabularMLP._train):
        nonlocal now
        now += 3 + ensemble.estimator.max_iter / 2
        return usual(self, ensemble, *rest)

    # The name in `base`, not the `time` module itself: other threads read the clock, too.
    monkeypatch.setattr(base, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(base.BaseTabularMLP, "_train", train)
    X, y = frame()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = small(max_epochs=max_epochs, max_time=max_time).fit(X, y)
    assert model.n_epochs_ == n_epochs
    texts = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    start = f"max_time={max_time} leaves time for {n_epochs} of {max_epochs} epochs"
    assert [text[: len(start)] for text in texts] == [start] * (n_epochs < max_epochs)
    if n_epochs == 1:
        # The training that was timed is not repeated.
        assert now == 3.5
        expected = small(max_epochs=1).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
        # It is repeated for callbacks, to which it was not reported.
        logger = EpochLogger()
        small(max_epochs=max_epochs, max_time=max_time, callbacks=[logger]).fit(X, y)
        assert len(logger.rows_) == 2


@pytest.mark.parametrize("max_time", [2, 10, 100])
@pytest.mark.parametrize("of_epoch", [0.01, 0.1, 1])
@pytest.mark.parametrize("all_else", [0.15, 3])
@pytest.mark.parametrize("of_first", [0, 0.2])
def test_epochs_are_found_that_end_in_time(monkeypatch, max_time, of_epoch, all_else, of_first):
    n_wanted, now, taken = 150, 0.0, []

    def train(n_epochs):
        nonlocal now
        now += all_else + of_epoch * n_epochs + (0 if taken else of_first)
        taken.append(n_epochs)

    monkeypatch.setattr(base, "time", SimpleNamespace(monotonic=lambda: now))
    n_epochs = int(min(base.epochs_in_time(max_time, n_wanted, train), n_wanted))
    if taken == [1] and n_epochs < n_wanted:
        # A second fit might take more than two fifths of the time that is left.
        assert max_time - now < 5 * now
        return
    assert n_epochs > taken[-1]
    train(n_epochs)
    assert now <= max_time * (1 + 1e-9)
    # Networks train for most of the time, or for as many epochs as are wanted.
    assert n_epochs == n_wanted or now > max_time / 2


def test_fixed_costs_of_a_small_table_are_not_counted_as_time_of_epochs(monkeypatch):
    """Timings of Iris: all but epochs takes as long as 16 of them."""
    now, taken = 0.1, []

    def train(n_epochs):
        nonlocal now
        now += 0.16 + 0.01 * n_epochs
        taken.append(n_epochs)

    monkeypatch.setattr(base, "time", SimpleNamespace(monotonic=lambda: now))
    assert 60 < base.epochs_in_time(2, 150, train) < 150
    assert taken == [1, 2, 4, 8]


@pytest.mark.parametrize(("asked", "taken"), [(7, 7), (1000, 60)])
def test_batches_are_as_large_as_asked_or_as_a_training_part(asked, taken):
    X, y = frame(120)
    (members,) = small(batch_size=asked, max_epochs=1).fit(X, y).ensemble_.estimators_
    assert [member.batch_size for member in members] == [taken, taken]


def test_interruption_of_the_trial_that_measures_time_ends_the_fit_soon(monkeypatch):
    X, y = frame(40)
    interrupt_at(monkeypatch, 1)
    with pytest.warns(UserWarning, match="interrupted by user") as caught:
        model = small(max_epochs=100, max_time=1e6).fit(X, y)
    assert model.n_epochs_ == 1
    assert not [w for w in caught if "max_time" in str(w.message)]


@BOTH
def test_pickles_predict_the_same_and_clones_have_the_same_parameters(cls):
    X, labels = frame()
    model = small(cls).fit(X, target_of(cls, labels))
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))
    assert restored.cv_score_ == model.cv_score_
    assert clone(model).get_params() == model.get_params()


@BOTH
def test_skops_files_predict_the_same(cls):
    skops = pytest.importorskip("skops.io")
    X, labels = frame(40)
    model = small(cls, max_epochs=2).fit(X, target_of(cls, labels))
    dumped = skops.dumps(model)
    again = skops.loads(dumped, trusted=skops.get_untrusted_types(data=dumped))
    np.testing.assert_array_equal(model.predict(X), again.predict(X))


def test_parameters_are_searchable_in_a_pipeline():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(FunctionTransformer(), small())
    grid = {"tabularmlpclassifier__max_epochs": [1, 40]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    short, long = search.cv_results_["mean_test_score"]
    assert short < long
    assert search.best_estimator_[-1].max_epochs == 40


def test_weights_and_groups_are_routed():
    X, y = load_iris(return_X_y=True)
    asked = {"sample_weight": np.where(y == 2, 0.01, 1), "groups": np.arange(150) // 5}
    with config_context(enable_metadata_routing=True):
        model = small().set_fit_request(sample_weight=True, groups=True)
        model.set_score_request(sample_weight=False)
        search = GridSearchCV(model, {"arms": [1]}, cv=2)
        found = search.fit(X, y, **asked).predict_proba(X)
    np.testing.assert_array_equal(found, small().fit(X, y, **asked).predict_proba(X))
    for name in asked:
        others = {other: asked[other] for other in asked if other != name}
        assert not np.allclose(found, small().fit(X, y, **others).predict_proba(X))


@BOTH
def test_html_form_names_the_class(cls):
    X, labels = frame(40)
    assert cls.__name__ in small(cls, max_epochs=1).fit(X, target_of(cls, labels))._repr_html_()


def test_verbose_output_states_weights_and_score(capsys):
    X, y = frame()
    small(arms=2, verbose=1).fit(X, y)
    printed = capsys.readouterr().out
    assert re.search(r"2 arms on 2 folds", printed)
    assert "Out-of-fold score" in printed


@pytest.mark.usefixtures("eager_workers")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_callbacks_are_called_for_each_epoch_of_each_network(n_jobs):
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


def test_callbacks_that_were_set_are_called_as_those_of_the_parameter():
    X, y = frame(40)
    of_parameter, were_set, during_limit = EpochLogger(), EpochLogger(), EpochLogger()
    model = small(max_epochs=3, callbacks=[of_parameter]).set_callbacks(were_set).fit(X, y)
    assert len(were_set.rows_) == len(of_parameter.rows_) == 3 * 2
    assert not hasattr(model.ensemble_, "_skl_callbacks")
    small(max_epochs=3, max_time=1e6).set_callbacks(during_limit).fit(X, y)
    assert len(during_limit.rows_) == 3 * 2
    with pytest.raises(TypeError, match="StopOnPlateau is for a single fit"):
        model.set_callbacks(StopOnPlateau()).fit(X, y)


class Following(Callback):
    """Follows a whole fit, and notes the tasks that have ended and the estimators they are of."""

    max_propagation_depth = None

    def __init__(self):
        self.ended = []

    def on_fit_task_end(self, estimator, context):
        self.ended.append((context.task_name, context.estimator_name))


@pytest.mark.skipif(not hasattr(GridSearchCV, "set_callbacks"), reason="scikit-learn before 1.9")
def test_callbacks_of_a_search_follow_its_tabular_estimators():
    X, y = frame(40)
    following = Following()
    search = GridSearchCV(small(), {"max_epochs": [1, 2]}, cv=2).set_callbacks(following)
    search.fit(X, y)
    told = Counter(following.ended)
    # Two candidates on two folds, and the best one on all rows, each with two networks.
    assert told["member", "StackedCrossEnsembleClassifier"] == 5 * 2
    epochs = 2 * 2 * (1 + 2) + 2 * search.best_params_["max_epochs"]
    assert told["epoch", "StackedCrossEnsembleClassifier"] == epochs
    assert not {name for name in vars(search.best_estimator_.ensemble_) if name.endswith("_ctx")}


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


@pytest.mark.parametrize("method", ["fit", "score"])
def test_missing_labels_in_a_dictionary_of_arrow_are_refused(method):
    """As scikit-learn converts it, each of them would be the last label."""
    pa = pytest.importorskip("pyarrow")
    y = pa.table({"y": pa.array([None, *"ab" * 9, "b"]).dictionary_encode()})
    X, labels = frame(20)
    model = small() if method == "fit" else small().fit(X, labels)
    with pytest.raises(ValueError, match="Input y contains null"):
        getattr(model, method)(X, y)


def test_the_only_class_is_named_as_it_was_given():
    with pytest.raises(ValueError, match=r"contains only one class: 'a'$"):
        small().fit(frame(20)[0], ["a"] * 20)


@pytest.mark.filterwarnings("error")
def test_infinite_labels_are_refused_without_a_warning():
    with pytest.raises(ValueError, match="Input y contains infinity"):
        small().fit(frame(20)[0], np.r_[np.inf, np.ones(19)])


def test_labels_of_several_types_are_refused():
    with pytest.raises(TypeError, match="labels of the types int and str"):
        small().fit(frame(20)[0], np.array(["a", 1] * 10, dtype=object))


def test_dates_are_refused_as_numbers_to_predict():
    days = [date(2024, 1, 1) + timedelta(i) for i in range(20)]
    with pytest.raises(TypeError, match="y holds dates or durations, but numbers are needed"):
        small(TabularMLPRegressor).fit(frame(20)[0], days)


@BOTH
def test_numbers_far_from_zero_are_distinguished(cls):
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
def test_networks_may_have_no_hidden_layer(cls):
    X, labels = frame()
    y = target_of(cls, labels)
    model = small(cls, hidden_layer_sizes=()).fit(X, y)
    assert len(model.ensemble_.estimators_[0][0].coefs_) == 1
    assert model.predict(X).shape == (120,)


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


@BOTH
def test_prepared_table_is_freed_before_predictions_are_combined(cls, monkeypatch):
    alive = []

    class Preprocessor(TabularPreprocessor):
        def fit_transform(self, X, y=None):
            found = super().fit_transform(X)
            alive.append(weakref.ref(found))
            return found

    def combine(*arguments):
        alive.append(alive[0]() is not None)
        return combined(*arguments)

    combined = _cross_base.combined
    monkeypatch.setattr(base, "TabularPreprocessor", Preprocessor)
    monkeypatch.setattr(_cross_base, "combined", combine)
    X, labels = frame()
    small(cls).fit(X, target_of(cls, labels))
    assert alive[1:] == [False]


def test_sparse_tables_are_accepted_where_transformers_return_frames():
    table = sparse.random(60, 5, density=0.5, random_state=0, format="csr")
    X = sparse.csr_array(table)
    y = X.toarray()[:, 0] > 0.2
    plain = small().fit(X, y).predict_proba(X)
    with config_context(transform_output="pandas"):
        np.testing.assert_array_equal(small().fit(X, y).predict_proba(X), plain)


@pytest.mark.parametrize(
    "asked",
    [
        lambda model: model.weights_,
        lambda model: model.predict([[1.0]]),
        lambda model: model.predict_proba([[1.0]]),
        lambda model: model.score([[1.0]], ["a"]),
        lambda model: model.permutation_importances([[1.0]], ["a"]),
    ],
)
def test_nothing_is_known_before_fit(asked):
    with pytest.raises(NotFittedError, match="This TabularMLPClassifier instance is not fitted"):
        asked(TabularMLPClassifier())
