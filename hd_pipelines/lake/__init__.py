"""The lake: Parquet by dataset and session, on disk or in S3, replaced atomically.

Writes and reads parts, option chains and yields, and ingests landed vendor files. Contains no formulas.
"""

from hd_pipelines.lake.chains import ChainLake, ChainSnapshot, ChainSource, ChainsUnsettledError
from hd_pipelines.lake.ingest import IngestReport, ingest
from hd_pipelines.lake.parts import Lake, LakePart, LakeUnsettledError, PartSource
from hd_pipelines.lake.yields import TreasuryYields

__all__ = [
    "ChainLake",
    "ChainSnapshot",
    "ChainSource",
    "ChainsUnsettledError",
    "IngestReport",
    "Lake",
    "LakePart",
    "LakeUnsettledError",
    "PartSource",
    "TreasuryYields",
    "ingest",
]
