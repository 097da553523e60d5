"""The public names of the package and of the modules whose components users exchange."""

import pickle
import pickletools

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
