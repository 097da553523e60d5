"""Ordered classes through the softmax classifier; the loss has tests of its own."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.model_selection import GridSearchCV

from skperceptron import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPSoftmaxClassifier,
    export,
)
from skperceptron.exchange import to_sklearn
from skperceptron.export import load, save
from skperceptron.inspection import computational_graph, network_summary, to_html
from skperceptron.losses import OrdinalLogLoss
from skperceptron.model_selection import StackedCrossEnsembleClassifier, StackedGridSearchCV
from tests.test_shared_ensembles import outputs

RNG = np.random.RandomState(0)
X = RNG.normal(size=(300, 3))
#: Grades from 0 to 3 along one line.
GRADES = np.digitize(X[:, 0] + 0.5 * X[:, 1] + 0.3 * RNG.logistic(size=300), [-1.0, 0.0, 1.0])
#: The grades as words, whose alphabetical order differs.
ORDER = ["poor", "fair", "good", "best"]
WORDS = np.array(ORDER)[GRADES]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(loss="ordinal", **options):
    defaults = {
        "hidden_layer_sizes": (5,),
        "max_iter": 20,
        "learning_rate_init": 0.05,
        "random_state": 0,
        "dtype": "float64",
    }
    return MLPSoftmaxClassifier(**defaults | options, loss=loss)


def cumulative(raw):
    """Return P(y <= j), (n, C - 1), of outputs."""
    gaps = np.logaddexp(0, raw[:, 1:])
    return expit(np.cumsum(np.hstack([raw[:, :1], gaps]), axis=1))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_probabilities_are_those_of_the_formula(solver):
    model = make(solver=solver).fit(X, GRADES)
    assert model.coefs_[-1].shape == (5, 3)
    assert model.out_activation_ == "cumulative"
    at_most = cumulative(model._raw_predictions(X))
    assert (np.diff(at_most, axis=1) > 0).all()
    expected = np.diff(np.hstack([np.zeros((300, 1)), at_most, np.ones((300, 1))]), axis=1)
    found = model.predict_proba(X)
    assert_allclose(found, expected, atol=1e-12)
    assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    assert_array_equal(model.predict(X), found.argmax(axis=1))
    assert_array_equal(model.decision_function(X).argmax(axis=1), found.argmax(axis=1))
    assert_allclose(model.predict_log_proba(X), np.log(found), rtol=1e-9)


def test_true_probabilities_are_found():
    rng = np.random.RandomState(1)
    x = rng.normal(size=(4000, 1))
    borders = np.array([-1.0, 0.0, 1.0])
    y = np.digitize(x[:, 0] + 0.5 * rng.logistic(size=4000), borders)
    model = make(hidden_layer_sizes=(), solver="lbfgs", alpha=0, max_iter=500).fit(x, y)
    expected = expit((borders - x) / 0.5)
    assert np.abs(cumulative(model._raw_predictions(x)) - expected).max() < 0.06


def test_order_of_strings_is_given():
    words = make(OrdinalLogLoss(ORDER)).fit(X, WORDS)
    grades = make().fit(X, GRADES)
    assert_array_equal(words.classes_, sorted(ORDER))
    assert_array_equal(words.predict(X), np.array(ORDER)[grades.predict(X)])
    places = [sorted(ORDER).index(word) for word in ORDER]
    assert_allclose(words.predict_proba(X)[:, places], grades.predict_proba(X), rtol=1e-9)
    with pytest.raises(ValueError, match="must hold each of the classes"):
        make(OrdinalLogLoss(ORDER[:3])).fit(X, WORDS)
    with pytest.raises(ValueError, match="must hold each of the classes"):
        make(OrdinalLogLoss([*ORDER, "best"])).fit(X, WORDS)
    with pytest.raises(ValueError, match="must hold each of the classes"):
        make(OrdinalLogLoss([*ORDER[:3], "excellent"])).fit(X, WORDS)
    with pytest.raises(ValueError, match="'order' parameter of OrdinalLogLoss"):
        make(OrdinalLogLoss("poor")).fit(X, WORDS)


def test_order_may_hold_classes_without_a_row():
    is_seen = GRADES != 1
    every = make(OrdinalLogLoss(["none", *ORDER, "superb"])).fit(X[is_seen], WORDS[is_seen])
    seen = make(OrdinalLogLoss([ORDER[0], *ORDER[2:]])).fit(X[is_seen], WORDS[is_seen])
    assert_array_equal(every.predict_proba(X), seen.predict_proba(X))
    assert_array_equal(every.classes_, sorted({*ORDER} - {ORDER[1]}))
    # In one fold, a class has all of its rows among those that are held out.
    splits = [(np.flatnonzero(is_seen), np.flatnonzero(~is_seen))]
    search = GridSearchCV(make(OrdinalLogLoss(ORDER)), {}, cv=splits, error_score="raise")
    assert search.fit(X, WORDS).best_score_ == 0


def test_alphabetical_order_of_strings_gives_one_warning():
    with pytest.warns(UserWarning, match="lowest first: 'best', 'fair', 'good', 'poor'") as found:
        StackedGridSearchCV(make(max_iter=1), {"alpha": [0.1, 1]}, cv=2).fit(X, WORDS)
    assert sum("alphabetical" in str(one.message) for one in found) == 1
    stream = make()
    with pytest.warns(UserWarning, match="alphabetical"):
        stream.partial_fit(X, WORDS, classes=ORDER)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream.partial_fit(X, WORDS)
        make(solver="lbfgs", max_iter=500).fit(X, np.where(GRADES > 1, "b", "a"))
        make().partial_fit(X, GRADES, classes=range(4))
        make(OrdinalLogLoss(ORDER)).partial_fit(X, WORDS, classes=ORDER)


@pytest.mark.parametrize("order", [None, ["b", "a"]])
def test_two_classes_are_one_sigmoid(order):
    y = np.where(GRADES > 1, "b", "a")
    model = make(OrdinalLogLoss(order), solver="lbfgs").fit(X, y)
    assert model.coefs_[-1].shape == (5, 1)
    assert_array_equal(model.predict(X) == "b", model.decision_function(X) > 0)
    odds = np.diff(np.log(model.predict_proba(X)), axis=1)[:, 0]
    assert_allclose(model.decision_function(X), odds, rtol=1e-9)
    assert model.score(X, y) > 0.8


def test_weights_of_rows_and_classes_equal_repetitions(rng):
    weights = rng.randint(1, 4, size=300)
    options = {"solver": "lbfgs", "max_iter": 15}
    repeated = make(**options).fit(np.repeat(X, weights, axis=0), np.repeat(GRADES, weights))
    weighted = make(**options).fit(X, GRADES, sample_weight=weights)
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)
    of_class = {0: 2.0, 1: 1.0, 2: 1.0, 3: 3.0}
    by_class = make(class_weight=of_class, **options).fit(X, GRADES)
    by_row = make(**options).fit(X, GRADES, sample_weight=[of_class[g] for g in GRADES])
    assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X), rtol=1e-6)


def test_float32_and_early_stopping_work():
    model = make(dtype="float32", early_stopping="neg_log_loss", max_iter=60).fit(X, GRADES)
    assert model.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert model.score(X, GRADES) > 0.5
    assert len(model.validation_scores_) == model.n_iter_


def test_streams_warm_starts_and_pickles_go_on():
    stream = make().partial_fit(X[:50], np.minimum(GRADES[:50], 2), classes=[0, 1, 2, 3])
    stream.partial_fit(X, GRADES)
    assert stream.predict_proba(X).shape == (300, 4)
    warm = make(warm_start=True).fit(X, GRADES)
    again = pickle.loads(pickle.dumps(warm))
    assert_array_equal(again.fit(X, GRADES).predict_proba(X), warm.fit(X, GRADES).predict_proba(X))
    with pytest.raises(ValueError, match="loss="):
        warm.set_params(loss="log_loss").fit(X, GRADES)


def test_stacked_searches_and_ensembles_equal_single_fits():
    grid = {"loss": ["ordinal", "log_loss"], "alpha": [1e-4, 1.0]}
    stacked, single = (
        search(make(), grid, cv=3, scoring="neg_log_loss").fit(X, GRADES)
        for search in (StackedGridSearchCV, GridSearchCV)
    )
    assert_allclose(
        stacked.cv_results_["mean_test_score"], single.cv_results_["mean_test_score"], rtol=1e-9
    )
    ensemble = StackedCrossEnsembleClassifier(make(), {"alpha": [1e-4, 1.0]}, cv=3)
    assert ensemble.fit(X, GRADES).score(X, GRADES) > 0.5


def test_order_is_searchable():
    orders = [None, [3, 2, 1, 0], [0, 2, 1, 3]]
    search = GridSearchCV(make(OrdinalLogLoss()), {"loss__order": orders}, cv=2).fit(X, GRADES)
    right, reversed_, wrong = search.cv_results_["mean_test_score"]
    assert min(right, reversed_) > wrong + 0.05


def test_networks_that_share_weights_average_outputs():
    model = make(ensemble_size=2, max_iter=30).fit(X, GRADES)
    at_most = cumulative(outputs(model, X).mean(axis=0))
    found = np.cumsum(model.predict_proba(X), axis=1)
    assert_allclose(found, np.hstack([at_most, np.ones((300, 1))]), rtol=1e-9, atol=1e-12)


def test_graphs_show_the_link():
    model = make().fit(X, GRADES)
    assert computational_graph(model)["link"].function == "cumulative"
    assert "link" in list(network_summary(model)["block"])
    assert "above " in to_html(model, X, GRADES)
    shown = computational_graph(make(), n_features=3, n_outputs=3)
    assert shown["link"].function == "cumulative"


def test_what_cannot_be_ordered_is_refused(rng):
    with pytest.raises(ValueError, match="'ordinal'"):
        MLPBinaryClassifier(loss="ordinal").fit(X, GRADES > 1)
    with pytest.raises(ValueError, match="'ordinal'"):
        MLPClassifier(loss="ordinal").fit(X, GRADES)
    with pytest.raises(ValueError, match="continuous-multioutput"):
        make().fit(X, rng.dirichlet([1, 1, 1], 300))
    with pytest.raises(ValueError, match="cannot express"):
        to_sklearn(make().fit(X, GRADES))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_onnx_predicts_the_same(n_classes):
    pytest.importorskip("skl2onnx")
    runtime = pytest.importorskip("onnxruntime")
    y = WORDS if n_classes == 4 else np.where(GRADES > 1, "fair", "good")
    order = ORDER if n_classes == 4 else ["good", "fair"]
    model = make(OrdinalLogLoss(order)).fit(X, y)
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):
        rows = X.astype(dtype)
        exported = export.to_onnx(model, rows[:1])
        session = runtime.InferenceSession(exported.SerializeToString())
        labels, found = session.run(None, {session.get_inputs()[0].name: rows})
        assert_allclose(found, model.predict_proba(X), rtol=0, atol=tolerance)
        assert (labels == model.predict(X)).mean() > 0.99


def test_files_without_code_hold_the_order(tmp_path):
    pytest.importorskip("safetensors")
    model = make(OrdinalLogLoss(ORDER)).fit(X, WORDS)
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
