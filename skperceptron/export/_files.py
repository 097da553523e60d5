"""A model as one file without code: arrays and a description, in the format of safetensors.

The file consists of 8 bytes with the length of a header, the header as JSON, and the numbers of all
arrays. The header says where each array lies, and in which dtype. That is safetensors' format
(https://github.com/huggingface/safetensors): any program that reads it can show the arrays. The
description of the model is part of the header's metadata. Nothing in it names code: only objects of
listed classes are made, and their state is set.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from math import prod
from operator import index
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..version import __version__
from ._plain import Reader, Writer

#: The version of the format: a change that older versions of this package cannot read raises it.
FORMAT = 1

#: Names in the metadata.
FORMAT_KEY, VERSION_KEY, MODEL_KEY = "skperceptron_format", "skperceptron_version", "model"

#: Largest size of a header in bytes, as in safetensors.
LARGEST_HEADER = 100_000_000

DTYPES = {
    "BOOL": np.bool_,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
    "I8": np.int8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "U8": np.uint8,
    "U16": np.uint16,
    "U32": np.uint32,
    "U64": np.uint64,
}


def save(estimator: Any, path: Any) -> None:
    """Write a fitted estimator to one file, which holds no code.

    Estimators of this package, pipelines of scikit-learn and its common transformers can be
    written, with all that a later ``partial_fit`` needs. Needs safetensors (extra ``safetensors``);
    reading does not.

    Parameters
    ----------
    estimator : estimator object
        Fitted.

    path : str or path-like
        An existing file, or the one that a link points to, is replaced in one step, after
        everything has been written.

    Raises
    ------
    NotFittedError
    TypeError
        If the estimator holds something that such a file cannot, such as a function or a class of
        the user's own. The message says where. For a search, store its ``best_estimator_``.

    See Also
    --------
    load : Reads the file.

    Examples
    --------
    >>> from skperceptron import MLPSoftmaxClassifier
    >>> from skperceptron.export import load, save
    >>> network = MLPSoftmaxClassifier((8,)).fit(X, y)  # doctest: +SKIP
    >>> save(network, "network.safetensors")  # doctest: +SKIP
    >>> network = load("network.safetensors")  # doctest: +SKIP
    """
    try:
        from safetensors.numpy import save_file
    except ImportError as error:
        raise ImportError(
            "skperceptron.export.save needs safetensors: pip install 'skperceptron[safetensors]'."
        ) from error
    check_is_fitted(estimator)
    if hasattr(estimator, "best_estimator_"):
        raise TypeError(
            f"{type(estimator).__name__} holds a scoring function, which a file without code"
            " cannot hold: pass its best_estimator_, which makes the same predictions."
        )
    writer = Writer()
    model = writer.as_json(estimator, type(estimator).__name__)
    metadata = {
        FORMAT_KEY: str(FORMAT),
        VERSION_KEY: __version__,
        MODEL_KEY: json.dumps(model, allow_nan=False),
    }
    # If the path is a link, the file that it points to is replaced, not the link.
    path = Path(path).resolve()
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    unfinished.touch(exist_ok=False)
    try:
        mode = unfinished.stat().st_mode
        save_file(writer.arrays, unfinished, metadata)
        # safetensors writes metadata in random order: give the same model the same bytes.
        with unfinished.open("r+b") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) | {"__metadata__": metadata}
            file.seek(8)
            file.write(json.dumps(header, separators=(",", ":")).encode().ljust(length))
        # The file of safetensors can be read by its owner only.
        unfinished.chmod(mode)
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def load(path: Any) -> Any:
    """Read an estimator that :func:`save` has written.

    No code from the file is run, whoever has written it. It takes no more memory than the size of
    the file, apart from what Python objects need.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    estimator object

    Raises
    ------
    ValueError
        If the file has another or a newer format, or is damaged.

    Warns
    -----
    InconsistentVersionWarning
        If another version of this package, or of scikit-learn, has written it.
    """
    path = Path(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header, start = _header(file, size, path)
        description = _description(header, path)
        places = _places(header, size - start, path)
        try:
            arrays = {name: _read(file, start, *place) for name, place in places.items()}
            return Reader(arrays).value_of(json.loads(description))
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
            np.ma.MAError,
        ) as error:
            raise ValueError(f"{path} is damaged, or not a model: {error}") from error


def _header(file: BinaryIO, size: int, path: Path) -> tuple[dict[str, Any], int]:
    """Return the header, and where the numbers begin."""
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, LARGEST_HEADER):
        raise _foreign(path)
    try:
        header = json.loads(file.read(length))
    except (RecursionError, ValueError) as error:
        raise _foreign(path) from error
    if not isinstance(header, dict):
        raise _foreign(path)
    return header, 8 + length


def _description(header: dict[str, Any], path: Path) -> str:
    """Return the description of the model in the metadata."""
    metadata = header.pop("__metadata__", None)
    # Python refuses to convert thousands of digits.
    if not isinstance(metadata, dict) or not re.fullmatch(
        r"\d{1,9}", str(metadata.get(FORMAT_KEY, ""))
    ):
        raise _foreign(path)
    written = int(metadata[FORMAT_KEY])
    if written > FORMAT:
        raise ValueError(
            f"{path} has format {written}, written by skperceptron"
            f" {metadata.get(VERSION_KEY)!r}; this version, {__version__}, reads formats up to"
            f" {FORMAT}. Install a newer one."
        )
    return str(metadata.get(MODEL_KEY))


def _places(
    header: dict[str, Any], n_bytes: int, path: Path
) -> dict[str, tuple[Any, list[int], int]]:
    """Return dtype, shape and first byte of each array; check that each byte belongs to one."""
    places, spans = {}, []
    try:
        for name, entry in header.items():
            dtype, shape = np.dtype(DTYPES[entry["dtype"]]), list(map(index, entry["shape"]))
            first, last = map(index, entry["data_offsets"])
            if min(shape, default=0) < 0 or last - first != prod(shape) * dtype.itemsize:
                raise ValueError(f"array {name!r} has another size than its shape says")
            spans.append((first, last))
            places[name] = dtype, shape, first
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    reached = 0
    for first, last in sorted(spans):
        if first != reached:
            raise ValueError(f"{path} is damaged: its arrays overlap or leave gaps.")
        reached = last
    if reached != n_bytes:
        raise ValueError(
            f"{path} is damaged: its arrays have {reached} bytes, but {n_bytes} are there."
        )
    return places


def _read(file: BinaryIO, start: int, dtype: Any, shape: list[int], first: int) -> Any:
    file.seek(start + first)
    little = dtype.newbyteorder("<")
    array = np.fromfile(file, dtype=little, count=prod(shape))
    return array.reshape(shape).astype(dtype, copy=False)


def _foreign(path: Path) -> ValueError:
    return ValueError(f"{path} is not a model that skperceptron.export.save has written.")
