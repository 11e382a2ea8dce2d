"""Classifies the market regime of each session: eleven classes, decided by rule and held with hysteresis.

Applies memory to the decisions of `decision`, and builds the published row. Measures come from `inputs`.

Hysteresis, in this order on every session:
1. A decision for an `URGENT` regime is entered at once: panic and a broken range do not wait for confirmation (euphoria,
   which builds over weeks, does).
2. A regime is held for `SHORTEST_DWELL` sessions, an event for `EVENT_DWELL`.
3. It is left once its own conditions, with slack, no longer hold.
4. It is also left once the same other regime has been decided on `CONFIRMATIONS` sessions in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from hd_pipelines.analytics.cut_offs import classify_by_cut_offs
from hd_pipelines.analytics.regime.conditions import Rule
from hd_pipelines.analytics.regime.decision import (
    decide,
    find_regimes_that_may_stay,
    list_missing_axes,
    measure_coverage,
)
from hd_pipelines.analytics.regime.rules import RULES
from hd_pipelines.market.frames import build_frame_schema
from hd_pipelines.tables.regime import MARKET_REGIME_HISTORY
from hd_pipelines.tables.vocabulary import MarketRegime, TickRegime

URGENT = frozenset({MarketRegime.CAPITULATION, MarketRegime.BREAKOUT, MarketRegime.BREAKDOWN})
EVENTS = frozenset({MarketRegime.BREAKOUT, MarketRegime.BREAKDOWN})
SHORTEST_DWELL = 5
EVENT_DWELL = 3
"""Sessions that BREAKOUT and BREAKDOWN are held: within days they become a trend or fail."""
CONFIRMATIONS = 3
HELD_CONFIDENCE = 0.8
"""Factor on the confidence of a session whose own evidence favours another regime than the one that is held."""
TICK_CUT_OFFS = (-800.0, -300.0, 300.0, 800.0)

REGIME_ROWS = build_frame_schema(MARKET_REGIME_HISTORY)
"""Columns of `market_regime_history` without its two timestamps. Key: date. Ratios and shares are plain numbers, `_pct` is
per cent; `confidence_score` 0-100; `regime_reason` names the rule, why another regime is held, and what is missing.
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """State that a session passes to the next: regime, its begin and length; the challenging regime and for how long."""

    regime: MarketRegime
    since: date
    sessions: int
    challenger: MarketRegime | None = None
    challenged: int = 0


def classify_regimes(inputs: pl.DataFrame, before: pl.DataFrame | None = None) -> pl.DataFrame:
    """Classify each session in `inputs` that has a VIX level. Returns `REGIME_ROWS`, ascending.

    `inputs`: `inputs.INPUTS`, one row per session, any order. `before`: rows published for earlier sessions (date,
    market_regime, raw_regime, regime_since; the last ten are enough), so that a single added day continues them; None
    begins without memory. Sessions without a VIX level get no row (`list_sessions_without_vix` lists them) and do not
    change the memory. A row depends on its own and earlier sessions only.
    """
    known = inputs.filter(pl.col("vix_level").is_not_null()).sort("date")
    rows = pl.concat([known, decide(known)], how="horizontal").with_columns(
        coverage=measure_coverage(), missing=list_missing_axes()
    )
    held = _apply_memory(rows, find_regimes_that_may_stay(known), _restore_memory(before, known["date"].min()))
    return (
        rows.with_columns(held)
        .with_columns(
            confidence_score=_compute_confidence(RULES),
            regime_reason=_describe_reason(RULES),
            tick_regime=classify_by_cut_offs(pl.col("tick_index"), TICK_CUT_OFFS, list(TickRegime)),
        )
        .select(list(REGIME_ROWS))
        .cast(REGIME_ROWS)  # type: ignore[arg-type]
    )


def list_sessions_without_vix(inputs: pl.DataFrame) -> list[date]:
    """List the sessions of `inputs` for which no row can be published, ascending; each deserves a finding."""
    return sorted(inputs.filter(pl.col("vix_level").is_null())["date"].to_list())


def update_memory(memory: Memory | None, session: date, decision: MarketRegime, *, may_stay: bool) -> Memory:
    """Update the memory after `session`.

    `decision`: the regime that its own evidence indicates; `may_stay`: whether the held regime's conditions hold.
    """
    if memory is None:
        return Memory(decision, session, 1)
    sessions = memory.sessions + 1
    if decision is memory.regime:
        return Memory(decision, memory.since, sessions)
    challenged = memory.challenged + 1 if decision is memory.challenger else 1
    dwell = EVENT_DWELL if memory.regime in EVENTS else SHORTEST_DWELL
    is_settled = memory.sessions >= dwell and (not may_stay or challenged >= CONFIRMATIONS)
    if decision in URGENT or is_settled:
        return Memory(decision, session, 1)
    return Memory(memory.regime, memory.since, sessions, decision, challenged)


def _apply_memory(rows: pl.DataFrame, may_stay: pl.DataFrame, memory: Memory | None) -> list[pl.Series]:
    regimes: list[str] = []
    since: list[date] = []
    permitted = may_stay.to_dict(as_series=False)
    for position, (session, decision) in enumerate(rows.select("date", "raw_regime").iter_rows()):
        held = memory.regime.value if memory else decision
        memory = update_memory(memory, session, MarketRegime(decision), may_stay=permitted[held][position])
        regimes.append(memory.regime.value)
        since.append(memory.since)
    return [pl.Series("market_regime", regimes, pl.String), pl.Series("regime_since", since, pl.Date)]


def _restore_memory(before: pl.DataFrame | None, first: object) -> Memory | None:
    """Restore the memory from published rows, so that nothing but the table itself has to be kept."""
    if before is None or not isinstance(first, date):
        return None
    earlier = before.filter(pl.col("date") < first).sort("date")
    if earlier.is_empty():
        return None
    last = earlier.row(-1, named=True)
    regime, decision = MarketRegime(last["market_regime"]), MarketRegime(last["raw_regime"])
    sessions = earlier.filter(pl.col("date") >= last["regime_since"]).height
    if decision is regime:
        return Memory(regime, last["regime_since"], sessions)
    decisions = earlier["raw_regime"].to_list()
    run = next((n for n, decided in enumerate(reversed(decisions)) if decided != decision.value), len(decisions))
    return Memory(regime, last["regime_since"], sessions, decision, run)


def _compute_confidence(rules: Sequence[Rule]) -> pl.Expr:
    base = pl.col("rule").replace_strict(
        {index: float(rule.base_confidence) for index, rule in enumerate(rules)}, return_dtype=pl.Float64
    )
    held = pl.when(pl.col("market_regime") == pl.col("raw_regime")).then(1.0).otherwise(HELD_CONFIDENCE)
    return (base * pl.col("coverage") * held).round(1)


def _describe_reason(rules: Sequence[Rule]) -> pl.Expr:
    rule = pl.col("rule").replace_strict({index: rule.name for index, rule in enumerate(rules)}, return_dtype=pl.String)
    return pl.concat_str(
        pl.when(pl.col("market_regime") == pl.col("raw_regime"))
        .then(rule)
        .otherwise(pl.format("held; the session itself: {}", rule)),
        pl.when(pl.col("missing").is_not_null()).then(pl.format("not or partly measured: {}", pl.col("missing"))),
        separator="; ",
        ignore_nulls=True,
    )
