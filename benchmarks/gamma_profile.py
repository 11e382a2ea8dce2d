"""Measures a full SPX chain from quotes to implied volatility, Greeks, forwards, gamma profile and zero gamma.

`python -m benchmarks.gamma_profile` makes about 10,000 contracts of SPX and SPXW (34 expirations from the session's own to
two years, a smile, quotes rounded to the exchange's ticks) and values them as the close job does, with everything compiled
and warm. `ours` is the whole computation, including unquoted contracts at the volatility of their smile, and has a limit;
its two halves are listed below it. The peer is the profile alone, as in public gamma scripts: one NumPy expression over all
contracts and 301 spots. `snapshot` adds what the warehouse stores: levels, max pain, sums by strike.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from statistics import median

from benchmarks.measure import describe_machine

SESSION = date(2024, 3, 14)
SPOT = 5150.0
LIMIT_S = 0.050
"""For a chain of 10,000 contracts on two otherwise idle cores."""
ROUNDS = 21


def make_chain():
    """`CHAIN` of one snapshot at 10:00, about 10,000 contracts; the same every time."""
    import numpy as np
    import polars as pl

    from hd_pipelines.market.option_chains import CHAIN
    from hd_pipelines.market.sessions import NEW_YORK, list_sessions_between
    from hd_pipelines.pricing.black import price

    snapshot_at = datetime(SESSION.year, SESSION.month, SESSION.day, 10, tzinfo=NEW_YORK)
    weeklies = list_sessions_between(SESSION, SESSION + timedelta(days=36))
    fridays = [
        day for day in list_sessions_between(SESSION, date(2026, 3, 20)) if day.weekday() == 4 and 15 <= day.day <= 21
    ]
    far = [("SPX", day) for day in fridays if (day - SESSION).days in range(1, 200) or day.month in (3, 6, 12)]
    series = [("SPXW", day) for day in weeklies] + far
    random = np.random.default_rng(11)
    parts = []
    for root, expiration in series:
        days = (expiration - SESSION).days
        years = (days + 0.25) / 365
        width = min(0.6, 0.05 + 0.22 * years**0.5)
        step = 5.0 if days < 60 else 25.0
        strikes = np.arange(SPOT * (1 - width) // step * step, SPOT * (1 + 0.6 * width), step)
        forward, discount = SPOT * np.exp(0.035 * years), np.exp(-0.05 * years)
        moneyness = np.log(strikes / forward) / max(years, 0.02) ** 0.5
        sigma = 0.12 - 0.10 * moneyness + 0.25 * moneyness**2 * (moneyness < 0.4)
        for option_type in ("call", "put"):
            worth = price(forward, strikes, years, discount, np.clip(sigma, 0.06, 2.0), option_type == "call")
            tick = np.where(worth < 3, 0.05, 0.10)
            bid = np.floor(worth * 0.995 / tick) * tick
            parts.append(
                pl.DataFrame(
                    {
                        "root": root,
                        "expiration": expiration,
                        "option_type": option_type,
                        "strike": strikes,
                        "bid": bid.round(2),
                        "ask": np.maximum(np.ceil(worth * 1.005 / tick) * tick, bid + tick).round(2),
                        "volume": random.integers(0, 2_000, strikes.size),
                        "open_interest": random.integers(0, 20_000, strikes.size),
                    }
                )
            )
    right = pl.col("option_type").str.head(1).str.to_uppercase()
    digits = (pl.col("strike") * 1000).cast(pl.Int64).cast(pl.String).str.zfill(8)
    chain = pl.concat(parts).with_columns(
        underlying=pl.lit("I:SPX"),
        snapshot_at=pl.lit(snapshot_at).dt.convert_time_zone("UTC"),
        kind=pl.lit("intraday"),
        source=pl.lit("chain_snapshot"),
        ticker=pl.concat_str(pl.lit("O:"), "root", pl.col("expiration").dt.strftime("%y%m%d"), right, digits),
        exercise_style=pl.lit("european"),
        shares_per_contract=100.0,
        underlying_price=SPOT,
        open_interest_as_of=pl.lit(SESSION - timedelta(days=1)),
    )
    given = [name for name in CHAIN if name in chain.columns]
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in CHAIN.items() if name not in chain.columns]
    return chain.select(*(pl.col(name).cast(CHAIN[name]) for name in given), *missing).select(*CHAIN)


class Contest:
    """One chain, valued once so that the halves can be measured separately."""

    def __init__(self) -> None:
        from hd_pipelines.analytics.gamma.smiles import fill_from_smile
        from hd_pipelines.pricing.valuation import value_chain

        self.chain = make_chain()
        self.valued = value_chain(self.chain)
        self.arrays = _to_arrays(fill_from_smile(self.valued))
        self.rows = self.chain.height

    def ours(self) -> object:
        """Quotes to volatility, Greeks, forwards; gamma profile at 301 spots; every zero-gamma spot."""
        from hd_pipelines.pricing.valuation import value_chain

        return self.gamma_of(value_chain(self.chain))

    def valuation(self) -> object:
        """Quotes to volatility, Greeks and forwards."""
        from hd_pipelines.pricing.valuation import value_chain

        return value_chain(self.chain)

    def gamma(self) -> object:
        """Smiles, profile and zero gamma of the valued chain."""
        return self.gamma_of(self.valued)

    def snapshot(self) -> object:
        """All rows of the snapshot that the warehouse stores, computed from the valued chain."""
        from hd_pipelines.analytics.gamma_exposure import compute_gamma_exposure

        return compute_gamma_exposure(self.valued)

    def gamma_of(self, valued):
        import numpy as np

        from hd_pipelines.analytics.gamma.smiles import fill_from_smile
        from hd_pipelines.analytics.gamma_exposure import gamma_profile, zero_gamma

        contracts = _to_arrays(fill_from_smile(valued))
        spots = np.linspace(0.85 * SPOT, 1.15 * SPOT, 301)
        return gamma_profile(spots, SPOT, **contracts), zero_gamma(SPOT, **contracts)

    def numpy_profile(self) -> object:
        """The profile at 301 spots in one NumPy expression."""
        import numpy as np

        contracts = {name: values[:, None] for name, values in self.arrays.items()}
        with np.errstate(all="ignore"):
            moved = contracts["forward"] * np.linspace(0.85, 1.15, 301)
            deviation = contracts["sigma"] * np.sqrt(contracts["years"])
            d1 = np.log(moved / contracts["strike"]) / deviation + deviation / 2
            held = contracts["open_interest"] * contracts["multiplier"] * np.where(contracts["is_call"], 0.01, -0.01)
            exposure = held * moved * np.exp(-0.5 * d1 * d1) / np.sqrt(2 * np.pi) / deviation
        return np.nansum(exposure, axis=0)


def _to_arrays(valued) -> dict:
    numbers = {"strike": "strike", "years": "years", "forward": "forward", "sigma": "implied_volatility"}
    arrays = {name: valued[column].to_numpy() for name, column in numbers.items()}
    arrays["open_interest"] = valued["open_interest"].cast(float).to_numpy()
    arrays["multiplier"] = (valued["shares_per_contract"] * valued["discount"]).to_numpy()
    arrays["is_call"] = (valued["option_type"] == "call").to_numpy()
    return arrays


def _time_in_turn(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    for contestant in contestants.values():
        contestant()
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            contestant()
            taken[name].append(time.perf_counter() - started)
    return taken


def run(rounds: int = ROUNDS) -> dict[str, object]:
    """Measure all contestants `rounds` times in turn, after one round that is not counted. Returns medians."""
    before = describe_machine()
    contest = Contest()
    import numpy as np

    profile, _ = contest.gamma()
    if not np.allclose(profile, contest.numpy_profile(), rtol=1e-9, atol=1e-9 * np.abs(profile).max()):
        raise ValueError("the two profiles differ; a faster wrong answer is no result")
    contestants = {
        "ours": contest.ours,
        "valuation": contest.valuation,
        "gamma": contest.gamma,
        "numpy_profile": contest.numpy_profile,
        "snapshot": contest.snapshot,
    }
    taken = _time_in_turn(contestants, rounds)
    figures: dict[str, dict[str, float]] = {
        name: {"wall_s": round(median(seconds), 5), "rows_per_s": round(contest.rows / median(seconds))}
        for name, seconds in taken.items()
    }
    figures["ours"]["limit_s"] = LIMIT_S
    return {
        "benchmark": "gamma_profile",
        "machine": before,
        "rows": contest.rows,
        "rounds": rounds,
        "contestants": figures,
    }


def show(result: dict) -> None:
    """Print a result as a table."""
    about = result["machine"]
    print(
        f"{result['rows']:,} contracts, quotes to gamma profile and zero gamma; median of {result['rounds']}\n"
        f"{about['cores']} cores {about['model']}, {about['memory_gb']} GB, load {about['load']}\n"
    )
    for name, figures in result["contestants"].items():
        limit = f"   limit {1000 * figures['limit_s']:.0f} ms" if "limit_s" in figures else ""
        print(f"{name:16}{1000 * figures['wall_s']:9.1f} ms{limit}")


if __name__ == "__main__":
    result = run()
    show(result)
    print(json.dumps(result), file=sys.stderr)
