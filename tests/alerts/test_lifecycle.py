"""What is told about an alert, and when: once at the opening, after 15 and 60 minutes, and at the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.alerts.lifecycle import QUIET_PERIOD, Alert, Sighting, Step, digested, resolved, seen, time_passed
from hd_pipelines.tables.vocabulary import AlertSeverity, AlertState, MessageKind

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
OPEN, REPEAT, ESCALATE, RESOLVE = MessageKind.OPEN, MessageKind.REPEAT, MessageKind.ESCALATE, MessageKind.RESOLVE


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def sighting(severity: AlertSeverity = AlertSeverity.ERROR, detail: str = "boom") -> Sighting:
    return Sighting("run_failed", "main", severity, "Run of main failed", detail, "Look at it.")


def see(alert: Alert | None, at: float, **changes: object) -> Step:
    return seen(alert, sighting(**changes), at=minutes(at), now=minutes(at))


def told(step: Step) -> list[tuple[MessageKind, int]]:
    return [(notice.kind, notice.number) for notice in step.notices]


def test_an_error_is_told_when_it_opens_and_when_it_is_over():
    opened = see(None, 0)
    assert told(opened) == [(OPEN, 1)]
    over = resolved(opened.alert, at=minutes(5), now=minutes(5))
    assert told(over) == [(RESOLVE, 1)]
    assert over.alert.state is AlertState.RESOLVED


def test_it_is_told_again_after_15_and_60_minutes_and_then_no_more():
    alert, heard = see(None, 0).alert, []
    for minute in range(1, 600):
        step = time_passed(alert, now=minutes(minute))
        alert = step.alert
        heard += [(minute, *each) for each in told(step)]
    assert heard == [(15, ESCALATE, 1), (60, ESCALATE, 2)]


def test_escalations_that_were_slept_through_are_one_message():
    step = time_passed(see(None, 0).alert, now=minutes(300))
    assert told(step) == [(ESCALATE, 2)]
    assert told(time_passed(step.alert, now=minutes(400))) == []


def test_a_failure_of_hours_ago_is_not_escalated_in_the_same_breath():
    late = seen(None, sighting(), at=minutes(-300), now=NOON)
    assert told(late) == [(OPEN, 1)]
    assert told(time_passed(late.alert, now=minutes(0.5))) == []
    assert told(time_passed(late.alert, now=minutes(15))) == [(ESCALATE, 2)]


def test_seen_again_while_open_it_is_told_after_the_quiet_period_only():
    alert, heard = see(None, 0).alert, []
    for minute in range(10, 600, 10):
        step = see(alert, minute)
        alert = step.alert
        heard += [(minute, *each) for each in told(step)]
    assert heard == [(240, REPEAT, 1), (480, REPEAT, 2)]
    assert alert.occurrences == 60
    assert timedelta(minutes=240) == QUIET_PERIOD


def test_one_that_comes_and_goes_is_told_twice_not_twenty_times():
    alert, heard = None, []
    for minute in range(40):
        step = see(alert, minute) if minute % 2 == 0 else resolved(alert, at=minutes(minute), now=minutes(minute))
        alert = step.alert
        heard += [(minute, *each) for each in told(step)]
    assert heard == [(0, OPEN, 1), (1, RESOLVE, 1), (16, OPEN, 1), (17, RESOLVE, 1), (32, OPEN, 1), (33, RESOLVE, 1)]


def test_one_that_returns_silently_and_stays_is_told_by_the_escalation():
    alert = see(None, 0).alert
    alert = resolved(alert, at=minutes(1), now=minutes(1)).alert
    returned = see(alert, 2)
    assert told(returned) == []
    assert told(time_passed(returned.alert, now=minutes(17))) == [(ESCALATE, 1)]


def test_one_that_returns_silently_and_goes_leaves_no_word():
    alert = resolved(see(None, 0).alert, at=minutes(1), now=minutes(1)).alert
    assert told(resolved(see(alert, 2).alert, at=minutes(3), now=minutes(3))) == []


def test_warnings_wait_for_the_digest_and_so_does_their_end():
    step = see(None, 0, severity=AlertSeverity.WARNING)
    assert told(step) == []
    assert step.alert.awaits_digest
    assert told(time_passed(step.alert, now=minutes(600))) == []
    named = digested(step.alert)
    assert not named.awaits_digest
    over = resolved(named, at=minutes(700), now=minutes(700))
    assert told(over) == []
    assert over.alert.awaits_digest


def test_a_warning_that_becomes_an_error_is_told_at_once_and_leaves_the_digest():
    step = see(see(None, 0, severity=AlertSeverity.WARNING).alert, 5)
    assert told(step) == [(OPEN, 1)]
    assert not step.alert.awaits_digest
    assert see(step.alert, 6, severity=AlertSeverity.WARNING).alert.severity is AlertSeverity.ERROR


def test_the_words_are_those_of_the_last_sighting():
    step = see(see(None, 0).alert, 5, detail="bang")
    assert (step.alert.detail, step.alert.occurrences) == ("bang", 2)


def test_a_report_that_is_repeated_after_a_crash_changes_nothing():
    first = see(None, 0).alert
    assert see(first, 0) == Step(first)
    over = resolved(first, at=minutes(5), now=minutes(5)).alert
    assert see(over, 0) == Step(over)
    assert see(over, 5) == Step(over)
    assert resolved(over, at=minutes(9), now=minutes(9)) == Step(over)


def test_news_of_an_end_that_is_older_than_the_last_sighting_is_no_end():
    alert = see(see(None, 0).alert, 10).alert
    assert resolved(alert, at=minutes(9), now=minutes(11)) == Step(alert)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["seen", "seen warning", "resolved", "time"]),
        st.sampled_from([0, 0.5, 1, 14, 15, 16, 60, 241]),
        st.booleans(),
    ),
    max_size=25,
)


@given(EVENTS)
def test_no_message_is_written_twice_and_no_long_error_is_never_told(events):
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
        final = time_passed(alert, now=minutes(clock + 30))
        assert final.alert.is_told, "open for half an hour, and nobody knows"
        opened = f":{alert.episode}:{OPEN}:1"
        assert sum(key.endswith(opened) for key in keys) <= 1


def _step(alert: Alert | None, event: str, clock: float) -> Step | None:
    if event.startswith("seen"):
        return see(alert, clock, severity=AlertSeverity.WARNING if "warning" in event else AlertSeverity.ERROR)
    if alert is None:
        return None
    now = minutes(clock)
    return resolved(alert, at=now, now=now) if event == "resolved" else time_passed(alert, now=now)


@pytest.mark.parametrize(("one", "other"), [("a b", "c"), ("a", "b c")])
def test_rule_and_subject_together_name_an_alert(one, other):
    same = [Sighting(rule, subject, AlertSeverity.ERROR, "t", "d", "c") for rule, subject in ((one, other), ("a", "b"))]
    assert same[0].alert_id != same[1].alert_id
    assert same[0].alert_id == Sighting(one, other, AlertSeverity.INFO, "x", "y", "z").alert_id
