"""The passes over the numerical tests change what they are meant to change."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.kernels import foreign, run


@pytest.mark.parametrize(("product", "stack"), [(foreign.dot, ()), (foreign.matmul, (3,))])
def test_foreign_products_have_other_bits_in_other_shapes_only(product, stack):
    rng = np.random.RandomState(0)
    a, b = rng.normal(size=(*stack, 29, 40)), rng.normal(size=(*stack, 40, 7))
    whole = product(a, b, np.empty((*stack, 29, 7)))
    assert_allclose(whole, a @ b, rtol=1e-10)
    assert_array_equal(whole, product(a, b))
    last = product(a[..., 20:, :], b)
    assert_allclose(last, whole[..., 20:, :], rtol=1e-10)
    assert not np.array_equal(last, whole[..., 20:, :])


def test_foreign_sums_of_integers_are_exact():
    a, b = np.random.RandomState(0).randint(-9, 9, size=(2, 13, 13)).astype(float)
    assert_array_equal(foreign.dot(a, b), a @ b)


def test_only_kernels_that_the_processor_can_run_are_tried(monkeypatch):
    monkeypatch.setattr(run, "numpy_features", lambda: ["AVX2"])
    monkeypatch.setattr(run, "processor_flags", lambda: {"avx", "avx2", "fma", "pni"})
    assert list(run.passes())[:3] == ["Haswell", "Sandybridge", "Prescott"]
    monkeypatch.setattr(run, "processor_flags", set)
    found = run.passes()
    assert list(found) == ["foreign", "plain-numpy", "busy"]
    assert found["plain-numpy"].environment == {"NPY_DISABLE_CPU_FEATURES": "AVX2"}


def test_every_file_of_numerical_tests_exists():
    assert all((run.ROOT / path).exists() for path in run.NUMERICAL)
