"""Fixtures that every test may ask for by name; they live in `tests/support`."""

pytest_plugins = ["tests.support.postgres", "tests.support.embedded", "tests.support.desk", "tests.support.option_desk"]
