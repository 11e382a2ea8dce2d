"""Compiled loops (numba) under the feature frame."""
