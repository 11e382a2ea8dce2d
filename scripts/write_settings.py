"""Write docs/reference/settings.md from the model in `hd_pipelines.settings`. `make docs` runs it."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from hd_pipelines.settings import PREFIX, Settings

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"
INTRODUCTION = (
    "Written by `make docs` from `hd_pipelines/settings.py`; change that, not this file.\n\n"
    "Settings are read from the environment and from `.env` in the working directory; the environment wins. An unknown "
    "`HD_*` name is refused, and the message names the nearest existing one. Secrets are never printed, logged or written "
    "to Dagster's run configuration."
)


def settings_page() -> str:
    """The whole of docs/reference/settings.md."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{PREFIX}{name.upper()}` | {_format_default(field.default)} | {meaning} |")
    return f"# Settings\n\n{INTRODUCTION}\n\n" + "\n".join(lines) + "\n"


def _format_default(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, SecretStr):
        return "secret"
    return f"`{','.join(value)}`" if isinstance(value, tuple) else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(settings_page())
