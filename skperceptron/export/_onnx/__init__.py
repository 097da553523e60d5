"""The public functions: converters are registered with skl2onnx, and one call exports a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
from skl2onnx import to_onnx as converted
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.base import ClassifierMixin, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.utils.validation import check_is_fitted

from ..._sklearn.pipelines import last_step
from ...estimators import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
)
from ...model_selection import (
    StackedCrossEnsembleClassifier,
    StackedCrossEnsembleRegressor,
    StackedEnsembleClassifier,
    StackedEnsembleRegressor,
    StackedGridSearchCV,
    StackedHalvingGridSearchCV,
    StackedHalvingRandomSearchCV,
    StackedRandomizedSearchCV,
)
from ...options import Instance, Interval, check_option
from ...perceptron import RosenblattPerceptron
from ...preprocessing import RobustSmoothClipScaler, TabularPreprocessor
from ...tabular import TabularMLPClassifier, TabularMLPRegressor
from . import _ensembles, _estimators, _tables
from ._outputs import parse_classifier, parse_numbers
from ._types import are_joined_as_floats, expected_inputs, fed, input_types

#: Attributes of meta-estimators that hold one fitted model; ``estimators_`` holds several.
ALONE = ("best_estimator_", "final_estimator_")

#: Valid values of ``target_opset``.
OPSETS = [Interval(11, low_closed=True, whole=True), Instance(dict), None]

#: What reads each column of a table by itself, or may do so inside.
BY_COLUMN = (
    ColumnTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    TabularMLPClassifier,
    TabularMLPRegressor,
    TabularPreprocessor,
)

#: Classifiers of scikit-learn around others, whose labels skl2onnx may export wrongly.
OF_SCIKIT_LEARN = (
    BaggingClassifier,
    CalibratedClassifierCV,
    OneVsOneClassifier,
    OneVsRestClassifier,
    StackingClassifier,
    VotingClassifier,
)

OF_CLASSIFIERS: dict[str, list[Any]] = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}
OF_NETWORKS = {**OF_CLASSIFIERS, "raw_scores": [True, False]}
OF_REGRESSORS = {option: [True, False] for option in _estimators.EXTRAS}


def register(kind: type) -> None:
    """Register a subclass of one of this package's estimators with skl2onnx.

    Parameters
    ----------
    kind : type
        A class that predicts in the same way as the class that it is derived from.

    Raises
    ------
    TypeError
        If it is not derived from a class that can be exported.

    Examples
    --------
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.export import register
    >>> class Mine(MLPRegressor):
    ...     pass
    >>> register(Mine)
    """
    for base, arguments in CONVERTERS.items():
        if issubclass(kind, base):
            update_registered_converter(kind, **arguments)
            return
    known = ", ".join(base.__name__ for base in CONVERTERS)
    raise TypeError(f"{kind.__name__} is derived from none of the classes {known}.")


def _ensemble(kind: type, convert: Any) -> dict[str, Any]:
    """Return the arguments with which an ensemble is registered with skl2onnx."""
    found = {"alias": f"Skperceptron{kind.__name__}", "convert_fct": convert}
    if not issubclass(kind, ClassifierMixin):
        shapes = _ensembles.ensemble_regressor_shapes
        return {**found, "shape_fct": shapes, "parser": parse_numbers}
    return {
        **found,
        "shape_fct": _ensembles.ensemble_classifier_shapes,
        "parser": parse_classifier,
        "options": OF_CLASSIFIERS,
    }


CONVERTERS: dict[type, dict[str, Any]] = {
    **{
        kind: {
            "alias": "SkperceptronClassifier",
            "shape_fct": _estimators.classifier_shapes,
            "convert_fct": _estimators.convert_classifier,
            "parser": parse_classifier,
            "options": OF_NETWORKS,
        }
        for kind in (
            MLPBinaryClassifier,
            MLPClassifier,
            MLPSoftmaxClassifier,
            RosenblattPerceptron,
        )
    },
    MLPRegressor: {
        "alias": _estimators.REGRESSOR,
        "shape_fct": _estimators.regressor_shapes,
        "convert_fct": _estimators.convert_regressor,
        "parser": _estimators.parse_regressor,
        "options": OF_REGRESSORS,
    },
    **{
        kind: _ensemble(kind, convert)
        for kind, convert in (
            (StackedEnsembleClassifier, _ensembles.convert_ensemble),
            (StackedEnsembleRegressor, _ensembles.convert_ensemble),
            (StackedCrossEnsembleClassifier, _ensembles.convert_cross_classifier),
            (StackedCrossEnsembleRegressor, _ensembles.convert_cross_regressor),
            (TabularMLPClassifier, _ensembles.convert_chain),
            (TabularMLPRegressor, _ensembles.convert_chain),
        )
    },
    **{
        kind: {
            "alias": "SkperceptronSearch",
            "shape_fct": lambda operator: None,
            "convert_fct": _ensembles.convert_chain,
            "parser": _ensembles.parse_search,
            "options": "passthrough",
        }
        for kind in (
            StackedGridSearchCV,
            StackedHalvingGridSearchCV,
            StackedHalvingRandomSearchCV,
            StackedRandomizedSearchCV,
        )
    },
    RobustSmoothClipScaler: {
        "alias": "SkperceptronScaler",
        "shape_fct": _tables.scaler_shapes,
        "convert_fct": _tables.convert_scaler,
    },
    TabularPreprocessor: {
        "alias": "SkperceptronTable",
        "shape_fct": _tables.preprocessor_shapes,
        "convert_fct": _tables.convert_preprocessor,
        "parser": parse_numbers,
    },
}

for _kind in CONVERTERS:
    register(_kind)
update_registered_converter(
    _tables.SideBySide,
    _tables.SIDE_BY_SIDE,
    _tables.side_by_side_shapes,
    _tables.convert_side_by_side,
    parser=_tables.parse_side_by_side,
)


def to_onnx(
    estimator: Any,
    X: Any,
    *,
    zipmap: Any = False,
    return_std: bool = False,
    return_proba: bool = False,
    target_opset: Any = None,
) -> Any:
    """Return a fitted estimator as an ONNX model, which runs without this package.

    Pipelines, meta-estimators and ensembles are exported, too, if skl2onnx knows all of their
    parts; it knows the estimators of this package. The number of rows is not fixed.

    Parameters
    ----------
    estimator : estimator object
        Fitted.

    X : frame, {array-like, sparse matrix} of shape (n_samples, n_features)
        A few rows like those to be predicted: they determine the types of the inputs. An array of
        numbers is one input, "X"; float32 rows are predicted in float32, float64 rows in float64.
        Each column of a frame, or of an array of objects, is an input of its own; dates are
        int64, as in ``datetime64[us]``, and durations are numbers of days.
        :func:`onnx_inputs` converts a table to these inputs.

    zipmap : {True, False, "columns"}, default=False
        How a classifier returns probabilities: as an array (False), as a dict for each row (True),
        or as an output for each class ("columns").

    return_std : bool, default=False
        Whether an :class:`~skperceptron.MLPRegressor` with ``loss="gaussian_nll"`` also returns
        standard deviations.

    return_proba : bool, default=False
        Whether an :class:`~skperceptron.MLPRegressor` with ``output="categorical"`` also returns
        the distribution over ``values_``.

    target_opset : int or dict, default=None
        The version of ONNX's operators, from 11 on; None is the newest that skl2onnx knows.

    Returns
    -------
    onnx.ModelProto
        A classifier returns "label" and "probabilities", a regressor "variable", of shape
        (n_samples, n_targets).

    Raises
    ------
    NotFittedError
    NotDeclaredError
        If an activation, a loss or a block of the user's does not define its operators.
    ValueError
        If skl2onnx would export another model, see :doc:`/deployment`, X has other columns, or
        `target_opset` is not valid.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.export import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPSoftmaxClassifier((8,), solver="lbfgs", random_state=0).fit(X, y)
    >>> model = to_onnx(network, X[:1])
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    check_is_fitted(estimator)
    check_option("to_onnx", "target_opset", target_opset, OPSETS)
    parts = []
    for part, is_transformer in _parts(estimator):
        _refuse_wrong_export(part, is_transformer)
        parts.append(part)
    options: dict[int, dict[str, Any]] = {}
    if is_classifier(estimator):
        options[id(estimator)] = {"zipmap": zipmap}
    asked = {"return_std": return_std, "return_proba": return_proba}
    if any(asked.values()):
        options[id(last_step(estimator))] = asked
    with _convertible(parts):
        options |= _options_for_decisions(parts)
        inputs = input_types(X)
        # Column transformers find their columns by name.
        if not any(isinstance(part, ColumnTransformer) for part in parts):
            _refuse_other_columns(estimator, X, inputs)
        is_float64 = any(isinstance(kind, DoubleTensorType) for _, kind in inputs)
        if zipmap is True and is_float64 and any(isinstance(p, OF_SCIKIT_LEARN) for p in parts):
            raise ValueError(
                'zipmap=True needs X as float32 for meta-classifiers. Or use zipmap="columns".'
            )
        if are_joined_as_floats(inputs):
            estimator = _side_by_side(estimator)
        return converted(
            estimator,
            initial_types=inputs,
            options=options or None,
            target_opset=target_opset,
        )


def _refuse_other_columns(model: Any, X: Any, inputs: list[tuple[str, Any]]) -> None:
    """Raise ValueError if X has other columns than in ``fit``."""
    given, n = [name for name, _ in inputs], sum(kind.shape[1] for _, kind in inputs)
    known = list(getattr(model, "feature_names_in_", given))
    if hasattr(X, "columns") and given != known:
        raise ValueError(f"X has the columns {given}, but fit has seen {known}.")
    if n != getattr(model, "n_features_in_", n):
        raise ValueError(
            f"The exported model is given {n} columns, but fit has seen {model.n_features_in_}."
        )


def _side_by_side(model: Any) -> Any:
    """Return a model that gets its columns as one array if it reads one, but not for networks."""
    parts = [part for part, _ in _parts(model) if not isinstance(part, str)]
    if all(isinstance(part, tuple(CONVERTERS)) and hasattr(part, "predict") for part in parts):
        return model
    for part in parts:
        if isinstance(part, BY_COLUMN) or getattr(part, "categorical_features", None) is not None:
            return model
    return Pipeline([("columns", _tables.SideBySide()), ("model", model)])


def _parts(model: Any, is_transformer: bool = False) -> Iterator[tuple[Any, bool]]:
    """Yield a fitted model and all models inside it, each with whether another step follows it."""
    yield model, is_transformer
    if isinstance(model, Pipeline):
        last = model.steps[-1][1]
        inside = [(step, is_transformer or step is not last) for _, step in model.steps]
    elif isinstance(model, FeatureUnion | ColumnTransformer):
        union = isinstance(model, FeatureUnion)
        named = model.transformer_list if union else model.transformers_
        inside = [(step, True) for _, step, *_ in named]
    else:
        inside = [(held, is_transformer) for held in _held(model)]
    for part, transforms in inside:
        yield from _parts(part, transforms)


def _held(model: Any) -> list[Any]:
    """Return the fitted models that a meta-estimator predicts with."""
    if isinstance(model, FrozenEstimator):
        return [model.estimator]
    if isinstance(model, CalibratedClassifierCV):
        return [one.estimator for one in model.calibrated_classifiers_]
    held = [getattr(model, name) for name in ALONE if hasattr(model, name)]
    several = getattr(model, "estimators_", None)
    if isinstance(several, list):
        # A cross ensemble has a list for each arm.
        held += chain.from_iterable(one if isinstance(one, list) else [one] for one in several)
    return held


def _refuse_wrong_export(part: Any, is_transformer: bool) -> None:
    """Raise ValueError if a part of a model would silently be exported wrongly."""
    if is_transformer and isinstance(part, tuple(CONVERTERS)) and hasattr(part, "predict"):
        raise ValueError(
            f"This {type(part).__name__} stands before another step: to_onnx exports predictions of"
            " networks, not the values of their last hidden layer."
        )
    if isinstance(part, TunedThresholdClassifierCV):
        raise ValueError(
            "skl2onnx leaves out the threshold of a TunedThresholdClassifierCV. Export its"
            f" estimator_, and compare probabilities with {part.best_threshold_:.6g}."
        )
    if isinstance(part, CalibratedClassifierCV) and part.method != "sigmoid":
        raise ValueError(
            f"skl2onnx cannot export a CalibratedClassifierCV with method={part.method!r}, or only"
            " as a rough approximation. Use method='sigmoid'."
        )
    if isinstance(part, BaggingRegressor) and _ensembles.shape_of_row(part)[0] not in (1, None):
        raise ValueError(
            "skl2onnx cannot export a BaggingRegressor of several targets. Use a"
            " StackedEnsembleRegressor, or a MultiOutputRegressor around it."
        )
    if isinstance(part, OF_SCIKIT_LEARN):
        _refuse_wrong_labels(part)


def _refuse_wrong_labels(part: Any) -> None:
    """Raise ValueError if skl2onnx would export a meta-estimator with other labels."""
    classes, wrong = part.classes_, ""
    if isinstance(part, OneVsOneClassifier) and not np.array_equal(classes, range(len(classes))):
        wrong = f"other labels than 0, 1, 2, ...: {classes.tolist()}"
    elif _are_numbers(classes) and np.abs(classes.astype(float)).max() >= 2**31:
        wrong = f"labels beyond int32: {classes.tolist()}"
    elif isinstance(part, OneVsRestClassifier) and _has_several_perceptrons(part):
        wrong = "several RosenblattPerceptron. A single one has a unit for each class"
    elif isinstance(part, StackingClassifier) and _has_one_decision(part):
        wrong = "binary decision functions. Use stack_method='predict_proba'"
    elif _reads_labels(part):
        wrong = (
            "classifiers without predict_proba, such as a VotingClassifier with voting='hard'. Use"
            " voting='soft'"
        )
    if wrong:
        raise ValueError(f"skl2onnx cannot export a {type(part).__name__} of {wrong}.")


def _are_numbers(classes: Any) -> bool:
    """Tell whether labels are numbers; for several targets, they are a list."""
    return isinstance(classes, np.ndarray) and classes.dtype.kind in "iuf"


def _has_several_perceptrons(part: OneVsRestClassifier) -> bool:
    """Tell whether responses decide, which skl2onnx replaces by probabilities."""
    is_alone = part.multilabel_ or len(part.estimators_) == 1
    return not is_alone and isinstance(last_step(part.estimators_[0]), RosenblattPerceptron)


def _has_one_decision(part: StackingClassifier) -> bool:
    return len(part.classes_) == 2 and "decision_function" in part.stack_method_


def _reads_labels(part: Any) -> bool:
    """Tell whether an ensemble combines labels where others combine probabilities."""
    if isinstance(part, BaggingClassifier):
        return not hasattr(part.estimators_[0], "predict_proba")
    return isinstance(part, StackingClassifier) and "predict" in part.stack_method_


def _options_for_decisions(parts: Sequence[Any]) -> dict[int, dict[str, Any]]:
    """Return the options, by id, of networks in pipelines that a part of a model asks to decide.

    skl2onnx asks pipelines for decisions, but does not tell their last steps. Nor does it tell the
    last step of a nested pipeline, if it has options, that it gets no zipmap.
    """
    options = {}
    for one in chain.from_iterable(map(_asked_for_decisions, parts)):
        if isinstance(last_step(one), StackedCrossEnsembleClassifier):
            raise ValueError(
                "A calibrated StackedCrossEnsembleClassifier cannot be exported, since its exported"
                " form makes no decisions. Export it alone: it is calibrated already."
            )
        if isinstance(one, Pipeline) and hasattr(one, "decision_function"):
            options[id(last_step(one))] = {"raw_scores": True, "zipmap": False}
    return options


def _asked_for_decisions(part: Any) -> list[Any]:
    """Return the estimators that a part of a model may ask for decisions."""
    held: list[Any] = []
    if isinstance(part, CalibratedClassifierCV):
        held = [one.estimator for one in part.calibrated_classifiers_]
    elif isinstance(part, OneVsOneClassifier):
        return _asked_in_turn(part)
    elif isinstance(part, StackingClassifier):
        pairs = zip(part.estimators_, part.stack_method_, strict=True)
        held = [one for one, method in pairs if method == "decision_function"]
    return [asked for one in held for asked in (one, *_asked_in_turn(last_step(one)))]


def _asked_in_turn(model: Any) -> list[Any]:
    """Return the estimators that make the decisions of a meta-estimator."""
    if isinstance(model, BaggingClassifier | OneVsOneClassifier | OneVsRestClassifier):
        return list(model.estimators_)
    return [model.final_estimator_] if isinstance(model, StackingClassifier) else []


@contextmanager
def _convertible(parts: Sequence[Any]) -> Iterator[None]:
    """Change what skl2onnx does not accept, or converts wrongly, in the parts of a model.

    In calibrated classifiers and stacks, the models inside searches and frozen estimators replace
    these: skl2onnx does not know frozen estimators, and does not get decisions from searches. It
    also refuses two parameters of voting estimators: one has no effect on predictions, the other
    may be a list; there, it counts estimators that are dropped. It merges the columns of a step of
    a column transformer into integers if the first of them holds integers. It treats unsigned
    labels of meta-estimators as strings.
    """
    changes: list[tuple[Any, str, Any]] = []
    for part in parts:
        if isinstance(part, OF_SCIKIT_LEARN) and _are_numbers(part.classes_):
            changes.append((part, "classes_", part.classes_.astype(np.int64)))
        if isinstance(part, CalibratedClassifierCV):
            of_part = part.calibrated_classifiers_
            changes += [(one, "estimator", _inside(one.estimator)) for one in of_part]
        elif isinstance(part, StackingClassifier):
            changes.append((part, "estimators_", list(map(_inside, part.estimators_))))
        elif isinstance(part, VotingClassifier | VotingRegressor):
            if part.weights is not None:
                pairs = zip(part.estimators, part.weights, strict=True)
                kept = [weight for (_, one), weight in pairs if one != "drop"]
                changes.append((part, "weights", np.asarray(kept)))
            if isinstance(part, VotingClassifier):
                changes.append((part, "flatten_transform", False))
        elif isinstance(part, ColumnTransformer):
            steps = [(name, _side_by_side(step), of) for name, step, of in part.transformers_]
            changes.append((part, "transformers_", steps))
        elif isinstance(part, Pipeline):
            changes.append((part, "steps", list(_with_known_types(part.steps))))
    before = [getattr(part, name) for part, name, _ in changes]
    try:
        for part, name, value in changes:
            setattr(part, name, value)
        yield
    finally:
        for (part, name, _), value in zip(changes, before, strict=True):
            setattr(part, name, value)


def _with_known_types(steps: Sequence[Any]) -> Iterator[Any]:
    """Yield steps of a pipeline, with another one between a column transformer and its successor.

    skl2onnx gives all columns the type of the transformer's first ones. It does not know steps that
    are left out.
    """
    for (name, step), following in zip(steps, [*steps[1:], None], strict=True):
        if step is None or isinstance(step, str):
            continue
        yield name, step
        if isinstance(step, ColumnTransformer) and following is not None:
            _refuse_strings_and_floats(following[1])
            yield f"columns of {name}", _tables.SideBySide()


def _refuse_strings_and_floats(encoder: Any) -> None:
    """Raise ValueError if an encoder gets both from a column transformer: all become strings."""
    levels = chain.from_iterable(getattr(encoder, "categories_", ()))
    if {str, float} <= set(map(type, levels)):
        raise ValueError(
            "skl2onnx cannot export a ColumnTransformer that passes strings and floats to an"
            " encoder: put the encoder into the ColumnTransformer."
        )


def _inside(model: Any) -> Any:
    """Return what a search or a frozen estimator predicts with; else the model itself."""
    if hasattr(model, "best_estimator_"):
        return _inside(model.best_estimator_)
    return _inside(model.estimator) if isinstance(model, FrozenEstimator) else model


def onnx_inputs(model: Any, X: Any) -> dict[str, Any]:
    """Return the input arrays of an exported model, made from a table.

    Parameters
    ----------
    model : onnx.ModelProto or onnxruntime.InferenceSession
        As exported by :func:`to_onnx`.

    X : frame, {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to predict, with the columns of the X given to :func:`to_onnx`. Numbers are converted
        to the types of the inputs.

    Returns
    -------
    dict of str to ndarray
        For ``InferenceSession.run(None, ...)``.

    Raises
    ------
    ValueError
        If X has other columns, or values that the model does not accept, such as missing values
        in a column of integers that had none in the X of :func:`to_onnx`.

    Examples
    --------
    >>> import numpy as np
    >>> from skperceptron import MLPRegressor
    >>> from skperceptron.export import onnx_inputs, to_onnx
    >>> X = np.arange(20.0).reshape(10, 2)
    >>> network = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs").fit(X, X[:, 0])
    >>> model = to_onnx(network, X)
    >>> {name: array.shape for name, array in onnx_inputs(model, X[:3]).items()}
    {'X': (3, 2)}
    """
    return fed(X, expected_inputs(model))
