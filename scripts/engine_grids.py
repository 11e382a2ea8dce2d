"""What regimes, permissions and age do, over everything that they can be, as SVG.

Belongs here: the pictures whose inputs are words, and the one of age. The engines with a number for input are in
`engine_pictures`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from engine_pictures import COLOURS, plainly

from hd_pipelines.assets.picture_canvas import LEFT, RIGHT, TOP, Canvas, Scale
from hd_pipelines.signals.engines import permissions, regime
from hd_pipelines.signals.engines.freshness import GONE_AT, STALE_AFTER_MINUTES, compute_share_left
from hd_pipelines.tables.vocabulary import ContextEngine, Direction, MarketRegime, Strategy, TradingStyle, VixRegime

BOOST, PENALTY = "#12813f", "#b3261e"
VIX_LEVELS = dict(zip(VixRegime, ("< 12", "< 16", "< 20", "< 30", "< 40", "40 +"), strict=True))


def regime_picture() -> str:
    """Every regime and VIX, for both directions and a style that the regime favours."""
    canvas = Canvas(
        "Regime: the multiplier over its whole range",
        "Trends help trades that go along and cost those that do not; panic favours buyers, euphoria nobody.",
        492,
    )
    label, width, height, top = 166, 49, 27, TOP + 40
    for number, direction in enumerate(Direction):
        left = label + number * (width * 6 + 16)
        heading = f"{direction.value.lower()} trade, by VIX"
        canvas.text(left + 3 * width, TOP + 12, heading, anchor="middle", colour="ink", more=' class="b"')
        for column, (vix, level) in enumerate(VIX_LEVELS.items()):
            canvas.text(left + (column + 0.5) * width, TOP + 32, level, anchor="middle")
            for row, market in enumerate(MarketRegime):
                value = _if_favored(market, vix, direction)
                _value(canvas, (left + column * width, top + row * height), (width, height), value)
    favours = label + 2 * (width * 6 + 16) + 4
    canvas.text(favours, TOP + 32, "favours")
    for row, market in enumerate(MarketRegime):
        y = top + row * height + 18
        canvas.text(label - 10, y, plainly(market.value), anchor="end", colour="ink")
        letters = [letter for letter, style in zip("SDW", TradingStyle, strict=True) if market in regime.FAVORED[style]]
        canvas.text(favours, y, " ".join(letters) or "none", colour="ink")
    bottom = top + 11 * height + 22
    confidence = "Confidence 100; the row's own pulls towards 1. A style that the regime does not favour: ×0.85"
    styles = (
        "(S scalp, D day trade, W swing). A market against a trade never boosts it. Unknown VIX: as below 20, and told."
    )
    canvas.text(24, bottom, confidence)
    canvas.text(24, bottom + 20, styles)
    return canvas.svg()


def _if_favored(market: MarketRegime, vix: VixRegime, direction: Direction) -> float:
    """The opinion without the factor of styles: that of a favoured one, or worked back where there is none."""
    favored = [style for style in TradingStyle if market in regime.FAVORED[style]]
    if favored:
        return regime.compute_opinion(market, vix, direction, favored[0])
    most = 1.0 if regime.find_course(market, direction) < 0 else math.inf
    return min(regime.compute_opinion(market, vix, direction, TradingStyle.SCALP) / regime.NOT_FAVORED, most)


def _value(canvas: Canvas, corner: tuple[float, float], size: tuple[float, float], value: float) -> None:
    (x, y), (width, height) = corner, size
    opacity = 0.06 + 0.6 * min(abs(math.log(value)) / math.log(1.9), 1.0)
    colour = BOOST if value > 1.0 else PENALTY
    canvas.box(x + 1, y + 1, width - 2, height - 2, colour=colour, more=f' rx="3" fill-opacity="{opacity:.2f}"')
    canvas.text(x + width / 2, y + 18, f"{value:.2f}", anchor="middle", colour="ink")


def freshness_picture() -> str:
    """Over age in trading minutes."""
    canvas = Canvas(
        "Age: how much of an opinion is left",
        "A daily row counts through the whole next session and is gone after four; nights and weekends do not count.",
        430,
    )
    ticks = (10, 30, 60, 120, 240, 390, 780, 1560)
    across, up = Scale(math.log(10), math.log(2000), LEFT, RIGHT), Scale(0, 100, 350, TOP + 20)
    canvas.grid(up, [0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    named = (
        (ContextEngine.GAMMA_EXPOSURE, "gamma", "zero"),
        (ContextEngine.FLOW, "flow", "put"),
        (ContextEngine.MTF_ALIGNMENT, "alignment", BOOST),
        (ContextEngine.REGIME, "IV, regime", "call"),
    )
    for engine, name, colour in named:
        ages = [10 * 200 ** (step / 600) for step in range(601)]
        points = [(across(math.log(age)), up(100 * compute_share_left(engine, age))) for age in ages]
        canvas.curve(points, colour=colour, width=2.2)
        limit = STALE_AFTER_MINUTES[engine]
        is_last = engine is ContextEngine.REGIME
        x = across(math.log(limit * (GONE_AT - 0.6 * (GONE_AT - 1)))) + (36 if is_last else -14)
        for line, words in enumerate((name, f"from {limit:.0f}")):
            canvas.note(x, up(60) + 8 + 16 * line, words, anchor="start" if is_last else "end", colour=colour)
    for tick in ticks:
        canvas.text(across(math.log(tick)), 372, f"{tick}", anchor="middle")
    for sessions in (1, 2, 4):
        x = across(math.log(390 * sessions))
        canvas.rule(x, TOP + 20, x, 350, more=' stroke-dasharray="3 4"')
        canvas.text(x, 390, f"{sessions} session{'s' if sessions > 1 else ''}", anchor="middle")
    canvas.text(
        (LEFT + RIGHT) / 2,
        414,
        "age, trading minutes (logarithmic); that of alignment is the time since a halted symbol last traded",
        anchor="middle",
    )
    return canvas.svg()


def permissions_picture() -> str:
    """Every strategy in every regime, for both directions, and at every VIX."""
    canvas = Canvas(
        "Permissions: which strategies a market forbids",
        "No market forbids everything before the VIX reaches 40, and every strategy may trade either way in some market.",
        430,
    )
    label, width, vix_width, height, top = 160, 44, 34, 24, TOP + 66
    vix_left = label + 11 * width + 18
    for column, market in enumerate(MarketRegime):
        left = label + column * width
        for line, word in enumerate(_narrow(market)):
            canvas.text(left + width / 2, TOP + 26 + 13 * line, word, anchor="middle", more=' style="font-size:11px"')
        for row, strategy in enumerate(Strategy):
            for half, direction in enumerate(Direction):
                refused = permissions.find_refusal(strategy, direction, regime=market, vix=None) is not None
                x = left + 2 + half * (width / 2 - 1)
                _permission(canvas, x, top + row * height, width / 2 - 2, refused=refused, colour=COLOURS[direction])
    for column, (vix, level) in enumerate(VIX_LEVELS.items()):
        left = vix_left + column * vix_width
        canvas.text(left + vix_width / 2, TOP + 52, level, anchor="middle")
        for row, strategy in enumerate(Strategy):
            refused = strategy in permissions.PUBLISHED.at_vix.get(vix, frozenset())
            _permission(canvas, left + 1, top + row * height, vix_width - 3, refused=refused, colour="soft")
    canvas.text(label + 5.5 * width, TOP + 4, "regime", anchor="middle", colour="ink", more=' class="b"')
    canvas.text(vix_left + 3 * vix_width, TOP + 4, "VIX, either way", anchor="middle", colour="ink", more=' class="b"')
    for row, strategy in enumerate(Strategy):
        canvas.text(label - 10, top + row * height + 16, plainly(strategy.value), anchor="end", colour="ink")
    bottom = top + 9 * height + 24
    for x, name, colour in ((24, "long allowed", "call"), (130, "short allowed", "put"), (240, "forbidden", "")):
        _permission(canvas, x, bottom - 14, 18, refused=not colour, colour=colour)
        canvas.text(x + 26, bottom, name)
    canvas.text(340, bottom, "A trade needs both tables. As printed by the product; a policy may give others.")
    return canvas.svg()


def _permission(canvas: Canvas, x: float, y: float, width: float, *, refused: bool, colour: str) -> None:
    if refused:
        canvas.box(x, y + 1, width, 21, colour="wash", more=' rx="2"')
        canvas.rule(x + width / 2 - 3, y + 11.5, x + width / 2 + 3, y + 11.5, colour="soft")
    else:
        canvas.box(x, y + 1, width, 21, colour=colour, more=' rx="2" fill-opacity="0.75"')


def _narrow(market: MarketRegime) -> list[str]:
    words = plainly(market.value)
    for long in ("down-trend", "up-trend", "break-out", "break-down", "capitu-lation", "eupho-ria"):
        words = words.replace(long.replace("-", ""), long.replace("-", "- "))
    return words.split()


PICTURES: dict[str, Callable[[], str]] = {
    "engine-regime": regime_picture,
    "engine-freshness": freshness_picture,
    "engine-permissions": permissions_picture,
}
"""File name in docs/img without its ending, and what draws it."""
