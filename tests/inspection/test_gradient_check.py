"""The gradient check: it passes right derivatives, and finds wrong ones where they are."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import Activation
from skperceptron.inspection import gradient_check
from skperceptron.losses import SquaredError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.RandomState(0)
X = RNG.normal(size=(18, 4))
Y = np.digitize(X[:, 0] * X[:, 1], [-0.3, 0.3])
WEIGHT = RNG.uniform(0.5, 2, size=len(X))
QUICK = {"max_iter": 3, "random_state": 0}


class WrongTanh(Activation):
    """Its derivative is that of the logistic function."""

    def forward(self, z, out, *learned):
        np.tanh(z, out=out)

    def backward(self, z, a, grad, *learned):
        np.multiply(grad, a * (1 - a), out=grad)


class WrongError(SquaredError):
    """Its gradient is twice as large as it should be."""

    def gradient(self, raw, y, out, scratch):
        super().gradient(raw, y, out, scratch)
        np.multiply(out, 2, out=out)


def checked(estimator, *data, **more):
    """Return each array's difference by its names."""
    table = gradient_check(estimator, *data, random_state=0, **more)
    names = zip(table["block"], table["parameter"], strict=True)
    return dict(zip(names, table["difference"], strict=True))


@pytest.mark.parametrize(
    ("cls", "y", "options"),
    [
        (MLPSoftmaxClassifier, Y, {"activation": "tanh", "skip_connections": "dense"}),
        (MLPSoftmaxClassifier, Y, {"normalization": "batch", "dropout": 0.3}),
        (MLPSoftmaxClassifier, Y, {"activation": "tanh", "numeric_embedding": "pbld"}),
        (MLPBinaryClassifier, Y == 1, {"activation": "mish", "dtype": "float32"}),
        (MLPBinaryClassifier, Y == 1, {"activation": "prelu", "loss": "focal"}),
        (MLPRegressor, X[:, :2] * 5, {"activation": "gelu"}),
        (MLPRegressor, np.exp(X[:, 0]), {"activation": "softplus", "loss": "poisson"}),
    ],
)
def test_right_derivatives_pass(cls, y, options):
    model = cls(hidden_layer_sizes=(5, 4), **QUICK, **options).fit(X, y)
    found = checked(model, X, y, WEIGHT)
    assert len(found) >= 6
    assert max(found.values()) < 1e-4


def test_a_wrong_derivative_is_found_below_its_activation():
    model = MLPSoftmaxClassifier((5, 4), ["tanh", WrongTanh()], **QUICK).fit(X, Y)
    found = checked(model, X, Y)
    wrong = {block for (block, _), difference in found.items() if difference > 1e-4}
    assert wrong == {"affine_1", "affine_2"}


def test_a_wrong_gradient_of_a_loss_is_found_everywhere():
    y = X[:, 0]
    model = MLPRegressor(WrongError(), (5,), "tanh", **QUICK).fit(X, y)
    table = gradient_check(model, X, y, random_state=0)
    assert list(table["block"]) == ["affine_1", "affine_1", "affine_2", "affine_2"]
    assert list(table["checked"]) == [20, 5, 5, 1]
    np.testing.assert_allclose(table["gradient"], 2 * np.array(table["finite_difference"]), 1e-6)
    assert min(table["difference"]) > 0.4


def test_numbers_are_drawn_and_the_estimator_is_left_alone():
    pipeline = make_pipeline(StandardScaler(), MLPSoftmaxClassifier((5,), "tanh", **QUICK))
    before = pipeline.fit(X, Y).predict_proba(X)
    tables = [gradient_check(pipeline, X, Y, n_checked=3, random_state=i) for i in (0, 0, 1)]
    first, again, other = (list(table["gradient"]) for table in tables)
    assert list(tables[0]["checked"]) == [3, 3, 3, 3]
    assert first == again != other
    np.testing.assert_array_equal(pipeline.predict_proba(X), before)


def test_sparse_rows_have_the_gradients_of_dense_ones():
    model = MLPSoftmaxClassifier((5,), "tanh", **QUICK).fit(X, Y)
    rows = np.where(abs(X) < 0.5, 0, X)
    assert max(checked(model, sparse.csr_matrix(rows), Y).values()) < 1e-4


def test_what_has_no_gradients_is_refused():
    with pytest.raises(TypeError, match="no gradients"):
        gradient_check(RosenblattPerceptron(5, random_state=0).fit(X, Y == 1), X, Y == 1)
    with pytest.raises(NotFittedError):
        gradient_check(MLPBinaryClassifier(), X, Y == 1)
    model = MLPSoftmaxClassifier((5,), **QUICK).fit(X, Y)
    with pytest.raises(ValueError, match="n_checked"):
        gradient_check(model, X, Y, n_checked=0)
