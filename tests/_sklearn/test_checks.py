"""Evidently valid data skip scikit-learn's checks, which would not change them."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import validate_data

from skperceptron import MLPBinaryClassifier, MLPRegressor, RosenblattPerceptron
from skperceptron._sklearn import checks
from skperceptron._sklearn.checks import are_evidently_numbers, is_missing, validated
from skperceptron.preprocessing import RobustSmoothClipScaler, TabularPreprocessor
from skperceptron.tabular import TabularMLPClassifier, TabularMLPRegressor

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
@pytest.mark.parametrize("length", [3, 23, 25])
def test_number_of_targets_is_compared_with_that_of_rows(x, length):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        validated(MLPRegressor(), x, np.zeros(length), reset=True)


@pytest.mark.parametrize("x", [X, sparse.csr_array(X)], ids=["dense", "sparse"])
def test_number_of_columns_is_compared_with_that_of_the_fit(x):
    estimator = MLPRegressor()
    estimator.n_features_in_ = 4
    with pytest.raises(ValueError, match="X has 3 features, but MLPRegressor is expecting 4"):
        validated(estimator, x, reset=False)


@pytest.mark.parametrize("reset", [True, False])
def test_data_with_a_third_axis_are_refused(reset):
    estimator = MLPRegressor()
    estimator.n_features_in_ = 3
    with pytest.raises(ValueError, match="Found array with dim 3"):
        validated(estimator, X.reshape(8, 3, 3), reset=reset)


@pytest.mark.parametrize("row", [0, 3, 23])
def test_each_row_of_a_file_is_checked(row, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "RESIDENT", 3 * X[0].nbytes)
    mapped = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=X.shape)
    mapped[:] = X
    assert validated(MLPRegressor(), mapped).shape == X.shape
    mapped[row, 1] = np.nan
    for given in ([mapped], [mapped, X[:, 0]]):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            validated(MLPRegressor(), *given)


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


def test_targets_without_a_column_are_refused():
    with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(24, 0\)\)"):
        MLPRegressor().fit(X, X[:, :0])


class Tensor:
    """An array of another library."""

    shape, dtype = (24, 3), np.dtype(np.float64)

    def __dlpack__(self):
        raise NotImplementedError

    def __len__(self):
        return 24


@pytest.mark.parametrize(
    "name, call",
    [
        ("X", lambda: MLPRegressor().fit(Tensor(), X[:, 0])),
        ("y", lambda: MLPRegressor().fit(X, Tensor())),
        ("y", lambda: MLPBinaryClassifier().fit(X, Tensor())),
        ("X", lambda: RosenblattPerceptron().fit(Tensor(), X[:, 0] > 0)),
        ("X", lambda: RobustSmoothClipScaler().fit(Tensor())),
        ("X", lambda: TabularPreprocessor().fit(Tensor())),
        ("y", lambda: MLPRegressor(max_iter=1).fit(X, X[:, 0]).score(X, Tensor())),
        ("sample_weight", lambda: MLPRegressor().fit(X, X[:, 0], Tensor())),
    ],
)
def test_tensors_that_scikit_learn_would_hand_on_are_refused(name, call, monkeypatch):
    # Setting the option itself needs SciPy in a state that the environment decides.
    monkeypatch.setattr(checks, "get_config", lambda: {"array_api_dispatch": True})
    with pytest.raises(TypeError, match=rf"^{name} must be a NumPy array, got a .*\.Tensor: conv"):
        call()


def test_frames_are_no_tensors(monkeypatch):
    monkeypatch.setattr(checks, "get_config", lambda: {"array_api_dispatch": True})
    assert_array_equal(validated(MLPRegressor(), pd.DataFrame(X)), X)


@pytest.mark.parametrize(
    "value", [None, pd.NA, np.nan, np.float32("nan"), Decimal("nan"), np.datetime64("NaT")], ids=str
)
def test_missing_values_of_all_kinds_are_found(value):
    assert is_missing(value)


@pytest.mark.parametrize(
    "value", [0, 0.0, np.float32(1), Decimal(1), "nan", np.datetime64(0, "D")], ids=repr
)
def test_other_values_are_not_missing(value):
    assert not is_missing(value)


def test_further_checks_are_made():
    estimator = MLPRegressor()
    estimator.n_features_in_ = 3
    with pytest.raises(ValueError, match="minimum of 25 is required"):
        validated(estimator, X, reset=False, ensure_min_samples=25)
    assert validated(estimator, X, reset=False, copy=True) is not X


@pytest.mark.parametrize("value", ["red", np.nan])
def test_errors_about_strings_and_missing_values_name_estimators_for_tables(value):
    table = pd.DataFrame({"a": [value] * 24, "b": X[:, 0]})
    with pytest.raises(ValueError) as caught:
        MLPRegressor().fit(table, X[:, 0])
    (note,) = caught.value.__notes__
    assert "TabularMLPRegressor" in note and "TabularPreprocessor" in note


ESTIMATORS = [
    MLPRegressor(max_iter=1),
    RosenblattPerceptron(),
    RobustSmoothClipScaler(),
    TabularPreprocessor(),
    TabularMLPClassifier("fast", max_epochs=1),
    TabularMLPRegressor("fast", max_epochs=1),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_masks_that_would_be_ignored_are_refused(estimator):
    y = np.arange(24) % 2
    masked = np.ma.array(X, mask=X > 2)
    with pytest.raises(ValueError, match=r"^X is a masked array.* X\.filled\("):
        estimator.fit(masked, y)
    if hasattr(estimator, "predict"):
        with pytest.raises(ValueError, match=r"^y is a masked array"):
            estimator.fit(X, np.ma.array(y, mask=y == 1))
        with pytest.raises(ValueError, match=r"^sample_weight is a masked"):
            estimator.fit(X, y, sample_weight=np.ma.array(y, mask=y == 1))
    estimator.fit(np.ma.array(X), np.ma.array(y))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_frames_without_rows_yet_are_refused(estimator):
    pl = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"X is a LazyFrame.*pass X\.collect\(\)"):
        estimator.fit(pl.DataFrame(X).lazy(), X[:, 0] > 0)


@pytest.mark.parametrize(
    "make", [RosenblattPerceptron, MLPBinaryClassifier, RobustSmoothClipScaler]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_names_of_columns_are_read_from_record_batches(make):
    pa = pytest.importorskip("pyarrow")
    (batch,) = pa.table(dict(zip("abc", X.T, strict=True))).to_batches()
    model = make().fit(batch, np.arange(24) % 2)
    assert_array_equal(model.feature_names_in_, ["a", "b", "c"])
    method = "transform" if make is RobustSmoothClipScaler else "predict"
    expected = getattr(model, method)(pa.Table.from_batches([batch]))
    assert_array_equal(getattr(model, method)(batch), expected)
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        getattr(model, method)(batch.select(["c", "b", "a"]))


@pytest.mark.parametrize(
    "estimator", [MLPRegressor(), MLPBinaryClassifier(), RosenblattPerceptron()]
)
@pytest.mark.parametrize("as_given", [np.array, list, pd.Series])
def test_durations_are_no_weights(estimator, as_given):
    weights = as_given(np.arange(1, 25).astype("timedelta64[D]"))
    with pytest.raises(TypeError, match=r"^sample_weight holds dates or durations"):
        estimator.fit(X, np.arange(24) % 2, sample_weight=weights)
