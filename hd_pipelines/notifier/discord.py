"""Sends to Discord with apprise's plugin, one request per message: an embed with its picture inside.

apprise's own sending posts the text first and every attachment after it, waits inside for rate limits, and adds ten
seconds to them: a crash between two posts would leave half a message, and a sleeping sender delays all other messages.
What apprise reads from the URL (bot name, thread, flags, avatar) is used as it is.

Discord's limits: embed title 256, description 4096, field name 256 and value 1024, footer 2048, 25 fields, 6000
characters in all (docs.discord.com, resources/message).
"""

from __future__ import annotations

import json
import re
from typing import Any

from apprise.plugins.discord import NotifyDiscord

from hd_pipelines.alerts.messages import Message
from hd_pipelines.alerts.redaction import cut
from hd_pipelines.notifier.observed_http import HTTP
from hd_pipelines.tables.vocabulary import AlertSeverity, MessageKind

TITLE, DESCRIPTION, NAME, VALUE, FOOTER, FIELDS, TOTAL = 256, 4096, 256, 1024, 2048, 25, 6000
PICTURE_NAME = "chart.png"
_COLOURS = {
    AlertSeverity.INFO: 0x2460DC,
    AlertSeverity.WARNING: 0xE0A100,
    AlertSeverity.ERROR: 0xD9370D,
    AlertSeverity.CRITICAL: 0x8B0A1A,
}
_RESOLVED = 0x1F9D55
_MARKUP = re.compile(r"[\\`*_~\[\]]|\|(?=\|)|^[-+>#]", re.MULTILINE)
_UNSEEN = "\u200b"


class RichDiscord(NotifyDiscord):  # type: ignore[no-untyped-call]  # apprise's __init_subclass__ has no types
    """A Discord webhook as apprise reads it from a URL, used with one request per message."""

    def send_message(self, message: Message, picture: bytes | None, *, small_print: str) -> bool:
        """Post `message`; True if Discord has it. Raises `requests.RequestException` when there is no answer."""
        payload = self.build_payload(message, has_picture=picture is not None, small_print=small_print)
        body: dict[str, Any]
        if picture is None:
            body = {"json": payload}
        else:
            files = {"files[0]": (PICTURE_NAME, picture, "image/png")}
            body = {"data": {"payload_json": json.dumps(payload)}, "files": files}
        parameters = {"wait": "true"} | ({"thread_id": self.thread_id} if self.thread_id else {})
        answer = HTTP.post(
            f"{self.notify_url}/{self.webhook_id}/{self.webhook_token}",
            params=parameters,
            headers={"User-Agent": self.app_id},
            verify=self.verify_certificate,
            **body,
        )
        return bool(answer.ok)

    def build_payload(self, message: Message, *, has_picture: bool, small_print: str) -> dict[str, Any]:
        """Build the webhook's JSON. It forbids every mention, whatever the text contains."""
        payload: dict[str, Any] = {
            "embeds": [build_embed(message, has_picture=has_picture, small_print=small_print)],
            "allowed_mentions": {"parse": []},
            "tts": bool(self.tts),
        }
        if self.user:
            payload["username"] = self.user
        if self.avatar and self.avatar_url:
            payload["avatar_url"] = self.avatar_url
        if self.flags:
            payload["flags"] = self.flags
        if has_picture:
            payload["attachments"] = [{"id": 0, "filename": PICTURE_NAME}]
        return payload


def build_embed(message: Message, *, has_picture: bool, small_print: str) -> dict[str, Any]:
    """Build an embed within Discord's limits; what does not fit is cut from the end of the description."""
    footer = cut(" · ".join(part for part in (message.footer, small_print) if part), FOOTER)
    fields = [
        {
            "name": cut(field.name, NAME),
            "value": cut(escape_markup(field.value), VALUE) or _UNSEEN,
            "inline": field.is_short,
        }
        for field in message.fields[:FIELDS]
    ]
    title = cut(escape_markup(message.title), TITLE)
    taken = len(title) + len(footer) + sum(len(str(field["name"])) + len(str(field["value"])) for field in fields)
    while taken > TOTAL:
        dropped = fields.pop()
        taken -= len(str(dropped["name"])) + len(str(dropped["value"]))
    laid_out: dict[str, Any] = {
        "title": title,
        "description": cut(escape_markup(message.body), min(DESCRIPTION, max(TOTAL - taken, 1))),
        "color": _RESOLVED if message.kind is MessageKind.RESOLVE else _COLOURS[message.severity],
        "fields": fields,
        "footer": {"text": footer},
        "timestamp": message.at.isoformat(),
    }
    if has_picture:
        laid_out["image"] = {"url": f"attachment://{PICTURE_NAME}"}
    return laid_out


def escape_markup(text: str) -> str:
    """Escape Discord's markup: table names keep their underscores, and foreign text cannot make links."""
    return _MARKUP.sub(lambda found: "\\" + found.group(0), text)
