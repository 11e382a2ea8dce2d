"""The text of docs/reference/engines.md: tables made from the engines' constants, and the reasons behind their rules.

`draw_engines.py` writes the file; `engine_pictures` and `engine_grids` draw its pictures.
tests/signals/engines/test_engines_document.py fails if the text is out of date.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine_grids import VIX_LEVELS
from engine_pictures import format_word

from hd_pipelines.signals.engines import flow, gamma_exposure, iv_percentile, mtf_alignment, permissions, regime
from hd_pipelines.signals.engines.freshness import GONE_AT, STALE_AFTER_MINUTES
from hd_pipelines.tables.vocabulary import (
    ContextEngine,
    DealerPositioning,
    Direction,
    MarketRegime,
    PositioningStrength,
    Strategy,
    TradingStyle,
    VixRegime,
)

HISTORY = {
    MarketRegime.STRONG_UPTREND: (262, 606, 362, 214, 2, 0),
    MarketRegime.WEAK_UPTREND: (315, 822, 549, 582, 11, 0),
    MarketRegime.CHOPPY_BULLISH: (46, 343, 332, 544, 121, 10),
    MarketRegime.RANGE_BOUND: (90, 314, 190, 73, 0, 0),
    MarketRegime.CHOPPY_BEARISH: (10, 154, 206, 493, 156, 88),
    MarketRegime.WEAK_DOWNTREND: (2, 75, 137, 338, 93, 7),
    MarketRegime.STRONG_DOWNTREND: (0, 0, 2, 189, 77, 0),
    MarketRegime.BREAKOUT: (38, 59, 26, 41, 5, 6),
    MarketRegime.BREAKDOWN: (0, 26, 41, 60, 11, 2),
    MarketRegime.CAPITULATION: (0, 0, 0, 2, 41, 91),
    MarketRegime.EUPHORIA: (35, 12, 0, 0, 0, 0),
}
"""Sessions of 1990-2022 by class of the VIX, as `validation.regime_history` decides them; a test holds them equal."""

SOURCES = {
    ContextEngine.IV_PERCENTILE: "newest row of `iv_percentile_cache`",
    ContextEngine.GAMMA_EXPOSURE: "newest row of `gamma_exposure_snapshots`, and the price",
    ContextEngine.MTF_ALIGNMENT: "trends and strengths of the feature frame's row",
    ContextEngine.FLOW: "prints of `options_flow_history` in the last four trading hours",
    ContextEngine.REGIME: "newest row of `market_regime_history`, and the style",
}
PROSE = Path(__file__).with_name("engine_prose.toml")


def document() -> str:
    """The whole of docs/reference/engines.md."""
    prose = tomllib.loads(PROSE.read_text())
    design = {engine: f"**Design notes.** {_joined(why)}" for engine, why in prose["design"].items()}
    parts = [
        "# Context engines",
        prose["introduction"],
        "## Age",
        _ages(),
        prose["age"],
        _picture("freshness", "Age in trading minutes against the share of an opinion that is left"),
        "## IV percentile",
        *_iv(),
        design["iv"],
        _picture("iv", "IV percentile against the multiplier, for long and short trades"),
        "## Gamma exposure",
        *_gamma(),
        design["gamma"],
        _picture(
            "gamma",
            "Side and size of dealers' gamma against the multiplier, by expected behaviour, with and without a wall",
        ),
        "## Alignment of timeframes",
        *_mtf(),
        design["mtf"],
        _picture("mtf", "Alignment against the multiplier for trends of strength 0, 50 and 100"),
        "## Flow",
        *_flow(),
        design["flow"],
        _picture(
            "flow", "Put/call ratio against the multiplier, for long and short trades, with and without institutions"
        ),
        "## Regime",
        *_regime(),
        design["regime"],
        _picture("regime", "Regime and VIX against the multiplier, for long and short trades"),
        "## Long and short",
        prose["long_and_short"],
        "## Permissions",
        prose["permissions"],
        _picture("permissions", "Strategies against regimes and VIX: what is allowed for longs and shorts"),
        *_allowed(),
        prose["vix_matrix"],
    ]
    return "\n\n".join(parts) + "\n"


def _ages() -> str:
    rows = [
        (engine.value, source, f"{STALE_AFTER_MINUTES[engine]:.0f}", f"{GONE_AT * STALE_AFTER_MINUTES[engine]:.0f}")
        for engine, source in SOURCES.items()
    ]
    return _table(("engine", "input", "full effect until, minutes", "no effect from, minutes"), rows)


def _iv() -> Iterable[str]:
    rows = [
        (
            f"`{word.value}`",
            f"{iv_percentile.OF_CLASS[word]:.2f}",
            *(f"{iv_percentile.compute_opinion(word, direction):.3f}" for direction in Direction),
            f"`{iv_percentile.RECOMMENDED[word].value}`",
        )
        for word in iv_percentile.OF_CLASS
    ]
    yield _table(("class", "factor", "long: opinion", "short: opinion", "recommendation"), rows)
    yield _told("iv")


def _gamma() -> Iterable[str]:
    strengths = list(PositioningStrength)
    rows = [
        (
            f"`{side.value}`",
            f"{gamma_exposure.OF_SIGN[side]:.2f}",
            *(f"{gamma_exposure.OF_STRENGTH[side][strength]:.2f}" for strength in strengths),
        )
        for side in DealerPositioning
    ]
    yield _table(("dealers", "either direction", *(strength.value for strength in strengths)), rows)
    behaviours = ", ".join(f"{word.value} ×{factor:.2f}" for word, factor in gamma_exposure.OF_BEHAVIOR.items())
    yield _told("gamma", behaviours=behaviours)


def _mtf() -> Iterable[str]:
    rows = [
        (
            f"`{word.value}`",
            f"{least:.0f}",
            f"{mtf_alignment.OF_CLASS[word]:.2f}",
            f"{mtf_alignment.compute_opinion(word, 1.0):.3f}",
            f"`{mtf_alignment.RECOMMENDED[word].value}`",
        )
        for least, word in mtf_alignment.CLASSES
    ]
    yield _table(("class", "alignment from", "factor", "opinion along the dominant trend", "recommendation"), rows)
    weights = ", ".join(f"{name} {weight:g}" for name, weight in mtf_alignment.WEIGHTS.items())
    yield _told("mtf", weights=weights, less=mtf_alignment.LESS_FOR_MISSING / 2)


def _flow() -> Iterable[str]:
    edges = (0.1, 0.3, 0.45, 0.6, 1.0, 1.4, 1.6, 1.9, 3.0)
    rows = []
    for ratio in edges:
        lean = flow.classify_ratio(ratio)
        opinions = (f"{flow.compute_opinion(lean, 50.0, direction):.3f}" for direction in Direction)
        rows.append((f"{ratio:g}", f"`{lean.kind}`", f"{lean.strength:.0f}", *opinions))
    yield _table(("put/call ratio", "lean", "strength", "long: opinion", "short: opinion"), rows)
    steps = ", ".join(f"{factor:.2f} up to {most:.0f}" for most, factor in flow.STEPS)
    institutions = ", ".join(f"{factor:.2f} up to {most:.0f}" for most, factor in flow.INSTITUTIONAL[1:])
    yield _told("flow", steps=steps, institutions=institutions)


def _regime() -> Iterable[str]:
    rows = [
        (
            f"`{market.value}`",
            f"{factor:.2f}",
            *(f"{_of_direction(market, direction):.2f}" for direction in Direction),
            ", ".join(format_word(style.value) for style in TradingStyle if market in regime.FAVORED[style]) or "none",
            f"`{regime.RECOMMENDED[market].value}`",
        )
        for market, factor in regime.OF_REGIME.items()
    ]
    yield _table(("regime", "factor", "long", "short", "favours", "recommendation"), rows)
    levels = ", ".join(f"{VIX_LEVELS[vix]} ×{factor:.2f}" for vix, factor in regime.OF_VIX.items())
    yield _told("regime", levels=levels)


def _of_direction(market: MarketRegime, direction: Direction) -> float:
    if market in regime.AT_EXTREMES:
        return regime.AT_EXTREMES[market][direction]
    return {1: regime.WITH_THE_MARKET, -1: regime.AGAINST_IT, 0: 1.0}[regime.find_course(market, direction)]


def _allowed() -> Iterable[str]:
    total = sum(map(sum, HISTORY.values()))
    without = permissions.Policy(at_vix={})
    rows = [
        (
            f"`{strategy.value}`",
            *(
                f"{100 * _sessions(strategy, direction, policy) / total:.0f} %"
                for policy in (permissions.PUBLISHED, without)
                for direction in Direction
            ),
        )
        for strategy in Strategy
    ]
    yield f"Share of the {total:,} sessions from 1990 to 2022 on which a strategy was allowed:"
    yield _table(("strategy", "long", "short", "long, without the VIX matrix", "short, without it"), rows)


def _sessions(strategy: Strategy, direction: Direction, policy: permissions.Policy) -> int:
    return sum(
        count
        for market, counts in HISTORY.items()
        for vix, count in zip(VixRegime, counts, strict=True)
        if permissions.find_refusal(strategy, direction, regime=market, vix=vix, policy=policy) is None
    )


def _told(engine: str, **more: object) -> str:
    """The paragraph of an engine's numbers, filled from its constants."""
    modules = {"iv": iv_percentile, "gamma": gamma_exposure, "mtf": mtf_alignment, "flow": flow, "regime": regime}
    template: str = tomllib.loads(PROSE.read_text())["numbers"][engine]
    return _joined(template.format(**modules, **more))


def _joined(lines: str) -> str:
    return " ".join(lines.split())


def _picture(name: str, alternative: str) -> str:
    return f"![{alternative}](../img/engine-{name}.png)"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
