"""Modules that have moved: stored models and programs still find them by their earlier names.

A pickle names the module of each class in it. This module must be imported before anything is
unpickled; importing the package does that.
"""

import sys

from . import estimators, perceptron
from .callbacks import listening
from .perceptron import error_correction

#: Names of modules in version 0.1.0, and the modules that replace them.
EARLIER_PLACES = {
    "skperceptron._listening": listening,
    "skperceptron.engine.error_correction": error_correction,
    "skperceptron.mlp": estimators,
    "skperceptron.rosenblatt": perceptron,
}

for name, module in EARLIER_PLACES.items():
    sys.modules.setdefault(name, module)
