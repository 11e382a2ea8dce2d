"""A running sandbox per test, boto3 clients for it, and where the real samples lie."""

from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from hd_pipelines.sandbox.server import SandboxServer

SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the reference data folder ../shared is not here")
    return SHARED


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path / "bucket") as server:
        yield server


@pytest.fixture
def client_of() -> Callable:
    """boto3 clients that make one attempt only, so that a test sees the first answer."""

    def make(server: SandboxServer, key_id: str | None = None, secret: str | None = None):
        return boto3.client(
            "s3",
            endpoint_url=server.url,
            aws_access_key_id=key_id or server.keys.key_id,
            aws_secret_access_key=secret or server.keys.secret,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    return make


@pytest.fixture
def s3(sandbox: SandboxServer, client_of: Callable):
    return client_of(sandbox)
