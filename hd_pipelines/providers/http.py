"""What every HTTP client of the house agrees on: addresses of this machine, and how long an answer asks to wait.

Clients themselves are in the modules of each service.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Return whether `url` leads to this machine, so that no proxy may see the request."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def parse_retry_after(header: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (seconds, or an HTTP date) as seconds from `now`, at least 0.

    None without a header, and for one that says neither: a receiver's mistake must not end the caller.
    """
    if header is None:
        return None
    seconds = parse_seconds(header)
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(header)
        wait = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return max(wait, 0.0)


def parse_seconds(header: str | None) -> float | None:
    """Read a number of seconds in plain digits, with or without a fraction; None for anything else."""
    text = (header or "").strip()
    if not text.isascii() or not text.replace(".", "", 1).isdigit():
        return None
    seconds = float(text)
    return seconds if math.isfinite(seconds) else None
