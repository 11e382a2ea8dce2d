"""Renders docs/reference/validation.md in Markdown from sections, requirements and tables.

The comparisons are in the other modules of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

MISSING = "–"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement and whether it is met: what is required, the limit, and the measured value, all as text."""

    required: str
    limit: str
    measured: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption. `formats`: format specification by column, as in `format(value, ".2f")`."""

    caption: str
    rows: pl.DataFrame
    formats: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Section:
    """One comparison: `compared` names both sides, `source` the origin of numbers, `differs` causes of differences."""

    title: str
    compared: str
    source: str
    requirements: Sequence[Requirement]
    tables: Sequence[Table]
    differs: str


def render_document(title: str, introduction: str, sections: Sequence[Section]) -> str:
    """Render the whole document: all requirements in one table, then the sections."""
    summary = [
        [f"{number}", section.title, *_render_cells(requirement)]
        for number, section in enumerate(sections, 1)
        for requirement in section.requirements
    ]
    parts = [
        f"# {title}",
        introduction,
        "## All requirements",
        _render_markdown(["", "comparison", "required", "limit", "measured", "met"], summary, set()),
        *(_render_section(number, section) for number, section in enumerate(sections, 1)),
    ]
    return "\n\n".join(parts) + "\n"


def _render_section(number: int, section: Section) -> str:
    requirements = [_render_cells(requirement) for requirement in section.requirements]
    parts = [
        f"## {number}. {section.title}",
        section.compared,
        f"Source: {section.source}",
        _render_markdown(["required", "limit", "measured", "met"], requirements, set()),
        "**What differs, and why.** " + section.differs,
        *(f"{table.caption}\n\n{_render_table(table)}" for table in section.tables),
    ]
    return "\n\n".join(parts)


def _render_cells(requirement: Requirement) -> list[str]:
    is_met = "yes" if requirement.is_met else "**no**"
    return [requirement.required, requirement.limit, requirement.measured, is_met]


def _render_table(table: Table) -> str:
    numeric = {name for name, dtype in table.rows.schema.items() if dtype.is_numeric()}
    rows = [
        [_format_value(value, table.formats.get(name, "")) for name, value in row.items()]
        for row in table.rows.iter_rows(named=True)
    ]
    return _render_markdown(
        [name.replace("_", " ") for name in table.rows.columns], rows, set(_find_places(table.rows, numeric))
    )


def _find_places(rows: pl.DataFrame, names: set[str]) -> list[int]:
    return [place for place, name in enumerate(rows.columns) if name in names]


def _format_value(value: object, specification: str) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN is not itself
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.isoformat()
    return format(value, specification)


def _render_markdown(header: Sequence[str], rows: Sequence[Sequence[str]], right: set[int]) -> str:
    rule = ["---:" if place in right else "---" for place in range(len(header))]
    lines = [header, rule, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
