"""The pages are tested; what builds them needs packages that tests do not."""

from importlib.util import find_spec

collect_ignore_glob = ["conf.py", "_ext/*", "gallery/*"]
if not (find_spec("matplotlib") and find_spec("pandas")):
    collect_ignore_glob.append("inspection.rst")
