"""The one partitioning of the platform: a partition is an exchange session.

Belongs here: the definition and the translation between partition keys and sessions. All assets share one start date:
Dagster splits a single-run backfill over assets whose ranges begin on different days.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache

import dagster as dg

from hd_pipelines.market.sessions import (
    NEW_YORK,
    closed_weekdays_between,
    is_session,
    last_known_session,
    sessions_between,
)

FIRST_PARTITION = date(2017, 1, 3)
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


@cache
def session_partitions() -> dg.TimeWindowPartitionsDefinition:
    """Weekdays at New York midnight without holidays; the session of today is in from midnight on."""
    closed = closed_weekdays_between(FIRST_PARTITION, last_known_session())
    return dg.TimeWindowPartitionsDefinition(
        start=str(FIRST_PARTITION),
        fmt="%Y-%m-%d",
        cron_schedule="0 0 * * 1-5",
        timezone=str(NEW_YORK),
        # A window ends at the next weekday's midnight; the offset makes the session available while it is running.
        end_offset=1,
        exclusions=[datetime(day.year, day.month, day.day, tzinfo=NEW_YORK) for day in closed],
    )


def window(context: dg.AssetExecutionContext) -> list[date]:
    """Sessions that this run of an asset covers, ascending: one, or a range in a single-run backfill."""
    first, last = context.partition_key_range
    return sessions_between(date.fromisoformat(first), date.fromisoformat(last))


def range_tags(first: date, last: date) -> dict[str, str]:
    """Run tags that make one run cover all sessions from `first` to `last`. Both must be sessions."""
    for day in (first, last):
        if not is_session(day):
            raise ValueError(f"{day} is not an exchange session and so no partition")
    return {RANGE_START_TAG: str(first), RANGE_END_TAG: str(last)}
