"""Labels that are evidently valid skip scikit-learn's checks, and are counted, not sorted."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.utils.fixes import parse_version
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skperceptron import MLPBinaryClassifier, MLPSoftmaxClassifier, RosenblattPerceptron
from skperceptron._sklearn.labels import accuracy, distinct, n_evident_classes, shown_labels
from skperceptron.tabular import TabularMLPClassifier

X = np.random.RandomState(0).normal(size=(24, 3))
SMALL_TABULAR = TabularMLPClassifier("fast", max_epochs=1, n_folds=2)
LABELS = {
    "integers": np.arange(24) % 4,
    "text": np.array(["a", "b"] * 12),
    "truth": np.arange(24) % 2 > 0,
    "one class": np.ones(24, int),
    "texts as objects": np.array(["b", "a", "\u00e9"] * 8, object),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_checks_say_nothing_about_evident_classes(y):
    assert n_evident_classes(y) == len(set(y.tolist()))
    check_classification_targets(y)
    assert type_of_target(y) in ("binary", "multiclass")


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_accuracy_is_a_plain_float_like_scikit_learns(y):
    labels = y[::-1].copy()
    assert accuracy(y, labels) == accuracy_score(y, labels)
    assert type(accuracy(y, labels)) is float


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_accuracy_takes_a_series(library, y):
    series = pytest.importorskip(library).Series
    labels = y[::-1].copy()
    assert accuracy(series(y.tolist()), labels) == accuracy_score(y, labels)


def test_accuracy_refuses_texts_beside_numbers():
    y, numbers = np.array(["a", "b"] * 12, object), np.array([1, 2] * 12, object)
    for labels in (numbers, numbers.astype(int)):
        with pytest.raises((TypeError, ValueError)) as expected:
            accuracy_score(y, labels)
        with pytest.raises(expected.type):
            accuracy(y, labels)


@pytest.mark.parametrize(
    "y",
    [
        np.arange(24),
        np.arange(24) / 2,
        np.array(["a", 1] * 12, object),
        np.array(["a", None] * 12, object),
        np.array([1, 2] * 12, object),
        np.array([["a", "b"]] * 12, object),
        np.array(list("abcdefghijkl") * 2, object),
        np.array([b"a", b"b"] * 12),
        np.ones((24, 2), int),
        [0, 1] * 12,
    ],
    ids="many floats mixed missing objects columns texts bytes two list".split(),
)
def test_checks_decide_about_all_other_labels(y):
    assert not n_evident_classes(y)


def test_scores_of_numbers_that_are_no_labels_are_refused():
    with pytest.raises(ValueError, match="continuous"):
        accuracy(np.array([0.0, 0.5]), np.array([0.0, 1.0]))


@pytest.mark.skipif(parse_version(sklearn.__version__) < parse_version("1.7"), reason="no warning")
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
        np.array(["b", "a", "", "\U0001f600", "a\0", "B"], object),
        np.array([["b", "a"], ["a", "c"]], object),
        np.array([2, 1, 2], object),
        np.array([], object),
    ],
    ids=str,
)
def test_distinct_labels_are_those_that_numpy_finds(labels):
    found = distinct(labels)
    np.testing.assert_array_equal(found, np.unique(labels))
    assert found.dtype == labels.dtype


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", ["Int64", "boolean", "int64[pyarrow]", "bool[pyarrow]"])
@pytest.mark.parametrize("model", [MLPBinaryClassifier(max_iter=1), SMALL_TABULAR])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_tables_of_nullable_labels_are_scored_like_arrays(model, dtype):
    pytest.importorskip("pyarrow")
    labels = np.column_stack([X[:, 0] > 0, X[:, 1] > 0]).astype(int)
    table = pytest.importorskip("pandas").DataFrame(labels, columns=["a", "b"]).astype(dtype)
    fitted = clone(model).set_params(random_state=0).fit(X, table)
    weights = np.arange(24)
    assert fitted.score(X, table) == fitted.score(X, labels)
    assert fitted.score(X, table, weights) == fitted.score(X, labels, weights)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("cls", [MLPSoftmaxClassifier, RosenblattPerceptron])
def test_scores_take_weights_in_a_series(library, cls):
    series = pytest.importorskip(library).Series
    y, weights = LABELS["text"], 1.0 + np.arange(24) % 3
    model = cls(max_iter=1, random_state=0).fit(X, y)
    expected = accuracy_score(y, model.predict(X), sample_weight=weights)
    assert model.score(X, y, series(weights)) == pytest.approx(expected)


def test_a_message_shows_ten_labels_and_tells_of_more():
    assert shown_labels(np.arange(10)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert shown_labels(np.array(list("abcdefghijk"))).endswith("'i', 'j', ...")


def test_labels_of_one_type_without_an_order_are_of_an_unknown_type():
    with pytest.raises(ValueError, match="Unknown label type: y holds objects of type object"):
        MLPSoftmaxClassifier().fit(X[:2], np.array([object(), object()]))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("sample_weight", [None, np.ones(24)], ids=["", "weighted"])
def test_some_classes_may_have_no_weight_but_not_all(sample_weight):
    network, y = MLPSoftmaxClassifier((3,), max_iter=1, tol=0), np.arange(24) % 3
    network.set_params(class_weight={0: 0, 1: 1, 2: 1}).fit(X, y, sample_weight)
    network.set_params(class_weight={0: 0, 1: 0, 2: 0})
    with pytest.raises(ValueError, match="leaves no row to learn from"):
        network.fit(X, y, sample_weight)


def test_the_error_for_rows_of_probabilities_names_the_class_that_takes_them():
    with pytest.raises(ValueError, match="continuous-multioutput") as caught:
        MLPBinaryClassifier().fit(X, np.abs(X))
    assert any("MLPSoftmaxClassifier" in note for note in caught.value.__notes__)
