"""The table that a verbose fit prints: widths of cells, headings, stars and the time left."""

import numpy as np
import pytest

from skperceptron.callbacks import table
from skperceptron.callbacks.table import SCREEN, Column, EpochTable, duration

COLUMNS = [Column("loss", width=8), Column("rate", ".3g", 8)]


@pytest.fixture
def clock(monkeypatch):
    seconds = [100.0]
    monkeypatch.setattr(table, "monotonic", lambda: seconds[0])
    return seconds


def test_rows_stand_below_the_heading(clock, capsys):
    printed = EpochTable(COLUMNS, 10, marks_best=True)
    clock[0] += 2
    printed.row(1, {"loss": 0.5, "rate": 0.1}, is_best=True)
    printed.row(2, {"loss": np.nan, "rate": None})
    assert capsys.readouterr().out.splitlines() == [
        " epoch      loss      rate   seconds     left, max",
        "     1  0.500000       0.1      2.00  *       18 s",
        "     2                          2.00         8.0 s",
    ]


def test_the_time_left_counts_epochs_of_this_table(clock, capsys):
    printed = EpochTable(COLUMNS, 10, has_heading=False)
    clock[0] += 2
    printed.row(5, {"loss": 0.5, "rate": 0.1})
    assert capsys.readouterr().out == "     5  0.500000       0.1      2.00       10 s\n"


def test_without_a_last_epoch_there_is_no_time_left(clock, capsys):
    printed = EpochTable([Column("validation_score")], None, "rotation")
    printed.row(1, {"validation_score": 0.25})
    assert capsys.readouterr().out.splitlines() == [
        "rotation  validation_score   seconds",
        "       1          0.250000      0.00",
    ]


def test_the_heading_is_repeated_on_each_screen(clock, capsys):
    printed = EpochTable(COLUMNS, None)
    for number in range(1, 2 * SCREEN + 1):
        printed.row(number, {"loss": 0.5})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * SCREEN + 2
    assert [i for i, line in enumerate(lines) if "loss" in line] == [0, SCREEN + 1]


@pytest.mark.parametrize(
    ("number", "cell"),
    [
        (0.0, "0.000000"),
        (1e-9, "1.000e-09"),
        (99.5, "99.500000"),
        (123456.5, "1.235e+05"),
    ],
)
def test_numbers_neither_vanish_nor_break_a_column(number, cell, clock, capsys):
    EpochTable([Column("loss", width=9)], None, has_heading=False).row(1, {"loss": number})
    assert capsys.readouterr().out.split() == ["1", cell, "0.00"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (99 * 60, "99 min"),
        (100 * 60, "1 h 40 min"),
        (125 * 60, "2 h 05 min"),
    ],
)
def test_times_are_written_in_words(seconds, words):
    assert duration(seconds) == words
