"""The vendor's REST service on loopback, a market of a few contracts behind it, and clients that do not sleep.

def test_something(chains_of, api_of):
    server = chains_of({"SPY": contract_rows(30)})       # or any RestMarket
    api = api_of(server)                                  # sleeps are recorded in api.naps, not slept
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr

from hd_pipelines.market.sessions import get_regular_hours
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.sandbox.rest.market import IndexDay
from hd_pipelines.sandbox.server import SandboxServer

SESSION = date(2026, 5, 22)
CLOSE = get_regular_hours(SESSION).closes_at
KEY = "a-key-that-nobody-may-read"  # only opens servers of these tests


def contract_rows(
    count: int = 10, underlying: str = "SPY", *, moment: datetime = CLOSE, **changed: Any
) -> pl.DataFrame:
    """`count` contracts, calls and puts alternating, in the columns of the sandbox's markets; any may be replaced."""
    strikes = [500.0 + position // 2 for position in range(count)]
    rights = ["call" if position % 2 == 0 else "put" for position in range(count)]
    root = underlying.removeprefix("I:")
    frame = pl.DataFrame(
        {
            "underlying": [underlying] * count,
            "underlying_price": [523.4] * count,
            "ticker": [
                f"O:{root}260619{right[0].upper()}{int(strike * 1000):08d}"
                for strike, right in zip(strikes, rights, strict=True)
            ],
            "root": [root] * count,
            "expiration": [date(2026, 6, 19)] * count,
            "option_type": rights,
            "strike": strikes,
            "bid": [1.0 + position / 100 for position in range(count)],
            "ask": [1.1 + position / 100 for position in range(count)],
            "last": [1.05] * count,
            "volume": [10 + position for position in range(count)],
            "open_interest": [100 + position for position in range(count)],
            "vendor_iv": [0.2] * count,
            "vendor_delta": [0.5] * count,
            "vendor_gamma": [0.01] * count,
            "vendor_theta": [-0.05] * count,
            "vendor_vega": [0.3] * count,
            "bid_size": [5] * count,
            "ask_size": [6] * count,
            "exercise_style": ["american"] * count,
            "shares_per_contract": [100.0] * count,
            "quote_at_ns": [int(moment.timestamp()) * 1_000_000_000 - 123_456_789] * count,
        }
    )
    return frame.with_columns(**{name: pl.lit(value) for name, value in changed.items()}).sort("ticker")


@dataclass
class FixedMarket:
    """Given chains, the same at every moment."""

    chains: Mapping[str, pl.DataFrame]
    rates: list[dict[str, str | float]] = field(default_factory=list)
    minute_rows: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """By ticker, in a minute file's columns."""

    def last_moment(self) -> datetime:
        return CLOSE

    def chain(self, underlying: str, moment: datetime) -> pl.DataFrame | None:
        return self.chains.get(underlying)

    def minutes(self, ticker: str, session: date) -> pl.DataFrame:
        return self.minute_rows.get(ticker, pl.DataFrame())

    def split_ratio(self, ticker: str, earlier: date, later: date) -> float:
        return 1.0

    def indices(self, moment: datetime) -> list[IndexDay]:
        return [
            IndexDay("I:SPX", 5200.0, 5260.0, 5190.0, 5234.5, 5210.0),
            IndexDay("I:VIX", 16.0, 17.0, 15.5, 16.2, 16.1),
        ]

    def yields(self, first: date, last: date) -> list[dict[str, str | float]]:
        return [dict(row) for row in self.rates if str(first) <= str(row["date"]) <= str(last)]


class ImpatientApi(VendorApi):
    """A client that records its waits instead of sleeping."""

    def __init__(self, **options: Any) -> None:
        self.naps: list[float] = []
        super().__init__(sleep=self.naps.append, **options)


@pytest.fixture
def chains_of(tmp_path: Path) -> Iterator[Callable[..., SandboxServer]]:
    """Servers over given chains or markets; only `KEY` opens them."""
    with ExitStack() as servers:

        def make(chains: Any, **options: Any) -> SandboxServer:
            market = FixedMarket(chains) if isinstance(chains, dict) else chains
            server = servers.enter_context(SandboxServer(tmp_path / "bucket", market=market, **options))
            server.rest.keys = frozenset({KEY})
            return server

        yield make


@pytest.fixture
def api_of() -> Iterator[Callable[..., ImpatientApi]]:
    """Clients with the right key."""
    with ExitStack() as clients:

        def make(server: SandboxServer, **options: Any) -> ImpatientApi:
            given = {"url": server.url, "key": SecretStr(KEY), "seed": 1} | options
            return clients.enter_context(ImpatientApi(**given))

        yield make


def utc(*parts: int) -> datetime:
    """A UTC time."""
    return datetime(*parts, tzinfo=UTC)
