"""Writes the descriptions in dbt's yml files that repeat what the table definitions say.

It generates `_sources.yml`, the columns of every `stg_*.yml`, and in `fct_*.yml` the columns that a mart takes unchanged
from its staging model. Everything else in these files (tests, descriptions of models and of computed columns) is kept.
`make docs` runs this script; tests/docs/test_dbt_descriptions.py fails if a file is out of date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from hd_pipelines.tables.catalogue import TABLES
from hd_pipelines.tables.model import Column, Table

MODELS = Path(__file__).parent.parent / "dbt_project" / "models"
SOURCES = MODELS / "staging" / "_sources.yml"
_WRITTEN_BY_HAND = {"fct_daily_returns"}
"""Marts whose columns mean something narrower than those of their staging model: this one has day bars only."""
_SOURCE = re.compile(r"source\('warehouse', '(\w+)'\)")
_STAGED = re.compile(r'^ {8}"?(\w+)"?(?: as (\w+))?,?$', re.MULTILINE)
_SELECTED = re.compile(r"^ {4}(\w+),?$", re.MULTILINE)
_COLUMN = re.compile(r"^ {6}- name: (\w+)\n", re.MULTILINE)
_DESCRIPTION = re.compile(r"^ {8}description:.*\n(?: {10,}.*\n)*", re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z(][^:#\"`]*")


def render_files() -> dict[Path, str]:
    """The text that each generated or partly generated yml file should have."""
    staging = {file: _staged_columns(file) for file in sorted((MODELS / "staging").glob("stg_*.sql"))}
    rendered = {SOURCES: _render_sources([_source_table(file) for file in staging])}
    for file, columns in staging.items():
        described = {name: _describe(column, _renames(file)) for name, column in columns.items()}
        rendered[file.with_suffix(".yml")] = _render_columns(file.with_suffix(".yml"), described, list(described))
    for file in sorted((MODELS / "marts").glob("fct_*.sql")):
        if file.stem in _WRITTEN_BY_HAND:
            continue
        refs = re.findall(r"ref\('(\w+)'\)", file.read_text())
        source = MODELS / "staging" / f"{refs[0]}.sql"
        if len(refs) == 1 and source in staging:
            taken = {name: _describe(column, _renames(source)) for name, column in staging[source].items()}
            last_select = file.read_text().rpartition("\nselect\n")[2]
            selected = [name for name in _SELECTED.findall(last_select) if name in taken]
            rendered[file.with_suffix(".yml")] = _render_columns(file.with_suffix(".yml"), taken, selected)
    return rendered


def _source_table(model: Path) -> Table:
    found = _SOURCE.search(model.read_text())
    if found is None:
        raise ValueError(f"{model} selects from no source('warehouse', ...); a staging model is 1:1 with a source")
    return TABLES[found[1]]


def _renames(model: Path) -> dict[str, str]:
    """Name in the staging model of every source column that it selects."""
    return {name: alias or name for name, alias in _STAGED.findall(model.read_text())}


def _staged_columns(model: Path) -> dict[str, Column]:
    table = _source_table(model)
    return {alias: table[name] for name, alias in _renames(model).items()}


def _describe(column: Column, renames: Mapping[str, str]) -> str:
    parts = [column.meaning]
    if column.unit:
        parts.append(f"Unit: {column.unit}.")
    if column.is_nullable:
        parts.append(f"Null: {column.null}.")
    return re.sub(
        r"`(\w+)`",
        lambda found: f"`{renames.get(found[1], found[1])}`",
        " ".join(parts).replace(" The partition key.", ""),
    )


def _render_sources(tables: list[Table]) -> str:
    lines = [
        "# Written by `make docs` from the definitions in hd_pipelines/tables; change those, not this file.",
        "version: 2",
        "",
        "sources:",
        "  - name: warehouse",
        "    schema: public",
        "    description: Tables that the Python assets write.",
        "    tables:",
    ]
    for table in tables:
        lines += [
            f"      - name: {table.name}",
            f"        description: {_scalar(f'{table.about} {table.grain}')}",
            "        config:",
            "          meta:",
            "            dagster:",
            f'              asset_key: ["{table.name}"]',
            "        columns:",
        ]
        for column in table.columns:
            lines += [f"          - name: {column.name}", f"            description: {_scalar(_describe(column, {}))}"]
    return "\n".join(lines) + "\n"


def _render_columns(file: Path, described: Mapping[str, str], selected: list[str]) -> str:
    """`file` with the descriptions in `described`; columns of `selected` that it lacks follow the one before them."""
    head, columns = _split_columns(file.read_text())
    names = list(columns)
    for position, name in enumerate(selected):
        if name not in columns:
            columns[name] = ""
            names.insert(names.index(selected[position - 1]) + 1 if position else 0, name)
    parts = [head]
    for name in names:
        body = columns[name]
        if name in described:
            body = f"        description: {_scalar(described[name])}\n" + _DESCRIPTION.sub("", body, count=1)
        parts.append(f"      - name: {name}\n{body}")
    return "".join(parts)


def _split_columns(text: str) -> tuple[str, dict[str, str]]:
    """Everything before the first column, and the lines below the name of each column."""
    head, mark, rest = text.partition("    columns:\n")
    return head + mark, dict(_bodies(rest))


def _bodies(text: str) -> Iterator[tuple[str, str]]:
    found = list(_COLUMN.finditer(text))
    for this, following in zip(found, [*found[1:], None], strict=True):
        yield this[1], text[this.end() : following.start() if following else len(text)]


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def main() -> None:
    """Write every file."""
    for file, text in render_files().items():
        file.write_text(text)


if __name__ == "__main__":
    main()
