"""The radar on the terminal: one line per symbol, what a trader looks at before the open.

Belongs here: choosing and formatting columns. What they say is made in the mart `rpt_radar`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from rich.table import Table

from hd_pipelines.cli.terminal import console
from hd_pipelines.settings import Settings
from hd_pipelines.warehouse.address import database_url
from hd_pipelines.warehouse.reader import read_only_query

NOTHING = "·"
"""Stands where there is no value; the mart has the reason beside it."""
Row = Mapping[str, Any]


def show_radar(settings: Settings) -> None:
    """Print the mart `rpt_radar`, most expensive volatility first, and the market's line above it."""
    columns, stream = read_only_query(database_url(settings), "select * from marts.rpt_radar")
    with stream:
        rows: list[Row] = [dict(zip(columns, values, strict=True)) for values in stream]
    if not rows:
        console().print("Radar: the watchlist is empty.")
        return
    rows.sort(key=lambda row: (row["iv_percentile"] is None, -(row["iv_percentile"] or 0.0), row["symbol"]))
    console().print(_market(rows[0]))
    console().print(_table(rows))
    if reasons := _reasons(rows):
        console().print(f"{NOTHING} no value: {reasons}")


def _market(row: Row) -> str:
    if row["market_regime"] is None:
        return "[bold]Market[/bold]: no regime; see the findings of market_regime_history"
    since = f" since {row['regime_since']}" if row["regime_since"] else ""
    words = [
        f"[bold]Market[/bold] on {row['regime_as_of']}: [bold]{row['market_regime']}[/bold]{since}",
        f"confidence {row['regime_confidence_score']:.0f}",
        f"VIX {row['vix_level']:.2f} ({_signed(row['vix_change_pct'], 1)} %, {row['vix_regime']})",
        row["vix_term_structure"] or "term structure unknown",
        f"breadth {row['breadth_regime'] or 'unknown'}",
    ]
    return ", ".join(words)


def _table(rows: list[Row]) -> Table:
    newest: date | None = max((row["iv_as_of"] or row["close_as_of"] or date.min for row in rows), default=None)
    table = Table(title=f"Radar, {newest}", title_justify="left", header_style="bold", pad_edge=False)
    for name, justify, _ in _COLUMNS:
        table.add_column(name, justify="left" if justify == "l" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(write(row) for _, _, write in _COLUMNS))
    return table


def _reasons(rows: list[Row]) -> str:
    """Why values are missing, each reason once with the symbols it concerns."""
    told: dict[str, list[str]] = {}
    for row in rows:
        for name in ("iv_reason", "percentile_reason", "zero_gamma_reason", "change_unknown_reason"):
            if row.get(name):
                told.setdefault(f"{name.removesuffix('_reason')} {row[name]}", []).append(row["symbol"])
    return "; ".join(f"{reason} ({', '.join(symbols)})" for reason, symbols in sorted(told.items()))


def _number(name: str, digits: int, *, factor: float = 1.0) -> Callable[[Row], str]:
    return lambda row: NOTHING if row[name] is None else f"{float(row[name]) * factor:,.{digits}f}"


def _word(name: str) -> Callable[[Row], str]:
    return lambda row: NOTHING if row[name] is None else str(row[name])


def _signed(value: object, digits: int) -> str:
    return NOTHING if value is None else f"{float(str(value)):+.{digits}f}"


def _change(row: Row) -> str:
    if row["change_pct"] is None:
        return NOTHING
    colour = "green" if row["change_pct"] >= 0 else "red"
    return f"[{colour}]{_signed(row['change_pct'], 2)}[/{colour}]"


def _level(name: str) -> Callable[[Row], str]:
    """The level and how far it is from the price that the chain was valued at, in per cent."""

    def write(row: Row) -> str:
        if row[name] is None:
            return NOTHING
        away = float(row[name]) / float(row["gamma_underlying_price"]) - 1
        return f"{float(row[name]):,.0f} ({away:+.1%})"

    return write


def _exposure(row: Row) -> str:
    value = row["gex_usd_per_1pct"]
    if value is None:
        return NOTHING
    millions = float(value) / 1e6
    return f"{millions / 1e3:+,.2f} bn" if abs(millions) >= 1e3 else f"{millions:+,.1f} m"


def _dealers(row: Row) -> str:
    words = [row["positioning_strength"], row["dealer_positioning"]]
    return " ".join(word for word in words if word) or NOTHING


_COLUMNS: tuple[tuple[str, str, Callable[[Row], str]], ...] = (
    ("symbol", "l", _word("symbol")),
    ("close", "r", _number("close_price", 2)),
    ("%", "r", _change),
    ("IV30 %", "r", _number("iv30", 1, factor=100)),
    ("rank", "r", _number("iv_rank", 0, factor=100)),
    ("pctl", "r", _number("iv_percentile", 0, factor=100)),
    ("20d", "r", lambda row: _signed(None if row["iv_change_20d"] is None else row["iv_change_20d"] * 100, 1)),
    ("volatility", "l", _word("iv_recommendation")),
    ("gamma per 1 %", "r", _exposure),
    ("put wall", "r", _level("put_wall")),
    ("zero gamma", "r", _level("zero_gamma")),
    ("call wall", "r", _level("call_wall")),
    ("max pain", "r", _number("max_pain", 0)),
    ("dealers", "l", _dealers),
    ("expect", "l", _word("expected_behavior")),
)
