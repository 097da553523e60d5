"""Validation rows are predicted at epochs that were chosen on other rows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skperceptron import MLPBinaryClassifier
from skperceptron.estimators.held_out import N_PARTS, CrossFitting
from skperceptron.stopping import EarlyStopping


def epoch(scores, cross_fitting, number):
    cross_fitting.see(np.array(scores), np.array([float(number)]))


def epoch_of_row(cross_fitting):
    return {
        int(row): int(parameters[0]) for rows, parameters in cross_fitting.chosen() for row in rows
    }


@pytest.mark.parametrize("prefers_latest", [False, True])
def test_each_part_gets_the_best_epoch_of_the_others(prefers_latest):
    found = CrossFitting(7, prefers_latest)
    epoch([0, 0, 0, 0, 0], found, 1)
    epoch([1, 0, -1, 2, np.nan], found, 2)
    epoch([1, -1, 0, 3, -np.inf], found, 3)
    expected = {0: 2, 1: 1, 2: 1, 3: 3, 4: 1, 5: 2, 6: 1}
    if prefers_latest:
        expected |= {0: 3, 5: 3, 1: 2, 6: 2, 2: 3}
    assert epoch_of_row(found) == expected


def test_parameters_are_kept_as_they_were():
    parameters = np.array([1.0])
    found = CrossFitting(2, False)
    found.see(np.ones(N_PARTS), parameters)
    parameters[:] = 2
    assert epoch_of_row(found) == {0: 1, 1: 1}


@pytest.mark.parametrize("prefers_latest", [False, True])
def test_without_a_finite_score_the_latest_epoch_counts(prefers_latest):
    found = CrossFitting(6, prefers_latest)
    assert not epoch_of_row(found)
    epoch([np.nan, -np.inf, -1, np.nan, 0], found, 1)
    epoch([np.nan, -np.inf, np.nan, 0, -np.inf], found, 2)
    assert epoch_of_row(found) == {0: 2, 1: 2, 2: 1, 3: 2, 4: 1, 5: 2}
    found.see(None, np.array([3.0]))
    assert epoch_of_row(found) == {0: 3, 1: 3, 2: 1, 3: 2, 4: 1, 5: 3}


@pytest.mark.parametrize("n_rows", [2, 4, 5, 23])
def test_every_row_is_in_one_part(n_rows):
    found = CrossFitting(n_rows, False)
    epoch([0] * N_PARTS, found, 1)
    rows = np.concatenate([rows for rows, _ in found.chosen()])
    assert_array_equal(np.sort(rows), np.arange(n_rows))


@pytest.mark.filterwarnings("error:X does not have valid", "ignore:Stochastic Optimizer")
def test_scorers_get_rows_of_record_batches():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": np.arange(40.0), "b": np.sin(np.arange(40))})
    y = np.arange(40) % 2
    model = MLPBinaryClassifier(
        hidden_layer_sizes=(3,),
        max_iter=3,
        n_iter_no_change=3,
        early_stopping=EarlyStopping("roc_auc"),
        random_state=0,
    )
    scores = [clone(model).fit(rows, y).validation_scores_ for rows in (table, *table.to_batches())]
    assert scores[0] == scores[1]
