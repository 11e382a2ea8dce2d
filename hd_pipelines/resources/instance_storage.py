"""Dagster's run, event and schedule storage in the desk's Postgres, with pooled connections.

Belongs here: the storage class named in `dagster.yaml`. It finds the database as everything else does, so no URL and no
password is written into a Dagster file. dagster-postgres opens a connection for every event (NullPool); with a pool and
`DAGSTER_EVENT_BATCH_SIZE` a backfill of 900 materializations took 4.3 s instead of 23.8 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from hd_pipelines.settings import load_settings
from hd_pipelines.warehouse.address import dagster_url, ensure_dagster_schema, pooled_engine


class DeskStorage(DagsterPostgresStorage):
    """All of Dagster's storage in schema `dagster` of the desk's database. Takes no configuration."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        ensure_dagster_schema(postgres_url)
        super().__init__(postgres_url, inst_data=inst_data)
        engine = pooled_engine(postgres_url)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine.dispose()  # noqa: SLF001  (no public way; tests/orchestration/test_instance_storage.py guards it)
            storage._engine = engine  # noqa: SLF001

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """No configuration: the address comes from the settings."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003
    ) -> DeskStorage:
        """Called by Dagster when it reads `dagster.yaml`."""
        return cls(dagster_url(load_settings()), inst_data=inst_data)
