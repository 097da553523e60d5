"""scikit-learn's tests of its functions with many fits, run with the stacked functions."""

import sklearn
from sklearn.utils.fixes import parse_version

from skperceptron import model_selection
from tests.compat.adapter import own_tests

NAMES = [
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "learning_curve",
    "validation_curve",
]

DIFFERENCES = {
    "test_cross_validate_invalid_scoring_param": "Expects another message for other names.",
    **{
        f"test_fit_param_deprecation[stacked_{name}-extra_args{i}]": "Lacks the old fit_params."
        for name, i in (("learning_curve", 0), ("validation_curve", 2))
    },
}

if parse_version(sklearn.__version__) >= parse_version("1.9"):
    # These tests take the name of the function for that of the caller in metadata routing. Before
    # scikit-learn 1.9, a name without any record passed.
    DIFFERENCES |= {
        f"test_validation_functions_routing[stacked_{name}-extra_args{i}]": "Wants another caller."
        for name, i in zip(NAMES, (2, 1, 0, 3, 5), strict=True)
    }

globals().update(
    own_tests(
        "sklearn.model_selection.tests.test_validation",
        {
            f"sklearn.model_selection.{name}": getattr(model_selection, f"stacked_{name}")
            for name in NAMES
        },
    )
)
