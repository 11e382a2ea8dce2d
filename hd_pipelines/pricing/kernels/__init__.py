"""Compiled loops (numba) behind the public pricing functions."""
