"""The order of the gallery: slide by slide of the lecture, then by task."""

from pathlib import Path

ORDER = (
    *("plot_neuron", "plot_rosenblatt", "plot_universal_approximation", "plot_activations"),
    *("plot_vanishing_gradients", "plot_threshold", "plot_why_activations", "plot_binary"),
    *("plot_softmax_calibration", "plot_regression_outputs", "plot_forecasting"),
    *(
        "grid_search",
        "plot_stacked_search",
        "plot_cross_ensemble",
        "plot_mnist",
        "plot_early_stopping",
    ),
    *("plot_regularization", "plot_learning_rate_range", "plot_imbalanced", "plot_quantiles"),
    *("plot_tables", "plot_text_sparse", "plot_out_of_core", "plot_checkpoint"),
)


def place(file):
    """Return an example's place in the order; examples without one come last, by name."""
    name = Path(file).stem
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)
