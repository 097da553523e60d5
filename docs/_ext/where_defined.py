"""Lets the links to source code find classes that name the public module which offers them."""

import importlib
import inspect
from itertools import chain


def module_of(cls):
    """Return the module in which a class is written: that of its functions.

    A class without any, such as SELU, is written beside its base.
    """
    for value in chain.from_iterable(vars(base).values() for base in cls.__mro__):
        function = inspect.unwrap(value) if callable(value) else getattr(value, "fget", None)
        if inspect.isfunction(function) and function.__module__.startswith("skperceptron"):
            return function.__module__
    return None


def follow(app, module, name):
    """Return where a documented class or method is written; None leaves it to Sphinx."""
    owner = getattr(importlib.import_module(module), name.partition(".")[0], None)
    is_offered = inspect.isclass(owner) and owner.__module__ == module
    return module_of(owner) if is_offered else None


def setup(app):
    """Tell ``sphinx.ext.viewcode``."""
    app.connect("viewcode-follow-imported", follow)
    return {"parallel_read_safe": True}
