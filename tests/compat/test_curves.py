"""scikit-learn's tests of its functions with many fits, run with the stacked functions."""

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

#: The test takes the name of the function for that of the caller in metadata routing; that of
#: scikit-learn 1.6 does not.
DIFFERENCES_OF_SOME_VERSIONS = {
    "test_validation_functions_routing": "Wants another name of the caller."
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
