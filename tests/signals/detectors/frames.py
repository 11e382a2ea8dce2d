"""Frames for tests of detectors: built from values, random ones, and one mirrored without the code under test."""

from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st

from hd_pipelines.signals.catalogue import FEATURES, Orientation
from hd_pipelines.signals.detectors.detector import Detector
from hd_pipelines.signals.detectors.examples import get_example
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.detectors.rules.mirroring import mirror_name
from hd_pipelines.signals.frame import FeatureFrame, empty_columns, empty_levels
from hd_pipelines.tables.vocabulary import AssetClass, Direction, Resolution

SIDES = [(detector, direction) for detector in DETECTORS.values() for direction in detector.directions]
"""Every detector with each of its directions."""


LOOKED_AT = sorted({name_for(f) for d in DETECTORS.values() for f in d.features for name_for in (str, mirror_name)})
"""Every feature that a detector looks at, for either side."""


def named(value: object) -> str | None:
    """Test ids of detectors and directions."""
    return value.name if isinstance(value, Detector | Direction) else None


def frame_with(values: Mapping[str, object], asset_class: AssetClass = AssetClass.STOCK) -> FeatureFrame:
    """A frame whose columns have these values, NaN in all others."""
    given = {name: np.atleast_1d(np.asarray(value, np.float64)) for name, value in values.items()}
    rows = max(value.size for value in given.values())
    columns = empty_columns(rows) | {name: np.broadcast_to(value, rows).copy() for name, value in given.items()}
    return FeatureFrame(
        "ANY", asset_class, Resolution.MINUTE, 60_000_000_000 * np.arange(rows), columns, empty_levels(rows)
    )


def points_of(detector: str, factor: str, **values: object) -> list[float]:
    """A factor's points on a frame with these values."""
    one = next(f for f in DETECTORS[detector].factors if f.name == factor)
    return one.evaluate(frame_with(values).columns).round(9).tolist()


def asset_class_for(detector: Detector) -> AssetClass:
    """One that it is for."""
    return min(detector.asset_classes)


@st.composite
def frames(draw: st.DrawFn, *, with_infinities: bool = False) -> dict[str, np.ndarray]:
    """Columns of one to five rows: the examples of two detectors laid over one another, then some values anyhow.

    So conditions hold and fail, alone and together, and about half of the features are missing.
    """
    rows = draw(st.lists(_row(with_infinities), min_size=1, max_size=5))
    columns = empty_columns(len(rows))
    for position, values in enumerate(rows):
        for name, value in values.items():
            columns[name][position] = value
    return columns


def _row(with_infinities: bool) -> st.SearchStrategy[dict[str, float]]:
    extremes = [np.nan, np.inf, -np.inf] if with_infinities else [np.nan]
    numbers = st.one_of(st.sampled_from([0.0, -1.0, 1.0, 50.0, *extremes]), st.floats(-200.0, 200.0))
    changes = st.lists(st.tuples(st.sampled_from(LOOKED_AT), numbers), max_size=8).map(dict)
    side = st.sampled_from(SIDES).map(lambda side: get_example(*side))
    return st.tuples(side, side, changes).map(lambda parts: _with_words(parts[0] | parts[1] | parts[2]))


def _with_words(values: dict[str, float]) -> dict[str, float]:
    return {
        name: float(int(value) % len(FEATURES[name].enum_values))
        if FEATURES[name].enum_values and np.isfinite(value)
        else value
        for name, value in values.items()
        if not (FEATURES[name].enum_values and np.isinf(value))
    }


def random_frame(rows: int, asset_class: AssetClass, seed: int) -> FeatureFrame:
    """Plausible and implausible values mixed, a twentieth missing; about a third of the rows near some example."""
    random = np.random.default_rng(seed)
    columns = empty_columns(rows)
    for name, feature in FEATURES.items():
        columns[name] = (
            random.integers(0, len(feature.enum_values), rows).astype(np.float64)
            if feature.enum_values
            else random.normal(0.0, 10.0, rows)
        )
    for detector in DETECTORS.values():
        near = random.random(rows) < 0.03
        for name, value in detector.example.items():
            columns[name][near] = value if FEATURES[name].enum_values else value * random.normal(1.0, 0.05, near.sum())
    for values in columns.values():
        values[random.random(rows) < 0.05] = np.nan
    return FeatureFrame("ANY", asset_class, Resolution.MINUTE, np.arange(rows), columns, empty_levels(rows))


def turned_around(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the same market looks like upside down: written out here, not taken from the code under test."""
    turned = {}
    for name, values in columns.items():
        match FEATURES[name].orientation:
            case Orientation.SIGNED:
                turned[name] = -values
            case Orientation.CENTRED:
                turned[name] = 100.0 - values
            case Orientation.SWAPPED:
                turned[name] = columns[FEATURES[name].partner]
            case Orientation.REGIME:
                up, down = (FEATURES[name].enum_values.index(word) for word in ("TRENDING_UP", "TRENDING_DOWN"))
                turned[name] = np.select([values == up, values == down], [down, up], values)
            case Orientation.EVEN:
                turned[name] = values
    return turned
