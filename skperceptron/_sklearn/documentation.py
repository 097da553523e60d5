"""Links from scikit-learn's HTML form of an estimator to our documentation."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, metadata

PACKAGE = "skperceptron"


@cache
def documentation_url() -> str:
    """Return the project's documentation URL as the installed metadata has it, or ""."""
    try:
        listed = metadata(PACKAGE).get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    urls = dict(entry.split(", ", 1) for entry in listed)
    return urls.get("Documentation", "")


class LinksDocumentation:
    """Lets notebooks link to the page of an estimator's class in our documentation.

    Must precede ``BaseEstimator`` among the bases.
    """

    _doc_link_module = PACKAGE

    @property
    def _doc_link_template(self) -> str:
        base = documentation_url().rstrip("/")
        # scikit-learn fills in the module that users import the class from.
        return f"{base}/api/generated/{{estimator_module}}.{{estimator_name}}.html" if base else ""
