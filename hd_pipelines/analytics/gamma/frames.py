"""The frames of gamma exposure. The columns are defined in `tables.gamma` and `tables.gamma_rows`."""

from dataclasses import dataclass

import polars as pl

from hd_pipelines.market.frames import build_frame_schema
from hd_pipelines.tables.gamma import GAMMA_EXPOSURE_SNAPSHOTS
from hd_pipelines.tables.gamma_rows import GAMMA_BY_EXPIRATION, GAMMA_BY_STRIKE

SNAPSHOT_COLUMNS = build_frame_schema(GAMMA_EXPOSURE_SNAPSHOTS)
"""One snapshot. Key: `symbol`, `timestamp`. JSON columns are text."""
STRIKE_COLUMNS = build_frame_schema(GAMMA_BY_STRIKE)
"""One strike of a snapshot, over all expirations. Key: `symbol`, `timestamp`, `strike`."""
EXPIRATION_COLUMNS = build_frame_schema(GAMMA_BY_EXPIRATION)
"""One expiration of a snapshot, over all strikes. Key: `symbol`, `timestamp`, `expiration`."""


@dataclass(frozen=True, slots=True)
class GammaExposure:
    """Gamma exposure of any number of snapshots, each frame sorted by its key.

    snapshots    `SNAPSHOT_COLUMNS`
    strikes      `STRIKE_COLUMNS`: every strike of the chain
    expirations  `EXPIRATION_COLUMNS`: those of which a contract could be valued
    """

    snapshots: pl.DataFrame
    strikes: pl.DataFrame
    expirations: pl.DataFrame
