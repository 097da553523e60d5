"""The public names of the package and of the modules whose components users exchange."""

import inspect
import pickle
import pickletools
import re

import numpy as np

import skperceptron
from skperceptron import (
    activations,
    averaging,
    callbacks,
    embeddings,
    groups,
    initializers,
    losses,
    normalizations,
    optimizers,
    schedules,
    stopping,
)

MODULES = [
    *(activations, averaging, callbacks, embeddings, groups, initializers, losses),
    *(normalizations, optimizers, schedules, stopping, skperceptron),
]
EVERYTHING = [getattr(module, name) for module in MODULES for name in module.__all__]
CLASSES = [thing for thing in EVERYTHING if isinstance(thing, type)]


def names_in_pickle(estimator):
    """Return the names of this package that a pickle of an estimator imports."""
    # Pickles of protocol 2 name each class by one operation.
    operations = pickletools.genops(pickle.dumps(estimator, protocol=2))
    named = (argument for operation, argument, _ in operations if operation.name == "GLOBAL")
    return {name.replace(" ", ".") for name in named if name.startswith("skperceptron")}


def defaults_of(thing):
    """Return the default of each parameter of a class or function, as text."""
    parameters = inspect.signature(thing).parameters.values()
    return {p.name: repr(p.default) for p in parameters if p.default is not p.empty}


def defaults_in_docstring(thing):
    """Return the default that a docstring states for each parameter, as text."""
    written = {}
    lines = re.findall(r"^ *([\w, ]+) : .*default=(.+)$", thing.__doc__, flags=re.MULTILINE)
    for listed, given in lines:
        # "a, b : int, default=1, 2", or one default for both.
        names, defaults = listed.split(", "), eval(f"[{given}]", {"np": np})
        defaults = map(repr, defaults * (len(names) // len(defaults)))
        written |= zip(names, defaults, strict=True)
    return written
