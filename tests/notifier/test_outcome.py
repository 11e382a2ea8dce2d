"""Every answer of a receiver is classified as delivered, to be retried, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hd_pipelines.notifier.outcome import DEFAULT_HOLD, Answer, Outcome, Verdict, classify_attempt, find_rest

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
OK, LIMITED, BROKEN = Answer(204, {}), Answer(429, {"Retry-After": "3"}), Answer(502, {})


def classify(*answers: Answer, is_sent: bool = False, may_have_it: bool = False) -> Outcome:
    return classify_attempt(answers, is_sent=is_sent, may_have_it=may_have_it, detail="the plugin's words", now=NOW)


@pytest.mark.parametrize(
    ("headers", "wait", "seconds"),
    [
        ({"Retry-After": "7"}, None, 7),
        ({"retry-after": "0.35"}, None, 0.35),
        ({"Retry-After": "Fri, 20 Nov 2026 15:00:09 GMT"}, None, 9),
        ({"Retry-After": "Fri, 20 Nov 2026 14:00:00 GMT"}, None, 0),
        ({"Retry-After": "soon"}, None, None),
        ({"Retry-After": "-3"}, None, None),
        ({"Retry-After": "nan"}, None, None),
        ({"Retry-After": "inf"}, None, None),
        ({"Retry-After": "7"}, 7.25, 7.25),
        ({}, 12.0, 12),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "2.5"}, None, 2.5),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset-After": "2.5"}, None, None),
        ({}, None, None),
    ],
)
def test_how_long_a_receiver_wants_silence(headers, wait, seconds):
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert find_rest(Answer(429, headers, wait), NOW) == expected


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (429, Verdict.LIMITED),
        *((status, Verdict.REFUSED) for status in (301, 307, 400, 401, 403, 404, 405, 410, 413, 415, 422)),
        *((status, Verdict.FAILED) for status in (408, 409, 425, 500, 502, 503, 504)),
        *((status, Verdict.DELIVERED) for status in (200, 201, 202, 204)),
    ],
)
def test_what_a_status_means(status, verdict):
    assert classify(Answer(status, {}), is_sent=status < 300).verdict is verdict


def test_a_429_without_a_wait_rests_all_the_same():
    assert classify(Answer(429, {})).rest == DEFAULT_HOLD


def test_an_accepted_text_is_delivered_although_its_picture_failed():
    outcome = classify(OK, BROKEN)
    assert outcome.verdict is Verdict.DELIVERED
    assert "Only a part arrived" in outcome.detail
    assert classify(OK, LIMITED).rest == timedelta(seconds=3), "and the wish for silence counts"


def test_no_answer_at_all():
    assert classify(may_have_it=True).verdict is Verdict.UNKNOWN
    assert classify(may_have_it=False).verdict is Verdict.FAILED
    assert classify(is_sent=True).verdict is Verdict.DELIVERED, "a channel without HTTP"


def test_the_receipt_is_kept():
    assert classify(Answer(200, {}, receipt="9001"), is_sent=True).receipt == "9001"


def test_a_remedy_is_named_where_there_is_one():
    assert "HD_ALERT_URLS" in classify(Answer(404, {})).detail
    assert classify(Answer(500, {})).detail == "HTTP 500. the plugin's words"
