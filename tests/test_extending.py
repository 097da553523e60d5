"""The pages for contributors, followed to the letter: each leads to a part that the tests accept.

A page is applied to a copy of the package, and its command is run there. The same page with a
wrong formula, or without the row for the tests, must fail: the tests notice the fault.
"""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "extending"
pytestmark = pytest.mark.skipif(not PAGES.exists(), reason="runs in a checkout only")

#: For each page, the faults that are put into its code: a text and its replacement.
FAULTS = {
    "activation": [("for _ in range(3)", "for _ in range(2)"), ("np.hypot(z, 1, out=out)", "")],
    "loss": [("np.multiply(out, 2, out=out)", ""), ("y > raw", "y < raw")],
    "optimizer": [("learning_rate / (", "0.5 * learning_rate / ("), ("self.epsilon,", "1e-8,")],
    "schedule": [("times / n_epochs", "(times + 1) / n_epochs")],
    "initializer": [("np.sqrt(layer.units)", "np.sqrt(layer.fan_in)")],
    "block": [
        ("yield from work.send_gradient(grad, source)", ""),
        ("yield partial(np.add.reduce, grad, 1, None, shift_grad, True)", ""),
        ('"feature_shifts_"', '"intercepts_"'),
    ],
    "target": [("np.log(y)", "np.log1p(y)"), ("np.exp(raw, out=raw)", "")],
    "callback": [("percent / 100", "percent / 50")],
}
EVERY_PAGE = pytest.mark.parametrize("name", FAULTS)


@dataclass
class Piece:
    """Code of a page, and where it goes.

    Attributes
    ----------
    path : str
    place : str
        "after Name" or "in NAME"; empty for a new file.
    code : str
    """

    path: str
    place: str
    code: str

    def put_into(self, folder):
        file = folder / self.path
        if not self.place:
            assert not file.exists()
            file.write_text(self.code, encoding="utf-8")
            return
        source = file.read_text(encoding="utf-8")
        lines = source.splitlines()
        relation, name = self.place.split()
        (node,) = [node for node in ast.parse(source).body if name in names_of(node)]
        if relation == "in" and node.lineno == node.end_lineno:
            line = lines.pop(node.lineno - 1)
            entry = self.code.strip().rstrip(",")
            where, added = node.lineno - 1, f"{line[:-1]}, {entry}{line[-1]}"
        elif relation == "in":
            # Before the closing bracket.
            where, added = node.end_lineno - 1, textwrap.indent(self.code, "    ")
        else:
            gap = "" if isinstance(node, ast.ImportFrom) else "\n\n"
            where, added = node.end_lineno, gap + self.code
        lines.insert(where, added.rstrip())
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def names_of(statement):
    """Return the names that a statement of a module defines."""
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    if isinstance(statement, ast.ImportFrom):
        return [alias.asname or alias.name for alias in statement.names]
    return [statement.name] if hasattr(statement, "name") else []


class Page:
    """The instructions of a page.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name):
        text = (PAGES / f"{name}.rst").read_text(encoding="utf-8")
        blocks = re.findall(
            r"^\.\. code-block:: (\w+)\n((?:   :.*\n)*)\n((?:(?:   .*)?\n)+)", text, re.MULTILINE
        )
        self.pieces, commands = [], []
        for language, options, code in blocks:
            code = textwrap.dedent(code).strip("\n") + "\n"
            if language == "bash":
                commands.append(code.strip())
                continue
            (caption,) = re.findall(r":caption: (.+)", options)
            path, _, place = caption.partition(", ")
            self.pieces.append(Piece(path, place, code))
        (self.command,) = commands

    @property
    def touched(self):
        """The files that change."""
        return {piece.path for piece in self.pieces}

    def without_rows(self):
        """Leave out the changes of tests."""
        self.pieces = [piece for piece in self.pieces if not piece.path.startswith("tests/")]
        return self

    def spoiled(self, right, wrong):
        """Put a fault into the code for the package."""
        (faulty,) = [p for p in self.pieces if p.path.startswith("skp") and right in p.code]
        assert faulty.code.count(right) == 1
        faulty.code = faulty.code.replace(right, wrong or "pass")
        return self


#: Runs each command, one after the other, and says how it ended: packages are imported once.
PROGRAM = """
import json, sys, pytest
for name, words in json.loads(sys.argv[1]).items():
    print(f"#begin {name}", flush=True)
    code = pytest.main(["-q", "-x", "-rA", "-p", "no:cacheprovider", *words])
    print(f"\\n#end {int(code)}", flush=True)
"""


def follow(pages, folder):
    """Follow pages in a copy of the project, and run their commands.

    Parameters
    ----------
    pages : dict of str to Page
        No two of them change the same file.
    folder : path

    Returns
    -------
    dict of str to tuple
        Exit code and output of each command.
    """
    touched = [path for page in pages.values() for path in page.touched]
    assert len(set(touched)) == len(touched)
    shutil.copytree(ROOT / "skperceptron", folder / "skperceptron")
    commands = {}
    for name, page in pages.items():
        (program, *commands[name]) = shlex.split(page.command)
        assert program == "pytest"
        files = {word for word in commands[name] if word.endswith(".py")}
        for path in {"pyproject.toml", "tests/conftest.py", "tests/members.py", *files}:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
        for piece in page.pieces:
            piece.put_into(folder)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    runs = re.findall(r"^#begin (\w+)\n(.*?)^#end (\d)$", done.stdout, re.MULTILINE | re.DOTALL)
    return {name: (int(code), output) for name, output, code in runs}


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """Return a function that follows all pages, changed in the same way, once for all tests."""
    made = {}

    def run(way, change, name):
        if way not in made:
            pages = {name: change(name) for name in FAULTS}
            pages = {name: page for name, page in pages.items() if page}
            made[way] = follow(pages, tmp_path_factory.mktemp(way))
        return made[way][name]

    return run


def test_there_is_a_page_with_faults_to_find_for_every_kind():
    pages = {path.stem for path in PAGES.glob("*.rst")} - {"index"}
    assert pages == set(FAULTS)
    index = (PAGES / "index.rst").read_text(encoding="utf-8")
    assert {name for name in pages if re.search(rf"^   {name}$", index, re.MULTILINE)} == pages


@EVERY_PAGE
def test_page_touches_at_most_three_files(name):
    page = Page(name)
    # With code for an existing file, the changelog counts as one of the three. A part with a file
    # of its own must also be imported in another one.
    has_own_file = any(not piece.place for piece in page.pieces)
    assert len(page.touched | (set() if has_own_file else {"CHANGELOG.md"})) <= 3
    assert all((ROOT / p.path).exists() == bool(p.place) for p in page.pieces)


@EVERY_PAGE
def test_part_that_is_added_as_the_page_says_passes_the_tests(name, run_of):
    code, output = run_of("right", Page, name)
    assert code == 0, output
    assert len(re.findall("^PASSED", output, re.MULTILINE)) >= 2


@pytest.mark.parametrize(
    ("name", "i"), [(name, i) for name, faults in FAULTS.items() for i in range(len(faults))]
)
def test_wrong_formula_fails(name, i, run_of):
    def spoiled(name):
        return Page(name).spoiled(*FAULTS[name][i]) if i < len(FAULTS[name]) else None

    code, output = run_of(f"wrong_{i}", spoiled, name)
    assert code == 1, output
    # It is a failed test, not broken code: the module is imported and other tests run.
    assert re.search("^FAILED", output, re.MULTILINE)
    assert not re.search("^ERROR|SyntaxError|NameError", output, re.MULTILINE)


@EVERY_PAGE
def test_missing_row_fails(name, run_of):
    code, output = run_of("without_rows", lambda name: Page(name).without_rows(), name)
    assert code == 1, output
    assert re.search(r"^FAILED tests/\S+::test_every\w*", output, re.MULTILINE)
