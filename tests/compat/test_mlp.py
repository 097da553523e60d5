"""scikit-learn's tests of its multi-layer perceptrons, run with ours."""

from skperceptron import MLPClassifier, MLPRegressor
from tests.compat.adapter import own_tests

FLOAT32 = "float32 X is trained in float64 while the network is small (dtype='auto')."
FLOAT64 = "float32 X is trained in float64 (dtype='float64' is the default)."
OPTIMIZER = "Reads the private `_optimizer.learning_rate`."
PATIENCE = "Reads the private `_no_improvement_count`."

#: Why a test fails with our classes.
DIFFERENCES = {
    "test_verbose_sgd": "Wants the word Iteration; ours print a table of epochs.",
    "test_fit": "Writes and calls private parts: `_coef_grads`, `_random_state`, `_optimizer`.",
    "test_gradient": "Calls private parts: `_unpack`, `_loss_grad_lbfgs`.",
    "test_learning_rate_warmstart": OPTIMIZER,
    "test_adaptive_learning_rate": OPTIMIZER,
    "test_n_iter_no_change": PATIENCE,
    "test_n_iter_no_change_inf": PATIENCE,
    "test_mlp_param_dtypes[MLPClassifier-float32]": FLOAT64,
    "test_mlp_param_dtypes[MLPRegressor-float32]": FLOAT32,
    "test_preserve_feature_names[MLPClassifier]": "Fits to a single class, which ours refuse.",
    "test_mlp_diverging_loss": "Wants a diverged model with early stopping; ours raise an error.",
    "test_early_stopping_stratified": "Two things are wrong with y; ours report the other one.",
}

globals().update(
    own_tests(
        "sklearn.neural_network.tests.test_mlp",
        {
            "sklearn.neural_network.MLPClassifier": MLPClassifier,
            "sklearn.neural_network.MLPRegressor": MLPRegressor,
        },
    )
)
