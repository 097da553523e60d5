"""The result of a fit: one object that predictions, drawings and inspection use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from .._sklearn.checks import FLOAT32, FLOAT64
from ..engine import Network
from ..engine.arrays import Floats, all_finite
from ..engine.network import Learned
from ..engine.prediction import Predictors, predict_raw
from ..kept import kept_as

#: Networks with more outputs than this predict ``TOGETHER`` numbers at a time (8 MB), if these are
#: then reduced to fewer, such as to one label per row.
FEW_OUTPUTS = 64
TOGETHER = 2**20

#: Attributes that every fitted estimator has, even if its network learns no such arrays.
ALWAYS_KEPT = ("coefs_", "intercepts_", "activation_parameters_", "normalization_parameters_")


class Outputs:
    """What a fitted network needs from its target: the units of predictions, and their link.

    By default, the network sees y in its own units.
    """

    @property
    def needs_float64(self) -> bool:
        """Whether float32 is not enough for predictions: they are then float64 for any X."""
        return False

    @property
    def link_name(self) -> str:
        """The name of the function that turns raw predictions into predicted values."""
        raise NotImplementedError

    def linked(self, raw: Floats) -> Floats:
        """Return predicted values for raw predictions in the network's units; both are (N, C)."""
        raise NotImplementedError

    def fold(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Turn the output layer from the network's units into those of y."""
        return weight, bias

    def unfold(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Undo ``fold``."""
        return weight, bias


@kept_as("fitted network")
@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A network, what it has learned, and the units of y.

    It is never changed, but its arrays are the same objects as the estimator's attributes.

    Attributes
    ----------
    network : Network
    target : Outputs
        What the network predicts: a Target, except in a RosenblattPerceptron.
    learned : mapping of str to list of ndarray
        Learned arrays, by the attribute that holds them, such as ``coefs_``; in units of y.
    predictors : Predictors
        Kept from one prediction to the next.
    """

    network: Network
    target: Any
    learned: Mapping[str, list[Floats]]
    predictors: Predictors = field(default_factory=Predictors)

    def __getstate__(self) -> dict[str, Any]:
        return {"network": self.network, "target": self.target, "learned": self.learned}

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = {name: state[name] for name in ("network", "target", "learned")}
        vars(self).update(kept, predictors=Predictors())

    @cached_property
    def predicts_float64(self) -> bool:
        """Whether predictions are float64 even if X is float32."""
        return bool(self.target.needs_float64)

    @classmethod
    def of_vector(
        cls, network: Network, target: Outputs, vector: Floats, dtype: np.dtype
    ) -> FittedNetwork:
        """Return the fitted network for parameters given as one vector in the network's units."""
        views = network.views(vector.astype(dtype)[np.newaxis])
        learned: dict[str, list[Floats]] = {name: [] for name in ALWAYS_KEPT}
        learned |= network.by_attribute(views)
        coefs, intercepts = learned["coefs_"], learned["intercepts_"]
        coefs[-1], intercepts[-1] = target.fold(coefs[-1], intercepts[-1])
        return cls(network, target, learned)

    @property
    def is_finite(self) -> bool:
        """Whether the output layer is finite everywhere."""
        last = self.learned["coefs_"][-1], self.learned["intercepts_"][-1]
        return all(bool(np.isfinite(array).all()) for array in last)

    def with_arrays_of(self, attributes: Mapping[str, Any]) -> FittedNetwork:
        """Return this network with arrays that the user has assigned to the estimator."""
        # A plain loop, which is fast: this runs whenever a single row is predicted.
        for name, arrays in self.learned.items():
            if attributes[name] is not arrays:
                return replace(self, learned={name: attributes[name] for name in self.learned})
        return self

    def views(self, dtype: Any = None, *, folded: bool = True) -> Learned:
        """List the learned arrays as the engine does, with a member axis.

        None keeps the dtype of each array. ``folded`` arrays are in units of y, others in the
        network's.
        """
        kept = self.learned
        if not folded:
            kept = unfolded(kept, self.target.unfold)
        learned = self.network.from_attributes(kept)
        if dtype is None:
            return learned
        return [tuple(array.astype(dtype, copy=False) for array in arrays) for arrays in learned]

    def raw_predictions(self, X: Any) -> Floats:
        """Return raw predictions, (n_samples, C), in units of y and in the dtype of X.

        They are float64 where float32 would overflow or lose too much precision. X has been
        checked.
        """
        dtype = FLOAT32 if X.dtype == FLOAT32 and not self.predicts_float64 else FLOAT64
        parts: list[Any] = [self.network]
        for name in self.network.attributes:
            parts += self.learned[name]
        predictor = self.predictors.take(dtype, parts, self.views)
        raw = predictor(X)
        self.predictors.put_back(dtype, parts, predictor)
        return raw if all_finite(raw) else self._predicted_in_float64(X, raw)

    def decoded(self, X: Any, decode: Callable[[Floats], Any]) -> Any:
        """Apply a function to raw predictions, block by block if these are many."""
        blocks = blocks_of_rows(X.shape[0], self.network.n_outputs)
        if len(blocks) == 1:
            return decode(self.raw_predictions(X))
        return joined([decode(self.raw_predictions(X[rows])) for rows in blocks])

    def _predicted_in_float64(self, X: Any, raw: Floats) -> Floats:
        """Predict again, in float64, the rows whose raw predictions are not finite."""
        lost = np.flatnonzero(~np.isfinite(raw).all(axis=1))
        raw = raw.astype(np.float64)
        raw[lost] = predict_raw(self.network, self.views(FLOAT64), X, lost)
        if not all_finite(raw):
            raise ValueError(
                f"X has {len(lost)} row(s), the first at position {lost[0]}, whose prediction"
                " overflows: their numbers are too large for this network. Scale X as it was"
                " scaled for the fit."
            )
        return raw


def blocks_of_rows(n_rows: int, n_outputs: int) -> list[slice]:
    """Cut rows into blocks of limited numbers of predictions."""
    size = max(1, TOGETHER // n_outputs) if n_outputs > FEW_OUTPUTS else n_rows
    return [slice(start, start + size) for start in range(0, n_rows, size)]


def unfolded(
    learned: Mapping[str, list[Floats]],
    unfold: Callable[[Floats, Floats], tuple[Floats, Floats]],
) -> Mapping[str, list[Floats]]:
    """Return learned arrays converted from units of y to the network's, by a target's method."""
    coefs, intercepts = list(learned["coefs_"]), list(learned["intercepts_"])
    coefs[-1], intercepts[-1] = unfold(coefs[-1], intercepts[-1])
    return {**learned, "coefs_": coefs, "intercepts_": intercepts}


def is_fitted(estimator: Any) -> bool:
    """Tell whether an estimator of this package has a network of its own."""
    return estimator._fitted_network() is not None


def fitted_network(estimator: Any) -> FittedNetwork:
    """Return the network with which an estimator of this package predicts, or raise NotFittedError.

    It has the arrays that the user has assigned to ``coefs_`` and similar attributes.
    """
    fitted: FittedNetwork | None = estimator._fitted_network()
    if fitted is None:
        check_is_fitted(estimator)
    assert fitted is not None
    return fitted


def drop_buffers(estimator: Any) -> None:
    """Drop the buffers of a network's own predictions: the next prediction makes new ones."""
    estimator._fitted.predictors.clear()


def share_predictors(estimator: Any, predictors: Predictors) -> None:
    """Let a network that predicts in turn with others use their predictors."""
    estimator._store_fitted(replace(estimator._fitted, predictors=predictors))


def joined(parts: Sequence[Any]) -> Any:
    """Join parts, one below the other, into one array or one sparse matrix."""
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts, format="csr")
    return np.concatenate(parts)
