"""The presets: data, and a few rules of the number of training rows, n.

An arm is a dict of a network's parameters. Every arm is trained on every fold; weights that are
learned on held-out rows decide what each arm counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..groups import ParameterGroup, ParameterGroups
from ..optimizers import AdamW

__all__ = ["PRESETS", "Arm", "Preset", "Recipe"]

Arm = Mapping[str, Any]

#: Where periodic embeddings help: few columns, rows enough to learn sharp structure along them. On
#: banana (3,000 rows, 2 columns, seed 0) two arms, one of them with embeddings, had an out-of-fold
#: log loss of 0.206, the three arms of the default 0.212.
PERIODIC_ROWS = 2000
PERIODIC_INPUTS = 20


@dataclass(frozen=True)
class Recipe:
    """How the networks of one task are made.

    Attributes
    ----------
    network : dict
        Parameters that all arms share.
    arms : tuple of dict
        Those in which they differ.
    batch_size : callable
        Maps n to the rows of a step.
    label_smoothing : float
        Of labels only.
    share_of_steps : float
        What multiplies the least number of steps.
    monitor : str
        By what the best epoch is found, as :class:`~skperceptron.stopping.EarlyStopping` names it.
        Several labels per row are judged by their loss.
    """

    network: Arm
    arms: tuple[Arm, ...]
    batch_size: Callable[[int], int]
    label_smoothing: float = 0.0
    share_of_steps: float = 1.0
    monitor: str = "loss"


@dataclass(frozen=True)
class Preset:
    """All that a preset decides.

    Attributes
    ----------
    classification, regression : Recipe
    n_folds : int
    uses_one_fold : bool
        Whether only the first of these is held out: there is one network of each arm.
    calibrates : bool
        Whether probabilities get temperatures.
    max_epochs : int
    least_steps, steps_per_root : float
        An arm takes ``max(share * least_steps, steps_per_root * sqrt(n))`` steps, with the share of
        its recipe, unless `max_epochs` are fewer.
    looks : int
        How often the held-out rows are looked at, about.
    patience : float
        A network stops when, for this share of all epochs, it has become no better on its held-out
        rows. Weakly regularised ones on few rows are at their best after a tenth of the epochs.
    many_rows, arms_of_many : int
        From more than so many rows on only the first arms are used.
    has_periodic : bool
        Whether one arm more, the first one with periodic embeddings, is trained on tables of at
        least ``PERIODIC_ROWS`` rows and at most ``PERIODIC_INPUTS`` dense columns.
    """

    classification: Recipe
    regression: Recipe
    n_folds: int = 4
    uses_one_fold: bool = False
    calibrates: bool = True
    max_epochs: int = 256
    least_steps: float = 600
    steps_per_root: float = 20
    looks: int = 40
    patience: float = 1 / 3
    many_rows: int = 4000
    arms_of_many: int = 2
    has_periodic: bool = False

    def recipe(self, *, is_classifier: bool) -> Recipe:
        """Return the recipe of a task."""
        return self.classification if is_classifier else self.regression

    def arms(
        self, recipe: Recipe, n_rows: int, n_inputs: int, *, is_dense: bool
    ) -> tuple[Arm, ...]:
        """Return the arms for a table of so many columns after preparation."""
        arms = recipe.arms if n_rows <= self.many_rows else recipe.arms[: self.arms_of_many]
        is_fit = is_dense and n_rows >= PERIODIC_ROWS and n_inputs <= PERIODIC_INPUTS
        if self.has_periodic and is_fit:
            arms = (*arms, {**arms[0], "numeric_embedding": "pbld"})
        return arms

    def epochs(self, recipe: Recipe, n_rows: int, batches: int) -> int:
        """Return the number of epochs of so many batches."""
        least = recipe.share_of_steps * self.least_steps
        steps = max(least, self.steps_per_root * math.sqrt(n_rows))
        return max(1, math.ceil(min(self.max_epochs, steps / batches)))


def small_batches(n_rows: int) -> int:
    """Return the power of two nearest to a sixteenth of the rows, between 32 and 256."""
    return int(min(256, max(32, 2 ** round(math.log2(max(1, n_rows) / 16)))))


def medium_batches(n_rows: int) -> int:
    """Return the power of two nearest to an eighth of the rows, between 64 and 256."""
    return min(n_rows, int(min(256, max(64, 2 ** round(math.log2(max(1, n_rows) / 8))))))


def large_batches(n_rows: int) -> int:
    """Return 256, or all rows if there are fewer."""
    return min(256, n_rows)


def _arm(rate: float, weight_decay: float, dropout: float = 0.0) -> Arm:
    """Return an arm: a learning rate, how much weights decay, the share of units left out."""
    solver = AdamW(beta_1=0.9, beta_2=0.95, epsilon=1e-8, weight_decay=weight_decay)
    return {"learning_rate_init": rate, "solver": solver, "dropout": dropout}


#: What labels and numbers have in common.
_NETWORK: Arm = {
    "hidden_layer_sizes": (128, 128),
    "feature_scale": True,
    "skip_connections": "linear",
    "parametrization": "ntk",
    "initializer": "unit_variance",
    "learning_rate": "warmup_cosine",
    "decay_schedule": "flat_cosine",
    "drop_last": True,
    # No penalty: weights decay instead.
    "alpha": 0.0,
    "parameter_groups": ParameterGroups(
        bias=ParameterGroup(rate=0.1),
        feature_scale=ParameterGroup(decay=1.0),
        numeric_embedding=ParameterGroup(rate=0.1),
    ),
    "tol": 0.0,
    "dtype": "float32",
}

_CLASSIFICATION = Recipe(
    {**_NETWORK, "activation": "selu"},
    (_arm(0.04, 0.02), _arm(0.02, 0.3), _arm(0.02, 2.0, 0.2)),
    small_batches,
    label_smoothing=0.05,
    monitor="neg_brier_score",
)

_REGRESSION = Recipe(
    {
        **_NETWORK,
        "activation": "mish",
        "standardize_target": True,
        "clip_predictions": True,
    },
    (_arm(0.07, 0.02), _arm(0.035, 0.3), _arm(0.035, 2.0, 0.2)),
    # With 256 rows, all of many a table, and 256 steps, fits took 1.8 times as long, and losses of
    # unseen rows were 0.7 % higher (cpus, hitters, boston, college, yieldp; seed 0).
    medium_batches,
    share_of_steps=2 / 3,
)

#: An arm in the manner of scikit-learn's own networks, which do well on small, smooth tables.
_PLAIN: Arm = {
    "hidden_layer_sizes": (100,),
    "activation": "relu",
    "feature_scale": False,
    "skip_connections": "none",
    "parametrization": "standard",
    "initializer": "scikit-learn",
    "learning_rate": "constant",
    "learning_rate_init": 0.001,
    "solver": "adam",
    "decay_schedule": None,
    "parameter_groups": None,
    "alpha": 1e-4,
}


def _chosen(recipe: Recipe, *places: int, **options: Any) -> Recipe:
    """Return a recipe with some of its arms, and with other options of their networks."""
    arms = tuple(recipe.arms[place] for place in places)
    return replace(recipe, arms=arms, network={**recipe.network, **options})


def _with_plain(recipe: Recipe) -> Recipe:
    """Return a recipe with one arm more."""
    return replace(recipe, arms=(*recipe.arms, _PLAIN))


# With 1,000 steps at least, and all of them taken, fits took 2.2 times as long; on ten small tables
# (heart, fgl, saheart, cpus, hitters, tae, ionosphere, boston, crx, led7; seed 0) losses of unseen
# rows were 0.7 % higher in geometric mean.
_DEFAULT = Preset(_CLASSIFICATION, _REGRESSION)

#: RealMLP with tuned defaults, in its small form, as Holzmüller, Grinsztajn & Steinwart (2024),
#: *Better by default*, and pytabkit 1.7 have it: one network, whose best epoch is found by accuracy
#: or RMSE on a fifth of the rows.
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

#: The larger form. Where pytabkit embeds levels of a category with more than eight, and no one-hot
#: column, all columns of the preparation are embedded periodically here.
_REALMLP_TD: Arm = {
    **_REALMLP_TD_S,
    "initializer": "unit_variance",
    "parametric_activation": True,
    "numeric_embedding": "pbld",
    "decay_schedule": "flat_cosine",
    "dropout_schedule": "flat_cosine",
    "parameter_groups": ParameterGroups(
        bias=ParameterGroup(rate=0.1),
        feature_scale=ParameterGroup(rate=6.0, decay=1.0),
        numeric_embedding=ParameterGroup(rate=0.1, decay=1.0),
        activation_share=ParameterGroup(rate=0.1, decay=1.0),
    ),
}

#: TabM in its plain form, without embeddings of numbers, as Gorishniy, Kotelnikov & Babenko (2025)
#: and pytabkit 1.7 have it. Columns are prepared as for all other networks here.
_TABM: Arm = {
    "hidden_layer_sizes": (512, 512, 512),
    "activation": "relu",
    "ensemble_size": 32,
    "initializer": "lecun_uniform",
    "learning_rate": "constant",
    "alpha": 0.0,
    "tol": 0.0,
    "dtype": "float32",
}
_TABM_ARM: Arm = {"learning_rate_init": 0.002, "solver": AdamW(weight_decay=3e-4), "dropout": 0.1}

_OF_NUMBERS: Arm = {"activation": "mish", "standardize_target": True}


def _as_published(classification: Recipe, regression: Recipe, patience: float = math.inf) -> Preset:
    """Return a preset of one network that sees four fifths of the rows, at most 256 times."""
    return Preset(
        classification,
        regression,
        n_folds=5,
        uses_one_fold=True,
        calibrates=False,
        least_steps=math.inf,
        looks=256,
        patience=patience,
    )


PRESETS: dict[str, Preset] = {
    "default": _DEFAULT,
    # The weakest and the strongest arm, for less than half of the steps. With 300 steps, losses of
    # unseen rows were 2.6 % higher than those of the default (heart, fgl, saheart, cpus, hitters,
    # tae, ionosphere, boston; seed 0); one arm alone, the second, was 4 % above. Layers of 96
    # instead of 128 units and 12 instead of 40 looks changed losses by less than 0.2 % (12 small
    # tables with seeds 10 and 11, 8 others with seed 10), and saved a quarter of the time. The
    # default, with 96 units, lost 2 % on those 8.
    "fast": Preset(
        _chosen(_CLASSIFICATION, 0, 2, hidden_layer_sizes=(96, 96)),
        _chosen(_REGRESSION, 0, 2, hidden_layer_sizes=(96, 96)),
        max_epochs=72,
        least_steps=250,
        steps_per_root=6,
        looks=12,
    ),
    # Twice the folds: networks see seven eighths of the rows, not three quarters. On six of these
    # tables (heart, fgl, tae, saheart, cpus, hitters) out-of-fold losses were 8 % lower.
    "accurate": Preset(
        _with_plain(_CLASSIFICATION),
        _with_plain(_REGRESSION),
        n_folds=8,
        least_steps=1000,
        patience=1 / 2,
        arms_of_many=4,
        has_periodic=True,
    ),
    "realmlp-td-s": _as_published(
        Recipe(
            {**_REALMLP_TD_S, "activation": "selu"},
            (_arm(0.04, 0.0),),
            large_batches,
            label_smoothing=0.1,
            monitor="score",
        ),
        Recipe({**_REALMLP_TD_S, **_OF_NUMBERS}, (_arm(0.07, 0.0),), large_batches),
    ),
    "realmlp-td": _as_published(
        Recipe(
            {**_REALMLP_TD, "activation": "selu"},
            (_arm(0.04, 0.02, 0.15),),
            large_batches,
            label_smoothing=0.1,
            monitor="score",
        ),
        Recipe(
            {**_REALMLP_TD, **_OF_NUMBERS, "clip_predictions": True},
            (_arm(0.2, 0.02, 0.15),),
            large_batches,
        ),
    ),
    "tabm": _as_published(
        Recipe(_TABM, (_TABM_ARM,), large_batches, monitor="score"),
        Recipe({**_TABM, "standardize_target": True}, (_TABM_ARM,), large_batches),
        patience=16 / 256,
    ),
}
