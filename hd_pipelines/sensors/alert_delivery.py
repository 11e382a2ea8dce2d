"""The round of deliveries: time passes for open alerts, digests are written, the outbox is delivered.

Belongs here: when a round happens. What it does is `notifier.delivery`.

A sensor and not a job: a run costs seconds of process start and a row in everybody's list of runs, and alerts wait for
nothing so often as twice a minute; a tick without anything due costs some milliseconds. It begins no attempt after its
deadline, well below the 60 s at which Dagster gives a tick up; a tick that is cut off leaves leases that run out.
"""

import dagster as dg

from hd_pipelines.alerts.digest import digest_slot
from hd_pipelines.notifier.delivery import DEADLINE_SECONDS, deliver_due
from hd_pipelines.resources import Warehouse
from hd_pipelines.resources.notifier import Notifier
from hd_pipelines.warehouse.records.alert_outbox import drop_old_messages
from hd_pipelines.warehouse.records.alerts import AlertBook, drop_old_alerts


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Escalates open alerts, writes the digest, and delivers what is due on every channel.",
)
def deliver_alerts(context: dg.SensorEvaluationContext, warehouse: Warehouse, notifier: Notifier) -> dg.SkipReason:
    """One round. The cursor is the last digest's time: a new one also drops what was kept long enough."""
    now = notifier.now()
    redactor, channels = notifier.redactor(warehouse.database), notifier.channels()
    names = [channel.name for channel in channels]
    slot = digest_slot(now)
    with warehouse.database.begin() as connection:
        book = AlertBook(connection, names, redactor, now=now)
        escalated = book.let_time_pass()
        if context.cursor != slot.isoformat():
            book.write_digest(slot)
            drop_old_messages(connection, now=now)
            drop_old_alerts(connection, now=now)
    if names:
        context.update_cursor(slot.isoformat())
    reports = deliver_due(warehouse.database, channels, redactor, clock=notifier.now, deadline_seconds=DEADLINE_SECONDS)
    told = "; ".join(map(str, reports)) or "HD_ALERT_URLS is not set; `hd alerts` lists what is open"
    return dg.SkipReason(f"{len(escalated)} escalated; {told}")
