"""The frame of gamma exposure snapshots. The columns are defined in `tables.gamma`."""

from hd_pipelines.market.frames import frame_schema
from hd_pipelines.tables.gamma import GAMMA_EXPOSURE_SNAPSHOTS

SNAPSHOT_COLUMNS = frame_schema(GAMMA_EXPOSURE_SNAPSHOTS)
"""One snapshot. Key: `symbol`, `timestamp`. JSON columns are text."""
