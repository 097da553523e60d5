"""The one place that knows scikit-learn's private names and the versions they live in."""

from __future__ import annotations

from sklearn.base import _fit_context as fit_context
from sklearn.utils._optional_dependencies import check_pandas_support
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.multiclass import _check_partial_fit_first_call as check_partial_fit_first_call
from sklearn.utils.optimize import _check_optimize_result as check_optimize_result
from sklearn.utils.validation import _check_sample_weight as convert_sample_weight

try:
    # scikit-learn 1.9
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback._callback_support import callback_management_context
except ImportError:
    from ._callback_contexts import CallbackSupportMixin, callback_management_context

__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "Options",
    "StrOptions",
    "callback_management_context",
    "check_optimize_result",
    "check_pandas_support",
    "check_partial_fit_first_call",
    "convert_sample_weight",
    "fit_context",
]
