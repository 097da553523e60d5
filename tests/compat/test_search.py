"""scikit-learn's tests of its searches, run with the stacked ones."""

from skperceptron.model_selection import StackedGridSearchCV, StackedRandomizedSearchCV
from tests.compat.adapter import own_tests

globals().update(
    own_tests(
        "sklearn.model_selection.tests.test_search",
        {
            "sklearn.model_selection.GridSearchCV": StackedGridSearchCV,
            "sklearn.model_selection.RandomizedSearchCV": StackedRandomizedSearchCV,
        },
    )
)
