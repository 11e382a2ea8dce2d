"""Implied volatility of an underlying: smile, constant maturity, model-free index."""
