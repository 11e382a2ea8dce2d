"""Dagster's run, event and schedule storage in the installation's Postgres, with pooled connections.

`dagster.yaml` names the class below. It finds the database the same way as everything else, so no Dagster file contains
a URL or a password. It differs from dagster-postgres in three ways, each measured over 90 sessions: connections are
pooled (dagster-postgres opens one per event); the events that announce a run's planned partitions are written in one
statement (dagster-postgres needs 6 ms for each); the event that announces a check is serialized once and not once per
partition, and without its list of partitions (65 checks wrote 90 MB in 3 s). The class depends on private parts of
a pinned Dagster release; tests/orchestration/test_instance_storage.py guards them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dagster import DagsterEventType, EventLogEntry
from dagster._config.config_schema import UserConfigSchema
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData, serialize_value
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage

from hd_pipelines.settings import load_settings
from hd_pipelines.warehouse.address import build_dagster_url, create_pooled_engine, ensure_dagster_schema


class BatchedEventLogStorage(PostgresEventLogStorage):
    """Writes the planned materializations and checks of a run in few statements and updates each asset's row once."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in one batch; the order within an asset is kept."""
        planned = [e for e in events if e.dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION_PLANNED]
        others = [e for e in events if e.dagster_event_type is not DagsterEventType.ASSET_MATERIALIZATION_PLANNED]
        if planned:
            self._store_asset_events(planned)
        if others and all(e.dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION for e in others):
            self._store_asset_events(others, has_tags=True)
        elif others:
            super().store_event_batch(others)

    def _store_asset_events(self, events: Sequence[EventLogEntry], *, has_tags: bool = False) -> None:
        # Rows are given beside the statement: as part of it, each number of rows is another text for SQLAlchemy to build.
        statement = SqlEventLogStorageTable.insert().returning(
            SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
        )
        with self._connect() as connection:
            found = connection.execute(statement, [self._event_to_row(event) for event in events])
            ids = [int(row[0]) for row in found]
        last = {event.get_dagster_event().asset_key: (event, number) for event, number in zip(events, ids, strict=True)}
        with self.index_transaction() as connection:
            if has_tags:
                self._store_asset_event_tags(connection, events, ids)
            for event, number in last.values():
                self._store_asset_event(connection, event, number)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        happened = event.get_dagster_event()
        planned = happened.asset_check_planned_data
        subset = planned.partitions_subset
        # The event lists all partitions: 90 rows of 16 kB for 90 sessions. The event log has it whole, under its id.
        of_each = AssetCheckEvaluationPlanned(asset_key=planned.asset_key, check_name=planned.check_name)
        stored = event._replace(dagster_event=happened._replace(event_specific_data=of_each))
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(stored),
            "evaluation_event_timestamp": datetime.fromtimestamp(event.timestamp, UTC).replace(tzinfo=None),
            "evaluation_event_storage_id": event_id,
        }
        keys: Sequence[str | None] = list(subset.get_partition_keys()) if subset else [None]
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), [row | {"partition": key} for key in keys])


class PooledPostgresStorage(DagsterPostgresStorage):
    """All of Dagster's storage in schema `dagster` of the installation's database. Takes no configuration."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        ensure_dagster_schema(postgres_url)
        super().__init__(postgres_url, inst_data=inst_data)
        self._event_log_storage = BatchedEventLogStorage(postgres_url)
        engine = create_pooled_engine(postgres_url)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine.dispose()  # noqa: SLF001
            storage._engine = engine  # noqa: SLF001

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Declare no configuration: the address comes from the settings."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003
    ) -> PooledPostgresStorage:
        """Create the storage when Dagster reads `dagster.yaml`."""
        return cls(build_dagster_url(load_settings()), inst_data=inst_data)
