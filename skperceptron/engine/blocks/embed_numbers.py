"""Base of blocks that turn each feature into a few numbers."""

from __future__ import annotations

from .base import Block, LearnedArray


class EmbedNumbers(Block):
    """Base of blocks that turn each of D features into a few numbers, by parameters of its own."""

    n_features: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what is learned, by names."""
        raise NotImplementedError

    @property
    def learned(self) -> tuple[LearnedArray, ...]:
        arrays = self.shapes().items()
        return tuple(LearnedArray(n, "numeric_embeddings_", shape) for n, shape in arrays)
