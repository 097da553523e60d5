"""A wired network before its training: with its target, its parameters and its dtype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from ..engine import Network
from ..engine.arrays import Floats
from ..exceptions import DivergedError
from .choices import Choices
from .fitted import FittedNetwork
from .targets import Target


@dataclass(frozen=True, eq=False)
class Model:
    """A wired network with its target, its resolved parameters, and its dtype in training."""

    choices: Choices
    target: Target
    network: Network
    dtype: np.dtype

    def fitted(self, parameters: Floats) -> FittedNetwork:
        """Return the network with the given parameters, (P,), in units of y.

        Raises DivergedError if the output layer is not finite in these units.
        """
        found = FittedNetwork.of_vector(self.network, self.target, parameters, self.dtype)
        if not found.is_finite:
            self.refuse_diverged()
        return found

    def refuse_diverged(self) -> NoReturn:
        """Raise DivergedError."""
        rate = ""
        if not self.choices.is_lbfgs:
            rate = f", or learning_rate_init={self.choices.learning_rate!r} is too large"
        raise DivergedError(
            "Training diverged. Solver produced non-finite parameter weights. The input data may"
            " contain large values and need to be preprocessed (for example with StandardScaler)"
            f"{rate}."
        )
