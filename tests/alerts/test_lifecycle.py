"""Which messages an alert sends, and when: once at the opening, after 15 and 60 minutes, and at the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.alerts.lifecycle import QUIET_PERIOD, Alert, Sighting, Step, clear_digest, escalate, observe, resolve
from hd_pipelines.tables.vocabulary import AlertSeverity, AlertState, MessageKind

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
OPEN, REPEAT, ESCALATE, RESOLVE = MessageKind.OPEN, MessageKind.REPEAT, MessageKind.ESCALATE, MessageKind.RESOLVE


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def sighting(severity: AlertSeverity = AlertSeverity.ERROR, detail: str = "boom") -> Sighting:
    return Sighting("run_failed", "main", severity, "Run of main failed", detail, "Look at it.")


def see(alert: Alert | None, at: float, **changes: object) -> Step:
    return observe(alert, sighting(**changes), at=minutes(at), now=minutes(at))


def list_notices(step: Step) -> list[tuple[MessageKind, int]]:
    return [(notice.kind, notice.number) for notice in step.notices]


def test_an_error_is_sent_when_it_opens_and_when_it_is_over():
    opened = see(None, 0)
    assert list_notices(opened) == [(OPEN, 1)]
    over = resolve(opened.alert, at=minutes(5), now=minutes(5))
    assert list_notices(over) == [(RESOLVE, 1)]
    assert over.alert.state is AlertState.RESOLVED


def test_it_is_sent_again_after_15_and_60_minutes_and_then_no_more():
    alert, heard = see(None, 0).alert, []
    for minute in range(1, 600):
        step = escalate(alert, now=minutes(minute))
        alert = step.alert
        heard += [(minute, *each) for each in list_notices(step)]
    assert heard == [(15, ESCALATE, 1), (60, ESCALATE, 2)]


def test_escalations_that_were_slept_through_are_one_message():
    step = escalate(see(None, 0).alert, now=minutes(300))
    assert list_notices(step) == [(ESCALATE, 2)]
    assert list_notices(escalate(step.alert, now=minutes(400))) == []


def test_a_failure_of_hours_ago_is_not_escalated_in_the_same_breath():
    late = observe(None, sighting(), at=minutes(-300), now=NOON)
    assert list_notices(late) == [(OPEN, 1)]
    assert list_notices(escalate(late.alert, now=minutes(0.5))) == []
    assert list_notices(escalate(late.alert, now=minutes(15))) == [(ESCALATE, 2)]


def test_seen_again_while_open_it_is_sent_after_the_quiet_period_only():
    alert, heard = see(None, 0).alert, []
    for minute in range(10, 600, 10):
        step = see(alert, minute)
        alert = step.alert
        heard += [(minute, *each) for each in list_notices(step)]
    assert heard == [(240, REPEAT, 1), (480, REPEAT, 2)]
    assert alert.occurrences == 60
    assert timedelta(minutes=240) == QUIET_PERIOD


def test_one_that_comes_and_goes_is_sent_twice_not_twenty_times():
    alert, heard = None, []
    for minute in range(40):
        step = see(alert, minute) if minute % 2 == 0 else resolve(alert, at=minutes(minute), now=minutes(minute))
        alert = step.alert
        heard += [(minute, *each) for each in list_notices(step)]
    assert heard == [(0, OPEN, 1), (1, RESOLVE, 1), (16, OPEN, 1), (17, RESOLVE, 1), (32, OPEN, 1), (33, RESOLVE, 1)]


def test_one_that_returns_silently_and_stays_is_sent_by_the_escalation():
    alert = see(None, 0).alert
    alert = resolve(alert, at=minutes(1), now=minutes(1)).alert
    returned = see(alert, 2)
    assert list_notices(returned) == []
    assert list_notices(escalate(returned.alert, now=minutes(17))) == [(ESCALATE, 1)]


def test_an_alert_that_returns_silently_and_closes_sends_nothing():
    alert = resolve(see(None, 0).alert, at=minutes(1), now=minutes(1)).alert
    assert list_notices(resolve(see(alert, 2).alert, at=minutes(3), now=minutes(3))) == []


def test_warnings_wait_for_the_digest_and_so_does_their_end():
    step = see(None, 0, severity=AlertSeverity.WARNING)
    assert list_notices(step) == []
    assert step.alert.awaits_digest
    assert list_notices(escalate(step.alert, now=minutes(600))) == []
    named = clear_digest(step.alert)
    assert not named.awaits_digest
    over = resolve(named, at=minutes(700), now=minutes(700))
    assert list_notices(over) == []
    assert over.alert.awaits_digest


def test_a_warning_that_becomes_an_error_is_sent_at_once_and_leaves_the_digest():
    step = see(see(None, 0, severity=AlertSeverity.WARNING).alert, 5)
    assert list_notices(step) == [(OPEN, 1)]
    assert not step.alert.awaits_digest
    assert see(step.alert, 6, severity=AlertSeverity.WARNING).alert.severity is AlertSeverity.ERROR


def test_the_text_is_that_of_the_last_sighting():
    step = see(see(None, 0).alert, 5, detail="bang")
    assert (step.alert.detail, step.alert.occurrences) == ("bang", 2)


def test_a_report_that_is_repeated_after_a_crash_changes_nothing():
    first = see(None, 0).alert
    assert see(first, 0) == Step(first)
    over = resolve(first, at=minutes(5), now=minutes(5)).alert
    assert see(over, 0) == Step(over)
    assert see(over, 5) == Step(over)
    assert resolve(over, at=minutes(9), now=minutes(9)) == Step(over)


def test_news_of_an_end_that_is_older_than_the_last_sighting_is_no_end():
    alert = see(see(None, 0).alert, 10).alert
    assert resolve(alert, at=minutes(9), now=minutes(11)) == Step(alert)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["seen", "seen warning", "resolved", "time"]),
        st.sampled_from([0, 0.5, 1, 14, 15, 16, 60, 241]),
        st.booleans(),
    ),
    max_size=25,
)


@given(EVENTS)
def test_no_message_is_written_twice_and_no_long_error_is_never_sent(events):
    """`booleans`: the reporter crashes afterwards and reports the same again."""
    alert: Alert | None = None
    clock, keys = 0.0, []
    for event, later, reported_twice in events:
        clock += later
        for _ in range(1 + reported_twice):
            step = _step(alert, event, clock)
            if step is None:
                continue
            alert = step.alert
            keys += [notice.event_key for notice in step.notices]
    assert len(keys) == len(set(keys))
    if alert is not None and alert.is_open and alert.severity.is_told_at_once:
        final = escalate(alert, now=minutes(clock + 30))
        assert final.alert.is_sent, "open for half an hour, and nobody knows"
        opened = f":{alert.episode}:{OPEN}:1"
        assert sum(key.endswith(opened) for key in keys) <= 1


def _step(alert: Alert | None, event: str, clock: float) -> Step | None:
    if event.startswith("seen"):
        return see(alert, clock, severity=AlertSeverity.WARNING if "warning" in event else AlertSeverity.ERROR)
    if alert is None:
        return None
    now = minutes(clock)
    return resolve(alert, at=now, now=now) if event == "resolved" else escalate(alert, now=now)


@pytest.mark.parametrize(("one", "other"), [("a b", "c"), ("a", "b c")])
def test_rule_and_subject_together_name_an_alert(one, other):
    same = [Sighting(rule, subject, AlertSeverity.ERROR, "t", "d", "c") for rule, subject in ((one, other), ("a", "b"))]
    assert same[0].alert_id != same[1].alert_id
    assert same[0].alert_id == Sighting(one, other, AlertSeverity.INFO, "x", "y", "z").alert_id
