"""The preprocessor of raw tables: kinds of columns, missing values, unknown levels, frames."""

import pickle
import re
import warnings
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skperceptron import MLPBinaryClassifier
from skperceptron.preprocessing import RobustSmoothClipScaler, TabularPreprocessor
from skperceptron.preprocessing._columns import (
    columns_of_numbers,
    content_of,
    dtype_of,
    exact_content_of,
    is_frame,
    zone_of,
)

RNG = np.random.RandomState(0)
N = 60
NUMBERS = RNG.normal(3, 10, size=(N, 3))
TABLE = {
    "income": [*RNG.normal(3e4, 1e4, size=N - 2), np.nan, np.nan],
    "children": RNG.randint(4, size=N).tolist(),
    "town": RNG.choice(["Ulm", "Bern", "Linz"], size=N).tolist(),
    "smokes": RNG.choice([True, False], size=N).tolist(),
    "born": [date(1950, 1, 1) + timedelta(int(d)) for d in RNG.randint(20000, size=N)],
    "seen": [datetime(2024, 1, 1) + timedelta(hours=int(h)) for h in RNG.randint(9000, size=N)],
}
NAMES = [
    "income",
    "income_missing",
    "children",
    "town_Bern",
    "town_Linz",
    "town_Ulm",
    "smokes_True",
    *(f"born_{part}" for part in ("days", "year_sin", "year_cos", "week_sin", "week_cos")),
    *(f"seen_{part}" for part in ("days", "year_sin", "year_cos", "week_sin", "week_cos")),
    "seen_day_sin",
    "seen_day_cos",
]


def objects(*columns):
    """Return columns as one array of objects."""
    table = np.empty((len(columns[0]), len(columns)), dtype=object)
    for j, column in enumerate(columns):
        table[:, j] = column
    return table


def encoded(*columns, **parameters):
    """Return the outputs for columns of objects by name, without the limit ``max_abs``."""
    preprocessor = TabularPreprocessor(max_abs=None, **parameters)
    found = preprocessor.fit_transform(objects(*columns))
    return dict(zip(preprocessor.get_feature_names_out(), found.T, strict=True))


def undone(preprocessor, found):
    """Return the outputs before they were scaled, by name."""
    raw = preprocessor.scaler_.inverse_transform(found)
    return dict(zip(preprocessor.get_feature_names_out(), raw.T, strict=True))


@parametrize_with_checks([TabularPreprocessor(), TabularPreprocessor(dtype="float32")])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


def test_numbers_are_scaled_as_the_scaler_does():
    expected = RobustSmoothClipScaler(2).fit_transform(NUMBERS)
    for table in (NUMBERS, NUMBERS.tolist(), NUMBERS.astype(object)):
        assert_allclose(TabularPreprocessor(max_abs=2).fit_transform(table), expected)
    near = (NUMBERS / 10 + 100).astype(np.float32)
    found = TabularPreprocessor(dtype="float32").fit_transform(near)
    assert_array_equal(found, RobustSmoothClipScaler().fit_transform(near))


def test_missing_number_becomes_the_median_and_is_marked_where_training_had_missing_values():
    incomplete = NUMBERS.copy()
    incomplete[:5, 1] = np.nan
    preprocessor = TabularPreprocessor().fit(incomplete)
    names = ["x0", "x1", "x1_missing", "x2"]
    assert list(preprocessor.get_feature_names_out()) == names
    later = np.full((1, 3), np.nan)
    found = preprocessor.transform(np.concatenate([later, incomplete[:1], incomplete[-1:]]))
    assert_array_equal(found[0, [0, 1, 3]], 0)
    assert found[0, 2] == found[1, 2] > 0 == found[2, 2]
    raw = preprocessor.scaler_.inverse_transform(found[:1])[0]
    assert_allclose(raw[[0, 1, 3]], np.nanmedian(incomplete, axis=0))


def test_levels_become_columns_and_unknown_ones_are_all_zero():
    incomplete = [None, np.nan, np.float32("nan")]
    preprocessor = TabularPreprocessor().fit(objects(["b", "a", "c", "a", *incomplete]))
    assert list(preprocessor.get_feature_names_out()) == ["x0_a", "x0_b", "x0_c"]
    assert preprocessor.categories_ == {0: ["a", "b", "c"]}
    found = preprocessor.transform(objects(["a", "c", "new", None]))
    raw = np.transpose(list(undone(preprocessor, found).values()))
    assert_allclose(raw, [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]], atol=1e-12)


def test_two_levels_share_a_column_of_minus_and_plus_one():
    preprocessor = TabularPreprocessor().fit(objects(["no", "yes", "no", "no", None]))
    assert list(preprocessor.get_feature_names_out()) == ["x0_yes"]
    found = preprocessor.transform(objects(["no", "yes", "perhaps", None]))
    assert_allclose(undone(preprocessor, found)["x0_yes"], [-1, 1, 0, 0])


def test_only_the_most_frequent_levels_get_columns():
    words = ["w"] * 5 + ["z"] * 4 + ["y"] * 4 + ["x"] * 2 + ["v"] * 2
    preprocessor = TabularPreprocessor(max_categories=3).fit(objects(words))
    assert preprocessor.categories_ == {0: ["w", "y", "z"]}
    reverse = TabularPreprocessor(max_categories=4).fit(objects(words[::-1]))
    assert reverse.categories_ == {0: ["v", "w", "y", "z"]}
    assert_array_equal(preprocessor.transform(objects(["x"])), preprocessor.transform(objects("?")))
    everything = TabularPreprocessor(max_categories=None).fit(objects(list(map(str, range(200)))))
    assert len(everything.get_feature_names_out()) == 200
    two_of_three = TabularPreprocessor(max_categories=2).fit(objects(list("aabbc")))
    assert list(two_of_three.get_feature_names_out()) == ["x0_a", "x0_b"]


def test_numbers_are_distinguished_from_categories_and_marks():
    born = [datetime(2020, 1, 2, 3), None, datetime(2021, 5, 6), datetime(2022, 7, 8)]
    table = objects([1.0, None, 3.0, 4.0], list("abca"), [True, False, True, False], born)
    preprocessor = TabularPreprocessor(max_one_hot=2).fit(table)
    names = preprocessor.get_feature_names_out()
    turns = [f"x3_{circle}_{part}" for circle in ("year", "week", "day") for part in ("sin", "cos")]
    assert list(names[preprocessor.number_columns_]) == ["x0", "x3_days", *turns]
    assert set(names) - {"x0", "x3_days", *turns} == {"x0_missing", "x1", "x2_True", "x3_missing"}
    assert preprocessor.code_columns_ == [len(names) - 1]
    assert TabularPreprocessor().fit(sparse.csr_array(np.eye(3))).number_columns_ == [0, 1, 2]


def test_columns_of_many_levels_become_codes_behind_all_other_outputs():
    table = objects(list("dacba"), ["u", "v", "u", "v", "v"], [9, 7, 8, None, 7], [1.0, 2, 3, 4, 5])
    plain = TabularPreprocessor([2]).fit(table)
    preprocessor = TabularPreprocessor([2], max_one_hot=2, max_categories=2).fit(table)
    assert list(preprocessor.get_feature_names_out()) == ["x1_v", "x3", "x0", "x2"]
    # By frequency, rare ones first, and then in order.
    assert preprocessor.categories_ == {0: list("bcda"), 1: ["u", "v"], 2: [8, 9, 7]}
    assert preprocessor.code_columns_ == [2, 3]
    places = [slice(2, 3), slice(0, 1), slice(3, 4), slice(1, 2)]
    assert preprocessor.outputs_of_columns() == places
    found = preprocessor.transform(table)
    assert_array_equal(found[:, 2:], [[2, 2], [3, 3], [1, 1], [0, 0], [3, 3]])
    names = list(plain.get_feature_names_out())
    places = [names.index("x1_v"), names.index("x3")]
    assert_array_equal(found[:, :2], plain.transform(table)[:, places])
    # Unknown levels share the code of missing values, where there were some.
    news = preprocessor.transform(objects(["?", None, "b"], ["u"] * 3, [10, None, 8], [0.0] * 3))
    assert_array_equal(news[:, 2:], [[-1, 0], [-1, 0], [0, 1]])
    frequent = TabularPreprocessor([2], max_one_hot=2, min_frequency=2).fit(table)
    assert frequent.categories_ == {0: ["a"], 1: ["u", "v"], 2: [7]}
    assert_array_equal(frequent.transform(table)[:, 2], [0, 1, 0, 0, 1])
    # Columns of rare levels only stay as they are.
    frequent.set_params(min_frequency=3).fit(table)
    assert not frequent.code_columns_ and len(frequent.categories_[0]) == 4
    for max_one_hot, n_codes in ((3, 1), (4, 0), (None, 0)):
        preprocessor.set_params(max_one_hot=max_one_hot).fit(table)
        assert len(preprocessor.code_columns_) == n_codes
    alone = TabularPreprocessor(max_one_hot=1).fit(table[:, :1])
    assert_array_equal(alone.transform(table[:, :1])[:, 0], [2, 3, 1, 0, 3])
    assert TabularPreprocessor(max_one_hot=1).fit(sparse.csr_array(np.eye(3))).code_columns_ == []


def test_missing_values_have_a_code_of_their_own_beside_rare_levels():
    preprocessor = TabularPreprocessor(max_one_hot=2, min_frequency=2)
    rare = objects(["a", "b", None, "c", None, "a"])
    assert_array_equal(preprocessor.fit_transform(rare)[:, 0], [2, 0, 1, 0, 1, 2])
    assert preprocessor.categories_ == {0: ["a"]}
    assert_array_equal(preprocessor.transform(objects(["?", np.nan])), [[0], [1]])
    # A single missing value is rare itself. Without rare levels, missing values need no other code.
    few = objects(["a", "b", None, "c", "a"], ["u", "v", "w", "u", None])
    assert_array_equal(preprocessor.fit_transform(few)[:, 0], [1, 0, 0, 0, 1])
    none_rare = objects([*"abcabc", None, None])
    assert_array_equal(preprocessor.fit_transform(none_rare)[:, 0], [1, 2, 3, 1, 2, 3, 0, 0])


def test_missing_values_are_marked_where_all_of_many_levels_are_rare():
    rare = objects([None, "u", "v", "w", None, None])
    for levels, least, names in (
        (2, 2, ["x0_u", "x0_v", "x0_w", "x0_missing"]),
        (2, 4, ["x0_u", "x0_v", "x0_w"]),
        (3, 2, ["x0_u", "x0_v", "x0_w"]),
    ):
        preprocessor = TabularPreprocessor(max_one_hot=levels, min_frequency=least).fit(rare)
        assert list(preprocessor.get_feature_names_out()) == names
    preprocessor.set_params(max_one_hot=1, min_frequency=2, max_abs=None)
    found = preprocessor.fit(objects(["u", "v", None, None])).transform(objects(["u", None, "?"]))
    assert_array_equal(found, [[-2, -0.5], [0, 0.5], [0, -0.5]])
    assert preprocessor.number_columns_ == []


def test_constant_and_empty_columns_become_zero_or_nothing():
    table = objects([None] * 4, [7] * 4, ["one"] * 4, [None, "a", "b", "a"])
    preprocessor = TabularPreprocessor().fit(table)
    assert list(preprocessor.get_feature_names_out()) == ["x0", "x1", "x2_one", "x3_b"]
    later = objects([3.0], [8], ["two"], ["b"])
    assert_array_equal(preprocessor.transform(later)[:, :3], 0)
    nothing = TabularPreprocessor([0]).fit(objects([None, None]))
    assert nothing.transform(objects([None, 3])).shape == (2, 0)


@pytest.mark.parametrize("later", ["text", 5.0, date(2024, 1, 1), None])
def test_column_without_a_value_stays_zero_whatever_comes_later(later):
    preprocessor = TabularPreprocessor().fit(objects([None, None, np.nan], [1, 2, 3]))
    found = preprocessor.transform(objects([None, later], [1, 3]))
    assert_array_equal(found[:, 0], [0, 0])
    assert found[1, 1] == -found[0, 1] != 0
    pd = pytest.importorskip("pandas")
    strings = pd.DataFrame({"note": pd.Series([None, None], dtype="str"), "size": [1.0, 2.0]})
    preprocessor.fit(strings)
    assert_array_equal(preprocessor.transform(strings.assign(note=later))[:, 0], [0, 0])


def test_numbers_in_objects_and_durations_are_numbers():
    found = TabularPreprocessor().fit(
        objects([1, None], [Decimal("2.5"), 3.0], [timedelta(1), np.timedelta64(36, "h")])
    )
    assert found.kinds_ == ["number"] * 3
    assert_allclose(found.scaler_.center_, [1, 0.5, 2.75, 1.25])


def test_dates_become_days_and_points_on_circles():
    days = np.array(["1970-01-01", "2000-02-29", "2023-12-31", "NaT"], dtype="datetime64[D]")
    preprocessor = TabularPreprocessor(max_abs=None).fit(days[:, np.newaxis])
    raw = undone(preprocessor, preprocessor.transform(days[:, np.newaxis]))
    assert list(raw) == [
        *("x0_days", "x0_missing", "x0_year_sin", "x0_year_cos", "x0_week_sin", "x0_week_cos")
    ]
    assert_allclose(raw["x0_days"], [0, 11016, 19722, 11016])
    assert_allclose(raw["x0_missing"], [0, 0, 0, 1])
    share_of_year = np.array([0, 59 / 366, 364 / 365])
    assert_allclose(raw["x0_year_sin"][:3], np.sin(2 * np.pi * share_of_year), atol=1e-12)
    assert_allclose(raw["x0_year_cos"][:3], np.cos(2 * np.pi * share_of_year), atol=1e-12)
    # Thursday, Tuesday, Sunday.
    assert_allclose(raw["x0_week_cos"][:3], np.cos(2 * np.pi * np.array([3, 1, 6]) / 7))
    circles = np.transpose([raw[f"x0_{name}"] for name in ("year_sin", "year_cos", "week_sin")])
    assert_allclose(circles[3], 0, atol=1e-12)


def test_time_of_day_is_a_circle_where_there_is_one():
    times = [datetime(2024, 5, 1, hour) for hour in (0, 6, 12, 18)]
    raw = encoded(times)
    assert raw["x0_day_sin"].argmax() == 1 and raw["x0_day_cos"].argmin() == 2
    assert "x0_day_sin" not in encoded([datetime(2024, 5, day) for day in (1, 2, 3)])


def test_date_before_1970_and_far_ahead_lie_on_the_circle_too():
    raw = encoded([date(1, 1, 1), date(1900, 7, 2), date(9999, 12, 31)])
    assert all(np.isfinite(values).all() for values in raw.values())


@pytest.mark.parametrize("fitted", [[1.0, 2.0, None], [date(2024, 1, 1), date(2024, 5, 1), None]])
def test_missing_values_may_have_any_dtype(fitted):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    preprocessor = TabularPreprocessor().fit(pd.DataFrame({"born": fitted}))
    expected = preprocessor.transform(pd.DataFrame({"born": [None]}))
    dtypes = [float, "float32", "Int64", "boolean", "string", "datetime64[ns]", "timedelta64[ns]"]
    incomplete = [pd.DataFrame({"born": pd.Series([None], dtype=dtype)}) for dtype in dtypes]
    incomplete += [
        pl.DataFrame({"born": pl.Series([None], dtype=t)}) for t in (None, pl.Int8, pl.Date)
    ]
    for frame in incomplete:
        assert_array_equal(preprocessor.transform(frame), expected)


@pytest.mark.parametrize("none", [np.nan, Decimal("NaN"), np.datetime64("NaT"), np.float32("nan")])
@pytest.mark.parametrize("values", [[True, False, True], [date(2024, 1, 1), date(2024, 5, 1)]])
def test_missing_values_in_objects_do_not_decide_the_kind_of_a_column(none, values):
    expected = TabularPreprocessor().fit(objects([*values, None]))
    found = TabularPreprocessor().fit(objects([*values, none]))
    assert found.kinds_ == expected.kinds_ != ["number"]
    X = objects([None, none, *values])
    assert_array_equal(found.transform(X), expected.transform(X))


@pytest.mark.parametrize(
    "columns",
    [
        ["town", "code"],
        [1, 2],
        [False, True, True],
        np.array([1, 2]),
        lambda X: [False, True, True],
    ],
    ids=["names", "positions", "mask", "array", "callable"],
)
def test_columns_can_be_declared_categorical(columns):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"size": [1.0, 2.0, 4.0], "town": ["a", "b", "c"], "code": [7, 8, 9]})
    preprocessor = TabularPreprocessor(columns).fit(frame)
    assert preprocessor.kinds_ == ["number", "category", "category"]
    assert preprocessor.categories_ == {"town": ["a", "b", "c"], "code": [7, 8, 9]}
    assert_array_equal(
        preprocessor.transform(frame), preprocessor.transform(frame.astype({"code": float}))
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["b"], "holds 'b', but X has no such column: its columns have no names"),
        ([5], "holds 5, but X has no such column.*positions are 0 to 2"),
        ([-1], "holds -1"),
        ([True, False], "has 2 booleans, X has 3 columns"),
        ([0, True], "holds True"),
        ("all", "must be 'from_dtype', an array-like of names, positions or booleans"),
    ],
)
def test_columns_that_are_not_there_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        TabularPreprocessor(columns).fit(NUMBERS)


def frame_of(library):
    if library == "pandas":
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(TABLE)
        return frame.assign(seen=pd.to_datetime(frame["seen"]))
    if library == "polars":
        return pytest.importorskip("polars").DataFrame({**TABLE, "income": gapped(TABLE["income"])})
    return pytest.importorskip("pyarrow").table({**TABLE, "income": gapped(TABLE["income"])})


def gapped(numbers):
    return [None if number != number else number for number in numbers]


def test_batches_of_arrow_are_tables():
    pytest.importorskip("pyarrow")
    table = frame_of("pyarrow")
    (batch,) = table.to_batches()
    preprocessor = TabularPreprocessor().fit(batch)
    assert_allclose(preprocessor.transform(batch), TabularPreprocessor().fit_transform(table))
    with pytest.raises(ValueError, match="feature names should match"):
        preprocessor.transform(batch.select(list(TABLE)[::-1]))


def test_columns_of_arrow_are_read_without_the_names_of_all():
    # Each time, the table lists all of them anew: 4,000 columns took half a minute.
    pa = pytest.importorskip("pyarrow")

    class Table:
        shape = 2, 1

        @property
        def column_names(self):
            raise AssertionError("asked for all names")

        def column(self, j):
            return pa.chunked_array([["a", "b"]])

    content, is_category = content_of(Table(), 0)
    assert content.tolist() == ["a", "b"]
    assert not is_category
    assert is_frame(Table())
    assert str(dtype_of(Table(), 0)) == "string"
    assert zone_of(Table(), 0) is None
    assert exact_content_of(Table(), 0).tolist() == ["a", "b"]
    assert columns_of_numbers(Table()) == []


@pytest.mark.parametrize("names", [["column_names", "b"], ["combine_chunks", "column_names"]])
def test_pandas_columns_may_be_called_like_attributes_of_arrow_tables(names):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(dict(zip(names, [[1.0, 2.0, 4.0], ["a", "b", "a"]], strict=True)))
    preprocessor = TabularPreprocessor().fit(X)
    assert list(preprocessor.get_feature_names_out()) == [names[0], f"{names[1]}_b"]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frame_of_every_library_gives_what_an_array_of_objects_gives(library):
    frame = frame_of(library)
    preprocessor = TabularPreprocessor().fit(frame)
    assert list(preprocessor.feature_names_in_) == list(TABLE)
    assert list(preprocessor.get_feature_names_out()) == NAMES
    assert preprocessor.kinds_ == ["number", "number", "category", "category", "date", "date"]
    expected = TabularPreprocessor().fit_transform(objects(*TABLE.values()))
    assert_allclose(preprocessor.transform(frame), expected)
    assert_allclose(TabularPreprocessor().fit_transform(frame), expected)


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("is_text", [True, False])
def test_many_rows_of_numbered_categories_give_what_each_row_gives(library, is_text):
    # Missing values, an unknown level, one that has no row, and numbers of several dtypes.
    values = np.random.RandomState(0).choice(["a", "b", "c", "new", None], size=400).tolist()
    values[:2] = "a", "b"
    numbers = {
        "x": np.arange(400),
        "y": np.arange(400, dtype=np.float32),
        "z": [None, *[0.5] * 399],
    }
    if library == "pandas":
        pd = pytest.importorskip("pandas")
        kind = "str" if is_text else pd.CategoricalDtype(["c", "new", "unused", "b", "a"])
        frame = pd.DataFrame({"level": pd.Series(values, dtype=kind), **numbers})
    elif library == "polars":
        pl = pytest.importorskip("polars")
        kind = pl.String if is_text else pl.Categorical
        frame = pl.DataFrame({"level": pl.Series(values, dtype=kind), **numbers})
    else:
        pa = pytest.importorskip("pyarrow")
        level = pa.chunked_array([values[:100], values[100:]], type=pa.string())
        level = level if is_text else level.dictionary_encode()
        frame = pa.table({"level": level, **numbers})
    known = objects(
        ["a", "b", "c", "a", None], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [1, 2, 3, 4, None]
    )
    for max_one_hot in (None, 2):
        preprocessor = TabularPreprocessor(max_one_hot=max_one_hot, dtype="float32").fit(known)
        found = preprocessor.transform(frame)
        rows = objects(values, *(np.array(column, dtype=object) for column in numbers.values()))
        assert_array_equal(found, preprocessor.transform(rows))


def test_infinity_is_refused_by_the_name_of_its_column():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, np.inf]})
    with pytest.raises(ValueError, match="infinity: column 'b'"):
        TabularPreprocessor().fit(frame.replace(np.inf, 3.0)).transform(frame)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_output_is_a_frame_on_demand(library):
    frame = frame_of(library)
    preprocessor = TabularPreprocessor().set_output(transform=library)
    found = preprocessor.fit_transform(frame)
    assert type(found) is type(frame)
    assert list(found.columns) == NAMES


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frame_whose_columns_have_other_names_is_refused(library):
    frame = frame_of(library)
    preprocessor = TabularPreprocessor().fit(frame)
    other = frame.select(list(TABLE)[::-1]) if library != "pandas" else frame[list(TABLE)[::-1]]
    with pytest.raises(ValueError, match="feature names should match"):
        preprocessor.transform(other)


def test_dtypes_of_pandas_are_understood():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "truth": pd.array([True, None, False], dtype="boolean"),
            "text": pd.array(["a", None, "b"], dtype="string"),
            "ordered": pd.Categorical([3, 1, None], ordered=True),
            "zoned": pd.date_range("2024-01-01 23:00", periods=3, tz="Asia/Tokyo"),
            "period": pd.period_range("2024-01", periods=3, freq="M"),
            "duration": pd.to_timedelta([1, None, 3], unit="D"),
            "sparse": pd.arrays.SparseArray([0.0, 0.0, 2.0]),
            "sparse dates": pd.arrays.SparseArray(pd.date_range("2024-01-01", periods=3)),
            "object": pd.Series([1, pd.NA, 2.5], dtype=object),
            "stamps": pd.Series([pd.Timestamp("2024-03-01"), pd.NaT, None], dtype=object),
        }
    )
    preprocessor = TabularPreprocessor(max_abs=None).fit(frame)
    kinds = dict(zip(frame, preprocessor.kinds_, strict=True))
    assert [n for n, kind in kinds.items() if kind == "category"] == ["truth", "text", "ordered"]
    dates = ["zoned", "period", "sparse dates", "stamps"]
    assert [n for n, kind in kinds.items() if kind == "date"] == dates
    raw = undone(preprocessor, preprocessor.transform(frame))
    assert_allclose(raw["truth_True"], [1, 0, -1])
    assert_allclose(raw["ordered_3"], [1, -1, 0])
    assert_allclose(raw["zoned_days"] % 1, 23 / 24)
    assert_allclose(raw["duration"], [1, 2, 3])
    assert_allclose(raw["object_missing"], [0, 1, 0])
    # Values with the same meaning are encoded alike, whatever their library or dtype.
    frame = frame.drop(columns=["period", "ordered"])
    plain = frame.astype(object).where(frame.notna(), None)
    found = TabularPreprocessor().fit_transform(plain)
    assert_allclose(found, TabularPreprocessor().fit_transform(frame))


def test_dtypes_of_polars_are_understood():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {
            "whole": [1, None, 3],
            "truth": [True, None, False],
            "coded": pl.Series(["a", None, "b"], dtype=pl.Categorical),
            "named": pl.Series(["u", "v", None], dtype=pl.Enum(["u", "v", "w"])),
            "duration": [timedelta(1), None, timedelta(3)],
        }
    )
    preprocessor = TabularPreprocessor(max_abs=None).fit(frame)
    assert preprocessor.kinds_ == ["number", "category", "category", "category", "number"]
    raw = undone(preprocessor, preprocessor.transform(frame))
    assert_allclose(raw["coded_b"], [-1, 0, 1])
    assert_allclose(raw["duration"], [1, 2, 3])


def test_longest_integers_of_polars_are_numbers():
    pl = pytest.importorskip("polars", minversion="1.18")
    numbers = pl.DataFrame({"whole": [1, None, 3]})
    long = numbers.cast(pl.Int128)
    found = TabularPreprocessor().fit_transform(long)
    assert_array_equal(found, TabularPreprocessor().fit_transform(numbers))


@pytest.mark.parametrize("library", ["polars", "arrow", "objects"])
def test_zoned_times_are_local_times_in_every_library(library):
    pd = pytest.importorskip("pandas")
    stamps = pd.date_range("2024-01-01 21:00", periods=5, freq="h", tz="America/New_York")
    frame = pd.DataFrame({"seen": stamps}).astype("datetime64[us, America/New_York]")
    frame.loc[2, "seen"] = pd.NaT
    other = {"polars": "polars", "arrow": "pyarrow"}
    if library == "objects":
        given = frame.astype(object)
    else:
        module = pytest.importorskip(other[library])
        given = module.from_pandas(frame) if library == "polars" else module.table(frame)
    local = frame["seen"].dt.tz_localize(None).to_frame()
    expected = TabularPreprocessor().fit(local)
    found = TabularPreprocessor().fit(given)
    assert_array_equal(found.transform(given), expected.transform(local))
    assert_array_equal(expected.transform(given), expected.transform(local))


@pytest.mark.parametrize("library", ["pandas", "objects", "polars", "pyarrow", "arrow in pandas"])
@pytest.mark.parametrize("zone", ["Europe/Vienna", "UTC-03:30", "UTC+02:00"])
def test_times_in_another_zone_become_those_of_fit(library, zone):
    pd = pytest.importorskip("pandas")
    stamps = pd.date_range("2024-03-30", periods=5, freq="9h", tz="UTC", unit="us")
    utc = pd.DataFrame({"seen": stamps})
    there = utc.astype(f"datetime64[us, {zone}]")
    preprocessor = TabularPreprocessor().fit(there)
    if library == "arrow in pandas":
        pytest.importorskip("pyarrow")
        given = utc.astype("timestamp[us, tz=UTC][pyarrow]")
    elif library == "objects":
        several_zones = [*stamps[:2].tz_convert("Asia/Tokyo"), *stamps[2:].to_pydatetime()]
        given = pd.DataFrame({"seen": pd.Series(several_zones, dtype=object)})
    elif library != "pandas":
        module = pytest.importorskip(library)
        given = module.from_pandas(utc) if library == "polars" else module.table(utc)
    else:
        given = utc
    expected = preprocessor.transform(there)
    assert_array_equal(preprocessor.transform(given), expected)
    local = there["seen"].dt.tz_localize(None).to_frame()
    assert_array_equal(preprocessor.transform(local), expected)
    assert not np.array_equal(TabularPreprocessor().fit(given).transform(given), expected)


@pytest.mark.parametrize("name", ["file", "file on Windows", "offset", "utc"])
@pytest.mark.parametrize("as_objects", [False, True])
def test_zones_of_dateutil_are_known_by_their_names(name, as_objects):
    pd, tz = pytest.importorskip("pandas"), pytest.importorskip("dateutil.tz")
    vienna = tz.gettz("Europe/Vienna")
    with open(vienna._filename, "rb") as file:
        on_windows = tz.tzfile(file, r"C:\lib\zoneinfo\Europe\Vienna")
    zone = {"file": vienna, "offset": tz.tzoffset(None, 7200), "utc": tz.UTC}
    zone["file on Windows"] = on_windows
    stamps = pd.date_range("2024-03-30", periods=5, freq="9h", tz="Asia/Tokyo", unit="us")
    there, elsewhere = (
        pd.DataFrame({"a": stamps.tz_convert(zone[name])}),
        pd.DataFrame({"a": stamps}),
    )
    try:
        there["a"].dt.tz_localize(None)
    except AttributeError:
        pytest.skip("This pandas cannot compute with zones from such a file.")
    preprocessor = TabularPreprocessor().fit(there)
    given = elsewhere.astype(object) if as_objects else elsewhere
    assert_array_equal(preprocessor.transform(given), preprocessor.transform(there))


@pytest.mark.parametrize("kind", ["periods", "objects", "times"])
def test_periods_begin_at_a_time(kind):
    pd = pytest.importorskip("pandas")
    periods = pd.DataFrame({"a": pd.period_range("2024-01", periods=9, freq="M")})
    times = pd.DataFrame({"a": periods["a"].dt.to_timestamp()})
    objects = periods.astype(object)
    objects.loc[len(objects)] = [pd.NaT]
    fitted = {"periods": periods, "objects": objects, "times": times}[kind]
    preprocessor = TabularPreprocessor().fit(fitted)
    expected = preprocessor.transform(times)
    assert np.ptp(expected[:, 0]) > 0
    assert_array_equal(preprocessor.transform(periods), expected)
    assert_array_equal(preprocessor.transform(objects)[:9], expected)


@pytest.mark.parametrize(
    ("fitted", "given"),
    [(["1", "2", "3"], [1, 2, 3]), ([True, False, True], ["True", "False", "True"])],
)
@pytest.mark.parametrize("max_one_hot", [None, 1])
def test_categories_of_another_type_warn(fitted, given, max_one_hot):
    fitted, given = (np.array([values], dtype=object).T for values in (fitted, given))
    preprocessor = TabularPreprocessor([0], max_one_hot=max_one_hot).fit(fitted)
    with pytest.warns(UserWarning, match="Column 0 holds .* another type, such as "):
        preprocessor.transform(given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocessor.transform(np.array([["new"], [5.0], [None]], dtype=object))
        preprocessor.transform(np.array([[None]], dtype=object))


@pytest.mark.parametrize(
    ("values", "is_odd"),
    [
        ([*np.linspace(0, 1, 30), "?"], True),
        ([f"{i / 7:.3f}" for i in range(30)], True),
        ([f"2024-01-{i + 1:02d}" for i in range(30)], True),
        ([*(date(2024, 1, i + 1) for i in range(30)), "n/a"], True),
        ([f"${1000 + i:,}" for i in range(30)], True),
        ([f"{i / 8} %" for i in range(30)], True),
        ([f"{i:05d}" for i in range(30)], False),
        ([f"{i},{i + 1}" for i in range(30)], False),
        ([*"abcdefghijklmnopqrstuvwxyz", 1.5], False),
        ([*"abcdefghijkl", *(i + 0.5 for i in range(12))], False),
        ([1.5, 2.5, "?"], False),
    ],
)
def test_numbers_and_dates_that_would_be_categories_warn(values, is_odd):
    X = np.array([values * 2], dtype=object).T
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TabularPreprocessor().fit(X)
        TabularPreprocessor([0]).fit(X)
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == is_odd
    assert all(re.match("Column 0 holds strings, .* numbers or dates", m) for m in messages)


@pytest.mark.parametrize(
    ("n_values", "n_rows", "warns"),
    [(21, 21, True), (20, 20, False), (46, 50, True), (45, 50, False)],
)
def test_strings_of_which_nearly_every_row_has_another_one_warn(n_values, n_rows, warns):
    X = objects([None, *(f"row {i % n_values}" for i in range(n_rows))])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TabularPreprocessor().fit(X)
        TabularPreprocessor([0]).fit(X)
    texts = [str(warning.message) for warning in caught]
    start = f"Column 0 has {n_values} different values in {n_rows} rows, such as 'row 0'"
    assert [text[: len(start)] for text in texts] == [start] * warns


def test_many_columns_of_names_get_few_warnings():
    X = objects(*[[f"{j} {i}" for i in range(30)] for j in range(9)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TabularPreprocessor().fit(X)
    texts = [str(warning.message) for warning in caught]
    assert [text[:9] for text in texts[:-1]] == [f"Column {j} " for j in range(5)]
    assert texts[-1] == "Further columns like these (4): [5, 6, 7, 8]."


def test_times_of_day_become_parts_of_a_day():
    zone = timezone(timedelta(hours=2))
    times = [time(6), time(12), None, time(18, 0, tzinfo=zone), time(23, 59, 59, 999_999)]
    preprocessor = TabularPreprocessor().fit(objects(times))
    assert preprocessor.kinds_ == ["number"]
    assert list(preprocessor.get_feature_names_out()) == ["x0", "x0_missing"]
    found = undone(preprocessor, preprocessor.transform(objects(times)))["x0"]
    assert_allclose(found[[0, 1, 3, 4]], [0.25, 0.5, 0.75, 1], atol=1e-10)
    marked = TabularPreprocessor([0]).fit(objects([time(6), time(12)]))
    assert marked.categories_ == {0: [time(6), time(12)]}
    with pytest.raises(ValueError, match="holds '6:00', which is not a number"):
        preprocessor.transform(objects(["6:00"]))


def test_dask_frames_are_refused():
    pd = pytest.importorskip("pandas")
    dask_frames = pytest.importorskip("dask.dataframe")
    frame = dask_frames.from_pandas(pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), npartitions=1)
    with pytest.raises(TypeError, match=r"X is a Dask frame.* X\.compute\(\)"):
        TabularPreprocessor().fit(frame)


@pytest.mark.parametrize("unit", ["ns", "us", "ms", "s", "D"])
def test_dates_as_categories_are_the_same_in_any_unit(unit):
    days = np.array(["2024-01-01", "2024-01-02", "NaT", "2024-01-03"], dtype="datetime64[D]")
    X = days.astype(f"datetime64[{unit}]")[:, np.newaxis]
    preprocessor = TabularPreprocessor([0]).fit(X)
    day = date if unit == "D" else datetime
    assert preprocessor.categories_ == {0: [day(2024, 1, 1), day(2024, 1, 2), day(2024, 1, 3)]}
    spans = TabularPreprocessor([0]).fit(X - X[0])
    assert spans.categories_ == {0: [timedelta(0), timedelta(1), timedelta(2)]}
    found = (spans.transform((X - X[0]).astype("timedelta64[ms]")) > 0).astype(int)
    assert_array_equal(found, [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]])


def test_dictionaries_of_arrow_are_categories():
    pa = pytest.importorskip("pyarrow")
    coded = pa.array([5, 9, None, 5]).dictionary_encode()
    preprocessor = TabularPreprocessor().fit(pa.table({"coded": coded}))
    assert preprocessor.categories_ == {"coded": [5, 9]}


@pytest.mark.parametrize(
    ("dtype", "values", "kind"),
    [
        ("date32[pyarrow]", [date(2024, 1, 1), date(2024, 1, 2), None], "date"),
        ("timestamp[us][pyarrow]", [datetime(2024, 1, 1, 5), datetime(2024, 1, 2), None], "date"),
        ("timestamp[ns, tz=UTC][pyarrow]", [datetime(2024, 1, 1), datetime(2024, 2, 1)], "date"),
        ("duration[us][pyarrow]", [timedelta(1), None, timedelta(3)], "number"),
        ("decimal128(5, 2)[pyarrow]", [Decimal("1.5"), None, Decimal(3)], "number"),
        ("int64[pyarrow]", [1, None, 3], "number"),
        ("bool[pyarrow]", [True, None, False], "category"),
        ("string[pyarrow]", ["a", None, "b"], "category"),
    ],
)
def test_dtypes_of_arrow_in_pandas_are_understood(dtype, values, kind):
    pa = pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    if dtype.startswith("decimal"):
        dtype = pd.ArrowDtype(pa.decimal128(5, 2))
    preprocessor = TabularPreprocessor().fit(pd.DataFrame({"x": pd.array(values, dtype=dtype)}))
    assert preprocessor.kinds_ == [kind]
    plain = TabularPreprocessor().fit_transform(objects(values))
    assert_allclose(preprocessor.transform(pd.DataFrame({"x": pd.array(values, dtype)})), plain)


def test_coded_numbers_are_categories_in_arrow_and_in_pandas():
    pa = pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    coded = pd.array([5, 9, None, 5], dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.int64())))
    assert TabularPreprocessor().fit(pd.DataFrame({"x": coded})).categories_ == {"x": [5, 9]}


@pytest.mark.parametrize("library", ["pandas", "nullable", "arrow dtype", "polars", "pyarrow"])
@pytest.mark.parametrize("is_incomplete", [False, True])
def test_integers_that_are_categories_stay_exact_integers(library, is_incomplete):
    if library == "pandas" and is_incomplete:
        pytest.skip("NumPy's integers have no missing values.")
    big = 2**53
    values = [big, big + 1, 7, None if is_incomplete else 7] * 60
    if library == "polars":
        X = pytest.importorskip("polars").DataFrame({"zip": values})
    elif library == "pyarrow":
        X = pytest.importorskip("pyarrow").table({"zip": values})
    else:
        dtype = {"pandas": "int64", "nullable": "Int64", "arrow dtype": "int64[pyarrow]"}[library]
        pytest.importorskip("pyarrow")
        X = pytest.importorskip("pandas").DataFrame({"zip": values}, dtype=dtype)
    preprocessor = TabularPreprocessor(categorical_features=["zip"]).fit(X)
    assert preprocessor.categories_ == {"zip": [7, big, big + 1]}
    names = ["zip_7", f"zip_{big}", f"zip_{big + 1}"]
    assert list(preprocessor.get_feature_names_out()) == names
    levels = preprocessor.transform(X)[:4].argmax(axis=1)
    assert_array_equal(levels[:3], [1, 2, 0])


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 1 has no such strings")
def test_strings_of_any_length_are_categories():
    strings = np.array([["a"], ["b"], ["a"]], dtype=np.dtypes.StringDType())
    assert TabularPreprocessor().fit(strings).categories_ == {0: ["a", "b"]}


def test_structures_of_polars_are_refused():
    pl = pytest.importorskip("polars")
    with pytest.raises(TypeError, match="Column 'x' holds values of type 'dict'"):
        TabularPreprocessor().fit(pl.DataFrame({"x": [{"a": 1, "b": 2}] * 3}))


@pytest.mark.parametrize("unit", [1.0, 1e295, 1e-295, 1e-45, 1e40])
@pytest.mark.parametrize("offset", [0.0, 1e9, -1e10])
def test_float32_keeps_the_digits_that_matter(unit, offset):
    X = (NUMBERS + offset) * unit
    expected = TabularPreprocessor().fit_transform(NUMBERS)
    preprocessor = TabularPreprocessor(dtype="float32").fit(X)
    assert_allclose(preprocessor.transform(X), expected, atol=1e-3)
    again = pickle.loads(pickle.dumps(preprocessor))
    assert_array_equal(again.transform(X), preprocessor.transform(X))


def test_float32_keeps_differences_of_a_quarter_of_the_rows():
    column = np.r_[0.0, 1e8, 1e8, np.full(7, 1e8 + 1)][:, np.newaxis]
    expected = TabularPreprocessor().fit_transform(column)
    assert_allclose(TabularPreprocessor(dtype="float32").fit_transform(column), expected, rtol=1e-5)


def test_float32_keeps_the_time_of_a_day_in_microseconds():
    times = [datetime(2024, 1, 1) + timedelta(microseconds=i) for i in range(50)]
    found = TabularPreprocessor(dtype="float32").fit_transform(objects(times))
    assert_allclose(found[:, 0], TabularPreprocessor().fit_transform(objects(times))[:, 0], 1e-2)


def test_lists_keep_numbers_beside_strings():
    rows = [[1.5, "a"], [2.0, "b"], [4.0, "a"]]
    preprocessor = TabularPreprocessor().fit(rows)
    assert preprocessor.kinds_ == ["number", "category"]
    expected = TabularPreprocessor().fit_transform(np.array(rows, dtype=object))
    assert_array_equal(preprocessor.transform(rows), expected)


def test_sparse_rows_after_a_dense_fit_become_what_dense_rows_do():
    X = np.array([[0.0, 2.0], [1.0, 0.0], [3.0, 1.0]])
    preprocessor = TabularPreprocessor().fit(X)
    assert_array_equal(preprocessor.transform(sparse.csr_array(X)), preprocessor.transform(X))


def test_many_sparse_columns_stay_sparse():
    counts = sparse.csr_array(sparse.random(30, 50_000, density=1e-3, random_state=0))
    preprocessor = TabularPreprocessor(dtype="float32").fit(counts)
    found = preprocessor.transform(counts)
    assert sparse.issparse(found) and found.dtype == np.float32 and found.nnz == counts.nnz
    assert_allclose(
        found[:, :50].toarray(), preprocessor.transform(counts.toarray())[:, :50], atol=1e-6
    )
    assert len(preprocessor.get_feature_names_out()) == 50_000


def test_sparse_matrix_with_missing_values_or_categories_is_refused():
    with pytest.raises(ValueError, match="Sparse X holds NaN"):
        TabularPreprocessor().fit(sparse.csr_array([[np.nan, 0.0], [1.0, 1.0]]))
    with pytest.raises(ValueError, match=r"categorical_features=\[0\] must be 'from_dtype'"):
        TabularPreprocessor([0]).fit(sparse.csr_array(np.eye(3)))


@pytest.mark.parametrize(
    ("first", "later", "message"),
    [
        ([1.0, 2.0], ["a", "b"], "Column 0 holds 'a', which is not a number"),
        ([date(2024, 1, 1)] * 2, ["a", "b"], "Column 0 holds 'a', which is not a date"),
        ([1.0, 2.0], [10**400, 0], "Input X contains infinity: column 0"),
        (["a", "b"], [["a"], ["b"]], "Column 0 of categories: .*unhashable"),
    ],
)
def test_column_of_another_kind_is_refused_later(first, later, message):
    column = np.empty((2, 1), dtype=object)
    column[:, 0] = later
    with pytest.raises((ValueError, TypeError), match=message):
        TabularPreprocessor().fit(objects(first)).transform(column)


def test_columns_that_hold_nothing_usable_are_refused():
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match="'list'; each value of an argument must be a string, a"):
        TabularPreprocessor().fit(pd.DataFrame({"a": [[1], [2]]}))
    with pytest.raises(TypeError, match=r"Column 'a' of categories: .*unhashable"):
        TabularPreprocessor(["a"]).fit(pd.DataFrame({"a": [[1], [2]]}))
    with pytest.raises(TypeError, match="Column 'a' holds values of type 'complex'"):
        TabularPreprocessor().fit(pd.DataFrame({"a": [1j, 2.0]}))
    with pytest.raises(TypeError, match=r"Column 0 has dtype \|V8"):
        TabularPreprocessor().fit(np.zeros((2, 1), dtype="V8"))
    for number in (1j, np.complex64(1j)):
        with pytest.raises(TypeError, match="Column 0 holds values of type 'complex"):
            TabularPreprocessor().fit(objects([number, 2.0]))
    with pytest.raises(ValueError, match="infinity: column 'a'"):
        TabularPreprocessor().fit(pd.DataFrame({"a": [np.inf, 2.0]}))
    with pytest.raises(ValueError, match="at least 1 sample"):
        TabularPreprocessor().fit(pd.DataFrame({"a": []}))


def test_failed_fit_leaves_the_earlier_one():
    preprocessor = TabularPreprocessor().fit(NUMBERS)
    before = preprocessor.transform(NUMBERS)
    with pytest.raises(ValueError, match="infinity"):
        preprocessor.fit([[np.inf], [1.0]])
    assert_array_equal(preprocessor.transform(NUMBERS), before)


def test_names_are_unique_even_where_columns_are_named_alike():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, None], "a_missing": [1.0, 2.0]})
    names = TabularPreprocessor().fit(frame).get_feature_names_out()
    assert list(names) == ["a", "a_missing", "a_missing_"]


def test_names_can_be_given_later():
    preprocessor = TabularPreprocessor().fit(NUMBERS)
    assert list(preprocessor.get_feature_names_out(["a", "b", "c"])) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="should have length equal"):
        preprocessor.get_feature_names_out(["a"])


def test_dtype_of_the_output_is_chosen_and_given_data_stays():
    given = NUMBERS.copy()
    found = TabularPreprocessor(dtype=np.float32).fit_transform(given)
    assert found.dtype == np.float32
    assert_array_equal(given, NUMBERS)
    counts = sparse.csr_array(np.eye(3))
    TabularPreprocessor().fit_transform(counts)
    assert_array_equal(counts.toarray(), np.eye(3))


def test_table_goes_through_a_pipeline_a_pickle_and_a_clone():
    frame = frame_of("pandas")
    y = frame["smokes"]
    model = make_pipeline(TabularPreprocessor(), MLPBinaryClassifier(max_iter=50, random_state=0))
    with pytest.warns(match="Maximum iterations"):
        model.fit(frame, y)
    assert model.score(frame, y) > 0.9
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert clone(model[0]).get_params() == model[0].get_params()


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_categories": 0},
        {"max_one_hot": 0},
        {"min_frequency": 0},
        {"max_abs": -1},
        {"dtype": "int8"},
    ],
    ids=str,
)
def test_wrong_parameters_are_refused_by_name(parameters):
    name = next(iter(parameters))
    with pytest.raises(ValueError, match=f"The '{name}' parameter of TabularPreprocessor must be"):
        TabularPreprocessor(**parameters).fit(NUMBERS)


@pytest.mark.parametrize("day", [None, "2020-01-01", "2020-01-01 12:00+01:00", "1 day"])
def test_booleans_and_dates_can_be_read_from_a_skops_file(day):
    skops = pytest.importorskip("skops.io")
    pd = pytest.importorskip("pandas")
    known = [True, False, True, False]
    if day is not None:
        first = pd.Timedelta(day) if day == "1 day" else pd.Timestamp(day)
        known = pd.Categorical([first, None, first + pd.Timedelta("1D")] * 2)
    X = pd.DataFrame({"known": known})
    model = TabularPreprocessor().fit(X)
    dumped = skops.dumps(model)
    again = skops.loads(dumped, trusted=skops.get_untrusted_types(data=dumped))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))


@pytest.mark.parametrize("n_repeats", [1, 100])
def test_times_that_are_categories_are_converted_to_the_zone_of_fit(n_repeats):
    pd, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    # In New York, the later ones are at the hours at which the first ones are in Berlin.
    times = pd.date_range("2024-03-01", periods=9, freq="3h", tz="Europe/Berlin").repeat(n_repeats)
    frame = pd.DataFrame({"time": times})
    model = TabularPreprocessor(["time"]).fit(frame)
    expected = model.transform(frame)
    for zone in ("America/New_York", "UTC", "+05:30"):
        elsewhere = frame.assign(time=times.tz_convert(zone))
        assert_array_equal(model.transform(elsewhere), expected)
        if zone != "+05:30":
            assert_array_equal(model.transform(polars.from_pandas(elsewhere)), expected)


def test_days_of_any_library_are_the_same_categories():
    pd, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    days = [date(2024, 1, day) for day in (1, 2, 2)]
    table = pa.table({"day": days})
    frames = [
        table,
        table.to_pandas(types_mapper=pd.ArrowDtype),
        pd.DataFrame({"day": days}),
        pytest.importorskip("polars").DataFrame({"day": days}),
    ]
    for frame in frames:
        model = TabularPreprocessor(["day"], max_abs=None).fit(frame)
        assert model.categories_ == {"day": days[:2]}
        for other in frames:
            assert_array_equal(model.transform(other), [[-2], [0], [0]])


@pytest.mark.parametrize("largest", [1e39, 1e300])
def test_numbers_without_room_in_float32_are_outliers(largest, rng):
    column = np.r_[rng.normal(size=29), largest]
    kinds = {dtype: TabularPreprocessor(dtype=dtype) for dtype in ("float32", "float64")}
    narrow, wide = (model.fit_transform(column[:, np.newaxis]) for model in kinds.values())
    assert_allclose(narrow, wide, rtol=1e-4)
    assert narrow[-1] == 3


def test_numbers_whose_range_fills_float64_are_prepared_for_float32_without_overflow():
    wide = np.array([[-1.7e308], [0.0], [1.7e308], [1.7e308]])
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(TabularPreprocessor(dtype="float32").fit_transform(wide)).all()


@pytest.mark.parametrize("model", [TabularPreprocessor(), MLPBinaryClassifier()])
@pytest.mark.parametrize("found", [0, "a", {"a"}, [0.5], "from_dtypes"], ids=str)
def test_what_a_callable_returns_is_checked(model, found):
    model = clone(model).set_params(categorical_features=lambda X: found)
    words = rf"'categorical_features\(X\)' parameter of {type(model).__name__} must be .* Got "
    with pytest.raises(ValueError, match=words):
        model.fit(np.arange(12.0).reshape(6, 2), [0, 1] * 3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_dense_rows_are_prepared_as_sparse_ones_where_these_were_fitted(dtype):
    pd = pytest.importorskip("pandas")
    rows = np.array([[1.0, 0.0, -2.0], [0.0, 3.0, 1e300 if dtype == "float64" else 9.0]] * 3)
    model = TabularPreprocessor(dtype=dtype).fit(sparse.csr_matrix(rows))
    expected = model.transform(sparse.csr_matrix(rows)).toarray()
    gaps = np.where(rows == 0, np.nan, rows)
    for table in (rows, rows.astype(object), pd.DataFrame(rows), gaps, pd.DataFrame(gaps)):
        before = table.copy()
        found = model.transform(table)
        assert_array_equal(found, expected)
        assert found.dtype == dtype
        assert_array_equal(np.array(table, dtype=float), np.array(before, dtype=float))
    with pytest.raises(ValueError, match="Column 1 holds 'a', which is not a number"):
        model.transform([[1.0, "a", 2.0]])


def test_columns_of_one_name_are_refused():
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="several columns named 'a'"):
        TabularPreprocessor().fit(pd.DataFrame(NUMBERS, columns=["a", "b", "a"]))


def test_a_series_is_refused_as_a_table():
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"2D array|2-dimensional"):
        TabularPreprocessor().fit(pd.Series(NUMBERS[:, 0]))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("odd", [np.nan, 1e30], ids=["missing", "far away"])
def test_columns_beside_one_that_is_not_written_as_it_is_are_written_as_without_it(odd, dtype):
    given = NUMBERS.copy()
    given[:, 1] = odd * (1 + NUMBERS[:, 1] * 1e-9)
    found = TabularPreprocessor(dtype=dtype).fit_transform(given)
    expected = TabularPreprocessor(dtype=dtype).fit_transform(NUMBERS[:, [0, 2]])
    assert_array_equal(found[:, [0, -1]], expected)


def test_tags_tell_which_tables_are_taken():
    taken = get_tags(TabularPreprocessor()).input_tags
    assert taken.sparse and taken.allow_nan and taken.categorical


def test_booleans_of_python_and_numpy_have_the_same_kind():
    mixed = np.array([[True], [np.bool_(False)], [False]], dtype=object)
    preprocessor = TabularPreprocessor().fit(mixed)
    assert preprocessor.kinds_ == ["category"]
    assert_array_equal(preprocessor.transform(mixed)[:, 0] > 0, [True, False, False])


@pytest.mark.parametrize(
    "asked",
    [
        TabularPreprocessor.get_feature_names_out,
        TabularPreprocessor.outputs_of_columns,
        TabularPreprocessor.categories_.fget,
        TabularPreprocessor.code_columns_.fget,
        TabularPreprocessor.number_columns_.fget,
    ],
)
def test_outputs_are_not_known_before_fit(asked):
    with pytest.raises(NotFittedError, match="This TabularPreprocessor instance is not fitted"):
        asked(TabularPreprocessor())
