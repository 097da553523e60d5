"""Texts that the docstrings of searches and ensembles share."""

from __future__ import annotations

NETWORK = """
estimator : estimator object
    One of the multi-layer perceptrons, or a :class:`~sklearn.pipeline.Pipeline` that ends in
    one. Any other estimator works too, but gains nothing.
"""

_FEATURE_NAMES = """
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Their names, if X has names.
"""

_REFITTED = f"""
classes_ : ndarray of shape (n_classes,)
    Class labels, if a classifier was refitted.

n_features_in_ : int
    Number of features of the refitted estimator.

{_FEATURE_NAMES.strip()}
"""

_CURVES_OF_FITS = """
curves_ : list of lists of dicts
    For each candidate, in the order of ``cv_results_``, and each split: what its network has
    recorded, as arrays of shape (n_epochs,) by the names "loss" and, if it was validated,
    "validation_loss" and "validation_score". Empty for a fit that has failed.
"""

_CV = """
cv : int, cross-validation generator or iterable, default=None
    The splits; None means five folds.
"""

_PARAMS = """
params : dict, default=None
    Passed to the estimator's ``fit``, the scorer and the splitter.
"""

_VERBOSE = """
verbose : int, default=0
    1 prints the progress of the current stack each second; 2 also prints a line for each network
    that has ended, and what scikit-learn prints.
"""

SEARCH = f"""
scoring : str, callable, list, tuple or dict, default=None
    One or several metrics; None is the estimator's own ``score``.

n_jobs : int, default=None
    Number of workers. Each trains stacks of its own.

refit : bool, str, or callable, default=True
    Whether and by which metric the best candidate is fitted to all data; a callable chooses
    the best index from ``cv_results_``. "ensemble" refits nothing: the search keeps the
    networks of all splits, and the best combination of the five best candidates becomes
    ``best_estimator_``. Here, "best" means the least log loss, or squared error, of held-out
    rows, whatever `scoring` is.

{_CV.strip()}

{_VERBOSE.strip()}

pre_dispatch : int or str, default='2*n_jobs'
    How many stacks are sent to workers in advance.
"""

#: Texts for the functions of cross-validation. Each holds what stands side by side in several of
#: scikit-learn's signatures.
VALIDATED = {
    "data": f"""
{NETWORK.strip()}

X : {{array-like, sparse matrix}} of shape (n_samples, n_features)
    The data.

y : array-like of shape (n_samples,) or (n_samples, n_outputs){{y_default}}
    The targets.
""",
    "groups": """
groups : array-like of shape (n_samples,), default=None
    Group labels for the splitter.
""",
    "scoring": """
scoring : str or callable, default=None
    The metric; None is the estimator's own ``score``.
""",
    "cv": _CV,
    "params": _PARAMS,
    "error_score": """
error_score : 'raise' or numeric, default=np.nan
    The score of a fit that fails.
""",
    "callbacks": """
callbacks : list of callbacks, default=None
    Called for each network and its epochs, such as scikit-learn's ``ProgressBar``.
""",
    "run": f"""
{_CV.strip()}

n_jobs : int, default=None
    Number of workers.

{_VERBOSE.strip()}

{_PARAMS.strip()}

pre_dispatch : int or str, default='2*n_jobs'
    How many stacks are sent to workers in advance.
""",
    "workers": f"""
n_jobs : int, default=None
    Number of workers.

pre_dispatch : int or str, default='all'
    How many stacks are sent to workers in advance.

{_VERBOSE.strip()}
""",
}

SCORES = """
error_score : 'raise' or numeric, default=np.nan
    The score of a fit that fails; the other members of its stack are still trained.

return_train_score : bool, default=False
    Whether scores on the training data are added.
"""

FOUND = f"""
cv_results_ : dict of numpy (masked) ndarrays
    Scores and times of all candidates. ``fit_time`` is a network's share of its stack.

{_CURVES_OF_FITS.strip()}

best_estimator_ : estimator
    The best candidate, fitted to all data; with ``refit="ensemble"`` a
    :class:`StackedCrossEnsembleClassifier` or :class:`StackedCrossEnsembleRegressor` of
    networks that the search has fitted, with `weights_`, `oof_predictions_` and
    `oof_score_`.

best_score_ : float
    Mean score of the best candidate. With ``refit="ensemble"`` and several metrics, it is
    the best by the first of them.

best_params_ : dict
    Its parameters.

best_index_ : int
    Its place in ``cv_results_``.

scorer_ : function or dict
    The scorer, or one for each metric.

n_splits_ : int
    Number of splits.

refit_time_ : float
    Seconds of the final fit, or of combining candidates.

multimetric_ : bool
    Whether there are several metrics.

{_REFITTED.strip()}
"""

HALVING = """
factor : int or float, default=3
    From one round to the next, the number of candidates is divided by `factor`, and the
    resources of each are multiplied by it.

resource : 'n_samples' or str, default='n_samples'
    The resource that grows from round to round: the number of rows, or a parameter of the
    estimator that is a positive integer, such as ``max_iter``.

max_resources : int, default='auto'
    Largest amount of the resource for any candidate; 'auto' is the number of rows.

min_resources : {'exhaust', 'smallest'} or int, default='{default}'
    The resource that each candidate gets in the first round.

aggressive_elimination : bool, default=False
    Whether the first round is repeated, with `min_resources`, as often as it takes to have at
    most `factor` candidates after the last round.

cv : int, cross-validation generator or iterable, default=5
    The splits; the same in every round.

scoring : str or callable, default=None
    A single metric; None is the estimator's own ``score``.

refit : bool or callable, default=True
    Whether the best candidate of the last round is fitted to all data.

error_score : 'raise' or numeric, default=np.nan
    The score of a fit that fails; the other members of its stack are still trained.

return_train_score : bool, default=True
    Whether scores on the training data are added.

random_state : int, RandomState instance or None, default=None
    Seed of the rows of each round, and of the candidates where these are drawn.

n_jobs : int, default=None
    Number of workers, each of which trains stacks of its own.

verbose : int, default=0
    How much to print.
"""

FOUND_BY_HALVING = f"""
n_resources_ : list of int
    The resources of each round.

n_candidates_ : list of int
    The candidates of each round.

n_remaining_candidates_ : int
    Number of candidates that are left after the last round.

max_resources_, min_resources_ : int
    The largest and smallest resources of a candidate.

n_iterations_, n_possible_iterations_, n_required_iterations_ : int
    Numbers of rounds.

cv_results_ : dict of numpy (masked) ndarrays
    Scores and times of all candidates and rounds.

{_CURVES_OF_FITS.strip()}

best_estimator_ : estimator
    The best candidate, fitted to all data.

best_score_ : float
    Its mean score.

best_params_ : dict
    Its parameters.

best_index_ : int
    Its index in ``cv_results_``.

scorer_ : function
    The function that scores a candidate.

n_splits_ : int
    Number of splits.

refit_time_ : float
    Seconds of the final fit.

multimetric_ : bool
    False.

{_REFITTED.strip()}
"""

_CALLBACKS = """
callbacks : list of callbacks, default=None
    Called for each member and its epochs, such as scikit-learn's ``ProgressBar``. Callbacks
    that end or save a single fit must be set on the network.
"""

MEMBERS = f"""
n_members : int, default=10
    Number of networks.

n_jobs : int, default=None
    Number of workers. Each trains a stack of its own.

random_state : int, RandomState instance or None, default=None
    Seed of the members' seeds; the estimator's own `random_state` is not used. Transformers of a
    pipeline whose `random_state` is None get one seed for all members, which share them.

verbose : bool or int, default=0
    1 prints the progress of the current stack each second; 2 also prints each member that ended.

{_CALLBACKS.strip()}
"""

ARMS = """
param_grid : dict or list of dicts
    The arms, as in :class:`~sklearn.model_selection.ParameterGrid`: lists of values by
    parameter name. ``{}`` is a single arm, the estimator as it is.
"""

CV_OF_ARMS = """
cv : int, cross-validation generator or iterable, default=4
    The splits. An integer is a number of shuffled folds, stratified if y holds classes, drawn
    with `random_state`; None means five. Rows that several splits hold out, as with
    :class:`~sklearn.model_selection.RepeatedKFold`, count once: their predictions are averaged.
    Rows that no split holds out, as with :class:`~sklearn.model_selection.ShuffleSplit`, or the
    first ones with :class:`~sklearn.model_selection.TimeSeriesSplit`, are used to train members,
    but not to combine the arms.
"""

ARMS_ON_FOLDS = f"""
restore_best : bool, default=True
    Whether each network is validated on the held-out rows of its split. A network without
    `early_stopping` is trained for `max_iter` epochs and then gets the weights of the epoch
    with the least validation loss; one with `early_stopping` applies its own rules to these
    rows. If False, networks are trained as if alone. L-BFGS, which has no epochs, is never
    validated.

n_jobs : int, default=None
    Number of workers. Each trains stacks of its own.

verbose : int, default=0
    1 prints the numbers of arms and folds, the weights, the score and, each second, the
    progress of the current stack; 2 also prints a line for each member that has ended.

random_state : int, RandomState instance or None, default=None
    Seed of the folds and of the members' seeds. The estimator's own `random_state` is
    ignored, but one in `param_grid` is used. Transformers of a pipeline whose `random_state` is
    None get one seed for all members, which share them.

{_CALLBACKS.strip()}
"""

FITTED_ARMS = """
estimators_ : list of lists of estimators
    The fitted members: for each arm, one for each split. Pipelines of different arms share
    the fitted transformers of a split if these have the same parameters.

params_ : list of dicts
    The parameters of each arm.

splits_ : list of tuples of ndarrays
    The training rows and the held-out rows of each split.

weights_ : ndarray of shape (n_arms,)
    Weight of each arm: non-negative, with the sum 1.
"""

CURVES = """
loss_curves_ : list of lists
    Training losses of each member, epoch by epoch.

validation_loss_curves_ : list of lists
    Losses of each member on its held-out rows, epoch by epoch.
"""

FEATURES = f"""
n_features_in_ : int
    Number of features seen by `fit`.

{_FEATURE_NAMES.strip()}
"""
