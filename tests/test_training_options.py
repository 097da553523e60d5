"""Solvers, schedules, penalties and initial weights through the estimators."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.callbacks import Checkpoint
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.initializers import Initializer, ScikitLearn
from skperceptron.model_selection import StackedGridSearchCV
from skperceptron.optimizers import LBFGS, SGD, Adam, AdamW, Lion, Optimizer, list_optimizers
from skperceptron.schedules import (
    Adaptive,
    Constant,
    Cosine,
    FlatCosine,
    InverseScaling,
    Schedule,
    list_schedules,
)

ESTIMATORS = [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor]
EVERY_ESTIMATOR = pytest.mark.parametrize("cls", ESTIMATORS)
X = np.random.RandomState(0).normal(size=(80, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(cls=MLPBinaryClassifier, **options):
    defaults = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0, "batch_size": 16}
    return cls(**(defaults | options))


def weights(estimator):
    return np.concatenate([w.ravel() for w in (*estimator.coefs_, *estimator.intercepts_)])


class SignDescent(Optimizer):
    """A user's optimizer: steps along the sign of the gradient."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def coefficients(self, learning_rate, steps):
        return (learning_rate * self.scale,)

    def update(self, parameters, gradient, state, coefficients):
        (rate,) = coefficients
        np.sign(gradient, out=gradient)
        np.multiply(gradient, rate, out=gradient)
        np.subtract(parameters, gradient, out=parameters)


class Halving(Schedule):
    """A user's schedule: half the rate after each epoch."""

    def after_epoch(self, initial, current, rows_seen):
        return current / 2


class Diagonal(Initializer):
    """A user's initializer: ones on the diagonal."""

    def draw(self, layer, rng):
        return np.eye(layer.fan_in, layer.units), np.zeros(layer.units)


def halving(epoch):
    return 0.5 ** (epoch // 1)


# Solvers.


@pytest.mark.parametrize("name", list_optimizers())
@EVERY_ESTIMATOR
def test_every_solver_learns(cls, name):
    # Adagrad's steps soon get small.
    rate = 0.2 if name == "adagrad" else 0.02
    network = make(cls, solver=name, max_iter=60, learning_rate_init=rate, alpha=0)
    assert network.fit(X, Y).score(X, Y) > (0.2 if cls is MLPRegressor else 0.7)


@pytest.mark.parametrize(
    "name, flat, solver",
    [
        (
            "sgd",
            {"momentum": 0.5, "nesterovs_momentum": False},
            SGD(momentum=0.5, nesterov=False),
        ),
        ("adam", {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1}, Adam(0.5, 0.9, 0.1)),
        ("lbfgs", {"max_fun": 7, "max_iter": 50}, LBFGS(max_fun=7)),
    ],
)
def test_flat_parameters_belong_to_scikit_learns_names(name, flat, solver):
    named = make(solver=name, **flat).fit(X, Y)
    options = {k: v for k, v in flat.items() if k == "max_iter"}
    given = make(solver=solver, **options).fit(X, Y)
    assert_array_equal(weights(named), weights(given))
    # A solver that is an object ignores them.
    unmoved = make(solver=clone(solver), **(flat | {"momentum": 0.1, "max_fun": 1000})).fit(X, Y)
    assert_array_equal(weights(unmoved), weights(given))


def test_lbfgs_object_is_l_bfgs_everywhere():
    network = make(solver=LBFGS())
    assert not hasattr(network, "partial_fit")
    assert network.fit(X, Y).dtype_ == np.float64
    for bad in ({"dropout": 0.1}, {"averaging": "ema"}, {"normalization": "batch"}):
        with pytest.raises(ValueError, match=r"LBFGS|lbfgs"):
            make(solver=LBFGS(), **bad).fit(X, Y)


def test_optimizer_given_is_not_changed():
    solver, schedule = AdamW(), Cosine()
    before = pickle.dumps((vars(solver), vars(schedule)))
    make(solver=solver, learning_rate=schedule).fit(X, Y)
    assert pickle.dumps((vars(solver), vars(schedule))) == before


def test_custom_components_work_wherever_built_in_ones_do():
    network = make(
        solver=SignDescent(), learning_rate=Halving(), initializer=Diagonal(), max_iter=30
    )
    fitted = clone(network).fit(X, Y)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))
    pipeline = Pipeline([("scaler", StandardScaler()), ("mlp", network)])
    grid = {"mlp__solver__scale": [1.0, 5.0], "mlp__learning_rate": [Halving(), "constant"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and len(set(scores)) > 1


def test_parameters_of_objects_are_within_reach_of_a_search():
    network = make(solver=AdamW(), learning_rate=Cosine())
    grid = {
        "solver__beta_1": [0.5, 0.9],
        "solver__weight_decay": [0.0, 10.0],
        "learning_rate__warmup": [0, 2],
    }
    search = GridSearchCV(network, grid, cv=2).fit(X, Y)
    assert len(search.cv_results_["params"]) == 8
    assert (network.solver.beta_1, network.solver.weight_decay) == (0.9, 0.01)


def test_partial_fit_goes_on_with_the_state_of_any_optimizer():
    for solver in (AdamW(amsgrad=True), Lion(), "nadam", "rmsprop", "adagrad"):
        options = {"solver": solver, "learning_rate": "linear_warmup", "shuffle": False}
        whole = make(**options, max_iter=4, n_iter_no_change=np.inf).fit(X, Y)
        pieces = make(**options, max_iter=4)
        for _ in range(4):
            pieces.partial_fit(X, Y, classes=[0, 1])
        assert_array_equal(weights(pieces), weights(whole))


# Schedules.


@pytest.mark.parametrize("name", list_schedules())
def test_every_schedule_works_by_its_name(name):
    network = make(solver="adamw", learning_rate=name, max_iter=8).fit(X, Y)
    assert np.isfinite(weights(network)).all()


@pytest.mark.parametrize("name", ["invscaling", "adaptive"])
def test_adam_ignores_scikit_learns_names_but_obeys_objects_and_functions(name):
    options = {"learning_rate_init": 0.1, "n_iter_no_change": 1, "tol": 10.0, "max_iter": 10}
    constant = make(**options).fit(X, Y)
    assert_array_equal(weights(make(**options, learning_rate=name).fit(X, Y)), weights(constant))
    schedule = {"invscaling": InverseScaling(), "adaptive": Adaptive()}[name]
    obeyed = make(**options, learning_rate=schedule).fit(X, Y)
    assert not np.array_equal(weights(obeyed), weights(constant))


@pytest.mark.parametrize(
    "name, schedule", [("invscaling", InverseScaling(0.3)), ("adaptive", Adaptive())]
)
def test_names_and_objects_are_the_same_with_sgd(name, schedule):
    options = {"solver": "sgd", "tol": 1e-2, "n_iter_no_change": 2, "max_iter": 20, "power_t": 0.3}
    named = make(**options, learning_rate=name).fit(X, Y)
    assert_array_equal(weights(make(**options, learning_rate=schedule).fit(X, Y)), weights(named))


def test_function_maps_epochs_to_factors():
    found = make(learning_rate=halving).fit(X, Y)
    assert_array_equal(weights(found), weights(make(learning_rate=Halving()).fit(X, Y)))
    assert_array_equal(weights(make(learning_rate=Constant()).fit(X, Y)), weights(make().fit(X, Y)))


# Penalties.


def test_lasso_leaves_fewer_large_weights_than_ridge():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(200, 20))
    y = (X[:, 0] > 0).astype(int)
    sizes = []
    for ratio in (0.0, 1.0):
        network = make(
            hidden_layer_sizes=(),
            solver="sgd",
            alpha=5.0,
            l1_ratio=ratio,
            max_iter=300,
            learning_rate_init=0.1,
            learning_rate="cosine",
            n_iter_no_change=np.inf,
            batch_size=200,
        ).fit(X, y)
        sizes.append(np.abs(network.coefs_[0][1:]).max() / np.abs(network.coefs_[0][0]).max())
    assert sizes[1] < 0.01 < sizes[0]


def test_neuron_with_an_elastic_net_is_scikit_learns_logistic_regression():
    network = make(
        hidden_layer_sizes=(),
        solver=SGD(momentum=0.0, nesterov=False),
        alpha=2.0,
        l1_ratio=0.5,
        max_iter=1000,
        learning_rate="cosine",
        learning_rate_init=1.0,
        n_iter_no_change=np.inf,
        batch_size=80,
    ).fit(X, Y)
    options = {"C": 0.5, "l1_ratio": 0.5, "solver": "saga", "tol": 1e-8, "max_iter": 5000}
    with warnings.catch_warnings():
        # scikit-learn 1.8 deprecates `penalty`.
        warnings.simplefilter("ignore", FutureWarning)
        theirs = LogisticRegression(penalty="elasticnet", **options).fit(X, Y)
    assert_allclose(network.coefs_[0].ravel(), theirs.coef_.ravel(), atol=2e-3)


@pytest.mark.parametrize("solver", ["lbfgs", LBFGS()], ids=repr)
@EVERY_ESTIMATOR
def test_lbfgs_refuses_what_is_not_smooth(cls, solver):
    for bad in ({"l1_ratio": 0.5}, {"max_grad_norm": 1.0}):
        with pytest.raises(ValueError, match=r"(?i)lbfgs.* needs a smooth objective"):
            make(cls, solver=solver, **bad).fit(X, Y)


# Initial weights.


@EVERY_ESTIMATOR
def test_default_initializer_draws_as_before(cls):
    named, given = make(cls), make(cls, initializer=ScikitLearn())
    assert_array_equal(weights(named.fit(X, Y)), weights(given.fit(X, Y)))


def frozen(cls, **options):
    """Return a network that keeps its initial weights."""
    return make(cls, max_iter=1, learning_rate_init=1e-300, dtype="float64", **options)


@pytest.mark.parametrize("activation, gain", [("relu", np.sqrt(2)), ("tanh", 1.5925)])
def test_hidden_layers_start_with_the_gain_of_their_activation(activation, gain):
    options = {"hidden_layer_sizes": (40, 30), "activation": ["identity", activation]}
    network = frozen(MLPSoftmaxClassifier, initializer="orthogonal", **options).fit(X, Y)
    lengths = [np.linalg.norm(w, 2) for w in network.coefs_]
    assert_allclose(lengths, [1, gain, 1], rtol=1e-4)
    assert_allclose(np.concatenate(network.intercepts_), 0, atol=1e-250)


@pytest.mark.parametrize("scale", [1.0, 1e5], ids=["own units", "standardized"])
@EVERY_ESTIMATOR
def test_fit_starts_from_the_given_weights_in_the_units_of_y(cls, scale):
    y = Y if cls is not MLPRegressor else scale * (3 + X[:, 0])
    first = make(cls, max_iter=20).fit(X, y)
    again = frozen(cls)
    again.fit(X, y, coefs_init=first.coefs_, intercepts_init=first.intercepts_)
    assert_allclose(weights(again), weights(first), rtol=1e-9)
    assert_allclose(again.predict(X), first.predict(X), rtol=1e-9)
    biases_only = frozen(cls).fit(X, y, intercepts_init=first.intercepts_)
    assert_allclose(biases_only.intercepts_[0], first.intercepts_[0], rtol=1e-12)
    assert_allclose(biases_only.intercepts_[1], first.intercepts_[1], rtol=1e-9)
    assert_allclose(biases_only.coefs_[1], frozen(cls).fit(X, y).coefs_[1], rtol=1e-12)


def test_given_weights_leave_the_random_numbers_and_themselves_alone():
    network = make(max_iter=1, dtype="float64")
    drawn = frozen(MLPBinaryClassifier).fit(X, Y)
    start = [w.copy() for w in drawn.coefs_]
    from_start = clone(network).fit(X, Y, coefs_init=start, intercepts_init=drawn.intercepts_)
    assert_array_equal(weights(from_start), weights(network.fit(X, Y)))
    for now, then in zip(start, drawn.coefs_, strict=True):
        assert_array_equal(now, then)


def test_given_weights_do_not_mix_with_those_of_a_warm_start():
    network = make(warm_start=True).fit(X, Y)
    before = weights(network)
    with pytest.raises(ValueError, match="cannot be used with warm_start=True"):
        network.fit(X, Y, coefs_init=network.coefs_)
    assert_array_equal(weights(network), before)


@pytest.mark.parametrize(
    "name, arrays, fragment",
    [
        ("coefs_init", [np.ones((3, 6))], "coefs_init has 1 arrays, but there are 2 layers"),
        (
            "coefs_init",
            [np.ones((6, 3)), np.ones((6, 1))],
            r"coefs_init\[0\] has shape \(6, 3\), but layer 0 needs \(3, 6\)",
        ),
        (
            "intercepts_init",
            [np.ones(6), np.ones((1, 1))],
            r"intercepts_init\[1\] has shape \(1, 1\), but layer 1 needs \(1,\)",
        ),
        ("intercepts_init", [np.ones(6), [np.nan]], "intercepts_init contains NaN"),
    ],
)
def test_weights_that_do_not_fit_are_refused(name, arrays, fragment):
    with pytest.raises(ValueError, match=fragment):
        make().fit(X, Y, **{name: arrays})


def test_given_weights_are_routed_as_metadata():
    start = frozen(MLPBinaryClassifier).fit(X, Y)
    with sklearn.config_context(enable_metadata_routing=True):
        network = frozen(MLPBinaryClassifier, initializer="zeros")
        network.set_fit_request(coefs_init=True, intercepts_init=True)
        pipeline = Pipeline([("scaler", StandardScaler()), ("mlp", network)])
        pipeline.fit(X, Y, coefs_init=start.coefs_, intercepts_init=start.intercepts_)
        assert_allclose(weights(pipeline["mlp"]), weights(start), rtol=1e-12)
        found = cross_validate(
            pipeline, X, Y, params={"coefs_init": start.coefs_}, return_estimator=True, cv=2
        )
        for fitted in found["estimator"]:
            assert_allclose(fitted["mlp"].coefs_[0], start.coefs_[0], rtol=1e-12)


def test_checkpoint_of_other_weights_to_start_from_is_refused(tmp_path):
    drawn = frozen(MLPBinaryClassifier).fit(X, Y)
    network = make(callbacks=[Checkpoint(tmp_path / "fit.npz")])
    network.fit(X, Y, coefs_init=drawn.coefs_)
    with pytest.raises(ValueError, match="of another fit: coefs_init was"):
        network.fit(X, Y, coefs_init=[2 * w for w in drawn.coefs_])


def test_checkpoint_resumes_any_optimizer_and_schedule(tmp_path):
    options = {"solver": "nadam", "learning_rate": Cosine(warmup=1), "max_grad_norm": 0.5}
    whole = make(**options, max_iter=6).fit(X, Y)
    path = tmp_path / "fit.npz"

    class Interruption(Exception):
        pass

    class Interrupt:
        def setup(self, estimator, context):
            self.n = 0

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **data):
            self.n += 1
            if self.n == 5:
                raise Interruption

        def on_fit_task_end(self, estimator, context, **data):
            return False

    with pytest.raises(Interruption):
        make(**options, max_iter=6, callbacks=[Checkpoint(path), Interrupt()]).fit(X, Y)
    resumed = make(**options, max_iter=6, callbacks=[Checkpoint(path)]).fit(X, Y)
    assert_array_equal(weights(resumed), weights(whole))
    assert resumed.n_iter_ == 6


# Batches, and schedules of dropout and decay.


@pytest.mark.parametrize("weighted", [False, True])
@EVERY_ESTIMATOR
def test_dropped_batch_counts_nothing(cls, weighted):
    options = {"shuffle": False, "alpha": 0.1, "batch_size": 16}
    if cls is MLPRegressor:
        # The units of a standardized target would be those of all rows.
        options["standardize_target"] = False
    weight = np.arange(1.0, 80.0) if weighted else None
    found = make(cls, drop_last=True, **options).fit(X[:79], Y[:79], sample_weight=weight)
    weight = weight[:64] if weighted else None
    expected = make(cls, **options).fit(X[:64], Y[:64], sample_weight=weight)
    assert_array_equal(weights(found), weights(expected))
    assert found.loss_curve_ == expected.loss_curve_


@pytest.mark.parametrize(("n_epochs", "n_seen"), [(1, 6), (30, 11)])
def test_other_rows_are_dropped_in_each_epoch(n_epochs, n_seen):
    # Each row changes only its own weight.
    rows, options = np.eye(11), {"hidden_layer_sizes": (), "alpha": 0, "n_iter_no_change": np.inf}
    model = make(MLPRegressor, drop_last=True, max_iter=n_epochs, batch_size=6, **options)
    start = clone(model).set_params(solver="sgd", learning_rate_init=1e-300).fit(rows, np.ones(11))
    moved = model.set_params(solver="sgd", momentum=0).fit(rows, np.ones(11))
    assert (moved.coefs_[0] != start.coefs_[0]).sum() == n_seen


@pytest.mark.filterwarnings("ignore:Got batch_size")
@pytest.mark.parametrize("size", [79, 200, "auto"])
def test_only_batch_is_never_dropped(size):
    whole = make(batch_size=size).fit(X[:79], Y[:79])
    kept = make(batch_size=size, drop_last=True).fit(X[:79], Y[:79])
    assert_array_equal(weights(kept), weights(whole))


def a_fifth(n_samples):
    return n_samples // 5


def test_batch_size_may_be_a_function_of_the_number_of_training_rows():
    asked = make(batch_size=a_fifth, early_stopping=True, validation_fraction=0.25).fit(X, Y)
    told = make(batch_size=12, early_stopping=True, validation_fraction=0.25).fit(X, Y)
    assert_array_equal(weights(asked), weights(told))
    assert_array_equal(
        weights(make(batch_size=lambda n_samples: 999).fit(X, Y)),
        weights(make(batch_size=80).fit(X, Y)),
    )
    streamed = [make(batch_size=size).partial_fit(X, Y, [0, 1]) for size in (a_fifth, 16)]
    assert_array_equal(*map(weights, streamed))


@pytest.mark.parametrize("size", [0, 2.5, None, "auto"])
def test_batch_size_of_a_function_is_checked(size):
    with pytest.raises(ValueError, match=r"'batch_size\(80\)' parameter of MLPBinaryClassifier"):
        make(batch_size=lambda n_samples: size).fit(X, Y)


def test_decay_schedule_multiplies_the_decay_and_nothing_else():
    half = make(solver=AdamW(0.4), decay_schedule=lambda time: 0.5).fit(X, Y)
    assert_array_equal(weights(half), weights(make(solver=AdamW(0.2)).fit(X, Y)))
    free = make(decay_schedule="flat_cosine").fit(X, Y)
    assert_array_equal(weights(free), weights(make().fit(X, Y)))


def test_dropout_of_sparse_input_drops_numbers_that_are_stored_twice_as_one():
    rng = np.random.RandomState(0)
    once = sparse.csr_array(rng.randint(1, 9, size=(40, 5)) * 2.0)
    parts = once.data / 2, once.indices, 2 * once.indptr
    twice = sparse.csr_array((*(np.repeat(part, 2) for part in parts[:2]), parts[2]), once.shape)
    y = rng.randint(2, size=40)
    network = MLPBinaryClassifier((4,), input_dropout=0.5, max_iter=5, random_state=0)
    found, expected = (network.fit(X, y).predict_proba(once) for X in (twice, once))
    assert_array_equal(found, expected)
    assert twice.nnz == 2 * once.nnz


def test_dropout_schedule_multiplies_the_rates():
    half = make(dropout=0.6, input_dropout=0.2, dropout_schedule=lambda time: 0.5).fit(X, Y)
    assert_array_equal(weights(half), weights(make(dropout=0.3, input_dropout=0.1).fit(X, Y)))
    # A factor above 1 counts as 1; a factor of 0 is no dropout.
    full = make(dropout=0.3, dropout_schedule=lambda time: 7.0).fit(X, Y)
    assert_array_equal(weights(full), weights(make(dropout=0.3).fit(X, Y)))


def test_dropout_changes_from_step_to_step_as_time_goes_on():
    """Until the schedule ends, training is with dropout; from then on it is without."""
    options = {"max_iter": 4, "shuffle": False, "batch_size": 20, "dropout": 0.4}
    times = []

    def until_two(time):
        times.append(time)
        return float(time < 2)

    both = make(**options, dropout_schedule=until_two).fit(X, Y)
    assert_allclose(times, np.arange(0, 4, 20 / len(X)))
    with_dropout = make(**options).fit(X, Y)
    assert both.loss_curve_[:2] == with_dropout.loss_curve_[:2]
    assert both.loss_curve_[2:] != with_dropout.loss_curve_[2:]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_members_of_one_stack_have_schedules_of_their_own(form):
    grid = {"dropout_schedule": [None, "flat_cosine"], "alpha": [0.0, 1.0]}
    base = make(dropout=0.4, input_dropout=0.2)
    search = StackedGridSearchCV(base, grid, cv=2, refit=False).fit(form(X), Y)
    alone = GridSearchCV(base, grid, cv=2, refit=False).fit(form(X), Y)
    assert_allclose(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"], atol=1e-6
    )


@pytest.mark.parametrize("skips", ["none", "dense", "residual"])
@pytest.mark.parametrize("normalization", [None, "layer"])
def test_parametric_activation_is_the_formula(skips, normalization):
    options = {"hidden_layer_sizes": (4, 4), "activation": "tanh", "dtype": "float64"}
    model = make(
        **options, parametric_activation=True, skip_connections=skips, normalization=normalization
    ).fit(X, Y)
    assert [shares.shape for shares in model.activation_shares_] == [(4,), (4,)]
    assert all((shares != 1).all() for shares in model.activation_shares_)
    if normalization is None and skips == "none":
        value = X
        layers = zip(model.coefs_, model.intercepts_, [*model.activation_shares_, 0.0], strict=True)
        for weight, bias, share in layers:
            z = value @ weight + bias
            value = z + share * (np.tanh(z) - z)
        assert_allclose(model.decision_function(X), value[:, 0], rtol=1e-9)


def test_shares_of_the_activation_start_at_one_and_have_a_group():
    still = ParameterGroups(activation_share=ParameterGroup(rate=0))
    model = make(parametric_activation=True, parameter_groups=still).fit(X, Y)
    assert_array_equal(model.activation_shares_, 1)
    assert_allclose(weights(model), weights(make().fit(X, Y)), rtol=1e-5)


def test_decay_falls_step_by_step_along_its_schedule():
    """Weights that no gradient moves shrink by rate times decay times schedule, in each step."""
    options = {"max_iter": 4, "shuffle": False, "alpha": 0.0, "dtype": "float64"}
    model = MLPRegressor(
        hidden_layer_sizes=(3,),
        solver=AdamW(2.0),
        learning_rate=Cosine(),
        learning_rate_init=0.1,
        decay_schedule=FlatCosine(0.25),
        batch_size=20,
        random_state=0,
        **options,
    )
    zeros = np.zeros((80, 1))
    first = MLPRegressor(
        hidden_layer_sizes=(3,), learning_rate_init=1e-300, random_state=0, **options
    )
    first.set_params(solver="sgd", max_iter=1).fit(zeros, zeros.ravel())
    model.fit(zeros, zeros.ravel())
    times = np.arange(16) / 4
    rates = 0.1 * Cosine().factor(times, 4)
    expected = np.prod(1 - rates * 2.0 * FlatCosine(0.25).factor(times, 4))
    # The input is zero: the first layer has no gradient.
    assert_allclose(model.coefs_[0], first.coefs_[0] * expected, rtol=1e-12)


def test_partial_fit_refuses_a_decay_that_must_know_its_end():
    with pytest.raises(ValueError, match="partial_fit does not support decay_schedule='cosine'"):
        make(solver="adamw", decay_schedule="cosine").partial_fit(X, Y, [0, 1])
    make(solver="adamw", decay_schedule="exponential").partial_fit(X, Y, [0, 1])
