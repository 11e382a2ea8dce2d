"""An alert reaches its channels once: through rate limits, refusals, silence and several deliverers at a time."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from hd_pipelines.alerts.lifecycle import Sighting
from hd_pipelines.alerts.messages import write_trial_message
from hd_pipelines.alerts.redaction import Redactor
from hd_pipelines.notifier import observed_http
from hd_pipelines.notifier.channels import DiscordChannel, open_channels
from hd_pipelines.notifier.delivery import deliver_due
from hd_pipelines.notifier.discord import RichDiscord
from hd_pipelines.tables.vocabulary import AlertSeverity
from hd_pipelines.warehouse.records.alert_channels import lift_holds, read_channel_states
from hd_pipelines.warehouse.records.alert_outbox import count_outbox, enqueue
from hd_pipelines.warehouse.records.alerts import AlertBook
from tests.notifier.conftest import DISCORD, OTHER_DISCORD
from tests.notifier.webhook_receiver import webhook_receiver
from tests.warehouse.bar_frames import one

REDACTOR = Redactor()
FAILURE = Sighting("run_failed", "main 2026-11-20", AlertSeverity.ERROR, "Run of main failed", "boom", "Look at it.")


@pytest.fixture
def round_of(database, clock):
    """Deliver what is due on the channels of these URLs."""

    def deliver(*urls, **options):
        return deliver_due(database, open_channels(" ".join(urls)), REDACTOR, clock=clock, **options)

    return deliver


@pytest.fixture
def write(database, clock):
    """Write test messages for the channels of these URLs."""

    def written(*urls, count=1, **options):
        names = [channel.name for channel in open_channels(" ".join(urls))]
        with database.begin() as connection:
            for number in range(count):
                message = write_trial_message(now=clock.now)
                enqueue(connection, f"test:{number}", message, names, REDACTOR, now=clock.now, **options)

    return written


def test_an_alert_is_delivered_once_through_a_429(database, clock, discord, round_of):
    discord.will_answer(429, {"Retry-After": "7", "Content-Type": "application/json"}, b'{"retry_after": 7.25}')
    names = [channel.name for channel in open_channels(DISCORD)]
    with database.begin() as connection:
        AlertBook(connection, names, REDACTOR, now=clock.now).observe(FAILURE, at=clock.now)
    (first,) = round_of(DISCORD)
    assert (first.delivered, first.failed, len(discord.posted)) == (0, 1, 1)
    assert first.rests_until == clock.now + timedelta(seconds=7.25)
    clock.advance(seconds=7.2)
    assert round_of(DISCORD)[0].delivered == 0
    assert len(discord.posted) == 1, "the receiver asked for 7.25 s of silence"
    clock.advance(seconds=0.1)
    assert round_of(DISCORD)[0].delivered == 1
    clock.advance(hours=1)
    assert round_of(DISCORD)[0].delivered == 0
    assert [each.embed["title"] for each in discord.accepted] == ["Run of main failed"]


def test_a_full_bucket_of_messages_never_exceeds_thirty_in_any_minute(database, clock, discord, round_of, write):
    write(DISCORD, count=45)
    sent_at = []
    for _ in range(150):
        before = len(discord.accepted)
        round_of(DISCORD)
        sent_at += [clock.now] * (len(discord.accepted) - before)
        clock.advance(seconds=1)
    assert len(sent_at) == 45
    busiest = max(sum(begin <= at < begin + timedelta(minutes=1) for at in sent_at) for begin in sent_at)
    assert busiest <= 30
    assert max(sent_at.count(at) for at in sent_at) <= 5


def test_a_bucket_that_discord_calls_empty_is_left_alone_until_it_fills(clock, discord, round_of, write):
    discord.will_answer(204, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "2.5"})
    write(DISCORD, count=2)
    assert round_of(DISCORD)[0].delivered == 1
    clock.advance(seconds=2.4)
    assert round_of(DISCORD)[0].delivered == 0
    clock.advance(seconds=0.2)
    assert round_of(DISCORD)[0].delivered == 1


def test_a_hold_binds_messages_that_come_later_and_processes_that_start_later(clock, discord, round_of, write):
    discord.will_answer(429, {"Retry-After": "60"})
    write(DISCORD, count=1)
    round_of(DISCORD)
    clock.advance(seconds=30)
    write(DISCORD, count=3)
    round_of(DISCORD)
    assert len(discord.posted) == 1


def test_a_receiver_that_asks_for_millennia_is_asked_again_after_an_hour(clock, discord, round_of, write):
    write(DISCORD)
    discord.will_answer(429, {"Retry-After": "99999999999"})
    round_of(DISCORD)
    clock.advance(minutes=59)
    round_of(DISCORD)
    assert discord.accepted == []
    clock.advance(minutes=2)
    round_of(DISCORD)
    assert len(discord.accepted) == 1


def test_a_lifted_hold_lets_new_messages_through_at_once(database, clock, discord, round_of, write):
    write(DISCORD)
    discord.will_answer(429, {"Retry-After": "3000"})
    round_of(DISCORD)
    names = [channel.name for channel in open_channels(DISCORD)]
    with database.begin() as connection:
        assert lift_holds(connection, names) == 1
        enqueue(connection, "another", write_trial_message(now=clock.now), names, REDACTOR, now=clock.now)
    round_of(DISCORD)
    assert len(discord.accepted) == 1


@pytest.mark.parametrize(
    "body",
    [b'{"retry_after": %s}' % (b"9" * 400), b"[" * 60_000, b'{"id": {"a": []}}', b'{"parameters": 7}', b"nonsense"],
)
def test_a_strange_answer_neither_ends_a_round_nor_sends_again(clock, discord, round_of, write, body):
    write(DISCORD)
    discord.will_answer(200, {"Content-Type": "application/json"}, body)
    (report,) = round_of(DISCORD)
    assert report.delivered == 1
    clock.advance(minutes=10)
    round_of(DISCORD)
    assert len(discord.posted) == 1


def test_a_channel_whose_plugin_fails_leaves_the_other_channels_alone(clock, discord, round_of, write, monkeypatch):
    write(DISCORD, OTHER_DISCORD)
    broken = open_channels(DISCORD)[0].name
    send = DiscordChannel.send

    def send_some(self, *given, **named):
        if self.name == broken:
            raise LookupError("a plugin's defect")
        return send(self, *given, **named)

    monkeypatch.setattr(DiscordChannel, "send", send_some)
    reports = {report.channel: report for report in round_of(DISCORD, OTHER_DISCORD)}
    assert "LookupError" in reports[broken].complaint
    assert len(discord.accepted) == 1


def test_a_limited_channel_does_not_hold_up_the_others(database, clock, discord, round_of, write, warehouse_url):
    discord.will_answer(429, {"Retry-After": "600"})
    write(DISCORD, OTHER_DISCORD)
    reports = round_of(DISCORD, OTHER_DISCORD)
    assert sorted(report.delivered for report in reports) == [0, 1]
    clock.advance(seconds=601)
    assert sum(report.delivered for report in round_of(DISCORD, OTHER_DISCORD)) == 1
    assert one(warehouse_url, "SELECT count(*) FROM alert_outbox WHERE status = 'delivered'") == 2
    assert len(discord.accepted) == 2


def test_a_channel_that_never_answers_does_not_hold_up_the_others(monkeypatch, discord, round_of, write):
    monkeypatch.setattr(observed_http, "READ_SECONDS", 0.3)
    slow = discord.url.replace("http://", "json://") + "/slow"
    write(slow)
    write(DISCORD)
    discord.will_answer(0)
    reports = {report.channel.split("-")[0]: report for report in round_of(slow, DISCORD)}
    assert sum(report.delivered for report in reports.values()) == 1
    assert sum(report.failed for report in reports.values()) == 1


def test_a_retry_after_no_answer_is_marked_as_a_possible_repeat(clock, monkeypatch, discord, round_of, write):
    monkeypatch.setattr(observed_http, "READ_SECONDS", 0.2)
    discord.will_answer(0)
    write(DISCORD)
    assert round_of(DISCORD)[0].failed == 1
    clock.advance(seconds=31)
    assert round_of(DISCORD)[0].delivered == 1
    first, second = discord.posted
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert "sent again" not in first.embed["footer"]["text"]
    assert "sent again" in second.embed["footer"]["text"]


def test_what_may_have_arrived_once_stays_a_possible_repeat(clock, monkeypatch, discord, round_of, write):
    monkeypatch.setattr(observed_http, "READ_SECONDS", 0.2)
    for status in (0, 503):
        discord.will_answer(status)
    write(DISCORD)
    for _ in range(3):
        round_of(DISCORD)
        clock.advance(minutes=5)
    assert ["sent again" in each.embed["footer"]["text"] for each in discord.posted] == [False, True, True]


def test_a_clear_refusal_by_the_network_is_no_repeat(clock, discord, round_of, write, monkeypatch):
    monkeypatch.setattr(RichDiscord, "notify_url", "http://127.0.0.1:1/api/webhooks")
    write(DISCORD)
    assert round_of(DISCORD)[0].failed == 1
    monkeypatch.setattr(RichDiscord, "notify_url", discord.discord_api)
    clock.advance(seconds=31)
    assert round_of(DISCORD)[0].delivered == 1
    assert "sent again" not in discord.posted[0].embed["footer"]["text"]


def test_a_failing_receiver_is_asked_less_and_less_often_and_given_up_after_a_day(
    clock, discord, round_of, write, warehouse_url
):
    discord.script += [(503, {}, b"")] * 500
    write(DISCORD)
    tried_at = []
    while clock.now.day < 22:
        before = len(discord.posted)
        round_of(DISCORD)
        tried_at += [clock.now] * (len(discord.posted) - before)
        clock.advance(minutes=10)
    waits = [(b - a).total_seconds() / 60 for a, b in itertools.pairwise(tried_at)]
    assert waits == sorted(waits)
    assert waits[-1] == 30
    assert tried_at[-1] - tried_at[0] <= timedelta(hours=24)
    assert one(warehouse_url, "SELECT (status, last_error)::text FROM alert_outbox") == '(dead,"HTTP 503.")'


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_a_message_that_will_never_be_taken_is_given_up_at_once_with_the_reason(
    status, clock, discord, round_of, write, warehouse_url
):
    discord.will_answer(status)
    write(DISCORD, count=2)
    report = round_of(DISCORD)[0]
    assert (report.delivered, report.dead) == (1, 1), "the next message is another matter"
    last_error_text = one(warehouse_url, "SELECT last_error FROM alert_outbox WHERE status = 'dead'")
    assert f"HTTP {status}" in str(last_error_text)


def test_a_redirect_is_not_followed(discord, round_of, write):
    with webhook_receiver() as elsewhere:
        discord.will_answer(307, {"Location": f"{elsewhere.url}/stolen"})
        write(DISCORD)
        assert round_of(DISCORD)[0].dead == 1
        assert elsewhere.posted == []


def test_four_deliverers_at_once_deliver_once(database, clock, discord, write):
    write(DISCORD, OTHER_DISCORD, count=5)
    channels = open_channels(f"{DISCORD} {OTHER_DISCORD}")
    with ThreadPoolExecutor(4) as pool:
        rounds = [pool.submit(deliver_due, database, channels, REDACTOR, clock=clock) for _ in range(4)]
    assert sum(report.delivered for round_ in rounds for report in round_.result()) == 10
    assert len(discord.accepted) == 10
    assert len({each.headers["Idempotency-Key"] for each in discord.posted}) == 10


def test_the_resolution_never_arrives_before_the_opening(database, clock, discord, round_of):
    names = [channel.name for channel in open_channels(DISCORD)]
    discord.will_answer(503)
    with database.begin() as connection:
        AlertBook(connection, names, REDACTOR, now=clock.now).observe(FAILURE, at=clock.now)
    round_of(DISCORD)
    clock.advance(seconds=10)  # the opening waits for its second try
    with database.begin() as connection:
        AlertBook(connection, names, REDACTOR, now=clock.now).resolve(FAILURE.rule, FAILURE.subject, at=clock.now)
    assert round_of(DISCORD)[0].delivered == 0
    clock.advance(seconds=60)
    assert round_of(DISCORD)[0].delivered == 2
    assert [each.embed["title"] for each in discord.accepted] == ["Run of main failed", "Resolved: Run of main failed"]


def test_what_expired_is_not_sent(clock, discord, round_of, write, warehouse_url):
    write(DISCORD, expires_at=clock.now + timedelta(minutes=5))
    clock.advance(minutes=6)
    round_of(DISCORD)
    assert discord.posted == []
    assert one(warehouse_url, "SELECT last_error FROM alert_outbox") == "It expired before the channel took it."


def test_messages_of_a_removed_channel_are_given_up_after_a_day_with_a_reason(
    database, clock, discord, round_of, write, warehouse_url
):
    write(DISCORD)
    clock.advance(hours=23)
    round_of(OTHER_DISCORD)
    assert one(warehouse_url, "SELECT status FROM alert_outbox") == "pending"
    clock.advance(hours=2)
    round_of(OTHER_DISCORD)
    assert one(warehouse_url, "SELECT last_error FROM alert_outbox") == "Its channel is no longer in HD_ALERT_URLS."


def test_the_state_of_a_channel_can_be_read(database, clock, discord, round_of, write):
    discord.will_answer(500)
    write(DISCORD)
    round_of(DISCORD)
    name = open_channels(DISCORD)[0].name
    with database.connect() as connection:
        state = read_channel_states(connection)[name]
        assert count_outbox(connection) == {(name, "pending"): 1}
    assert (state.failures, state.last_error, state.last_delivered_at) == (1, "HTTP 500.", None)
    clock.advance(minutes=1)
    round_of(DISCORD)
    with database.connect() as connection:
        state = read_channel_states(connection)[name]
    assert (state.failures, state.last_error, state.last_delivered_at) == (0, None, clock.now)


def test_a_round_without_messages_costs_no_tokens(clock, discord, round_of, write):
    for _ in range(20):
        round_of(DISCORD)
    write(DISCORD, count=5)
    assert round_of(DISCORD)[0].delivered == 5


def test_no_channel_nothing_happens(database, clock):
    assert deliver_due(database, [], REDACTOR, clock=clock) == []
