"""Normalisation of hidden layers, before the activation: descriptions of the engine's blocks."""

from __future__ import annotations

from numbers import Real

from sklearn.base import BaseEstimator

from .engine.blocks import BatchNormalize, Block, LayerNormalize

__all__ = ["BatchNormalization", "LayerNormalization", "Normalization", "get_normalization"]


class Normalization(BaseEstimator):
    """Base of all normalisations."""

    #: Whether a row's value depends on the other rows of its batch.
    mixes_rows = False

    def block(self, units: int) -> Block:
        """Return the block for a layer of the given width."""
        raise NotImplementedError

    def check_parameters(self) -> None:
        """Raise ValueError if a parameter lies outside its range."""
        raise NotImplementedError

    def _check(self, name: str, low: float, high: float, bounds: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, Real) or not low < float(value) <= high:
            raise ValueError(
                f"{name}={value!r} of {type(self).__name__} must be a number in the range {bounds}."
            )


class BatchNormalization(Normalization):
    r"""Standardise each unit over the rows of the batch, then scale and shift it.

    Predictions use running means and variances, merged into the weights. The rows of a batch
    count equally, whatever their sample weights are. Ioffe & Szegedy (2015), *Batch
    normalization: accelerating deep network training by reducing internal covariate shift*.

    Parameters
    ----------
    momentum : float, default=0.1
        Share of the newest batch in the running statistics, in (0, 1].
    epsilon : float, default=1e-5
        Added to the variance, > 0.
    """

    mixes_rows = True

    def __init__(self, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        self.momentum = momentum
        self.epsilon = epsilon

    def block(self, units: int) -> Block:
        return BatchNormalize(units, self.epsilon, self.momentum)

    def check_parameters(self) -> None:
        self._check("momentum", 0, 1, "(0.0, 1.0]")
        self._check("epsilon", 0, float("inf"), "(0.0, inf)")


class LayerNormalization(Normalization):
    r"""Standardise each row over the units of the layer, then scale and shift each unit.

    The same in training and prediction. Ba, Kiros & Hinton (2016), *Layer normalization*.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the variance, > 0.
    """

    def __init__(self, epsilon: float = 1e-5) -> None:
        self.epsilon = epsilon

    def block(self, units: int) -> Block:
        return LayerNormalize(units, self.epsilon)

    def check_parameters(self) -> None:
        self._check("epsilon", 0, float("inf"), "(0.0, inf)")


_BY_NAME = {"batch": BatchNormalization, "layer": LayerNormalization}


def get_normalization(normalization: str | Normalization) -> Normalization:
    """Return the normalisation of a name, or an object as it is.

    Parameters
    ----------
    normalization : {"batch", "layer"} or Normalization

    Raises
    ------
    ValueError
        If there is no normalisation of this name.
    """
    if isinstance(normalization, Normalization):
        return normalization
    if normalization not in _BY_NAME:
        raise ValueError(
            f"normalization={normalization!r} is unknown: must be one of {sorted(_BY_NAME)}, or a"
            " Normalization object."
        )
    return _BY_NAME[normalization]()
