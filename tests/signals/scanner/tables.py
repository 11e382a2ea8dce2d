"""Write the tables of docs/reference/scanner.md from the code: `python -m tests.signals.scanner.tables`."""

from __future__ import annotations

import re
from pathlib import Path

from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.outcomes import STATUS
from hd_pipelines.signals.scanner.planning.trade_plan import ATR_OF_STYLE
from hd_pipelines.signals.scanner.policy.default_policy import DEFAULT_POLICY as POLICY
from hd_pipelines.signals.scanner.policy.vocabulary import StyleCondition as On
from hd_pipelines.signals.scanner.policy.vocabulary import TimeWindow
from hd_pipelines.signals.scanner.rejections import MEANING, Rejection
from hd_pipelines.signals.scanner.scoring.data_confidence import CRITICAL, CRITICAL_OF_AN_INDEX, MINUTE_FEATURES
from hd_pipelines.tables.vocabulary import ExitReason, TradingStyle

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "scanner.md"
STYLES = tuple(TradingStyle)

HOURS = {
    TimeWindow.OPENING: "9:30-10",
    TimeWindow.MID_MORNING: "10-11",
    TimeWindow.LATE_MORNING: "11-11:30",
    TimeWindow.LUNCH: "11:30-13:30",
    TimeWindow.EARLY_AFTERNOON: "13:30-14:30",
    TimeWindow.AFTERNOON: "14:30-15",
    TimeWindow.POWER_HOUR: "15-16",
    TimeWindow.WHOLE_SESSION: "daily row",
}
CONDITIONS = {
    On.ATR_VERY_HIGH: "day ATR above {:g} %",
    On.ATR_HIGH: "day ATR above {:g} %",
    On.ATR_LOW: "day ATR below {:g} %",
    On.ATR_VERY_LOW: "day ATR below {:g} %",
    On.VOLUME_HIGH: "relative volume above {:g}",
    On.VOLUME_LOW: "relative volume below {:g}",
    On.VOLUME_VERY_LOW: "relative volume below {:g}",
    On.NEAR_KEY_LEVEL: "a major key level within 5 % of a day's ATR",
    On.RSI_EXTREME: "RSI at most {:g}, or as close to 100",
    On.TRENDS_STRONGLY_ALIGNED: "trend alignment above {:g} %",
    On.TRENDS_ALIGNED: "trend alignment above {:g} %",
    On.TRENDS_OPPOSED: "trend alignment below {:g} %",
    On.REGIME_TRENDING: "trending market",
    On.REGIME_RANGING: "ranging market",
    On.REGIME_CHOPPY: "choppy market",
    On.REGIME_VOLATILE: "capitulation or euphoria",
    On.CLOSE_WITHIN_30_MINUTES: "less than {:g} minutes to the close",
    On.CLOSE_WITHIN_60_MINUTES: "less than {:g} minutes to the close",
}


def grid(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(format_value, row)) + " |" for row in rows])


def format_value(value):
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def signed(value):
    return f"{value:+g}" if value else "0"


def share(value):
    return f"{100 * value:g} %"


def rejections():
    return grid(("rejection", "reason"), [(f"`{name}`", MEANING[name]) for name in Rejection])


def filters():
    rules = POLICY.filters
    return grid(
        ("filter", "limit"),
        [
            ("relative volume, all symbols", f"at least {rules.min_relative_volume:g}"),
            ("average daily volume, stocks and ETFs", f"at least {rules.min_average_daily_volume:,.0f}"),
            ("age of the price", f"at most {rules.max_price_age_minutes:g} minutes"),
        ],
    )


def confidence():
    rules = POLICY.confidence

    def kind(name):
        if name in CRITICAL_OF_AN_INDEX:
            return "yes"
        return "except for an index" if name in CRITICAL else ""

    weights = [
        (f"`{name}`", weight, kind(name), "" if name in MINUTE_FEATURES else "yes")
        for name, weight in rules.weights.items()
    ]
    steps = [
        ("each missing critical feature", signed(-rules.less_for_critical)),
        ("completeness below 50", signed(-rules.less_below_50)),
        ("completeness below 70", signed(-rules.less_below_70)),
        ("completeness from 90", signed(rules.more_from_90)),
        ("rejected below", rules.least),
    ]
    return grid(("feature", "weight", "critical", "on daily rows"), weights) + "\n\n" + grid(("step", "points"), steps)


def styles():
    rows = []
    for name, modifier in POLICY.styles.modifiers.items():
        text = CONDITIONS.get(name) or HOURS[TimeWindow(name.value)]
        bound = POLICY.styles.bounds.get(name)
        rows.append(
            (f"`{name}`", text.format(bound) if bound is not None else text, *(modifier.of(style) for style in STYLES))
        )
    return grid(("condition", "holds", "scalp", "day trade", "swing"), rows)


def thresholds():
    rules = POLICY.thresholds
    named = [("default", rules.default), *rules.by_asset_class.items(), *rules.by_strategy.items()]
    starts = [(f"`{name}`", start.base, start.style, start.risk_reward) for name, start in named]
    added = [
        (f"`{name}`", HOURS[name], signed(a.base), signed(a.style), signed(a.risk_reward), a.size)
        for name, a in rules.windows.items()
    ]
    low, medium, high = rules.vix_bounds
    levels = (f"below {low:g}", f"below {medium:g}", f"below {high:g}", f"from {high:g}")
    of_vix = [
        (f"VIX `{name}`", level, signed(a.base), signed(a.style), signed(a.risk_reward), a.size)
        for (name, a), level in zip(rules.vix.items(), levels, strict=True)
    ]
    return (
        grid(("starting point", "base", "style", "reward-to-risk"), starts)
        + "\n\n"
        + grid(("adjustment", "when", "base", "style", "reward-to-risk", "size ×"), [*added, *of_vix])
    )


def risk():
    rows = []
    for style, p in POLICY.plan.profiles.items():
        rows.append(
            (
                f"`{style}`",
                f"`{ATR_OF_STYLE[style]}`",
                p.stop,
                f"{p.target_1:g} / {p.target_2:g} / {p.target_3:g}",
                p.min_risk_reward,
                f"{p.min_stop_pct:g} to {p.max_stop_pct:g}",
                p.level_buffer,
            )
        )
    head = ("style", "ATR of", "stop, ATR", "targets, ATR", "minimum reward-to-risk", "stop, % of price", "buffer, ATR")
    return grid(head, rows)


def gate():
    g = POLICY.iv_gate
    return grid(
        ("implied volatility", "effect"),
        [
            (f"{share(g.blocked_from)} or more of the sessions had a lower IV", "no signal"),
            (f"more than {share(g.optimal_to)}", f"size × {g.if_elevated:g}"),
            (f"{share(g.optimal_from)} to {share(g.optimal_to)}", f"size × {g.if_optimal:g}"),
            (f"less than {share(g.optimal_from)}", f"size × {g.if_cheap:g}"),
            (
                f"fell by more than {share(-g.crush_below)} against the mean of its last {g.readings} readings",
                f"size × {g.after_crush:g} in addition",
            ),
            (f"rose by more than {share(g.spike_above)}", f"size × {g.after_spike:g} in addition"),
            ("bounds of the product", f"{g.least:g} to {g.most:g}"),
        ],
    )


def edge():
    e = POLICY.edge
    return grid(
        ("settled signals of 30 days", "multiplier of the style's score"),
        [
            (f"fewer than {e.few}", "1"),
            (f"{e.few} to {e.some - 1}", f"1 ± {e.span_of_few:g}"),
            (f"{e.some} to {e.many - 1}", f"1 ± {e.span_of_some:g}"),
            (f"{e.many} or more", f"1 ± {e.span_of_many:g}"),
            (
                f"{e.many} or more, profit factor below {e.min_profit_factor:g} or win rate below {share(e.min_win_rate)}",
                "no signal",
            ),
        ],
    )


def pace():
    rows = [
        (f"`{name}`", each.cool_down_minutes, each.per_hour)
        for name, each in [("default", POLICY.pace), *POLICY.pace_by_asset_class.items()]
    ]
    return grid(("asset class", "minutes between signals of a detector", "signals of a symbol per hour"), rows)


def validity():
    v = POLICY.validity
    return grid(
        ("style", "valid until", "offered with at least"),
        [
            ("`scalp`", f"{v.scalp_minutes} minutes later, or the close", f"{v.least_minutes.scalp:g} minutes"),
            (
                "`day_trade`",
                f"{v.day_trade_minutes_before_close} minutes before the close",
                f"{v.least_minutes.day_trade:g} minutes",
            ),
            ("`swing`", f"the close {v.swing_sessions} sessions later", "an option that outlives it"),
        ],
    )


def contracts():
    rows = {}
    for detector in DETECTORS.values():
        c = detector.contract
        rows[detector.strategy] = (
            f"`{detector.strategy}`",
            f"{c.delta[0]:g} to {c.delta[1]:g}",
            f"{c.days_to_expiry[0]} to {c.days_to_expiry[1]}",
            c.min_volume,
            c.min_open_interest,
            c.max_spread_pct,
        )
    today = [
        (
            f"{symbol}, expiring today",
            f"{z.delta[0]:g} to {z.delta[1]:g}",
            "0",
            z.min_volume,
            z.min_open_interest,
            f"{z.max_spread_pct:g}; ${z.price[0]:g} to ${z.price[1]:g}",
        )
        for symbol, z in POLICY.contracts.zero_dte.items()
    ]
    head = (
        "strategy or symbol",
        "absolute delta",
        "days to expiry",
        "minimum volume",
        "minimum open interest",
        "maximum spread, %",
    )
    return grid(head, [*rows.values(), *today])


def endings():
    meanings = {
        ExitReason.STOP: "the stop was touched, or the price opened beyond it",
        ExitReason.TARGET_3: "the third target was touched",
        ExitReason.TARGET_2: "expired with its last close at or beyond the second target",
        ExitReason.TARGET_1: "expired with its last close at or beyond the first target",
        ExitReason.EXPIRED: "expired short of the first target",
    }
    return grid(
        ("exit reason", "status", "when"),
        [(f"`{reason}`", f"`{STATUS[reason]}`", text) for reason, text in meanings.items()],
    )


TABLES = {
    table.__name__: table
    for table in (
        rejections,
        filters,
        confidence,
        styles,
        thresholds,
        risk,
        gate,
        edge,
        pace,
        validity,
        contracts,
        endings,
    )
}


def with_tables(text):
    """The page with every table as it is now."""

    def replaced(found):
        name = found[1]
        return f"<!-- {name} -->\n{TABLES[name]()}\n<!-- end of {name} -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end of \1 -->", replaced, text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
