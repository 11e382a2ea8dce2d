"""The vendor's flat-file bucket as a resource: the vendor with credentials, this machine's sandbox without."""

from __future__ import annotations

import dagster as dg
from pydantic import PrivateAttr

from hd_pipelines.providers.massive.flat_files.client import FlatFiles
from hd_pipelines.providers.source import flat_files_client
from hd_pipelines.settings import load_settings


class FlatFileBucket(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where flat files come from. Which one it is was said once in the log when the client was made."""

    _client: FlatFiles | None = PrivateAttr(default=None)

    @property
    def client(self) -> FlatFiles:
        """A client for the bucket, one for the whole run: making one costs 0.2 s.

        Raises `SandboxNotRunningError` without credentials and without a sandbox.
        """
        if self._client is None:
            self._client = flat_files_client(load_settings())
        return self._client

    @property
    def download_workers(self) -> int:
        """Objects to download at the same time, `HD_DOWNLOAD_WORKERS`."""
        return load_settings().download_workers

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Forget the client: the next run may find the sandbox on another port."""
        self._client = None
