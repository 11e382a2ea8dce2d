"""What valued chains and bars say about the market: implied-volatility percentile, gamma exposure, breadth, regime.

Arrays and frames in, arrays and frames out; no clock, no network, no database.
"""
