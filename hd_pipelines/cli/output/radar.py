"""The radar on the terminal: one line per symbol with what a trader looks at before the open.

This module chooses and formats columns; their values are made in the mart `rpt_radar`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from hd_pipelines.cli.installation import Installation
from hd_pipelines.cli.output.table import Column, Priority, print_table
from hd_pipelines.cli.terminal import console
from hd_pipelines.warehouse.read.radar import read_radar

NOTHING = "·"
"""Shown where there is no value; the mart has the reason beside it."""
Row = Mapping[str, Any]


def read_rows(installation: Installation, last_session: date) -> list[Row]:
    """Read the mart `rpt_radar`, most expensive volatility first.

    `last_session`: the newest session that has ended, from which ages are counted.
    """
    with installation.database.connect() as connection:
        radar = read_radar(connection, last_session=last_session)
    rows: list[Row] = list(radar.iter_rows(named=True))
    rows.sort(key=lambda row: (row["iv_percentile"] is None, -(row["iv_percentile"] or 0.0), row["symbol"]))
    return rows


def show_radar(installation: Installation, last_session: date, *, wide: bool = False) -> None:
    """Print one line about the market, then the radar's table. `wide`: all columns whatever the terminal's width."""
    rows = read_rows(installation, last_session)
    if not rows:
        console().print("Radar: the watchlist is empty.")
        return
    console().print(_describe_market(rows[0]))
    newest: date | None = max((row["iv_as_of"] or row["close_as_of"] or date.min for row in rows), default=None)
    print_table(COLUMNS, rows, title=f"Radar, {newest}", wide=wide)
    if reasons := _list_reasons(rows):
        console().print(f"{NOTHING} means no value. {reasons}")


def _describe_market(row: Row) -> str:
    if row["market_regime"] is None:
        return "[bold]Market[/bold]: no regime; see the findings of market_regime_history"
    since = f" since {row['regime_since']}" if row["regime_since"] else ""
    parts = [
        f"[bold]Market[/bold] on {row['regime_as_of']}: [bold]{row['market_regime']}[/bold]{since}",
        f"confidence {row['regime_confidence_score']:.0f} of 100",
        f"VIX {row['vix_level']:.2f} ({_format_signed(row['vix_change_pct'], 1)} %, {row['vix_regime']})",
        f"term structure {row['vix_term_structure'] or 'unknown'}",
        f"breadth {row['breadth_regime'] or 'unknown'}",
    ]
    return ", ".join(parts)


def _list_reasons(rows: list[Row]) -> str:
    """List why values are missing or old, each reason once with its symbols."""
    symbols_by_reason: dict[str, list[str]] = {}
    for row in rows:
        for reason in row["reasons"]:
            symbols_by_reason.setdefault(reason, []).append(row["symbol"])
    return "; ".join(
        f"{reason} ({'all' if len(symbols) == len(rows) else ', '.join(symbols)})"
        for reason, symbols in sorted(symbols_by_reason.items())
    )


def _format_number(name: str, digits: int, *, factor: float = 1.0) -> Callable[[Row], str]:
    return lambda row: NOTHING if row[name] is None else f"{float(row[name]) * factor:,.{digits}f}"


def _format_text(name: str) -> Callable[[Row], str]:
    return lambda row: NOTHING if row[name] is None else str(row[name])


def _format_signed(value: object, digits: int) -> str:
    return NOTHING if value is None else f"{float(str(value)):+.{digits}f}"


def _format_change(row: Row) -> str:
    if row["change_pct"] is None:
        return NOTHING
    colour = "green" if row["change_pct"] >= 0 else "red"
    return f"[{colour}]{_format_signed(row['change_pct'], 2)}[/{colour}]"


def _format_level(name: str) -> Callable[[Row], str]:
    """Write the level and its distance in per cent from the price at which the chain was valued."""

    def write(row: Row) -> str:
        if row[name] is None:
            return NOTHING
        away = float(row[name]) / float(row["gamma_underlying_price"]) - 1
        return f"{float(row[name]):,.0f} ({away:+.1%})"

    return write


def _format_exposure(row: Row) -> str:
    value = row["gex_usd_per_1pct"]
    if value is None:
        return NOTHING
    millions = float(value) / 1e6
    return f"{millions / 1e3:+,.2f} bn" if abs(millions) >= 1e3 else f"{millions:+,.1f} m"


def _format_dealers(row: Row) -> str:
    parts = [row["positioning_strength"], row["dealer_positioning"]]
    return " ".join(part for part in parts if part) or NOTHING


def _format_points(name: str) -> Callable[[Row], str]:
    """Write a difference of volatilities in volatility points."""
    return lambda row: _format_signed(None if row[name] is None else float(row[name]) * 100, 1)


COLUMNS: tuple[Column[Row], ...] = (
    Column("symbol", _format_text("symbol")),
    Column("close", _format_number("close_price", 2), is_number=True),
    Column("%", _format_change, is_number=True),
    Column("±1d %", _format_number("expected_move_1d_pct", 2), Priority.USUAL, is_number=True),
    Column("IV30", _format_number("iv30", 1, factor=100), is_number=True),
    Column("rank", _format_number("iv_rank", 0, factor=100), Priority.USUAL, is_number=True),
    Column("pctl", _format_number("iv_percentile", 0, factor=100), is_number=True),
    Column("Δ20d", _format_points("iv_change_20d"), Priority.DETAIL, is_number=True),
    Column("-RV20", _format_points("iv_less_realized"), Priority.DETAIL, is_number=True),
    Column("volatility", _format_text("iv_recommendation"), Priority.USUAL),
    Column("gamma/1 %", _format_exposure, is_number=True),
    Column("support", _format_level("gamma_wall_support"), Priority.DETAIL, is_number=True),
    Column("zero gamma", _format_level("zero_gamma"), is_number=True),
    Column("resistance", _format_level("gamma_wall_resistance"), Priority.DETAIL, is_number=True),
    Column("max pain", _format_number("max_pain", 0), Priority.DETAIL, is_number=True),
    Column("dealers", _format_dealers, Priority.DETAIL),
    Column("expect", _format_text("expected_behavior")),
)
