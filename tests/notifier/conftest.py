"""A warehouse, receivers on loopback, and Discord's address pointed at one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from hd_pipelines.notifier.discord import RichDiscord
from tests.notifier.webhook_receiver import Receiver, webhook_receiver

DISCORD = "discord://4174296324183162/JHZ7lQml277CDHmQKMHI8qBe7bk2ZwO5UKjCiOAF"
OTHER_DISCORD = "discord://9988776655443322/another7lQml277CDHmQKMHI8qBe7bk2ZwO5"


@dataclass
class Clock:
    """A clock that is moved by hand."""

    now: datetime = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as opened:
        yield opened


@pytest.fixture
def discord(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """A receiver to which every discord:// channel posts."""
    monkeypatch.setattr(RichDiscord, "notify_url", receiver.discord_api)
    return receiver
