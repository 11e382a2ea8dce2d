"""Compiled loops (numba) under the public pricing functions."""
