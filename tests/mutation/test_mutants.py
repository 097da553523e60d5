"""The faults of a mutation run, and the list of those that change nothing."""

import ast
import json

import pytest

pytest.importorskip("resource", reason="Windows has no such module")

from tests.mutation import run
from tests.mutation.mutants import mutants_of
from tests.mutation.reach import N_FIRST, N_VARIANTS, Reach, rounds

SOURCE = '''
class Half:
    """Half of a number is * 0.5."""

    def of(self, z: list[1], × = True):
        if z < 0:
            self.note(z)
        return -0.5 * np.ones(2) + f"{z + 1}"
'''


def test_faults_are_single_changes_of_what_is_computed():
    found = list(mutants_of("half.py", SOURCE.replace("×", "µ")))
    assert [mutant.change for mutant in found] == [
        "True -> False",
        "z < 0 -> z <= 0",
        "0 -> 1",
        "self.note(z) -> pass",
        "-0.5 * np.ones(2) + f'{z + 1}' -> -0.5 * np.ones(2) - f'{z + 1}'",
        "-0.5 * np.ones(2) -> -0.5 / np.ones(2)",
        "-0.5 -> 0.5",
        "0.5 -> 0.75",
        "np.ones -> np.zeros",
        "2 -> 3",
    ]
    assert {mutant.where for mutant in found} == {"Half.of"}
    before = ast.dump(ast.parse(SOURCE.replace("×", "µ")))
    assert all(ast.dump(ast.parse(mutant.source)) != before for mutant in found)


def test_faults_know_the_lines_of_their_statement():
    source = "def half(x,\n  y=1):\n  if (x <\n      y):\n    return x\n  return (x +\n    y)\n"
    found = {mutant.change: mutant.lines for mutant in mutants_of("half.py", source)}
    assert found == {
        "1 -> 2": range(1, 3),
        "x < y -> x <= y": range(3, 5),
        "x + y -> x - y": range(6, 8),
    }


def test_only_tests_that_reach_a_fault_are_run_and_the_fastest_first():
    reach = Reach(
        {"a.py": {"1": None, "2": [0, 2], "3": [1, 2]}}, {"slow": 3.0, "fast": 1, "mid": 2}
    )
    assert reach.of("a.py", range(1, 3)) is None
    assert reach.of("a.py", range(2, 3)) == ["mid", "slow"]
    assert reach.of("a.py", range(2, 4)) == ["fast", "mid", "slow"]
    assert reach.of("a.py", range(4, 5)) == []
    assert reach.of("other.py", range(1, 2)) == []


def test_one_variant_of_each_test_runs_before_others():
    tests = [f"quick[{i}]" for i in range(N_FIRST + 50)] + ["slow[a]", "slow[b]", "slowest"]
    first, one, more = rounds(tests)
    assert first == tests[:N_FIRST]
    assert one == ["slow[a]", "slowest"]
    assert more[-1] == "slow[b]"
    # Some of the quick variants are among the first ones.
    assert 1 <= len(more) - 1 <= N_VARIANTS - 1
    assert not {*first} & {*more}
    assert rounds(["alone"]) == [["alone"]]
    assert rounds([]) == []


def test_verdicts_are_kept_from_run_to_run(tmp_path):
    first, second = mutants_of("half.py", "x = 1\ny = 2\n")
    verdicts = run.Verdicts(tmp_path / "verdicts.json")
    assert verdicts.of(first) is None
    verdicts.add(first, "killed")
    verdicts = run.Verdicts(tmp_path / "verdicts.json")
    assert verdicts.of(first) == "killed"
    assert verdicts.of(second) is None


def test_faults_that_change_nothing_can_still_be_made():
    keys = {mutant.key for mutant in run.all_mutants()}
    for entry in json.loads((run.HERE / "equivalent.json").read_text()):
        assert (entry["where"], entry["text"], entry["change"]) in keys
        assert entry["reason"]


def test_each_file_is_tested_by_its_own_tests_first():
    assert (
        run.tests_of("skperceptron/engine/fingerprints.py")[0]
        == "tests/engine/test_fingerprints.py"
    )
    assert run.tests_of("skperceptron/losses.py")[0] == "tests/test_losses.py"
    assert run.tests_of("skperceptron/moved.py") == []
