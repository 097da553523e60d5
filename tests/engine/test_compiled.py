"""Tables give the same bits as the calls that they are made of, or are not made."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import nullcontext
from functools import partial
from itertools import permutations
from itertools import product as product_of

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import erfc, expit, xlogy

from skperceptron.activations import Activation, Identity, ReLU, Tanh
from skperceptron.engine.blocks import Average
from skperceptron.engine.calls import (
    OfMembers,
    add_to_rows,
    look_up,
    number,
    of_members,
    overflowing_sigmoid,
    softmax,
    sum_by_code,
    take_and_cast,
)
from skperceptron.engine.compiled import (
    LARGE_PRODUCT,
    Program,
    RowTeam,
    Section,
    fused,
    has_teams,
    is_available,
    layout,
)
from skperceptron.engine.compiled.encoding import encode
from skperceptron.engine.compiled.extension import steps as extension
from skperceptron.engine.compiled.layout import TEAM_WORDS, WIDTH
from skperceptron.engine.compiled.program import Table
from skperceptron.engine.compiled.recording import recorded

pytestmark = pytest.mark.skipif(not is_available(), reason="there are no compiled steps")

needs_teams = pytest.mark.skipif(not has_teams(), reason="the compiler has no atomic operations")

N_DRAWS = 25


class Draw:
    """Random arrays of random shapes and layouts, with a first axis for the members of a stack.

    The same seed gives the same arrays again.
    """

    def __init__(self, seed, dtype):
        self.rng = np.random.RandomState(seed)
        self.dtype = np.dtype(dtype)
        self.n = int(self.rng.choice([1, 1, 2, 3]))
        self.shape = (self.n, *self.rng.choice([1, 2, 3, 5, 16, 40], size=2).tolist())
        self.arrays = []

    def array(self, *shape, dtype=None):
        """Return an array whose axes lie in memory in a random order, with or without gaps."""
        order = [0, *(1 + self.rng.permutation(len(shape) - 1))] if len(shape) > 1 else [0]
        gap = int(self.rng.choice([1, 1, 1, 2]))
        lengths = [shape[a] for a in order]
        lengths[-1] *= gap
        whole = self.rng.normal(size=lengths).astype(dtype or self.dtype)
        self.arrays.append(whole)
        return whole[..., ::gap].transpose(np.argsort(order))

    def like_out(self):
        return self.array(*self.shape)

    def operand(self):
        """Return something that can be broadcast to the shape."""
        kind = self.rng.randint(5)
        if kind == 0:
            return float(self.rng.normal())
        if kind == 1:
            return number(self.rng.normal(), self.dtype)
        if kind == 2:
            return self.array(*(m if self.rng.randint(2) else 1 for m in self.shape))
        return self.like_out()


def unary(draw):
    functions = [np.exp, np.tanh, np.negative, np.sqrt, np.abs, np.sign, np.expm1, erfc, expit]
    function = functions[draw.rng.randint(len(functions))]
    x = draw.like_out()
    return partial(function, x, x if draw.rng.randint(2) else draw.like_out())


def binary(draw):
    functions = [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.copysign, xlogy]
    function = functions[draw.rng.randint(len(functions))]
    x, y = draw.like_out(), draw.operand()
    return partial(function, x, y, out=x if draw.rng.randint(2) else draw.like_out())


def comparison(draw):
    functions = [np.greater, np.less, np.greater_equal, np.less_equal]
    function = functions[draw.rng.randint(len(functions))]
    x = draw.like_out()
    return partial(function, x, draw.operand(), x if draw.rng.randint(2) else draw.like_out())


def clip(draw):
    x = draw.like_out()
    return partial(np.clip, x, -0.5, 0.25, out=x)


def copy(draw):
    return partial(np.copyto, draw.like_out(), draw.operand())


def cast(draw):
    other = "f" if draw.dtype.char == "d" else "d"
    return partial(np.copyto, draw.like_out(), draw.array(*draw.shape, dtype=other))


def fill(draw):
    return partial(draw.like_out().fill, float(draw.rng.normal()))


def shift_of_rows(draw):
    n, b, h = draw.shape
    row = contiguous(draw, n, 1, h)
    out = either_way(draw, n, b, h)
    return add_to_rows(row, out)


def contiguous(draw, *shape):
    whole = draw.rng.normal(size=shape).astype(draw.dtype)
    draw.arrays.append(whole)
    return whole


def product(draw):
    n, m, k = draw.shape
    p = int(draw.rng.choice([1, 2, 7]))
    a, b = either_way(draw, n, m, k), either_way(draw, n, k, p)
    return partial(np.matmul, a, b, contiguous(draw, n, m, p))


def either_way(draw, n, rows, columns):
    """Return matrices with contiguous rows or with contiguous columns, at random."""
    if draw.rng.randint(2):
        return contiguous(draw, n, rows, columns)
    return contiguous(draw, n, columns, rows).swapaxes(1, 2)


def outer(draw):
    n, m, p = draw.shape
    a, b = either_way(draw, n, m, 1), either_way(draw, n, 1, p)
    a[:, ::3], b[:, :, ::4] = 0, -1
    a[:, -1:] = draw.rng.choice([np.nan, np.inf, 1])
    return partial(np.matmul, a, b, contiguous(draw, n, m, p))


def logistic(draw):
    z = draw.like_out()
    z *= 300
    if draw.rng.randint(2):
        z.flat[0] = draw.rng.choice([np.nan, np.inf, -np.inf])
    return partial(overflowing_sigmoid, z, z if draw.rng.randint(2) else draw.like_out())


def probabilities(draw):
    n, c, b = draw.shape
    z, out = (contiguous(draw, c, n, b + 1)[:, :, :b].swapaxes(0, 1) for _ in range(2))
    z *= 10
    z[:, -1, :: draw.rng.randint(3, 9)] = draw.rng.choice([np.nan, np.inf, -np.inf, 0, 1])
    per_row = [contiguous(draw, n, 1, b) for _ in range(2)]
    return partial(softmax, z, out, per_row[0], per_row[draw.rng.randint(2)])


def reduction(draw):
    shape = [*draw.shape, *draw.rng.choice([2, 17, 33], draw.rng.randint(2)).tolist()]
    x = draw.array(*shape)
    axis = int(draw.rng.randint(1, x.ndim))
    shape[axis] = 1
    out = draw.array(*shape) if draw.rng.randint(2) else contiguous(draw, *shape)
    ufunc = np.add if draw.rng.randint(2) else np.maximum
    return partial(ufunc.reduce, x, axis, None, out, True)


def gathering(draw):
    n, b, d = draw.shape
    X = contiguous(draw, 6, d)
    rows = draw.rng.randint(-1, 8, size=(n, b), dtype=np.intp)
    out = contiguous(draw, n, b, d)
    if draw.rng.randint(2):
        other = np.dtype(np.float64 if draw.dtype == np.float32 else np.float32)
        room = np.empty(out.shape, other)
        return partial(take_and_cast, X.astype(other), rows.clip(0, 5), out, room)
    return partial(X.take, rows, 0, out, "clip")


def codes(draw, n, b, levels):
    """Return codes, some of which are not in the table."""
    found = draw.rng.randint(-1, levels + 1, size=(n, b, 3))
    missing = draw.rng.uniform(size=found.shape) < 0.1
    return np.where(missing, np.nan, found).astype(draw.dtype)[:, :, 1]


def looking_up(draw):
    n, b, d = draw.shape
    table = contiguous(draw, n, 6, d)
    out = contiguous(draw, n, b, d + 2)[:, :, 1:-1]
    return partial(look_up, table, codes(draw, n, b, 6), out)


def summing_by_code(draw):
    n, b, d = draw.shape
    grad = contiguous(draw, n, b, d + 2)[:, :, 1:-1]
    grad *= 10 ** draw.rng.uniform(-6, 6, size=(n, b, 1)).astype(draw.dtype)
    out = contiguous(draw, n, 6, d)
    return partial(sum_by_code, grad, codes(draw, n, b, 6), np.empty((n, 6, d)), out)


def update(draw):
    name, n_vectors, n_coefficients = [("adam", 4, 4), ("sgd", 3, 2), ("nesterov", 3, 2)][
        draw.rng.randint(3)
    ]
    length = int(draw.rng.choice([1, 3, 1500]))
    vectors = [contiguous(draw, draw.n, length) for _ in range(n_vectors)]
    table = contiguous(draw, draw.n, n_coefficients + 1)
    for array in (*vectors, table):
        np.abs(array, out=array)
    # An update may overwrite the gradient, which is not compared.
    del draw.arrays[1]
    columns = [table[:, j : j + 1] for j in range(n_coefficients)]
    if draw.n == 1:
        vectors = [vector[0] for vector in vectors]
        columns = [column.reshape(()) for column in columns]
    return partial(getattr(fused, name), vectors, columns)


KINDS = [
    unary, binary, comparison, clip, copy, cast, fill, shift_of_rows, product, outer, reduction,
    logistic, probabilities, gathering, looking_up, summing_by_code, update,
]  # fmt: skip


def run_table(call, n, n_steps=1, team=None):
    """Run a program of one call; return whether it has become a table."""
    program = Program([Section(lambda t: [call], n_steps)], n_steps, n, team)
    taken = np.zeros(n, np.intp)
    program.run(taken, 0, n_steps, 0)
    assert_array_equal(taken, n_steps)
    return not program.n_python_calls


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["d", "f"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_table_has_the_bits_of_the_call(kind, dtype):
    n_tables = 0
    for seed in range(N_DRAWS):
        by_numpy, by_table = Draw(seed, dtype), Draw(seed, dtype)
        call = kind(by_numpy)
        call()
        n_tables += run_table(kind(by_table), by_table.n)
        for plain, tabled in zip(by_numpy.arrays, by_table.arrays, strict=True):
            assert_array_equal(plain, tabled, err_msg=f"{seed}: {call}")
    # If a kind of call were always left to NumPy, this would test no table.
    assert n_tables > N_DRAWS // 3


@needs_teams
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("n_threads", [2, 3])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_team_does_what_one_thread_does(kind, n_threads, monkeypatch):
    monkeypatch.setattr(layout, "WORTH_DIVIDING", 1)
    team = RowTeam(n_threads, nullcontext())
    # BLAS may round differently where a product is computed in parts.
    tolerance = 1e-12 if kind is product else 0
    for seed in range(N_DRAWS):
        by_numpy, by_team = Draw(seed, "d"), Draw(seed, "d")
        kind(by_numpy)()
        run_table(kind(by_team), by_team.n, team=team)
        for plain, shared in zip(by_numpy.arrays, by_team.arrays, strict=True):
            assert_allclose(shared, plain, rtol=tolerance, atol=tolerance)


def draw_matrix(*shape, dtype=float):
    return np.random.RandomState(0).normal(size=shape).astype(dtype)


A, OUT = draw_matrix(2, 3, 4), np.zeros((2, 3, 4))
CODES, SUMS, ROOM = np.zeros((2, 3)), np.zeros((2, 5, 4)), np.zeros((2, 5, 4))
BOTH = np.zeros(100)
READ_ONLY = np.broadcast_to(0.0, (2, 3, 4))
REFUSED = {
    "no partial": lambda: None,
    "a Python function": partial(print, A),
    "another dtype": partial(np.add, A.astype(np.float32), A, OUT),
    "another byte order": partial(np.add, A.astype(">f8"), A, OUT),
    "a subclass": partial(np.add, A.view(np.memmap), A, OUT),
    "read-only": partial(np.add, A, A, READ_ONLY),
    "overlapping": partial(np.add, A[:, :-1], A[:, :-1], A[:, 1:]),
    "backwards": partial(np.add, A[:, ::-1], A, OUT),
    "no output": partial(np.add, A, A),
    "two outputs": partial(np.modf, A, OUT, OUT.copy()),
    "integers": partial(np.add, A.astype(int), A.astype(int), OUT.astype(int)),
    "other options": partial(np.add, A, A, out=OUT, where=True),
    "another shape": partial(np.add, A[:, :2], A, OUT),
    "a product of other shapes": partial(np.matmul, A, A, OUT),
    "a product with gaps": partial(np.matmul, A[:, :, ::2], A[:, :2], OUT),
    "a product of columns that overlap": partial(
        np.matmul,
        np.lib.stride_tricks.as_strided(A, (2, 3, 4), (96, 8, 8)),
        A.swapaxes(1, 2),
        np.zeros((2, 3, 3)),
    ),
    "rows of objects": partial(A.astype(object).take, np.zeros((2, 3), int), 0, OUT, "clip"),
    "rows with an error": partial(A[0].take, np.zeros((2, 3), int), 0, OUT, "raise"),
    "rows that lie column by column": partial(
        np.asfortranarray(A[0]).take, np.zeros((2, 3), int), 0, OUT, "clip"
    ),
    "rows into columns": partial(
        A[0].take, np.zeros((2, 3), int), 0, np.zeros((2, 4, 3)).swapaxes(1, 2), "clip"
    ),
    "a sum over all": partial(np.add.reduce, A, None, None, OUT, True),
    "a sum without its axis": partial(np.add.reduce, A, 1, None, OUT[:, 0], False),
    "a sum of members side by side": partial(
        np.add.reduce, np.zeros((4, 2)).T, 1, None, np.zeros((2, 1)), True
    ),
    "SciPy and a plain number": partial(xlogy, A, 0.5, OUT),
    "a number beyond float32": partial(np.minimum, A.astype("f"), 1e300, out=A.astype("f")),
    "codes of another kind": partial(look_up, A, CODES.astype(np.intp), OUT),
    "codes of another precision": partial(look_up, A, CODES.astype("f"), OUT),
    "codes of one member": partial(look_up, A, CODES[:1], OUT),
    "codes of more rows": partial(look_up, A, np.zeros((2, 4)), OUT),
    "a table of one member": partial(look_up, A[:1], CODES, OUT),
    "a table of wider rows": partial(look_up, np.zeros((2, 3, 5)), CODES, OUT),
    "a table with gaps": partial(look_up, np.zeros((2, 6, 4))[:, ::2], CODES, OUT),
    "a table of another precision": partial(look_up, A.astype("f"), CODES, OUT),
    "rows with gaps": partial(look_up, A, CODES, np.zeros((2, 3, 8))[:, :, ::2]),
    "rows that are read-only": partial(look_up, A, CODES, READ_ONLY),
    "rows in the memory of the table": partial(
        look_up, BOTH[:24].reshape(2, 3, 4), CODES, BOTH[24:48].reshape(2, 3, 4)
    ),
    "rows of integers": partial(look_up, A.astype(int), CODES, OUT.astype(int)),
    "sums in room of another precision": partial(sum_by_code, A, CODES, ROOM.astype("f"), SUMS),
    "sums in less room": partial(sum_by_code, A, CODES, ROOM[:, :4], SUMS),
    "sums in room with gaps": partial(sum_by_code, A, CODES, np.zeros((2, 5, 8))[:, :, ::2], SUMS),
    "sums in room that is read-only": partial(
        sum_by_code, A, CODES, np.broadcast_to(0.0, (2, 5, 4)), SUMS
    ),
    "sums in the memory of the room": partial(
        sum_by_code, A, CODES, BOTH[:40].reshape(2, 5, 4), BOTH[40:80].reshape(2, 5, 4)
    ),
    "sums of wider rows": partial(sum_by_code, np.zeros((2, 3, 5)), CODES, ROOM, SUMS),
    "sums that are read-only": partial(
        sum_by_code, A, CODES, ROOM, np.broadcast_to(0.0, (2, 5, 4))
    ),
    "no member axis": partial(np.add, A[0], A[0], OUT[0]),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_unusual_calls_are_made_from_python(call):
    assert encode(call, 2, {}) is None


@pytest.mark.parametrize("n", [1, 2, 3])
def test_updates_of_any_number_of_members_are_a_table(n):
    gradient, velocity, parameters = (np.ones((n, 5)) for _ in range(3))
    table = np.ones((n, 2))
    vectors, columns = [parameters, gradient, velocity], [table[:, :1], table[:, 1:]]
    if n == 1:
        vectors, columns = [x[0] for x in vectors], [x.reshape(()) for x in columns]
    (row,) = encode(partial(fused.sgd, vectors, columns), n, {})
    assert bool(row.by_member) == (n > 1)


def test_number_of_members_decides_what_axis_0_is():
    call = partial(np.add, A, A, OUT)
    assert encode(call, 2, {})[0].by_member == (A.strides[0],) * 2 + (OUT.strides[0],)
    assert not encode(call, 1, {})[0].by_member
    assert encode(call, 3, {}) is None


@pytest.mark.parametrize(("of_X", "of_out"), [("f8", "f4"), ("f4", "f8")])
def test_rows_are_converted_in_tables(of_X, of_out):
    X, rows = draw_matrix(6, 4).astype(of_X), np.array([[3, 1], [0, 5]])
    out, room = np.zeros((2, 2, 4), of_out), np.empty((2, 2, 4), of_X)
    assert run_table(partial(take_and_cast, X, rows, out, room), 2)
    assert_array_equal(out, X[rows].astype(of_out))


@pytest.mark.parametrize("ufunc", [np.add, np.maximum])
def test_reductions_have_the_bits_of_numpy_in_every_order_of_axes(ufunc):
    rng = np.random.RandomState(0)
    whole = rng.normal(size=(3, 17, 16, 33))
    if ufunc is np.maximum:
        # Zeros of both signs: the order decides which of them is left.
        whole = -np.abs(whole) * rng.choice([0, 0, 1], size=whole.shape)
    n_tables = 0
    orders = [(0, *order) for order in permutations((1, 2, 3))]
    # The members may lie at any place in memory.
    wholes = [np.moveaxis(np.moveaxis(whole, 0, i).copy(), i, 0) for i in range(4)]
    for whole, of_x, of_out, axis in product_of(wholes, orders, orders, (1, 2, 3)):
        x = whole.transpose(of_x)
        plain = x.max(axis, keepdims=True).transpose(of_out).copy().transpose(np.argsort(of_out))
        tabled = np.zeros_like(plain)
        ufunc.reduce(x, axis, None, plain, True)
        n_tables += run_table(partial(ufunc.reduce, x, axis, None, tabled, True), len(x))
        assert_array_equal(plain.view(np.int64), tabled.view(np.int64))
    assert n_tables > 216


def transposed_in_memory(x):
    return np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2)


#: Members, rows, sums and columns: one block, several of each kind, and parts of blocks.
LARGE = [(1, 256, 512, 128), (2, 301, 1_100, 70), (1, 17, 2_049, 530), (1, 2_000, 16, 650)]


@pytest.mark.parametrize("n_threads", [1, *([2, 3] if has_teams() else [])])
@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_large_products_of_every_layout_are_right(shape, n_threads):
    n, m, k, p = shape
    assert m * k * p >= LARGE_PRODUCT
    a, b = draw_matrix(n, m, k, dtype=np.float32), draw_matrix(n, k, p, dtype=np.float32)
    expected = a.astype(float) @ b
    team = RowTeam(n_threads, nullcontext()) if n_threads > 1 else None
    for of_a, of_b in product_of((np.asarray, transposed_in_memory), repeat=2):
        # What lies beside the result must stay as it is.
        room = np.full((n, m + 1, p + 1), np.nan, np.float32)
        assert run_table(partial(np.matmul, of_a(a), of_b(b), room[:, :m, :p]), n, team=team)
        assert_allclose(room[:, :m, :p], expected, rtol=1e-5, atol=1e-5 * k**0.5)
        assert np.isnan(room[:, m:]).all() and np.isnan(room[:, :, p:]).all()


@pytest.mark.parametrize("dtype", ["d", "f"])
def test_outer_products_have_the_zeros_of_numpy(dtype):
    a, b = np.array([[[0.0], [-1.0]]], dtype), np.array([[[-1.0, 0.0, -0.0, 1e-300]]], dtype)
    plain, tabled = np.ones((2, 1, 2, 4), dtype)
    np.matmul(a, b, plain)
    assert run_table(partial(np.matmul, a, b, tabled), 1)
    assert_array_equal(np.signbit(tabled), np.signbit(plain))


@pytest.mark.parametrize("n_classes", [1, 2, 256, 257])
def test_softmax_is_one_loop_unless_classes_are_too_many(n_classes):
    z, per_row = np.zeros((2, n_classes, 600)), np.zeros((2, 1, 600))
    z[:] = np.arange(600) % 7 * np.arange(n_classes)[:, np.newaxis]
    rows = encode(partial(softmax, z, np.empty_like(z), per_row, per_row), 2, {})
    assert (rows is not None and len(rows) == 1) == (n_classes in (2, 256))
    plain, tabled = np.empty_like(z), np.empty_like(z)
    softmax(z, plain, per_row, per_row)
    run_table(partial(softmax, z, tabled, per_row, per_row), 2)
    assert_array_equal(tabled, plain)


@pytest.mark.parametrize("overlap", ["probabilities", "largest", "total"])
def test_softmax_of_arrays_that_overlap_is_left_to_numpy(overlap):
    whole, largest, total = np.zeros((1, 4, 9)), np.zeros((1, 1, 9)), np.zeros((1, 1, 9))
    z, out = whole[:, :3], np.zeros((1, 3, 9))
    if overlap == "probabilities":
        out = whole[:, 1:]
    elif overlap == "largest":
        largest = out[:, 2:]
    else:
        total = z[:, 2:]
    rows = encode(partial(softmax, z, out, largest, total), 1, {})
    assert rows is None or len(rows) > 1


def test_only_large_products_of_float32_numbers_may_have_other_bits_than_numpys():
    own = extension.own_loops()["product_f"]
    for dtype, k, is_own in (
        (np.float32, 800, True),
        (np.float32, 100, False),
        (float, 800, False),
    ):
        a, b = np.zeros((1, 128, k), dtype), np.zeros((1, k, 128), dtype)
        (row,) = encode(partial(np.matmul, a, b, np.empty((1, 128, 128), dtype)), 1, {})
        assert (row.loop[0] == own) == is_own
    narrow = np.zeros((1, 2**20, 2), np.float32)
    (row,) = encode(partial(np.matmul, narrow, narrow[:, :2], np.empty_like(narrow)), 1, {})
    assert row.loop[0] != own


def test_infinite_and_missing_numbers_reach_only_their_row_and_column():
    a, b = np.ones((1, 100, 400), np.float32), np.ones((1, 400, 300), np.float32)
    a[0, 7, 30], b[0, 9, 200] = np.nan, np.inf
    out = np.empty((1, 100, 300), np.float32)
    assert run_table(partial(np.matmul, a, b, out), 1)
    assert_array_equal(out, a @ b)


def test_one_matrix_multiplies_those_of_all_members():
    weight, out = draw_matrix(4, 5), np.zeros((2, 3, 5))
    assert run_table(partial(np.matmul, A, weight, out), 2)
    assert_allclose(out, A @ weight, rtol=1e-12)


def test_two_views_of_the_same_numbers_do_not_interfere():
    x = draw_matrix(2, 3, 4)
    assert encode(partial(np.exp, x[:], x[:]), 2, {})
    assert encode(partial(np.exp, x[:, :2], x[:, 1:]), 2, {}) is None


def test_operand_with_fewer_axes_belongs_to_all_members():
    per_column = np.array([1.0, 2.0])
    x = draw_matrix(2, 3, 2)
    expected = x * per_column
    assert run_table(partial(np.multiply, x, per_column, x), 2)
    assert_array_equal(x, expected)


def test_calls_of_some_members_leave_the_others_alone():
    x = np.ones((4, 3, 2))
    (call,) = of_members([partial(np.add, x[1:3], x[1:3], x[1:3])], slice(1, 3), 4)
    assert isinstance(call, OfMembers)
    assert run_table(call, 4)
    assert_array_equal(x[:, 0, 0], [1, 2, 2, 1])
    (one,) = of_members([partial(np.add, x[3:], 5, x[3:])], slice(3, 4), 4)
    assert run_table(one, 4)
    assert_array_equal(x[:, 0, 0], [1, 2, 2, 6])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_generators_go_on_where_tables_leave_them(dtype):
    ours, theirs = np.random.default_rng(3), np.random.default_rng(3)
    drawn = np.zeros((1, 5, 3), dtype)
    assert run_table(partial(ours.random, None, drawn.dtype, drawn), 1)
    assert_array_equal(drawn[0], theirs.random((5, 3), dtype))
    assert_array_equal(ours.random(2, dtype), theirs.random(2, dtype))


def test_generators_of_several_members_or_other_layouts_are_called_from_python():
    generator, drawn = np.random.default_rng(0), np.zeros((2, 4, 4), "float32")
    assert encode(partial(generator.random, None, drawn.dtype, drawn), 2, {}) is None
    half = drawn[:1, :, ::2]
    assert encode(partial(generator.random, None, drawn.dtype, half), 1, {}) is None


def test_operands_move_from_step_to_step_and_from_window_to_window():
    per_step, of_epoch, total = np.arange(5.0), np.arange(10.0), np.zeros(1)
    sections = [
        Section(lambda t: [partial(np.add, total, per_step[t : t + 1], total)], 5),
        Section(lambda i: [partial(np.copyto, of_epoch[i : i + 1], total)], 10, of_epoch=True),
    ]
    program = Program(sections, 5, 1)
    assert not program.n_python_calls
    taken = np.zeros(1, np.intp)
    for start in (0, 5, 0):
        total[:] = 0
        program.run(taken, 1, 5, start)
    assert_array_equal(of_epoch, [0, 1, 3, 6, 10, 5, 1, 3, 6, 10])
    assert_array_equal(taken, 12)


def test_operands_of_some_members_move_from_step_to_step():
    x, numbers, place = np.zeros((3, 2)), np.arange(5.0), slice(1, 2)

    def listing(t):
        return list(of_members([partial(np.add, x[place], numbers[t : t + 1], x[place])], place, 3))

    program = Program([Section(listing, 5)], 5, 3)
    assert not program.n_python_calls
    program.run(np.zeros(3, np.intp), 0, 5, 0)
    assert_array_equal(x, [[0, 0], [10, 10], [0, 0]])


def test_python_calls_stand_between_tables_in_their_order():
    seen, x = [], np.zeros(1)

    def look(t):
        seen.append((t, x[0]))

    def listing(t):
        return [partial(np.add, x, 1, x), partial(look, t), partial(np.multiply, x, 2, x)]

    program = Program([Section(listing, 3)], 3, 1)
    assert program.n_python_calls == 1
    program.run(np.zeros(1, np.intp), 0, 3, 0)
    assert seen == [(0, 1), (1, 3), (2, 7)]
    assert x[0] == 14


@pytest.mark.parametrize("places", [[0, 1, 3, 2], [0, 2, 1, 3], [3, 0, 1, 2]])
def test_calls_whose_operands_move_unevenly_are_made_from_python(places):
    y, total = np.arange(4.0), np.zeros(4)

    def listing(t):
        k = places[t]
        return [partial(np.add, total[k : k + 1], y[t : t + 1], total[k : k + 1])]

    program = Program([Section(listing, 4)], 4, 1)
    assert program.n_python_calls == 1
    program.run(np.zeros(1, np.intp), 0, 4, 0)
    assert_array_equal(total[places], y)


def test_calls_with_other_arrays_in_each_step_are_made_from_python():
    several = [np.full(2, float(t)) for t in range(3)]
    total = np.zeros(2)
    program = Program([Section(lambda t: [partial(np.add, total, several[t], total)], 3)], 3, 1)
    assert program.n_python_calls == 1
    program.run(np.zeros(1, np.intp), 0, 3, 0)
    assert_array_equal(total, 3)


def test_calls_with_parts_of_one_array_that_move_apart_are_made_from_python():
    # In the second step they overlap, in the first and in the last they do not.
    x = np.arange(12.0)
    expected = x.copy()

    def listing(x, t):
        return [partial(np.add, x[t : t + 3], 1, x[8 - 3 * t : 11 - 3 * t])]

    for t in range(3):
        listing(expected, t)[0]()
    program = Program([Section(partial(listing, x), 3)], 3, 1)
    assert program.n_python_calls == 1
    program.run(np.zeros(1, np.intp), 0, 3, 0)
    assert_array_equal(x, expected)


@pytest.mark.parametrize("numbers", [(1.0, 1.0, 2.0), (1.0, 2.0, 2.0)])
def test_calls_with_numbers_that_change_from_step_to_step_are_made_from_python(numbers):
    x = np.zeros(2)
    program = Program([Section(lambda t: [partial(np.add, x, numbers[t], x)], 3)], 3, 1)
    assert program.n_python_calls == 1
    program.run(np.zeros(1, np.intp), 0, 3, 0)
    assert_array_equal(x, sum(numbers))


class UsesRoom(Activation):
    """Allocates a temporary array in each call."""

    records = True

    def forward(self, z, out, *learned):
        room = np.empty_like(z)
        np.multiply(z, 2, out=room)
        np.add(room, 1, out=out)


def test_methods_with_scratch_arrays_move_from_step_to_step():
    z, out = draw_matrix(1, 6, 2), np.zeros((1, 6, 2))
    activation = UsesRoom()

    def listing(t):
        rows = slice(2 * t, 2 * t + 2)
        return [partial(activation.forward, z[:, rows], out[:, rows])]

    program = Program([Section(listing, 3)], 3, 1)
    assert not program.n_python_calls
    program.run(np.zeros(1, np.intp), 0, 3, 0)
    assert_array_equal(out, z * 2 + 1)


def test_program_owns_the_arrays_that_it_uses():
    x = np.zeros(100_000)

    def make():
        y = np.ones(100_000)
        return Program([Section(lambda t: [partial(np.add, x, y, x)], 1)], 1, 1)

    program = make()
    filler = [np.full(100_000, -1.0) for _ in range(3)]
    program.run(np.zeros(1, np.intp), 0, 1, 0)
    assert_array_equal(x, 1)
    del filler


LENGTH = 5_000


def chains():
    """Return lists of calls on vectors longer than a block."""
    x, y, z = (draw_matrix(LENGTH + 1) for _ in range(3))
    (one,) = (draw_matrix(1),)
    yield (
        [partial(np.exp, x, x), partial(np.multiply, x, y, z), partial(np.add, z, x, y)],
        (x, y, z),
    )
    # The second call reads what the first has written one element before or after.
    yield [partial(np.exp, x[1:], y[1:]), partial(np.add, y[:-1], z[1:], z[1:])], (x, y, z)
    yield [partial(np.exp, x[:-1], y[:-1]), partial(np.add, y[1:], z[1:], z[1:])], (x, y, z)
    # One call writes an element that the other reads for each of its elements.
    yield [partial(np.exp, x, x), partial(np.add, y, x[:1], y)], (x, y, z)
    yield [partial(np.add, y, x[-1:], y), partial(np.exp, x, x)], (x, y, z)
    yield [partial(np.add, x, one, x), partial(np.add, y, one, y)], (x, y, z)


@pytest.mark.parametrize("n_threads", [1, pytest.param(2, marks=needs_teams)])
@pytest.mark.parametrize("i", range(len(list(chains()))))
def test_long_vectors_are_treated_block_by_block_only_where_that_is_the_same(i, n_threads):
    by_numpy, arrays = list(chains())[i]
    for call in by_numpy:
        call()
    by_table, tabled = list(chains())[i]
    team = RowTeam(n_threads, nullcontext()) if n_threads > 1 else None
    program = Program([Section(lambda t: by_table, 1)], 1, 1, team)
    assert not program.n_python_calls
    program.run(np.zeros(1, np.intp), 0, 1, 0)
    for plain, array in zip(arrays, tabled, strict=True):
        assert_array_equal(plain, array)


def table_of(*calls):
    rows = [row for call in calls for row in encode(call, 1, {})]
    return Table(rows, [False] * len(rows))


def test_neighbors_along_the_same_vectors_are_one_group():
    x, y = draw_matrix(LENGTH), draw_matrix(LENGTH)
    table = table_of(partial(np.exp, x, x), partial(np.add, x, y, y))
    assert table._words[0, 3] == 2


def test_threads_wait_where_one_may_read_what_another_has_written():
    few, many = draw_matrix(10), draw_matrix(LENGTH)
    alone, shared = partial(np.add, few, 1.0, few), partial(np.exp, many, many)
    table = table_of(alone, alone, shared, alone, alone)
    assert_array_equal(table._words[:, layout.WAITS], [1, 0, 1, 1, 0])


# Recording.


class Looks(Activation):
    """Its operations depend on the numbers."""

    records = True

    def forward(self, z, out, *learned):
        if z.max() > 0:
            np.multiply(z, 2, out=out)


class Copies(Activation):
    records = True

    def forward(self, z, out, *learned):
        np.multiply(z.copy(), 2, out=out)


class Chooses(Activation):
    records = True

    def forward(self, z, out, *learned):
        out[z > 0] = 1


class UsesItsOwnRoom(Activation):
    records = True

    def forward(self, z, out, *learned):
        room = np.empty(z.shape)
        np.multiply(z, 2, out=room)
        np.add(room, 1, out=out)


class Fails(Activation):
    records = True

    def forward(self, z, out, *learned):
        raise RuntimeError("not now")


@pytest.mark.parametrize("cls", [Looks, Copies, Chooses, UsesItsOwnRoom, Fails])
def test_methods_that_do_more_than_arithmetic_are_not_recorded(cls):
    z = draw_matrix(1, 3, 2)
    before = z.copy()
    assert recorded(cls().forward, (z, z), {}) is None
    assert_array_equal(z, before)


@pytest.mark.parametrize(
    "method",
    [
        lambda z, out: np.multiply(np.asarray(z), 2, out=out),
        lambda z, out: np.multiply(np.asarray(z), 2, out=np.asarray(out)),
        lambda z, out: np.multiply(np.array(z), 2, out=out),
        lambda z, out: np.multiply(np.array(np.tanh(z)), 2, out=out),
        lambda z, out: (np.multiply(z, 2, out=out), out.flat.__setitem__(0, 1)),
        lambda z, out: np.multiply(z[..., [1, 0]], 2, out=out),
        lambda z, out: np.multiply(z, z[0, 0, 0], out=out),
        # The sum of booleans is a boolean in NumPy: 1 + 1 = 1.
        lambda z, out: np.multiply(z, (z > -1) + (z > -2), out=out),
    ],
    ids=[
        "plain input",
        "plain views",
        "copy",
        "copy of a result",
        "flat",
        "columns",
        "number",
        "booleans",
    ],
)
def test_methods_that_bypass_the_recorder_are_not_recorded(method):
    assert recorded(method, (draw_matrix(1, 3, 2), np.zeros((1, 3, 2))), {}) is None


def test_constants_of_methods_are_recorded():
    z, out = draw_matrix(1, 3, 2), np.zeros((1, 3, 2))
    (call,) = recorded(lambda z, out: np.multiply(z, np.array([2.0, 3.0]), out=out), (z, out), {})
    call()
    assert_array_equal(out, z * [2, 3])


def test_methods_that_do_nothing_have_no_calls():
    assert recorded(Identity().backward, (A, A, A), {}) == []


class Doubled(Tanh):
    """A user's class, which does not declare that it may be recorded."""

    n_calls = 0

    def forward(self, z, out, *learned):
        Doubled.n_calls += 1
        super().forward(z, out)


class Recorded(Doubled):
    records = True


class OwnAverage(Average):
    """A user's block, which does not inherit that it may be recorded."""


class RecordedAverage(Average):
    records = True


def test_only_classes_that_say_so_are_recorded():
    z = draw_matrix(1, 3, 2)
    for block, is_recorded in ((Average, True), (OwnAverage, False), (RecordedAverage, True)):
        rows = encode(partial(block(3, 2, "identity").average, z, np.zeros((1, 1, 2))), 1, {})
        assert (rows is not None) == is_recorded
    assert encode(partial(ReLU().forward, z, z), 1, {}) is not None
    assert encode(partial(Doubled().forward, z, z), 1, {}) is None
    assert encode(partial(Recorded().forward, z, z), 1, {}) is not None


# The C code itself.


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (A[1:], A.strides[0]),
        (A[:1], 0),
        (A[:1].copy(), None),
        (A[:, :1], None),
        (A[1:].astype("f"), None),
        (A[1:].view("i8"), None),
        (A[1:].view(np.memmap), None),
        (None, None),
    ],
    ids=["next", "same", "copy", "shape", "dtype", "view", "subclass", "no array"],
)
def test_distance_is_that_of_views_that_are_alike(other, expected):
    assert extension.distance(A[:1], other) == expected


def test_owner_is_the_array_at_the_end_of_all_views():
    whole = np.zeros((3, 4))
    assert extension.owner_of(whole[1:].T[::2]) is whole
    assert extension.owner_of(whole) is whole
    assert extension.address(whole[1:]) == whole.ctypes.data + whole.strides[0]


@pytest.mark.parametrize("function", [extension.owner_of, extension.address] if extension else [])
def test_functions_of_arrays_refuse_anything_else(function):
    with pytest.raises(TypeError, match="needs an array"):
        function([1.0])


@pytest.mark.parametrize(
    "arrays",
    [
        [],
        [A] * 6,
        [A, None],
        [np.zeros((1,) * 9), np.zeros((1,) * 9)],
        [A[:, :0], A[:, :0]],
        [A[::-1], OUT],
        [A, OUT[0]],
    ],
    ids=["none", "too many", "no array", "many axes", "empty", "backwards", "too few axes"],
)
def test_loops_do_not_spread_over_such_operands(arrays):
    assert extension.spread(arrays, 1) is None


def test_tables_and_members_of_another_size_are_refused():
    taken, table = np.zeros(2, np.intp), np.zeros((1, WIDTH), np.intp)
    assert extension.ROW_WORDS == WIDTH
    with pytest.raises(ValueError, match="another size"):
        extension.run(table[:, :-1].copy(), taken, 0, 1)
    for team in (np.zeros(TEAM_WORDS - 1, np.intp), bytes(8 * TEAM_WORDS)):
        for run in (extension.run, extension.lead):
            with pytest.raises(ValueError, match="another size"):
                run(table, taken, 0, 1, team)
    with pytest.raises(ValueError, match="another size"):
        extension.follow(np.zeros(TEAM_WORDS - 1, np.intp), 0.5, 0.0)
    with pytest.raises(ValueError, match="part"):
        extension.follow(np.zeros(TEAM_WORDS, np.intp), 1.0, 0.0)
    for no_team in ((), (None,)):
        with pytest.raises(TypeError, match="the last of which is a team"):
            extension.lead(table, taken, 0, 1, *no_team)
    with pytest.raises(TypeError):
        extension.inner_loop(np.exp.__call__, 0)
    with pytest.raises(IndexError):
        extension.inner_loop(np.exp, 1000)


def test_a_run_without_steps_does_nothing():
    x = np.zeros(3)
    table = table_of(partial(np.add, x, 1, x))
    table.run(np.zeros(1, np.intp), 2, 2, 0)
    assert_array_equal(x, 0)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer")
@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals are the main's"
)
def test_signals_are_handled_while_a_table_runs():
    def interrupt(*args):
        raise KeyboardInterrupt

    x = np.zeros(100)
    table, taken = table_of(partial(np.add, x, 1, x)), np.zeros(1, np.intp)
    earlier = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            # This would take years.
            table.run(taken, 0, 2**62, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    # Exactly the counted steps have been done.
    assert 0 < taken[0] == x[0]


def test_another_thread_works_while_a_table_runs():
    """Tables release the interpreter's lock: otherwise the thread would see whole runs only."""
    x, n_steps = np.zeros(100), 100_000
    table, taken = table_of(partial(np.add, x, 1, x)), np.zeros(1, np.intp)
    seen_within_a_run, over = threading.Event(), threading.Event()

    def look():
        while not over.is_set():
            if taken[0] % n_steps:
                seen_within_a_run.set()

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(1_000):
        table.run(taken, 0, n_steps, 0)
        if seen_within_a_run.is_set():
            break
    over.set()
    thread.join()
    assert seen_within_a_run.is_set()


def test_threads_run_tables_of_their_own():
    def work(results, k):
        x = np.full(1_000, float(k))
        table = table_of(partial(np.add, x, 1, x))
        table.run(np.zeros(1, np.intp), 0, 2_000, 0)
        results[k] = x

    results = [None] * 4
    threads = [threading.Thread(target=work, args=(results, k)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, x in enumerate(results):
        assert_array_equal(x, 2_000 + k)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_forked_processes_run_tables():
    script = """
        import os, numpy as np
        from functools import partial
        from skperceptron.engine.compiled import Program, Section
        x = np.zeros(10)
        program = Program([Section(lambda t: [partial(np.add, x, 1, x)], 1)], 1, 1)
        program.run(np.zeros(1, np.intp), 0, 5, 0)
        child = os.fork()
        program.run(np.zeros(1, np.intp), 0, 5, 0)
        assert (x == 10).all()
        if child:
            assert os.waitpid(child, 0)[1] == 0
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
