"""Run the numerical tests as other machines would: ``python tests/kernels/run.py [NAME ...]``.

The last bits of a product depend on the processor's kernel in BLAS, on the number of threads and
on the instructions that NumPy uses; the order of events depends on other work on the machine. Each
pass changes one of these. ``--list`` names the passes that this machine can run; arguments after
``--`` are passed to pytest.
"""

import argparse
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Tests in which last bits could matter: training, stacks, parity, precision and prediction.
NUMERICAL = [
    "tests/training",
    "tests/model_selection/test_search.py",
    "tests/test_dtype.py",
    "tests/test_memory.py",
    "tests/test_parity.py",
    "tests/test_prediction.py",
    "tests/test_rosenblatt.py",
]

#: OpenBLAS's kernels, and the instructions that each needs. It takes Prescott's for processors that
#: it does not know, such as those that are newer than itself.
KERNELS = {
    "Haswell": {"avx2", "fma"},
    "SkylakeX": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"},
    "Sandybridge": {"avx"},
    "Prescott": {"pni"},
}

#: Those with which BLAS uses one thread only, to save time.
OLD_KERNELS = {"Sandybridge", "Prescott"}

#: A program that prints the optional instructions that NumPy uses here.
FEATURES = """
try:
    from numpy._core import _multiarray_umath as umath
except ImportError:
    from numpy.core import _multiarray_umath as umath
print(*(name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)))
"""


@dataclass
class Pass:
    """One run of the numerical tests.

    Attributes
    ----------
    environment : dict of str to str
        Environment variables that are set.
    arguments : list of str
        Arguments for pytest.
    n_busy : int
        Number of processes that keep cores busy meanwhile.
    always : bool
        Whether it runs without being named.
    """

    environment: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    n_busy: int = 0
    always: bool = True

    def run(self, tests: list[str], more: list[str]) -> bool:
        """Run the tests; return whether they pass."""
        command = [sys.executable, "-m", "pytest", "-q", *self.arguments, *more, *tests]
        with busy(self.n_busy):
            environment = {**os.environ, **self.environment}
            return subprocess.run(command, cwd=ROOT, env=environment).returncode == 0


def passes() -> dict[str, Pass]:
    """Return the passes that this machine can run, by name."""
    can = processor_flags()
    found = {
        # Without pytest-xdist, whose workers have one thread, BLAS uses all cores.
        kernel: Pass({"OPENBLAS_CORETYPE": kernel}, ["-n", "2"] if kernel in OLD_KERNELS else [])
        for kernel, needed in KERNELS.items()
        if needed <= can
    }
    # Products of the plugin allocate memory, so that tests of allocations are left out.
    plugin = ["-p", "tests.kernels.foreign", "-k", "not allocates"]
    found["foreign"] = Pass(arguments=["-n", "2", *plugin], always=False)
    features = numpy_features()
    if features:
        found["plain-numpy"] = Pass({"NPY_DISABLE_CPU_FEATURES": " ".join(features)}, ["-n", "2"])
    found["busy"] = Pass(arguments=["-n", "2"], n_busy=2)
    return found


def processor_flags() -> set[str]:
    """Return the flags of the processor on Linux; on other systems an empty set."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


def numpy_features() -> list[str]:
    """Return the instructions that NumPy uses in addition to those that it requires."""
    command = [sys.executable, "-c", FEATURES]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@contextmanager
def busy(n_processes: int):
    """Keep `n_processes` cores busy."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(n_processes)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main(arguments: list[str]) -> int:
    own, more = arguments, []
    if "--" in arguments:
        own, more = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    available = passes()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(available)}")
    parser.add_argument("--list", action="store_true", help="only name the passes")
    parser.add_argument("--tests", nargs="+", default=NUMERICAL, help="other files than usual")
    options = parser.parse_args(own)
    unknown = set(options.names) - set(available)
    if unknown:
        parser.error(f"this machine has {', '.join(available)}, not {', '.join(unknown)}.")
    chosen = options.names or [name for name, one in available.items() if one.always]
    if options.list:
        print(*available, sep="\n")
        return 0
    failed = []
    for name in chosen:
        print(f"\n--- {name} ---", flush=True)
        if not available[name].run(options.tests, more):
            failed.append(name)
    print(f"\n{len(chosen) - len(failed)} of {len(chosen)} passes are green.", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
