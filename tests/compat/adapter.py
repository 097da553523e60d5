"""scikit-learn's own tests, with our classes in place of its own.

The tests are those of the installed scikit-learn: the source of a test module is executed again
while the names that it imports refer to our classes. Tests that use none of these names would test
scikit-learn alone and are left out. If scikit-learn is installed without its tests, or without one
of these modules, the tests are skipped.
"""

import importlib.util
import inspect
import re
import sys
from contextlib import ExitStack
from unittest import mock

import pytest


def own_tests(module_name, exchanged):
    """Return the tests and fixtures of one of scikit-learn's test modules, by name.

    Parameters
    ----------
    module_name : str
    exchanged : dict of str to object
        Replacements of the objects that the module imports, by full name.
    """
    try:
        spec = importlib.util.find_spec(module_name)
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        pytest.skip(f"{module_name} is not installed.", allow_module_level=True)
    module = importlib.util.module_from_spec(spec)
    with ExitStack() as exchange:
        # Pickles refer to classes of the test module by its name.
        sys.modules[module_name] = module
        for name, ours in exchanged.items():
            exchange.enter_context(mock.patch(name, ours))
        spec.loader.exec_module(module)
    users = _users(module, {name.rpartition(".")[2] for name in exchanged})
    found = {
        name: value
        for name, value in vars(module).items()
        if _is_for_tests(name, value) or (_is_test(name, value) and name in users)
    }
    if not any(_is_test(*item) for item in found.items()):
        raise ImportError(f"{module_name} holds no tests of {', '.join(exchanged)}.")
    return found


def _is_test(name, value):
    return name.startswith("test_") and callable(value)


def _is_for_tests(name, value):
    return name == "pytestmark" or hasattr(value, "_fixture_function")


def _users(module, names):
    """Return the functions of a module that mention the names, directly or through others."""
    sources = {
        name: set(re.findall(r"\w+", inspect.getsource(value)))
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    }
    users = set(names)
    while more := {name for name, words in sources.items() if words & users} - users:
        users |= more
    return users
