"""The vendor's bucket on loopback, for tests that download."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hd_pipelines.providers.massive.flat_files.client import FlatFiles
from hd_pipelines.sandbox.s3.app import Plan
from hd_pipelines.sandbox.server import SandboxServer


@pytest.fixture
def vendor_bucket(tmp_path: Path) -> Iterator[SandboxServer]:
    """An empty bucket that answers as the vendor's does; `put` objects and `faults.add` what should go wrong."""
    with SandboxServer(tmp_path / "bucket") as server:
        yield server


@pytest.fixture
def limited_bucket(tmp_path: Path) -> Iterator[SandboxServer]:
    """A bucket whose account may list everything and fetch stock files only."""
    with SandboxServer(tmp_path / "bucket", plan=Plan(prefixes=("us_stocks_sip/",))) as server:
        yield server


def client_of(server: SandboxServer, landing: Path, **options: Any) -> FlatFiles:
    """A client with the sandbox's keys, one attempt per request by default, since retries sleep."""
    return FlatFiles(
        server.url,
        SecretStr(options.pop("key_id", server.keys.key_id)),
        SecretStr(options.pop("secret", server.keys.secret)),
        landing,
        **({"max_attempts": 1} | options),
    )
