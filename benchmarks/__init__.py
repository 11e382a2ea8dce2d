"""Benchmarks: each measures this platform beside its peers in the same run. Figures are valid for their machine only."""
