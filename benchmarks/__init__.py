"""Speed and memory against peers: ``python -m benchmarks.train`` and its siblings."""
