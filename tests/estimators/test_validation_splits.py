"""Which rows early stopping holds out: those of whole groups, or of a splitter."""

import pickle

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    PredefinedSplit,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.callbacks import Checkpoint
from skperceptron.estimators import splits as module
from skperceptron.estimators.splits import SplitCache, SplitRules, counted_from_0
from skperceptron.model_selection import StackedGridSearchCV

N = 60
X = np.random.RandomState(0).normal(size=(N, 3))
Y = X[:, 0] - X[:, 1]
GROUPS = np.repeat(np.arange(12), 5)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


#: The method as it is: a fixture replaces it.
DRAW = SplitRules.draw


def make(cls=MLPRegressor, **options):
    defaults = {"hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0}
    return cls(**defaults | {"early_stopping": True} | options)


@pytest.fixture
def drawn_splits(monkeypatch):
    """Return the training rows and the held-out rows of each fit."""
    found = []

    def noted(*arguments):
        found.append(DRAW(*arguments))
        return found[-1]

    monkeypatch.setattr(SplitRules, "draw", noted)
    return found


@pytest.mark.parametrize("fraction", [0.1, 0.25])
@pytest.mark.parametrize("cls", [MLPRegressor, MLPClassifier])
def test_groups_stay_together(drawn_splits, cls, fraction):
    y = Y if cls is MLPRegressor else (Y > 0).astype(int)
    make(cls, validation_fraction=fraction).fit(X, y, groups=GROUPS)
    ((rows, held_out),) = drawn_splits
    assert not set(GROUPS[rows]) & set(GROUPS[held_out])
    assert len(rows) + len(held_out) == N
    assert len(set(GROUPS[held_out])) == np.ceil(12 * fraction)


@pytest.mark.parametrize(
    "splitter",
    [
        TimeSeriesSplit(3),
        KFold(4),
        GroupKFold(3),
        GroupShuffleSplit(2, random_state=1),
        PredefinedSplit(np.repeat([-1, 0], [40, 20])),
    ],
    ids=lambda splitter: type(splitter).__name__,
)
def test_last_split_of_a_splitter_decides(drawn_splits, splitter):
    model = make(validation_fraction=splitter).fit(X, Y, groups=GROUPS)
    *_, (rows, held_out) = splitter.split(X, Y, GROUPS)
    assert_array_equal(drawn_splits[0][0], rows)
    assert_array_equal(drawn_splits[0][1], held_out)
    by_hand = make().fit(X[rows], Y[rows], X_val=X[held_out], y_val=Y[held_out])
    assert len(model.validation_scores_) == len(by_hand.validation_scores_)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))


def marked(rows):
    return np.isin(np.arange(N), rows)


@pytest.mark.parametrize(
    "written",
    [list, tuple, marked, lambda rows: rows - N],
    ids=["list", "tuple", "marks", "negative"],
)
def test_rows_of_a_splitter_may_be_written_as_scikit_learn_allows(drawn_splits, written):
    class Splitter(KFold):
        def split(self, *arguments):
            for parts in super().split(*arguments):
                yield tuple(map(written, parts))

    make(validation_fraction=Splitter(4)).fit(X, Y)
    *_, parts = KFold(4).split(X)
    for found, part in zip(drawn_splits[0], parts, strict=True):
        assert_array_equal(found, part)


@pytest.mark.parametrize("is_writeable", [True, False])
def test_rows_that_do_not_exist_are_refused(is_writeable):
    class Splitter(KFold):
        def split(self, X, *others):
            held_out = np.arange(N - 4, N + 1)
            held_out.flags.writeable = is_writeable
            yield np.arange(N), held_out

    words = f"cannot hold rows out: A split does not fit the {N} rows of X: index {N} is out of"
    with pytest.raises(ValueError, match=words):
        make(validation_fraction=Splitter()).fit(X, Y)


def test_time_series_is_trained_on_the_past():
    split = TimeSeriesSplit(2, gap=3)
    rows, held_out = list(split.split(X))[-1]
    options = {"shuffle": False, "batch_size": 10, "max_iter": 8}
    model = make(validation_fraction=split, **options).fit(X, Y)
    by_hand = make(**options).fit(X[rows], Y[rows], X_val=X[held_out], y_val=Y[held_out])
    np.testing.assert_allclose(model.validation_scores_, by_hand.validation_scores_)
    np.testing.assert_allclose(model.predict(X), by_hand.predict(X))


def test_stratified_splitters_get_the_labels(drawn_splits):
    y = np.array(["a", "b", "c"])[np.arange(N) % 3]
    splitter = StratifiedShuffleSplit(1, test_size=0.2, random_state=0)
    make(MLPSoftmaxClassifier, validation_fraction=splitter).fit(X, y)
    assert_array_equal(np.unique(y[drawn_splits[0][1]], return_counts=True)[1], [4, 4, 4])


def test_weights_are_used():
    weight = np.ones(N)
    weight[-20:] = 0
    with pytest.raises(ValueError, match="all rows of the validation set have a weight of zero"):
        make(validation_fraction=TimeSeriesSplit(3)).fit(X, Y, sample_weight=weight)
    weight[-15:-5] = 1
    options = {"shuffle": False, "batch_size": 10}
    split = make(validation_fraction=TimeSeriesSplit(3), **options)
    given = make(**options).fit(X[:45], Y[:45], weight[:45], X_val=X[45:55], y_val=Y[45:55])
    found = split.fit(X, Y, sample_weight=weight).validation_scores_
    np.testing.assert_allclose(found, given.validation_scores_)


def test_searches_and_clones_take_splitters():
    grid = {"validation_fraction": [0.2, TimeSeriesSplit(3), KFold(4)], "alpha": [1e-4, 1.0]}
    stacked, single = (
        search(make(), grid, cv=3).fit(X, Y) for search in (StackedGridSearchCV, GridSearchCV)
    )
    np.testing.assert_allclose(
        stacked.cv_results_["mean_test_score"], single.cv_results_["mean_test_score"], rtol=1e-9
    )
    assert clone(make(validation_fraction=KFold(4))).validation_fraction.n_splits == 4


@pytest.mark.parametrize("cls", [GridSearchCV, StackedGridSearchCV])
def test_routed_groups_reach_searches_pipelines_and_networks(drawn_splits, cls):
    with sklearn.config_context(enable_metadata_routing=True):
        network = make().set_fit_request(groups=True)
        model = make_pipeline(StandardScaler(), network)
        search = cls(model, {"mlpregressor__alpha": [1e-4, 1.0]}, cv=GroupKFold(2))
        search.fit(X, Y, groups=GROUPS)
    assert len(drawn_splits) == 5
    for rows, held_out in drawn_splits[:4]:
        # Each of two folds has six groups of five rows, one of which is held out.
        assert len(rows) == 25
        assert_array_equal(held_out // 5, np.repeat(held_out[0] // 5, 5))


def test_interrupted_fit_is_distinguished_from_one_with_other_groups(tmp_path):
    def fit(groups):
        model = make(callbacks=[Checkpoint(tmp_path / "fit")])
        return model.fit(X, Y, groups=groups)

    first = fit(GROUPS)
    assert_array_equal(fit(GROUPS).predict(X), first.predict(X))
    with pytest.raises(ValueError, match="groups"):
        fit(GROUPS[::-1])


@pytest.mark.parametrize(
    ("fraction", "groups", "message"),
    [
        (0.2, GROUPS[:-1], "groups has 59 entries, X has 60 rows"),
        (0.999, None, "validation_fraction=0.999 cannot hold rows out: .*n_samples=60"),
        (0.2, np.zeros(N), "cannot hold groups out"),
        (0.2, np.ma.array(GROUPS, mask=GROUPS > 3), "^groups is a masked array"),
        (0.2, "patient", "^groups should be a 1d array"),
        (0.2, np.ones((N, 2)), "^groups should be a 1d array"),
        (GroupKFold(3), None, "cannot hold rows out: The 'groups' parameter"),
        (TimeSeriesSplit(100), None, "cannot hold rows out"),
        ("last", None, "'validation_fraction' parameter of MLPRegressor must be"),
        (KFold, None, "'validation_fraction' parameter of MLPRegressor must be"),
    ],
    ids=str,
)
def test_what_cannot_be_split_is_refused(fraction, groups, message):
    with pytest.raises(ValueError, match=message):
        make(validation_fraction=fraction).fit(X, Y, groups=groups)


@pytest.mark.parametrize(
    ("options", "own_rows"),
    [
        ({"early_stopping": False}, {}),
        ({"early_stopping": True}, {"X_val": X, "y_val": Y}),
        ({"early_stopping": True, "solver": "lbfgs"}, {}),
    ],
    ids=["not stopped", "rows of one's own", "L-BFGS"],
)
def test_groups_are_ignored_with_a_warning_if_no_rows_are_drawn(options, own_rows):
    plain = make(**options).fit(X, Y, **own_rows)
    with pytest.warns(UserWarning, match="groups is ignored"):
        grouped = make(**options).fit(X, Y, **own_rows, groups=GROUPS)
    assert_array_equal(plain.predict(X), grouped.predict(X))


def test_equal_drawings_from_equal_states_are_made_once(drawn_splits, monkeypatch):
    labels = (Y > 0).astype(int)
    splits = SplitCache()
    for seed, fraction, n_made in [(0, 0.1, 1), (0, 0.1, 1), (1, 0.1, 2), (0, 0.2, 3), (1, 0.1, 3)]:
        rules = SplitRules(fraction, X, labels, labels)
        rng, like = np.random.RandomState(seed), np.random.RandomState(seed)
        found = splits.draw(rules, rng)
        assert len(drawn_splits) == n_made
        for own, wanted in zip(found, DRAW(rules, like), strict=True):
            assert_array_equal(own, wanted)
        assert rng.randint(2**31) == like.randint(2**31)
        # Training may change its rows in place.
        found[0][:] = 0
    monkeypatch.setattr(module, "KEPT_ROWS", N)
    splits.draw(SplitRules(0.1, X, labels, labels), np.random.RandomState(2))
    splits.draw(SplitRules(0.1, X, labels, labels), np.random.RandomState(0))
    assert len(drawn_splits) == 5


def test_what_splitters_and_groups_draw_is_not_shared(drawn_splits):
    splits, rng = SplitCache(), np.random.RandomState(0)
    splitter = GroupShuffleSplit(1, random_state=np.random.RandomState(0))
    for _ in range(2):
        rng.seed(0)
        splits.draw(SplitRules(splitter, X, Y, None, GROUPS), rng)
    (first, _), (second, _) = drawn_splits
    assert not np.array_equal(first, second)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.SFC64], ids=lambda bits: bits.__name__)
def test_generators_of_other_kinds_draw_the_rows(bits):
    one, other = (np.random.RandomState(bits(3)) for _ in range(2))
    splits, rules = SplitCache(), SplitRules(0.2, X, Y)
    for _ in range(2):
        found = splits.draw(rules, one)
        assert_array_equal(np.concatenate(found), np.concatenate(rules.draw(other)))
    assert one.randint(2**31) == other.randint(2**31)


def test_positions_of_a_split_are_copied_once_and_stay_what_they_were():
    given = np.array([0, 1, 3]), np.array([False, False, True, False])
    parts = counted_from_0(given, 4)
    given[0][0] = 2
    assert_array_equal(parts[0], [0, 1, 3])
    assert_array_equal(parts[1], [2])
    with pytest.raises(ValueError, match="read-only"):
        parts[0][0] = 2
    assert all(one is other for one, other in zip(counted_from_0(parts, 4), parts, strict=True))
