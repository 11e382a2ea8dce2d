"""Compiled loops (numba) behind the feature frame."""
