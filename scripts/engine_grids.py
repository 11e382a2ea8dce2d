"""Draws the effect of every regime, permission and age.

Engines whose input is a number are in `engine_pictures`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine_pictures import COLOURS, MIDDLE, format_word, note

from hd_pipelines.charts.figure import LEFT, RIGHT, TOP, add_panel, make_figure, write
from hd_pipelines.charts.marks import fill_boxes, plot_line
from hd_pipelines.charts.style import use_style
from hd_pipelines.signals.engines import permissions, regime
from hd_pipelines.signals.engines.freshness import GONE_AT, STALE_AFTER_MINUTES, compute_share_left
from hd_pipelines.tables.vocabulary import ContextEngine, Direction, MarketRegime, Strategy, TradingStyle, VixRegime

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BOOST, PENALTY = "#12813f", "#b3261e"
VIX_LEVELS = dict(zip(VixRegime, ("< 12", "< 16", "< 20", "< 30", "< 40", "40 +"), strict=True))


def add_table(figure: Figure) -> Axes:
    """A panel over the whole picture whose units are pixels from the top left, for cells."""
    width, height = figure.get_size_inches() * 72
    return add_panel(figure, 0, 0, width, height, x=(0, width), y=(height, 0))


@use_style
def draw_regime() -> Figure:
    """Every regime and VIX, for both directions and a style that the regime favours."""
    figure = make_figure(
        "Regime: the multiplier over its whole range",
        "Trends help trades that go along and cost those that do not; panic favours buyers, euphoria nobody.",
        492,
    )
    table = add_table(figure)
    label, width, height, top = 166, 49, 27, TOP + 40
    for number, direction in enumerate(Direction):
        left = label + number * (width * 6 + 16)
        heading = f"{direction.value.lower()} trade, by VIX"
        write(figure, left + 3 * width, TOP + 12, heading, align="center", colour="ink", weight="bold")
        for column, (vix, level) in enumerate(VIX_LEVELS.items()):
            write(figure, left + (column + 0.5) * width, TOP + 32, level, align="center")
            for row, market in enumerate(MarketRegime):
                value = _compute_if_favoured(market, vix, direction)
                _draw_value(figure, table, (left + column * width, top + row * height), (width, height), value)
    favours = label + 2 * (width * 6 + 16) + 4
    write(figure, favours, TOP + 32, "favours")
    for row, market in enumerate(MarketRegime):
        y = top + row * height + 18
        write(figure, label - 10, y, format_word(market.value), align="right", colour="ink")
        letters = [letter for letter, style in zip("SDW", TradingStyle, strict=True) if market in regime.FAVORED[style]]
        write(figure, favours, y, " ".join(letters) or "none", colour="ink")
    bottom = top + 11 * height + 22
    confidence = "Confidence 100; the row's own pulls towards 1. A style that the regime does not favour: ×0.85"
    styles = (
        "(S scalp, D day trade, W swing). A market against a trade never boosts it. Unknown VIX: as below 20, labelled."
    )
    write(figure, 24, bottom, confidence)
    write(figure, 24, bottom + 20, styles)
    return figure


def _compute_if_favoured(market: MarketRegime, vix: VixRegime, direction: Direction) -> float:
    """The opinion without the factor of styles: that of a favoured one, or worked back where there is none."""
    favored = [style for style in TradingStyle if market in regime.FAVORED[style]]
    if favored:
        return regime.compute_opinion(market, vix, direction, favored[0])
    most = 1.0 if regime.find_course(market, direction) < 0 else math.inf
    return min(regime.compute_opinion(market, vix, direction, TradingStyle.SCALP) / regime.NOT_FAVORED, most)


def _draw_value(
    figure: Figure, table: Axes, corner: tuple[float, float], size: tuple[float, float], value: float
) -> None:
    (x, y), (width, height) = corner, size
    opacity = 0.06 + 0.6 * min(abs(math.log(value)) / math.log(1.9), 1.0)
    colour = BOOST if value > 1.0 else PENALTY
    fill_boxes(table, [(x + 1, x + width - 1, y + 1, y + height - 1)], colour=colour, opacity=opacity)
    write(figure, x + width / 2, y + 18, f"{value:.2f}", align="center", colour="ink")


@use_style
def draw_freshness() -> Figure:
    """Over age in trading minutes."""
    figure = make_figure(
        "Age: how much of an opinion is left",
        "A daily row counts through the whole next session and is gone after four; nights and weekends do not count.",
        430,
    )
    panel = add_panel(figure, LEFT, TOP + 20, RIGHT, 350, x=(10, 2000), y=(-1, 101))
    panel.set_xscale("log")
    panel.minorticks_off()
    panel.set_yticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    ticks = (10, 30, 60, 120, 240, 390, 780, 1560)
    panel.set_xticks(ticks, [f"{tick}" for tick in ticks])
    named = (
        (ContextEngine.GAMMA_EXPOSURE, "gamma", "zero"),
        (ContextEngine.FLOW, "flow", "put"),
        (ContextEngine.MTF_ALIGNMENT, "alignment", BOOST),
        (ContextEngine.REGIME, "IV, regime", "call"),
    )
    for engine, name, colour in named:
        ages = [10 * 200 ** (step / 600) for step in range(601)]
        plot_line(panel, ages, [100 * compute_share_left(engine, age) for age in ages], colour=colour, width=2.2)
        limit = STALE_AFTER_MINUTES[engine]
        is_last = engine is ContextEngine.REGIME
        age = limit * (GONE_AT - 0.6 * (GONE_AT - 1))
        for line, words in enumerate((name, f"from {limit:.0f}")):
            shift = (36 if is_last else -14, -8 - 16 * line)
            note(panel, age, 60, words, align="left" if is_last else "right", colour=colour, shift=shift)
    for sessions in (1, 2, 4):
        age = 390 * sessions
        plot_line(panel, [age, age], [0, 100], colour="line", width=1, dashes=(3, 4))
        note(panel, age, 0, f"{sessions} session{'s' if sessions > 1 else ''}", shift=(0, -40))
    caption = "age, trading minutes (logarithmic); that of alignment is the time since a halted symbol last traded"
    write(figure, MIDDLE, 414, caption, align="center")
    return figure


@use_style
def draw_permissions() -> Figure:
    """Every strategy in every regime, for both directions, and at every VIX."""
    figure = make_figure(
        "Permissions: which strategies a market forbids",
        "No market forbids everything before the VIX reaches 40, and every strategy may trade either way in some market.",
        430,
    )
    table = add_table(figure)
    label, width, vix_width, height, top = 160, 44, 34, 24, TOP + 66
    vix_left = label + 11 * width + 18
    for column, market in enumerate(MarketRegime):
        left = label + column * width
        for line, word in enumerate(_break_name(market)):
            write(figure, left + width / 2, TOP + 26 + 13 * line, word, align="center", size=10)
        for row, strategy in enumerate(Strategy):
            for half, direction in enumerate(Direction):
                refused = permissions.find_refusal(strategy, direction, regime=market, vix=None) is not None
                x = left + 2 + half * (width / 2 - 1)
                colour = "" if refused else COLOURS[direction]
                _draw_permission(table, x, top + row * height, width / 2 - 2, colour)
    for column, (vix, level) in enumerate(VIX_LEVELS.items()):
        left = vix_left + column * vix_width
        write(figure, left + vix_width / 2, TOP + 52, level, align="center", size=11)
        for row, strategy in enumerate(Strategy):
            refused = strategy in permissions.PUBLISHED.at_vix.get(vix, frozenset())
            _draw_permission(table, left + 1, top + row * height, vix_width - 3, "" if refused else "soft")
    write(figure, label + 5.5 * width, TOP + 4, "regime", align="center", colour="ink", weight="bold")
    write(figure, vix_left + 3 * vix_width, TOP + 4, "VIX, either way", align="center", colour="ink", weight="bold")
    for row, strategy in enumerate(Strategy):
        write(figure, label - 10, top + row * height + 16, format_word(strategy.value), align="right", colour="ink")
    bottom = top + 9 * height + 24
    for x, name, colour in ((24, "long allowed", "call"), (142, "short allowed", "put"), (264, "forbidden", "")):
        _draw_permission(table, x, bottom - 14, 18, colour)
        write(figure, x + 26, bottom, name)
    write(figure, 372, bottom, "A trade needs both tables. The defaults; a policy may give others.")
    return figure


def _draw_permission(table: Axes, x: float, y: float, width: float, colour: str) -> None:
    """A cell in a colour, or a dash on a pale one where the strategy is forbidden."""
    fill_boxes(table, [(x, x + width, y + 1, y + 22)], colour=colour or "wash", opacity=0.75 if colour else 1.0)
    if not colour:
        middle = x + width / 2
        plot_line(table, [middle - 3, middle + 3], [y + 11.5, y + 11.5], colour="soft", width=1)


def _break_name(market: MarketRegime) -> list[str]:
    words = format_word(market.value)
    for long in ("down-trend", "up-trend", "break-out", "break-down", "capitu-lation", "eupho-ria"):
        words = words.replace(long.replace("-", ""), long.replace("-", "- "))
    return words.split()


PICTURES: dict[str, Callable[[], Figure]] = {
    "engine-regime": draw_regime,
    "engine-freshness": draw_freshness,
    "engine-permissions": draw_permissions,
}
"""File name in docs/img without its ending, and what draws it."""
