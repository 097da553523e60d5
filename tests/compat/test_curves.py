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
CALLER = "Takes the name of the function for the name of the caller in metadata routing."

DIFFERENCES = {
    "test_cross_validate_invalid_scoring_param": "Wants other words for names that are no texts.",
    **{
        f"test_validation_functions_routing[stacked_{name}-extra_args{i}]": CALLER
        for name, i in zip(
            ["cross_validate", "cross_val_score", "cross_val_predict", "learning_curve"],
            range(4),
            strict=True,
        )
    },
    "test_validation_functions_routing[stacked_validation_curve-extra_args5]": CALLER,
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
