"""Folds of tabular estimators: which rows they hold out, and which are refused."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    KFold,
    LeaveOneOut,
    StratifiedGroupKFold,
    TimeSeriesSplit,
)

from skperceptron.tabular import TabularMLPRegressor
from tests.tabular.tables import BOTH, frame, small, target_of


@BOTH
def test_rows_of_folds_may_be_marked(cls):
    X, labels = frame(60)
    first = np.arange(60) < 30
    model = small(cls, n_folds=[(first, ~first), (~first, first)]).fit(X, target_of(cls, labels))
    held_out = [test for _, test in model.ensemble_.splits_]
    np.testing.assert_array_equal(held_out, [np.arange(30, 60), np.arange(30)])
    assert np.isfinite(model.oof_predictions_).all()


class ByColor(BaseCrossValidator):
    """Holds out the rows of each color, a column of the table."""

    def get_n_splits(self, X=None, y=None, groups=None):
        return 2

    def _iter_test_masks(self, X=None, y=None, groups=None):
        for color in ("red", "blue"):
            yield np.asarray(X["color"] == color)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_splitters_get_the_table_as_it_is(library):
    frames = pytest.importorskip(library)
    color = np.where(np.arange(40) % 3 == 0, "red", "blue")
    X = frames.DataFrame({"size": np.arange(40.0), "color": color})
    model = small(TabularMLPRegressor, n_folds=ByColor()).fit(X, np.arange(40.0))
    for (_, held_out), name in zip(model.ensemble_.splits_, ("red", "blue"), strict=True):
        np.testing.assert_array_equal(held_out, np.flatnonzero(color == name))


def test_class_with_a_single_row_is_a_class_of_all_networks():
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
    with pytest.raises(ValueError, match=r"^groups: Found input .*: \[120, 5\]"):
        small(cls).fit(X, target_of(cls, labels), groups=groups[:5])
    with pytest.raises(TypeError, match=r"^groups: Expected sequence"):
        small(cls).fit(X, target_of(cls, labels), groups=3)
    with pytest.raises(ValueError, match=r"^groups is a masked array"):
        small(cls).fit(X, target_of(cls, labels), groups=np.ma.array(groups, mask=groups > 3))


def test_classes_of_as_many_rows_as_folds_are_divided_evenly():
    X, _ = frame(40)
    y, groups = np.repeat(np.arange(20), 2), np.arange(40)
    shuffled = StratifiedGroupKFold(2, shuffle=True, random_state=0).split(X, y, groups)
    if any(np.bincount(y[test]).max() > 1 for _, test in shuffled):
        pytest.skip("This version of scikit-learn does not stratify groups that it shuffles.")
    model = small(n_folds=2, max_epochs=1).fit(X, y, groups=groups)
    for _, test in model.ensemble_.splits_:
        np.testing.assert_array_equal(np.bincount(y[test]), np.ones(20))


@pytest.mark.parametrize("splitter", [KFold(3), TimeSeriesSplit(3), GroupKFold(3)])
def test_splitters_draw_the_folds(splitter):
    X, y = frame()
    groups = np.arange(120) // 10 if isinstance(splitter, GroupKFold) else None
    model = small(n_folds=splitter).fit(X, y, groups=groups)
    expected = splitter.split(X, y, groups)
    for (train, test), split in zip(expected, model.ensemble_.splits_, strict=True):
        np.testing.assert_array_equal(train, split[0])
        np.testing.assert_array_equal(test, split[1])


@BOTH
def test_rows_without_weight_are_spread_over_all_folds(cls):
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
        pytest.raises(
            ValueError, match="In each split, the training rows or the held-out rows are empty"
        ),
    ):
        warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)
        model.fit(X, y, sample_weight=(rows < 10) * 1.0, groups=groups)


def test_splits_that_hold_out_only_unknown_classes_are_left_out():
    X, labels = frame(30)
    y = np.where(np.arange(30) < 25, labels, "new")
    # No network holds out others of its training rows: these may be too few, or later ones.
    model = small(n_folds=[(np.arange(15), np.arange(15, 30)), (np.arange(25), np.arange(25, 30))])
    assert len(model.fit(X, y).ensemble_.splits_) == 1
    assert np.isfinite(model.oof_predictions_[15:]).all()
    y = np.where(np.arange(30) == 4, "new", labels)
    model = small(n_folds=LeaveOneOut()).fit(X, y)
    assert np.flatnonzero(np.isnan(model.oof_predictions_).any(axis=1)).tolist() == [4]
    with pytest.raises(ValueError, match="no held-out row is of a class of the training rows"):
        small(n_folds=3).fit(X, np.arange(30) % 3, groups=np.arange(30) % 3)


def test_split_that_trains_on_one_class_is_refused():
    X, y = frame()
    with pytest.raises(ValueError, match="training rows of split 0, of 3, are all of one class"):
        small(n_folds=TimeSeriesSplit(3)).fit(X, np.sort(y))
    with pytest.raises(ValueError, match="training rows of split 0, of 2, are all of one class"):
        small().fit(X, y, groups=y)


@BOTH
@pytest.mark.parametrize("held_out", [np.arange(30, 50), np.arange(50) > 30], ids=["rows", "mask"])
def test_splits_of_another_table_are_refused(cls, held_out):
    X, labels = frame(40)
    message = "A split does not fit the 40 rows of X"
    with pytest.raises(ValueError, match=message):
        small(cls, n_folds=[(np.arange(30), held_out)]).fit(X, target_of(cls, labels))


@BOTH
def test_folds_may_be_a_list_of_splits(cls):
    X, labels = frame()
    splits = [(np.arange(60), np.arange(60, 120)), (np.arange(60, 120), np.arange(60))]
    model = clone(small(cls, n_folds=splits)).fit(X, target_of(cls, labels))
    np.testing.assert_array_equal(model.ensemble_.splits_, splits)
    with pytest.raises(ValueError, match="'n_folds' parameter"):
        small(cls, n_folds=[]).fit(X, target_of(cls, labels))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.arange(19), "inconsistent numbers of samples"),
        (np.arange(21), "inconsistent numbers of samples"),
        (np.arange(20)[:, np.newaxis], r"one value for each row, got shape \(20, 1\)"),
        ([np.nan, *([1.0] * 19)], "groups contains NaN"),
        (np.array(["NaT", *(["2024-01-01"] * 19)], dtype="M8[D]"), "groups contains NaN"),
    ],
)
@BOTH
def test_wrong_groups_are_refused(cls, groups, message):
    X, labels = frame(20)
    with pytest.raises(ValueError, match=message):
        small(cls).fit(X, target_of(cls, labels), groups=groups)
