"""Builds vendor files for tests: rows are valid unless a test changes them."""

import gzip
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from zlib import crc32

from hd_pipelines.market.sessions import NANOSECONDS_PER_MINUTE, compute_midnight_ns, get_regular_hours
from hd_pipelines.providers.massive.flat_files.landing import LandedFile
from hd_pipelines.providers.massive.flat_files.layout import STOCK_MINUTE, FlatFileDataset, Interval

SESSION = date(2026, 5, 22)
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
INDEX_HEADER = "ticker,open,close,high,low,window_start"


def stamp(session: date = SESSION, minute: int = 0) -> int:
    """Return the nanoseconds of the `minute`-th minute after the opening of `session`."""
    return get_regular_hours(session).opens_at_ns + minute * NANOSECONDS_PER_MINUTE


def row(ticker: str = "SPY", *, minute: int = 0, session: date = SESSION, **changed: object) -> str:
    """Build one line of a stock or option file; any field may be replaced by name."""
    fields = {
        "ticker": ticker,
        "volume": "1200.500000",
        "open": "215.03",
        "close": "214.96",
        "high": "216.36",
        "low": "213.675",
        "window_start": str(stamp(session, minute)),
        "transactions": "34",
    }
    fields.update({name: str(value) for name, value in changed.items()})
    return ",".join(fields.values())


def index_row(ticker: str = "I:SPX", *, minute: int = 0, session: date = SESSION, **changed: object) -> str:
    """Build one line of an index file: neither volume nor transactions."""
    fields = {"ticker": ticker, "open": "7001.5", "close": "7003", "high": "7004.25", "low": "7000"}
    fields["window_start"] = str(stamp(session, minute))
    fields.update({name: str(value) for name, value in changed.items()})
    return ",".join(fields.values())


def good_rows(count: int = 200, *, tickers: Iterable[str] = ("AAPL", "SPY"), session: date = SESSION) -> list[str]:
    """Build `count` valid rows in the vendor's order."""
    names = sorted(tickers)
    each = -(-count // len(names))
    return [row(name, minute=minute, session=session) for name in names for minute in range(each)][:count]


def text(rows: Iterable[str], header: str = HEADER, line_end: str = "\n") -> bytes:
    """Build a whole file before compression."""
    return "".join(line + line_end for line in (header, *rows)).encode()


def packed(rows: Iterable[str], header: str = HEADER) -> bytes:
    """Build a whole file as the vendor serves it."""
    return gzip.compress(text(rows, header), mtime=0)


def landed(
    folder: Path,
    body: bytes,
    *,
    dataset: FlatFileDataset = STOCK_MINUTE,
    session: date = SESSION,
    etag: str | None = None,
    rows: int = 0,
) -> LandedFile:
    """Land `body` as if it had been downloaded, without a bucket."""
    import hashlib

    version = etag or f"{crc32(body):08x}"
    path = folder / f"{dataset.name}-{session}.{version}.csv.gz"
    path.write_bytes(body)
    return LandedFile(
        dataset=dataset,
        session=session,
        key=dataset.key(session),
        etag=version,
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        rows=rows,
        last_modified=datetime(2026, 5, 23, 15, tzinfo=UTC),
        path=path,
    )


def day_stamp(dataset: FlatFileDataset, session: date) -> int:
    """Return the vendor's timestamp of day bars of stocks and options."""
    assert dataset.interval is Interval.DAY
    return compute_midnight_ns(session)
