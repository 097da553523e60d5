"""Columns of categories through the estimators; the blocks have tests of their own."""

import pickle
import warnings
from datetime import time, timedelta

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.utils import get_tags

from skperceptron import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    export,
)
from skperceptron.estimators.categories import usual_width
from skperceptron.exceptions import TooLargeError
from skperceptron.exchange import to_sklearn
from skperceptron.export import load, save
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.initializers import Given
from skperceptron.inspection import computational_graph, gradient_report, network_summary
from skperceptron.model_selection import (
    StackedCrossEnsembleRegressor,
    StackedEnsembleRegressor,
    StackedGridSearchCV,
)

RNG = np.random.RandomState(0)
CODES = RNG.randint(0, 6, size=200)
OTHERS = RNG.randint(0, 3, size=200)
NUMBERS = RNG.normal(size=(200, 2))
#: Numbers at 0 and 2, categories at 1 and 3.
X = np.column_stack([NUMBERS[:, 0], CODES, NUMBERS[:, 1], OTHERS])
Y = np.array([3.0, -1, 2, -3, 0, 1])[CODES] + 0.3 * OTHERS + NUMBERS[:, 0]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(cls=MLPRegressor, **options):
    defaults = {
        "hidden_layer_sizes": (8,),
        "random_state": 0,
        "max_iter": 5,
        "dtype": "float64",
        "categorical_features": [1, 3],
        "embedding_dim": 2,
    }
    return cls(**defaults | options)


@pytest.mark.parametrize("marked", [None, [1, 3], "from_dtype"])
def test_tags_tell_whether_categories_are_read(marked):
    assert get_tags(make(categorical_features=marked)).input_tags.categorical is (
        marked is not None
    )


def first_layer_sees(model, X):
    """Return what the first layer reads: numbers and rows of the tables, all scaled."""
    tables = model.embeddings_
    rows = [tables[0][X[:, 1].astype(int)], tables[1][X[:, 3].astype(int)]]
    seen = np.hstack([X[:, [0, 2]], *rows])
    return seen * (model.feature_scales_[0] if model.feature_scale else 1)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("skips", ["none", "linear", "dense"])
def test_prediction_is_the_formula(solver, skips):
    model = make(feature_scale=True, solver=solver, skip_connections=skips).fit(X, Y)
    assert [table.shape for table in model.embeddings_] == [(6, 2), (3, 2)]
    first = first_layer_sees(model, X)
    hidden = np.maximum(first @ model.coefs_[0] + model.intercepts_[0], 0)
    last = {"none": [hidden], "linear": [hidden, first], "dense": [first, hidden]}[skips]
    expected = np.hstack(last) @ model.coefs_[1] + model.intercepts_[1]
    assert_allclose(model.predict(X), expected[:, 0], rtol=1e-9)


def test_categories_without_order_are_learned():
    options = {"max_iter": 200, "learning_rate_init": 0.02, "hidden_layer_sizes": (4,)}
    embedded = make(**options).fit(X[:150], Y[:150]).score(X[150:], Y[150:])
    as_numbers = make(categorical_features=None, **options).fit(X[:150], Y[:150])
    assert embedded > max(0.95, as_numbers.score(X[150:], Y[150:]) + 0.1)


@pytest.mark.parametrize("cls", [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPClassifier])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifiers_embed_too(cls, n_classes):
    if cls is MLPBinaryClassifier and n_classes > 2:
        pytest.skip("two classes only")
    y = CODES % n_classes
    model = make(cls, max_iter=100, learning_rate_init=0.02).fit(X, y)
    assert model.score(X, y) > 0.95


def test_columns_of_categories_may_be_all_there_is():
    model = make(categorical_features=[0, 1], feature_scale=True, input_dropout=0.1)
    model.fit(X[:, [1, 3]], Y)
    assert model.coefs_[0].shape == (4, 8)
    assert model.feature_scales_[0].shape == (4,)


@pytest.mark.parametrize("initializer", ["scikit-learn", "unit_variance", "ntk_normal"])
def test_tables_start_small_or_as_standard_normal_numbers(initializer, rng):
    codes = rng.randint(0, 500, size=(500, 1))
    codes[0] = 499
    options = {"embedding_dim": 8, "learning_rate_init": 1e-300, "categorical_features": [0]}
    model = make(initializer=initializer, **options).fit(codes, codes[:, 0])
    deviation = 1 / np.sqrt(3 * 8) if initializer == "scikit-learn" else 1
    (table,) = model.embeddings_
    assert table.shape == (500, 8)
    assert np.std(table) == pytest.approx(deviation, rel=0.05)
    given = make(initializer=Given(otherwise=initializer), **options).fit(codes, codes[:, 0])
    assert_array_equal(given.embeddings_[0], table)


def test_scaled_vectors_and_numbers_are_one_input_to_the_first_layer():
    """With the neural tangent parametrization its width decides the learning rate."""
    options = {"parametrization": "ntk", "max_iter": 1, "batch_size": 200, "solver": "adam"}
    for scaled, n_inputs in ((True, [6, 6]), (False, [2, 4])):
        options |= {"feature_scale": scaled, "learning_rate_init": 1e-6, "alpha": 0}
        before = make(**options | {"learning_rate_init": 1e-300}).fit(X, Y).coefs_[0]
        steps = np.abs(make(**options).fit(X, Y).coefs_[0] - before)
        rates = 1e-6 / np.sqrt(np.repeat(n_inputs, (2, 4)))
        assert_allclose(steps.max(axis=1), rates, rtol=1e-3)


def test_masks_names_callables_and_dtypes_mark_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    expected = make().fit(X, Y).predict(X)
    for marked in ([False, True, False, True], ["b", "d"], np.array([3, 1]), lambda X: [1, "d"]):
        model = make(categorical_features=marked).fit(frame, Y)
        assert_array_equal(model.predict(frame), expected)
    by_dtype = make(categorical_features="from_dtype")
    assert not hasattr(by_dtype.fit(X, Y), "embeddings_")
    frame = frame.astype({"b": "category", "d": "category"})
    assert_array_equal(by_dtype.fit(frame, Y).predict(frame), expected)


def strings(frame_of):
    """A frame whose second column holds strings."""
    return frame_of({"x": X[:, 0], "letter": np.array(list("abcdef"))[CODES]})


def test_frames_of_pandas_hold_any_categories():
    pandas = pytest.importorskip("pandas")
    frame = strings(pandas.DataFrame).astype({"letter": "category"})
    model = make(categorical_features="from_dtype").fit(frame, Y)
    coded = make(categorical_features=[1]).fit(X[:, :2], Y)
    assert_array_equal(model.predict(frame), coded.predict(X[:, :2]))
    # The code of a letter does not depend on the other rows of the frame.
    alone = frame[frame["letter"] == "e"].copy()
    alone["letter"] = alone["letter"].astype(str).astype("category")
    assert_allclose(model.predict(alone), model.predict(frame)[CODES == 4], rtol=1e-9)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(frame), model.predict(frame))
    unknown = frame.assign(letter=pandas.Categorical(["z"] * 200))
    missing = frame.assign(letter=pandas.Categorical([None] * 200))
    assert_array_equal(model.predict(unknown), model.predict(missing))
    assert_array_equal(frame["letter"].cat.categories, list("abcdef"))
    with pytest.raises(ValueError, match="letter"):
        model.predict(frame[["x"]])


def test_frames_of_polars_hold_any_categories():
    polars = pytest.importorskip("polars")
    frame = strings(polars.DataFrame).with_columns(polars.col("letter").cast(polars.Categorical))
    model = make(categorical_features="from_dtype").fit(frame, Y)
    coded = make(categorical_features=[1]).fit(X[:, :2], Y)
    assert_array_equal(model.predict(frame), coded.predict(X[:, :2]))


def test_frames_of_arrow_hold_any_categories():
    pyarrow = pytest.importorskip("pyarrow")
    coded = make(categorical_features=[1]).fit(X[:, :2], Y).predict(X[:, :2])
    plain = strings(pyarrow.table)
    table = plain.set_column(1, "letter", plain.column("letter").dictionary_encode())
    for frame, marked in (
        (table, "from_dtype"),
        (table.to_batches()[0], "from_dtype"),
        (plain, ["letter"]),
    ):
        model = make(categorical_features=marked).fit(frame, Y)
        assert_array_equal(model.predict(frame), coded)
        assert list(model.feature_names_in_) == ["x", "letter"]


@pytest.mark.parametrize("marked", ["from_dtype", ["letter"]])
def test_dictionaries_of_arrow_in_pandas_are_categories_in_any_order(marked):
    pandas, arrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    dtype = pandas.ArrowDtype(arrow.dictionary(arrow.int32(), arrow.string()))
    # The dictionary begins with the last letter, and there are missing values.
    codes = np.where(np.arange(200) % 7, CODES, -1)
    codes[0] = 5
    letters = [None if code < 0 else "abcdef"[code] for code in codes]
    frame = pandas.DataFrame({"x": X[:, 0], "letter": pandas.Series(letters, dtype=dtype)})
    model = make(categorical_features=marked).fit(frame, Y)
    rows = np.column_stack([X[:, 0], codes])
    coded = make(categorical_features=[1]).fit(rows, Y)
    assert_array_equal(model.predict(frame), coded.predict(rows))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_marked_columns_of_frames_need_no_categorical_dtype(library):
    module = pytest.importorskip(library)
    frame = strings(module.DataFrame)
    model = make(categorical_features=["letter"]).fit(frame, Y)
    expected = make(categorical_features=[1]).fit(X[:, :2], Y).predict(X[:, :2])
    assert_array_equal(model.predict(frame), expected)
    unknown, missing = (
        module.DataFrame({"x": X[:2, 0], "letter": letters})
        for letters in (["z", "y"], [None, "z"])
    )
    assert_array_equal(model.predict(unknown), model.predict(missing))
    with pytest.warns(UserWarning, match="'letter' holds 1, but .* another type, such as 'a'"):
        model.predict(module.DataFrame({"x": X[:2, 0], "letter": [1, 2]}))


def test_marked_columns_of_pandas_hold_what_can_be_distinguished():
    pandas = pytest.importorskip("pandas")
    expected = make(categorical_features=[1]).fit(X[:, :2], Y).predict(X[:, :2])
    hours = np.arange(6).astype("timedelta64[h]")
    times = np.array([time(hour) for hour in range(6)])
    days = pandas.date_range("2026-01-01", periods=6)
    for values in ([f"{i}" for i in range(6)], days, hours, hours.astype(object), times):
        frame = pandas.DataFrame({"x": X[:, 0], "what": np.array(values)[CODES]})
        model = make(categorical_features=["what"]).fit(frame, Y)
        assert_array_equal(model.predict(frame), expected)
    mixed = pandas.DataFrame({"x": X[:, 0], "what": np.array([1, "b", 3.5], dtype=object)[OTHERS]})
    model = make(categorical_features=["what"]).fit(mixed, Y)
    assert model.embeddings_[0].shape == (3, 2)
    single = pandas.DataFrame({"x": X[:, 0], "what": np.full(len(X), "a")})
    assert make(categorical_features=["what"]).fit(single, Y).embeddings_[0].shape == (1, 2)
    codes = pandas.DataFrame({"x": X[:, 0], "what": CODES - 1})
    assert make(categorical_features=["what"]).fit(codes, Y).embeddings_[0].shape == (5, 2)


@pytest.mark.filterwarnings("error:Column")
def test_durations_of_pandas_are_those_of_other_libraries():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    lengths = [timedelta(i % 3) for i in range(12)]
    frame = pandas.DataFrame({"a": np.arange(12.0), "length": lengths})
    network = make(categorical_features=["length"])
    network.fit(frame, np.arange(12.0))
    assert network._category_values == {1: lengths[:3]}
    assert {type(value) for value in network._category_values[1]} == {timedelta}
    columns = {"a": np.arange(12.0), "length": lengths}
    for other in (polars.DataFrame(columns), pa.table(columns)):
        assert_array_equal(network.predict(other), network.predict(frame))
    nested = polars.DataFrame({"a": np.arange(12.0), "length": [[1]] * 12})
    with pytest.raises(TypeError, match="Column 'length' of categories: unhashable type: 'list'"):
        network.predict(nested)


def test_dates_of_pandas_survive_a_skops_file():
    pandas, skops = pytest.importorskip("pandas"), pytest.importorskip("skops.io")
    # The first two differ by a nanosecond, which other classes of dates do not tell.
    days = pandas.to_datetime(np.array([10**18, 10**18 + 1, 10**17]))
    for known in (days[:2], days[::2]):
        table = pandas.DataFrame({"day": pandas.Categorical(known.repeat(20))})
        network = make(categorical_features="from_dtype").fit(table, np.arange(40))
        assert network.embeddings_[0].shape[0] == 2
    dumped = skops.dumps(network)
    again = skops.loads(dumped, trusted=skops.get_untrusted_types(data=dumped))
    assert_array_equal(again.predict(table), network.predict(table))


def test_validation_data_may_be_frames_too():
    pandas = pytest.importorskip("pandas")
    frame = strings(pandas.DataFrame).astype({"letter": "category"})
    model = make(categorical_features="from_dtype", early_stopping=True)
    model.fit(frame[:150], Y[:150], X_val=frame[150:], y_val=Y[150:])
    coded = make(categorical_features=[1], early_stopping=True)
    coded.fit(X[:150, :2], Y[:150], X_val=X[150:, :2], y_val=Y[150:])
    assert_allclose(model.validation_scores_, coded.validation_scores_)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_unknown_and_negative_codes_are_no_category(dtype):
    model = make(categorical_features=[0]).fit(CODES[:, np.newaxis].astype(dtype), Y)
    none = np.maximum(model.intercepts_[0], 0) @ model.coefs_[1] + model.intercepts_[1]
    found = model.predict(np.array([[-1], [6], [10**6]], dtype=dtype))
    assert_allclose(found, np.repeat(none, 3), rtol=1e-5)
    learned = make(categorical_features=[0]).fit(CODES[:, np.newaxis].astype(dtype) - 1, Y)
    assert learned.embeddings_[0].shape == (5, 2)


def test_codes_that_are_none_are_refused():
    odd = X.copy()
    odd[7, 3] = 1.5
    with pytest.raises(ValueError, match=r"column 3 holds 1\.5, .* whole numbers"):
        make().fit(odd, Y)
    model = make().fit(X, Y)
    for rows in (odd, odd[7:8]):
        with pytest.raises(ValueError, match="column 3"):
            model.predict(rows)
    with pytest.raises(ValueError, match="column 3"):
        make().fit(X, Y, X_val=odd, y_val=Y)
    odd[7, 3] = 1e8
    with pytest.raises(TooLargeError, match="column 3 holds the code 100000000"):
        make().fit(odd, Y)
    with pytest.raises(ValueError, match="needs dense X"):
        make().fit(sparse.csr_array(X), Y)
    with pytest.raises(ValueError, match="needs dense X"):
        model.predict(sparse.csr_array(X))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categorical_features": [4]}, "X has no such column"),
        ({"categorical_features": ["b"]}, "no names"),
        ({"categorical_features": [None]}, "'categorical_features' parameter of MLPRegressor"),
        ({"categorical_features": [True]}, "1 booleans"),
        ({"categorical_features": "b"}, "'categorical_features' parameter of MLPRegressor"),
        ({"embedding_dim": 0}, "'embedding_dim' parameter of MLPRegressor"),
        ({"ensemble_size": 2}, "exclude each other"),
    ],
    ids=str,
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options).fit(X, Y)


def test_usual_widths_grow_slowly():
    assert [usual_width(n) for n in (1, 2, 3, 10, 100, 10**6)] == [1, 2, 3, 6, 21, 50]
    assert [t.shape for t in make(embedding_dim="auto").fit(X, Y).embeddings_] == [(6, 4), (3, 3)]


def test_stacked_search_equals_single_fits():
    grid = {"embedding_dim": [1, 3, "auto"], "alpha": [1e-4, 1.0]}
    stacked, single = (
        search(make(), grid, cv=3).fit(X, Y).cv_results_["mean_test_score"]
        for search in (StackedGridSearchCV, GridSearchCV)
    )
    assert_allclose(stacked, single, rtol=1e-9)


def test_frames_in_stacked_searches_equal_single_fits():
    pandas = pytest.importorskip("pandas")
    frame = strings(pandas.DataFrame).astype({"letter": "category"})
    model = make(categorical_features="from_dtype")
    stacked, single = (
        search(model, {"embedding_dim": [1, 3]}, cv=3).fit(frame, Y)
        for search in (StackedGridSearchCV, GridSearchCV)
    )
    for name in ("mean_test_score", "std_test_score"):
        assert_allclose(stacked.cv_results_[name], single.cv_results_[name], rtol=1e-9)
    assert_allclose(stacked.predict(frame), single.predict(frame))


def test_ensembles_embed_categories():
    pandas = pytest.importorskip("pandas")
    frame = strings(pandas.DataFrame).astype({"letter": "category"})
    model = make(categorical_features="from_dtype", max_iter=60, learning_rate_init=0.02)
    for ensemble in (
        StackedEnsembleRegressor(model, 3, random_state=0),
        StackedCrossEnsembleRegressor(model, {}, cv=3),
    ):
        assert ensemble.fit(frame, Y).score(frame, Y) > 0.8


def test_cross_ensembles_learn_levels_from_their_own_rows():
    # The largest code is in the last fold only: the member that holds it out has a smaller table.
    codes = np.concatenate([np.arange(100) % 5, np.full(100, 5)])[:, np.newaxis]
    ensemble = StackedCrossEnsembleRegressor(
        make(categorical_features=[0], max_iter=3), {}, cv=KFold(2)
    )
    ((first, second),) = ensemble.fit(codes, Y).estimators_
    assert first.embeddings_[0].shape == (6, 2)
    assert second.embeddings_[0].shape == (5, 2)


def test_stream_and_warm_start_go_on_with_their_tables():
    stream = make(MLPBinaryClassifier)
    labels = (Y > 0).astype(int)
    stream.partial_fit(X, labels, [0, 1])
    before = [table.copy() for table in stream.embeddings_]
    more = X.copy()
    more[:, 1] += 3
    with pytest.warns(UserWarning, match="column 1 holds categories that the first call did not"):
        stream.partial_fit(more, labels)
    after = stream.embeddings_
    assert after[0].shape == before[0].shape
    assert not np.array_equal(before[0], after[0])
    warm = make(warm_start=True).fit(X, Y)
    again = pickle.loads(pickle.dumps(warm))
    assert_array_equal(again.fit(X, Y).predict(X), warm.fit(X, Y).predict(X))
    with pytest.raises(ValueError, match=r"must mark the columns \[1, 3\]"):
        clone(warm).fit(X, Y).set_params(categorical_features=[1]).fit(X, Y)
    with pytest.raises(ValueError, match="embedding_dim=7"):
        warm.set_params(embedding_dim=7).fit(X, Y)


@pytest.mark.parametrize(
    ("later", "is_new"), [(["a", "c"], False), (["a", None], False), (["a", "d"], True)]
)
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_new_category_in_a_stream_gives_a_warning(library, later, is_new):
    frame = pytest.importorskip(library).DataFrame
    stream = make(categorical_features=["letter"])
    stream.partial_fit(frame({"letter": ["a", "b", "c"], "number": [0.0, 1.0, 2.0]}), [0, 1, 2])
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        stream.partial_fit(frame({"letter": later, "number": [0.0, 1.0]}), [0, 1])
    assert ["'letter' holds categories" in str(one.message) for one in found] == [True] * is_new


def test_a_level_that_no_row_of_a_stream_has_gives_no_warning(recwarn):
    pandas = pytest.importorskip("pandas")
    stream = make(categorical_features=["letter"])
    for levels in ("abc", "abcd"):
        letters = pandas.Categorical(["a", "b", "c"], list(levels))
        stream.partial_fit(pandas.DataFrame({"letter": letters, "number": [0.0, 1, 2]}), [0, 1, 2])
    assert not [one for one in recwarn if "holds categories" in str(one.message)]


def test_small_batches_may_hold_the_largest_codes_of_the_earlier_fit():
    codes = np.column_stack([np.arange(2000), np.arange(2000) % 3])
    stream = make(categorical_features=[0]).partial_fit(codes, codes[:, 1])
    before = stream.embeddings_[0].copy()
    stream.partial_fit(codes[1998:1999], [5.0])
    changed = (stream.embeddings_[0] != before).any(axis=1)
    assert changed[1998]
    warm = make(categorical_features=[0], warm_start=True).fit(codes, codes[:, 1])
    assert warm.fit(codes[-40:], codes[-40:, 1]).embeddings_[0].shape == (2000, 2)


def test_next_fit_drops_the_tables():
    model = make().fit(X, Y)
    model.set_params(categorical_features=None).fit(X, Y)
    assert not hasattr(model, "embeddings_")
    assert model.coefs_[0].shape == (4, 8)
    assert np.isfinite(model.predict(X + 0.5)).all()


def test_failed_fit_leaves_the_earlier_one():
    model = make().fit(X, Y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="whole numbers"):
        model.set_params(categorical_features=[0]).fit(X, Y)
    assert_array_equal(model.predict(X), before)


def test_group_of_the_tables_has_its_own_learning_rate():
    still = make(parameter_groups=ParameterGroups(embedding=ParameterGroup(rate=0)), max_iter=9)
    start = make(max_iter=1, parameter_groups=still.parameter_groups)
    for kept, first in zip(still.fit(X, Y).embeddings_, start.fit(X, Y).embeddings_, strict=True):
        assert_array_equal(kept, first)


def test_penalty_applies_to_the_tables():
    free, held = (make(solver="lbfgs", alpha=alpha, max_iter=50).fit(X, Y) for alpha in (0, 1e4))
    for table, shrunk in zip(free.embeddings_, held.embeddings_, strict=True):
        assert np.abs(shrunk).max() < 1e-2 < np.abs(table).max()


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_advice_does_not_ask_to_scale_codes():
    large, later = X.copy(), X[:50].copy()
    large[:, 1] *= 100
    later[:, 1] = -1
    with pytest.warns(UserWarning) as caught:
        make(max_iter=2).fit(large, Y, X_val=later, y_val=Y[:50])
    assert not [one for one in caught if "scale" in str(one.message)]
    with pytest.warns(UserWarning, match="number 0 has a root mean square"):
        make(max_iter=2).fit(large * [100, 1, 1, 1], Y)


def test_weights_of_rows_equal_repetitions(rng):
    weights = rng.randint(1, 4, size=200)
    options = {"solver": "lbfgs", "max_iter": 20}
    weighted = make(**options).fit(X, Y, sample_weight=weights)
    repeated = make(**options).fit(np.repeat(X, weights, axis=0), np.repeat(Y, weights))
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6, atol=1e-8)


def test_graphs_tables_and_gradients_show_them():
    model = make().fit(X, Y)
    graph = computational_graph(model).with_values(X, Y)
    assert graph["numbers_0"].output_shape[1] == 2
    assert_array_equal(graph["embedding_0"].value, first_layer_sees(model, X)[:, 2:])
    assert 6 * 2 + 3 * 2 in list(network_summary(model)["n_parameters"])
    assert len(gradient_report(model, X, Y)["layer"]) == 2
    with pytest.raises(ValueError, match="known after fit"):
        computational_graph(make(), n_features=4)
    with pytest.raises(ValueError, match="scikit-learn's networks cannot express"):
        to_sklearn(model)


def test_onnx_reads_the_codes():
    pytest.importorskip("skl2onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = make(max_iter=30).fit(X, Y)
    rows = X.copy()
    rows[:4, 1] = [-1, -7, 6, 1e6]
    for dtype, tolerance in ((np.float32, 1e-4), (np.float64, 1e-9)):
        exported = export.to_onnx(model, rows[:1].astype(dtype))
        session = runtime.InferenceSession(exported.SerializeToString())
        (found,) = session.run(None, {session.get_inputs()[0].name: rows.astype(dtype)})
        assert_allclose(found.ravel(), model.predict(rows), rtol=tolerance, atol=tolerance)


def test_files_without_code_hold_the_categories(tmp_path):
    pytest.importorskip("safetensors")
    pandas = pytest.importorskip("pandas")
    frame = strings(pandas.DataFrame).astype({"letter": "category"})
    model = make(categorical_features="from_dtype").fit(frame, Y)
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert_array_equal(again.predict(frame), model.predict(frame))


def test_columns_that_partial_fit_cannot_find_are_refused():
    model = make().fit(X, Y).set_params(categorical_features=["letter"])
    with pytest.raises(ValueError, match="holds 'letter', but X has no such column"):
        model.partial_fit(X, Y)
