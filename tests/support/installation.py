"""A small installation for tests: a warehouse at head, a lake, and files of a market of a few symbols.

def test_something(installation):
    installation.publish_files()      # land the files of every session
    installation.refresh()            # load them into the lake and derive bars
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

import polars as pl
import psycopg
import pytest

from hd_pipelines.lake import Lake
from hd_pipelines.loading.derived.bars import BarsReport, refresh_bars
from hd_pipelines.loading.inputs.flat_files import LakeReport, refresh_lake
from hd_pipelines.market.sessions import (
    NANOSECONDS_PER_MINUTE,
    compute_midnight_ns,
    get_regular_hours,
    list_last_sessions,
)
from hd_pipelines.providers.massive.flat_files.landing import LandedFile
from hd_pipelines.providers.massive.flat_files.layout import STOCK_DAY, STOCK_MINUTE, FlatFileDataset
from hd_pipelines.sandbox.vendor_csv import compress, to_csv_bytes
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records.findings import OpenFinding, read_open_findings
from tests.support.flat_files import landed
from tests.support.postgres import PostgresServer

SESSIONS = list_last_sessions(date(2026, 5, 22), 10)
"""Two whole weeks, Monday 2026-05-11 to Friday 2026-05-22, no holiday and no half day."""
SYMBOLS = ("AAPL", "MSFT", "SPY")
Change = Callable[[pl.DataFrame], pl.DataFrame]


def unchanged(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def minute_rows(session: date, symbols: Iterable[str] = SYMBOLS, *, shift: float = 0.0) -> pl.DataFrame:
    """Build all regular minutes of `symbols` in the vendor's columns; equal arguments give equal rows."""
    hours = get_regular_hours(session)
    frames = []
    for symbol in sorted(symbols):
        start = 100 + int(hashlib.sha256(f"{symbol}{session}".encode()).hexdigest()[:3], 16) % 50 + shift
        close = pl.Series([round(start + (minute * 7 % 31) / 100, 2) for minute in range(hours.minutes)])
        frames.append(
            pl.DataFrame(
                {
                    "ticker": symbol,
                    "volume": [float(100 + minute % 17) for minute in range(hours.minutes)],
                    "open": (close - 0.01).round(2),
                    "close": close,
                    "high": (close + 0.02).round(2),
                    "low": (close - 0.03).round(2),
                    "window_start": [hours.opens_at_ns + m * NANOSECONDS_PER_MINUTE for m in range(hours.minutes)],
                    "transactions": 5,
                }
            )
        )
    return pl.concat(frames)


def day_rows(session: date, symbols: Iterable[str] = SYMBOLS, *, shift: float = 0.0) -> pl.DataFrame:
    """Build the day aggregates that go with `minute_rows`, volume with extended hours."""
    added = minute_rows(session, symbols, shift=shift).group_by("ticker", maintain_order=True)
    return added.agg(
        volume=pl.col("volume").sum() + 1000,
        open=pl.col("open").first(),
        close=pl.col("close").last(),
        high=pl.col("high").max(),
        low=pl.col("low").min(),
        window_start=pl.lit(compute_midnight_ns(session)),
        transactions=pl.col("transactions").sum(),
    )


def vendor_object(frame: pl.DataFrame, dataset: FlatFileDataset, session: date) -> bytes:
    """Build the object's bytes, as the vendor serves them."""
    return compress(to_csv_bytes(frame, dataset, session))


@dataclass
class SmallInstallation:
    """Database, lake and a folder of landed files."""

    url: str
    database: Database
    lake: Lake
    folder: Path
    symbols: Sequence[str] = SYMBOLS
    landed_files: dict[FlatFileDataset, dict[date, LandedFile]] = field(default_factory=dict)

    def land(self, dataset: FlatFileDataset, session: date, body: bytes) -> LandedFile:
        """Land a file as if it had just been downloaded, as the newest version of its session."""
        version = hashlib.md5(body, usedforsecurity=False).hexdigest()
        file = landed(self.folder, body, dataset=dataset, session=session, etag=version)
        self.landed_files.setdefault(dataset, {})[session] = file
        return file

    def publish_files(
        self,
        sessions: Iterable[date] = SESSIONS,
        *,
        symbols: Iterable[str] | None = None,
        shift: float = 0.0,
        minutes: Change = unchanged,
        days: Change = unchanged,
    ) -> None:
        """Land minute and day files of `sessions`; `minutes` and `days` change their rows first."""
        names = tuple(symbols or self.symbols)
        for session in sessions:
            rows = minutes(minute_rows(session, names, shift=shift))
            self.land(STOCK_MINUTE, session, vendor_object(rows, STOCK_MINUTE, session))
            rows = days(day_rows(session, names, shift=shift))
            self.land(STOCK_DAY, session, vendor_object(rows, STOCK_DAY, session))

    def to_lake(self, sessions: Sequence[date] = SESSIONS) -> dict[FlatFileDataset, LakeReport]:
        """Refresh the lake with everything landed."""
        return {
            dataset: refresh_lake(
                self.database,
                self.lake,
                dataset,
                [file for day, file in sorted(files.items()) if day in set(sessions)],
                sessions=sessions,
            )
            for dataset, files in self.landed_files.items()
        }

    def to_bars(self, sessions: Sequence[date] = SESSIONS, **options: object) -> BarsReport:
        """Refresh the bars of the installation's symbols."""
        given = {"symbols": list(self.symbols)} | options
        return refresh_bars(self.database, self.lake, sessions=sessions, **given)  # type: ignore[arg-type]

    def refresh(self, sessions: Sequence[date] = SESSIONS) -> BarsReport:
        """Load landed files into the lake and derive bars."""
        self.to_lake(sessions)
        return self.to_bars(sessions)

    def findings(self) -> list[OpenFinding]:
        """Read all open findings."""
        with self.database.connect() as connection:
            return read_open_findings(connection)

    def table(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Read rows of `query` as superuser, from whom row-level security hides nothing."""
        return rows(self.url, query, *values)

    def bars(self) -> list[tuple[object, ...]]:
        """Read all bars in key order, without `created_at`."""
        return bars_of(self.url)

    def row_versions(self) -> list[tuple[object, ...]]:
        """Read the physical version of each bar: it changes when a row is written again."""
        return self.table(
            "select symbol, timeframe, timestamp, tableoid::regclass::text, ctid::text, xmin::text, created_at"
            " from historical_bars order by 1, 2, 3"
        )


def rows(url: str, query: str, *values: object) -> list[tuple[object, ...]]:
    """Read rows of `query` as superuser."""
    with psycopg.connect(url) as connection:
        return connection.execute(query, values or None).fetchall()  # type: ignore[arg-type]


def bars_of(url: str) -> list[tuple[object, ...]]:
    """Read every bar and manifest row of a warehouse, without the times and run of writing."""
    return [
        *rows(
            url,
            "select symbol, timeframe, timestamp, session, open::text, high::text, low::text, close::text,"
            " volume::text, vwap::text, trades from historical_bars order by symbol, timeframe, timestamp, session",
        ),
        *rows(url, "select symbol, session, fingerprint, rows from bars_manifest order by symbol, session"),
    ]


class MakeInstallation(Protocol):
    """Makes an empty installation, or a copy of `template`, whose database nobody is connected to."""

    def __call__(self, template: SmallInstallation | None = None) -> SmallInstallation: ...


def open_small_installation(url: str, home: Path) -> SmallInstallation:
    """Open the installation whose lake and landing folder are below `home`."""
    (home / "landed").mkdir(parents=True, exist_ok=True)
    return SmallInstallation(url, Database(url), Lake(home / "lake"), home / "landed")


@pytest.fixture
def make_installation(postgres_server: PostgresServer, migrated_url: str, tmp_path: Path) -> Iterator[MakeInstallation]:
    """Installations with a warehouse, a lake and a landing folder of their own: empty, or copies of a filled one."""
    made: list[SmallInstallation] = []

    def make(template: SmallInstallation | None = None) -> SmallInstallation:
        home = tmp_path / f"installation{len(made)}"
        if template is None:
            made.append(open_small_installation(postgres_server.new_database(template=migrated_url), home))
        else:
            shutil.copytree(template.folder.parent, home)
            made.append(open_small_installation(postgres_server.new_database(template=template.url), home))
            made[-1].landed_files = {
                dataset: {
                    day: replace(file, path=home / "landed" / file.path.relative_to(template.folder))
                    for day, file in files.items()
                }
                for dataset, files in template.landed_files.items()
            }
        return made[-1]

    yield make
    for installation in made:
        installation.database.close()
        postgres_server.drop_database(installation.url)


@pytest.fixture
def installation(make_installation: MakeInstallation) -> SmallInstallation:
    """One installation, empty."""
    return make_installation()


NOW = datetime(2026, 5, 23, 15, tzinfo=UTC)
"""After everything of `SESSIONS` was due."""
