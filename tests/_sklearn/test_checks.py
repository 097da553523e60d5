"""Evidently valid data skip scikit-learn's checks, which would not change them."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import validate_data

from skperceptron import MLPRegressor, MLPSoftmaxClassifier
from skperceptron._sklearn.checks import (
    are_evidently_classes,
    are_evidently_numbers,
    distinct,
    validated,
)

X = np.random.RandomState(0).normal(size=(24, 3))
EVIDENT = {
    "float64": X,
    "float32": X.astype(np.float32),
    "fortran": np.asfortranarray(X),
    "backwards": X[::-1],
    "large numbers": np.sign(X) * 1e308,
    "sparse array": sparse.csr_array(np.where(X > 0, X, 0)),
    "sparse matrix": sparse.csr_matrix(X.astype(np.float32)),
    "only zeros": sparse.csr_array((24, 3)),
}
DOUBTFUL = {
    "list": X.tolist(),
    "integers": X.astype(int),
    "another byte order": X.astype(">f8"),
    "infinite": np.where(X > 1, np.inf, X),
    "one axis": X[0],
    "no rows": X[:0],
    "frame": pd.DataFrame(X),
    "subclass": np.matrix(X),
    "sparse columns": sparse.csc_array(X),
    "sparse integers": sparse.csr_array(X.astype(int)),
    "sparse infinite": sparse.csr_array(np.where(X > 1, np.inf, X)),
    "sparse without rows": sparse.csr_array((0, 3)),
}


@pytest.mark.parametrize("x", EVIDENT.values(), ids=EVIDENT)
@pytest.mark.parametrize(
    "y", [X[:, 0], np.arange(24) % 3, X[:, :2]], ids=["numbers", "codes", "columns"]
)
def test_checks_return_what_is_evidently_valid(x, y):
    assert are_evidently_numbers(x)
    estimator, other = MLPRegressor(), MLPRegressor()
    # As after an earlier fit to a frame.
    estimator.feature_names_in_ = other.feature_names_in_ = np.array(["a", "b", "c"], object)
    found = validated(estimator, x, y, multi_output=True, reset=True)
    assert found[0] is x
    assert found[1] is y
    given = validate_data(other, x, y, multi_output=True, reset=True, accept_sparse="csr")
    assert vars(estimator) == vars(other)
    if sparse.issparse(x):
        assert given[0] is x


@pytest.mark.parametrize("reset", [True, False])
def test_a_column_of_targets_is_flattened_where_one_is_asked_for(reset):
    estimator = MLPRegressor()
    estimator.n_features_in_ = 3
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        _, y = validated(estimator, X, X[:, :1], reset=reset)
    assert y.shape == (24,)


@pytest.mark.parametrize("x", [X, sparse.csr_array(X)], ids=["dense", "sparse"])
@pytest.mark.parametrize("length", [23, 25])
def test_number_of_targets_is_compared_with_that_of_rows(x, length):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        validated(MLPRegressor(), x, np.zeros(length), reset=True)


@pytest.mark.parametrize("x", [X, sparse.csr_array(X)], ids=["dense", "sparse"])
def test_number_of_columns_is_compared_with_that_of_the_fit(x):
    estimator = MLPRegressor()
    estimator.n_features_in_ = 4
    with pytest.raises(ValueError, match="X has 3 features, but MLPRegressor is expecting 4"):
        validated(estimator, x, reset=False)


@pytest.mark.parametrize("x", DOUBTFUL.values(), ids=DOUBTFUL)
def test_checks_decide_about_all_other_data(x):
    assert not are_evidently_numbers(x)


@pytest.mark.parametrize("reset", [True, False])
def test_plain_data_of_another_dtype_is_converted(reset):
    estimator = MLPRegressor()
    estimator.n_features_in_ = 3
    found = validated(estimator, X.astype(np.float32), dtype=[np.float64], reset=reset)
    assert found.dtype == np.float64


def test_length_of_the_targets_is_checked():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        MLPRegressor().fit(X, X[:-1, 0])


LABELS = {
    "integers": np.arange(24) % 4,
    "text": np.array(["a", "b"] * 12),
    "truth": np.arange(24) % 2 > 0,
    "one class": np.ones(24, int),
}


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_checks_say_nothing_about_evident_classes(y):
    assert are_evidently_classes(y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_classification_targets(y)
    assert type_of_target(y) in ("binary", "multiclass")


@pytest.mark.parametrize(
    "y",
    [
        np.arange(24),
        np.arange(24) / 2,
        np.array(["a", 1] * 12, object),
        np.array([b"a", b"b"] * 12),
        np.ones((24, 2), int),
        [0, 1] * 12,
    ],
    ids=["many", "floats", "objects", "bytes", "two columns", "list"],
)
def test_checks_decide_about_all_other_labels(y):
    assert not are_evidently_classes(y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_many_classes_for_few_rows_are_still_warned_of():
    with pytest.warns(UserWarning, match="unique classes"):
        MLPSoftmaxClassifier(max_iter=1).fit(X, np.arange(24) % 18)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, 1, 1, 7, -2, 3, 3, 1, 1, 1]),
        np.array([-128, 127] * 150, np.int8),
        np.array([[5, 4], [4, 5]], np.int16),
        np.array([2**62, -(2**62)]),
        np.array([2**63 - 1, 2**63 - 2, 2**63 - 1]),
        np.array([2**64 - 1, 0], np.uint64),
        np.array([], int),
        np.array([True, False, True]),
        np.array([1.5, 0.5, 1.5]),
        np.array(["b", "a", "b"]),
    ],
    ids=str,
)
def test_distinct_labels_are_those_that_numpy_finds(labels):
    found = distinct(labels)
    np.testing.assert_array_equal(found, np.unique(labels))
    assert found.dtype == labels.dtype
