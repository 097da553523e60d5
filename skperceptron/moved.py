"""Modules that have moved: stored models and programs that name an earlier place find them.

A pickle names the module of each class in it. Import this module before anything is unpickled: the
package does.
"""

import sys

from . import estimators, perceptron
from .callbacks import listening
from .perceptron import error_correction

__all__ = ["EARLIER_PLACES"]

#: Where version 0.1.0 had a module, and what it is now.
EARLIER_PLACES = {
    "skperceptron._listening": listening,
    "skperceptron.engine.error_correction": error_correction,
    "skperceptron.mlp": estimators,
    "skperceptron.rosenblatt": perceptron,
}

for name, module in EARLIER_PLACES.items():
    sys.modules.setdefault(name, module)
