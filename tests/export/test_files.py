"""Models as files without code: they are restored completely, and all other files are refused."""

import json
import os
import pickle
import stat
import warnings
from math import prod

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPRegressor
from skperceptron.activations import Tanh
from skperceptron.callbacks import EpochLogger, StopOnPlateau
from skperceptron.exceptions import InconsistentVersionWarning
from skperceptron.export import load, save, trusted_types
from skperceptron.export._plain import Reader, Writer
from skperceptron.inspection import GradientRecorder, WeightsRecorder
from skperceptron.training.state_checks import GENERATORS
from tests.public import names_in_pickle

from .models import CODES, FOLDER, FRAME, LABELS, NAMES, X, Y, models, predicted

MODELS = models()
EVERY_MODEL = pytest.mark.parametrize("name", MODELS)
STORABLE = pytest.mark.parametrize("name", [name for name in MODELS if name != "search"])
STORED = sorted(FOLDER.glob("*.safetensors"))


@pytest.fixture
def path(tmp_path):
    pytest.importorskip("safetensors")
    return tmp_path / "model.safetensors"


@STORABLE
def test_a_model_comes_back_as_it_was(name, path):
    model, rows = MODELS[name]
    save(model, path)
    again = load(path)
    assert type(again) is type(model)
    assert_array_equal(predicted(again, rows), predicted(model, rows))
    assert repr(again) == repr(model)
    assert repr(clone(again)) == repr(clone(model))


@STORABLE
def test_the_same_model_makes_the_same_bytes(name, path):
    model, _ = MODELS[name]
    save(model, path)
    written = path.read_bytes()
    # Metadata in random order would pass once in six times.
    for one in (model, load(path), load(path), model):
        save(one, path)
        assert path.read_bytes() == written


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_logger_comes_back_with_its_rows(path):
    logger = EpochLogger()
    save(MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, callbacks=[logger]).fit(X, Y), path)
    (again,) = load(path).callbacks
    assert len(again.rows_) == 2
    assert again.rows_ == logger.rows_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "callback", [StopOnPlateau(), GradientRecorder(), WeightsRecorder()], ids=str
)
def test_a_callback_does_not_prevent_storing(callback, path):
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, callbacks=[callback]).fit(X, Y)
    save(network, path)
    (again,) = load(path).callbacks
    assert repr(vars(again)) == repr(vars(callback))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_columns_that_pass_through_are_stored(path):
    chosen = make_column_selector("size")
    columns = ColumnTransformer([("scale", StandardScaler(), chosen)], remainder="passthrough")
    frame = FRAME[["size"]].assign(other=X[:, 1])
    pipeline = make_pipeline(columns, MLPRegressor(hidden_layer_sizes=(2,), max_iter=2))
    save(pipeline.fit(frame, Y), path)
    assert_array_equal(load(path).predict(frame), pipeline.predict(frame))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_imputer_that_marks_missing_values_is_stored(path):
    incomplete = np.where(X > 1, np.nan, X)
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2)
    pipeline = make_pipeline(SimpleImputer(add_indicator=True), network).fit(incomplete, Y)
    save(pipeline, path)
    assert network.n_features_in_ > X.shape[1]
    assert_array_equal(load(path).predict(incomplete), pipeline.predict(incomplete))


@pytest.mark.parametrize("name", ["bounded", "huber", "names", "labels", "categorical"])
def test_it_goes_on_learning_as_it_would_have(name, path):
    model = pickle.loads(pickle.dumps(MODELS[name][0])).set_params(early_stopping=False)
    y = {"huber": Y, "bounded": Y, "categorical": CODES, "names": NAMES, "labels": LABELS}[name]
    save(model, path)
    again = load(path)
    for one in (model, again):
        for _ in range(3):
            one.partial_fit(X, y)
    assert_array_equal(predicted(again, X), predicted(model, X))


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes of files.")
def test_a_file_can_be_read_by_whom_the_user_lets_read(path):
    earlier = os.umask(0o027)
    try:
        save(MODELS["huber"][0], path)
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_was_one_list_is_one_list_again(path):
    save(MODELS["huber"][0], path)
    again = load(path)
    assert again._fitted.with_arrays_of(vars(again)) is again._fitted


def test_safetensors_reads_the_arrays(path):
    numpy = pytest.importorskip("safetensors.numpy")
    model = MODELS["huber"][0]
    save(model, path)
    arrays = list(numpy.load_file(path).values())
    assert any(np.array_equal(array, model.coefs_[0]) for array in arrays)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_models_of_released_formats_are_read(path):
    with warnings.catch_warnings():
        # Warnings about other versions of this package and of scikit-learn.
        warnings.simplefilter("ignore", UserWarning)
        model = load(path)
    rows = MODELS[path.stem][1]
    assert_allclose(predicted(model, rows), np.load(path.with_suffix(".npy")), rtol=1e-6, atol=1e-6)


def test_there_are_stored_models():
    assert len(STORED) == len(MODELS) - 1


def test_another_version_gives_a_warning(path, monkeypatch):
    monkeypatch.setattr("skperceptron._sklearn.estimators.__version__", "0.0.9")
    save(MODELS["huber"][0], path)
    monkeypatch.undo()
    with pytest.warns(InconsistentVersionWarning, match=r"0\.0\.9"):
        load(path)


def written_and_read(value):
    """Return a value after it has become JSON and arrays."""
    writer = Writer()
    entry = json.loads(json.dumps(writer.as_json(value, "value"), allow_nan=False))
    return Reader(writer.arrays).value_of(entry)


def test_values_of_all_kinds_are_read_as_they_were_written():
    again = [1, 2]
    value = {
        "numbers": [0, -(2**80), 0.1, np.inf, -np.inf, np.float32(0.1), np.int64(3), np.True_],
        "tuple": (1, (2.0, None), "ü"),
        ("key", 1): range(1, 9, 2),
        "slice": slice(None, 3),
        "strings": np.array(["a", "bcd"]),
        "objects": np.array(["a", 1, None], dtype=object),
        "times": np.array(["2020-01-01", "NaT"], dtype="datetime64[us]"),
        "masked": np.ma.MaskedArray([1.0, 2.0], [True, False]),
        "dtype": np.dtype("float32"),
        "type": np.float32,
        "empty": np.empty((0, 3)),
        "big": np.arange(4, dtype=">f8")[::2],
        "whole": np.array([[True], [False]]),
        "same": [again, again],
    }
    found = written_and_read(value)
    assert repr(found) == repr(value).replace(", dtype='>f8'", "")
    assert found["same"][0] is found["same"][1]
    assert found["strings"].dtype == value["strings"].dtype


def test_sources_of_randomness_go_on():
    kinds = [getattr(np.random, name) for name in GENERATORS]
    states = [np.random.RandomState(kind(3)) for kind in kinds]
    for source in (*states, *(np.random.Generator(kind(3)) for kind in kinds)):
        source.random(5)
        again = written_and_read(source)
        assert again.random(3).tolist() == source.random(3).tolist()


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_parts_that_share_a_source_of_randomness_share_it_when_read(make):
    first, second = make(0), make(1)
    found = written_and_read([first, [], second, first, second])
    assert found[0] is found[3] is not found[2] is found[4]
    assert found[3].random() == first.random()


# Models and files that are refused.


class Unknown(np.random.PCG64):
    """A kind of generator that NumPy does not have."""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            np.random.Generator(Unknown(3)),
            r"^value is a random generator of the kind Unknown",
        ),
        (np.number, "^value is the class number, which cannot be stored in a file"),
        (
            np.zeros(1, [("a", int)]),
            "^value is an array of .*: a file holds arrays of booleans",
        ),
        (np.zeros(1, complex), "^value is an array of complex128"),
    ],
    ids=["generator", "class", "records", "complex"],
)
def test_what_could_not_be_read_is_not_written(value, message):
    with pytest.raises(TypeError, match=message):
        Writer().as_json(value, "value")


class Mine(Tanh):
    """A class of the user's own."""


def test_code_of_the_users_is_refused_with_its_place(path):
    network = MLPRegressor(hidden_layer_sizes=(3,), activation=Mine(), max_iter=1).fit(X, Y)
    with pytest.raises(TypeError, match=r"MLPRegressor\.activation is Mine\(\), which a file"):
        save(network, path)
    assert not list(path.parent.iterdir())


def test_of_a_search_the_best_estimator_is_stored(path):
    search, rows = MODELS["search"]
    with pytest.raises(TypeError, match="pass its best_estimator_, which makes the same"):
        save(search, path)
    save(search.best_estimator_, path)
    assert_array_equal(load(path).predict_proba(rows), search.predict_proba(rows))


def test_an_unfitted_estimator_is_refused(path):
    with pytest.raises(NotFittedError):
        save(MLPRegressor(), path)


def test_a_file_that_exists_is_replaced_at_once(path, monkeypatch):
    path.write_text("before")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save(MODELS["huber"][0], path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "before"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there that few users have")
@pytest.mark.parametrize("exists", [False, True])
def test_the_file_behind_a_link_is_replaced(exists, path):
    target = path.with_name("elsewhere")
    if exists:
        target.write_text("before")
    path.symlink_to(target.name)
    model, rows = MODELS["huber"]
    save(model, path)
    assert path.is_symlink()
    assert_array_equal(load(target).predict(rows), model.predict(rows))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        b"\x80\x04K\x01.",
        b"\xff" * 64,
        (4).to_bytes(8, "little") + b"[1]]",
        (3).to_bytes(8, "little") + b"[1]",
    ],
)
def test_foreign_files_are_refused_with_a_clear_message(content, tmp_path):
    (tmp_path / "foreign").write_bytes(content)
    with pytest.raises(ValueError, match=r"is not a model that skperceptron\.export\.save"):
        load(tmp_path / "foreign")


def test_safetensors_of_others_are_refused(path):
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file({"a": np.zeros(2)}, path, {"skperceptron_format": "x"})
    with pytest.raises(ValueError, match="is not a model"):
        load(path)


def rewritten(path, change):
    """Write a stored model with a header that a function has changed."""
    content = (FOLDER / "names.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    new = json.dumps(header).encode()
    path.write_bytes(len(new).to_bytes(8, "little") + new + content[8 + length :])
    return path


def forged(model):
    def change(header):
        header["__metadata__"]["model"] = json.dumps(model)

    return change


def larger(header):
    header["a0"]["shape"] = [10**12]


def elsewhere(header):
    header["a0"]["data_offsets"] = [10**12, 10**12 + 8]


def twice_the_same(header):
    header["a1"] = header["a0"]


def less_than_nothing(header):
    header["a0"]["shape"] = [-1, -prod(header["a0"]["shape"])]


def nothing_said(header):
    header["__metadata__"] = []


def half_a_byte(header):
    header["a0"]["data_offsets"] = [float(byte) for byte in header["a0"]["data_offsets"]]


def endless(header):
    header["a0"]["shape"] = [float("inf")]


def generator_at(pos):
    bits = np.random.MT19937(3)
    inner = [["key", bits.state["state"]["key"].tolist()], ["pos", pos]]
    state = [["bit_generator", "MT19937"], ["state", {"dict": inner}]]
    return {"generator": {"dict": state}}


def philox_at(pos):
    state = np.random.Philox(3).state
    inner = [[name, words.tolist()] for name, words in state["state"].items()]
    state |= {"state": {"dict": inner}, "buffer": state["buffer"].tolist(), "buffer_pos": pos}
    return {"generator": {"dict": list(map(list, state.items()))}}


def endless_range(header):
    metadata = header["__metadata__"]
    entry = '["inputs", {"range": [0, 1000000000000, 1]}], ["were", '
    metadata["model"] = metadata["model"].replace('["inputs", ', entry)


def of_many_axes(header):
    end = header["a0"]["data_offsets"][0]
    header["more"] = {"dtype": "F64", "shape": [0] * 65, "data_offsets": [end, end]}


def of_many_digits(header):
    header["__metadata__"]["skperceptron_format"] = "1" * 5000


def newer(header):
    header["__metadata__"]["skperceptron_format"] = "99"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (larger, "another size than its shape says"),
        (elsewhere, "is damaged"),
        (twice_the_same, "is damaged: its arrays overlap or leave gaps"),
        (less_than_nothing, "another size than its shape says"),
        (nothing_said, "is not a model"),
        (half_a_byte, "is damaged"),
        (endless, "is damaged"),
        (of_many_axes, "forged is damaged, or not a model: .*dimension"),
        (of_many_digits, "forged is not a model"),
        (newer, "has format 99, written by skperceptron"),
        (
            forged({"object": "os.system", "state": {}}),
            "asks for 'os.system', which is not a class",
        ),
        (forged({"object": "builtins.eval", "state": {}}), "which is not a class"),
        (
            forged({"object": "skperceptron.optimizers.Adam", "state": [1]}),
            "state of .* is not a dictionary",
        ),
        (forged({"call": "print"}), "which is not part of a model"),
        (forged({"again": 3}), "is damaged"),
        (forged({"array": "a999"}), "is damaged"),
        (forged({"array": "a0", "as": "<f8"}), "'<f8': it must be of times"),
        (forged({"objects": [1], "dtype": "<f8", "shape": [1]}), "a list as an array of '<f8'"),
        (forged({"objects": ["a"], "dtype": "U900000000", "shape": [10**9]}), "is damaged"),
        (forged({"generator": {"dict": [["bit_generator", "os"]]}}), "asks for the generator 'os'"),
        # NumPy 2.5 refuses these states itself.
        (forged(generator_at(625)), "impossible state of a random generator|state position"),
        (forged(generator_at(-1)), "impossible state of a random generator|state position"),
        (forged(philox_at(5)), "impossible state of a random generator|buffer_pos"),
        (forged(philox_at(-1)), "impossible state of a random generator|buffer_pos"),
        (forged({"same generator": 0}), "is damaged"),
        # NumPy 2.5 reads the number behind a mask; earlier versions raise MaskError.
        (forged(generator_at({"masked": [625, True]})), "is damaged"),
        (endless_range, "which is longer than"),
        (forged({"tuple": 3}), "is damaged"),
    ],
)
def test_forged_files_are_refused_before_memory_is_taken(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load(rewritten(tmp_path / "forged", change))


def test_strings_take_no_more_memory_than_they_need():
    entry = {"objects": ["ab", "c"], "dtype": "<U100000000", "shape": [2]}
    found = Reader({}).value_of(entry)
    assert found.dtype == "<U2"
    assert_array_equal(found, ["ab", "c"])


def test_bytes_too_few_or_too_many_are_noticed(tmp_path):
    content = (FOLDER / "names.safetensors").read_bytes()
    for damaged in (content[:-8], content + b"\0"):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged: its arrays have"):
            load(tmp_path / "damaged")


# Pickles and skops.


@EVERY_MODEL
def test_a_pickle_names_public_classes_only(name):
    model, rows = MODELS[name]
    names = names_in_pickle(model)
    assert names and names <= set(trusted_types())
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(predicted(again, rows), predicted(model, rows))


@EVERY_MODEL
def test_skops_has_to_trust_public_classes_only(name):
    skops = pytest.importorskip("skops.io")
    model, rows = MODELS[name]
    dumped = skops.dumps(model)
    # A search also holds objects of scikit-learn that skops does not trust by itself.
    theirs = [one for one in skops.get_untrusted_types(data=dumped) if one.startswith("sklearn.")]
    assert not theirs or name == "search"
    again = skops.loads(dumped, trusted=trusted_types() + theirs)
    assert_array_equal(predicted(again, rows), predicted(model, rows))
