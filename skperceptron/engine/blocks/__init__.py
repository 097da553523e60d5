"""The computing blocks that a network is wired from, a family in each file.

``base`` has the interface of blocks, and the conventions for shapes, dtypes and buffers.
"""

from .activate import Activate
from .affine import Affine, SeparateAffine
from .base import Bench, Block, LearnedArray
from .blend import Blend
from .dropout import Dropout
from .embed_columns import EmbedColumns
from .ensemble import Adapt, Average
from .normalize import BatchNormalize, LayerNormalize
from .periodic import Periodic, PeriodicLinear
from .piecewise_linear import PiecewiseLinear
from .routing import Add, Concatenate, Select
from .scale import Scale

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
