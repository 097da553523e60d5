"""Deprecated names warn users at their own line, and remind developers of their removal."""

import importlib
import inspect
import pkgutil
from contextlib import suppress

import pytest

import skperceptron
from skperceptron import deprecation
from skperceptron.deprecation import deprecated, deprecated_parameter, list_deprecations

SINCE = {"since": "0.3", "until": "99.0", "instead": "the new one"}


@pytest.fixture(autouse=True)
def nothing_is_deprecated_before(monkeypatch):
    monkeypatch.setattr(deprecation, "_KNOWN", [])


def test_a_function_warns_at_the_users_line_and_works():
    @deprecated(**SINCE)
    def old(a, b=2):
        """Add."""
        return a + b

    with pytest.warns(FutureWarning, match=r"^old is deprecated since skperceptron 0\.3") as caught:
        assert old(1) == 3
    assert caught[0].filename == __file__
    assert old.__doc__ == "Add."
    assert list(inspect.signature(old).parameters) == ["a", "b"]
    assert [one.what for one in list_deprecations()] == ["old"]


def test_a_class_stays_a_class():
    @deprecated(**SINCE)
    class Old:
        def __init__(self, a=1):
            self.a = a

    with pytest.warns(FutureWarning, match="use the new one instead"):
        made = Old(a=3)
    assert isinstance(made, Old)
    assert made.a == 3
    assert list(inspect.signature(Old).parameters) == ["a"]


def test_a_parameter_warns_whoever_passes_it(recwarn):
    @deprecated_parameter("old", **SINCE)
    def function(a, old=None, new=None):
        return a, old, new

    assert function(1, new=2) == (1, None, 2)
    assert not recwarn
    for call in (lambda: function(1, 3), lambda: function(1, old=3)):
        with pytest.warns(FutureWarning, match=r"^The parameter 'old' of .*function is deprecated"):
            assert call() == (1, 3, None)


def test_only_what_is_there_can_be_marked():
    with pytest.raises(TypeError, match="has no parameter 'missing' to deprecate"):

        @deprecated_parameter("missing", **SINCE)
        def function():
            pass


def test_deprecated_code_is_removed_in_the_announced_version(monkeypatch):
    monkeypatch.undo()
    for module in pkgutil.walk_packages(skperceptron.__path__, "skperceptron."):
        # Its extra may not be installed.
        with suppress(ImportError):
            importlib.import_module(module.name)

    def numbers(version):
        return tuple(int(part) for part in version.split(".")[:2])

    now = numbers(skperceptron.__version__)
    assert not [one for one in list_deprecations() if numbers(one.until) <= now]
