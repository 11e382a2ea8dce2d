"""Comparison with numbers that others published: functions that read a recording and return tables of differences."""
