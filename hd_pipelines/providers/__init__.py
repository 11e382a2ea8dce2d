"""Talking to the data vendor: flat files (S3), later REST and the live tape. Nobody else does.

Wire formats and their sources: docs/vendor.md. No formulas, no SQL, no dagster.
"""
