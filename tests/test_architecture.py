"""The layers of the package: which modules may import which, read from the source.

Layer 0 is the engine; a module imports only from its own layer and those below.
A new module needs an entry in ``LAYERS``.
"""

import ast
import re
import subprocess
import sys
import textwrap
from functools import cache, wraps
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import skperceptron

PACKAGE = Path(skperceptron.__file__).parent
GROUND, COMPONENTS, TRAINING, ESTIMATORS, TOOLS = range(5)
LAYERS = {
    "engine": GROUND,
    "options": COMPONENTS,
    "exceptions": COMPONENTS,
    "components": COMPONENTS,
    "activations": COMPONENTS,
    "averaging": COMPONENTS,
    "embeddings": COMPONENTS,
    "groups": COMPONENTS,
    "initializers": COMPONENTS,
    "losses": COMPONENTS,
    "normalizations": COMPONENTS,
    "optimizers": COMPONENTS,
    "schedules": COMPONENTS,
    "stopping": COMPONENTS,
    "training": TRAINING,
    "deprecation": GROUND,
    "kept": GROUND,
    "usercall": GROUND,
    "version": GROUND,
    "versions": ESTIMATORS,
    "_sklearn": ESTIMATORS,
    "callbacks": ESTIMATORS,
    "distributed": TOOLS,
    "estimators": ESTIMATORS,
    "exchange": ESTIMATORS,
    "moved": ESTIMATORS,
    "perceptron": ESTIMATORS,
    "preprocessing": ESTIMATORS,
    "export": TOOLS,
    "inspection": TOOLS,
    "model_selection": TOOLS,
    "tabular": TOOLS,
    "trackers": TOOLS,
}
ESTIMATOR_NAMES = [
    "MLPBinaryClassifier",
    "MLPClassifier",
    "MLPRegressor",
    "MLPSoftmaxClassifier",
    "RosenblattPerceptron",
]
OPTIONAL = [
    "dask",
    "distributed",
    "jax",
    "matplotlib",
    "networkx",
    "numba",
    "onnx",
    "onnxruntime",
    "pandas",
    "polars",
    "pyarrow",
    "safetensors",
    "skl2onnx",
    "torch",
]

#: Modules that are imported only if their extra is installed.
BEHIND_EXTRAS = [Path("distributed"), Path("export/_onnx")]

SOURCES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
MODULES = [path for path in SOURCES if path != Path("__init__.py")]


def of_every(paths):
    """Return a decorator that turns a check of one file into one test of all files.

    Thousands of tests of one file each would cost more time than the checks themselves.
    """

    def decorate(check):
        @wraps(check)
        def test():
            failed = {}
            for path in paths:
                try:
                    check(path)
                except AssertionError as error:
                    failed[str(path)] = str(error)
            assert not failed

        # Otherwise pytest would look for a fixture with the name of the check's argument.
        del test.__wrapped__
        return test

    return decorate


EVERY_SOURCE = of_every(SOURCES)
EVERY_MODULE = of_every(MODULES)


@cache
def parse(path):
    return ast.parse((PACKAGE / path).read_text(encoding="utf-8"))


def imports_of(path):
    """Return all (module, name) that a file imports anywhere, relative ones as absolute ones."""
    found = []
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                inside = ("skperceptron", *path.parts[:-1])
                start = inside[: len(inside) - node.level + 1]
                module = ".".join([*start, *filter(None, [module])])
            found += [(module, alias.name) for alias in node.names]
    return found


def top_of(path):
    """Return the name of a file's entry in ``LAYERS``."""
    return path.parts[0].removesuffix(".py")


def own_modules(path):
    """Return the entries in ``LAYERS`` that a file imports from this package."""
    for module, name in imports_of(path):
        root, *rest = module.split(".")
        if root == "skperceptron":
            yield rest[0] if rest else name


@EVERY_MODULE
def test_every_module_belongs_to_a_layer(path):
    assert top_of(path) in LAYERS


@EVERY_MODULE
def test_module_imports_from_its_own_layer_and_those_below_only(path):
    layer = LAYERS[top_of(path)]
    above = {name for name in own_modules(path) if LAYERS[name] > layer}
    assert not above


def test_modules_import_each_other_in_one_direction():
    """Imports for annotations, and those inside functions, count, too."""
    modules = {}
    for path in SOURCES:
        module = ".".join(("skperceptron", *path.with_suffix("").parts))
        modules[module.removesuffix(".__init__")] = path
    edges = {}
    for module, path in modules.items():
        named = {f"{m}.{n}" if f"{m}.{n}" in modules else m for m, n in imports_of(path)}
        edges[module] = (named & set(modules)) - {module}
    # Raises CycleError, which names the modules of a circle.
    TopologicalSorter(edges).prepare()


def test_packages_import_each_other_in_one_direction():
    edges = {}
    for path in MODULES:
        package = top_of(path)
        edges.setdefault(package, set()).update(set(own_modules(path)) - {package})
    # Raises CycleError, which names the packages of a circle.
    TopologicalSorter(edges).prepare()


@cache
def kinds_of_blocks():
    """Return the names of all classes of blocks."""
    return {
        name
        for module in list(sys.modules)
        if module.startswith("skperceptron.engine.blocks")
        for name, value in vars(sys.modules[module]).items()
        if isinstance(value, type) and issubclass(value, skperceptron.engine.Block)
    }


@EVERY_MODULE
def test_no_code_depends_on_the_type_of_a_block(path):
    if path.parts[:2] == ("engine", "blocks"):
        return
    asked = [
        ast.unparse(node)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"isinstance", "type"}
    ]
    kinds = kinds_of_blocks()
    assert {"Affine", "Activate"} < kinds
    of_blocks = [call for call in asked if ".block" in call]
    assert not of_blocks + [call for call in asked if kinds & set(re.findall(r"\w+", call))]


@EVERY_MODULE
def test_tools_use_no_private_member_of_an_estimator(path):
    """They use objects such as FittedNetwork, or functions, instead."""
    if LAYERS[top_of(path)] != TOOLS:
        return
    tree = parse(path)
    # The tools' own classes may use their own private members.
    own = {"self", "cls", "super()", "ensemble", "search"}
    private = {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        # Private names of scikit-learn's, which classes declare and inherit.
        and node.attr not in ("_parameter_constraints", "_sk_visual_block_")
        and ast.unparse(node.value) not in own
    }
    assert not private
    asked_by_name = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in {"getattr", "hasattr", "setattr"}
        and isinstance(node.args[1], ast.Constant)
        and re.match("_[a-z]", str(node.args[1].value))
    ]
    assert not asked_by_name


@EVERY_MODULE
def test_large_classes_of_estimators_say_why(path):
    if path.parts[0] != "estimators":
        return
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ClassDef) and node.end_lineno - node.lineno >= 250:
            before = (PACKAGE / path).read_text(encoding="utf-8").splitlines()[: node.lineno - 1]
            above = "\n".join(before[-10:])
            assert "# Long" in above, node.name


@EVERY_MODULE
def test_components_do_not_know_each_other(path):
    if LAYERS[top_of(path)] == COMPONENTS:
        others = {n for n in own_modules(path) if LAYERS[n] == COMPONENTS} - {top_of(path)}
        # The modules that they share.
        assert others <= {"components", "options"}


@EVERY_MODULE
def test_outside_imports_fit_the_layer(path):
    layer = LAYERS[top_of(path)]
    outside = {(m, n) for m, n in imports_of(path) if m.split(".")[0] != "skperceptron"}
    foreign = {(m, n) for m, n in outside if m.split(".")[0] not in sys.stdlib_module_names}
    roots = {module.split(".")[0] for module, _ in foreign}
    allowed = {"numpy", "scipy", "sklearn"}
    if layer in (GROUND, TRAINING):
        allowed = {"numpy", "scipy"}
    if layer in (ESTIMATORS, TOOLS):
        # scikit-learn requires it, like joblib.
        allowed |= {"threadpoolctl"}
    if layer == TOOLS:
        allowed |= {"joblib", "matplotlib", "networkx", "pandas"}
        # Dask requires cloudpickle.
        allowed |= {"cloudpickle", "dask", "distributed", "onnx", "safetensors", "skl2onnx"}
    assert roots <= allowed
    if layer == COMPONENTS:
        of_sklearn = {(m, n) for m, n in foreign if m.split(".")[0] == "sklearn"}
        assert of_sklearn <= {("sklearn.base", "BaseEstimator")}


@EVERY_SOURCE
def test_optional_packages_are_never_imported_at_the_top_of_a_module(path):
    at_the_top = {
        name.split(".")[0]
        for node in parse(path).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert path.parent in BEHIND_EXTRAS or at_the_top.isdisjoint(OPTIONAL)


@EVERY_MODULE
def test_only_one_folder_knows_private_names_of_scikit_learn(path):
    private = {
        (module, name)
        for module, name in imports_of(path)
        if module.split(".")[0] == "sklearn"
        if any(part.startswith("_") for part in [*module.split("."), name or ""])
    }
    attributes = {
        ast.unparse(node)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_")
        if ast.unparse(node).startswith("sklearn.")
    }
    assert path.parts[0] == "_sklearn" or not (private or attributes)


@EVERY_SOURCE
def test_global_random_state_is_never_used(path):
    drawn = {
        node.attr
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"np.random", "random"}
    }
    assert drawn <= {"RandomState", "Generator", "MT19937", "SeedSequence", "default_rng"}


def test_package_holds_its_public_names_and_nothing_else():
    assert sorted(skperceptron.__all__) == ESTIMATOR_NAMES
    assert list(skperceptron.__all__) == sorted(skperceptron.__all__)
    names = {}
    exec("from skperceptron import *", names)
    assert set(names) - {"__builtins__"} == set(ESTIMATOR_NAMES)
    kinds = {type(node) for node in parse(Path("__init__.py")).body[1:]}
    assert kinds <= {ast.ImportFrom, ast.Assign, ast.Expr}


@pytest.mark.parametrize("module", [name for name, f in LAYERS.items() if f == COMPONENTS])
def test_component_module_exports_all_its_public_classes_and_functions(module):
    tree = parse(Path(f"{module}.py"))
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    }
    handed_on = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module in {"options", "engine.operators"}
        for alias in node.names
    }
    __import__(f"skperceptron.{module}")
    exported = set(getattr(skperceptron, module).__all__)
    assert defined <= exported <= defined | handed_on


@EVERY_SOURCE
def test_every_file_opens_with_a_docstring(path):
    assert ast.get_docstring(parse(path))


def test_whole_package_is_imported_without_optional_packages():
    behind = [".".join(("skperceptron", *path.parts)) for path in BEHIND_EXTRAS]
    program = f"""
        import importlib, pkgutil, sys

        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {OPTIONAL!r}:
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

        sys.meta_path.insert(0, Absent())
        import skperceptron
        for module in pkgutil.walk_packages(skperceptron.__path__, "skperceptron."):
            if not module.name.startswith({tuple(behind)!r}):
                importlib.import_module(module.name)
        assert not set({OPTIONAL!r}) & set(sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    environment_path = str(PACKAGE.parent)
    done = subprocess.run(command, capture_output=True, text=True, cwd=environment_path)
    assert done.returncode == 0, done.stderr
