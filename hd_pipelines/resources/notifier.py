"""The channels that alerts are sent to, as a resource."""

from __future__ import annotations

import dagster as dg

from hd_pipelines.alerts.redaction import Redactor
from hd_pipelines.notifier.channels import OpenedChannels, open_usable_channels
from hd_pipelines.notifier.log_redaction import install_redactor
from hd_pipelines.notifier.secrets import build_redactor
from hd_pipelines.settings import load_settings
from hd_pipelines.warehouse.engine import Database


class NotifierResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The channels named in `HD_ALERT_URLS`, and the redactor for messages. Keeps no state between runs."""

    def open_channels(self) -> OpenedChannels:
        """Open the configured channels, as far as they can be used; none if the setting is missing."""
        urls = load_settings().alert_urls
        return open_usable_channels(urls.get_secret_value() if urls is not None else None)

    def list_channel_names(self) -> list[str]:
        """List the names of the usable channels, which messages are addressed to."""
        return [channel.name for channel in self.open_channels().usable]

    def build_redactor(self, database: Database) -> Redactor:
        """Build a redactor for every secret of this installation, and apply it to logs from now on.

        The secrets are those of the settings and the password of the database.
        """
        redactor = build_redactor(load_settings(), [database.url])
        install_redactor(redactor)
        return redactor
