"""Links to source code for classes whose ``__module__`` is the public module that exports them."""

import importlib
import inspect
import sys


def module_of(cls):
    """Return the name of the module whose source defines a class."""
    for name, module in list(sys.modules.items()):
        has_it = name.startswith("skperceptron") and vars(module).get(cls.__name__) is cls
        if has_it and f"\nclass {cls.__name__}" in inspect.getsource(module):
            return name
    return None


def follow(app, module, name):
    """Return the module that defines a documented class or method; None leaves it to Sphinx."""
    owner = getattr(importlib.import_module(module), name.partition(".")[0], None)
    is_offered = inspect.isclass(owner) and owner.__module__ == module
    return module_of(owner) if is_offered else None


def setup(app):
    """Register the handler of ``sphinx.ext.viewcode``."""
    app.connect("viewcode-follow-imported", follow)
    return {"parallel_read_safe": True}
