"""The multiplier of the IV, gamma, alignment and flow engines over everything that their input can be, as SVG.

Belongs here: what each of these pictures shows. Values come from the engines themselves; canvas and colours are those of
the pictures on the Dagster pages. Regimes, permissions and age are in `engine_grids`; `draw_engines` makes files of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from hd_pipelines.analytics.volatility.iv_classes import FAVORABLE_BELOW, REGIME_CUT_OFFS
from hd_pipelines.assets.picture_canvas import LEFT, RIGHT, TOP, Canvas, Scale
from hd_pipelines.signals.engines import flow, gamma_exposure, iv_percentile, mtf_alignment
from hd_pipelines.tables.vocabulary import (
    DealerPositioning,
    Direction,
    ExpectedBehavior,
    IvRegime,
    PositioningStrength,
)

COLOURS = {Direction.LONG: "call", Direction.SHORT: "put"}


def plainly(word: str) -> str:
    """`EXTREMELY_LOW` as people write it."""
    return word.replace("_", " ").lower().replace(" iv ", " IV ")


def multiplier(opinion: float, confidence: float) -> float:
    """Of context that is fresh."""
    return 1.0 + (opinion - 1.0) * confidence / 100.0


def iv_picture() -> str:
    """Over the percentile, for both directions."""
    canvas = Canvas(
        "IV percentile: the multiplier over its whole range",
        "Cheap options are worth up to ×1.38 to a long trade and ×1.08 to a short one; dear ones cost up to 44 % and 23 %.",
        470,
    )
    across, up = Scale(0, 100, LEFT, RIGHT), Scale(0.5, 1.5, 388, TOP + 24)
    edges = [0.0, *(100 * cut for cut in REGIME_CUT_OFFS), 100.0]
    for number, (word, low, high) in enumerate(zip(IvRegime, edges, edges[1:], strict=False)):
        if number % 2 == 0:
            canvas.box(across(low), TOP, across(high) - across(low), 388 - TOP, colour="wash")
        canvas.text(across((low + high) / 2), TOP + 14, plainly(word.value), anchor="middle")
    _multiplier_grid(canvas, up)
    for direction in Direction:
        points = [(across(step / 10), up(_of_percentile(step / 1000, direction))) for step in range(1001)]
        canvas.curve(points, colour=COLOURS[direction], width=2.4)
    canvas.note(across(15), up(1.265) - 8, "long trade", anchor="middle", colour=COLOURS[Direction.LONG])
    canvas.note(across(85), up(0.935) + 20, "short trade", anchor="middle", colour=COLOURS[Direction.SHORT])
    words = ((0, 20), (20, 100 * FAVORABLE_BELOW), (100 * FAVORABLE_BELOW, 60), (60, 90), (90, 100))
    for low, high in words:
        at = (low + high) / 200
        word = iv_percentile.recommend(_class_of(at), at)
        canvas.box(across(low) + 1, 400, across(high) - across(low) - 2, 20, colour="wash", more=' rx="3"')
        canvas.text(across((low + high) / 2), 414, plainly(word.value), anchor="middle", colour="ink")
    for tick in range(0, 101, 10):
        canvas.text(across(tick), 438, f"{tick}", anchor="middle")
    canvas.text(
        (LEFT + RIGHT) / 2,
        458,
        "IV percentile, % of the last 252 sessions with lower volatility (table: 0 to 1); the recommendation above the axis",
        anchor="middle",
    )
    return canvas.svg()


def _class_of(percentile: float) -> IvRegime:
    return next(
        (word for cut, word in zip(REGIME_CUT_OFFS, IvRegime, strict=False) if percentile < cut), list(IvRegime)[-1]
    )


def _of_percentile(percentile: float, direction: Direction) -> float:
    opinion = iv_percentile.compute_opinion(_class_of(percentile), direction)
    return multiplier(opinion, iv_percentile.compute_confidence(percentile, 252))


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


def gamma_picture() -> str:
    """Over side, size, behaviour and walls; both directions are the same."""
    canvas = Canvas(
        "Gamma exposure: the multiplier over its whole range",
        "Short gamma amplifies longs and shorts alike, long gamma dampens both; a wall in the way takes a part back.",
        480,
    )
    across, up = Scale(-0.5, 8.5, LEFT, RIGHT), Scale(0.4, 1.7, 400, TOP + 8)
    canvas.box(across(-0.5), TOP, across(3.5) - across(-0.5), 400 - TOP, colour="wash")
    canvas.box(across(4.5), TOP, across(8.5) - across(4.5), 400 - TOP, colour="wash")
    _multiplier_grid(canvas, up)
    for behavior, colour in _GAMMA_COLOURS.items():
        is_long = behavior in {ExpectedBehavior.PINNING, ExpectedBehavior.RANGE_BOUND}
        places = range(4) if is_long else range(4, 9)
        for is_in_the_way in (False, True):
            points = [(across(place), up(_of_gamma(place, behavior, is_in_the_way=is_in_the_way))) for place in places]
            canvas.curve(points, colour=colour, width=1.4, more=' stroke-dasharray="2 4"' if is_in_the_way else "")
            for x, y in points:
                canvas.dot(
                    x,
                    y,
                    4.5,
                    colour="paper" if is_in_the_way else colour,
                    more=f' stroke="{css(colour)}" stroke-width="1.8"',
                )
        beside = 3 if is_long else 4
        y = up(_of_gamma(beside, behavior, is_in_the_way=False)) + (8 if behavior is ExpectedBehavior.TRENDING else 1)
        anchor, gap = ("start", 12) if is_long else ("end", -12)
        canvas.note(across(beside) + gap, y, plainly(behavior.value), anchor=anchor, colour=colour)
    for place, (positioning, strength) in enumerate(_GAMMA_PLACES):
        name = "any size" if positioning is DealerPositioning.NEUTRAL else plainly(strength.value)
        canvas.text(across(place), 420, name, anchor="middle")
    for middle, name in ((1.5, "dealers long gamma"), (4, "neutral"), (6.5, "dealers short gamma")):
        canvas.text(across(middle), 440, name, anchor="middle", colour="ink", more=' class="b"')
    canvas.dot(LEFT + 8, 462, 4.5, colour="soft")
    canvas.text(LEFT + 20, 466, "free way")
    canvas.dot(LEFT + 98, 462, 4.5, colour="paper", more=f' stroke="{css("soft")}" stroke-width="1.8"')
    ahead = "wall at most 1 % ahead: resistance for a long, support for a short"
    canvas.text(LEFT + 110, 466, f"{ahead}.  Size: against the symbol's own last 252 sessions")
    return canvas.svg()


def _of_gamma(place: int, behavior: ExpectedBehavior, *, is_in_the_way: bool) -> float:
    positioning, strength = _GAMMA_PLACES[place]
    opinion = gamma_exposure.compute_opinion(positioning, strength, behavior, is_in_the_way=is_in_the_way)
    return multiplier(opinion, gamma_exposure.compute_confidence(strength, 1e6))


def mtf_picture() -> str:
    """Over all 625 combinations of four trends, for weak, medium and strong ones."""
    canvas = Canvas(
        "Alignment of timeframes: the multiplier over its whole range",
        "All four with the trade: ×1.25 to ×1.50; all four against it: ×0.73 to ×0.46; no trends: ×1, not a conflict.",
        470,
    )
    across, up = Scale(0, 100, LEFT, RIGHT), Scale(0.4, 1.6, 400, TOP + 24)
    edges = [100.0, *(least for least, _ in mtf_alignment.CLASSES)]
    for number, ((low, word), high) in enumerate(zip(mtf_alignment.CLASSES, edges, strict=False)):
        if number % 2 == 0:
            canvas.box(across(low), TOP, across(high) - across(low), 400 - TOP, colour="wash")
        canvas.text(across((low + high) / 2), TOP + 14, plainly(word.value), anchor="middle")
    _multiplier_grid(canvas, up)
    for strength, colour in ((0.0, "#9aa4b5"), (50.0, "call"), (100.0, "zero")):
        found = {(across(aligned), up(value)) for aligned, value in _of_trends(strength)}
        for x, y in sorted(found):
            canvas.dot(x, y, 3.4, colour=colour, more=' fill-opacity="0.85"')
    for number, (name, colour) in enumerate((("trends of strength 0", "#9aa4b5"), ("50", "call"), ("100", "zero"))):
        x = LEFT + 14 + (0, 148, 200)[number]
        canvas.dot(x, TOP + 40, 4, colour=colour)
        canvas.text(x + 10, TOP + 44, name)
    canvas.note(across(75), up(0.95), "without a dominant trend", anchor="middle")
    for tick in range(0, 101, 10):
        canvas.text(across(tick), 420, f"{tick}", anchor="middle")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in mtf_alignment.WEIGHTS.items())
    canvas.text(
        (LEFT + RIGHT) / 2,
        444,
        f"alignment with the trade, % of weight ({weights}); no trend and unknown count half",
        anchor="middle",
    )
    return canvas.svg()


def _of_trends(strength: float) -> Iterator[tuple[float, float]]:
    for row in product((-2.0, -1.0, 0.0, 1.0, 2.0), repeat=4):
        trends = dict(zip(mtf_alignment.WEIGHTS, row, strict=True))
        aligned = mtf_alignment.measure_alignment(trends, Direction.LONG)
        opinion = mtf_alignment.compute_opinion(
            mtf_alignment.classify_alignment(aligned), mtf_alignment.find_dominant_trend(trends)
        )
        yield aligned, multiplier(opinion, (max(aligned, 100.0 - aligned) + strength) / 2.0)


def flow_picture() -> str:
    """Over the put/call ratio, for both directions, with and without institutions."""
    canvas = Canvas(
        "Flow: the multiplier over its whole range",
        "Flow with the trade is worth up to ×1.59, flow against it ×0.8; institutions never boost what they oppose.",
        470,
    )
    across, up = Scale(0, 3, LEFT, RIGHT), Scale(0.7, 1.7, 400, TOP + 24)
    limits = (
        flow.STRONGLY_BULLISH_BELOW,
        flow.BULLISH_BELOW,
        flow.BEARISH_ABOVE,
        flow.STRONGLY_BEARISH_ABOVE,
    )
    names = ("strongly bullish", "bullish", "neutral", "bearish", "strongly bearish")
    for number, (name, low, high) in enumerate(zip(names, (0, *limits), (*limits, 3), strict=True)):
        if number % 2 == 0:
            canvas.box(across(low), TOP, across(high) - across(low), 400 - TOP, colour="wash")
        canvas.text(across((low + high) / 2), TOP + 14, name, anchor="middle")
    _multiplier_grid(canvas, up)
    for direction, institutional in product(Direction, (20.0, 90.0)):
        dashes = "" if institutional > flow.LITTLE_INSTITUTIONAL else ' stroke-dasharray="5 4"'
        ratios = [step / 200 for step in range(1, 601)]
        points = [(across(ratio), up(_of_ratio(ratio, institutional, direction))) for ratio in ratios]
        canvas.curve(points, colour=COLOURS[direction], width=2.2, more=dashes)
    canvas.note(across(0.04), up(1.62), "long trade", colour="call")
    canvas.note(across(2.5), up(1.62), "short trade", anchor="middle", colour="put")
    for line, (name, dashes) in enumerate((("90", ""), ("20 (confidence 85)", ' stroke-dasharray="5 4"'))):
        y = up(1.48) + 22 * line
        canvas.rule(across(2.08), y, across(2.08) + 36, y, colour="ink", more=f' stroke-width="2.2"{dashes}')
        canvas.note(across(2.08) + 44, y + 4, f"institutional score {name}")
    for tick in (0, 0.5, 0.7, 1, 1.3, 1.5, 2, 2.5, 3):
        canvas.text(across(tick), 420, f"{tick:g}", anchor="middle")
    canvas.text(
        (LEFT + RIGHT) / 2,
        444,
        "put/call ratio of what prints of known side meant: mean of contracts and premium over four trading hours",
        anchor="middle",
    )
    return canvas.svg()


def _of_ratio(ratio: float, institutional: float, direction: Direction) -> float:
    confidence = 100.0 - flow.LESS_FOR_RETAIL * (institutional < flow.LITTLE_INSTITUTIONAL)
    return multiplier(flow.compute_opinion(flow.classify_ratio(ratio), institutional, direction), confidence)


def _multiplier_grid(canvas: Canvas, up: Scale) -> None:
    ticks = up.ticks(9)
    canvas.grid(up, ticks, [f"×{tick:.2f}".rstrip("0").rstrip(".") for tick in ticks])
    canvas.rule(LEFT, up(1.0), RIGHT, up(1.0), colour="soft", more=' stroke-width="1.2"')


def css(colour: str) -> str:
    """A colour of the palette, or one given by number, for an attribute."""
    return colour if colour.startswith("#") else f"var(--{colour})"


PICTURES: dict[str, Callable[[], str]] = {
    "engine-iv": iv_picture,
    "engine-gamma": gamma_picture,
    "engine-mtf": mtf_picture,
    "engine-flow": flow_picture,
}
"""File name in docs/img without its ending, and what draws it."""
