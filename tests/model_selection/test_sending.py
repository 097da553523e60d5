"""Tasks whose arrays are arguments of their own."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.testing import assert_array_equal
from scipy import sparse

from skperceptron.model_selection._sending import apart, holds_data


@holds_data
@dataclass(frozen=True)
class Holder:
    X: object
    more: dict = field(default_factory=dict)


@dataclass
class Opaque:
    X: object


def echo(*arguments):
    return arguments


def test_a_call_does_the_same():
    X, y = np.arange(400.0).reshape(200, 2), np.arange(200)
    frame, matrix = pd.DataFrame(X), sparse.csr_array(X)
    holder = Holder(X, {"y": y, "rows": [frame, (matrix, 3)]})
    run, *arguments = apart(echo, holder, X, "text", {"few": y[:3]}, Opaque(X))
    found = run(*arguments)
    assert found[0].X is X
    assert found[0].more["y"] is y
    assert found[0].more["rows"][0] is frame
    assert found[0].more["rows"][1] == (matrix, 3)
    assert found[1] is X
    assert found[2] == "text"
    assert_array_equal(found[3]["few"], y[:3])
    assert found[4].X is X


def test_each_large_array_is_an_argument_once():
    X, y = np.arange(400.0), np.arange(200)
    _, _, bare, *arrays = apart(echo, Holder(X, {"y": y}), [X, y], y[:3])
    assert [id(array) for array in arrays] == [id(X), id(y)]
    assert bare[0].X is not X
    assert_array_equal(bare[2], y[:3])


def test_arrays_of_objects_stay_where_they_are():
    labels = np.array(["a"] * 500, dtype=object)
    assert apart(echo, labels)[2:] == ((labels,),)
