"""Which methods and properties a page of the reference shows.

The template of classes calls ``shown(fullname, kind)``. These are hidden:

- what scikit-learn requires of every estimator: metadata requests, tags, HTML;
- methods of a component, such as an activation, that the page of its base describes for all of
  them, and faster ways to compute the same;
- attributes of Python's own classes.
"""

import importlib
import inspect
import re

from skperceptron.callbacks import Callback
from skperceptron.components import Component

#: Methods of estimators that users rarely call.
PLUMBING = re.compile(r"set_\w+_request|get_metadata_routing|check_parameters|make_numbers_plain")

#: Families of classes whose common methods are described on the page of their base only.
FAMILIES = (Component, Callback)


def find(fullname):
    """Return an object from its full name."""
    module, _, name = fullname.rpartition(".")
    return getattr(importlib.import_module(module), name)


def defining_class(cls, name):
    """Return the first class in the order of resolution that defines an attribute."""
    return next(base for base in cls.__mro__ if name in vars(base))


def is_shown(cls, name):
    """Tell whether a page on a class shows one of its attributes."""
    if name.startswith("_") or PLUMBING.fullmatch(name):
        return False
    home = defining_class(cls, name)
    if not re.match(r"(skperceptron|sklearn)\b", home.__module__):
        return False
    attribute = inspect.getattr_static(cls, name)
    # On the class, methods with scikit-learn's ``available_if`` are callable, too.
    if not (isinstance(attribute, property) or callable(getattr(cls, name))):
        return False
    if inspect.isclass(attribute) or not issubclass(cls, FAMILIES) or cls in FAMILIES:
        return not inspect.isclass(attribute)
    faster = {other for others in getattr(cls, "shortcuts", {}).values() for other in others}
    if home is Component or name in faster or name in ("get_params", "set_params"):
        return False
    return is_base(cls) or not any(name in vars(base) for base in cls.__mro__[1:])


def is_base(cls):
    """Tell whether a class is a base of others."""
    return (cls.__doc__ or "").startswith("Base of") or cls in FAMILIES


def shown(fullname, kind):
    """Return the names of the shown "methods" or "properties" of a class, in order."""
    cls = find(fullname)
    names = [name for name in dir(cls) if is_shown(cls, name)]
    of_kind = [
        name
        for name in names
        if isinstance(inspect.getattr_static(cls, name), property) == (kind == "properties")
    ]
    order = ["fit", "partial_fit", "fit_transform", "predict", "predict_proba", "score"]
    return sorted(of_kind, key=lambda n: (order.index(n) if n in order else len(order), n))


def base_of(fullname):
    """Return the full name of the public base whose page describes the methods of a component."""
    cls = find(fullname)
    if not issubclass(cls, FAMILIES) or is_base(cls):
        return ""
    for base in cls.__mro__[1:]:
        public = base.__module__.replace(".base", "")
        if is_base(base) and base.__name__ in importlib.import_module(public).__all__:
            return "" if base is Component else f"{public}.{base.__name__}"
    return ""


def on_config(app, config):
    config.autosummary_context = {"shown": shown, "base_of": base_of}


def setup(app):
    """Register the functions that the templates call."""
    app.connect("config-inited", on_config)
    return {"parallel_read_safe": True}
