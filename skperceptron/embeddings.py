"""Embeddings of numeric features, between the columns of a table and the first layer."""

from __future__ import annotations

from typing import Any, ClassVar

from .components import Component, Interval, by_name, find, undefined
from .engine.blocks import Block
from .engine.blocks import Periodic as PeriodicBlock
from .engine.blocks import PeriodicLinear as PeriodicLinearBlock
from .engine.blocks import PiecewiseLinear as PiecewiseLinearBlock
from .options import COUNT, Listing, Rules

__all__ = [
    "NumericEmbedding",
    "Periodic",
    "PeriodicLinear",
    "PiecewiseLinear",
    "get_numeric_embedding",
    "list_numeric_embeddings",
]


class NumericEmbedding(Component):
    """Base of all embeddings of numeric features.

    Attributes
    ----------
    columns : array-like of int or None
        Positions of the columns of X that are embedded; None means all that hold no categories.
    """

    rules: ClassVar[dict[str, Rules]] = {
        "columns": (
            Listing([Interval(0, low_closed=True, whole=True)], "positions from 0 on"),
            None,
        )
    }
    columns: Any = None

    def block(self, n_features: int) -> Block:
        """Return the block for the given number of features."""
        raise undefined(self, "block")


class Periodic(NumericEmbedding):
    r"""Cosines of learned frequencies, mixed for each feature separately, and the feature itself.

    A feature x becomes ``[cos(2 pi x w + p) M + s, x]`` with its own w, p, M and s: "PBLD" of
    Holzmüller et al. (2024), *Better by default*, after Gorishniy, Rubachev & Babenko (2022), *On
    embeddings for numerical features*. It helps if the target changes sharply along a few
    features, and there are enough rows to learn this. Features should be scaled.

    Parameters
    ----------
    n_frequencies : int, default=16
        Frequencies w for each feature, >= 1.
    width : int, default=3
        Numbers that the cosines of each feature are mixed into, >= 1.
    spread : float, default=0.1
        Standard deviation of the initial frequencies, > 0: larger values find sharper changes, but
        also learn more noise.
    columns : array-like of int, default=None
        Positions of the columns of X that are embedded, >= 0; other numbers stay as they are. None
        means all columns that hold no categories.
    """

    names = ("pbld",)
    ranges = {"n_frequencies": COUNT, "width": COUNT, "spread": Interval(0)}

    def __init__(
        self,
        n_frequencies: int = 16,
        width: int = 3,
        spread: float = 0.1,
        columns: Any = None,
    ) -> None:
        self.n_frequencies = n_frequencies
        self.width = width
        self.spread = spread
        self.columns = columns

    def block(self, n_features: int) -> Block:
        return PeriodicBlock(n_features, int(self.n_frequencies), int(self.width), self.spread)


class PeriodicLinear(NumericEmbedding):
    r"""Sines and cosines of learned frequencies, mixed for each feature separately and rectified.

    A feature x becomes ``relu([sin(2 pi x w), cos(2 pi x w)] M + s)`` with its own w, M and s:
    "PLR" of Gorishniy, Rubachev & Babenko (2022), *On embeddings for numerical features*. Features
    should be scaled.

    Parameters
    ----------
    n_frequencies : int, default=16
        Frequencies w for each feature, >= 1.
    width : int, default=8
        Numbers that each feature becomes, >= 1.
    spread : float, default=0.1
        Standard deviation of the initial frequencies, > 0: larger values find sharper changes, but
        also learn more noise.
    columns : array-like of int, default=None
        Positions of the columns of X that are embedded, >= 0; other numbers stay as they are. None
        means all columns that hold no categories.
    """

    names = ("plr",)
    ranges = {"n_frequencies": COUNT, "width": COUNT, "spread": Interval(0)}

    def __init__(
        self,
        n_frequencies: int = 16,
        width: int = 8,
        spread: float = 0.1,
        columns: Any = None,
    ) -> None:
        self.n_frequencies = n_frequencies
        self.width = width
        self.spread = spread
        self.columns = columns

    def block(self, n_features: int) -> Block:
        return PeriodicLinearBlock(
            n_features, int(self.n_frequencies), int(self.width), self.spread
        )


class PiecewiseLinear(NumericEmbedding):
    r"""The place of each feature in each of its bins, and the feature itself.

    A feature x becomes ``[clip(x s + t, -1, 1), x]``: for each of its bins a number that is -1
    below the bin, 1 above it, and rises linearly within it. Bins lie between neighboring quantiles
    of up to 4,096 training rows, whatever their weights; a feature of few values has one between
    any two neighbors. All slopes s and shifts t are learned from there on. After "PLE" of
    Gorishniy, Rubachev & Babenko (2022), *On embeddings for numerical features*, where bins are
    fixed. It helps if the target changes sharply along a few features, as trees can express, and
    there are enough rows to learn this.

    Parameters
    ----------
    n_bins : int, default=12
        Largest number of bins of each feature, >= 1.
    columns : array-like of int, default=None
        Positions of the columns of X that are embedded, >= 0; other numbers stay as they are. None
        means all columns that hold no categories.
    """

    names = ("ple",)
    ranges = {"n_bins": COUNT}

    def __init__(self, n_bins: int = 12, columns: Any = None) -> None:
        self.n_bins = n_bins
        self.columns = columns

    def block(self, n_features: int) -> Block:
        return PiecewiseLinearBlock(n_features, int(self.n_bins))


def list_numeric_embeddings() -> list[str]:
    """Return the names of the built-in embeddings, sorted.

    Examples
    --------
    >>> from skperceptron.embeddings import list_numeric_embeddings
    >>> list_numeric_embeddings()
    ['pbld', 'ple', 'plr']
    """
    return sorted(by_name(NumericEmbedding))


def get_numeric_embedding(embedding: str | NumericEmbedding) -> NumericEmbedding:
    """Return an embedding from its name, or the object itself.

    Parameters
    ----------
    embedding : {"pbld", "ple", "plr"} or NumericEmbedding

    Raises
    ------
    ValueError
        If there is no embedding of this name.
    TypeError
        If `embedding` is neither a string nor a NumericEmbedding.
    """
    return find(embedding, NumericEmbedding)
