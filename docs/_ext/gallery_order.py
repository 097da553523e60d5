"""The sections of the gallery: first steps, the slides of the lecture in order, then tasks."""

from pathlib import Path

SECTIONS = {
    "First steps": ("grid_search", "plot_tables", "plot_mnist"),
    "How networks work: the lecture in pictures": (
        "plot_neuron",
        "plot_playground",
        "plot_rosenblatt",
        "plot_universal_approximation",
        "plot_activations",
        "plot_vanishing_gradients",
        "plot_threshold",
        "plot_why_activations",
        "plot_binary",
        "plot_softmax_calibration",
        "plot_regression_outputs",
    ),
    "Training well": (
        "plot_learning_rate_range",
        "plot_early_stopping",
        "plot_regularization",
        "plot_checkpoint",
    ),
    "Searches and ensembles": (
        "plot_stacked_search",
        "plot_cross_ensemble",
        "plot_distill",
        "plot_presets_search",
    ),
    "Kinds of data": (
        "plot_calibration_tables",
        "plot_text_sparse",
        "plot_imbalanced",
        "plot_quantiles",
        "plot_forecasting",
        "plot_out_of_core",
        "plot_cluster",
    ),
}

ORDER = tuple(name for names in SECTIONS.values() for name in names)


def place(file):
    """Return the sort key of an example; examples without a section come last, by name."""
    name = Path(file).stem
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)
