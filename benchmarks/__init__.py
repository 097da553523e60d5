"""Speed and memory compared with other packages: ``python -m benchmarks [subject ...]``.

Each subject is a module with a function ``tables(options)``. ``python -m benchmarks.search`` is a
separate command, because it takes long. Tests never measure time.
"""
