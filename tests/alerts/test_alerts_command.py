"""`hd alerts`: what a person sees and can do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from hd_pipelines.alerts.lifecycle import Sighting
from hd_pipelines.alerts.redaction import Redactor
from hd_pipelines.cli import app
from hd_pipelines.cli.terminal import console
from hd_pipelines.notifier.channels import open_channels
from hd_pipelines.tables.vocabulary import AlertSeverity
from hd_pipelines.warehouse.records.alerts import AlertBook
from tests.notifier.conftest import DISCORD, OTHER_DISCORD

TOKEN = DISCORD.rpartition("/")[2]
FAILURE = Sighting("run_failed", "main 2026-11-20", AlertSeverity.ERROR, "Run of main failed", "[boom]", "Look at it.")


@pytest.fixture
def hd(monkeypatch, tmp_path, warehouse_url, discord):
    """Run `hd` with arguments on an installation with one Discord channel."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HD_DATABASE_URL", warehouse_url)
    monkeypatch.setenv("HD_ALERT_URLS", DISCORD)

    def run(*arguments):
        console.cache_clear()
        result = CliRunner().invoke(app, ["alerts", *arguments])
        console.cache_clear()
        assert TOKEN not in result.output
        return result

    return run


@pytest.fixture
def failure(database):
    """An open alert with its message, and its id."""
    now = datetime.now(UTC)
    with database.begin() as connection:
        names = [channel.name for channel in open_channels(DISCORD)]
        AlertBook(connection, names, Redactor(), now=now).observe(FAILURE, at=now)
    return FAILURE.alert_id


def test_an_installation_without_alerts(hd):
    result = hd()
    assert result.exit_code == 0
    assert "no open alerts" in result.output
    assert "never used" in result.output


def test_open_alerts_are_listed_with_what_to_do(hd, failure):
    output = hd("--wide").output
    for text in (failure[:8], "error", "Run of main failed: [boom]", "main 2026-11-20", "Look at it."):
        assert text in output


def test_a_test_message_reaches_every_channel_and_is_reported(hd, monkeypatch, discord):
    monkeypatch.setenv("HD_ALERT_URLS", f"{DISCORD} {OTHER_DISCORD}")
    result = hd("--test")
    assert result.exit_code == 0
    assert result.output.count("delivered, its message 900") == 2
    assert [each.embed["title"] for each in discord.accepted] == ["Test of the alert channels"] * 2


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [(404, {}, "refused: HTTP 404. The channel's address is gone"), (429, {"Retry-After": "9"}, "waiting: HTTP 429")],
)
def test_a_test_message_that_does_not_arrive_fails_with_the_reason(hd, discord, status, headers, text):
    discord.will_answer(status, headers)
    result = hd("--test")
    assert result.exit_code == 1
    assert text in result.output


def test_a_test_without_channels_is_refused(hd, monkeypatch):
    monkeypatch.delenv("HD_ALERT_URLS")
    result = hd("--test")
    assert result.exit_code == 2
    assert "HD_ALERT_URLS is not set" in result.stderr


def test_a_wrong_url_is_named_without_showing_it_and_the_others_go_on(hd, monkeypatch, discord):
    monkeypatch.setenv("HD_ALERT_URLS", f"discord://geheim {DISCORD}")
    result = hd()
    assert result.exit_code == 0
    assert "URL 1 of HD_ALERT_URLS (discord)" in result.output
    assert "geheim" not in result.output
    tested = hd("--test")
    assert tested.exit_code == 1
    assert len(discord.accepted) == 1


def test_an_alert_is_closed_by_the_beginning_of_its_id(hd, failure):
    assert "closed: Run of main failed" in hd("--close", failure[:8]).output
    assert "no open alerts" in hd().output
    assert hd("--close", failure[:8]).exit_code == 2


def test_what_was_given_up_gets_one_more_try(hd, failure, discord):
    discord.will_answer(403)
    assert hd("--resend").exit_code == 0
    assert discord.accepted == []
    assert "1 messages will be tried once more" in hd("--resend").output
    assert [each.embed["title"] for each in discord.accepted] == ["Run of main failed"]


def test_a_channel_in_trouble_is_shown(hd, discord):
    discord.will_answer(500)
    hd("--test")
    assert "failed 1 times: HTTP 500." in hd().output
    discord.script.clear()
