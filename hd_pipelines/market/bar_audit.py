"""Decides which derived bars may be published, and explains why the others are withheld.

Pure functions of frames, run before anything reaches the warehouse. The unit that is withheld is one symbol's session, so a
bad tick costs that day of that symbol and not the day of every symbol. The Great Expectations suite in `checks.bar_suite`
validates the same frames, and the table's own CHECK constraints are the last line of defence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

from hd_pipelines.market.findings import Finding
from hd_pipelines.market.symbols import INDEX_SYMBOLS
from hd_pipelines.tables.vocabulary import Rule, Severity, Timeframe

USUAL_SESSIONS = 20
"""Number of earlier sessions whose median share of minutes counts as usual."""
FEWEST_SESSIONS_FOR_A_MEDIAN = 5
USUAL_RATIO = (0.5, 2.0)
THIN_SHARE = 0.9
"""A session with less than this share of its minutes gets a warning."""
CONTRADICTION = 0.01
"""Minutes may leave the range of their day bar by this share, because day aggregates exclude some odd prints."""
EDGE_MINUTES = 30
"""A session whose first or last minute bar is further than this from the open or close counts as cut off."""
DATASET = "historical_bars"
MISSING_RULES = frozenset({Rule.SESSION_MISSING, Rule.SYMBOL_MISSING})
AUDIT_RULES = frozenset(Rule) - MISSING_RULES


@dataclass(frozen=True, slots=True)
class BarAudit:
    """Result of an audit: the bars that may be published, and the findings about all bars.

    An `ERROR` finding names one symbol (`subject`) and one session; exactly those pairs are withheld.
    """

    accepted: pl.DataFrame
    findings: tuple[Finding, ...]

    @property
    def withheld(self) -> pl.DataFrame:
        """Withheld pairs (symbol, session). What was published for them before stays in place."""
        return _list_pairs_in_error(self.findings)


def measure_coverage(bars: pl.DataFrame, hours: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    """Measure how complete the minutes of each symbol's session are. One row per symbol and session that has minutes.

    `bars`: `bars.SCHEMA`. `hours`: `bars.build_hours_frame`. `earlier`: symbol, session, share of sessions published
    before these (for the median). Returns symbol, session, minutes_found, minutes_expected, share (of the session's
    minutes), late_minutes and early_minutes (how much is missing at the open and at the close), usual_share (median
    share of the 20 sessions before; null with fewer than five) and ratio (share / usual_share).
    """
    found = (
        bars.filter(pl.col("timeframe") == Timeframe.M1.value)
        .group_by("symbol", "session")
        .agg(
            minutes_found=pl.len().cast(pl.Int64),
            first_ns=pl.col("timestamp").min().dt.epoch("ns"),
            last_ns=pl.col("timestamp").max().dt.epoch("ns"),
        )
        .join(hours, on="session")
        .select(
            "symbol",
            "session",
            "minutes_found",
            minutes_expected="minutes",
            share=pl.col("minutes_found") / pl.col("minutes"),
            late_minutes=(pl.col("first_ns") - pl.col("opens_ns")) // 60_000_000_000,
            early_minutes=(pl.col("closes_ns") - pl.col("last_ns")) // 60_000_000_000 - 1,
        )
    )
    before = earlier.select("symbol", "session", "share").join(found, on=["symbol", "session"], how="anti")
    usual = (
        pl.concat([before, found.select("symbol", "session", "share")])
        .sort("symbol", "session")
        .with_columns(
            usual_share=pl.col("share")
            .shift(1)
            .rolling_median(USUAL_SESSIONS, min_samples=FEWEST_SESSIONS_FOR_A_MEDIAN)
            .over("symbol")
        )
    )
    return (
        found.join(usual.select("symbol", "session", "usual_share"), on=["symbol", "session"], how="left")
        .with_columns(ratio=pl.col("share") / pl.col("usual_share"))
        .sort("symbol", "session")
    )


def audit(bars: pl.DataFrame, hours: pl.DataFrame, earlier: pl.DataFrame) -> BarAudit:
    """Audit derived bars (`bars.SCHEMA`) with all rules. Arguments as in `measure_coverage`."""
    covered = measure_coverage(bars, hours, earlier)
    return withhold_broken_sessions(
        bars, (*find_broken_rows(bars), *find_incomplete_sessions(covered), *find_contradicting_days(bars))
    )


def withhold_broken_sessions(bars: pl.DataFrame, findings: tuple[Finding, ...]) -> BarAudit:
    """Withhold the bars of every pair (symbol, session) that a finding of severity `ERROR` names.

    If two validators report the same `finding_id`, the first finding is kept.
    """
    findings = tuple({f.finding_id: f for f in reversed(findings)}.values())[::-1]
    return BarAudit(bars.join(_list_pairs_in_error(findings), on=["symbol", "session"], how="anti"), findings)


def find_broken_rows(bars: pl.DataFrame) -> list[Finding]:
    """Find bars that contradict themselves or each other: one finding per rule, symbol and session."""
    findings = []
    for rule, (is_broken, detail) in _ROW_RULES.items():
        broken = (
            bars.filter(is_broken)
            .group_by("symbol", "session", maintain_order=True)
            .agg(pl.len().alias("rows"), pl.struct("timeframe", "timestamp", "open", "high", "low", "close").first())
        )
        for symbol, session, rows, example in broken.iter_rows():
            place = f"first at {example['timeframe']} {example['timestamp']:%H:%M} UTC"
            prices = ", ".join(f"{name} {example[name]}" for name in ("open", "high", "low", "close"))
            findings.append(
                Finding(
                    rule=rule,
                    severity=Severity.ERROR,
                    dataset=DATASET,
                    session=session,
                    subject=symbol,
                    detail=f"{detail}: {place} ({prices}).",
                    cure="Compare the vendor's file with a second source; a republished file is loaded by itself.",
                    rows=rows,
                )
            )
    return findings


def find_incomplete_sessions(covered: pl.DataFrame) -> list[Finding]:
    """Find sessions with unusually many or few minutes, and sessions that are cut off.

    `covered`: result of `measure_coverage`. One symbol that is cut off was probably halted (`WARNING`). If more than one
    symbol and more than half of a file's symbols are cut off, the file itself is incomplete (`ERROR`). Stocks and indices
    come in separate files.
    """
    is_cut = (pl.col("late_minutes") > EDGE_MINUTES) | (pl.col("early_minutes") > EDGE_MINUTES)
    is_from_index_file = pl.col("symbol").str.starts_with("I:") | pl.col("symbol").is_in(sorted(INDEX_SYMBOLS))
    measured = covered.with_columns(
        is_cut=is_cut,
        file_is_cut=((pl.len() > 1) & (is_cut.mean() > 0.5)).over("session", is_from_index_file),
        is_unusual=~pl.col("ratio").is_between(*USUAL_RATIO).fill_null(value=True),
    )
    findings = [
        Finding(
            rule=Rule.ROW_COUNT_UNUSUAL,
            severity=Severity.ERROR,
            dataset=DATASET,
            session=row["session"],
            subject=row["symbol"],
            detail=f"{row['minutes_found']} of {row['minutes_expected']} minutes, {row['ratio']:.2f} times the usual "
            f"share of the {USUAL_SESSIONS} sessions before.",
            cure="Look at the vendor's file of that session; if the market was like that, widen the bounds and reload.",
        )
        for row in measured.filter("is_unusual").iter_rows(named=True)
    ]
    for row in measured.filter((pl.col("is_cut") | (pl.col("share") < THIN_SHARE)) & ~pl.col("is_unusual")).iter_rows(
        named=True
    ):
        cut_off = row["is_cut"] and row["file_is_cut"]
        findings.append(
            Finding(
                rule=Rule.SESSION_INCOMPLETE,
                severity=Severity.ERROR if cut_off else Severity.WARNING,
                dataset=DATASET,
                session=row["session"],
                subject=row["symbol"],
                detail=f"{row['minutes_found']} of {row['minutes_expected']} minutes; starts {row['late_minutes']} min "
                f"after the open, ends {row['early_minutes']} min before the close.",
                cure="The file ends early for most symbols: wait for its republication."
                if cut_off
                else "Nothing if the symbol was halted or hardly traded; otherwise compare with a second source.",
                rows=row["minutes_expected"] - row["minutes_found"],
            )
        )
    return findings


def find_contradicting_days(bars: pl.DataFrame) -> list[Finding]:
    """Find sessions whose regular minutes trade outside the range of their own day bar by more than 1 %.

    Both are published with a warning, because the data does not show which is right. Usually one of them is adjusted for a
    split and the other is not.
    """
    minutes = (
        bars.filter(pl.col("timeframe") == Timeframe.M1.value)
        .group_by("symbol", "session")
        .agg(pl.col("high").max().alias("highest"), pl.col("low").min().alias("lowest"))
    )
    apart = (
        bars.filter(pl.col("timeframe") == Timeframe.DAY.value)
        .join(minutes, on=["symbol", "session"])
        .filter(
            (pl.col("highest") > pl.col("high") * (1 + CONTRADICTION))
            | (pl.col("lowest") < pl.col("low") * (1 - CONTRADICTION))
        )
        .sort("symbol", "session")
    )
    return [
        Finding(
            rule=Rule.DAY_CONTRADICTS_MINUTES,
            severity=Severity.WARNING,
            dataset=DATASET,
            session=row["session"],
            subject=row["symbol"],
            detail=f"Minutes trade from {row['lowest']:g} to {row['highest']:g}, the day bar says {row['low']:g} to "
            f"{row['high']:g}; the day has no VWAP.",
            cure="Compare with a second source; flat files should be unadjusted, a recording may not be.",
        )
        for row in apart.iter_rows(named=True)
    ]


def find_missing_sessions(published: pl.DataFrame, symbols: Iterable[str], sessions: Iterable[date]) -> list[Finding]:
    """Find symbols and sessions without bars. `published`: pairs (symbol, session) that have bars.

    A session without any symbol gives one finding, not one per symbol. So does a symbol without any session.
    """
    wanted_symbols, wanted_sessions = sorted(symbols), sorted(sessions)
    have = set(published.select("symbol", "session").iter_rows())
    never = {s for s in wanted_symbols if have and not any((s, day) in have for day in wanted_sessions)}
    findings = [_describe_absent_symbol(symbol, wanted_sessions) for symbol in sorted(never)]
    for session in wanted_sessions:
        absent = [symbol for symbol in wanted_symbols if (symbol, session) not in have]
        if wanted_symbols and len(absent) == len(wanted_symbols):
            findings.append(
                Finding(
                    rule=Rule.SESSION_MISSING,
                    severity=Severity.ERROR,
                    dataset=DATASET,
                    session=session,
                    subject="all symbols",
                    detail="The exchange was open and there is no bar of any watchlist symbol.",
                    cure="See the findings of the flat files of that session; then `hd backfill --from D --to D`.",
                )
            )
            continue
        findings += [
            Finding(
                rule=Rule.SYMBOL_MISSING,
                severity=Severity.WARNING,
                dataset=DATASET,
                session=session,
                subject=symbol,
                detail="Other symbols have bars of this session, this one has none.",
                cure="Check the spelling and whether it was listed then; indices need the vendor's index plan.",
            )
            for symbol in absent
            if symbol not in never
        ]
    return findings


def _describe_absent_symbol(symbol: str, sessions: list[date]) -> Finding:
    return Finding(
        rule=Rule.SYMBOL_MISSING,
        severity=Severity.WARNING,
        dataset=DATASET,
        session=sessions[-1],
        subject=symbol,
        detail=f"Not one bar in {len(sessions)} sessions from {sessions[0]} to {sessions[-1]}.",
        cure="Check the spelling and whether it was listed then; indices need the vendor's index plan.",
        rows=len(sessions),
    )


_ROW_RULES: dict[Rule, tuple[pl.Expr, str]] = {
    Rule.PRICE_NOT_FINITE: (
        ~pl.all_horizontal(pl.col("open", "high", "low", "close").is_finite().fill_null(value=False)),
        "A price is missing or not a number",
    ),
    Rule.PRICE_NOT_POSITIVE: (pl.min_horizontal("open", "high", "low", "close") <= 0, "A price is not positive"),
    Rule.HIGH_BELOW_LOW: (pl.col("high") < pl.col("low"), "The high is below the low"),
    Rule.PRICE_OUTSIDE_RANGE: (
        (pl.col("high") >= pl.col("low"))
        & ~(pl.col("open").is_between("low", "high") & pl.col("close").is_between("low", "high")),
        "Open or close is outside low to high",
    ),
    Rule.VOLUME_NEGATIVE: (pl.col("volume") < 0, "The volume is negative"),
    Rule.ROW_DUPLICATED: (
        pl.struct("symbol", "timeframe", "timestamp").is_duplicated(),
        "Two bars have the same symbol, timeframe and time",
    ),
}


def _list_pairs_in_error(findings: Iterable[Finding]) -> pl.DataFrame:
    pairs = {(f.subject, f.session) for f in findings if f.severity is Severity.ERROR and f.session is not None}
    return pl.DataFrame(sorted(pairs), schema={"symbol": pl.String, "session": pl.Date}, orient="row")
