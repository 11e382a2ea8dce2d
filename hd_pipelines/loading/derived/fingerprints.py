"""Find which derived rows are outdated by comparing fingerprints, before anything else is read.

The fingerprint of a (symbol, session) identifies the inputs of its rows. For rows that are made from snapshots, it lists
each snapshot with a mark, so a snapshot that is added to a session is computed alone, without the twenty before it.
Each table's own module defines its inputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from hd_pipelines.market.option_chains import STAMP

Pair = tuple[str, date]
Marks = dict[datetime, str]
"""A mark of the inputs of each snapshot of one symbol and session, by the snapshot's time."""

SCOPE: dict[str, pl.DataType | type[pl.DataType]] = {"symbol": pl.String, "session": pl.Date, "timestamp": STAMP}
TRADED = "traded-"
"""Prefix of the marks of rows that were valued from option bars because there is no chain."""
_STAMP = "%Y%m%dT%H%M%S%f"


def digest(*parts: object) -> str:
    """Compute 16 hex digits that change when any part does."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]


def encode_marks(marks: Mapping[datetime, str]) -> str:
    """Encode marks as the text that is stored."""
    return ",".join(f"{stamp.astimezone(UTC):{_STAMP}}={mark}" for stamp, mark in sorted(marks.items()))


def decode_marks(text: str) -> Marks:
    """Decode the marks of a stored text. ValueError for a text that `encode_marks` did not make."""
    pairs = (item.split("=") for item in text.split(",") if item)
    return {datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC): mark for stamp, mark in pairs}


def keep_chain_valued(fingerprints: Mapping[Pair, str]) -> dict[Pair, str]:
    """Keep only the pairs whose rows were valued from option chains.

    Rows valued from option bars are left out: contracts that traded at different times do not add up to a chain.
    """
    return {pair: text for pair, text in fingerprints.items() if f"={TRADED}" not in text}


@dataclass(frozen=True, slots=True)
class Outdated:
    """What has to be computed.

    scope: columns `symbol` and `session`, and `timestamp` if rows are made from snapshots; includes snapshots that no
    longer exist. fingerprints: new fingerprints of the pairs. whole: pairs of which no snapshot stays unchanged, so all
    of their rows are replaced. up_to_date: how many pairs need no work.
    """

    scope: pl.DataFrame
    fingerprints: Mapping[Pair, str]
    whole: frozenset[Pair]
    up_to_date: int


def find_outdated(wanted: Mapping[Pair, Marks], stored: Mapping[Pair, str]) -> Outdated:
    """Find snapshots whose `wanted` mark differs from the `stored` one, and stored ones that no longer exist."""
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


def find_outdated_pairs(wanted: Mapping[Pair, str], stored: Mapping[Pair, str]) -> Outdated:
    """Find pairs whose `wanted` fingerprint differs from the `stored` one, in the order of `wanted`."""
    due = {pair: mark for pair, mark in wanted.items() if stored.get(pair) != mark}
    return Outdated(to_pair_frame(due), due, frozenset(due), len(wanted) - len(due))


def to_pair_frame(pairs: Iterable[Pair]) -> pl.DataFrame:
    """Convert `pairs` to columns `symbol` and `session`, in the same order."""
    return pl.DataFrame(list(pairs), schema={"symbol": pl.String, "session": pl.Date}, orient="row")


def find_span(sessions: pl.Series) -> tuple[date, date]:
    """Return the first and last date of `sessions`, which must not be empty."""
    days = sessions.unique().sort().to_list()
    return days[0], days[-1]


def split_into_batches(scope: pl.DataFrame, size: Mapping[Pair, int], most: int) -> Iterator[pl.DataFrame]:
    """Split `scope` between sessions, ascending, into batches of at most `most` by `size`; one session is never split."""
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
