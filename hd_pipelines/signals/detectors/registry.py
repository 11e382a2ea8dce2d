"""All detectors by name. To add one, write a family module named after its strategy and list it here."""

from __future__ import annotations

from hd_pipelines.signals.detectors.breakout import BREAKOUTS
from hd_pipelines.signals.detectors.detector import Detector
from hd_pipelines.signals.detectors.eod_pin import EOD_PIN
from hd_pipelines.signals.detectors.gamma_flip import GAMMA_FLIPS
from hd_pipelines.signals.detectors.gamma_squeeze import GAMMA_SQUEEZES
from hd_pipelines.signals.detectors.index_mean_reversion import INDEX_MEAN_REVERSIONS
from hd_pipelines.signals.detectors.mean_reversion import MEAN_REVERSIONS
from hd_pipelines.signals.detectors.opening_drive import OPENING_DRIVES
from hd_pipelines.signals.detectors.power_hour_reversal import POWER_HOUR_REVERSALS
from hd_pipelines.signals.detectors.trend_continuation import TREND_CONTINUATIONS

DETECTORS: dict[str, Detector] = {
    detector.name: detector
    for detector in (
        *BREAKOUTS,
        *MEAN_REVERSIONS,
        *TREND_CONTINUATIONS,
        *GAMMA_SQUEEZES,
        *POWER_HOUR_REVERSALS,
        *INDEX_MEAN_REVERSIONS,
        *OPENING_DRIVES,
        *GAMMA_FLIPS,
        EOD_PIN,
    )
}
"""By name, in the order of the documentation: six for equities, eleven for indices."""
