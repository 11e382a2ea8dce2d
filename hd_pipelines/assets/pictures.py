"""Small pictures for the Dagster page, where a person would rather look than read.

Belongs here: drawing SVG from numbers. The result is Markdown with the picture inside, so nothing is stored elsewhere.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date
from html import escape

import dagster as dg

WIDTH, HEIGHT, MARGIN = 640, 140, 26
INK, PALE = "#4f43dd", "#8a8f98"


def columns_by_session(counts: Sequence[tuple[date, int]], caption: str) -> dg.MarkdownMetadataValue:
    """A column per session, the latest 120. The caption says what is counted."""
    shown = counts[-120:]
    top = max((count for _, count in shown), default=0) or 1
    step = (WIDTH - 2 * MARGIN) / max(len(shown), 1)
    bars = "".join(
        f'<rect x="{MARGIN + i * step:.1f}" y="{HEIGHT - MARGIN - (h := (HEIGHT - 2 * MARGIN) * count / top):.1f}" '
        f'width="{max(step * 0.8, 0.5):.1f}" height="{h:.1f}" fill="{INK}"><title>{day}: {count:,}</title></rect>'
        for i, (day, count) in enumerate(shown)
    )
    first, last = (str(shown[0][0]), str(shown[-1][0])) if shown else ("", "")
    return _picture(f"{bars}{_axis(first, last)}", f"{caption}; highest {top:,}")


def closes(series: Sequence[tuple[date, float]], caption: str) -> dg.MarkdownMetadataValue:
    """A line through closing prices."""
    if len(series) < 2:
        return dg.MetadataValue.md(f"{caption}: fewer than two sessions")
    values = [value for _, value in series]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    points = " ".join(
        f"{MARGIN + i * (WIDTH - 2 * MARGIN) / (len(series) - 1):.1f},"
        f"{HEIGHT - MARGIN - (value - low) / span * (HEIGHT - 2 * MARGIN):.1f}"
        for i, value in enumerate(values)
    )
    line = f'<polyline points="{points}" fill="none" stroke="{INK}" stroke-width="1.6"/>'
    return _picture(f"{line}{_axis(str(series[0][0]), str(series[-1][0]))}", f"{caption}; {low:,.2f} to {high:,.2f}")


def _axis(first: str, last: str) -> str:
    base = HEIGHT - MARGIN
    return (
        f'<line x1="{MARGIN}" y1="{base}" x2="{WIDTH - MARGIN}" y2="{base}" stroke="{PALE}"/>'
        f'<text x="{MARGIN}" y="{base + 15}">{first}</text>'
        f'<text x="{WIDTH - MARGIN}" y="{base + 15}" text-anchor="end">{last}</text>'
    )


def _picture(body: str, title: str) -> dg.MarkdownMetadataValue:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
        f'font-size="11" fill="{PALE}"><text x="{MARGIN}" y="14">{escape(title)}</text>{body}</svg>'
    )
    return dg.MetadataValue.md(
        f"![{escape(title)}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
    )
