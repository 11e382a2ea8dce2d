"""A clock resource that stands at a given moment."""

from datetime import UTC, datetime

from hd_pipelines.resources import Clock


class FixedClock(Clock):
    """Always the same time."""

    moment: str

    @classmethod
    def at(cls, moment: datetime) -> "FixedClock":
        """Stand at `moment`."""
        return cls(moment=moment.isoformat())

    def now(self) -> datetime:
        return datetime.fromisoformat(self.moment).astimezone(UTC)
