"""HD_ALERT_URLS: which URLs are accepted, and that no output reveals them."""

from __future__ import annotations

import logging

import pytest

from hd_pipelines.alerts.messages import write_trial_message
from hd_pipelines.alerts.redaction import Redactor
from hd_pipelines.notifier import channels as channels_module
from hd_pipelines.notifier.channels import ChannelRefusedError, open_channels, split_urls
from hd_pipelines.notifier.log_redaction import RedactingFilter, install_redactor
from hd_pipelines.notifier.outcome import Verdict
from hd_pipelines.notifier.secrets import build_redactor, list_secrets
from hd_pipelines.settings import Settings
from tests.notifier.conftest import DISCORD, OTHER_DISCORD, Clock
from tests.notifier.webhook_receiver import mail_server

TOKEN = DISCORD.rpartition("/")[2]
MESSAGE = write_trial_message(now=Clock().now)


def send(channel, **changes):
    return channel.send(MESSAGE, None, **{"message_id": "ab" * 16, "is_repeat": False, **changes})


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", []),
        ("  \n ", []),
        ("json://a", ["json://a"]),
        ("json://a json://b", ["json://a", "json://b"]),
        ("json://a,json://b,\n  json://c,", ["json://a", "json://b", "json://c"]),
        ("mailto://u:p@h?to=a@x.y,b@x.y json://b", ["mailto://u:p@h?to=a@x.y,b@x.y", "json://b"]),
    ],
)
def test_urls_are_separated_by_blanks_or_commas(text, urls):
    assert split_urls(text) == urls


def test_no_setting_no_channels():
    assert open_channels(None) == []


def test_a_name_is_stable_differs_and_gives_nothing_away():
    one, other = open_channels(f"{DISCORD} {OTHER_DISCORD}")
    assert one.name == open_channels(DISCORD)[0].name
    assert one.name != other.name
    assert one.name.startswith("discord-")
    assert len(one.name) == len("discord-") + 10


def test_the_same_channel_twice_is_one_also_as_its_website_url():
    website = DISCORD.replace("discord://", "https://discord.com/api/webhooks/")
    assert len(open_channels(f"{DISCORD} {website} {DISCORD}")) == 1


@pytest.mark.parametrize("url", ["discord://only-an-id", "nonsense://geheim/b", "tgram://nonsense", "x-y://geheim"])
def test_a_url_that_is_no_channel_is_refused_by_position_without_repeating_it(url):
    with pytest.raises(ChannelRefusedError, match=r"URL 2 of HD_ALERT_URLS .*Remedy") as refusal:
        open_channels(f"json://127.0.0.1 {url}")
    assert url.partition("://")[2] not in str(refusal.value)


def test_a_text_without_a_scheme_is_refused_without_repeating_it():
    with pytest.raises(ChannelRefusedError, match="without a scheme") as refusal:
        open_channels("geheim")
    assert "geheim" not in str(refusal.value)


def test_every_documented_service_opens():
    urls = (
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts "
        "tgram://123456789:AAFabcdefghijklmnopqrstuvwxyz0123456/-100200300 "
        "mailtos://me:geheim@smtp.example.org/you@example.org json://127.0.0.1:9/hook"
    )
    services = [channel.service for channel in open_channels(urls)]
    assert services == ["slack", "tgram", "mailtos", "json"]


def test_json_receivers_get_title_text_and_the_idempotency_key(receiver):
    (channel,) = open_channels(receiver.url.replace("http://", "json://") + "/hook")
    outcome = send(channel)
    assert (outcome.verdict, outcome.receipt) == (Verdict.DELIVERED, "9001")
    (posted,) = receiver.posted
    assert posted.path == "/hook"
    assert posted.headers["Idempotency-Key"] == "ab" * 16
    assert posted.document["title"] == MESSAGE.title
    assert "Sent: 2026-11-20 15:00:00 UTC" in posted.document["message"]
    assert "delivery abababababab" in posted.document["message"]


def test_json_receivers_get_the_picture_too(receiver):
    (channel,) = open_channels(receiver.url.replace("http://", "json://"))
    channel.send(MESSAGE, b"\x89PNG picture", message_id="ab" * 16, is_repeat=True)
    (attachment,) = receiver.posted[0].document["attachments"]
    assert (attachment["filename"], attachment["mimetype"]) == ("chart.png", "image/png")
    assert channels_module.REPEAT_PRINT in receiver.posted[0].document["message"]


def test_an_apprise_plugin_passes_on_retry_after_and_never_sleeps(receiver, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("a sender slept"))
    (channel,) = open_channels(receiver.url.replace("http://", "json://"))
    receiver.will_answer(429, {"Retry-After": "11"})
    outcome = send(channel)
    assert (outcome.verdict, outcome.rest.total_seconds()) == (Verdict.LIMITED, 11)
    assert send(channel).verdict is Verdict.DELIVERED
    assert send(channel).verdict is Verdict.DELIVERED
    assert len(receiver.posted) == 3


def test_telegram_names_its_wait_in_the_body(receiver, monkeypatch):
    from apprise.plugins.telegram import NotifyTelegram

    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{receiver.url}/bot")
    (channel,) = open_channels("tgram://123456789:AAFabcdefghijklmnopqrstuvwxyz0123456/-100200300")
    body = b'{"ok": false, "error_code": 429, "description": "Too Many", "parameters": {"retry_after": 17}}'
    receiver.will_answer(429, {"Content-Type": "application/json"}, body)
    outcome = send(channel)
    assert (outcome.verdict, outcome.rest.total_seconds()) == (Verdict.LIMITED, 17)
    receiver.will_answer(200, {"Content-Type": "application/json"}, b'{"ok": true, "result": {}}')
    assert send(channel).verdict is Verdict.DELIVERED
    assert MESSAGE.title in receiver.posted[-1].document["text"]


def test_slack_gets_the_text(receiver, monkeypatch):
    from apprise.plugins.slack import NotifySlack

    monkeypatch.setattr(NotifySlack, "webhook_url", f"{receiver.url}/services")
    (channel,) = open_channels("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
    receiver.will_answer(200, {}, b"ok")
    assert send(channel).verdict is Verdict.DELIVERED
    assert MESSAGE.title in str(receiver.posted[0].document)


def test_a_redirect_of_any_plugin_is_not_followed(receiver):
    (channel,) = open_channels(receiver.url.replace("http://", "json://"))
    receiver.will_answer(307, {"Location": f"{receiver.url}/stolen"})
    assert send(channel).verdict is Verdict.REFUSED
    assert [each.path for each in receiver.posted] == ["/"]


def test_mail_arrives_with_its_picture():
    with mail_server() as mailbox:
        (channel,) = open_channels(
            f"mailto://127.0.0.1:{mailbox.port}?from=hd@example.org&to=you@example.org&mode=insecure"
        )
        outcome = channel.send(MESSAGE, b"\x89PNG picture", message_id="ab" * 16, is_repeat=False)
        assert outcome.verdict is Verdict.DELIVERED
        (letter,) = mailbox.letters
    assert f"Subject: {MESSAGE.title}" in letter
    assert 'filename="chart.png"' in letter


def test_a_temporary_refusal_of_a_mail_server_is_retried_and_quoted():
    with mail_server(refusing=["DATA"]) as mailbox:
        (channel,) = open_channels(
            f"mailto://127.0.0.1:{mailbox.port}?from=hd@example.org&to=you@example.org&mode=insecure"
        )
        outcome = send(channel)
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.detail


def test_the_redactor_of_an_installation_knows_every_secret_setting(monkeypatch):
    secrets = {
        "HD_VENDOR_API_KEY": "vendorkey123456",
        "HD_FLAT_FILES_KEY_ID": "keyid-abcdef",
        "HD_FLAT_FILES_SECRET": "flat-files-secret",
        "HD_DATABASE_URL": "postgresql://hd:pgpass%21@db.example/hd",
        "HD_ALERT_URLS": f"{DISCORD}, mailtos://me:mailpass@smtp.example.org/you@example.org",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)} == {
        name.removeprefix("HD_").lower() for name in secrets
    }, "a secret setting that this test does not know"
    redactor = build_redactor(settings, ["postgresql://hd:embedded-pw@127.0.0.1/hd"])
    for word in ("vendorkey123456", "keyid-abcdef", "flat-files-secret", "pgpass!", TOKEN, "mailpass", "embedded-pw"):
        assert word not in redactor.clean(f"around {word} around"), word
    assert redactor.clean("db.example smtp.example.org") == "db.example smtp.example.org"
    assert "vendorkey123456" in list_secrets(settings)
    assert TOKEN not in repr(redactor)


def test_no_canary_in_any_log(discord, caplog):
    install_redactor(Redactor([TOKEN]))
    caplog.set_level(logging.DEBUG)
    discord.will_answer(500)
    for url in (DISCORD, discord.url.replace("http://", "json://") + f"/{TOKEN}"):
        send(open_channels(url)[0])
    assert any("/api/webhooks/" in record.getMessage() for record in caplog.records), "urllib3 is talkative"
    assert TOKEN not in caplog.text


def test_a_filter_cleans_arguments_and_tracebacks():
    record = logging.LogRecord("apprise", logging.ERROR, "", 0, "token %s", ("canary-1",), None)
    try:
        raise ValueError("canary-1")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    assert RedactingFilter(Redactor(["canary-1"])).filter(record)
    text = logging.Formatter().format(record)
    assert "ValueError" in text
    assert "canary" not in text
