"""Finds the files of an archive of option chains, and its gaps: one Parquet file per underlying and session.

No vendor sells chains of the past, so a gap cannot be filled and is reported before anything is computed. The layout is in
docs/vendor.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hd_pipelines.market.dates import parse_iso_date
from hd_pipelines.market.findings import Finding
from hd_pipelines.market.sessions import is_session, list_sessions_between
from hd_pipelines.market.symbols import canonicalize_symbol, to_ticker
from hd_pipelines.providers.errors import ObjectPlace
from hd_pipelines.tables.vocabulary import Rule, Severity

DATASET = "option_chains"
ARCHIVE_RULES = frozenset({Rule.OBJECT_ON_CLOSED_DAY, Rule.SESSION_MISSING})
STRAY_RULES = frozenset({Rule.OBJECT_STRAY})


@dataclass(frozen=True, slots=True)
class ChainFile:
    """One file of an archive. `underlying` is the vendor's ticker; `key` the path below the archive."""

    path: Path
    underlying: str
    session: date
    key: str

    @property
    def place(self) -> ObjectPlace:
        """The place that findings about this file refer to."""
        return ObjectPlace(DATASET, self.session, self.key)


def list_archived_days(archive: Path) -> dict[str, list[date]]:
    """List the days that have a file, by underlying, ascending; empty if `archive` has no chains."""
    found: dict[str, list[date]] = {}
    chains = archive / "chains"
    for name in sorted(folder.name for folder in chains.iterdir()) if chains.is_dir() else []:
        if days := _list_days(chains / name):
            found[name] = [day for day, _ in days]
    return found


def find_archive_gaps(days: Mapping[str, Sequence[date]]) -> list[Finding]:
    """Find files on days without a session, and sessions between the first and last file that have none."""
    findings = []
    for underlying, have in sorted(days.items()):
        findings += [
            Finding(
                rule=Rule.OBJECT_ON_CLOSED_DAY,
                severity=Severity.WARNING,
                dataset=DATASET,
                session=day,
                subject=underlying,
                detail=f"chains/{underlying}/{day}.parquet is dated on a day on which the exchange was closed.",
                cure="Leave it out: its quotes are those of the session before, or of nobody.",
            )
            for day in have
            if not is_session(day)
        ]
        findings += [
            Finding(
                rule=Rule.SESSION_MISSING,
                severity=Severity.ERROR,
                dataset=DATASET,
                session=day,
                subject=underlying,
                detail=f"The exchange was open and there is no chains/{underlying}/{day}.parquet.",
                cure="Nothing can bring it back; what is computed from chains has a gap here.",
            )
            for day in list_sessions_between(have[0], have[-1])
            if day not in set(have)
        ]
    return findings


def find_stray_files(archive: Path, folders: Collection[str]) -> list[Finding]:
    """Find Parquet files in `folders` of the archive (`SPX`) whose name is no date."""
    return [
        Finding(
            rule=Rule.OBJECT_STRAY,
            severity=Severity.WARNING,
            dataset=DATASET,
            session=None,
            subject=folder,
            detail=f"{len(strays)} files of chains/{folder} have a name that is no date, first {strays[0]!r}; not loaded.",
            cure="Rename or remove them: a chain's file is YYYY-MM-DD.parquet.",
            rows=len(strays),
        )
        for folder in sorted(folders)
        if (strays := [name for name in _list_names(archive / "chains" / folder) if _parse_name(name) is None])
    ]


def list_chain_files(archive: Path, underlyings: Sequence[str], sessions: Sequence[date]) -> list[ChainFile]:
    """List the files of `underlyings` (symbols or tickers) on `sessions`, by underlying and session.

    Files of other days are ignored: a day without a session has no chain, whatever the file contains.
    """
    wanted = {day for day in sessions if is_session(day)}
    found = []
    for symbol in sorted({canonicalize_symbol(name) for name in underlyings}):
        folder, ticker = archive / "chains" / to_folder_name(symbol), to_ticker(symbol)
        found += [
            ChainFile(folder / name, ticker, session, f"chains/{folder.name}/{name}")
            for session, name in _list_days(folder)
            if session in wanted
        ]
    return found


def _list_days(folder: Path) -> list[tuple[date, str]]:
    """List the days that have a file in `folder` with its name, ascending; none if the folder is absent."""
    named = [(_parse_name(name), name) for name in _list_names(folder)]
    return [(day, name) for day, name in named if day is not None]


def _list_names(folder: Path) -> list[str]:
    """List the Parquet files in `folder`, ascending; none if it is absent. A dot makes a file invisible to programs."""
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    return sorted(name for name in names if name.endswith(".parquet") and not name.startswith("."))


def _parse_name(name: str) -> date | None:
    return parse_iso_date(name.removesuffix(".parquet"))


def to_folder_name(underlying: str) -> str:
    """Name the folder of an underlying: its plain symbol, `SPX`; `I:COMP`, whose plain symbol is a stock's, is `I_COMP`."""
    return canonicalize_symbol(underlying).replace(":", "_").replace("/", "~")
