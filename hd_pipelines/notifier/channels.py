"""Opens the channels that HD_ALERT_URLS names, through apprise, and sends one message on one channel.

Channel names are stored and shown, so they give nothing of the URL away. Rates and retries are applied in `delivery`.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
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
    get_current_observation,
    observe_sending,
)
from hd_pipelines.notifier.outcome import Outcome, classify_attempt
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
        """Service and a digest of the URL: `discord-1a2b3c4d5e`."""

    @property
    def service(self) -> str:
        """The URL's scheme."""

    @property
    def rate(self) -> Rate:
        """How many messages it accepts in a time."""

    def send(self, message: Message, picture: bytes | None, *, message_id: str, is_repeat: bool) -> Outcome:
        """Try once, within about fifteen seconds, without sleeping. A receiver's failure is an outcome, no exception."""


class DiscordChannel:
    """A Discord webhook: one request per message, with the picture in it."""

    service = "discord"
    rate = RATES["discord"]

    def __init__(self, plugin: RichDiscord) -> None:
        self._plugin = plugin
        self.name = make_channel_name(
            self.service, f"{plugin.webhook_id}/{plugin.webhook_token}/{plugin.thread_id or ''}"
        )

    def send(self, message: Message, picture: bytes | None, *, message_id: str, is_repeat: bool) -> Outcome:
        """Post the message and wait until Discord confirms it."""
        import requests

        small_print = _write_small_print(message_id, is_repeat=is_repeat)
        with observe_sending(message_id) as observation:
            is_sent = False
            try:
                is_sent = self._plugin.send_message(message, picture, small_print=small_print)
            except requests.RequestException as error:
                observation.complaints.append(type(error).__name__)
        return _build_outcome(observation, is_sent=is_sent)


class AppriseChannel:
    """Any other service of apprise: title, text, and the picture where the service takes attachments."""

    def __init__(self, plugin: NotifyBase, service: str, url: str) -> None:
        self._plugin = plugin
        self.service = service
        self.rate = RATES.get(service, DEFAULT_RATE)
        self.name = make_channel_name(service, url)

    def send(self, message: Message, picture: bytes | None, *, message_id: str, is_repeat: bool) -> Outcome:
        """Send it through apprise's plugin and record what the receiver answers."""
        from apprise.common import NotifyFormat

        text = f"{message.plain_text()}\n\n{_write_small_print(message_id, is_repeat=is_repeat)}"
        with observe_sending(message_id) as observation:
            is_sent = self._plugin.notify(
                body=text,
                title=message.title,
                notify_type=_choose_type(message),
                attach=_attach(picture) if self._plugin.attachment_support else None,
                body_format=NotifyFormat.TEXT,
                overflow="truncate",
            )
        return _build_outcome(observation, is_sent=bool(is_sent))


def split_urls(text: str) -> list[str]:
    """Split HD_ALERT_URLS at blanks or commas; a comma inside a URL belongs to the URL."""
    return [url.strip(" \t\r\n,") for url in _NEXT_URL.split(text.strip()) if url.strip(" \t\r\n,")]


@dataclass(frozen=True, slots=True)
class OpenedChannels:
    """The channels that can be used, duplicates once, and what is wrong with the other URLs, without repeating them."""

    usable: Sequence[Channel]
    refused: Sequence[str]


def open_usable_channels(text: str | None) -> OpenedChannels:
    """Open a channel for every URL that can be used: one misspelt URL must not silence the others."""
    channels: dict[str, Channel] = {}
    refused: list[str] = []
    for position, url in enumerate(split_urls(text or ""), start=1):
        try:
            channel = _open(url, position)
        except ChannelRefusedError as error:
            refused.append(str(error))
        else:
            channels.setdefault(channel.name, channel)
    return OpenedChannels(list(channels.values()), refused)


def open_channels(text: str | None) -> list[Channel]:
    """Open a channel for every URL, duplicates once. Raises `ChannelRefusedError` if any cannot be used."""
    opened = open_usable_channels(text)
    if opened.refused:
        raise ChannelRefusedError(opened.refused[0])
    return list(opened.usable)


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
            f"URL {position} of HD_ALERT_URLS ({scheme}) is not one that apprise understands. Remedy: compare it with "
            "docs/alerts.md; `hd alerts --test` tries it."
        )
    if isinstance(plugin, NotifyDiscord):
        return DiscordChannel(_make_rich(plugin, asset))
    _restrict(plugin)
    return AppriseChannel(plugin, plugin.schema, url)


def _make_rich(plugin: NotifyDiscord, asset: AppriseAsset) -> RichDiscord:
    from hd_pipelines.notifier.discord import RichDiscord

    return RichDiscord(asset=asset, **(RichDiscord.parse_url(plugin.url()) or {}))


def _restrict(plugin: NotifyBase) -> None:
    """Forbid the plugin redirects, sleeping and retries of its own, set short timeouts, and send its HTTP through `HTTP`."""
    plugin.redirects = False
    plugin.socket_connect_timeout, plugin.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
    plugin.retry = 0
    plugin.throttle = _no_wait  # type: ignore[method-assign]
    for kind in type(plugin).__mro__:
        module = sys.modules.get(kind.__module__)
        if module is not None and kind.__module__.startswith("apprise.plugins.") and hasattr(module, "requests"):
            module.requests = HTTP  # type: ignore[attr-defined]


def _no_wait(*_: object, **__: object) -> None:
    """Replaces apprise's throttle: the outbox applies rates, so a sender never sleeps."""


def make_channel_name(service: str, secret: str) -> str:
    """Name a secret address, the same way every time.

    The name is stored and shown, and a mail password may be guessable: scrypt makes each guess cost some 50 ms.
    """
    return f"{service}-{_digest_slowly(secret)}"


@cache
def _digest_slowly(secret: str) -> str:
    return hashlib.scrypt(secret.encode(), salt=b"hd_pipelines alert channel", n=2**14, r=8, p=1, dklen=5).hex()


def _write_small_print(message_id: str, *, is_repeat: bool) -> str:
    name = f"delivery {message_id[:12]}"
    return f"{name}, {REPEAT_PRINT}" if is_repeat else name


def _build_outcome(observation: Observation, *, is_sent: bool) -> Outcome:
    # A channel that is not HTTP shows no answers: when it fails, the receiver may or may not have the message.
    may_have_it = observation.was_cut_off or observation.requests == 0
    return classify_attempt(
        observation.answers,
        is_sent=is_sent,
        may_have_it=may_have_it,
        detail="; ".join(dict.fromkeys(observation.complaints)),
        now=datetime.now(UTC),
    )


def _choose_type(message: Message) -> str:
    if message.kind is MessageKind.RESOLVE:
        return "success"
    return {AlertSeverity.INFO: "info", AlertSeverity.WARNING: "warning"}.get(message.severity, "failure")


def _attach(picture: bytes | None) -> Sequence[AttachBase] | None:
    if picture is None:
        return None
    from apprise.attachment.memory import AttachMemory

    return [AttachMemory(content=picture, name=PICTURE_NAME, mimetype="image/png")]  # type: ignore[no-untyped-call]


class _Complaints(logging.Handler):
    """Adds apprise's warnings to the observation of the message being sent: plugins report errors only in their log."""

    def emit(self, record: logging.LogRecord) -> None:
        observation = get_current_observation()
        if observation is not None:
            observation.complaints.append(record.getMessage())


def _listen_to_apprise() -> None:
    logger = logging.getLogger("apprise")
    if not any(isinstance(handler, _Complaints) for handler in logger.handlers):
        logger.addHandler(_Complaints(level=logging.WARNING))
