"""Reads finished pictures as a person would: texts and their places, named marks, and the scale of an axis."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

from hd_pipelines.assets.pictures import to_markdown
from hd_pipelines.charts.figure import WIDTH, Picture

NS = "{http://www.w3.org/2000/svg}"
MOST_BYTES = 60_000
BELOW_LINE = 4.6
"""Pixels by which the label of a horizontal line hangs below it."""


def parse(picture: Picture) -> ET.Element:
    """The image inside the Markdown of the Dagster page."""
    markdown = to_markdown(picture).value
    found = re.fullmatch(r"!\[[^\[\]]+\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", markdown)
    assert found
    assert len(markdown) < MOST_BYTES
    root = ET.fromstring(base64.b64decode(found[1]))
    assert (root.tag, root.get("width")) == (f"{NS}svg", str(WIDTH))
    return root


def list_texts(root: ET.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{NS}text")]


def get_reading(root: ET.Element) -> str:
    (group,) = find_named(root, "reading")
    return list_texts(group)[0]


def find_named(root: ET.Element, name: str) -> list[ET.Element]:
    """Marks that carry a name, in the order in which they are drawn."""
    return [each for each in root.iter(f"{NS}g") if each.get("id") == name]


def path(root: ET.Element, name: str) -> ET.Element:
    """The one path of the one mark of that name."""
    (group,) = find_named(root, name)
    (found,) = group.iter(f"{NS}path")
    return found


def points(element: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", element.get("d"))]


def dots(root: ET.Element, name: str) -> list[tuple[float, float]]:
    return [(float(e.get("x")), float(e.get("y"))) for g in find_named(root, name) for e in g.iter(f"{NS}use")]


def colour(element: ET.Element) -> str:
    """`stroke` of a line, `fill` of a shape."""
    style = dict(part.split(":") for part in element.get("style").split(";"))
    return style["stroke"] if style.get("fill") in (None, "none") else style["fill"]


def boxes(element: ET.Element) -> list[tuple[float, float, float, float]]:
    """Left, right, top and bottom of each rectangle of a compound path."""
    found = []
    for part in element.get("d").split("z"):
        if corners := re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", part):
            x, y = ([float(each) for each in line] for line in zip(*corners, strict=True))
            found.append((min(x), max(x), min(y), max(y)))
    return found


def standing(root: ET.Element, name: str) -> list[float]:
    """Where the vertical lines of that name stand."""
    ends = [points(path(group, name)) for group in ([root] if find_named(root, name) else [])]
    assert all(one[0] == other[0] for one, other in ends)
    return [one[0] for one, _ in ends]


def place(root: ET.Element, word: str) -> tuple[float, float]:
    return next((float(e.get("x")), float(e.get("y"))) for e in root.iter(f"{NS}text") if (e.text or "") == word)


def through(root: ET.Element, axis: int, labels: dict[str, float]) -> Callable[[float], float]:
    """The scale that two labels of an axis show: the pixel of a value. `axis`: 0 across, 1 up."""
    low, high = sorted(labels, key=lambda word: labels[word])
    shift = BELOW_LINE if axis else 0.0
    start, end = place(root, low)[axis] - shift, place(root, high)[axis] - shift
    return lambda value: start + (value - labels[low]) / (labels[high] - labels[low]) * (end - start)
