"""docs/reference/settings.md lists the settings of the code."""

import importlib.util
from pathlib import Path

from hd_pipelines.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_page_of_settings_matches_the_code():
    spec = importlib.util.spec_from_file_location("write_settings", ROOT / "scripts" / "write_settings.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    text = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert text == writer.settings_page(), "stale: run `make docs`"
    assert all(f"`HD_{name.upper()}`" in text for name in Settings.model_fields)


def test_make_docs_writes_the_page():
    assert "scripts/write_settings.py" in (ROOT / "Makefile").read_text()
