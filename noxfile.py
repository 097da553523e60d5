"""Development tasks: ``nox -l`` lists them, ``nox -s oldest`` runs one of them."""

import nox

nox.options.sessions = ["oldest", "newest-3.11", "lint", "types", "docs"]

OLDEST = [
    "scikit-learn==1.6.0",
    "numpy==1.26.0",
    "scipy==1.11.4",
    "pandas==2.1.4",
    "matplotlib==3.8.0",
    "networkx==3.2",
]


@nox.session(python="3.11")
def oldest(session):
    """Test with the oldest dependencies."""
    session.install("-e", ".[test]", *OLDEST)
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13", "3.14", "3.15"])
def newest(session):
    """Test with the newest dependencies."""
    session.install("-e", ".[test]", "--upgrade", "--upgrade-strategy", "eager")
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session(python="3.11")
@nox.parametrize("steps", ["numpy", "compiled"])
def steps(session, steps):
    """Test with one of the two ways to run the steps of a fit."""
    session.env["SKPERCEPTRON_STEPS"] = steps
    session.env["SKPERCEPTRON_BUILD"] = "compiled" if steps == "compiled" else "pure"
    session.install("-e", ".[test]")
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session(python=["3.13t", "3.14t"])
def free(session):
    """Test on Python without its global lock."""
    # The newest versions of the dependencies may have no wheels for this Python.
    session.env["PIP_ONLY_BINARY"] = ":all:"
    session.env["SKPERCEPTRON_BUILD"] = "compiled"
    session.install("-e", ".[test]")
    # The lock stays off even if a module of another package asks for it.
    session.run("pytest", "-n", "2", *session.posargs, env={"PYTHON_GIL": "0"})


@nox.session
def others(session):
    """Test with libraries that users combine with ours: ONNX, skops, MLflow, Optuna, Dask."""
    session.install("-e", ".[test,onnx,safetensors,trackers,distributed]", "skops", "pyarrow")
    session.run("pytest", "tests/export", "tests/trackers", "tests/distributed", *session.posargs)


@nox.session(venv_backend="none")
def package(session):
    """Build the package, check it, and use the wheel."""
    session.run(".ci/package", *session.posargs)


@nox.session
def pytorch(session):
    """Compare with PyTorch."""
    session.install("-e", ".[test]", "torch==2.13.0")
    session.run("pytest", "-n", "2", "-m", "torch", *session.posargs)


@nox.session
def kernels(session):
    """Run the numerical tests as on other machines; -- --list lists the passes."""
    session.install("-e", ".[test]")
    session.run("python", "tests/kernels/run.py", *session.posargs)


@nox.session
def mutation(session):
    """Count the small faults that the tests notice; -- --help lists options."""
    session.install("-e", ".[test,mutation]", "torch==2.13.0")
    session.run("python", "tests/mutation/run.py", *session.posargs)


@nox.session
def lint(session):
    """Check style."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session):
    """Check types."""
    session.install("-e", ".", "mypy")
    session.run("mypy")


@nox.session
def docs(session):
    """Build the documentation; warnings are errors."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "docs", "docs/_build")


@nox.session
def benchmark(session):
    """Compare speed and memory with scikit-learn, PyTorch and JAX; -- --help lists options."""
    session.install("-e", ".[benchmark]")
    session.run("python", "-m", "benchmarks", *session.posargs)
