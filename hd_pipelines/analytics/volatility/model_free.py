"""Computes model-free 30-day volatility of option chains: the VIX formula applied to these quotes.

Selects the expirations of a chain, their settlement instants and rates. The arithmetic is in `variance_strip`; volatility
at the forward, which needs an option model, in `constant_maturity`.

Source: Cboe, "VIX White Paper" (2014, 2019) and "Cboe Volatility Index Mathematics Methodology".
- One expiration a week, on the week's last session: Fridays, and Thursdays before a holiday. If a day has a morning-settled
  (SPX) and an afternoon-settled (SPXW) expiration, the morning one is taken, as the index does.
- Near term: the last that settles within 30 calendar days; next term: the first after. With weeklies these lie 23 to 37
  days ahead, as the paper says. With monthlies only they may lie `NEAREST_DAYS` to `FURTHEST_DAYS` ahead; before it had
  weeklies, the index too kept a week's distance.
- Time: minutes to each expiration's settlement. On a Wednesday before 16:00 the near term settles up to 6.5 hours later
  than 30 days ahead; the index extrapolates by these hours, and so does this module.
- Rate: linear between the points of the curve. The index draws a cubic spline through the same points; 0.1 percentage
  points of rate change the result by less than 0.01 volatility points.

Unlike the index, a strip that stops where options still have value is refused, because a chain that lost pages would look
like a quiet market.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache

import numpy as np
import polars as pl

from hd_pipelines.analytics.volatility.variance_strip import (
    TARGET_DAYS,
    Strip,
    StripQuotes,
    StripReason,
    compute_volatility_at_30_days,
    strip_variance,
)
from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.market.option_products import find_product
from hd_pipelines.market.sessions import NEW_YORK, is_session, list_week_sessions
from hd_pipelines.pricing.discounting import RATES, Curve, interpolate_rates, select_curves
from hd_pipelines.pricing.settlement import MINUTES_PER_YEAR, count_years, list_settlements
from hd_pipelines.tables.vocabulary import OptionType

NEAREST_DAYS, FURTHEST_DAYS = 7, 65
"""Range of calendar days to settlement that are used: not the last week; two monthly expirations reach to 65."""
LARGEST_TAIL = 0.05
"""Largest price of a strip's last option as a share of the price at K0. Above it the strip counts as cut short."""

MODEL_FREE: dict[str, pl.DataType | type[pl.DataType]] = {
    "underlying": pl.String,
    "session": pl.Date,
    "snapshot_at": STAMP,
    "model_free_iv30": pl.Float64,
    "near_expiration": pl.Date,
    "next_expiration": pl.Date,
    "reason": pl.String,
}
"""One snapshot of one underlying. `model_free_iv30` per year (0.16 is a VIX of 16), null with a `reason`."""

Snapshot = tuple[str, datetime]
"""Underlying and instant."""

_SNAPSHOT = ["underlying", "snapshot_at"]
_TERM = ["underlying", "snapshot_at", "root", "expiration"]


class ModelFreeReason(StrEnum):
    """Why there is no model-free volatility, in addition to `StripReason`."""

    NO_SESSION = "no_session"
    NO_NEAR_EXPIRATION = "no_expiration_7_to_30_days_ahead"
    NO_NEXT_EXPIRATION = "no_expiration_31_to_65_days_ahead"
    NO_RATE = "no_rate"
    STRIP_CUT_SHORT = "strip_cut_short"
    NEGATIVE_VARIANCE = "negative_variance"


@dataclass(frozen=True, slots=True)
class Term:
    """An expiration that serves as near or next term of a snapshot."""

    root: str
    expiration: date
    days: int
    years: float


def compute_model_free_volatility(chain: pl.DataFrame, rates: pl.DataFrame | None = None) -> pl.DataFrame:
    """Compute model-free 30-day volatility (`MODEL_FREE`) of every snapshot in `chain` (`option_chains.CHAIN`).

    `rates`: `discounting.RATES`, the curve known on each session (`derive_rates` makes one from valued chains). A snapshot
    without a curve from the last two weeks gets the reason `no_rate`.
    """
    terms = _list_terms(chain)
    sessions = chain.select(*_SNAPSHOT).unique().sort(_SNAPSHOT).with_columns(session=_to_new_york_date("snapshot_at"))
    curves = select_curves(rates, sessions["session"].unique().to_list())
    chosen = {
        (underlying, at): choose_terms(terms.get((underlying, at), []))
        for underlying, at in sessions.select(_SNAPSHOT).iter_rows()
    }
    quotes = _select_quotes(chain, [(*key, term) for key, pair in chosen.items() for term in pair if term is not None])
    rows = []
    for underlying, at, session in sessions.iter_rows():
        near, after = chosen[underlying, at]
        answer: float | StrEnum
        if not is_session(session):
            answer = ModelFreeReason.NO_SESSION
        elif near is None:
            answer = ModelFreeReason.NO_NEAR_EXPIRATION
        elif after is None:
            answer = ModelFreeReason.NO_NEXT_EXPIRATION
        elif session not in curves:
            answer = ModelFreeReason.NO_RATE
        else:
            strips = [
                _compute_strip(quotes.get((underlying, at, term.root, term.expiration)), term, curves[session])
                for term in (near, after)
            ]
            answer = _compute_volatility(near, after, strips)
        rows.append(
            {
                "underlying": underlying,
                "session": session,
                "snapshot_at": at,
                "model_free_iv30": None if isinstance(answer, StrEnum) else answer,
                "near_expiration": near and near.expiration,
                "next_expiration": after and after.expiration,
                "reason": answer.value if isinstance(answer, StrEnum) else None,
            }
        )
    return pl.DataFrame(rows, schema=MODEL_FREE)


def derive_rates(valued: pl.DataFrame) -> pl.DataFrame:
    """Derive the curve that the valuation of these chains used or found (`discounting.RATES`), one point per maturity.

    For chains without a yield curve: European chains show their own rate through put-call parity.
    """
    return (
        valued.filter((pl.col("years") > 0) & (pl.col("discount") > 0))
        .group_by(date="session", years="years")
        .agg(rate=(-pl.col("discount").log() / pl.col("years")).median())
        .sort("date", "years")
        .select(*RATES)
    )


def choose_terms(terms: list[Term]) -> tuple[Term | None, Term | None]:
    """Choose near and next term: the last within 30 days and the first after; None where there is none."""
    near = [term for term in terms if NEAREST_DAYS <= term.days <= TARGET_DAYS]
    after = [term for term in terms if TARGET_DAYS < term.days <= FURTHEST_DAYS]
    return (
        max(near, key=lambda term: (term.days, -term.years), default=None),
        min(after, key=lambda term: (term.days, term.years), default=None),
    )


def _list_terms(chain: pl.DataFrame) -> dict[Snapshot, list[Term]]:
    """List the expirations that can be used, by snapshot."""
    found = chain.select(_TERM).unique().filter(pl.col("root").map_elements(_is_standard, return_dtype=pl.Boolean))
    found = found.join(list_settlements(found.select("root", "expiration").unique()), on=["root", "expiration"])
    found = found.with_columns(
        count_years(found["snapshot_at"], found["settles_at"]), settles_on=_to_new_york_date("settles_at")
    ).with_columns(days=(pl.col("settles_on") - _to_new_york_date("snapshot_at")).dt.total_days())
    found = found.filter(
        pl.col("days").is_between(NEAREST_DAYS, FURTHEST_DAYS)
        & pl.col("settles_on").map_elements(_is_last_of_week, return_dtype=pl.Boolean)
    )
    by_snapshot: dict[Snapshot, list[Term]] = {}
    rows = found.select(*_TERM, "days", "years").sort(_TERM)
    for underlying, at, root, expiration, days, years in rows.iter_rows():
        by_snapshot.setdefault((underlying, at), []).append(Term(root, expiration, days, years))
    return by_snapshot


def _to_new_york_date(column: str) -> pl.Expr:
    return pl.col(column).dt.convert_time_zone(str(NEW_YORK)).dt.date()


@cache
def _is_last_of_week(day: date) -> bool:
    week = list_week_sessions(day)
    return day == week[-1] if week else day.weekday() == 4


def _is_standard(root: str) -> bool:
    return find_product(root).is_standard


def _select_quotes(
    chain: pl.DataFrame, wanted: list[tuple[str, datetime, Term]]
) -> dict[tuple[object, ...], StripQuotes]:
    """Select the quotes of the wanted terms, strikes ascending."""
    keys = pl.DataFrame(
        [(underlying, at, term.root, term.expiration) for underlying, at, term in wanted],
        schema={name: chain.schema[name] for name in _TERM},
        orient="row",
    )
    rows = chain.join(keys.unique(), on=_TERM, how="semi").select(*_TERM, "strike", "option_type", "bid", "ask")
    rows = rows.unique([*_TERM, "strike", "option_type"], keep="last", maintain_order=True)
    is_call = pl.col("option_type") == OptionType.CALL.value
    calls = rows.filter(is_call).select(*_TERM, "strike", call_bid="bid", call_ask="ask")
    puts = rows.filter(~is_call).select(*_TERM, "strike", put_bid="bid", put_ask="ask")
    pairs = calls.join(puts, on=[*_TERM, "strike"], how="full", coalesce=True).sort(*_TERM, "strike")
    # Slices of whole columns: thousands of small frames would cost more than the computation itself.
    columns = [pairs[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in StripQuotes._fields]
    quotes: dict[tuple[object, ...], StripQuotes] = {}
    start = 0
    for *key, count in pairs.group_by(_TERM, maintain_order=True).len().iter_rows():
        quotes[tuple(key)] = StripQuotes(*(column[start : start + count] for column in columns))
        start += count
    return quotes


def _compute_strip(quotes: StripQuotes | None, term: Term, curve: Curve) -> Strip | StripReason | ModelFreeReason:
    if quotes is None:
        return StripReason.NO_PAIR
    rate = float(interpolate_rates(curve, np.array([term.years]))[0])
    strip = strip_variance(quotes, term.years, rate)
    if isinstance(strip, Strip) and strip.tail > LARGEST_TAIL:
        return ModelFreeReason.STRIP_CUT_SHORT
    return strip


def _compute_volatility(
    near: Term, after: Term, strips: list[Strip | StripReason | ModelFreeReason]
) -> float | StrEnum:
    variances = []
    for strip in strips:
        if isinstance(strip, StrEnum):
            return strip
        variances.append(strip.variance)
    volatility = compute_volatility_at_30_days(
        variances[0], near.years * MINUTES_PER_YEAR, variances[1], after.years * MINUTES_PER_YEAR
    )
    return ModelFreeReason.NEGATIVE_VARIANCE if np.isnan(volatility) else volatility
