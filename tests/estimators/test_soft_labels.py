"""Rows of probabilities as y: the loss, the same models as labels give, and what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import check_grad
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_iris

from skperceptron import MLPClassifier, MLPSoftmaxClassifier
from skperceptron.inspection._evaluate import evaluate_training, prepare
from skperceptron.losses import CategoricalLogLoss
from skperceptron.stopping import EarlyStopping
from skperceptron.tabular import TabularMLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
SOFT = np.random.RandomState(0).dirichlet([0.5, 1, 2], len(X))


def network(**options):
    options = {"max_iter": 5, "tol": 0, "n_iter_no_change": 9, "random_state": 0, **options}
    return MLPSoftmaxClassifier((6,), "tanh", **options)


class TestLoss:
    @pytest.mark.parametrize("smoothing", [0.0, 0.2])
    def test_gradient_is_that_of_finite_differences(self, smoothing):
        loss, y = CategoricalLogLoss(smoothing), SOFT[:5]

        def value(z):
            return loss.losses(z.reshape(5, 3), y).sum()

        def gradient(z):
            out = np.empty((1, 5, 3))
            loss.gradient(z.reshape(1, 5, 3), y[np.newaxis], out, np.empty((1, 5, 3)))
            return out.ravel()

        raw = np.random.RandomState(1).normal(size=15)
        assert check_grad(value, gradient, raw) < 1e-6

    def test_is_the_cross_entropy_to_the_rows(self):
        fitted = network(alpha=0).fit(X, SOFT)
        shown = evaluate_training(prepare(fitted, X, SOFT, None))
        expected = -(SOFT * log_softmax(shown.values[-1], axis=1)).sum(axis=1).mean()
        assert_allclose(shown.loss, expected)
        assert_allclose(shown.gradients[-1] * len(X), fitted.predict_proba(X) - SOFT, atol=1e-12)

    def test_of_pytorch_is_the_same(self):
        torch = pytest.importorskip("torch")
        raw = torch.tensor(np.random.RandomState(1).normal(size=(150, 3)), requires_grad=True)
        expected = torch.nn.functional.cross_entropy(raw, torch.tensor(SOFT))
        expected.backward()
        out, z = np.empty((1, 150, 3)), raw.detach().numpy()
        loss = CategoricalLogLoss()
        loss.gradient(z[np.newaxis], SOFT[np.newaxis], out, np.empty((1, 150, 3)))
        assert_allclose(loss.mean(z, SOFT), expected.item())
        assert_allclose(out[0] / 150, raw.grad.numpy(), atol=1e-14)


class TestFit:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"solver": "sgd", "batch_size": 20},
            {"solver": "lbfgs"},
            {"dtype": "float32"},
            {"early_stopping": True},
        ],
        ids=str,
    )
    def test_to_rows_of_one_is_the_fit_to_labels(self, options):
        by_labels = network(**options).fit(X, LABELS)
        by_rows = network(**options).fit(X, np.eye(3)[LABELS])
        tolerance = 1e-4 if options.get("dtype") == "float32" else 1e-7
        for mine, theirs in zip(by_rows.coefs_, by_labels.coefs_, strict=True):
            assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)
        assert by_rows.score(X, LABELS) == by_labels.score(X, LABELS)

    def test_learns_the_probabilities(self):
        given = np.where(X[:, [0]] > 0, [[0.6, 0.3, 0.1]], [[0.1, 0.2, 0.7]])
        rows = np.sign(X[:, [0]])
        student = network(solver="lbfgs", alpha=0, max_iter=500, tol=1e-9).fit(rows, given)
        assert_array_equal(student.classes_, [0, 1, 2])
        assert_allclose(student.predict_proba(rows)[X[:, 0] != 0], given[X[:, 0] != 0], atol=1e-3)
        assert_array_equal(student.predict(rows), given.argmax(axis=1))
        assert student.score(rows, given) == student.score(rows, given.argmax(axis=1)) == 1

    def test_rows_may_be_scored_in_the_form_in_which_they_are_fitted(self):
        fitted = network().fit(X, SOFT)
        expected = fitted.score(X, SOFT)
        assert fitted.score(X, SOFT.tolist()) == expected
        frame = pytest.importorskip("pandas").DataFrame(SOFT)
        for rows in (frame, frame.astype("Float64")):
            assert network().fit(X, rows).score(X, rows) == expected

    @pytest.mark.parametrize(
        "y, message",
        [
            (np.full((150, 2), 0.5), "2 columns of probabilities, but 3 classes"),
            (SOFT + 0.25, "must be rows of probabilities"),
        ],
    )
    def test_what_is_scored_must_be_probabilities_of_these_classes(self, y, message):
        with pytest.raises(ValueError, match=message):
            network().fit(X, SOFT).score(X, y)

    def test_partial_fit_and_warm_start_keep_the_names_of_the_classes(self):
        names = np.array(["a", "b", "c"])
        online = network().partial_fit(X, SOFT, classes=names)
        online.partial_fit(X, names[LABELS])
        warm = network(warm_start=True).fit(X, names[LABELS]).fit(X, SOFT)
        for one in (online, warm):
            assert_array_equal(one.classes_, names)
        with pytest.raises(ValueError, match="2 columns of probabilities, but 3 classes"):
            online.partial_fit(X, np.full((150, 2), 0.5))
        with pytest.raises(ValueError, match="3 columns of probabilities, but 1 classes"):
            network().partial_fit(X, SOFT, classes=["a"])

    @pytest.mark.parametrize("y_val", [SOFT, LABELS], ids=["rows", "labels"])
    def test_validates_on_rows_of_probabilities_or_labels(self, y_val):
        fitted = network(early_stopping=True).fit(X, SOFT, X_val=X, y_val=y_val)
        assert fitted.best_validation_score_ <= 1

    @pytest.mark.parametrize(
        ("monitor", "score_of"),
        [
            ("neg_log_loss", lambda p: (SOFT * np.log(p)).sum(axis=1)),
            ("neg_brier_score", lambda p: -((p - SOFT) ** 2).sum(axis=1)),
        ],
    )
    def test_validation_compares_the_whole_rows(self, monitor, score_of):
        fitted = network(early_stopping=EarlyStopping(monitor)).fit(X, SOFT, X_val=X, y_val=SOFT)
        expected = score_of(fitted.predict_proba(X)).mean()
        assert_allclose(fitted.best_validation_score_, expected)

    def test_allows_rounding_above_one_as_in_sums(self):
        fitted = network().fit(X, np.eye(3)[LABELS] * (1 + 5e-7))
        assert_allclose(fitted.coefs_[0], network().fit(X, np.eye(3)[LABELS]).coefs_[0], rtol=1e-4)

    def test_leaves_y_and_takes_float32(self):
        given = SOFT.astype(np.float32)
        kept = given.copy()
        assert_allclose(
            network().fit(X, given).coefs_[0], network().fit(X, SOFT).coefs_[0], atol=1e-4
        )
        assert_array_equal(given, kept)


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda y: y * 1.01, "row at position 0 .* sum 1.01"),
            (lambda y: y + np.array([0.5, 0, -0.5]), "rows of probabilities, in .0, 1."),
            (lambda y: np.c_[y[:, :2], np.full(len(y), np.nan)], "NaN"),
            (lambda y: np.c_[LABELS == 0, LABELS < 2].astype(float), "MLPBinaryClassifier"),
            (lambda y: np.eye(3, dtype=int)[LABELS], "MLPBinaryClassifier"),
        ],
    )
    def test_of_what_is_no_row_of_probabilities_leave_the_fit(self, change, sentence):
        fitted = network().fit(X, LABELS)
        before = fitted.predict_proba(X)
        with pytest.raises(ValueError, match=sentence):
            clone(fitted).fit(X, change(SOFT))
        with pytest.raises(ValueError, match=sentence):
            fitted.fit(X, change(SOFT))
        assert_array_equal(fitted.predict_proba(X), before)

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"loss": "focal"}, "loss='focal' needs labels"),
            ({"class_weight": "balanced"}, "a row of probabilities has none"),
        ],
    )
    def test_of_options_that_need_labels(self, options, sentence):
        with pytest.raises(ValueError, match=sentence):
            network(**options).fit(X, SOFT)


@pytest.mark.parametrize("cls", [MLPClassifier, TabularMLPClassifier])
def test_other_classifiers_name_the_one_that_learns_rows_of_probabilities(cls):
    with pytest.raises(ValueError, match="Unknown label type") as caught:
        cls().fit(X, SOFT)
    assert "MLPSoftmaxClassifier" in caught.value.__notes__[0]
