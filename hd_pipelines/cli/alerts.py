"""`hd alerts`: what is open, whether the channels work, and closing what a person has settled.

Belongs here: alerts for people at a terminal. They are raised and delivered by sensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from hd_pipelines.cli.terminal import Refusal, console
from hd_pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from hd_pipelines.alerts.lifecycle import Alert
    from hd_pipelines.alerts.redaction import Redactor
    from hd_pipelines.notifier.channels import Channel
    from hd_pipelines.warehouse.engine import Database
    from hd_pipelines.warehouse.records.alert_channels import ChannelState

_COLOURS = {"critical": "red", "error": "red", "warning": "yellow", "info": "blue"}


def run_alerts(*, test: bool, close: str | None, resend: bool) -> bool:
    """Do what was asked for, then show what is open; whether everything went through."""
    settings = load_settings()
    channels = _channels(settings)
    with _database(settings) as database:
        redactor = _redactor(settings, database)
        if test:
            return _tested(database, channels, redactor)
        if close is not None:
            _close(database, channels, redactor, close)
        if resend:
            _resend(database, channels, redactor)
        _show(database, channels)
    return True


def _database(settings: Settings) -> Database:
    from hd_pipelines.warehouse.address import database_url
    from hd_pipelines.warehouse.engine import Database
    from hd_pipelines.warehouse.schema.revision import require_head

    url = database_url(settings)
    require_head(url)
    return Database(url)


def _channels(settings: Settings) -> list[Channel]:
    from hd_pipelines.notifier.channels import ChannelRefusedError, open_channels

    try:
        return open_channels(settings.alert_urls.get_secret_value() if settings.alert_urls is not None else None)
    except ChannelRefusedError as error:
        raise Refusal(str(error)) from None


def _redactor(settings: Settings, database: Database) -> Redactor:
    from hd_pipelines.notifier.log_redaction import keep_secrets_out_of_logs
    from hd_pipelines.notifier.secrets import redactor_of

    redactor = redactor_of(settings, [database.url])
    keep_secrets_out_of_logs(redactor)
    return redactor


def _needed(channels: Sequence[Channel]) -> list[str]:
    if not channels:
        raise Refusal("HD_ALERT_URLS is not set: give apprise URLs such as discord://ID/TOKEN; see docs/alerts.md")
    return [channel.name for channel in channels]


def _tested(database: Database, channels: Sequence[Channel], redactor: Redactor) -> bool:
    from hd_pipelines.alerts.messages import trial_message
    from hd_pipelines.notifier.delivery import deliver_due
    from hd_pipelines.tables.vocabulary import DeliveryStatus
    from hd_pipelines.warehouse.records.alert_outbox import enqueue, fate_of

    names, now = _needed(channels), datetime.now(UTC)
    key = f"test:{now.isoformat()}"
    with database.begin() as connection:
        enqueue(connection, key, trial_message(now=now), names, redactor, now=now)
    deliver_due(database, channels, redactor, clock=lambda: datetime.now(UTC))
    with database.connect() as connection:
        fates = fate_of(connection, key)
    for fate in fates:
        if fate.status is DeliveryStatus.DELIVERED:
            told = f"[green]delivered[/green]{f', its message {escape(fate.receipt)}' if fate.receipt else ''}"
        elif fate.status is DeliveryStatus.DEAD:
            told = f"[red]refused[/red]: {escape(fate.last_error or '')}"
        else:
            told = (
                f"[yellow]waits[/yellow]: {escape(fate.last_error or 'the channel rests, or older messages go first')}"
            )
        console().print(f"{fate.channel}: {told}")
    return all(fate.status is DeliveryStatus.DELIVERED for fate in fates)


def _close(database: Database, channels: Sequence[Channel], redactor: Redactor, beginning: str) -> None:
    from hd_pipelines.warehouse.records.alerts import AlertBook, open_alerts

    now = datetime.now(UTC)
    with database.begin() as connection:
        found = [alert for alert in open_alerts(connection) if alert.alert_id.startswith(beginning)]
        if len(found) != 1:
            raise Refusal(f"{len(found)} open alerts begin with {beginning!r}; `hd alerts` lists them")
        AlertBook(connection, [channel.name for channel in channels], redactor, now=now).resolve_id(
            found[0].alert_id, at=now
        )
    console().print(f"closed: {escape(found[0].title)} ({escape(found[0].subject)})")


def _resend(database: Database, channels: Sequence[Channel], redactor: Redactor) -> None:
    from hd_pipelines.notifier.delivery import deliver_due
    from hd_pipelines.warehouse.records.alert_outbox import revive

    names, now = _needed(channels), datetime.now(UTC)
    with database.begin() as connection:
        revived = revive(connection, names, now=now)
    console().print(f"{revived} messages get one more try")
    for report in deliver_due(database, channels, redactor, clock=lambda: datetime.now(UTC)):
        console().print(escape(str(report)))


def _show(database: Database, channels: Sequence[Channel]) -> None:
    from hd_pipelines.warehouse.records.alert_channels import channel_states
    from hd_pipelines.warehouse.records.alert_outbox import outbox_counts
    from hd_pipelines.warehouse.records.alerts import open_alerts

    with database.connect() as connection:
        found, counts, states = open_alerts(connection), outbox_counts(connection), channel_states(connection)
    if found:
        console().print(_alert_table(found))
    else:
        console().print("nothing is open")
    if not channels:
        console().print("HD_ALERT_URLS is not set: nobody is told; see docs/alerts.md")
    table = Table(header_style="bold")
    for name in ("channel", "waiting", "given up", "last delivered", "state"):
        table.add_column(name)
    for channel in sorted({*(channel.name for channel in channels), *(name for name, _ in counts)}):
        waiting, dead = counts.get((channel, "pending"), 0), counts.get((channel, "dead"), 0)
        is_configured = any(each.name == channel for each in channels)
        table.add_row(channel, str(waiting), str(dead), *_state(states.get(channel), is_configured=is_configured))
    if table.row_count:
        console().print(table)


def _alert_table(found: Sequence[Alert]) -> Table:
    table = Table(header_style="bold")
    for name in ("id", "severity", "open since", "seen", "what", "where", "what to do"):
        table.add_column(name)
    for alert in found:
        colour = _COLOURS[alert.severity]
        table.add_row(
            alert.alert_id[:8],
            f"[{colour}]{alert.severity}[/{colour}]",
            f"{alert.opened_at:%Y-%m-%d %H:%M} UTC",
            str(alert.occurrences),
            escape(f"{alert.title}: {alert.detail}"),
            escape(alert.subject),
            escape(alert.cure),
        )
    return table


def _state(state: ChannelState | None, *, is_configured: bool) -> tuple[str, str]:
    if state is None:
        return "", "never written to" if is_configured else "no longer in HD_ALERT_URLS"
    last = f"{state.last_delivered_at:%Y-%m-%d %H:%M} UTC" if state.last_delivered_at else "never"
    if not is_configured:
        return last, "no longer in HD_ALERT_URLS"
    if state.held_until is not None and state.held_until > datetime.now(UTC):
        return last, f"rests until {state.held_until:%H:%M:%S} UTC at its own wish"
    if state.failures:
        return last, f"failed {state.failures} times: {escape(state.last_error or '')}"
    return last, "well"
