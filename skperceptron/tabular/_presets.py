"""The presets: data, and a few rules of the number of training rows, n.

An arm is a dict of a network's parameters. Every arm is trained on every fold; weights that are
learned on held-out rows decide what each arm counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..embeddings import Periodic
from ..groups import ParameterGroup, ParameterGroups
from ..initializers import UnitVariance
from ..optimizers import AdamW

__all__ = ["PRESETS", "Arm", "Preset", "Recipe"]

Arm = Mapping[str, Any]

#: Where periodic embeddings help: few columns, rows enough to learn sharp structure along them. In
#: the first arm they changed losses of unseen rows by -7 % (penbased), -5 (hpc), -1 (banana,
#: computers, credit) and less than that (wage, deliveries, chile; seed 0). With fewer rows nothing
#: could be told from noise.
PERIODIC_ROWS = 2000
PERIODIC_INPUTS = 30


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
    arms_of_many : tuple of dict
        Those where there are many rows; the same, if empty.
    n_folds : int
        How many folds.
    n_draws : tuple of int
        How often folds are drawn anew where there are few rows, and many: each arm has a network
        for each fold of each draw.
    label_smoothing : float
        Of labels only.
    share_of_steps : float
        What multiplies the least number of steps.
    monitor : str
        By what the best epoch is found, as :class:`~skperceptron.stopping.EarlyStopping` names it.
        Several labels per row are judged by their loss.
    preparation : dict
        Parameters of the :class:`~skperceptron.preprocessing.TabularPreprocessor`, which is one for
        all arms: which columns of categories become codes, that networks embed, for example.
    """

    network: Arm
    arms: tuple[Arm, ...]
    batch_size: Callable[[int], int]
    arms_of_many: tuple[Arm, ...] = ()
    n_folds: int = 4
    n_draws: tuple[int, int] = (1, 1)
    label_smoothing: float = 0.0
    share_of_steps: float = 1.0
    monitor: str = "loss"
    preparation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preset:
    """All that a preset decides.

    Attributes
    ----------
    classification, regression : Recipe
    uses_one_fold : bool
        Whether only the first fold is held out: there is one network of each arm.
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
    ties : {"latest", "first"}
        Which of several best epochs counts.
    tol : float
        The least gain on held-out rows that starts patience anew; with 0, none is needed.
    many_rows : int
        From more than so many rows on there are many.
    is_periodic : bool
        Whether numbers are embedded periodically by the first arm, on tables of at least
        ``PERIODIC_ROWS`` rows and at most ``PERIODIC_INPUTS`` dense columns.
    """

    classification: Recipe
    regression: Recipe
    uses_one_fold: bool = False
    calibrates: bool = True
    max_epochs: int = 256
    least_steps: float = 600
    steps_per_root: float = 20
    looks: int = 40
    patience: float = 1 / 3
    ties: str = "latest"
    tol: float = 0.0
    many_rows: int = 1000
    is_periodic: bool = True

    def recipe(self, *, is_classifier: bool) -> Recipe:
        """Return the recipe of a task."""
        return self.classification if is_classifier else self.regression

    def arms(
        self,
        recipe: Recipe,
        n_rows: int,
        n_inputs: int,
        *,
        is_dense: bool,
        has_codes: bool = False,
    ) -> tuple[Arm, ...]:
        """Return the arms for a table of so many columns after preparation."""
        has_few = n_rows <= self.many_rows or not recipe.arms_of_many
        arms = recipe.arms if has_few else recipe.arms_of_many
        # Networks that share weights read dense columns without codes only.
        is_plain = is_dense and not has_codes
        arms = tuple(arm for arm in arms if is_plain or "ensemble_size" not in arm)
        is_fit = is_dense and n_rows >= PERIODIC_ROWS and n_inputs <= PERIODIC_INPUTS
        if self.is_periodic and is_fit:
            arms = ({**arms[0], "numeric_embedding": Periodic(n_frequencies=8)}, *arms[1:])
        return arms

    def draws(self, recipe: Recipe, n_rows: int) -> int:
        """Return how often folds are drawn."""
        return recipe.n_draws[n_rows > self.many_rows]

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
    "embedding_dim": 8,
    "tol": 0.0,
    "dtype": "float32",
}

#: An arm in the manner of scikit-learn's own networks, which do well on small, smooth tables. It
#: takes a third of an arm's time.
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

#: An arm in the manner of TabM, small: eight networks that share weights.
_SHARED: Arm = {
    **_PLAIN,
    "hidden_layer_sizes": (128, 128),
    "ensemble_size": 8,
    "initializer": "lecun_uniform",
    "solver": AdamW(weight_decay=3e-4),
    "dropout": 0.1,
    "alpha": 0.0,
}

#: Columns of more than eight levels are embedded, in all arms, but for levels of few rows. Beside
#: columns of zeros and ones for the 50 most frequent levels, losses of unseen rows changed, on 16
#: tables with such columns (263 to 2,571 rows; seeds 0 to 2),
#: - by -.6 +- .3 % of labels (crx -2.0, german +.4), and by -2.6 +- 1.1 % of numbers (epa2012 -9.2,
#:   solder -2.3, mlb +.2), for 1.1 to 1.6 times the time; to three tenths on gapminder, whose
#:   countries are 142;
#: - with "accurate", by -3.0 +- 1.2 % (solder, baseball, seatbelts, guns, sacramento, crx, gsoep;
#:   seeds 0 and 1), though networks that share weights, which read no codes, are left out;
#: - by as much with vectors for rare levels, too, but by +27 % (boston) and +20 % (solder) where a
#:   column of names, each of one row, was added: it is not coded now. The worst now is a column
#:   of chance with eight rows a level: +7 % (solder), -1 % (boston; seeds 0 and 1);
#: - not, but on gapminder, with columns of zeros and ones for up to 1,000 levels.
_FREQUENT = {"max_one_hot": 8, "min_frequency": 5}

#: Weakly, more strongly, and strongly regularised.
_WEAK, _FIRM, _STRONG = _arm(0.04, 0.02), _arm(0.02, 0.3), _arm(0.02, 2.0, 0.2)

# Before, there were three arms, the first ones, on four folds once. Losses of unseen rows changed
# - by -1.6 +- 0.6 % on small tables with labels, of the arms here on two draws of four folds (tae,
#   fgl, heart, ionosphere, saheart, led7, crx, libras; seeds 0 to 3), for half as much time again;
#   by +-0 on eight folds;
# - by less than 0.5 % on each of six larger ones, for two thirds of the time (attrition, chile,
#   credit, wachurn, leaf, splice; seed 0), of the other arms on four folds once;
# - by about -1 % in root mean square on tables with numbers, for as much time, of weak, firm and
#   plain arms on six folds: -0.8 +- 1.3 %, 13 of 18 times, on seeds that had not been looked at
#   before (cpus, hitters, boston, college, yieldp, sacramento; seeds 4 to 6); without the firm arm
#   +0.7 +- 1.6 %, and +0.1 +- 1.1 % on eight folds.
_CLASSIFICATION = Recipe(
    {**_NETWORK, "activation": "selu"},
    (_WEAK, _PLAIN, _STRONG),
    small_batches,
    arms_of_many=(_WEAK, _FIRM, _PLAIN),
    n_draws=(2, 1),
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
    (_arm(0.07, 0.02), _arm(0.035, 0.3), _PLAIN),
    # With 256 rows, all of many a table, and 256 steps, fits took 1.8 times as long, and losses of
    # unseen rows were 0.7 % higher (cpus, hitters, boston, college, yieldp; seed 0).
    medium_batches,
    n_folds=6,
    share_of_steps=2 / 3,
    preparation=_FREQUENT,
)


def _with(recipe: Recipe, **options: Any) -> Recipe:
    """Return a recipe with other options of its networks."""
    return replace(recipe, network={**recipe.network, **options})


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

#: The larger form. Other than with pytabkit, columns of zeros and ones are embedded periodically,
#: too. The mean of five networks had, beside pytabkit's, +1.2 +- .7 % of error (boston, guns,
#: solder, sacramento, gapminder, baseball) and -.8 +- 2.5 % of log loss (heart, fgl, crx, gsoep,
#: vote84; one to three divisions each). With an output layer that starts at zero, and decay
#: multiplied once by the factor of a rate, log loss was +7.0 instead of +3.1 % on fgl, and no
#: different, beyond noise, on heart, guns and boston.
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
        # Decay is multiplied by the rate; pytabkit multiplies it twice.
        feature_scale=ParameterGroup(rate=6.0, decay=6.0),
        numeric_embedding=ParameterGroup(rate=0.1, decay=0.1),
        activation_share=ParameterGroup(rate=0.1, decay=0.1),
    ),
}

#: TabM in its plain form, without embeddings of numbers, as Gorishniy, Kotelnikov & Babenko (2025)
#: and pytabkit 1.7 have it, but for two things: columns are prepared as for all other networks
#: here, where pytabkit takes quantiles, and all networks read the same batches. Of 16 networks of
#: 3 x 128 units (cpus, hitters, boston, yieldp; the same divisions on both sides, seeds 0 to 2),
#: nRMSE was, beside pytabkit's,
#: - +1.9 +- 1.2 % with quantiles, and -7.7 +- 4.4 % with columns as they are prepared here;
#: - +0.1 +- 3.6 % with "lecun_uniform", weights 1.7 times as large, most of all on cpus: .44 and
#:   .35; -5.0 +- 3.9 % with PyTorch's weights and biases of zero;
#: - changed by .1 % at most with weights that decay by 3e-4, and with up to 1,000 epochs.
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

#: Published networks have a column for each level; here there is a limit, lest a column of names
#: make more of them than rows can bear.
_ONE_HOT = {"max_categories": 1000}

#: RealMLP-TD has a vector for each level where there are more than eight. Gaps are a level, too.
_EMBEDDED = {"max_one_hot": 8}

_OF_NUMBERS: Arm = {"activation": "mish", "standardize_target": True}


def _as_published(classification: Recipe, regression: Recipe) -> Preset:
    """Return a preset of one network that sees four fifths of the rows, at most 256 times."""
    return Preset(
        replace(classification, n_folds=5),
        replace(regression, n_folds=5),
        uses_one_fold=True,
        is_periodic=False,
        calibrates=False,
        least_steps=math.inf,
        looks=256,
        patience=math.inf,
    )


PRESETS: dict[str, Preset] = {
    "default": _DEFAULT,
    # The arms of few rows, for less than half of the steps, on folds that are drawn once. With 300
    # steps, losses of unseen rows were 2.6 % higher than those of three arms with 600 (heart, fgl,
    # saheart, cpus, hitters, tae, ionosphere, boston; seed 0). Layers of 96 instead of 128 units,
    # and 12 instead of 40 looks, changed losses by less than 0.2 % (12 small tables with seeds 10
    # and 11, 8 others with seed 10), and saved a quarter of the time.
    "fast": Preset(
        _with(
            replace(_CLASSIFICATION, arms_of_many=(), n_draws=(1, 1)), hidden_layer_sizes=(96, 96)
        ),
        _with(replace(_REGRESSION, arms=(_arm(0.07, 0.02), _PLAIN)), hidden_layer_sizes=(96, 96)),
        max_epochs=72,
        least_steps=250,
        steps_per_root=6,
        looks=12,
        is_periodic=False,
    ),
    # On ten small tables (tae, fgl, heart, ionosphere, saheart, led7, cpus, hitters, yieldp and
    # boston; seeds 0 and 1), losses of unseen rows changed, beside the default preset's,
    # - by -1.3 +- 1.2 %, 13 times of 20, a fifth once, in the median by -0.2 %;
    # - of that, by -1.6 +- 1.9 % of labels and -0.6 +- 0.4 % of numbers with the arms added here,
    #   on the same folds: shared weights bring it on ionosphere, fgl and yieldp, and weigh next to
    #   nothing on cpus, hitters and boston;
    # - by +0.0 +- 0.2 and -0.2 +- 0.3 % with another draw of folds, beside the mean over draws: two
    #   draws are enough. Fits of the default preset that differ by their draw only are 2.4 % apart,
    #   up to 5.5: "accurate" is no further off on cpus (+2.1, +2.1) and hitters (-1.2, -0.4);
    # - by +0.4 +- 1.6 and +0.2 +- 1.6 % with 3 x 256 units in the regularised arms, and by +0.6 +-
    #   1.1 and -0.2 +- 0.8 % on twelve folds drawn once, beside as many networks on draws of four
    #   or six folds: neither is adopted.
    "accurate": Preset(
        replace(
            _CLASSIFICATION,
            arms=(_WEAK, _FIRM, _PLAIN, _SHARED, _STRONG),
            arms_of_many=(_WEAK, _FIRM, _PLAIN, _STRONG),
            n_draws=(2, 2),
        ),
        replace(
            _REGRESSION,
            arms=(_arm(0.07, 0.02), _arm(0.035, 0.3), _PLAIN, _SHARED),
            arms_of_many=(_arm(0.07, 0.02), _arm(0.035, 0.3), _PLAIN),
            n_draws=(2, 1),
        ),
    ),
    "realmlp-td-s": _as_published(
        Recipe(
            {**_REALMLP_TD_S, "activation": "selu"},
            (_arm(0.04, 0.0),),
            large_batches,
            label_smoothing=0.1,
            monitor="score",
            preparation=_ONE_HOT,
        ),
        Recipe(
            {**_REALMLP_TD_S, **_OF_NUMBERS},
            (_arm(0.07, 0.0),),
            large_batches,
            preparation=_ONE_HOT,
        ),
    ),
    "realmlp-td": _as_published(
        Recipe(
            {**_REALMLP_TD, "activation": "selu"},
            (_arm(0.04, 0.02, 0.15),),
            large_batches,
            label_smoothing=0.1,
            monitor="score",
            preparation=_EMBEDDED,
        ),
        Recipe(
            {**_REALMLP_TD, **_OF_NUMBERS, "clip_predictions": True},
            (_arm(0.2, 0.02, 0.15),),
            large_batches,
            preparation=_EMBEDDED,
        ),
    ),
    "tabm": replace(
        _as_published(
            Recipe(_TABM, (_TABM_ARM,), large_batches, monitor="score", preparation=_ONE_HOT),
            Recipe(
                {**_TABM, "standardize_target": True},
                (_TABM_ARM,),
                large_batches,
                preparation=_ONE_HOT,
            ),
        ),
        patience=16 / 256,
        # An epoch that is as good as the best one is no better.
        ties="first",
        tol=1e-9,
    ),
}
