"""Which tests run which lines, and how long they take."""

import importlib
import json
import time
from pathlib import Path

import pytest

#: How many tests run before the files of all others are collected: these notice most faults.
N_FIRST = 20

#: How many variants of a test with parameters are run.
N_VARIANTS = 4

#: The context of lines that run outside of tests, for example in imports of test modules.
BETWEEN = "between tests"


class Recorder:
    """A plugin of pytest that notes the lines that each test runs."""

    def __init__(self, coverage):
        self.coverage = coverage
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.coverage.switch_context(item.nodeid)
        started = time.process_time()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.process_time() - started
            self.coverage.switch_context(BETWEEN)


class Chosen:
    """A plugin of pytest that runs only these tests, in this order."""

    def __init__(self, tests: list[str]):
        self.place = {test: i for i, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        chosen = [item for item in items if item.nodeid in self.place]
        items[:] = sorted(chosen, key=lambda item: self.place[item.nodeid])


class Reach:
    """The tests that run a line, the fastest first.

    Parameters
    ----------
    tests : dict of str to dict of str to (list of int or None)
        For each file and line, the numbers of the tests that run it; None if it runs outside of
        tests, as in an import. Lines that never run are missing.
    seconds : dict of str to float
        The time of each test; the order of its keys defines the numbers of the tests.
    """

    def __init__(self, tests: dict[str, dict[str, list[int] | None]], seconds: dict[str, float]):
        self.tests = tests
        self.seconds = seconds
        self._names = list(seconds)

    def of(self, path: str, lines: range) -> list[str] | None:
        """Return the tests that run any of these lines; None if an import runs one of them."""
        known = self.tests.get(path, {})
        runs = [known.get(str(line), []) for line in lines]
        if None in runs:
            return None
        numbers = {number for tests in runs for number in tests}
        return sorted((self._names[number] for number in numbers), key=self.seconds.__getitem__)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps({"tests": self.tests, "seconds": self.seconds}))

    @classmethod
    def read(cls, path: Path) -> "Reach":
        return cls(**json.loads(path.read_text()))


def rounds(tests: list[str]) -> list[list[str]]:
    """Split tests, the fastest first: some, then one variant of each test, then more variants."""
    variants: dict[str, list[str]] = {}
    for test in tests:
        variants.setdefault(test.split("[")[0], []).append(test)
    one = [some[0] for some in variants.values()]
    more = [test for some in variants.values() for test in _spread(some[1:], N_VARIANTS - 1)]
    found: list[list[str]] = []
    for part in (tests[:N_FIRST], one, more):
        known = {test for earlier in found for test in earlier}
        found.append([test for test in part if test not in known])
    return [part for part in found if part]


def _spread(items: list[str], n: int) -> list[str]:
    """Return at most `n` items, spread evenly over a list."""
    return [items[i * len(items) // n] for i in range(n)] if len(items) > n else items


def measured(root: Path, tests: list[str], output: Path) -> None:
    """Run tests in this process, and store which lines of the package each of them runs."""
    from coverage import Coverage

    coverage = Coverage(data_file=None, source=[str(root / "skperceptron")], messages=False)
    recorder = Recorder(coverage)
    coverage.start()
    # Otherwise the lines of a module's import would belong to the first test that needs it.
    for module in sorted((root / "skperceptron").rglob("*.py")):
        importlib.import_module(".".join(module.relative_to(root).with_suffix("").parts))
    coverage.switch_context(BETWEEN)
    pytest.main(["-q", "-p", "no:cacheprovider", "--tb=line", *tests], plugins=[recorder])
    coverage.stop()
    data = coverage.get_data()
    numbers = {name: i for i, name in enumerate(recorder.seconds)}
    found = {}
    for file in data.measured_files():
        found[Path(file).relative_to(root).as_posix()] = {
            str(line): _numbers_of(names, numbers)
            for line, names in data.contexts_by_lineno(file).items()
        }
    Reach(found, recorder.seconds).write(output)


def _numbers_of(names: list[str], numbers: dict[str, int]) -> list[int] | None:
    """Return the tests among the contexts of a line; None for an import or without a test."""
    tests = [numbers[name] for name in names if name in numbers]
    return None if "" in names or not tests else tests
