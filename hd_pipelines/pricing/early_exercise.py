"""American pairs of call and put as parity would have them: without their premium of early exercise.

Belongs here: taking the premium off the pairs before the line is fitted a second time. The premium itself: `american`.

Near the money both premia are small and partly cancel; what is left moves the forward by a few hundredths of a percent of
the underlying at some months, and by two percent at two years. The volatility for the premium comes from the side out of
the money at the forward found last, so the forward is found in rounds (`forwards.find_forwards`); each takes off about six
sevenths of the error.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from hd_pipelines.pricing.arrays import Floats


def free_of_early_exercise(pairs: pl.DataFrame, expirations: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """`pairs` (`parity.parity_pairs`) with `difference` less the premium of the call plus that of the put.

    European pairs, and pairs of an expiration without a forward in `found` (`forwards.forwards_of`), stay as they are, and
    so do those whose underlying has no price. Left out are pairs whose side out of the money has no volatility.
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
