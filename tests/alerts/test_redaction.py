"""No secret and no mass mention is sent, whatever the text is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.alerts.redaction import MASK, Redactor, cut, find_secret_parts

CANARY = "c4nary-S3cret/with spaces&sign=1"
PLAIN = Redactor()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("POST https://discord.com/api/webhooks/4174/JHZ7lQml_277-CD failed", "JHZ7lQml_277-CD"),
        ("https://discordapp.com/api/v10/webhooks/4174/JHZ7lQml", "JHZ7lQml"),
        ("discord://4174296/JHZ7lQml?thread=1", "JHZ7lQml"),
        ("http://127.0.0.1:9/api/webhooks/4174/JHZ7lQml", "JHZ7lQml"),
        ("see https://hooks.slack.com/services/T1/B2/X9y8", "X9y8"),
        ("https://api.telegram.org/bot123456:AAF_x-y/sendMessage", "AAF_x-y"),
        ("postgresql://hd:pa55w0rd@localhost:5432/hd refused", "pa55w0rd"),
        ("postgresql://hd:p@ss@localhost/hd", "p@ss"),
        ("mailtos://me:geheim@mail.example/you@example.org", "geheim"),
        ("GET /v3/snapshot?apiKey=AbC123&limit=5", "AbC123"),
        ("{'api_key': 'AbC123'}", "AbC123"),
        ('{"access_token": "AbC123"}', "AbC123"),
        ("HD_VENDOR_API_KEY=AbC123 hd up", "AbC123"),
        ("HD_FLAT_FILES_SECRET_KEY: AbC123", "AbC123"),
        ("password=hunter2", "hunter2"),
        ("Authorization: Bearer abcdefgh.ijkl", "abcdefgh.ijkl"),
        ("X-Amz-Signature=0f3a9c", "0f3a9c"),
        ("slack token xoxb-12345678-abc", "12345678-abc"),
        ("key id AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("bot 123456789:AAFabcdefghijklmnopqrstuvwxyz0123456", "AAFabcdefghijklmnopqrstuvwxyz0123456"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, secret):
    clean = PLAIN.clean(text)
    assert secret not in clean
    assert MASK in clean


@pytest.mark.parametrize(
    "text",
    [
        "3 rows of 2026-11-20 break historical_bars_prices: Key (symbol)=(SPY) is there already",
        "stock_day_aggs: object us_stocks_sip/day_aggs_v1/2026/11/2026-11-20.csv.gz is absent",
        "https://docs.example.org/page#part",
        "4,505.10 above the call wall; tokens left: 5",
    ],
)
def test_plain_text_stays_as_it_is(text):
    assert PLAIN.clean(text) == text


def test_a_loaded_secret_is_masked_however_it_is_spelt():
    redactor = Redactor([CANARY])
    for text in (
        f"it is {CANARY}!",
        "it is c4nary-S3cret/with%20spaces%26sign%3D1!",
        "it is c4nary-S3cret%2Fwith+spaces%26sign%3D1!",
        f"split by a control character: {CANARY[:5]}\x00{CANARY[5:]}",
    ):
        assert "c4nary" not in redactor.clean(text), text


def test_the_longest_secret_wins_and_tiny_ones_are_left():
    assert Redactor(["secret", "secret-long", "ab"]).clean("cab secret-long secret") == f"cab {MASK} {MASK}"


@given(st.text(min_size=6, max_size=30), st.text(max_size=40), st.text(max_size=40))
def test_no_secret_survives_and_cleaning_twice_is_cleaning_once(secret, before, after):
    redactor = Redactor([secret])
    clean = redactor.clean(before + secret + after)
    printable = PLAIN.clean(secret)
    if printable == secret:
        assert secret not in clean or secret in MASK * 10
    assert redactor.clean(clean) == clean


@pytest.mark.parametrize(
    "mention",
    [
        "@everyone",
        "@here",
        "@Everyone",
        "@channel",
        "<@&123>",
        "<@123>",
        "<!channel>",
        "<!here>",
        "<!subteam^S1>",
        "<#9>",
    ],
)
@pytest.mark.parametrize("hidden_by", ["", "\u200b", "\x00", "\u202e"])
def test_mentions_are_removed_even_when_hidden(mention, hidden_by):
    clean = PLAIN.clean(f"look {mention[0]}{hidden_by}{mention[1:]} now")
    assert mention not in clean
    assert mention[1:] in clean, "the text stays readable"


def test_an_address_is_no_mention():
    assert PLAIN.clean("write to desk@example.org") == "write to desk@example.org"


def test_control_characters_go_and_lines_stay():
    assert PLAIN.clean("a\x1b[31mb\r\nc\td\u202e") == "a[31mb\nc d"


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("discord://4174296324183162/JHZ7lQml277CDH/?thread=12345678a", {"JHZ7lQml277CDH", "12345678a"}),
        ("tgram://123456789:AAFabcdefgh1/-100200", {"AAFabcdefgh1"}),
        ("mailtos://me:p%40ss@smtp.example.org?to=you@example.org", {"p%40ss", "p@ss"}),
        ("mailtos://smtp.example.org/you@example.org?user=me&pass=geheim", {"geheim"}),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts", {"T1JJ3T3L2", "TIiajkdnlazkcOXrIdevi7FQ"}),
    ],
)
def test_the_secret_parts_of_a_url(url, secrets):
    found = find_secret_parts(url)
    assert url in found
    assert secrets <= found
    assert not {"alerts", "smtp.example.org", "example.org"} & found


def test_cut_never_exceeds():
    assert [cut("abcdef", most) for most in (6, 5, 1)] == ["abcdef", "abcd…", "…"]
