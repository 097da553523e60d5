"""Checkpoint files are whole or refused; a killed fit ends with the bits it would have had."""

import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from skperceptron import MLPBinaryClassifier, MLPSoftmaxClassifier, RosenblattPerceptron
from skperceptron.averaging import EMA
from skperceptron.callbacks import Callback, Checkpoint, StopOnPlateau
from skperceptron.training import checkpoint
from skperceptron.training.checkpoint import State, load, previous, save

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
        assert getattr(found, name) == getattr(expected, name), name


def die_and_resume(model, path, X=X, Y=Y, at=5, **data):
    """Fit with a power cut, then again; return the model that comes of it."""
    # What saves comes last: the cut loses the epoch in which it falls.
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
        # Nobody knows the seed: the file of the whole fit tells what began it.
        path = tmp_path / "whole.npz"
        expected = seeded(0).set_params(callbacks=[Checkpoint(path)]).fit(X, Y)
        start = load(path).numbers["start"]
        cut = tmp_path / "cut.npz"
        state = np.random.RandomState()
        checkpoint.recall_random_state(state, start)
        with pytest.raises(SystemError):
            clone(model).set_params(random_state=state, callbacks=[Checkpoint(cut), Dies(4)]).fit(
                X, Y
            )
        found = (
            clone(model)
            .set_params(random_state=np.random.RandomState(), callbacks=[Checkpoint(cut)])
            .fit(X, Y)
        )
    else:
        expected = seeded(3).fit(X, Y)
        found = die_and_resume(seeded(3), tmp_path / "fit.npz", at=4)
    assert_same_model(found, expected)


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
    monkeypatch.setattr("skperceptron.estimators.base.Stack", None)
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
    assert load(path).numbers["verdict"] == "stop"
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
        ({"max_iter": 13, "random_state": 1}, (X, Y), ["max_iter was 12", "random_state was 0"]),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(changes, data, fragments, tmp_path):
    callbacks = [Checkpoint(tmp_path / "fit.npz")]
    model = MLPSoftmaxClassifier(**OPTIONS, random_state=0, callbacks=callbacks).fit(X, Y)
    with pytest.raises(ValueError, match="is of another fit") as caught:
        clone(model).set_params(**changes).fit(*data)
    for fragment in fragments:
        assert fragment in str(caught.value)


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


def test_a_place_for_the_file_is_asked_for_before_the_fit(tmp_path):
    callback = Checkpoint(tmp_path / "missing" / "fit.npz")
    with pytest.raises(FileNotFoundError, match=r"path=.*missing.* of Checkpoint"):
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
def test_what_cannot_be_resumed_is_said(attempt, fragment, tmp_path):
    with pytest.raises(ValueError, match=f"Checkpoint cannot resume .*{fragment}"):
        attempt([Checkpoint(tmp_path / "fit.npz")])


def test_saving_happens_as_often_as_asked(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(
        "skperceptron.callbacks.builtin.save",
        lambda path, state: saved.append(state.numbers["n_iter"]),
    )
    options = OPTIONS | {"max_iter": 8}
    for callback in (Checkpoint(tmp_path, 3), Checkpoint(tmp_path, every_n_seconds=1e6)):
        MLPSoftmaxClassifier(**options, callbacks=[callback]).fit(X, Y)
    assert saved == [3, 6, 8, 8]
    saved.clear()
    MLPSoftmaxClassifier(**options, callbacks=[Checkpoint(tmp_path, every_n_seconds=0)]).fit(X, Y)
    assert saved == list(range(1, 9))


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


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_noticed_and_the_file_before_is_used(seed, tmp_path):
    path = tmp_path / "s.npz"
    for number in (1, 2):
        save(path, state_with(number))
    whole = bytearray(path.read_bytes())
    rng = np.random.RandomState(seed)
    if seed % 2:
        damaged = whole[: rng.randint(len(whole))]
    else:
        damaged = whole.copy()
        damaged[rng.randint(len(whole))] ^= 1 << rng.randint(8)
    path.write_bytes(damaged)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = load(path)
    # A bit that means nothing, such as one of a time stamp, may leave the file whole.
    number = 1 if caught else 2
    assert not (seed % 2 and not caught)
    assert found.numbers == {"number": number}
    assert_array_equal(found.arrays["parameters"], np.full(50, float(number)))
    if caught:
        assert "is damaged" in str(caught[0].message)


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
    from skperceptron.training import checkpoint

    class Tells(Callback):
        def __init__(self, pipe):
            self.pipe = pipe

        def on_fit_task_end(self, estimator, context):
            if hasattr(context, "report"):
                os.write(self.pipe, b".")

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
        process = forked(lambda: fit("resumed.npz", Tells(writing), Checkpoint("fit.npz")))
        os.close(writing)
        os.read(reading, 1)
        time.sleep(rng.uniform(0, 0.02))
        os.kill(process, signal.SIGKILL)
        os.close(reading)
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
        "moved.npz": (checkpoint, "_flush_directory", die),
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
    """Twenty times at random after an epoch's end; and at each stage of writing the file."""
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
    # Between the two moves there is no file but the one before.
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
