"""The displays: the data of each, and that each can be drawn and saved."""

import io
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
    RosenblattPerceptron,
)
from skperceptron.activations import (
    ELU,
    Activation,
    Heaviside,
    get_activation,
    list_activations,
)
from skperceptron.exchange import from_sklearn
from skperceptron.inspection import (
    ActivationDisplay,
    GradientFlowDisplay,
    GradientRecorder,
    LossCurveDisplay,
    MistakesDisplay,
    NetworkGraphDisplay,
    WeightsDisplay,
    computational_graph,
    gradient_report,
)
from skperceptron.inspection._displays._neurons import connections_of, shown_units
from skperceptron.inspection._displays._weights import mosaic
from skperceptron.stopping import EarlyStopping

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4))
LABELS = (X[:, 0] > 0).astype(int)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
QUICK = {"max_iter": 4, "random_state": 0}


def fit(hidden=(4, 3), **more):
    return MLPSoftmaxClassifier(hidden, **{**QUICK, **more}).fit(X, CLASSES)


def neuron():
    return MLPBinaryClassifier((), **QUICK).fit(X, LABELS)


def perceptron(n_associative=12, y=LABELS):
    return RosenblattPerceptron(n_associative, max_iter=20, random_state=0).fit(X, y)


def recorded():
    recorder = GradientRecorder()
    model = MLPSoftmaxClassifier((4, 3), "tanh", random_state=0)
    for _ in range(3):
        recorder.record(model.partial_fit(X, CLASSES, classes=[0, 1, 2]), X, CLASSES)
    return recorder


draw_network = NetworkGraphDisplay.from_estimator
DISPLAYS = {
    "loss": lambda **k: LossCurveDisplay.from_estimator(fit(), **k),
    "losses": lambda **k: LossCurveDisplay.from_estimator(
        [fit(), fit(early_stopping=True)], names=["one", "other"], log_scale=True, **k
    ),
    "scores": lambda **k: LossCurveDisplay.from_losses({"a": [2, 1]}, None, {"a": [0, 1]}, **k),
    "neuron": lambda **k: draw_network(neuron(), **k),
    "elementary perceptron": lambda **k: draw_network(perceptron(0), **k),
    "unfitted neuron": lambda **k: draw_network(MLPBinaryClassifier(()), n_features=30, **k),
    "neurons": lambda **k: draw_network(fit(), **k),
    "dense neurons": lambda **k: draw_network(fit(skip_connections="dense"), **k),
    "residual neurons": lambda **k: draw_network(fit((3, 3), skip_connections="residual"), **k),
    "S-A-R": lambda **k: draw_network(perceptron(), **k),
    "unfitted neurons": lambda **k: draw_network(MLPBinaryClassifier((4,)), n_features=40, **k),
    "deep neurons": lambda **k: draw_network(
        MLPBinaryClassifier((3,) * 7, Heaviside("sigmoid", sharpness=3.5)), n_features=2, **k
    ),
    "blocks": lambda **k: draw_network(fit((40,), skip_connections="dense"), **k),
    "values": lambda **k: NetworkGraphDisplay.from_graph(
        computational_graph(fit()).with_values(X[:1]), feature_names=list("abcd"), **k
    ),
    "activation": lambda **k: ActivationDisplay.from_activation("elu", **k),
    "images": lambda **k: WeightsDisplay.from_estimator(fit(), image_shape=(2, 2), **k),
    "histograms": lambda **k: WeightsDisplay.from_estimator(fit(), **k),
    "gradient bars": lambda **k: GradientFlowDisplay.from_estimator(fit(), X, CLASSES, **k),
    "gradient lines": lambda **k: GradientFlowDisplay.from_recorder(recorded(), **k),
    "mistakes": lambda **k: MistakesDisplay.from_estimator(perceptron(), **k),
}
NETWORKS = [name for name in DISPLAYS if "neuron" in name or name in ("S-A-R", "blocks", "values")]
EVERY_DISPLAY = pytest.mark.parametrize("draw", DISPLAYS.values(), ids=DISPLAYS)


@EVERY_DISPLAY
def test_picture_can_be_saved_and_drawn_on_given_axes(pyplot, draw):
    display = draw()
    file = io.BytesIO()
    display.figure_.savefig(file, format="png")
    assert len(file.getvalue()) > 3000
    assert display.figure_.get_size_inches()[0] == 7
    _, ax = pyplot.subplots()
    again = draw(ax=ax)
    assert again.ax_ is ax and again.figure_ is ax.figure
    assert ax.get_children()
    assert again.plot() is again and again.ax_ is not ax


@EVERY_DISPLAY
def test_axes_of_a_part_of_a_figure_are_drawn_on(pyplot, draw):
    part, _ = pyplot.figure(layout="constrained").subfigures(1, 2)
    assert draw(ax=part.subplots()).figure_ is part
    pyplot.gcf().canvas.draw()


@EVERY_DISPLAY
def test_other_objects_are_refused_as_axes(pyplot, draw):
    for wrong in (pyplot.figure(), pyplot.subplots(2)[1]):
        with pytest.raises(TypeError, match=r"'ax' parameter of .* must be an Axes of matplotlib"):
            draw(ax=wrong)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (LossCurveDisplay.from_losses, "'losses' parameter .* must be a dict of curves"),
        (WeightsDisplay.from_weights, "'weights' parameter .* must be a dict of arrays"),
        (GradientFlowDisplay.from_recorder, "must be an instance of 'GradientRecorder'"),
        (NetworkGraphDisplay.from_graph, "must be an instance of 'ComputationalGraph'"),
    ],
)
def test_what_a_display_is_made_from_has_its_type(pyplot, draw, message):
    for wrong in ([2.0, 1.0], fit()):
        with pytest.raises(TypeError, match=message):
            draw(wrong)


@pytest.mark.parametrize("name", ["loss", "gradient lines", "mistakes"])
def test_axes_of_epochs_may_have_a_logarithmic_scale(pyplot, name):
    _, ax = pyplot.subplots()
    ax.set_xscale("log")
    assert DISPLAYS[name](ax=ax).ax_.get_xscale() == "log"


@EVERY_DISPLAY
def test_matplotlib_that_is_absent_is_named_with_the_extra(draw, hide_package):
    hide_package("matplotlib")
    with pytest.raises(
        ImportError, match=r"Display.plot requires matplotlib.*skperceptron\[plot\]"
    ):
        draw()


@pytest.mark.parametrize(
    ("name", "given", "artist"),
    [
        ("loss", {"lw": 5}, lambda d: d.lines_[0]),
        ("activation", {"lw": 5}, lambda d: d.line_),
        ("mistakes", {"lw": 5}, lambda d: d.line_),
        ("gradient lines", {"lw": 5}, lambda d: d.lines_[0]),
        ("gradient bars", {"lw": 5}, lambda d: d.bars_[0]),
        ("histograms", {"lw": 5}, lambda d: d.histograms_[0]),
        ("neuron", {"linewidths": 5}, lambda d: d.connections_[0]),
        ("unfitted neuron", {"lw": 5}, lambda d: d.connections_[0]),
        ("neurons", {"lw": 5}, lambda d: d.connections_[0]),
        ("unfitted neurons", {"linewidth": 5}, lambda d: d.connections_[0]),
        ("S-A-R", {"lw": 5}, lambda d: d.connections_[0]),
        ("blocks", {"linewidth": 5}, lambda d: d.nodes_[0]),
    ],
)
def test_keyword_arguments_reach_the_artist_under_any_alias(pyplot, name, given, artist):
    assert_array_equal(artist(DISPLAYS[name](**given)).get_linewidth(), 5)


def test_keyword_arguments_reach_images(pyplot):
    assert DISPLAYS["images"](cmap="PuOr", vmin=-3).image_.get_clim()[0] == -3


@pytest.mark.parametrize("name", ["neuron", "neurons", "images"])
def test_norm_of_the_colors_is_the_given_one(pyplot, name):
    norm = pyplot.Normalize(-9, 9)
    display = DISPLAYS[name](norm=norm)
    (drawn,) = [display.image_] if name == "images" else display.connections_
    assert drawn.norm is norm and (norm.vmin, norm.vmax) == (-9, 9)


def test_boxes_have_the_given_style(pyplot):
    boxes = DISPLAYS["blocks"](boxstyle="square").nodes_
    assert {type(box.get_boxstyle()).__name__ for box in boxes} == {"Square"}


@pytest.mark.parametrize("name", NETWORKS)
def test_texts_do_not_overlap_each_other(pyplot, name):
    display = DISPLAYS[name]()
    display.figure_.draw_without_rendering()
    boxes = [text.get_window_extent() for text in display.texts_]
    for i, box in enumerate(boxes):
        for other in boxes[:i]:
            # One pixel of padding does not count.
            overlap = min(box.x1, other.x1) - max(box.x0, other.x0)
            assert overlap < 1 or min(box.y1, other.y1) - max(box.y0, other.y0) < 1


def test_loss_curves_are_those_of_the_estimators(pyplot):
    plain, stopped = fit(), fit(early_stopping=True)
    display = LossCurveDisplay.from_estimator([plain, stopped])
    one, other = display.lines_
    assert_array_equal(one.get_xdata(), [1, 2, 3, 4])
    assert_array_equal(one.get_ydata(), plain.loss_curve_)
    (validation,) = display.validation_lines_
    assert_array_equal(validation.get_ydata(), stopped.validation_loss_curve_)
    assert validation.get_color() == other.get_color() != one.get_color()
    assert one.get_label() == "MLPSoftmaxClassifier 1: training"
    assert display.ax_.get_yscale() == "linear"


def test_scores_have_an_axis_of_their_own(pyplot):
    display = DISPLAYS["scores"]()
    (line,) = display.score_lines_
    assert line.axes is display.score_ax_ is not display.ax_
    assert_array_equal(line.get_ydata(), [0, 1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_of_a_network_from_scikit_learn_scores_are_drawn(pyplot):
    options = {"early_stopping": True, "max_iter": 5, "random_state": 0}
    theirs = MLPClassifier((4,), **options).fit(X, CLASSES)
    display = LossCurveDisplay.from_estimator(from_sklearn(theirs))
    (line,), (kept,) = display.score_lines_, display.kept_points_
    assert_array_equal(line.get_ydata(), theirs.validation_scores_)
    assert kept.axes is line.axes
    assert kept.get_ydata() == max(theirs.validation_scores_)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: LossCurveDisplay.from_estimator(perceptron()),
            ValueError,
            "no loss_curve_.*MistakesDisplay",
        ),
        (
            lambda: LossCurveDisplay.from_estimator(MLPSoftmaxClassifier()),
            NotFittedError,
            "MLPSoftmaxClassifier instance is not fitted yet",
        ),
        (lambda: LossCurveDisplay.from_estimator([fit()], names=["a", "b"]), ValueError, "names="),
        (lambda: LossCurveDisplay.from_estimator([fit(), fit()], names=3), ValueError, "names="),
        (
            lambda: ActivationDisplay.from_activation("relu", np.ones((3, 2))),
            ValueError,
            r"z must have one dimension.*\(3, 2\)",
        ),
        (lambda: WeightsDisplay.from_weights({}), ValueError, "weights is empty"),
        (lambda: MistakesDisplay.from_estimator(fit()), TypeError, "LossCurveDisplay"),
        (lambda: draw_network(fit(), kind="neuron"), ValueError, "without hidden layers"),
        (lambda: draw_network(fit(), kind="tree"), ValueError, "'kind' parameter.*'tree'"),
        (
            lambda: NetworkGraphDisplay.from_graph(computational_graph(fit()), feature_names=["a"]),
            ValueError,
            "feature_names has 1 entries, the network 4",
        ),
        (
            lambda: WeightsDisplay.from_estimator(fit(), image_shape=(3, 2)),
            ValueError,
            r"image_shape=\(3, 2\).*4 features",
        ),
        (
            lambda: WeightsDisplay.from_estimator(fit(), image_shape=4),
            ValueError,
            "'image_shape' parameter of WeightsDisplay must be an array-like of .* Got 4",
        ),
        (
            lambda: WeightsDisplay.from_estimator(fit(), kind="pie"),
            ValueError,
            "'kind'.*'pie'",
        ),
        (lambda: WeightsDisplay.from_estimator(fit(), max_images=0), ValueError, "'max_images'"),
        (
            lambda: GradientFlowDisplay.from_estimator(fit(), X, CLASSES, quantity="speed"),
            ValueError,
            "'quantity' parameter.*'gradient_norm'.*'speed'",
        ),
        (
            lambda: GradientFlowDisplay.from_recorder(GradientRecorder()),
            ValueError,
            "recorder is empty",
        ),
    ],
)
def test_mistakes_are_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_kind_follows_from_the_size(pyplot):
    assert draw_network(neuron()).kind == "neuron"
    assert draw_network(fit()).kind == "neurons"
    assert draw_network(fit((17,))).kind == "blocks"
    assert draw_network(MLPBinaryClassifier((2,) * 8), n_features=2).kind == "blocks"
    assert draw_network(fit(()), kind="blocks").kind == "blocks"


def test_every_weight_of_a_small_network_is_a_line(pyplot):
    model = fit()
    display = draw_network(model)
    (lines,) = display.connections_
    weights = np.concatenate([weight.ravel() for weight in model.coefs_])
    assert_allclose(np.sort(lines.get_array()), np.sort(weights))
    strengths, widths = np.abs(lines.get_array()), lines.get_linewidths()
    assert (np.diff(np.asarray(widths)[np.argsort(strengths)]) >= 0).all()
    low, high = lines.get_clim()
    assert low == -high and high == np.abs(weights).max()


def test_connections_of_skip_connections_lead_past_columns():
    links = connections_of(computational_graph(fit(skip_connections="dense")))
    assert [(link.source, link.target) for link in links] == [
        *((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    ]
    assert [link.weight.shape for link in links[3:]] == [(4, 3), (4, 3), (3, 3)]
    residual = connections_of(computational_graph(fit((3, 3), skip_connections="residual")))
    assert [(link.source, link.target) for link in residual if link.kind == "unknown"] == [(1, 2)]


def test_wide_layers_are_shortened():
    assert_array_equal(shown_units(4, 4), [0, 1, 2, 3])
    assert_array_equal(shown_units(100, 4), [0, 1, 2, 99])


def test_neuron_shows_weights_bias_and_values(pyplot):
    model = neuron()
    graph = computational_graph(model).with_values(X[:1])
    display = NetworkGraphDisplay.from_graph(graph)
    texts = [text.get_text() for text in display.texts_]
    for weight in model.coefs_[0][:, 0]:
        assert f"{weight:.2g}" in texts
    assert f"b = {model.intercepts_[0][0]:.2g}" in texts
    z = model.decision_function(X[:1])[0]
    assert f"z = {z:.3g}" in texts
    assert f"$\\hat{{y}}$ = {model.predict_proba(X[:1])[0, 1]:.3g}" in texts
    assert_allclose(display.connections_[0].get_array(), model.coefs_[0][:, 0])


def test_sum_of_a_neuron_is_in_units_of_y(pyplot):
    y = 500 + 100 * X[:, 0]
    network = MLPRegressor(hidden_layer_sizes=(), max_iter=200, random_state=0).fit(X, y)
    graph = computational_graph(network).with_values(X[:1])
    texts = [text.get_text() for text in NetworkGraphDisplay.from_graph(graph).texts_]
    (predicted,) = network.predict(X[:1])
    assert f"z = {predicted:.3g}" in texts and f"$\\hat{{y}}$ = {predicted:.3g}" in texts


def test_names_of_features_stand_at_the_inputs(pyplot):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["height", "width", "depth", "weight"])
    model = MLPBinaryClassifier((3,), **QUICK).fit(frame, LABELS)
    texts = [text.get_text() for text in draw_network(model).texts_]
    assert {"height", "width", "depth", "weight"} <= set(texts)


def test_blocks_name_layers_functions_and_shapes(pyplot):
    display = draw_network(MLPRegressor(hidden_layer_sizes=(100,)), n_features=8)
    texts = " | ".join(text.get_text() for text in display.texts_)
    for part in ("affine_1\n8 × 100, 900 parameters", "activation_1: ReLU()", "n × 100"):
        assert part in texts
    assert len(display.nodes_) == 5


@pytest.mark.parametrize("name", list_activations())
def test_activation_is_drawn_with_derivative_and_range(pyplot, name):
    display = ActivationDisplay.from_activation(name, [-2.0, 0.5, 3.0])
    activation = get_activation(name)
    z = np.array([-2.0, 0.5, 3.0])
    assert_array_equal(display.line_.get_ydata(), activation(z))
    assert_array_equal(display.derivative_line_.get_ydata(), activation.derivative(z))
    bounds = [line.get_ydata()[0] for line in display.range_lines_]
    assert bounds == [bound for bound in activation.value_range if np.isfinite(bound)]
    # The formula is valid for matplotlib's mathtext.
    display.figure_.draw_without_rendering()


class Cubic(Activation):
    """A user's activation."""

    keeps_input = True

    def forward(self, z, out, *learned):
        np.power(z, 3, out=out)

    def backward(self, z, a, grad, *learned):
        np.multiply(grad, 3 * z**2, out=grad)


def test_own_activations_and_parameters_are_drawn(pyplot):
    display = ActivationDisplay.from_activation(Cubic(), [1.0, 2.0])
    assert_array_equal(display.line_.get_ydata(), [1, 8])
    assert display.ax_.get_title() == "Cubic()"
    display = ActivationDisplay.from_activation(ELU(alpha=0.5))
    assert display.ax_.get_title().startswith("ELU(alpha=0.5)")


def test_images_are_columns_of_the_first_matrix(pyplot):
    model = fit((3,))
    display = WeightsDisplay.from_estimator(model, image_shape=(2, 2), max_images=2)
    shown = display.image_.get_array().filled(np.nan)
    assert_allclose(shown[:, :2], model.coefs_[0][:, 0].reshape(2, 2))
    assert_allclose(shown[:, 3:], model.coefs_[0][:, 1].reshape(2, 2))
    assert np.isnan(shown[:, 2]).all()
    assert display.ax_.get_title() == "hidden 1: weights of the first 2 of 3 units"


@pytest.mark.parametrize("skips", ["none", "dense", "linear"])
def test_given_weights_are_drawn_as_those_of_an_estimator(pyplot, skips):
    model = fit(skip_connections=skips)
    given = WeightsDisplay.from_weights({"first": model.coefs_[0]}, image_shape=(2, 2))
    own = WeightsDisplay.from_estimator(model, image_shape=(2, 2))
    assert_array_equal(given.image_.get_array(), own.image_.get_array())
    assert given.ax_.get_title() == "first: weights of all 4 units"


def test_weights_of_a_perceptron_are_drawn(pyplot):
    display = WeightsDisplay.from_estimator(perceptron())
    assert len(display.histograms_) == 2


def test_mosaic_is_filled_row_by_row():
    tiles = mosaic(np.arange(5)[:, np.newaxis, np.newaxis] * np.ones((5, 1, 1)))
    assert_array_equal(tiles[::2, ::2], [[0, 1, 2], [3, 4, np.nan]])


def test_histograms_are_of_every_layer(pyplot):
    model = fit()
    display = WeightsDisplay.from_estimator(model)
    assert [h.get_label() for h in display.histograms_] == ["hidden 1", "hidden 2", "output"]
    for histogram, weight in zip(display.histograms_, model.coefs_, strict=True):
        shares, edges, _ = histogram.get_data()
        assert edges[0] == weight.min() and edges[-1] == weight.max()
        assert_allclose(shares.sum(), 1)


def test_digits_are_recognized_as_images(pyplot):
    model = MLPSoftmaxClassifier((3,), **QUICK).fit(np.tile(X, 4), CLASSES)
    assert WeightsDisplay.from_estimator(model).image_shape == (4, 4)


@pytest.mark.parametrize("quantity", ["gradient_norm", "update_ratio", "dead"])
def test_gradient_bars_are_those_of_the_report(pyplot, quantity):
    model = fit()
    display = GradientFlowDisplay.from_estimator(model, X, CLASSES, quantity=quantity)
    expected = np.array(gradient_report(model, X, CLASSES)[quantity])
    heights = [bar.get_height() for bar in display.bars_]
    assert_allclose(heights, expected[~np.isnan(expected)])
    assert display.ax_.get_yscale() == ("linear" if quantity == "dead" else "log")


def test_gradient_lines_are_those_of_the_recorder(pyplot):
    recorder = recorded()
    display = GradientFlowDisplay.from_recorder(recorder, quantity="signal")
    assert [line.get_label() for line in display.lines_] == ["hidden 1", "hidden 2", "output"]
    for line in display.lines_:
        rows = [row for row in recorder.rows_ if row["layer"] == line.get_label()]
        assert_array_equal(line.get_xdata(), [1, 2, 3])
        assert_array_equal(line.get_ydata(), [row["signal"] for row in rows])


def test_gradient_bars_are_those_of_the_latest_fit_of_one_epoch(pyplot):
    recorder = GradientRecorder()
    for hidden in ((4, 3), (4,), (4, 3)):
        fit(hidden, max_iter=1, callbacks=[recorder])
    display = GradientFlowDisplay.from_recorder(recorder)
    assert list(display.epochs) == [1]
    norms = [row["gradient_norm"] for row in recorder.rows_[-3:]]
    assert_array_equal([bar.get_height() for bar in display.bars_], norms)


def test_gradient_lines_are_those_of_the_latest_fit(pyplot):
    recorder = GradientRecorder()
    options = {"max_iter": 3, "random_state": 0, "callbacks": [recorder]}
    for hidden in ((4, 3, 3), (4,)):
        MLPSoftmaxClassifier(hidden, **options).fit(X, CLASSES)
    display = GradientFlowDisplay.from_recorder(recorder)
    assert [line.get_label() for line in display.lines_] == ["hidden 1", "output"]
    for k, line in enumerate(display.lines_):
        assert_array_equal(line.get_xdata(), [1, 2, 3])
        norms = [row["gradient_norm"] for row in recorder.rows_[-6:]]
        assert_array_equal(line.get_ydata(), norms[k::2])


def test_mistakes_are_those_of_the_perceptron(pyplot):
    model = perceptron()
    display = MistakesDisplay.from_estimator(model, name="S-A-R")
    assert_array_equal(display.line_.get_ydata(), model.mistakes_)
    assert (display.converged_point_ is not None) == model.converged_
    display = MistakesDisplay.from_mistakes([3, 0, 0])
    assert_array_equal(display.converged_point_.get_xdata(), [2])


# Displays with more items than can be told apart.


def many(n, **options):
    fitted = MLPBinaryClassifier((2,), random_state=0, **{"max_iter": 3, **options}).fit(X, LABELS)
    return [fitted] * n, [f"network {i}" for i in range(n)]


def test_twenty_networks_are_distinguished_by_color_and_marker(pyplot):
    networks, names = many(20)
    display = LossCurveDisplay.from_estimator(networks, names=names)
    looks = {(line.get_color(), line.get_marker()) for line in display.lines_}
    assert len(looks) == 20
    # The legend is beside the axes.
    box = (
        display.ax_.get_legend().get_bbox_to_anchor().transformed(display.ax_.transAxes.inverted())
    )
    assert box.x0 > 1


def test_curve_of_one_epoch_is_a_point(pyplot):
    networks, names = many(2, max_iter=1, early_stopping=True)
    display = LossCurveDisplay.from_estimator(networks, names=names)
    for line in (*display.lines_, *display.validation_lines_):
        assert line.get_marker() == "o" and len(line.get_xdata()) == 1


@pytest.mark.parametrize(
    "rules", [True, EarlyStopping("loss", patience=3), EarlyStopping(patience=3, ties="latest")]
)
def test_epoch_whose_weights_are_kept_is_marked(pyplot, rules):
    model = MLPBinaryClassifier(
        (8,), early_stopping=rules, max_iter=60, random_state=0, learning_rate_init=0.05
    ).fit(X, LABELS)
    display = LossCurveDisplay.from_estimator(model)
    (point,) = display.kept_points_
    ((epoch, loss),) = point.get_xydata()
    scores = np.array(model.validation_scores_)
    best = np.flatnonzero(scores == model.best_validation_score_) + 1
    latest = isinstance(rules, EarlyStopping) and rules.ties == "latest"
    assert epoch == (best[-1] if latest else best[0])
    assert loss == model.validation_loss_curve_[int(epoch) - 1]
    assert point.get_label() == f"epoch {int(epoch)}, kept"
    kept = EarlyStopping(restore_best=False)
    other = MLPBinaryClassifier((8,), early_stopping=kept, max_iter=5, random_state=0).fit(
        X, LABELS
    )
    assert LossCurveDisplay.from_estimator(other).kept_points_ == []


@pytest.mark.parametrize("name", ["a", "the mean concavity of the cells of a tumor"])
def test_sum_of_a_neuron_has_room_between_its_circle_and_its_activation(pyplot, name):
    graph = computational_graph(neuron()).with_values(X[:1])
    display = NetworkGraphDisplay.from_graph(graph, feature_names=[name] * 4)
    display.figure_.canvas.draw()
    (z,) = [text for text in display.texts_ if text.get_text().startswith("z = ")]
    _, circle, box, *_ = display.nodes_
    left, right = circle.get_window_extent().x1, box.get_window_extent().x0
    assert left < z.get_window_extent().x0 < z.get_window_extent().x1 < right


def test_epoch_that_is_kept_is_marked_on_the_training_curve_if_there_is_no_other(pyplot):
    display = LossCurveDisplay({"mine": [3.0, 1.0, 2.0]}, kept_epochs={"mine": 2}).plot()
    (point,) = display.kept_points_
    assert (point.get_xdata(), point.get_ydata()) == (2, 1.0)


def test_vanished_gradients_are_crosses_at_the_foot_of_a_logarithmic_axis(pyplot):
    values = {"hidden 1": [0.0], "hidden 2": [0.0], "output": [0.5]}
    display = GradientFlowDisplay(values, [0]).plot()
    assert_array_equal(display.zeros_.get_xydata(), [[0, 0.05], [1, 0.05]])
    low, high = display.ax_.get_ylim()
    assert display.ax_.get_yscale() == "log" and low < 0.05 < high
    lines = {"hidden 1": [0.1, 0.0, 0.0], "output": [1.0, 1.0, 1.0]}
    display = GradientFlowDisplay(lines, [1, 2, 3]).plot()
    assert_array_equal(display.zeros_.get_xydata(), [[2, 0.01], [3, 0.01]])
    assert GradientFlowDisplay({"output": [1.0]}, [0]).plot().zeros_ is None
    nothing = GradientFlowDisplay({"output": [0.0]}, [0]).plot()
    assert nothing.zeros_ is None and nothing.ax_.get_yscale() == "linear"


def drawn_boxes(display, texts):
    """Return the boxes of texts in pixels, as they are drawn."""
    display.figure_.canvas.draw()
    renderer = display.figure_.canvas.get_renderer()
    return [text.get_window_extent(renderer) for text in texts]


@pytest.mark.parametrize("hidden", [(), (4,), (4,) * 12])
def test_long_names_lie_inside_the_picture_and_headings_do_not_overlap(pyplot, hidden):
    frame = pd.DataFrame(
        X[:, :4], columns=[f"a name of many letters, number {i}" for i in range(4)]
    )
    y = np.where(LABELS == 1, "a rather long class", "another long class")
    network = MLPBinaryClassifier(hidden, max_iter=1, random_state=0).fit(frame, y)
    display = NetworkGraphDisplay.from_estimator(network, kind="neurons" if hidden else "neuron")
    texts = [text for text in display.texts_ if text.get_text()]
    width = display.figure_.bbox.width
    boxes = drawn_boxes(display, texts)
    assert all(box.x0 >= 0 and box.x1 <= width for box in boxes)
    assert "another long class" in [text.get_text() for text in texts]
    if hidden:
        headings = sorted(
            (b.x0, b.x1) for b, t in zip(boxes, texts, strict=True) if "\n" in t.get_text()
        )
        assert len(headings) == len(hidden) + 2
        assert all(end < start for (_, end), (start, _) in pairwise(headings))


@pytest.mark.parametrize("hidden", [(), (3,)])
def test_names_with_dollar_signs_are_not_drawn_as_formulas(pyplot, hidden):
    frame = pd.DataFrame(X[:, :2], columns=["sales_$_2019_$", "cost ($)"])
    network = MLPBinaryClassifier(hidden, max_iter=1).fit(
        frame, np.where(LABELS == 1, "$50-$90^", "$10")
    )
    display = NetworkGraphDisplay.from_estimator(network)
    display.figure_.canvas.draw()
    written = [text.get_text().replace(r"\$", "$") for text in display.texts_]
    assert {"sales_$_2019_$", "cost ($)", "$50-$90^"} <= set(written)


def test_outputs_are_called_by_their_classes(pyplot):
    def texts(network, y, **options):
        display = NetworkGraphDisplay.from_estimator(network.fit(X, y), **options)
        return [text.get_text() for text in display.texts_]

    labels = np.array(["red", "green", "blue"])[np.arange(len(X)) % 3]
    softmax = MLPSoftmaxClassifier((3,), max_iter=1, random_state=0)
    assert {"red", "green", "blue"} <= set(texts(softmax, labels))
    binary = texts(MLPBinaryClassifier((3,), max_iter=1), np.where(LABELS == 1, "yes", "no"))
    assert "yes" in binary and "no" not in binary
    graph = computational_graph(softmax)
    with pytest.raises(ValueError, match="output_names has 1 entries, the network 3 outputs"):
        NetworkGraphDisplay.from_graph(graph, output_names=["one"])


def test_names_that_are_given_replace_those_that_the_estimator_knows(pyplot):
    names = {"feature_names": ["long", "wide", "deep", "old"], "output_names": ["a", "b", "c"]}
    display = NetworkGraphDisplay.from_estimator(fit(), kind="neurons", **names)
    assert {"long", "old", "a", "c"} <= {text.get_text() for text in display.texts_}


def test_names_may_be_an_array_or_objects_that_are_not_strings(pyplot):
    names = {"feature_names": pd.Index(["a", "b", "c", "d"]), "output_names": np.arange(3)}
    display = NetworkGraphDisplay.from_estimator(fit(), **names)
    assert {"a", "d", "0", "2"} <= {text.get_text() for text in display.texts_}


def test_embedded_features_are_not_drawn_as_images(pyplot):
    network = fit(numeric_embedding="pbld")
    assert len(network.coefs_[0]) == 16
    assert WeightsDisplay.from_estimator(network).kind == "histogram"


def test_weights_that_differ_by_rounding_errors_are_drawn(pyplot):
    weights = {"hidden": np.array([[1, 1 + np.finfo(float).eps] * 20])}
    (histogram,) = WeightsDisplay.from_weights(weights).histograms_
    assert histogram.get_data().values.max() == 1


def test_quantity_that_no_layer_has_is_drawn_without_a_legend(pyplot, recwarn):
    display = GradientFlowDisplay(
        {"hidden": [np.nan] * 2, "output": [np.nan] * 2}, [1, 2], "saturated"
    )
    assert display.plot().lines_ == [] and not recwarn.list


def test_weights_of_a_perceptron_share_an_axis(pyplot):
    model = RosenblattPerceptron(60, max_iter=20, random_state=0).fit(100 * X, LABELS)
    display = WeightsDisplay.from_estimator(model)
    for histogram in display.histograms_:
        shares, edges, _ = histogram.get_data()
        assert_allclose(shares.sum(), 1)
        assert np.abs(edges).max() <= 1 + 1e-12
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[0] == "associative (A) (largest: 1)"
    assert "in units of the layer's largest" in display.ax_.get_xlabel()


@pytest.mark.parametrize(
    "options", [{"numeric_embedding": "pbld"}, {"categorical_features": [1]}], ids=str
)
def test_networks_that_embed_features_are_drawn_as_blocks(options):
    X = np.column_stack([np.linspace(-1, 1, 30), np.arange(30) % 3])
    network = MLPRegressor(hidden_layer_sizes=(3,), max_iter=300, **options).fit(X, X[:, 1])
    assert NetworkGraphDisplay.from_estimator(network).kind == "blocks"
    with pytest.raises(ValueError, match="use kind='blocks'"):
        NetworkGraphDisplay.from_estimator(network, kind="neurons")
