"""scikit-learn's tests of its searches, run with the stacked ones."""

from skperceptron.model_selection import StackedGridSearchCV, StackedRandomizedSearchCV
from tests.compat.adapter import own_tests

OWN = own_tests(
    "sklearn.model_selection.tests.test_search",
    {
        "sklearn.model_selection.GridSearchCV": StackedGridSearchCV,
        "sklearn.model_selection.RandomizedSearchCV": StackedRandomizedSearchCV,
    },
)
globals().update(OWN)


def test_custom_run_search(monkeypatch):
    """Compare fitted attributes with those of a search that is not stacked and has no curves."""

    def listed(search):
        return [name for name in object.__dir__(search) if name != "curves_"]

    monkeypatch.setattr(StackedGridSearchCV, "__dir__", listed, raising=False)
    OWN["test_custom_run_search"]()
