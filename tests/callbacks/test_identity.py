"""Descriptions of fits are equal for equal fits, in every process, and differ for others."""

import collections
import enum
import functools
import importlib
import math
import os
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, special
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import f1_score, fbeta_score, make_scorer

from skperceptron import MLPBinaryClassifier
from skperceptron.activations import ELU
from skperceptron.callbacks import Callback, Checkpoint
from skperceptron.callbacks.identity import IndescribableError, described, fingerprint
from skperceptron.schedules import Exponential
from skperceptron.stopping import EarlyStopping

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RATE = 0.9
SETTINGS = ModuleType("settings_of_mine")
SETTINGS.inner = ModuleType("settings_of_mine.inner")


def decay(time, base=0.9):
    return base**time


class Decay:
    def __init__(self, base):
        self.base = base

    def __call__(self, time):
        return self.base**time

    def rate(self, time):
        return self.base**time

    @classmethod
    def of_class(cls, time):
        return 0.5

    @staticmethod
    def plain(time):
        return 0.5


class Slotted:
    __slots__ = ("base",)

    def __init__(self, base):
        self.base = base


@dataclass
class Data:
    base: float
    more: tuple = ()


class Color(enum.Enum):
    RED = 1
    BLUE = 2


def keyword(base):
    def schedule(time, *, base=base):
        return base**time

    return schedule


def default(base):
    def schedule(time, base=base):
        return base**time

    return schedule


def closed(base):
    return lambda time: base**time


def nested(base):
    def outer(time):
        def inner(time):
            return base**time

        return inner(time)

    return outer


def made(text, **names):
    """Return the function ``f`` of a source text."""
    exec(textwrap.dedent(text), names)
    return names["f"]


def attributed(base):
    def schedule(time):
        return schedule.base**time

    schedule.base = base
    return schedule


def looping(base):
    """Return a function that calls itself."""

    def schedule(time):
        return base * schedule(time - 1) if time > 1 else 1.0

    return schedule


def itself(base):
    """Return a list that holds itself."""
    loop = [base]
    loop.append(loop)
    return loop


def class_of(base, inherited=False):
    """Return an object whose class differs from others only in its code."""

    class Schedule:
        def factor(self, time):
            return time * base

    class Other(Schedule):
        pass

    return Other() if inherited else Schedule()


def class_with(wrap, base):
    """Return an object whose class holds a function that something is wrapped around."""

    class Schedule:
        factor = wrap(lambda self: base)

    return Schedule()


def unfilled(base):
    """Return a function of a name that is not defined yet."""

    def schedule(time):
        return base * later

    if base > 1:
        later = 1
    return schedule


def cached(base):
    return functools.lru_cache(closed(base))


def seeded(seed):
    return np.random.RandomState(seed).uniform


PAIRS = {
    "numbers": lambda x: x,
    "partial": lambda x: functools.partial(decay, base=x),
    "partial of a lambda": lambda x: functools.partial(lambda time, base: base, base=x),
    "callable object": Decay,
    "bound method": lambda x: Decay(x).rate,
    "bound call": lambda x: Decay(x).__call__,
    "call of a partial": lambda x: functools.partial(decay, base=x).__call__,
    "slots": Slotted,
    "dataclass": Data,
    "keyword default": keyword,
    "default": default,
    "closure": closed,
    "inner function": nested,
    "recursion": looping,
    "list that holds itself": itself,
    "attribute of a function": attributed,
    "code of a method": class_of,
    "code of a base": lambda x: class_of(x, inherited=True),
    "property": lambda x: class_with(property, x),
    "cached property": lambda x: class_with(functools.cached_property, x),
    "static method": lambda x: class_with(staticmethod, x),
    "class method": lambda x: class_with(classmethod, x),
    "name without a value": unfilled,
    "absent module": lambda x: made(f"def f(time):\n import absent_module\n return {x}"),
    "bytes of an array": lambda x: np.void(bytes([int(10 * x)])),
    "cache": cached,
    "scorer": lambda x: make_scorer(fbeta_score, beta=x),
    "own scorer": lambda x: make_scorer(closed(x)),
    "rules": lambda x: EarlyStopping(tol=x),
    "component": ELU,
    "component inside": lambda x: [ELU(), {"a": ELU(x)}],
    "array": lambda x: np.array([1.0, x]),
    "array in an object": lambda x: Decay(np.array([x])),
    "objects in an array": lambda x: np.array([Decay(x)]),
    "sparse": lambda x: sparse.coo_array([[0.0, x]]),
    "frame": lambda x: pd.DataFrame({"a": [x]}),
    "masked": lambda x: np.ma.array([1.0, 2.0], mask=[x > 0.5, False]),
    "named tuple": lambda x: collections.namedtuple("Point", "x")(x),
    "ordered": lambda x: collections.OrderedDict(a=x),
    "default dict": lambda x: collections.defaultdict(list, a=x),
    "deque": lambda x: collections.deque([x]),
    "set": lambda x: {"a", "b", x},
    "method of a generator": lambda x: seeded(int(10 * x)),
    "generator": lambda x: np.random.default_rng(int(10 * x)),
    "vectorized": lambda x: np.vectorize(closed(x)),
    "many": lambda x: [0.0] * 1000 + [x],
    "constant": lambda x: made(f"def f(time): return {x} ** time"),
    "inner constant": lambda x: made(f"def f(time): return (lambda t: {x} ** t)(time)"),
    "comprehension": lambda x: made(f"def f(time): return [{x} ** t for t in [time]]"),
    "global": lambda x: made("def f(time): return base ** time", base=x),
    "global of a global": lambda x: made(
        "def f(time): return g(time)", g=made("def f(time): return base", base=x)
    ),
    "global in an inner function": lambda x: made("def f(time): return (lambda: base)()", base=x),
    "global in a default": lambda x: made("def f(time, base=base): return base", base=x),
    "global object": lambda x: made("def f(time): return rate(time)", rate=Decay(x)),
    "global class": lambda x: made("def f(time): return rate().factor", rate=type(class_of(x))),
}


@pytest.mark.parametrize("make", PAIRS.values(), ids=PAIRS)
def test_different_objects_have_different_descriptions_and_equal_ones_the_same(make):
    assert described(make(0.9)) == described(make(0.9))
    assert described(make(0.9)) != described(make(0.1))


DIFFERENT = [
    *(1, 1.0, True, "1", b"1", 1j, np.float64(1), np.float32(1), np.int64(1), None, [1], (1,)),
    *({1}, {1: 1}, {"1": 1}, np.array([1]), np.array([1.0]), np.array(1), frozenset({1})),
    *(0.0, -0.0, float("nan"), [1, [2]], [[1], 2], [1, 2], "", [], {}, (), ...),
    *(np.exp, np.log, special.expit, math.exp, abs, len, np.mean, str.lower, "a".upper, "b".upper),
    *(f1_score, fbeta_score, dict, list, int, float, np.float64, decay, Decay, Slotted, Data),
    *(Decay.of_class, Decay.plain, Color.RED, Color.BLUE, Color, ELU, ELU(), Exponential()),
    *(Path("a"), Path("b"), sys, math, np, lambda time: time, lambda time: -time, lambda x: x),
    *(lambda time: np.exp(time), lambda time: np.log(time), np.dtype("f4"), np.dtype("f8")),
    *(np.array(["a"]), np.array(["a"], dtype=object), np.array([["a"]]), np.zeros((0, 2))),
    *(np.array(["a", None], dtype=object), pd.Series([1]), pd.Series([1], name="a")),
    *(sparse.csr_array([[1.0]]), sparse.csc_array([[1.0]]), sparse.csr_array([[1.0, 0.0]])),
    *(np.matrix([[1.0]]), np.array([[1.0]]).view(np.recarray)),
    *(np.ones(3, ">f8"), np.ones(3, "<f8"), np.datetime64("2020"), "x" * 500, "x" * 499 + "y"),
]


def test_things_of_all_kinds_differ():
    texts = [described(value) for value in DIFFERENT]
    twice = [texts[i] for i in range(len(texts)) if texts[i] in texts[:i]]
    assert not twice
    assert texts == [described(value) for value in DIFFERENT]


def test_globals_count_as_they_are_now(monkeypatch):
    def of_global(time):
        return RATE**time

    def of_module(time):
        return SETTINGS.base * SETTINGS.inner.base

    def of_import(time):
        import settings_of_mine

        return settings_of_mine.base

    monkeypatch.setitem(sys.modules, "settings_of_mine", SETTINGS)
    monkeypatch.setattr(SETTINGS, "base", 1, raising=False)
    monkeypatch.setattr(SETTINGS.inner, "base", 1, raising=False)
    functions = [of_global, of_module, of_import]
    before = list(map(described, functions))
    assert before == list(map(described, functions))
    monkeypatch.setitem(globals(), "RATE", 0.1)
    monkeypatch.setattr(SETTINGS, "base", 2)
    assert not set(before) & set(map(described, functions))
    monkeypatch.setattr(SETTINGS, "base", 1)
    monkeypatch.setattr(SETTINGS.inner, "base", 2)
    assert described(of_module) != before[1]
    assert described(of_import) == before[2]


def test_a_module_that_is_imported_later_is_read(tmp_path, monkeypatch):
    (tmp_path / "later_of_mine.py").write_text("base = 1\n")
    monkeypatch.syspath_prepend(tmp_path)

    def of_later(time):
        import later_of_mine

        return later_of_mine.base

    try:
        before = described(of_later)
        assert described(of_later) == before
        sys.modules["later_of_mine"].base = 2
        assert described(of_later) != before
    finally:
        sys.modules.pop("later_of_mine", None)


def test_modules_may_hold_each_other():
    one, other = ModuleType("one_of_mine"), ModuleType("other_of_mine")
    one.other, other.one, one.base = other, one, 1

    def of_both(time):
        return one.other.one.base

    before = described(of_both)
    one.base = 2
    assert described(of_both) != before


def test_classes_of_another_class_differ():
    class Kind(type):
        pass

    assert described(Kind("Rate", (), {})) != described(type("Rate", (), {}))


def test_names_of_fields_count():
    rows = np.zeros(1, [("a", int), ("b", int)]), np.zeros(1, [("a", int), ("c", int)])
    texts = [described(row[0]) for row in rows]
    assert texts[0] != texts[1]
    assert texts[0] == described(rows[0].copy()[0])


def test_what_a_component_holds_counts_if_its_clones_keep_it():
    class Kept(ELU):
        def __sklearn_clone__(self):
            return self

    for cls, counts in ((ELU, False), (Kept, True)):
        one, other = cls(), cls()
        one.extra, other.extra = 1, 2
        assert (described(one) != described(other)) == counts


@pytest.mark.parametrize("is_installed", [False, True])
def test_package_that_pip_has_put_into_any_folder_is_known_by_name(
    tmp_path, monkeypatch, is_installed
):
    name = "installed_rates" if is_installed else "rates_of_mine"
    (tmp_path / f"{name}.py").write_text("def halved(time):\n    return 0.5\n")
    if is_installed:
        (tmp_path / f"{name}-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(name)
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, name, module)
    assert (described(module.halved) == f"halved of {name}") == is_installed


def test_order_counts_in_lists_and_not_in_dicts_and_sets():
    assert described({0: 1.0, 1: 2.0}) == described({1: 2.0, 0: 1.0})
    assert described({0: 1.0, 1: 2.0}) != described({0: 2.0, 1: 1.0})
    assert described(set("abcdef")) == described(set("fedcba"))
    assert described([1, 2]) != described([2, 1])


def test_copies_are_described_as_what_they_are_of():
    shared = ELU(0.5)
    for value in (shared, [shared, shared], EarlyStopping(make_scorer(f1_score))):
        copied = clone(value, safe=False)
        if isinstance(value, list):
            copied = [clone(part) for part in value]
        assert described(copied) == described(value)


def test_cached_properties_of_a_matrix_do_not_count():
    matrix = sparse.csr_array([[0.0, 1.0]])
    before = described(matrix)
    assert matrix.has_canonical_format
    assert described(matrix) == before


class Unreadable:
    def __reduce_ex__(self, protocol):
        raise KeyError("no")


class Named:
    def __reduce__(self):
        return "NAME"


def indescribable():
    return {
        "generator": (i for i in range(3)),
        "file": sys.stdout,
        "lock": threading.Lock(),
        "pickle raises": Unreadable(),
        "nothing but a name": Named(),
        "ufunc": np.frompyfunc(abs, 1, 1),
        "inside": [{"a": closed(threading.Lock())}],
        "attribute": Decay(threading.Lock()),
        "global": made("def f(time): return lock", lock=threading.Lock()),
        "globals": lambda time: globals()["RATE"],
        "eval": lambda time: eval("RATE"),
        "deep": functools.reduce(lambda inner, _: [inner], range(10**4), []),
        "view": memoryview(b"a"),
    }


@pytest.mark.parametrize("name", indescribable())
def test_objects_that_cannot_be_distinguished_are_refused_unless_a_name_is_given(name):
    value = indescribable()[name]
    with pytest.raises(IndescribableError):
        described(value)
    if name != "deep":
        assert described(value, "a") == described(value, "a")
        assert described(value, "a") != described(value, "b")


def test_a_name_stands_for_no_more_than_it_must():
    lock = threading.Lock()
    assert described([lock, 1], "a") != described([lock, 2], "a")


def test_data_of_all_kinds_have_fingerprints():
    data = [
        *(None, [1, 2], [1.0, 2.0], [[1], [2]], [np.ones(2), np.ones(3)], 3.0, np.array(3)),
        *(sparse.csr_array(np.eye(2)), sparse.coo_matrix(np.eye(2)), sparse.lil_array(np.eye(2))),
        *(pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]}), pd.Series([1.0]), ["a", "b"]),
        *(np.array(["a", "b"], dtype=object), np.array(["b", "a"], dtype=object)),
    ]
    texts = list(map(fingerprint, data))
    assert texts == list(map(fingerprint, data))
    # A series counts as its numbers alone, which no other data here are.
    assert len(set(texts)) == len(texts)


# Across processes.

PROGRAM = """
import functools, sys
import numpy as np
from sklearn.metrics import fbeta_score, make_scorer
from skperceptron.activations import Activation
from skperceptron.callbacks.identity import described
from skperceptron.stopping import EarlyStopping

WORDS = {"a", "b", "c", "d", "e", "f"}
TABLE = {word: len(word) for word in WORDS}
class Scorer:
    seen = frozenset(WORDS)
    def __call__(self, estimator, X, y):
        return len(WORDS & {"x", "y", "z"}) if y in {"p", "q", "r"} else TABLE
class Mine(Activation):
    def __init__(self, words=None): self.words = words
    def forward(self, z, out): return self.helper(z, out)
    def helper(self, z, out): return Mine, WORDS
def schedule(time): return schedule, Scorer, np.exp(time), TABLE
print([described(value) for value in (
    schedule, Scorer(), Scorer().__call__, Mine(WORDS), EarlyStopping(Scorer()), WORDS, [object()],
    functools.partial(schedule, WORDS), make_scorer(fbeta_score, beta=2), lambda: schedule,
)])
"""


def test_descriptions_are_the_same_in_every_process(tmp_path):
    root = str(Path(sys.modules["skperceptron"].__file__).parents[1])
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    texts = set()
    for seed, how in (("1", [str(path)]), ("2", [str(path)]), ("3", ["-c", "import program"])):
        done = subprocess.run(
            [sys.executable, *how],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": root, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        texts.add(done.stdout)
    assert len(texts) == 1
    assert "0x" not in texts.pop()


# Fits.

X = np.random.RandomState(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


class Wavy(ELU):
    """A user's activation."""

    def forward(self, z, out):
        return super().forward(np.sin(z), out=out)


class Shorter(MLPBinaryClassifier):
    pass


def changed_class():
    return type("Wavy", (ELU,), {"forward": lambda self, z, out: ELU.forward(self, z / 2, out)})()


CHANGES = [
    {"activation": Wavy()},
    {"activation": Wavy(0.5)},
    {"activation": changed_class()},
    {"learning_rate": closed(0.9)},
    {"learning_rate": closed(0.8)},
    {"learning_rate": Decay(0.9)},
    {"learning_rate": Decay(0.8).rate},
    {"early_stopping": EarlyStopping(make_scorer(fbeta_score, beta=1))},
    {"early_stopping": EarlyStopping(make_scorer(fbeta_score, beta=2))},
    {"early_stopping": EarlyStopping(tol=0.1)},
    {"class_weight": {0: 1.0, 1: 2.0}},
    {"class_weight": {0: 2.0, 1: 1.0}},
    {"random_state": 1},
    {"random_state": np.random.RandomState(0)},
    {"random_state": np.random.RandomState(1)},
    {"dtype": "float32"},
    {"tol": 0.5},
    {},
]


def other_data():
    rows = np.arange(20.0)[:, np.newaxis] * np.ones(3)
    labels = np.arange(20) % 2
    return {
        "dtype": (X.astype(np.float32), Y, {}),
        "order of features": (X[:, ::-1], Y, {}),
        "rows": (X[::-1], Y[::-1], {}),
        "labels": (X, np.array(["a", "b"])[Y], {}),
        "weights": (X, Y, {"sample_weight": np.arange(60.0)}),
        "names": (pd.DataFrame(X, columns=list("abc")), Y, {}),
        "other names": (pd.DataFrame(X, columns=list("xyz")), Y, {}),
        "sparse": (sparse.csr_array(X), Y, {}),
        "validation": (X, Y, {"X_val": rows.tolist(), "y_val": labels.tolist()}),
        "validation rows": (X, Y, {"X_val": rows[::-1].tolist(), "y_val": labels.tolist()}),
        "validation labels": (X, Y, {"X_val": rows.tolist(), "y_val": labels[::-1].tolist()}),
        "sparse validation": (X, Y, {"X_val": sparse.coo_array(rows), "y_val": labels}),
        "start": (X, Y, {"intercepts_init": [np.ones(4), np.ones(1)]}),
    }


def test_fits_that_differ_in_anything_share_no_file(tmp_path):
    """Each is fitted twice among the others, with the same model as without checkpoints."""
    model = MLPBinaryClassifier((4,), max_iter=3, random_state=0)
    fits = [(clone(model).set_params(**change), X, Y, {}) for change in CHANGES]
    fits += [(clone(model), *data) for data in other_data().values()]
    fits.append((Shorter((4,), max_iter=3, random_state=0), X, Y, {}))
    for _ in range(2):
        for network, x, y, options in fits:
            expected = clone(network).fit(x, y, **options)
            found = clone(network).set_params(callbacks=[Checkpoint(tmp_path)])
            found.fit(x, y, **options)
            for a, b in zip(found.coefs_, expected.coefs_, strict=True):
                np.testing.assert_array_equal(a, b)
    assert len(list(tmp_path.glob("*.npz"))) == len(fits)


class Holding(Callback):
    """A callback with a parameter that cannot be described."""

    rules = {}

    def __init__(self, held):
        self.held = held


def test_callbacks_and_verbosity_are_not_part_of_a_fit(tmp_path):
    model = MLPBinaryClassifier((4,), max_iter=3, random_state=0)
    for change in ({}, {"verbose": True}):
        callbacks = [Checkpoint(tmp_path), *[Holding(threading.Lock())] * len(change)]
        clone(model).set_params(callbacks=callbacks, **change).fit(X, Y)
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_fits_of_different_names_are_different_fits(tmp_path):
    for name in (None, "a", "a", "b"):
        callbacks = [Checkpoint(tmp_path, name=name)]
        MLPBinaryClassifier((4,), max_iter=3, random_state=0, callbacks=callbacks).fit(X, Y)
    assert len(list(tmp_path.glob("*.npz"))) == 3


def test_a_fit_that_cannot_be_told_from_others_needs_a_name(tmp_path):
    class Locked(BaseEstimator):
        def __init__(self):
            self.lock = threading.Lock()

        def __call__(self, time):
            with self.lock:
                return 1.0

    model = MLPBinaryClassifier((4,), max_iter=3, random_state=0, learning_rate=Locked())
    expected = MLPBinaryClassifier((4,), max_iter=3, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match=r"parameter learning_rate: .*one lock.*name="):
        model.set_params(callbacks=[Checkpoint(tmp_path)]).fit(X, Y)
    for name in ("a", "a", "b"):
        model.set_params(callbacks=[Checkpoint(tmp_path, name=name)]).fit(X, Y)
        np.testing.assert_array_equal(model.coefs_[0], expected.coefs_[0])
    assert len(list(tmp_path.glob("*.npz"))) == 2
    model.set_params(callbacks=[Checkpoint(tmp_path, name="a")], alpha=1.0).fit(X, Y)
    assert len(list(tmp_path.glob("*.npz"))) == 3


@pytest.mark.parametrize("name", ["", 3, True, ["a"]])
def test_a_name_is_a_string(name, tmp_path):
    model = MLPBinaryClassifier(callbacks=[Checkpoint(tmp_path, name=name)])
    expected = "'name' parameter of Checkpoint must be an instance of 'str' that is not empty"
    with pytest.raises(ValueError, match=expected):
        model.fit(X, Y)
