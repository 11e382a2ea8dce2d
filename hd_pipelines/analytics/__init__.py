"""Analytics on valued chains and bars: implied-volatility percentile, gamma exposure, breadth, market regime.

Functions take and return arrays or frames, without clock, network or database.
"""
