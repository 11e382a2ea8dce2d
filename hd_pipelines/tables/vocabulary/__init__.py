"""Every enum whose values are stored.

The database's checks are generated from these enums, so a value is never renamed. Cut-offs that decide between values live
with the formulas in `analytics`.
"""

from hd_pipelines.tables.vocabulary.alerts import (
    AlertSeverity,
    AlertState,
    DeliveryStatus,
    MessageKind,
)
from hd_pipelines.tables.vocabulary.bars import Timeframe
from hd_pipelines.tables.vocabulary.engines import (
    ContextEngine,
    ContextStatus,
    FlowRecommendation,
    FlowStrength,
    FlowUrgency,
    GammaRecommendation,
    MtfAlignment,
    MtfRecommendation,
    RegimeRecommendation,
)
from hd_pipelines.tables.vocabulary.findings import Rule, Severity
from hd_pipelines.tables.vocabulary.gamma import (
    DealerPositioning,
    ExpectedBehavior,
    PositioningStrength,
    SignModel,
)
from hd_pipelines.tables.vocabulary.options import (
    Aggressiveness,
    ExerciseStyle,
    FlowSentiment,
    OptionType,
    PriceSource,
    SnapshotKind,
    TradeType,
)
from hd_pipelines.tables.vocabulary.regime import (
    REGIME_FAMILIES,
    BreadthRegime,
    CorrelationRegime,
    MarketRegime,
    PutCallRegime,
    RegimeFamily,
    SectorRotation,
    TickRegime,
    VixRegime,
    VixTermStructure,
)
from hd_pipelines.tables.vocabulary.signals import (
    AssetClass,
    Direction,
    ExitReason,
    Resolution,
    SignalStatus,
    Strategy,
    TradingStyle,
)
from hd_pipelines.tables.vocabulary.volatility import IvRecommendation, IvRegime, IvTrend

__all__ = [
    "REGIME_FAMILIES",
    "Aggressiveness",
    "AlertSeverity",
    "AlertState",
    "AssetClass",
    "BreadthRegime",
    "ContextEngine",
    "ContextStatus",
    "CorrelationRegime",
    "DealerPositioning",
    "DeliveryStatus",
    "Direction",
    "ExerciseStyle",
    "ExitReason",
    "ExpectedBehavior",
    "FlowRecommendation",
    "FlowSentiment",
    "FlowStrength",
    "FlowUrgency",
    "GammaRecommendation",
    "IvRecommendation",
    "IvRegime",
    "IvTrend",
    "MarketRegime",
    "MessageKind",
    "MtfAlignment",
    "MtfRecommendation",
    "OptionType",
    "PositioningStrength",
    "PriceSource",
    "PutCallRegime",
    "RegimeFamily",
    "RegimeRecommendation",
    "Resolution",
    "Rule",
    "SectorRotation",
    "Severity",
    "SignModel",
    "SignalStatus",
    "SnapshotKind",
    "Strategy",
    "TickRegime",
    "Timeframe",
    "TradeType",
    "TradingStyle",
    "VixRegime",
    "VixTermStructure",
]
