"""Displays in scikit-learn's convention, one module each."""
