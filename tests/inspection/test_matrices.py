"""Matrices drawn to scale: shapes, labels and sides of rectangles agree with the network."""

from itertools import pairwise

import pytest

from skperceptron import MLPRegressor, MLPSoftmaxClassifier, RosenblattPerceptron
from skperceptron.inspection import MatrixShapesDisplay
from skperceptron.inspection._displays._matrices import LONGEST

pytestmark = pytest.mark.usefixtures("pyplot")


def sides(display):
    return [
        {name: (box.get_height(), box.get_width()) for name, box in layer.items()}
        for layer in display.rectangles_
    ]


def test_rectangles_have_the_sides_of_the_matrices():
    display = MatrixShapesDisplay.from_estimator(
        MLPSoftmaxClassifier((5,)), batch_size=8, n_features=4, n_outputs=3
    )
    assert sides(display) == [
        {"input": (8, 4), "weights": (4, 5), "biases": (1, 5), "output": (8, 5)},
        {"input": (8, 5), "weights": (5, 3), "biases": (1, 3), "output": (8, 3)},
    ]
    texts = [text.get_text() for text in display.texts_]
    assert "weights\n4 × 5" in texts and "output\n8 × 3" in texts


def test_sides_that_are_too_long_are_shortened_and_labeled_in_full():
    display = MatrixShapesDisplay.from_estimator(
        MLPRegressor(hidden_layer_sizes=(64,)), n_features=784
    )
    assert sides(display)[0]["weights"] == (LONGEST, LONGEST)
    texts = [text.get_text() for text in display.texts_]
    assert "weights\n784 × 64" in texts and "input\nB × 784" in texts


def test_matrices_do_not_overlap():
    display = MatrixShapesDisplay.from_estimator(
        MLPSoftmaxClassifier((1, 30)), batch_size=3, n_features=2, n_outputs=3
    )
    for layer in display.rectangles_:
        boxes = [box.get_bbox() for box in layer.values()]
        for left, right in pairwise(boxes):
            assert left.x1 < right.x0
    tops = [max(box.get_bbox().y1 for box in layer.values()) for layer in display.rectangles_]
    bottoms = [min(box.get_bbox().y0 for box in layer.values()) for layer in display.rectangles_]
    assert all(bottom > top for bottom, top in zip(bottoms, tops[1:], strict=False))


def test_perceptrons_and_given_axes_are_drawn(pyplot):
    _, ax = pyplot.subplots()
    display = MatrixShapesDisplay.from_estimator(
        RosenblattPerceptron(7), n_features=2, ax=ax, facecolor="gray"
    )
    assert display.ax_ is ax
    assert [layer["weights"].get_width() for layer in display.rectangles_] == [7, 1]
