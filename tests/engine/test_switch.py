"""The switch between compiled steps and NumPy's calls."""

import pytest

from skperceptron import MLPRegressor
from skperceptron.engine.compiled import VARIABLE, is_available, switch, way


def test_unknown_way_is_refused_when_a_fit_begins(monkeypatch):
    monkeypatch.setenv(VARIABLE, "fast")
    model = MLPRegressor(max_iter=1)
    with pytest.raises(ValueError, match="SKPERCEPTRON_STEPS='fast' must be one of 'numpy'"):
        model.fit([[0.0], [1.0]], [0.0, 1.0])


def test_without_the_extension_module_steps_run_as_numpys_calls(monkeypatch):
    monkeypatch.setattr(switch, "steps", None)
    monkeypatch.setenv(VARIABLE, "auto")
    assert way() is switch.Way.NUMPY
    monkeypatch.setenv(VARIABLE, "compiled")
    with pytest.raises(ImportError, match="Install a wheel"):
        way()


def test_compiled_steps_are_the_default_where_there_are_any(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert way() is (switch.Way.AUTO if is_available() else switch.Way.NUMPY)


def test_empty_variable_counts_as_none(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    by_empty = way()
    monkeypatch.delenv(VARIABLE)
    assert way() is by_empty
