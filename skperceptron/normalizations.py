"""Normalization of hidden layers, before the activation."""

from __future__ import annotations

from .components import Component, Interval, find, undefined
from .engine.blocks import BatchNormalize, Block, LayerNormalize

__all__ = ["BatchNormalization", "LayerNormalization", "Normalization", "get_normalization"]


class Normalization(Component):
    """Base of all normalizations."""

    def block(self, units: int) -> Block:
        """Return the block for a layer of the given width."""
        raise undefined(self, "block")

    @property
    def mixes_rows(self) -> bool:
        """Whether a row's value depends on the other rows of its batch."""
        return self.block(1).mixes_rows


class BatchNormalization(Normalization):
    r"""Standardize each unit over the rows of the batch, then scale and shift it.

    Predictions use running means and variances, merged into the weights. Sample weights apply to
    the rows of a batch: a weight of 2 is the same as a repeated row. Ioffe & Szegedy (2015), *Batch
    normalization: accelerating deep network training by reducing internal covariate shift*.

    Parameters
    ----------
    momentum : float, default=0.1
        Share of the newest batch in the running statistics, in (0, 1].
    epsilon : float, default=1e-5
        Added to the variance, > 0.
    """

    names = ("batch",)
    ranges = {"momentum": Interval(0, 1, high_closed=True), "epsilon": Interval(0)}

    def __init__(self, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        self.momentum = momentum
        self.epsilon = epsilon

    def block(self, units: int) -> Block:
        return BatchNormalize(units, self.epsilon, self.momentum)


class LayerNormalization(Normalization):
    r"""Standardize each row over the units of the layer, then scale and shift each unit.

    The same in training and prediction. Ba, Kiros & Hinton (2016), *Layer normalization*.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the variance, > 0.
    """

    names = ("layer",)
    ranges = {"epsilon": Interval(0)}

    def __init__(self, epsilon: float = 1e-5) -> None:
        self.epsilon = epsilon

    def block(self, units: int) -> Block:
        return LayerNormalize(units, self.epsilon)


def get_normalization(normalization: str | Normalization) -> Normalization:
    """Return a normalization from its name, or the object itself.

    Parameters
    ----------
    normalization : {"batch", "layer"} or Normalization

    Raises
    ------
    ValueError
        If there is no normalization of this name.
    TypeError
        If `normalization` is neither a string nor a Normalization.
    """
    return find(normalization, Normalization)
