"""Computes historical Greeks from option bars: prices that traded, against the underlying's price of the same minute.

This module turns bars into priced contracts; `valuation.value_priced` values them. Bars are the only history that a vendor
sells. Where a chain snapshot of quotes exists, it is better.

- A row is stamped with the end of its bar, so that it contains nothing younger than its timestamp. A contract in the last
  minute of its life therefore has no time left.
- The price is the bar's close, which is its last trade. When in the bar that trade happened is unknown, so
  `price_age_seconds` is an upper bound: the length of the bar plus how much older the underlying's price is.
- A minute is matched with the underlying's bar of the same minute, or of at most five minutes before if the underlying did
  not trade. An older price is not used: the reason is `no_spot`. Options on an index need no underlying price where parity
  gives their forward, because bars of indices require a separate subscription.
- The forward comes from `forwards`: parity where calls and puts of enough strikes traded in that minute, else the
  underlying's price and a carry. Half of the bar's range plus half of the underlying's range serves as the half spread that
  weighs the pairs.
- A day bar is matched with the underlying's day. Its last trade may be hours older than the close, so a volatility from day
  bars is only rough. Bars contain neither deliverable nor open interest; both are null.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from hd_pipelines.market.option_chains import CHAIN, STAMP
from hd_pipelines.market.option_products import find_product
from hd_pipelines.market.sessions import NEW_YORK, get_regular_hours, is_session
from hd_pipelines.market.symbols import OPTION_TICKER_PATTERN, is_index
from hd_pipelines.pricing.reasons import Reason
from hd_pipelines.pricing.valuation import PRICED, value_priced
from hd_pipelines.tables.vocabulary import OptionType, PriceSource, SnapshotKind

OLDEST_SPOT = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)
_TICK = 0.01
_BARS = ("ticker", "window_start", "high", "low", "close", "volume")


def value_aggregates(
    option_bars: pl.DataFrame, underlying_bars: pl.DataFrame, rates: pl.DataFrame | None, source: PriceSource
) -> pl.DataFrame:
    """Compute `VALUED` rows, one for each option bar, stamped with the end of its minute or the close of its session.

    `option_bars`, `underlying_bars`: columns of the lake's bars (`ticker`, `window_start` in ns UTC, `high`, `low`,
    `close`, `volume`), both minutes or both days as `source` says. Prices must be unadjusted, as strikes are. `rates`:
    `discounting.RATES`. Day bars of days without a session are dropped. Raises `ValueError` for missing columns, for
    tickers that are no OCC symbols, and for a `source` that is not a bar.
    """
    if source not in {PriceSource.OPTION_MINUTE, PriceSource.OPTION_DAY}:
        raise ValueError(f"source is {source}; give {PriceSource.OPTION_MINUTE} or {PriceSource.OPTION_DAY}")
    for name, bars in (("option_bars", option_bars), ("underlying_bars", underlying_bars)):
        if missing := [column for column in _BARS if column not in bars.columns]:
            raise ValueError(f"{name} lacks the column(s) {', '.join(missing)}")
    contracts, underlyings = _parse_contracts(option_bars.select(_BARS)), underlying_bars.select(_BARS)
    stamped = _join_spot(_stamp(contracts, source), _stamp(underlyings, source), source)
    close = pl.col("close")
    is_price = close.is_finite() & (close > 0)
    reason = (
        pl.when(~is_price.fill_null(False))
        .then(pl.lit(Reason.NO_PRICE.value))
        .when(pl.col("underlying_price").is_null() & ~pl.col("is_on_index"))
        .then(pl.lit(Reason.NO_SPOT.value))
    )
    priced = stamped.with_columns(
        quote_reason=reason,
        half_spread=_TICK + (pl.col("high") - pl.col("low") + pl.col("spot_range")) / 2,
        price_source=pl.lit(source.value),
        source=pl.lit(source.value),
        kind=pl.lit((SnapshotKind.INTRADAY if source is PriceSource.OPTION_MINUTE else SnapshotKind.CLOSE).value),
        price_age_seconds=(pl.col("length") + pl.col("spot_age")).dt.total_seconds(),
        last="close",
    ).with_columns(mid_price=pl.when(pl.col("quote_reason").is_null()).then(close))
    empty = pl.DataFrame(schema=pl.Schema(CHAIN))
    chain = pl.concat([empty, priced.cast({"volume": pl.Int64})], how="diagonal")
    return value_priced(chain.select(*CHAIN, *PRICED), rates)


def _parse_contracts(bars: pl.DataFrame) -> pl.DataFrame:
    """Add the columns that follow from each OCC symbol to `bars`; `underlying` is the vendor's ticker."""
    ticker = pl.col("ticker")
    if not bars.select(ticker.str.contains(OPTION_TICKER_PATTERN).all()).item():
        wrong = bars.filter(~ticker.str.contains(OPTION_TICKER_PATTERN))["ticker"][0]
        raise ValueError(f"{wrong!r} in option_bars is not an OCC option ticker")
    tail = ticker.str.tail(15)
    is_call = tail.str.slice(6, 1) == "C"
    taken = bars.with_columns(
        root=ticker.str.slice(2).str.head(-15),
        expiration=("20" + tail.str.head(6)).str.to_date("%Y%m%d"),
        option_type=pl.when(is_call).then(pl.lit(OptionType.CALL.value)).otherwise(pl.lit(OptionType.PUT.value)),
        strike=tail.str.tail(8).cast(pl.Int64).cast(pl.Float64) / 1000,
    )
    roots = taken["root"].unique()
    products = [find_product(root) for root in roots]
    known = pl.DataFrame(
        {
            "root": roots,
            "underlying": [product.underlying for product in products],
            "exercise_style": [product.exercise_style.value for product in products],
            "is_on_index": [is_index(product.underlying) for product in products],
        },
        schema={"root": pl.String, "underlying": pl.String, "exercise_style": pl.String, "is_on_index": pl.Boolean},
    )
    return taken.join(known, on="root", maintain_order="left")


def _stamp(bars: pl.DataFrame, source: PriceSource) -> pl.DataFrame:
    """Add `snapshot_at`, the instant at which the bar is over, and the bar's `length`."""
    begins = pl.from_epoch("window_start", time_unit="ns").dt.replace_time_zone("UTC")
    if source is PriceSource.OPTION_MINUTE:
        return bars.with_columns(snapshot_at=(begins + _MINUTE).cast(STAMP), length=_MINUTE)
    days = bars.select(session=begins.dt.convert_time_zone(str(NEW_YORK)).dt.date())["session"]
    known = {day: get_regular_hours(day) for day in days.unique() if is_session(day)}
    hours = pl.DataFrame(
        {
            "session": list(known),
            "snapshot_at": [hour.closes_at for hour in known.values()],
            "length": [hour.closes_at - hour.opens_at for hour in known.values()],
        },
        schema={"session": pl.Date, "snapshot_at": STAMP, "length": pl.Duration("us")},
    )
    stamped = bars.with_columns(session=days).join(hours, on="session", how="left", maintain_order="left")
    return stamped.filter(pl.col("snapshot_at").is_not_null()).drop("session")


def _join_spot(options: pl.DataFrame, underlyings: pl.DataFrame, source: PriceSource) -> pl.DataFrame:
    """Add `underlying_price`, its `spot_age` relative to the option's bar, and the `spot_range` of its bar to `options`."""
    oldest = OLDEST_SPOT if source is PriceSource.OPTION_MINUTE else timedelta(0)
    spots = (
        underlyings.filter(pl.col("close") > 0)
        .select(
            "snapshot_at",
            underlying="ticker",
            underlying_price="close",
            spot_range=pl.col("high") - pl.col("low"),
            spot_at="snapshot_at",
        )
        .sort("snapshot_at")
    )
    matched = options.sort("snapshot_at").join_asof(
        spots, on="snapshot_at", by="underlying", strategy="backward", tolerance=oldest, check_sortedness=False
    )
    return matched.with_columns(
        spot_age=(pl.col("snapshot_at") - pl.col("spot_at")).fill_null(timedelta(0)),
        spot_range=pl.col("spot_range").fill_null(0.0),
    ).sort("underlying", "snapshot_at", "ticker")
