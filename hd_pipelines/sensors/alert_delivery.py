"""The sensor that escalates open alerts, writes digests and delivers the outbox. Delivery itself is `notifier.delivery`.

It is a sensor and not a job: a run costs seconds of process start and a row in the list of runs, while a tick with nothing
due, twice a minute, costs some milliseconds. It starts no attempt after its deadline, well below the 60 s at which Dagster
abandons a tick; the leases of an abandoned tick expire.
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from hd_pipelines.alerts.digest import find_digest_slot
from hd_pipelines.alerts.sightings import CHANNEL_REFUSED, CHANNELS_SUBJECT, describe_refused_channels
from hd_pipelines.notifier.delivery import DEADLINE_SECONDS, deliver_due
from hd_pipelines.resources import Clock, NotifierResource, WarehouseResource
from hd_pipelines.warehouse.records.alert_outbox import drop_old_messages
from hd_pipelines.warehouse.records.alerts import AlertBook, drop_old_alerts


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Escalates open alerts, writes the digest, and delivers what is due on every channel.",
)
def deliver_alerts(
    context: dg.SensorEvaluationContext, clock: Clock, warehouse: WarehouseResource, notifier: NotifierResource
) -> dg.SkipReason:
    """Run one round. The cursor is the time of the last digest; a new digest also drops expired messages and alerts."""
    now = clock.now()
    redactor, channels = notifier.build_redactor(warehouse.database), notifier.open_channels()
    names = [channel.name for channel in channels.usable]
    slot = find_digest_slot(now)
    with warehouse.database.begin() as connection:
        book = AlertBook(connection, names, redactor, now=now)
        escalated = book.escalate_overdue()
        _report_refused(book, channels.refused, now)
        if context.cursor != slot.isoformat():
            book.write_digest(slot)
            drop_old_messages(connection, now=now)
            drop_old_alerts(connection, now=now)
    if names:
        context.update_cursor(slot.isoformat())
    reports = deliver_due(
        warehouse.database, channels.usable, redactor, clock=clock.now, deadline_seconds=DEADLINE_SECONDS
    )
    why_none = "no channel can be used" if channels.refused else "HD_ALERT_URLS is not set"
    deliveries = "; ".join(map(str, reports)) or f"{why_none}; `hd alerts` lists open alerts"
    return dg.SkipReason(" ".join([f"{len(escalated)} escalated; {deliveries}", *channels.refused]))


def _report_refused(book: AlertBook, refused: Sequence[str], now: datetime) -> None:
    """Open an alert, which the usable channels deliver, while a URL of HD_ALERT_URLS cannot be used."""
    if refused:
        book.observe(describe_refused_channels(refused), at=now)
    else:
        book.resolve(CHANNEL_REFUSED, CHANNELS_SUBJECT, at=now)
