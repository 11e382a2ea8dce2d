"""docs/reference/detectors.md is up to date, and shows for each detector a row that fires and one that nearly does."""

import importlib.util
from pathlib import Path

import pytest

from hd_pipelines.signals.detectors.registry import DETECTORS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def writer():
    spec = importlib.util.spec_from_file_location("write_detectors", ROOT / "scripts" / "write_detectors.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_detectors_matches_the_code(writer):
    assert (ROOT / "docs" / "reference" / "detectors.md").read_text() == writer.detectors_page(), (
        "stale: run `make docs`"
    )


def test_make_docs_writes_the_page():
    assert "scripts/write_detectors.py" in (ROOT / "Makefile").read_text()


def test_every_detector_has_its_row_and_its_section(writer):
    overview, _, sections = writer.detectors_page().partition("## Breakout")
    for name, detector in DETECTORS.items():
        rows = [line for line in overview.splitlines() if line.startswith(f"| `{name}` |")]
        assert len(rows) == len(detector.directions)
        assert f"### `{name}`\n\n{detector.purpose}" in sections


def test_every_family_has_its_design_notes(writer):
    notes = writer.detectors_page().partition("## Design notes")[2]
    titles = [line.removeprefix("### ") for line in notes.splitlines() if line.startswith("### ")]
    families = list(dict.fromkeys(detector.strategy for detector in DETECTORS.values()))
    assert titles == ["All detectors", *(family.replace("_", " ").capitalize() for family in families)]
    assert "max pain" in notes


def test_a_family_without_design_notes_is_refused(writer):
    with pytest.raises(ValueError, match="has no design notes"):
        writer._read_docstring("hd_pipelines.signals.detectors.registry")
