"""Parameter groups: a learning rate and penalties for each kind of learned arrays.

A kind is all arrays that estimators keep under one attribute, such as the biases in
``intercepts_``.
"""

from __future__ import annotations

from .components import Component, Interval
from .options import Instance

__all__ = ["ParameterGroup", "ParameterGroups"]

#: The attribute of an estimator that holds the arrays of each kind.
ATTRIBUTES = {
    "weight": "coefs_",
    "bias": "intercepts_",
    "activation": "activation_parameters_",
    "activation_share": "activation_shares_",
    "adapter": "adapters_",
    "normalization": "normalization_parameters_",
    "feature_scale": "feature_scales_",
    "embedding": "embeddings_",
    "numeric_embedding": "numeric_embeddings_",
}

_NOT_NEGATIVE = Interval(0, low_closed=True)


class ParameterGroup(Component):
    """How one kind of learned arrays is trained, compared with the whole network.

    Parameters
    ----------
    rate : float, default=1.0
        Factor on the learning rate, >= 0. With 0 the arrays keep their initial values.
    decay : float, default=None
        Factor on the decoupled weight decay of the optimizer (Loshchilov & Hutter 2019), >= 0.
        None means 1 for weights and embeddings, 0 for all others. As in PyTorch, decay is also
        multiplied by the learning rate, and so by `rate`.
    penalty : float, default=None
        Factor on `alpha`, >= 0. None means 1 for weights and embeddings, 0 for all others.

    Examples
    --------
    >>> from skperceptron.groups import ParameterGroup
    >>> ParameterGroup(rate=0.1)
    ParameterGroup(rate=0.1)
    """

    ranges = {"rate": _NOT_NEGATIVE}
    rules = {"decay": [_NOT_NEGATIVE, None], "penalty": [_NOT_NEGATIVE, None]}

    def __init__(
        self, rate: float = 1.0, decay: float | None = None, penalty: float | None = None
    ) -> None:
        self.rate = rate
        self.decay = decay
        self.penalty = penalty


class ParameterGroups(Component):
    """A :class:`ParameterGroup` for each kind of learned arrays; None changes nothing.

    For tables, Holzmüller et al. (2024), *Better by default*, use a tenth of the learning rate for
    biases and six times the rate for feature scales. Groups for arrays that a network does not have
    are ignored.

    Parameters
    ----------
    weight : ParameterGroup, default=None
        The weight matrices, ``coefs_``.
    bias : ParameterGroup, default=None
        The biases, ``intercepts_``.
    activation : ParameterGroup, default=None
        What activations such as PReLU learn, ``activation_parameters_``.
    activation_share : ParameterGroup, default=None
        How far each unit follows its activation, ``activation_shares_``.
    adapter : ParameterGroup, default=None
        What differs between networks that share weights, ``adapters_``.
    normalization : ParameterGroup, default=None
        Factors and shifts of normalized layers, ``normalization_parameters_``. Running
        statistics are not affected.
    feature_scale : ParameterGroup, default=None
        The factors of the features, ``feature_scales_``.
    embedding : ParameterGroup, default=None
        The tables of category embeddings, ``embeddings_``.
    numeric_embedding : ParameterGroup, default=None
        What embeddings of numeric features learn, ``numeric_embeddings_``.

    Examples
    --------
    >>> from skperceptron import MLPBinaryClassifier
    >>> from skperceptron.groups import ParameterGroup, ParameterGroups
    >>> network = MLPBinaryClassifier(parameter_groups=ParameterGroups(bias=ParameterGroup(0.1)))
    >>> network.set_params(parameter_groups__bias__rate=0.5).parameter_groups.bias
    ParameterGroup(rate=0.5)
    """

    rules = {name: [Instance(ParameterGroup), None] for name in ATTRIBUTES}

    def __init__(
        self,
        weight: ParameterGroup | None = None,
        bias: ParameterGroup | None = None,
        activation: ParameterGroup | None = None,
        activation_share: ParameterGroup | None = None,
        adapter: ParameterGroup | None = None,
        normalization: ParameterGroup | None = None,
        feature_scale: ParameterGroup | None = None,
        embedding: ParameterGroup | None = None,
        numeric_embedding: ParameterGroup | None = None,
    ) -> None:
        self.weight = weight
        self.bias = bias
        self.activation = activation
        self.activation_share = activation_share
        self.adapter = adapter
        self.normalization = normalization
        self.feature_scale = feature_scale
        self.embedding = embedding
        self.numeric_embedding = numeric_embedding

    def chosen(self) -> dict[str, ParameterGroup]:
        """Return the groups that are not None, by the names of their kinds."""
        groups = {name: getattr(self, name) for name in ATTRIBUTES}
        return {name: group for name, group in groups.items() if group is not None}

    def check_parameters(self) -> None:
        super().check_parameters()
        for group in self.chosen().values():
            group.check_parameters()

    def make_numbers_plain(self) -> None:
        for group in self.chosen().values():
            if isinstance(group, ParameterGroup):
                group.make_numbers_plain()
