"""An extension module of another version counts as missing."""

import sys
from types import ModuleType

import pytest

import skperceptron
from skperceptron.engine.compiled import VARIABLE, switch
from skperceptron.engine.compiled.extension import MISSING, STALE, loaded
from skperceptron.engine.compiled.layout import LOOPS, VERSION, WIDTH

NAME = "skperceptron.engine.compiled._steps"


def module(**attributes):
    found = ModuleType(NAME)
    complete = {
        "VERSION": VERSION,
        "ROW_WORDS": WIDTH,
        "own_loops": lambda: dict.fromkeys(LOOPS, 1),
    }
    for name, value in (complete | attributes).items():
        if value is not None:
            setattr(found, name, value)
    return found


@pytest.fixture
def installed(monkeypatch):
    """Return a function that replaces the extension, as if a new interpreter had loaded it."""

    def install(found):
        monkeypatch.setitem(sys.modules, NAME, found)
        steps, state = loaded()
        monkeypatch.setattr(switch, "steps", steps)
        for user in (switch, skperceptron.versions):
            monkeypatch.setattr(user, "state", state)

    return install


def test_module_that_fits_is_taken(installed):
    installed(module())
    assert switch.is_available()


def test_module_that_was_built_fits():
    # Otherwise all tests of compiled steps would be skipped without a word.
    assert loaded()[1] != STALE


@pytest.mark.parametrize(
    "attributes",
    [
        {"VERSION": None},
        {"VERSION": VERSION - 1},
        {"ROW_WORDS": WIDTH - 1},
        {"own_loops": lambda: dict.fromkeys(LOOPS - {"gather"}, 1)},
    ],
    ids=["unnumbered", "older", "narrower rows", "a loop missing"],
)
def test_stale_module_counts_as_missing(installed, attributes, monkeypatch, capsys):
    installed(module(**attributes))
    monkeypatch.setenv(VARIABLE, "auto")
    assert not switch.is_available() and switch.way() is switch.Way.NUMPY
    model = skperceptron.MLPRegressor(max_iter=1, batch_size=1)
    with pytest.warns(UserWarning):
        model.fit([[0.0], [1.0]], [0.0, 1.0])
    skperceptron.show_versions()
    assert "compiled steps: not available (compiled from another version" in capsys.readouterr().out
    monkeypatch.setenv(VARIABLE, "compiled")
    with pytest.raises(ImportError, match="compiled from another version"):
        switch.way()


def test_absent_module_is_told(installed):
    installed(None)
    assert not switch.is_available() and switch.state == MISSING
