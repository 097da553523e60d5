"""Parameter groups and the learned scale of the features, through the estimators."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skperceptron import MLPBinaryClassifier, MLPRegressor, MLPSoftmaxClassifier
from skperceptron.activations import PReLU
from skperceptron.callbacks import Checkpoint
from skperceptron.estimators.fitting import prepare
from skperceptron.groups import ParameterGroup, ParameterGroups
from skperceptron.inspection import network_summary
from skperceptron.model_selection import StackedGridSearchCV
from skperceptron.optimizers import LBFGS, SGD, Adam, AdamW
from skperceptron.training.lbfgs import Objective

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ESTIMATORS = [MLPBinaryClassifier, MLPSoftmaxClassifier, MLPRegressor]
EVERY_ESTIMATOR = pytest.mark.parametrize("cls", ESTIMATORS)
RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
ATTRIBUTES = ["coefs_", "intercepts_", "activation_parameters_", "normalization_parameters_"]
ATTRIBUTES += ["feature_scales_"]


def make(cls=MLPBinaryClassifier, **options):
    defaults = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0, "batch_size": 16}
    return cls(**defaults | {"dtype": "float64"} | options)


def groups(**kinds):
    """Return groups with options from dicts."""
    return ParameterGroups(**{name: ParameterGroup(**kind) for name, kind in kinds.items()})


def learned(model):
    arrays = [array for name in ATTRIBUTES for array in getattr(model, name, [])]
    return np.concatenate([array.ravel() for array in arrays])


def assert_equal_models(one, other, **tolerance):
    assert_allclose(learned(one), learned(other), **{"rtol": 1e-10, "atol": 1e-12} | tolerance)


# Parameter groups.


@EVERY_ESTIMATOR
def test_groups_that_change_nothing_leave_every_bit(cls):
    plain = make(cls, solver=AdamW()).fit(X, Y)
    usual = groups(weight={"decay": 1, "penalty": 1}, bias={"decay": 0, "penalty": 0})
    for given in (ParameterGroups(), usual, groups(feature_scale={"rate": 6}, embedding={})):
        model = make(cls, solver=AdamW(), parameter_groups=given).fit(X, Y)
        assert_array_equal(learned(model), learned(plain))


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        ("weight", "coefs_"),
        ("bias", "intercepts_"),
        ("activation", "activation_parameters_"),
        ("normalization", "normalization_parameters_"),
        ("feature_scale", "feature_scales_"),
    ],
)
def test_parameters_with_a_rate_of_zero_do_not_change(kind, attribute):
    options = {"activation": PReLU(), "normalization": "layer", "feature_scale": True}
    frozen = make(parameter_groups=groups(**{kind: {"rate": 0}}), **options).fit(X, Y)
    start = make(learning_rate_init=1e-300, **options).fit(X, Y)
    for name in ATTRIBUTES:
        pairs = list(zip(getattr(frozen, name), getattr(start, name), strict=True))
        assert pairs
        still = [np.allclose(*pair, rtol=0, atol=1e-12) for pair in pairs]
        assert set(still) == {name == attribute}, name


def test_running_statistics_are_in_no_group():
    """Decay, penalty and rate do not change them: they are computed from the batches."""
    heavy = groups(normalization={"rate": 0, "decay": 50, "penalty": 50})
    options = {"normalization": "batch", "alpha": 1.0, "solver": AdamW(weight_decay=0.5)}
    still = {"learning_rate_init": 1e-300, "shuffle": False}
    plain = make(**options, **still).fit(X, Y)
    grouped = make(**options, **still, parameter_groups=heavy).fit(X, Y)
    assert_allclose(
        grouped.normalization_parameters_[0], plain.normalization_parameters_[0], atol=1e-200
    )
    strong = groups(normalization={"decay": 5})
    moved = make(**options, learning_rate_init=0.1, parameter_groups=strong).fit(X, Y)
    factor, _, _, variance = moved.normalization_parameters_[0]
    assert (np.abs(factor) < 0.5).all() and (variance > 0).all()


@pytest.mark.filterwarnings("ignore:The gradient of Heaviside:UserWarning")
@pytest.mark.parametrize("solver", [AdamW(0.5), "lbfgs"], ids=str)
def test_what_no_gradient_reaches_is_neither_penalized_nor_decays(solver):
    decay = {} if solver == "lbfgs" else {"decay": 1}
    of_all = groups(
        bias={"penalty": 1, **decay}, weight={"penalty": 2}, feature_scale={"penalty": 1}
    )
    options = {"activation": "heaviside", "alpha": 1.0, "solver": solver, "feature_scale": True}
    model = make(parameter_groups=of_all, learning_rate_init=0.1, **options).fit(X, Y)
    start = make(**options | {"solver": "sgd"}, learning_rate_init=1e-300).fit(X, Y)
    assert_array_equal(model.coefs_[0], start.coefs_[0])
    assert_array_equal(model.intercepts_[0], start.intercepts_[0])
    assert_array_equal(model.feature_scales_[0], np.ones(3))
    assert not np.isclose(model.coefs_[1], start.coefs_[1]).any()


def test_lbfgs_applies_penalties_of_groups():
    ones, y = np.column_stack([X, np.ones(len(X))]), (X[:, 0] > -1).astype(int)
    options = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 3.0, "tol": 1e-10}
    options |= {"max_iter": 200}
    biases = groups(bias={"penalty": 1})
    with_ones = make(parameter_groups=biases, **options).fit(ones, y)
    # The bias equals the weight of the ones: their sum has half the penalty of a single weight.
    biases = groups(bias={"penalty": 0.5})
    found = make(parameter_groups=biases, **options).fit(X, y).decision_function(X)
    assert_allclose(with_ones.decision_function(ones), found, atol=1e-4)
    assert not np.allclose(make(**options).fit(X, y).decision_function(X), found, atol=0.1)


@pytest.mark.parametrize("solver", ["lbfgs", LBFGS()], ids=["string", "object"])
@pytest.mark.parametrize("bad", [{"rate": 0.1}, {"decay": 0}, {"decay": 1.0}], ids=str)
def test_lbfgs_refuses_rates_and_decay(solver, bad):
    model = make(solver=solver, parameter_groups=groups(bias=bad))
    with pytest.raises(ValueError, match=r"parameter_groups__bias=ParameterGroup\(.*solver="):
        model.fit(X, Y)


@pytest.mark.parametrize(
    ("bad", "fragment"),
    [
        (ParameterGroups(bias=0.1), "'bias' parameter of ParameterGroups"),
        (ParameterGroups(bias=ParameterGroup), r"Pass an instance: ParameterGroup\(\)"),
        (groups(bias={"rate": -1}), "'rate' parameter of ParameterGroup must"),
        (groups(weight={"decay": np.inf}), "'decay' parameter of ParameterGroup must"),
        (groups(weight={"penalty": "1"}), "'penalty' parameter of ParameterGroup must"),
    ],
)
def test_bad_groups_are_refused_by_name(bad, fragment):
    with pytest.raises(ValueError, match=fragment):
        make(parameter_groups=bad).fit(X, Y)


def test_groups_given_are_not_changed():
    given = groups(bias={"rate": np.float32(0.5)})
    model = make(parameter_groups=given).fit(X, Y)
    assert model.parameter_groups is given
    assert type(given.bias.rate) is np.float32
    assert_array_equal(
        learned(model), learned(make(parameter_groups=groups(bias={"rate": 0.5})).fit(X, Y))
    )


def test_searches_reach_every_number_and_stacks_equal_single_fits():
    model = make(parameter_groups=groups(bias={}, feature_scale={}), feature_scale=True)
    grid = {
        "parameter_groups__bias__rate": [0, 0.1, 2],
        "parameter_groups__feature_scale__rate": [1, 6],
        "parameter_groups__feature_scale__penalty": [None, 1.0],
        "alpha": [0.1],
    }
    options = {"cv": 2, "scoring": "neg_log_loss"}
    stacked = StackedGridSearchCV(model, grid, **options).fit(X, Y)
    alone = GridSearchCV(model, grid, **options).fit(X, Y)
    scores = stacked.cv_results_["mean_test_score"]
    assert_allclose(scores, alone.cv_results_["mean_test_score"], rtol=1e-9)
    assert len(np.unique(scores)) == len(scores)
    assert_equal_models(stacked.best_estimator_, alone.best_estimator_, rtol=1e-9)


def test_checkpoint_belongs_to_its_groups(tmp_path):
    path = tmp_path / "fit.npz"
    given = {"parameter_groups": groups(bias={"rate": 0.5}), "feature_scale": True}
    make(callbacks=[Checkpoint(path)], **given).fit(X, Y)
    for other in ({"parameter_groups": groups(bias={"rate": 0.4})}, {"feature_scale": False}):
        with pytest.raises(ValueError, match=next(iter(other))):
            make(callbacks=[Checkpoint(path)], **given | other).fit(X, Y)


def with_pytorch(torch, model, optimizer_of, n_epochs, scaled):
    """Train the network of a fitted model again, from its initial weights, in full batches."""
    start = clone(model).set_params(learning_rate_init=1e-300, max_iter=1, solver="sgd").fit(X, Y)
    kinds = {
        name: [torch.tensor(array, requires_grad=True) for array in getattr(start, attribute)]
        for name, attribute in [
            ("weight", "coefs_"),
            ("bias", "intercepts_"),
            ("feature_scale", "feature_scales_"),
        ]
    }
    optimizer = optimizer_of(kinds)
    rows, labels = torch.tensor(X), torch.tensor(Y, dtype=torch.float64)
    for _ in range(n_epochs):
        (w1, w2), (b1, b2), (scale,) = kinds.values()
        raw = torch.relu(rows * scale @ w1 + b1) @ w2 + b2
        loss = torch.nn.functional.binary_cross_entropy_with_logits(raw[:, 0], labels)
        squares = sum(factor * (array**2).sum() for name, factor in scaled for array in kinds[name])
        optimizer.zero_grad()
        (loss + model.alpha / 2 / len(X) * squares).backward()
        optimizer.step()
    return np.concatenate([t.detach().numpy().ravel() for kind in kinds.values() for t in kind])


@pytest.mark.torch
@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd"])
def test_groups_train_as_those_of_pytorch(solver):
    torch = pytest.importorskip("torch")
    rates = {"weight": 1.0, "bias": 0.1, "feature_scale": 6.0}
    decays = {"weight": 0.5, "bias": 0.0, "feature_scale": 2.0}
    penalties = {"weight": 1.0, "bias": 0.5, "feature_scale": 3.0}
    adam = {"corrects_before_epsilon": True}
    ours = {"adam": Adam(**adam), "adamw": AdamW(0.3), "sgd": SGD(0.9, nesterov=False)}[solver]
    given = ParameterGroups(
        **{kind: ParameterGroup(rates[kind], decays[kind], penalties[kind]) for kind in rates}
    )
    model = make(
        solver=ours, feature_scale=True, parameter_groups=given, learning_rate_init=0.01,
        alpha=0.5, batch_size=len(X), max_iter=30, tol=0, n_iter_no_change=30,
    ).fit(X, Y)  # fmt: skip

    def optimizer_of(kinds):
        of_torch = [
            {"params": kinds[kind], "lr": 0.01 * rates[kind]}
            | ({"weight_decay": 0.3 * decays[kind]} if solver == "adamw" else {})
            for kind in kinds
        ]
        if solver == "sgd":
            return torch.optim.SGD(of_torch, momentum=0.9)
        return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[solver](of_torch)

    expected = with_pytorch(torch, model, optimizer_of, 30, penalties.items())
    assert_allclose(learned(model), expected, rtol=1e-8, atol=1e-10)


# The learned scale of the features.


CIRCUMSTANCES = {
    "plain": {},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "dense skips": {"hidden_layer_sizes": (5, 5), "skip_connections": "dense"},
    "residual": {"hidden_layer_sizes": (5, 5), "skip_connections": "residual"},
    "batch norm": {"normalization": "batch"},
    "lbfgs": {"solver": "lbfgs"},
    "float32": {"dtype": "float32"},
    "full batch": {"batch_size": 60},
    "averaged": {"averaging": "ema"},
    "early stopping": {"early_stopping": True},
}
EVERY_CIRCUMSTANCE = pytest.mark.parametrize("options", CIRCUMSTANCES.values(), ids=CIRCUMSTANCES)


@EVERY_CIRCUMSTANCE
@EVERY_ESTIMATOR
def test_feature_scale_is_learned_for_rows_of_every_kind(cls, options):
    model = make(cls, feature_scale=True, **options).fit(X, Y)
    (scales,) = model.feature_scales_
    assert scales.shape == (3,) and (scales != 1).all()
    assert scales.dtype == model.dtype_
    rows = sparse.csr_array(X)
    of_sparse = make(cls, feature_scale=True, **options).fit(rows, Y)
    assert_equal_models(of_sparse, model, rtol=1e-3 if options.get("dtype") else 1e-6, atol=1e-6)
    assert_allclose(model.predict(rows), model.predict(X), rtol=1e-5)
    assert_allclose(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_input_dropout_comes_before_the_scale():
    model = make(feature_scale=True, input_dropout=0.3, dropout=0.2).fit(X, Y)
    blocks = list(network_summary(model)["block"])
    assert blocks[1:4] == ["dropout_0", "scale_0", "affine_1"]
    assert (model.feature_scales_[0] != 1).all()
    rows = sparse.csr_array(X)
    again = make(feature_scale=True, input_dropout=0.3).fit(rows, Y)
    assert np.isfinite(again.decision_function(rows)).all()


@pytest.mark.parametrize("skips", ["none", "residual", "dense", "linear"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@EVERY_ESTIMATOR
def test_objective_has_the_gradient_of_central_differences(cls, form, skips, rng):
    model = make(
        cls,
        hidden_layer_sizes=(4, 4),
        activation="tanh",
        feature_scale=True,
        skip_connections=skips,
        solver="lbfgs",
        alpha=0.7,
        parameter_groups=groups(feature_scale={"penalty": 2.0}, bias={"penalty": 0.3}),
    )
    run = prepare(model, form(X), Y)
    member, network = run.member, run.model.network
    objective = Objective(network, member, run.data)
    at = member.parameters + rng.normal(size=len(member.parameters))
    value = lambda vector: objective(vector)[0]  # noqa: E731
    steps = 1e-5 * np.eye(len(at))
    expected = [(value(at + step) - value(at - step)) / 2e-5 for step in steps]
    assert_allclose(objective(at)[1], expected, rtol=1e-5, atol=1e-7)


def test_factors_are_those_of_a_network_without_them_on_scaled_features():
    """Frozen factors are 1, so that training is that of the network without them."""
    frozen = groups(feature_scale={"rate": 0})
    model = make(feature_scale=True, parameter_groups=frozen).fit(X, Y)
    assert_equal_models_but_for_scales(model, make().fit(X, Y))
    model.feature_scales_[0][:] = [2.0, -1.0, 0.5]
    scaled = X * model.feature_scales_[0]
    assert_allclose(model.predict_proba(X), make().fit(X, Y).predict_proba(scaled), rtol=1e-9)


def assert_equal_models_but_for_scales(one, other):
    for name in ("coefs_", "intercepts_"):
        for ours, theirs in zip(getattr(one, name), getattr(other, name), strict=True):
            assert_allclose(ours, theirs, rtol=1e-9)


@EVERY_ESTIMATOR
def test_second_calls_go_on_with_the_factors(cls):
    first = {} if cls is MLPRegressor else {"classes": [0, 1]}
    options = {"feature_scale": True, "shuffle": False, "n_iter_no_change": 20}
    whole = make(cls, max_iter=4, **options).fit(X, Y)
    stream = make(cls, **options)
    for _ in range(4):
        stream.partial_fit(X, Y, **first)
    assert_equal_models(stream, whole)
    warm = make(cls, warm_start=True, **options).fit(X, Y)
    before = warm.feature_scales_[0].copy()
    warm.set_params(learning_rate_init=1e-12).fit(X, Y)
    assert_allclose(warm.feature_scales_[0], before, atol=1e-9)
    with pytest.raises(ValueError, match="feature_scale=False"):
        warm.set_params(feature_scale=False).fit(X, Y)
    warm.set_params(warm_start=False).fit(X, Y)
    assert not hasattr(warm, "feature_scales_")


def test_given_weights_start_beside_factors_of_one():
    drawn = make(feature_scale=True, learning_rate_init=1e-300).fit(X, Y)
    coefs = [array + 1 for array in drawn.coefs_]
    model = make(feature_scale=True, learning_rate_init=1e-300).fit(X, Y, coefs_init=coefs)
    assert_array_equal(model.coefs_[0], coefs[0])
    assert_array_equal(model.feature_scales_[0], np.ones(3))


def test_penalty_finds_the_features_that_matter():
    rng = np.random.RandomState(0)
    many = rng.normal(size=(400, 6))
    y = np.sin(2 * many[:, 0]) + many[:, 1] ** 2
    sparing = groups(weight={"penalty": 0}, feature_scale={"rate": 3, "penalty": 1})
    model = make(
        MLPRegressor,
        hidden_layer_sizes=(20,),
        feature_scale=True,
        parameter_groups=sparing,
        alpha=2.0,
        l1_ratio=1.0,
        learning_rate_init=0.01,
        learning_rate="cosine",
        max_iter=60,
        solver=Adam(),
    ).fit(many, y)
    sizes = np.abs(model.feature_scales_[0])
    assert sizes[:2].min() > 5 * sizes[2:].max()


def test_stacked_search_over_the_scale_itself():
    grid = {"feature_scale": [False, True], "alpha": [0, 1.0], "activation": ["tanh", "relu"]}
    options = {"cv": 2, "scoring": "neg_log_loss", "refit": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        stacked = StackedGridSearchCV(make(), grid, **options).fit(X, Y)
    alone = GridSearchCV(make(), grid, **options).fit(X, Y)
    found, expected = (of.cv_results_["mean_test_score"] for of in (stacked, alone))
    assert_allclose(found, expected, rtol=1e-9)
