"""Puts pictures of `charts` on the Dagster page, and does not draw again what is there already.

Drawing takes a third of a run that finds nothing to do. So each materialization says what its pictures were drawn from,
and the next one takes them over if that is still the same.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from html import escape
from importlib.metadata import version
from pathlib import Path

import dagster as dg

from hd_pipelines.charts.figure import Picture

DRAWN_FROM = "pictures_drawn_from"
"""Metadata key of the digest of what the pictures of a materialization were drawn from, and by which code."""
_PACKAGE = Path(__file__).parents[1]
_IMAGE = "![{text}](data:image/svg+xml;base64,{svg})"


@dataclass(frozen=True, slots=True)
class Drawing:
    """Pictures of one asset by metadata key, not yet drawn.

    `inputs`: the values that they are drawn from, or what identifies them; equal inputs give equal pictures.
    """

    inputs: object
    draw: Callable[[], Mapping[str, Picture]]


def show_pictures(context: dg.AssetExecutionContext, sessions: Sequence[date], drawing: Drawing) -> None:
    """Attach pictures, drawn or taken over from the latest materialization, to the newest of `sessions` (ascending).

    Only to that one: a run over a year would store each picture 252 times.
    """
    drawn_from = hashlib.sha256(f"{_digest_code()} {drawing.inputs!r}".encode()).hexdigest()[:16]
    pictures = _find_drawn(context, drawn_from)
    if pictures is None:
        pictures = {name: to_markdown(picture) for name, picture in drawing.draw().items()}
    named = {DRAWN_FROM: dg.MetadataValue.text(drawn_from), **pictures}
    context.add_asset_metadata(named, partition_key=str(sessions[-1]))


def to_markdown(picture: Picture) -> dg.MarkdownMetadataValue:
    """Embed the picture as an image in Markdown, so that nothing is stored elsewhere. Its text is title and reading."""
    text = f"{picture.title}. {picture.reading}".replace("[", "(").replace("]", ")").replace("\n", " ")
    encoded = base64.b64encode(picture.svg.encode()).decode()
    return dg.MetadataValue.md(_IMAGE.format(text=escape(text), svg=encoded))


def _find_drawn(context: dg.AssetExecutionContext, drawn_from: str) -> dict[str, dg.MarkdownMetadataValue] | None:
    """Return the pictures of the asset's latest materialization, or None if they were drawn from something else."""
    latest = context.instance.get_latest_materialization_event(context.asset_key)
    if latest is None or latest.asset_materialization is None:
        return None
    metadata = latest.asset_materialization.metadata
    if metadata.get(DRAWN_FROM) != dg.MetadataValue.text(drawn_from):
        return None
    return {
        name: value
        for name, value in metadata.items()
        if isinstance(value, dg.MarkdownMetadataValue) and value.value.startswith("![")
    }


@cache
def _digest_code() -> str:
    """Hash this package, any module of which may have a part in a picture, and the release of matplotlib."""
    digest = hashlib.sha256(version("matplotlib").encode())
    for file in sorted(_PACKAGE.rglob("*.py")):
        if file.is_file():  # an editor's lock is a dangling link
            digest.update(file.read_bytes())
    return digest.hexdigest()
