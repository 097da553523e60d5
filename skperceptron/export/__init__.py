"""Export of models: as ONNX (extra ``onnx``), or as one file without code.

Importing this package registers converters of all estimators of skperceptron with skl2onnx, if
that is installed.
"""

from __future__ import annotations

from typing import Any

from ._classes import trusted_types
from ._files import load, save

try:
    from ._onnx import onnx_inputs, register, to_onnx
except ImportError as error:
    if (error.name or "").split(".")[0] not in ("onnx", "skl2onnx"):
        raise

__all__ = ["load", "onnx_inputs", "register", "save", "to_onnx", "trusted_types"]


def __getattr__(name: str) -> Any:
    if name in ("onnx_inputs", "register", "to_onnx"):
        raise ImportError(
            f"skperceptron.export.{name} needs onnx and skl2onnx: pip install 'skperceptron[onnx]'."
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
