"""Exported preprocessing and tabular estimators take raw columns."""

import datetime

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from skperceptron import MLPClassifier, MLPRegressor
from skperceptron.model_selection import StackedEnsembleClassifier, StackedEnsembleRegressor
from skperceptron.preprocessing import RobustSmoothClipScaler, TabularPreprocessor
from skperceptron.tabular import TabularMLPClassifier, TabularMLPRegressor

from .conftest import NEWEST, OLDEST, assert_close

pytest.importorskip("onnxruntime")
export = pytest.importorskip("skperceptron.export")
pytest.importorskip("skl2onnx")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BOTH_DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])
BOTH_OPSETS = pytest.mark.parametrize("opset", [OLDEST, NEWEST])
N = 60


def frame_of(rng):
    """Return a table with all kinds of columns and with missing values."""
    instants = pd.Timestamp("1968-02-28") + pd.to_timedelta(rng.randint(30_000, size=N), unit="h")
    born = pd.Series(pd.to_datetime(rng.randint(-40_000, 40_000, size=N), unit="D"))
    born[3] = pd.NaT
    size = rng.normal(size=N)
    size[::7] = np.nan
    color = rng.choice(["red", "grün", "blue"], N).astype(object)
    color[5] = None
    return pd.DataFrame(
        {
            "size": size,
            "small": rng.normal(size=N).astype(np.float32),
            "count": rng.randint(5, size=N),
            "color": color,
            "sex": rng.choice(["f", "m"], N),
            "flag": rng.rand(N) > 0.5,
            "grade": pd.Categorical(rng.randint(3, size=N)),
            "kind": pd.Categorical(rng.choice(["u", "v"], N)),
            "seen": instants,
            "born": born,
            "took": pd.to_timedelta(rng.randint(100, size=N), unit="h"),
            "nothing": np.full(N, np.nan),
            "same": np.ones(N),
        }
    )


FRAME = frame_of(np.random.RandomState(0))
#: The same kinds of columns, with levels and missing values that are new after fit, and an outlier.
OTHER = frame_of(np.random.RandomState(1))
OTHER.loc[0, ["size", "color", "seen"]] = [1e300, "black", pd.NaT]


def assert_alike(preprocessor, exported, X, fitted_to, **options):
    found = exported(preprocessor, fitted_to, **options)(X)[0]
    assert_close(found, preprocessor.transform(X))


@pytest.mark.parametrize("columns", [["small", "size"], ["size", "color"], ["count", "size"]])
def test_each_class_may_be_an_output_whatever_the_first_column_is(exported, columns):
    X = FRAME[columns].fillna({"size": 0.0})
    models = [TabularMLPClassifier(max_epochs=2, random_state=0)]
    if "color" not in columns:
        models.append(MLPClassifier((4,), max_iter=2, random_state=0))
    for model in models:
        model.fit(X, OTHER["grade"])
        outputs = exported(model, X, zipmap="columns")(X)
        np.testing.assert_allclose(np.column_stack(outputs[1:]), model.predict_proba(X), atol=1e-5)


@BOTH_OPSETS
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("max_abs", [3.0, None])
def test_exported_preprocessor_transforms_known_and_other_rows(exported, dtype, max_abs, opset):
    columns = FRAME.columns if max_abs else [c for c in FRAME.columns if c != "size"]
    preprocessor = TabularPreprocessor(dtype=dtype, max_abs=max_abs).fit(FRAME[columns])
    for X in (FRAME, OTHER, OTHER[:1]):
        assert_alike(preprocessor, exported, X[columns], FRAME[columns], target_opset=opset)


@pytest.mark.parametrize(
    "days",
    [
        ["1970-01-01", "1969-12-31T23:59:59.999999", "2000-02-29", "1900-03-01"],
        ["2100-12-31T12:00", "2024-12-31T23:59:59", "0004-02-29", "9999-12-31"],
    ],
)
def test_dates_from_the_first_year_to_the_last_are_transformed(exported, days):
    # With other dates, since a tiny scale would enlarge rounding errors.
    others = np.datetime64("2020-01-01", "us") + np.arange(200) * np.timedelta64(100, "h")
    rows = [*(np.datetime64(day, "us") for day in days), *others]
    X = np.array([[row.astype(datetime.datetime)] for row in rows] + [[None]], dtype=object)
    assert_alike(TabularPreprocessor().fit(X), exported, X, X)


def test_dates_and_durations_in_arrays_of_numpy_are_transformed(exported):
    days = np.datetime64("2020-01-01") + np.arange(24).reshape(-1, 2)
    for X in (days.astype("datetime64[us]"), days - days[0, 0]):
        X[3, 1] = "NaT"
        assert_alike(TabularPreprocessor().fit(X), exported, X, X)


def test_numbers_that_need_room_in_float32_are_transformed(exported):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(N, 3)) * [1, 1e300, 1e-300] + [1e9, 0, 0]
    X[3] = np.nan
    dates = pd.to_datetime(rng.randint(10**6, size=N), unit="us")
    table = pd.DataFrame(X, columns=["a", "b", "c"]).assign(seen=dates)
    assert_alike(TabularPreprocessor(dtype="float32").fit(table), exported, table, table)


def test_rare_levels_and_marked_columns_are_transformed(exported):
    X = np.array([[1.0, "a"], [2.0, "b"], [2.0, "b"], [np.nan, "c"], [3.0, None]], dtype=object)
    preprocessor = TabularPreprocessor([0], max_categories=2).fit(X)
    assert_alike(preprocessor, exported, X, X)


@BOTH_OPSETS
@pytest.mark.parametrize("names", [["color", "size", "grade"], ["grade"]])
def test_exported_codes_are_those_of_the_preprocessor(exported, names, opset):
    preprocessor = TabularPreprocessor(max_one_hot=2).fit(FRAME[names])
    assert preprocessor.code_columns_
    assert_alike(preprocessor, exported, OTHER[names], FRAME[names], target_opset=opset)


@pytest.mark.parametrize("levels", [list("aabcd"), list("abcde"), [1.0, 1.0, 2.0, 3.0], list("ab")])
def test_exported_tables_distinguish_missing_values_from_rare_levels(exported, levels):
    X = np.array([[level] for level in [*levels, None, None]], dtype=object)
    preprocessor = TabularPreprocessor([0], max_one_hot=1, min_frequency=2).fit(X)
    assert len(np.unique(preprocessor.transform(X)[-3:], axis=0)) == 2
    assert_alike(preprocessor, exported, X, X)


def test_one_array_of_numbers_is_one_input(exported):
    X = np.random.RandomState(0).normal(size=(N, 3))
    X[::5, 1] = np.nan
    preprocessor = TabularPreprocessor().fit(X)
    model = exported(preprocessor, X)
    assert [one.name for one in model.session.get_inputs()] == ["X"]
    assert_close(model(X)[0], preprocessor.transform(X))


def test_tables_of_other_columns_than_those_of_the_model_are_refused(exported):
    X = np.random.RandomState(0).normal(size=(N, 3))
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, random_state=0)
    of_array = exported(network.fit(X, X[:, 0]), X)
    with pytest.raises(ValueError, match=r"table of 3 columns, .* the model has 1: \['X'\]"):
        of_array(pd.DataFrame(X))
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    of_table = exported(network.fit(frame, X[:, 0]), frame)
    with pytest.raises(ValueError, match=r"one array, but the model has 2 inputs: .*\['a', 'b'\]"):
        of_table(X[:, :2])


def test_columns_in_another_order_are_refused(exported):
    rng = np.random.RandomState(0)
    frame = pd.DataFrame(rng.normal(size=(N, 3)), columns=["a b", "c", "3"])
    preprocessor = TabularPreprocessor().fit(frame)
    model = exported(preprocessor, frame)
    assert_close(model(frame)[0], preprocessor.transform(frame))
    with pytest.raises(ValueError, match=r"X has the columns \['c', 'a b', '3'\], but the model"):
        model(frame[["c", "a b", "3"]])
    # Without names, they are taken in their order.
    assert_close(model(frame.to_numpy(dtype=object))[0], preprocessor.transform(frame))


@pytest.mark.parametrize("as_session", [False, True])
def test_numbers_are_converted_to_the_types_of_the_inputs(as_session):
    runtime = pytest.importorskip("onnxruntime")
    rng = np.random.RandomState(0)
    frame = pd.DataFrame(
        {
            "missing": np.where(rng.rand(N) < 0.2, np.nan, rng.randint(5, size=N)),
            "small": rng.normal(size=N).astype(np.float32),
            "count": rng.randint(5, size=N),
            "flag": rng.rand(N) > 0.5,
            "text": rng.choice(["x", "y"], N),
        }
    )
    preprocessor = TabularPreprocessor().fit(frame)
    model = export.to_onnx(preprocessor, frame)
    session = runtime.InferenceSession(model.SerializeToString())
    types = {one.name: one.type.removeprefix("tensor") for one in session.get_inputs()}
    assert types == {
        "missing": "(double)",
        "small": "(float)",
        "count": "(int64)",
        "flag": "(bool)",
        "text": "(string)",
    }

    def found(X):
        return session.run(None, export.onnx_inputs(session if as_session else model, X))[0]

    whole = frame.fillna({"missing": 2}).astype(
        {"missing": "int64", "small": float, "count": "int8"}
    )
    assert_close(found(whole), preprocessor.transform(whole))
    floats = whole.astype({"count": float, "flag": float})
    assert_close(found(floats), preprocessor.transform(whole))
    nothing = whole[:2].assign(text=None)
    assert_close(found(nothing), preprocessor.transform(nothing))
    for name, value, taken in [
        ("count", 0.5, "whole numbers"),
        ("count", np.nan, "whole numbers"),
        ("flag", np.nan, "booleans"),
        ("text", 1.0, "strings"),
        ("missing", "x", "numbers"),
    ]:
        with pytest.raises(ValueError, match=f"Input '{name}' of the model takes {taken}"):
            found(whole.assign(**{name: value}))
    numbers = rng.normal(size=(N, 2))
    of_array = export.to_onnx(RobustSmoothClipScaler().fit(numbers), numbers.astype(np.float32))
    assert export.onnx_inputs(of_array, numbers)["X"].dtype == np.float32


def test_sparse_tables_become_dense(exported):
    X = sparse.random(N, 4, 0.4, format="csr", random_state=0)
    preprocessor = TabularPreprocessor().fit(X)
    assert_close(exported(preprocessor, X)(X)[0], preprocessor.transform(X).toarray())


@BOTH_DTYPES
@pytest.mark.parametrize("max_abs", [3.0, None])
def test_exported_scaler_gives_the_same(exported, max_abs, dtype):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(N, 4)) * [1, 1e-3, 1e3, 0] + [0, 1, 5, 7]
    X[0, 0], X[1, 1], X[2, 3] = 1e30, np.nan, np.nan
    # A column with a scale of 1, and one that is missing in the fit only.
    X = np.column_stack([X, np.arange(N) % 2 + 4, np.full(N, np.nan)]).astype(dtype)
    scaler = RobustSmoothClipScaler(max_abs).fit(X)
    assert scaler.scale_[4] == 1
    run = exported(scaler, X)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for rows in (X, np.nan_to_num(X)):
        found, expected = run(rows)[0], scaler.transform(rows)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_dates_as_other_numbers_are_refused():
    preprocessor = TabularPreprocessor().fit(FRAME[["seen"]])
    with pytest.raises(ValueError, match=r"'seen' holds dates, which an exported model takes as"):
        export.to_onnx(preprocessor, np.ones((2, 1)))


def test_levels_of_another_type_are_refused():
    preprocessor = TabularPreprocessor().fit(FRAME[["color"]])
    with pytest.raises(ValueError, match="strings and numbers are never equal"):
        export.to_onnx(preprocessor, np.ones((2, 1)))


@BOTH_OPSETS
@pytest.mark.parametrize("dtype", ["string", "category"])
def test_strings_that_are_missing_in_all_rows_of_the_export_are_strings(exported, dtype, opset):
    X = pd.DataFrame({"color": FRAME["color"].astype(dtype), "count": FRAME["count"]})
    preprocessor = TabularPreprocessor().fit(X)
    session = exported(preprocessor, X[5:6], target_opset=opset)
    assert_close(session(X)[0], preprocessor.transform(X))
    # A column without any value in fit stays missing.
    preprocessor.fit(X.assign(color=pd.Series([None] * N, dtype=dtype)))
    session = exported(preprocessor, X[5:6], target_opset=opset)
    assert_close(session(X)[0], preprocessor.transform(X))


def test_strings_beside_numbers_are_refused():
    X = np.array([["a"], [1.0]], dtype=object)
    with pytest.raises(ValueError, match="holds strings beside other values"):
        export.to_onnx(TabularPreprocessor().fit(X), X)


def test_another_number_of_columns_is_refused():
    preprocessor = TabularPreprocessor().fit(FRAME[["size", "count"]])
    with pytest.raises(ValueError, match="given 3 columns, but fit has seen 2"):
        export.to_onnx(preprocessor, np.ones((2, 3)))


@pytest.mark.parametrize("is_pipeline", [False, True])
def test_other_columns_than_those_of_fit_are_refused(check_exported, is_pipeline):
    X = np.random.RandomState(0).normal(size=(N, 3))
    frame = pd.DataFrame(X, columns=list("abc"))
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, random_state=0)
    model = make_pipeline(StandardScaler(), network) if is_pipeline else network
    model.fit(frame, X[:, 0])
    with pytest.raises(ValueError, match=r"\['b', 'a', 'c'\], but fit has seen \['a', 'b', 'c'\]"):
        export.to_onnx(model, frame[["b", "a", "c"]])
    for given in (X[:, :2], np.hstack([X, X])):
        with pytest.raises(ValueError, match=f"given {given.shape[1]} columns, but fit has seen 3"):
            export.to_onnx(model, given)
    # A column transformer finds its columns by name.
    by_name = make_pipeline(ColumnTransformer([("some", "passthrough", ["c", "a"])]), network)
    check_exported(by_name.fit(frame, X[:, 0]), frame[["b", "c", "a"]])


def test_a_network_behind_a_preprocessor_is_exported(check_exported):
    y = FRAME["small"].to_numpy() + FRAME["count"]
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0)
    model = make_pipeline(TabularPreprocessor(), network).fit(FRAME, y)
    assert check_exported(model, FRAME)(OTHER)[0].shape == (N, 1)


def columns_of(frame):
    return frame[["size", "color", "flag", "seen"]]


@BOTH_OPSETS
def test_tabular_classifier_is_exported(check_exported, opset):
    y = np.where(FRAME["flag"], "yes", "no")
    model = TabularMLPClassifier("fast", max_epochs=3, random_state=0).fit(columns_of(FRAME), y)
    check_exported(model, columns_of(FRAME), target_opset=opset)


@BOTH_OPSETS
def test_tabular_classifier_that_embeds_categories_is_exported(check_exported, opset):
    rng = np.random.RandomState(0)
    X = FRAME[["size", "color"]].assign(town=rng.choice(list("abcdefghij"), N))
    model = TabularMLPClassifier("realmlp-td", hidden_layer_sizes=8, max_epochs=3, random_state=0)
    model.fit(X, X["town"] < "e")
    assert model.ensemble_.estimators_[0][0].embeddings_
    check_exported(model, X, target_opset=opset)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_tabular_regressor_is_exported(check_exported, n_targets):
    y = FRAME[["count", "small"]].to_numpy()[:, :n_targets]
    model = TabularMLPRegressor("fast", max_epochs=3, random_state=0)
    check_exported(model.fit(columns_of(FRAME), y.squeeze()), columns_of(FRAME))


def test_tabular_classifier_of_several_labels_is_exported(check_exported):
    labels = np.column_stack([FRAME["flag"], FRAME["count"] > 2]).astype(int)
    model = TabularMLPClassifier("fast", max_epochs=3, random_state=0)
    check_exported(model.fit(columns_of(FRAME), labels), columns_of(FRAME))


@BOTH_DTYPES
def test_tabular_estimators_inside_other_models_are_exported(exported, dtype):
    # In float64, too, tables are prepared in float32.
    X = np.random.RandomState(0).normal(size=(N, 3)).astype(dtype)
    settings = {"hidden_layer_sizes": (4,), "max_epochs": 2, "random_state": 0}
    calibrated = CalibratedClassifierCV(TabularMLPClassifier("fast", **settings), cv=2)
    calibrated.fit(X, X[:, 0] > 0)
    voting = VotingRegressor([("table", TabularMLPRegressor("fast", **settings))]).fit(X, X[:, 0])
    found = exported(calibrated, X)(X)[1]
    assert_close(found.astype(np.float32), calibrated.predict_proba(X))
    found = exported(voting, X)(X)[0]
    assert_close(found.astype(np.float32), voting.predict(X))


@pytest.mark.parametrize("columns", [["size", "sex"], ["sex", "size"], ["count", "size", "sex"]])
@pytest.mark.parametrize("wrap", [lambda one: one, make_pipeline], ids=["alone", "pipeline"])
def test_votes_on_tables_are_exported_whatever_the_first_column_is(exported, wrap, columns):
    X = FRAME[columns].fillna({"size": 0.0})
    table = {"preset": "fast", "hidden_layer_sizes": (4,), "max_epochs": 2, "random_state": 0}
    network = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
    categories = {**network, "categorical_features": ["sex"]}
    numbers = TabularPreprocessor()
    classifiers = [
        TabularMLPClassifier(**table),
        MLPClassifier(**categories),
        StackedEnsembleClassifier(MLPClassifier(**categories), 2),
        make_pipeline(numbers, MLPClassifier(**network)),
    ]
    regressors = [
        TabularMLPRegressor(**table),
        MLPRegressor(**categories),
        StackedEnsembleRegressor(MLPRegressor(**categories), 2),
        make_pipeline(numbers, MLPRegressor(**network)),
    ]
    for members in (classifiers, *([one] for one in classifiers)):
        named = [(str(i), wrap(one)) for i, one in enumerate(members)]
        model = VotingClassifier(named, voting="soft").fit(X, FRAME["grade"])
        found = exported(model, X)(X)[1]
        assert_close(found.astype(np.float32), model.predict_proba(X))
    for members in (regressors, *([one] for one in regressors)):
        named = [(str(i), wrap(one)) for i, one in enumerate(members)]
        model = VotingRegressor(named).fit(X, FRAME["count"])
        found = exported(model, X)(X)[0]
        assert_close(found.astype(np.float32), model.predict(X))


@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(MLPClassifier((4,), max_iter=3, random_state=0), cv=2),
        StackingClassifier([("a", MLPClassifier((4,), max_iter=3, random_state=0))], cv=2),
        OneVsRestClassifier(MLPClassifier((4,), max_iter=3, random_state=0)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_of_one_input_may_follow_the_steps_that_prepare_a_table(check_exported, model):
    X = FRAME[["count", "small", "sex"]]
    columns = ColumnTransformer(
        [("text", OneHotEncoder(), ["sex"]), ("number", StandardScaler(), ["count", "small"])]
    )
    check_exported(make_pipeline(columns, model).fit(X, FRAME["grade"]), X)


def test_categories_beyond_the_integers_of_float32_stay_apart(check_exported):
    X = pd.DataFrame({"key": 2**30 + PLACES, "count": FRAME["count"]})
    model = make_pipeline(OneHotEncoder(), MLPClassifier((4,), max_iter=3, random_state=0))
    check_exported(model.fit(X, FRAME["grade"]), X)


@pytest.mark.parametrize("encoder", [OneHotEncoder(handle_unknown="ignore"), OrdinalEncoder()])
@pytest.mark.parametrize("also", ["grade", "count", "small"])
def test_columns_that_a_column_transformer_passes_on_keep_their_type(encoder, also, check_exported):
    columns = ColumnTransformer([("chosen", "passthrough", ["sex", also])])
    network = MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=0)
    X = FRAME[["sex", "grade", "count"]].assign(small=FRAME["count"] / 4)
    model = make_pipeline(columns, encoder, network).fit(X, FRAME["count"])
    if also == "small":
        with pytest.raises(ValueError, match="passes strings and floats to an encoder"):
            export.to_onnx(model, X)
    else:
        check_exported(model, X)


@BOTH_OPSETS
def test_columns_of_integers_before_others_stay_what_they_are(check_exported, opset):
    network = MLPClassifier((4,), max_iter=3, random_state=0)
    scaled = make_pipeline(StandardScaler(), network)
    # Larger than the integers of float32, and alone in a step of the column transformer.
    frame = FRAME[["count", "small", "flag", "sex"]].assign(id=1_700_000_000 + FRAME["count"])
    numbers = frame.drop(columns="sex").assign(size=OTHER["small"].astype(float))
    steps = [
        ("strings", OneHotEncoder(), ["sex"]),
        ("scaled", StandardScaler(), ["count", "size"]),
        ("alone", RobustSmoothClipScaler(), ["id"]),
        ("dropped", "drop", ["flag"]),
    ]
    table = ColumnTransformer(steps, remainder="passthrough")
    for model, X in [
        (scaled, numbers),
        (StackedEnsembleClassifier(scaled, n_members=2, random_state=0), numbers),
        (BaggingClassifier(scaled, n_estimators=2, random_state=0), numbers),
        (make_pipeline("passthrough", scaled), numbers),
        (make_pipeline(table, scaled), numbers.assign(sex=frame["sex"])),
    ]:
        check_exported(model.fit(X, FRAME["count"] > 2), X, target_opset=opset)


def test_columns_may_have_the_names_of_outputs(check_exported):
    frame = FRAME[["small", "count", "same"]].set_axis(["label", "variable", "std"], axis=1)
    model = check_exported(
        MLPRegressor(max_iter=3, random_state=0).fit(frame, FRAME["count"]), frame
    )
    with pytest.raises(ValueError, match="X has the columns"):
        model(frame[["variable", "label", "std"]])


@pytest.mark.parametrize("name", ["variable", "variable1", "label1"])
def test_columns_before_several_steps_may_have_the_names_of_outputs(check_exported, name):
    frame = FRAME[["small"]].set_axis([name], axis=1)
    network = MLPRegressor(max_iter=3, random_state=0)
    pipeline = make_pipeline(TabularPreprocessor(), RobustSmoothClipScaler(), network)
    check_exported(pipeline.fit(frame, FRAME["count"]), frame)


# Networks that embed the categories of a frame.

PLACES = np.random.RandomState(2).randint(3, size=N)
KINDS = {
    "strings": np.array(["red", "grün", "blue"])[PLACES],
    "whole numbers": np.array([30, 10, 20])[PLACES],
    "numbers": np.array([0.5, -3.0, 7.0])[PLACES],
    "booleans": PLACES > 0,
    "dates": pd.to_datetime(np.array(["2020", "2022", "2021"])[PLACES]),
}


def with_category(kind, name="kind"):
    return pd.DataFrame({name: pd.Categorical(KINDS[kind]), "size": FRAME["flag"] * 0.3 + PLACES})


@BOTH_OPSETS
@pytest.mark.parametrize("kind", KINDS)
def test_categories_of_a_frame_are_exported(check_exported, kind, opset):
    options = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
    network = MLPRegressor(categorical_features="from_dtype", **options)
    frame = with_category(kind)
    check_exported(network.fit(frame, FRAME["count"]), frame, target_opset=opset)
    # Only the first two categories are known.
    frame["kind"] = frame["kind"].cat.set_categories(frame["kind"].cat.categories[:2])
    network.fit(frame[frame["kind"].notna()], FRAME["count"][frame["kind"].notna()])
    check_exported(network, frame, target_opset=opset)


@pytest.mark.parametrize("kind", ["network", "table"])
def test_categories_that_are_equal_in_float64_are_refused(exported, kind):
    frame = pd.DataFrame({"key": pd.Categorical(2**60 + PLACES), "size": PLACES * 0.5})
    model = MLPRegressor(categorical_features="from_dtype", max_iter=3, random_state=0)
    if kind == "table":
        model = TabularPreprocessor()
    with pytest.raises(ValueError, match="some of which are equal in float64"):
        exported(model.fit(frame, FRAME["count"]), frame)


@pytest.mark.parametrize("name", ["X", "kind", 0])
def test_categories_of_the_only_column_are_exported(check_exported, name):
    network = MLPClassifier((4,), categorical_features="from_dtype", max_iter=3, random_state=0)
    frame = with_category("whole numbers", name)[[name]]
    check_exported(network.fit(frame, FRAME["sex"]), frame)


def test_codes_of_an_array_are_those_of_the_network(exported):
    network = MLPRegressor(categorical_features="from_dtype", max_iter=3, random_state=0)
    frame = with_category("whole numbers")
    network.fit(frame, FRAME["count"])
    codes = np.column_stack([frame["kind"].cat.codes, frame["size"]])
    assert_close(exported(network, codes)(codes)[0], network.predict(frame))


def test_categories_of_an_ensemble_are_exported(check_exported):
    network = MLPClassifier((4,), categorical_features=["kind"], max_iter=3)
    frame = with_category("strings")
    ensemble = StackedEnsembleClassifier(network, 2, random_state=0).fit(frame, FRAME["sex"])
    check_exported(ensemble, frame)


@pytest.mark.parametrize("opset", [10, 11.5, "12", True])
def test_versions_of_operators_that_networks_do_not_have_are_refused(opset):
    X = np.random.RandomState(0).normal(size=(N, 3))
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, random_state=0).fit(X, X[:, 0])
    with pytest.raises(ValueError, match=rf"'target_opset' .* to_onnx .* Got {opset!r}"):
        export.to_onnx(network, X[:1], target_opset=opset)
