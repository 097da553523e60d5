"""Builds the compiled steps with the package, where there is a compiler.

Without a compiler, the build gives a pure wheel with all features. SKPERCEPTRON_BUILD is "auto"
(the default), "pure" (never compile) or "compiled" (fail if the steps cannot be compiled).
``python hatch_build.py`` builds in place, for a checkout that is already installed.
``python hatch_build.py sanitized`` builds with sanitizers, which report invalid memory accesses and
undefined behavior.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
FOLDER = Path("skperceptron", "engine", "compiled")
CHOICES = ("auto", "pure", "compiled")

#: No fused multiply-add: it rounds once where NumPy rounds twice. Support for ``errno`` and
#: floating-point traps, which are not used, would keep loops from being vectorized.
GCC_FLAGS = ["-O3", "-g0", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
MSVC_FLAGS = ["/O2", "/fp:precise", "/std:c11"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]

#: Free-threaded builds of Python have no limited API: each version needs a module of its own.
IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
#: On Windows, Python's headers do not define this macro by themselves.
API = ("Py_GIL_DISABLED", "1") if IS_FREE_THREADED else ("Py_LIMITED_API", "0x030B0000")


def compile_steps(folder: Path, sanitized: bool = False) -> Path:
    """Compile the extension module; return its file in ``folder``."""
    import numpy as np
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    sanitizers = [*SANITIZERS, "-DSKPERCEPTRON_SANITIZED", "-g"] if sanitized else []
    extension = Extension(
        "_steps",
        [str(ROOT / FOLDER / "_steps.c")],
        include_dirs=[np.get_include()],
        define_macros=[API, ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=MSVC_FLAGS if os.name == "nt" else GCC_FLAGS + sanitizers,
        extra_link_args=sanitizers,
        py_limited_api=not IS_FREE_THREADED,
    )
    command = build_ext(Distribution({"name": "skperceptron", "ext_modules": [extension]}))
    with tempfile.TemporaryDirectory() as objects:
        command.build_lib, command.build_temp, command.force = str(folder), objects, True
        command.ensure_finalized()
        command.run()
    return folder / command.get_ext_filename("_steps")


def compile_if_possible(folder: Path) -> Path | None:
    """Compile as SKPERCEPTRON_BUILD says; return the file, or None if there is none."""
    choice = os.environ.get("SKPERCEPTRON_BUILD", "auto")
    if choice not in CHOICES:
        raise ValueError(f"SKPERCEPTRON_BUILD={choice!r} must be one of {', '.join(CHOICES)}.")
    if choice == "pure":
        return None
    try:
        return compile_steps(folder)
    # No compiler, no headers or a compiler's error: the package works without the extension.
    except (Exception, SystemExit) as error:
        if choice == "compiled":
            raise
        print(f"building without compiled steps: {error}", file=sys.stderr)
        return None


def tag() -> str:
    """Return the tag of a wheel with the extension module."""
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    if not IS_FREE_THREADED:
        return f"cp311-abi3-{platform}"
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{version}-{version}t-{platform}"


def remove_stale() -> None:
    """Remove the module that this Python uses from the checkout, not those of other Pythons."""
    # A free-threaded one uses only modules of its own version: see engine/compiled/extension.py.
    for suffix in EXTENSION_SUFFIXES[:1] if IS_FREE_THREADED else EXTENSION_SUFFIXES:
        (ROOT / FOLDER / f"_steps{suffix}").unlink(missing_ok=True)


class CompiledSteps(BuildHookInterface):
    """Puts the extension module into wheels, and beside its source for editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before files are collected."""
        if version == "editable":
            remove_stale()
            built = compile_if_possible(ROOT / FOLDER)
        else:
            self._room = tempfile.TemporaryDirectory()
            built = compile_if_possible(Path(self._room.name))
            if built is not None:
                build_data["force_include"][str(built)] = str(FOLDER / built.name)
        if built is not None:
            build_data["pure_python"] = False
            build_data["tag"] = tag()


if __name__ == "__main__":
    print(compile_steps(ROOT / FOLDER, sanitized="sanitized" in sys.argv))
