"""The presets: parameters, and a few rules that depend on the number of training rows, n.

An arm is a dict of a network's parameters. Every arm is trained on every fold; the weights of the
arms are learned on held-out rows. ``benchmarks/presets.md`` describes what was tried for these
choices, with results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from ..embeddings import (
    NumericEmbedding,
    Periodic,
    PiecewiseLinear,
    get_numeric_embedding,
    list_numeric_embeddings,
)
from ..engine.arrays import Floats
from ..estimators.data import NEED_DENSE
from ..groups import ParameterGroup, ParameterGroups
from ..initializers import UnitVariance
from ..optimizers import AdamW

Arm = Mapping[str, Any]

#: Largest number of bins of all columns together, in embeddings of numbers. The first layer has an
#: input for each bin.
MOST_BINS = 360

#: Dense tables of at most this many columns after preparation are narrow: with more, the first
#: layer of arms that embed numbers would take too much time.
NARROW = 60

#: Targets of a larger skewness count as skewed.
LEAST_SKEWNESS = 1.5


@dataclass(frozen=True)
class Recipe:
    """How the networks of one task are made.

    Attributes
    ----------
    network : dict
        Parameters that all arms share.
    arms : tuple of dict
        The parameters of each arm in which the arms differ.
    batch_size : callable
        Maps n to the number of rows per batch, 256 in published networks; a batch holds at most the
        rows trained on.
    narrow_arms : dict of int -> callable
        Arms, some of which embed numbers, for narrow tables: see `NARROW`. Each entry is for tables
        of at least this many rows, up to the next entry, and maps the number of columns to arms.
    n_folds : tuple of int
        Number of folds on tables of few rows, and on tables of many rows.
    n_draws : tuple of int
        How many times folds are drawn on tables of few rows, and on tables of many rows: each arm
        has a network for each fold of each draw.
    label_smoothing : float
        For classification only.
    share_of_steps : float
        Factor of the smallest number of steps.
    monitor : str
        The metric that selects the best epoch, as named by
        :class:`~skperceptron.stopping.EarlyStopping`. With several labels per row it is the loss.
    preparation : dict
        Parameters of the :class:`~skperceptron.preprocessing.TabularPreprocessor`, which all arms
        share: for example, which columns of categories become codes for networks to embed.
    skewed_arms : dict of int -> callable
        Used instead of `narrow_arms` where the target `is_skewed`, unless it is empty.
    """

    network: Arm
    arms: tuple[Arm, ...]
    batch_size: Callable[[int], int] = lambda n_rows: 256
    narrow_arms: Mapping[int, Callable[[int], tuple[Arm, ...]]] = field(default_factory=dict)
    n_folds: tuple[int, int] = (4, 4)
    n_draws: tuple[int, int] = (1, 1)
    label_smoothing: float = 0.0
    share_of_steps: float = 1.0
    monitor: str = "loss"
    preparation: Mapping[str, Any] = field(default_factory=dict)
    skewed_arms: Mapping[int, Callable[[int], tuple[Arm, ...]]] = field(default_factory=dict)

    def arms_for(
        self, n_rows: int, n_inputs: int, *, is_dense: bool, is_skewed: bool
    ) -> tuple[Arm, ...]:
        """Return the arms for a table that has `n_inputs` columns after preparation."""
        narrow_arms = self.skewed_arms if is_skewed else self.narrow_arms
        reached = [least for least in narrow_arms if n_rows >= least]
        if is_dense and n_inputs <= NARROW and reached:
            return narrow_arms[max(reached)](n_inputs)
        return self.arms


@dataclass(frozen=True)
class Preset:
    """Everything that a preset sets.

    Attributes
    ----------
    classification, regression : Recipe
    is_published : bool
        Whether it is a published network: only the first fold is held out, probabilities are not
        calibrated, and columns of zeros and ones bypass numeric embeddings.
    max_epochs : int
    least_steps, steps_per_root : float
        A network is trained for ``max(share * least_steps, steps_per_root * sqrt(n))`` steps, where
        the share is ``share_of_steps`` of the recipe, but for at most `max_epochs` epochs.
    looks : int
        Approximate number of times that the held-out rows are evaluated.
    patience : float
        A network stops after this share of all epochs without improvement on its held-out rows.
        Weakly regularized networks on few rows are at their best after a tenth of the epochs.
    ties, tol
        Those of :class:`~skperceptron.stopping.EarlyStopping`.
    many_rows : int
        Tables with more rows than this count as having many rows.
    """

    classification: Recipe
    regression: Recipe
    is_published: bool = False
    max_epochs: int = 256
    least_steps: float = 600
    steps_per_root: float = 20
    looks: int = 40
    patience: float = 1 / 3
    ties: str = "latest"
    tol: float = 0.0
    many_rows: int = 1000

    @property
    def takes_sparse(self) -> bool:
        """Whether the networks read sparse rows."""
        return not set(NEED_DENSE) & {*self.classification.network, *self.regression.network}

    def draws_and_folds(self, recipe: Recipe, n_rows: int) -> tuple[int, int]:
        """Return how many times folds are drawn, and the number of folds."""
        has_many = n_rows > self.many_rows
        return recipe.n_draws[has_many], recipe.n_folds[has_many]

    def epochs(self, recipe: Recipe, n_rows: int, batches: int) -> int:
        """Return the number of epochs, each of which has `batches` steps."""
        least = recipe.share_of_steps * self.least_steps
        steps = max(least, self.steps_per_root * math.sqrt(n_rows))
        return math.ceil(min(self.max_epochs, steps / batches))


def is_skewed(y: Floats, sample_weight: Floats | None) -> bool:
    """Return whether all targets are non-negative, with a skewness above `LEAST_SKEWNESS`.

    Parameters
    ----------
    y : ndarray of shape (N,) or (N, D)
    sample_weight : ndarray of shape (N,), or None
    """
    largest = y.max(axis=0)
    if y.min() < 0 or not np.all(largest):
        return False
    # Cubes of very large numbers would overflow, those of very small ones become 0.
    apart = y / largest - np.average(y / largest, axis=0, weights=sample_weight)
    square, cube = (np.average(apart**k, axis=0, weights=sample_weight) for k in (2, 3))
    return bool(np.all(cube > LEAST_SKEWNESS * square**1.5))


def batches(n_batches: int, least: int) -> Callable[[int], int]:
    """Return a rule that divides rows into about ``n_batches`` batches of ``least`` to 256 rows.

    Batch sizes are powers of two.
    """
    return lambda n_rows: min(256, max(least, 2 ** round(math.log2(n_rows / n_batches))))


def embedding_numbers(arm: Arm, columns: Sequence[int]) -> Arm:
    """Return parameters whose numeric embedding, if any, embeds these columns only.

    An embedding that names columns itself stays as it is, and so does an unknown one.
    """
    given: Any = arm.get("numeric_embedding")
    is_name = isinstance(given, str) and given in list_numeric_embeddings()
    if not is_name and not isinstance(given, NumericEmbedding):
        return arm
    embedding = get_numeric_embedding(given)
    if "columns" not in embedding.get_params() or embedding.columns is not None:
        return arm
    if not columns:
        return {**arm, "numeric_embedding": None}
    return {**arm, "numeric_embedding": clone(embedding).set_params(columns=list(columns))}


def _arm(rate: float, weight_decay: float, dropout: float = 0.0) -> Arm:
    """Return an arm with a learning rate, a weight decay and a dropout rate."""
    solver = AdamW(beta_1=0.9, beta_2=0.95, epsilon=1e-8, weight_decay=weight_decay)
    return {"learning_rate_init": rate, "solver": solver, "dropout": dropout}


#: Parameters that the recipes of classification and regression share.
_NETWORK: Arm = {
    "hidden_layer_sizes": (128, 128),
    "feature_scale": True,
    "skip_connections": "linear",
    "parametrization": "ntk",
    "initializer": "unit_variance",
    "learning_rate": "warmup_cosine",
    "decay_schedule": "flat_cosine",
    "drop_last": True,
    # Weight decay replaces the penalty.
    "alpha": 0.0,
    "parameter_groups": ParameterGroups(
        bias=ParameterGroup(rate=0.1),
        feature_scale=ParameterGroup(decay=1.0),
        numeric_embedding=ParameterGroup(rate=0.1),
    ),
    "embedding_dim": 8,
    "tol": 0.0,
    "dtype": "float32",
}

#: An arm like scikit-learn's own networks, which do well on small, smooth tables. It takes a third
#: of the time of another arm.
_PLAIN: Arm = {
    "hidden_layer_sizes": (100,),
    "activation": "relu",
    "feature_scale": False,
    "skip_connections": "none",
    "parametrization": "standard",
    "initializer": "scikit-learn",
    "learning_rate": "constant",
    "learning_rate_init": 0.003,
    "solver": "adam",
    "decay_schedule": None,
    "parameter_groups": None,
    "alpha": 1e-4,
}

#: The same with a second hidden layer and dropout: by itself .4 points more accurate, on average.
_DEEPER: Arm = {**_PLAIN, "hidden_layer_sizes": (100, 100), "dropout": 0.1}

#: All arms embed columns of more than eight levels; levels of fewer than five rows have no vector
#: of their own: with one, a column of names raised losses by a quarter.
_FREQUENT = {"max_one_hot": 8, "min_frequency": 5}

#: For regression, outliers are clipped less: a target often keeps growing up to a column's end.
_FAR = {**_FREQUENT, "max_abs": 10.0}

#: Weakly, more strongly, and strongly regularized.
_WEAK, _FIRM, _STRONG = _arm(0.04, 0.02), _arm(0.02, 0.3), _arm(0.02, 2.0, 0.2)

#: The first of them with another activation.
_RECTIFIED: Arm = {**_WEAK, "activation": "relu"}

#: For regression: weakly and more strongly regularized.
_QUICK, _CALM = _arm(0.07, 0.02), _arm(0.035, 0.3)


#: For classification: the weakly regularized arm, with periodic embeddings, which help with few
#: columns and 2,000 rows or more. Columns of zeros and ones are embedded, too.
_IN_WAVES: Arm = {**_WEAK, "numeric_embedding": Periodic(n_frequencies=8)}


def _in_bins(arm: Arm, n_bins: int, n_inputs: int) -> Arm:
    """Return an arm that embeds numbers in ``n_bins`` bins, or fewer if there are many columns."""
    return {**arm, "numeric_embedding": PiecewiseLinear(min(n_bins, MOST_BINS // n_inputs))}


def _and_binned(*arms: Arm) -> Callable[[int], tuple[Arm, ...]]:
    """Return what maps a number of columns to these arms and one that embeds numbers in bins."""
    return lambda n_inputs: (*arms, _in_bins(_PLAIN, 12, n_inputs))


def _waved_and_binned(n_inputs: int) -> tuple[Arm, ...]:
    """Return the arms of classification for narrow tables of many rows."""
    weak = _IN_WAVES if n_inputs <= 30 else _WEAK
    return _and_binned(weak, _RECTIFIED)(n_inputs)


def _binned(n_inputs: int) -> tuple[Arm, ...]:
    """Return the arms of regression for narrow tables."""
    return _in_bins(_QUICK, 24, n_inputs), _PLAIN, _in_bins(_PLAIN, 12, n_inputs)


def _multiplied(arm: Arm) -> Arm:
    """Return an arm in which effects multiply, as those on prices, amounts and counts often do.

    Narrower layers save time.
    """
    return {**arm, "hidden_layer_sizes": (64, 64), "loss": "poisson"}


#: The arms of regression for narrow tables with a skewed target, by the least number of rows. Fewer
#: bins save time.
_SKEWED: Mapping[int, Callable[[int], tuple[Arm, ...]]] = {
    0: lambda n_inputs: (_QUICK, _CALM, _multiplied(_QUICK)),
    600: lambda n_inputs: (
        *_binned(n_inputs)[:2],
        _multiplied(_in_bins(_QUICK, 12, n_inputs)),
    ),
}


def _binned_and_firm(n_inputs: int) -> tuple[Arm, ...]:
    """Return the arms of "accurate" for classification and narrow tables."""
    in_bins = [_in_bins(arm, 12, n_inputs) for arm in (_RECTIFIED, _DEEPER)]
    return _IN_WAVES, _RECTIFIED, *in_bins, _FIRM


_CLASSIFICATION = Recipe(
    {**_NETWORK, "activation": "selu"},
    (_WEAK, _RECTIFIED, _DEEPER),
    batches(16, least=32),
    narrow_arms={0: _and_binned(_WEAK, _RECTIFIED), 2000: _waved_and_binned},
    n_folds=(8, 4),
    label_smoothing=0.05,
    monitor="neg_brier_score",
    preparation=_FREQUENT,
)

_REGRESSION = Recipe(
    {
        **_NETWORK,
        "activation": "mish",
        "standardize_target": True,
        "clip_predictions": True,
    },
    (_QUICK, _CALM, _PLAIN),
    batches(8, least=64),
    narrow_arms={600: _binned},
    n_folds=(6, 6),
    share_of_steps=2 / 3,
    preparation=_FAR,
)


#: RealMLP with tuned defaults, in its small form, as in Holzmüller, Grinsztajn & Steinwart (2024),
#: *Better by default*, and pytabkit 1.7: one network, whose best epoch is selected by accuracy or
#: RMSE on a fifth of the rows.
_REALMLP_TD_S: Arm = {
    "hidden_layer_sizes": (256, 256, 256),
    "feature_scale": True,
    "parametrization": "ntk",
    "initializer": "ntk_normal",
    "learning_rate": "coslog4",
    "drop_last": True,
    "alpha": 0.0,
    "parameter_groups": ParameterGroups(
        bias=ParameterGroup(rate=0.1), feature_scale=ParameterGroup(rate=6.0)
    ),
    "tol": 0.0,
    "dtype": "float32",
}

#: The larger form. As in pytabkit, numbers are embedded periodically, but columns of zeros and ones
#: are not; the learned scale multiplies all of them and the vectors of categories.
_REALMLP_TD: Arm = {
    **_REALMLP_TD_S,
    "initializer": UnitVariance(zero_output=False),
    "parametric_activation": True,
    "numeric_embedding": "pbld",
    "embedding_dim": 8,
    "decay_schedule": "flat_cosine",
    "dropout_schedule": "flat_cosine",
    "parameter_groups": ParameterGroups(
        bias=ParameterGroup(rate=0.1),
        # Weight decay is multiplied by the learning rate. pytabkit multiplies it by the factor of
        # the rate twice: hence the same factors for `decay`.
        feature_scale=ParameterGroup(rate=6.0, decay=6.0),
        numeric_embedding=ParameterGroup(rate=0.1, decay=0.1),
        activation_share=ParameterGroup(rate=0.1, decay=0.1),
    ),
}

#: TabM in its plain form, without embeddings of numbers, as in Gorishniy, Kotelnikov & Babenko
#: (2025) and pytabkit 1.7, with three differences: columns are prepared as for all other networks
#: here, whereas pytabkit uses quantiles; all networks read the same batches; and beside the biases
#: of each network, which start at 0 instead of b, the networks share a learned bias b.
_TABM: Arm = {
    "hidden_layer_sizes": (512, 512, 512),
    "activation": "relu",
    "ensemble_size": 32,
    "initializer": "pytorch",
    "learning_rate": "constant",
    "alpha": 0.0,
    "tol": 0.0,
    "dtype": "float32",
}
_TABM_ARM: Arm = {"learning_rate_init": 0.002, "solver": "adam", "dropout": 0.1}

#: Published networks have a column for each level. Here the number is limited, because a column of
#: names would otherwise become too many columns.
_ONE_HOT = {"max_categories": 1000}

#: RealMLP-TD learns a vector for each level of a column with more than eight levels, and one for
#: missing values.
_EMBEDDED = {"max_one_hot": 8}

_OF_NUMBERS: Arm = {"activation": "mish", "standardize_target": True}


def _as_published(classification: Recipe, regression: Recipe) -> Preset:
    """Return a preset of one network, trained on four fifths of the rows for up to 256 epochs."""
    return Preset(
        replace(classification, n_folds=(5, 5)),
        replace(regression, n_folds=(5, 5)),
        is_published=True,
        least_steps=math.inf,
        looks=256,
        patience=math.inf,
    )


PRESETS: dict[str, Preset] = {
    "default": Preset(_CLASSIFICATION, replace(_REGRESSION, skewed_arms=_SKEWED)),
    # Fewer arms and folds, narrower layers, and less than half of the steps.
    "fast": Preset(
        replace(
            _CLASSIFICATION,
            network={**_CLASSIFICATION.network, "hidden_layer_sizes": (96, 96)},
            arms=(_WEAK, _PLAIN, _STRONG),
            narrow_arms={400: _and_binned(_WEAK)},
            n_folds=(4, 4),
        ),
        replace(
            _REGRESSION,
            network={**_REGRESSION.network, "hidden_layer_sizes": (96, 96)},
            arms=(_QUICK, _PLAIN),
            narrow_arms={600: lambda n_inputs: (_in_bins(_QUICK, 12, n_inputs), _PLAIN)},
        ),
        max_epochs=72,
        least_steps=250,
        steps_per_root=6,
        looks=12,
    ),
    # More folds and arms; no networks that share weights, which gained nothing beside bins.
    "accurate": Preset(
        replace(
            _CLASSIFICATION,
            arms=(_WEAK, _RECTIFIED, _DEEPER, _STRONG),
            narrow_arms={100: _binned_and_firm},
            n_folds=(8, 8),
        ),
        replace(_REGRESSION, n_folds=(6, 12), n_draws=(2, 2)),
        many_rows=600,
    ),
    "realmlp-td-s": _as_published(
        Recipe(
            {**_REALMLP_TD_S, "activation": "selu"},
            (_arm(0.04, 0.0),),
            label_smoothing=0.1,
            monitor="score",
            preparation=_ONE_HOT,
        ),
        Recipe({**_REALMLP_TD_S, **_OF_NUMBERS}, (_arm(0.07, 0.0),), preparation=_ONE_HOT),
    ),
    "realmlp-td": _as_published(
        Recipe(
            {**_REALMLP_TD, "activation": "selu"},
            (_arm(0.04, 0.02, 0.15),),
            label_smoothing=0.1,
            monitor="score",
            preparation=_EMBEDDED,
        ),
        Recipe(
            {**_REALMLP_TD, **_OF_NUMBERS, "clip_predictions": True},
            (_arm(0.2, 0.02, 0.15),),
            preparation=_EMBEDDED,
        ),
    ),
    "tabm": replace(
        _as_published(
            Recipe(_TABM, (_TABM_ARM,), monitor="score", preparation=_ONE_HOT),
            Recipe({**_TABM, "standardize_target": True}, (_TABM_ARM,), preparation=_ONE_HOT),
        ),
        patience=16 / 256,
        # An epoch that is only as good as the best one is not an improvement.
        ties="first",
        tol=1e-9,
    ),
}
