"""From firing detectors to signals: what passes, what does not and by which name, and that time order is respected."""

import pytest

from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.scanner.scan import scan
from tests.signals.scanner.setups import contexts, setup


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_can_become_a_signal(name):
    detector = DETECTORS[name]
    for direction in detector.directions:
        minute = {"minutes_from_open": 95.0, "minutes_to_close": 295.0} if "index_mean" in name else {}
        outcome = scan(setup(detector, direction, **minute), contexts(regime=None), detectors={name: detector})
        assert [signal.direction for signal in outcome.signals] == [direction], outcome.rejections
