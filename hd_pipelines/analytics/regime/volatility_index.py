"""Measures the volatility index: level, change, class and the shape of its term structure.

Uses VIX bars and a second maturity. This platform's own volatilities (`constant_maturity`, `model_free`) come in as a
frame.

Term structure is the longer maturity over the shorter one, minus 1. VIX3M is above VIX on most days (the three-month index
carries the higher variance premium), so par is not the middle of that pair's bands; backwardation, below par, is what the
field reads as stress (Cboe, "VIX3M" white paper).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from hd_pipelines.analytics.cut_offs import classify_by_cut_offs
from hd_pipelines.tables.vocabulary import VixRegime, VixTermStructure

VIX, VIX3M, VIX9D = "I:VIX", "I:VIX3M", "I:VIX9D"

VIX_CUT_OFFS = (12.0, 16.0, 20.0, 30.0, 40.0)


class TermSource(StrEnum):
    """Pair of maturities from which the term structure was read, best first. The value is stored in the row."""

    FUTURES = "VIX futures, front and back month"
    VIX3M = "VIX3M over VIX"
    OWN_VOLATILITY = "own 93-day over 30-day implied volatility"
    VIX9D = "VIX over VIX9D"


TERM_CUT_OFFS: dict[TermSource, tuple[float, float, float, float]] = {
    TermSource.FUTURES: (-0.06, -0.01, 0.01, 0.07),
    TermSource.VIX3M: (-0.10, -0.02, 0.02, 0.15),
    TermSource.OWN_VOLATILITY: (-0.10, -0.02, 0.02, 0.15),
    TermSource.VIX9D: (-0.12, -0.03, 0.03, 0.15),
}
"""Longer over shorter maturity, minus 1: below the first STEEP_BACKWARDATION, … from the last on STEEP_CONTANGO.

Futures one month apart differ less than those three months apart, or than nine days against thirty.
"""

VOLATILITY_INDEX = {
    "date": pl.Date,
    "vix_level": pl.Float64,
    "vix_change": pl.Float64,
    "vix_change_pct": pl.Float64,
    "vix_regime": pl.String,
    "vix_front_month": pl.Float64,
    "vix_back_month": pl.Float64,
    "vix_term_spread": pl.Float64,
    "vix_term_structure": pl.String,
    "term_ratio": pl.Float64,
    "term_structure_reason": pl.String,
}
"""vix_term_spread is the longer maturity minus the shorter in VIX points, term_ratio their ratio minus 1, both of the source
that `term_structure_reason` names. vix_front_month and vix_back_month are futures: null unless given.
"""


@dataclass(frozen=True, slots=True)
class SecondMaturities:
    """Sources from which a term structure can be read, besides the index bars. None: the source is not available.

    futures         date, front_month, back_month (settlement prices in VIX points)
    own_volatility  date, iv30, iv93 (per year, 0.16 for 16 %), of the SPX or SPY chain
    """

    futures: pl.DataFrame | None = None
    own_volatility: pl.DataFrame | None = None


def measure_volatility_index(closes: pl.DataFrame, second: SecondMaturities | None = None) -> pl.DataFrame:
    """Measure the VIX per session. Returns `VOLATILITY_INDEX`, one row per row of `closes`.

    `closes`: date and the columns `I:VIX`, `I:VIX3M`, `I:VIX9D` as far as there are any; one row per exchange session,
    ascending, null where the index has no bar. A change needs the session directly before; a gap leaves it null.
    """
    second = second or SecondMaturities()
    known = closes.select("date", *(_keep_positive(closes, ticker) for ticker in (VIX, VIX3M, VIX9D)))
    known = _join_columns(known, second.futures, {"front_month": "vix_front_month", "back_month": "vix_back_month"})
    known = _join_columns(known, second.own_volatility, {"iv30": "own_30", "iv93": "own_93"})
    level = pl.col(VIX)
    measured = known.with_columns(
        vix_level=level,
        vix_change=(level - level.shift(1)).round(6),
        vix_change_pct=((level / level.shift(1) - 1) * 100).round(6),
        vix_regime=classify_by_cut_offs(level, VIX_CUT_OFFS, list(VixRegime)),
    )
    pairs = {
        TermSource.FUTURES: (pl.col("vix_front_month"), pl.col("vix_back_month")),
        TermSource.VIX3M: (pl.col(VIX), pl.col(VIX3M)),
        TermSource.OWN_VOLATILITY: (pl.col("own_30") * 100, pl.col("own_93") * 100),
        TermSource.VIX9D: (pl.col(VIX9D), pl.col(VIX)),
    }
    classes = list(reversed(VixTermStructure))
    spread, ratio, shape, source = (
        pl.coalesce(choices)
        for choices in zip(
            *(
                (
                    longer - shorter,
                    longer / shorter - 1,
                    classify_by_cut_offs(longer / shorter - 1, TERM_CUT_OFFS[name], classes),
                    pl.when((longer / shorter).is_not_null()).then(pl.lit(name.value)),
                )
                for name, (shorter, longer) in pairs.items()
            ),
            strict=True,
        )
    )
    measured = measured.with_columns(
        vix_term_spread=spread.round(6),
        term_ratio=ratio,
        vix_term_structure=shape,
        term_structure_reason=pl.when(source == TermSource.FUTURES.value)
        .then(source)
        .when(source.is_not_null())
        .then(pl.format("{}; no VIX futures", source))
        .otherwise(pl.lit("no second maturity: neither VIX futures nor VIX3M nor VIX9D nor own 93-day volatility")),
    )
    return measured.select(list(VOLATILITY_INDEX)).cast(VOLATILITY_INDEX)  # type: ignore[arg-type]


def _keep_positive(frame: pl.DataFrame, column: str) -> pl.Expr:
    # A volatility of 0 or less is a defect of the feed and not a level.
    if column not in frame.columns:
        return pl.lit(None, pl.Float64).alias(column)
    value = pl.col(column).cast(pl.Float64).fill_nan(None)
    return pl.when(value > 0).then(value).alias(column)


def _join_columns(known: pl.DataFrame, other: pl.DataFrame | None, names: dict[str, str]) -> pl.DataFrame:
    if other is None:
        return known.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names.values())
    wanted = other.select("date", *(_keep_positive(other, column).alias(name) for column, name in names.items()))
    return known.join(wanted, on="date", how="left", maintain_order="left")
