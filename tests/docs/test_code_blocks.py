"""Each block of code in the documentation runs by itself, or says which block it continues.

Blocks that continue others are run with them, since whole pages are doctests.
"""

import doctest
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="runs in a checkout only")

tools = runpy.run_path(str(DOCS / "_ext" / "code_blocks.py")) if DOCS.exists() else {}
PAGES = sorted(path.name for path in DOCS.glob("*.rst") if path.name != "lecture_ru.rst")


def blocks_of(name):
    return tools["blocks"]((DOCS / name).read_text(encoding="utf-8"))


def needed(code):
    return tools["names_of"](code)[1]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import numpy as np\nnp.ones(3)", []),
        ("network = network.fit(X)", ["network", "X"]),
        ("x = 1\nx += y", ["y"]),
        ("[a * b for a in c if a]", ["c", "b"]),
        ("for a in b:\n    c = a\nprint(c)", ["b"]),
        ("def f(a, *b):\n    return g(a, h, b)\ndef g(a): ...", ["h"]),
        ("class A(B):\n    c = 1\n    def f(self):\n        return self.c + d", ["B", "d"]),
        ("with a as b:\n    b()", ["a"]),
        ("f = lambda a: a + b", ["b"]),
        ("from a import b as c\nc", []),
    ],
)
def test_names_that_code_needs_are_found(code, names):
    assert needed(code) == names


@pytest.mark.parametrize(
    ("page", "start"), [("lecture", "Continues the code"), ("lecture_ru", "Продолжение кода")]
)
def test_note_on_code_that_continues_other_code_has_the_language_of_the_page(page, start):
    pytest.importorskip("docutils")
    note = tools["note_on"](["X", "y"], page).astext()
    assert note.startswith(start) and note.endswith(" X, y")


def test_blocks_of_a_page_are_found():
    page = ">>> a = 1\n>>> a\n1\n\n.. plot::\n   :alt: A\n     line.\n\n   b = 2\n   c\n\nText\n"
    assert [block.text for block in tools["blocks"](page)] == [">>> a = 1\n>>> a\n1", "b = 2\nc"]


@pytest.mark.parametrize("name", PAGES)
def test_code_that_continues_other_code_finds_its_names_above(name):
    above = set()
    for block in blocks_of(name):
        defined, needs = tools["names_of"](block.code)
        assert set(needs) <= above, f"{name}, line {block.line}"
        above |= defined


@pytest.mark.parametrize("name", PAGES)
def test_lines_of_code_fit_between_the_sidebars_of_a_small_screen(name):
    # At 1280 pixels, 103 characters fit.
    for block in blocks_of(name):
        widest = max(block.text.splitlines(), key=len)
        assert len(widest) <= 102, f"{name}, line {block.line}: {widest}"


def alone():
    for name in PAGES:
        for block in blocks_of(name):
            if not needed(block.code):
                yield pytest.param(name, block, id=f"{name}:{block.line}")


@pytest.mark.parametrize(("page", "block"), list(alone()))
@pytest.mark.filterwarnings("ignore")
def test_code_that_needs_nothing_runs_alone(page, block):
    if ".. plot::" in (DOCS / page).read_text(encoding="utf-8"):
        pytest.importorskip("matplotlib").use("Agg")
    if not block.has_prompts:
        pytest.importorskip("sklearn", minversion="1.9")  # callbacks of scikit-learn
        exec(compile(block.code, page, "exec"), {"__name__": "__main__"})
        return
    test = doctest.DocTestParser().get_doctest(block.text + "\n", {}, page, page, block.line)
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0
