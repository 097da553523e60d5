"""The one place that knows scikit-learn's private names and the versions they live in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import CellType, FunctionType
from typing import Any

import numpy as np
from sklearn.base import _fit_context as fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils import get_tags
from sklearn.utils._optional_dependencies import check_pandas_support
from sklearn.utils._param_validation import validate_params
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.multiclass import _check_partial_fit_first_call as check_partial_fit_first_call
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_feature_names, column_or_1d, validate_data
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_sample_weight as convert_sample_weight
from sklearn.utils.validation import _check_y as check_y
from sklearn.utils.validation import _num_samples as num_samples

from ..usercall import AtUsersLine

try:
    # scikit-learn 1.9
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback._callback_support import callback_management_context
except ImportError:
    from .callback_contexts import CallbackSupportMixin, callback_management_context

try:
    # scikit-learn 1.7
    from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
except ImportError:
    VisualBlock = None

__all__ = [
    "CallbackSupportMixin",
    "VisualBlock",
    "callback_management_context",
    "check_classification_targets",
    "check_method_params",
    "check_pandas_support",
    "check_partial_fit_first_call",
    "check_y",
    "column_or_1d",
    "convert_sample_weight",
    "fit_context",
    "has_callbacks",
    "holding",
    "let_continue",
    "let_predict",
    "num_samples",
    "safe_indexing",
    "safe_split",
    "seeing",
    "takes_sample_weight",
    "type_of_target",
    "validate_data",
    "validated_like",
]


def safe_split(estimator: Any, X: Any, y: Any, rows: Any, train: Any = None) -> tuple[Any, Any]:
    """Return X and y of some rows, as scikit-learn does.

    For arrays, it takes a tenth of the time: scikit-learn first asks other libraries whether X is a
    table of theirs. A pairwise X has a column for each row of ``train``.
    """
    are_arrays = type(X) is type(y) is type(rows) is np.ndarray and rows.dtype.kind in "biu"
    if are_arrays and not get_tags(estimator).input_tags.pairwise:
        return X[rows, ...], y[rows, ...]
    return _safe_split(estimator, X, y, rows, train)


def seeing(function: Callable[..., Any], **others: Any) -> Callable[..., Any]:
    """Return a copy of a function, without decorators, that reads other values of global names.

    scikit-learn's searches have no public way to change how their fits are run. A copy with other
    globals affects no other code, and leaves the rest of the search as it is. Raises RuntimeError
    if the function does not read one of the names: scikit-learn has changed.
    """
    function = inspect.unwrap(function)
    _refuse_unread(function, others, function.__code__.co_names)
    return _changed(function, {**function.__globals__, **others}, function.__closure__)


def holding(function: Callable[..., Any], **others: Any) -> Callable[..., Any]:
    """Return a copy of an inner function for which some variables of the outer one are replaced.

    ``others`` hold, by name of the variable, a function that maps the old value to the new one.
    Raises RuntimeError as ``seeing`` does.
    """
    names = function.__code__.co_freevars
    _refuse_unread(function, others, names)
    cells = tuple(
        CellType(others[name](cell.cell_contents)) if name in others else cell
        for name, cell in zip(names, function.__closure__ or (), strict=True)
    )
    return _changed(function, function.__globals__, cells)


def _refuse_unread(function: Any, others: Mapping[str, Any], read: Sequence[str]) -> None:
    """Raise RuntimeError if a function does not read one of the names."""
    unread = others.keys() - set(read)
    if unread:
        raise RuntimeError(
            f"{function.__qualname__} of the installed scikit-learn does not use"
            f" {', '.join(sorted(unread))}: this version of scikit-learn is not supported."
        )


def _changed(function: Any, names: dict[str, Any], cells: Any) -> FunctionType:
    """Return a copy of a function with other global names and variables of the outer function."""
    changed = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, cells
    )
    changed.__kwdefaults__ = function.__kwdefaults__
    return changed


def validated_like(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a decorator that checks parameters as a function of scikit-learn does."""
    constraints = function._skl_parameter_constraints  # type: ignore[attr-defined]
    return validate_params(constraints, prefer_skip_nested_validation=False)


def has_callbacks(estimator: Any) -> bool:
    """Tell whether callbacks were registered on an estimator (scikit-learn 1.9 and newer)."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


def _at_users_line(
    function: Callable[..., Any], always: bool = True, **others: Any
) -> Callable[..., Any]:
    """Return a copy of a function whose warnings point at the user's line.

    Not always, but only while they are corrected, on request. Names that the function does not
    read in the installed version are left out.
    """
    others["warnings"] = AtUsersLine(always)
    read = inspect.unwrap(function).__code__.co_names
    return seeing(function, **{name: other for name, other in others.items() if name in read})


column_or_1d = _at_users_line(column_or_1d)
type_of_target = _at_users_line(type_of_target)
check_classification_targets = _at_users_line(
    check_classification_targets, type_of_target=type_of_target
)
_check_feature_names = _at_users_line(_check_feature_names, always=False)
validate_data = _at_users_line(
    validate_data, always=False, _check_feature_names=_check_feature_names
)


def takes_sample_weight(scorer: Callable[..., Any]) -> bool:
    """Tell whether a scorer, ``(estimator, X, y)``, is to be given the weights of the rows.

    A call of ``set_score_request`` decides; without one, whether the scorer has a parameter for
    them.
    """
    if hasattr(scorer, "get_metadata_routing"):
        request = scorer.get_metadata_routing().score.requests.get("sample_weight")
        if request is not None:
            return request is True or request == "sample_weight"
    if "sample_weight" in getattr(scorer, "keywords", ()):
        # A partial function: the user has bound weights already.
        return False
    try:
        parameters = inspect.signature(getattr(scorer, "_score_func", scorer)).parameters
    except (TypeError, ValueError):
        return False
    return "sample_weight" in parameters


def let_predict(theirs: Any, classes: Any, *, is_multilabel: bool) -> None:
    """Set what scikit-learn's classifier needs to turn probabilities into labels.

    ``classes`` are its labels, or the positions of several labels per row.
    """
    labels = np.eye(len(classes), dtype=int) if is_multilabel else classes
    theirs._label_binarizer = LabelBinarizer().fit(labels)
    theirs.classes_ = classes


def let_continue(theirs: Any, no_improvement: int) -> None:
    """Set what scikit-learn's ``partial_fit`` and warm start need to continue from the weights."""
    theirs._no_improvement_count = no_improvement
