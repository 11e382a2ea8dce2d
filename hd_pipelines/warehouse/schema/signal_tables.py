"""Tables of signals: the setups that a scan found, and what each scan looked at and refused.

Belongs here: `composite_signals` and `signal_scans`. How they are made is `signals.scanner`. What a signal says never
changes once it is stored; only what became of it does, and a trigger holds that (migration 0012).
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from hd_pipelines.tables.vocabulary import (
    AssetClass,
    Direction,
    ExitReason,
    Resolution,
    SignalStatus,
    Strategy,
    TradingStyle,
)
from hd_pipelines.warehouse.schema.columns import (
    answer,
    byte_ordered_text,
    check,
    count,
    day,
    finite,
    metadata,
    moment,
    none_negative,
    now,
    positive,
    price,
    same_day,
    vocabulary,
    within,
    word,
)

_SCORES = ("base_score", "scalp_score", "day_trade_score", "swing_score", "style_score", "data_confidence")
_PRICES = ("entry_price", "stop_price", "target_1", "target_2", "target_3")
FACTS = (
    "signal_id",
    "symbol",
    "detector",
    "strategy",
    "direction",
    "asset_class",
    "resolution",
    "session",
    "bar_time",
    "as_of",
    *_SCORES[:4],
    "style",
    *_SCORES[4:],
    *_PRICES,
    "risk_reward",
    "size_multiplier",
    "valid_until",
    "detector_version",
    "parameter_version",
    "policy_version",
    "contract_ticker",
    "contract",
    "explanation",
)
"""What a signal says; written once."""
OUTCOME = (
    "status",
    "exit_reason",
    "exit_price",
    "exited_at",
    "r_multiple",
    "max_favorable_excursion_r",
    "max_adverse_excursion_r",
    "hold_minutes",
)
"""What became of it; written by the settling job."""

composite_signals = Table(
    "composite_signals",
    metadata,
    byte_ordered_text("signal_id"),
    byte_ordered_text("symbol"),
    byte_ordered_text("detector"),
    word("strategy", nullable=False),
    word("direction", nullable=False),
    word("asset_class", nullable=False),
    word("resolution", nullable=False),
    day("session", nullable=False),
    moment("bar_time", nullable=False),
    moment("as_of", nullable=False),
    *(answer(name, nullable=False) for name in _SCORES[:4]),
    word("style", nullable=False),
    *(answer(name, nullable=False) for name in _SCORES[4:]),
    *(price(name, nullable=False) for name in _PRICES),
    answer("risk_reward", nullable=False),
    answer("size_multiplier", nullable=False),
    moment("valid_until", nullable=False),
    Column("detector_version", Integer, nullable=False),
    word("parameter_version", nullable=False),
    word("policy_version", nullable=False),
    word("contract_ticker"),
    Column("contract", JSONB(none_as_null=True)),
    Column("explanation", JSONB, nullable=False),
    word("status", nullable=False),
    moment("alerted_at"),
    moment("dismissed_at"),
    moment("filled_at"),
    price("fill_price"),
    word("exit_reason"),
    price("exit_price"),
    moment("exited_at"),
    answer("r_multiple"),
    answer("max_favorable_excursion_r"),
    answer("max_adverse_excursion_r"),
    answer("hold_minutes"),
    word("run_id"),
    now("created_at"),
    now("updated_at"),
    PrimaryKeyConstraint("signal_id", name="composite_signals_pkey"),
    UniqueConstraint("symbol", "detector", "bar_time", name="composite_signals_symbol_detector_bar_time_key"),
    *vocabulary(
        "composite_signals",
        {
            "strategy": Strategy,
            "direction": Direction,
            "asset_class": AssetClass,
            "resolution": Resolution,
            "style": TradingStyle,
            "status": SignalStatus,
            "exit_reason": ExitReason,
        },
    ),
    check("composite_signals", "signal_id", "signal_id ~ '^[0-9a-f]{32}$'"),
    check("composite_signals", "names", "symbol <> '' AND detector <> ''"),
    check("composite_signals", "session", same_day("bar_time", "session")),
    check("composite_signals", "times", "bar_time < as_of AND as_of < valid_until"),
    check("composite_signals", "scores", within(0, 100, *_SCORES)),
    check("composite_signals", "prices", positive(*_PRICES)),
    # Stop, entry and targets lie in one order, that of the direction.
    check(
        "composite_signals",
        "plan",
        "(direction = 'LONG' AND stop_price < entry_price AND entry_price < target_1 AND target_1 <= target_2"
        " AND target_2 <= target_3) OR (direction = 'SHORT' AND stop_price > entry_price AND entry_price > target_1"
        " AND target_1 >= target_2 AND target_2 >= target_3)",
    ),
    check(
        "composite_signals",
        "risk_reward",
        "risk_reward > 0 AND risk_reward < 'Infinity'::double precision"
        " AND size_multiplier >= 0 AND size_multiplier < 'Infinity'::double precision",
    ),
    check(
        "composite_signals", "versions", "detector_version >= 1 AND parameter_version <> '' AND policy_version <> ''"
    ),
    check("composite_signals", "contract", "num_nulls(contract_ticker, contract) IN (0, 2)"),
    check("composite_signals", "explanation", "jsonb_typeof(explanation) = 'object'"),
    # A signal is settled as a whole or not at all.
    check(
        "composite_signals",
        "outcome",
        "num_nulls(exit_reason, exit_price, exited_at, r_multiple) IN (0, 4)"
        " AND (status IN ('STOPPED', 'TARGET_HIT', 'EXPIRED')) = (exit_reason IS NOT NULL)",
    ),
    check(
        "composite_signals",
        "excursions",
        "max_favorable_excursion_r >= 0 AND max_favorable_excursion_r < 'Infinity'::double precision"
        " AND max_adverse_excursion_r <= 0 AND max_adverse_excursion_r > '-Infinity'::double precision"
        " AND hold_minutes >= 0 AND " + finite("r_multiple") + " AND " + positive("exit_price", "fill_price"),
    ),
)
Index("composite_signals_session_idx", composite_signals.c.session, composite_signals.c.as_of)
Index(
    "composite_signals_active_idx",
    composite_signals.c.valid_until,
    postgresql_where=composite_signals.c.status == SignalStatus.ACTIVE.value,
)

signal_scans = Table(
    "signal_scans",
    metadata,
    byte_ordered_text("scan_id"),
    day("session", nullable=False),
    word("resolution", nullable=False),
    moment("first_as_of", nullable=False),
    moment("last_as_of", nullable=False),
    count("symbols", nullable=False),
    count("rows", nullable=False),
    count("candidates", nullable=False),
    count("stored", nullable=False),
    Column("rejections", JSONB, nullable=False),
    Column("labels", JSONB, nullable=False),
    word("policy_version", nullable=False),
    answer("seconds"),
    word("run_id"),
    now("created_at"),
    now("updated_at"),
    PrimaryKeyConstraint("scan_id", name="signal_scans_pkey"),
    *vocabulary("signal_scans", {"resolution": Resolution}),
    check("signal_scans", "scan_id", "scan_id ~ '^[0-9a-f]{32}$'"),
    check("signal_scans", "times", "first_as_of <= last_as_of"),
    check("signal_scans", "counts", none_negative("symbols", "rows", "candidates", "stored")),
    check("signal_scans", "documents", "jsonb_typeof(rejections) = 'array' AND jsonb_typeof(labels) = 'array'"),
)
Index("signal_scans_session_idx", signal_scans.c.session, signal_scans.c.last_as_of)
