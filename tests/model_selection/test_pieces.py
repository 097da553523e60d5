"""How tasks are divided into pieces for workers, and what they cost."""

from types import SimpleNamespace

import numpy as np
import pytest

from skperceptron import MLPBinaryClassifier, MLPRegressor
from skperceptron.model_selection import _pieces
from skperceptron.model_selection._pieces import (
    FEWEST,
    least_seconds,
    n_hidden_units,
    pieces_for,
    pieces_of,
    shares_of,
)

X = np.zeros((40, 3))


def tasks(n_arms, n_folds, units):
    networks = [
        MLPRegressor(hidden_layer_sizes=units, batch_size=32 + arm) for arm in range(n_arms)
    ]
    return [SimpleNamespace(network=n, n_units=units) for n in networks for _ in range(n_folds)]


def work_of(pieces, n_workers):
    """Return each worker's number of tasks if the next piece goes to the least busy worker."""
    busy = [0] * n_workers
    for piece in pieces:
        busy[busy.index(min(busy))] += len(piece)
    return busy


@pytest.mark.parametrize("n_arms", [1, 2, 3, 5])
@pytest.mark.parametrize("n_workers", [1, 2, 4])
def test_each_member_is_in_one_piece_with_others_of_its_kind(n_arms, n_workers):
    pieces = pieces_of(tasks(n_arms, 4, 256), n_workers)
    assert sorted(i for piece in pieces for i in piece) == list(range(4 * n_arms))
    assert all(len({i // 4 for i in piece}) == 1 for piece in pieces)


def test_workers_with_large_networks_end_together():
    assert work_of(pieces_of(tasks(3, 4, 256), 2), 2) == [6, 6]
    assert work_of(pieces_of(tasks(2, 4, 256), 4), 4) == [2, 2, 2, 2]


def test_small_networks_stay_together():
    assert max(map(len, pieces_of(tasks(1, 20, 16), 4))) == FEWEST


@pytest.mark.parametrize("n_workers", [1, 2])
def test_tasks_on_the_same_data_are_side_by_side_on_request(n_workers):
    found = tasks(1, 40, 16)
    for i, task in enumerate(found):
        task.source = "abcd"[i % 4]
    apart = pieces_of(found, n_workers)
    together = pieces_of(found, n_workers, side_by_side=True)
    assert [len(piece) for piece in together] == [len(piece) for piece in apart]
    letters = ["".join(found[i].source for i in piece) for piece in together]
    assert "".join(letters) == "a" * 10 + "b" * 10 + "c" * 10 + "d" * 10
    assert apart[0] == list(range(len(apart[0])))


def test_workers_are_given_shares_of_all_networks_and_the_longest_work_first():
    def pieces(sizes, n_alike, n_workers):
        found = [one for size in sizes for one in tasks(1, n_alike, size)]
        positions = pieces_of(found, n_workers)
        assert sorted(i for piece in positions for i in piece) == list(range(len(found)))
        return [(found[piece[0]].n_units, len(piece)) for piece in positions]

    # Four kinds of networks are enough for two workers without a split; a single kind is split.
    assert pieces([4, 8, 16, 32], 45, 2) == [(32, 45), (16, 45), (8, 45), (4, 45)]
    assert pieces([4], 45, 2) == [(4, 23), (4, 22)]
    assert pieces([4], 20, 8) == [(4, 15), (4, 5)]
    assert pieces([4], 150, 1) == [(4, 60), (4, 60), (4, 30)]


def test_shares_hold_whole_pieces_of_about_the_same_work():
    found = [one for size in (4, 8, 16, 32) for one in tasks(1, 45, size)]
    shares = shares_of(pieces_of(found, 2), found, 2)
    sizes = [[found[i].n_units for i in share] for share in shares]
    assert sizes == [[32] * 45, [16] * 45 + [8] * 45 + [4] * 45]
    assert shares_of([[0], [1]], found, 4) == [[0], [1]]


@pytest.mark.parametrize(
    ("expected", "begins_here", "without_network", "n_pieces"),
    [(0.5, False, False, 2), (5.0, False, False, 4), (0.5, True, False, 4), (0.5, False, True, 5)],
    ids=["brief", "long", "workers have to start", "of unknown length"],
)
def test_workers_get_brief_work_at_once(expected, begins_here, without_network, n_pieces):
    found = [one for size in (4, 8, 16, 32) for one in tasks(1, 45, size)]
    if without_network:
        found.append(SimpleNamespace(network=None, n_units=0))
    workers = SimpleNamespace(count=2, begins_here=lambda: begins_here)
    pieces = pieces_for(workers, found, expected)
    assert len(pieces) == n_pieces
    assert sorted(i for piece in pieces for i in piece) == list(range(len(found)))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((4, 3), 7), (5, 5), (np.array([2, 2]), 4), ((), 0), ("wide", 0), (None, 0), ([np.nan], 0)],
)
def test_hidden_units_are_counted_if_sizes_are_numbers(sizes, expected):
    assert n_hidden_units(MLPBinaryClassifier(sizes)) == expected
    assert n_hidden_units(None) == 0


def test_least_time_grows_with_rows_weights_and_epochs(monkeypatch):
    monkeypatch.setattr(_pieces, "PER_SECOND", 1.0)
    network = MLPBinaryClassifier((4,), max_iter=4)
    assert least_seconds(network, X) == 6 * 40 * (3 * 4 + 4) * 4
    automatic = MLPBinaryClassifier((4, 2), max_iter="auto")
    assert least_seconds(automatic, X) == 6 * 40 * (3 * 4 + 4 * 2 + 2) * _pieces.USUAL_EPOCHS


@pytest.mark.parametrize(
    ("network", "data"),
    [
        (None, X),
        (MLPBinaryClassifier((4,)), X.tolist()),
        (MLPBinaryClassifier("wide"), X),
        (MLPBinaryClassifier((4,), max_iter=10**400), X),
    ],
)
def test_work_that_cannot_be_told_counts_nothing(network, data):
    assert least_seconds(network, data) == 0.0
