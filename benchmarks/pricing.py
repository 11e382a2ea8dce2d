"""Measures implied volatility, Greeks and American prices, beside fast-vollib, py_vollib (`vollib`) and QuantLib.

`python -m benchmarks.pricing` draws one million options: one hour to two years, 8 to 150 % volatility, up to three
deviations in and out of the money. Ours and fast-vollib take them all in one call; vollib and QuantLib take one option per
call, so they get the first 20,000, and QuantLib's American engine 2,000. Every figure is seconds per million options, in
turn, medians. `error` is the largest difference: of volatilities from those that made the prices (where vega > 1e-6 of the
spot; for American ones where it is > 1e-3), of delta from ours, of American prices, as shares of the spot, from QuantLib's
high precision scheme. Each QuantLib peer is its fastest for the task: LiRS, BlackCalculator, QdFp's fast scheme.
"""

import json
import sys
import time
from collections.abc import Callable
from statistics import median

from benchmarks.measure import describe_machine

OPTIONS = 1_000_000
SINGLY = 20_000
SINGLY_AMERICAN = 2_000
ROUNDS = 5
SPOT = 100.0
LIMITS = {"implied_volatility": 5e6, "greeks": 10e6, "american_price": 2e5}
"""Options per second on two otherwise idle cores."""


class Contest:
    """The options, and every contestant's computation."""

    def __init__(self) -> None:
        import numpy as np

        from hd_pipelines.pricing import black

        random = np.random.default_rng(17)
        self.years = np.exp(random.uniform(np.log(1 / 365 / 24), np.log(2), OPTIONS))
        self.sigma = np.exp(random.uniform(np.log(0.08), np.log(1.5), OPTIONS))
        self.rate = random.uniform(0.01, 0.06, OPTIONS)
        self.dividend_yield = random.uniform(0, 0.04, OPTIONS)
        self.is_call = random.random(OPTIONS) < 0.5
        self.discount = np.exp(-self.rate * self.years)
        self.forward = SPOT * np.exp((self.rate - self.dividend_yield) * self.years)
        deviations = np.clip(random.normal(0, 1.2, OPTIONS), -3, 3)
        self.strike = self.forward * np.exp(deviations * self.sigma * np.sqrt(self.years))
        self.black = (self.forward, self.strike, self.years, self.discount)
        self.price = black.price(*self.black, self.sigma, self.is_call)
        self.letters = np.where(self.is_call, "c", "p")

    def ours_implied_volatility(self):
        """All options, one call."""
        from hd_pipelines.pricing import implied_volatility

        return implied_volatility(self.price, *self.black, self.is_call)

    def fast_vollib_implied_volatility(self):
        """All options, one call."""
        import fast_vollib

        return fast_vollib.fast_implied_volatility_black(
            self.price, self.forward, self.strike, self.rate, self.years, self.letters,
            on_error="ignore", return_as="numpy",
        )  # fmt: skip

    def vollib_implied_volatility(self):
        """Option by option."""
        from vollib.black.implied_volatility import implied_volatility

        numbers = (self.price, self.forward, self.strike, self.rate, self.years)
        return [implied_volatility(*one) for one in self._singly(*numbers, self.letters)]

    def quantlib_implied_volatility(self):
        """Option by option, Li and RS's successive over-relaxation."""
        import QuantLib

        kinds = {True: QuantLib.Option.Call, False: QuantLib.Option.Put}
        options = self._singly(self.is_call, *(self.strike, self.forward, self.price, self.discount, self.years))
        return [
            QuantLib.blackFormulaImpliedStdDevLiRS(kinds[call], strike, forward, price, discount) / years**0.5
            for call, strike, forward, price, discount, years in options
        ]

    def ours_greeks(self):
        """All options, one call."""
        from hd_pipelines.pricing import greeks

        return greeks(*self.black, self.sigma, self.is_call).delta

    def fast_vollib_greeks(self):
        """All options, one call."""
        import fast_vollib

        given = (self.letters, self.forward, self.strike, self.years, self.rate, self.sigma)
        found = fast_vollib.get_all_greeks(*given, model="black", return_as="dict")
        return found["delta"]

    def vollib_greeks(self):
        """Option by option, its five analytical functions."""
        from vollib.black.greeks import analytical

        numbers = (self.letters, self.forward, self.strike, self.years, self.rate, self.sigma)
        names = (analytical.delta, analytical.gamma, analytical.theta, analytical.vega, analytical.rho)
        return [[greek(*one) for greek in names] for one in self._singly(*numbers)]

    def quantlib_greeks(self):
        """Option by option, BlackCalculator."""
        import QuantLib

        kinds = {True: QuantLib.Option.Call, False: QuantLib.Option.Put}

        def five(call, strike, forward, sigma, years, discount):  # noqa: PLR0917
            payoff = QuantLib.PlainVanillaPayoff(kinds[call], strike)
            of = QuantLib.BlackCalculator(payoff, forward, sigma * years**0.5, discount)
            _ = of.gammaForward(), of.theta(forward, years), of.vega(years), of.rho(years)
            return of.deltaForward()

        options = self._singly(self.is_call, self.strike, self.forward, self.sigma, self.years, self.discount)
        return [five(*one) for one in options]

    def ours_american_price(self):
        """All options, one call."""
        from hd_pipelines.pricing import american

        market = (SPOT, self.strike, self.years, self.rate, self.dividend_yield)
        return american.price(*market, self.sigma, self.is_call)

    def ours_american_volatility(self):
        """All options, one call: volatility of American prices that are computed before the clock starts."""
        from hd_pipelines.pricing import american

        if not hasattr(self, "american"):
            self.american = self.ours_american_price()
        market = (SPOT, self.strike, self.years, self.rate, self.dividend_yield)
        return american.implied_volatility(self.american, *market, self.is_call)

    def ours_american_greeks(self):
        """All options, one call."""
        from hd_pipelines.pricing import american

        market = (SPOT, self.strike, self.years, self.rate, self.dividend_yield)
        return american.greeks(*market, self.sigma, self.is_call).delta

    def quantlib_american_price(self, scheme: str = "fastScheme"):
        """Option by option, the same method."""
        import QuantLib

        today, days = QuantLib.Date(1, 1, 2024), QuantLib.Actual365Fixed()
        QuantLib.Settings.instance().evaluationDate = today
        year = QuantLib.AmericanExercise(
            today, today + 365
        )  # time is scaled to one year: QuantLib knows whole days only
        kinds = {True: QuantLib.Option.Call, False: QuantLib.Option.Put}
        spot = QuantLib.QuoteHandle(QuantLib.SimpleQuote(SPOT))

        def price(call, strike, years, rate, dividend_yield, sigma):  # noqa: PLR0917
            curves = [
                QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, x * years, days))
                for x in (dividend_yield, rate)
            ]
            level = QuantLib.BlackConstantVol(today, QuantLib.NullCalendar(), sigma * years**0.5, days)
            smile = QuantLib.BlackVolTermStructureHandle(level)
            process = QuantLib.BlackScholesMertonProcess(spot, *curves, smile)
            option = QuantLib.VanillaOption(QuantLib.PlainVanillaPayoff(kinds[call], strike), year)
            option.setPricingEngine(
                QuantLib.QdFpAmericanEngine(process, getattr(QuantLib.QdFpAmericanEngine, scheme)())
            )
            return option.NPV()

        market = (self.is_call, self.strike, self.years, self.rate, self.dividend_yield, self.sigma)
        return [price(*one) for one in self._singly(*market, count=SINGLY_AMERICAN)]

    @staticmethod
    def _singly(*columns, count: int = SINGLY):
        """The first options as tuples of Python's own numbers."""
        return list(zip(*(column[:count].tolist() for column in columns), strict=True))

    def errors(self, answers: dict[str, object]) -> dict[str, float]:
        """Largest error of each contestant, as described above. Raises `ValueError` if ours exceeds its tolerance."""
        import numpy as np

        from hd_pipelines.pricing import american, greeks

        vega = 100 * greeks(*self.black, self.sigma, self.is_call).vega
        market = (SPOT, self.strike, self.years, self.rate, self.dividend_yield)
        american_vega = 100 * american.greeks(*market, self.sigma, self.is_call).vega
        exact = {
            "implied_volatility": self.sigma,
            "greeks": answers["ours_greeks"],
            "american_price": np.asarray(self.quantlib_american_price("highPrecisionScheme")),
            "american_volatility": self.sigma,
            "american_greeks": answers["ours_american_greeks"],
        }
        counted = {
            "implied_volatility": vega > 1e-6 * SPOT,
            "american_volatility": american_vega > 1e-3 * np.maximum(SPOT, self.strike),
        }
        unit = {"american_price": SPOT}
        found = {}
        for name, answer in answers.items():
            task = _name_task(name)
            values = np.asarray(answer, dtype=float).reshape(len(answer), -1)[:, 0]
            size = min(values.size, exact[task].size)
            errors = np.abs(values[:size] - exact[task][:size]) / unit.get(task, 1)
            matters = counted.get(task, np.ones(OPTIONS, dtype=bool))[:size]
            found[name] = float(errors[matters].max())
        allowed = {"ours_implied_volatility": 1e-9, "ours_american_price": 1e-3, "ours_american_volatility": 1e-4}
        if wrong := {name: found[name] for name, limit in allowed.items() if not found[name] <= limit}:
            raise ValueError(f"too far off, and a faster wrong answer is no result: {wrong}")
        return found


_TASKS = ("implied_volatility", "greeks", "american_price", "american_volatility", "american_greeks")
_SIDES = ("ours", "fast_vollib", "vollib", "quantlib")


def _name_task(name: str) -> str:
    return next(task for task in _TASKS for side in _SIDES if name == f"{side}_{task}")


def _time_in_turn(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
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
    names = [f"{side}_{task}" for task in _TASKS for side in _SIDES if hasattr(contest, f"{side}_{task}")]
    contestants = {name: getattr(contest, name) for name in names}
    errors = contest.errors({name: contestant() for name, contestant in contestants.items()})
    taken = _time_in_turn(contestants, rounds)
    figures: dict[str, dict[str, object]] = {}
    for name, seconds in taken.items():
        options = OPTIONS
        if name.startswith(("vollib", "quantlib")):
            options = SINGLY_AMERICAN if "american" in name else SINGLY
        task = _name_task(name)
        figures[name] = {
            "wall_s": round(median(seconds) * 1e6 / options, 4),
            "rows_per_s": round(options / median(seconds)),
            "error": errors[name],
        }
        if name.startswith("ours") and task in LIMITS:
            figures[name]["limit_s"] = 1e6 / LIMITS[task]
        if not name.startswith("ours"):
            figures[name]["beside"] = f"ours_{task}"
    return {
        "benchmark": "pricing",
        "machine": before,
        "rows": OPTIONS,
        "rounds": rounds,
        "contestants": figures,
    }


def show(result: dict) -> None:
    """Print a result as a table."""
    about, figures = result["machine"], result["contestants"]
    print(
        f"{result['rows']:,} options; median of {result['rounds']}\n"
        f"{about['cores']} cores {about['model']}, {about['memory_gb']} GB, load {about['load']}\n"
    )
    print(f"{'':34}{'options/s':>13}{'largest error':>15}{'ours is':>12}{'wanted':>13}")
    for name, one in figures.items():
        ratio = f"{one['wall_s'] / figures[one['beside']]['wall_s']:,.1f} x" if "beside" in one else ""
        wanted = f"{1e6 / one['limit_s']:,.0f}" if "limit_s" in one else ""
        print(f"{name:34}{one['rows_per_s']:13,}{one['error']:15.1e}{ratio:>12}{wanted:>13}")


if __name__ == "__main__":
    result = run()
    show(result)
    print(json.dumps(result), file=sys.stderr)
