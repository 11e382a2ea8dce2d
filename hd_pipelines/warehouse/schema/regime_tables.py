"""Tables about the market as a whole: its regime of each session, and the yield curve.

Belongs here: `market_regime_history` and `treasury_yields`. Formulas are in `analytics`, discounting in `pricing`.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, PrimaryKeyConstraint, Table

from hd_pipelines.tables.vocabulary import (
    BreadthRegime,
    CorrelationRegime,
    MarketRegime,
    PutCallRegime,
    SectorRotation,
    TickRegime,
    VixRegime,
    VixTermStructure,
)
from hd_pipelines.warehouse.schema.columns import (
    amounts,
    answer,
    check,
    count,
    day,
    finite,
    finite_from_zero,
    metadata,
    none_negative,
    now,
    positive,
    price,
    vocabulary,
    within,
    word,
)

_COUNTS = ("advancers", "decliners", "unchanged", "new_highs", "new_lows", "n_stocks")
_SHARES = ("share_above_20d", "share_above_50d", "share_above_200d")
_CORRELATIONS = ("spy_ndx_correlation", "spy_rut_correlation", "average_pairwise_correlation")
_PUT_CALL = ("put_call_ratio_equity", "put_call_ratio_index", "put_call_ratio_total")
_CHANGES = ("spy_change_pct", "ndx_change_pct", "rut_change_pct")
_REASONS = ("breadth_reason", "term_structure_reason", "put_call_reason")

market_regime_history = Table(
    "market_regime_history",
    metadata,
    day("date", nullable=False),
    price("vix_level", nullable=False),
    answer("vix_change"),
    answer("vix_change_pct"),
    word("vix_regime"),
    price("vix_front_month"),
    price("vix_back_month"),
    word("vix_term_structure"),
    answer("vix_term_spread"),
    answer("tick_index"),
    word("tick_regime"),
    count("advancers"),
    count("decliners"),
    count("unchanged"),
    answer("advance_decline_ratio"),
    count("advance_decline_diff"),
    count("new_highs"),
    count("new_lows"),
    answer("high_low_ratio"),
    word("breadth_regime"),
    *(answer(name) for name in _SHARES),
    *(answer(name) for name in _CORRELATIONS),
    word("correlation_regime"),
    word("leading_sector"),
    word("lagging_sector"),
    word("sector_rotation"),
    *(answer(name) for name in _PUT_CALL),
    word("pc_regime"),
    price("spy_close"),
    answer("spy_change_pct"),
    price("ndx_close"),
    answer("ndx_change_pct"),
    price("rut_close"),
    answer("rut_change_pct"),
    price("spy_volume"),
    answer("spy_volume_ratio"),
    word("market_regime"),
    word("raw_regime"),
    day("regime_since"),
    word("regime_reason"),
    answer("confidence_score"),
    *(word(name) for name in _REASONS),
    count("n_stocks"),
    now("created_at"),
    now("updated_at"),
    PrimaryKeyConstraint("date", name="market_regime_history_pkey"),
    *vocabulary(
        "market_regime_history",
        {
            "vix_regime": VixRegime,
            "vix_term_structure": VixTermStructure,
            "tick_regime": TickRegime,
            "breadth_regime": BreadthRegime,
            "correlation_regime": CorrelationRegime,
            "sector_rotation": SectorRotation,
            "pc_regime": PutCallRegime,
            "market_regime": MarketRegime,
            "raw_regime": MarketRegime,
        },
    ),
    check(
        "market_regime_history",
        "prices",
        positive("vix_level", "vix_front_month", "vix_back_month", "spy_close", "ndx_close", "rut_close")
        + " AND "
        + amounts("spy_volume"),
    ),
    check(
        "market_regime_history",
        "finite",
        finite("vix_change", "vix_change_pct", "vix_term_spread", "tick_index", *_CHANGES),
    ),
    check("market_regime_history", "counts", none_negative(*_COUNTS)),
    check(
        "market_regime_history",
        "ratios",
        finite_from_zero("advance_decline_ratio", "high_low_ratio", "spy_volume_ratio", *_PUT_CALL),
    ),
    check("market_regime_history", "shares", within(0, 1, *_SHARES)),
    # A correlation of equal series may leave 1 by a rounding error.
    check("market_regime_history", "correlations", within(-1.000001, 1.000001, *_CORRELATIONS)),
    check("market_regime_history", "confidence_score", within(0, 100, "confidence_score")),
    check("market_regime_history", "regime_since", "regime_since <= date"),
    check("market_regime_history", "regime_reason", "num_nulls(market_regime, regime_reason) < 2"),
    postgresql_partition_by="RANGE (date)",
)

treasury_yields = Table(
    "treasury_yields",
    metadata,
    day("date", nullable=False),
    Column("years", Double, nullable=False),
    Column("rate", Double, nullable=False),
    now("created_at"),
    now("updated_at"),
    PrimaryKeyConstraint("date", "years", name="treasury_yields_pkey"),
    check("treasury_yields", "years", "years > 0 AND years <= 100"),
    # Per year, continuously compounded: 5.25 % is 0.0525. A percentage here would be discounted with.
    check("treasury_yields", "rate", "rate BETWEEN -0.05 AND 0.5"),
)
