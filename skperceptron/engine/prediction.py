"""Raw predictions of one network for any number of rows, in bounded memory."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from .arrays import Floats, Integers
from .blocks import BatchNormalize
from .network import Learned, Network, Node, first_weight
from .sparse import SparseBatch
from .workspace import Workspace

#: Elements of the widest layer that are computed at a time.
BLOCK = 2**20


def predict_raw(
    network: Network,
    parameters: Learned,
    X: Floats | sparse.csr_array,
    rows: Integers | None = None,
) -> Floats:
    """Compute raw predictions block by block.

    Parameters
    ----------
    network : Network
        Of a single member.
    parameters : list of tuples of ndarray
        Listed as ``network.views`` does, with a member axis of length 1. Their dtype is
        that of the arithmetic and of the result.
    X : ndarray or CSR matrix of shape (N, D)
    rows : ndarray of int, default=None
        The rows to predict; all, if None.

    Returns
    -------
    raw : ndarray of shape (n_rows, C)
    """
    network, parameters = fold_batch_normalization(network, parameters)
    n_rows = X.shape[0] if rows is None else len(rows)
    is_sparse = sparse.issparse(X)
    size = max(1, min(n_rows, BLOCK // network.widest(is_sparse)))
    dtype = first_weight(parameters).dtype
    raw = np.empty((n_rows, network.n_outputs), dtype=dtype)
    work = Workspace(network, parameters, size, sparse=is_sparse)
    for start in range(0, n_rows, size):
        stop = min(start + size, n_rows)
        if stop - start < size:
            work = Workspace(network, parameters, stop - start, sparse=is_sparse)
        chosen = slice(start, stop) if rows is None else rows[start:stop]
        if isinstance(work.x, SparseBatch):
            work.x.matrices = [X[chosen].astype(dtype, copy=False)]
        else:
            work.x[0] = X[chosen]
        work.forward()
        raw[start:stop] = work.raw[0]
    return raw


def fold_batch_normalization(network: Network, parameters: Learned) -> tuple[Network, Learned]:
    """Merge running statistics into the weights before them: predictions then cost nothing more.

    Parameters
    ----------
    network : Network
    parameters : list of tuples of ndarray
        As in :func:`predict_raw`; left as they are.

    Returns
    -------
    network : Network
        Without batch normalisation.
    parameters : list of tuples of ndarray
        Those of the returned network.
    """
    if not any(isinstance(node.block, BatchNormalize) for node in network.nodes):
        return network, parameters
    nodes: list[Node] = []
    learned: Learned = []
    # Where the value of each old node is found now.
    place = {-1: -1}
    for position, (node, arrays) in enumerate(zip(network.nodes, parameters, strict=True)):
        if isinstance(node.block, BatchNormalize):
            place[position] = place[node.sources[0]]
            weight, bias = learned[-1]
            factor, shift = node.block.line(arrays[0])
            learned[-1] = weight * factor, bias * factor + shift
        else:
            place[position] = len(nodes)
            sources = tuple(place[source] for source in node.sources)
            nodes.append(Node(node.name, node.block, sources))
            learned.append(arrays)
    return Network(network.n_inputs, nodes), learned
