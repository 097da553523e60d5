"""Texts that the docstrings of both estimators share."""

from __future__ import annotations

from inspect import cleandoc
from typing import TypeVar

_Class = TypeVar("_Class", bound=type)

_PARAMETERS = """
preset : {{"default", "fast", "accurate", "realmlp-td-s", "realmlp-td", "tabm"}}, default="default"
    Where all that is None comes from. "default" trains three arms: one that is weakly and one
    that is more strongly regularised, and one in the manner of scikit-learn's own networks. Numbers
    are predicted with six folds, classes with four, which are drawn twice on tables of up to 1,000
    rows. On dense tables of at least 2,000 rows and at most 30 columns after preparation, the first
    arm has periodic embeddings. "fast" takes about a quarter of the time:
    narrower layers, less than half of the steps, folds drawn once. "accurate" takes three to ten
    times as long: more arms, among them, on small tables, networks that share weights, and more
    draws. "realmlp-td-s", "realmlp-td" (Holzmüller et al. 2024) and "tabm" (Gorishniy et al. 2025)
    are networks as published, which hold one fifth of the rows out to find their best epoch and are
    not calibrated; "tabm", 32 networks of 3 x 512 units that share weights, takes minutes.
    But for "realmlp-td-s" and "tabm", columns of more than eight categories are embedded: there is
    a vector for each category of at least five rows (one, with "realmlp-td"), and one for rarer
    ones, unknown ones and gaps, which is zero if `fit` has seen none of them. Arms with an
    `ensemble_size` read no such codes, and let these columns become zeros and ones.

n_folds : int, cross-validation splitter or iterable, default=None
    How many folds, >= 2; each is held out by one network of each arm. They are drawn with
    `random_state`, with shares of classes kept; a splitter, such as
    :class:`~sklearn.model_selection.TimeSeriesSplit`, draws its own, and an iterable holds pairs of
    training and held-out rows. Rows that no split holds out train, but have no say in how arms are
    combined. Splits in which all training or held-out rows have the weight zero are left out.

arms : int or list of dict, default=None
    How many of the preset's arms are trained, from the first one on; or arms of your own, each a
    dict of parameters of :class:`~skperceptron.{network}`, such as
    ``[{{}}, {{"activation": "relu", "dropout": 0.3}}]``. What it does not say is as in the preset's
    first arm.

hidden_layer_sizes : int or array-like of int, default=None
    Widths of the hidden layers.

max_epochs : int, default=None
    For how many epochs each network is trained.

batch_size : int, default=None
    Rows per step.

categorical_features : "from_dtype", array-like, callable or None, default="from_dtype"
    Which columns hold categories, besides those that can be nothing else, such as texts: see
    :class:`~skperceptron.preprocessing.TabularPreprocessor`.

max_time : float, default=None
    Seconds that `fit` is to take, > 0. Two epochs are timed first, and then so many are trained as
    fit into the time that is left, at least one. Since the learning rate falls over these,
    nothing is cut off.

n_jobs : int, default=None
    Number of workers. Each trains networks of its own. None is one for small tables, and for
    larger ones as many threads as NumPy's BLAS may use, which ``OMP_NUM_THREADS`` or threadpoolctl
    can limit.

verbose : int, default=0
    Whether progress, the weights of arms and the score of held-out rows are printed.

random_state : int, RandomState instance or None, default=None
    Seed of folds, weights and batches.

callbacks : list of callbacks, default=None
    Told of each network, and of its epochs, as scikit-learn's ``ProgressBar`` is.
"""

_ATTRIBUTES = """
weights_ : ndarray of shape (n_arms,)
    What each arm counts: non-negative, with the sum 1.

arms_ : list of dict
    The parameters in which the arms differ.

oof_predictions_ : ndarray of shape (n_samples,) or (n_samples, {columns})
    {predictions} of the training rows by networks that have not seen them, with weights learned on
    the other folds; NaN where a row was never held out.

cv_score_ : float
    {score} of `oof_predictions_`: what to expect for new rows, at no extra cost. Each row is
    predicted by the networks of one fold, where `predict` averages those of all: new rows tend to
    fare a little better.

cv_loss_ : float
    Their {loss}.

n_epochs_ : int
    For how many epochs each network was trained.

preprocessor_ : TabularPreprocessor
    Fitted to the training rows.

ensemble_ : {ensemble}
    The trained networks and their combination.

n_features_in_ : int
    Number of columns seen by `fit`.

feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Their names, if X has names.
"""


def shares_documentation(cls: _Class, **words: str) -> _Class:
    """Fill the placeholders of a class's docstring.

    Parameters
    ----------
    cls : type
    **words : str
        What stands for the placeholders of the shared texts.
    """
    # Python 3.13 has taken the indentation away already.
    documentation = cleandoc(cls.__doc__ or "")
    for placeholder, text in {"{parameters}": _PARAMETERS, "{attributes}": _ATTRIBUTES}.items():
        documentation = documentation.replace(placeholder, text.format(**words).strip())
    cls.__doc__ = documentation
    return cls
