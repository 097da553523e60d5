"""The text of ``show_versions``."""

import numpy as np

import skperceptron
from skperceptron.engine.compiled import VARIABLE, is_available


def test_versions_name_what_is_installed_and_which_way_steps_run(capsys, monkeypatch):
    monkeypatch.setenv(VARIABLE, "numpy")
    skperceptron.show_versions()
    printed = capsys.readouterr().out
    assert f"numpy: {np.__version__}" in printed
    assert "steps run: numpy" in printed
    assert ("compiled steps: available" in printed) == is_available()


def test_missing_distribution_is_reported(capsys, monkeypatch):
    monkeypatch.setattr(skperceptron.versions, "DISTRIBUTIONS", ("no-such-distribution",))
    skperceptron.show_versions()
    assert "no-such-distribution: not installed" in capsys.readouterr().out
