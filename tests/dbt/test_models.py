"""dbt's own unit tests of the models' SQL, against a real database, and the connection settings that dbt receives."""

import os
import subprocess

import pytest

from hd_pipelines.resources.dbt import DBT_EXECUTABLE, PROJECT, build_address_variables
from hd_pipelines.warehouse.schema import revision as schema
from tests.support.installation import rows


@pytest.mark.slow
def test_unit_tests_of_the_models_pass(database_url, tmp_path):
    schema.upgrade(database_url)
    environment = {**os.environ, **build_address_variables(database_url), "DBT_LOG_PATH": str(tmp_path / "logs")}

    folders = ["--project-dir", PROJECT, "--profiles-dir", PROJECT, "--target-path", tmp_path / "target"]

    def dbt(*arguments: str) -> str:
        done = subprocess.run(
            [DBT_EXECUTABLE, *arguments, *folders],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    output = dbt("build", "--exclude-resource-type", "test")  # models on an empty warehouse, and their unit tests
    assert "unit_test" in output or "unit test" in output
    assert "ERROR=0" in output
    assert rows(database_url, "select count(*) from marts.fct_daily_returns") == [(0,)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:p%40ss@db.example:6543/desk", ("db.example", "6543", "me", "p@ss", "desk")),
        ("postgresql://me@127.0.0.1/desk", ("127.0.0.1", "5432", "me", "", "desk")),
    ],
)
def test_dbt_gets_the_address_in_parts_and_the_password_as_a_secret(url, expected):
    variables = build_address_variables(url)
    names = (
        "DBT_WAREHOUSE_HOST",
        "DBT_WAREHOUSE_PORT",
        "DBT_WAREHOUSE_USER",
        "DBT_ENV_SECRET_WAREHOUSE_PASSWORD",
        "DBT_WAREHOUSE_DATABASE",
    )
    assert tuple(variables[name] for name in names) == expected
