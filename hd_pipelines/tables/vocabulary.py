"""The words that more than one room uses: every class a row can carry, once.

Belongs here: enums whose values are stored. The database's checks are generated from them, so a value is never renamed.
Cut-offs that decide between the values live with the formulas in `analytics`.
"""

from enum import StrEnum


class OptionType(StrEnum):
    """Right of an option."""

    CALL = "call"
    PUT = "put"


class ExerciseStyle(StrEnum):
    """When an option may be exercised."""

    AMERICAN = "american"
    EUROPEAN = "european"


class PriceSource(StrEnum):
    """Where the price of a valued contract came from."""

    CHAIN_SNAPSHOT = "chain_snapshot"
    CHAIN_ARCHIVE = "chain_archive"
    OPTION_MINUTE = "option_minute_aggs"
    OPTION_DAY = "option_day_aggs"


class SnapshotKind(StrEnum):
    """Whether a chain was taken at the session's close or during it."""

    CLOSE = "close"
    INTRADAY = "intraday"


class IvRegime(StrEnum):
    """How expensive options are against their own last 252 sessions."""

    EXTREMELY_LOW = "EXTREMELY_LOW"
    LOW = "LOW"
    NORMAL = "NORMAL"
    ELEVATED = "ELEVATED"
    HIGH = "HIGH"
    EXTREMELY_HIGH = "EXTREMELY_HIGH"


class IvTrend(StrEnum):
    """Which way implied volatility went over 20 sessions."""

    EXPANDING = "EXPANDING"
    STABLE = "STABLE"
    CONTRACTING = "CONTRACTING"


class IvRecommendation(StrEnum):
    """What the level of implied volatility suggests to a trader of premium."""

    BUY_PREMIUM = "BUY_PREMIUM"
    BUY_FAVORABLE = "BUY_FAVORABLE"
    NEUTRAL = "NEUTRAL"
    WAIT_FOR_IV_DROP = "WAIT_FOR_IV_DROP"
    SELL_PREMIUM = "SELL_PREMIUM"


class SignModel(StrEnum):
    """Whom a gamma figure assumes dealers to have traded with; an assumption, so every row carries it."""

    NAIVE_CALLS_LONG = "naive_calls_long"


class DealerPositioning(StrEnum):
    """Sign of the dealers' gamma under the row's sign model."""

    LONG_GAMMA = "LONG_GAMMA"
    SHORT_GAMMA = "SHORT_GAMMA"
    NEUTRAL = "NEUTRAL"


class PositioningStrength(StrEnum):
    """How unusual the size of the gamma is for this underlying."""

    WEAK = "WEAK"
    MODERATE = "MODERATE"
    STRONG = "STRONG"
    EXTREME = "EXTREME"


class ExpectedBehavior(StrEnum):
    """What hedging of that gamma does to the underlying."""

    PINNING = "PINNING"
    TRENDING = "TRENDING"
    VOLATILE = "VOLATILE"
    RANGE_BOUND = "RANGE_BOUND"


class TradeType(StrEnum):
    """Kind of an options print."""

    SWEEP = "SWEEP"
    BLOCK = "BLOCK"
    SPLIT = "SPLIT"
    LARGE = "LARGE"
    REGULAR = "REGULAR"


class FlowSentiment(StrEnum):
    """Direction that a print speaks for."""

    BULLISH = "BULLISH"
    BEARISH = "BEARISH"
    NEUTRAL = "NEUTRAL"


class Aggressiveness(StrEnum):
    """How far a print went to find the other side."""

    PASSIVE = "PASSIVE"
    NORMAL = "NORMAL"
    AGGRESSIVE = "AGGRESSIVE"


class VixRegime(StrEnum):
    """Level of the VIX."""

    EXTREMELY_LOW = "EXTREMELY_LOW"
    LOW = "LOW"
    NORMAL = "NORMAL"
    ELEVATED = "ELEVATED"
    HIGH = "HIGH"
    EXTREME = "EXTREME"


class VixTermStructure(StrEnum):
    """Shape of implied volatility over maturities."""

    STEEP_CONTANGO = "STEEP_CONTANGO"
    CONTANGO = "CONTANGO"
    FLAT = "FLAT"
    BACKWARDATION = "BACKWARDATION"
    STEEP_BACKWARDATION = "STEEP_BACKWARDATION"


class TickRegime(StrEnum):
    """Level of the NYSE TICK."""

    EXTREME_SELLING = "EXTREME_SELLING"
    WEAK = "WEAK"
    NEUTRAL = "NEUTRAL"
    STRONG = "STRONG"
    EXTREME_BUYING = "EXTREME_BUYING"


class BreadthRegime(StrEnum):
    """How many stocks take part."""

    EXTREMELY_BEARISH = "EXTREMELY_BEARISH"
    BEARISH = "BEARISH"
    NEUTRAL = "NEUTRAL"
    BULLISH = "BULLISH"
    EXTREMELY_BULLISH = "EXTREMELY_BULLISH"


class CorrelationRegime(StrEnum):
    """How much stocks move together."""

    DIVERGING = "DIVERGING"
    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"
    EXTREMELY_HIGH = "EXTREMELY_HIGH"


class SectorRotation(StrEnum):
    """Which kind of sector leads."""

    DEFENSIVE = "DEFENSIVE"
    CYCLICAL = "CYCLICAL"
    GROWTH = "GROWTH"
    VALUE = "VALUE"
    MIXED = "MIXED"


class PutCallRegime(StrEnum):
    """What the put/call ratio says of the crowd."""

    EXTREME_FEAR = "EXTREME_FEAR"
    FEAR = "FEAR"
    NEUTRAL = "NEUTRAL"
    GREED = "GREED"
    EXTREME_GREED = "EXTREME_GREED"


class MarketRegime(StrEnum):
    """The eleven regimes, the one vocabulary of engine, detectors, scanner and backtest."""

    STRONG_UPTREND = "STRONG_UPTREND"
    WEAK_UPTREND = "WEAK_UPTREND"
    CHOPPY_BULLISH = "CHOPPY_BULLISH"
    RANGE_BOUND = "RANGE_BOUND"
    CHOPPY_BEARISH = "CHOPPY_BEARISH"
    WEAK_DOWNTREND = "WEAK_DOWNTREND"
    STRONG_DOWNTREND = "STRONG_DOWNTREND"
    BREAKOUT = "BREAKOUT"
    BREAKDOWN = "BREAKDOWN"
    CAPITULATION = "CAPITULATION"
    EUPHORIA = "EUPHORIA"


class RegimeFamily(StrEnum):
    """What a regime means to a detector; `family_of` is the only mapping."""

    TRENDING_UP = "TRENDING_UP"
    TRENDING_DOWN = "TRENDING_DOWN"
    RANGING = "RANGING"
    CHOPPY = "CHOPPY"
    VOLATILE = "VOLATILE"


REGIME_FAMILIES: dict[MarketRegime, RegimeFamily] = {
    MarketRegime.STRONG_UPTREND: RegimeFamily.TRENDING_UP,
    MarketRegime.WEAK_UPTREND: RegimeFamily.TRENDING_UP,
    MarketRegime.BREAKOUT: RegimeFamily.TRENDING_UP,
    MarketRegime.CHOPPY_BULLISH: RegimeFamily.CHOPPY,
    MarketRegime.RANGE_BOUND: RegimeFamily.RANGING,
    MarketRegime.CHOPPY_BEARISH: RegimeFamily.CHOPPY,
    MarketRegime.WEAK_DOWNTREND: RegimeFamily.TRENDING_DOWN,
    MarketRegime.STRONG_DOWNTREND: RegimeFamily.TRENDING_DOWN,
    MarketRegime.BREAKDOWN: RegimeFamily.TRENDING_DOWN,
    MarketRegime.CAPITULATION: RegimeFamily.VOLATILE,
    MarketRegime.EUPHORIA: RegimeFamily.VOLATILE,
}
"""Every regime has one family; a test holds it total."""


class Direction(StrEnum):
    """Which way a trade bets."""

    LONG = "LONG"
    SHORT = "SHORT"

    @property
    def sign(self) -> int:
        """+1 or -1."""
        return 1 if self is Direction.LONG else -1


class AssetClass(StrEnum):
    """What kind of underlying a symbol is; detectors and thresholds differ by it."""

    INDEX = "INDEX"
    EQUITY_ETF = "EQUITY_ETF"
    STOCK = "STOCK"


class TradingStyle(StrEnum):
    """How long a trade is meant to be held."""

    SCALP = "scalp"
    DAY_TRADE = "day_trade"
    SWING = "swing"


class Strategy(StrEnum):
    """What a detector looks for; regimes and VIX levels allow or forbid whole strategies."""

    BREAKOUT = "breakout"
    MEAN_REVERSION = "mean_reversion"
    TREND_CONTINUATION = "trend_continuation"
    GAMMA_SQUEEZE = "gamma_squeeze"
    POWER_HOUR_REVERSAL = "power_hour_reversal"
    INDEX_MEAN_REVERSION = "index_mean_reversion"
    OPENING_DRIVE = "opening_drive"
    GAMMA_FLIP = "gamma_flip"
    EOD_PIN = "eod_pin"


class ContextEngine(StrEnum):
    """The five engines, in the order in which they are applied to a score."""

    IV_PERCENTILE = "iv_percentile"
    GAMMA_EXPOSURE = "gamma_exposure"
    MTF_ALIGNMENT = "mtf_alignment"
    FLOW = "flow"
    REGIME = "regime"


class ContextStatus(StrEnum):
    """Whether an engine could speak: old context fades towards neutral, missing context is neutral."""

    FRESH = "FRESH"
    FADING = "FADING"
    MISSING = "MISSING"


class SignalStatus(StrEnum):
    """Where a signal is in its life."""

    ACTIVE = "ACTIVE"
    FILLED = "FILLED"
    EXPIRED = "EXPIRED"
    DISMISSED = "DISMISSED"
    STOPPED = "STOPPED"
    TARGET_HIT = "TARGET_HIT"


class ExitReason(StrEnum):
    """What ended a signal."""

    STOP = "STOP"
    TARGET_1 = "T1"
    TARGET_2 = "T2"
    TARGET_3 = "T3"
    MANUAL = "MANUAL"
    EXPIRED = "EXPIRED"


class Resolution(StrEnum):
    """What a signal was seen on: minutes, or one look at the close of a session that has no minutes."""

    MINUTE = "minute"
    DAY = "day"


class GammaRecommendation(StrEnum):
    """What dealers' gamma suggests."""

    AVOID_PINNING = "AVOID_PINNING"
    BREAKOUT_SETUP = "BREAKOUT_SETUP"
    TREND_CONTINUATION = "TREND_CONTINUATION"
    RANGE_TRADE = "RANGE_TRADE"
    NEUTRAL = "NEUTRAL"


class MtfAlignment(StrEnum):
    """How far weeks, days, hours and quarters of an hour agree with a trade."""

    FULLY_ALIGNED = "FULLY_ALIGNED"
    MOSTLY_ALIGNED = "MOSTLY_ALIGNED"
    NEUTRAL = "NEUTRAL"
    DIVERGING = "DIVERGING"
    CONFLICTING = "CONFLICTING"


class MtfRecommendation(StrEnum):
    """What that suggests."""

    STRONG_SIGNAL = "STRONG_SIGNAL"
    CONFIRM_SIGNAL = "CONFIRM_SIGNAL"
    WAIT_ALIGNMENT = "WAIT_ALIGNMENT"
    AVOID_DIVERGENCE = "AVOID_DIVERGENCE"


class FlowStrength(StrEnum):
    """Which way the option prints of a window lean, and how far."""

    STRONGLY_BULLISH = "STRONGLY_BULLISH"
    BULLISH = "BULLISH"
    NEUTRAL = "NEUTRAL"
    BEARISH = "BEARISH"
    STRONGLY_BEARISH = "STRONGLY_BEARISH"


class FlowUrgency(StrEnum):
    """How much of a window's prints was swept or bought."""

    VERY_AGGRESSIVE = "VERY_AGGRESSIVE"
    AGGRESSIVE = "AGGRESSIVE"
    MODERATE = "MODERATE"
    PASSIVE = "PASSIVE"


class FlowRecommendation(StrEnum):
    """What a window's prints suggest; WAIT where they are too few."""

    FOLLOW_FLOW = "FOLLOW_FLOW"
    CONFIRM_FLOW = "CONFIRM_FLOW"
    FADE_FLOW = "FADE_FLOW"
    NEUTRAL = "NEUTRAL"
    WAIT = "WAIT"


class RegimeRecommendation(StrEnum):
    """What the market's regime suggests."""

    AGGRESSIVE_LONGS = "AGGRESSIVE_LONGS"
    SELECTIVE_LONGS = "SELECTIVE_LONGS"
    NEUTRAL = "NEUTRAL"
    AVOID_TRADING = "AVOID_TRADING"
    SELECTIVE_SHORTS = "SELECTIVE_SHORTS"
    AGGRESSIVE_SHORTS = "AGGRESSIVE_SHORTS"
    CONTRARIAN_OPPORTUNITY = "CONTRARIAN_OPPORTUNITY"
