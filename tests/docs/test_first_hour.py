"""The commands of the page for a newcomer's first hour give the results that the page shows."""

import json
import os
import re
import shlex
import subprocess
import sys
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path

import pytest

SESSION = Path(__file__).parents[2] / "docs" / "first_hour.txt"
pytestmark = pytest.mark.skipif(not SESSION.exists(), reason="runs in a checkout only")

#: A program that types lines at an interpreter which shows warnings and errors among the results.
TYPIST = """
import code, contextlib, io, json, sys
console, shown = code.InteractiveConsole(), []
for lines in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        # An empty line ends a block.
        for line in [*lines, ""] if len(lines) > 1 else lines:
            console.push(line)
    shown.append(out.getvalue())
print(json.dumps(shown))
"""


def typed_and_shown():
    """Return the inputs of the shell and of Python, as lists of (lines, shown results)."""
    shell, session = [], []
    for line in SESSION.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("$ "):
            shell.append(([line[2:]], []))
            current = shell
        elif line.startswith(">>> "):
            session.append(([line[4:]], []))
            current = session
        elif line.startswith("... ") or line == "...":
            lines, shown = current[-1]
            # In results, dots alone mean omitted lines.
            (shown if shown else lines).append(line if shown else line[4:])
        elif line:
            current[-1][1].append(line)
    return shell, session


SHELL, TYPED = typed_and_shown() if SESSION.exists() else ([], [])


def agrees(found, shown):
    # The page breaks lines at other places than a terminal.
    found, shown = (re.sub(r"\s+", " ", text).strip() for text in (found, shown))
    return OutputChecker().check_output(shown, found, ELLIPSIS | NORMALIZE_WHITESPACE)


@pytest.mark.parametrize(("lines", "shown"), SHELL, ids=lambda lines: lines[0][:40])
def test_commands_answer_as_shown(lines, shown):
    _, *arguments = shlex.split(lines[0])
    run = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, timeout=100
    )
    assert agrees(run.stdout, "\n".join(shown))


@pytest.mark.filterwarnings("ignore")
def test_session_answers_as_shown(tmp_path):
    # A newcomer has not set any filters of warnings.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    environment["PYTHONPATH"] = str(SESSION.parents[1])
    run = subprocess.run(
        [sys.executable, "-c", TYPIST],
        input=json.dumps([lines for lines, _ in TYPED]),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=tmp_path,
        env=environment,
    )
    found = json.loads(run.stdout)
    assert len(found) == len(TYPED)
    for (lines, shown), text in zip(TYPED, found, strict=True):
        assert agrees(text, "\n".join(shown)), f"{lines}\n{text}"


def test_page_shows_the_whole_session():
    page = SESSION.with_suffix(".rst").read_text(encoding="utf-8")
    titles = re.findall(r"^# (.+)$", SESSION.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert all(f"\n{title}\n{'-' * len(title)}\n" in page for title in titles)
    assert page.count("literalinclude") == len(titles)


def test_lines_fit_onto_a_screen():
    assert max(map(len, SESSION.read_text(encoding="utf-8").splitlines())) <= 92
