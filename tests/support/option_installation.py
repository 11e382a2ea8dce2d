"""A small installation with option chains: an archive of the synthetic market, refreshed table by table.

def test_something(option_installation):
    option_installation.refresh()               # chains to lake, Greeks, percentiles, gamma
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

import pytest

from hd_pipelines.loading.derived.gamma import refresh_gamma
from hd_pipelines.loading.derived.greeks import refresh_greeks
from hd_pipelines.loading.derived.iv_percentiles import refresh_iv_percentiles
from hd_pipelines.loading.derived.refresh import DerivedReport
from hd_pipelines.loading.inputs.chain_archive import ChainsReport, refresh_chain_archive
from hd_pipelines.market.sessions import list_last_sessions
from hd_pipelines.sandbox.market.chains import write_chain_archive
from tests.support.installation import MakeInstallation, SmallInstallation, rows

OPTION_SYMBOLS = ("AAPL", "SPX")
OPTION_SESSIONS = list_last_sessions(date(2026, 5, 22), 4)
THIN_SESSIONS = list_last_sessions(OPTION_SESSIONS[0], 9)[:-1]
"""Eight sessions before, with just enough contracts for a 30-day volatility."""
ALL_SESSIONS = [*THIN_SESSIONS, *OPTION_SESSIONS]


@dataclass
class OptionInstallation:
    """An installation and its own copy of the archive."""

    installation: SmallInstallation
    archive: Path
    symbols: Sequence[str] = OPTION_SYMBOLS
    reports: dict[str, DerivedReport] = field(default_factory=dict)

    def to_lake(self, sessions: Sequence[date] = ALL_SESSIONS) -> ChainsReport:
        """Load the chains of the archive into the lake."""
        return refresh_chain_archive(
            self.installation.database,
            self.installation.lake,
            self.archive,
            underlyings=self.symbols,
            sessions=sessions,
        )

    def to_greeks(self, sessions: Sequence[date] = ALL_SESSIONS, **options: object) -> DerivedReport:
        """Value the chains of the lake."""
        return refresh_greeks(
            self.installation.database,
            self.installation.lake,
            symbols=self.symbols,
            sessions=sessions,
            **options,  # type: ignore[arg-type]
        )

    def to_percentiles(self, sessions: Sequence[date] = ALL_SESSIONS, **options: object) -> DerivedReport:
        """Rank the valued chains."""
        return refresh_iv_percentiles(
            self.installation.database,
            self.installation.lake,
            symbols=self.symbols,
            sessions=sessions,
            **options,  # type: ignore[arg-type]
        )

    def to_gamma(self, sessions: Sequence[date] = ALL_SESSIONS, **options: object) -> DerivedReport:
        """Sum up the gamma of the valued chains."""
        return refresh_gamma(self.installation.database, symbols=self.symbols, sessions=sessions, **options)  # type: ignore[arg-type]

    def refresh(self, sessions: Sequence[date] = ALL_SESSIONS) -> dict[str, DerivedReport]:
        """Run all steps from the archive to gamma."""
        self.to_lake(sessions)
        return {
            "greeks": self.to_greeks(sessions),
            "percentiles": self.to_percentiles(sessions),
            "gamma": self.to_gamma(sessions),
        }

    def contents(self, table: str, until: date | None = None) -> list[tuple[object, ...]]:
        """Read every row as text, without the times of writing."""
        session = "date" if table == "iv_percentile_cache" else "session"
        return rows(
            self.installation.url,
            f"select (to_jsonb(held) - 'created_at' - 'updated_at')::text from {table} as held"
            f" where {session} <= %s order by 1",
            until or date.max,
        )

    def manifest(self) -> list[tuple[object, ...]]:
        """Read the fingerprints of all rows."""
        return rows(
            self.installation.url,
            "select table_name, symbol, session, fingerprint, rows from derivation_manifest order by 1, 2, 3",
        )

    def versions(self, table: str) -> list[tuple[object, ...]]:
        """Read the physical version of each row: it changes when a row is written again."""
        return rows(
            self.installation.url,
            f"select symbol, timestamp, tableoid::text, ctid::text, xmin::text from {table} order by 1, 2, 3, 4",
        )


@pytest.fixture(scope="session")
def option_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chains of two underlyings; copy before changing."""
    folder = tmp_path_factory.mktemp("archive")
    write_chain_archive(folder, OPTION_SESSIONS, OPTION_SYMBOLS, sparse_sessions=THIN_SESSIONS)
    return folder


class MakeOptionInstallation(Protocol):
    """Makes an installation with an empty warehouse, or a copy of `template`, whose database nobody is connected to."""

    def __call__(self, template: OptionInstallation | None = None) -> OptionInstallation: ...


@pytest.fixture
def make_option_installation(
    make_installation: MakeInstallation, option_archive: Path, tmp_path: Path
) -> MakeOptionInstallation:
    """Installations with an archive of their own."""
    made: list[OptionInstallation] = []

    def make(template: OptionInstallation | None = None) -> OptionInstallation:
        archive = tmp_path / f"archive{len(made)}"
        shutil.copytree(template.archive if template else option_archive, archive)
        made.append(OptionInstallation(make_installation(template.installation if template else None), archive))
        return made[-1]

    return make


@pytest.fixture
def option_installation(make_option_installation: MakeOptionInstallation) -> OptionInstallation:
    """One such installation."""
    return make_option_installation()
