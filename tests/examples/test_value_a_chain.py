"""The Python example runs, and docs/python.md shows what it prints."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "value_a_chain.py"


def test_the_example_prints_what_the_documentation_shows(capsys):
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    printed = capsys.readouterr().out
    assert "zero gamma" in printed
    assert f"$ .venv/bin/python examples/{EXAMPLE.name}\n{printed}" in (ROOT / "docs" / "python.md").read_text()
