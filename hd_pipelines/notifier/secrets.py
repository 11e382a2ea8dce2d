"""Collects every secret that this process has loaded, for the redactor. Cleaning itself is `alerts.redaction`."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from hd_pipelines.alerts.redaction import Redactor, find_secret_parts
from hd_pipelines.notifier.channels import split_urls
from hd_pipelines.settings import Settings


def build_redactor(settings: Settings, urls: Iterable[str] = ()) -> Redactor:
    """Build a redactor for every secret of `settings` and the passwords of `urls`, such as the database's."""
    return Redactor([*list_secrets(settings), *(part for url in urls for part in find_passwords(url))])


def list_secrets(settings: Settings) -> set[str]:
    """Collect the values of all secret settings; of URLs also the parts that are secret by themselves."""
    found: set[str] = set()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if not isinstance(value, SecretStr) or not (secret := value.get_secret_value().strip()):
            continue
        found.add(secret)
        if name == "alert_urls":
            found |= {part for url in split_urls(secret) for part in find_secret_parts(url)}
        elif "://" in secret:
            found |= find_passwords(secret)
    return found


def find_passwords(url: str) -> set[str]:
    """Find the password of a URL, quoted and unquoted; host and database are not secret."""
    password = urlsplit(url).password
    return {password, unquote(password)} if password else set()
