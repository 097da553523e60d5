"""The pages are tested; what builds them needs packages that tests do not."""

collect_ignore_glob = ["conf.py", "_ext/*"]
