"""Addresses of this machine, and waits that an answer asks for, in every form that was seen or can be thought of."""

from datetime import UTC, datetime

import pytest

from hd_pipelines.providers.http import is_loopback, parse_retry_after

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("http://127.0.0.1:9000", True),
        ("http://127.8.0.1", True),
        ("http://[::1]:9000/path", True),
        ("http://localhost:9000", True),
        ("http://sandbox.localhost", True),
        ("https://api.massive.com", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://192.168.0.1", False),
        ("nonsense", False),
    ],
)
def test_only_this_machine_is_loopback(url, is_ours):
    assert is_loopback(url) == is_ours


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0.75", 0.75),
        ("99999999999", 99999999999.0),
        ("Tue, 24 Nov 2026 15:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 14:00:00 GMT", 0.0),
        ("Tue, 24 Nov 2026 15:00:30", 30.0),
        ("²", None),
        ("٣", None),
        ("-5", None),
        ("1e400", None),
        ("nan", None),
        ("1.2.3", None),
        ("", None),
        ("soon", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Tue, 99 Nov 2026 15:00:30 GMT", None),
    ],
)
def test_a_retry_after_is_read_or_ignored_and_never_ends_the_caller(header, seconds):
    assert parse_retry_after(header, NOW) == seconds


def test_a_number_of_four_hundred_digits_is_ignored():
    assert parse_retry_after("9" * 400, NOW) is None
