"""Draws the multiplier of the IV, gamma, alignment and flow engines over the whole range of their inputs.

Values come from the engines themselves, colours from `charts`. Regimes, permissions and age are in `engine_grids`;
`draw_engines` writes the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import TYPE_CHECKING

from hd_pipelines.analytics.volatility.iv_classes import FAVORABLE_BELOW, REGIME_CUT_OFFS
from hd_pipelines.charts.figure import LEFT, RIGHT, TOP, add_panel, make_figure, write
from hd_pipelines.charts.marks import fill_boxes, plot_dots, plot_line, set_ticks
from hd_pipelines.charts.style import get_colour, use_style
from hd_pipelines.signals.engines import flow, gamma_exposure, iv_percentile, mtf_alignment
from hd_pipelines.tables.vocabulary import (
    DealerPositioning,
    Direction,
    ExpectedBehavior,
    IvRegime,
    PositioningStrength,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {Direction.LONG: "call", Direction.SHORT: "put"}
MIDDLE = (LEFT + RIGHT) / 2


def format_word(word: str) -> str:
    """`EXTREMELY_LOW` as people write it."""
    return word.replace("_", " ").lower().replace(" iv ", " IV ")


def compute_multiplier(opinion: float, confidence: float) -> float:
    """The multiplier of an opinion on fresh context."""
    return 1.0 + (opinion - 1.0) * confidence / 100.0


def note(
    panel: Axes,
    x: float,
    y: float,
    words: str,
    *,
    colour: str = "soft",
    align: str = "center",
    shift: tuple[float, float] = (0, 0),
    weight: str = "normal",
) -> None:
    """Words at a point of a panel, on a halo of the background; `shift` moves them by pixels to the right and up."""
    from matplotlib.patheffects import withStroke

    panel.annotate(
        words,
        (x, y),
        shift,
        textcoords="offset points",
        ha=align,
        color=get_colour(colour),
        fontweight=weight,
        annotation_clip=False,
        zorder=5,
        path_effects=[withStroke(linewidth=5, foreground=get_colour("paper"))],
    )


def draw_classes(panel: Axes, names: list[str], edges: list[float]) -> None:
    """Names of the classes between neighbouring edges at the head of a panel, every other one shaded."""
    bottom, top = panel.get_ylim()
    for number, (name, low, high) in enumerate(zip(names, edges, edges[1:], strict=False)):
        if number % 2 == 0:
            fill_boxes(panel, [(low, high, bottom, top)], colour="wash", zorder=0.5)
        label = ((low + high) / 2, top)
        panel.annotate(name, label, (0, -14), textcoords="offset points", ha="center", color=get_colour("soft"))


def set_multiplier_ticks(panel: Axes) -> None:
    """Multipliers to the left, and a line at ×1."""
    set_ticks(panel.yaxis, 9, lambda tick: f"×{tick:.2f}".rstrip("0").rstrip("."))
    panel.axhline(1.0, color=get_colour("soft"), linewidth=1.2, zorder=1)


@use_style
def draw_iv() -> Figure:
    """Over the percentile, for both directions."""
    figure = make_figure(
        "IV percentile: the multiplier over its whole range",
        "Cheap options are worth up to ×1.38 to a long trade and ×1.08 to a short one; dear ones cost up to 44 % and 23 %.",
        470,
    )
    panel = add_panel(figure, LEFT, TOP, RIGHT, 388, x=(0, 100), y=(0.5, 1.59))
    draw_classes(
        panel, [format_word(word.value) for word in IvRegime], [0.0, *(100 * c for c in REGIME_CUT_OFFS), 100.0]
    )
    set_multiplier_ticks(panel)
    for direction in Direction:
        shares = [step / 1000 for step in range(1001)]
        values = [_compute_from_percentile(share, direction) for share in shares]
        plot_line(panel, [100 * share for share in shares], values, colour=COLOURS[direction], width=2.4)
    note(panel, 15, 1.265, "long trade", colour=COLOURS[Direction.LONG], shift=(0, 8))
    note(panel, 85, 0.935, "short trade", colour=COLOURS[Direction.SHORT], shift=(0, -20))
    below = add_panel(figure, LEFT, 400, RIGHT, 420, x=(0, 100), y=(0, 1))
    spans = ((0, 20), (20, 100 * FAVORABLE_BELOW), (100 * FAVORABLE_BELOW, 60), (60, 90), (90, 100))
    for low, high in spans:
        at = (low + high) / 200
        word = iv_percentile.recommend(_find_class(at), at)
        fill_boxes(below, [(low + 0.12, high - 0.12, 0, 1)], colour="wash")
        below.text(50 * at * 2, 0.5, format_word(word.value), ha="center", va="center", color=get_colour("ink"))
    below.set_xticks(range(0, 101, 10))
    caption = (
        "IV percentile, % of the last 252 sessions with lower volatility (table: 0 to 1); the recommendation above"
    )
    write(figure, MIDDLE, 458, f"{caption} the axis", align="center")
    return figure


def _find_class(percentile: float) -> IvRegime:
    return next(
        (word for cut, word in zip(REGIME_CUT_OFFS, IvRegime, strict=False) if percentile < cut), list(IvRegime)[-1]
    )


def _compute_from_percentile(percentile: float, direction: Direction) -> float:
    opinion = iv_percentile.compute_opinion(_find_class(percentile), direction)
    return compute_multiplier(opinion, iv_percentile.compute_confidence(percentile, 252))


_GAMMA_PLACES = [
    *((DealerPositioning.LONG_GAMMA, strength) for strength in reversed(PositioningStrength)),
    (DealerPositioning.NEUTRAL, PositioningStrength.STRONG),
    *((DealerPositioning.SHORT_GAMMA, strength) for strength in PositioningStrength),
]
_GAMMA_COLOURS = {
    ExpectedBehavior.PINNING: "#7d3cc9",
    ExpectedBehavior.RANGE_BOUND: "call",
    ExpectedBehavior.TRENDING: "put",
    ExpectedBehavior.VOLATILE: "#cc2f2f",
}


@use_style
def draw_gamma() -> Figure:
    """Over side, size, behaviour and walls; both directions are the same."""
    figure = make_figure(
        "Gamma exposure: the multiplier over its whole range",
        "Short gamma amplifies longs and shorts alike, long gamma dampens both; a wall in the way takes a part back.",
        480,
    )
    panel = add_panel(figure, LEFT, TOP, RIGHT, 400, x=(-0.5, 8.5), y=(0.4, 1.73))
    fill_boxes(panel, [(-0.5, 3.5, 0.4, 1.73), (4.5, 8.5, 0.4, 1.73)], colour="wash", zorder=0.5)
    set_multiplier_ticks(panel)
    for behavior, colour in _GAMMA_COLOURS.items():
        is_long = behavior in {ExpectedBehavior.PINNING, ExpectedBehavior.RANGE_BOUND}
        places = list(range(4) if is_long else range(4, 9))
        for is_in_the_way in (False, True):
            values = [_compute_from_gamma(place, behavior, is_in_the_way=is_in_the_way) for place in places]
            plot_line(panel, places, values, colour=colour, width=1.4, dashes=(2, 4) if is_in_the_way else None)
            fill = "paper" if is_in_the_way else colour
            plot_dots(panel, places, values, radius=4.5, fill=fill, edge=colour, edge_width=1.8)
        beside = 3 if is_long else 4
        y = _compute_from_gamma(beside, behavior, is_in_the_way=False)
        shift = (12 if is_long else -12, -8 if behavior is ExpectedBehavior.TRENDING else -2)
        align = "left" if is_long else "right"
        note(panel, beside, y, format_word(behavior.value), align=align, colour=colour, shift=shift)
    names = [
        "any size" if positioning is DealerPositioning.NEUTRAL else format_word(strength.value)
        for positioning, strength in _GAMMA_PLACES
    ]
    panel.set_xticks(range(9), names)
    for middle, name in ((1.5, "dealers long gamma"), (4, "neutral"), (6.5, "dealers short gamma")):
        x = LEFT + (middle + 0.5) / 9 * (RIGHT - LEFT)
        write(figure, x, 440, name, align="center", colour="ink", weight="bold")
    legend = add_panel(figure, 0, 450, 900, 474, x=(0, 900), y=(0, 1))
    plot_dots(legend, [LEFT + 8], [0.5], radius=4.5, fill="soft", edge="soft")
    write(figure, LEFT + 20, 466, "free way")
    plot_dots(legend, [LEFT + 98], [0.5], radius=4.5, fill="paper", edge="soft", edge_width=1.8)
    ahead = "wall at most 1 % ahead: resistance for a long, support for a short"
    write(figure, LEFT + 110, 466, f"{ahead}.  Size: against the symbol's own last 252 sessions")
    return figure


def _compute_from_gamma(place: int, behavior: ExpectedBehavior, *, is_in_the_way: bool) -> float:
    positioning, strength = _GAMMA_PLACES[place]
    opinion = gamma_exposure.compute_opinion(positioning, strength, behavior, is_in_the_way=is_in_the_way)
    return compute_multiplier(opinion, gamma_exposure.compute_confidence(strength, 1e6))


@use_style
def draw_alignment() -> Figure:
    """Over all 625 combinations of four trends, for weak, medium and strong ones."""
    figure = make_figure(
        "Alignment of timeframes: the multiplier over its whole range",
        "All four with the trade: ×1.25 to ×1.50; all four against it: ×0.73 to ×0.46; no trends: ×1, not a conflict.",
        470,
    )
    panel = add_panel(figure, LEFT, TOP, RIGHT, 400, x=(0, 100), y=(0.4, 1.7))
    edges = [100.0, *(least for least, _ in mtf_alignment.CLASSES)]
    draw_classes(panel, [format_word(word.value) for _, word in mtf_alignment.CLASSES], edges)
    set_multiplier_ticks(panel)
    strengths = ((0.0, "trends of strength 0", "#9aa4b5"), (50.0, "50", "call"), (100.0, "100", "zero"))
    legend = add_panel(figure, LEFT, TOP + 30, RIGHT, TOP + 50, x=(0, RIGHT - LEFT), y=(0, 1))
    for (strength, name, colour), x in zip(strengths, (14, 174, 226), strict=True):
        aligned, values = zip(*sorted(set(_list_trend_multipliers(strength))), strict=True)
        plot_dots(panel, aligned, values, radius=3.4, fill=colour, edge_width=0, opacity=0.85)
        plot_dots(legend, [x], [0.5], radius=4, fill=colour, edge_width=0)
        write(figure, LEFT + x + 10, TOP + 44, name)
    note(panel, 75, 0.95, "without a dominant trend")
    panel.set_xticks(range(0, 101, 10))
    weights = ", ".join(f"{name} {weight:g}" for name, weight in mtf_alignment.WEIGHTS.items())
    caption = f"alignment with the trade, % of weight ({weights}); no trend and unknown count half"
    write(figure, MIDDLE, 444, caption, align="center")
    return figure


def _list_trend_multipliers(strength: float) -> Iterator[tuple[float, float]]:
    for row in product((-2.0, -1.0, 0.0, 1.0, 2.0), repeat=4):
        trends = dict(zip(mtf_alignment.WEIGHTS, row, strict=True))
        aligned = mtf_alignment.measure_alignment(trends, Direction.LONG)
        opinion = mtf_alignment.compute_opinion(
            mtf_alignment.classify_alignment(aligned), mtf_alignment.find_dominant_trend(trends)
        )
        yield aligned, compute_multiplier(opinion, (max(aligned, 100.0 - aligned) + strength) / 2.0)


@use_style
def draw_flow() -> Figure:
    """Over the put/call ratio, for both directions, with and without institutions."""
    figure = make_figure(
        "Flow: the multiplier over its whole range",
        "Flow with the trade is worth up to ×1.59, flow against it ×0.8; institutions never boost what they oppose.",
        470,
    )
    panel = add_panel(figure, LEFT, TOP, RIGHT, 400, x=(0, 3), y=(0.7, 1.78))
    limits = (
        flow.STRONGLY_BULLISH_BELOW,
        flow.BULLISH_BELOW,
        flow.BEARISH_ABOVE,
        flow.STRONGLY_BEARISH_ABOVE,
    )
    draw_classes(panel, ["strongly bullish", "bullish", "neutral", "bearish", "strongly bearish"], [0, *limits, 3])
    set_multiplier_ticks(panel)
    for direction, institutional in product(Direction, (20.0, 90.0)):
        dashes = None if institutional > flow.LITTLE_INSTITUTIONAL else (5.0, 4.0)
        ratios = [step / 200 for step in range(1, 601)]
        values = [_compute_from_ratio(ratio, institutional, direction) for ratio in ratios]
        plot_line(panel, ratios, values, colour=COLOURS[direction], width=2.2, dashes=dashes)
    note(panel, 0.04, 1.62, "long trade", colour="call", align="left")
    note(panel, 2.5, 1.62, "short trade", colour="put")
    for y, name, dashes in ((1.48, "90", None), (1.405, "20 (confidence 85)", (5.0, 4.0))):
        plot_line(panel, [1.98, 2.11], [y, y], colour="ink", width=2.2, dashes=dashes)
        note(panel, 2.14, y, f"institutional score {name}", align="left", shift=(0, -4))
    ticks = [0, 0.5, 0.7, 1, 1.3, 1.5, 2, 2.5, 3]
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    caption = "put/call ratio of what prints of known side meant: mean of contracts and premium over four trading hours"
    write(figure, MIDDLE, 444, caption, align="center")
    return figure


def _compute_from_ratio(ratio: float, institutional: float, direction: Direction) -> float:
    confidence = 100.0 - flow.LESS_FOR_RETAIL * (institutional < flow.LITTLE_INSTITUTIONAL)
    return compute_multiplier(flow.compute_opinion(flow.classify_ratio(ratio), institutional, direction), confidence)


PICTURES: dict[str, Callable[[], Figure]] = {
    "engine-iv": draw_iv,
    "engine-gamma": draw_gamma,
    "engine-mtf": draw_alignment,
    "engine-flow": draw_flow,
}
"""File name in docs/img without its ending, and what draws it."""
