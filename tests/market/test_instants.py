"""`market.instants`: exact conversion of instants to nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hd_pipelines.market.instants import to_ns


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(2026, 6, 30, 13, 30, tzinfo=UTC), 1_782_826_200_000_000_000),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1_000),
    ],
)
def test_an_instant_is_its_nanoseconds_since_the_epoch(instant: datetime, expected: int) -> None:
    assert to_ns(instant) == expected


def test_the_timezone_does_not_change_the_result() -> None:
    new_york = datetime(2026, 6, 30, 9, 30, tzinfo=ZoneInfo("America/New_York"))
    assert to_ns(new_york) == to_ns(new_york.astimezone(UTC))


def test_microseconds_are_exact_even_where_a_float_timestamp_is_not() -> None:
    instant = datetime(2300, 1, 1, 0, 0, 0, 123_457, tzinfo=UTC)
    assert to_ns(instant + timedelta(microseconds=1)) - to_ns(instant) == 1_000
    assert to_ns(instant) % 1_000_000_000 == 123_457_000


def test_a_datetime_without_a_timezone_is_refused() -> None:
    with pytest.raises(ValueError, match="pass a timezone-aware datetime"):
        to_ns(datetime.fromisoformat("2026-06-30T00:00"))
