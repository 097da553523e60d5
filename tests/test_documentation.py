"""The documentation keeps its promises: each slide, each example, each page."""

import importlib
import re
import runpy
from pathlib import Path

import pytest

import skperceptron
from skperceptron.activations import list_activations
from skperceptron.initializers import list_initializers
from skperceptron.losses import list_losses
from skperceptron.optimizers import list_optimizers
from skperceptron.schedules import list_schedules

ROOT = Path(__file__).parents[1]
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
CYRILLIC = "[\u0400-\u04ff]"

LECTURE = (DOCS / "lecture.rst").read_text(encoding="utf-8")
#: Headings and texts of the slides.
_, *PARTS = re.split(r"^(\d+\. .+)\n-{5,}\n", LECTURE, flags=re.MULTILINE)
SLIDES = list(zip(PARTS[::2], PARTS[1::2], strict=True))


def test_lecture_guide_has_every_slide():
    assert [int(heading.split(".")[0]) for heading, _ in SLIDES] == list(range(1, 18))


@pytest.mark.parametrize(("heading", "text"), SLIDES, ids=range(1, len(SLIDES) + 1))
def test_slide_has_both_languages_formula_code_and_picture(heading, text):
    english, russian = heading.split(" \N{EM DASH} ")
    assert re.search("[A-Za-z]", english) and not re.search(CYRILLIC, english)
    assert re.search(CYRILLIC, russian)
    if not heading.startswith("7."):
        assert ".. math::" in text
    assert "\n>>> " in text
    assert ".. figure::" in text or ".. plot::" in text


def test_pictures_of_the_lecture_are_made_by_examples():
    pictures = re.findall(r"/gallery/images/sphx_glr_(\w+)_\d+\.png", LECTURE)
    assert len(pictures) > 9
    for name in pictures:
        assert (EXAMPLES / f"{name}.py").exists()


def test_gallery_has_an_order_for_every_example():
    order = runpy.run_path(str(DOCS / "_ext" / "gallery_order.py"))["ORDER"]
    assert sorted(order) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", ["losses", "optimizers", "schedules", "initializers"])
def test_table_of_a_page_has_a_row_for_every_name(name, monkeypatch):
    pytest.importorskip("docutils")
    assert f".. component-table:: {name}" in (DOCS / f"{name}.rst").read_text(encoding="utf-8")
    rows = runpy.run_path(str(DOCS / "_ext" / "component_table.py"))["rows"]
    module = importlib.import_module(f"skperceptron.{name}")
    strings = {word for (cell,), *_ in rows(module) for word in re.findall('"([^"]+)"', cell)}
    assert strings >= set(getattr(module, f"list_{name}")())


@pytest.mark.parametrize("name", skperceptron.__all__)
def test_no_list_of_names_in_a_docstring_is_left_unfilled(name):
    documentation = getattr(skperceptron, name).__doc__
    assert not re.search(r"\{[a-z_]+\}", documentation)


def test_docstrings_name_every_component_that_has_a_name():
    documentation = skperceptron.MLPRegressor.__doc__
    for names in (list_activations(), list_losses("regression"), list_optimizers()):
        assert all(f'"{name}"' in documentation for name in names)
    for names in (list_schedules(), list_initializers()):
        assert all(f'"{name}"' in documentation for name in names)


def test_no_page_is_hidden_by_one_that_sphinx_makes():
    assert not {path.stem for path in DOCS.glob("*.rst")} & {"search", "genindex", "py-modindex"}


def test_glossary_has_english_and_russian_in_order():
    text = (DOCS / "glossary.rst").read_text(encoding="utf-8")
    _, *rows = re.findall(r"^   \* - (.*)\n     - (.*)\n     - (.+)", text, flags=re.MULTILINE)
    assert len(rows) > 50
    assert [term.lower() for term, _, _ in rows] == sorted(term.lower() for term, _, _ in rows)
    for term, russian, _ in rows:
        assert re.search("[A-Za-z]", term) and re.search(CYRILLIC, russian)
