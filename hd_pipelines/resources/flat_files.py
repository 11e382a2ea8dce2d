"""The vendor's flat-file bucket as a resource: the vendor's with credentials, this machine's sandbox without."""

from __future__ import annotations

import dagster as dg
from pydantic import PrivateAttr

from hd_pipelines.providers.massive.flat_files.client import FlatFiles
from hd_pipelines.providers.source import open_flat_files
from hd_pipelines.settings import load_settings


class FlatFilesResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where flat files come from. Creating the client logs once which bucket it is."""

    _client: FlatFiles | None = PrivateAttr(default=None)

    @property
    def client(self) -> FlatFiles:
        """A client for the bucket, shared by the whole run because creating one takes 0.2 s.

        Raises `SandboxNotRunningError` if there are neither credentials nor a running sandbox.
        """
        if self._client is None:
            self._client = open_flat_files(load_settings())
        return self._client

    @property
    def download_workers(self) -> int:
        """Number of objects to download in parallel, `HD_DOWNLOAD_WORKERS`."""
        return load_settings().download_workers

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Drop the client: by the next run the sandbox may listen on another port."""
        self._client = None
