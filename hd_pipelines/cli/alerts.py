"""`hd alerts`: list open alerts, test the channels, close an alert by hand. Sensors raise and deliver alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.markup import escape

from hd_pipelines.cli.output.table import Column, Priority, print_table
from hd_pipelines.cli.terminal import Refusal, console, print_json
from hd_pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from hd_pipelines.alerts.lifecycle import Alert
    from hd_pipelines.alerts.redaction import Redactor
    from hd_pipelines.notifier.channels import Channel, OpenedChannels
    from hd_pipelines.warehouse.engine import Database
    from hd_pipelines.warehouse.records.alert_channels import ChannelState

_COLOURS = {"critical": "red", "error": "red", "warning": "yellow", "info": "blue"}


def run_alerts(*, test: bool, close: str | None, resend: bool, wide: bool = False, as_json: bool = False) -> bool:
    """Carry out the options, then list open alerts and channels; return whether every test message arrived."""
    settings = load_settings()
    opened = _open_channels(settings)
    channels = opened.usable
    for refusal in opened.refused:
        console().print(f"[red]{escape(refusal)}[/red]", soft_wrap=True)
    with _open_database(settings) as database:
        redactor = _make_redactor(settings, database)
        if test:
            return _send_test(database, channels, redactor) and not opened.refused
        if close is not None:
            _close(database, channels, redactor, close)
        if resend:
            _resend(database, channels, redactor)
        if as_json:
            print_json(_to_json(database, channels))
        else:
            _show(database, channels, wide=wide)
    return True


def _open_database(settings: Settings) -> Database:
    from hd_pipelines.warehouse.address import get_database_url
    from hd_pipelines.warehouse.engine import Database
    from hd_pipelines.warehouse.schema.revision import require_head

    url = get_database_url(settings)
    require_head(url)
    return Database(url)


def _open_channels(settings: Settings) -> OpenedChannels:
    from hd_pipelines.notifier.channels import open_usable_channels

    return open_usable_channels(settings.alert_urls.get_secret_value() if settings.alert_urls is not None else None)


def _make_redactor(settings: Settings, database: Database) -> Redactor:
    from hd_pipelines.notifier.log_redaction import install_redactor
    from hd_pipelines.notifier.secrets import build_redactor

    redactor = build_redactor(settings, [database.url])
    install_redactor(redactor)
    return redactor


def _require_channels(channels: Sequence[Channel]) -> list[str]:
    if not channels:
        raise Refusal("HD_ALERT_URLS is not set: give apprise URLs such as discord://ID/TOKEN; see docs/alerts.md")
    return [channel.name for channel in channels]


def _send_test(database: Database, channels: Sequence[Channel], redactor: Redactor) -> bool:
    from hd_pipelines.alerts.messages import write_trial_message
    from hd_pipelines.notifier.delivery import deliver_due
    from hd_pipelines.tables.vocabulary import DeliveryStatus
    from hd_pipelines.warehouse.records.alert_outbox import enqueue, read_deliveries

    names, now = _require_channels(channels), datetime.now(UTC)
    key = f"test:{now.isoformat()}"
    with database.begin() as connection:
        enqueue(connection, key, write_trial_message(now=now), names, redactor, now=now)
    deliver_due(database, channels, redactor, clock=lambda: datetime.now(UTC))
    with database.connect() as connection:
        fates = read_deliveries(connection, key)
    for fate in fates:
        if fate.status is DeliveryStatus.DELIVERED:
            result = f"[green]delivered[/green]{f', its message {escape(fate.receipt)}' if fate.receipt else ''}"
        elif fate.status is DeliveryStatus.DEAD:
            result = f"[red]refused[/red]: {escape(fate.last_error or '')}"
        else:
            reason = escape(fate.last_error or "the channel is on hold, or older messages go first")
            result = f"[yellow]waiting[/yellow]: {reason}"
        console().print(f"{fate.channel}: {result}")
    return all(fate.status is DeliveryStatus.DELIVERED for fate in fates)


def _close(database: Database, channels: Sequence[Channel], redactor: Redactor, beginning: str) -> None:
    from hd_pipelines.warehouse.records.alerts import AlertBook, read_open_alerts

    now = datetime.now(UTC)
    with database.begin() as connection:
        found = [alert for alert in read_open_alerts(connection) if alert.alert_id.startswith(beginning)]
        if len(found) != 1:
            raise Refusal(f"{len(found)} open alerts begin with {beginning!r}; `hd alerts` lists them")
        AlertBook(connection, [channel.name for channel in channels], redactor, now=now).resolve_id(
            found[0].alert_id, at=now
        )
    console().print(f"closed: {escape(found[0].title)} ({escape(found[0].subject)})")


def _resend(database: Database, channels: Sequence[Channel], redactor: Redactor) -> None:
    from hd_pipelines.notifier.delivery import deliver_due
    from hd_pipelines.warehouse.records.alert_channels import lift_holds
    from hd_pipelines.warehouse.records.alert_outbox import revive_messages

    names, now = _require_channels(channels), datetime.now(UTC)
    with database.begin() as connection:
        lift_holds(connection, names)
        revived = revive_messages(connection, names, now=now)
    console().print(f"{revived} messages will be tried once more")
    for report in deliver_due(database, channels, redactor, clock=lambda: datetime.now(UTC)):
        console().print(escape(str(report)))


def _read_state(database: Database, channels: Sequence[Channel]) -> tuple[list[Alert], list[_ChannelRow]]:
    from hd_pipelines.warehouse.records.alert_channels import read_channel_states
    from hd_pipelines.warehouse.records.alert_outbox import count_outbox
    from hd_pipelines.warehouse.records.alerts import read_open_alerts

    with database.connect() as connection:
        found, counts, states = read_open_alerts(connection), count_outbox(connection), read_channel_states(connection)
    return found, _build_channel_rows(channels, counts, states)


def _show(database: Database, channels: Sequence[Channel], *, wide: bool) -> None:
    found, rows = _read_state(database, channels)
    if found:
        print_table(_ALERT_COLUMNS, found, wide=wide)
    else:
        console().print("no open alerts")
    if not channels:
        console().print("HD_ALERT_URLS is not set: no alerts are sent; see docs/alerts.md")
    if rows:
        print_table(_CHANNEL_COLUMNS, rows, wide=wide)


def _to_json(database: Database, channels: Sequence[Channel]) -> dict[str, object]:
    found, rows = _read_state(database, channels)
    return {"alerts": [asdict(alert) for alert in found], "channels": [asdict(row) for row in rows]}


_ALERT_COLUMNS: tuple[Column[Alert], ...] = (
    Column("id", lambda alert: alert.alert_id[:8]),
    Column("severity", lambda alert: f"[{_COLOURS[alert.severity]}]{alert.severity}[/{_COLOURS[alert.severity]}]"),
    Column("open since", lambda alert: f"{alert.opened_at:%Y-%m-%d %H:%M} UTC", Priority.USUAL),
    Column("seen", lambda alert: str(alert.occurrences), Priority.DETAIL, is_number=True),
    Column("what", lambda alert: escape(f"{alert.title}: {alert.detail}"), wraps_at=30),
    Column("where", lambda alert: escape(alert.subject), Priority.USUAL, wraps_at=20),
    Column("what to do", lambda alert: escape(alert.cure), wraps_at=26),
)


@dataclass(frozen=True, slots=True)
class _ChannelRow:
    channel: str
    waiting: int
    given_up: int
    last_delivered: str
    state: str


_CHANNEL_COLUMNS: tuple[Column[_ChannelRow], ...] = (
    Column("channel", lambda row: escape(row.channel)),
    Column("waiting", lambda row: str(row.waiting), is_number=True),
    Column("given up", lambda row: str(row.given_up), is_number=True),
    Column("last delivered", lambda row: row.last_delivered, Priority.USUAL),
    Column("state", lambda row: escape(row.state), wraps_at=30),
)


def _build_channel_rows(
    channels: Sequence[Channel], counts: Mapping[tuple[str, str], int], states: Mapping[str, ChannelState]
) -> list[_ChannelRow]:
    configured = {channel.name for channel in channels}
    return [
        _ChannelRow(
            name,
            counts.get((name, "pending"), 0),
            counts.get((name, "dead"), 0),
            *_describe_state(states.get(name), is_configured=name in configured),
        )
        for name in sorted({*configured, *(name for name, _ in counts)})
    ]


def _describe_state(state: ChannelState | None, *, is_configured: bool) -> tuple[str, str]:
    if state is None:
        return "", "never used" if is_configured else "no longer in HD_ALERT_URLS"
    last = f"{state.last_delivered_at:%Y-%m-%d %H:%M} UTC" if state.last_delivered_at else "never"
    if not is_configured:
        return last, "no longer in HD_ALERT_URLS"
    if state.held_until is not None and state.held_until > datetime.now(UTC):
        return last, f"on hold until {state.held_until:%H:%M:%S} UTC, as the service asked"
    if state.failures:
        return last, f"failed {state.failures} times: {state.last_error or ''}"
    return last, "ok"
