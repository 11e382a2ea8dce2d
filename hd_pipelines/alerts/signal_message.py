"""Writes the message for a new trading signal: what to do, at which prices, for how long, and why.

It is for a person who trades by hand. Signals are made in `signals`; the picture is `charts.signal`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from hd_pipelines.alerts.messages import Field, Message
from hd_pipelines.market.sessions import NEW_YORK
from hd_pipelines.market.symbols import parse_option_ticker
from hd_pipelines.tables.vocabulary import AlertSeverity, MessageKind

MOST_REASONS = 8
_ARROWS = {"LONG": "▲", "SHORT": "▼"}


@dataclass(frozen=True, slots=True)
class SignalNotice:
    """What a message says about a signal. Prices are of the underlying; times carry a timezone.

    direction: `LONG` or `SHORT`. score: 0 to 100. risk_reward: reward over risk of the second target. contract: OCC
    ticker of the suggested option, None if there is none. context_line: market regime, gamma, volatility in one line;
    empty if unknown.
    """

    signal_id: str
    symbol: str
    detector: str
    direction: str
    style: str
    score: float
    entry: Decimal
    stop: Decimal
    targets: tuple[Decimal, Decimal, Decimal]
    risk_reward: float
    valid_until: datetime
    bar_time: datetime
    context_line: str
    contract: str | None
    reasons: tuple[str, ...]

    @property
    def event_key(self) -> str:
        """Its key in the outbox: a signal is sent once."""
        return f"signal:{self.signal_id}"


def write_signal_message(signal: SignalNotice) -> Message:
    """Write the message about a new signal."""
    arrow = _ARROWS.get(signal.direction, "")
    title = (
        f"{arrow} {signal.symbol} {signal.direction.lower()}: {_format_name(signal.detector)}, score {signal.score:.0f}"
    )
    reasons = [f"• {reason}" for reason in signal.reasons[:MOST_REASONS]]
    targets = (
        Field(f"Target {number}", _format_with_distance(target, signal.entry))
        for number, target in enumerate(signal.targets, start=1)
    )
    fields = [
        Field("Style", _format_name(signal.style)),
        Field("Entry", format_price(signal.entry)),
        Field("Stop", _format_with_distance(signal.stop, signal.entry)),
        *targets,
        Field("R:R", f"{signal.risk_reward:.2f}"),
        Field("Valid until", f"{_format_time(signal.valid_until)} New York"),
    ]
    if signal.contract is not None:
        fields.append(Field("Contract", format_contract(signal.contract)))
    return Message(
        kind=MessageKind.SIGNAL,
        severity=AlertSeverity.INFO,
        title=title.strip(),
        body="\n".join(line for line in (signal.context_line, *reasons) if line),
        fields=tuple(fields),
        at=signal.bar_time,
        footer=f"signal {signal.signal_id[:8]}, not financial advice",
    )


def format_price(value: Decimal) -> str:
    """Format a price without trailing zeros, two decimals at least: `4,505.10`, `0.0525`."""
    whole, _, part = f"{value:f}".partition(".")
    return f"{int(whole):,}.{part.rstrip('0').ljust(2, '0')}"


def format_contract(ticker: str) -> str:
    """Format `O:SPY261120C00650000` as `SPY 2026-11-20 650 call`. Raises `ValueError` if it is not an option ticker."""
    option = parse_option_ticker(ticker)
    kind = "call" if option.right == "C" else "put"
    return f"{option.root} {option.expiration} {option.strike.normalize():f} {kind}"


def list_reasons(explanation: Mapping[str, Any]) -> tuple[str, ...]:
    """List the reasons for a signal from its stored explanation: conditions that held, then cautions."""
    detector = explanation.get("detector") or {}
    conditions = detector.get("conditions") or ()
    held = [_format_name(str(each["name"])) for each in conditions if each.get("passes") and each.get("kind") != "veto"]
    caveats = [f"caution: {_format_name(str(label))}" for label in explanation.get("labels") or ()]
    return (*held, *caveats)


def _format_with_distance(value: Decimal, entry: Decimal) -> str:
    return f"{format_price(value)} ({(value / entry - 1) * 100:+.2f} %)"


def _format_time(moment: datetime) -> str:
    return f"{moment.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


def _format_name(name: str) -> str:
    return name.replace("_", " ").lower()
