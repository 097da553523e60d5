"""The epoch loop: when members stop, compared with scikit-learn's rules written out plainly."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skperceptron.engine import multilayer_perceptron
from skperceptron.optimizers import SGD, Adam
from skperceptron.schedules import Adaptive, Constant, Exponential, InverseScaling
from skperceptron.training import Stack, Targets, TrainingSet, Verdict, epochs
from skperceptron.training.member import Progress
from tests.members import member_of

SCHEDULES = [Constant(), InverseScaling(0.5), Adaptive()]
N_ROWS = 150
GO_ON, SLOW_DOWN, STOP, EXHAUSTED, OUT_OF_TIME, DIVERGED, FAILED = Verdict


class Script:
    """Stands in for a stack whose epochs bring prescribed losses and scores."""

    is_brief = False

    def __init__(self, losses, **options):
        self.losses = iter(losses)
        self.parameters = np.zeros((1, 2))
        self.member = make_member(**options)
        self.members = [self.member]

    def run_epoch(self):
        self.parameters += 1
        return np.array([next(self.losses)])

    def are_finite(self):
        return np.isfinite(self.parameters).all(axis=1)

    def prediction_parameters(self, k):
        return self.parameters[k]

    def validated(self, asked):
        return {k: self.members[k].recipe.validate(self.parameters[k]) for k in asked}

    def retire(self, leaving):
        assert leaving == [0]
        self.members = []


def make_member(**options):
    defaults = {"parameters": np.zeros(2), "learning_rate": 0.1, "rows": np.arange(N_ROWS)}
    return member_of(**(defaults | options))


def plain_rules(losses, scores, schedule, tol, patience, max_iter):
    """Apply the rules of scikit-learn's ``_fit_stochastic`` to a list of losses (and scores)."""
    rate, best, waited, trace = 0.1, np.inf if scores is None else -np.inf, 0, []
    for epoch in range(1, max_iter + 1):
        if scores is None:
            waited = waited + 1 if losses[epoch - 1] > best - tol else 0
            best = min(best, losses[epoch - 1])
        else:
            waited = waited + 1 if scores[epoch - 1] < best + tol else 0
            best = max(best, scores[epoch - 1])
        if isinstance(schedule, InverseScaling):
            rate = 0.1 / (epoch * N_ROWS + 1) ** schedule.power_t
        verdict = GO_ON
        if waited > patience:
            if not isinstance(schedule, Adaptive) or rate <= 1e-6:
                trace.append((epoch, rate, STOP))
                return trace, best, waited
            rate, waited, verdict = rate / 5, 0, SLOW_DOWN
        if epoch == max_iter:
            verdict = EXHAUSTED
        trace.append((epoch, rate, verdict))
    return trace, best, waited


def random_walk(seed, length):
    """Return losses that fall, stall and rise."""
    rng = np.random.RandomState(seed)
    return np.maximum(3 + np.cumsum(rng.normal(-0.05, rng.choice([0.02, 0.2, 1]), length)), 0.01)


@pytest.mark.parametrize("monitored", ["loss", "score"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("seed", range(25))
def test_stopping_rules_are_those_of_scikit_learn(seed, schedule, monitored):
    rng = np.random.RandomState(seed)
    max_iter = int(rng.choice([1, 5, 20, 100]))
    tol = float(rng.choice([0.0, 1e-4, 0.05, 1.0]))
    patience = float(rng.choice([1, 2, 5, np.inf]))
    losses = random_walk(seed, max_iter)
    scores = -random_walk(seed + 1000, max_iter) if monitored == "score" else None
    given = None if scores is None else iter(scores)
    script = Script(
        losses,
        schedule=schedule,
        tol=tol,
        n_iter_no_change=patience,
        max_iter=max_iter,
        validate=None if scores is None else lambda parameters: (next(given), 0.0),
    )
    found = []
    for (report,) in epochs(script):
        assert report.member is script.member
        assert report.loss == losses[report.epoch - 1]
        assert report.score == (None if scores is None else scores[report.epoch - 1])
        found.append((report.epoch, report.member.current_rate, report.verdict))
    trace, best, waited = plain_rules(losses, scores, schedule, tol, patience, max_iter)
    assert [(e, v) for e, _, v in found] == [(e, v) for e, _, v in trace]
    assert_allclose([rate for _, rate, _ in found], [rate for _, rate, _ in trace], rtol=1e-14)
    progress = script.member.progress
    assert (progress.best_loss if scores is None else progress.best_score) == best
    assert progress.no_improvement == waited
    assert progress.loss_curve == list(losses[: len(found)])
    assert progress.rows_seen == N_ROWS * len(found)
    assert script.member.n_iter == len(found)


def test_improvement_by_exactly_the_tolerance_counts():
    script = Script([1.0, 0.5, 0.0, 0.0], tol=0.5, n_iter_no_change=1, max_iter=4)
    verdicts = [report.verdict for (report,) in epochs(script)]
    assert verdicts == [GO_ON, GO_ON, GO_ON, EXHAUSTED]
    assert script.member.progress.no_improvement == 1


def test_training_stops_one_epoch_after_its_patience_has_run_out():
    script = Script([1.0] * 50, tol=0.1, n_iter_no_change=3, max_iter=50)
    assert [r.verdict for (r,) in epochs(script)] == [GO_ON] * 4 + [STOP]


def test_adaptive_rate_is_lowered_at_each_plateau_until_it_is_tiny():
    script = Script([1.0] * 100, schedule=Adaptive(), tol=0.1, n_iter_no_change=1, max_iter=100)
    rates = [report.member.current_rate for (report,) in epochs(script)]
    lowered = 0.1 / 5.0 ** np.arange(9)
    assert_allclose(sorted(set(rates), reverse=True), lowered, rtol=1e-14)
    assert rates[-1] <= 1e-6 < rates[-1] * 5
    assert script.members == []


def test_plateau_in_the_last_epoch_is_reported_as_exhausted():
    script = Script([1.0] * 3, schedule=Adaptive(), tol=0.1, n_iter_no_change=1, max_iter=3)
    assert [r.verdict for (r,) in epochs(script)] == [GO_ON, GO_ON, EXHAUSTED]
    assert script.member.current_rate == 0.1 / 5


def test_infinite_patience_uses_every_epoch():
    script = Script([1.0] * 30, tol=1.0, n_iter_no_change=np.inf, max_iter=30)
    assert [r.verdict for (r,) in epochs(script)] == [GO_ON] * 29 + [EXHAUSTED]


def test_exhaustion_is_not_reported_for_single_epochs():
    script = Script([1.0, 0.5, 0.2], max_iter=1)
    script.is_brief = True
    reports = epochs(script)
    assert [next(reports)[0].verdict for _ in range(3)] == [GO_ON] * 3
    assert script.members == [script.member]


def test_history_of_an_earlier_fit_goes_on():
    progress = Progress(loss_curve=[2.0], best_loss=0.5, no_improvement=2, rows_seen=N_ROWS)
    script = Script([1.0, 1.0], progress=progress, n_iter_no_change=3, max_iter=9)
    assert [r.verdict for (r,) in epochs(script)] == [GO_ON, STOP]
    assert progress.loss_curve == [2.0, 1.0, 1.0]
    assert progress.best_loss == 0.5
    assert progress.rows_seen == 3 * N_ROWS


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_nan_loss_ends_training_as_diverged(loss, schedule):
    script = Script([1.0, 0.5, loss, 0.1], schedule=schedule, max_iter=9)
    assert [r.verdict for (r,) in epochs(script)] == [GO_ON, GO_ON, DIVERGED]
    assert script.member.diverged
    assert script.member.progress.best_loss == 0.5


def test_nan_score_counts_as_no_improvement():
    scores = iter([0.5, np.nan, np.nan, np.nan])
    script = Script(
        [1.0] * 9, validate=lambda p: (next(scores), 0.0), n_iter_no_change=2, max_iter=9
    )
    assert [r.verdict for (r,) in epochs(script)] == [GO_ON] * 3 + [STOP]
    assert script.member.progress.best_score == 0.5
    assert_array_equal(script.member.best_parameters, [1.0, 1.0])


def test_parameters_of_the_best_score_are_kept():
    scores = iter([0.1, 0.5, 0.9, 0.3, 0.9])
    script = Script([1.0] * 5, validate=lambda p: (next(scores), 0.0), max_iter=5)
    list(epochs(script))
    assert_array_equal(script.member.best_parameters, [3.0, 3.0])
    assert script.member.progress.validation_scores == [0.1, 0.5, 0.9, 0.3, 0.9]


# With real epochs.


def real_stack(**options):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(N_ROWS, 3)), rng.normal(size=(N_ROWS, 1))
    network = multilayer_perceptron(3, (), 1, [])
    member = make_member(parameters=np.ones(4), **options)
    data = TrainingSet(X, Targets(y))
    return Stack(network, [member], data, N_ROWS, np.dtype(np.float64)), member


def test_last_step_that_overflows_is_reported_as_diverged():
    stack, member = real_stack(learning_rate=1e308, optimizer=SGD(momentum=1.0), max_iter=1)
    stack.vectors.parameters *= 100
    with np.errstate(all="ignore"):
        ((report,),) = epochs(stack)
    assert np.isfinite(report.loss)
    assert not np.isfinite(member.parameters).all()
    assert report.verdict == DIVERGED
    assert member.diverged


def test_diverged_parameters_are_never_scored():
    asked = []

    def score(parameters):
        asked.append(parameters)
        return 0.0, 0.0

    options = {"learning_rate": 1e308, "optimizer": SGD(momentum=1.0), "max_iter": 5}
    stack, member = real_stack(validate=score, **options)
    stack.vectors.parameters *= 100
    with np.errstate(all="ignore"):
        list(epochs(stack))
    assert member.diverged
    assert not asked


def test_a_falling_learning_rate_takes_effect_in_the_next_epoch():
    stack, member = real_stack(
        schedule=InverseScaling(1.0), optimizer=SGD(momentum=0.0), max_iter=2, tol=0.0
    )
    visited = [stack.vectors.parameters[0].copy()]
    steps = epochs(stack)
    next(steps)
    visited.append(stack.vectors.parameters[0].copy())
    X, y = stack.data[0].X, stack.data[0].targets.table[:, 0]

    def gradient(p):
        residual = X @ p[:3] + p[3] - y
        return np.append(X.T @ residual, residual.sum()) / N_ROWS

    next(steps)
    visited.append(member.parameters)
    assert_allclose(visited[1], visited[0] - 0.1 * gradient(visited[0]), rtol=1e-12)
    later = 0.1 / (N_ROWS + 1)
    assert_allclose(visited[2], visited[1] - later * gradient(visited[1]), rtol=1e-12)


def test_loop_does_nothing_for_a_stack_without_members():
    assert list(epochs(SimpleNamespace(members=[]))) == []


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_second_moment_that_overflows_counts_as_divergence():
    X, y = np.full((4, 1), 1e200), np.zeros((4, 1))
    network = multilayer_perceptron(1, [], 1, [])
    member = make_member(
        parameters=np.array([0.0, 1.0]), rows=np.arange(4), optimizer=Adam(), alpha=0.0
    )
    stack = Stack(network, [member], TrainingSet(X, Targets(y)), 4, np.dtype(np.float64))
    (report,) = next(epochs(stack))
    assert np.isfinite(report.loss)
    assert np.isfinite(member.parameters).all()
    assert report.verdict == DIVERGED


@pytest.mark.parametrize(("every", "validated"), [(1, 7), (2, 4), (3, 3), (10, 1)])
def test_every_kth_epoch_and_the_last_are_validated(every, validated):
    scores = iter(np.arange(10.0))
    script = Script(
        np.ones(7),
        validate=lambda parameters: (next(scores), 0.5),
        validates_every=every,
        n_iter_no_change=np.inf,
        max_iter=7,
    )
    reports = [report for (report,) in epochs(script)]
    looked_at = [report.epoch for report in reports if report.score is not None]
    assert looked_at == sorted({*range(every, 8, every), 7})
    scores_of_epochs = script.member.progress.validation_scores
    assert len(scores_of_epochs) == 7
    assert np.isfinite(scores_of_epochs).sum() == len(looked_at) == validated
    assert script.member.progress.best_score == validated - 1


def test_patience_counts_epochs_that_are_not_validated():
    script = Script(
        np.ones(50),
        validate=lambda parameters: (1.0, 0.5),
        validates_every=4,
        tol=0.1,
        n_iter_no_change=9,
        max_iter=50,
    )
    reports = [report for (report,) in epochs(script)]
    # The first score is that of epoch 4; the three later ones are no better.
    assert (reports[-1].epoch, reports[-1].verdict) == (16, STOP)


@pytest.mark.parametrize(("prefers_latest", "best"), [(False, 2), (True, 4)])
def test_of_equal_scores_the_requested_one_is_kept(prefers_latest, best):
    scores = iter([0.0, 1.0, 0.5, 1.0, 0.5])
    script = Script(
        np.ones(5),
        validate=lambda parameters: (next(scores), 0.5),
        prefers_latest=prefers_latest,
        n_iter_no_change=np.inf,
        max_iter=5,
    )
    list(epochs(script))
    assert_array_equal(script.member.best_parameters, np.full(2, best))


def state_of(member):
    # As text, in which NaN equals NaN.
    return repr((member.n_iter, member.verdict, member.current_rate, member.progress))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("patience", [0, 2, np.inf])
@pytest.mark.parametrize("bad", [None, 7])
def test_quiet_epochs_change_nothing(schedule, patience, bad):
    losses = np.random.default_rng(0).normal(size=40) - np.arange(40) / 4
    if bad is not None:
        losses[bad] = np.nan
    options = {"max_iter": 30, "n_iter_no_change": patience, "tol": 0.1, "schedule": schedule}
    told, quiet = Script(losses, **options), Script(losses, **options)
    reports = list(epochs(told))
    heard = list(epochs(quiet, tells_all=False))
    assert state_of(quiet.member) == state_of(told.member)
    assert repr(heard[-1][0][1:]) == repr(reports[-1][0][1:])
    assert len(heard) < len(reports) or isinstance(schedule, InverseScaling) or len(reports) < 3


@pytest.mark.parametrize("monitors_loss", [False, True])
@pytest.mark.parametrize("every", [1, 3, 50])
@pytest.mark.parametrize("patience", [0, 4, np.inf])
@pytest.mark.parametrize("bad", [None, 7])
def test_epochs_between_two_validations_are_quiet(monitors_loss, every, patience, bad):
    rng = np.random.default_rng(0)
    losses = rng.normal(size=40) - np.arange(40) / 4
    if bad is not None:
        losses[bad] = np.nan
    scores = rng.normal(size=40)
    options = {
        "max_iter": 30,
        "n_iter_no_change": patience,
        "tol": 0.1,
        "validate": lambda parameters: (scores[int(parameters[0])], 0.5),
        "validates_every": every,
        "monitors_loss": monitors_loss,
    }
    told, quiet = Script(losses, **options), Script(losses, **options)
    reports = list(epochs(told))
    heard = list(epochs(quiet, tells_all=False))
    assert state_of(quiet.member) == state_of(told.member)
    assert repr(quiet.member.best_parameters) == repr(told.member.best_parameters)
    assert repr(heard[-1][0][1:]) == repr(reports[-1][0][1:])
    looks = [r.epoch for (r,) in reports if r.epoch % every == 0 or r.verdict is not GO_ON]
    assert [report.epoch for (report,) in heard] == looks


@pytest.mark.parametrize("patience", [2, np.inf])
def test_member_with_infinite_parameters_but_finite_losses_diverges(patience):
    class Overflowing(Script):
        def run_epoch(self):
            losses = super().run_epoch()
            if self.parameters[0, 0] >= 4:
                self.parameters[0, 1] = np.inf
            return losses

    script = Overflowing(-np.arange(100.0), max_iter=100, n_iter_no_change=patience)
    *_, ((*_, verdict),) = epochs(script, tells_all=False)
    assert verdict is DIVERGED
    assert script.member.n_iter < 20


def test_members_know_of_quiet_epochs_when_training_is_interrupted():
    def interrupted():
        yield from (5.0, 4.0, 3.0)
        raise KeyboardInterrupt

    script = Script(interrupted(), max_iter=30)
    with pytest.raises(KeyboardInterrupt):
        list(epochs(script, tells_all=False))
    assert script.member.n_iter == 3
    assert script.member.progress.loss_curve == [5.0, 4.0, 3.0]


@pytest.mark.parametrize("option", ["validate", "max_seconds"])
def test_epochs_that_are_validated_or_timed_are_all_reported(option):
    value = {"validate": lambda parameters: (1.0, 1.0), "max_seconds": 1e6}[option]
    script = Script([3.0, 2.0, 1.0], max_iter=3, **{option: value})
    assert len(list(epochs(script, tells_all=False))) == 3


def test_each_epoch_reports_its_own_rate_of_a_function_of_time():
    stack, _ = real_stack(schedule=Exponential(0.5), max_iter=4, tol=0.0)
    rates = [report.learning_rate for (report,) in epochs(stack)]
    assert rates == [0.1, 0.05, 0.025, 0.0125]
