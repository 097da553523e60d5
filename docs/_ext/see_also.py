"""Links between a page of the guide and its examples in the gallery.

Both directions come from the table ``EXAMPLES``. Pages of the guide have their links at the end,
examples before their downloads.
"""

EXAMPLES = {
    "activations": ("plot_activations", "plot_threshold", "plot_why_activations"),
    "big_data": ("plot_out_of_core", "plot_text_sparse"),
    "callbacks": ("plot_checkpoint",),
    "checkpoints": ("plot_checkpoint",),
    "clusters": ("plot_cluster",),
    "deployment": ("plot_forecasting",),
    "estimators": ("plot_binary", "plot_regression_outputs", "plot_forecasting", "plot_distill"),
    "getting_started": ("grid_search", "plot_tables", "plot_mnist", "plot_neuron"),
    "grid_search": (
        "plot_stacked_search",
        "plot_cross_ensemble",
        "plot_presets_search",
        "grid_search",
    ),
    "imbalanced": ("plot_imbalanced", "plot_softmax_calibration"),
    "initializers": ("plot_vanishing_gradients",),
    "inspection": ("plot_playground", "plot_neuron", "plot_vanishing_gradients", "plot_mnist"),
    "losses": ("plot_quantiles", "plot_regression_outputs", "plot_imbalanced"),
    "mathematics": ("plot_vanishing_gradients", "plot_why_activations"),
    "migration": ("plot_mnist",),
    "mixed_data": ("plot_tables",),
    "optimizers": ("plot_learning_rate_range",),
    "parity": ("plot_mnist",),
    "practical_tips": ("plot_learning_rate_range", "plot_early_stopping", "plot_regularization"),
    "preprocessing": ("plot_tables",),
    "regularization": ("plot_regularization", "plot_early_stopping"),
    "rosenblatt": ("plot_rosenblatt",),
    "schedules": ("plot_learning_rate_range",),
    "stopping": ("plot_early_stopping", "plot_checkpoint"),
    "tables": (
        "plot_tables",
        "plot_calibration_tables",
        "plot_presets_search",
        "plot_cross_ensemble",
        "plot_distill",
    ),
    "lecture": ("plot_playground", "plot_universal_approximation"),
}


def guides_of(example):
    """Return the pages of the guide that link to an example."""
    return [page for page, examples in EXAMPLES.items() if example in examples]


def strip(title, links):
    """Return the source of a box with links."""
    return f"\n\n.. admonition:: {title}\n   :class: seealso\n\n   {' · '.join(links)}\n\n"


def on_source_read(app, docname, source):
    if docname in EXAMPLES:
        links = [f":ref:`sphx_glr_gallery_{name}.py`" for name in EXAMPLES[docname]]
        source[0] += strip("In the gallery", links)
    folder, _, name = docname.partition("/")
    pages = guides_of(name) if folder == "gallery" else []
    if pages:
        end = f".. _sphx_glr_download_gallery_{name}.py:"
        links = [f":doc:`/{page}`" for page in pages]
        source[0] = source[0].replace(end, strip("In the user guide", links) + end)


def setup(app):
    """Register the handler."""
    app.connect("source-read", on_source_read)
    return {"parallel_read_safe": True}
