"""Embeddings of numeric features through the estimators; blocks have tests of their own."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skperceptron import MLPBinaryClassifier, MLPRegressor
from skperceptron.embeddings import (
    NumericEmbedding,
    Periodic,
    PeriodicLinear,
    PiecewiseLinear,
    get_numeric_embedding,
)
from skperceptron.engine.blocks import Scale
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.model_selection import StackedGridSearchCV

RNG = np.random.RandomState(0)
X = RNG.uniform(-1, 1, size=(120, 3))
Y = np.sin(9 * X[:, 0]) + X[:, 1]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(embedding="pbld", **options):
    defaults = {"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 5, "dtype": "float64"}
    return MLPRegressor(**defaults | options, numeric_embedding=embedding)


def embedded(model, x):
    """Compute ``[cos(2 pi x w + p) M + s, x]`` of each of some features."""
    w, p, mixing, shift = model.numeric_embeddings_
    cosines = np.cos(2 * np.pi * x[:, :, np.newaxis] * w + p)
    mixed = np.einsum("ndf,dfw->ndw", cosines, mixing) + shift
    return np.concatenate([mixed, x[:, :, np.newaxis]], axis=2).reshape(len(x), -1)


def assert_predicts(model, rows, first):
    """Check predictions of some rows against the formula, given what the first layer reads."""
    hidden = np.maximum(first @ model.coefs_[0] + model.intercepts_[0], 0)
    last = {"none": [hidden], "linear": [hidden, first], "dense": [first, hidden]}
    expected = np.hstack(last[model.skip_connections]) @ model.coefs_[1] + model.intercepts_[1]
    assert_allclose(model.predict(rows), expected[:, 0], rtol=1e-9)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("skips", ["none", "linear", "dense"])
def test_prediction_is_the_formula(solver, skips):
    model = make(Periodic(5, 2, 0.7), feature_scale=True, solver=solver, skip_connections=skips)
    model.fit(X, Y)
    first = embedded(model, X) * model.feature_scales_[0]
    assert_predicts(model, X, first)
    assert [a.shape for a in model.numeric_embeddings_] == [(3, 5), (3, 5), (3, 5, 2), (3, 2)]


def test_rectified_periodic_embeddings_are_the_formula():
    model = make(PeriodicLinear(5, 2, 0.7)).fit(X, Y)
    w, mixing, shift = model.numeric_embeddings_
    angles = 2 * np.pi * X[:, :, np.newaxis] * w
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=2)
    first = np.maximum(np.einsum("ndf,dfw->ndw", waves, mixing) + shift, 0).reshape(len(X), -1)
    assert_predicts(model, X, first)
    assert [a.shape for a in model.numeric_embeddings_] == [(3, 5), (3, 10, 2), (3, 2)]


@pytest.mark.parametrize("skips", ["none", "linear", "dense"])
@pytest.mark.parametrize("scales", [False, True])
@pytest.mark.parametrize("columns", [[2, 0], np.array([1]), (0, 1, 2)], ids=str)
def test_only_chosen_columns_are_embedded(columns, scales, skips):
    model = make(Periodic(5, 2, 0.7, columns), feature_scale=scales, skip_connections=skips)
    model.fit(X, Y)
    chosen = sorted(map(int, columns))
    others = [j for j in range(3) if j not in chosen]
    first = np.hstack([embedded(model, X[:, chosen]), X[:, others]])
    assert first.shape == (len(X), 3 * len(chosen) + len(others))
    if scales:
        first = first * model.feature_scales_[0]
    assert_predicts(model, X, first)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("options", [{}, {"feature_scale": True}, {"input_dropout": 0.2}], ids=str)
def test_other_columns_may_hold_categories(options):
    codes = np.column_stack([X[:, 0], np.arange(120) % 4, X[:, 1:]])
    options = {"categorical_features": [1], "embedding_dim": 2, **options}
    model = make(Periodic(5, 2, 0.7, [0, 3]), **options).fit(codes, Y)
    numbers = [embedded(model, codes[:, [0, 3]]), codes[:, [2]]]
    first = np.hstack([*numbers, model.embeddings_[0][np.arange(120) % 4]])
    if options.get("feature_scale"):
        first = first * model.feature_scales_[0]
    assert_predicts(model, codes, first)


def test_gradients_reach_embedded_and_other_columns():
    model = make(Periodic(5, 2, 0.7, [0]), solver="lbfgs", max_iter=100, alpha=0).fit(X, Y)
    whole = make(Periodic(5, 2, 0.7), solver="lbfgs", max_iter=100, alpha=0).fit(X, Y)
    assert model.loss_ == pytest.approx(whole.loss_, abs=0.01)
    assert model.score(X, Y) > 0.95


def test_networks_that_share_weights_embed_some_columns():
    model = make(Periodic(5, 2, 0.7, [0, 2]), ensemble_size=3).fit(X, Y)
    assert model.coefs_[0].shape == (7, 8)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize(
    ("columns", "options", "fragment"),
    [
        ([], {}, "at least one column"),
        ([0, 3], {}, r"\[0, 3\]: at least one .* are 0 to 2\."),
        ([1, 2], {"categorical_features": [1]}, r"those of categories, \[1\], are embedded anyway"),
        (
            [-1],
            {},
            "'columns' parameter of Periodic must be an array-like of positions from 0 on",
        ),
        ([True, False, True], {}, "'columns' parameter of Periodic"),
        (["a"], {}, "'columns' parameter of Periodic"),
        (2, {}, "'columns' parameter of Periodic"),
    ],
    ids=str,
)
def test_columns_that_cannot_be_embedded_are_refused(columns, options, fragment):
    codes = np.column_stack([X[:, 0], np.arange(120) % 4, X[:, 1]])
    with pytest.raises(ValueError, match=fragment):
        make(Periodic(columns=columns), **options).fit(codes, Y)


def test_embeddings_of_earlier_versions_have_all_columns():
    old = Periodic(5, 2, 0.7)
    del old.columns
    restored = pickle.loads(pickle.dumps(old))
    assert restored.get_params()["columns"] is None
    found = make(restored).fit(X, Y).predict(X)
    assert_array_equal(found, make(Periodic(5, 2, 0.7)).fit(X, Y).predict(X))


def test_places_in_bins_are_the_formula():
    model = make(PiecewiseLinear(5)).fit(X, Y)
    slopes, shifts = model.numeric_embeddings_
    places = np.clip(X[:, :, np.newaxis] * slopes + shifts, -1, 1).reshape(len(X), -1)
    assert_predicts(model, X, np.hstack([places, X]))
    # Few rows take other calls.
    assert_predicts(model, X[:3], np.hstack([places, X])[:3])
    assert slopes.shape == shifts.shape == (3, 5)


def test_bins_lie_between_quantiles_or_between_the_values_of_a_feature():
    skewed, few, two, constant = np.arange(41.0) ** 2, np.arange(41) % 3, np.arange(41) % 2, 7
    # Bins far narrower than the values would be lost in rounding.
    narrow = np.where(np.arange(41) < 20, 1e6, 1e6 + 1)
    # In float32, the slope of a bin between numbers so close to 0 would be infinite.
    tiny = 1e-39 * few
    columns = np.column_stack([skewed, few, two, np.full(41, constant), narrow, tiny])
    slopes, shifts = PiecewiseLinear(4).block(6).arrays_for(columns)
    edges = [0, 100, 400, 900, 1600]
    for j, (low, high) in enumerate(pairwise(edges)):
        assert_allclose(slopes[0, j] * np.array([low, high]) + shifts[0, j], [-1, 1])
    assert_allclose(slopes[1:], [[2, 2, 0, 0], [2, 0, 0, 0], *[[0] * 4] * 3])
    assert_allclose(shifts[1:], [[-1, -3, 0, 0], [-1, 0, 0, 0], *[[0] * 4] * 3])


def test_bins_of_chosen_columns_start_from_their_rows():
    still = ParameterGroups(numeric_embedding=ParameterGroup(rate=0))
    model = make(PiecewiseLinear(5, columns=[2, 0]), parameter_groups=still).fit(X, Y)
    slopes, shifts = model.numeric_embeddings_
    starts = PiecewiseLinear(5).block(2).arrays_for(X[:, [0, 2]])
    for kept, start in zip((slopes, shifts), starts, strict=True):
        assert_array_equal(kept, start)
    places = np.clip(X[:, [0, 2], np.newaxis] * slopes + shifts, -1, 1).reshape(len(X), -1)
    assert_predicts(model, X, np.hstack([places, X[:, [0, 2, 1]]]))


@pytest.mark.parametrize("initializer", ["scikit-learn", "unit_variance"])
def test_bins_start_from_the_training_rows(initializer):
    still = ParameterGroups(numeric_embedding=ParameterGroup(rate=0))
    model = make("ple", parameter_groups=still, initializer=initializer).fit(X, Y)
    expected = PiecewiseLinear().block(3).arrays_for(X)
    for kept, start in zip(model.numeric_embeddings_, expected, strict=True):
        assert_array_equal(kept, start)
    # Columns of categories are left out.
    mixed = np.column_stack([np.arange(len(X)) % 4, X])
    model.set_params(categorical_features=[0]).fit(mixed, Y)
    for kept, start in zip(model.numeric_embeddings_, expected, strict=True):
        assert_array_equal(kept, start)


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_of_any_layout_are_read_behind_dropout(order):
    model = make(input_dropout=0.2).fit(X, Y)
    rows = np.asarray(X[::2], order=order)
    assert_allclose(model.predict(rows), model.predict(X)[::2], rtol=1e-9)


def test_start_is_that_of_the_paper():
    block = Periodic(spread=0.3).block(2000)
    w, p, mixing, shift = block.initial_arrays(np.random.RandomState(0))
    assert_allclose(w.std(), 0.3, rtol=0.02)
    assert_allclose([p.min(), p.max()], [-np.pi, np.pi], rtol=0.01)
    for array in (mixing, shift):
        assert_allclose([array.min(), array.max()], [-0.25, 0.25], rtol=0.01)


def test_sharp_changes_are_found():
    options = {"max_iter": 300, "learning_rate_init": 0.02, "n_iter_no_change": np.inf, "tol": 0}
    plain, *embedding = (
        make(e, **options).fit(X, Y) for e in (None, Periodic(spread=1.0), PiecewiseLinear(8))
    )
    x = np.random.RandomState(1).uniform(-1, 1, size=(300, 3))
    y = np.sin(9 * x[:, 0]) + x[:, 1]
    assert min(model.score(x, y) for model in embedding) > max(0.8, plain.score(x, y))


def test_group_of_the_embedding_has_its_own_learning_rate():
    still = ParameterGroups(numeric_embedding=ParameterGroup(rate=0))
    model, twin = (make(parameter_groups=groups).fit(X, Y) for groups in (still, None))
    drawn = get_numeric_embedding("pbld").block(3).initial_arrays(np.random.RandomState(0))
    for kept, first, moved in zip(
        model.numeric_embeddings_, drawn, twin.numeric_embeddings_, strict=True
    ):
        assert_array_equal(kept, first)
        assert not np.array_equal(moved, first)


def test_sparse_data_is_refused():
    with pytest.raises(ValueError, match="numeric_embedding='pbld' needs dense X"):
        make().fit(sparse.csr_array(X), Y)
    model = make().fit(X, Y)
    with pytest.raises(ValueError, match="needs dense X"):
        model.predict(sparse.csr_array(X))


@pytest.mark.parametrize(
    ("embedding", "fragment"),
    [
        ("pel", "'numeric_embedding' parameter of MLPRegressor must be 'pbld', 'ple', 'plr'"),
        (PiecewiseLinear(0), "'n_bins' parameter of PiecewiseLinear"),
        (Periodic(n_frequencies=0), "'n_frequencies' parameter of Periodic"),
        (Periodic(spread=0), "'spread' parameter of Periodic"),
    ],
    ids=repr,
)
def test_bad_embeddings_are_refused(embedding, fragment):
    with pytest.raises(ValueError, match=fragment):
        make(embedding).fit(X, Y)


@pytest.mark.parametrize(
    ("embedding", "grid"),
    [
        (Periodic(), {"spread": [0.1, 1.0], "n_frequencies": [4, 16]}),
        # Each fold has bins of its own.
        (PiecewiseLinear(), {"n_bins": [3, 12]}),
    ],
    ids=repr,
)
def test_stacked_search_equals_single_fits(embedding, grid):
    grid = {f"numeric_embedding__{name}": values for name, values in grid.items()}
    stacked, single = (
        search(make(embedding), grid, cv=3).fit(X, Y).cv_results_["mean_test_score"]
        for search in (StackedGridSearchCV, GridSearchCV)
    )
    assert_allclose(stacked, single, rtol=1e-9)


def test_stacks_hold_networks_that_embed_other_columns():
    grid = {"numeric_embedding__columns": [[0], [2], [0, 2], None], "alpha": [1e-4, 1.0]}
    stacked, single = (
        search(make(Periodic(5, 2, 0.7)), grid, cv=3).fit(X, Y).cv_results_["mean_test_score"]
        for search in (StackedGridSearchCV, GridSearchCV)
    )
    assert_allclose(stacked, single, rtol=1e-9)
    assert len(set(single)) == len(single)


def test_warm_starts_embed_the_same_columns():
    model = make(Periodic(columns=[0]), warm_start=True).fit(X, Y)
    model.set_params(numeric_embedding__columns=(0,)).fit(X, Y)
    with pytest.raises(ValueError, match="numeric_embedding=Periodic"):
        model.set_params(numeric_embedding__columns=[1]).fit(X, Y)


def test_fit_goes_through_pickles_warm_starts_and_streams():
    model = make(warm_start=True).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    assert_array_equal(again.fit(X, Y).predict(X), model.fit(X, Y).predict(X))
    labels = (Y > 0).astype(int)
    stream = MLPBinaryClassifier((4,), numeric_embedding="pbld").partial_fit(X, labels, [0, 1])
    assert clone(stream).numeric_embedding == "pbld"
    with pytest.raises(ValueError, match="numeric_embedding=None"):
        model.set_params(numeric_embedding=None).fit(X, Y)


class Squares(NumericEmbedding):
    """A user's embedding, with another kind of block."""

    def block(self, n_features):
        return Scale(n_features)


def test_custom_embedding_is_any_block():
    assert make(Squares()).fit(X, Y).feature_scales_[0].shape == (3,)
