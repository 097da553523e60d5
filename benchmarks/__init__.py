"""Speed and memory against peers: ``python -m benchmarks [subject ...]``.

Each subject is a module with a function ``tables(options)``. ``python -m benchmarks.search`` is a
command of its own, because it takes long. Tests never measure time.
"""
