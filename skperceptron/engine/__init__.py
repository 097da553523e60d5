"""The ground floor: a stack of same-shaped networks, trained in place with NumPy.

Every array has a leading member axis. The letters used in shapes, here and in
all modules of this folder: K members, B rows of a batch, D inputs, H units,
C outputs, P parameters of one member.
"""

from .blocks import Activate, Add, Affine, Block
from .network import Network, multilayer_perceptron
from .sparse import SparseBatch
from .workspace import Workspace

__all__ = [
    "Activate",
    "Add",
    "Affine",
    "Block",
    "Network",
    "SparseBatch",
    "Workspace",
    "multilayer_perceptron",
]
