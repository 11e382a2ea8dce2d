"""Measures how complete and how fresh an option chain is: contracts, quotes, open interest, strikes, age of quotes.

Looks at one snapshot as a whole and compares it with earlier snapshots of the same underlying. Single rows are validated
where chains are read (`providers.chain_rules`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

import numpy as np
import polars as pl

from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.tables.vocabulary import Rule, Severity

DATASET = "option_chains"
HISTORY_SNAPSHOTS = 20
FEWEST_SNAPSHOTS_TO_JUDGE = 5
LEAST_SHARE_OF_MEDIAN = 0.75
"""Least share of the underlying's usual number of contracts. A quarterly expiration removes about 10 %."""
LEAST_PAIRED_SHARE = 0.70
"""Least share of strikes that have both a call and a put. Exchanges list both, so a missing one is always lost data."""
FEWEST_STRIKES_TO_PAIR = 40
LEAST_QUOTED_SHARE = 1 / 3
STALE_AFTER = timedelta(minutes=20)
"""Median age of quotes above which a chain counts as stale. The vendor's delayed plan is 15 minutes behind."""


@dataclass(frozen=True, slots=True)
class ChainCoverage:
    """Counts that describe one snapshot.

    `with_quote` counts two-sided quotes (bid and ask above zero), `strikes` distinct combinations of root, expiration and
    strike, `paired_strikes` those with both a call and a put. `quote_age` is the median age of quotes, None if no quote
    has a time. `foreign_quotes` counts quotes of another day.
    """

    contracts: int
    with_quote: int
    with_open_interest: int
    with_vendor_iv: int
    strikes: int
    paired_strikes: int
    quote_age: timedelta | None
    foreign_quotes: int


def _build_measures() -> tuple[pl.Expr, ...]:
    quoted = (pl.col("bid") > 0) & (pl.col("ask") > 0)
    age = (pl.col("snapshot_at") - pl.col("quote_at")).filter(quoted)
    new_york = pl.col("quote_at").dt.convert_time_zone(NEW_YORK.key).dt.date()
    session = pl.col("snapshot_at").dt.convert_time_zone(NEW_YORK.key).dt.date()
    return (
        pl.len().alias("contracts"),
        quoted.fill_null(value=False).sum().alias("with_quote"),
        pl.col("open_interest").count().alias("with_open_interest"),
        pl.col("vendor_iv").count().alias("with_vendor_iv"),
        age.median().alias("quote_age"),
        (new_york != session).fill_null(value=False).sum().alias("foreign_quotes"),
        pl.struct("root", "expiration", "strike").n_unique().alias("strikes"),
    )


_MEASURES = _build_measures()
_MEASURED = ("snapshot_at", "quote_at", "bid", "ask", "open_interest", "vendor_iv", "root", "expiration", "strike")


def measure_chains(chains: Sequence[pl.DataFrame]) -> list[ChainCoverage]:
    """Measure each snapshot: `CHAIN`, at least one row, one underlying and one `snapshot_at`.

    All are measured in one pass, since a history has thousands of small chains.
    """
    position = np.repeat(np.arange(len(chains)), [chain.height for chain in chains])
    rows = pl.concat(chains).select(*_MEASURED, pl.Series("chain", position))
    measured = rows.group_by("chain", maintain_order=True).agg(_MEASURES).drop("chain")
    # Each contract occurs once, so contracts beyond one per strike are the other right (put or call) of that strike.
    return [
        ChainCoverage(**counts, paired_strikes=counts["contracts"] - counts["strikes"])
        for counts in measured.iter_rows(named=True)
    ]


def compute_completeness(contracts: int, earlier: Sequence[int]) -> float | None:
    """Divide `contracts` by the median of the last 20 earlier snapshots (`earlier`, oldest first), at most 1.

    None with fewer than five earlier snapshots. The number of contracts reveals lost strikes and lost pages alike.
    """
    recent = earlier[-HISTORY_SNAPSHOTS:]
    if len(recent) < FEWEST_SNAPSHOTS_TO_JUDGE:
        return None
    return min(1.0, contracts / median(recent))


def find_coverage_problems(
    underlying: str, session: date, coverage: ChainCoverage, share_of_usual: float | None
) -> list[Finding]:
    """Find what a reader of this snapshot should know. `share_of_usual`: its `compute_completeness`."""
    missing = []
    if share_of_usual is not None and share_of_usual < LEAST_SHARE_OF_MEDIAN:
        missing.append(f"{coverage.contracts:,} contracts are {share_of_usual:.0%} of the usual number")
    paired = coverage.paired_strikes / coverage.strikes
    if coverage.strikes >= FEWEST_STRIKES_TO_PAIR and paired < LEAST_PAIRED_SHARE:
        missing.append(f"{1 - paired:.0%} of {coverage.strikes:,} strikes lack their call or their put")
    if coverage.with_quote < LEAST_QUOTED_SHARE * coverage.contracts:
        missing.append(f"{coverage.with_quote:,} of {coverage.contracts:,} contracts have a two-sided quote")
    findings = []
    if missing:
        findings.append(
            _build_warning(
                Rule.CHAIN_INCOMPLETE,
                underlying,
                session,
                f"{'; '.join(missing)}.",
                "Sums over this chain (gamma, open interest, put/call) are too small. If it is today's, take it again.",
            )
        )
    is_old = coverage.quote_age is not None and coverage.quote_age > STALE_AFTER
    if is_old or 2 * coverage.foreign_quotes > coverage.contracts:
        age = f"half of the quotes are older than {coverage.quote_age}" if is_old else "quotes are of another day"
        findings.append(
            _build_warning(
                Rule.CHAIN_STALE,
                underlying,
                session,
                f"{age[0].upper()}{age[1:]}.",
                "Compare the plan's delay and the vendor's status page; do not trade on these values.",
            )
        )
    return findings


def _build_warning(rule: Rule, underlying: str, session: date, detail: str, cure: str) -> Finding:
    return Finding(rule, Severity.WARNING, DATASET, session, underlying, detail, cure)
