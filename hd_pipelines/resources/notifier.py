"""The channels that alerts go to, as a resource."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from hd_pipelines.alerts.redaction import Redactor
from hd_pipelines.notifier.channels import Channel, open_channels
from hd_pipelines.notifier.log_redaction import keep_secrets_out_of_logs
from hd_pipelines.notifier.secrets import redactor_of
from hd_pipelines.settings import load_settings
from hd_pipelines.warehouse.engine import Database


class Notifier(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What `HD_ALERT_URLS` names, and what keeps secrets out of messages. Holds nothing between runs."""

    def channels(self) -> Sequence[Channel]:
        """Open channels, none if the setting is not given. Raises `ChannelRefusedError`."""
        urls = load_settings().alert_urls
        return open_channels(urls.get_secret_value() if urls is not None else None)

    def channel_names(self) -> list[str]:
        """Their names: what messages are addressed to."""
        return [channel.name for channel in self.channels()]

    def redactor(self, database: Database) -> Redactor:
        """Cleans every secret that this desk has, the database's password too; from now on also out of logs."""
        redactor = redactor_of(load_settings(), [database.url])
        keep_secrets_out_of_logs(redactor)
        return redactor

    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC)
