"""Put small faults into the package, one at a time, and check that the tests notice them.

``python tests/mutation/run.py --mutants 600 --seed 0`` draws 600 of the faults that `mutants.py`
can make in the engine, the activations, the losses, the optimizers and the training. For each one,
the tests of that module run in a copy of the project. If all of them pass, the fault has survived:
either a test is missing, or the fault changes nothing. Faults of the second kind are listed with
the reason in `equivalent.json` and do not count.

First the tests run once with coverage.py, to find which of them reach which line. A fault is
tested only by tests that reach it, the fastest first, and only by some variants of a test with many
parameters. ``--reach FILE`` stores these lines; ``--json FILE`` stores the verdicts, from which a
run that was stopped continues.

Tests run in forks of one process that has imported all libraries, so this needs Linux or macOS.
"""

import argparse
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tests.mutation.mutants import Mutant, mutants_of  # noqa: E402
from tests.mutation.reach import Chosen, Reach, measured, rounds  # noqa: E402

#: Bytes that the tests of a fault may take: without a limit, a loop that does not end may take all.
MEMORY = 4 * 2**30

#: The tests of each part of the package; those that fail soonest come first.
TESTS = {
    "skperceptron/engine/": [
        "tests/engine",
        "tests/test_embeddings.py",
        "tests/inspection",
        "tests/test_mlp.py",
        "tests/training",
        "tests/export",
        "tests/estimators",
        "tests/test_shared_ensembles.py",
        "tests/test_bad_input.py",
    ],
    "skperceptron/perceptron/": [
        "tests/perceptron",
        "tests/test_rosenblatt.py",
        "tests/test_bad_input.py",
        "tests/export",
    ],
    "skperceptron/activations": [
        "tests/test_activations.py",
        "tests/engine/test_gradients.py",
        "tests/export",
    ],
    "skperceptron/losses": [
        "tests/test_losses.py",
        "tests/test_mlp_losses.py",
        "tests/engine/test_gradients.py",
        "tests/export",
    ],
    "skperceptron/optimizers": [
        "tests/test_optimizers.py",
        "tests/training/test_update.py",
        "tests/test_training_options.py",
        "tests/training/test_stack.py",
    ],
    "skperceptron/training/": [
        "tests/training",
        "tests/test_training_options.py",
        "tests/test_parameter_groups.py",
        "tests/test_averaging.py",
        "tests/test_stopping.py",
        "tests/test_shared_ensembles.py",
        "tests/callbacks",
        "tests/estimators",
        "tests/test_mlp.py",
    ],
    "skperceptron/tabular/": [
        "tests/tabular",
        "tests/export/test_onnx_tables.py",
    ],
    "skperceptron/preprocessing/": [
        "tests/preprocessing",
        "tests/export/test_onnx_tables.py",
        "tests/tabular",
    ],
    "skperceptron/export/": [
        "tests/export",
    ],
    "skperceptron/model_selection/": [
        "tests/model_selection",
        "tests/test_bad_input.py",
        "tests/test_pipelines.py",
        "tests/tabular/test_folds.py",
        "tests/estimators/test_features.py",
    ],
    "skperceptron/estimators/": [
        "tests/estimators",
        "tests/test_bad_input.py",
        "tests/inspection",
        "tests/test_mlp.py",
        "tests/test_warnings.py",
        "tests/test_refitting.py",
        "tests/test_mlp_losses.py",
        "tests/test_initializers.py",
        "tests/training/test_checkpoint.py",
        "tests/model_selection/test_cross_ensemble.py",
    ],
    "skperceptron/callbacks/": [
        "tests/callbacks",
        "tests/trackers",
        "tests/training/test_checkpoint.py",
    ],
    "skperceptron/_sklearn/": [
        "tests/_sklearn",
        "tests/test_bad_input.py",
        "tests/test_pipelines.py",
        "tests/estimators/test_targets.py",
        "tests/test_mlp_losses.py",
        "tests/model_selection/test_ensemble.py",
        "tests/model_selection/test_progress.py",
    ],
    "skperceptron/inspection/": ["tests/inspection"],
    "skperceptron/distributed/": ["tests/distributed"],
    "skperceptron/schedules": ["tests/test_schedules.py", "tests/test_training_options.py"],
    "skperceptron/initializers": ["tests/test_initializers.py", "tests/test_parity.py"],
    "skperceptron/options": ["tests/test_options.py", "tests/test_bad_input.py"],
    "skperceptron/averaging": ["tests/test_averaging.py"],
    "skperceptron/components": ["tests/test_components.py", "tests/test_options.py"],
    "skperceptron/deprecation": ["tests/test_deprecation.py"],
    "skperceptron/embeddings": ["tests/test_embeddings.py"],
    "skperceptron/exceptions": ["tests/test_exceptions.py"],
    "skperceptron/exchange": ["tests/test_exchange.py"],
    "skperceptron/groups": ["tests/test_parameter_groups.py"],
    "skperceptron/kept": ["tests/test_refitting.py", "tests/test_mlp.py"],
    "skperceptron/normalizations": ["tests/test_normalizations.py"],
    "skperceptron/stopping": ["tests/test_stopping.py"],
    "skperceptron/trackers": ["tests/trackers"],
    "skperceptron/usercall": [
        "tests/test_components.py",
        "tests/test_exceptions.py",
        "tests/model_selection/test_interruptions.py",
    ],
}

#: The place of the compiled extension after an editable installation.
EXTENSION = "skperceptron/engine/compiled/_steps*.so"

#: The fields that identify a fault.
NAMES = ("path", "where", "text", "change")

#: Imported once, before the tests of any fault.
LIBRARIES = ["numpy", "scipy.sparse", "scipy.optimize", "pytest", "sklearn.utils.estimator_checks"]
LIBRARIES += ["sklearn.neural_network", "sklearn.model_selection", "sklearn.datasets"]
LIBRARIES += ["sklearn.pipeline", "hypothesis", "pandas", "torch", "onnxruntime", "skl2onnx"]


@dataclass
class Running:
    """The tests of a fault, running in their own process."""

    mutant: Mutant
    copy: Path
    process: int
    started: float


def all_mutants() -> list[Mutant]:
    """Return every fault that can be made in files with tests."""
    found = []
    for path in sorted((ROOT / "skperceptron").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if tests_of(name):
            found += mutants_of(name, path.read_text())
    return found


def tests_of(path: str) -> list[str]:
    """Return the tests of a file: its own first."""
    part = next((part for part in TESTS if path.startswith(part)), None)
    if part is None:
        return []
    own = path.replace("skperceptron/", "tests/")
    places = [Path(own).parent / f"test_{Path(own).name}", Path(f"{Path(own).parent}.py")]
    places += [places[1].parent / f"test_{places[1].name}"]
    first = [place.as_posix() for place in places if (ROOT / place).exists()]
    return first + [test for test in TESTS[part] if test not in first]


def copy_of_project(folder: Path) -> Path:
    """Copy the files in Git, new files, and the built extension."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    extensions = [path.relative_to(ROOT).as_posix() for path in ROOT.glob(EXTENSION)]
    for name in [*filter(None, names.split("\0")), *extensions]:
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def reach_of(tests: list[str]) -> Reach:
    """Find out which lines each test runs."""
    with tempfile.TemporaryDirectory() as folder:
        copy, output = copy_of_project(Path(folder) / "copy"), Path(folder) / "reach.json"
        sys.stdout.flush()
        process = os.fork()
        if process == 0:
            try:
                _enter(copy)
                measured(copy, tests, output)
            finally:
                os._exit(0)
        os.waitpid(process, 0)
        return Reach.read(output)


def start(mutant: Mutant, copy: Path, reach: Reach, limit: int) -> Running:
    """Begin to test a fault, which may take `limit` processor seconds."""
    (copy / mutant.path).write_text(mutant.source)
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            _test(copy, mutant.path, reach.of(mutant.path, mutant.lines))
        finally:
            os._exit(1)
    return Running(mutant, copy, process, time.monotonic())


def _test(copy: Path, path: str, reaching: list[str] | None) -> None:
    """Run the tests that reach a fault in this process, and end it with pytest's verdict."""
    import pytest

    _enter(copy)
    options = ["-x", "-q", "-p", "no:cacheprovider", "--tb=line"]
    if reaching is None:
        os._exit(int(pytest.main([*options, *tests_of(path)])))
    for tests in rounds(reaching):
        files = sorted({test.split("::")[0] for test in tests})
        status = int(pytest.main([*options, *files], plugins=[Chosen(tests)]))
        if status != 0:
            os._exit(status)
    os._exit(0)


def _enter(copy: Path) -> None:
    """Let this process work in a copy of the project, and write its output to a file there."""
    os.setpgid(0, 0)
    os.chdir(copy)
    os.environ["PYTHONPATH"] = sys.path[0] = str(copy)
    for name in [name for name in sys.modules if name.split(".")[0] in ("skperceptron", "tests")]:
        del sys.modules[name]
    with open(copy / "output.txt", "w") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)


def ended(running: Running, limit: int) -> str | None:
    """Return the verdict on a fault, or None while its tests run."""
    process, status = os.waitpid(running.process, os.WNOHANG)
    # Tests that only wait use no processor time: for them, ten times the limit has to pass.
    if not process and time.monotonic() - running.started < 10 * limit:
        return None
    if not process:
        os.killpg(running.process, signal.SIGKILL)
        os.waitpid(running.process, 0)
    shutil.copy(ROOT / running.mutant.path, running.copy / running.mutant.path)
    return "survived" if process and status == 0 else "killed"


class Verdicts:
    """The verdict on each fault, stored in a file as soon as it is known.

    Parameters
    ----------
    path : path or None
    """

    def __init__(self, path: Path | None):
        self._path = path
        kept = json.loads(path.read_text()) if path is not None and path.exists() else []
        self._rows = {tuple(row[name] for name in NAMES): row for row in kept}

    def of(self, mutant: Mutant) -> str | None:
        """Return "killed", "survived", or None if it has not been tested."""
        row = self._rows.get((mutant.path, *mutant.key))
        return None if row is None else row["verdict"]

    def add(self, mutant: Mutant, verdict: str) -> None:
        row = {name: getattr(mutant, name) for name in (*NAMES, "line")} | {"verdict": verdict}
        self._rows[mutant.path, *mutant.key] = row
        if self._path is not None:
            self._path.write_text(json.dumps(list(self._rows.values()), indent=1))


def find_out(
    mutants: list[Mutant], reach: Reach, verdicts: Verdicts, n_jobs: int, limit: int
) -> None:
    """Test the faults that have no verdict yet, several at a time."""
    waiting = [mutant for mutant in mutants if verdicts.of(mutant) is None][::-1]
    n_found = len(mutants) - len(waiting)
    running: list[Running] = []
    with tempfile.TemporaryDirectory() as folder:
        free = [copy_of_project(Path(folder) / str(job)) for job in range(n_jobs)]
        while waiting or running:
            while waiting and free:
                running.append(start(waiting.pop(), free.pop(), reach, limit))
            for now in list(running):
                verdict = ended(now, limit)
                if verdict is not None:
                    verdicts.add(now.mutant, verdict)
                    running.remove(now)
                    free.append(now.copy)
                    n_found += 1
                    seconds = time.monotonic() - now.started
                    print(f"{n_found}/{len(mutants)} {verdict} {seconds:.0f} s", end=" ")
                    print(f"{now.mutant.path}:{now.mutant.line} {now.mutant.change}", flush=True)
            time.sleep(0.05)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=600, help="how many faults to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument(
        "--limit", type=int, default=600, help="seconds of a processor for a fault's tests"
    )
    parser.add_argument("--only", default="", help="draw from files whose path begins so")
    parser.add_argument("--reach", type=Path, help="which tests reach which lines: kept here")
    parser.add_argument("--json", type=Path, help="verdicts are kept here, and taken from here")
    options = parser.parse_args()
    for library in LIBRARIES:
        try:
            importlib.import_module(library)
        except ImportError:
            print(f"Without {library}: its tests are skipped.")
    equivalent = json.loads((HERE / "equivalent.json").read_text())
    known = {(entry["where"], entry["text"], entry["change"]) for entry in equivalent}
    population = [m for m in all_mutants() if m.path.startswith(options.only)]
    chosen = random.Random(options.seed).sample(population, min(options.mutants, len(population)))
    counted = [mutant for mutant in chosen if mutant.key not in known]
    reach = known_reach(options.reach)
    verdicts = Verdicts(options.json)
    find_out(counted, reach, verdicts, options.jobs, options.limit)
    report(counted, verdicts, len(chosen) - len(counted))
    return 0


def known_reach(path: Path | None) -> Reach:
    """Return which tests reach which lines, from a file if there is one."""
    if path is not None and path.exists():
        return Reach.read(path)
    tests = list(dict.fromkeys(test for part in TESTS.values() for test in part))
    reach = reach_of([test for test in tests if (ROOT / test).exists()])
    if path is not None:
        reach.write(path)
    return reach


def report(mutants: list[Mutant], verdicts: Verdicts, n_equivalent: int) -> None:
    """Print the survivors and the numbers of faults."""
    survivors = [mutant for mutant in mutants if verdicts.of(mutant) == "survived"]
    print("\nSurvivors:")
    for mutant in survivors:
        print(f"  {mutant.path}:{mutant.line} {mutant.where}\n    {mutant.change}")
    killed = len(mutants) - len(survivors)
    share = killed / max(1, len(mutants))
    print(f"\n{killed} of {len(mutants)} faults were noticed ({share:.1%});", end=" ")
    print(f"{n_equivalent} more are known to change nothing.")


if __name__ == "__main__":
    # Each process of tests has its own core.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.exit(main())
