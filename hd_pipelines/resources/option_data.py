"""The source of option chains and Treasury yields as a resource: the vendor's REST service, an archive, or both."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.providers.source import SandboxNotRunningError, find_chain_archive, open_vendor_api
from hd_pipelines.settings import load_settings


class OptionDataResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The vendor with an API key, this machine's sandbox without; and an archive of chains, if one is configured."""

    _api: VendorApi | None = PrivateAttr(default=None)

    @property
    def archive(self) -> Path | None:
        """Folder of archived chains, or None."""
        return find_chain_archive(load_settings())

    @property
    def api(self) -> VendorApi:
        """A client of the REST service. Raises `SandboxNotRunningError` without an API key and without a sandbox."""
        if self._api is None:
            self._api = open_vendor_api(load_settings())
        return self._api

    @property
    def api_if_any(self) -> VendorApi | None:
        """The client, or None if there is neither an API key nor a running sandbox."""
        try:
            return self.api
        except SandboxNotRunningError:
            return None

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """Close connections; by the next run the sandbox may listen on another port."""
        if self._api is not None:
            self._api.close()
            self._api = None
