"""Colours, fonts and matplotlib settings that all pictures share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1c2130",
    "soft": "#5d6778",
    "line": "#e3e7ee",
    "call": "#2460dc",
    "put": "#d9570d",
    "zero": "#8b2fd6",
    "wash": "#f4f6fa",
    "count": "#4f43dd",
}
"""Colours by role. Pictures are drawn in these; `svg.to_svg` turns each into a variable that follows the viewer's theme."""
DARK = {
    "paper": "#151922",
    "ink": "#f0f3f8",
    "soft": "#a3adbd",
    "line": "#2c3340",
    "call": "#7fabff",
    "put": "#ff9d5c",
    "zero": "#cf9dff",
    "wash": "#1c212c",
    "count": "#8f86ff",
}
WEB_FONTS = "-apple-system, 'Segoe UI', Inter, Roboto, 'Helvetica Neue', Arial, sans-serif"
"""What a browser shows. Text is measured in DejaVu Sans, which is wider than any of these, so labels still fit."""
TEXT_SIZE = 12.0
SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # bundled with matplotlib: a PNG is the same on every machine
    "font.size": TEXT_SIZE,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "hd_pipelines",  # the same ids, hence the same bytes, in every process
    "path.simplify": True,
    "path.simplify_threshold": 0.4,
    "lines.scale_dashes": False,
    "lines.solid_capstyle": "round",
    "axes.unicode_minus": False,
    "axes.autolimit_mode": "data",
    "text.hinting": "none",  # letters stand as far apart as they do in a browser
    "text.parse_math": False,  # a dollar sign is a dollar sign
}


def get_colour(name: str) -> str:
    """Return the light-theme colour of a role; a colour given as `#rrggbb` is returned as it is."""
    return name if name.startswith("#") else LIGHT[name]


def use_style(draw: Callable[P, T]) -> Callable[P, T]:
    """Decorate a drawing function: matplotlib runs with `SETTINGS` inside it and with the caller's settings after it."""

    @wraps(draw)
    def draw_in_style(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib as mpl

        with mpl.rc_context(SETTINGS):
            return draw(*args, **kwargs)

    return draw_in_style
