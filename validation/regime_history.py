"""Classifies the market regime over 1990–2022 from public daily histories, and describes the result in tables.

The rules are those of `analytics.regime.classification` as they run every day; nothing is tuned here.

The history contains SPX and VIX closes from 1990, advances and declines from 1992 (with gaps until 1995), sector funds from
December 1998 (correlation, leadership; without SPY there is no strength relative to it, so sectors stay null), stocks above
their 200-day average from 2002 (all US stocks, S&P 500 from 2007), new highs and lows from 2005. It has no share above the
50-day average, no second VIX maturity and no put/call volume: those stay null and lower the confidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from hd_pipelines.analytics.regime.breadth import average_net_advances, classify_breadth, divide_or_null
from hd_pipelines.analytics.regime.classification import classify_regimes
from hd_pipelines.analytics.regime.correlation import average_pairwise_correlation, classify_correlation
from hd_pipelines.analytics.regime.inputs import add_missing_columns, compute_trend_axes
from hd_pipelines.analytics.regime.sectors import SECTOR_FUNDS
from hd_pipelines.analytics.regime.volatility_index import VIX, measure_volatility_index
from hd_pipelines.tables.vocabulary import MarketRegime

EPISODES: tuple[tuple[str, date, date], ...] = (
    ("2008-10", date(2008, 10, 1), date(2008, 10, 31)),
    ("2017", date(2017, 1, 3), date(2017, 12, 29)),
    ("2018-02", date(2018, 2, 1), date(2018, 2, 28)),
    ("2020-03", date(2020, 3, 2), date(2020, 3, 31)),
    ("2022", date(2022, 1, 3), date(2022, 12, 30)),
)


@dataclass(frozen=True, slots=True)
class RegimeHistory:
    """The result and its description.

    rows      what would have been published (`classification.REGIME_ROWS`)
    episodes  per episode: sessions, return, VIX range, dominant class, share of sessions per class
    classes   per class: sessions, share, spells, mean and longest dwell in sessions, mean confidence, and the mean SPX
              return and VIX of its sessions
    spells    each uninterrupted stay: regime, first, last, sessions
    """

    rows: pl.DataFrame
    episodes: pl.DataFrame
    classes: pl.DataFrame
    spells: pl.DataFrame

    @property
    def mean_dwell_sessions(self) -> float:
        """Mean length of a stay over all classes."""
        return self.rows.height / self.spells.height


def classify_history(folder: Path) -> RegimeHistory:
    """Classify the regime of every session in `folder` and describe it. Raises `FileNotFoundError` naming what is absent."""
    closes = read_index_closes(folder)
    rows = classify_regimes(build_history_inputs(folder, closes))
    priced = rows.join(closes.select("date", spx="I:SPX"), on="date").with_columns(
        change=pl.col("spx") / pl.col("spx").shift(1) - 1
    )
    spells = _find_spells(rows)
    return RegimeHistory(rows, _describe_episodes(priced), _describe_classes(priced, spells), spells)


def read_index_closes(folder: Path) -> pl.DataFrame:
    """Read date, `I:SPX`, `I:VIX`: one row per SPX session, VIX null where it has none."""
    spx = _read_csv(folder, "spx_daily.csv.gz").select("date", pl.col("close").alias("I:SPX"))
    vix = _read_csv(folder, "vix_daily.csv.gz").select("date", pl.col("close").alias(VIX))
    return spx.join(vix, on="date", how="left").sort("date")


def build_history_inputs(folder: Path, closes: pl.DataFrame) -> pl.DataFrame:
    """Build `inputs.INPUTS` of every row of `closes`, null where the history has no such measure."""
    measured = pl.concat(
        [
            measure_volatility_index(closes),
            compute_trend_axes(closes),
            _read_breadth(folder, closes),
            _read_correlation(folder, closes),
        ],
        how="horizontal",
    )
    return add_missing_columns(measured)


def _read_csv(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(folder / name, try_parse_dates=True, infer_schema_length=None)


def _read_breadth(folder: Path, closes: pl.DataFrame) -> pl.DataFrame:
    series = _read_csv(folder, "breadth_indicators_daily.csv.gz").pivot(on="series", index="date", values="close")
    on_axis = closes.select("date").join(series, on="date", how="left", maintain_order="left")
    advancers, decliners = pl.col("ADV").cast(pl.Int64), pl.col("DECL").cast(pl.Int64)
    highs, lows = pl.col("MAHN").cast(pl.Int64), pl.col("MALN").cast(pl.Int64)
    # S5TH before 2007 is a handful of days; a measure that comes and goes would decide by its absence.
    above_200d = pl.when(pl.col("date") >= date(2007, 1, 1)).then(pl.col("S5TH")).otherwise(pl.col("MMTH")) / 100
    return on_axis.select(
        advancers=advancers,
        decliners=decliners,
        advance_decline_ratio=divide_or_null(advancers, decliners),
        advance_decline_diff=advancers - decliners,
        net_advances_10d=average_net_advances(advancers, decliners),
        new_highs=highs,
        new_lows=lows,
        high_low_ratio=divide_or_null(highs, lows),
        share_above_200d=above_200d,
        breadth_regime=classify_breadth(advancers, decliners, highs, lows),
        breadth_reason=pl.lit("published series; no share above the 20- and 50-day averages"),
    )


def _read_correlation(folder: Path, closes: pl.DataFrame) -> pl.DataFrame:
    wide = _read_csv(folder, "sector_etfs_daily.csv.gz").pivot(
        on="symbol", on_columns=list(SECTOR_FUNDS), index="date", values="close"
    )
    funds = closes.select("date").join(wide, on="date", how="left", maintain_order="left").drop("date")
    returns = funds.select(pl.all().cast(pl.Float64) / pl.all().shift(1) - 1).to_numpy()
    found = pl.Series("average_pairwise_correlation", average_pairwise_correlation(returns)).fill_nan(None).to_frame()
    nothing = pl.lit(None, pl.Float64)
    return found.with_columns(
        correlation_regime=classify_correlation(pl.col("average_pairwise_correlation"), nothing, nothing)
    )


def _find_spells(rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.select("date", "market_regime", spell=pl.col("market_regime").rle_id())
        .group_by("spell", maintain_order=True)
        .agg(
            regime=pl.col("market_regime").first(),
            first=pl.col("date").first(),
            last=pl.col("date").last(),
            sessions=pl.len().cast(pl.Int64),
        )
        .drop("spell")
    )


def _describe_episodes(priced: pl.DataFrame) -> pl.DataFrame:
    described = []
    for name, first, last in EPISODES:
        inside = priced.filter(pl.col("date").is_between(first, last))
        shares = dict(inside["market_regime"].value_counts(normalize=True).iter_rows())
        described.append(
            {
                "episode": name,
                "sessions": inside.height,
                "spx_return_pct": ((1 + inside["change"]).product() - 1) * 100,
                "vix_min": inside["vix_level"].min(),
                "vix_max": inside["vix_level"].max(),
                "dominant": max(shares, key=lambda regime: shares[regime]) if shares else None,
                **{regime.value: shares.get(regime.value, 0.0) for regime in MarketRegime},
            }
        )
    return pl.DataFrame(described)


def _describe_classes(priced: pl.DataFrame, spells: pl.DataFrame) -> pl.DataFrame:
    order = pl.DataFrame({"regime": [regime.value for regime in MarketRegime]})
    sessions = priced.group_by(regime="market_regime").agg(
        sessions=pl.len().cast(pl.Int64),
        share=pl.len() / priced.height,
        mean_confidence=pl.col("confidence_score").mean(),
        mean_change_pct=pl.col("change").mean() * 100,
        mean_vix=pl.col("vix_level").mean(),
    )
    stays = spells.group_by("regime").agg(
        spells=pl.len().cast(pl.Int64),
        mean_dwell_sessions=pl.col("sessions").mean(),
        longest_dwell_sessions=pl.col("sessions").max(),
    )
    return (
        order.join(sessions, on="regime", how="left", maintain_order="left")
        .join(stays, on="regime", how="left", maintain_order="left")
        .with_columns(pl.col("sessions", "spells").fill_null(0), pl.col("share").fill_null(0.0))
    )
