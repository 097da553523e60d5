"""Configuration of Sphinx."""

import sys
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
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "activation_table",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"skperceptron {release}"

autosummary_generate = True
autodoc_default_options = {"members": True, "inherited-members": True}
autodoc_typehints = "none"
# Inherited docstrings name terms of scikit-learn's glossary and labels of its guide.
suppress_warnings = ["ref.term", "ref.ref", "autosummary.import_cycle"]
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False
