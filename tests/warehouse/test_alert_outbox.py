"""The outbox: written with its cause, claimed by one, lost by none."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from hd_pipelines.alerts import lifecycle
from hd_pipelines.alerts.fingerprint import message_id
from hd_pipelines.alerts.lifecycle import Sighting
from hd_pipelines.alerts.messages import Field, write_trial_message
from hd_pipelines.alerts.redaction import Redactor
from hd_pipelines.alerts.token_bucket import Rate
from hd_pipelines.tables.vocabulary import AlertSeverity
from hd_pipelines.warehouse.engine import Database
from hd_pipelines.warehouse.records import alert_channels
from hd_pipelines.warehouse.records.alert_outbox import (
    claim_message,
    count_outbox,
    drop_old_messages,
    enqueue,
    find_next_due,
    give_up_stale,
    mark_dead,
    mark_delivered,
    schedule_retry,
)
from hd_pipelines.warehouse.records.alerts import AlertBook, drop_old_alerts, read_open_alerts
from tests.warehouse.bar_frames import one

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
LEASE = timedelta(seconds=60)
CHANNEL, OTHER = "discord-1", "mailtos-2"
CLEAN = Redactor(["canary-secret"])
MESSAGE = write_trial_message(now=NOW)
FAILURE = Sighting("run_failed", "main", AlertSeverity.ERROR, "Run of main failed", "boom", "Look at it.")
WARNING = replace(FAILURE, rule="check_failed", severity=AlertSeverity.WARNING)


def after(**span: float) -> datetime:
    return NOW + timedelta(**span)


def put(database: Database, *keys: str, channels: tuple[str, ...] = (CHANNEL,), **options: object) -> int:
    with database.begin() as connection:
        return sum(enqueue(connection, key, MESSAGE, channels, CLEAN, now=NOW, **options) for key in keys)


def take(database: Database, channel: str = CHANNEL, *, now: datetime = NOW, who: str = "a"):
    with database.begin() as connection:
        return claim_message(connection, channel, lease_id=who, now=now, lease=LEASE)


def test_the_same_event_written_twice_is_one_message_per_channel(database: Database) -> None:
    assert put(database, "test:1", "test:1", channels=(CHANNEL, OTHER, CHANNEL)) == 2
    assert put(database, "test:1", "test:2", channels=(CHANNEL,)) == 1
    with database.connect() as connection:
        assert count_outbox(connection) == {(CHANNEL, "pending"): 2, (OTHER, "pending"): 1}


def test_without_channels_nothing_is_written(database: Database) -> None:
    assert put(database, "test:1", channels=()) == 0


def test_a_transaction_that_fails_takes_its_message_with_it(database: Database) -> None:
    with suppress(CrashError), database.begin() as connection:
        enqueue(connection, "test:1", MESSAGE, [CHANNEL], CLEAN, now=NOW)
        raise CrashError
    assert take(database) is None


def test_a_message_is_claimed_by_one_until_its_lease_runs_out(database: Database) -> None:
    put(database, "test:1")
    first = take(database)
    assert (first.attempts, first.is_repeat, first.message) == (1, False, MESSAGE)
    assert first.message_id == message_id("test:1", CHANNEL)
    assert take(database, now=after(seconds=59)) is None
    second = take(database, now=after(seconds=60), who="b")
    assert (second.attempts, second.is_repeat) == (2, True)


def test_claimers_at_the_same_moment_get_different_messages_and_do_not_wait(database: Database) -> None:
    put(database, *(f"test:{n}" for n in range(8)))
    together = threading.Barrier(8, timeout=5)

    def claimed(number: int) -> str:
        with database.begin() as connection:
            taken = claim_message(connection, CHANNEL, lease_id=str(number), now=NOW, lease=LEASE)
            together.wait()  # all eight transactions are open here: none waits for another's lock
            return taken.message_id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(claimed, range(8)))) == 8


def test_a_claimer_that_lost_its_lease_changes_nothing_but_an_arrival_counts(database: Database) -> None:
    put(database, "test:1")
    slow = take(database, who="slow")
    fast = take(database, now=after(seconds=61), who="fast")
    with database.begin() as connection:
        assert not schedule_retry(connection, slow, after(hours=5), "late", CLEAN, may_have_it=False)
        assert not mark_dead(connection, slow, "late", CLEAN)
        assert mark_delivered(connection, slow.message_id, now=after(seconds=62))
        assert not mark_delivered(connection, fast.message_id, now=after(seconds=63)), "known already"
    assert take(database, now=after(hours=1)) is None


def test_a_message_to_be_retried_waits_and_records_whether_it_may_be_a_repeat(database: Database) -> None:
    for key, may_have_it in (("test:1", True), ("test:2", False)):
        put(database, key)
        with database.begin() as connection:
            taken = claim_message(connection, CHANNEL, lease_id="a", now=NOW, lease=LEASE)
            schedule_retry(connection, taken, after(minutes=5), "no answer", CLEAN, may_have_it=may_have_it)
    with database.connect() as connection:
        assert find_next_due(connection, CHANNEL) == after(minutes=5)
    assert take(database, now=after(minutes=4)) is None
    assert take(database, now=after(minutes=5)).is_repeat
    assert not take(database, now=after(minutes=5)).is_repeat


def test_messages_leave_in_the_order_in_which_they_were_written(database: Database) -> None:
    put(database, "test:b", "test:a", "test:c")
    keys = [take(database).message_id for _ in range(3)]
    assert keys == [message_id(f"test:{name}", CHANNEL) for name in "bac"]


def test_no_secret_is_stored(database: Database, warehouse_url: str) -> None:
    sighting = replace(FAILURE, title="a canary-secret", detail="@everyone canary-secret", cure="canary-secret")
    with database.begin() as connection:
        AlertBook(connection, [CHANNEL], CLEAN, now=NOW).observe(sighting, at=NOW)
        message = replace(MESSAGE, body="canary-secret", fields=(Field("x", "canary-secret"),))
        enqueue(connection, "test:1", message, [CHANNEL], CLEAN, now=NOW)
        taken = claim_message(connection, CHANNEL, lease_id="a", now=NOW, lease=LEASE)
        mark_dead(connection, taken, f"POST with canary-secret failed {'x' * 900}", CLEAN)
        alert_channels.take_token(connection, CHANNEL, "discord", Rate(5, 25), now=NOW)
        alert_channels.note_failure(connection, CHANNEL, "canary-secret", CLEAN)
    for table in ("alerts", "alert_outbox", "alert_channels"):
        everything = str(one(warehouse_url, f"SELECT string_agg({table}::text, '') FROM {table}"))
        assert "***" in everything
        assert "canary" not in everything
        assert "@everyone" not in everything


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("status = 'delivered'", "alert_outbox_delivered"),
        ("status = 'dead'", "alert_outbox_dead"),
        ("lease_id = 'a'", "alert_outbox_lease"),
        ("kind = 'shout'", "alert_outbox_kind"),
        ("message = '[]'", "alert_outbox_message"),
        ("picture = ''", "alert_outbox_picture"),
        ("alert_id = repeat('0', 32)", "alert_outbox_alert_id_fkey"),
    ],
)
def test_the_database_refuses_rows_that_contradict_themselves(
    database: Database, warehouse_url: str, change: str, rule: str
) -> None:
    put(database, "test:1")
    with psycopg.connect(warehouse_url) as connection, pytest.raises(psycopg.IntegrityError, match=rule):
        connection.execute(f"UPDATE alert_outbox SET {change}")


def test_a_picture_travels_with_its_message(database: Database) -> None:
    put(database, "test:1", picture=b"\x89PNG")
    assert take(database).picture == b"\x89PNG"
    with pytest.raises(IntegrityError, match="alert_outbox_picture"):
        put(database, "test:2", picture=b"x" * 8_000_001)


def test_a_stale_message_is_given_up_with_its_reason(database: Database, warehouse_url: str) -> None:
    put(database, "test:1", expires_at=after(minutes=1))
    put(database, "test:2", channels=(OTHER,))
    put(database, "test:3")
    with database.begin() as connection:
        assert give_up_stale(connection, [CHANNEL], now=after(hours=23)) == 1
        assert give_up_stale(connection, [CHANNEL], now=after(hours=25)) == 1
        assert count_outbox(connection) == {(CHANNEL, "dead"): 1, (CHANNEL, "pending"): 1, (OTHER, "dead"): 1}


def test_what_is_in_somebodys_hands_is_not_given_up(database: Database) -> None:
    put(database, "test:1", expires_at=after(seconds=30))
    take(database)
    with database.begin() as connection:
        assert give_up_stale(connection, [CHANNEL], now=after(seconds=31)) == 0
        assert give_up_stale(connection, [CHANNEL], now=after(seconds=61)) == 1


def test_retention_keeps_what_is_pending_and_what_is_young(database: Database) -> None:
    with database.begin() as connection:
        book = AlertBook(connection, [CHANNEL], CLEAN, now=NOW)
        book.observe(FAILURE, at=NOW)
        book.resolve(FAILURE.rule, FAILURE.subject, at=after(minutes=1))
        taken = claim_message(connection, CHANNEL, lease_id="a", now=NOW, lease=LEASE)
        mark_delivered(connection, taken.message_id, now=NOW)
        assert drop_old_messages(connection, now=after(days=89)) == 0
        assert drop_old_messages(connection, now=after(days=91)) == 1
        assert drop_old_alerts(connection, now=after(days=400)) == 0, "its resolution is still to be delivered"
        taken = claim_message(connection, CHANNEL, lease_id="a", now=NOW, lease=LEASE)
        mark_delivered(connection, taken.message_id, now=NOW)
        drop_old_messages(connection, now=after(days=91))
        assert drop_old_alerts(connection, now=after(days=300)) == 0
        assert drop_old_alerts(connection, now=after(days=400)) == 1


def test_an_alert_and_its_message_are_one_transaction(database: Database, warehouse_url: str) -> None:
    with suppress(CrashError), database.begin() as connection:
        AlertBook(connection, [CHANNEL], CLEAN, now=NOW).observe(FAILURE, at=NOW)
        raise CrashError
    assert one(warehouse_url, "SELECT count(*) FROM alerts") == 0
    with database.begin() as connection:
        AlertBook(connection, [CHANNEL], CLEAN, now=NOW).observe(FAILURE, at=NOW)
    assert one(warehouse_url, "SELECT count(*) FROM alert_outbox JOIN alerts USING (alert_id)") == 1


def test_reporters_at_the_same_moment_open_one_alert(database: Database, warehouse_url: str) -> None:
    together = threading.Barrier(4, timeout=5)

    def report(number: int) -> None:
        together.wait()
        with database.begin() as connection:
            book = AlertBook(connection, [CHANNEL], CLEAN, now=NOW)
            for subject in ("a", "b") if number % 2 else ("b", "a"):  # locks taken in different orders
                book.observe(replace(FAILURE, subject=subject), at=after(seconds=number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(report, range(4)))
    assert one(warehouse_url, "SELECT count(*) FROM alerts") == 2
    assert one(warehouse_url, "SELECT count(*) FROM alert_outbox") == 2


def test_open_alerts_escalate_and_resolve(database: Database, warehouse_url: str) -> None:
    with database.begin() as connection:
        AlertBook(connection, [CHANNEL], CLEAN, now=NOW).observe(FAILURE, at=NOW)
    for minute, expected in ((14, 0), (15, 1), (16, 0), (61, 1), (300, 0)):
        with database.begin() as connection:
            book = AlertBook(connection, [CHANNEL], CLEAN, now=after(minutes=minute))
            assert len(book.escalate_overdue()) == expected, minute
    with database.connect() as connection:
        (alert,) = read_open_alerts(connection)
        assert (alert.escalations, alert.severity) == (2, AlertSeverity.ERROR)
        assert read_open_alerts(connection, ["other_rule"]) == []
    with database.begin() as connection:
        book = AlertBook(connection, [CHANNEL], CLEAN, now=after(hours=6))
        assert len(book.resolve(FAILURE.rule, FAILURE.subject, at=after(hours=6))) == 1
        assert book.resolve("never", "seen", at=after(hours=6)) == ()
    kinds = "SELECT array_agg(kind ORDER BY position) FROM alert_outbox"
    assert one(warehouse_url, kinds) == ["open", "escalate", "escalate", "resolve"]


def test_a_digest_names_each_warning_once_and_waits_for_a_channel(database: Database, warehouse_url: str) -> None:
    slot = after(hours=1)
    with database.begin() as connection:
        book = AlertBook(connection, [], CLEAN, now=NOW)
        for subject in ("a", "b"):
            book.observe(replace(WARNING, subject=subject), at=NOW)
        book.observe(replace(WARNING, subject="later"), at=after(hours=2))
        assert book.write_digest(slot) == 0, "nobody to tell"
    with database.begin() as connection:
        book = AlertBook(connection, [CHANNEL], CLEAN, now=after(hours=2))
        assert book.write_digest(slot) == 2
        assert book.write_digest(slot) == 0
        assert book.write_digest(after(hours=3)) == 1
        assert book.write_digest(after(hours=4)) == 0
    assert one(warehouse_url, "SELECT count(*) FROM alert_outbox WHERE kind = 'digest'") == 2


def test_tokens_are_shared_and_given_back_when_there_is_no_message(database: Database) -> None:
    rate = Rate(burst=2, per_minute=30)

    def token(now: datetime, *, give_back: bool = False) -> datetime | None:
        with database.begin() as connection:
            attempt = connection.begin_nested()
            rests_until = alert_channels.take_token(connection, CHANNEL, "discord", rate, now=now)
            if give_back:
                attempt.rollback()
            return rests_until

    assert [token(NOW, give_back=True) for _ in range(3)] == [None] * 3
    assert [token(NOW), token(NOW)] == [None, None]
    assert token(NOW) == after(seconds=2)
    assert token(after(seconds=1.9)) is not None
    assert token(after(seconds=2.1)) is None
    with database.begin() as connection:
        alert_channels.hold_channel(connection, CHANNEL, after(minutes=10))
        alert_channels.hold_channel(connection, CHANNEL, after(minutes=5))
    assert token(after(minutes=9)) == after(minutes=10)


class CrashError(Exception):
    """Raised in place of the death of the process."""


class Installation:
    """A reporter and a deliverer that can be made to die, and what the receiver got."""

    def __init__(self, database: Database, subject: str) -> None:
        self.database, self.subject, self.channel = database, subject, f"discord-{subject}"
        self.received: list[str] = []

    def report(self, event: str, crash: str, clock: datetime) -> None:
        with self.database.begin() as connection:
            book = AlertBook(connection, [self.channel], CLEAN, now=clock)
            if event == "seen":
                book.observe(replace(FAILURE, subject=self.subject), at=clock)
            elif event == "resolved":
                book.resolve(FAILURE.rule, self.subject, at=clock)
            else:
                book.escalate_overdue()
            self.die_if(crash == "before the commit")
        self.die_if(crash == "after the commit")

    def deliver(self, crash: str, clock: datetime) -> bool:
        with self.database.begin() as connection:
            taken = claim_message(connection, self.channel, lease_id="a", now=clock, lease=LEASE)
        if taken is None:
            return False
        self.die_if(crash == "after the claim")
        self.received.append(taken.message_id)
        with self.database.begin() as connection:
            mark_delivered(connection, taken.message_id, now=clock)
        return True

    @staticmethod
    def die_if(now: bool) -> None:
        if now:
            raise CrashError

    def live(self, event: str, crash: str, clock: datetime) -> None:
        """One event; who dies before the cursor has moved does it again."""
        try:
            if event == "deliver":
                self.deliver(crash, clock)
            else:
                self.report(event, crash, clock)
        except CrashError:
            if event != "deliver":
                self.report(event, "", clock)


def undisturbed(life: list[tuple[str, str, int]], subject: str) -> list[str]:
    """Messages of the same life in a world without crashes."""
    alert, message_ids, clock = None, [], NOW
    for event, _, minutes in life:
        clock += timedelta(minutes=minutes)
        if event == "seen":
            step = lifecycle.observe(alert, replace(FAILURE, subject=subject), at=clock, now=clock)
        elif alert is None or event == "deliver":
            continue
        elif event == "resolved":
            step = lifecycle.resolve(alert, at=clock, now=clock)
        else:
            step = lifecycle.escalate(alert, now=clock)
        alert = step.alert
        message_ids += [message_id(notice.event_key, f"discord-{subject}") for notice in step.notices]
    return message_ids


LIFE = st.lists(
    st.tuples(
        st.sampled_from(["seen", "resolved", "time", "deliver"]),
        st.sampled_from(["", "before the commit", "after the commit", "after the claim"]),
        st.sampled_from([0, 1, 16, 61]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=LIFE)
def test_whatever_happens_and_whenever_it_dies_each_message_arrives_once_and_in_order(
    database: Database, life: list[tuple[str, str, int]]
) -> None:
    """Reporters that die report again, deliverers that die leave a lease. A crash after the answer is another test."""
    with database.begin() as connection:  # the fixture empties the database for each test, not for each example
        connection.execute(text("DELETE FROM alert_outbox"))
        connection.execute(text("DELETE FROM alerts"))
    installation, clock = Installation(database, uuid4().hex), NOW
    for event, crash, minutes in life:
        clock += timedelta(minutes=minutes)
        installation.live(event, crash, clock)
    while installation.deliver("", clock + LEASE):
        pass
    assert installation.received == undisturbed(life, installation.subject)
