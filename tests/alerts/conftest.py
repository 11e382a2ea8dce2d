"""A warehouse, a receiver, and the resources that sensors ask for."""

from __future__ import annotations

from tests.notifier.conftest import DISCORD, Clock, clock, discord, receiver
from tests.warehouse.conftest import _module_warehouse_url, database, migrated_url, warehouse_url

__all__ = [
    "DISCORD",
    "Clock",
    "_module_warehouse_url",
    "clock",
    "database",
    "discord",
    "migrated_url",
    "receiver",
    "warehouse_url",
]
