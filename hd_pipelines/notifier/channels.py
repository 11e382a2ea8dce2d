"""Channels: what HD_ALERT_URLS names, opened through apprise.

Belongs here: reading the URLs, names of channels that give nothing away, and sending one message on one channel. How
often and when is `delivery`.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Protocol

from hd_pipelines.alerts.messages import Message
from hd_pipelines.alerts.token_bucket import Rate
from hd_pipelines.notifier.observed_http import (
    CONNECT_SECONDS,
    HTTP,
    READ_SECONDS,
    Observation,
    current_observation,
    observing,
)
from hd_pipelines.notifier.outcome import Outcome, outcome_of
from hd_pipelines.tables.vocabulary import AlertSeverity, MessageKind

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase
    from apprise.attachment.base import AttachBase
    from apprise.plugins.discord import NotifyDiscord

    from hd_pipelines.notifier.discord import RichDiscord

PICTURE_NAME = "chart.png"
REPEAT_PRINT = "sent again: an earlier attempt had no answer"
DEFAULT_RATE = Rate(burst=5, per_minute=25)
RATES = {
    "discord": Rate(burst=5, per_minute=25),  # 30 a minute and 5 in two seconds, per webhook
    "slack": Rate(burst=3, per_minute=55),  # one a second, short bursts
    "tgram": Rate(burst=3, per_minute=15),  # 20 a minute into one group
    "mailto": Rate(burst=5, per_minute=10),
    "mailtos": Rate(burst=5, per_minute=10),
}
"""What each service allows, with some room; a burst and the refill of a minute never exceed it together."""
_NEXT_URL = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")


class ChannelRefusedError(Exception):
    """A URL of HD_ALERT_URLS cannot be used. The message names its position and service, never the URL."""


class Channel(Protocol):
    """One receiver of messages. `name` is stored and shown: it identifies the URL without giving it away."""

    @property
    def name(self) -> str:
        """`discord-1a2b3c4d5e`."""

    @property
    def service(self) -> str:
        """The URL's scheme."""

    @property
    def rate(self) -> Rate:
        """How often it may be written to."""

    def send(self, message: Message, picture: bytes | None, *, message_id: str, is_repeat: bool) -> Outcome:
        """Try once, within about fifteen seconds, without sleeping. Only faults of ours are raised."""


class DiscordChannel:
    """A Discord webhook: one request per message, with the picture in it."""

    service = "discord"
    rate = RATES["discord"]

    def __init__(self, plugin: RichDiscord) -> None:
        self._plugin = plugin
        self.name = channel_name(self.service, f"{plugin.webhook_id}/{plugin.webhook_token}/{plugin.thread_id or ''}")

    def send(self, message: Message, picture: bytes | None, *, message_id: str, is_repeat: bool) -> Outcome:
        """Post it and wait for Discord's word that it has it."""
        import requests

        small_print = _small_print(message_id, is_repeat=is_repeat)
        with observing(message_id) as observation:
            is_sent = False
            try:
                is_sent = self._plugin.send_message(message, picture, small_print=small_print)
            except requests.RequestException as error:
                observation.complaints.append(type(error).__name__)
        return _judged(observation, is_sent=is_sent)


class AppriseChannel:
    """Any other service of apprise: title, text, and the picture where the service takes attachments."""

    def __init__(self, plugin: NotifyBase, service: str, url: str) -> None:
        self._plugin = plugin
        self.service = service
        self.rate = RATES.get(service, DEFAULT_RATE)
        self.name = channel_name(service, url)

    def send(self, message: Message, picture: bytes | None, *, message_id: str, is_repeat: bool) -> Outcome:
        """Hand it to apprise's plugin and watch what the receiver answers."""
        from apprise.common import NotifyFormat

        text = f"{message.plain_text()}\n\n{_small_print(message_id, is_repeat=is_repeat)}"
        with observing(message_id) as observation:
            is_sent = self._plugin.notify(
                body=text,
                title=message.title,
                notify_type=_notify_type(message),
                attach=_attachments(picture) if self._plugin.attachment_support else None,
                body_format=NotifyFormat.TEXT,
                overflow="truncate",
            )
        return _judged(observation, is_sent=bool(is_sent))


def split_urls(text: str) -> list[str]:
    """The URLs of HD_ALERT_URLS: separated by blanks or commas; commas inside a URL are its own."""
    return [url.strip(" \t\r\n,") for url in _NEXT_URL.split(text.strip()) if url.strip(" \t\r\n,")]


def open_channels(text: str | None) -> list[Channel]:
    """A channel for every URL, duplicates once. Raises `ChannelRefusedError` if one cannot be used."""
    urls = split_urls(text or "")
    channels: dict[str, Channel] = {}
    for position, url in enumerate(urls, start=1):
        channel = _open(url, position)
        channels.setdefault(channel.name, channel)
    return list(channels.values())


def _open(url: str, position: int) -> Channel:
    from apprise import Apprise, AppriseAsset, NotifyBase
    from apprise.plugins.discord import NotifyDiscord

    scheme = url.partition("://")[0] if "://" in url else "a URL without a scheme"
    _listen_to_apprise()
    asset = AppriseAsset(
        app_id="hd_pipelines",
        app_desc="hd_pipelines",
        app_url="",
        image_url_mask="",  # no pictures of apprise from somebody else's server
        image_url_logo="",
        http_redirects=False,
    )
    plugin = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if not isinstance(plugin, NotifyBase):
        raise ChannelRefusedError(
            f"URL {position} of HD_ALERT_URLS ({scheme}) is not one that apprise understands. Cure: compare it with "
            "docs/alerts.md; `hd alerts --test` tries it."
        )
    if isinstance(plugin, NotifyDiscord):
        return DiscordChannel(_rich(plugin, asset))
    _tame(plugin)
    return AppriseChannel(plugin, plugin.schema, url)


def _rich(plugin: NotifyDiscord, asset: AppriseAsset) -> RichDiscord:
    from hd_pipelines.notifier.discord import RichDiscord

    return RichDiscord(asset=asset, **(RichDiscord.parse_url(plugin.url()) or {}))


def _tame(plugin: NotifyBase) -> None:
    """No redirects, short timeouts, no sleeping, no retrying inside; and its HTTP through our door."""
    plugin.redirects = False
    plugin.socket_connect_timeout, plugin.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
    plugin.retry = 0
    plugin.throttle = _no_wait  # type: ignore[method-assign]
    for kind in type(plugin).__mro__:
        module = sys.modules.get(kind.__module__)
        if module is not None and kind.__module__.startswith("apprise.plugins.") and hasattr(module, "requests"):
            module.requests = HTTP  # type: ignore[attr-defined]


def _no_wait(*_: object, **__: object) -> None:
    """Rates are the outbox's; a sender never sleeps."""


def channel_name(service: str, secret: str) -> str:
    """A stable name for a secret address.

    The name is stored and shown, and a mail password may be guessable: scrypt makes each guess cost some 50 ms.
    """
    return f"{service}-{_slow_digest(secret)}"


@cache
def _slow_digest(secret: str) -> str:
    return hashlib.scrypt(secret.encode(), salt=b"hd_pipelines alert channel", n=2**14, r=8, p=1, dklen=5).hex()


def _small_print(message_id: str, *, is_repeat: bool) -> str:
    name = f"delivery {message_id[:12]}"
    return f"{name}, {REPEAT_PRINT}" if is_repeat else name


def _judged(observation: Observation, *, is_sent: bool) -> Outcome:
    # A channel that is not HTTP shows no answers: when it fails, nobody knows how far the message came.
    may_have_it = observation.was_cut_off or observation.requests == 0
    return outcome_of(
        observation.answers,
        is_sent=is_sent,
        may_have_it=may_have_it,
        detail="; ".join(dict.fromkeys(observation.complaints)),
        now=datetime.now(UTC),
    )


def _notify_type(message: Message) -> str:
    if message.kind is MessageKind.RESOLVE:
        return "success"
    return {AlertSeverity.INFO: "info", AlertSeverity.WARNING: "warning"}.get(message.severity, "failure")


def _attachments(picture: bytes | None) -> Sequence[AttachBase] | None:
    if picture is None:
        return None
    from apprise.attachment.memory import AttachMemory

    return [AttachMemory(content=picture, name=PICTURE_NAME, mimetype="image/png")]  # type: ignore[no-untyped-call]


class _Complaints(logging.Handler):
    """Notes apprise's warnings with the message that is being sent: its plugins say only there what went wrong."""

    def emit(self, record: logging.LogRecord) -> None:
        observation = current_observation()
        if observation is not None:
            observation.complaints.append(record.getMessage())


def _listen_to_apprise() -> None:
    logger = logging.getLogger("apprise")
    if not any(isinstance(handler, _Complaints) for handler in logger.handlers):
        logger.addHandler(_Complaints(level=logging.WARNING))
