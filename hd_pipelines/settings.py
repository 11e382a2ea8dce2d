"""Every setting of the platform, in one model read from `HD_*` variables and `.env`.

No other module reads the environment.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "HD_"
DEFAULT_WATCHLIST = ("SPY", "QQQ", "IWM", "SPX", "NDX", "AAPL", "MSFT", "NVDA", "TSLA", "AMD", "META")


class UnknownSettingError(ValueError):
    """An unknown `HD_*` name; the message suggests the nearest existing one."""


class Settings(BaseSettings):
    """All settings. The environment wins over `.env`; an unknown `HD_*` name in either is refused."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    home: Path = Field(Path(".hd"), description="Folder of everything that a run writes.")
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL 15 or newer, postgresql://user:password@host/db. Unset: the embedded server."
    )
    pg_port: Annotated[int, Field(ge=1024, le=65535)] | None = Field(
        None, description="Port of the embedded server. Unset: a free one, chosen once and kept."
    )
    pg_user: str = Field("hd_pg", description="System user of the embedded server when started by root.")
    lake_url: str | None = Field(None, description="Root of the Parquet lake, a path or s3://. Unset: HD_HOME/lake.")
    flat_files_url: str = Field("https://files.massive.com", description="S3 endpoint of the vendor's flat files.")
    flat_files_bucket: str = Field("flatfiles", description="Bucket of the vendor's flat files.")
    flat_files_key_id: SecretStr | None = Field(None, description="S3 access key id of the vendor account.")
    flat_files_secret: SecretStr | None = Field(None, description="S3 secret key of the vendor account.")
    vendor_api_url: str = Field("https://api.massive.com", description="Base URL of the vendor's REST service.")
    vendor_api_key: SecretStr | None = Field(None, description="Key of the vendor's REST service. Unset: the sandbox.")
    chain_archive: Path | None = Field(
        None, description="Folder of your own or bought option chains: chains/<UNDERLYING>/<session>.parquet."
    )
    watchlist: Annotated[tuple[str, ...], NoDecode] = Field(
        DEFAULT_WATCHLIST, description="Symbols that a new warehouse starts with, comma separated."
    )
    download_workers: int = Field(6, ge=1, le=32, description="Objects downloaded at the same time.")
    ui_port: int = Field(3000, ge=1024, le=65535, description="Port of the Dagster UI on 127.0.0.1.")
    radar_port: int = Field(8080, ge=1024, le=65535, description="Reserved for Radar and API; unused.")
    sandbox_port: Annotated[int, Field(ge=1024, le=65535)] | None = Field(
        None, description="Port of the sandbox on 127.0.0.1. Unset: a free one, announced through HD_HOME."
    )

    alert_urls: SecretStr | None = Field(
        None,
        description="Where alerts go: apprise URLs (discord://, slack://, tgram://, mailtos://, json://), separated by"
        " blanks or commas. Unset: nowhere, `hd alerts` lists them.",
    )

    @field_validator("watchlist", mode="before")
    @classmethod
    def _split_symbols(cls, value: object) -> object:
        return tuple(s.strip() for s in value.split(",") if s.strip()) if isinstance(value, str) else value

    @field_validator("home", "chain_archive")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value is not None else None

    @field_validator("vendor_api_url")
    @classmethod
    def _plain_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query:
            raise ValueError("HD_VENDOR_API_URL is not a plain http(s) URL like https://api.massive.com")
        return value.rstrip("/")

    @field_validator("vendor_api_key")
    @classmethod
    def _key_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (not (key := value.get_secret_value()).strip() or not key.isascii()):
            raise ValueError(
                "HD_VENDOR_API_KEY is empty or contains characters that no key has; unset it or set the key"
            )
        return value

    @model_validator(mode="after")
    def _credentials_come_in_pairs(self) -> Settings:
        if (self.flat_files_key_id is None) != (self.flat_files_secret is None):
            missing = "HD_FLAT_FILES_SECRET" if self.flat_files_secret is None else "HD_FLAT_FILES_KEY_ID"
            raise ValueError(f"{missing} is missing: the vendor's key id and secret are only useful together")
        return self

    @property
    def has_vendor_credentials(self) -> bool:
        """Whether flat files come from the vendor; otherwise from the sandbox on this machine."""
        return self.flat_files_key_id is not None

    @property
    def has_vendor_api_key(self) -> bool:
        """Whether chains and yields come from the vendor; otherwise from the sandbox on this machine."""
        return self.vendor_api_key is not None

    @property
    def lake_root(self) -> str:
        """Where the lake is: `lake_url`, or `HD_HOME/lake`."""
        return self.lake_url or str(self.home / "lake")

    @property
    def landing(self) -> Path:
        """Where downloaded vendor objects are kept."""
        return self.home / "landed"


def load_settings(env_file: Path = Path(".env")) -> Settings:
    """Read and validate all settings. Raises `UnknownSettingError` or pydantic's `ValidationError`."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    given = {**(dotenv_values(env_file) if env_file.is_file() else {}), **os.environ}
    for name in sorted(given):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(known))}"
            raise UnknownSettingError(f"{name} is not a setting{hint}")
    return Settings(_env_file=env_file)
