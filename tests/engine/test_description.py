"""Nodes of a network's description: when they are equal, and what they print."""

import numpy as np

from skperceptron.engine.description import GraphNode


def test_arrays_of_a_node_neither_tell_it_apart_nor_are_printed():
    plain = GraphNode("affine_1", "affine", "hidden 1", "", (None, 3), (None, 2))
    arrays = {"weight": np.full((3, 2), 0.125)}
    filled = GraphNode(
        "affine_1",
        "affine",
        "hidden 1",
        "",
        (None, 3),
        (None, 2),
        value=np.full((5, 2), 0.125),
        gradient=np.full((5, 2), 0.125),
        parameters=arrays,
        parameter_gradients=arrays,
    )
    assert filled == plain
    assert repr(filled) == repr(plain)
