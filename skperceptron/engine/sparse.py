"""Input that is multiplied where it lies: CSR batches, and rows of a dense array."""

import numpy as np
from scipy import sparse

from .arrays import Floats

#: What stands where a batch will be: making a matrix takes a third of a small prediction's time.
NOTHING = sparse.csr_array((0, 0))


class SparseBatch:
    """The input of a stack when the data is sparse.

    A dense batch is one array that is overwritten at every step; a sparse one has
    another number of entries each time, so that only this holder stays the same.

    Parameters
    ----------
    n_members : int
        Number of networks in the stack (K).

    Attributes
    ----------
    matrices : list of K CSR matrices of shape (B, D)
        The rows that each member sees. Members that see the same rows may share
        one matrix.
    """

    def __init__(self, n_members: int) -> None:
        self.matrices: list[sparse.csr_array] = [NOTHING] * n_members

    def matmul(self, weight: Floats, out: Floats) -> None:
        """Write ``x @ weight`` into ``out``, (K, B, H), member by member."""
        for matrix, w, z in zip(self.matrices, weight, out, strict=True):
            z[:] = matrix @ w

    def transposed_matmul(self, delta: Floats, out: Floats) -> None:
        """Write ``x.T @ delta`` into ``out``, (K, D, H), member by member."""
        for matrix, d, gradient in zip(self.matrices, delta, out, strict=True):
            gradient[:] = matrix.T @ d


class BorrowedRows(SparseBatch):
    """Dense rows of one member that nobody copies; ``matrices`` holds arrays."""

    def matmul(self, weight: Floats, out: Floats) -> None:
        np.dot(self.matrices[0], weight[0], out[0])
