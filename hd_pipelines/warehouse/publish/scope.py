"""The scope of a load: the pairs of symbol and session, or single snapshots of them, whose rows it replaces.

Holds its checks against a frame and its form in SQL. `publication` applies it by partition, `derived_rows` row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl
from psycopg import sql

from hd_pipelines.warehouse.errors import RowsRefusedError
from hd_pipelines.warehouse.schema.partitioned import Partitioned

STAMP = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Scope:
    """The (symbol, session) pairs of a load: it replaces all their rows."""

    pairs: frozenset[tuple[str, date]]

    @classmethod
    def of(cls, symbols: Iterable[str], sessions: Iterable[date]) -> Scope:
        """Pair every symbol with every session."""
        days = tuple(sessions)
        return cls(frozenset((symbol, day) for symbol in symbols for day in days))

    @property
    def frame(self) -> pl.DataFrame:
        """The pairs as columns `symbol`, `session`, sorted."""
        ordered = sorted(self.pairs)
        return pl.DataFrame(
            {"symbol": [symbol for symbol, _ in ordered], "session": [day for _, day in ordered]},
            schema={"symbol": pl.String, "session": pl.Date},
        )


def require_fingerprints(
    pairs: Iterable[tuple[str, date]], fingerprints: Mapping[tuple[str, date], str], error: type[RowsRefusedError]
) -> None:
    """Raise `error` unless every pair has a fingerprint: a pair without one could never be skipped."""
    lacking = set(pairs) - fingerprints.keys()
    if lacking:
        symbol, session = min(lacking)
        raise error(
            f"{len(lacking)} pairs of the scope have no fingerprint, first {symbol} {session}. Remedy: give one for each."
        )


def require_within(
    frame: pl.DataFrame, scope: pl.DataFrame, error: type[RowsRefusedError], *, session: str = "session"
) -> None:
    """Raise `error` naming the first row of `frame` that the scope, a frame of the same columns, does not cover."""
    on = scope.columns
    named = frame.rename({session: "session"}) if session != "session" else frame
    present = named.select(pl.col(name).cast(scope.schema[name]) for name in on).unique()
    outside = present.join(scope, on=on, how="anti").sort(on)
    if outside.height:
        first = " ".join(str(value) for value in outside.row(0))
        raise error(
            f"{outside.height} ({', '.join(on)}) of the frame are outside the scope of this load, first {first}. "
            "Remedy: load only what the scope names, or widen it."
        )


def scope_to_sql(table: Partitioned, scope: pl.DataFrame) -> tuple[sql.Composed, sql.Composed]:
    """Build `scope` as a relation of that name for FROM, and the condition under which it covers a row of `held`.

    Columns of `scope`: `session`, `symbol` where the table has one, and `timestamp` where single snapshots are meant.
    """
    columns: dict[str, tuple[str, list[object]]] = {}
    conditions: list[sql.Composable] = []
    if "symbol" in scope.columns:
        columns["symbol"] = ("text", scope["symbol"].to_list())
        conditions.append(sql.SQL("held.symbol = scope.symbol"))
    if table.is_by_instant:
        # A range of instants lets the index on (symbol, timestamp) find the rows; the session would not.
        stamps = scope["timestamp"] if "timestamp" in scope.columns else None
        begins = stamps if stamps is not None else scope["session"].cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        length = pl.duration(microseconds=1) if stamps is not None else pl.duration(days=1)
        ends = begins.to_frame("begins").select(pl.col("begins") + length).to_series()
        columns["begins"] = ("timestamptz", begins.to_list())
        columns["ends"] = ("timestamptz", ends.to_list())
        by = sql.Identifier("held", table.by)
        conditions.append(sql.SQL("{by} >= scope.begins AND {by} < scope.ends").format(by=by))
    else:
        columns["session"] = ("date", scope["session"].to_list())
        conditions.append(sql.SQL("{} = scope.session").format(sql.Identifier("held", table.session)))
    relation = sql.SQL("unnest({arrays}) AS scope ({names})").format(
        arrays=sql.SQL(", ").join(
            sql.SQL("{}::{}[]").format(sql.Literal(values), sql.SQL(kind)) for kind, values in columns.values()
        ),
        names=sql.SQL(", ").join(map(sql.Identifier, columns)),
    )
    return relation, sql.SQL(" AND ").join(conditions)
