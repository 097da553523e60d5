"""Choices: parameters are resolved once for a fit, into objects of the fit's own."""

import re
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.activations import LeakyReLU
from skperceptron.callbacks import Checkpoint
from skperceptron.estimators import choices as module
from skperceptron.estimators.choices import Choices, Wiring, batch_rows
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.optimizers import LBFGS, SGD, AdamW
from skperceptron.options import InvalidOption
from skperceptron.schedules import Constant, InverseScaling

X = np.random.RandomState(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
EVERY_NETWORK = pytest.mark.parametrize(
    "cls", [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor]
)
#: Parameters that stand for objects, or for several numbers.
RESOLVED = {
    "activation",
    "averaging",
    "batch_size",
    "dropout",
    "dtype",
    "hidden_layer_sizes",
    "initializer",
    "learning_rate",
    "loss",
    "normalization",
    "parameter_groups",
}


def counting(cls, counts):
    """Return a class that counts how often the estimators' modules read each parameter."""

    class Counting(cls):
        def __getattribute__(self, name):
            frame = sys._getframe(1)
            asker = frame.f_globals.get("__name__", "")
            # Reads for a comparison of parameters or for the tags do not count.
            functions = {frame.f_code.co_name, frame.f_back.f_code.co_name}
            others = {"plain_options", "__sklearn_tags__", "has_last_hidden_layer"}
            is_resolving = not functions & others
            if name in RESOLVED and asker.startswith("skperceptron.estimators") and is_resolving:
                counts[name] = counts.get(name, 0) + 1
            return super().__getattribute__(name)

    Counting.__name__ = cls.__name__
    return Counting


@pytest.mark.parametrize("way", ["fit", "early stopping", "lbfgs", "checkpoint", "partial_fit"])
@EVERY_NETWORK
def test_no_parameter_is_resolved_twice_in_a_fit(cls, way, tmp_path):
    counts = {}
    options = {
        "early stopping": {"early_stopping": True},
        "lbfgs": {"solver": "lbfgs"},
        "checkpoint": {"callbacks": [Checkpoint(tmp_path / "file", name="any")]},
    }.get(way, {})
    network = counting(cls, counts)(hidden_layer_sizes=(4, 3), max_iter=2, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if way == "partial_fit":
            classes = {} if cls is MLPRegressor else {"classes": [0, 1]}
            network.partial_fit(X, Y, **classes)
        else:
            network.fit(X, Y)
    assert counts == dict.fromkeys(RESOLVED, 1)


def test_later_calls_of_partial_fit_resolve_nothing_but_the_loss():
    counts = {}
    network = counting(MLPRegressor, counts)("squared_error", (4,))
    network.partial_fit(X, Y)
    counts.clear()
    network.partial_fit(X, Y)
    assert counts == {"loss": 1}
    network.set_params(activation="tanh").partial_fit(X, Y)
    assert network._fitted.network.nodes[1].block.activation_of(0).names[0] == "tanh"


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"alpha": 1.0}, {"alpha": True}),
        ({"max_iter": 1}, {"max_iter": 1.0}),
        ({"shuffle": True}, {"shuffle": 1}),
        ({"hidden_layer_sizes": (1,)}, {"hidden_layer_sizes": (True,)}),
        ({"hidden_layer_sizes": [1]}, {"hidden_layer_sizes": [1.0]}),
        ({"verbose": 0}, {"verbose": -1}),
    ],
)
def test_later_calls_of_partial_fit_check_values_that_equal_earlier_ones(first, later):
    network = MLPRegressor(**first).partial_fit(X, Y)
    (name,) = later
    with pytest.raises(InvalidOption, match=f"The '{name}' parameter"):
        network.set_params(**later).partial_fit(X, Y)


@pytest.mark.parametrize("given", [(5, 4), [5, 4], np.array([5, 4])])
def test_hidden_sizes_may_be_any_sequence(given):
    assert Wiring.of(MLPRegressor(hidden_layer_sizes=given)).hidden_sizes == (5, 4)


def test_one_activation_is_for_all_layers_and_an_object_is_copied():
    mine = LeakyReLU(0.2)
    wiring = Wiring.of(MLPRegressor(hidden_layer_sizes=(5, 4), activation=mine))
    assert [activation.alpha for activation in wiring.activations] == [0.2, 0.2]
    assert mine not in wiring.activations
    # A network without hidden layers has one, too: its initial weights depend on it.
    assert len(Wiring.of(MLPRegressor(hidden_layer_sizes=())).activations) == 1


def test_numbers_are_pythons_own():
    chosen = Choices.of(
        MLPRegressor(alpha=np.float32(0.5), max_iter=np.int64(7), tol=np.float64(0))
    )
    assert (type(chosen.alpha), type(chosen.max_iter), type(chosen.tol)) == (float, int, float)


def test_limits_that_are_not_given_are_infinite():
    chosen = Choices.of(MLPRegressor())
    assert chosen.max_grad_norm == chosen.max_seconds == np.inf
    assert chosen.stopping is None and chosen.averaging is None


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_schedules_of_scikit_learn_are_for_gradient_descent_only(solver):
    chosen = Choices.of(MLPRegressor(solver=solver, learning_rate="invscaling", power_t=0.3))
    expected = InverseScaling if solver == "sgd" else Constant
    assert type(chosen.schedule) is expected


def test_lbfgs_has_no_batches_and_is_always_in_float64():
    chosen = Choices.of(MLPRegressor(solver="lbfgs", dtype="float32", max_fun=9))
    assert chosen.is_lbfgs and isinstance(chosen.optimizer, LBFGS)
    assert chosen.dtype_for(chosen.wiring.network(3, 1)) == np.float64


@pytest.mark.parametrize(("n_rows", "expected"), [(50, 50), (1000, 200)])
def test_the_usual_batch_has_at_most_200_rows(n_rows, expected):
    assert (
        batch_rows(MLPRegressor(), n_rows)
        == Choices.of(MLPRegressor()).batch_rows(n_rows)
        == expected
    )
    assert batch_rows(MLPRegressor(batch_size=30), n_rows) == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_layer_sizes": (4, 4), "activation": ["relu"]}, "activation has 1 entries"),
        ({"hidden_layer_sizes": (4, 4), "dropout": [0.1]}, "dropout has 1 entries"),
        ({"solver": "lbfgs", "dropout": 0.1}, "must be 0 with solver='lbfgs'"),
        ({"solver": "lbfgs", "l1_ratio": 0.5}, "needs a smooth objective"),
        ({"solver": "lbfgs", "averaging": "ema"}, "needs a stochastic solver"),
        ({"solver": "lbfgs", "normalization": "batch"}, "needs batches"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Choices.of(MLPRegressor(**options))


@pytest.mark.parametrize(
    ("options", "instead"),
    [
        ({"solver": "adamw", "beta_1": 0.5}, "solver=AdamW(beta_1=0.5)"),
        ({"solver": "rmsprop", "momentum": 0.5}, "solver=RMSprop(momentum=0.5)"),
        ({"solver": SGD(), "nesterovs_momentum": False}, "solver=SGD(nesterov=False)"),
        ({"solver": LBFGS(), "max_fun": 7}, "solver=LBFGS(max_fun=7)"),
        (
            {"learning_rate": InverseScaling(), "power_t": 0.3},
            "learning_rate=InverseScaling(power_t=0.3)",
        ),
    ],
    ids=str,
)
def test_settings_that_a_part_takes_from_itself_give_a_warning(options, instead):
    with pytest.warns(UserWarning, match=re.escape(f"Use {instead}.")):
        Choices.of(MLPRegressor(**options), n_rows=10)


@pytest.mark.parametrize(
    ("solver", "setting"),
    [
        ("adam", {"beta_1": 0.5}),
        ("adam", {"momentum": 0.5}),
        (AdamW(beta_1=0.5), {"beta_1": 0.5}),
        (AdamW(beta_1=0.5), {}),
    ],
    ids=str,
)
def test_settings_that_are_used_or_unknown_give_no_warning(solver, setting, recwarn):
    Choices.of(MLPRegressor(solver=solver, **setting), n_rows=10)
    assert not recwarn


DECAYING = ParameterGroups(bias=ParameterGroup(decay=2.0))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"embedding_dim": 7}, "embedding_dim=7 has no effect: categorical_features is None."),
        (
            {"dropout_schedule": "cosine", "dropout": 0.5, "hidden_layer_sizes": ()},
            "dropout_schedule='cosine' has no effect: there is no dropout.",
        ),
        (
            {"decay_schedule": "cosine", "solver": "lion"},
            "decay_schedule='cosine' has no effect: solver='lion' has no weight decay.",
        ),
        (
            {"parameter_groups": DECAYING},
            "parameter_groups__bias__decay=2.0 has no effect: solver='adam' has no weight decay.",
        ),
    ],
    ids=str,
)
def test_options_of_unused_features_give_a_warning(options, why):
    with pytest.warns(UserWarning, match=re.escape(why)):
        Choices.of(MLPRegressor(**options), n_rows=10)


@pytest.mark.parametrize(
    "options",
    [
        {"embedding_dim": 7, "categorical_features": "from_dtype"},
        {"dropout_schedule": "cosine", "input_dropout": 0.1},
        {"decay_schedule": "cosine", "solver": "adamw", "parameter_groups": DECAYING},
        {"parameter_groups": ParameterGroups(weight=ParameterGroup(decay=0.0))},
    ],
    ids=str,
)
def test_options_that_have_an_effect_give_no_warning(options, recwarn):
    Choices.of(MLPRegressor(**options), n_rows=10)
    assert not recwarn


def test_functions_that_resolve_are_called_once_each(monkeypatch):
    calls = []
    for name in [name for name in vars(module) if name.startswith("get_")]:
        original = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, _n=name, _f=original: calls.append(_n) or _f(*a)
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MLPRegressor(
            hidden_layer_sizes=(4,),
            solver="rmsprop",
            learning_rate="cosine",
            normalization="layer",
            averaging="ema",
            max_iter=2,
        ).fit(X, Y)
    assert_array_equal(np.unique(calls, return_counts=True)[1], 1)
    assert len(calls) == 7
