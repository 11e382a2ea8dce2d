"""Cleans text before it is stored or sent: no secrets, no mass mentions, no control characters.

Every text passes here before it is stored in a table of alerts, so database readers, channels and logs see the same clean
text. The caller supplies the secret values.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from hd_pipelines.alerts.messages import Field, Message

MASK = "***"
SHORTEST_SECRET = 4
"""Shorter values are not masked: text would turn into stars, and they protect nothing."""
TITLE, BODY, FIELD_NAME, FIELD_VALUE, FIELDS, FOOTER = 240, 3000, 100, 1000, 20, 200
"""Most characters of each part of a message, and most fields: what the narrowest channel shows with room to spare."""
_JOINER = "\u2060"
"""Word joiner: invisible, breaks no line, and keeps a chat from reading a mention."""

_PATTERNS = (
    # a webhook's address is its password
    (re.compile(r"(?i)(discord(?:app)?\.com/api/(?:v\d+/)?webhooks/)[^\s\"'<>]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(hooks\.slack\.com/(?:services|workflows|triggers)/)[^\s\"'<>]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(api\.telegram\.org/(?:file/)?bot)[^\s\"'<>/]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(/api/webhooks/)[^\s\"'<>]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b((?:discord|slack|tgram)://)[^\s\"'<>]+"), rf"\1{MASK}"),
    # userinfo of any URL, also with an @ inside the password
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/\"'<>]*@"), rf"\1{MASK}@"),
    # what is named as a secret
    (
        re.compile(
            r"(?i)((?:api[_-]?key|access[_-]?key(?:[_-]?id)?|secret(?:[_-]?(?:access[_-]?)?key)?|(?:access|auth|"
            r"refresh|webhook|bot)?[_-]?token|passw(?:or)?d|pwd|x-amz-(?:signature|credential|security-token))"
            r"[\"']?\s*[=:]\s*[\"']?)(?!\*\*\*)[^\s\"'&,;<>)}\]]+"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"\bxox[a-z]-[A-Za-z0-9-]{8,}"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
    (re.compile(r"\b\d{6,}:[A-Za-z0-9_-]{30,}"), MASK),  # a bot's token
)
_MENTIONS = (
    (re.compile(r"@(?=(?:everyone|here|channel|all|room|online)\b)", re.IGNORECASE), f"@{_JOINER}"),
    (re.compile(r"<(?=[@!#])"), f"<{_JOINER}"),
)
_SECRET_NAME = re.compile(r"(?i)pass|pwd|token|secret|key|auth")
_SECRET_PART = re.compile(r"(?=.*[A-Za-z])(?=.*\d)[^.]{8,}|[^.]{20,}")


class Redactor:
    """Cleans text. Built once from all secrets that this process has loaded."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _list_spellings(secret) if len(form) >= SHORTEST_SECRET}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def clean(self, text: str, most: int | None = None) -> str:
        """Remove control characters, secrets and mass mentions; cut to `most` characters with an ellipsis."""
        text = _drop_unprintable(text)
        if self._secrets is not None:
            text = self._secrets.sub(MASK, text)
        for pattern, instead in (*_PATTERNS, *_MENTIONS):
            text = pattern.sub(instead, text)
        return cut(text, most) if most is not None else text

    def clean_message(self, message: Message) -> Message:
        """Clean every text of a message and cut it to what channels show."""
        return replace(
            message,
            title=self.clean(message.title, TITLE),
            body=self.clean(message.body, BODY),
            footer=self.clean(message.footer, FOOTER),
            fields=tuple(
                Field(self.clean(field.name, FIELD_NAME), self.clean(field.value, FIELD_VALUE), field.is_short)
                for field in message.fields[:FIELDS]
                if field.name and field.value
            ),
        )

    def __repr__(self) -> str:
        return "Redactor(…)"


def find_secret_parts(url: str) -> set[str]:
    """Find the secret parts of a URL: the URL itself, its userinfo, and every part that looks like a token.

    Channels carry tokens as host, path or query (`discord://id/token`), so a part counts by its looks: eight
    characters or more with letters and digits, or twenty of any kind, and no dot.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return {url}
    userinfo, has_user, _ = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
    password = userinfo.partition(":")[2]
    found = {url, rest, *((password, unquote(password)) if has_user else ())}
    query = rest.partition("?")[2].partition("#")[0]
    found |= {value for name, value in parse_qsl(query) if _SECRET_NAME.search(name)}
    parts = re.split(r"[/:@?&=,#;]+", rest)
    found |= {unquote(part) for part in parts if _SECRET_PART.fullmatch(unquote(part))}
    return {part for part in found if part and part != scheme}


def cut(text: str, most: int) -> str:
    """Cut `text` to at most `most` characters; an ellipsis replaces what is cut."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _list_spellings(secret: str) -> set[str]:
    """List the spellings of a secret in a URL and in JSON."""
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


def _drop_unprintable(text: str) -> str:
    """Keep line breaks, turn tabs into blanks, drop control, format and unassigned characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(char for char in text if char == "\n" or unicodedata.category(char)[0] != "C")
