"""What a verbose fit prints."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier, MLPRegressor, RosenblattPerceptron
from skperceptron.callbacks import table
from skperceptron.callbacks.table import Column, EpochTable, duration, say
from skperceptron.stopping import EarlyStopping

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_breast_cancer(return_X_y=True)
X, Y = StandardScaler().fit_transform(X)[:200, :6], Y[:200]
SMALL = {"hidden_layer_sizes": (5,), "random_state": 0}


def printed(capsys):
    return capsys.readouterr().out.splitlines()


def test_numbers_stand_under_their_headings(capsys):
    shown = EpochTable([Column("loss"), Column("a long heading")], 1000, marks_best=True)
    for epoch, loss in enumerate((0.5, 1e9, 1e-9, -12.25, np.nan, None, 0.0), start=1):
        shown.row(epoch, {"loss": loss, "a long heading": 1.0}, is_best=epoch == 2)
    heading, *rows = printed(capsys)
    ends = heading.index("loss") + 4, heading.index("heading") + 7
    assert [row[: ends[0]].split()[1:] for row in rows] == [
        ["0.500000"], ["1.000e+09"], ["1.000e-09"], ["-12.250000"], [], [], ["0.000000"],
    ]  # fmt: skip
    assert {row[: ends[1]].split()[-1] for row in rows} == {"1.000000"}
    assert [("*" in row) for row in rows] == [False, True, *[False] * 5]
    assert len({len(row) for row in rows}) == 1


def test_heading_is_repeated_on_each_screen(capsys):
    shown = EpochTable([Column("loss")], None)
    for epoch in range(1, 2 * table.SCREEN + 2):
        shown.row(epoch, {"loss": 1.0})
    lines = printed(capsys)
    assert [i for i, line in enumerate(lines) if "loss" in line] == [
        0, table.SCREEN + 1, 2 * table.SCREEN + 2,
    ]  # fmt: skip


def test_time_left_is_that_of_the_epochs_that_may_come(capsys, monkeypatch):
    clock = iter([100.0, 102.0, 103.0])
    monkeypatch.setattr(table, "monotonic", lambda: next(clock))
    shown = EpochTable([], 50)
    # A warm start, or a fit that was resumed, does not begin with the first epoch.
    shown.row(11, {})
    shown.row(12, {})
    assert [line.split()[1:] for line in printed(capsys)[1:]] == [
        ["2.00", "78", "s"], ["3.00", "57", "s"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (99, "99 s"), (100, "2 min"),
     (5900, "98 min"), (7500, "2 h 05 min"), (360000, "100 h 00 min")],
)  # fmt: skip
def test_durations_are_written_in_words(seconds, text):
    assert duration(seconds) == text


def test_validation_is_shown_with_the_name_of_its_score_and_the_best_epoch(capsys):
    network = MLPBinaryClassifier(
        **SMALL, max_iter=30, early_stopping=True, n_iter_no_change=3, verbose=True
    ).fit(X, Y)
    heading, *rows = printed(capsys)
    assert heading.split()[:5] == ["epoch", "loss", "val.", "loss", "accuracy"]
    rows, (*_, best) = rows[: network.n_iter_], rows
    for row, loss, score in zip(
        rows, network.validation_loss_curve_, network.validation_scores_, strict=True
    ):
        assert row.split()[2:4] == [f"{loss:.6f}", f"{score:.4f}"]
    marked = [i for i, row in enumerate(rows) if "*" in row]
    records = np.maximum.accumulate([-np.inf, *network.validation_scores_])
    assert marked == np.flatnonzero(np.diff(records)).tolist()
    score = network.best_validation_score_
    assert best == f"Best epoch: {marked[-1] + 1} (accuracy {score:.4g}); its weights are kept."


def test_heading_and_ending_name_the_score_that_is_monitored(capsys):
    def heading_and_end(**options):
        MLPRegressor(**SMALL, max_iter=2, verbose=1, **options).fit(X, Y, X_val=X, y_val=Y)
        lines = printed(capsys)
        return lines[0], lines[-1]

    heading, end = heading_and_end()
    assert " R2 " in heading and end.endswith("the last weights are kept.")
    heading, end = heading_and_end(early_stopping="loss")
    assert " R2 " not in heading and "(validation loss " in end
    heading, end = heading_and_end(early_stopping=EarlyStopping("neg_mean_absolute_error"))
    assert "neg_mean_absolute_error" in heading and "(neg_mean_absolute_error -" in end
    assert " own_score " in heading_and_end(early_stopping=EarlyStopping(own_score))[0]
    assert " R2 " not in heading_and_end(loss="huber")[0]


@pytest.mark.parametrize("unit", [1e-6, 1e60])
def test_scores_in_any_unit_are_printed_in_four_digits(capsys, unit):
    options = SMALL | {"max_iter": 2, "early_stopping": "neg_mean_absolute_error"}
    network = MLPRegressor(**options, verbose=1).fit(X, Y * unit)
    best = printed(capsys)[-1]
    assert f"(neg_mean_absolute_error {network.best_validation_score_:.4g});" in best


def own_score(estimator, X, y):
    return 1.0


@pytest.mark.parametrize(("ties", "marked"), [("first", [1]), ("latest", [1, 2, 3])])
def test_of_equal_scores_the_one_that_counts_is_marked(capsys, ties, marked):
    rules = EarlyStopping(own_score, ties=ties, restore_best=False)
    MLPRegressor(**SMALL, max_iter=3, early_stopping=rules, verbose=1).fit(X, Y)
    _, *rows, best = printed(capsys)
    assert [i for i, row in enumerate(rows, start=1) if "*" in row] == marked
    assert best == f"Best epoch: {marked[-1]} (own_score 1); the last weights are kept."


def test_epochs_that_are_not_validated_leave_their_place_empty(capsys):
    rules = EarlyStopping("roc_auc", every=2)
    MLPBinaryClassifier(**SMALL, max_iter=4, early_stopping=rules, verbose=1).fit(X, Y)
    _, *rows, _ = printed(capsys)
    # Epoch, loss, rate, seconds and two words for the time left; two more where it is validated.
    assert [len(row.replace("*", "").split()) for row in rows] == [6, 8, 6, 8]


def test_more_is_printed_from_two_on(capsys):
    MLPBinaryClassifier(**SMALL, max_iter=3, verbose=2).fit(X, Y)
    first, heading, *rows = printed(capsys)
    assert first == (
        "MLPBinaryClassifier: 6-5-1 units, 41 parameters, float64, Adam; 200 rows in batches of 200"
    )
    assert "patience" in heading and all("0/10" in row for row in rows)
    MLPBinaryClassifier(**SMALL, max_iter=3, verbose=2, solver="lbfgs").fit(X, Y)
    assert printed(capsys)[0].endswith("LBFGS; 200 rows")


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "rosenblatt"])
def test_lines_arrive_one_by_one_in_a_file_too(solver, monkeypatch):
    class Pipe(io.StringIO):
        """Counts the lines that have been flushed."""

        flushed = 0

        def flush(self):
            self.flushed = self.getvalue().count("\n")

    pipe = Pipe()
    seen = []
    monkeypatch.setattr(sys, "stdout", pipe)

    class Reader:
        """A callback that looks at what can be read after each epoch."""

        def setup(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def teardown(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context):
            if getattr(context, "report", None):
                seen.append(pipe.flushed)

    options = {"max_iter": 4, "verbose": True, "callbacks": [Reader()], "random_state": 0}
    if solver == "rosenblatt":
        RosenblattPerceptron(0, **options).fit(X, Y)
    else:
        MLPBinaryClassifier((3,), solver=solver, **options).fit(X, Y)
    assert seen == [2, 3, 4, 5]


def test_calls_of_partial_fit_go_on_with_one_table(capsys):
    network = MLPBinaryClassifier(**SMALL, verbose=True)
    for _ in range(3):
        network.partial_fit(X, Y, [0, 1])
    heading, *rows = printed(capsys)
    assert "left" not in heading
    assert [row.split()[:2] for row in rows] == [
        [str(i), f"{loss:.6f}"] for i, loss in enumerate(network.loss_curve_, start=1)
    ]


def test_a_line_and_its_end_are_written_together(monkeypatch):
    """Between them, another process could write a line of its own."""
    written = []
    told = SimpleNamespace(write=written.append, flush=lambda: written.append("flush"))
    monkeypatch.setattr("sys.stdout", told)
    say("epoch 1  ")
    assert [text for text in written if text] == ["epoch 1\n", "flush"]
