"""The extension module, which may be of another version, and the variable that selects steps."""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

import pytest

import skperceptron
from skperceptron.engine.compiled import VARIABLE, extension
from skperceptron.engine.compiled.extension import AVAILABLE, MISSING, STALE, is_foreign, loaded
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
        monkeypatch.setattr(extension, "steps", steps)
        for user in (extension, skperceptron.versions):
            monkeypatch.setattr(user, "state", state)

    return install


def test_compatible_module_is_used(installed):
    installed(module())
    assert extension.is_available()


def test_module_that_was_built_is_compatible():
    # Otherwise all tests of compiled steps would be skipped silently.
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
    assert not extension.is_available() and extension.way() is extension.Way.NUMPY
    model = skperceptron.MLPRegressor(max_iter=1, batch_size=1)
    with pytest.warns(UserWarning):
        model.fit([[0.0], [1.0]], [0.0, 1.0])
    skperceptron.show_versions()
    assert "compiled steps: not available (compiled from another version" in capsys.readouterr().out
    monkeypatch.setenv(VARIABLE, "compiled")
    with pytest.raises(ImportError, match="compiled from another version"):
        extension.way()


def test_missing_module_is_reported(installed):
    installed(None)
    assert not extension.is_available() and extension.state == MISSING


def test_module_that_other_versions_of_python_load_is_foreign(tmp_path):
    assert not is_foreign(str(tmp_path))
    general, own = (tmp_path / f"_steps{EXTENSION_SUFFIXES[i]}" for i in (-1, 0))
    general.touch()
    assert is_foreign(str(tmp_path))
    # Python prefers its own.
    own.touch()
    assert not is_foreign(str(tmp_path))


@pytest.mark.parametrize(
    ("is_free_threaded", "foreign", "expected"),
    [(True, True, MISSING), (True, False, AVAILABLE), (False, True, AVAILABLE)],
)
def test_only_free_threaded_python_refuses_a_foreign_module(
    installed, monkeypatch, is_free_threaded, foreign, expected
):
    monkeypatch.setattr(extension, "IS_FREE_THREADED", is_free_threaded)
    monkeypatch.setattr(extension, "is_foreign", lambda folder: foreign)
    installed(module())
    assert extension.state == expected


def test_unknown_kind_of_steps_is_refused_when_a_fit_begins(monkeypatch):
    monkeypatch.setenv(VARIABLE, "fast")
    model = skperceptron.MLPRegressor(max_iter=1)
    with pytest.raises(ValueError, match="SKPERCEPTRON_STEPS='fast' must be one of 'numpy'"):
        model.fit([[0.0], [1.0]], [0.0, 1.0])


def test_without_the_extension_module_steps_run_as_numpys_calls(monkeypatch):
    monkeypatch.setattr(extension, "steps", None)
    monkeypatch.setenv(VARIABLE, "auto")
    assert extension.way() is extension.Way.NUMPY
    monkeypatch.setenv(VARIABLE, "compiled")
    with pytest.raises(ImportError, match="Install a wheel"):
        extension.way()


def test_compiled_steps_are_the_default_where_there_are_any(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert extension.way() is (
        extension.Way.AUTO if extension.is_available() else extension.Way.NUMPY
    )


def test_empty_variable_counts_as_none(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    by_empty = extension.way()
    monkeypatch.delenv(VARIABLE)
    assert extension.way() is by_empty
