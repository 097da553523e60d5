"""Every schedule maps what has happened so far to the next learning rate."""

import numpy as np
import pytest
from sklearn.base import clone

from skperceptron import schedules
from skperceptron.schedules import Adaptive, Constant, InverseScaling, Schedule

SCHEDULES = [
    value()
    for name, value in sorted(vars(schedules).items())
    if isinstance(value, type) and issubclass(value, Schedule) and value is not Schedule
    if not name.startswith("_")
]
EVERY_SCHEDULE = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)


@EVERY_SCHEDULE
def test_rate_stays_positive_finite_and_never_rises(schedule):
    rate = 0.1
    for epoch in range(1, 1000):
        following = schedule.after_epoch(0.1, rate, epoch * 150)
        assert 0 < following <= rate
        rate = following


@EVERY_SCHEDULE
def test_schedule_has_no_memory(schedule):
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


def test_constant_rate_stays_and_ends_at_the_first_plateau():
    assert Constant().after_epoch(0.1, 0.1, 12_345) == 0.1
    assert Constant().after_plateau(0.1) is None


@pytest.mark.parametrize("power_t", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("rows_seen", [1, 150, 10**6])
def test_inverse_scaling_divides_by_a_power_of_the_rows_seen(power_t, rows_seen):
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
