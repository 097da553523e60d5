"""The fixtures of scikit-learn's own conftest.py, and the expected failures of its tests."""

import pytest


@pytest.fixture
def global_random_seed():
    """The default seed of scikit-learn's tests."""
    return 42


def pytest_configure(config):
    """Register a marker of some of scikit-learn's tests."""
    config.addinivalue_line("markers", "thread_unsafe: not run in several threads at once")


def pytest_collection_modifyitems(items):
    """Expect the failures in a module's ``DIFFERENCES``; if one of them passes, it is an error.

    Names that this version of scikit-learn lacks are ignored.
    """
    for item in items:
        reasons = getattr(getattr(item, "module", None), "DIFFERENCES", {})
        reason = reasons.get(item.name, reasons.get(getattr(item, "originalname", None)))
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
