"""Scans: tapes read from the warehouse, signals stored, outcomes settled."""
