"""What the multi-layer perceptrons share: fit, partial_fit and raw predictions.

A subclass chooses the kind of target (``_choose_target``) and what ``predict`` returns.
"""

from __future__ import annotations

import inspect
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._sklearn.checks import is_evidently_valid, restored_on_failure, validated
from .._sklearn.compat import CallbackSupportMixin, fit_context
from .._sklearn.fit_calls import NO_EXTRAS, Extras, FitMode
from .._sklearn.labels import validated_labels
from ..callbacks.autologging import autologged
from ..callbacks.listening import Listener, listening
from ..engine import Network
from ..engine.arrays import Floats
from ..options import is_immutable
from ..training import TargetRows
from .categories import (
    CategoryColumns,
    check_codes,
    embedded_columns,
    marks_columns_of_arrays,
    with_codes,
)
from .choices import Wiring, max_iter
from .continuation import Continuation, has_known_options
from .data import check_data, n_rows_of, refuse_sparse_embedding
from .features import HiddenFeaturesMixin
from .fitted import FittedNetwork
from .fitting import make_ready
from .model import Model
from .notebook import NotebookMixin
from .old_pickles import upgrade
from .parameters import NetworkParameters, check_parameters, is_lbfgs
from .run import Run
from .running import train
from .targets import Target

#: Attributes that hold a metric of each epoch, and the names of these metrics.
CURVES = {
    "loss_curve_": "loss",
    "validation_loss_curve_": "validation_loss",
    "validation_scores_": "validation_score",
}


def recorded_curves(network: BaseMultilayerPerceptron) -> dict[str, Floats]:
    """Return what the last fit has recorded of each epoch, by name of the metric."""
    found = {name: getattr(network, attribute, None) for attribute, name in CURVES.items()}
    return {name: np.asarray(curve) for name, curve in found.items() if curve is not None}


def is_stochastic(estimator: BaseMultilayerPerceptron) -> bool:
    """Tell ``available_if`` whether partial_fit makes sense."""
    if is_lbfgs(estimator.solver):
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers."
            f" {estimator.solver} is not stochastic."
        )
    return True


def unfitted(kind: type[Any], parameters: Mapping[str, Any]) -> Any:
    """Return a network of one of our classes, whose constructors only store their parameters."""
    network = object.__new__(kind)
    network.__dict__.update(parameters)
    return network


class BaseMultilayerPerceptron(
    HiddenFeaturesMixin,
    NotebookMixin,
    CallbackSupportMixin,
    NetworkParameters,
    metaclass=ABCMeta,
):
    """Base of the multi-layer perceptrons; not to be used directly."""

    _y_is_numeric = False

    #: By default, metadata routing passes ``groups`` to a search's splitter, not to its network.
    __metadata_request__fit = {"groups": False}

    #: Attributes that only some kinds of target set: a fit to another kind does not replace them.
    _attributes_of_targets: tuple[str, ...] = ()

    _fitted: FittedNetwork

    #: The state that a later call continues from; always replaced, never changed in place.
    _later = Continuation()

    #: Which columns are embedded, and the categories of those that do not hold numbers.
    _categories: CategoryColumns | None = None
    _category_values: dict[int, list[Any]] = {}

    coefs_: list[Floats]
    intercepts_: list[Floats]

    @abstractmethod
    def _choose_target(self, y: Any, mode: FitMode) -> Target:
        """Return the kind of target that y and the parameters ask for, not yet encoded."""

    def _weigh(
        self, target: Target, rows: TargetRows, sample_weight: Floats | None
    ) -> Floats | None:
        """Return the weights of the rows for training and validation."""
        return sample_weight

    def _build_network(self, wiring: Wiring, n_features: int, n_outputs: int) -> Network:
        return wiring.network(n_features, n_outputs)

    def _validate_training_data(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        X = with_codes(self, X, reset=reset)
        check = validated if self._y_is_numeric else validated_labels
        return check(self, X, y, multi_output=True, y_numeric=self._y_is_numeric, reset=reset)

    # Fitting.

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        coefs_init: Any = None,
        intercepts_init: Any = None,
        groups: Any = None,
    ) -> Self:
        """Fit the network to data X and targets y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, one or several for each row, or numbers. For an MLPSoftmaxClassifier, also
            a row of probabilities for each row of X.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        X_val, y_val : like X and y, default=None
            Validation data of your own: scored after each epoch, and used for early stopping
            instead of a part of X.

        sample_weight_val : array-like of shape (n_validation_samples,), default=None
            Non-negative weights of the validation rows.

        coefs_init, intercepts_init : list of array-like, default=None
            Initial weights and biases, shaped like ``coefs_`` and ``intercepts_`` and in their
            units. If None, they are drawn.

        groups : array-like of shape (n_samples,), default=None
            Rows of one group are held out together, if `early_stopping` holds rows out. Otherwise
            a warning says that it is ignored.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if training diverges. An earlier fit
            is then left as it was.
        """
        extras = Extras(X_val, y_val, sample_weight_val, coefs_init, intercepts_init, groups)
        return self._fit(X, y, sample_weight, incremental=False, extras=extras)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        incremental: bool,
        extras: Extras = NO_EXTRAS,
    ) -> Self:
        is_fitted = self.__sklearn_is_fitted__()
        mode = FitMode(is_fitted and (incremental or self.warm_start), incremental)
        n_epochs = 1 if incremental else max_iter(self, n_rows_of(X))
        logged = nullcontext() if incremental else autologged(self, X, recorded_curves)
        with (
            logged,
            restored_on_failure(self),
            listening(self, n_epochs, X, y, sample_weight) as listener,
        ):
            if incremental:
                listener.refuse_to_save("partial_fit")
                if not has_known_options(self):
                    # scikit-learn checks parameters in the first call only.
                    check_parameters(self)
                if self.early_stopping:
                    given = self.early_stopping
                    raise ValueError(f"partial_fit does not support early_stopping={given!r}")
            elif is_lbfgs(self.solver):
                listener.refuse_to_save(f"solver={self.solver!r}")
            checked = check_data(self, X, y, sample_weight, mode)
            run = make_ready(self, checked, mode, extras, listener)
            self._train(run, listener)
        return self

    def _train(self, run: Run, listener: Listener) -> None:
        # A method, because cross ensembles replace it in networks that they fit one by one.
        train(run, listener)

    def _store_description(self, model: Model) -> None:
        """Store what is known of a network before it has been trained."""
        loss = model.target.loss
        self.__dict__.update(model.target.attributes)
        self.dtype_ = model.dtype
        self.n_outputs_ = model.network.n_outputs
        self.n_layers_ = len(model.choices.wiring.hidden_sizes) + 2
        self.out_activation_ = loss.out_activation

    def _store_fitted(self, fitted: FittedNetwork) -> None:
        """Store the learned arrays of each block under the attribute that the block declares."""
        self._fitted = fitted
        self.__dict__.update(fitted.learned)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        upgrade(self)

    def __sklearn_clone__(self) -> Any:
        # A search clones its network hundreds of times. Plain values need no deep copies.
        values, kind = vars(self), type(self)
        is_ours = kind.__module__.partition(".")[0] == "skperceptron"
        is_plain = is_ours and values.keys() == {*self._get_param_names()}
        if not (is_plain and all(map(is_immutable, values.values()))):
            return super().__sklearn_clone__()
        return unfitted(kind, values)

    # Predicting.

    def _fitted_network(self) -> FittedNetwork | None:
        return self._network_as_assigned() if self.__sklearn_is_fitted__() else None

    def _network_as_assigned(self) -> FittedNetwork:
        """Return the fitted network with arrays that the user may have assigned to ``coefs_``."""
        return self._fitted.with_arrays_of(self.__dict__)

    def _raw_predictions(self, X: Any) -> Floats:
        """Return raw predictions, (n_samples, n_outputs), in the dtype of X.

        They are float64 where float32 would overflow or lose too much precision.
        """
        X = self._checked_to_predict(X)
        return self._network_as_assigned().raw_predictions(X)

    def __sklearn_is_fitted__(self) -> bool:
        # While the first fit runs, there are attributes such as `classes_`, but no weights yet.
        return "_fitted" in self.__dict__

    def _checked_to_predict(self, X: Any) -> Any:
        if not (self.__sklearn_is_fitted__() and is_evidently_valid(X, self)):
            check_is_fitted(self)
            X = validated(self, with_codes(self, X, reset=False), reset=False)
        refuse_sparse_embedding(self, X)
        check_codes(self, X, embedded_columns(self._categories))
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        reads_numbers = self.numeric_embedding is not None or self.ensemble_size is not None
        tags.input_tags.sparse = not reads_numbers and not marks_columns_of_arrays(self)
        tags.input_tags.categorical = self.categorical_features is not None
        return tags


# Constructors of networks have parameters of their own, and those that all networks share.


def takes_shared_parameters(init: Callable[..., None]) -> Callable[..., None]:
    """Replace ``**shared`` in a signature by the parameters that all networks share.

    scikit-learn and editors look parameters up in the signature.
    """
    own = inspect.signature(init).parameters
    shared = inspect.signature(BaseMultilayerPerceptron.__init__).parameters
    merged = [*own.values(), *(p for name, p in shared.items() if name not in own)]
    kept = [p for p in merged if p.kind is not p.VAR_KEYWORD]
    # Keyword-only parameters must come last; among them, the shared ones come first.
    order = {name: place for place, name in enumerate(shared)}
    kept.sort(key=lambda p: (p.kind, p.kind == p.KEYWORD_ONLY and order.get(p.name, len(order))))
    init.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]
    return init
