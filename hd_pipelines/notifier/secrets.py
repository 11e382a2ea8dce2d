"""Everything secret that this process has loaded, and what cleans it out of text.

Belongs here: collecting. What cleaning does is `alerts.redaction`.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from hd_pipelines.alerts.redaction import Redactor, secret_parts
from hd_pipelines.notifier.channels import split_urls
from hd_pipelines.settings import Settings


def redactor_of(settings: Settings, urls: Iterable[str] = ()) -> Redactor:
    """Cleans every secret of `settings`, and the passwords of `urls`: the database's, wherever it came from."""
    return Redactor([*loaded_secrets(settings), *(part for url in urls for part in passwords(url))])


def loaded_secrets(settings: Settings) -> set[str]:
    """Values of all secret settings; of URLs also the parts that are secret by themselves."""
    found: set[str] = set()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if not isinstance(value, SecretStr) or not (secret := value.get_secret_value().strip()):
            continue
        found.add(secret)
        if name == "alert_urls":
            found |= {part for url in split_urls(secret) for part in secret_parts(url)}
        elif "://" in secret:
            found |= passwords(secret)
    return found


def passwords(url: str) -> set[str]:
    """The password of a URL as written and as meant; its host and database are no secret."""
    password = urlsplit(url).password
    return {password, unquote(password)} if password else set()
