"""The inputs of an exported model: one array of numbers, or the columns of a table."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from onnx.helper import tensor_dtype_to_np_dtype
from scipy import sparse
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from ..._sklearn.checks import is_missing
from ...preprocessing._columns import (
    as_dates,
    as_numbers,
    content_of,
    dtype_of,
    is_frame,
    kind_of,
    names_of,
)
from ...preprocessing._parts import MISSING_TEXT

#: The name of an array that is the only input.
ONLY = "X"

#: Names of the outputs that a model may have.
OUTPUTS = ("label", "probabilities", "std", "variable")

#: Dtypes of the inputs, as ONNX Runtime calls them.
_OF_SESSIONS = {
    "tensor(bool)": "bool",
    "tensor(double)": "float64",
    "tensor(float)": "float32",
    "tensor(int64)": "int64",
    "tensor(string)": "O",
}

#: What columns hold, by the kind of their dtype; "numbers" for all others.
_NOUNS = {"b": "booleans", "i": "whole numbers", "u": "whole numbers", "O": "strings"}


def input_types(X: Any) -> list[tuple[str, Any]]:
    """Return names and types of the inputs, for any number of rows like those of X."""
    if _is_one_array(X):
        X = _as_array(X)
        return [(ONLY, _type_of(X.dtype, X.shape[1]))]
    contents = _contents(X)
    return [(name, _type_of(stored(content, name).dtype, 1)) for name, content in contents]


def are_joined_as_floats(inputs: list[tuple[str, Any]]) -> bool:
    """Tell whether inputs are columns of numbers or an array of integers, not floats or strings."""
    names, types = zip(*inputs, strict=True)
    floats = (FloatTensorType, DoubleTensorType) if names == (ONLY,) else ()
    return not any(isinstance(kind, (StringTensorType, *floats)) for kind in types)


def expected_inputs(model: Any) -> dict[str, np.dtype]:
    """Return the dtype of each input of a model or session, by its name; object for strings."""
    if hasattr(model, "get_inputs"):
        return {one.name: np.dtype(_OF_SESSIONS[one.type]) for one in model.get_inputs()}
    types = {one.name: one.type.tensor_type.elem_type for one in model.graph.input}
    return {name: np.dtype(tensor_dtype_to_np_dtype(kind)) for name, kind in types.items()}


def fed(X: Any, inputs: dict[str, np.dtype]) -> dict[str, Any]:
    """Return an array for each input of a session, by the names of ``expected_inputs``."""
    names = list(inputs)
    if _is_one_array(X):
        X = _as_array(X)
        if len(names) != 1:
            raise ValueError(
                f"X is one array, but the model has {len(names)} inputs: pass a table with a column"
                f" for each of them, {names}."
            )
        return {names[0]: _in_dtype_of(inputs[names[0]], _in_stored_dtype(X), names[0])}
    contents = _contents(X)
    if len(contents) != len(names):
        raise ValueError(
            f"X is a table of {len(contents)} columns, each an input of its own, but the model has"
            f" {len(names)}: {names}. Pass rows like those that were given to to_onnx."
        )
    given = [name for name, _ in contents]
    if is_frame(X) and _are_others(given, names):
        raise ValueError(
            f"X has the columns {given}, but the model has the inputs {names}: pass the columns of"
            " the rows that were given to to_onnx, in their order."
        )
    arrays = [stored(content, name) for name, content in contents]
    return {
        name: _in_dtype_of(dtype, array, name)[:, np.newaxis]
        for (name, dtype), array in zip(inputs.items(), arrays, strict=True)
    }


def _are_others(columns: list[str], names: list[str]) -> bool:
    """Tell whether columns are not those of a model, or in another order.

    skl2onnx has replaced all characters in the names but letters and digits, and has numbered names
    that are then equal, or are those of outputs.
    """
    found, expected = (
        [re.sub(r"\W", "_", name).lstrip("_") for name in given] for given in (columns, names)
    )
    is_known = len(set(found)) == len(found) and names != _numbered(len(names))
    return is_known and not all(map(_may_be, found, expected))


def _may_be(column: str, name: str) -> bool:
    """Tell whether an input may have the name of a column; a number follows that of an output."""
    return column == name or (column in OUTPUTS and column == name.rstrip("0123456789"))


def _in_dtype_of(dtype: np.dtype, array: Any, name: str) -> Any:
    """Return numbers or strings in the form that an input accepts.

    Rows without missing values may be integers where those given to ``to_onnx`` were floats.
    """
    if array.dtype == dtype:
        return array
    are_numbers = array.dtype.kind in "biuf"
    if are_numbers and dtype.kind == "O" and np.isnan(array).all():
        return np.full(array.shape, MISSING_TEXT, dtype=object)
    if are_numbers and dtype.kind != "O":
        with np.errstate(over="ignore", invalid="ignore"):
            found = array.astype(dtype)
        if dtype.kind == "f" or np.array_equal(found, array):
            return found
    taken, held = (_NOUNS.get(kind, "numbers") for kind in (dtype.kind, array.dtype.kind))
    raise ValueError(
        f"Input {name!r} of the model takes {taken}, as in the rows that were given to to_onnx, but"
        f" X holds other {held} there. Export the model again, with rows that have all kinds of"
        " values, such as missing ones."
    )


def _is_one_array(X: Any) -> bool:
    return not is_frame(X) and (sparse.issparse(X) or np.asarray(X).dtype.kind not in "OmM")


def _as_array(X: Any) -> Any:
    X = X.toarray() if sparse.issparse(X) else np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions, got an array of shape {X.shape}.")
    return X


def _contents(X: Any) -> list[tuple[str, Any]]:
    if not is_frame(X):
        X = np.asarray(X)
        return [(name, X[:, j]) for j, name in enumerate(_numbered(X.shape[1]))]
    return [(str(name), _content(X, j)) for j, name in enumerate(names_of(X))]


def _numbered(n_columns: int) -> list[str]:
    """Return the names of columns that have none."""
    return [f"x{j}" for j in range(n_columns)]


def _content(X: Any, j: int) -> Any:
    """Return a column of a frame as an array; numbers of pandas keep their dtype."""
    if hasattr(X, "iloc") and isinstance(X.iloc[:, j].dtype, np.dtype):
        column = X.iloc[:, j].to_numpy()
        if column.dtype.kind in "iufb":
            return column
    content = content_of(X, j)[0]
    if content.dtype.kind == "O" and _holds_texts(X, j) and all(map(is_missing, content)):
        return np.full(content.shape, MISSING_TEXT, dtype=object)
    return content


def _holds_texts(X: Any, j: int) -> bool:
    """Tell whether a column's dtype says that it holds strings, or categories that are strings."""
    dtype = dtype_of(X, j)
    dtype = getattr(getattr(dtype, "categories", None), "dtype", dtype)
    return re.search(r"\bstr\b|string|categorical", str(dtype).lower()) is not None


def stored(content: Any, name: str) -> Any:
    """Return a column in a dtype that ONNX has."""
    kind = kind_of(content, name)
    if kind == "date":
        return as_dates(content, name).astype(np.int64)
    if content.dtype.kind == "m" or (kind == "number" and content.dtype.kind == "O"):
        return as_numbers(content, name)
    if content.dtype.kind != "O":
        return _in_stored_dtype(content)
    values = content.tolist()
    known = [value for value in values if not is_missing(value)]
    if all(isinstance(value, str) for value in known):
        return np.array([MISSING_TEXT if is_missing(v) else v for v in values], dtype=object)
    if any(isinstance(value, str) for value in known):
        raise ValueError(
            f"Column {name!r} holds strings beside other values: an input of an exported model has"
            " one type. Convert all values to strings."
        )
    return np.array([np.nan if is_missing(value) else value for value in values], dtype=np.float64)


def _in_stored_dtype(array: Any) -> Any:
    """Return an array in the nearest dtype that converters know."""
    kinds = {"b": "bool", "i": "int64", "u": "int64", "U": "O", "T": "O", "S": "O"}
    dtype = array.dtype
    if dtype.kind == "f":
        return array.astype(np.float32 if dtype.itemsize <= 4 else np.float64, copy=False)
    if dtype.kind not in kinds:
        raise ValueError(f"X has dtype {dtype}, which no exported model accepts.")
    return array.astype(kinds[dtype.kind], copy=False)


def _type_of(dtype: Any, width: int) -> Any:
    kinds = {"b": BooleanTensorType, "i": Int64TensorType, "u": Int64TensorType}
    shape = [None, width]
    if dtype.kind == "f":
        return (FloatTensorType if dtype.itemsize <= 4 else DoubleTensorType)(shape)
    return kinds.get(dtype.kind, StringTensorType)(shape)
