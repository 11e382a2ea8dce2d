"""Prices and values options: implied volatility, Greeks, forwards, settlement, early exercise.

Functions take and return arrays or frames, without clock, network or database. numba is imported at the first call.
"""

from hd_pipelines.pricing.black import Greeks, greeks
from hd_pipelines.pricing.forwards import ImpliedForward, find_implied_forward
from hd_pipelines.pricing.implied import implied_volatility
from hd_pipelines.pricing.reasons import Reason

__all__ = ["Greeks", "ImpliedForward", "Reason", "find_implied_forward", "greeks", "implied_volatility"]
