"""What scikit-learn's tests find in its own conftest.py, and which of them ours fail."""

import pytest


@pytest.fixture
def global_random_seed():
    """The seed that scikit-learn's tests run with unless told otherwise."""
    return 42


def pytest_configure(config):
    """Register the marker that some of scikit-learn's tests bear."""
    config.addinivalue_line("markers", "thread_unsafe: not run in several threads at once")


def pytest_collection_modifyitems(items):
    """Expect the failures that a module's ``DIFFERENCES`` tell; one that passes is an error.

    Those of ``DIFFERENCES_OF_SOME_VERSIONS`` may pass. Names that this version of scikit-learn
    lacks are passed over.
    """
    for item in items:
        for table, strict in (("DIFFERENCES", True), ("DIFFERENCES_OF_SOME_VERSIONS", False)):
            reasons = getattr(getattr(item, "module", None), table, {})
            reason = reasons.get(item.name, reasons.get(getattr(item, "originalname", None)))
            if reason:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=strict))
