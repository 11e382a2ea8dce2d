"""The outside world as Dagster resources: one class per thing, configured by `HD_*` settings alone.

No secret is ever part of run configuration: Dagster shows that to everybody who can open the UI.
"""

from hd_pipelines.resources.flat_file_bucket import FlatFileBucket
from hd_pipelines.resources.lake import Lake
from hd_pipelines.resources.option_data import OptionData
from hd_pipelines.resources.warehouse import Warehouse

__all__ = ["FlatFileBucket", "Lake", "OptionData", "Warehouse"]
