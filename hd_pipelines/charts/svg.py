"""Turns a matplotlib figure into a small, self-contained SVG that follows the viewer's light or dark theme."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from hd_pipelines.charts.style import DARK, LIGHT, TEXT_SIZE, WEB_FONTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"
HALO = "halo"
"""Gid of text that is drawn on a halo of the background, for places where lines pass behind it."""
_LINK = "{http://www.w3.org/1999/xlink}href"
_GENERATED = re.compile(r"[A-Za-z0-9.]+_\d+$")
_NUMBER = re.compile(r"-?\d+\.\d+")
_UNTURNED = re.compile(r"rotate\(-?0(?:\.0+)? [^)]*\)")
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_ROLES = {colour: f"var(--{name})" for name, colour in LIGHT.items()}
_DEFAULTS = {"stroke-linejoin: round", "stroke-linecap: butt", f"font-size: {TEXT_SIZE:g}px", "text-anchor: start"}


def to_svg(figure: Figure) -> str:
    """Return the figure as SVG text.

    Colours of the light palette become CSS variables with a dark set beside them, coordinates are rounded to a tenth of
    a pixel, and groups without a name are dropped. Artists with a gid stay findable as `<g id="…">`.
    """
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata=_NO_METADATA, dpi=72, facecolor="none")
    ET.register_namespace("", SVG)
    root = ET.fromstring(written.getvalue())  # noqa: S314 - written a line above
    for name in ("width", "height"):
        root.set(name, root.get(name, "").removesuffix("pt"))
    root.attrib.pop("version", None)
    _shorten(root)
    style = ET.Element(f"{{{SVG}}}style")
    style.text = _theme()
    root.insert(0, style)
    return ET.tostring(root, encoding="unicode")


def _theme() -> str:
    light, dark = (";".join(f"--{name}:{value}" for name, value in each.items()) for each in (LIGHT, DARK))
    return (
        f"svg{{{light};font:{TEXT_SIZE:g}px {WEB_FONTS}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}"
        "*{stroke-linejoin:round;stroke-linecap:butt}"
        f".{HALO} text{{paint-order:stroke;stroke:var(--paper);stroke-width:5px}}"
    )


def _shorten(parent: ET.Element) -> None:
    """Rewrite the children in place: shorter attributes, no empty definitions, no groups without a name."""
    children: list[ET.Element] = []
    for child in parent:
        _shorten(child)
        tag = child.tag.rpartition("}")[2]
        if tag in {"style", "metadata"} or (tag == "defs" and not len(child)):
            continue
        child.tail = None
        _shorten_attributes(child)
        if tag == "g":
            child.text = None
            _hoist_style(child)
            if not child.attrib:
                children += list(child)
                continue
        children.append(child)
    parent[:] = children
    if len(parent):
        parent.text = None


def _hoist_style(group: ET.Element) -> None:
    """Give a style that all children share to the group: a line's dots then carry nothing but their places."""
    styles = {child.get("style") for child in group}
    if len(group) > 1 and len(styles) == 1 and (style := styles.pop()) and "style" not in group.attrib:
        group.set("style", style)
        for child in group:
            del child.attrib["style"]


def _shorten_attributes(element: ET.Element) -> None:
    attributes = element.attrib
    name = attributes.get("id", "")
    if _GENERATED.match(name):
        del attributes["id"]
    elif name == HALO:
        del attributes["id"]
        attributes["class"] = HALO
    if _LINK in attributes:
        attributes["href"] = attributes.pop(_LINK)
    if "style" in attributes:
        attributes["style"] = _shorten_style(attributes["style"])
        if not attributes["style"]:
            del attributes["style"]
    if _UNTURNED.fullmatch(attributes.get("transform", "")):
        del attributes["transform"]
    for key in ("d", "x", "y", "transform"):
        if key in attributes:
            attributes[key] = _NUMBER.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), attributes[key])
    if "d" in attributes:
        attributes["d"] = re.sub(r"\s*([A-Za-z])\s*", r"\1", attributes["d"]).strip()


def _shorten_style(style: str) -> str:
    parts = [part.strip() for part in style.split(";")]
    kept = [part for part in parts if part and part not in _DEFAULTS and not part.startswith("font-family")]
    return ";".join(
        _ROLES.get(value, value).join((f"{key}:", "")) for key, _, value in (p.partition(": ") for p in kept)
    )
