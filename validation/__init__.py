"""Compares this platform's numbers with published ones: functions read a recording and return tables of differences."""
