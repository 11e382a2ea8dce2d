"""A warehouse, a receiver, and the resources that sensors require."""

from __future__ import annotations

from tests.notifier.conftest import DISCORD, Clock, clock, discord, receiver
from tests.warehouse.conftest import _module_warehouse_url, database, warehouse_url

__all__ = [
    "DISCORD",
    "Clock",
    "_module_warehouse_url",
    "clock",
    "database",
    "discord",
    "receiver",
    "warehouse_url",
]
