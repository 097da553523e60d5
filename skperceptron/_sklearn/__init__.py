"""The one place that knows scikit-learn's versions and its private names."""
