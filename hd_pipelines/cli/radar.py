"""The radar on the terminal: one line per symbol, what a trader looks at before the open.

Belongs here: choosing and formatting columns. What they say is made in the mart `rpt_radar`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from rich.table import Table

from hd_pipelines.cli.desk import Desk
from hd_pipelines.cli.terminal import console
from hd_pipelines.warehouse.read.radar import read_radar

NOTHING = "·"
"""Stands where there is no value; the mart has the reason beside it."""
Row = Mapping[str, Any]


def show_radar(desk: Desk, last_session: date) -> None:
    """Print the mart `rpt_radar`, most expensive volatility first, and the market's line above it.

    `last_session`: the newest that has ended, from which ages are counted.
    """
    with desk.database.connect() as connection:
        radar = read_radar(connection, last_session=last_session)
    rows: list[Row] = list(radar.iter_rows(named=True))
    if not rows:
        console().print("Radar: the watchlist is empty.")
        return
    rows.sort(key=lambda row: (row["iv_percentile"] is None, -(row["iv_percentile"] or 0.0), row["symbol"]))
    console().print(_market(rows[0]))
    console().print(_table(rows))
    if reasons := _reasons(rows):
        console().print(f"{NOTHING} stands for no value. {reasons}")


def _market(row: Row) -> str:
    if row["market_regime"] is None:
        return "[bold]Market[/bold]: no regime; see the findings of market_regime_history"
    since = f" since {row['regime_since']}" if row["regime_since"] else ""
    words = [
        f"[bold]Market[/bold] on {row['regime_as_of']}: [bold]{row['market_regime']}[/bold]{since}",
        f"confidence {row['regime_confidence_score']:.0f} of 100",
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
    """What is missing or old and why, each reason once with the symbols it concerns."""
    told: dict[str, list[str]] = {}
    for row in rows:
        for reason in row["reasons"]:
            told.setdefault(reason, []).append(row["symbol"])
    whom = {reason: "all" if len(symbols) == len(rows) else ", ".join(symbols) for reason, symbols in told.items()}
    return "; ".join(f"{reason} ({symbols})" for reason, symbols in sorted(whom.items()))


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


def _points(name: str) -> Callable[[Row], str]:
    """A difference of volatilities, in points of volatility."""
    return lambda row: _signed(None if row[name] is None else float(row[name]) * 100, 1)


_COLUMNS: tuple[tuple[str, str, Callable[[Row], str]], ...] = (
    ("symbol", "l", _word("symbol")),
    ("close", "r", _number("close_price", 2)),
    ("%", "r", _change),
    ("±1d %", "r", _number("expected_move_1d_pct", 2)),
    ("IV30", "r", _number("iv30", 1, factor=100)),
    ("rank", "r", _number("iv_rank", 0, factor=100)),
    ("pctl", "r", _number("iv_percentile", 0, factor=100)),
    ("Δ20d", "r", _points("iv_change_20d")),
    ("-RV20", "r", _points("iv_less_realized")),
    ("volatility", "l", _word("iv_recommendation")),
    ("gamma/1 %", "r", _exposure),
    ("support", "r", _level("gamma_wall_support")),
    ("zero gamma", "r", _level("zero_gamma")),
    ("resistance", "r", _level("gamma_wall_resistance")),
    ("max pain", "r", _number("max_pain", 0)),
    ("dealers", "l", _dealers),
    ("expect", "l", _word("expected_behavior")),
)
