"""The times at which warnings are sent together. A digest is named by its slot, so that it is written once."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from hd_pipelines.market.sessions import NEW_YORK

DIGEST_TIMES = (time(8, 30), time(18, 0))
"""New York times: before the open, and after the evening's load. Every day of the week."""


def find_digest_slot(now: datetime) -> datetime:
    """Find the last digest time at or before `now`, in UTC."""
    today = now.astimezone(NEW_YORK).date()
    slots = (
        datetime.combine(day, clock, tzinfo=NEW_YORK).astimezone(UTC)
        for day in (today - timedelta(days=1), today)
        for clock in DIGEST_TIMES
    )
    return max(slot for slot in slots if slot <= now)
