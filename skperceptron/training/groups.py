"""Parameter groups: parts of the flat vectors that have their own settings of training.

An optimizer sees slices of the vectors, not names. Each slice has its own learning rate, and thus
its own coefficients. Decay and penalties are vectors of strengths, one number for each parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..engine.arrays import Floats
from ..engine.network import Network
from ..groups import ATTRIBUTES, ParameterGroup, ParameterGroups
from .member import GroupFactors, Recipe


@dataclass(frozen=True)
class Part:
    """A run of neighboring parameters whose learning rate has the same factor.

    ``factor`` is the position of that factor in ``Groups.rate_factors``.
    """

    place: slice
    factor: int


class Groups:
    """The parameter groups of a stack's members, as factors for each parameter.

    Parameters
    ----------
    recipes : sequence of Recipe
        Of the members.
    n_parameters : int
        Length of a member's vector (P).
    n_weights : int
        Length of its first part, which holds the weights.

    Attributes
    ----------
    n_weights : int
    rate_factors : list of tuple of float
        For each kind of part, the factors of the members' learning rates.
    parts : list of Part
        Together they are the whole vector.
    decay, penalty : ndarray of shape (K, P) or None
        Factors of the decay, and of the strength of the penalty, of each parameter. None means
        that both act on weights only.
    """

    def __init__(self, recipes: Sequence[Recipe], n_parameters: int, n_weights: int) -> None:
        self.n_weights = n_weights
        self.rate_factors = [tuple(1.0 for _ in recipes)]
        self.parts = [Part(slice(0, n_parameters), 0)]
        self.decay: Floats | None = None
        self.penalty: Floats | None = None
        if not any(recipe.groups for recipe in recipes):
            return
        # Most members have the same factors: these are found once for each kind of member.
        kinds: list[tuple[GroupFactors, ...]] = []
        kind_of = []
        for recipe in recipes:
            if recipe.groups not in kinds:
                kinds.append(recipe.groups)
            kind_of.append(kinds.index(recipe.groups))
        shape = (len(kinds), n_parameters)
        rates, decay = np.ones(shape), np.zeros(shape)
        decay[:, :n_weights] = 1
        penalty = decay.copy()
        for k, groups in enumerate(kinds):
            for group in groups:
                for place in group.places:
                    rates[k, place] = group.rate
                    decay[k, place] = group.decay
                    penalty[k, place] = group.penalty
        of_kinds, self.parts = _parts_of(rates)
        self.rate_factors = [tuple(factors[k] for k in kind_of) for factors in of_kinds]
        # A part that learns slowly also shrinks slowly, as in PyTorch.
        with np.errstate(over="ignore"):
            # Where that overflows, training diverges, which is reported.
            self.decay = (decay * rates).take(kind_of, axis=0)
        self.penalty = penalty.take(kind_of, axis=0)


def factors_of(
    groups: ParameterGroups, network: Network, layer_rate: Callable[[int], float] | None = None
) -> tuple[GroupFactors, ...]:
    """Return the factors that a user's groups give to the network of one member.

    Groups that change nothing are left out, and so are those without parameters in the network.
    ``layer_rate`` maps the number of inputs of a layer to a factor of its weights' learning rate,
    which leaves their decay unchanged.
    """
    found = []
    for name, group in groups.chosen().items():
        places = network.trained_places(ATTRIBUTES[name])
        if not places:
            continue
        usual = float(places[0].start < network.n_weights)
        decay = usual if group.decay is None else group.decay
        penalty = usual if group.penalty is None else group.penalty
        if (group.rate, decay, penalty) != (1, usual, usual):
            found.append(GroupFactors(tuple(places), group.rate, decay, penalty))
    if layer_rate is not None:
        group = groups.weight or ParameterGroup()
        decay = 1.0 if group.decay is None else group.decay
        penalty = 1.0 if group.penalty is None else group.penalty
        for place, n_inputs in network.rows_of_inputs():
            factor = layer_rate(n_inputs)
            # ``Groups`` multiplies the decay by the rate: the division takes ``factor`` out.
            found.append(GroupFactors((place,), group.rate * factor, decay / factor, penalty))
    return tuple(found)


def _parts_of(rates: Floats) -> tuple[list[tuple[float, ...]], list[Part]]:
    """Split vectors of factors, (K, P), wherever the factor of any member changes."""
    changes = np.flatnonzero((rates[:, 1:] != rates[:, :-1]).any(axis=0)) + 1
    factors: dict[tuple[float, ...], int] = {}
    parts = []
    for start, stop in pairwise([0, *changes.tolist(), rates.shape[1]]):
        of_part = tuple(rates[:, start].tolist())
        parts.append(Part(slice(start, stop), factors.setdefault(of_part, len(factors))))
    return list(factors), parts
