"""Compare this checkout of the package with another: ``python -m benchmarks.against FOLDER``.

Each checkout runs in its own process, and both take turns, so that slow phases of the machine
affect both. Training steps run as calls of NumPy unless ``--steps`` says otherwise.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from . import tasks
from .measuring import Results, Table
from .report import markdown

HERE = Path(__file__).resolve().parent.parent
THIS, THAT = "this checkout", "the other"


def main(arguments: list[str] | None = None) -> None:
    """Print the milliseconds of both checkouts, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the other checkout")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--steps", choices=["numpy", "compiled", "auto"], default="numpy")
    parser.add_argument("--only", nargs="*", default=[""], help="parts of names of tasks")
    options = parser.parse_args(arguments)
    if not (options.folder / "skperceptron").is_dir():
        parser.error(f"{options.folder} is not a checkout: it has no folder skperceptron.")
    rows: Results = {}
    ratios: Results = {}
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(_worker(folder, options.steps))
            for name, folder in {THAT: options.folder.resolve(), THIS: HERE}.items()
        }
        for task in tasks.NAMES:
            if any(part in task for part in options.only):
                seconds = _in_turns(running, task, options.repeats)
                rows[task] = {name: 1e3 * median(found) for name, found in seconds.items()}
                pairs = zip(seconds[THIS], seconds[THAT], strict=True)
                ratios[task] = {
                    "median ratio": median(new / old for new, old in pairs),
                    "ratio of the fastest": min(seconds[THIS]) / min(seconds[THAT]),
                }
    title = f"Milliseconds of one processor, steps in {options.steps}, {options.repeats} turns"
    print(markdown(Table("against", title, "task", rows, ratios, reference=None)))


def _in_turns(
    running: dict[str, subprocess.Popen[str]], task: str, repeats: int
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in running}
    for turn in range(repeats):
        # The order alternates, so that neither always runs second.
        for name in list(running) if turn % 2 else reversed(list(running)):
            process = running[name]
            assert process.stdin is not None and process.stdout is not None
            print(task, file=process.stdin, flush=True)
            seconds[name].append(float(process.stdout.readline()))
    return seconds


@contextmanager
def _worker(folder: Path, steps: str) -> Iterator[subprocess.Popen[str]]:
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    process = subprocess.Popen(
        # Both run the tasks of this checkout, because the other may not have them.
        [sys.executable, "-P", "-W", "ignore", tasks.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | limits | {"PYTHONPATH": str(folder), "SKPERCEPTRON_STEPS": steps},
    )
    try:
        yield process
    finally:
        process.communicate()


if __name__ == "__main__":
    main()
