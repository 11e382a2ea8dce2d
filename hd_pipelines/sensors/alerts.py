"""What deserves an alert: runs and checks that failed, data that is late.

Belongs here: looking for it in Dagster and in the warehouse. Words are in `alerts`, transactions in `warehouse`;
messages leave in `alert_delivery`, signals are told in `alert_signals`.

Not Dagster's `run_failure_sensor`: that moves its cursor on when its function raises, so a failure that happens while
the database is away would never be told. Here the cursor moves after the transaction that used it; looking at the same
run twice changes nothing, because an alert knows when it was last seen.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

import dagster as dg

from hd_pipelines.alerts.lifecycle import Sighting
from hd_pipelines.alerts.sightings import (
    CHECK_FAILED,
    DATA_LATE,
    LATE_BARS_SUBJECT,
    LATE_RULES,
    RUN_FAILED,
    failed_check,
    failed_run,
    late_bars,
    late_findings,
    over,
    place_of,
)
from hd_pipelines.checks.standing import NEWEST_DUE, find_newest_due_session
from hd_pipelines.market.sessions import NEW_YORK, sessions_back
from hd_pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG
from hd_pipelines.providers.massive.flat_files.publication import due_at
from hd_pipelines.resources import Clock, NotifierResource, WarehouseResource
from hd_pipelines.tables.vocabulary import Severity
from hd_pipelines.warehouse.read import bars as bar_queries
from hd_pipelines.warehouse.read.queries import open_findings
from hd_pipelines.warehouse.records.alerts import AlertBook, open_alerts

DEADLINE_SECONDS = 20.0
RUNS_A_TICK = 50
EVENTS_A_PAGE = 500
LOOK_BACK = 10
"""Sessions whose findings are late data; those of a backfill of old years are not."""
OVERLAP = timedelta(seconds=60)
"""Runs that ended this long before the cursor are asked for again: rows may be committed out of order."""
DETAILS = 6
"""Metadata entries of a failed check that its alert repeats."""
WILL_RETRY, PARTITION = "dagster/will_retry", "dagster/partition"


@dataclass(frozen=True)
class RunCursor:
    """How far runs were looked at: until when, and which of the last minute, by id with the time of their end."""

    after: datetime
    seen: Mapping[str, datetime]

    @classmethod
    def read(cls, text: str | None) -> "RunCursor | None":
        """The cursor that `text` was made of; None at the first tick."""
        if not text:
            return None
        stored = json.loads(text)
        seen = {run: datetime.fromisoformat(at) for run, at in stored["seen"].items()}
        return cls(datetime.fromisoformat(stored["after"]), seen)

    def text(self) -> str:
        """As Dagster keeps it."""
        seen = {run: at.isoformat() for run, at in sorted(self.seen.items())}
        return json.dumps({"after": self.after.isoformat(), "seen": seen})

    def past(self, run_id: str, at: datetime) -> "RunCursor":
        """The cursor when this run has been looked at."""
        after = max(self.after, at)
        return RunCursor(
            after, {run: when for run, when in {**self.seen, run_id: at}.items() if when > after - OVERLAP}
        )


@dataclass(frozen=True)
class Noticed:
    """What a run says about one alert at `at`: it is seen, or, without `sighting`, it is over."""

    at: datetime
    rule: str
    subject: str
    sighting: Sighting | None

    def write(self, book: AlertBook) -> None:
        """Take the alert its step."""
        if self.sighting is not None:
            book.see(self.sighting, at=self.at)
        else:
            book.resolve(self.rule, self.subject, at=self.at)


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Failed runs and failed checks become alerts; the same going well again resolves them.",
)
def alert_failures(
    context: dg.SensorEvaluationContext, clock: Clock, warehouse: WarehouseResource, notifier: NotifierResource
) -> dg.SkipReason:
    """Look at the runs that ended since the last tick, oldest first, each in a transaction of its own."""
    now = clock.now()
    cursor = RunCursor.read(context.cursor)
    if cursor is None:
        context.update_cursor(RunCursor(now, {}).text())
        return dg.SkipReason("watching runs from now on")
    ends = time.monotonic() + DEADLINE_SECONDS
    records = context.instance.get_run_records(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS], updated_after=cursor.after - OVERLAP
        ),
        limit=RUNS_A_TICK + len(cursor.seen),
        order_by="update_timestamp",
        ascending=True,
    )
    fresh = [record for record in records if record.dagster_run.run_id not in cursor.seen]
    if not fresh:
        return dg.SkipReason("no run has ended since")
    redactor, channels = notifier.redactor(warehouse.database), notifier.channel_names()
    looked_at = 0
    for record in fresh:
        if time.monotonic() > ends:
            break
        with warehouse.database.begin() as connection:
            book = AlertBook(connection, channels, redactor, now=now)
            for noticed in noticed_in(context.instance, record):
                noticed.write(book)
        cursor = cursor.past(record.dagster_run.run_id, record.update_timestamp)
        context.update_cursor(cursor.text())
        looked_at += 1
    return dg.SkipReason(f"looked at {looked_at} of {len(fresh)} runs that ended")


@dg.sensor(
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Bars that are due and not there, files and chain snapshots that did not come, become alerts.",
)
def alert_late_data(
    _context: dg.SensorEvaluationContext, clock: Clock, warehouse: WarehouseResource, notifier: NotifierResource
) -> dg.SkipReason:
    """A level, not an edge: what is late now is open, what is not late any more is resolved."""
    now = clock.now()
    redactor, channels = notifier.redactor(warehouse.database), notifier.channel_names()
    first = sessions_back(now.astimezone(NEW_YORK).date(), LOOK_BACK)[0]
    with warehouse.database.begin() as connection:
        book = AlertBook(connection, channels, redactor, now=now)
        expected, newest = find_newest_due_session(now), bar_queries.newest_session(connection)
        if newest is None or newest < expected:
            book.see(late_bars(expected, newest), at=due_at(expected))
        else:
            book.resolve(DATA_LATE, LATE_BARS_SUBJECT, at=now)
        late = sorted(
            (finding for finding in open_findings(connection, first=first) if finding.rule in LATE_RULES),
            key=lambda finding: (finding.rule, finding.dataset, str(finding.session), finding.subject),
        )
        still = set()
        for (rule, dataset, session), group in groupby(late, key=lambda each: (each.rule, each.dataset, each.session)):
            found = list(group)
            is_error = any(finding.severity == Severity.ERROR for finding in found)
            subjects = [finding.subject for finding in found]
            sighting = late_findings(
                rule,
                place_of(dataset, session),
                subjects,
                detail=found[0].detail,
                cure=found[0].cure,
                is_error=is_error,
            )
            still.add(sighting.alert_id)
            book.see(sighting, at=max(finding.last_seen_at for finding in found))
        for alert in open_alerts(connection, LATE_RULES):
            if alert.alert_id not in still:
                book.resolve_id(alert.alert_id, at=now)
    return dg.SkipReason(f"{len(still)} kinds of late data; newest bars {newest}, due {expected}")


def noticed_in(instance: dg.DagsterInstance, record: dg.RunRecord) -> Iterator[Noticed]:
    """What an ended run says: about itself, and about every check that it evaluated, the last word of each."""
    run = record.dagster_run
    ended_at = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
    partitions = partitions_of(run.tags)
    if run.status is dg.DagsterRunStatus.SUCCESS:
        yield Noticed(ended_at, RUN_FAILED, over(run.job_name, partitions), None)
    elif run.tags.get(WILL_RETRY) != "true":
        sighting = failed_run(run.job_name, partitions, _error_of(instance, run.run_id), run.run_id)
        yield Noticed(ended_at, sighting.rule, sighting.subject, sighting)
    by_subject: dict[str, Noticed] = {}
    for entry in _events(instance, run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        event = entry.dagster_event
        if event is None or (checked := event.asset_check_evaluation_data).check_name == NEWEST_DUE:
            continue  # `alert_late_data` asks the same question itself, and oftener
        at = datetime.fromtimestamp(entry.timestamp, UTC)
        sighting = failed_check(
            checked.asset_key.to_user_string(),
            checked.check_name,
            checked.partition or partitions,
            _details(checked),
            run.run_id,
            is_error=checked.severity is dg.AssetCheckSeverity.ERROR,
        )
        told = None if checked.passed else sighting
        by_subject[sighting.subject] = Noticed(at, CHECK_FAILED, sighting.subject, told)
    yield from by_subject.values()


def partitions_of(tags: Mapping[str, str]) -> str | None:
    """The sessions of a run: `2026-11-20`, `2026-11-02 to 2026-11-20`; None for a run without."""
    if PARTITION in tags:
        return tags[PARTITION]
    first, last = tags.get(RANGE_START_TAG), tags.get(RANGE_END_TAG)
    if first is None or last is None:
        return None
    return first if first == last else f"{first} to {last}"


def _events(instance: dg.DagsterInstance, run_id: str, *kinds: dg.DagsterEventType) -> Iterator[dg.EventLogEntry]:
    cursor, has_more = None, True
    while has_more:
        page = instance.get_records_for_run(run_id, cursor=cursor, of_type=set(kinds), limit=EVENTS_A_PAGE)
        yield from (record.event_log_entry for record in page.records)
        cursor, has_more = page.cursor, page.has_more


def _error_of(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """What the failed steps said, the innermost cause first; what the run said if no step did."""
    told = []
    for entry in _events(instance, run_id, dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE):
        event = entry.dagster_event
        if event is None:
            continue
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            told.append(
                f"{event.step_key}: {error.message.strip()}" if error is not None else f"{event.step_key} failed"
            )
        elif not told and event.message:
            told.append(event.message)
    return "\n".join(told) or None


def _details(checked: dg.AssetCheckEvaluation) -> str:
    """Description and the first short values that a check left."""
    values = (
        f"{name}: {value.value}"
        for name, value in checked.metadata.items()
        if isinstance(value.value, (str, int, float)) and len(str(value.value)) <= 200
    )
    return "; ".join([*([checked.description] if checked.description else []), *list(values)[:DETAILS]])
