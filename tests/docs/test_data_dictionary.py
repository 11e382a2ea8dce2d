"""Generated documents match the code; every dependency has its reason."""

import importlib.util
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql

from hd_pipelines.tables.catalogue import WAREHOUSE_TABLES
from hd_pipelines.tables.model import Column, DefinitionError, Type
from hd_pipelines.tables.vocabulary import Rule
from hd_pipelines.tables.watchlist import WATCHLIST
from hd_pipelines.warehouse.schema.tables import metadata

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def writer():
    spec = importlib.util.spec_from_file_location(
        "write_data_dictionary", ROOT / "scripts" / "write_data_dictionary.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_data_dictionary_matches_the_code(writer):
    assert (DOCS / "reference" / "data-dictionary.md").read_text() == writer.data_dictionary(), "stale: run `make docs`"


def test_a_column_without_a_description_is_refused():
    with pytest.raises(DefinitionError, match="fingerprint"):
        Column("fingerprint", Type.TEXT, "")
    with pytest.raises(DefinitionError, match="fingerprint"):
        Column("fingerprint", Type.TEXT, "Identifies the input.", null="")


def test_a_description_that_contradicts_the_table_on_null_is_refused():
    nullable_key = replace(WATCHLIST["symbol"], null="none given")
    with pytest.raises(DefinitionError, match=r"watchlist.*symbol"):
        replace(WATCHLIST, columns=(nullable_key, *WATCHLIST.columns[1:]))


@pytest.mark.parametrize("table", WAREHOUSE_TABLES, ids=lambda table: table.name)
def test_null_and_type_in_the_dictionary_are_those_of_the_database(table):
    for column in metadata.tables[table.name].columns:
        assert column.nullable == table[column.name].is_nullable
        spelled = column.type.compile(dialect=postgresql.dialect()).lower().partition(" collate")[0]
        assert spelled.replace("timestamp with time zone", "timestamptz") == table[column.name].type.postgres


def test_every_rule_is_explained():
    text = (DOCS / "data-quality.md").read_text()
    assert [rule for rule in Rule if f"`{rule}`" not in text] == []


def test_every_test_that_is_named_as_proof_exists():
    text = (DOCS / "data-quality.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", text))
    defined = {
        name for file in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    assert named
    assert named - defined == set()


def test_every_direct_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    names = {re.match(r"[A-Za-z0-9_.-]+", requirement)[0] for requirement in requirements}
    explained = set(re.findall(r"(?m)^\| `([A-Za-z0-9_.-]+)", (DOCS / "dependencies.md").read_text()))
    assert explained == names


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", *sorted(str(file.relative_to(ROOT)) for file in DOCS.rglob("*.md"))]
)
def test_links_between_documents_lead_somewhere(document):
    file = ROOT / document
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text())
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (file.parent / link).exists()] == []
