"""The lowest level: a stack of same-shaped networks, trained in place with NumPy.

A ``network`` is a graph of ``blocks``, which ``wiring`` puts together. A ``workspace`` binds it to
parameters and buffers: the result is a list of ``calls``, one for each array operation of a step.
``prediction`` runs those of the forward pass. ``compiled`` runs lists of calls without the
interpreter, with the same results.

Every array has a leading member axis. The letters used in shapes, here and in
all modules of this folder: K members, B rows of a batch, D inputs, H units,
C outputs, P parameters of one member.
"""

from .blocks import Activate, Add, Affine, Block, LearnedArray, Scale
from .inputs import BorrowedRows, DenseInput, NetworkInput, SparseBatch
from .network import Network, Node
from .wiring import InputBlocks, multilayer_perceptron
from .workspace import TrainingPass, Workspace

__all__ = [
    "Activate",
    "Add",
    "Affine",
    "Block",
    "BorrowedRows",
    "DenseInput",
    "InputBlocks",
    "LearnedArray",
    "Network",
    "NetworkInput",
    "Node",
    "Scale",
    "SparseBatch",
    "TrainingPass",
    "Workspace",
    "multilayer_perceptron",
]
