"""Classifies a receiver's answer: delivered, try again later, or never. Reads status codes and `Retry-After`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hd_pipelines.providers.http import parse_retry_after, parse_seconds

DEFAULT_HOLD = timedelta(seconds=30)
"""How long a channel rests after a 429 that names no time."""
LONGEST_REST = timedelta(hours=1)
"""A receiver that asks for more (one asked for three millennia) is asked again after this."""
_REFUSED = frozenset({400, 401, 403, 404, 405, 410, 413, 415, 422})
_REMEDIES = {
    401: "The channel's token is wrong: put the right URL into HD_ALERT_URLS.",
    403: "The channel's token may not post there: put another URL into HD_ALERT_URLS.",
    404: "The channel's address is gone: make a new webhook and put its URL into HD_ALERT_URLS.",
    410: "The channel's address is gone: make a new webhook and put its URL into HD_ALERT_URLS.",
    413: "The receiver finds the message too large; its picture is the likely reason.",
}


class Verdict(StrEnum):
    """The result of an attempt. `UNKNOWN`: it was sent and no answer came, so the receiver may have it."""

    DELIVERED = "delivered"
    LIMITED = "limited"
    FAILED = "failed"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one attempt.

    rest: how long the channel asks for a pause, None if it does not. receipt: the receiver's id of the message. detail: for
    people, not cleaned of secrets yet.
    """

    verdict: Verdict
    detail: str = ""
    rest: timedelta | None = None
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What matters of one HTTP answer. `wait_seconds`: a wait named in its body, None if there is none."""

    status: int
    headers: Mapping[str, str]
    wait_seconds: float | None = None
    receipt: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver has what was sent."""
        return 200 <= self.status < 300


def classify_attempt(
    answers: Sequence[Answer], *, is_sent: bool, may_have_it: bool, detail: str, now: datetime
) -> Outcome:
    """Classify an attempt that got `answers` in this order.

    A message may take several requests (text, then picture). Once the first is accepted the message has arrived and is
    not sent again; `detail` says what failed after it. `is_sent`: the sender's return value. `may_have_it`: a request
    went out whose answer is not known.
    """
    if not answers:
        if is_sent:
            return Outcome(Verdict.DELIVERED)
        return Outcome(Verdict.UNKNOWN if may_have_it else Verdict.FAILED, detail or "The receiver cannot be reached.")
    first = answers[0]
    rest = max((wait for answer in answers if (wait := find_rest(answer, now)) is not None), default=None)
    if first.is_success:
        return Outcome(
            Verdict.DELIVERED, "" if is_sent else f"Only a part arrived. {detail}".strip(), rest, first.receipt
        )
    return _classify_refusal(first, rest, detail)


def _classify_refusal(answer: Answer, rest: timedelta | None, detail: str) -> Outcome:
    if 300 <= answer.status < 400:
        return Outcome(Verdict.REFUSED, f"HTTP {answer.status}: redirects are not followed; the address has moved.")
    detail = f"HTTP {answer.status}. {_REMEDIES.get(answer.status, detail)}".strip()
    if answer.status == 429:
        return Outcome(Verdict.LIMITED, detail, rest if rest is not None else DEFAULT_HOLD)
    return Outcome(Verdict.REFUSED if answer.status in _REFUSED else Verdict.FAILED, detail, rest)


def find_rest(answer: Answer, now: datetime) -> timedelta | None:
    """Find the pause that the receiver asks for: `Retry-After` (seconds or a date), its body, or an empty rate bucket.

    At most `LONGEST_REST`.
    """
    headers = {name.lower(): value for name, value in answer.headers.items()}
    waits = [
        wait for wait in (parse_retry_after(headers.get("retry-after"), now), answer.wait_seconds) if wait is not None
    ]
    if headers.get("x-ratelimit-remaining", "").strip() == "0":
        waits += [wait for wait in (parse_seconds(headers.get("x-ratelimit-reset-after")),) if wait is not None]
    return min(timedelta(seconds=min(max(waits), 1e9)), LONGEST_REST) if waits else None
