"""The Parquet lake as a resource."""

from __future__ import annotations

import dagster as dg

from hd_pipelines.lake import Lake
from hd_pipelines.settings import load_settings


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake of this installation: `HD_LAKE_URL`, or a folder in HD_HOME."""

    @property
    def datasets(self) -> Lake:
        """The lake's datasets, to read and publish."""
        return Lake(load_settings().lake_root)
