"""Tables about option contracts: valued contracts, prints, and the chains that the lake holds.

Belongs here: `historical_greeks`, `options_flow_history`, `option_chain_snapshots`. What is computed from them per
underlying is in `analytics_tables`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from hd_pipelines.tables.vocabulary import (
    Aggressiveness,
    ExerciseStyle,
    FlowSentiment,
    OptionType,
    PriceSource,
    SnapshotKind,
    TradeType,
)
from hd_pipelines.warehouse.schema.columns import (
    amounts,
    answer,
    byte_ordered_text,
    check,
    count,
    day,
    days,
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

GREEKS = ("delta", "gamma", "theta", "vega", "rho")

historical_greeks = Table(
    "historical_greeks",
    metadata,
    byte_ordered_text("symbol"),
    byte_ordered_text("contract_ticker"),
    moment("timestamp", nullable=False),
    day("session", nullable=False),
    word("kind", nullable=False),
    word("root", nullable=False),
    day("expiration", nullable=False),
    price("strike", nullable=False),
    word("option_type", nullable=False),
    word("exercise_style", nullable=False),
    price("shares_per_contract"),
    moment("settles_at"),
    days("dte", nullable=False),
    answer("years"),
    price("underlying_price"),
    answer("forward"),
    answer("discount"),
    price("bid"),
    price("ask"),
    price("last"),
    price("mid_price"),
    count("volume"),
    count("open_interest"),
    day("open_interest_as_of"),
    answer("implied_volatility"),
    word("iv_reason"),
    *(answer(name) for name in GREEKS),
    answer("iv_rank"),
    answer("iv_percentile"),
    word("price_source", nullable=False),
    count("price_age_seconds"),
    word("model"),
    now("created_at"),
    now("updated_at"),
    PrimaryKeyConstraint("contract_ticker", "timestamp", name="historical_greeks_pkey"),
    *vocabulary(
        "historical_greeks",
        {
            "kind": SnapshotKind,
            "option_type": OptionType,
            "exercise_style": ExerciseStyle,
            "price_source": PriceSource,
        },
    ),
    check("historical_greeks", "names", "symbol <> '' AND contract_ticker <> '' AND root <> ''"),
    check("historical_greeks", "session", same_day("timestamp", "session")),
    check("historical_greeks", "dte", "dte = expiration - session"),
    check("historical_greeks", "strike", positive("strike", "shares_per_contract", "underlying_price")),
    check("historical_greeks", "prices", amounts("bid", "ask", "last", "mid_price")),
    check("historical_greeks", "counts", none_negative("volume", "open_interest", "price_age_seconds")),
    check("historical_greeks", "finite", finite("years", "forward", "discount", *GREEKS)),
    check(
        "historical_greeks",
        "implied_volatility",
        "implied_volatility > 0 AND implied_volatility < 'Infinity'::double precision",
    ),
    check("historical_greeks", "iv_reason", "(implied_volatility IS NULL) = (iv_reason IS NOT NULL)"),
    check(
        "historical_greeks",
        "greeks_need_a_volatility",
        f"implied_volatility IS NOT NULL OR num_nonnulls({', '.join(GREEKS)}) = 0",
    ),
    check("historical_greeks", "rank", within(0, 1, "iv_rank", "iv_percentile")),
    postgresql_partition_by='RANGE ("timestamp")',
)
# One symbol over a stretch of time, and its newest snapshot. The history of one contract is the primary key's.
Index("historical_greeks_symbol_idx", historical_greeks.c.symbol, historical_greeks.c.timestamp)

options_flow_history = Table(
    "options_flow_history",
    metadata,
    Column("id", UUID(as_uuid=False), nullable=False),
    byte_ordered_text("symbol"),
    byte_ordered_text("contract_ticker"),
    moment("timestamp", nullable=False),
    day("session", nullable=False),
    price("price", nullable=False),
    Column("size", BigInteger, nullable=False),
    price("premium"),
    word("trade_type", nullable=False),
    word("sentiment"),
    word("aggressiveness"),
    price("strike", nullable=False),
    day("expiration", nullable=False),
    word("option_type", nullable=False),
    price("underlying_price"),
    days("dte", nullable=False),
    *(
        Column(name, Boolean, nullable=False, server_default=text("false"))
        for name in ("is_sweep", "is_block", "is_above_ask", "is_below_bid", "is_unusual_volume")
    ),
    answer("size_percentile"),
    answer("premium_percentile"),
    word("exchange"),
    Column("conditions", ARRAY(Text)),
    now("created_at"),
    now("updated_at"),
    PrimaryKeyConstraint("id", "timestamp", name="options_flow_history_pkey"),
    *vocabulary(
        "options_flow_history",
        {
            "trade_type": TradeType,
            "sentiment": FlowSentiment,
            "aggressiveness": Aggressiveness,
            "option_type": OptionType,
        },
    ),
    check("options_flow_history", "names", "symbol <> '' AND contract_ticker <> ''"),
    check("options_flow_history", "session", same_day("timestamp", "session")),
    check("options_flow_history", "dte", "dte = expiration - session"),
    check("options_flow_history", "strike", positive("strike", "underlying_price")),
    check("options_flow_history", "prices", amounts("price", "premium")),
    check("options_flow_history", "size", "size > 0"),
    check("options_flow_history", "percentiles", within(0, 100, "size_percentile", "premium_percentile")),
    postgresql_partition_by='RANGE ("timestamp")',
)
Index("options_flow_history_symbol_idx", options_flow_history.c.symbol, options_flow_history.c.timestamp)

option_chain_snapshots = Table(
    "option_chain_snapshots",
    metadata,
    byte_ordered_text("underlying"),
    moment("snapshot_at", nullable=False),
    day("session", nullable=False),
    word("kind", nullable=False),
    word("source", nullable=False),
    count("contracts", nullable=False),
    count("with_quote", nullable=False),
    count("with_open_interest", nullable=False),
    count("with_vendor_iv", nullable=False),
    answer("completeness"),
    word("fingerprint", nullable=False),
    word("landed_url"),
    now("created_at"),
    now("updated_at"),
    PrimaryKeyConstraint("underlying", "snapshot_at", name="option_chain_snapshots_pkey"),
    *vocabulary("option_chain_snapshots", {"kind": SnapshotKind, "source": PriceSource}),
    check("option_chain_snapshots", "names", "underlying <> '' AND fingerprint <> ''"),
    check("option_chain_snapshots", "session", same_day("snapshot_at", "session")),
    check(
        "option_chain_snapshots",
        "counts",
        "contracts >= 0 AND with_quote BETWEEN 0 AND contracts AND with_open_interest BETWEEN 0 AND contracts"
        " AND with_vendor_iv BETWEEN 0 AND contracts",
    ),
    check("option_chain_snapshots", "completeness", within(0, 1, "completeness")),
)
