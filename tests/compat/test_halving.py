"""scikit-learn's tests of its searches by halving, run with the stacked ones."""

from skperceptron.model_selection import StackedHalvingGridSearchCV, StackedHalvingRandomSearchCV
from tests.compat.adapter import own_tests

DIFFERENCES = {
    "test_base_estimator_inputs": "Counts calls of set_params; ours set parameters once more.",
}

globals().update(
    own_tests(
        "sklearn.model_selection.tests.test_successive_halving",
        {
            "sklearn.model_selection.HalvingGridSearchCV": StackedHalvingGridSearchCV,
            "sklearn.model_selection.HalvingRandomSearchCV": StackedHalvingRandomSearchCV,
        },
    )
)
