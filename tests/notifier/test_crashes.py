"""Processes are killed with SIGKILL at every moment of a delivery; the next one finishes it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from hd_pipelines.warehouse.engine import Database
from tests.notifier.conftest import DISCORD
from tests.notifier.webhook_receiver import Receiver
from tests.warehouse.bar_frames import one

# Forked from one process that has imported everything: imports are the slow part. Every child is a process of its own.
FORK = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from hd_pipelines.alerts.lifecycle import Sighting
from hd_pipelines.alerts.redaction import Redactor
from hd_pipelines.tables.vocabulary import AlertSeverity
from hd_pipelines.notifier import delivery
from hd_pipelines.notifier.channels import open_channels
from hd_pipelines.notifier.discord import RichDiscord
from hd_pipelines.warehouse.records import alert_outbox
from hd_pipelines.warehouse.records import alerts as alert_records
from hd_pipelines.warehouse.engine import Database

url, api, channel_url, *moments = sys.argv[1:]
RichDiscord.notify_url = api
channels, redactor, clock = open_channels(channel_url), Redactor(), lambda: datetime.now(UTC)
at = datetime(2026, 11, 20, 15, tzinfo=UTC)

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def raise_alert(database, *, dying_inside=False):
    with database.begin() as connection:
        book = alert_records.AlertBook(connection, [c.name for c in channels], redactor, now=clock())
        book.observe(Sighting("run_failed", "main", AlertSeverity.ERROR, "Run failed", "boom", "look"), at=at)
        if dying_inside:
            die()

def life(moment):
    database = Database(url)
    if moment == "before the commit":
        raise_alert(database, dying_inside=True)
    raise_alert(database)
    if moment == "after the commit":
        die()
    if moment == "after the claim":
        RichDiscord.send_message = die
    if moment == "after the answer":
        alert_outbox.mark_delivered = die
    delivery.deliver_due(database, channels, redactor, clock=clock, lease=timedelta(seconds=0.4))

for moment in moments:
    pid = os.fork()
    if not pid:
        try:
            life(moment)
        finally:
            sys.stdout.flush()
            os._exit(sys.exc_info()[0] is not None)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    if moment in ("after the claim", "after the answer"):
        import time; time.sleep(0.5)  # the lease of the dead runs out
"""
KILLED = -signal.SIGKILL


def lives(url: str, receiver: Receiver, *moments: str) -> list[int]:
    """Run one process after the other; each dies at its moment. Returns exit codes."""
    done = subprocess.run(
        [sys.executable, "-c", FORK, url, receiver.discord_api, DISCORD, *moments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [int(code) for code in done.stdout.split()]


def test_an_alert_is_delivered_once_through_crashes_and_a_429(
    database: Database, warehouse_url: str, receiver: Receiver
) -> None:
    receiver.will_answer(429, {"Retry-After": "1"})
    moments = ["before the commit", "after the commit", "after the claim", "", ""]
    assert lives(warehouse_url, receiver, *moments) == [KILLED, KILLED, KILLED, 0, 0]
    assert [each.answered for each in receiver.posted] == [429], "the last process came before the second was over"
    time.sleep(1)
    assert lives(warehouse_url, receiver, "", "") == [0, 0]
    assert [each.answered for each in receiver.posted] == [429, 200]
    assert one(warehouse_url, "SELECT (status, receipt)::text FROM alert_outbox") == "(delivered,9002)"


@pytest.mark.parametrize("moment", ["before the commit", "after the commit", "after the claim"])
def test_a_process_killed_before_it_sent_costs_nothing(
    database: Database, warehouse_url: str, receiver: Receiver, moment: str
) -> None:
    assert lives(warehouse_url, receiver, moment, "", "") == [KILLED, 0, 0]
    assert len(receiver.posted) == 1


def test_a_kill_between_the_answer_and_the_commit_repeats_a_message_marked_as_a_repeat(
    database: Database, warehouse_url: str, receiver: Receiver
) -> None:
    assert lives(warehouse_url, receiver, "after the answer", "", "") == [KILLED, 0, 0]
    first, second = receiver.posted
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert "sent again" in second.embed["footer"]["text"]
    assert one(warehouse_url, "SELECT status FROM alert_outbox") == "delivered"
