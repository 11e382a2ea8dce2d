"""Write docs/reference/data-dictionary.md.

Belongs here: joining what the code knows (columns, types, keys, checks, dbt's yml) with what only people know
(data_dictionary.toml). `make docs` runs it; tests/docs/test_data_dictionary.py tells when the files are stale.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import CheckConstraint, Table
from sqlalchemy.dialects import postgresql

from hd_pipelines.assets.lake import COLUMNS as LAKE_COLUMNS
from hd_pipelines.providers.massive.flat_files.layout import DATASETS
from hd_pipelines.providers.massive.flat_files.reading import BAR_SCHEMA
from hd_pipelines.warehouse.schema.tables import metadata

ROOT = Path(__file__).parent.parent
DICTIONARY = ROOT / "docs" / "reference" / "data-dictionary.md"
PROSE = Path(__file__).with_name("data_dictionary.toml")
OPTION_PROSE = Path(__file__).with_name("data_dictionary_options.toml")
ALERT_PROSE = Path(__file__).with_name("data_dictionary_alerts.toml")
SIGNAL_PROSE = Path(__file__).with_name("data_dictionary_signals.toml")
MODELS = ROOT / "dbt_project" / "models"
INTRODUCTION = (
    "Written by `make docs` from `hd_pipelines/warehouse/*tables.py`, `hd_pipelines/assets/lake.py`, "
    "`dbt_project/models` and `scripts/data_dictionary*.toml`; change those, not this file.\n\n"
    "Missing is null, never 0. Instants are UTC; a session is a New York exchange date. Prices are as traded, not "
    "adjusted for splits or dividends. What a market said is `numeric` (exact), what a model answered `double precision`: "
    "a fixed number of decimals throws small answers away, as `numeric(10,8)` does with the gamma of an NDX option."
)


class DictionaryIncompleteError(Exception):
    """Code and prose do not describe the same things; the message names what is missing where."""


def data_dictionary() -> str:
    """The whole of docs/reference/data-dictionary.md."""
    prose = tomllib.loads(PROSE.read_text())
    for more in (OPTION_PROSE, SIGNAL_PROSE, ALERT_PROSE):
        prose["tables"] |= tomllib.loads(more.read_text())["tables"]
    tables = sorted(metadata.tables.values(), key=lambda table: list(prose["tables"]).index(_named(table, prose)))
    parts = [
        "# Data dictionary",
        INTRODUCTION,
        "## Lake",
        _lake(prose),
        "## Warehouse, schema `public`",
        *(_table(table, prose["tables"][table.name]) for table in tables),
        "## Marts, schema `marts` (dbt)",
        *_models(),
    ]
    return "\n\n".join(parts) + "\n"


def _named(table: Table, prose: dict[str, Any]) -> str:
    if table.name not in prose["tables"]:
        raise DictionaryIncompleteError(
            f"table {table.name} is described in none of {PROSE.parent.name}/data_dictionary*.toml"
        )
    return table.name


def _same(kind: str, in_code: Iterable[str], in_prose: Iterable[str]) -> None:
    code, told = set(in_code), set(in_prose)
    if code != told:
        raise DictionaryIncompleteError(
            f"{kind}: the prose lacks {sorted(code - told)} and describes {sorted(told - code)}, which do not exist"
        )


def _lake(prose: dict[str, Any]) -> str:
    _same("lake", BAR_SCHEMA, prose["lake"])
    _same("datasets", (dataset.name for dataset in DATASETS), prose["sources"])
    meaning = {column.name: column.description or "" for column in LAKE_COLUMNS.columns}
    columns = _grid(
        ("column", "type", "meaning", "unit", "null means"),
        [
            (f"`{name}`", str(kind).lower(), meaning[name], prose["lake"][name][0], prose["lake"][name][1])
            for name, kind in BAR_SCHEMA.items()
        ],
    )
    datasets = _grid(
        ("dataset", "vendor's folder", "holds"),
        [(f"`{dataset.name}`", f"`{dataset.prefix}`", prose["sources"][dataset.name]) for dataset in DATASETS],
    )
    return (
        "`lake/<dataset>/session=YYYY-MM-DD/part.parquet`, hive-partitioned, zstd, sorted by (`ticker`, "
        "`window_start`), every key once. Readers that know hive partitions also get `session` (date), which comes "
        "from the name of the vendor's object. The footer of each part says what it was made from (`hd.key`, "
        "`hd.etag`, `hd.sha256`, `hd.size`, `hd.rows`, `hd.rows_set_aside`, `hd.ingest_version`). All six datasets "
        f"have the same columns.\n\n{datasets}\n\n{columns}"
    )


def _table(table: Table, prose: dict[str, Any]) -> str:
    _same(table.name, (column.name for column in table.columns), prose["columns"])
    rows = []
    for column in table.columns:
        meaning, unit, null, source = prose["columns"][column.name]
        if (null == "never") == bool(column.nullable):
            raise DictionaryIncompleteError(f"{table.name}.{column.name}: the text on null contradicts the table")
        rows.append((f"`{column.name}`", _type(column.type), meaning, unit, null, source))
    key = ", ".join(f"`{column.name}`" for column in table.primary_key)
    checks = sorted(
        _one_line(str(constraint.sqltext))
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    )
    return "\n\n".join(
        [
            f"### `{table.name}`",
            f"{prose['about']} {prose['grain']}\n\nWritten by {prose['written_by']} Primary key: {key}.",
            _grid(("column", "type", "meaning", "unit", "null means", "source"), rows),
            "The database refuses rows that break: " + "; ".join(f"`{check}`" for check in checks) + "."
            if checks
            else "No checks beyond types and keys.",
        ]
    )


def _models() -> list[str]:
    described = [yaml.safe_load(file.read_text()) for file in sorted(MODELS.rglob("*.yml"), reverse=True)]
    parts = []
    for model in (model for document in described for model in document.get("models", ())):
        rows = [
            (f"`{column['name']}`", _one_line(column.get("description")), ", ".join(_tests(column)))
            for column in model["columns"]
        ]
        parts.append(
            f"### `marts.{model['name']}`\n\n{_one_line(model['description'])} Tested as a whole: "
            f"{', '.join(_tests(model)) or 'nothing'}.\n\n{_grid(('column', 'meaning', 'tested'), rows)}"
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


def _type(kind: Any) -> str:  # noqa: ANN401  (SQLAlchemy's types are generic in what they hold)
    spelt = kind.compile(dialect=postgresql.dialect()).lower()
    return spelt.partition(" collate")[0].replace("timestamp with time zone", "timestamptz")


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
