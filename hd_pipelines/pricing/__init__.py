"""What an option is worth and what that says: implied volatility, Greeks, forwards, settlement, early exercise.

Arrays and frames in, arrays and frames out; no clock, no network, no database. numba is imported at the first call.
"""

from hd_pipelines.pricing.black import Greeks, greeks
from hd_pipelines.pricing.forwards import ImpliedForward, implied_forward
from hd_pipelines.pricing.implied import implied_volatility
from hd_pipelines.pricing.reasons import Reason

__all__ = ["Greeks", "ImpliedForward", "Reason", "greeks", "implied_forward", "implied_volatility"]
