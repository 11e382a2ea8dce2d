"""The one partitioning of the platform: a partition is an exchange session.

All assets share one start date, because Dagster splits a single-run backfill over assets whose ranges begin on different
days.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from functools import cache

import dagster as dg

from hd_pipelines.market.sessions import (
    NEW_YORK,
    get_last_snapshot_session,
    is_session,
    list_closed_weekdays,
    list_sessions_between,
)

_log = logging.getLogger(__name__)
FIRST_PARTITION = date(2017, 1, 3)
CALENDAR_WARNING = timedelta(days=60)
"""How long before the calendar snapshot's end every process that loads the partitions warns."""
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


@cache
def build_session_partitions() -> dg.TimeWindowPartitionsDefinition:
    """Define one partition per weekday without exchange holidays; today's exists from midnight in New York on."""
    today = datetime.now(UTC).astimezone(NEW_YORK).date()
    closed = list_closed_weekdays(FIRST_PARTITION, _end_of_exclusions(today))
    return dg.TimeWindowPartitionsDefinition(
        start=str(FIRST_PARTITION),
        fmt="%Y-%m-%d",
        cron_schedule="0 0 * * 1-5",
        timezone=str(NEW_YORK),
        # A window ends at the next weekday's midnight; the offset makes a session available while it is running.
        end_offset=1,
        exclusions=[datetime(day.year, day.month, day.day, tzinfo=NEW_YORK) for day in closed],
    )


def _end_of_exclusions(today: date) -> date:
    """Holidays are excluded up to here: the calendar snapshot's end, and the end of next year once that is near.

    In steps of a year, so that processes started on different days have the same partitions.
    """
    end = get_last_snapshot_session()
    if today + CALENDAR_WARNING <= end:
        return end
    _log.warning(
        "the calendar snapshot ends on %s; later sessions are computed by exchange_calendars in each process: "
        "update exchange-calendars in the lock and run `make calendar`",
        end,
    )
    return max(end, date(today.year + 1, 12, 31))


def list_sessions(context: dg.AssetExecutionContext) -> list[date]:
    """List the sessions that this run of an asset covers, ascending: one, or a range in a single-run backfill."""
    first, last = context.partition_key_range
    return list_sessions_between(date.fromisoformat(first), date.fromisoformat(last))


def build_range_tags(first: date, last: date) -> dict[str, str]:
    """Build the tags that make one run cover all sessions from `first` to `last`. Both must be sessions."""
    for day in (first, last):
        if not is_session(day):
            raise ValueError(f"{day} is not an exchange session, so it has no partition")
    return {RANGE_START_TAG: str(first), RANGE_END_TAG: str(last)}
