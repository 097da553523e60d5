"""Every schedule computes the next learning rate from the training so far.

A new one needs one row of ``TEXTBOOK``.
"""

import inspect
import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from skperceptron import MLPRegressor, MLPSoftmaxClassifier, schedules
from skperceptron.model_selection import StackedGridSearchCV
from skperceptron.schedules import (
    Adaptive,
    Constant,
    Cosine,
    CosineLog,
    Exponential,
    FlatCosine,
    InverseScaling,
    LinearWarmup,
    OneCycle,
    Schedule,
    Step,
    TimeSchedule,
    UserSchedule,
    WarmupCosine,
    get_schedule,
    get_time_schedule,
    list_schedules,
    list_time_schedules,
)

SCHEDULES = [get_schedule(name) for name in list_schedules()]
BY_TIME = [schedule for schedule in SCHEDULES if isinstance(schedule, TimeSchedule)]
EVERY_TIME_SCHEDULE = pytest.mark.parametrize("schedule", BY_TIME, ids=repr)
EVERY_SCHEDULE = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)


# The textbook: the learning rate of each step, from the state of the training.

#: The training in which the formulas are compared.
RATE, N_EPOCHS, N_STEPS, N_ROWS = 0.3, 20, 4, 30
#: Epochs, counted from 1, at whose end progress has ended.
PLATEAUS = (5, 9, 10, 15, 18)


@dataclass
class Moment:
    """The state of a training at the beginning of a step.

    Attributes
    ----------
    time : float
        Epochs since training began.
    rows : int
        Rows processed in earlier epochs.
    plateaus : int
        How often progress has ended.
    """

    time: float
    rows: int
    plateaus: int


def half_cosine(share):
    """Fall from 1 to 0 while the share rises from 0 to 1."""
    return (1 + math.cos(math.pi * min(max(share, 0), 1))) / 2


def textbook_adaptive(s, now):
    """Divide the rate at each plateau, until it is at or below the smallest."""
    rate = RATE
    for _ in range(now.plateaus):
        if rate <= s.smallest:
            return 0.0
        rate /= s.divisor
    return rate / RATE


def textbook_cosine(s, now):
    """Loshchilov & Hutter (2017), equation 5, with warm-up; it counts periods in a loop."""
    if now.time < s.warmup:
        return now.time / s.warmup
    since = now.time - s.warmup
    period = N_EPOCHS - s.warmup if s.period is None else s.period
    while s.period is not None and since >= period:
        since, period = since - period, period * s.stretch
    return s.lowest + (1 - s.lowest) * half_cosine(since / period)


def textbook_one_cycle(s, now):
    """Smith (2018), with half cosines in place of lines."""
    top = s.rise * N_EPOCHS
    if now.time < top:
        return 1 - (1 - s.first) * half_cosine(now.time / top)
    return s.last + (1 - s.last) * half_cosine((now.time - top) / (N_EPOCHS - top))


def textbook_warmup_cosine(s, now):
    """Like Cosine, whose warm-up is given in epochs."""
    return textbook_cosine(Cosine(warmup=s.warmup * N_EPOCHS), now)


def textbook_cosine_log(s, now):
    """Holzmüller et al. (2024): cycles in a loop, each twice as long as the one before."""
    done, begins, length = now.time / N_EPOCHS, 0.0, 1 / (2**s.cycles - 1)
    while done >= begins + length:
        begins, length = begins + length, 2 * length
    return (1 - math.cos(2 * math.pi * math.log2(1 + (done - begins) / length))) / 2


#: An independent formula for every class: the factor on the initial rate, 0 if training has ended.
TEXTBOOK = {
    Adaptive: textbook_adaptive,
    Constant: lambda s, now: 1.0,
    Cosine: textbook_cosine,
    CosineLog: textbook_cosine_log,
    FlatCosine: lambda s, now: half_cosine((now.time / N_EPOCHS - s.flat) / (1 - s.flat)),
    Exponential: lambda s, now: s.decay ** int(now.time),
    InverseScaling: lambda s, now: (now.rows + 1) ** -s.power_t,
    LinearWarmup: lambda s, now: (
        1.0 if now.time >= s.epochs else s.first + (1 - s.first) * now.time / s.epochs
    ),
    OneCycle: textbook_one_cycle,
    Step: lambda s, now: s.decay ** (now.time // s.every),
    UserSchedule: lambda s, now: s.function(now.time),
    WarmupCosine: textbook_warmup_cosine,
}
# No parameter keeps its default: one that is ignored would go unnoticed.
UNUSUAL = [
    Adaptive(3.0, 0.02),
    Cosine(warmup=3.0, lowest=0.1),
    Cosine(warmup=2.5, period=2.0, stretch=1.5, lowest=0.2),
    Cosine(period=4.5),
    CosineLog(3),
    Exponential(0.8),
    FlatCosine(0.7),
    InverseScaling(0.3),
    LinearWarmup(7.5, 0.3),
    OneCycle(0.4, 0.1, 0.01),
    Step(3, 0.5),
    UserSchedule(lambda time: 1 / (1 + time)),
    WarmupCosine(0.15),
]


def classes():
    found = [getattr(schedules, name) for name in schedules.__all__]
    found = {one for one in found if inspect.isclass(one) and issubclass(one, Schedule)}
    return found - {Schedule, TimeSchedule}


def test_every_schedule_has_an_independent_formula():
    assert set(TEXTBOOK) == classes()


def test_every_parameter_of_every_schedule_is_tested_off_its_default():
    for cls in classes():
        tested = [schedule.get_params() for schedule in UNUSUAL if type(schedule) is cls]
        for name, parameter in inspect.signature(cls).parameters.items():
            assert any(found[name] != parameter.default for found in tested), (cls, name)


def rates_of_a_training(schedule):
    """Yield the moment and the rate of each step, called as in training."""
    rate, n_plateaus = RATE, 0
    for epoch in range(N_EPOCHS):
        times = epoch + np.arange(N_STEPS) / N_STEPS
        found = np.broadcast_to(schedule.rates(RATE, rate, times, N_EPOCHS), N_STEPS)
        for time, of_step in zip(times, found, strict=True):
            yield Moment(float(time), epoch * N_ROWS, n_plateaus), of_step
        rate = schedule.after_epoch(RATE, rate, (epoch + 1) * N_ROWS)
        if schedule.heeds_plateaus and epoch + 1 in PLATEAUS:
            n_plateaus += 1
            rate = schedule.after_plateau(rate) or 0.0


@pytest.mark.parametrize("schedule", SCHEDULES + UNUSUAL, ids=lambda one: type(one).__name__)
def test_rate_of_every_step_is_that_of_the_formula(schedule):
    moments, found = zip(*rates_of_a_training(schedule), strict=True)
    expected = [RATE * TEXTBOOK[type(schedule)](schedule, now) for now in moments]
    assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@EVERY_SCHEDULE
def test_rate_after_an_epoch_stays_positive_finite_and_never_rises(schedule):
    rate = 0.1
    for epoch in range(1, 1000):
        following = schedule.after_epoch(0.1, rate, epoch * 150)
        assert 0 < following <= rate
        rate = following


@EVERY_SCHEDULE
def test_rate_does_not_depend_on_earlier_rates(schedule):
    first = schedule.after_epoch(0.1, 0.05, 300)
    schedule.after_epoch(0.1, 0.001, 10**9)
    schedule.after_plateau(0.001)
    assert schedule.after_epoch(0.1, 0.05, 300) == first
    assert clone(schedule).after_epoch(0.1, 0.05, 300) == first


@EVERY_SCHEDULE
def test_plateaus_end_the_training_sooner_or_later(schedule):
    rate, plateaus = 0.1, 0
    while rate is not None and plateaus < 100:
        following = schedule.after_plateau(rate)
        assert following is None or following < rate
        rate, plateaus = following, plateaus + 1
    assert rate is None


def test_names_of_functions_of_time_are_those_of_their_classes():
    assert {get_schedule(name).names[0] for name in list_time_schedules()} == {
        schedule.names[0] for schedule in BY_TIME
    }
    assert get_time_schedule("flat_cosine").get_params() == {"flat": 0.5}
    assert get_time_schedule(math.cos).function is math.cos
    with pytest.raises(ValueError, match="Unknown timeschedule 'adaptive'"):
        get_time_schedule("adaptive")


def test_constant_rate_stays_and_ends_at_the_first_plateau():
    assert Constant().after_epoch(0.1, 0.1, 12_345) == 0.1
    assert Constant().after_plateau(0.1) is None


@pytest.mark.parametrize("power_t", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("rows_seen", [1, 150, 10**6])
def test_inverse_scaling_divides_by_a_power_of_the_number_of_processed_rows(power_t, rows_seen):
    found = InverseScaling(power_t).after_epoch(0.3, 0.01, rows_seen)
    assert found == pytest.approx(0.3 / (rows_seen + 1) ** power_t, rel=1e-15)


def test_inverse_scaling_ends_at_the_first_plateau():
    assert InverseScaling().after_plateau(0.1) is None


def test_adaptive_rate_is_divided_by_five_down_to_a_millionth():
    rates = [0.1]
    while (following := Adaptive().after_plateau(rates[-1])) is not None:
        rates.append(following)
    np.testing.assert_allclose(rates, 0.1 / 5.0 ** np.arange(len(rates)), rtol=1e-14)
    assert rates[-1] <= 1e-6 < rates[-2]
    assert Adaptive().after_epoch(0.1, 0.004, 300) == 0.004
    assert Adaptive(smallest=0.1).after_plateau(0.1) is None


# Functions of time.


def name_of(value):
    return type(value).__name__ if isinstance(value, TimeSchedule) else ""


EPOCHS = np.arange(float(N_EPOCHS))


@EVERY_TIME_SCHEDULE
def test_factors_are_finite_never_negative_and_at_most_one(schedule):
    factors = schedule.factor(np.linspace(0, N_EPOCHS, 1000), N_EPOCHS)
    assert np.isfinite(factors).all()
    assert (factors >= 0).all() and (factors <= 1 + 1e-12).all()
    assert factors.max() > 0.9


@EVERY_TIME_SCHEDULE
def test_each_step_has_a_rate_of_its_own_time(schedule):
    times = np.linspace(0, N_EPOCHS, 50)
    rates = schedule.rates(0.3, 123.0, times, N_EPOCHS)
    alone = [schedule.rates(0.3, 123.0, times[i : i + 1], N_EPOCHS)[0] for i in range(50)]
    assert_array_equal(rates, alone)


@pytest.mark.parametrize(
    "schedule, times, expected",
    [
        (Step(3, 0.5), [0, 2.9, 3, 6, 8.5], [1, 1, 0.5, 0.25, 0.25]),
        (Exponential(0.9), [0, 0.5, 1, 2.5], [1, 1, 0.9, 0.81]),
        (Cosine(), [0, 5, 10, 20, 30], [1, 0.5 + np.sqrt(0.125), 0.5, 0, 0]),
        (Cosine(lowest=0.2), [0, 10, 20], [1, 0.6, 0.2]),
        (Cosine(warmup=4), [0, 1, 2, 4, 12, 20], [0, 0.25, 0.5, 1, 0.5, 0]),
        (Cosine(period=4), [0, 2, 4, 6, 8], [1, 0.5, 1, 0.5, 1]),
        (Cosine(period=1.1), [1.1, 3.3, 6.6], [1, 1, 1]),
        (Cosine(period=2, stretch=2), [0, 1, 2, 4, 6, 10, 14], [1, 0.5, 1, 0.5, 1, 0.5, 1]),
        (OneCycle(0.5, 0.1, 0.01), [0, 5, 10, 15, 20], [0.1, 0.55, 1, 0.505, 0.01]),
        (LinearWarmup(10, 0.2), [0, 5, 10, 20], [0.2, 0.6, 1, 1]),
        (UserSchedule(lambda t: 1 / (1 + t)), [0, 1, 3], [1, 0.5, 0.25]),
    ],
    ids=name_of,
)
def test_factors_at_chosen_times(schedule, times, expected):
    found = schedule.factor(np.array(times, dtype=float), N_EPOCHS)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_cosine_falls_within_a_single_epoch_too():
    assert_allclose(Cosine().factor(np.array([0, 0.5, 1]), 1), [1, 0.5, 0], atol=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize(
    "schedule, make",
    [
        (Step(3, 0.5), lambda s, o: s.StepLR(o, 3, 0.5)),
        (Exponential(0.8), lambda s, o: s.ExponentialLR(o, 0.8)),
        (Cosine(lowest=0.1), lambda s, o: s.CosineAnnealingLR(o, N_EPOCHS, eta_min=0.03)),
        (Cosine(period=5), lambda s, o: s.CosineAnnealingWarmRestarts(o, 5)),
        (Cosine(period=2, stretch=2), lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 2)),
        (LinearWarmup(4, 0.1), lambda s, o: s.LinearLR(o, 0.1, total_iters=4)),
    ],
    ids=name_of,
)
def test_rates_are_those_of_pytorch(schedule, make):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    theirs = make(torch.optim.lr_scheduler, optimizer)
    expected = []
    for _ in EPOCHS:
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert_allclose(schedule.rates(0.3, 0.3, EPOCHS, N_EPOCHS), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.torch
def test_one_cycle_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    n = 40
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3, momentum=0.9)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.3, total_steps=n, pct_start=0.3, div_factor=25, final_div_factor=1e4
    )
    expected = []
    for _ in range(n):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(expected) < n:
            theirs.step()
    # PyTorch's rise ends with step 0.3 n - 1, ours at 0.3 of the time.
    rise = (0.3 * n - 1) / (n - 1)
    ours = OneCycle(rise).rates(0.3, 0.3, np.arange(n) / (n - 1), 1)
    assert_allclose(ours, expected, rtol=1e-9)


# Through the estimators.

X, Y = load_iris(return_X_y=True)
OPTIONS = {"hidden_layer_sizes": (5,), "max_iter": 6, "batch_size": 30, "random_state": 0}
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@quiet
@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw"])
def test_every_step_has_the_rate_of_its_time(solver):
    seen = []

    def factor(time):
        seen.append(time)
        return 0.5

    slow = MLPSoftmaxClassifier(**OPTIONS, solver=solver, learning_rate=factor).fit(X, Y)
    half = MLPSoftmaxClassifier(**OPTIONS, solver=solver, learning_rate_init=0.0005).fit(X, Y)
    assert_allclose(slow.coefs_[0], half.coefs_[0], rtol=1e-12)
    assert_allclose(sorted(set(seen)), np.arange(30) / 5)


@quiet
def test_time_goes_on_in_partial_fit():
    seen = []

    def factor(time):
        seen.append(time)
        return 1.0

    model = MLPSoftmaxClassifier(**OPTIONS, learning_rate=factor)
    for _ in range(3):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    assert_allclose(sorted(set(seen)), np.arange(15) / 5)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", OneCycle()], ids=repr)
def test_schedules_that_must_know_the_end_are_refused_in_partial_fit(schedule):
    with pytest.raises(ValueError, match="partial_fit does not support learning_rate="):
        MLPRegressor(**OPTIONS, learning_rate=schedule).partial_fit(X, Y)


@quiet
def test_parameters_of_a_schedule_are_searched():
    model = MLPSoftmaxClassifier(**OPTIONS, learning_rate=Exponential())
    search = GridSearchCV(model, {"learning_rate__decay": [0.5, 1.0]}, cv=2).fit(X, Y)
    assert search.best_estimator_.learning_rate.decay == search.best_params_["learning_rate__decay"]


@pytest.mark.parametrize(
    "schedule, fragment",
    [
        (Step(0), "'every' parameter of Step"),
        (Exponential(1.5), r"'decay' parameter of Exponential .*\(0, 1\]"),
        (Cosine(period=-1), "'period' parameter of Cosine"),
        (OneCycle(rise=1.0), "'rise' parameter of OneCycle"),
        (CosineLog(1001), r"'cycles' parameter of CosineLog .* an int in the range \[1, 1000\]"),
        (lambda time: np.nan, "must return finite factors >= 0"),
        (lambda time: -1.0, "must return finite factors >= 0"),
    ],
    ids=["step", "exponential", "cosine", "one cycle", "cosine log", "nan", "negative"],
)
def test_bad_schedules_are_refused(schedule, fragment):
    with pytest.raises(ValueError, match=fragment):
        MLPRegressor(**OPTIONS, learning_rate=schedule).fit(X, Y)


def test_other_objects_are_refused_as_schedules_with_their_type():
    with pytest.raises(TypeError, match="schedule must be a string or a Schedule"):
        get_schedule(3)


def test_inverse_scaling_falls_to_zero_where_the_power_overflows():
    # The power of an integer would take minutes.
    for power_t in (1e3, 10**8):
        assert InverseScaling(power_t).after_epoch(0.1, 0.1, 50) == 0.0


def test_largest_number_of_cosine_cycles_gives_finite_rates():
    assert np.isfinite(CosineLog(1000).factor(np.linspace(0, 9, 50), 9)).all()


@EVERY_SCHEDULE
def test_schedules_that_react_to_plateaus_say_so(schedule):
    assert schedule.heeds_plateaus == (schedule.after_plateau(0.1) is not None)


class Counting(Schedule):
    """Counts the epochs, which the package does not ask for."""

    def after_epoch(self, initial, current, rows_seen):
        self.n_epochs = getattr(self, "n_epochs", 0) + 1
        return initial / self.n_epochs


def test_a_schedule_that_counts_has_its_own_count_for_each_network_of_a_stack():
    X = np.random.RandomState(0).normal(size=(40, 3))
    model = MLPRegressor(
        hidden_layer_sizes=(4,), learning_rate=Counting(), solver="sgd", max_iter=9, random_state=0
    )
    alone, together = (
        search(model, {"alpha": [0.1, 1.0]}, cv=2).fit(X, X[:, 0]).cv_results_["mean_test_score"]
        for search in (GridSearchCV, StackedGridSearchCV)
    )
    assert_allclose(together, alone, rtol=1e-6)
