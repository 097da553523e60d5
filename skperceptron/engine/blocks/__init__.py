"""The computing blocks that a network is wired from, one in a file.

``base`` has the interface of blocks, and the conventions for shapes, dtypes and buffers.
"""

from .activate import Activate
from .adapt import Adapt
from .add import Add
from .affine import Affine
from .average import Average
from .base import Bench, Block, LearnedArray
from .batch_normalize import BatchNormalize
from .blend import Blend
from .concatenate import Concatenate
from .dropout import Dropout
from .embed_columns import EmbedColumns
from .layer_normalize import LayerNormalize
from .periodic import Periodic
from .periodic_linear import PeriodicLinear
from .piecewise_linear import PiecewiseLinear
from .scale import Scale
from .select import Select
from .separate_affine import SeparateAffine

__all__ = [
    "Activate",
    "Adapt",
    "Add",
    "Affine",
    "Average",
    "BatchNormalize",
    "Bench",
    "Blend",
    "Block",
    "Concatenate",
    "Dropout",
    "EmbedColumns",
    "LayerNormalize",
    "LearnedArray",
    "Periodic",
    "PeriodicLinear",
    "PiecewiseLinear",
    "Scale",
    "Select",
    "SeparateAffine",
]
