"""Configuration of Sphinx."""

import sys
import urllib.request
from pathlib import Path

import skperceptron

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "skperceptron"
author = "the skperceptron developers"
copyright = f"2026, {author}"
version = release = skperceptron.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    # Formulas are shown without the internet, too.
    "sphinx-mathjax-offline",
    "sphinx.ext.viewcode",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "matplotlib.sphinxext.plot_directive",
    "activation_table",
    "component_table",
    "code_blocks",
    "gallery_sections",
    "see_also",
    "api_members",
    "where_defined",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = f"skperceptron {release}"
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "show_toc_level": 2,
    "show_prev_next": True,
}
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False

autosummary_generate = True
# Only the names in __all__ are public.
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
suppress_warnings = [
    # Inherited docstrings name terms of scikit-learn's glossary and labels of its guide.
    *("ref.term", "ref.ref", "autosummary.import_cycle"),
    # The templates' functions (api_members) are not stored with the build's environment.
    "config.cache",
]
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False
numpydoc_validation_checks = {
    "all",
    "ES01",  # many docstrings have one line only
    "EX01",  # not each method needs an example
    "GL02",  # comments on attributes
    "GL08",  # hooks and overrides inherit their docstrings
    "PR01",  # parameters are documented with the class, or inherited
    "PR07",  # where the type says all
    "RT01",  # "Return ..." in one line
    "RT02",
    "RT03",
    "SA01",
}
# Inherited, mostly from scikit-learn, which validates its own.
numpydoc_validation_exclude = {
    r"\.set_\w+_request$",
    r"\.(get|set)_params$",
    r"\.score$",
    # Every exception of Python has them.
    r"\.(add_note|with_traceback)$",
}

copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 150)]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/\w+\.py$",
    "min_reported_time": 1,
    "within_subsection_order": "gallery_order.place",
    "abort_on_example_error": True,
    "backreferences_dir": "api/backreferences",
    "doc_module": ("skperceptron",),
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
}


def reachable(inventory):
    """Tell whether another project's inventory can be read, so that builds work offline, too."""
    try:
        with urllib.request.urlopen(inventory, timeout=5):
            return True
    except OSError:
        return False


intersphinx_mapping = {
    name: (address, None)
    for name, address in {
        "python": "https://docs.python.org/3/",
        "numpy": "https://numpy.org/doc/stable/",
        "scipy": "https://docs.scipy.org/doc/scipy/",
        "sklearn": "https://scikit-learn.org/stable/",
        "matplotlib": "https://matplotlib.org/stable/",
    }.items()
    if reachable(f"{address}objects.inv")
}
