"""A package, so that worker processes do not import another package named "tests"."""
