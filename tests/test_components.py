"""Properties that all exchangeable components share."""

import inspect
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skperceptron import (
    MLPBinaryClassifier,
    MLPRegressor,
    MLPSoftmaxClassifier,
)
from skperceptron.activations import Activation, ReLU, Sigmoid, Tanh, get_activation
from skperceptron.averaging import Averaging
from skperceptron.embeddings import NumericEmbedding
from skperceptron.initializers import GlorotUniform, Initializer, Layer
from skperceptron.losses import BinaryLogLoss, CategoricalLogLoss, Loss, SquaredError, get_loss
from skperceptron.normalizations import Normalization
from skperceptron.optimizers import Adam, Optimizer
from skperceptron.schedules import Schedule, TimeSchedule
from tests.public import CLASSES, defaults_in_docstring, defaults_of

X = np.random.RandomState(0).normal(size=(60, 3))
SETTINGS = {"hidden_layer_sizes": (4,), "batch_size": 16, "max_iter": 3, "random_state": 0}
ROOTS = (Activation, Loss, Optimizer)


class Steep(Tanh):
    """tanh 2z, which redefines only ``forward`` and ``backward``."""

    def forward(self, z, out, *learned):
        np.multiply(z, 2, out=z)
        np.tanh(z, out=out)

    def backward(self, z, a, grad, *learned):
        np.multiply(grad, 2 * (1 - a * a), out=grad)


class SteepSigmoid(Sigmoid):
    """The same function, derived from another class with shortcuts."""

    forward = Steep.forward
    backward = Steep.backward
    init_factor = Tanh.init_factor


class SteepReLU(ReLU):
    """The same function, derived from a third class."""

    keeps_input = False
    forward = Steep.forward
    backward = Steep.backward


class Doubling:
    """Doubles a loss by redefining only ``losses`` and ``gradient``."""

    def losses(self, raw, y):
        return 2 * super().losses(raw, y)

    def gradient(self, raw, y, out, scratch):
        super().gradient(raw, y, out, scratch)
        np.multiply(out, 2, out=out)


class Doubled(Doubling, CategoricalLogLoss):
    """Twice the log loss of a softmax."""


class DoubledBinary(Doubling, BinaryLogLoss):
    """Twice the log loss of a sigmoid."""


class Backwards(Adam):
    """Adam that ascends, which redefines only ``update``."""

    def update(self, parameters, gradient, state, coefficients):
        np.negative(gradient, out=gradient)
        super().update(parameters, gradient, state, coefficients)


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls is not Layer])
def test_defaults_are_those_of_the_docstring(cls):
    assert defaults_in_docstring(cls) == defaults_of(cls)


#: How docstrings state a range, and how errors do.
STATED = [
    (r"(?:>=|At least) (\d+)", "[{}, inf)"),
    (r"> (\d+)", "({}, inf)"),
    (r"\b[Ii]n ([\[(]\d+, \d+[\])])", "{}"),
]


def stated_ranges(cls):
    """Return the range of each parameter whose description in the docstring states one."""
    pattern = r"^([\w, ]+) : (?:int|float).*((?:\n {4}.*|\n(?=\n {4}))+)"
    documentation = inspect.cleandoc(cls.__doc__)
    found = {}
    for names, description in re.findall(pattern, documentation, flags=re.MULTILINE):
        text = " ".join(description.split())
        stated = [(re.search(pattern, text), form) for pattern, form in STATED]
        ranges = [form.format(match[1]) for match, form in stated if match]
        found |= dict.fromkeys(names.split(", "), ranges[0]) if ranges else {}
    return found


def test_ranges_are_those_of_the_docstring():
    ranges = {
        (cls, name): (str(cls.ranges[name]).replace(".0", ""), stated)
        for cls in CLASSES
        for name, stated in stated_ranges(cls).items()
        if name in getattr(cls, "ranges", {})
    }
    assert len(ranges) > 50
    assert [place for place, (checked, stated) in ranges.items() if checked != stated] == []


@pytest.mark.parametrize("root", ROOTS)
def test_classes_of_the_package_inherit_no_shortcut_of_a_method_that_they_redefine(root):
    def place(cls, name):
        return next(i for i, base in enumerate(cls.__mro__) if name in vars(base))

    for cls in (cls for cls in CLASSES if issubclass(cls, root)):
        for method, others in root.shortcuts.items():
            # The two are made for bases of several losses.
            for name in set(others) - {"means", "out_activation"}:
                is_plain = getattr(cls, name) is getattr(root, name)
                assert is_plain or place(cls, name) <= place(cls, method), (cls, name)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_redefined_activation_is_not_bypassed_by_its_bases_shortcuts(solver):
    y = (X[:, 0] > 0).astype(int)
    functions = (Steep(), SteepSigmoid(), SteepReLU())
    fits = [
        MLPBinaryClassifier(activation=function, solver=solver, **SETTINGS).fit(X, y)
        for function in functions
    ]
    plain = MLPBinaryClassifier(activation="tanh", solver=solver, **SETTINGS).fit(X, y)
    for fit in fits[1:]:
        assert_allclose(fit.coefs_[0], fits[0].coefs_[0], rtol=1e-12)
        assert_allclose(fit.predict_proba(X), fits[0].predict_proba(X), rtol=1e-12)
    assert np.abs(fits[0].coefs_[0] - plain.coefs_[0]).max() > 1e-4
    assert_allclose(Steep()(X), np.tanh(2 * X))


@pytest.mark.parametrize(
    ("estimator", "doubled", "plain"),
    [
        (MLPSoftmaxClassifier, Doubled, CategoricalLogLoss),
        (MLPBinaryClassifier, DoubledBinary, BinaryLogLoss),
    ],
)
def test_redefined_loss_is_not_bypassed_by_its_bases_shortcuts(estimator, doubled, plain):
    y = np.digitize(X[:, 0], [-0.5, 0.5]) if estimator is MLPSoftmaxClassifier else X[:, 0] > 0
    # Plain gradient descent with a doubled gradient equals that with a doubled rate.
    settings = SETTINGS | {"solver": "sgd", "momentum": 0.0, "alpha": 0.0}
    twice = estimator(loss=doubled(), learning_rate_init=0.1, **settings).fit(X, y)
    once = estimator(loss=plain(), learning_rate_init=0.2, **settings).fit(X, y)
    assert_allclose(twice.coefs_[0], once.coefs_[0], rtol=1e-12)
    assert_allclose(twice.loss_curve_, 2 * np.array(once.loss_curve_), rtol=1e-12)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_redefined_method_of_a_loss_counts_with_every_solver(solver):
    class Shifted(SquaredError):
        def losses(self, raw, y):
            return super().losses(raw - 1, y)

        def gradient(self, raw, y, out, scratch):
            super().gradient(raw - 1, y, out, scratch)

    y = X[:, 0]
    settings = SETTINGS | {"solver": solver, "max_iter": 300, "learning_rate_init": 0.03}
    settings |= {"hidden_layer_sizes": (), "alpha": 0}
    fits = [MLPRegressor(loss(), **settings).fit(X, y) for loss in (Shifted, SquaredError)]
    # The intercept alone differs, by 1.
    assert_allclose(fits[0].predict(X).mean() - fits[1].predict(X).mean(), 1, atol=0.01)
    assert_allclose(fits[0].loss_, 0.5 * ((fits[0].predict(X) - 1 - y) ** 2).mean(), atol=1e-3)


def test_redefined_optimizer_is_not_bypassed_by_its_bases_shortcuts():
    y = (X[:, 0] > 0).astype(int)
    fits = [MLPBinaryClassifier(solver=one, **SETTINGS).fit(X, y) for one in (Backwards(), Adam())]
    assert fits[0].loss_curve_[0] < fits[0].loss_curve_[-1]
    assert fits[1].loss_curve_[0] > fits[1].loss_curve_[-1]


def test_a_shortcut_that_is_redefined_too_stays():
    class Both(Tanh):
        def forward(self, z, out, *learned):
            np.tanh(z, out=out)

        def forward_calls(self, z, out, *learned):
            return []

    assert Both().forward_calls(X, X) == []
    assert len(Both().backward_calls(X, X, X)) == len(Tanh().backward_calls(X, X, X))


class ReturningForward(Tanh):
    def forward(self, z, out, *learned):
        return np.tanh(z)


class ReturningBackward(Tanh):
    def backward(self, z, a, grad, *learned):
        return grad * (1 - a**2)


class ReturningGradient(BinaryLogLoss):
    def gradient(self, raw, y, out, scratch):
        return raw - y


class ReturningUpdate(Adam):
    def update(self, parameters, gradient, state, coefficients):
        return parameters - 0.1 * gradient


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    "options",
    [
        {"activation": ReturningForward()},
        {"activation": ReturningBackward()},
        {"loss": ReturningGradient()},
        {"solver": ReturningUpdate()},
    ],
    ids=["forward", "backward", "gradient", "update"],
)
def test_a_method_that_returns_what_it_must_write_is_refused(options, solver):
    y = (X[:, 0] > 0).astype(int)
    model = MLPBinaryClassifier(**SETTINGS).fit(X, y)
    before = model.predict_proba(X)
    model.set_params(**{"solver": solver} | options)
    with pytest.raises(TypeError, match=r"Returning\w+\.\w+ must write .* returned ndarray"):
        model.fit(X, y)
    assert_allclose(model.predict_proba(X), before, rtol=0)


def test_a_method_may_return_the_array_that_it_has_written():
    class Written(Tanh):
        def forward(self, z, out, *learned):
            return np.tanh(z, out=out)

    y = (X[:, 0] > 0).astype(int)
    fits = [MLPBinaryClassifier(activation=f, **SETTINGS).fit(X, y) for f in (Written(), Tanh())]
    assert_allclose(fits[0].coefs_[0], fits[1].coefs_[0], rtol=1e-12)


class MeanLoss(SquaredError):
    """Returns one number for all rows, which broadcasts."""

    def losses(self, raw, y):
        return 0.5 * ((raw - y) ** 2).sum(axis=-1).mean()


class ChangesRaw(SquaredError):
    def losses(self, raw, y):
        raw -= y
        return 0.5 * (raw**2).sum(axis=-1)


class ChangesTargets(SquaredError):
    """Changes y, from which the reported losses are computed after the steps."""

    def gradient(self, raw, y, out, scratch):
        np.subtract(raw, y, out=y)
        np.copyto(out, y)


class RecordedChangesTargets(ChangesTargets):
    """Would change y in compiled steps, too."""

    records = True
    gradient = ChangesTargets.gradient.__wrapped__


class NoTuple(Optimizer):
    def coefficients(self, learning_rate, steps):
        return learning_rate


class Uphill(TimeSchedule):
    def factor(self, times, n_epochs):
        return 1 - times


class Forgetful(Schedule):
    def after_epoch(self, initial, current, rows_seen):
        self.unused = initial


class TooLarge(Averaging):
    """Leaves the weights behind, on the other side."""

    def shares(self, steps, epoch, max_iter):
        return np.full(len(steps), 1.5)


class Column(Initializer):
    """Returns one column for all units, which broadcasts."""

    def draw(self, layer, rng):
        return rng.normal(size=(layer.fan_in, 1)), np.zeros(layer.units)


class NoBias(Initializer):
    def draw(self, layer, rng):
        return rng.normal(size=(layer.fan_in, layer.units))


class NaNWeights(Initializer):
    def draw(self, layer, rng):
        return np.full((layer.fan_in, layer.units), np.nan), np.zeros(layer.units)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": MeanLoss()}, r"MeanLoss\.losses must .* shape \(1, 60\), got shape \(\)"),
        ({"loss": MeanLoss(), "solver": "lbfgs"}, r"MeanLoss\.losses must .* shape \(1, 60\)"),
        ({"loss": ChangesRaw()}, "read-only"),
        ({"loss": ChangesTargets()}, "read-only"),
        ({"loss": RecordedChangesTargets()}, "read-only"),
        ({"solver": NoTuple()}, r"NoTuple\.coefficients must return a tuple"),
        ({"learning_rate": Uphill()}, "Uphill must return .* >= 0, got array"),
        ({"learning_rate": Forgetful()}, r"Forgetful must return .* >= 0, got None"),
        ({"decay_schedule": Uphill(), "solver": "adamw"}, "Uphill must return .* >= 0"),
        ({"dropout_schedule": Uphill(), "dropout": 0.1}, "Uphill must return .* >= 0"),
        ({"averaging": TooLarge()}, r"TooLarge\.shares must return .* in \[0, 1\] .* got"),
        ({"initializer": Column()}, r"Column\.draw must .* \(3, 4\) .* Got \[\(3, 1\), \(4,\)\]"),
        ({"initializer": NoBias()}, r"NoBias\.draw must .* Got \(3, 4\)"),
        ({"initializer": NaNWeights()}, r"NaNWeights\.draw must return finite numbers"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_method_that_returns_or_changes_the_wrong_thing_is_refused(options, message):
    y = X[:, 0].copy()
    with pytest.raises((TypeError, ValueError), match=message):
        MLPRegressor(**SETTINGS | options).fit(X, y)
    assert_allclose(y, X[:, 0], rtol=0)


class ShortTable(GlorotUniform):
    def draw_table(self, shape, rng):
        return rng.normal(size=shape[1])


class NaNTable(GlorotUniform):
    def draw_table(self, shape, rng):
        return np.full(shape, np.nan)


@pytest.mark.parametrize(
    ("initializer", "message"),
    [
        (ShortTable(), r"ShortTable\.draw_table must .* shape \(3, 3\), got \(3,\)"),
        (NaNTable(), r"NaNTable\.draw_table must return finite numbers"),
    ],
)
def test_a_table_of_another_shape_or_without_numbers_is_refused(initializer, message):
    network = MLPRegressor(initializer=initializer, categorical_features=[3], **SETTINGS)
    with pytest.raises(ValueError, match=message):
        network.fit(np.c_[X, np.arange(60) % 3], X[:, 0])


def test_a_recorded_schedule_may_fall_below_zero_after_the_last_epoch():
    class ToZero(TimeSchedule):
        records = True

        def factor(self, times, n_epochs):
            return 1 - times / n_epochs

    assert MLPRegressor(learning_rate=ToZero(), **SETTINGS).fit(X, X[:, 0]).n_iter_ == 3


def test_the_error_for_a_wrong_part_has_the_right_article():
    with pytest.raises(TypeError, match="must be a string or an Activation, got 5"):
        get_activation(5)
    with pytest.raises(TypeError, match="must be a string or a Loss, got 5"):
        get_loss(5, "regression")


@pytest.mark.parametrize(
    ("option", "base", "method"),
    [
        ("activation", Activation, "forward"),
        ("loss", Loss, "gradient"),
        ("solver", Optimizer, "coefficients"),
        ("learning_rate", TimeSchedule, "factor"),
        ("initializer", Initializer, "draw"),
        ("normalization", Normalization, "block"),
        ("numeric_embedding", NumericEmbedding, "block"),
        ("averaging", Averaging, "shares"),
    ],
)
def test_the_error_for_a_missing_method_names_class_and_method(option, base, method):
    part = type("Nothing", (base,), {})()
    with pytest.raises(NotImplementedError, match=f"^Nothing must define the method {method}\\.$"):
        MLPRegressor(**SETTINGS | {option: part}).fit(X, X[:, 0])
