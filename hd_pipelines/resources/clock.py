"""The current time as a resource, so that a test can put a run, check or sensor at any moment."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg


class Clock(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The only place in orchestration that reads the system clock."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)
