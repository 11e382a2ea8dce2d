"""What an option is worth and what that says: implied volatility, Greeks, forwards, settlement, early exercise.

Arrays and frames in, arrays and frames out; no clock, no network, no database. numba is imported at the first call.
"""
