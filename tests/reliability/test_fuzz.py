"""Random calls of estimators end with a finite model or with a clear error."""

import numpy as np
import pytest
from draws import ESTIMATORS, FAMILIES, Draws
from fuzz import Checked, Fault, Report, run_case
from sklearn.base import BaseEstimator

import skperceptron
from skperceptron import components

#: Number of parts that may run in parallel.
PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
def test_every_outcome_is_a_finite_model_or_a_clear_error(part, request):
    seed = request.config.getoption("fuzz_seed")
    numbers = range(part, request.config.getoption("cases"), PARTS)
    reports = [run_case(seed, number) for number in numbers]
    faults = [report.text(seed) for report in reports if report.fault is not None]
    assert not faults, "\n\n".join([f"{len(faults)} faults", *faults])


def test_equal_numbers_draw_equal_cases():
    stories = [run_case(7, 11).story for _ in range(2)]
    assert stories[0] == stories[1]
    assert run_case(7, 12).story != stories[0]


def test_all_estimators_and_components_are_drawn():
    draws = Draws(np.random.default_rng(0))
    public = {getattr(skperceptron, name) for name in skperceptron.__all__}
    assert set(ESTIMATORS) == {cls for cls in public if hasattr(cls, "partial_fit")}
    for name, (module, base) in FAMILIES.items():
        cls = skperceptron.MLPRegressor
        drawn = [draws.family_member(cls, name) for _ in range(600)]
        found = {of if isinstance(of, str) else type(of) for of in drawn if of is not None}
        for component in components.public_classes(module, base):
            if component.names and (name != "loss" or component.task == "regression"):
                assert found & {component, *component.names}, component


class Faulty(BaseEstimator):
    """Violates one of the rules that the fuzz test checks."""

    def __init__(self, violation="none"):
        self.violation = violation

    def fit(self, X, y):
        self.fitted_ = True
        if self.violation == "changes X":
            X[0] = 0
        elif self.violation == "changes a parameter":
            self.violation = "gone"
        elif self.violation == "warns":
            np.log(np.zeros(1))
        elif self.violation == "leaves a half fit":
            raise ValueError("X must be something else.")
        elif self.violation == "gives an unclear error":
            del self.fitted_
            raise ValueError("bad")
        elif self.violation == "crashes":
            raise KeyError("X")
        return self


@pytest.mark.parametrize(
    ("violation", "message"),
    [
        ("changes X", "changed its inputs or parameters"),
        ("changes a parameter", "changed its inputs or parameters"),
        ("warns", "raised RuntimeWarning"),
        ("leaves a half fit", "failed and changed the estimator"),
        ("gives an unclear error", "raised an error that explains nothing: bad"),
        ("crashes", "raised KeyError"),
    ],
)
def test_faults_of_an_estimator_are_found(violation, message):
    X, y = np.ones((3, 1)), np.arange(3)
    Checked(Faulty(), Report(0)).call("fit", X, y, trains=True)
    with pytest.raises(Fault, match=message):
        Checked(Faulty(violation), Report(0)).call("fit", X, y, trains=True)
