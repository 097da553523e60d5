"""Rows are selected as scikit-learn does."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.svm import SVC
from sklearn.utils.metaestimators import _safe_split

from skperceptron import MLPRegressor
from skperceptron._sklearn.compat import safe_split

RNG = np.random.RandomState(0)
X = RNG.normal(size=(12, 12))
Y = RNG.randint(0, 3, 12)
ROWS = np.array([7, 2, 2, 11])
PAIRWISE = SVC(kernel="precomputed")


@pytest.mark.parametrize(
    "estimator, X, y, rows",
    [
        (MLPRegressor(), X, Y, ROWS),
        (MLPRegressor(), np.asfortranarray(X), np.column_stack([Y, Y]), ROWS),
        (MLPRegressor(), X.astype(object), Y.astype(str), Y == 1),
        (MLPRegressor(), X, Y, ROWS[:0]),
        (MLPRegressor(), X.tolist(), Y.tolist(), ROWS),
        (MLPRegressor(), sparse.csr_array(X), Y, ROWS),
        (MLPRegressor(), X, None, ROWS),
        (PAIRWISE, X, Y, ROWS),
    ],
)
def test_rows_are_selected_as_scikit_learn_does(estimator, X, y, rows):
    train = np.arange(1, 10)
    found, expected = (split(estimator, X, y, rows, train) for split in (safe_split, _safe_split))
    for mine, theirs in zip(found, expected, strict=True):
        assert type(mine) is type(theirs)
        if sparse.issparse(mine):
            mine, theirs = mine.toarray(), theirs.toarray()
        assert_array_equal(mine, theirs, strict=mine is not None)
        if isinstance(mine, np.ndarray):
            assert mine.strides == theirs.strides
            assert not np.shares_memory(mine, X)


@pytest.mark.parametrize("rows", [np.array([1.5]), np.array([12]), np.array([True, False])])
def test_rows_that_are_not_there_are_refused_as_scikit_learn_does(rows):
    with pytest.raises(Exception) as expected:
        _safe_split(MLPRegressor(), X, Y, rows)
    with pytest.raises(expected.type) as found:
        safe_split(MLPRegressor(), X, Y, rows)
    assert str(found.value) == str(expected.value)
