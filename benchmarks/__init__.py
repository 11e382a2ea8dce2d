"""Benchmarks: each measures ours beside its peers in the same run. Not tests: a figure is only true of its machine."""
