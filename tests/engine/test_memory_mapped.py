"""Memory-mapped files: which pages are released, and which never are."""

import mmap

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skperceptron import MLPRegressor
from skperceptron._sklearn.checks import are_evidently_numbers
from skperceptron.engine import memory_mapped
from skperceptron.engine.memory_mapped import Pages, pages_of
from skperceptron.estimators.advice import some_rows
from skperceptron.training.data import Targets, TrainingSet

releases_pages = pytest.mark.skipif(
    not hasattr(mmap, "MADV_DONTNEED"), reason="Windows offers no call that releases pages"
)
pytestmark = pytest.mark.usefixtures("large_files")


@pytest.fixture
def path(tmp_path):
    """A file of 30 rows of 4 numbers."""
    file = tmp_path / "rows.npy"
    np.save(file, np.random.RandomState(0).standard_normal((30, 4)).astype(np.float32))
    return file


@releases_pages
@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("view", [np.asarray, lambda X: X[3:], lambda X: np.asarray(X)[::2].T])
def test_file_is_found_behind_any_view(path, mode, view):
    assert pages_of(view(np.load(path, mmap_mode=mode))) is not None


@pytest.mark.parametrize("view", [np.asarray, lambda X: X[3:]])
def test_copy_on_write_map_keeps_its_pages(path, view):
    assert pages_of(view(np.load(path, mmap_mode="c"))) is None


@pytest.mark.parametrize("resident, is_large", [(30 * 16 + 128, False), (30 * 16 + 127, True)])
def test_pages_of_a_small_file_stay(path, resident, is_large, monkeypatch):
    # The file has a header of 128 bytes.
    monkeypatch.setattr(memory_mapped, "RESIDENT", resident)
    assert (pages_of(np.load(path, mmap_mode="r")) is not None) == is_large


def test_memory_of_another_kind_is_left_alone(path):
    anonymous = np.frombuffer(mmap.mmap(-1, 64), dtype=np.float32).reshape(2, -1)
    for X in (np.load(path), anonymous, None, [[1.0]]):
        assert pages_of(X) is None


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_fit_and_prediction_are_those_of_the_same_rows_in_memory(path, mode, monkeypatch):
    # Such low limits release pages within every batch.
    monkeypatch.setattr(memory_mapped, "SCATTERED", 3)
    monkeypatch.setattr("skperceptron.engine.prediction.SCATTERED", 3)
    monkeypatch.setattr("skperceptron._sklearn.checks.RESIDENT", 100)
    X = np.load(path, mmap_mode=mode)
    if mode != "r":
        X[5] = 3
    y = np.arange(30.0)
    model = MLPRegressor(hidden_layer_sizes=(3,), batch_size=7, early_stopping=True, tol=10)
    model.set_params(n_iter_no_change=1, random_state=0)
    from_file = model.fit(X, y).predict(X)
    assert_array_equal(from_file, model.fit(np.array(X), y).predict(np.array(X)))
    if mode != "r":
        assert_array_equal(X[5], 3)


@releases_pages
def test_pages_are_released_before_more_rows_than_allowed_are_read(path, monkeypatch):
    monkeypatch.setattr(memory_mapped, "SCATTERED", 10)
    pages = pages_of(np.load(path, mmap_mode="r"))
    read, most = 0, 0

    def let_go():
        nonlocal read
        read = pages._n_read = 0

    monkeypatch.setattr(pages, "let_go", let_go)
    for n_rows in (4, 5, 4, 25, 10, 1):
        visited = []
        for portion in pages.portions(n_rows):
            read += portion.stop - portion.start
            most = max(most, read)
            visited += range(n_rows)[portion]
        assert visited == list(range(n_rows))
    assert most == 10


@pytest.mark.parametrize("row", [0, 17, 29])
def test_number_that_is_not_finite_is_found_anywhere_in_a_file(path, row, monkeypatch):
    monkeypatch.setattr("skperceptron._sklearn.checks.RESIDENT", 100)
    X = np.load(path, mmap_mode="r+")
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=1, solver="lbfgs")
    model.fit(np.zeros((9, 4)), np.arange(9.0))
    X[row, 1] = np.nan
    for call in (lambda: model.predict(X), lambda: model.fit(X, np.arange(30.0))):
        with pytest.raises(ValueError, match=r"Input X contains NaN"):
            call()


@releases_pages
def test_rows_at_positions_are_read_in_portions(path, monkeypatch):
    monkeypatch.setattr(memory_mapped, "SCATTERED", 5)
    n_released = 0

    def let_go(self, usual=Pages.let_go):
        nonlocal n_released
        n_released += 1
        usual(self)

    monkeypatch.setattr(Pages, "let_go", let_go)
    X, places = np.load(path, mmap_mode="r"), np.arange(29, -1, -2)
    data = TrainingSet(X, Targets(np.zeros((30, 1))))
    assert_array_equal(data.rows_at(places), np.array(X)[places])
    # Before each portion: there may be pages from earlier.
    assert n_released == 3


def test_advice_reads_a_copy_of_rows(path):
    X = np.load(path, mmap_mode="r")
    rows = some_rows(X, 40)
    assert pages_of(rows) is None
    assert_array_equal(rows, np.array(X)[::3])


@releases_pages
def test_numbers_in_a_file_are_checked_part_by_part(path):
    X = np.load(path, mmap_mode="r")
    assert are_evidently_numbers(np.array(X))
    assert not are_evidently_numbers(np.asarray(X))
