"""The sensor that turns failed runs and failed checks into alerts. `alert_delivery` sends the messages.

Dagster's `run_failure_sensor` does not fit: it advances its cursor even if its function raises, so a failure during an
outage of the database would never be reported. Here the cursor advances after the transaction that used it. Reading the
same run twice changes nothing, because an alert records when it was last seen.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from hd_pipelines.alerts.lifecycle import Sighting
from hd_pipelines.alerts.sightings import (
    CHECK_FAILED,
    RUN_FAILED,
    describe_failed_check,
    describe_failed_run,
    name_run,
)
from hd_pipelines.checks.standing import NEWEST_DUE
from hd_pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG
from hd_pipelines.resources import Clock, NotifierResource, WarehouseResource
from hd_pipelines.warehouse.records.alerts import AlertBook

DEADLINE_SECONDS = 20.0
RUNS_PER_TICK = 50
EVENTS_PER_PAGE = 500
OVERLAP = timedelta(seconds=60)
"""Runs that ended up to this long before the cursor are requested again: rows may be committed out of order."""
MOST_DETAILS = 6
"""Metadata entries of a failed check that its alert repeats."""
WILL_RETRY, PARTITION = "dagster/will_retry", "dagster/partition"


@dataclass(frozen=True)
class RunCursor:
    """How far runs have been read: up to which time, and the runs of the last minute, as times of their end by id."""

    after: datetime
    seen: Mapping[str, datetime]

    @classmethod
    def parse(cls, text: str | None) -> "RunCursor | None":
        """Parse a stored cursor; None at the first tick."""
        if not text:
            return None
        stored = json.loads(text)
        seen = {run: datetime.fromisoformat(at) for run, at in stored["seen"].items()}
        return cls(datetime.fromisoformat(stored["after"]), seen)

    def serialize(self) -> str:
        """Serialize for Dagster."""
        seen = {run: at.isoformat() for run, at in sorted(self.seen.items())}
        return json.dumps({"after": self.after.isoformat(), "seen": seen})

    def advance(self, run_id: str, at: datetime) -> "RunCursor":
        """Return the cursor after this run has been read."""
        after = max(self.after, at)
        return RunCursor(
            after, {run: when for run, when in {**self.seen, run_id: at}.items() if when > after - OVERLAP}
        )


@dataclass(frozen=True)
class Observation:
    """What a run showed about one alert at `at`: its failure, or, without `sighting`, that it is over."""

    at: datetime
    rule: str
    subject: str
    sighting: Sighting | None

    def write(self, book: AlertBook) -> None:
        """Open, renew or resolve the alert."""
        if self.sighting is not None:
            book.observe(self.sighting, at=self.at)
        else:
            book.resolve(self.rule, self.subject, at=self.at)


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Opens alerts for failed runs and failed checks; the next success of the same run or check resolves them.",
)
def alert_failures(
    context: dg.SensorEvaluationContext, clock: Clock, warehouse: WarehouseResource, notifier: NotifierResource
) -> dg.SkipReason:
    """Read the runs that ended since the last tick, oldest first, each in its own transaction."""
    now = clock.now()
    cursor = RunCursor.parse(context.cursor)
    if cursor is None:
        context.update_cursor(RunCursor(now, {}).serialize())
        return dg.SkipReason("watching runs from now on")
    ends = time.monotonic() + DEADLINE_SECONDS
    records = context.instance.get_run_records(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS], updated_after=cursor.after - OVERLAP
        ),
        limit=RUNS_PER_TICK + len(cursor.seen),
        order_by="update_timestamp",
        ascending=True,
    )
    fresh = [record for record in records if record.dagster_run.run_id not in cursor.seen]
    if not fresh:
        return dg.SkipReason("no run has ended since")
    redactor, channels = notifier.build_redactor(warehouse.database), notifier.list_channel_names()
    read = 0
    for record in fresh:
        if time.monotonic() > ends:
            break
        with warehouse.database.begin() as connection:
            book = AlertBook(connection, channels, redactor, now=now)
            for observation in observe_run(context.instance, record):
                observation.write(book)
        cursor = cursor.advance(record.dagster_run.run_id, record.update_timestamp)
        context.update_cursor(cursor.serialize())
        read += 1
    return dg.SkipReason(f"read {read} of {len(fresh)} runs that ended")


def observe_run(instance: dg.DagsterInstance, record: dg.RunRecord) -> Iterator[Observation]:
    """Observe an ended run: its own status, and the last result of every check that it evaluated."""
    run = record.dagster_run
    ended_at = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
    partitions = name_partitions(run.tags)
    if run.status is dg.DagsterRunStatus.SUCCESS:
        yield Observation(ended_at, RUN_FAILED, name_run(run.job_name, partitions), None)
    elif run.tags.get(WILL_RETRY) != "true":
        sighting = describe_failed_run(run.job_name, partitions, _read_error(instance, run.run_id), run.run_id)
        yield Observation(ended_at, sighting.rule, sighting.subject, sighting)
    by_subject: dict[str, Observation] = {}
    for entry in _read_events(instance, run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        event = entry.dagster_event
        if event is None or (checked := event.asset_check_evaluation_data).check_name == NEWEST_DUE:
            continue  # `alert_late_data` evaluates the same condition, more often
        at = datetime.fromtimestamp(entry.timestamp, UTC)
        sighting = describe_failed_check(
            checked.asset_key.to_user_string(),
            checked.check_name,
            checked.partition or partitions,
            _list_details(checked),
            run.run_id,
            is_error=checked.severity is dg.AssetCheckSeverity.ERROR,
        )
        by_subject[sighting.subject] = Observation(
            at, CHECK_FAILED, sighting.subject, None if checked.passed else sighting
        )
    yield from by_subject.values()


def name_partitions(tags: Mapping[str, str]) -> str | None:
    """Name the sessions of a run: `2026-11-20`, `2026-11-02 to 2026-11-20`; None for a run without partitions."""
    if PARTITION in tags:
        return tags[PARTITION]
    first, last = tags.get(RANGE_START_TAG), tags.get(RANGE_END_TAG)
    if first is None or last is None:
        return None
    return first if first == last else f"{first} to {last}"


def _read_events(instance: dg.DagsterInstance, run_id: str, *kinds: dg.DagsterEventType) -> Iterator[dg.EventLogEntry]:
    cursor, has_more = None, True
    while has_more:
        page = instance.get_records_for_run(run_id, cursor=cursor, of_type=set(kinds), limit=EVENTS_PER_PAGE)
        yield from (record.event_log_entry for record in page.records)
        cursor, has_more = page.cursor, page.has_more


def _read_error(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """Collect the innermost cause of each failed step; the run's own message if no step failed."""
    messages: list[str] = []
    for entry in _read_events(instance, run_id, dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE):
        event = entry.dagster_event
        if event is None:
            continue
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            messages.append(
                f"{event.step_key}: {error.message.strip()}" if error is not None else f"{event.step_key} failed"
            )
        elif not messages and event.message:
            messages.append(event.message)
    return "\n".join(messages) or None


def _list_details(checked: dg.AssetCheckEvaluation) -> str:
    """Join the description of a check and the first short values of its metadata."""
    values = (
        f"{name}: {value.value}"
        for name, value in checked.metadata.items()
        if isinstance(value.value, (str, int, float)) and len(str(value.value)) <= 200
    )
    return "; ".join([*([checked.description] if checked.description else []), *list(values)[:MOST_DETAILS]])
