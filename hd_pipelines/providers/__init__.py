"""Reads data from outside: the vendor Massive (flat files in S3, REST) and archives of option chains.

Only this package talks to the vendor. Wire formats and their sources are in docs/vendor.md. No formulas, SQL or dagster.
"""
