"""Removes the early exercise premium from American call and put pairs, so that put-call parity holds for them.

Near the money both premia are small and partly cancel. What is left moves the forward by a few hundredths of a percent of
the underlying at some months, and by two percent at two years. The volatility for the premium comes from the
out-of-the-money side at the latest forward, so `forwards.find_forwards` iterates; each round removes about six sevenths of
the error. The premium itself is computed in `american`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from hd_pipelines.pricing.arrays import Floats


def remove_early_exercise_premium(pairs: pl.DataFrame, expirations: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Reduce `difference` of `pairs` (`parity.pair_calls_with_puts`) by the call's premium minus the put's.

    Unchanged: European pairs, pairs of an expiration without a forward in `found` (`forwards.fit_forwards`), and pairs
    whose underlying has no price. Dropped: pairs whose out-of-the-money side has no volatility.
    """
    at = pairs["expiry"]

    def of(frame: pl.DataFrame, column: str) -> Floats:
        return frame[column].gather(at).cast(pl.Float64).fill_null(np.nan).to_numpy()

    forward, discount, spot = of(found, "forward"), of(found, "discount"), of(expirations, "spot")
    strike, years, call, put = (pairs[name].to_numpy() for name in ("strike", "years", "call", "put"))
    bent = ~pairs["is_european"].to_numpy() & np.isfinite(forward * spot)
    if not bent.any():
        return pairs
    from hd_pipelines.pricing import american

    forward, discount, spot, strike, years = (values[bent] for values in (forward, discount, spot, strike, years))
    is_call = strike >= forward
    rate = -np.log(discount) / years
    dividends = rate - np.log(forward / spot) / years
    price = np.where(is_call, call[bent], put[bent])
    sigma, _ = american.solve(price, spot, strike, years, rate, dividends, is_call)

    def premium(of_call: bool) -> Floats:
        right = np.full(strike.shape, of_call)
        worth: Floats = american.early_exercise_premium(spot, strike, years, rate, dividends, sigma, right)
        return worth

    difference = pairs["difference"].to_numpy().copy()
    difference[bent] -= premium(True) - premium(False)
    return pairs.with_columns(difference=pl.Series(difference)).filter(np.isfinite(difference))
