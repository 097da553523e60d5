"""Early stopping: which metric ends training, and when."""

from __future__ import annotations

from collections.abc import Callable

from .options import COUNT, Checked, Flag, Function, Infinity, Instance, Interval, Name

__all__ = ["EarlyStopping"]


class EarlyStopping(Checked):
    """Stop when a metric on held-out rows no longer improves (Prechelt 1998).

    ``early_stopping=True`` of an estimator is this object with its defaults.

    Parameters
    ----------
    monitor : str or callable, default="score"
        "score" is accuracy, R2 or, for losses that the mean does not minimize, the negative
        validation loss; "loss" is the validation loss. Anything else is a scorer: a name that
        :func:`sklearn.metrics.get_scorer` knows, or a callable ``(estimator, X, y)``, which gets
        the rows as they were given to ``fit``, and their weights if it has a parameter
        ``sample_weight``. "neg_log_loss", "neg_brier_score" and "neg_root_mean_squared_error" are
        as cheap as "score" and "loss": they reuse the predictions that the loss is computed from.
        The log loss is then that of the labels, without the network's label smoothing.
    patience : int or inf, default=None
        Epochs in a row without improvement that are tolerated; None means the estimator's
        `n_iter_no_change`.
    tol : float, default=None
        The least change that counts as an improvement, >= 0; None means the estimator's
        `tol`.
    restore_best : bool, default=True
        Whether the weights of the best epoch are kept instead of the last ones. With
        ``patience=inf``, training still continues to its last epoch.
    every : int, default=1
        Epochs from one evaluation of the held-out rows to the next; the last epoch is always
        evaluated. The entries of ``validation_scores_`` in between are NaN.
    ties : {"first", "latest"}, default="first"
        Which of several epochs with the best score counts as the best one.

    Examples
    --------
    >>> from skperceptron import MLPBinaryClassifier
    >>> from skperceptron.stopping import EarlyStopping
    >>> network = MLPBinaryClassifier(early_stopping=EarlyStopping("roc_auc", patience=20))
    """

    rules = {
        "monitor": [
            Instance(str, "'score', 'loss', the name of a scorer"),
            Function("(estimator, X, y)"),
        ],
        "patience": [COUNT, Infinity(), None],
        "tol": [Interval(0.0, low_closed=True), None],
        "restore_best": [Flag()],
        "every": [COUNT],
        "ties": [Name(["first", "latest"])],
    }

    def __init__(
        self,
        monitor: str | Callable[..., float] = "score",
        patience: float | None = None,
        tol: float | None = None,
        restore_best: bool = True,
        every: int = 1,
        ties: str = "first",
    ) -> None:
        self.monitor = monitor
        self.patience = patience
        self.tol = tol
        self.restore_best = restore_best
        self.every = every
        self.ties = ties
