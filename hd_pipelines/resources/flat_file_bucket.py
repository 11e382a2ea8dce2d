"""The vendor's flat-file bucket as a resource: the vendor with credentials, this machine's sandbox without."""

from __future__ import annotations

import dagster as dg

from hd_pipelines.settings import load_settings
from hd_pipelines.vendor.flat_files import FlatFiles
from hd_pipelines.vendor.source import flat_files_client


class FlatFileBucket(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where flat files come from. Which one it is was said once in the log when the client was made."""

    @property
    def client(self) -> FlatFiles:
        """A client for the bucket. Raises `SandboxNotRunningError` without credentials and without a sandbox."""
        return flat_files_client(load_settings())
