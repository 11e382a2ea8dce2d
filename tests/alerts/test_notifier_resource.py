"""The resource that sensors get: channels and secrets of the settings."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import dagster as dg
import pytest

from hd_pipelines.definitions import build_definitions
from hd_pipelines.resources import Clock, NotifierResource
from tests.alerts.conftest import DISCORD


@pytest.fixture(autouse=True)
def in_an_empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_channels_are_those_of_the_settings(monkeypatch):
    monkeypatch.delenv("HD_ALERT_URLS", raising=False)
    assert NotifierResource().list_channel_names() == []
    monkeypatch.setenv("HD_ALERT_URLS", DISCORD)
    (name,) = NotifierResource().list_channel_names()
    assert name.startswith("discord-")


def test_one_misspelt_channel_leaves_the_others_and_is_named_without_its_url(monkeypatch):
    monkeypatch.setenv("HD_ALERT_URLS", f"discord://geheim {DISCORD}")
    opened = NotifierResource().open_channels()
    assert [channel.service for channel in opened.usable] == ["discord"]
    (refusal,) = opened.refused
    assert "URL 1 of HD_ALERT_URLS (discord)" in refusal
    assert "geheim" not in refusal


def test_secrets_of_settings_and_database_are_cleaned_also_in_logs(monkeypatch, database, caplog):
    monkeypatch.setenv("HD_ALERT_URLS", DISCORD)
    monkeypatch.setenv("HD_VENDOR_API_KEY", "vendorkey123")
    redactor = NotifierResource().build_redactor(database)
    password = database.engine.url.password
    for secret in ("vendorkey123", DISCORD.rpartition("/")[2], password):
        if secret:
            assert secret not in redactor.clean(f"say {secret} again")
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug("GET %s", "vendorkey123")
    assert "vendorkey123" not in caplog.text


def test_the_clock_is_utc():
    assert abs((Clock().now() - datetime.now(UTC)).total_seconds()) < 5
    assert Clock().now().tzinfo is UTC


def test_it_is_among_the_resources_and_no_secret_is_configuration():
    notifier = build_definitions().resources["notifier"]
    assert isinstance(notifier, NotifierResource)
    assert NotifierResource.to_config_schema().as_field().config_type.fields == {}
    assert isinstance(notifier, dg.ConfigurableResource)
