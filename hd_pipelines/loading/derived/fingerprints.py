"""Which derived rows are out of date, told by fingerprints before anything is read.

Belongs here: fingerprints of rows that are made from snapshots, their comparison with `derivation_manifest`, and what all
loads of derived tables report. Which inputs a table has is in its own module.

The fingerprint of a (symbol, session) lists each of its snapshots with a mark: so a snapshot that joins a session is
computed by itself, not the twenty before it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import polars as pl

from hd_pipelines.market.findings import Finding
from hd_pipelines.market.option_chains import STAMP
from hd_pipelines.tables.vocabulary import Severity
from hd_pipelines.warehouse.records.findings import CheckedScope

Pair = tuple[str, date]
Marks = dict[datetime, str]
"""What each snapshot of one symbol's session was made from, by its time."""

Validator = Callable[[pl.DataFrame], Sequence[Finding]]
"""An opinion on rows before they are published; an `ERROR` keeps its symbol's session back."""

SCOPE: dict[str, pl.DataType | type[pl.DataType]] = {"symbol": pl.String, "session": pl.Date, "timestamp": STAMP}
TRADED = "traded-"
"""Begins the mark of rows that were valued from option bars, for want of a chain."""
_STAMP = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True, slots=True)
class DerivedReport:
    """What a refresh did. `published`, `up_to_date`, `withheld` count (symbol, session) pairs; withheld keep their rows."""

    rows: int = 0
    published: int = 0
    up_to_date: int = 0
    withheld: int = 0
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0


@dataclass
class Totals:
    """A report in the making."""

    up_to_date: int = 0
    rows: int = 0
    published: int = 0
    withheld: int = 0
    findings: list[Finding] = field(default_factory=list)

    def report(self, seconds: float) -> DerivedReport:
        """The report."""
        return DerivedReport(self.rows, self.published, self.up_to_date, self.withheld, tuple(self.findings), seconds)


def digest(*parts: object) -> str:
    """16 hex digits that change when any part does."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]


def encode_marks(marks: Mapping[datetime, str]) -> str:
    """Marks as the text that is stored."""
    return ",".join(f"{stamp.astimezone(UTC):{_STAMP}}={mark}" for stamp, mark in sorted(marks.items()))


def decode_marks(text: str) -> Marks:
    """The marks of a stored text. Raises `ValueError` for a text that `written` did not write."""
    pairs = (item.split("=") for item in text.split(",") if item)
    return {datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC): mark for stamp, mark in pairs}


def keep_chain_valued(fingerprints: Mapping[Pair, str]) -> dict[Pair, str]:
    """Of valued pairs those made from option chains. Contracts that traded at different times are no chain to sum up."""
    return {pair: text for pair, text in fingerprints.items() if f"={TRADED}" not in text}


@dataclass(frozen=True, slots=True)
class Outdated:
    """What has to be computed: `SCOPE` rows of snapshots, those that are gone among them; fingerprints of their pairs.

    `whole`: pairs of which no snapshot stays as it is, so that all their rows are replaced.
    """

    scope: pl.DataFrame
    fingerprints: Mapping[Pair, str]
    whole: frozenset[Pair]
    up_to_date: int


def find_outdated(wanted: Mapping[Pair, Marks], stored: Mapping[Pair, str]) -> Outdated:
    """Snapshots whose `wanted` mark is not the `stored` one, and stored ones of the same pairs that are gone."""
    rows: list[tuple[str, date, datetime]] = []
    fingerprints = {}
    whole = set()
    for (symbol, session), marks in sorted(wanted.items()):
        held = decode_marks(stored.get((symbol, session), ""))
        changed = sorted(stamp for stamp in marks.keys() | held.keys() if marks.get(stamp) != held.get(stamp))
        if changed:
            fingerprints[symbol, session] = encode_marks(marks)
            rows += [(symbol, session, stamp) for stamp in changed]
            if len(changed) == len(marks.keys() | held.keys()):
                whole.add((symbol, session))
    scope = pl.DataFrame(rows, schema=SCOPE, orient="row")
    return Outdated(scope, fingerprints, frozenset(whole), len(wanted) - len(fingerprints))


def find_span(sessions: pl.Series) -> tuple[date, date]:
    """First and last of at least one session."""
    days = sessions.unique().sort().to_list()
    return days[0], days[-1]


def split_into_batches(scope: pl.DataFrame, size: Mapping[Pair, int], most: int) -> Iterator[pl.DataFrame]:
    """`scope` cut between sessions, ascending, so that the `size`s of its pairs stay below `most` where a session allows."""
    batch: list[pl.DataFrame] = []
    total = 0
    for _, of_session in scope.sort("session").group_by("session", maintain_order=True):
        rows = sum(size[pair] for pair in of_session.select("symbol", "session").unique().iter_rows())
        if batch and total + rows > most:
            yield pl.concat(batch)
            batch, total = [], 0
        batch.append(of_session)
        total += rows
    if batch:
        yield pl.concat(batch)


def drop_withheld(
    rows: pl.DataFrame, scope: pl.DataFrame, findings: Iterable[Finding], session: str = "session"
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """`rows` and `scope` without the pairs of an `ERROR`, and how many those are. `session` names the rows' column."""
    bad = {(f.subject, f.session) for f in findings if f.severity is Severity.ERROR and f.session is not None}
    if not bad:
        return rows, scope, 0
    pairs = pl.DataFrame(sorted(bad), schema={"symbol": pl.String, "session": pl.Date}, orient="row")
    kept = rows.join(pairs, left_on=["symbol", session], right_on=["symbol", "session"], how="anti")
    return (
        kept,
        scope.join(pairs, on=["symbol", "session"], how="anti"),
        scope.join(pairs, on=["symbol", "session"], how="semi").select("symbol", "session").n_unique(),
    )


def to_checked_scopes(table: str, scope: pl.DataFrame) -> list[CheckedScope]:
    """Exactly the pairs of `scope`: earlier findings about other symbols of the same sessions stay open."""
    return [
        CheckedScope(table, frozenset({session}), None, frozenset(of_session["symbol"]))
        for (session,), of_session in scope.group_by("session")
    ]
