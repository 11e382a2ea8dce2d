"""Discord: one request per message, within its limits, without mentions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hd_pipelines.alerts.messages import Field, Message, write_trial_message
from hd_pipelines.alerts.redaction import Redactor
from hd_pipelines.notifier.channels import open_channels
from hd_pipelines.notifier.discord import (
    DESCRIPTION,
    FIELDS,
    FOOTER,
    NAME,
    TITLE,
    TOTAL,
    VALUE,
    build_embed,
    escape_markup,
)
from hd_pipelines.notifier.outcome import Verdict
from hd_pipelines.tables.vocabulary import AlertSeverity, MessageKind
from tests.notifier.conftest import DISCORD, Clock

MESSAGE = write_trial_message(now=Clock().now)
TEXT = st.text(st.sampled_from("a_*`[]\\|~ \n#>"), max_size=4000)


def send(url=DISCORD, message=MESSAGE, picture=None):
    (channel,) = open_channels(url)
    return channel.send(message, picture, message_id="cd" * 16, is_repeat=False)


def test_text_and_picture_travel_in_one_request(discord):
    assert send(picture=b"\x89PNG picture").verdict is Verdict.DELIVERED
    (posted,) = discord.posted
    assert posted.files == {"files[0]": b"\x89PNG picture"}
    assert posted.embed["image"] == {"url": "attachment://chart.png"}
    assert posted.document["attachments"] == [{"id": 0, "filename": "chart.png"}]


def test_discord_is_asked_to_confirm_and_its_name_for_the_message_is_kept(discord):
    assert send().receipt == "9001"
    assert discord.posted[0].query == "wait=true"
    assert discord.posted[0].path == "/api/webhooks/4174296324183162/JHZ7lQml277CDHmQKMHI8qBe7bk2ZwO5UKjCiOAF"


def test_parameters_of_the_url_are_honoured(discord):
    send(DISCORD.replace("discord://", "discord://Desk@") + "?thread=77&flags=4096")
    assert discord.posted[0].query == "wait=true&thread_id=77"
    assert (discord.posted[0].document["username"], discord.posted[0].document["flags"]) == ("Desk", 4096)


def test_mentions_are_forbidden_whatever_the_text(discord):
    send(message=Redactor().clean_message(replace(MESSAGE, title="@everyone", body="<@&1> @here")))
    assert discord.posted[0].document["allowed_mentions"] == {"parse": []}
    assert "@everyone" not in str(discord.posted[0].document)
    assert "content" not in discord.posted[0].document


@pytest.mark.parametrize(
    ("plain", "shown"),
    [
        ("historical_bars_y2026m11", r"historical\_bars\_y2026m11"),
        ("a*b `c` ~d~", r"a\*b \`c\` \~d\~"),
        ("[cheap](http://evil)", r"\[cheap\](http://evil)"),
        ("# head\n> quote\n- item", "\\# head\n\\> quote\n\\- item"),
        ("a|b ||hidden||", "a|b \\||hidden\\||"),
        ("1. first, -3 %, 5 > 4", "1. first, -3 %, 5 > 4"),
    ],
)
def test_markup_in_somebodys_text_is_shown_and_not_obeyed(plain, shown):
    assert escape_markup(plain) == shown


@given(title=TEXT, body=TEXT, fields=st.lists(st.tuples(TEXT, TEXT), max_size=30), footer=TEXT)
def test_an_embed_is_never_larger_than_discord_allows(title, body, fields, footer):
    message = Message(
        MessageKind.OPEN,
        AlertSeverity.ERROR,
        title,
        body,
        tuple(Field(name, value) for name, value in fields),
        MESSAGE.at,
        footer,
    )
    laid_out = build_embed(message, has_picture=False, small_print="delivery 1")
    assert len(laid_out["title"]) <= TITLE
    assert len(laid_out["description"]) <= DESCRIPTION
    assert len(laid_out["fields"]) <= FIELDS
    assert len(laid_out["footer"]["text"]) <= FOOTER
    assert all(len(field["name"]) <= NAME and len(field["value"]) <= VALUE for field in laid_out["fields"])
    texts = [laid_out["title"], laid_out["description"], laid_out["footer"]["text"]]
    texts += [field[part] for field in laid_out["fields"] for part in ("name", "value")]
    assert sum(map(len, texts)) <= TOTAL


def test_severities_have_their_colours_and_an_end_is_green():
    colours = {
        build_embed(replace(MESSAGE, severity=severity), has_picture=False, small_print="")["color"]
        for severity in AlertSeverity
    }
    end = build_embed(replace(MESSAGE, kind=MessageKind.RESOLVE), has_picture=False, small_print="")["color"]
    assert len({*colours, end}) == 5
