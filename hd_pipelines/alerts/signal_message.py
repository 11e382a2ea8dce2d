"""The message for a new trading signal: what to do, at which prices, for how long, and why.

Belongs here: words and numbers of a signal for a person who trades by hand. Signals are made in `signals`; the picture
is `charts.signal`.
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
    """A signal as it is told. Prices are of the underlying; times carry a timezone.

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
        """Its name in the outbox: a signal is told once."""
        return f"signal:{self.signal_id}"


def signal_message(signal: SignalNotice) -> Message:
    """What is said about a new signal."""
    arrow = _ARROWS.get(signal.direction, "")
    title = f"{arrow} {signal.symbol} {signal.direction.lower()}: {_words(signal.detector)}, score {signal.score:.0f}"
    reasons = [f"• {reason}" for reason in signal.reasons[:MOST_REASONS]]
    targets = (
        Field(f"Target {number}", _with_distance(target, signal.entry))
        for number, target in enumerate(signal.targets, start=1)
    )
    fields = [
        Field("Style", _words(signal.style)),
        Field("Entry", price_text(signal.entry)),
        Field("Stop", _with_distance(signal.stop, signal.entry)),
        *targets,
        Field("R:R", f"{signal.risk_reward:.2f}"),
        Field("Valid until", f"{_clock(signal.valid_until)} New York"),
    ]
    if signal.contract is not None:
        fields.append(Field("Contract", contract_text(signal.contract)))
    return Message(
        kind=MessageKind.SIGNAL,
        severity=AlertSeverity.INFO,
        title=title.strip(),
        body="\n".join(line for line in (signal.context_line, *reasons) if line),
        fields=tuple(fields),
        at=signal.bar_time,
        footer=f"signal {signal.signal_id[:8]}, paper trading, no advice",
    )


def price_text(value: Decimal) -> str:
    """A price without needless zeros, two decimals at least: `4,505.10`, `0.0525`."""
    whole, _, part = f"{value:f}".partition(".")
    return f"{int(whole):,}.{part.rstrip('0').ljust(2, '0')}"


def contract_text(ticker: str) -> str:
    """`O:SPY261120C00650000` as `SPY 2026-11-20 650 call`. Raises `ValueError` for what is no option ticker."""
    option = parse_option_ticker(ticker)
    kind = "call" if option.right == "C" else "put"
    return f"{option.root} {option.expiration} {option.strike.normalize():f} {kind}"


def reasons_of(explanation: Mapping[str, Any]) -> tuple[str, ...]:
    """What spoke for a signal, from the document stored with it: conditions that held, then what to be wary of."""
    detector = explanation.get("detector") or {}
    conditions = detector.get("conditions") or ()
    held = [_words(str(each["name"])) for each in conditions if each.get("passes") and each.get("kind") != "veto"]
    caveats = [f"caution: {_words(str(label))}" for label in explanation.get("labels") or ()]
    return (*held, *caveats)


def _with_distance(value: Decimal, entry: Decimal) -> str:
    return f"{price_text(value)} ({(value / entry - 1) * 100:+.2f} %)"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


def _words(name: str) -> str:
    return name.replace("_", " ").lower()
