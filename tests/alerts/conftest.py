"""A warehouse, a receiver, and the resources that sensors require."""

from __future__ import annotations

from tests.notifier.conftest import DISCORD, Clock, clock, discord, receiver

__all__ = ["DISCORD", "Clock", "clock", "discord", "receiver"]
