"""Definition of `composite_signals`."""

from hd_pipelines.tables.model import FROM_ZERO, POSITIVE, Bounds, Check, Column, Index, Table, Type, Unique
from hd_pipelines.tables.shared import CREATED_AT, UPDATED_AT, alike, same_day
from hd_pipelines.tables.vocabulary import (
    AssetClass,
    Direction,
    ExitReason,
    Resolution,
    SignalStatus,
    Strategy,
    TradingStyle,
)

COMPOSITE_SIGNALS = Table(
    name="composite_signals",
    about="Setups that a detector found and every filter let pass, with the plan of the trade and what became "
    "of it. A stored signal never changes (a trigger enforces it); only its outcome does. See "
    "scanner.md and detectors.md.",
    grain="One row per symbol, detector and bar, for ever: the same scan again finds the same row.",
    written_by="`loading.signals.scan`; outcomes by `loading.signals.outcomes`.",
    key=("signal_id",),
    columns=(
        Column(
            "signal_id",
            Type.KEY_TEXT,
            "Key, a pure function of symbol, detector and bar.",
            "32 hex digits",
            source="`signals.scanner.signal`",
        ),
        Column("symbol", Type.KEY_TEXT, "Plain symbol of the underlying.", source="watchlist"),
        Column("detector", Type.KEY_TEXT, "Name of the detector.", source="`signals.detectors.registry`"),
        Column(
            "strategy",
            Type.TEXT,
            "What the detector looks for; regimes allow or forbid whole strategies.",
            enum=Strategy,
        ),
        Column("direction", Type.TEXT, "`LONG` or `SHORT`.", enum=Direction),
        Column(
            "asset_class",
            Type.TEXT,
            "`INDEX`, `EQUITY_ETF` or `STOCK`.",
            enum=AssetClass,
            source="`signals.asset_classes`",
        ),
        Column(
            "resolution",
            Type.TEXT,
            "`minute`, or `day` where a session has no minutes and was scanned once, at its close.",
            enum=Resolution,
        ),
        Column("session", Type.DATE, "Exchange session.", "date"),
        Column("bar_time", Type.INSTANT, "Start of the minute (of the session, for `day`) that ends at `as_of`."),
        Column("as_of", Type.INSTANT, "Instant of the signal; nothing later was known to it."),
        *alike(
            Column("base_score", Type.NUMBER, "Weighted mean of the detector's factors, times data confidence."),
            Column("scalp_score", Type.NUMBER, "Base score as a scalp, after style modifiers and contexts."),
            Column("day_trade_score", Type.NUMBER, "Base score as a day trade, after the same."),
            Column("swing_score", Type.NUMBER, "Base score as a swing, after the same."),
            unit="0 to 100",
            source="`signals.scanner`",
            bounds=Bounds(0, 100),
            check="scores",
        ),
        Column(
            "style",
            Type.TEXT,
            "Recommended style: the highest score among the possible styles.",
            enum=TradingStyle,
            source="`signals.scanner`",
        ),
        *alike(
            Column("style_score", Type.NUMBER, "Score of `style`, after edge."),
            Column(
                "data_confidence",
                Type.NUMBER,
                "How much of what a score rests on was known.",
                source="`signals.scanner.scoring.data_confidence`",
            ),
            unit="0 to 100",
            source="`signals.scanner`",
            bounds=Bounds(0, 100),
            check="scores",
        ),
        *alike(
            Column("entry_price", Type.PRICE, "Price of the underlying at `as_of`."),
            Column("stop_price", Type.PRICE, "Stop: the price that refutes the setup."),
            Column("target_1", Type.PRICE, "First target."),
            Column("target_2", Type.PRICE, "Second target; `risk_reward` is measured to it."),
            Column("target_3", Type.PRICE, "Third target; reaching it ends the signal."),
            unit="dollars",
            source="`signals.scanner.planning.trade_plan`",
            bounds=POSITIVE,
            check="prices",
        ),
        Column(
            "risk_reward",
            Type.NUMBER,
            "Distance to the second target over distance to the stop.",
            "ratio",
            source="`signals.scanner.planning.trade_plan`",
            bounds=POSITIVE,
        ),
        Column(
            "size_multiplier",
            Type.NUMBER,
            "Fraction of a normal position, by time window, VIX and level of volatility.",
            "ratio",
            source="`signals.scanner`",
            bounds=FROM_ZERO,
            check="risk_reward",
        ),
        Column(
            "valid_until",
            Type.INSTANT,
            "From then on it is not to be traded any more.",
            source="`signals.scanner.planning.validity`",
        ),
        Column("detector_version", Type.INTEGER, "Version of the detector's rules."),
        Column("parameter_version", Type.TEXT, "Digest of the detector's parameters.", "12 hex digits"),
        Column("policy_version", Type.TEXT, "Digest of the scanner's policy.", "12 hex digits"),
        *alike(
            Column("contract_ticker", Type.TEXT, "Option contract that suits the signal best."),
            Column(
                "contract",
                Type.JSON,
                "That option's quote and Greeks, and how old they are.",
                "JSON",
                null="as `contract_ticker`",
            ),
            null="no contract met all limits, or no chain is known; `explanation` says which",
            source="`historical_greeks`",
        ),
        Column(
            "explanation",
            Type.JSON,
            "Every condition, factor, modifier, reading, threshold, level and label; `hd explain` prints it.",
            "JSON",
            source="`signals.scanner.explanation`",
        ),
        Column(
            "status",
            Type.TEXT,
            "`ACTIVE`, `FILLED`, `EXPIRED`, `DISMISSED`, `STOPPED` or `TARGET_HIT`.",
            enum=SignalStatus,
        ),
        Column(
            "alerted_at",
            Type.INSTANT,
            "When its alert was written to the outbox.",
            null="it has not been announced",
            source="`sensors.alert_signals`",
        ),
        Column("dismissed_at", Type.INSTANT, "When it was dismissed.", null="it was not"),
        Column("filled_at", Type.INSTANT, "When an order on it was filled.", null="none was"),
        Column("fill_price", Type.PRICE, "Fill price.", "dollars", null="none was"),
        *alike(
            Column("exit_reason", Type.TEXT, "`STOP`, `T1`, `T2`, `T3`, `MANUAL` or `EXPIRED`.", enum=ExitReason),
            Column("exit_price", Type.PRICE, "Price of the underlying when the signal ended.", "dollars"),
            Column("exited_at", Type.INSTANT, "When it ended."),
            Column("r_multiple", Type.NUMBER, "Result in units of the distance from entry to stop.", "R"),
            Column("max_favorable_excursion_r", Type.NUMBER, "Best price while the signal was open.", "R"),
            Column("max_adverse_excursion_r", Type.NUMBER, "Worst price while the signal was open.", "R"),
            Column("hold_minutes", Type.NUMBER, "Trading time until the signal ended.", "minutes"),
            null="it is open",
            source="`signals.outcomes`",
        ),
        Column("run_id", Type.TEXT, "Dagster run that stored it.", null="a command did", source="Dagster"),
        CREATED_AT,
        UPDATED_AT,
    ),
    checks=(
        Check("names", "symbol <> '' AND detector <> ''"),
        Check("versions", "detector_version >= 1 AND parameter_version <> '' AND policy_version <> ''"),
        same_day("bar_time", "session"),
        Check(
            "excursions",
            "max_favorable_excursion_r >= 0 AND max_favorable_excursion_r < 'Infinity'::double precision "
            "AND max_adverse_excursion_r <= 0 AND max_adverse_excursion_r > '-Infinity'::double "
            "precision AND hold_minutes >= 0 AND abs(r_multiple) < 'Infinity'::double precision AND "
            "exit_price > 0 AND exit_price < 'Infinity'::numeric AND fill_price > 0 AND fill_price < "
            "'Infinity'::numeric",
        ),
        Check("contract", "num_nulls(contract_ticker, contract) IN (0, 2)"),
        # Stop, entry and targets lie in one order, that of the direction.
        Check(
            "plan",
            "(direction = 'LONG' AND stop_price < entry_price AND entry_price < target_1 AND target_1 <= "
            "target_2 AND target_2 <= target_3) OR (direction = 'SHORT' AND stop_price > entry_price AND "
            "entry_price > target_1 AND target_1 >= target_2 AND target_2 >= target_3)",
        ),
        Check("times", "bar_time < as_of AND as_of < valid_until"),
        # A signal is settled as a whole or not at all.
        Check(
            "outcome",
            "num_nulls(exit_reason, exit_price, exited_at, r_multiple) IN (0, 4) AND (status IN "
            "('STOPPED', 'TARGET_HIT', 'EXPIRED')) = (exit_reason IS NOT NULL)",
        ),
        Check("signal_id", "signal_id ~ '^[0-9a-f]{32}$'"),
        Check("explanation", "jsonb_typeof(explanation) = 'object'"),
    ),
    unique=(Unique("composite_signals_symbol_detector_bar_time_key", ("symbol", "detector", "bar_time")),),
    indexes=(
        Index("composite_signals_active_idx", ("valid_until",), where="status = 'ACTIVE'"),
        Index("composite_signals_session_idx", ("session", "as_of")),
    ),
)
