"""The build hook: which extension module an installation compiles, and how wheels are tagged."""

import importlib.util
import re
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

pytest.importorskip("hatchling")

SCRIPT = Path(__file__).parents[1] / "hatch_build.py"
IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@pytest.fixture
def build():
    spec = importlib.util.spec_from_file_location("hatch_build", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(build, tmp_path, monkeypatch):
    """Return the folder of the extension in a checkout that holds nothing else."""
    monkeypatch.setattr(build, "ROOT", tmp_path)
    folder = tmp_path / build.FOLDER
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def failing(build, monkeypatch):
    """Let the compiler fail."""

    def fail(folder):
        raise OSError("no compiler")

    monkeypatch.setattr(build, "compile_steps", fail)


def hook_for(build, root):
    return build.CompiledSteps(str(root), {}, None, None, str(root), "wheel")


def test_ordinary_python_shares_one_wheel_with_later_versions(build, monkeypatch):
    monkeypatch.setattr(build, "IS_FREE_THREADED", False)
    assert re.fullmatch(r"cp311-abi3-\w+", build.tag())


def test_each_free_threaded_version_has_a_wheel_of_its_own(build, monkeypatch):
    monkeypatch.setattr(build, "IS_FREE_THREADED", True)
    version = f"cp3{sys.version_info.minor}"
    assert re.fullmatch(rf"{version}-{version}t-\w+", build.tag())


def test_limited_api_is_used_where_there_is_one(build):
    assert build.IS_FREE_THREADED == IS_FREE_THREADED
    assert (build.API[0] == "Py_LIMITED_API") != IS_FREE_THREADED


@pytest.mark.parametrize("is_free_threaded", [False, True])
def test_editable_build_removes_only_what_this_python_uses(
    build, checkout, failing, monkeypatch, is_free_threaded
):
    monkeypatch.setenv("SKPERCEPTRON_BUILD", "auto")
    monkeypatch.setattr(build, "IS_FREE_THREADED", is_free_threaded)
    own, general = (f"_steps{EXTENSION_SUFFIXES[i]}" for i in (0, -1))
    foreign = "_steps.cpython-399t-system.so"
    for name in (own, general, foreign):
        (checkout / name).touch()
    data = {}
    hook_for(build, checkout).initialize("editable", data)
    left = {path.name for path in checkout.iterdir()}
    assert left == ({general, foreign} if is_free_threaded else {foreign})
    # A pure wheel.
    assert data == {}


def test_what_is_compiled_has_a_tag_of_its_own(build, checkout, tmp_path, monkeypatch):
    built = tmp_path / "_steps.so"
    monkeypatch.setattr(build, "compile_if_possible", lambda folder: built)
    data = {"force_include": {}}
    hook_for(build, checkout).initialize("standard", data)
    assert data == {
        "force_include": {str(built): str(build.FOLDER / "_steps.so")},
        "pure_python": False,
        "tag": build.tag(),
    }


@pytest.mark.parametrize("is_free_threaded", [False, True])
def test_a_failing_compiler_fails_the_build_only_if_asked_to(
    build, failing, tmp_path, monkeypatch, capsys, is_free_threaded
):
    monkeypatch.setattr(build, "IS_FREE_THREADED", is_free_threaded)
    monkeypatch.setenv("SKPERCEPTRON_BUILD", "auto")
    assert build.compile_if_possible(tmp_path) is None
    assert "no compiler" in capsys.readouterr().err
    monkeypatch.setenv("SKPERCEPTRON_BUILD", "compiled")
    with pytest.raises(OSError, match="no compiler"):
        build.compile_if_possible(tmp_path)


def test_pure_build_does_not_try(build, failing, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SKPERCEPTRON_BUILD", "pure")
    assert build.compile_if_possible(tmp_path) is None
    assert capsys.readouterr().err == ""
