"""Blocks, shares and reports without a cluster."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skperceptron import MLPSoftmaxClassifier
from skperceptron.estimators.fitting import prepare

dask = pytest.importorskip("dask")
pytest.importorskip("distributed")

from skperceptron.distributed import _share  # noqa: E402
from skperceptron.distributed._blocks import Blocks, put_together, rows_at  # noqa: E402
from skperceptron.distributed._cluster import Report, _n_bytes  # noqa: E402

X = np.random.RandomState(0).normal(size=(50, 3))
Y = np.arange(50) % 3
LOCAL = SimpleNamespace(get=dask.get)


@pytest.mark.parametrize("places", [[0, 19, 20, 45, 49], [21, 22, 44], [20]], ids=len)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, pd.DataFrame])
def test_rows_at_positions_come_from_their_blocks(kind, places):
    counts = [20, 1, 24, 5]
    edges = np.cumsum([0, *counts])
    parts = [kind(X[a:b]) for a, b in pairwise(edges)]
    blocks = Blocks([dask.delayed(part) for part in parts], [], counts)
    checked = []
    found = rows_at(blocks, LOCAL, lambda rows: checked.append(rows) or rows, np.array(places))
    # Blocks without any of these rows are not asked.
    assert len(checked) == len(np.unique(np.searchsorted(edges, places, side="right")))
    found = found.toarray() if sparse.issparse(found) else np.asarray(found)
    assert_array_equal(found, X[places])


def test_frames_that_are_put_together_number_their_rows():
    frame = pd.DataFrame(X)
    together = put_together([frame[:20], frame[40:]])
    assert together.index.tolist() == list(range(30))
    alone = frame[7:9]
    assert put_together([alone]) is alone


def test_a_report_splits_the_time_of_all_rounds():
    report = Report("summed", 2)
    report.add(100, [1.0, 3.0], elapsed=5.0)
    # A clock of a worker may run fast.
    report.add(200, [2.0, 2.0], elapsed=1.5)
    report.add(600, [0.0, 1.0], elapsed=1.0)
    assert report == Report(
        "summed", 2, rounds=3, bytes_per_round=300, compute=4.5, wait=1.5, wire=2
    )


def test_arrays_are_what_counts_as_sent():
    x = np.zeros(3)
    assert _n_bytes((x, 5, {"a": x, "b": (x, None)}, "text")) == 3 * x.nbytes


@pytest.mark.parametrize("n_rows", [1, 16, 17, 50])
def test_gradients_do_not_depend_on_the_portions_of_rows(n_rows, monkeypatch, rng):
    run = prepare(MLPSoftmaxClassifier((4,), random_state=0, dtype="float64"), X, Y)
    rows, factors = rng.permutation(50)[:n_rows], rng.uniform(0.5, 1.5, n_rows)

    def gradient(largest, *part):
        monkeypatch.setattr(_share, "LARGEST", largest)
        portions = _share.Portions(run.model.network, run.member.recipe, run.data, run.model.dtype)
        return portions.gradient(run.member.parameters, *part, np.random.SeedSequence(0), None)

    single = [gradient(1, rows[i : i + 1], 1.0) for i in range(n_rows)]
    expected = factors @ [of_row for of_row, _ in single]
    assert expected.any()
    for largest in (1, 16, 64):
        found, loss = gradient(largest, rows, factors)
        assert_allclose(found, expected, atol=1e-12)
        assert_allclose(loss, factors @ [loss_of_row for _, loss_of_row in single])
