"""Texts that the docstrings of the multi-layer perceptrons share.

The names in them, such as ``{solvers}``, are made from the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import cleandoc, signature
from textwrap import fill
from typing import Any, TypeVar

from ..activations import list_activations
from ..averaging import Averaging
from ..components import by_name
from ..initializers import list_initializers
from ..losses import get_loss, list_losses
from ..normalizations import Normalization
from ..optimizers import list_optimizers
from ..schedules import list_schedules
from .targets import list_outputs

_Documented = TypeVar("_Documented", bound=Callable[..., Any])

_PARAMETERS = """
hidden_layer_sizes : int or array-like of int, default=(100,)
    Widths of the hidden layers. ``()`` means none: one neuron per output.

activation : str, Activation or list of these, default="relu"
    {activations}.
    Objects are in :mod:`skperceptron.activations`. A list has one entry per hidden layer.

solver : str or Optimizer, default="adam"
    {solvers}.
    "lbfgs" uses all rows at once. Objects are in :mod:`skperceptron.optimizers`. "sgd", "adam" and
    "lbfgs" take their settings, such as `momentum`, from the parameters below; others have theirs.

alpha : float, default=0.0001
    Strength of the penalty on the weights, >= 0: L2 (Krogh & Hertz 1992), unless `l1_ratio`
    says otherwise. It is divided by the sum of the batch's sample weights.

batch_size : int, "auto" or callable, default="auto"
    Rows per step of the stochastic solvers. "auto" is ``min(200, n_samples)``; a callable gets
    the number of training rows and returns the rows per step.

learning_rate : str, Schedule or callable, default="constant"
    {schedules}.
    "invscaling" is ``learning_rate_init / (t + 1) ** power_t`` with t the rows seen so far;
    "adaptive" divides the rate by 5 each time training makes no more progress, as long as the rate
    is above 1e-6. As strings, these two only have an effect with "sgd". For the others, and for
    objects and functions of time, see :mod:`skperceptron.schedules`.

learning_rate_init : float, default=0.001
    Initial learning rate of the stochastic solvers, > 0.

power_t : float, default=0.5
    Exponent of "invscaling".

max_iter : int, "auto" or callable, default=200
    Largest number of epochs (stochastic solvers) or iterations ("lbfgs"). "auto" chooses the number
    of epochs that takes ``max(1000, 20 sqrt(n_samples))`` steps, at most 256: the more rows, the
    fewer epochs. A callable gets `n_samples`, the number of rows of X, and returns the number.

shuffle : bool, default=True
    Whether each epoch visits the rows in a new order.

random_state : int, RandomState instance or None, default=None
    Source of initial weights, validation split, shuffles and dropout. An integer gives the same
    model each time.

tol : float, default=1e-4
    Training ends when the loss or validation score has not improved by `tol` for more than
    `n_iter_no_change` epochs in a row; with "lbfgs", when no component of the gradient is larger.

verbose : bool or int, default=False
    Whether to print a table of the epochs (or iterations): loss, validation loss and score,
    learning rate, seconds, and the time left if no rule ends training before `max_iter`. A star
    marks the best epoch so far. With 2, a description of the network comes first, and a column
    counts the epochs without improvement.

warm_start : bool, default=False
    Whether `fit` continues from the weights of the previous call. Each call has its own best
    score, best weights and patience.

momentum : float, default=0.9
    Momentum of gradient descent, in [0, 1]. Only used when ``solver="sgd"``.

nesterovs_momentum : bool, default=True
    Whether to use Nesterov's momentum, which looks ahead. Only used when ``solver="sgd"``.

early_stopping : bool, str or EarlyStopping, default=False
    Whether to hold out `validation_fraction` of the rows, or take the validation data given to
    `fit`, stop when their score no longer improves, and restore the best weights. An
    :class:`~skperceptron.stopping.EarlyStopping` object sets the metric to monitor, and the
    patience; a name such as "loss" or "roc_auc" only sets the metric. Ignored by "lbfgs".

validation_fraction : float or splitter, default=0.1
    Share of the rows to hold out, in [0, 1), or of the groups if `groups` are given to ``fit``. Or
    a splitter of scikit-learn such as ``TimeSeriesSplit()``, whose last split is used.

beta_1, beta_2 : float, default=0.9, 0.999
    Decay rates of Adam's moments, in [0, 1).

epsilon : float, default=1e-8
    Adam's constant for numerical stability, > 0.

n_iter_no_change : int or inf, default=10
    Number of epochs without improvement that are tolerated.

max_fun : int, default=15000
    Largest number of function evaluations of "lbfgs".

skip_connections : {"none", "residual", "dense", "linear"}, default="none"
    "residual": a hidden layer that is as wide as the hidden layer before it adds that
    layer's value to its own (He et al. 2016). "dense": every layer, the output layer
    included, sees the input and all earlier hidden layers side by side (Huang et al. 2017).
    "linear": the output layer sees the input beside the last hidden layer, so that a linear
    model learns along with the network (Cheng et al. 2016).

l1_ratio : float, default=0.0
    Share of the L1 norm in the penalty, in [0, 1] (elastic net, Zou & Hastie 2005). Not with
    "lbfgs".

max_grad_norm : float, default=None
    Gradients with a larger norm are scaled down to this norm, > 0 (Pascanu et al. 2013). Not with
    "lbfgs".

initializer : str or Initializer, default="scikit-learn"
    {initializers}.
    How weights and biases are initialized: see :mod:`skperceptron.initializers`.

dropout : float or array-like of float, default=0.0
    Probability that a hidden unit is set to zero in a training step, in [0, 1); a list has one
    entry per hidden layer. The other units are multiplied by ``1 / (1 - p)`` (Srivastava et al.
    2014). Not with "lbfgs".

input_dropout : float, default=0.0
    The same for the features, in [0, 1).

normalization : {normalizations} or Normalization, default=None
    Standardizes the input of each hidden layer's activation, over the rows of the batch or
    over the units of the layer. See :mod:`skperceptron.normalizations`.

averaging : {averages} or Averaging, default=None
    Average of the weights over the course of training, which is used for predictions: see
    :mod:`skperceptron.averaging`. Not with "lbfgs".

parameter_groups : ParameterGroups, default=None
    Learning rates, decay and penalties for some kinds of learned arrays, such as the biases: see
    :mod:`skperceptron.groups`. "lbfgs" accepts penalties only.

feature_scale : bool, default=False
    Whether each feature is multiplied by a learned factor, which starts at 1, before it reaches
    the first layer (Holzmüller et al. 2024).

parametric_activation : bool, default=False
    Whether each hidden unit learns how far it follows its activation f: its value is
    ``z + a (f(z) - z)``, where `a` starts at 1 (Holzmüller et al. 2024).

ensemble_size : int, default=None
    Number of networks that share their hidden weights W, are trained together and predict together:
    the i-th computes ``((x * r_i) W + b) * s_i + b_i`` and has an output layer of its own (TabM;
    Gorishniy et al. 2025). Each is trained on all rows by its own loss; probabilities of a sigmoid
    or softmax are averaged, otherwise raw predictions. Not with sparse X, "lbfgs", batch
    normalization, data-dependent initializers, or skip connections other than "residual".

numeric_embedding : {"pbld", "ple", "plr"} or NumericEmbedding, default=None
    How each feature becomes a vector before it reaches the first layer: see
    :mod:`skperceptron.embeddings`. Not with sparse X.

categorical_features : "from_dtype", array-like, callable or None, default=None
    Which columns of X hold categories. Each category becomes a vector from a learned table (Guo &
    Berkhahn 2016), beside the other columns. An array holds names, positions, or one boolean
    for each column; a callable returns such an array for the X of ``fit``; "from_dtype" means the
    columns of a pandas, polars or Arrow frame that have a categorical dtype. These, and others of
    a frame that do not hold numbers, may hold any values; columns of numbers hold codes: whole
    numbers from 0 on, or negative ones for a missing category. Missing categories, and those that
    the (first) fit has not seen, become zeros. Numeric embeddings and `input_dropout` apply to the
    other columns only; `feature_scale` multiplies the vectors, too. Not with sparse X or
    `ensemble_size`.

embedding_dim : int or "auto", default="auto"
    Width of the vectors of each column of categories. "auto" is ``1.6 n ** 0.56`` for n
    categories (Howard & Gugger 2020), but at most n, and at most 50.

parametrization : {"standard", "ntk"}, default="standard"
    "ntk" trains as if a layer were ``x W / sqrt(fan_in) + b`` (neural tangent parametrization,
    Jacot et al. 2018), so that one learning rate suits layers of any width. `coefs_` holds
    ``W / sqrt(fan_in)``, to which `alpha` and `max_grad_norm` apply, too. A layer with several
    inputs side by side divides each by the root of its own width. Not with "lbfgs".

decay_schedule : str, TimeSchedule or callable, default=None
    Factor of the weight decay of solvers such as "adamw" in the course of training, in addition to
    the learning rate: a schedule that is a function of time, such as "flat_cosine". See
    :mod:`skperceptron.schedules`.

dropout_schedule : str, TimeSchedule or callable, default=None
    Factor of `dropout` and `input_dropout` in the course of training, at most 1: a schedule as for
    `decay_schedule`.

drop_last : bool, default=False
    Whether the rows that do not fill a batch at the end of an epoch are left out, so that all
    batches have the same size. With ``shuffle=True``, each epoch leaves out different rows.

max_time : float, default=None
    Time limit in seconds, > 0. Training ends after the epoch in which it is reached.

callbacks : list of callbacks, default=None
    Objects that are called in each epoch: see :mod:`skperceptron.callbacks`.

dtype : {"auto", "float32", "float64"} or NumPy dtype, default="{dtype_default}"
    Precision of training. "auto" is float32 if some weight matrix has 2**12 elements or more,
    float64 otherwise; "lbfgs" always uses float64. Prediction follows the dtype of X.
"""

_CLASSIFIER_PARAMETERS = """
loss : {classifier_losses} or Loss, default="log_loss"
    What training minimizes; an object of :mod:`skperceptron.losses` has parameters.

class_weight : dict or "balanced", default=None
    Weights of the classes, which multiply those of their rows. "balanced" is inversely
    proportional to the weight of each class in the data (King & Zeng 2001). The accuracy that
    early stopping monitors is weighted in the same way.
"""

_ATTRIBUTES = """
coefs_ : list of ndarray of shape (fan_in, units)
    Weight matrix of each layer.

intercepts_ : list of ndarray of shape (units,)
    Biases of each layer.

activation_parameters_ : list of ndarray of shape (units,)
    What activations such as PReLU have learned, layer by layer.

normalization_parameters_ : list of ndarray of shape (2 or 4, units)
    What each normalized layer has learned: rows for the factor, the shift and, in a batch
    normalization, the running mean and variance.

feature_scales_ : list of one ndarray of shape (n_scaled,)
    The learned factors of the features. Embedded features have a factor for each number of their
    vectors; the vectors of `categorical_features` come last. Only with ``feature_scale=True``.

adapters_ : list of ndarray of shape (`ensemble_size`, units)
    The parameters of each of the networks that share weights: r, s and biases, layer by layer. The
    last items of `coefs_` and `intercepts_` then hold the output layers of all networks, one below
    the other. Only with `ensemble_size`.

activation_shares_ : list of ndarray of shape (units,)
    How far the units of each hidden layer follow their activation. Only with
    ``parametric_activation=True``.

embeddings_ : list of ndarray of shape (n_categories, width)
    The table of each column of categories. Only with `categorical_features`.

numeric_embeddings_ : list of ndarray
    What the embedding of features has learned; the first axis of each array is that of the embedded
    features. "pbld" has frequencies, phases, and the weights and biases that are applied to the
    cosines; "plr" has frequencies, and the weights and biases for sines and cosines; "ple" has the
    slopes and shifts of the bins. Only with `numeric_embedding`.

loss_ : float
    Loss of the last epoch.

loss_curve_ : list of float
    Training loss of each epoch ("lbfgs": of each iteration of the last call). From earlier
    calls, the last 1,000 epochs are kept; the last `n_iter_` entries are those of the last call.

best_loss_ : float or None
    Smallest training loss of the last `fit`; None with early stopping.

validation_scores_ : list of float or None
    Score on the validation rows, epoch by epoch; None without validation. It is the accuracy, R2
    for a loss that is minimized by the mean, the negative loss for other losses, or the metric that
    `early_stopping` monitors.

validation_loss_curve_ : list of float or None
    Loss on the validation rows, without penalty.

best_validation_score_ : float or None
    Best validation score of the last `fit`; None without early stopping.

n_iter_ : int
    Epochs or iterations of the last call.

t_ : int
    Rows of all epochs so far, including those that `drop_last` leaves out.

n_layers_ : int
    Number of layers, input and output included.

n_outputs_ : int
    Number of output neurons.

out_activation_ : str
    Name of the function that turns raw predictions into predicted values.

dtype_ : dtype
    Precision in which the network was trained.

n_features_in_ : int
    Number of features seen during :term:`fit`.

feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the features, if all of them are strings.
"""


def documented(**texts: str) -> Callable[[_Documented], _Documented]:
    """Return a decorator that fills the placeholders of the docstring of a class or function.

    ``cv`` replaces ``{cv}``. A text may contain the placeholders of those after it.
    """

    def fill_in(thing: _Documented) -> _Documented:
        # Python 3.13 has already removed the indentation.
        documentation = cleandoc(thing.__doc__ or "")
        for name, text in texts.items():
            documentation = documentation.replace(f"{{{name}}}", text.strip())
        thing.__doc__ = documentation
        return thing

    return fill_in


def shares_documentation(cls: _Documented) -> _Documented:
    """Fill the placeholders, such as ``{parameters}``, of a network's docstring."""
    return documented(
        parameters=_PARAMETERS,
        classifier_parameters=_CLASSIFIER_PARAMETERS,
        attributes=_ATTRIBUTES,
        dtype_default=signature(cls).parameters["dtype"].default,
        **_names(cls),
    )(cls)


def _names(cls: Any) -> dict[str, str]:
    """Return the texts of placeholders for lists of names."""
    losses = getattr(cls._parameter_constraints["loss"][0], "options", ())
    normalizers = by_name(Normalization)
    averages = by_name(Averaging)
    return {
        "activations": _either(map(_quoted, list_activations())),
        "solvers": _either(map(_quoted, list_optimizers())),
        "schedules": _either(map(_quoted, list_schedules())),
        "initializers": _either(map(_quoted, list_initializers())),
        "regression_losses": _either(map(_with_interval, list_losses("regression"))),
        "regression_outputs": _either(map(_quoted, list_outputs())),
        "classifier_losses": _choice(losses),
        "normalizations": _choice(normalizers),
        "averages": _choice(averages),
    }


def _quoted(name: str) -> str:
    return f'"{name}"'


def _with_interval(name: str) -> str:
    """Return the name of a loss and, if not all numbers are allowed, the interval of targets."""
    interval = get_loss(name).target_interval
    return _quoted(name) if interval.contains([-1.0, 1.0]) else f"{_quoted(name)} (y in {interval})"


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return fill(f"{', '.join(others)} or {last}", 90, subsequent_indent="    ")


def _choice(names: Iterable[str]) -> str:
    return "{" + ", ".join(map(_quoted, sorted(names))) + "}"
