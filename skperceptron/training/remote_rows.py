"""Training sets whose rows lie elsewhere, such as in a cluster."""

from __future__ import annotations

import numpy as np

from .data import TrainingSet


class RemoteRows(TrainingSet):
    """A training set of which only the first rows of X are available in this process."""

    is_at_hand = False

    @property
    def n_rows(self) -> int:
        """Number of rows (N), all together."""
        return self.targets.n_rows

    def astype(self, dtype: np.dtype) -> RemoteRows:
        """Return the same object: targets are converted where the rows lie."""
        return self
