"""Functions that activations and losses share."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from skperceptron.engine.calls import sigmoid


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sigmoid_is_expit_but_for_a_few_roundings(dtype):
    limits = np.finfo(dtype)
    # Down to where the result would be subnormal.
    z = np.linspace(np.log(limits.tiny) + 1, 800, 10_001).astype(dtype)
    out = np.empty_like(z)
    sigmoid(z, out)
    assert_allclose(out, expit(z.astype(np.longdouble)), rtol=5 * limits.eps)
    sigmoid(z, z)
    assert_array_equal(z, out)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sigmoid_reaches_its_limits_without_a_warning(dtype):
    z = np.array([-np.inf, np.finfo(dtype).min, -1e4, 0, 1e4, np.inf, np.nan], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sigmoid(z, z)
    assert_array_equal(z, [0, 0, 0, 0.5, 1, 1, np.nan])
