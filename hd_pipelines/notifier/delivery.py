"""Delivers the outbox: each channel by itself, at its own rate, until nothing is due or the deadline has passed.

The order of steps makes it safe:

1. A message is claimed under a lease, and the claim is committed, before anything is sent.
2. It is sent once. Nothing sleeps: a channel that asks for a pause is left until the pause is over, the others go on.
3. The outcome is committed. If the process dies before that, the lease expires and the message is sent again.

So no message is lost, and each is delivered once unless the process or the connection dies between the receiver's
acceptance and our commit. No webhook lets a sender ask whether it has accepted a message, so that window cannot be closed
here; it is as long as one COMMIT. A message that is sent twice says so: the second one carries the same delivery name
(HTTP header `Idempotency-Key`, small print of the message) and a note that it was sent again. Receivers that honour the
key drop it; Discord, Slack and Telegram do not.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from hd_pipelines.alerts.redaction import Redactor
from hd_pipelines.notifier.channels import Channel
from hd_pipelines.notifier.outcome import Outcome, Verdict
from hd_pipelines.tables.alerts import MAX_ERROR_LENGTH
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records import alert_channels, alert_outbox
from hd_pipelines.warehouse.records.alert_outbox import GIVEN_UP_AFTER, Claimed

LEASE = timedelta(minutes=2)
"""Longer than any attempt takes: connecting 5 s and reading 10 s for each of at most five requests."""
DEADLINE_SECONDS = 20.0
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=30), timedelta(minutes=30)
MOST_THREADS = 8
"""As many as a `Database` has connections."""
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """What one round did on one channel. `rests_until`: when a new round makes sense; None: only with a new message."""

    channel: str
    delivered: int = 0
    failed: int = 0
    dead: int = 0
    rests_until: datetime | None = None
    complaint: str = ""

    def __str__(self) -> str:
        counts = f"{self.delivered} delivered, {self.failed} to be retried, {self.dead} given up"
        rest = f", rests until {self.rests_until:%H:%M:%S} UTC" if self.rests_until else ""
        return f"{self.channel}: {counts}{rest}{f' ({self.complaint})' if self.complaint else ''}"


def deliver_due(
    database: Database,
    channels: Sequence[Channel],
    redactor: Redactor,
    *,
    clock: Clock,
    deadline_seconds: float = DEADLINE_SECONDS,
    lease: timedelta = LEASE,
) -> list[ChannelReport]:
    """Deliver what is due on `channels`, each in its own thread; no new attempt starts after the deadline."""
    if not channels:
        return []
    ends = time.monotonic() + deadline_seconds
    with database.begin() as connection:
        alert_outbox.give_up_stale(connection, [channel.name for channel in channels], now=clock())
    rounds = [_Round(database, channel, redactor, clock, ends, lease) for channel in channels]
    with ThreadPoolExecutor(min(len(rounds), MOST_THREADS), thread_name_prefix="alerts") as pool:
        return list(pool.map(_Round.run, rounds))


@dataclass(frozen=True, slots=True)
class _Round:
    """Sends what is due on one channel."""

    database: Database
    channel: Channel
    redactor: Redactor
    clock: Clock
    ends: float
    lease: timedelta

    def run(self) -> ChannelReport:
        delivered, failed, dead, complaint = 0, 0, 0, ""
        while time.monotonic() < self.ends:
            claimed = self._claim()
            if not isinstance(claimed, Claimed):
                return ChannelReport(self.channel.name, delivered, failed, dead, claimed, complaint)
            outcome = self._send(claimed)
            complaint = self.redactor.clean(outcome.detail, MAX_ERROR_LENGTH)
            gave_up = self._record(claimed, outcome)
            if outcome.verdict is Verdict.DELIVERED:
                delivered += 1
                continue
            dead += gave_up
            failed += not gave_up
            if outcome.verdict is not Verdict.REFUSED:
                break  # a channel in trouble costs one attempt a round, not one for every message
        return ChannelReport(self.channel.name, delivered, failed, dead, self._find_rest(), complaint)

    def _send(self, claimed: Claimed) -> Outcome:
        try:
            return self.channel.send(
                claimed.message, claimed.picture, message_id=claimed.message_id, is_repeat=claimed.is_repeat
            )
        except Exception as error:  # noqa: BLE001 - whatever a receiver answers, other channels and messages go on
            return Outcome(Verdict.UNKNOWN, f"{type(error).__name__}: {error}")

    def _claim(self) -> Claimed | datetime | None:
        """Claim a message; if there is none to send, return until when the channel rests."""
        now = self.clock()
        with self.database.begin() as connection:
            attempt = connection.begin_nested()
            name = self.channel.name
            rests_until = alert_channels.take_token(connection, name, self.channel.service, self.channel.rate, now=now)
            if rests_until is not None:
                return rests_until
            claimed = alert_outbox.claim_message(
                connection, name, lease_id=secrets.token_hex(8), now=now, lease=self.lease
            )
            if claimed is None:
                attempt.rollback()  # gives the token back
                return alert_outbox.find_next_due(connection, name)
            return claimed

    def _record(self, claimed: Claimed, outcome: Outcome) -> bool:
        """Record the outcome of an attempt; True if the message was given up."""
        now, name = self.clock(), self.channel.name
        with self.database.begin() as connection:
            if outcome.rest is not None:
                alert_channels.hold_channel(connection, name, now + outcome.rest)
            if outcome.verdict is Verdict.DELIVERED:
                alert_outbox.mark_delivered(connection, claimed.message_id, now=now, receipt=outcome.receipt)
                alert_channels.note_delivered(connection, name, now=now)
                return False
            detail = outcome.detail or outcome.verdict.value
            alert_channels.note_failure(connection, name, detail, self.redactor)
            next_try = now + (outcome.rest if outcome.rest is not None else _compute_backoff(claimed.attempts))
            if outcome.verdict is Verdict.REFUSED or next_try >= claimed.created_at + GIVEN_UP_AFTER:
                return alert_outbox.mark_dead(connection, claimed, detail, self.redactor)
            may_have_it = outcome.verdict is Verdict.UNKNOWN or claimed.is_repeat
            alert_outbox.schedule_retry(connection, claimed, next_try, detail, self.redactor, may_have_it=may_have_it)
            return False

    def _find_rest(self) -> datetime | None:
        with self.database.begin() as connection:
            return alert_outbox.find_next_due(connection, self.channel.name)


def _compute_backoff(attempts: int) -> timedelta:
    """Wait 30 s, then twice as long each time, up to half an hour."""
    doublings = min(max(attempts - 1, 0), 16)
    return min(FIRST_RETRY * (1 << doublings), LONGEST_RETRY)
