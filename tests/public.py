"""The public names of the package and of the modules whose components users exchange."""

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
