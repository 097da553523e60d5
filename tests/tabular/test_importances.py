"""Importances of columns, from rows that networks have not been trained on."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut

from skperceptron.tabular import TabularMLPRegressor
from skperceptron.tabular import _base as base
from tests.tabular.tables import BOTH, frame, small, target_of


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
    for other in (y[:100], np.append(y, y)):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            model.permutation_importances(X, other)
    with pytest.raises(ValueError, match="fit has seen"):
        model.permutation_importances(X, np.where(y == "yes", "maybe", "no"))
    with pytest.raises(ValueError, match="'n_repeats' parameter"):
        model.permutation_importances(X, y, n_repeats=0)
    numbers = target_of(TabularMLPRegressor, y)
    model = small(TabularMLPRegressor).fit(X, numbers)
    with pytest.raises(ValueError, match="y has 2 targets for each row, but fit has seen 1"):
        model.permutation_importances(X, np.column_stack([numbers, numbers]))


def test_importances_do_not_depend_on_the_size_of_folds():
    rng = np.random.RandomState(0)
    places = np.arange(40) // 4
    # The first column has one value for each place, so that it is constant in each fold.
    X = np.column_stack([rng.normal(size=10)[places], rng.normal(size=40)])
    y = X @ [3.0, 1.0]
    for splitter, groups in ((LeaveOneOut(), None), (LeaveOneGroupOut(), places)):
        model = small(TabularMLPRegressor, n_folds=splitter, max_epochs=30)
        model.fit(X, y, groups=groups)
        found = model.permutation_importances(X, y, n_repeats=10, random_state=0)
        # The squared difference of two values that are drawn from a column is twice its variance.
        expected = 2 * (X * [3.0, 1.0]).var(axis=0)
        assert (found.importances_mean > expected / 2).all()


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
