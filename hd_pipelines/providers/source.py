"""Chooses the bucket and REST service that this installation reads: the vendor's, or the sandbox of this HD_HOME.

Also reads and writes the small file by which a running sandbox announces its address. Nothing here imports the sandbox,
which the platform cannot distinguish from the vendor.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr

from hd_pipelines.providers.massive.flat_files.client import FlatFiles
from hd_pipelines.providers.massive.rest.client import VendorApi
from hd_pipelines.settings import Settings

SANDBOX_KEY_ID = "sandbox"
SANDBOX_SECRET = "sandbox-secret"  # noqa: S105  (opens nothing but a server on this machine with synthetic data)
_log = structlog.get_logger()


class SandboxNotRunningError(RuntimeError):
    """There are no vendor credentials and no sandbox is running for this HD_HOME."""


@dataclass(frozen=True, slots=True)
class SandboxAddress:
    """Addresses of the sandbox of one HD_HOME, and what it serves: `synthetic` or the name of a recording.

    `archive`: its folder of archived option chains, None if it has none.
    """

    url: str
    plays: str
    archive: str | None = None


def build_address_path(home: Path) -> Path:
    """Path of the file by which a sandbox of `home` announces itself."""
    return home / "sandbox" / "address.json"


def announce(home: Path, address: SandboxAddress) -> None:
    """Write the address of a sandbox that has started to serve."""
    file = build_address_path(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(asdict(address)))
    part.replace(file)


def withdraw(home: Path, url: str) -> None:
    """Remove the address of the sandbox at `url`, which stops; not that of another one announced since."""
    announced = read_announced_address(home)
    if announced is not None and announced.url == url:
        build_address_path(home).unlink(missing_ok=True)


def read_announced_address(home: Path) -> SandboxAddress | None:
    """Read the address of the sandbox that announced itself for `home`, running or not."""
    try:
        return SandboxAddress(**json.loads(build_address_path(home).read_text()))
    except FileNotFoundError:
        return None


@cache
def _log_choice(event: str, **place: str) -> None:
    # Once per process and address: every step of a run makes its own client.
    _log.info(event, **place)


def _require_answer(address: SandboxAddress) -> None:
    place = urlsplit(address.url)
    try:
        socket.create_connection((place.hostname or "", place.port or 80), timeout=5).close()
    except OSError as error:
        raise SandboxNotRunningError(
            f"the sandbox that announced itself at {address.url} does not answer ({error.strerror}); start `hd sandbox`"
        ) from error


def open_flat_files(settings: Settings) -> FlatFiles:
    """Open this installation's flat files, and log which source was chosen."""
    if settings.flat_files_key_id is not None and settings.flat_files_secret is not None:
        _log_choice("flat files come from the vendor", url=settings.flat_files_url)
        return FlatFiles(
            url=settings.flat_files_url,
            bucket=settings.flat_files_bucket,
            key_id=settings.flat_files_key_id,
            secret=settings.flat_files_secret,
            landing=settings.landing,
        )
    address = _find_running_sandbox(settings, "HD_FLAT_FILES_KEY_ID and HD_FLAT_FILES_SECRET")
    _log_choice("no vendor credentials: flat files come from the sandbox", url=address.url, market=address.plays)
    return FlatFiles(
        url=address.url,
        bucket=settings.flat_files_bucket,
        key_id=SecretStr(SANDBOX_KEY_ID),
        secret=SecretStr(SANDBOX_SECRET),
        landing=settings.landing,
    )


def open_vendor_api(settings: Settings) -> VendorApi:
    """Open this installation's REST service, and log which was chosen. Raises `SandboxNotRunningError`."""
    if settings.vendor_api_key is not None:
        _log_choice("chains and yields come from the vendor", url=settings.vendor_api_url)
        return VendorApi(url=settings.vendor_api_url, key=settings.vendor_api_key)
    address = _find_running_sandbox(settings, "HD_VENDOR_API_KEY")
    _log_choice("no vendor key: chains and yields come from the sandbox", url=address.url, market=address.plays)
    return VendorApi(url=address.url, key=SecretStr(SANDBOX_SECRET))


def find_chain_archive(settings: Settings) -> Path | None:
    """Find this installation's archived chains: `HD_CHAIN_ARCHIVE`, else that of the running sandbox, else None."""
    if settings.chain_archive is not None:
        return settings.chain_archive
    address = None if settings.vendor_api_key is not None else read_announced_address(settings.home)
    return Path(address.archive) if address is not None and address.archive is not None else None


def _find_running_sandbox(settings: Settings, instead: str) -> SandboxAddress:
    address = read_announced_address(settings.home)
    if address is None:
        raise SandboxNotRunningError(
            "no vendor credentials are set and no sandbox is running for this HD_HOME: start `hd sandbox`, or set "
            f"{instead}"
        )
    _require_answer(address)
    return address
