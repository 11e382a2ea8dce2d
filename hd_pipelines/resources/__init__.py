"""Everything outside the code as Dagster resources: one class per thing, configured by `HD_*` settings alone.

No secret is ever part of run configuration: Dagster shows run configuration to everyone who can open the UI.
"""

from hd_pipelines.resources.clock import Clock
from hd_pipelines.resources.flat_files import FlatFilesResource
from hd_pipelines.resources.lake import LakeResource
from hd_pipelines.resources.notifier import NotifierResource
from hd_pipelines.resources.option_data import OptionDataResource
from hd_pipelines.resources.warehouse import WarehouseResource

__all__ = [
    "Clock",
    "FlatFilesResource",
    "LakeResource",
    "NotifierResource",
    "OptionDataResource",
    "WarehouseResource",
]
