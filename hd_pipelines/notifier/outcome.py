"""What a receiver's answer means for a message: delivered, again later, or never.

Belongs here: reading status codes and `Retry-After`. Pure; the answers come as arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

DEFAULT_HOLD = timedelta(seconds=30)
"""How long a channel rests that answers 429 without saying how long."""
_REFUSED = frozenset({400, 401, 403, 404, 405, 410, 413, 415, 422})
_CURES = {
    401: "The channel's token is wrong: put the right URL into HD_ALERT_URLS.",
    403: "The channel's token may not post there: put another URL into HD_ALERT_URLS.",
    404: "The channel's address is gone: make a new webhook and put its URL into HD_ALERT_URLS.",
    410: "The channel's address is gone: make a new webhook and put its URL into HD_ALERT_URLS.",
    413: "The receiver finds the message too large; its picture is the likely reason.",
}


class Verdict(StrEnum):
    """What became of an attempt. `UNKNOWN`: it was sent and no answer came, so the receiver may have it."""

    DELIVERED = "delivered"
    LIMITED = "limited"
    FAILED = "failed"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one attempt.

    rest: how long the channel wishes to be left alone, None if it does not. receipt: the receiver's name for the
    message. detail: for people; not cleaned yet.
    """

    verdict: Verdict
    detail: str = ""
    rest: timedelta | None = None
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, as far as it matters. `wait_seconds`: a wait that the body names; None if it names none."""

    status: int
    headers: Mapping[str, str]
    wait_seconds: float | None = None
    receipt: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver has what was sent."""
        return 200 <= self.status < 300


def outcome_of(answers: Sequence[Answer], *, is_sent: bool, may_have_it: bool, detail: str, now: datetime) -> Outcome:
    """The outcome of an attempt that got `answers` in this order.

    A message may take several requests (text, then picture). Once the first is accepted the message has arrived and is
    not sent again; what failed after it is told in `detail`. `is_sent`: what the sender says. `may_have_it`: a request
    went out whose answer is not known.
    """
    if not answers:
        if is_sent:
            return Outcome(Verdict.DELIVERED)
        return Outcome(Verdict.UNKNOWN if may_have_it else Verdict.FAILED, detail or "The receiver cannot be reached.")
    first = answers[0]
    rest = max((wait for answer in answers if (wait := rest_wanted(answer, now)) is not None), default=None)
    if first.is_success:
        return Outcome(
            Verdict.DELIVERED, "" if is_sent else f"Only a part arrived. {detail}".strip(), rest, first.receipt
        )
    return _refusal(first, rest, detail)


def _refusal(answer: Answer, rest: timedelta | None, detail: str) -> Outcome:
    if 300 <= answer.status < 400:
        return Outcome(Verdict.REFUSED, f"HTTP {answer.status}: redirects are not followed; the address has moved.")
    told = f"HTTP {answer.status}. {_CURES.get(answer.status, detail)}".strip()
    if answer.status == 429:
        return Outcome(Verdict.LIMITED, told, rest if rest is not None else DEFAULT_HOLD)
    return Outcome(Verdict.REFUSED if answer.status in _REFUSED else Verdict.FAILED, told, rest)


def rest_wanted(answer: Answer, now: datetime) -> timedelta | None:
    """How long the receiver wants silence: `Retry-After` (seconds or a date), its body, or a bucket it says is empty."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    wishes = [wait for wait in (_retry_after(headers.get("retry-after"), now), answer.wait_seconds) if wait is not None]
    if headers.get("x-ratelimit-remaining", "").strip() == "0":
        wishes += [wait for wait in (_seconds(headers.get("x-ratelimit-reset-after")),) if wait is not None]
    return timedelta(seconds=max(wishes)) if wishes else None


def _retry_after(value: str | None, now: datetime) -> float | None:
    if value is None:
        return None
    seconds = _seconds(value)
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value) if value is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds < float("inf") else None
