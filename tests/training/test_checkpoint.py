"""Incomplete checkpoint files are refused; a killed fit resumes with the same bits."""

import os
import shutil
import stat
import subprocess
import sys
import textwrap
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.averaging import EMA
from skperceptron.callbacks import Callback, Checkpoint, EpochLogger, StopOnPlateau
from skperceptron.exceptions import InvalidOption
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.model_selection import (
    StackedEnsembleClassifier,
    StackedGridSearchCV,
    stacked_cross_validate,
)
from skperceptron.optimizers import AdamW
from skperceptron.schedules import Cosine, TimeSchedule
from skperceptron.stopping import EarlyStopping
from skperceptron.training.checkpoint import State
from skperceptron.training.checkpoint_file import Writing, load, previous, save
from skperceptron.training.hashed_archive import write_arrays

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
OPTIONS = {"hidden_layer_sizes": (8,), "max_iter": 12, "batch_size": 16, "tol": 0.0}


class Dies(Callback):
    """Stands in for a power cut at the end of an epoch."""

    def __init__(self, at):
        self.at = at

    def on_fit_task_end(self, estimator, context):
        if getattr(context, "report", {}).get("epoch") == self.at:
            raise SystemError("power cut")
        return False


def assert_same_model(found, expected):
    for name in ("coefs_", "intercepts_", "normalization_parameters_", "activation_parameters_"):
        for a, b in zip(getattr(found, name), getattr(expected, name), strict=True):
            assert_array_equal(a, b)
    names = ("loss_curve_", "validation_scores_", "validation_loss_curve_", "n_iter_", "t_")
    for name in names:
        assert_array_equal(getattr(found, name), getattr(expected, name), name)


def die_and_resume(model, path, X=X, Y=Y, at=5, **data):
    """Fit until a power cut, then resume; return the resumed model."""
    # Checkpoints are called after other callbacks: the epoch of the cut is lost.
    first = clone(model).set_params(callbacks=[Checkpoint(path), Dies(at)])
    with pytest.raises(SystemError):
        first.fit(X, Y, **data)
    return clone(model).set_params(callbacks=[Checkpoint(path)]).fit(X, Y, **data)


CONFIGURATIONS = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 1},
    "float32": {"dtype": "float32"},
    "dropout": {"dropout": 0.3, "input_dropout": 0.1},
    "normalization": {"normalization": "batch", "averaging": EMA(0.9)},
    "swa": {"averaging": "swa"},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 60},
    "one batch": {"batch_size": 200},
    "prelu": {"activation": "prelu"},
    "decay": {"solver": AdamW(0.5), "decay_schedule": "flat_cosine", "drop_last": True},
    "groups": {
        "feature_scale": True,
        "parameter_groups": ParameterGroups(feature_scale=ParameterGroup(6.0, penalty=1)),
    },
}


@pytest.mark.filterwarnings("ignore:Got.*batch_size")
@pytest.mark.parametrize("random_state", [0, None, "instance"])
@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_resumed_fit_has_the_bits_of_the_uninterrupted_one(options, random_state, tmp_path):
    model = MLPSoftmaxClassifier(**OPTIONS | options)

    def seeded(seed):
        state = np.random.RandomState(seed) if random_state == "instance" else random_state
        return clone(model).set_params(random_state=state)

    if random_state is None:
        # None means NumPy's global generator.
        np.random.seed(3)
        expected = seeded(None).fit(X, Y)
        np.random.seed(3)
        path = tmp_path / "fit.npz"
        with pytest.raises(SystemError):
            seeded(None).set_params(callbacks=[Checkpoint(path), Dies(4)]).fit(X, Y)
        # The file records the generator at the start of the fit, whatever was drawn since.
        found = seeded(None).set_params(callbacks=[Checkpoint(path)]).fit(X, Y)
    else:
        expected = seeded(3).fit(X, Y)
        found = die_and_resume(seeded(3), tmp_path / "fit.npz", at=4)
    assert_same_model(found, expected)


def score_of_the_first_epochs(network, X, y):
    score = -log_loss(y, network.predict_proba(X))
    return score if score < -1.5 else np.nan


@pytest.mark.filterwarnings("ignore:The metric monitor=.* has become nan")
def test_undefined_scores_do_not_end_a_resumed_fit_either(tmp_path):
    rules = EarlyStopping(score_of_the_first_epochs)
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0, early_stopping=rules)
    found = die_and_resume(model, tmp_path / "fit.npz", at=8)
    assert np.isnan(found.validation_scores_[6:]).all()
    assert_same_model(found, clone(model).fit(X, Y))


def test_sparse_weighted_and_validated_fits_are_resumed(tmp_path):
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0, early_stopping=True)
    data = {
        "sample_weight": np.arange(150.0),
        "X_val": sparse.csr_array(X[::2]),
        "y_val": Y[::2],
    }
    expected = clone(model).fit(sparse.csr_array(X), Y, **data)
    found = die_and_resume(model, tmp_path / "fit.npz", sparse.csr_array(X), Y, **data)
    assert_same_model(found, expected)


def test_a_complete_fit_is_not_repeated(tmp_path, monkeypatch):
    model = MLPSoftmaxClassifier(**OPTIONS, callbacks=[Checkpoint(tmp_path / "fit.npz")])
    expected = clone(model).fit(X, Y)
    monkeypatch.setattr("skperceptron.estimators.running.Stack", None)
    assert_same_model(clone(model).fit(X, Y), expected)


def test_stopping_by_a_callback_is_resumed_where_it_was(tmp_path):
    path = tmp_path / "fit.npz"
    stop = StopOnPlateau(patience=4, tol=1e9)
    expected = MLPSoftmaxClassifier(**OPTIONS, random_state=0, callbacks=[stop]).fit(X, Y)
    assert expected.n_iter_ == 6
    for at in (3, 6, 99):
        model = MLPSoftmaxClassifier(**OPTIONS, random_state=0)
        model.set_params(callbacks=[Checkpoint(path), Dies(at), stop])
        if at == 99:
            assert_same_model(model.fit(X, Y), expected)
        else:
            with pytest.raises(SystemError):
                model.fit(X, Y)
    assert load(path).numbers["told_to_stop"]
    assert_same_model(model.fit(X, Y), expected)


def test_each_fit_of_a_search_has_a_file_of_its_own(tmp_path):
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0, callbacks=[Checkpoint(tmp_path)])
    grid = {"alpha": [0.1, 1.0], "activation": ["relu", "tanh"]}
    search = GridSearchCV(model, grid, cv=2).fit(X, Y)
    again = GridSearchCV(model, grid, cv=2).fit(X, Y)
    # Four candidates on two folds, and the best on all rows.
    assert len(list(tmp_path.glob("*.npz"))) == 9
    assert_array_equal(search.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"])


@pytest.mark.parametrize(
    "changes, data, fragments",
    [
        ({"alpha": 0.5}, (X, Y), ["parameter alpha was 0.0001, is 0.5"]),
        ({"activation": "tanh"}, (X, Y), ["parameter activation was 'relu', is 'tanh'"]),
        ({}, (X + 1, Y), ["X was float64 (150, 4)"]),
        ({}, (X[:149], Y[:149]), ["X was float64 (150, 4)", "is float64 (149, 4)", "y was"]),
        ({}, (X, Y, np.full(150, 2.0)), ["sample_weight was None, is float64 (150,)"]),
        ({"max_iter": 13, "random_state": 1}, (X, Y), ["random_state was 0, is 1"]),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(changes, data, fragments, tmp_path):
    callbacks = [Checkpoint(tmp_path / "fit.npz")]
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0, callbacks=callbacks).fit(X, Y)
    with pytest.raises(ValueError, match="is of another fit") as caught:
        clone(model).set_params(**changes).fit(*data)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_numbers_of_numpy_make_no_other_fit(tmp_path):
    path = tmp_path / "fit.npz"
    given = {"alpha": 0.5, "random_state": 3, "shuffle": True, "solver": AdamW(0.25)}
    model = MLPSoftmaxClassifier(**OPTIONS).set_params(**given, callbacks=[Checkpoint(path)])
    model.fit(X, Y)
    saved = path.stat().st_mtime_ns
    same = {"alpha": np.float32(0.5), "random_state": np.int8(3), "shuffle": np.True_}
    found = clone(model).set_params(**same, solver=AdamW(np.float64(0.25))).fit(X, Y)
    assert_same_model(found, model)
    assert path.stat().st_mtime_ns == saved
    with pytest.raises(ValueError, match=r"parameter alpha was 0\.5, is 0\.75"):
        clone(model).set_params(alpha=np.float64(0.75)).fit(X, Y)


def test_whole_numbers_are_the_same_as_floats(tmp_path):
    path = tmp_path / "fit.npz"
    given = {"alpha": 1, "max_grad_norm": 2.0, "batch_size": 8, "solver": AdamW(1)}
    model = MLPSoftmaxClassifier(**OPTIONS).set_params(**given, callbacks=[Checkpoint(path)])
    model.fit(X, Y)
    saved = path.stat().st_mtime_ns
    same = {"alpha": 1.0, "max_grad_norm": np.int64(2), "solver": AdamW(1.0)}
    assert_same_model(clone(model).set_params(**same).fit(X, Y), model)
    assert path.stat().st_mtime_ns == saved
    with pytest.raises(ValueError, match="parameter alpha was 1, is 2"):
        clone(model).set_params(alpha=2.0).fit(X, Y)


def halving_every(n):
    return lambda time: 0.5 ** (time // n)


@pytest.mark.parametrize(
    "schedule", [halving_every(3), lambda time: 0.7**time], ids=["other value", "other body"]
)
def test_a_checkpoint_of_another_function_is_refused(schedule, tmp_path):
    callbacks = [Checkpoint(tmp_path / "fit.npz")]
    model = MLPSoftmaxClassifier(**OPTIONS, learning_rate=halving_every(2), callbacks=callbacks)
    model.fit(X, Y)
    assert_same_model(clone(model).set_params(learning_rate=halving_every(2)).fit(X, Y), model)
    with pytest.raises(ValueError, match=r"parameter learning_rate was .*<lambda>"):
        clone(model).set_params(learning_rate=schedule).fit(X, Y)


def test_a_missing_folder_is_an_error_before_the_fit(tmp_path):
    callback = Checkpoint(tmp_path / "missing" / "fit.npz")
    with pytest.raises(InvalidOption, match=r"'path' .* Checkpoint must .* exists\. Got .*missing"):
        MLPSoftmaxClassifier(**OPTIONS, callbacks=[callback]).fit(X, Y)


def test_a_checkpoint_of_another_estimator_is_refused(tmp_path):
    callbacks = [Checkpoint(tmp_path / "fit.npz")]
    MLPSoftmaxClassifier(**OPTIONS, callbacks=callbacks).fit(X, Y == 0)
    with pytest.raises(ValueError, match="estimator was MLPSoftmaxClassifier"):
        MLPBinaryClassifier(**OPTIONS, callbacks=callbacks).fit(X, Y == 0)


@pytest.mark.parametrize(
    "attempt, fragment",
    [
        (lambda c: MLPSoftmaxClassifier(callbacks=c, solver="lbfgs").fit(X, Y), "solver='lbfgs'"),
        (
            lambda c: MLPSoftmaxClassifier(callbacks=c).partial_fit(X, Y, classes=[0, 1, 2]),
            "partial_fit",
        ),
        (lambda c: RosenblattPerceptron(callbacks=c).fit(X, Y), "RosenblattPerceptron"),
    ],
)
def test_what_cannot_be_resumed_raises_an_error_that_says_so(attempt, fragment, tmp_path):
    with pytest.raises(ValueError, match=f"Checkpoint cannot resume .*{fragment}"):
        attempt([Checkpoint(tmp_path / "fit.npz")])


def test_saving_happens_as_often_as_requested(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(
        "skperceptron.training.checkpoint_file.save",
        lambda path, state: saved.append(state.numbers["n_iter"]),
    )
    options = OPTIONS | {"max_iter": 8}
    for callback in (Checkpoint(tmp_path, 3), Checkpoint(tmp_path, every_n_seconds=1e6)):
        MLPSoftmaxClassifier(**options, callbacks=[callback]).fit(X, Y)
    assert saved == [3, 6, 8, 8]
    saved.clear()
    MLPSoftmaxClassifier(**options, callbacks=[Checkpoint(tmp_path, every_n_seconds=0)]).fit(X, Y)
    assert saved == list(range(1, 9))


def test_time_is_counted_from_the_last_save(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(
        "skperceptron.training.checkpoint_file.save",
        lambda path, state: saved.append(state.numbers["n_iter"]),
    )
    # The clock is read when the fit begins, after each epoch and after each save.
    monkeypatch.setattr("skperceptron.callbacks.checkpoint.monotonic", count(1e6, 10).__next__)
    callback = Checkpoint(tmp_path, every_n_seconds=30)
    MLPSoftmaxClassifier(**OPTIONS | {"max_iter": 8}, callbacks=[callback]).fit(X, Y)
    assert saved == [3, 6, 8]


# Files.


def state_with(number):
    return State({"number": number}, {"parameters": np.full(50, float(number))})


def test_state_comes_back_with_every_bit(tmp_path):
    numbers = {"a": 0.1, "b": [1e-320, float("inf")], "c": {"d": 2**100}, "e": None}
    arrays = {"x": np.random.RandomState(0).normal(size=9).astype(np.float32), "y": np.arange(3)}
    save(tmp_path / "s.npz", State(numbers, arrays))
    found = load(tmp_path / "s.npz")
    assert found.numbers == numbers
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert_array_equal(found.arrays[name], array)


def test_no_file_is_no_state(tmp_path):
    assert load(tmp_path / "none.npz") is None


@pytest.mark.parametrize("seed", range(20))
def test_damage_is_noticed_and_the_file_before_is_used(seed, tmp_path):
    path = tmp_path / "s.npz"
    for number in (1, 2):
        save(path, state_with(number))
    damaged = bytearray(path.read_bytes())
    rng = np.random.RandomState(seed)
    if seed % 2:
        del damaged[rng.randint(len(damaged)) :]
    else:
        damaged[rng.randint(len(damaged))] ^= 1 << rng.randint(8)
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match="is damaged .* kept as"):
        found = load(path)
    assert found.numbers == {"number": 1}
    assert_array_equal(found.arrays["parameters"], np.full(50, 1.0))


def test_damage_does_not_end_a_fit_where_warnings_are_errors(tmp_path, capsys):
    path = tmp_path / "s.npz"
    for number in (1, 2):
        save(path, state_with(number))
    path.write_bytes(path.read_bytes()[:100])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(path).numbers == {"number": 1}
    assert f"The checkpoint {path} is damaged" in capsys.readouterr().err
    assert (tmp_path / "s.npz.damaged").exists()


MADE_UP_JSON = [b"[" * 10**5, b'{"a":' * 10**5, b"[1]", b"7", b"", b"\xff", b"1" * 10**5, b"{}{}"]


@pytest.mark.parametrize("text", MADE_UP_JSON, ids=lambda text: repr(text[:8]))
def test_invalid_json_counts_as_damage(text, tmp_path):
    path = tmp_path / "s.npz"
    with open(path, "xb") as file:
        write_arrays(file, {"json": np.frombuffer(text, np.uint8)})
    with pytest.warns(UserWarning, match="is damaged"):
        assert load(path) is None


def test_files_of_the_previous_format_are_refused_and_kept(tmp_path):
    path = tmp_path / "s.npz"
    np.savez(path, json=np.frombuffer(b"{}", np.uint8))
    with pytest.warns(UserWarning, match="earlier version"):
        assert load(path) is None
    assert (tmp_path / "s.npz.damaged").exists()


def test_the_folder_is_flushed_after_the_last_move(tmp_path, monkeypatch):
    done = []

    def flush(descriptor):
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def rename(source, target):
        move(source, target)
        done.append("move")

    fsync, move = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)
    for number in (1, 2):
        save(tmp_path / "s.npz", state_with(number))
    folder = ["folder"] if os.name == "posix" else []
    assert done == ["file", "move", *folder, "file", "move", "move", *folder]


def test_all_of_a_file_is_handed_over_before_it_is_flushed(tmp_path, monkeypatch):
    sizes, fsync = [], os.fsync

    def flush(descriptor):
        sizes.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush)
    save(tmp_path / "s.npz", state_with(1))
    assert sizes[0] == (tmp_path / "s.npz").stat().st_size


def test_numbers_of_numpy_are_saved_as_plain_ones(tmp_path):
    save(tmp_path / "s.npz", State({"a": np.int8(3), "b": np.float32(0.5)}))
    assert load(tmp_path / "s.npz").numbers == {"a": 3, "b": 0.5}


# Forged values in a file with a valid seal.

FORGED = {
    "verdict": ("verdict", "win"),
    "diverged": ("verdict", "diverged"),
    "no verdict": ("verdict", None),
    "list as verdict": ("verdict", []),
    "told": ("told_to_stop", 1),
    "no callbacks": ("callbacks", None),
    "rate": ("current_rate", float("nan")),
    "negative rate": ("current_rate", -1.0),
    "rate as text": ("current_rate", "0.1"),
    "rate beyond all floats": ("current_rate", 10**400),
    "rate as a boolean": ("current_rate", True),
    "steps beyond all integers of C": ("steps", 2**64),
    "steps": ("steps", -1),
    "true": ("steps", True),
    "n_iter": ("n_iter", 10**30),
    "n_iter as float": ("n_iter", 3.0),
    "n_iter as text": ("n_iter", "3"),
    "progress": ("progress", None),
    "curve": ("progress", "loss_curve", [0.1, None]),
    "curve as text": ("progress", "loss_curve", "0.1"),
    "infinite curve": ("progress", "loss_curve", [float("inf")] * 12),
    "short curve": ("progress", "loss_curve", []),
    "curve beyond all floats": ("progress", "loss_curve", [10**400] * 12),
    "curve of booleans": ("progress", "loss_curve", [True] * 12),
    "scores": ("progress", "validation_scores", {}),
    "long scores": ("progress", "validation_losses", [0.0] * 99),
    "best": ("progress", "best_loss", "inf"),
    "rows seen": ("progress", "rows_seen", 1.5),
    "patience": ("progress", "no_improvement", -3),
    "unknown part": ("progress", "more", 1),
    "position": ("rng", "state", "pos", 10**9),
    "position by one": ("rng", "state", "pos", 625),
    "negative position": ("rng", "state", "pos", -1),
    "words": ("rng", "state", "key", [1] * 623),
    "large words": ("rng", "state", "key", [2**32] * 624),
    "zeros": ("rng", "state", "key", [0] * 624),
    "words as text": ("rng", "state", "key", "x"),
    "other generator": ("rng", "bit_generator", "PCG64"),
    "gauss": ("rng", "gauss", float("nan")),
    "has gauss": ("rng", "has_gauss", 2**40),
    "has gauss twice": ("rng", "has_gauss", 2),
    "no generator": ("rng", None),
    "start": ("start", "state", "pos", 10**9),
    "no start": ("start", None),
    "noise": ("noise", "state", "state", 2**128),
    "even noise": ("noise", "state", "inc", 2),
    "noise flag": ("noise", "has_uint32", 2**70),
    "noise word": ("noise", "uinteger", 2**32),
    "no noise": ("noise", None),
    "limits": ("limits", {}),
    "limit": ("limits", "max_time", "long"),
    "identity": ("identity", [1]),
    "part of identity": ("identity", "X", 3),
}
FORGED_ARRAYS = {
    "shape": ("parameters", lambda a: a[:-1]),
    "two dimensions": ("parameters", lambda a: a[np.newaxis]),
    "kind": ("parameters", lambda a: a.astype(np.int64)),
    "precision": ("parameters", lambda a: a.astype(np.float32)),
    "text": ("parameters", lambda a: a.astype(str)),
    "not finite": ("parameters", lambda a: a * np.nan),
    "no parameters": ("parameters", None),
    "optimizer": ("optimizer.first_moment", lambda a: a[:3]),
    "no optimizer": ("optimizer.first_moment", None),
    "unknown": ("optimizer.third", lambda a: np.zeros(3)),
    "average": ("average", lambda a: a * np.inf),
    "no average": ("average", None),
    "best": ("best_parameters", lambda a: a[:0]),
    "rows": ("rows", lambda a: a + 1000),
    "negative rows": ("rows", lambda a: a - 1000),
    "equal rows": ("rows", lambda a: a * 0),
    "no rows": ("rows", lambda a: a[:0]),
    "rows as floats": ("rows", lambda a: a.astype(float)),
    "rows that wrap": ("rows", lambda a: a.astype(np.uint64)),
}


def forge(state, *path_and_value):
    *path, last, value = path_and_value
    inner = state.numbers
    for name in path:
        inner = inner[name]
    inner[last] = value


def forge_array(state, name, change):
    if change is None:
        del state.arrays[name]
    else:
        state.arrays[name] = change(state.arrays.get(name))


@pytest.fixture(scope="module")
def saved_fit(tmp_path_factory):
    """Return a fit that uses everything a file can hold, and the files that it has left."""
    folder = tmp_path_factory.mktemp("fit")
    model = MLPSoftmaxClassifier(
        **OPTIONS | {"max_iter": 3}, early_stopping=True, dropout=0.2, averaging="ema"
    )
    model.set_params(random_state=0, callbacks=[Checkpoint(folder / "fit.npz")]).fit(X, Y)
    return model, [(path.name, path.read_bytes()) for path in folder.iterdir()]


@pytest.mark.parametrize("forgery", [*FORGED, *FORGED_ARRAYS])
def test_a_forged_file_is_noticed_and_the_file_before_is_used(forgery, saved_fit, tmp_path):
    model, files = saved_fit
    for name, content in files:
        (tmp_path / name).write_bytes(content)
    path = tmp_path / "fit.npz"
    state = load(path)
    if forgery in FORGED:
        forge(state, *FORGED[forgery])
    else:
        forge_array(state, *FORGED_ARRAYS[forgery])
    save(path, state)
    with pytest.warns(UserWarning, match="is damaged") as caught:
        found = clone(model).set_params(callbacks=[Checkpoint(path)]).fit(X, Y)
    assert sum("is damaged" in str(warning.message) for warning in caught) == 1
    assert_same_model(found, model)


def test_rows_of_another_split_are_refused(saved_fit, tmp_path):
    model, files = saved_fit
    (tmp_path / "fit.npz").write_bytes(dict(files)["fit.npz"])
    state = load(tmp_path / "fit.npz")
    rows = state.arrays["rows"]
    rows[0] = np.setdiff1d(np.arange(150), rows)[0]
    save(tmp_path / "fit.npz", state)
    with pytest.raises(ValueError, match="tampered"):
        clone(model).set_params(callbacks=[Checkpoint(tmp_path / "fit.npz")]).fit(X, Y)


# Parameters that only decide how long a fit goes on.

PROLONGED = {
    "more epochs": ({"max_iter": 3}, {"max_iter": 9}),
    "more time": ({"max_time": 1e-9}, {}),
    "more patience": ({"n_iter_no_change": 2, "tol": 1e9}, {"n_iter_no_change": 5, "tol": 1e9}),
    "no end of patience": (
        {"n_iter_no_change": 2, "tol": 1e9},
        {"n_iter_no_change": np.inf, "tol": 1e9},
    ),
    "rules": (
        {"early_stopping": EarlyStopping(patience=2, tol=1.0)},
        {"early_stopping": EarlyStopping(patience=6, tol=1.0)},
    ),
    "rare validations": (
        {"early_stopping": EarlyStopping(every=2), "max_iter": 4},
        {"early_stopping": EarlyStopping(every=2)},
    ),
    "rules of the estimator": (
        {"early_stopping": EarlyStopping(tol=1.0), "n_iter_no_change": 1},
        {"early_stopping": EarlyStopping(tol=1.0), "n_iter_no_change": 4},
    ),
    "after plateaus": (
        {
            "solver": "sgd",
            "learning_rate": "adaptive",
            "tol": 1e9,
            "n_iter_no_change": 1,
            "max_iter": 4,
        },
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e9, "n_iter_no_change": 1},
    ),
    "averaged": (
        {"averaging": "ema", "dropout": 0.2, "max_iter": 2},
        {"averaging": "ema", "dropout": 0.2},
    ),
    "period": (
        {"learning_rate": Cosine(period=5), "max_iter": 6},
        {"learning_rate": Cosine(period=5)},
    ),
    "told": (
        {"callbacks": [StopOnPlateau(patience=2, tol=1e9)]},
        {"callbacks": [StopOnPlateau(patience=4, tol=1e9)]},
    ),
}


@pytest.mark.parametrize("in_folder", [False, True], ids=["file", "folder"])
@pytest.mark.parametrize("first, then", PROLONGED.values(), ids=PROLONGED)
def test_a_prolonged_fit_has_the_bits_of_a_single_longer_fit(first, then, in_folder, tmp_path):
    path = tmp_path if in_folder else tmp_path / "fit.npz"

    def fit(changes, *savers):
        options = OPTIONS | changes
        callbacks = [*savers, *options.pop("callbacks", [])]
        return MLPSoftmaxClassifier(**options, random_state=0, callbacks=callbacks).fit(X, Y)

    expected = fit(then)
    short = fit(first, Checkpoint(path))
    assert short.n_iter_ < expected.n_iter_
    logger = EpochLogger()
    assert_same_model(fit(then, Checkpoint(path), logger), expected)
    assert logger.rows_[0]["epoch"] == short.n_iter_ + 1


@pytest.mark.parametrize("options, _", PROLONGED.values(), ids=PROLONGED)
def test_a_fit_that_has_ended_does_not_go_on_when_it_is_repeated(options, _, tmp_path):
    callbacks = [Checkpoint(tmp_path / "fit.npz"), *options.get("callbacks", [])]
    model = MLPSoftmaxClassifier(**OPTIONS | options | {"callbacks": callbacks}, random_state=0)
    assert_same_model(clone(model).fit(X, Y), clone(model).fit(X, Y))


class OfItsOwn(TimeSchedule):
    """A schedule that does not declare that it reads the number of epochs."""

    def factor(self, times, n_epochs):
        return 1 - times / n_epochs


@pytest.mark.parametrize(
    "options, change, reason",
    [
        ({"learning_rate": "cosine"}, {"max_iter": 20}, "max_iter, on which .* depends"),
        ({"learning_rate": OfItsOwn()}, {"max_iter": 20}, "max_iter, on which .* depends"),
        ({"averaging": "swa"}, {"max_iter": 20}, "max_iter, on which .* depends"),
        (
            {"early_stopping": EarlyStopping(every=5)},
            {"max_iter": 20},
            r"fit: max_iter, no multiple of .* \(the last epoch .*\), was 12\. Delete it",
        ),
        (
            {"early_stopping": EarlyStopping(every=6)},
            {"max_iter": 20},
            r"fit: max_iter, no multiple of .* \(the last epoch .*\), is 20\. Delete it",
        ),
        (
            {"solver": "sgd", "learning_rate": "adaptive"},
            {"n_iter_no_change": 20},
            "n_iter_no_change, on which .* depends",
        ),
    ],
)
def test_what_depends_on_a_limit_is_not_prolonged(options, change, reason, tmp_path):
    model = MLPSoftmaxClassifier(**OPTIONS | options, callbacks=[Checkpoint(tmp_path / "f.npz")])
    model.fit(X, Y)
    with pytest.raises(ValueError, match=reason):
        model.set_params(**change).fit(X, Y)


@pytest.mark.parametrize(
    "change, fragment",
    [({"max_iter": 5}, "seen 12 epochs, max_iter is 5"), ({"n_iter_no_change": 3}, "only grow")],
)
def test_a_shorter_fit_is_refused_in_a_file_and_has_its_own_file_in_a_folder(
    change, fragment, tmp_path
):
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0)
    shorter = clone(model).set_params(**change)
    clone(model).set_params(callbacks=[Checkpoint(tmp_path / "fit.npz")]).fit(X, Y)
    with pytest.raises(ValueError, match=fragment):
        clone(shorter).set_params(callbacks=[Checkpoint(tmp_path / "fit.npz")]).fit(X, Y)
    folder = tmp_path / "folder"
    folder.mkdir()
    for network in (model, shorter, model, shorter):
        expected = clone(network).fit(X, Y)
        found = clone(network).set_params(callbacks=[Checkpoint(folder)]).fit(X, Y)
        assert_same_model(found, expected)
    assert len(list(folder.iterdir())) == 4


def test_a_search_over_lengths_has_the_results_of_one_without_checkpoints(tmp_path):
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0)
    grid = {"max_iter": [6, 2, 4]}
    plain = GridSearchCV(model, grid, cv=2).fit(X, Y)
    model.set_params(callbacks=[Checkpoint(tmp_path)])
    for search in (GridSearchCV, StackedGridSearchCV):
        found = search(model, grid, cv=2).fit(X, Y)
        assert_array_equal(
            found.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
        )
    assert len(list(tmp_path.glob("*.npz"))) == 7


def test_members_of_ensembles_and_folds_have_files_of_their_own(tmp_path):
    plain = MLPSoftmaxClassifier(**OPTIONS, random_state=0)
    saved = clone(plain).set_params(callbacks=[Checkpoint(tmp_path)])
    for _ in range(2):
        found, expected = (
            StackedEnsembleClassifier(model, n_members=3, random_state=0).fit(X, Y)
            for model in (saved, plain)
        )
        for member, other in zip(found.estimators_, expected.estimators_, strict=True):
            assert_same_model(member, other)
        found, expected = (
            stacked_cross_validate(model, X, Y, cv=2)["test_score"] for model in (saved, plain)
        )
        assert_array_equal(found, expected)
    assert len(list(tmp_path.glob("*.npz"))) == 5
    one_file = clone(plain).set_params(callbacks=[Checkpoint(tmp_path / "one.npz")])
    with pytest.raises(ValueError, match="of another fit: parameter random_state was"):
        StackedEnsembleClassifier(one_file, n_members=3).fit(X, Y)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_fit_that_diverges_does_so_again(tmp_path):
    path = tmp_path / "fit.npz"
    model = MLPRegressor(
        hidden_layer_sizes=(5,),
        activation="identity",
        solver="sgd",
        learning_rate_init=1e3,
        batch_size=30,
        random_state=0,
        callbacks=[Checkpoint(path)],
    )
    for _ in range(2):
        with pytest.raises(ValueError, match="diverged"):
            model.fit(X * 10, Y * 1.0)


# Several jobs, and places that cannot be written to.


def test_the_second_of_two_jobs_goes_on_without_saving(tmp_path):
    class Fits(Callback):
        def on_fit_task_end(self, estimator, context):
            if getattr(context, "report", {}).get("epoch") == 4:
                with pytest.warns(UserWarning, match="being written by another fit"):
                    found.append(model.set_params(callbacks=[Checkpoint(path)]).fit(X, Y))
            return False

    found, path = [], tmp_path / "fit.npz"
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0)
    expected = clone(model).fit(X, Y)
    first = clone(model).set_params(callbacks=[Checkpoint(path), Fits()]).fit(X, Y)
    assert_same_model(first, expected)
    assert_same_model(found[0], expected)
    assert {p.name for p in tmp_path.iterdir()} == {"fit.npz", "fit.npz.previous"}
    assert load(path).numbers["n_iter"] == expected.n_iter_


def test_threads_may_share_a_checkpoint(tmp_path):
    shared = Checkpoint(tmp_path)

    def fit(alpha, *callbacks):
        options = OPTIONS | {"alpha": alpha, "random_state": 0}
        return MLPSoftmaxClassifier(**options, callbacks=list(callbacks)).fit(X, Y)

    alphas = [0.0, 0.1, 1.0, 10.0]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda alpha: fit(alpha, shared), alphas))
    for alpha, model in zip(alphas, found, strict=True):
        assert_same_model(model, fit(alpha))
        assert_same_model(fit(alpha, Checkpoint(tmp_path)), model)
    assert len(list(tmp_path.iterdir())) == 2 * len(alphas)


def test_a_process_may_change_its_folder_meanwhile(tmp_path, monkeypatch):
    class Leaves(Callback):
        def on_fit_task_end(self, estimator, context):
            monkeypatch.chdir(tmp_path / "elsewhere")
            return False

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    model = MLPSoftmaxClassifier(**OPTIONS, callbacks=[Checkpoint("fit.npz"), Leaves()])
    model.fit(X, Y)
    assert load(tmp_path / "fit.npz").numbers["n_iter"] == 12


@pytest.mark.skipif(os.name != "posix", reason="Windows allows links to few users")
def test_of_a_link_the_file_that_it_points_to_is_written(tmp_path):
    (tmp_path / "other").mkdir()
    target, link = tmp_path / "other" / "target", tmp_path / "link"
    link.symlink_to(target)
    for _ in range(2):
        MLPSoftmaxClassifier(**OPTIONS, callbacks=[Checkpoint(link)]).fit(X, Y)
        assert link.is_symlink()
        assert load(target).numbers["n_iter"] == OPTIONS["max_iter"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "other"]


@pytest.mark.parametrize(
    "kind", [np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64]
)
def test_generators_of_other_kinds_are_resumed(kind, tmp_path):
    def seeded():
        state = np.random.RandomState(kind(3))
        return MLPSoftmaxClassifier(**OPTIONS, dropout=0.2, random_state=state)

    path = tmp_path / "fit.npz"
    with pytest.raises(SystemError):
        seeded().set_params(callbacks=[Checkpoint(path), Dies(4)]).fit(X, Y)
    logger = EpochLogger()
    found = seeded().set_params(callbacks=[Checkpoint(path), logger]).fit(X, Y)
    assert_same_model(found, seeded().fit(X, Y))
    assert logger.rows_[0]["epoch"] == 4


def test_generators_whose_states_are_not_checked_are_refused(tmp_path):
    class Unknown(np.random.PCG64):
        pass

    state = np.random.RandomState(Unknown(0))
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=state)
    with pytest.raises(ValueError, match=r"random_state=.*must be a generator of the kind MT19937"):
        model.set_params(callbacks=[Checkpoint(tmp_path / "fit.npz")]).fit(X, Y)


def test_two_checkpoints_of_one_fit_are_both_written(tmp_path):
    callbacks = [Checkpoint(tmp_path / "a.npz"), Checkpoint(tmp_path / "b.npz", 5, name="b")]
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0)
    expected = clone(model).fit(X, Y)
    for _ in range(2):
        assert_same_model(clone(model).set_params(callbacks=callbacks).fit(X, Y), expected)
    assert [load(c.path).numbers["n_iter"] for c in callbacks] == [12, 12]


def test_a_refused_fit_holds_no_lock(tmp_path):
    model = MLPSoftmaxClassifier(**OPTIONS, callbacks=[Checkpoint(tmp_path / "fit.npz")])
    model.fit(X, Y)
    with pytest.raises(ValueError, match="of another fit"):
        clone(model).fit(X + 1, Y)
    with pytest.raises(SystemError):
        clone(model).set_params(max_iter=20, callbacks=[*model.callbacks, Dies(14)]).fit(X, Y)
    assert not list(tmp_path.glob("*.lock"))


def test_what_a_killed_writer_left_is_removed(tmp_path):
    (tmp_path / "fit.npz.77-abc.unfinished").write_bytes(b"half")
    (tmp_path / "other.npz.77-abc.unfinished").write_bytes(b"half")
    model = MLPSoftmaxClassifier(**OPTIONS, callbacks=[Checkpoint(tmp_path / "fit.npz")])
    model.fit(X, Y)
    assert [p.name for p in tmp_path.glob("*.unfinished")] == ["other.npz.77-abc.unfinished"]


def test_a_full_disk_ends_the_saving_and_not_the_fit(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0)
    expected = clone(model).fit(X, Y)
    calls = []

    def full_for_a_while(file, **arrays):
        calls.append(file)
        if len(calls) in (3, 4):
            file.write(b"half")
            raise OSError(28, "No space left on device")
        savez(file, **arrays)

    savez = np.savez
    monkeypatch.setattr(np, "savez", full_for_a_while)
    with pytest.warns(UserWarning, match=r"cannot be written .*No space left") as caught:
        found = clone(model).set_params(callbacks=[Checkpoint(path)]).fit(X, Y)
    assert sum("cannot be written" in str(warning.message) for warning in caught) == 1
    assert {warning.filename for warning in caught} == {__file__}
    assert_same_model(found, expected)
    assert {p.name for p in tmp_path.iterdir()} == {"fit.npz", "fit.npz.previous"}
    assert load(path).numbers["n_iter"] == 12


def test_a_disk_that_stays_full_leaves_the_last_whole_file(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0)
    with pytest.raises(SystemError):
        clone(model).set_params(callbacks=[Checkpoint(path), Dies(5)]).fit(X, Y)

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(UserWarning, match="No space left"):
        found = clone(model).set_params(callbacks=[Checkpoint(path)]).fit(X, Y)
    assert_same_model(found, clone(model).fit(X, Y))
    assert {p.name for p in tmp_path.iterdir()} == {"fit.npz", "fit.npz.previous"}
    assert load(path).numbers["n_iter"] == 4


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps folders with open files")
def test_a_folder_that_vanishes_ends_the_saving_and_not_the_fit(tmp_path):
    class Removes(Callback):
        def on_fit_task_end(self, estimator, context):
            if getattr(context, "report", {}).get("epoch") == 4:
                shutil.rmtree(folder)
            return False

    folder = tmp_path / "folder"
    folder.mkdir()
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0)
    expected = clone(model).fit(X, Y)
    with pytest.warns(UserWarning, match="cannot be written"):
        found = model.set_params(callbacks=[Checkpoint(folder / "fit.npz"), Removes()]).fit(X, Y)
    assert_same_model(found, expected)


@pytest.mark.parametrize("rate", [np.float32(0.02), np.float64(0.02)])
def test_parameters_that_are_numbers_of_numpy_are_resumed(rate, tmp_path):
    options = OPTIONS | {"learning_rate_init": rate, "n_iter_no_change": np.int64(50)}
    model = MLPSoftmaxClassifier(**options, max_time=np.float32(1e6), random_state=np.int32(0))
    found = die_and_resume(model, tmp_path / "fit.npz")
    assert_same_model(found, clone(model).fit(X, Y))


def test_a_warm_start_is_a_fit_of_its_own(tmp_path):
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0, warm_start=True)
    expected = [clone(model).fit(X, Y), clone(model).fit(X, Y).fit(X[::2], Y[::2])]
    for _ in range(2):
        found = clone(model).set_params(callbacks=[Checkpoint(tmp_path)])
        assert_same_model(found.fit(X, Y), expected[0])
        assert_same_model(found.fit(X[::2], Y[::2]), expected[1])
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_fit_goes_on_from_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    path = tmp_path / "fit.npz"
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0)
    expected = clone(model).fit(X, Y)
    with pytest.raises(SystemError):
        clone(model).set_params(callbacks=[Checkpoint(path), Dies(5)]).fit(X, Y)

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    logger = EpochLogger()
    with pytest.warns(UserWarning, match="cannot be written .*Permission denied"):
        found = model.set_params(callbacks=[Checkpoint(path), logger]).fit(X, Y)
    assert_same_model(found, expected)
    assert logger.rows_[0]["epoch"] == 5


def test_pickled_objects_are_not_loaded(tmp_path):
    path = tmp_path / "s.npz"
    np.savez(path, json=np.array([{"a": 1}], dtype=object))
    with pytest.warns(UserWarning, match="is damaged"):
        assert load(path) is None


@pytest.mark.parametrize("fails_at", ["fsync", "replace"])
def test_a_crash_while_writing_leaves_the_file_before(fails_at, tmp_path, monkeypatch):
    path = tmp_path / "s.npz"
    save(path, state_with(1))

    def crash(*arguments):
        raise OSError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(os, fails_at, crash)
        with pytest.raises(OSError, match="crash"):
            save(path, state_with(2))
    assert load(path).numbers == {"number": 1}


def test_a_crash_between_the_two_moves_leaves_the_file_before(tmp_path):
    path = tmp_path / "s.npz"
    save(path, state_with(1))
    os.replace(path, previous(path))
    assert load(path).numbers == {"number": 1}


def test_a_damaged_file_of_another_fit_is_left_where_it_is(tmp_path):
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0, callbacks=[Checkpoint(tmp_path)])
    clone(model).set_params(max_iter=3).fit(X, Y)
    (other,) = tmp_path.glob("*.npz")
    other.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match=r"is damaged .*, ignored\.$"):
        model.fit(X, Y)
    assert other.read_bytes() == b"damaged"


def test_a_damaged_file_never_takes_the_place_of_the_whole_one(tmp_path, monkeypatch):
    path = tmp_path / "s.npz"
    for number in (1, 2):
        save(path, state_with(number))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(UserWarning, match="is damaged .* kept as"):
        assert load(path).numbers == {"number": 1}

    def crash_at_the_last_move(source, target):
        if target == path:
            raise OSError("crash")
        move(source, target)

    move = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crash_at_the_last_move)
        with pytest.raises(OSError, match="crash"):
            save(path, state_with(3))
    assert load(path).numbers == {"number": 1}


SCRIPT = """
    import io, os, signal, sys, time, warnings
    import numpy as np
    from skperceptron import MLPSoftmaxClassifier
    from skperceptron.callbacks import Callback, Checkpoint
    from skperceptron.training import checkpoint_file

    class Tells(Callback):
        def __init__(self, pipe, leave):
            self.pipe, self.leave = pipe, leave

        def on_fit_task_end(self, estimator, context):
            if hasattr(context, "report"):
                os.write(self.pipe, b".")
                os.read(self.leave, 1)

    def fit(result, *callbacks, max_iter=150):
        rng = np.random.RandomState(0)
        X = rng.normal(size=(400, 30))
        y = (X[:, :3] + rng.normal(size=(400, 3))).argmax(axis=1)
        model = MLPSoftmaxClassifier(
            (60, 60), batch_size=50, max_iter=max_iter, tol=0, n_iter_no_change=150, random_state=4,
            dropout=0.2, normalization="batch", averaging="ema", early_stopping=True,
            callbacks=list(callbacks),
        ).fit(X, y)
        arrays = model.coefs_ + model.intercepts_ + model.normalization_parameters_
        np.savez(result, *arrays, curve=model.loss_curve_, scores=model.validation_scores_)

    def forked(body):
        # A process of its own, which only starts faster for having been forked.
        process = os.fork()
        if not process:
            body()
            os._exit(0)
        return process

    def was_killed(process):
        _, status = os.waitpid(process, 0)
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    def killed_after_an_epoch(rng):
        reading, writing = os.pipe()
        # Leave for five epochs: on a busy machine, this process may sleep far longer than it wants.
        leave, giving = os.pipe()
        os.write(giving, b"." * 5)
        process = forked(lambda: fit("resumed.npz", Tells(writing, leave), Checkpoint("fit.npz")))
        os.close(writing)
        os.read(reading, 1)
        time.sleep(rng.uniform(0, 0.02))
        os.kill(process, signal.SIGKILL)
        for end in (reading, leave, giving):
            os.close(end)
        return was_killed(process)

    def half_written(file, **arrays):
        whole = io.BytesIO()
        savez(whole, **arrays)
        file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
        file.flush()
        die()

    savez, die = np.savez, lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
    moments = {
        "half.npz": (np, "savez", half_written),
        "unflushed.npz": (os, "fsync", die),
        "flushed.npz": (os, "replace", die),
        "moved.npz": (checkpoint_file, "_flush_directory", die),
        "between.npz": (os, "replace", lambda *names: replace(*names) or die()),
    }
    replace = os.replace

    class DiesInWriting(Callback):
        # What saves comes last: it dies while it saves the epoch that is told of here.
        def __init__(self, name):
            self.name = name

        def on_fit_task_end(self, estimator, context):
            if getattr(context, "report", {"epoch": 0})["epoch"] == 3:
                setattr(*moments[self.name])
            return False

    warnings.simplefilter("ignore")
    rng = np.random.RandomState(0)
    print(sum(killed_after_an_epoch(rng) for _ in range(20)), flush=True)
    fit("whole.npz")
    fit("resumed.npz", Checkpoint("fit.npz"))
    fit("few.npz", max_iter=5)
    for name in moments:
        interrupted = forked(
            lambda: fit(name, DiesInWriting(name), Checkpoint("of_" + name), max_iter=5)
        )
        print(was_killed(interrupted), os.path.exists("of_" + name), flush=True)
        fit(name, Checkpoint("of_" + name), max_iter=5)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with SIGKILL")
def test_a_fit_killed_at_any_moment_ends_with_the_same_bits(tmp_path):
    """It is killed twenty times at random after an epoch, and at each stage of saving a file."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    root = str(Path(sys.modules["skperceptron"].__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    # Killed between the two moves, the fit leaves only the previous file, under another name.
    lines = done.stdout.splitlines()
    assert lines == ["20", "True True", "True True", "True True", "True True", "True False"]
    same_arrays(tmp_path / "resumed.npz", tmp_path / "whole.npz")
    for stage in ("half", "unflushed", "flushed", "moved", "between"):
        same_arrays(tmp_path / f"{stage}.npz", tmp_path / "few.npz")


def same_arrays(path, expected_path):
    with np.load(expected_path) as expected, np.load(path) as found:
        assert set(expected.files) == set(found.files)
        for name in expected.files:
            assert_array_equal(found[name], expected[name])


def test_interruption_before_the_fit_leaves_the_file_to_the_next_fit(tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "listdir", Mock(side_effect=KeyboardInterrupt))
        Writing(tmp_path / "checkpoint.npz")
    writing = Writing(tmp_path / "checkpoint.npz")
    assert writing.is_allowed
    writing.close()
