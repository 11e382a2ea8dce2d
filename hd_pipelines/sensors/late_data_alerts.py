"""The sensor that turns late data into alerts. `alert_delivery` sends the messages."""

from itertools import groupby

import dagster as dg

from hd_pipelines.alerts.sightings import (
    DATA_LATE,
    LATE_BARS_SUBJECT,
    LATE_RULES,
    describe_late_bars,
    describe_late_findings,
    name_place,
)
from hd_pipelines.checks.standing import find_newest_due_session
from hd_pipelines.market.sessions import NEW_YORK, list_last_sessions
from hd_pipelines.providers.massive.flat_files.publication import compute_due_time
from hd_pipelines.resources import Clock, NotifierResource, WarehouseResource
from hd_pipelines.tables.vocabulary import Severity
from hd_pipelines.warehouse.read import bars as bar_queries
from hd_pipelines.warehouse.records.alerts import AlertBook, read_open_alerts
from hd_pipelines.warehouse.records.findings import read_open_findings

LOOK_BACK = 10
"""Sessions whose findings count as late data; findings from a backfill of old years do not."""


@dg.sensor(
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Opens alerts for bars, files and chain snapshots that are due and missing; resolves them on arrival.",
)
def alert_late_data(
    _context: dg.SensorEvaluationContext, clock: Clock, warehouse: WarehouseResource, notifier: NotifierResource
) -> dg.SkipReason:
    """Open alerts for everything late now and resolve those of data that has arrived."""
    now = clock.now()
    redactor, channels = notifier.build_redactor(warehouse.database), notifier.list_channel_names()
    first = list_last_sessions(now.astimezone(NEW_YORK).date(), LOOK_BACK)[0]
    with warehouse.database.begin() as connection:
        book = AlertBook(connection, channels, redactor, now=now)
        expected, newest = find_newest_due_session(now), bar_queries.find_newest_session(connection)
        if newest is None or newest < expected:
            book.observe(describe_late_bars(expected, newest), at=compute_due_time(expected))
        else:
            book.resolve(DATA_LATE, LATE_BARS_SUBJECT, at=now)
        findings = sorted(
            (finding for finding in read_open_findings(connection, first=first) if finding.rule in LATE_RULES),
            key=lambda finding: (finding.rule, finding.dataset, str(finding.session), finding.subject),
        )
        still_late = set()
        for (rule, dataset, session), group in groupby(
            findings, key=lambda each: (each.rule, each.dataset, each.session)
        ):
            same = list(group)
            is_error = any(finding.severity == Severity.ERROR for finding in same)
            subjects = [finding.subject for finding in same]
            sighting = describe_late_findings(
                rule,
                name_place(dataset, session),
                subjects,
                detail=same[0].detail,
                cure=same[0].cure,
                is_error=is_error,
            )
            still_late.add(sighting.alert_id)
            book.observe(sighting, at=max(finding.last_seen_at for finding in same))
        for alert in read_open_alerts(connection, LATE_RULES):
            if alert.alert_id not in still_late:
                book.resolve_id(alert.alert_id, at=now)
    return dg.SkipReason(f"{len(still_late)} kinds of late data; newest bars {newest}, due {expected}")
