"""Pictures are drawn without a screen, and closed after each test."""

import sys

import pytest


@pytest.fixture
def pyplot():
    """Return matplotlib.pyplot, drawing into memory; skip where it is not installed."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


@pytest.fixture
def hide_package(monkeypatch):
    """Return a function that hides an installed package."""

    def hide(name):
        monkeypatch.setitem(sys.modules, name, None)

    return hide
