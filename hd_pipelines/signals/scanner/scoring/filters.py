"""Universal filters: minimum requirements that every candidate meets before it is scored.

A filter that applies must have data: a stock whose relative or average volume is unknown is rejected by that name. An
index trades no shares, so unknown volume of its ETF does not reject it; data confidence accounts for what is missing. The
bid-ask spread of the underlying is not filtered, since no quotes of underlyings are stored.
"""

from __future__ import annotations

import numpy as np

from hd_pipelines.signals.detectors.rules.conditions import Booleans
from hd_pipelines.signals.frame import FeatureFrame
from hd_pipelines.signals.scanner.policy.scan_policy import UniversalFilters
from hd_pipelines.signals.scanner.rejections import Rejection
from hd_pipelines.tables.vocabulary import AssetClass


def find_refused(frame: FeatureFrame, rules: UniversalFilters) -> list[tuple[Rejection, Booleans]]:
    """Return where each filter rejects, in the order of the checks; booleans of shape (n,)."""
    price, volume, usual = frame["price"], frame["rvol"], frame["average_daily_volume"]
    is_traded = frame.asset_class is not AssetClass.INDEX
    return [
        (Rejection.OUTSIDE_SESSION, ~((frame["minutes_from_open"] > 0) & (frame["minutes_to_close"] >= 0))),
        (Rejection.NO_PRICE, ~((price > 0) & np.isfinite(price))),
        (Rejection.HALTED_OR_STALE_PRICE, ~(frame["price_age_minutes"] <= rules.max_price_age_minutes)),
        (Rejection.RELATIVE_VOLUME_UNKNOWN, np.isnan(volume) & is_traded),
        (Rejection.LOW_RELATIVE_VOLUME, volume < rules.min_relative_volume),
        (Rejection.AVERAGE_VOLUME_UNKNOWN, np.isnan(usual) & is_traded),
        (Rejection.LOW_AVERAGE_VOLUME, (usual < rules.min_average_daily_volume) & is_traded),
    ]
