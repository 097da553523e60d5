"""Files around the package: the README's commands, the guide for contributors, metadata."""

import ast
import csv
import inspect
import os
import re
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris

import skperceptron
from skperceptron import (
    MLPBinaryClassifier,
    MLPClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
    activations,
    callbacks,
    initializers,
    model_selection,
    preprocessing,
    schedules,
    tabular,
)
from tests.public import CLASSES, EVERYTHING

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not (ROOT / "CONTRIBUTING.md").exists(), reason="runs in a checkout only"
)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def project():
    return tomllib.loads(read("pyproject.toml"))["project"]


def commands(language):
    return re.findall(rf"```{language}\n(.*?)\n *```", read("README.md"), flags=re.DOTALL)


def test_continuous_integration_runs_the_test_command_of_the_readme():
    _, test_command = commands("bash")[:2]
    assert f"test_command='{test_command}'" in read(".ci/run")


def test_tests_that_scripts_name_exist():
    scripts = [*(ROOT / ".ci").iterdir(), ROOT / "noxfile.py", ROOT / "tests/kernels/run.py"]
    named = {
        path for script in scripts for path in re.findall(r"tests/[\w/.]+", script.read_text())
    }
    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_files_that_the_guide_for_contributors_names_exist():
    named = set(re.findall(r"`([\w/.]+\.(?:py|c|json|md|rst))`", read("CONTRIBUTING.md")))
    assert len(named) > 5
    package = ROOT / "skperceptron"
    missing = {name for name in named if not (ROOT / name).exists()}
    assert {name for name in missing if not any(package.rglob(name))} == set()


def generators_of(module):
    """Return the names of random generators that a parsed module makes outside of functions."""
    kinds = {"np.random.RandomState", "np.random.default_rng"}
    return {
        statement.targets[0].id
        for statement in module.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
        if ast.unparse(statement.value.func) in kinds
    }


def test_no_test_draws_from_the_generator_of_its_module():
    """Otherwise its numbers depend on the tests that have run before it."""
    drawing = []
    for path in (ROOT / "tests").rglob("*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        generators = generators_of(module)
        functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
        for function in functions if generators else ():
            names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            drawing += [f"{path.name}: {function.name}"] if names & generators else []
    assert drawing == []


def test_main_job_of_the_readme_exists():
    (script,) = re.findall(r"python (examples/\S+)", commands("bash")[0])
    assert (ROOT / script).exists()


def test_code_of_the_readme_runs(capsys):
    search, table = commands("python")
    # With fewer rows it is fast, and still shows that the names are right.
    exec(search.replace("return_X_y=True)", "return_X_y=True, n_class=2)"), {})
    assert "mlp__activation" in capsys.readouterr().out
    frame = pd.DataFrame({"size": range(20), "kind": ["a", "b", None, "c"] * 5})
    names = {"frame": frame, "labels": [0, 1] * 10, "new_frame": frame[:3]}
    exec(table.replace("random_state=0", "max_epochs=2, random_state=0"), names)
    assert "[[" in capsys.readouterr().out


def test_speeds_of_the_readme_are_those_of_the_documentation():
    stored = read("docs/tables/training_float32_2.inc")
    lines = re.findall(r"^\| (\w+): [^|]+ \| (.+) \|$", read("README.md"), flags=re.MULTILINE)
    assert len(lines) > 3
    for case, cells in lines:
        assert ",".join(f'"{cell}"' for cell in [case, *cells.split(" | ")]) in stored


def test_ranks_of_the_readme_are_those_of_the_documentation():
    lines = read("docs/tables/tabular_ranks.inc").splitlines()
    stored = csv.DictReader(line.strip() for line in lines[3:])
    columns = ["model", "rank by accuracy", "rank by log loss", "rank by nRMSE", "fit, s"]
    rows = [f"| {' | '.join(row[column] for column in columns)} |" for row in stored]
    assert len(rows) > 3
    assert "\n".join(rows) in read("README.md")


def test_picture_and_links_of_the_readme_exist():
    links = re.findall(r"\]\(([^)]+)\)", read("README.md"))
    assert "docs/images/network.png" in links
    assert all((ROOT / link).exists() for link in links)


def test_readme_counts_the_activations_roughly():
    (count,) = re.findall(r"more than (\d+) activations", read("README.md"))
    assert int(count) < len(activations.list_activations()) <= int(count) + 10


def test_run_time_needs_three_packages_only():
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in project()["dependencies"]]
    assert sorted(names) == ["numpy", "scikit-learn", "scipy"]


def test_extras_are_those_that_the_documentation_names():
    assert {"plot", "onnx", "distributed", "docs", "benchmark", "test"} <= set(
        project()["optional-dependencies"]
    )


def test_page_on_installation_names_every_extra():
    page = read("docs/installation.rst")
    assert all(f'".[{extra}]"' in page for extra in project()["optional-dependencies"])


def test_extra_plot_brings_what_displays_and_gallery_import():
    known = {re.match(r"[\w-]+", name)[0] for name in project()["dependencies"]}
    known |= {re.match(r"[\w-]+", name)[0] for name in project()["optional-dependencies"]["plot"]}
    known = {name.replace("scikit-learn", "sklearn") for name in known} | {"skperceptron"}
    # joblib comes with scikit-learn, and packaging with matplotlib.
    known |= {*sys.stdlib_module_names, "joblib", "packaging"}
    of_clusters = {"dask", "distributed"}
    files = [*(ROOT / "examples").glob("*.py"), *(ROOT / "skperceptron/inspection").rglob("*.py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            allowed = known | of_clusters if path.name == "plot_cluster.py" else known
            assert {name.split(".")[0] for name in names} <= allowed, path.name


def test_changelog_has_a_section_for_the_version():
    assert f"## {skperceptron.__version__}" in read("CHANGELOG.md")


def test_all_places_name_the_same_version():
    version = skperceptron.__version__
    assert f"\nversion: {version}\n" in read("CITATION.cff")
    assert f'set version = "{version}"' in read("packaging/conda/meta.yaml")


def test_all_places_name_the_same_versions_of_python():
    classifiers = "\n".join(project()["classifiers"])
    named = re.findall(r"Python :: (3\.\d+)$", classifiers, flags=re.MULTILINE)
    first, last = named[0], named[-1]
    assert project()["requires-python"] == f">={first}"
    quoted = ", ".join(f'"{version}"' for version in named)
    assert f"python: [{quoted}]\n" in read(".github/workflows/ci.yml")
    assert f"@nox.session(python=[{quoted}])\ndef newest(" in read("noxfile.py")
    assert f"Python {first} or newer" in read("README.md")
    assert f"Python {first} to {last} on Linux" in read("docs/installation.rst")
    assert f"Linux, macOS and Windows with Python {first} to {last}" in read("docs/releasing.rst")


def test_wheels_with_compiled_steps_begin_with_the_oldest_python():
    wheels = tomllib.loads(read("pyproject.toml"))["tool"]["cibuildwheel"]
    oldest = project()["requires-python"].removeprefix(">=").replace(".", "")
    assert wheels["build"][0] == f"cp{oldest}-*"
    assert f'"cp{oldest}-abi3-' in read("hatch_build.py")


def test_conda_recipe_has_the_same_dependencies():
    recipe = read("packaging/conda/meta.yaml").partition("  run:\n")[2]
    for requirement in project()["dependencies"]:
        assert f"    - {requirement.replace('>=', ' >=')}\n" in recipe
    oldest = project()["requires-python"].removeprefix(">=")
    assert f'set python_min = "{oldest}"' in read("packaging/conda/meta.yaml")


def test_workflows_run_the_commands_of_the_repository():
    text = read(".github/workflows/ci.yml") + read(".github/workflows/release.yml")
    commands = re.findall(r"- run: (.+)", text)
    for command in commands:
        # Windows has no modes of files.
        if command.startswith(".ci/") and os.name == "posix":
            assert (ROOT / command.split()[0]).stat().st_mode & 0o111
        if command.startswith("nox -s"):
            assert f"def {command.split()[2]}(" in read("noxfile.py")
    versions = re.findall(r"Programming Language :: Python :: (3\.\d+)", read("pyproject.toml"))
    assert str(versions).replace("'", '"') in text
    assert 'pip install -e ".[test]"' in read("README.md")


def test_workflows_name_actions_by_commits_and_keep_no_credentials():
    for name in ("ci", "release"):
        text = read(f".github/workflows/{name}.yml")
        for action in re.findall(r"uses: (\S+)", text):
            owner, _, revision = action.partition("@")
            # PyPI's maintainers update this branch to match their server.
            pinned = revision == "release/v1" if owner.startswith("pypa/") else len(revision) == 40
            assert pinned, action
        n_checkouts = text.count("uses: actions/checkout@")
        assert text.count("persist-credentials: false") == n_checkouts > 0


def documented():
    """Yield every public class of the package and every public method that it defines."""
    for thing in EVERYTHING:
        yield thing
        if isinstance(thing, type):
            for name, method in vars(thing).items():
                if not name.startswith("_") and inspect.isfunction(method):
                    yield method


def test_public_things_are_documented():
    # A method may inherit the docstring of a base class, a class may not.
    things = list(documented())
    bare = [
        thing.__qualname__
        for thing in things
        if not (thing.__doc__ if isinstance(thing, type) else inspect.getdoc(thing))
    ]
    assert things and not bare


#: Classes that need no citation.
PLAIN = {
    activations.Identity,
    callbacks.CSVLogger,
    callbacks.Checkpoint,
    callbacks.EpochLogger,
    initializers.Constant,
    initializers.Given,
    initializers.Zeros,
    schedules.Constant,
    schedules.UserSchedule,
}


def methods():
    """Return the classes that implement a published method."""
    return [
        cls
        for cls in CLASSES
        if hasattr(cls, "get_params") and cls not in PLAIN
        if not cls.__doc__.startswith("Base of")
    ]


@pytest.mark.parametrize("cls", methods(), ids=lambda cls: cls.__qualname__)
def test_docstring_of_a_method_names_author_and_year(cls):
    # "Huber 1964", "Kingma & Ba (2015)", "He et al. 2016".
    assert re.search(r"[A-Z]\w+( et al\.)? \(?(1[7-9]|20)\d\d\b", " ".join(cls.__doc__.split()))


@pytest.mark.parametrize("name", skperceptron.__all__)
def test_docstring_of_an_estimator_lists_its_parameters_in_the_order_of_the_signature(name):
    cls = getattr(skperceptron, name)
    body = inspect.getdoc(cls).split("Attributes\n----------")[0]
    assert names_in(body) == list(inspect.signature(cls).parameters)


def names_in(section):
    """Return the names that a section of a docstring describes."""
    lines = re.findall(r"^([\w, ]+) : ", section, flags=re.MULTILINE)
    return [name.strip() for line in lines for name in line.split(",")]


NETWORK = MLPSoftmaxClassifier((2,), max_iter=2, random_state=0)
REGRESSOR = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, random_state=0)
GRID = {"alpha": [0.1, 1.0]}
ESTIMATORS = [
    NETWORK,
    REGRESSOR,
    MLPRegressor(output="categorical", solver="lbfgs", max_iter=2),
    MLPClassifier((2,), "prelu", max_iter=2, normalization="batch", feature_scale=True),
    MLPClassifier((2,), max_iter=2, parametric_activation=True, numeric_embedding="ple"),
    MLPClassifier((2,), max_iter=2, ensemble_size=2, early_stopping=True),
    MLPBinaryClassifier((2,), max_iter=2),
    RosenblattPerceptron(max_iter=2),
    RosenblattPerceptron(n_associative=0, max_iter=2),
    model_selection.StackedGridSearchCV(NETWORK, GRID),
    model_selection.StackedRandomizedSearchCV(NETWORK, GRID, n_iter=2),
    model_selection.StackedHalvingGridSearchCV(NETWORK, GRID),
    model_selection.StackedHalvingRandomSearchCV(NETWORK, GRID, n_candidates=2),
    model_selection.StackedEnsembleClassifier(NETWORK, 2),
    model_selection.StackedEnsembleRegressor(REGRESSOR, 2),
    model_selection.StackedCrossEnsembleClassifier(NETWORK, GRID),
    model_selection.StackedCrossEnsembleRegressor(REGRESSOR, GRID),
    tabular.TabularMLPClassifier("fast", max_epochs=1),
    tabular.TabularMLPRegressor("fast", max_epochs=1),
    preprocessing.TabularPreprocessor(),
    preprocessing.RobustSmoothClipScaler(),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_docstring_lists_all_attributes_of_a_fitted_estimator(estimator):
    X, y = load_iris(return_X_y=True, as_frame=True)
    fitted = clone(estimator).fit(X[:100], y[:100])
    public = [name for name in dir(fitted) if name.endswith("_") and not name.startswith("_")]
    found = {name for name in public if hasattr(fitted, name)}
    assert found <= set(names_in(inspect.getdoc(type(estimator))))


@pytest.mark.parametrize("name", skperceptron.__all__)
def test_every_parameter_is_constrained(name):
    cls = getattr(skperceptron, name)
    assert set(cls._parameter_constraints) == set(inspect.signature(cls).parameters)


def test_contributors_are_led_to_the_pages_on_parts():
    assert "`docs/extending/`" in read("CONTRIBUTING.md")
    assert "extending/index" in read("docs/project.rst")


def test_source_distribution_holds_everything_that_is_in_the_repository():
    project = tomllib.loads(read("pyproject.toml"))
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    # Files that hatchling adds by itself, and those of a checkout or a build.
    others = {".git", ".gitignore", "pyproject.toml", "dist", "build", "PKG-INFO"}
    found = {path.name for path in ROOT.iterdir() if path.name not in others}
    hidden_or_made = {name for name in found if name.startswith(".") and name != ".ci"}
    made = {name for name in found if name.endswith((".egg-info", ".log", "__pycache__"))}
    assert {name.lstrip("/") for name in included} >= found - hidden_or_made - made
