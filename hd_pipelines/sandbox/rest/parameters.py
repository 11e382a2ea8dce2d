"""Request parameters that several REST paths share, and the error that refuses a request."""

from __future__ import annotations

from collections.abc import Mapping


class RestError(Exception):
    """An answer other than 200: becomes the vendor's JSON."""

    def __init__(self, status: int, text: str | None = None) -> None:
        super().__init__(text or str(status))
        self.status, self.text = status, text


def read_page_limit(query: Mapping[str, str], *, default: int, most: int) -> int:
    """Read the number of rows of a page. Raises `RestError` unless it is a number within the limit."""
    text = query.get("limit", str(default))
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise RestError(400, f"'limit' must be a number from 1 to {most}.")
    return int(text)
