"""Fixtures that every test may request by name (they live in `tests/support`), and the order of test modules."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.warehouse",
    "tests.support.embedded",
    "tests.support.installation",
    "tests.support.option_installation",
    "tests.support.signal_installation",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start modules with slow tests first, so that no worker waits for another one's slow module at the end.

    The first of them are those that need a longer timeout than pytest's own.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    longest = {item.path for item in items if item.get_closest_marker("timeout")}
    items.sort(key=lambda item: (item.path not in longest, item.path not in slow))


# A slow machine is no failure; pytest's own timeout ends what hangs. Examples are the same in every run, so that the suite
# fails for what was changed and not by the day; profile `explore` draws new ones.
settings.register_profile("same_examples", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same_examples"))
