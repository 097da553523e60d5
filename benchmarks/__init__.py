"""Speed and memory against peers: ``python -m benchmarks [subject ...]``.

Each subject is a module with a function ``tables(options)``; ``python -m benchmarks.search``
stands apart, because it takes long. Tests never measure time.
"""
