"""Checks of the documentation: each slide, each example, each page."""

import importlib
import re
import runpy
from pathlib import Path
from unicodedata import normalize

import pytest

import skperceptron
from skperceptron import model_selection, tabular
from skperceptron.activations import list_activations
from skperceptron.initializers import list_initializers
from skperceptron.losses import list_losses
from skperceptron.optimizers import list_optimizers
from skperceptron.schedules import list_schedules
from tests.public import defaults_in_docstring, defaults_of
from tests.test_public_api import BEHIND_EXTRAS, MODULES

ROOT = Path(__file__).parents[1]
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
CYRILLIC = "[\u0400-\u04ff]"


def slides(name):
    """Return the headings and texts of the slides of a page."""
    text = (DOCS / f"{name}.rst").read_text(encoding="utf-8")
    _, *parts = re.split(r"^(\d+\. .+)\n-{5,}\n", text, flags=re.MULTILINE)
    return list(zip(parts[::2], parts[1::2], strict=True))


SLIDES, SLIDES_RU = slides("lecture"), slides("lecture_ru")


def plots(text):
    """Return the code of each picture of a slide, without prompts."""
    tools = extension("code_blocks")
    directives = re.findall(r"^\.\. plot::\n((?: .*\n|\n)+)", text + "\n", flags=re.MULTILINE)
    return ["\n".join(block.code for block in tools["blocks"](found)) for found in directives]


@pytest.mark.parametrize("name", MODULES)
def test_defaults_are_those_of_the_docstring(name):
    module = importlib.import_module(name)
    for thing in (getattr(module, n) for n in set(module.__all__) - BEHIND_EXTRAS.get(name, set())):
        written = defaults_in_docstring(thing) if callable(thing) else {}
        defaults = defaults_of(thing) if written else {}
        assert {name: defaults.get(name) for name in written} == written, thing


def test_lecture_guide_has_every_slide_in_both_languages():
    for pages in (SLIDES, SLIDES_RU):
        assert [int(heading.split(".")[0]) for heading, _ in pages] == list(range(1, 18))
    for (heading, _), (russian, _) in zip(SLIDES, SLIDES_RU, strict=True):
        assert heading.split(" \N{EM DASH} ")[1] == russian.split(". ", 1)[1]


@pytest.mark.parametrize(("heading", "text"), SLIDES, ids=range(1, len(SLIDES) + 1))
def test_slide_has_both_languages_formula_and_a_picture_made_by_code_that_is_shown(heading, text):
    english, russian = heading.split(" \N{EM DASH} ")
    assert re.search("[A-Za-z]", english) and not re.search(CYRILLIC, english)
    assert re.search(CYRILLIC, russian)
    if not heading.startswith("7."):
        assert ".. math::" in text
    assert plots(text)
    assert text.count(".. plot::") == text.count(":include-source:") == text.count(":alt:")
    assert ".. figure::" not in text and ".. image::" not in text


def test_code_and_formulas_of_the_lecture_are_the_same_in_both_languages():
    tools = extension("code_blocks")
    for (_, english), (_, russian) in zip(SLIDES, SLIDES_RU, strict=True):
        assert re.search(CYRILLIC, russian)
        code, again = ([block.text for block in tools["blocks"](t)] for t in (english, russian))
        assert code == again
        assert english.count(".. math::") == russian.count(".. math::")
        assert set(re.findall(r"sphx_glr_gallery_\w+", english)) == set(
            re.findall(r"sphx_glr_gallery_\w+", russian)
        )


@pytest.mark.filterwarnings("ignore")
def test_code_that_the_lecture_shows_draws_its_pictures():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = {}
    for heading, text in SLIDES:
        for code in plots(text):
            pyplot.close("all")
            exec(compile(code, heading, "exec"), names)
            assert len(pyplot.get_fignums()) == 1, heading
    pyplot.close("all")


def extension(name):
    return runpy.run_path(str(DOCS / "_ext" / f"{name}.py"))


def test_gallery_has_a_place_for_every_example():
    order = extension("gallery_order")["ORDER"]
    assert sorted(order) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("plot_*.py")), ids=lambda path: path.stem)
def test_every_picture_of_the_gallery_has_a_title_which_is_its_alternative_text(path):
    *pictures, _ = path.read_text(encoding="utf-8").split("plt.show()")
    assert pictures
    for picture in pictures:
        # A display of this package has a title of its own.
        assert re.search(r"title|(Activation|Weights)Display\.from", picture.split("# %%")[-1])


def test_index_of_the_gallery_is_divided_into_sections(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    tools = extension("gallery_sections")

    def picture(name):
        start = '.. raw:: html\n\n    <div class="sphx-glr-thumbcontainer">\n\n'
        return f"{start}  :doc:`/gallery/{name}`\n\n"

    names = ["plot_mnist", "plot_new", "plot_binary"]
    source = "Top\n" + tools["START"] + "".join(map(picture, names)) + tools["END"] + "Bottom"
    found = tools["cut"](source)
    places = ["Top", "First steps", "mnist", "How networks", "binary", "More", "new", "Bottom"]
    assert [found.index(word) for word in places] == sorted(found.index(word) for word in places)
    assert found.count(tools["START"]) == found.count(tools["END"]) == 3


def test_every_example_is_linked_from_a_page_of_the_guide_and_back():
    tools = extension("see_also")
    linked = {name for names in tools["EXAMPLES"].values() for name in names}
    assert linked == {path.stem for path in EXAMPLES.glob("*.py")}
    assert all((DOCS / f"{page}.rst").exists() for page in tools["EXAMPLES"])
    assert all(tools["guides_of"](name) for name in linked)


def cited():
    """Return the first author and the year of each citation in code and pages."""
    places = [*(ROOT / "skperceptron").rglob("*.py"), *EXAMPLES.glob("*.py")]
    places += [path for path in DOCS.rglob("*.rst") if path.name != "references.rst"]
    name = r"(?<!-)[A-Z][\w\u00c0-\u017f]+"
    pattern = rf"({name})(?:, {name})*(?: et al\.| (?:&|and) {name})? \(?((?:17|18|19|20)\d\d)\b"
    made = {"generated", "gallery", "_build", "backreferences"}
    return {
        (author, year)
        for path in places
        if not made & set(path.parts)
        for author, year in re.findall(
            pattern, re.sub(r"(SplitMix64|TabM),\s+|\s+", " ", path.read_text(encoding="utf-8"))
        )
    }


def test_references_are_the_cited_works_each_once():
    text = (DOCS / "references.rst").read_text(encoding="utf-8")
    entries = re.findall(r"^- \*\*(.+?) \((\d{4})\)", text, flags=re.MULTILINE)
    assert len(set(entries)) == len(entries) > 80
    plain = [normalize("NFKD", names) for names, _ in entries]
    first = [re.sub("[^a-z]", "", name.lower().split()[0]) for name in plain]
    assert first == sorted(first)
    found = cited()
    works = [{(name, year) for name in re.findall(r"\w+", names)} for names, year in entries]
    assert found <= set().union(*works)
    assert [work for work in works if not found & work] == []


#: Terms that readers search for, although the pages might use other names.
SEARCHED = """objective, cross entropy, overfitting, underfitting, learning rate, optimizer,
backpropagation, regularization, normalization, hyperparameter, missing values, categorical,
one-hot, GPU, weight decay, early stopping, class_weight, imbalanced, ONNX, convergence"""


@pytest.mark.parametrize("words", [word.strip() for word in SEARCHED.split(",")])
def test_words_that_readers_search_for_are_in_the_documentation(words):
    pages = [path.read_text(encoding="utf-8").lower() for path in DOCS.glob("*.rst")]
    assert any(words.lower() in page for page in pages)


@pytest.mark.parametrize("name", ["losses", "optimizers", "schedules", "initializers"])
def test_table_of_a_page_has_a_row_for_every_name(name):
    pytest.importorskip("docutils")
    assert f".. component-table:: {name}" in (DOCS / f"{name}.rst").read_text(encoding="utf-8")
    rows = runpy.run_path(str(DOCS / "_ext" / "component_table.py"))["rows"]
    module = importlib.import_module(f"skperceptron.{name}")
    strings = {word for (cell,), *_ in rows(module) for word in re.findall('"([^"]+)"', cell)}
    assert strings >= set(getattr(module, f"list_{name}")())


@pytest.mark.parametrize("module", [skperceptron, model_selection, tabular])
def test_no_placeholder_in_a_docstring_is_left_unfilled(module):
    for name in module.__all__:
        assert not re.search(r"\{[a-z_]+\}", getattr(module, name).__doc__), name


def test_docstrings_name_every_component_that_has_a_name():
    documentation = skperceptron.MLPRegressor.__doc__
    for names in (list_activations(), list_losses("regression"), list_optimizers()):
        assert all(f'"{name}"' in documentation for name in names)
    for names in (list_schedules(), list_initializers()):
        assert all(f'"{name}"' in documentation for name in names)
    for cls, tasks in (
        (skperceptron.MLPClassifier, {"multiclass"}),
        (skperceptron.MLPBinaryClassifier, {"binary"}),
        (skperceptron.MLPSoftmaxClassifier, {"multiclass", "ordinal"}),
    ):
        (listed,) = re.findall("^loss : {(.+)} or Loss", cls.__doc__, flags=re.MULTILINE)
        names = {name for task in tasks for name in list_losses(task)}
        assert set(re.findall(r'"(\w+)"', listed)) == names


@pytest.mark.parametrize("name", ["CSVLogger", "Checkpoint", "StopOnPlateau"])
def test_page_of_a_callback_leads_to_that_of_its_public_base(name):
    base_of = extension("api_members")["base_of"]
    assert base_of(f"skperceptron.callbacks.{name}") == "skperceptron.callbacks.Callback"


def test_no_page_is_hidden_by_one_that_sphinx_makes():
    assert not {path.stem for path in DOCS.glob("*.rst")} & {"search", "genindex", "py-modindex"}


def test_glossary_has_english_and_russian_in_order():
    text = (DOCS / "glossary.rst").read_text(encoding="utf-8")
    rows = re.findall(r"((?:^   \S.*\n)+)      \*(.+)\*\n\n      (.+\.)$", text, flags=re.MULTILINE)
    assert len(rows) > 70
    assert len(re.findall(r"^      \*", text, flags=re.MULTILINE)) == len(rows)
    terms = [names.split("\n")[0].strip().lower() for names, _, _ in rows]
    assert terms == sorted(terms)
    for names, russian, meaning in rows:
        assert not re.search(CYRILLIC, names) and not re.search(CYRILLIC, meaning)
        assert re.search(CYRILLIC, russian)


def test_no_cell_of_a_table_turns_into_a_list():
    cells = []
    for path in (DOCS / "tables").glob("*.inc"):
        cells += re.findall('"([^"]*)"', path.read_text(encoding="utf-8"))
    page = (DOCS / "performance.rst").read_text(encoding="utf-8")
    for line in re.findall(r"^\w.*  .*$", page, flags=re.MULTILINE):
        cells += re.split("  +", line)
    assert len(cells) > 300
    assert not [cell for cell in cells if re.match(r"([-*+•]|\(?\w+[.)])(\s|$)", cell)]
