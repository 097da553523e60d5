"""Callbacks: objects that are called for each epoch, to log it, save the fit or end training.

They follow the protocol of :mod:`sklearn.callback` (scikit-learn 1.9). Pass them to an
estimator as ``callbacks=[...]``, with any version of scikit-learn, or with ``set_callbacks``.
The context that hooks receive has two further attributes at the end of an epoch: ``report``,
a dict with the metrics of the epoch, and ``state``, a callable that returns everything needed
to resume training (None if the fit cannot be resumed).
"""

from ..kept import offered_by as _offered_by
from .base import Callback
from .checkpoint import Checkpoint
from .loggers import CSVLogger, EpochLogger
from .stop_on_plateau import StopOnPlateau

__all__ = ["CSVLogger", "Callback", "Checkpoint", "EpochLogger", "StopOnPlateau"]

_offered_by(__name__)
