"""Measures the features of a symbol-year of minutes, and the newest row of fifty symbols.

`python -m benchmarks.signal_features` makes 272 sessions of minutes of one symbol, with a chain every 15 minutes of the
last 60, regimes, volatilities and 100,000 option prints, and turns the last 252 sessions, 98,000 rows, into the feature
frame that a scan of a year reads: `ours`. `plain_pandas` is the peer: the same indicators, session position, VWAP, RVOL
and prior levels as a notebook computes them, in one pass of pandas over the year; it has no swings, divergences, trends,
key-level distances or context. `to_detectors` adds all seventeen detectors over every row, with their points where they
fire; its limit is a second. `to_signals` adds engines, scanner and signals. Where both compute the same quantity, they are
compared first, on a session whose windows are equal. `latest_50` is `evaluate` of fifty symbols, as a scan calls it, and
has a limit of its own.
"""

import json
import sys
import time
from dataclasses import replace
from datetime import date
from statistics import median

from benchmarks.measure import describe_machine

LAST = date(2024, 3, 14)
SESSIONS, BEFORE = 252, 20
LIMITS = {"ours": 0.6, "to_detectors": 1.0, "latest_50": 0.060}
ROUNDS = 9
SYMBOLS = 50
MINUTE_NS = 60_000_000_000
COMPARED = (
    "rsi_14",
    "atr_5m",
    "adx_14",
    "bollinger_position",
    "bollinger_width_pct",
    "ema_9",
    "ema_21",
    "ema_50",
    "ema_200",
    "rsi_15m",
    "rsi_1h",
    "atr_15m",
    "atr_1h",
    "ema_spread_15m_pct",
    "ema_spread_1h_pct",
    "vwap",
    "vwap_distance_pct",
    "rvol",
    "day_open",
    "day_high",
    "day_low",
    "day_range_position",
    "gap_pct",
    "above_opening_range_pct",
    "above_20_bar_high_pct",
    "below_20_bar_low_pct",
)


def make_minutes(sessions, seed: int = 7):
    """Make minutes of a random walk: session (day number), minute from 1, starts_ns, ends_ns, open … volume."""
    import numpy as np
    import pandas as pd

    from hd_pipelines.market.sessions import get_regular_hours
    from hd_pipelines.signals.tape import to_day_number

    random = np.random.default_rng(seed)
    hours = [get_regular_hours(session) for session in sessions]
    minute = np.concatenate([np.arange(1, each.minutes + 1) for each in hours])
    opens = np.repeat([each.opens_at_ns for each in hours], [each.minutes for each in hours])
    moves = random.normal(0, 0.0005, (minute.size, 4))
    close = 100 * np.exp(np.cumsum(moves[:, 0]))
    opened = close * np.exp(moves[:, 1] / 2)
    return pd.DataFrame(
        {
            "session": np.repeat([to_day_number(session) for session in sessions], [each.minutes for each in hours]),
            "minute": minute,
            "starts_ns": opens + (minute - 1) * MINUTE_NS,
            "ends_ns": opens + minute * MINUTE_NS,
            "open": opened,
            "high": np.maximum(opened, close) * np.exp(np.abs(moves[:, 2]) / 2),
            "low": np.minimum(opened, close) * np.exp(-np.abs(moves[:, 3]) / 2),
            "close": close,
            "volume": np.floor(random.lognormal(7, 0.6, minute.size)),
        }
    )


def aggregate_bars(minutes, length: int):
    """Aggregate bars of `length` minutes anchored at the open; a session's last one may be short."""
    slot = (minutes["minute"] - 1) // length
    cut = minutes.groupby([minutes["session"], slot.rename("slot")]).agg(
        starts_ns=("starts_ns", "first"),
        ends_ns=("ends_ns", "last"),
        minute=("minute", "last"),
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
    )
    return cut.reset_index()


def smooth(values, seed: float, at: int, alpha: float):
    """y[at] = seed, then y[t] = (1 - alpha) y[t - 1] + alpha x[t]; NaN before."""
    import numpy as np

    started = values.astype(float).copy()
    started.iloc[:at] = np.nan
    if at < len(started):
        started.iloc[at] = seed
    return started.ewm(alpha=alpha, adjust=False).mean()


def compute_plain_ema(close, period: int):
    return smooth(close, close.iloc[:period].mean(), period - 1, 2 / (period + 1))


def compute_plain_rsi(close, period: int = 14):
    change = close.diff()
    gain, loss = change.clip(lower=0), -change.clip(upper=0)
    up = smooth(gain, gain.iloc[1 : period + 1].mean(), period, 1 / period)
    down = smooth(loss, loss.iloc[1 : period + 1].mean(), period, 1 / period)
    return 100 * up / (up + down)


def compute_plain_true_range(bars):
    before = bars["close"].shift()
    spans = (bars["high"] - bars["low"], (bars["high"] - before).abs(), (bars["low"] - before).abs())
    return spans[0].combine(spans[1], max).combine(spans[2], max)


def compute_plain_atr(bars, period: int = 14):
    span = compute_plain_true_range(bars)
    return smooth(span, span.iloc[1 : period + 1].mean(), period, 1 / period)


def compute_plain_adx(bars, period: int = 14):
    """Wilder's ADX as TA-Lib starts it: sums of the first 13 moves, then the mean of the first 14 DX."""
    up, down = bars["high"].diff(), -bars["low"].diff()
    plus = up.where((up > down) & (up > 0), 0.0)
    minus = down.where((down > up) & (down > 0), 0.0)
    plus, minus, span = (
        smooth(values, values.iloc[1:period].sum() / period, period - 1, 1 / period)
        for values in (plus, minus, compute_plain_true_range(bars))
    )
    index = 100 * ((plus - minus).abs() / span) / ((plus + minus) / span)
    return smooth(index, index.iloc[period : 2 * period].mean(), 2 * period - 1, 1 / period)


def compute_plain_bar_features(five, quarter, hour):
    """Compute indicators of all bars by pandas, with `ends_ns`, the time from which they are known."""
    close = five["close"]
    features = {f"ema_{period}": compute_plain_ema(close, period) for period in (9, 21, 50, 200)}
    middle, deviation = close.rolling(20).mean(), close.rolling(20).std(ddof=0)
    features |= {
        "rsi_14": compute_plain_rsi(close),
        "atr_5m": compute_plain_atr(five),
        "adx_14": compute_plain_adx(five),
        "middle": middle,
        "band": 2 * deviation,
        "highest": five["high"].rolling(20).max(),
        "lowest": five["low"].rolling(20).min(),
    }
    parts = [five[["ends_ns"]].assign(**features)]
    for name, bars in (("15m", quarter), ("1h", hour)):
        ema = compute_plain_ema(bars["close"], 50)
        parts.append(
            bars[["ends_ns"]].assign(
                **{
                    f"rsi_{name}": compute_plain_rsi(bars["close"]),
                    f"atr_{name}": compute_plain_atr(bars),
                    f"ema_spread_{name}_pct": (compute_plain_ema(bars["close"], 21) / ema - 1) * 100,
                }
            )
        )
    return parts


def compute_plain_features(minutes, days):
    """The peer: features of all `minutes` by plain pandas, with windows from the first bar on."""
    import numpy as np
    import pandas as pd

    five, quarter, hour = (aggregate_bars(minutes, length) for length in (5, 15, 60))
    rows = minutes.copy()
    for part in compute_plain_bar_features(five, quarter, hour):
        rows = pd.merge_asof(rows, part, on="ends_ns")
    of_breakout = compute_plain_bar_features(five, quarter, hour)[0][["ends_ns", "highest", "lowest"]]
    before = pd.merge_asof(rows[["starts_ns"]], of_breakout, left_on="starts_ns", right_on="ends_ns")
    by_session = rows.groupby("session")
    typical = (rows["high"] + rows["low"] + rows["close"]) / 3
    so_far = by_session["volume"].cumsum()
    rows["vwap"] = (typical * rows["volume"]).groupby(rows["session"]).cumsum() / so_far
    at_fives = so_far.where(rows["minute"] % 5 == 0)
    table = at_fives.to_frame("volume").assign(session=rows["session"], minute=rows["minute"]).dropna()
    table = table.pivot_table(index="session", columns="minute", values="volume")
    usual = (table / table.shift().rolling(20, min_periods=5).mean()).stack().rename("rvol").reset_index()
    rows = rows.merge(usual, how="left", on=["session", "minute"])
    rows["rvol"] = rows.groupby("session")["rvol"].ffill()
    rows["day_open"] = by_session["open"].transform("first").to_numpy()
    rows["day_high"], rows["day_low"] = by_session["high"].cummax().to_numpy(), by_session["low"].cummin().to_numpy()
    prior = days.set_index("session")[["high", "low", "close"]].shift().add_prefix("prior_").reset_index()
    rows = rows.merge(prior, how="left", on="session")
    opening = rows[rows["minute"] <= 15].groupby("session")["high"].max()
    price = rows["close"]
    return rows.assign(
        vwap_distance_pct=(price / rows["vwap"] - 1) * 100,
        bollinger_position=100 * (price - rows["middle"] + rows["band"]) / (2 * rows["band"]),
        bollinger_width_pct=200 * rows["band"] / rows["middle"],
        day_range_position=100 * (price - rows["day_low"]) / (rows["day_high"] - rows["day_low"]),
        gap_pct=(rows["day_open"] / rows["prior_close"] - 1) * 100,
        above_opening_range_pct=((price / rows["session"].map(opening) - 1) * 100).where(rows["minute"] >= 15),
        above_20_bar_high_pct=(price / before["highest"] - 1) * 100,
        below_20_bar_low_pct=(1 - price / before["lowest"]) * 100,
        pivot=(rows["prior_high"] + rows["prior_low"] + rows["prior_close"]) / 3,
        **{f"ema_{n}_distance_pct": (price / rows[f"ema_{n}"] - 1) * 100 for n in (9, 21, 50, 200)},
        change_from_open_pct=np.where(rows["day_open"] > 0, (price / rows["day_open"] - 1) * 100, np.nan),
    )


def to_bars(frame):
    """Convert a frame of bars to the form in which a tape holds them."""
    from hd_pipelines.signals.tape import Bars

    names = ("starts_ns", "ends_ns", "session", "open", "high", "low", "close", "volume")
    return Bars(*(frame[name].to_numpy() for name in names))


def make_contexts(minutes, sessions: int, prints: int):
    """Make chains of 150 strikes every 15 minutes of the last sessions, a regime and a volatility per day, option prints."""
    import numpy as np

    from hd_pipelines.signals.tape import Contexts, GammaContext, IvContext, Prints, RegimeContext
    from hd_pipelines.tables.vocabulary import MarketRegime, VixRegime

    random = np.random.default_rng(3)
    closes = minutes.groupby("session").last()
    recent = minutes[minutes["session"].isin(closes.index[-sessions:]) & (minutes["minute"] % 15 == 0)]
    gamma = []
    for at, price, session in zip(recent["ends_ns"], recent["close"], recent["session"], strict=True):
        strikes = np.round(price) + np.arange(-75, 75)
        table = np.column_stack((strikes, random.normal(0, 1e6, 150), random.integers(0, 9_000, 150)))
        expires = int(closes.loc[session, "ends_ns"])
        walls = (price * 1.01, price * 0.99, price * 1.002, strikes[75], strikes[76])
        gamma.append(
            GammaContext(at, price, 2e7, 5e7, -3e7, None, None, None, *walls, expires, 1e6, 5e5, 0.3, table, 3e7, 4e5)
        )
    ends = closes["ends_ns"].tolist()
    session = np.sort(random.choice(closes.index[-sessions:], prints))
    at_ns = closes["ends_ns"].loc[session].to_numpy() - random.integers(0, 390 * MINUTE_NS, prints)
    at_ns.sort()
    kind = [random.random(prints) < share for share in (0.5, 0.1, 0.1, 0.2)]
    amounts = (random.lognormal(9, 1, prints), random.integers(1, 500, prints).astype(float))
    sentiment = random.integers(-1, 2, prints).astype(float)
    return Contexts(
        tuple(IvContext(end, 0.2, 0.4, 0.5, None, 252) for end in ends),
        tuple(gamma),
        tuple(
            RegimeContext(end, date(2024, 1, 2), MarketRegime.WEAK_UPTREND, VixRegime.LOW, 14.0, 70.0) for end in ends
        ),
        Prints(at_ns, *amounts, kind[0], sentiment, *kind[1:]),
    )


def make_tape(sessions, seed: int, *, chain_sessions: int, prints: int):
    """A symbol's tape of these sessions."""
    from hd_pipelines.signals.tape import SymbolTape
    from hd_pipelines.tables.vocabulary import AssetClass

    minutes = make_minutes(sessions, seed)
    bars = (to_bars(minutes), to_bars(aggregate_bars(minutes, 5)), to_bars(aggregate_bars(minutes, 1000)))
    return SymbolTape("TEST", AssetClass.STOCK, *bars, make_contexts(minutes, chain_sessions, prints))


class Contest:
    """A symbol-year, and fifty symbols of which a scan wants the newest row."""

    def __init__(self) -> None:
        from hd_pipelines.market.sessions import list_last_sessions

        every = list_last_sessions(LAST, SESSIONS + BEFORE)
        self.sessions = every[BEFORE:]
        self.minutes = make_minutes(every)
        self.days = aggregate_bars(self.minutes, 1000)
        self.tape = make_tape(every, 7, chain_sessions=60, prints=100_000)
        # Thirty sessions of minutes, and day bars two years back, as a scan reads them.
        days = to_bars(aggregate_bars(make_minutes(list_last_sessions(LAST, 504), 8), 1000))
        self.symbols = []
        for seed in range(SYMBOLS):
            tape = make_tape(list_last_sessions(LAST, 22), seed, chain_sessions=5, prints=5_000)
            self.symbols.append(
                type(tape)(f"S{seed}", tape.asset_class, tape.minutes, tape.five_minutes, days, tape.contexts)
            )
        self.as_of_ns = int(self.minutes["ends_ns"].iloc[-150])

    def ours(self) -> object:
        """A year of one symbol."""
        from hd_pipelines.signals.features import build_frames

        return build_frames(self.tape, self.sessions)

    def detectors(self) -> object:
        """The year through all seventeen detectors: features, where each fires, and its points there.

        A symbol is of one asset class; it is looked at as a stock and once more as an index.
        """
        from hd_pipelines.signals.detectors.registry import DETECTORS
        from hd_pipelines.signals.features import build_frames
        from hd_pipelines.tables.vocabulary import AssetClass

        frame = build_frames(self.tape, self.sessions)
        found = []
        for asset_class in (AssetClass.STOCK, AssetClass.INDEX):
            seen = replace(frame, asset_class=asset_class)
            for detector in DETECTORS.values():
                for direction in detector.directions:
                    rows = detector.fires(seen, direction).nonzero()[0]
                    found.append(detector.score(seen, direction, rows))
        return found

    def signals(self) -> object:
        """The year from minutes to signals: features, seventeen detectors over every row, engines and scanner.

        A symbol is of one asset class; it is scanned as a stock and once more as an index, so that all seventeen look at it.
        """
        from hd_pipelines.signals.features import build_frames
        from hd_pipelines.signals.scanner.scan import scan
        from hd_pipelines.tables.vocabulary import AssetClass

        frame = build_frames(self.tape, self.sessions)
        return [
            scan(replace(frame, asset_class=asset_class), self.tape.contexts)
            for asset_class in (AssetClass.STOCK, AssetClass.INDEX)
        ]

    def plain_pandas(self) -> object:
        """The same year by the peer."""
        return compute_plain_features(self.minutes, self.days)

    def latest_50(self) -> object:
        """The newest row of fifty symbols."""
        from hd_pipelines.signals.features import evaluate

        return [evaluate(tape, self.as_of_ns) for tape in self.symbols]


def compare() -> None:
    """Compare both on one session after 20: where they use the same bars they must agree. Raises `ValueError`.

    The tolerance is pandas': its rolling standard deviation of prices near 100 has errors of 1e-8 in a band's position.
    """
    import numpy as np

    from hd_pipelines.market.sessions import list_last_sessions
    from hd_pipelines.signals.features import build_session_frame

    every = list_last_sessions(LAST, BEFORE + 1)
    minutes = make_minutes(every)
    ours = build_session_frame(make_tape(every, 7, chain_sessions=1, prints=10), LAST)
    plain = compute_plain_features(minutes, aggregate_bars(minutes, 1000)).tail(len(ours))
    differing = [
        name for name in COMPARED if not np.allclose(ours[name], plain[name], rtol=1e-9, atol=1e-7, equal_nan=True)
    ]
    if differing:
        raise ValueError(f"the two differ in {', '.join(differing)}; a faster wrong answer is no result")


def run(rounds: int = ROUNDS) -> dict[str, object]:
    """Measure all contestants `rounds` times in turn, after one round that is not counted. Returns medians."""
    before = describe_machine()
    compare()
    contest = Contest()
    contestants = {
        "ours": contest.ours,
        "to_detectors": contest.detectors,
        "to_signals": contest.signals,
        "plain_pandas": contest.plain_pandas,
        "latest_50": contest.latest_50,
    }
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            contestant()
            if turn:
                taken[name].append(time.perf_counter() - started)
    rows = int((contest.minutes["session"] >= contest.minutes["session"].unique()[BEFORE]).sum())
    figures: dict[str, dict[str, float]] = {
        name: {"wall_s": round(median(seconds), 4), "rows_per_s": round(count / median(seconds))}
        for (name, seconds), count in zip(taken.items(), (rows, rows, rows, len(contest.minutes), SYMBOLS), strict=True)
    }
    for name, limit in LIMITS.items():
        figures[name]["limit_s"] = limit
    return {
        "benchmark": "signal_features",
        "machine": before,
        "rows": rows,
        "rounds": rounds,
        "contestants": figures,
    }


def show(result: dict) -> None:
    """Print a result as a table."""
    about = result["machine"]
    print(
        f"{result['rows']:,} rows of one symbol-year, and the newest row of {SYMBOLS} symbols; median of "
        f"{result['rounds']}\n{about['cores']} cores {about['model']}, {about['memory_gb']} GB, load {about['load']}\n"
    )
    for name, figures in result["contestants"].items():
        within = f"   limit {1000 * figures['limit_s']:.0f} ms" if "limit_s" in figures else ""
        print(f"{name:16}{1000 * figures['wall_s']:9.1f} ms{figures['rows_per_s']:12,.0f} rows/s{within}")


if __name__ == "__main__":
    result = run()
    show(result)
    print(json.dumps(result), file=sys.stderr)
