"""The parts of docs/reference/validation.md and how they are written in Markdown.

Belongs here: sections, requirements, tables, text. What is compared is in the other modules of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

MISSING = "–"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence that is met or not: what was demanded, the limit, what was measured. All in words."""

    demanded: str
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
    """One comparison. `compared` says what with whom, `source` whose numbers they are, `differs` what differs and why."""

    title: str
    compared: str
    source: str
    requirements: Sequence[Requirement]
    tables: Sequence[Table]
    differs: str


def document(title: str, introduction: str, sections: Sequence[Section]) -> str:
    """The whole text: all requirements in one table first, then the sections."""
    summary = [
        [f"{number}", section.title, *_cells(requirement)]
        for number, section in enumerate(sections, 1)
        for requirement in section.requirements
    ]
    parts = [
        f"# {title}",
        introduction,
        "## All requirements",
        _markdown(["", "comparison", "demanded", "limit", "measured", "met"], summary, set()),
        *(_section(number, section) for number, section in enumerate(sections, 1)),
    ]
    return "\n\n".join(parts) + "\n"


def _section(number: int, section: Section) -> str:
    requirements = [_cells(requirement) for requirement in section.requirements]
    parts = [
        f"## {number}. {section.title}",
        section.compared,
        f"Source: {section.source}",
        _markdown(["demanded", "limit", "measured", "met"], requirements, set()),
        "**What differs, and why.** " + section.differs,
        *(f"{table.caption}\n\n{_table(table)}" for table in section.tables),
    ]
    return "\n\n".join(parts)


def _cells(requirement: Requirement) -> list[str]:
    is_met = "yes" if requirement.is_met else "**no**"
    return [requirement.demanded, requirement.limit, requirement.measured, is_met]


def _table(table: Table) -> str:
    numeric = {name for name, dtype in table.rows.schema.items() if dtype.is_numeric()}
    rows = [
        [_text(value, table.formats.get(name, "")) for name, value in row.items()]
        for row in table.rows.iter_rows(named=True)
    ]
    return _markdown([name.replace("_", " ") for name in table.rows.columns], rows, set(_places(table.rows, numeric)))


def _places(rows: pl.DataFrame, names: set[str]) -> list[int]:
    return [place for place, name in enumerate(rows.columns) if name in names]


def _text(value: object, specification: str) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN is not itself
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.isoformat()
    return format(value, specification)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]], right: set[int]) -> str:
    rule = ["---:" if place in right else "---" for place in range(len(header))]
    lines = [header, rule, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
