"""Texts that the docstrings of both estimators share."""

from __future__ import annotations

PARAMETERS = """
preset : {"default", "fast", "accurate", "realmlp-td-s", "realmlp-td", "tabm"}, default="default"
    Sets folds, arms, layers, epochs and batches where their parameters are None:

    - "default" trains three arms, which :doc:`/tables` describes. Regression uses six folds,
      classification four, or eight on tables of up to 1,000 rows. On dense tables with enough rows
      and not too many columns after preparation, some arms embed numbers, in bins or by periodic
      functions.
    - "fast" takes about a quarter of the time, with narrower layers, fewer epochs, and mostly two
      arms.
    - "accurate" takes two to five times as long. Classification uses eight folds, and on dense
      tables of at least 100 rows and at most 60 columns five arms. Regression trains twice as many
      networks, or four times as many on tables of more than 600 rows.
    - "realmlp-td-s", "realmlp-td" (Holzmüller et al. 2024) and "tabm" (Gorishniy et al. 2025) are
      networks as published. They hold out one fifth of the rows to find their best epoch, and are
      not calibrated. "realmlp-td" and "tabm" need dense X. "tabm", 32 networks of 3 x 512 units
      that share weights, takes minutes.

    Columns of more than eight categories are embedded, except with "realmlp-td-s" and "tabm": each
    category of at least five rows ("realmlp-td": of any number) has a vector. Rarer and unknown
    categories and gaps share another one, which is zero if `fit` has seen none of them; beside
    rarer categories, five gaps or more have their own. If one of your `arms` has an
    `ensemble_size`, these columns become zeros and ones for all arms instead. In the published
    networks, numeric embeddings are for numbers only: columns of categories and marks of missing
    values bypass them.

n_folds : int, cross-validation splitter or iterable, default=None
    Number of folds, >= 2; each is held out by one network of each arm. Folds are drawn with
    `random_state`, stratified by class. A splitter, such as
    :class:`~sklearn.model_selection.TimeSeriesSplit`, makes its own splits; an iterable holds pairs
    of training and held-out rows. Rows that no split holds out are used for training, but not to
    combine the arms. Splits whose training or held-out rows all have zero weight are left out.

arms : int or list of dict, default=None
    Number of the preset's arms to train, from the first one on; or arms of your own, each a dict
    of parameters of :class:`~skperceptron.{network}`, such as
    ``[{}, {"activation": "relu", "dropout": 0.3}]``. Parameters that a dict leaves out are
    those of the preset's first arm.

hidden_layer_sizes : int or array-like of int, default=None
    Widths of the hidden layers.

max_epochs : int, default=None
    Largest number of epochs for which each network is trained.

batch_size : int, default=None
    Rows per step.

categorical_features : "from_dtype", array-like, callable or None, default="from_dtype"
    Which columns hold categories, in addition to columns such as texts, which always do: see
    :class:`~skperceptron.preprocessing.TabularPreprocessor`.

max_time : float, default=None
    Approximate time limit of `fit` in seconds, > 0. A few epochs are timed first. Then training
    starts from scratch, with as many epochs as fit into the remaining time. The learning rate
    schedule spans these epochs, so that training is not cut short. On very large tables, the limit
    may be exceeded by the preparation and one epoch of all networks; fewer `arms` take less time.

n_jobs : int, default=None
    Number of workers, each of which trains networks of its own. None means one worker for small
    tables and, for larger ones, as many threads as NumPy's BLAS may use, which ``OMP_NUM_THREADS``
    or threadpoolctl can limit.

verbose : int, default=0
    Whether progress, the weights of arms and the score of held-out rows are printed.

random_state : int, RandomState instance or None, default=None
    Seed of folds, weights and batches.

callbacks : list of callbacks, default=None
    Objects that are notified of each network and of its epochs, such as scikit-learn's
    ``ProgressBar``.
"""

ATTRIBUTES = """
weights_ : ndarray of shape (n_arms,)
    Weight of each arm: non-negative, with the sum 1.

arms_ : list of dict
    The parameters in which the arms differ.

oof_predictions_ : ndarray of shape (n_samples,) or (n_samples, {columns})
    {predictions} of the training rows by networks that have not seen them, at epochs chosen on
    other rows, with weights learned on the other folds; NaN where a row was never held out.

cv_score_ : float
    {score} of `oof_predictions_`: an estimate for new rows. It may be a little too low, since each
    row is predicted only by the networks that held it out, whereas `predict` averages over all
    networks. :doc:`/tables` has figures.

cv_loss_ : float
    Their {loss}.

n_epochs_ : int
    Largest number of epochs for which each network was trained.

preprocessor_ : TabularPreprocessor
    Fitted to the training rows.

ensemble_ : {ensemble}
    The trained networks and their combination.

n_features_in_ : int
    Number of columns seen by `fit`.

feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Their names, if X has names.
"""
