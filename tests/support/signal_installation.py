"""A small installation whose last session has a setup to find: AAPL climbs all day on three times its usual volume.

def test_something(breakout_installation):
    scan_sessions(breakout_installation.database, SYMBOLS, [LAST], policy=POLICY)
"""

from __future__ import annotations

import polars as pl
import pytest

from hd_pipelines.signals.scanner.scan import DEFAULT_POLICY
from tests.support.installation import SESSIONS, MakeInstallation, SmallInstallation, open_small_installation
from tests.support.postgres import PostgresServer

LAST = SESSIONS[-1]
# The market of these tests is small and has no context: they test what happens to a signal, not when one is found.
POLICY = DEFAULT_POLICY.vary(
    {
        "filters.min_average_daily_volume": 0.0,
        "confidence.less_for_critical": 0.0,
        "confidence.least": 0.0,
        "thresholds.default.base": 20.0,
        "thresholds.default.style": 20.0,
        "thresholds.default.risk_reward": 0.5,
        "thresholds.windows.lunch.base": 0.0,
        "thresholds.windows.lunch.style": 0.0,
    }
)


def climbing(frame: pl.DataFrame) -> pl.DataFrame:
    """Let AAPL climb a cent and a half a minute from its tenth minute on, on three times its usual volume."""
    minute = pl.int_range(pl.len()).over("ticker")
    rise = pl.when(pl.col("ticker") == "AAPL").then((minute - 10).clip(0) * 0.015).otherwise(0.0)
    return frame.with_columns(
        *((pl.col(name) + rise).round(2) for name in ("open", "high", "low", "close")),
        volume=pl.when(pl.col("ticker") == "AAPL").then(pl.col("volume") * 3).otherwise(pl.col("volume")),
    )


def climbed(frame: pl.DataFrame) -> pl.DataFrame:
    """Change the day bars to match `climbing`."""
    is_it = pl.col("ticker") == "AAPL"
    return frame.with_columns(
        pl.when(is_it).then((pl.col("high") + 379 * 0.015).round(2)).otherwise(pl.col("high")).alias("high"),
        pl.when(is_it).then((pl.col("close") + 379 * 0.015).round(2)).otherwise(pl.col("close")).alias("close"),
        pl.when(is_it).then(pl.col("volume") * 3).otherwise(pl.col("volume")).alias("volume"),
    )


@pytest.fixture(scope="session")
def breakout_template(
    postgres_server: PostgresServer, migrated_url: str, tmp_path_factory: pytest.TempPathFactory
) -> SmallInstallation:
    """Nine ordinary sessions and one in which AAPL climbs; loaded once, closed, and copied from then on."""
    url = postgres_server.new_database(template=migrated_url)
    template = open_small_installation(url, tmp_path_factory.mktemp("breakout"))
    template.publish_files(SESSIONS[:-1])
    template.publish_files([LAST], minutes=climbing, days=climbed)
    template.refresh()
    template.database.close()
    return template


@pytest.fixture
def breakout_installation(
    make_installation: MakeInstallation, breakout_template: SmallInstallation
) -> SmallInstallation:
    """A copy of the breakout's installation, to be changed at will."""
    return make_installation(breakout_template)
