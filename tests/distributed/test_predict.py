"""Predictions for the blocks of Dask collections, from Parquet to Parquet."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skperceptron import MLPClassifier, MLPRegressor
from skperceptron.losses import Pinball
from skperceptron.tabular import TabularMLPClassifier

pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

from skperceptron.distributed import predict, predict_proba  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*Sending large graph:UserWarning"),
]

RNG = np.random.RandomState(0)
X = RNG.normal(size=(90, 3)).astype(np.float32)
LABELS = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]
BLOCKS = da.from_array(X, chunks=(40, 2))
OPTIONS = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}


def test_classes_and_probabilities_of_an_array_are_those_of_the_estimator(client):
    model = make_pipeline(StandardScaler(), MLPClassifier(**OPTIONS)).fit(X, LABELS)
    classes, probabilities = predict(model, BLOCKS), predict_proba(model, BLOCKS)
    assert classes.shape == (90,)
    assert probabilities.shape == (90, 3)
    assert probabilities.dtype == model.predict_proba(X).dtype
    assert_array_equal(classes.compute(), model.predict(X))
    assert_allclose(probabilities.compute(), model.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize("loss", ["squared_error", Pinball([0.1, 0.5, 0.9])])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_numbers_of_an_array_are_those_of_the_estimator(client, n_targets, loss):
    model = MLPRegressor(loss, **OPTIONS).fit(X, X[:, :n_targets].squeeze())
    found = predict(model, BLOCKS)
    assert found.shape == model.predict(X).shape
    assert_allclose(found.compute(), model.predict(X), rtol=1e-4)


def test_distributions_of_integers_are_those_of_the_estimator(client):
    frames = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    numbers = 5 + 2 * (X[:, 0] > 0)
    model = make_pipeline(StandardScaler(), MLPRegressor(output="categorical", **OPTIONS))
    expected = model.fit(frame, numbers).predict_proba(frame)
    found = predict_proba(model, frames.from_pandas(frame, npartitions=2)).compute()
    assert list(found.columns) == [5, 6, 7]
    assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("call", [predict, predict_proba])
def test_an_array_of_strings_is_predicted(client, call):
    texts, labels = np.array(["red car", "blue sky", "red rose"] * 5, dtype=object), [0, 1, 0] * 5
    model = make_pipeline(CountVectorizer(), MLPClassifier(**OPTIONS)).fit(texts, labels)
    found, expected = call(model, da.from_array(texts, chunks=7)), getattr(model, call.__name__)
    assert found.shape == expected(texts).shape
    assert_allclose(found.compute(), expected(texts))


def test_rows_whose_number_is_not_known_are_predicted(client):
    model = MLPRegressor(**OPTIONS).fit(X, X[:, 0])
    found = predict(model, BLOCKS[BLOCKS[:, 0] > 0])
    assert_allclose(found.compute(), model.predict(X[X[:, 0] > 0]), rtol=1e-4)


def test_a_frame_goes_from_parquet_to_parquet(client, tmp_path):
    frames = pytest.importorskip("dask.dataframe")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame["kind"] = pd.Categorical(LABELS)
    model = TabularMLPClassifier(n_folds=2, hidden_layer_sizes=(4,), max_epochs=2, random_state=0)
    model.fit(frame, LABELS)
    frames.from_pandas(frame, npartitions=3).to_parquet(tmp_path / "in")
    table = frames.read_parquet(tmp_path / "in")
    found = predict_proba(model, table)
    assert list(found.columns) == list(model.classes_)
    found.rename(columns=str).assign(label=predict(model, table)).to_parquet(tmp_path / "out")
    stored = pd.read_parquet(tmp_path / "out").sort_index()
    assert_array_equal(stored["label"], model.predict(frame))
    assert_allclose(stored[list(model.classes_)], model.predict_proba(frame), rtol=1e-5)


def test_several_targets_of_a_frame_are_numbered_columns(client):
    frames = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(90) + 7)
    model = MLPRegressor(**OPTIONS).fit(frame, X[:, :2])
    found = predict(model, frames.from_pandas(frame, npartitions=2)).compute()
    assert list(found.columns) == ["prediction_0", "prediction_1"]
    assert_array_equal(found.index, frame.index)
    assert_allclose(found, model.predict(frame), rtol=1e-4)


def test_quantiles_of_several_targets_of_a_frame_are_numbered_columns(client):
    frames = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = MLPRegressor(Pinball([0.1, 0.5, 0.9]), **OPTIONS).fit(frame, X[:, :2])
    found = predict(model, frames.from_pandas(frame, npartitions=2)).compute()
    assert list(found.columns) == [f"prediction_{t}_{q}" for t in range(2) for q in range(3)]
    assert_allclose(found, model.predict(frame).reshape(90, 6), rtol=1e-4)


def test_an_empty_partition_is_predicted_as_nothing(client):
    frames = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({"a": np.arange(8.0), "b": np.arange(8.0)})
    model = MLPClassifier(**OPTIONS).fit(frame, frame.a > 3)
    table = frames.from_pandas(frame, npartitions=2)
    found = predict(model, table[table.a > 5]).compute()
    assert_array_equal(found, model.predict(frame[frame.a > 5]))


@pytest.mark.parametrize("labels", [LABELS, LABELS == "a"])
def test_an_empty_block_of_an_array_is_predicted_as_nothing(client, labels):
    model = MLPClassifier(**OPTIONS).fit(X, labels)
    kept = np.arange(90) >= 50
    blocks = BLOCKS[da.from_array(kept, chunks=40)]
    assert_array_equal(predict(model, blocks).compute(), model.predict(X[kept]))
    found = predict_proba(model, blocks).compute()
    assert_allclose(found, model.predict_proba(X[kept]), rtol=1e-5)


def test_a_column_without_any_category_is_missing(client):
    frames = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({"a": X[:, 0], "kind": pd.Categorical(LABELS)})
    model = TabularMLPClassifier(n_folds=2, hidden_layer_sizes=(4,), max_epochs=2, random_state=0)
    model.fit(frame, LABELS)
    frame["kind"] = pd.Categorical([None] * 90, categories=np.array([], dtype=object))
    found = predict_proba(model, frames.from_pandas(frame, npartitions=2)).compute()
    assert_allclose(found, model.predict_proba(frame), rtol=1e-5)


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_a_pipeline_may_refuse_unknown_values(client, kind):
    codes = np.column_stack([np.arange(90) % 3 + 1, np.arange(90) % 2 + 1])
    model = make_pipeline(OneHotEncoder(), MLPClassifier(**OPTIONS))
    if kind == "array":
        rows, blocks = codes, da.from_array(codes, chunks=40)
        blocks = blocks[da.from_array(codes[:, 1] * np.arange(90) > 50, chunks=40)]
    else:
        frames = pytest.importorskip("dask.dataframe")
        rows = pd.DataFrame({"a": LABELS, "b": codes[:, 1] * np.arange(90) > 50})
        blocks = frames.from_pandas(rows, npartitions=3)
        blocks = blocks[blocks.b]
    kept = codes[:, 1] * np.arange(90) > 50
    model.fit(rows, LABELS)
    found = predict(model, blocks).compute()
    assert_array_equal(found, model.predict(rows[kept]))
    assert_allclose(predict_proba(model, blocks).compute(), model.predict_proba(rows[kept]), 1e-5)


def test_a_single_row_is_refused_as_by_the_estimator(client):
    model = MLPClassifier(**OPTIONS).fit(X, LABELS)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        predict(model, da.from_array(X[0], chunks=3))


def test_what_is_in_memory_is_refused():
    model = MLPRegressor(**OPTIONS).fit(X, X[:, 0])
    with pytest.raises(TypeError, match="X must be an array or a data frame of Dask"):
        predict(model, X)
