"""The public classes that a stored model may hold, by the names that users import."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

#: Modules whose public classes are ours.
OWN = (
    "skperceptron",
    "skperceptron.activations",
    "skperceptron.averaging",
    "skperceptron.callbacks",
    "skperceptron.embeddings",
    "skperceptron.groups",
    "skperceptron.initializers",
    "skperceptron.inspection",
    "skperceptron.losses",
    "skperceptron.model_selection",
    "skperceptron.normalizations",
    "skperceptron.optimizers",
    "skperceptron.preprocessing",
    "skperceptron.schedules",
    "skperceptron.stopping",
    "skperceptron.tabular",
    "skperceptron.trackers",
)

#: Classes of scikit-learn that are often used around a network, with a state of plain data.
OF_SCIKIT_LEARN = (
    "compose.ColumnTransformer",
    "compose.make_column_selector",
    "decomposition.PCA",
    "decomposition.TruncatedSVD",
    "feature_selection.SelectFromModel",
    "feature_selection.VarianceThreshold",
    # Inside a SimpleImputer(add_indicator=True).
    "impute.MissingIndicator",
    "impute.SimpleImputer",
    "model_selection.GroupKFold",
    "model_selection.GroupShuffleSplit",
    "model_selection.KFold",
    "model_selection.RepeatedKFold",
    "model_selection.RepeatedStratifiedKFold",
    "model_selection.ShuffleSplit",
    "model_selection.StratifiedGroupKFold",
    "model_selection.StratifiedKFold",
    "model_selection.StratifiedShuffleSplit",
    "model_selection.TimeSeriesSplit",
    "pipeline.FeatureUnion",
    "pipeline.Pipeline",
    "preprocessing.Binarizer",
    # Stands for "passthrough" in a fitted ColumnTransformer; with a function, it is refused.
    "preprocessing.FunctionTransformer",
    "preprocessing.KBinsDiscretizer",
    "preprocessing.MaxAbsScaler",
    "preprocessing.MinMaxScaler",
    "preprocessing.Normalizer",
    "preprocessing.OneHotEncoder",
    "preprocessing.OrdinalEncoder",
    "preprocessing.PolynomialFeatures",
    "preprocessing.PowerTransformer",
    "preprocessing.QuantileTransformer",
    "preprocessing.RobustScaler",
    "preprocessing.StandardScaler",
)


def class_named(name: str) -> type:
    """Return the class that a file names; ValueError if a stored model may not hold it."""
    found = _classes().get(name)
    if found is None:
        raise ValueError(f"The file asks for {name!r}, which is not a class of a stored model.")
    return found


def name_of(value: Any) -> str | None:
    """Return the name of an object's class; None if no stored model may hold such an object."""
    return _names().get(type(value))


def trusted_types() -> list[str]:
    """Return the names of all classes of this package that skops meets in a stored model.

    They are what users make themselves: estimators, activations, losses, optimizers and the like.
    Inner objects are kept as plain data.

    Returns
    -------
    list of str
        For the `trusted` of ``skops.io.load``.

    Examples
    --------
    >>> from skperceptron.export import trusted_types
    >>> "skperceptron.activations.ReLU" in trusted_types()
    True
    """
    own = (kind for name, kind in _classes().items() if name.startswith("skperceptron."))
    return sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in own)


@cache
def _classes() -> dict[str, type]:
    found: dict[str, type] = {}
    for name in OWN:
        found |= {f"{name}.{kind.__name__}": kind for kind in _public(import_module(name))}
    for path in OF_SCIKIT_LEARN:
        module, _, name = path.partition(".")
        found[f"sklearn.{path}"] = getattr(import_module(f"sklearn.{module}"), name)
    return found


@cache
def _names() -> dict[type, str]:
    return {kind: name for name, kind in _classes().items()}


def _public(module: ModuleType) -> Iterator[type]:
    """Yield the public classes of a module that are not exceptions."""
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, type) and not issubclass(value, BaseException):
            yield value
