"""Writes docs/reference/data-dictionary.md from the table definitions and dbt's descriptions.

`make docs` runs it; tests/docs/test_data_dictionary.py fails if the file is out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import CheckConstraint

from hd_pipelines.providers.massive.flat_files.layout import DATASETS
from hd_pipelines.tables.bars import LAKE_BARS
from hd_pipelines.tables.catalogue import WAREHOUSE_TABLES
from hd_pipelines.tables.chains import OPTION_CHAINS
from hd_pipelines.tables.model import Column, Store, Table
from hd_pipelines.warehouse.schema.tables import metadata

ROOT = Path(__file__).parent.parent
DICTIONARY = ROOT / "docs" / "reference" / "data-dictionary.md"
MODELS = ROOT / "dbt_project" / "models"
INTRODUCTION = (
    "Written by `make docs` from the definitions in `hd_pipelines/tables` and from `dbt_project/models`; change those, "
    "not this file.\n\n"
    "Missing is null, never 0. Instants are UTC; a session is a New York exchange date. Prices are as traded, not "
    "adjusted for splits or dividends. What a market said is `numeric` (exact), what a model answered `double precision`: "
    "a fixed number of decimals discards small answers, as `numeric(10,8)` does with the gamma of an NDX option."
)
DATASET_CONTENTS = {
    "stock_day_aggs": "all stocks and ETFs, one row per ticker",
    "stock_minute_aggs": "all stocks and ETFs, one row per ticker and minute with a trade, extended hours included",
    "option_day_aggs": "option contracts that traded",
    "option_minute_aggs": "option contracts, minutes with a trade",
    "index_day_aggs": "indices, without volume",
    "index_minute_aggs": "indices by minute, without volume",
}


def data_dictionary() -> str:
    """The whole of docs/reference/data-dictionary.md."""
    parts = [
        "# Data dictionary",
        INTRODUCTION,
        "## Lake",
        _describe_flat_files(),
        _describe_table(OPTION_CHAINS),
        "## Warehouse, schema `public`",
        *(_describe_table(table) for table in WAREHOUSE_TABLES),
        "## Marts, schema `marts` (dbt)",
        *_describe_models(),
    ]
    return "\n\n".join(parts) + "\n"


def _describe_flat_files() -> str:
    datasets = _grid(
        ("dataset", "vendor's folder", "holds"),
        [(f"`{dataset.name}`", f"`{dataset.prefix}`", DATASET_CONTENTS[dataset.name]) for dataset in DATASETS],
    )
    columns = _grid(
        ("column", "type", "meaning", "unit", "null means"),
        [
            (f"`{column.name}`", column.type.arrow, column.meaning, column.shown_unit, column.null)
            for column in LAKE_BARS.columns
        ],
    )
    return (
        "`lake/<dataset>/session=YYYY-MM-DD/part.parquet`, hive-partitioned, zstd, sorted by (`ticker`, "
        "`window_start`), every key once. Readers that know hive partitions also get `session` (date), which comes "
        "from the name of the vendor's object. The footer of each part records its source (`hd.key`, "
        "`hd.etag`, `hd.sha256`, `hd.size`, `hd.rows`, `hd.rows_set_aside`, `hd.ingest_version`). All six datasets "
        f"have the same columns.\n\n{datasets}\n\n{columns}"
    )


def _describe_table(table: Table) -> str:
    rows = [
        (
            f"`{column.name}`",
            column.type.arrow if table.store is Store.LAKE else column.type.postgres,
            column.meaning,
            column.shown_unit,
            column.null,
            _source(column),
        )
        for column in table.columns
    ]
    key = ", ".join(f"`{name}`" for name in table.key)
    parts = [
        f"### `{table.name}`",
        f"{table.about} {table.grain}\n\nWritten by {table.written_by} Primary key: {key}.",
        _grid(("column", "type", "meaning", "unit", "null means", "source"), rows),
    ]
    if table.store is Store.WAREHOUSE:
        checks = _checks(table)
        refused = "The database refuses rows that break: " + "; ".join(f"`{check}`" for check in checks) + "."
        parts.append(refused if checks else "No checks beyond types and keys.")
    return "\n\n".join(parts)


def _checks(table: Table) -> list[str]:
    constraints = metadata.tables[table.name].constraints
    return sorted(_one_line(str(each.sqltext)) for each in constraints if isinstance(each, CheckConstraint))


def _source(column: Column) -> str:
    if not column.source and isinstance(column.enum, type):
        return f"`tables.vocabulary.{column.enum.__name__}`"
    return column.source


def _describe_models() -> list[str]:
    described = [yaml.safe_load(file.read_text()) for file in sorted(MODELS.rglob("*.yml"), reverse=True)]
    parts = []
    for model in (model for document in described for model in document.get("models", ())):
        rows = [
            (f"`{column['name']}`", _one_line(column.get("description")), ", ".join(_tests(column)))
            for column in model["columns"]
        ]
        tests = f" Tested as a whole: {', '.join(_tests(model))}." if _tests(model) else ""
        parts.append(
            f"### `marts.{model['name']}`\n\n{_one_line(model['description'])}{tests}\n\n"
            f"{_grid(('column', 'meaning', 'tested'), rows)}"
        )
    return parts


def _tests(described: dict[str, Any]) -> list[str]:
    names = []
    for test in described.get("data_tests", ()):
        if isinstance(test, str):
            names.append(test)
        else:
            kind, options = next(iter(test.items()))
            arguments = options.get("arguments", {})
            detail = arguments.get("expression") or ", ".join(arguments.get("columns") or arguments.get("values") or ())
            names.append(f"{kind} (`{detail}`)" if detail else kind)
    return names


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write the file."""
    DICTIONARY.write_text(data_dictionary())


if __name__ == "__main__":
    main()
