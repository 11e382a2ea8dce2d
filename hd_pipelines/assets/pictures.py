"""Puts pictures of `charts` on the Dagster page."""

from __future__ import annotations

import base64
from html import escape

import dagster as dg

from hd_pipelines.charts.figure import Picture


def to_markdown(picture: Picture) -> dg.MarkdownMetadataValue:
    """Embed the picture as an image in Markdown, so that nothing is stored elsewhere. Its text is title and reading."""
    text = f"{picture.title}. {picture.reading}".replace("[", "(").replace("]", ")").replace("\n", " ")
    encoded = base64.b64encode(picture.svg.encode()).decode()
    return dg.MetadataValue.md(f"![{escape(text)}](data:image/svg+xml;base64,{encoded})")
