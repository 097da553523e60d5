"""The pages are tested; what builds them needs packages that tests do not."""

from importlib.util import find_spec
from pathlib import Path

import pytest

# The code of the Russian lecture is that of the English one, as tests/test_documentation.py sees.
collect_ignore_glob = ["conf.py", "_ext/*", "gallery/*", "lecture_ru.rst"]
if not (find_spec("matplotlib") and find_spec("pandas")):
    needing = (".. plot::", "import pandas")
    collect_ignore_glob += [
        path.name
        for path in Path(__file__).parent.glob("*.rst")
        if any(words in path.read_text(encoding="utf-8") for words in needing)
    ]


def pytest_collection_modifyitems(items):
    """Let no page show code that gives a warning which the page does not show."""
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(
                pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
            )
