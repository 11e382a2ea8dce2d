"""The lake: one Parquet file per dataset and session, on disk or in S3, replaced atomically.

Belongs here: where parts lie, writing and reading them, and the way from a landed vendor file to a part. No formulas.
"""

from hd_pipelines.lake.ingest import IngestReport, ingest
from hd_pipelines.lake.parts import Lake, LakePart, LakeUnsettledError, PartSource

__all__ = ["IngestReport", "Lake", "LakePart", "LakeUnsettledError", "PartSource", "ingest"]
