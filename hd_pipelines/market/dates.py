"""Reads dates out of names that others chose: a name may look like a date and be none."""

from __future__ import annotations

import re
from datetime import date

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse_iso_date(text: str) -> date | None:
    """Read `YYYY-MM-DD`; None for everything else, for example 2026-02-30."""
    if _ISO.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
