"""A clock resource that always returns a given moment."""

from datetime import UTC, datetime

from hd_pipelines.resources import Clock


class FixedClock(Clock):
    """Return always the same time."""

    moment: str

    @classmethod
    def at(cls, moment: datetime) -> "FixedClock":
        """Make a clock that returns `moment`."""
        return cls(moment=moment.isoformat())

    def now(self) -> datetime:
        return datetime.fromisoformat(self.moment).astimezone(UTC)
