"""The standing checks: the newest due session is loaded, and no partition was left failed."""

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from hd_pipelines.checks import standing
from hd_pipelines.checks.standing import (
    find_newest_due_session,
    list_failed_partitions,
    newest_due_session_is_published,
)
from hd_pipelines.partitions import build_session_partitions
from hd_pipelines.resources import Clock, WarehouseResource
from tests.support.installation import SESSIONS

FRIDAY, THURSDAY = date(2026, 5, 22), date(2026, 5, 21)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 5, 22, 14, 59, tzinfo=UTC), date(2026, 5, 20)),  # Friday 10:59 in New York
        (datetime(2026, 5, 22, 15, 0, tzinfo=UTC), THURSDAY),
        (datetime(2026, 5, 23, 14, 59, tzinfo=UTC), THURSDAY),
        (datetime(2026, 5, 23, 15, 0, tzinfo=UTC), FRIDAY),  # Saturday 11:00
        (datetime(2026, 5, 26, 12, 0, tzinfo=UTC), FRIDAY),  # the morning after Memorial Day
    ],
)
def test_a_session_is_due_from_eleven_on_the_day_after(now, due):
    assert find_newest_due_session(now) == due


@pytest.mark.parametrize(("expected", "passes"), [(SESSIONS[-1], True), (date(2026, 5, 26), False)])
def test_late_data_is_a_failed_check(installation, monkeypatch, expected, passes):
    class GivenWarehouse(WarehouseResource):
        @property
        def database(self):
            return installation.database

    installation.publish_files()
    installation.refresh()
    monkeypatch.setattr(standing, "find_newest_due_session", lambda _: expected)
    result = newest_due_session_is_published(Clock(), GivenWarehouse())
    assert (result.passed, result.severity) == (passes, dg.AssetCheckSeverity.ERROR)
    assert result.metadata["newest"].value == "2026-05-22"


def test_an_empty_warehouse_fails(installation):
    class GivenWarehouse(WarehouseResource):
        @property
        def database(self):
            return installation.database

    assert not newest_due_session_is_published(Clock(), GivenWarehouse()).passed


def test_failed_partitions_are_those_that_dagster_shows_as_failed():
    partitions = build_session_partitions()
    broken = {str(SESSIONS[1]), str(SESSIONS[4]), str(SESSIONS[-1])}

    @dg.asset(partitions_def=partitions)
    def sessions(context: dg.AssetExecutionContext) -> None:
        if context.partition_key in broken:
            raise ValueError(context.partition_key)

    key = sessions.key
    with dg.DagsterInstance.ephemeral() as instance:

        def attempt(partition: str) -> None:
            dg.materialize([sessions], partition_key=partition, instance=instance, raise_on_error=False)

        def failed_as_shown() -> list[str]:
            shown = instance.get_status_by_partition(key, [str(session) for session in SESSIONS], partitions) or {}
            return sorted(name for name, status in shown.items() if status and status.name == "FAILED")

        assert list_failed_partitions(instance, key, partitions) == failed_as_shown() == []
        for session in (*broken, str(SESSIONS[0])):
            attempt(session)
        assert list_failed_partitions(instance, key, partitions) == failed_as_shown() == sorted(broken)
        broken.remove(repaired := str(SESSIONS[4]))
        attempt(repaired)
        assert list_failed_partitions(instance, key, partitions) == failed_as_shown() == sorted(broken)
