"""The robust scaler: formula, inverse, missing values, sparse columns and extreme numbers."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import RobustScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skperceptron.preprocessing import RobustSmoothClipScaler

X = np.random.RandomState(0).standard_t(3, size=(101, 6)) * [1, 10, 1e-3, 1e5, 1, 1] + 3
X[:, 4] = 7.0
X[:, 5] = X[:, 5] > 6


@parametrize_with_checks([RobustSmoothClipScaler(), RobustSmoothClipScaler(None)])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


def test_columns_are_scaled_by_quartiles_and_smoothly_clipped():
    z = RobustScaler().fit_transform(X[:, :4])
    assert_allclose(RobustSmoothClipScaler(None).fit_transform(X[:, :4]), z)
    expected = z / np.sqrt(1 + (z / 2) ** 2)
    assert_allclose(RobustSmoothClipScaler(2).fit_transform(X[:, :4]), expected)


def test_half_the_range_replaces_equal_quartiles():
    rare = X[:, 5:]
    assert 0 < rare.mean() < 0.25
    assert_array_equal(RobustSmoothClipScaler(None).fit_transform(rare), 2 * rare)


def test_constant_column_becomes_zero_whatever_comes_later():
    scaler = RobustSmoothClipScaler().fit(X)
    assert scaler.scale_[4] == 0
    assert_array_equal(scaler.transform(X + 1)[:, 4], 0)
    scaler.fit(sparse.csr_array([[0.0, 1.0], [0.0, 2.0]]))
    assert_array_equal(scaler.transform(sparse.csr_array([[5.0, 0.0]])).toarray(), 0)


@pytest.mark.parametrize("max_abs", [0.5, 3.0, None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inverse_gives_the_data_back(max_abs, dtype):
    few = X[np.abs(RobustScaler().fit_transform(X)).max(axis=1) < 5].astype(dtype)
    scaler = RobustSmoothClipScaler(max_abs).fit(few)
    z = scaler.transform(few)
    assert z.dtype == dtype
    tolerance = 1e-3 if dtype == np.float32 else 1e-9
    assert_allclose(scaler.inverse_transform(z), few, rtol=tolerance, atol=tolerance)


def test_inverse_of_the_bound_is_finite_and_of_missing_values_missing():
    scaler = RobustSmoothClipScaler().fit(X)
    z = np.full((1, 6), 3.0)
    z[0, 0] = np.nan
    found = scaler.inverse_transform(z)
    assert np.isnan(found[0, 0]) and np.isfinite(found[0, 1:]).all() and found[0, 4] == 7
    with pytest.raises(ValueError, match="X has 2 features"):
        scaler.inverse_transform(z[:, :2])


def test_missing_values_are_left_out_and_stay():
    incomplete = X.copy()
    incomplete[::7, 1] = np.nan
    incomplete[:, 2] = np.nan
    scaler = RobustSmoothClipScaler().fit(incomplete)
    kept = RobustSmoothClipScaler().fit(X[~np.isnan(incomplete[:, 1])])
    assert_allclose(scaler.scale_[1], kept.scale_[1])
    assert_allclose(scaler.center_[1], kept.center_[1])
    z = scaler.transform(incomplete)
    assert_array_equal(np.isnan(z), np.isnan(incomplete))
    assert_array_equal(scaler.transform(X)[:, 2], 0)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_columns_are_divided_and_not_centered(kind):
    counts = np.random.RandomState(1).poisson([0.05, 0.3, 0.6, 5.0, 0.0], size=(80, 5)) * 1.0
    counts[:, 1] *= -1
    dense = RobustSmoothClipScaler().fit(counts)
    scaler = RobustSmoothClipScaler().fit(kind(counts))
    assert_allclose(scaler.scale_, dense.scale_)
    assert_array_equal(scaler.center_, 0)
    found = scaler.transform(kind(counts))
    assert sparse.issparse(found) and found.format == "csr"
    mostly_zero = dense.center_ == 0
    assert_allclose(found.toarray()[:, mostly_zero], dense.transform(counts)[:, mostly_zero])
    assert_array_equal(found.toarray() == 0, counts == 0)
    assert_allclose(scaler.inverse_transform(found).toarray(), counts, atol=1e-12)


def test_sparse_duplicates_count_as_their_sum():
    twice = sparse.coo_array(([1.0, 2.0, 5.0], ([0, 0, 1], [0, 0, 0])), shape=(2, 1))
    twice = sparse.csc_array((twice.data, [0, 0, 1], [0, 3]), shape=(2, 1))
    found = RobustSmoothClipScaler().fit(twice)
    assert found.scale_ == RobustSmoothClipScaler().fit(np.array([[3.0], [5.0]])).scale_
    assert twice.nnz == 3
    once = sparse.csr_array([[3.0], [5.0]])
    for method in (found.transform, found.inverse_transform):
        for copy in (True, False):
            found.set_params(copy=copy)
            assert_allclose(method(twice.tocsr() / 9).toarray(), method(once / 9).toarray())
    assert twice.nnz == 3


def test_sparse_missing_values_are_refused():
    with pytest.raises(ValueError, match="Sparse X holds NaN"):
        RobustSmoothClipScaler().fit(sparse.csr_array([[np.nan, 0.0], [1.0, 1.0]]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("max_abs", [3, 0.3])
def test_largest_and_smallest_floats_are_scaled_without_overflow(dtype, max_abs):
    limits = np.finfo(dtype)
    wild = np.array([[-limits.max, limits.tiny], [0, 0], [limits.max, 0], [limits.max, 0]], dtype)
    scaler = RobustSmoothClipScaler(max_abs)
    with np.errstate(all="raise", under="ignore"):
        z = scaler.fit_transform(wild)
        assert np.isfinite(z).all() and (np.abs(z) <= dtype(max_abs)).all()
        assert_allclose(scaler.transform(wild * 0 + limits.max)[:, 1], max_abs, rtol=1e-6)


def test_infinite_values_are_refused():
    with pytest.raises(ValueError, match="infinity"):
        RobustSmoothClipScaler().fit([[np.inf], [1.0]])


def test_statistics_do_not_depend_on_how_many_columns_are_looked_at_together(monkeypatch):
    whole = RobustSmoothClipScaler().fit(X)
    monkeypatch.setattr("skperceptron.preprocessing._scaler.TOGETHER", 150)
    parts = RobustSmoothClipScaler().fit(X)
    assert_array_equal(parts.scale_, whole.scale_)
    assert_array_equal(parts.transform(X), whole.transform(X))


def test_data_is_changed_in_place_only_if_asked():
    given = X.copy()
    RobustSmoothClipScaler().fit_transform(given)
    assert_array_equal(given, X)
    scaler = RobustSmoothClipScaler(copy=False).fit(given)
    assert np.shares_memory(scaler.transform(given), given)


@pytest.mark.parametrize("kind", [np.array, sparse.csr_array])
def test_inverse_leaves_its_argument_as_it_is(kind):
    scaler = RobustSmoothClipScaler(None).fit(X)
    z = kind(scaler.transform(X))
    before = z.copy()
    found = scaler.inverse_transform(z)
    assert abs(found - before).max() > 1
    assert abs(z - before).max() == 0


def test_a_fit_that_fails_leaves_the_earlier_fit_as_it_was():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"])
    scaler = RobustSmoothClipScaler().fit(frame)
    before, expected = vars(scaler).copy(), scaler.transform(frame)
    for other in (frame.rename(columns={"a": "c"}) + np.inf, frame.assign(c="text"), X + np.inf):
        with pytest.raises(ValueError, match=r"infinity|could not convert"):
            scaler.fit(other)
        assert vars(scaler) == before
        assert_array_equal(scaler.transform(frame), expected)


@pytest.mark.parametrize("method", ["fit", "transform", "inverse_transform"])
def test_masks_are_refused_as_they_would_be_lost(method):
    masked = np.ma.masked_greater(X, 5)
    with pytest.raises(ValueError, match=r"X is a masked array.*X\.filled"):
        getattr(RobustSmoothClipScaler().fit(X), method)(masked)


@pytest.mark.parametrize("method", ["fit", "transform", "inverse_transform"])
def test_missing_values_in_a_dictionary_of_arrow_are_refused_as_they_would_be_lost(method):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": pa.array([1.0, None, 3.0]).dictionary_encode(), "b": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="Input X contains null"):
        getattr(RobustSmoothClipScaler().fit(np.ones((3, 2))), method)(table)


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_nothing_is_scaled_before_fit(method):
    with pytest.raises(NotFittedError, match="This RobustSmoothClipScaler instance is not fitted"):
        getattr(RobustSmoothClipScaler(), method)(X)


def test_names_pickles_and_clones():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdef"))
    scaler = RobustSmoothClipScaler(2.0).fit(frame)
    assert list(scaler.get_feature_names_out()) == list("abcdef")
    found = scaler.set_output(transform="pandas").transform(frame)
    assert list(found.columns) == list("abcdef")
    again = pickle.loads(pickle.dumps(scaler))
    assert_array_equal(again.transform(frame), found)
    assert clone(scaler).max_abs == 2.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_abs": 0}, "The 'max_abs' parameter of RobustSmoothClipScaler must be a float"),
        ({"max_abs": "three"}, "'max_abs'"),
        ({"copy": 1}, "'copy'"),
    ],
)
def test_wrong_parameters_are_refused_by_name(parameters, message):
    with pytest.raises(ValueError, match=message):
        RobustSmoothClipScaler(**parameters).fit(X)


def test_tags_tell_what_is_scaled():
    taken = get_tags(RobustSmoothClipScaler()).input_tags
    assert taken.sparse and taken.allow_nan and not taken.categorical
