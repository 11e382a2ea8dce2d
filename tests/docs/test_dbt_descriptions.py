"""dbt's descriptions and enum values are those of the table definitions."""

import importlib.util
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def writer():
    file = ROOT / "scripts" / "write_dbt_descriptions.py"
    spec = importlib.util.spec_from_file_location("write_dbt_descriptions", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_descriptions_match_the_definitions(writer):
    rendered = writer.render_files()
    assert {file.name for file in rendered} > {"_sources.yml", "stg_gamma_exposure.yml", "fct_gamma_exposure.yml"}
    assert [file.name for file, text in rendered.items() if file.read_text() != text] == [], "stale: run `make docs`"


def test_every_column_that_a_staging_model_selects_is_described(writer):
    for model in (writer.MODELS / "staging").glob("stg_*.sql"):
        (described,) = yaml.safe_load(model.with_suffix(".yml").read_text())["models"]
        assert {column["name"] for column in described["columns"]} == set(writer._renames(model).values())


def test_accepted_values_are_those_of_the_enum(writer):
    checked = 0
    for model in (writer.MODELS / "staging").glob("stg_*.sql"):
        definitions = writer._staged_columns(model)
        for file in writer.MODELS.rglob("*.yml"):
            for described in yaml.safe_load(file.read_text()).get("models", ()):
                if (
                    described["name"] != model.stem
                    and f"ref('{model.stem}')" not in file.with_suffix(".sql").read_text()
                ):
                    continue
                for column in described["columns"]:
                    for test in column.get("data_tests", ()):
                        if isinstance(test, dict) and "accepted_values" in test and column["name"] in definitions:
                            values = test["accepted_values"]["arguments"]["values"]
                            assert tuple(values) == definitions[column["name"]].values
                            checked += 1
    assert checked >= 2
