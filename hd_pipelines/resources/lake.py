"""The Parquet lake as a resource."""

from __future__ import annotations

import dagster as dg

from hd_pipelines import lake
from hd_pipelines.settings import load_settings


class Lake(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake of this desk: `HD_LAKE_URL`, or a folder in HD_HOME."""

    @property
    def datasets(self) -> lake.Lake:
        """The lake itself."""
        return lake.Lake(load_settings().lake_root)
