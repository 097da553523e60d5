"""The base of callbacks: what a fit calls, and what each call means."""

from __future__ import annotations

from typing import Any, ClassVar

from ..options import Checked


class Callback(Checked):
    """Base of callbacks; on its own it does nothing.

    Attributes
    ----------
    ends_fits : bool
        Whether it may end a fit, for which it needs to hear of that one alone.
    """

    ends_fits: ClassVar[bool] = False

    def setup(self, estimator: Any, context: Any) -> None:
        """Get ready: a fit begins.

        Raises
        ------
        ValueError
            If a parameter is not what it must be.
        """
        self.check_parameters()

    def teardown(self, estimator: Any, context: Any) -> None:
        """Tidy up: the fit has ended, well or not."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Learn that the fit, or one of its epochs, begins."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Learn that the fit, or one of its epochs, has ended.

        Returns
        -------
        bool
            True ends the training.
        """
        return False
