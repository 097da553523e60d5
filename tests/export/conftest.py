"""Fixtures that run exported models and compare them with their estimators."""

import numpy as np
import pytest

OLDEST, NEWEST = 11, 22


class Exported:
    """An exported estimator, run by onnxruntime."""

    def __init__(self, estimator, X, **options):
        runtime = pytest.importorskip("onnxruntime")
        export = pytest.importorskip("skperceptron.export")
        self.model = export.to_onnx(estimator, X[:2], **options)
        self.session = runtime.InferenceSession(
            self.model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        self._inputs = export.onnx_inputs

    def __call__(self, X):
        """Return all outputs for the rows of X."""
        return self.session.run(None, self._inputs(self.session, X))


def assert_as_declared(model, found):
    """Check that arrays have the shapes that the model declares, for any number of rows."""
    # Not those of the session, which infers shapes itself.
    for output, array in zip(model.model.graph.output, found, strict=True):
        declared = [one.dim_value for one in output.type.tensor_type.shape.dim]
        assert declared == [0, *array.shape[1:]]


def assert_close(found, expected):
    """Check that arrays agree, relative to their largest value: 1e-5 in float32, else 1e-12."""
    expected = np.asarray(expected).reshape(found.shape)
    tolerance = 1e-5 if found.dtype == np.float32 else 1e-12
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)


@pytest.fixture
def exported():
    pytest.importorskip("skl2onnx")
    return Exported


@pytest.fixture
def check_exported(exported):
    """Return a function that compares labels and probabilities, or numbers, for some row counts."""

    def check(estimator, X, **options):
        model = exported(estimator, X, **options)
        for rows in (X, X[:1]):
            found = model(rows)
            if hasattr(estimator, "classes_"):
                assert_close(found[1], estimator.predict_proba(rows))
                assert (np.asarray(found[0]) == np.asarray(estimator.predict(rows))).all()
            else:
                assert_close(found[0], estimator.predict(rows))
        if type(estimator).__module__.startswith("skperceptron"):
            # skl2onnx's models of estimators of scikit-learn need a row, and not all have shapes.
            assert not any(map(len, model(X[:0])))
            assert_as_declared(model, found)
        return model

    return check
