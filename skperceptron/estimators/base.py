"""What the three multi-layer perceptrons share: validation, fit and partial_fit.

A subclass says which kind of target the network is asked for (``_choose_target``) and what
``predict`` returns.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NoReturn

import numpy as np
from scipy import sparse
from scipy.optimize import OptimizeResult
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from .._sklearn.checks import (
    FLOAT32,
    FLOAT64,
    Extras,
    FitMode,
    check_sample_weight,
    checking,
    generator_of,
    is_evidently_valid,
    renaming,
    restored_on_failure,
    validated,
)
from .._sklearn.compat import CallbackSupportMixin, check_optimize_result, check_y
from ..callbacks.listening import Listener, NobodyListens, listening
from ..engine import Network, multilayer_perceptron
from ..engine.arrays import Floats, Integers, all_finite
from ..engine.network import Learned
from ..engine.prediction import Predictor, Predictors, predict_raw
from ..engine.rows import merge_equal_rows
from ..exceptions import DivergedError, TooLargeError
from ..initializers import ARRAYS, get_initializer
from ..losses import Loss
from ..optimizers import LBFGS
from ..options import check_option, plain
from ..stopping import EarlyStopping
from ..training import (
    EpochReport,
    Member,
    Recipe,
    Stack,
    TargetRows,
    TrainingSet,
    Verdict,
    epochs,
    minimize_lbfgs,
)
from ..training.checkpoint import State, restore, state_of
from ..training.groups import factors_of
from ..training.lbfgs import Budget
from ..training.member import Progress
from ..training.resting import RestingStack, is_small
from ..usercall import warn, warn_of_interruption
from .held_out import FEW_OUTPUTS, HeldOut, Validation, joined, split
from .notebook import NotebookMixin
from .parameters import NetworkParameters, is_lbfgs, owned
from .resumption import facts_of
from .start import initial_vector
from .targets import ATTRIBUTES_OF_VERSION_0_1, Target, target_of_version_0_1

#: From this many weights in one matrix on, ``dtype="auto"`` trains in float32.
FLOAT32_FROM = 2**12

#: Epochs of earlier calls whose figures are kept: a model that learns for years does not grow.
KEPT_EPOCHS = 1000

#: What a history holds, and where an estimator keeps it.
_CURVES = {
    "loss_curve": "loss_curve_",
    "validation_scores": "validation_scores_",
    "validation_losses": "validation_loss_curve_",
}

#: Numbers that a network of more outputs than ``FEW_OUTPUTS`` predicts at a time (8 MB), where
#: something shorter is made of them.
DESCRIBED = 2**20

#: Beside a mean loss, any other weights than zero count nothing against such a penalty.
LARGEST_PENALTY = 1e15

#: What a fitted estimator has even where its network learns nothing of the kind.
ALWAYS_KEPT = ("coefs_", "intercepts_", "activation_parameters_", "normalization_parameters_")

NO_EXTRAS = Extras()

_DIVERGED = (
    "Solver produced non-finite parameter weights. The input data may contain large values and"
    " need to be preprocessed (for example with StandardScaler): the training diverged"
)


@dataclass(frozen=True)
class CheckedData:
    """Checked data on its way into training.

    Attributes
    ----------
    data : TrainingSet
    y : ndarray
        Checked, not encoded.
    given : tuple
        X and y as the user gave them.
    sample_weight : ndarray of shape (N,) or None
        As given.
    weight : ndarray of shape (N,) or None
        What each row counts, class weights included.
    """

    data: TrainingSet
    y: Any
    given: tuple[Any, Any]
    sample_weight: Floats | None
    weight: Floats | None


def is_stochastic(estimator: BaseMultilayerPerceptron) -> bool:
    """Tell ``available_if`` whether partial_fit makes sense."""
    if is_lbfgs(estimator.solver):
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers."
            f" {estimator.solver} is not stochastic."
        )
    return True


class BaseMultilayerPerceptron(
    NotebookMixin, CallbackSupportMixin, NetworkParameters, metaclass=ABCMeta
):
    """Base of the multi-layer perceptrons; not to be used directly."""

    _y_is_numeric = False

    _target: Target

    #: Whether predictions are float64 even if X is float32.
    _predicts_float64 = False

    coefs_: list[Floats]
    intercepts_: list[Floats]

    @abstractmethod
    def _choose_target(self, y: Any, mode: FitMode) -> Target:
        """Return the kind of target that y and the parameters ask for, not yet encoded."""

    def _weigh(self, targets: TargetRows, sample_weight: Floats | None) -> Floats | None:
        """Return the weights of the rows for training and validation."""
        return sample_weight

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_loss" in state:
            self._target = target_of_version_0_1(state, type(self).__name__)
            for name in ATTRIBUTES_OF_VERSION_0_1:
                self.__dict__.pop(name, None)

    # Fitting.

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        incremental: bool,
        extras: Extras = NO_EXTRAS,
    ) -> BaseMultilayerPerceptron:
        n_epochs = 1 if incremental else int(self.max_iter)
        with (
            listening(self, n_epochs, X, y, sample_weight) as listener,
            restored_on_failure(self),
        ):
            if incremental or is_lbfgs(self.solver):
                listener.refuse_to_save("partial_fit" if incremental else f"solver={self.solver!r}")
            member, data = self._prepare(
                X,
                y,
                sample_weight,
                incremental=incremental,
                extras=extras,
                listener=listener,
            )
            if is_lbfgs(self.solver):
                self._train_lbfgs(member, data, listener)
            else:
                self._train_stochastic(member, data, listener, incremental=incremental)
        return self

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        incremental: bool,
        extras: Extras = NO_EXTRAS,
        listener: Listener | None = None,
    ) -> tuple[Member, TrainingSet]:
        """Check everything, wire the network, and return what is to be trained on what."""
        mode = FitMode(
            continuing=hasattr(self, "coefs_") and (incremental or self.warm_start),
            incremental=incremental,
        )
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        checked = self._check_data(X, y, sample_weight, mode)
        member = self._make_ready(checked, mode, extras, listener or NobodyListens())
        return member, checked.data

    def _check_data(self, X: Any, y: Any, sample_weight: Any, mode: FitMode) -> CheckedData:
        """Check the data, store what describes it, and encode the targets."""
        given = X, y
        X, y = self._validate_training_data(X, y, reset=not mode.continuing)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
        if not mode.continuing:
            self._forget()
        targets = self._encode(y, sample_weight, mode)
        weight = self._weigh(targets, sample_weight)
        return CheckedData(TrainingSet(X, targets), y, given, sample_weight, weight)

    def _encode(self, y: Any, sample_weight: Floats | None, mode: FitMode) -> TargetRows:
        """Check y, store what describes it (``classes_``...), return the network's targets."""
        target = self._choose_target(y, mode)
        earlier = self._target if mode.continuing else None
        rows = target.encode(y, sample_weight, mode, earlier)
        if earlier is not None:
            self._change_units(earlier, target)
        self._target = target
        return rows

    def _change_units(self, earlier: Target, now: Target) -> None:
        """Keep what the network predicts, though its targets come in other units."""
        if earlier.key_of_units == now.key_of_units:
            return
        # All other weights are kept in units of y.
        for name in ("_raw_parameters", "_average"):
            kept = getattr(self, name, None)
            if kept is not None:
                vector = kept.astype(np.float64)
                weight, bias = self._network.views(vector[np.newaxis])[-1]
                in_units_of_y = earlier.fold(weight[0], bias[0, 0])
                weight[0], bias[0, 0] = now.unfold(*in_units_of_y)
                setattr(self, name, vector)

    def _check_penalty(self, weight: Floats | None) -> None:
        """Refuse weights so small that nothing but the penalty would count."""
        if weight is not None and self.alpha / weight.sum() > LARGEST_PENALTY:
            raise ValueError(
                f"alpha={self.alpha!r} counts alpha / {weight.sum():.2g} beside the mean loss: the"
                " sum of sample_weight is too small for it. Multiply all weights by one factor, or"
                " use alpha=0."
            )

    def _check_room(self, n_rows: int) -> None:
        """Refuse a target that asks for arrays out of proportion."""
        # L-BFGS has no batches; its largest array is one of weights.
        batch = 1 if is_lbfgs(self.solver) else self._batch_rows(n_rows)
        if reason := self._target.too_large(max(batch, *self._hidden_sizes(), 1)):
            raise TooLargeError(reason)

    def _make_ready(
        self, checked: CheckedData, mode: FitMode, extras: Extras, listener: Listener
    ) -> Member:
        """Wire the network and return it, with its start, as a member of a stack."""
        data = checked.data
        self._check_penalty(checked.weight)
        self._refuse_sparse_embedding(data.X)
        self._check_room(data.n_rows)
        self.__dict__.update(self._target.attributes)
        rng = generator_of(self.random_state)
        loss = self._target.loss
        n_outputs = data.targets.n_outputs * loss.outputs_per_target
        if mode.continuing:
            if extras.coefs_init is not None or extras.intercepts_init is not None:
                raise ValueError(
                    "coefs_init and intercepts_init cannot be used with warm_start=True, which goes"
                    " on with the weights of the earlier fit."
                )
            self._rebuild_network(n_outputs)
        else:
            self._network = self._build_network(data.X.shape[1], n_outputs)
        saved = listener.resume(rng, lambda: facts_of(self, checked, extras, mode, rng))
        if mode.continuing:
            start = self._packed_parameters()
            progress = self._progress_so_far(mode)
            if not mode.incremental:
                self._forget_history()
        else:
            start = self._initial_parameters(rng, extras, data)
            progress = Progress()
        self.dtype_ = self._resolve_dtype()
        self.n_outputs_ = n_outputs
        self.n_layers_ = len(self._hidden_sizes()) + 2
        self.out_activation_ = loss.out_activation
        stopping = self._resolve_early_stopping()
        rows, held_out = self._hold_out(stopping, checked, extras, rng)
        noise = self._make_noise(rng)
        if mode.continuing and noise is not None:
            noise, rng = self._noise_to_go_on_with(noise, rng)
        n_samples = len(rows)
        rows, weight = self._rows_of_batches(data, rows, checked.weight)
        recipe = self._make_recipe(
            loss, n_samples, weight, stopping, held_out, incremental=mode.incremental
        )
        average = None if recipe.averaging is None else getattr(self, "_average", None)
        member = Member(recipe, start, rows, rng, noise, progress, average=average)
        if mode.incremental:
            self._go_on_with_optimizer(member)
        if saved is not None:
            restore(member, saved)
        return member

    def _refuse_sparse_embedding(self, X: Any) -> None:
        if self.numeric_embedding is not None and sparse.issparse(X):
            raise ValueError(
                f"numeric_embedding={self.numeric_embedding!r} needs dense X, got a sparse matrix:"
                " pass X.toarray(), or use numeric_embedding=None."
            )

    def _validate_training_data(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        return validated(self, X, y, multi_output=True, y_numeric=self._y_is_numeric, reset=reset)

    def _forget(self) -> None:
        """Drop what only continued training needs, and what not every fit replaces."""
        self._forget_history()
        learned = self._network.attributes if hasattr(self, "_network") else ()
        for name in ("_noise", *(name for name in learned if name not in ALWAYS_KEPT)):
            self.__dict__.pop(name, None)

    def _forget_history(self) -> None:
        """Drop what the next ``fit`` does not share, though it goes on from the weights."""
        for name in (
            "_optimizer_state",
            "_trained_by",
            "_resting",
            "_no_improvement",
            "_raw_parameters",
            "_average",
            "loss_curve_",
            "validation_scores_",
            "validation_loss_curve_",
            "best_validation_score_",
        ):
            self.__dict__.pop(name, None)

    def _build_network(self, n_features: int, n_outputs: int) -> Network:
        hidden = self._hidden_sizes()
        activations = self._resolve_activations()[: len(hidden)]
        for message in {a.untrainable_message for a in activations if not a.differentiable}:
            warn(message)
        normalization, embedding = self._resolve_normalization(), self._resolve_numeric_embedding()
        return multilayer_perceptron(
            n_features,
            hidden,
            n_outputs,
            [[a] for a in activations],
            self.skip_connections,
            normalize=None if normalization is None else normalization.block,
            dropout=[[rate] for rate in self._dropout_rates()],
            scale_inputs=bool(self.feature_scale),
            embed_numbers=None if embedding is None else embedding.block,
        )

    def _resolve_dtype(self) -> np.dtype:
        if is_lbfgs(self.solver):
            return np.dtype(np.float64)
        if not (isinstance(self.dtype, str) and self.dtype == "auto"):
            return np.dtype(self.dtype)
        learned = (array for node in self._network.nodes for array in node.block.learned)
        largest = max(array.size for array in learned if array.is_weight)
        return np.dtype(np.float32 if largest >= FLOAT32_FROM else np.float64)

    def _initial_parameters(
        self, rng: np.random.RandomState, extras: Extras, data: TrainingSet
    ) -> Floats:
        """Draw where the network starts, and put the user's own arrays into it."""
        initializer = owned(get_initializer(self.initializer), self.initializer)
        initializer.check_parameters()
        activations = self._resolve_activations()
        vector = initial_vector(self._network, initializer, activations, rng, data)
        coefs, intercepts = extras.coefs_init, extras.intercepts_init
        self._start_where_told(
            vector,
            initializer.coefs_init if coefs is None else coefs,
            initializer.intercepts_init if intercepts is None else intercepts,
        )
        return vector[0]

    def _start_where_told(self, vector: Floats, coefs: Any, intercepts: Any) -> None:
        """Put the user's own arrays into the place of those that were drawn."""
        drawn = self._network.by_attribute(self._network.views(vector))
        weights, biases = drawn["coefs_"], drawn["intercepts_"]
        own_weights = self._check_start("coefs_init", coefs, weights)
        own_biases = self._check_start("intercepts_init", intercepts, biases)
        for place, own in zip([*weights, *biases], [*own_weights, *own_biases], strict=True):
            place[...] = place if own is None else own
        # The user speaks the units of y.
        given = coefs is not None, intercepts is not None
        if any(given):
            unfolded = self._target.unfold(weights[-1], biases[-1])
            for place, own, is_given in zip(
                (weights[-1], biases[-1]), unfolded, given, strict=True
            ):
                if is_given:
                    place[...] = own

    def _check_start(
        self, name: str, given: Any, drawn: Sequence[Floats]
    ) -> Sequence[Floats | None]:
        if given is None:
            return [None] * len(drawn)
        check_option(type(self).__name__, name, given, [ARRAYS, None])
        if len(given) != len(drawn):
            raise ValueError(f"{name} has {len(given)} arrays, but there are {len(drawn)} layers.")
        arrays = []
        for layer, (array, expected) in enumerate(zip(given, drawn, strict=True)):
            try:
                with checking():
                    checked = check_array(array, ensure_2d=False, dtype=np.float64, input_name=name)
            except (TypeError, ValueError, OverflowError) as error:
                raise ValueError(
                    f"{name}[{layer}] is no array of finite numbers: {error}"
                ) from None
            if checked.shape != expected.shape:
                raise ValueError(
                    f"{name}[{layer}] has shape {checked.shape}, but layer {layer} needs"
                    f" {expected.shape}."
                )
            arrays.append(checked)
        return arrays

    def _rebuild_network(self, n_outputs: int) -> None:
        """Wire the network anew for the weights of the earlier fit; activations may change."""
        resting, options = self._resting_stack(), self._plain_options()
        is_wired = resting.network is self._network and self._network.n_outputs == n_outputs
        if options is not None and is_wired and resting.options == options:
            return
        now = self._build_network(self.n_features_in_, n_outputs)
        if _what_is_learned(now) != _what_is_learned(self._network):
            raise ValueError(
                "warm_start and partial_fit go on with the weights of the earlier fit: "
                f"hidden_layer_sizes={self.hidden_layer_sizes!r}, skip_connections="
                f"{self.skip_connections!r}, normalization={self.normalization!r},"
                f" feature_scale={self.feature_scale!r}, numeric_embedding="
                f"{self.numeric_embedding!r}, the number of outputs"
                f" (loss={self.loss!r}), and what activation={self.activation!r} learns"
                " must stay as they were."
            )
        self._network = now
        resting.network, resting.options = now, options

    def _fitted_views(self, dtype: np.dtype | None = None, *, folded: bool = True) -> Learned:
        """List what has been learned as the engine does; in its own dtypes, if none is given."""
        kept = {name: getattr(self, name) for name in self._network.attributes}
        if not folded:
            coefs, intercepts = list(self.coefs_), list(self.intercepts_)
            coefs[-1], intercepts[-1] = self._target.unfold(coefs[-1], intercepts[-1])
            kept |= {"coefs_": coefs, "intercepts_": intercepts}
        learned = self._network.from_attributes(kept)
        if dtype is None:
            return learned
        return [tuple(array.astype(dtype, copy=False) for array in arrays) for arrays in learned]

    def _packed_parameters(self) -> Floats:
        """Return the parameters to go on from as one new vector, in the network's units."""
        raw: Floats | None = getattr(self, "_raw_parameters", None)
        if raw is not None:
            return raw.astype(np.float64)
        vector = np.empty((1, self._network.n_parameters))
        fitted = self._fitted_views(vector.dtype, folded=False)
        for places, arrays in zip(self._network.views(vector), fitted, strict=True):
            for place, array in zip(places, arrays, strict=True):
                place[:] = array
        return vector[0]

    def _make_recipe(
        self,
        loss: Loss,
        n_samples: int,
        sample_weight: Floats | None,
        stopping: EarlyStopping | None,
        held_out: HeldOut | None,
        *,
        incremental: bool,
    ) -> Recipe:
        """Return how the network is trained, and on which rows it is validated."""
        optimizer = self._make_optimizer()
        if is_lbfgs(self.solver) and (self.l1_ratio or self.max_grad_norm is not None):
            raise ValueError(
                f"solver={self.solver!r} needs a smooth objective: l1_ratio={self.l1_ratio!r} must"
                f" be 0 and max_grad_norm={self.max_grad_norm!r} must be None."
            )
        rules = EarlyStopping() if stopping is None else stopping
        return Recipe(
            loss=loss,
            optimizer=optimizer,
            schedule=self._make_schedule(optimizer, incremental=incremental),
            learning_rate=plain(self.learning_rate_init),
            alpha=plain(self.alpha),
            n_samples=n_samples,
            l1_ratio=plain(self.l1_ratio),
            max_grad_norm=np.inf if self.max_grad_norm is None else plain(self.max_grad_norm),
            sample_weight=sample_weight,
            shuffle=self.shuffle,
            validate=None if held_out is None else Validation(self, rules.monitor, held_out),
            validates_every=rules.every,
            prefers_latest=rules.ties == "latest",
            watches_score=stopping is not None and held_out is not None,
            restores_best=rules.restore_best,
            max_iter=plain(self.max_iter),
            tol=plain(self.tol if rules.tol is None else rules.tol),
            n_iter_no_change=plain(
                self.n_iter_no_change if rules.patience is None else rules.patience
            ),
            max_seconds=np.inf if self.max_time is None else plain(self.max_time),
            averaging=self._resolve_averaging(incremental=incremental),
            groups=factors_of(self._resolve_groups(), self._network, self._layer_rate(optimizer)),
            decay_schedule=self._make_decay_schedule(incremental=incremental),
            drop_last=bool(self.drop_last),
        )

    def _hold_out(
        self,
        stopping: EarlyStopping | None,
        checked: CheckedData,
        extras: Extras,
        rng: np.random.RandomState,
    ) -> tuple[Integers, HeldOut | None]:
        """Return the rows to train on, and those to validate on."""
        all_rows = np.arange(checked.data.n_rows)
        if self._has_own_validation_data(extras):
            return all_rows, self._check_validation_data(extras)
        if stopping is None or is_lbfgs(self.solver):
            return all_rows, None
        rows, held_out = self._split(checked.data, rng)
        self._check_weights_of_split(checked.weight, rows, held_out)
        return rows, HeldOut(checked.data, checked.y, checked.weight, checked.given, held_out)

    def _has_own_validation_data(self, extras: Extras) -> bool:
        X, y, weight = extras.X_val, extras.y_val, extras.sample_weight_val
        if (X is None) != (y is None):
            raise ValueError("X_val and y_val must be given together.")
        if X is None and weight is not None:
            raise ValueError("sample_weight_val needs X_val and y_val.")
        if X is not None and is_lbfgs(self.solver):
            raise ValueError(
                f"X_val and y_val need a stochastic solver, got solver={self.solver!r}."
            )
        return X is not None

    def _check_validation_data(self, extras: Extras) -> HeldOut:
        """Check the user's own validation data; errors name its parameters."""
        weight = extras.sample_weight_val
        with renaming("X", "X_val"):
            X = validated(self, extras.X_val, reset=False)
            self._refuse_sparse_embedding(X)
        with renaming("y", "y_val"):
            y = check_y(extras.y_val, True, self._y_is_numeric, estimator=self)
        with renaming("", "X_val and y_val"):
            check_consistent_length(X, y)
        with renaming("sample_weight", "sample_weight_val"):
            weight = None if weight is None else check_sample_weight(weight, X)
        with renaming("y", "y_val"):
            targets = self._target.encode_validation(y)
            weight = self._weigh(targets, weight)
        return HeldOut(TrainingSet(X, targets), y, weight, (extras.X_val, extras.y_val))

    def _rows_of_batches(
        self, data: TrainingSet, rows: Integers, weight: Floats | None
    ) -> tuple[Integers, Floats | None]:
        """Return the rows as batches take them, and what they weigh: a full batch merges them."""
        if is_lbfgs(self.solver) or self._batch_rows(len(rows)) != len(rows):
            return rows, weight
        return _in_canonical_order(data, rows, weight)

    def _make_noise(self, rng: np.random.RandomState) -> np.random.Generator | None:
        """Return the source of dropout; without dropout nothing is drawn from ``rng``."""
        if not any(self._dropout_rates()):
            return None
        return np.random.default_rng(rng.randint(2**32, size=4, dtype=np.uint32))

    def _split(self, data: TrainingSet, rng: np.random.RandomState) -> tuple[Integers, Integers]:
        """Draw the validation rows."""
        if not self.validation_fraction:
            raise ValueError(
                f"validation_fraction={self.validation_fraction!r} must be in the range (0.0, 1.0)"
                " if early_stopping=True."
            )
        labels = self._target.labels_of(data.targets)
        rows, held_out = split(data.n_rows, plain(self.validation_fraction), labels, rng)
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' "
                "or the size of your dataset."
            )
        return rows, held_out

    def _check_weights_of_split(
        self, weight: Floats | None, rows: Integers, held_out: Integers
    ) -> None:
        """Refuse a split of which one part counts nothing."""
        if weight is None or (weight[rows].any() and weight[held_out].any()):
            return
        part = "validation" if weight[rows].any() else "training"
        raise ValueError(
            f"With early_stopping=True, all rows of the {part} set have a weight of zero. Leave out"
            " rows of weight zero, or pass X_val and y_val."
        )

    def _noise_to_go_on_with(
        self, noise: np.random.Generator, rng: np.random.RandomState
    ) -> tuple[np.random.Generator, np.random.RandomState]:
        """Let dropout go on from the earlier call, where a seed would draw its masks again.

        Shuffles go on with it. Without dropout they are scikit-learn's, seeded in each call.
        """
        seed, earlier = getattr(self, "_noise", (None, None))
        if earlier is None or seed != self.random_state:
            return noise, rng
        # The earlier fit keeps its own, should this one fail.
        return deepcopy(earlier), np.random.RandomState([seed, self.t_ % 2**32])

    def _progress_so_far(self, mode: FitMode) -> Progress:
        """Return the history to go on with: ``fit`` judges by its own, ``partial_fit`` by all."""
        # L-BFGS counts iterations, which are no epochs to go on from.
        had_epochs = hasattr(self, "_no_improvement")
        earlier = {
            name: list(((had_epochs and getattr(self, attribute, None)) or ())[-KEPT_EPOCHS:])
            for name, attribute in _CURVES.items()
        }
        if not mode.incremental:
            return Progress(rows_seen=self.t_, earlier=earlier)
        best: float | None = self.best_loss_ if had_epochs else None
        return Progress(
            loss_curve=earlier["loss_curve"],
            best_loss=np.inf if best is None else best,
            no_improvement=0 if best is None else self._no_improvement,
            rows_seen=self.t_,
        )

    def _go_on_with_optimizer(self, member: Member) -> None:
        """Take over moments and learning rate of the earlier call, where they are still meant."""
        if not hasattr(self, "_optimizer_state"):
            return
        recipe = member.recipe
        now = recipe.optimizer, recipe.schedule, recipe.learning_rate
        optimizer, schedule, initial_rate = getattr(self, "_trained_by", now)
        vectors, steps, rate = self._optimizer_state
        if type(optimizer) is type(recipe.optimizer):
            member.optimizer_state, member.steps = vectors, steps
        if initial_rate == recipe.learning_rate and _are_alike(schedule, recipe.schedule):
            member.current_rate = rate
        else:
            member.current_rate = recipe.schedule.after_epoch(
                recipe.learning_rate, recipe.learning_rate, member.progress.rows_seen
            )

    def _train_stochastic(
        self, member: Member, data: TrainingSet, listener: Listener, *, incremental: bool
    ) -> None:
        self._warn_of_clipped_batch(member)
        # A fit that was saved when it had ended is not gone on with.
        if not member.is_over:
            size = self._batch_rows(member.recipe.n_samples)
            stack, rest = self._stack_of(member, data, size, incremental=incremental)
            try:
                self._run_epochs(stack, member, listener, incremental=incremental)
            except KeyboardInterrupt:
                warn_of_interruption(self, f"{member.n_iter} epochs")
            stack.retire(range(len(stack.members)))
            rest()
        self._finish(member)

    def _stack_of(
        self, member: Member, data: TrainingSet, size: int, *, incremental: bool
    ) -> tuple[Stack, Callable[[], None]]:
        """Return a stack of the member, and what is to be called when it has done its work."""

        def make(own: TrainingSet) -> Stack:
            return Stack(self._network, [member], own, size, self.dtype_)

        if not (incremental and is_small(member, data)):
            return make(data), lambda: None
        resting = self._resting_stack()
        if resting.network is not self._network:
            resting.network, resting.options = self._network, self._plain_options()
        if resting.options is None:
            return make(data), lambda: None
        # Labels of classes are told by codes, and their table by their number.
        key = (
            resting.options,
            (data.X.shape, data.X.dtype, len(member.rows), size, self.dtype_),
            tuple(of for node in _what_is_learned(self._network) for of in node),
            (data.targets.n_outputs, data.targets.codes is None),
            self._target.key_of_units,
        )
        stack = resting.take(key, member, data, make)
        return stack, lambda: resting.put_back(key, stack)

    def _resting_stack(self) -> RestingStack:
        """Return what keeps a stack for the next call."""
        if not hasattr(self, "_resting"):
            self._resting = RestingStack()
        return self._resting

    def _plain_options(self) -> tuple[Any, ...] | None:
        """Return the parameters, if all are plain values: an object may change inside."""
        values = [
            getattr(self, name)
            for name in self._get_param_names()
            if name not in ("callbacks", "random_state", "verbose", "class_weight")
        ]
        values = [tuple(value) if isinstance(value, list) else value for value in values]
        parts = [part for v in values for part in (v if isinstance(v, tuple) else (v,))]
        if all(part is None or isinstance(part, str | int | float) for part in parts):
            return tuple(values)
        return None

    def _run_epochs(
        self, stack: Stack, member: Member, listener: Listener, *, incremental: bool
    ) -> None:
        reports = epochs(stack, stop_when_exhausted=not incremental)

        def fitted() -> dict[str, Any]:
            self._publish(stack)
            estimator = copy(self)
            estimator._keep(member)
            return dict(vars(estimator))

        def state() -> State:
            self._publish(stack)
            return state_of(member)

        while not member.is_over:
            listener.begin("epoch")
            (report,) = next(reports)
            if member.failure is not None:
                raise member.failure
            self._say(report)
            if listener.end(_figures(report), fitted, state) and not member.diverged:
                # What a callback asks for is no lack of convergence.
                member.verdict = Verdict.STOP
            if incremental:
                break

    def _publish(self, stack: Stack) -> None:
        for k in range(len(stack.members)):
            stack.publish(k)

    def _warn_of_clipped_batch(self, member: Member) -> None:
        given, n_samples = self.batch_size, member.recipe.n_samples
        if not isinstance(given, str) and not callable(given) and given > n_samples:
            warn(
                f"Got batch_size={self.batch_size}, larger than the sample size"
                f" {member.recipe.n_samples}. It is going to be clipped."
            )

    def _finish(self, member: Member) -> None:
        """Take over what training has made of the member that ``_prepare`` returned."""
        if member.failure is not None:
            raise member.failure
        if member.diverged or not np.isfinite(member.parameters).all():
            self._refuse_diverged()
        if not _was_planned(member):
            self._warn_unconverged(member.verdict)
        self._keep(member)

    def _refuse_diverged(self) -> NoReturn:
        rate = f". Or learning_rate_init={self.learning_rate_init!r} is too large"
        raise DivergedError(f"{_DIVERGED}{'' if is_lbfgs(self.solver) else rate}.")

    def _warn_unconverged(self, verdict: Verdict) -> None:
        limits = {
            Verdict.EXHAUSTED: f"Maximum iterations ({self.max_iter})",
            Verdict.OUT_OF_TIME: f"Maximum time ({self.max_time} seconds)",
        }
        if verdict in limits:
            warn(
                f"{'L-BFGS' if is_lbfgs(self.solver) else 'Stochastic Optimizer'}:"
                f" {limits[verdict]} reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
            )

    def _say(self, report: EpochReport) -> None:
        """Print one epoch's report, in scikit-learn's words."""
        if not self.verbose:
            return
        print(f"Iteration {report.epoch}, loss = {report.loss:.8f}")
        if report.score is not None:
            print(f"Validation score: {report.score:f}")
        if report.verdict in (Verdict.STOP, Verdict.SLOW_DOWN):
            recipe = report.member.recipe
            watched = "Validation score" if recipe.watches_score else "Training loss"
            outcome = "Stopping."
            if report.verdict is Verdict.SLOW_DOWN:
                outcome = f"Setting learning rate to {report.member.current_rate:f}"
            print(
                f"{watched} did not improve more than tol={recipe.tol:f} for"
                f" {recipe.n_iter_no_change} consecutive epochs. {outcome}"
            )

    def _keep(self, member: Member) -> None:
        """Store what stochastic training has brought."""
        recipe, progress = member.recipe, member.progress
        watches_score = recipe.watches_score
        is_validated = recipe.validate is not None
        # What training goes on from, where predictions use something else.
        self._raw_parameters = None if member.average is None else member.parameters
        self._average = member.average
        predicting = member.parameters if member.average is None else member.average
        if watches_score and member.best_parameters is not None:
            predicting = member.best_parameters
            self._raw_parameters = self._average = None
        self._store_parameters(predicting)
        self.loss_curve_ = progress.all_of("loss_curve")
        self.loss_ = progress.loss_curve[-1] if progress.loss_curve else np.inf
        self.best_loss_ = None if watches_score else progress.best_loss
        scores, losses = map(progress.all_of, ("validation_scores", "validation_losses"))
        self.validation_scores_ = scores if is_validated else None
        self.validation_loss_curve_ = losses if is_validated else None
        self.best_validation_score_ = progress.best_score if watches_score else None
        self.n_iter_ = member.n_iter
        self.t_ = progress.rows_seen
        self._no_improvement = progress.no_improvement
        self._optimizer_state = (member.optimizer_state, member.steps, member.current_rate)
        self._trained_by = recipe.optimizer, recipe.schedule, recipe.learning_rate
        if member.noise is not None and isinstance(self.random_state, Integral):
            self._noise = int(self.random_state), member.noise

    def _train_lbfgs(self, member: Member, data: TrainingSet, listener: Listener) -> None:
        losses: list[float] = []

        def tell(last: OptimizeResult) -> bool:
            losses.append(float(last.loss))
            report = {
                "epoch": last.nit,
                "loss": losses[-1],
                "history": {"loss": losses},
                "is_last": False,
            }
            if self.verbose:
                print(f"Iteration {last.nit}, loss = {losses[-1]:.8f}")
            stops = listener.end(report, lambda: self._attributes_at(last, losses))
            if last.nit < self.max_iter:
                listener.begin("iteration")
            return stops

        recipe = member.recipe
        assert isinstance(recipe.optimizer, LBFGS)
        max_fun = recipe.optimizer.max_fun
        budget = Budget(recipe.max_iter, max_fun, recipe.tol, recipe.max_seconds)
        listener.begin("iteration")
        result, interrupted = minimize_lbfgs(self._network, member, data, budget, tell)
        # The iteration that has begun last does not take place.
        listener.close()
        if not (np.isfinite(result.x).all() and np.isfinite(result.fun)):
            self._refuse_diverged()
        if interrupted:
            warn_of_interruption(self, f"{result.nit} iterations")
            self.n_iter_ = result.nit
        elif result.ending is not None:
            self.n_iter_ = result.nit
            self._warn_unconverged(result.ending)
        else:
            self.n_iter_ = check_optimize_result("lbfgs", result, self.max_iter)
        if self.verbose:
            print(f"L-BFGS: {self.n_iter_} iterations, loss = {result.loss:.8f}")
        self._keep_iterate(result, losses)

    def _keep_iterate(self, result: OptimizeResult, losses: list[float]) -> None:
        self._store_parameters(result.x)
        self.loss_ = self.best_loss_ = float(result.loss)
        self.loss_curve_ = list(losses)
        self.t_ = 0

    def _attributes_at(self, result: OptimizeResult, losses: list[float]) -> dict[str, Any]:
        estimator = copy(self)
        estimator.n_iter_ = result.nit
        estimator._keep_iterate(result, losses)
        return dict(vars(estimator))

    def _store_parameters(self, vector: Floats) -> None:
        views = self._network.views(vector.astype(self.dtype_)[np.newaxis])
        self._keep_learned(self._network.by_attribute(views))
        folded = self._target.fold(self.coefs_[-1], self.intercepts_[-1])
        self.coefs_[-1], self.intercepts_[-1] = folded
        self._predictors = Predictors()
        self._predicts_float64 = self._target.needs_float64
        if not (np.isfinite(self.coefs_[-1]).all() and np.isfinite(self.intercepts_[-1]).all()):
            self._refuse_diverged()

    def _keep_learned(self, learned: Mapping[str, list[Floats]]) -> None:
        """Store what each block has learned under the attribute that it declares."""
        for name in ALWAYS_KEPT:
            setattr(self, name, [])
        self.__dict__.update(learned)

    # Predicting.

    def _raw_predictions(self, X: Any) -> Floats:
        """Return raw predictions, (n_samples, n_outputs), in the dtype of X.

        They are float64 where float32 has no room for them.
        """
        return self._raw_predictions_of(self._checked_to_predict(X))

    def _described(self, X: Any, describe: Callable[[Floats], Any]) -> Any:
        """Return what a function makes of raw predictions, block by block if these are many."""
        X = self._checked_to_predict(X)
        if self.n_outputs_ <= FEW_OUTPUTS or X.shape[0] * self.n_outputs_ <= DESCRIBED:
            return describe(self._raw_predictions_of(X))
        size = max(1, DESCRIBED // self.n_outputs_)
        parts = [
            describe(self._raw_predictions_of(X[start : start + size]))
            for start in range(0, X.shape[0], size)
        ]
        return joined(parts)

    def _checked_to_predict(self, X: Any) -> Any:
        if is_evidently_valid(X, self):
            return X
        check_is_fitted(self)
        X = validated(self, X, reset=False)
        self._refuse_sparse_embedding(X)
        return X

    def _raw_predictions_of(self, X: Any) -> Floats:
        """Return the raw predictions of an X that has been checked."""
        dtype = FLOAT32 if X.dtype == FLOAT32 and not self._predicts_float64 else FLOAT64
        parts = [self._network]
        for name in self._network.attributes:
            parts += getattr(self, name)
        predictor = self._predictors.take(
            dtype, parts, lambda: Predictor(self._network, self._fitted_views(), dtype)
        )
        raw = predictor(X)
        self._predictors.put_back(dtype, parts, predictor)
        return raw if all_finite(raw) else self._predicted_in_float64(X, raw)

    def _predicted_in_float64(self, X: Any, raw: Floats) -> Floats:
        """Predict those rows again of which the given raw predictions are not finite."""
        lost = np.flatnonzero(~np.isfinite(raw).all(axis=1))
        raw = raw.astype(np.float64)
        raw[lost] = predict_raw(self._network, self._fitted_views(FLOAT64), X, lost)
        if not all_finite(raw):
            raise ValueError(
                f"X has {len(lost)} row(s), the first at position {lost[0]}, whose prediction"
                " overflows: their numbers are too large for this network. Scale X as it was"
                " scaled for the fit."
            )
        return raw

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.numeric_embedding is None
        return tags


def _was_planned(member: Member) -> bool:
    """Tell whether a member that has trained to its last epoch was asked to do just that.

    So it is where the best epoch is kept and patience has no end. So it is too where a schedule
    ends with the last epoch, and no rule could have stopped training before: the patience is as
    long as training, or there is no tolerance.
    """
    recipe = member.recipe
    if member.verdict is not Verdict.EXHAUSTED:
        return False
    if recipe.watches_score and recipe.restores_best and recipe.n_iter_no_change == np.inf:
        return True
    if not recipe.schedule.needs_max_iter:
        return False
    is_patient = recipe.n_iter_no_change >= recipe.max_iter
    return is_patient or not (recipe.watches_score or recipe.tol)


def _figures(report: EpochReport) -> dict[str, Any]:
    """Return what callbacks are told of an epoch."""
    progress = report.member.progress
    figures: dict[str, Any] = {
        "epoch": report.epoch,
        "loss": report.loss,
        "learning_rate": report.learning_rate,
    }
    history = {"loss": progress.loss_curve}
    if report.member.recipe.validate is not None and not report.member.diverged:
        history["validation_score"] = progress.validation_scores
        history["validation_loss"] = progress.validation_losses
        figures |= {name: values[-1] for name, values in history.items()}
    return {**figures, "history": history, "is_last": report.member.is_over}


def _what_is_learned(network: Network) -> list[tuple[Any, ...]]:
    """Describe the blocks whose weights a later call goes on with; dropout may come and go."""
    described: list[tuple[Any, ...]] = []
    for node in network.nodes:
        if node.block.kind != "dropout":
            activations = getattr(node.block, "activations", ()) if node.block.learned else ()
            kinds = tuple(activation.__class__ for activation in activations)
            described.append((node.name, node.block.kind, kinds, node.block.learned))
    return described


def _are_alike(one: Any, other: Any) -> bool:
    """Tell whether two components are of one kind with equal parameters."""
    if type(one) is not type(other) or vars(one).keys() != vars(other).keys():
        return False
    return all(
        value is vars(other)[name] or np.array_equal(value, vars(other)[name])
        for name, value in vars(one).items()
    )


def _in_canonical_order(
    data: TrainingSet, rows: Integers, sample_weight: Floats | None
) -> tuple[Integers, Floats | None]:
    """Order the rows of a full batch by their content and merge equal ones.

    Where one batch holds all rows, their order and the difference between a row that is
    repeated and one that counts twice are nothing but rounding. Removing it makes
    weights and repetitions agree bit for bit, in float32 too, and saves work.
    """
    if len(rows) == 1:
        return rows, sample_weight
    keys = data.targets.keys
    if data.more:
        stacked = sparse.hstack if sparse.issparse(keys) else np.hstack
        keys = stacked([keys, *data.more.values()])
    kept, merged = merge_equal_rows(data.X, keys, sample_weight, rows)
    if sample_weight is None and (merged == 1).all():
        return kept, None
    weights = np.zeros(data.n_rows)
    weights[kept] = merged
    return kept, weights
