"""How pictures write money, numbers and times."""

from __future__ import annotations

from datetime import datetime

from hd_pipelines.market.sessions import NEW_YORK


def format_time(timestamp: datetime) -> str:
    """Format an instant by the exchange's clock: `2026-11-27 13:00 New York`."""
    return f"{timestamp.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"


def format_dollars(value: float) -> str:
    """Format dollars with three digits and a unit: `$2.19 bn`, `-$340 m`, `$12 k`."""
    size = abs(value)
    unit, name = next(((u, n) for u, n in ((1e9, " bn"), (1e6, " m"), (1e3, " k")) if size >= u), (1.0, ""))
    number = f"{size / unit:.3g}" if size / unit < 1000 else f"{size / unit:.0f}"
    return f"{'-' if value < 0 else ''}${number}{name}"


def format_dollar_tick(value: float) -> str:
    """Format as `format_dollars` does, but zero as `0`."""
    return format_dollars(value) if value else "0"


def format_number(value: float) -> str:
    """Format with two decimals at most, without trailing zeros: `4,505.1`, `0.5`, `2,900`."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def format_price(value: float) -> str:
    """Format with two decimals at least, four for prices below 1: `4,505.10`, `0.0525`."""
    whole, _, part = f"{round(value, 2 if abs(value) >= 1 else 4):.4f}".partition(".")
    return f"{int(whole):,}.{part.rstrip('0').ljust(2, '0')}"


def format_percent(share: float) -> str:
    """Format a share as percent in three digits: `16.4 %`."""
    return f"{share * 100:.3g} %"


def format_name(name: str | None) -> str:
    """Format a stored name for a reader: `fewer_than_126_observations` becomes `fewer than 126 observations`."""
    return (name or "unknown").replace("_", " ")
