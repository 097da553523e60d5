"""A single fit to all blocks of a Dask collection."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import dask
import distributed
import numpy as np

from .._sklearn.checks import restored_on_failure, take_over_features
from .._sklearn.fit_calls import Extras, FitMode
from ..callbacks.listening import listening
from ..engine import Network
from ..estimators.base import BaseMultilayerPerceptron
from ..estimators.categories import FoundCategories, checked_rows, take_over_categories
from ..estimators.choices import max_iter
from ..estimators.data import check_remote_data, has_validation_data
from ..estimators.fitting import make_ready
from ..estimators.parameters import check_parameters, is_lbfgs
from ..estimators.run import Run
from ..estimators.running import MakeStack, train
from ..options import Name, check_option
from ..training import Stack
from ..training.data import RemoteRows
from ._blocks import Blocks, blocks_of, first_rows, rows_at
from ._cluster import Cluster, n_shares
from ._share import Job
from ._stacks import AveragedStack, SummedStack

#: The name of ``fit`` in error messages.
NAME = "skperceptron.distributed.fit"

#: Operations of each worker in a step from which on "auto" sums gradients: they take about as long
#: as sending the gradients on one machine (benchmarks.distributed: 103,425 parameters, 1,000 rows,
#: one worker, 6e8 operations: 54 ms of computing, 68 ms of sending).
WORTH_A_ROUND = 1e9

MODES = {"summed": SummedStack, "averaged": AveragedStack}


def fit(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    X_val: Any = None,
    y_val: Any = None,
    sample_weight_val: Any = None,
    mode: str = "auto",
    client: Any = None,
) -> Any:
    """Fit a multi-layer perceptron to the rows in the blocks of a Dask collection.

    The rows are divided among the workers once. The client holds y, the first rows of X and, with
    ``mode="summed"``, 32 bytes for each row. If a worker dies, its share is made again on another
    one, and the fit continues from the last round; if all die at once, it waits for new ones.

    Parameters
    ----------
    estimator : MLPBinaryClassifier, MLPClassifier, MLPSoftmaxClassifier or MLPRegressor
        With a stochastic solver.

    X : dask Array of shape (n_samples, n_features) or dask DataFrame
        Training data, in blocks of rows.

    y : dask Array, Series or DataFrame
        Targets, in the same blocks. Frames are joined by their index if Dask knows its divisions.

    sample_weight : array-like of shape (n_samples,) or dask collection, default=None
        Non-negative weights of the rows.

    X_val, y_val : array-like, default=None
        Validation data, in memory.

    sample_weight_val : array-like, default=None
        Weights of the validation rows.

    mode : {"auto", "summed", "averaged"}, default="auto"
        How workers train together:

        - "summed": in each step, all workers compute the gradient of their part of the batch, and
          the client adds them up. Without dropout, the result is that of one machine, up to
          rounding. A round is a step.
        - "averaged": each worker trains on its own rows for an epoch, and the client averages the
          networks (McMahan et al. 2017). Few bytes are sent, but the result differs, as with
          larger batches. A round is an epoch.
        - "auto" chooses "summed" if the arithmetic of a step takes longer than sending the
          gradients: see :doc:`/clusters`.

    client : distributed.Client, default=None
        None uses the client that is open.

    Returns
    -------
    estimator
        The same, fitted. Its ``cluster_report_`` is a dict with the cost of the fit: "mode",
        "n_shares", "rounds", "bytes_per_round", and the seconds "compute", "wait" and "wire".

    Raises
    ------
    ValueError
        If there is no client, if parameters need all rows in one place, or if the estimator's
        own ``fit`` would raise it.
    TypeError
        If `estimator` is not a multi-layer perceptron, or X or y is not a Dask collection.
    RuntimeError
        If all workers die four times in one round.

    See Also
    --------
    predict : Predict each block on the worker that holds it.

    Examples
    --------
    >>> import dask.array, distributed
    >>> from sklearn.datasets import make_classification
    >>> from skperceptron import MLPClassifier
    >>> from skperceptron.distributed import fit
    >>> X, y = make_classification(n_samples=400, random_state=0)
    >>> X, y = dask.array.from_array(X, chunks=(100, 20)), dask.array.from_array(y, chunks=100)
    >>> network = MLPClassifier((8,), learning_rate="cosine", max_iter=60, tol=0, random_state=0)
    >>> options = {"processes": False, "dashboard_address": None, "n_workers": 2}
    >>> with distributed.Client(**options):
    ...     report = fit(network, X, y, mode="averaged").cluster_report_
    >>> report["n_shares"], report["rounds"]
    (2, 60)
    """
    if not isinstance(estimator, BaseMultilayerPerceptron):
        raise TypeError(
            f"estimator must be a multi-layer perceptron of skperceptron, got {type(estimator)}:"
            " apply the other steps of a pipeline to X first, by map_blocks."
        )
    check_option(NAME, "mode", mode, [Name(["auto", *MODES])])
    client = _client(client)
    blocks, y = blocks_of(X, y, client)
    if dask.is_dask_collection(sample_weight):
        sample_weight = np.asarray(sample_weight.compute(scheduler=client.get))
    clusters: list[Cluster] = []

    def make_stack(run: Run) -> Stack:
        stack, cluster = _stack(run, client, blocks, mode)
        clusters.append(cluster)
        return stack

    extras = Extras(X_val, y_val, sample_weight_val)
    try:
        _fit_blocks(estimator, blocks, client, y, sample_weight, extras, make_stack)
    finally:
        for cluster in clusters:
            cluster.release()
    estimator.cluster_report_ = asdict(clusters[-1].report)
    return estimator


def _client(given: Any) -> Any:
    """Return the client that is given, or the one that is open."""
    if given is not None:
        return given
    try:
        return distributed.get_client()
    except ValueError:
        raise ValueError(
            "There is no Dask cluster: open one with distributed.Client(), and call fit inside."
        ) from None


def _fit_blocks(
    estimator: BaseMultilayerPerceptron,
    blocks: Blocks,
    client: Any,
    y: Any,
    sample_weight: Any,
    extras: Extras,
    make_stack: MakeStack,
) -> None:
    """Do what an estimator's ``fit`` does, with a stack that lets workers do steps or epochs.

    y and the weights are those of all rows.
    """
    sample = first_rows(blocks, client)
    check_parameters(estimator)
    _refuse(estimator, extras)
    mode = FitMode(estimator.warm_start and estimator.__sklearn_is_fitted__(), incremental=False)
    n = sample.shape[0]
    # Callbacks that ask for data get the first rows.
    weight = None if sample_weight is None else np.ravel(sample_weight)[:n]
    with (
        restored_on_failure(estimator),
        listening(estimator, max_iter(estimator, len(y)), sample, y[:n], weight) as listener,
    ):
        listener.refuse_to_save(NAME)
        find_categories = partial(_find_categories, estimator, blocks, client)
        fetch = partial(rows_at, blocks, client, partial(checked_rows, estimator))
        checked = check_remote_data(
            estimator, sample, y, sample_weight, mode, find_categories, fetch
        )
        run = make_ready(estimator, checked, mode, extras, listener)
        train(run, listener, make_stack)


def _refuse(estimator: BaseMultilayerPerceptron, extras: Extras) -> None:
    """Raise ValueError for what needs all rows in one place."""
    if is_lbfgs(estimator.solver):
        raise ValueError(
            f"solver={estimator.solver!r}: {NAME} needs a stochastic solver, such as 'adam'."
        )
    if estimator.early_stopping and not has_validation_data(extras, estimator.solver):
        raise ValueError(
            f"early_stopping={estimator.early_stopping!r}: {NAME} holds no rows out. Pass"
            " validation rows as X_val and y_val."
        )


def _find_categories(estimator: Any, blocks: Blocks, client: Any) -> FoundCategories:
    """Ask the workers for the categories of each block."""
    checker = dask.delayed(_unfitted(estimator), traverse=False)
    find = dask.delayed(FoundCategories.in_block)
    n_rows = sum(blocks.counts)
    asked = [find(checker, block, n_rows) for block in blocks.X]
    return FoundCategories.in_all(dask.compute(*asked, scheduler=client.get))


def _stack(run: Run, client: Any, blocks: Blocks, mode: str) -> tuple[Stack, Cluster]:
    """Divide the rows among the workers; return the stack that trains on them, and its cluster."""
    network, member, data = run.model.network, run.member, run.data
    assert isinstance(data, RemoteRows)
    if mode == "auto":
        mode = chosen_mode(network, run.batch_rows, n_shares(client, blocks))
    elif mode == "summed" and network.mixes_rows:
        raise ValueError(
            'mode="summed": a normalization over the rows of a batch needs them in one place. Use'
            ' mode="averaged", or normalization="layer".'
        )
    job = Job(
        network,
        replace(member.recipe, sample_weight=None, validate=None),
        run.model.target,
        run.model.dtype,
        run.batch_rows,
        # Drawn from a copy, so that the shuffles here stay the same.
        int(deepcopy(member.rng).randint(2**31)),
        _checker(run.estimator),
    )
    cluster = Cluster(client, blocks, member.recipe.sample_weight, job, mode)
    made = MODES[mode](network, member, data, run.batch_rows, run.model.dtype, cluster)
    return made, cluster


def chosen_mode(network: Network, batch_rows: int, n_shares: int) -> str:
    """Return the mode that "auto" chooses."""
    operations = 6 * network.n_parameters * batch_rows / n_shares
    if network.mixes_rows or operations < WORTH_A_ROUND:
        return "averaged"
    return "summed"


def _checker(estimator: Any) -> Any:
    """Return an estimator that checks rows on a worker."""
    checker = _unfitted(estimator)
    take_over_features(checker, estimator)
    take_over_categories(checker, estimator)
    return checker


def _unfitted(estimator: Any) -> Any:
    """Return an estimator with the same parameters, but without callbacks."""
    return type(estimator)(**estimator.get_params(deep=False) | {"callbacks": None})
