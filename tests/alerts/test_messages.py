"""Messages survive the outbox, fit within limits, and name prices, rules and remedies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hd_pipelines.alerts.digest import find_digest_slot
from hd_pipelines.alerts.lifecycle import Sighting, escalate, observe, resolve
from hd_pipelines.alerts.messages import Field, Message, write_alert_message, write_digest_message, write_trial_message
from hd_pipelines.alerts.redaction import BODY, FIELD_VALUE, FIELDS, TITLE, Redactor
from hd_pipelines.alerts.signal_message import (
    SignalNotice,
    format_contract,
    format_price,
    list_reasons,
    write_signal_message,
)
from hd_pipelines.tables.vocabulary import AlertSeverity, MessageKind

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
FAILURE = Sighting("run_failed", "main 2026-11-20", AlertSeverity.ERROR, "Run of main failed", "boom", "Look.", "r-1")
SIGNAL = SignalNotice(
    signal_id="ab" * 16,
    symbol="SPY",
    detector="trend_continuation",
    direction="LONG",
    style="day_trade",
    score=78.4,
    entry=Decimal("650.10"),
    stop=Decimal("648.00"),
    targets=(Decimal("652.2"), Decimal("654.30"), Decimal(657)),
    risk_reward=2.0,
    valid_until=NOON + timedelta(hours=1),
    bar_time=NOON,
    context_line="IV 23rd pctl · short gamma STRONG",
    contract="O:SPY261120C00650500",
    reasons=("above vwap", "caution: chain too old"),
)


def test_a_message_comes_out_of_the_outbox_as_it_went_in():
    for message in (write_trial_message(now=NOON), write_signal_message(SIGNAL)):
        assert Message.from_document(message.document()) == message


def test_messages_about_an_alert_from_beginning_to_end():
    opened = observe(None, FAILURE, at=NOON, now=NOON)
    first = write_alert_message(opened.alert, opened.notices[0], now=NOON)
    assert (first.title, first.body, first.severity) == ("Run of main failed", "boom", AlertSeverity.ERROR)
    assert {field.name for field in first.fields} == {"Rule", "Concerns", "Open for", "What to do", "Run"}
    quarter = NOON + timedelta(minutes=15)
    escalated = escalate(opened.alert, now=quarter)
    second = write_alert_message(escalated.alert, escalated.notices[0], now=quarter)
    assert second.title == "Still open: Run of main failed"
    assert "Open for: 15 min" in second.plain_text()
    over = resolve(escalated.alert, at=NOON + timedelta(minutes=130), now=NOON + timedelta(minutes=131))
    last = write_alert_message(over.alert, over.notices[0], now=NOON + timedelta(minutes=131))
    assert last.title == "Resolved: Run of main failed"
    assert "Was open for: 2 h 10 min" in last.plain_text()
    assert "What to do" not in last.plain_text()


def test_a_digest_names_open_ones_first_and_counts_the_rest():
    warnings = [
        observe(None, replace(FAILURE, subject=f"s{n:02}", severity=AlertSeverity.WARNING), at=NOON, now=NOON).alert
        for n in range(30)
    ]
    warnings[29] = resolve(warnings[29], at=NOON, now=NOON).alert
    message = write_digest_message(warnings, at=NOON)
    assert message.title == "30 warnings, 29 open"
    assert message.body.count("\n") == 20
    assert message.body.endswith("and 10 more; `hd alerts` lists those that are open")
    assert "over:" not in message.body


def test_a_message_is_cut_to_what_channels_show():
    huge = Message(
        MessageKind.OPEN,
        AlertSeverity.ERROR,
        "t" * 999,
        "b" * 9999,
        tuple(Field(f"n{n}", "v" * 5000) for n in range(60)),
        NOON,
        "f" * 999,
    )
    small = Redactor().clean_message(huge)
    assert (len(small.title), len(small.body), len(small.fields)) == (TITLE, BODY, FIELDS)
    assert {len(field.value) for field in small.fields} == {FIELD_VALUE}


def test_a_signal_gives_action_price_holding_time_and_reasons():
    message = write_signal_message(SIGNAL)
    assert message.title == "▲ SPY long: trend continuation, score 78"
    assert message.body.splitlines() == [
        "IV 23rd pctl · short gamma STRONG",
        "• above vwap",
        "• caution: chain too old",
    ]
    assert {field.name: field.value for field in message.fields} == {
        "Style": "day trade",
        "Entry": "650.10",
        "Stop": "648.00 (-0.32 %)",
        "Target 1": "652.20 (+0.32 %)",
        "Target 2": "654.30 (+0.65 %)",
        "Target 3": "657.00 (+1.06 %)",
        "R:R": "2.00",
        "Valid until": "2026-11-20 13:00 New York",
        "Contract": "SPY 2026-11-20 650.5 call",
    }


def test_a_signal_without_contract_context_or_reasons_leaves_them_out():
    message = write_signal_message(replace(SIGNAL, contract=None, context_line="", reasons=()))
    assert message.body == ""
    assert "Contract" not in {field.name for field in message.fields}


@pytest.mark.parametrize(
    ("value", "text"), [("4505.1", "4,505.10"), ("0.0525", "0.0525"), ("650", "650.00"), ("12.34000", "12.34")]
)
def test_prices_are_written_without_needless_zeros(value, text):
    assert format_price(Decimal(value)) == text


def test_contracts_are_written_for_people():
    assert format_contract("O:SPXW261120P04500000") == "SPXW 2026-11-20 4500 put"
    with pytest.raises(ValueError, match="no contract"):
        format_contract("no contract")


def test_reasons_are_the_conditions_that_held_and_what_to_be_wary_of():
    explanation = {
        "detector": {
            "conditions": [
                {"name": "above_vwap", "kind": "condition", "passes": True},
                {"name": "volume_spike", "kind": "condition", "passes": False},
                {"name": "halted", "kind": "veto", "passes": True},
            ]
        },
        "labels": ["chain_too_old"],
    }
    assert list_reasons(explanation) == ("above vwap", "caution: chain too old")
    assert list_reasons({}) == ()


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        (datetime(2026, 11, 20, 13, 29, tzinfo=UTC), datetime(2026, 11, 19, 23, 0, tzinfo=UTC)),
        (datetime(2026, 11, 20, 13, 30, tzinfo=UTC), datetime(2026, 11, 20, 13, 30, tzinfo=UTC)),
        (datetime(2026, 11, 20, 22, 59, tzinfo=UTC), datetime(2026, 11, 20, 13, 30, tzinfo=UTC)),
        (datetime(2026, 7, 1, 12, 30, tzinfo=UTC), datetime(2026, 7, 1, 12, 30, tzinfo=UTC)),  # summer time
        (datetime(2026, 11, 20, 2, 0, tzinfo=UTC), datetime(2026, 11, 19, 23, 0, tzinfo=UTC)),
    ],
)
def test_digests_come_before_the_open_and_after_the_evening_load(now, slot):
    assert find_digest_slot(now) == slot
