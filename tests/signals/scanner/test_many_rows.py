"""What `benchmarks.scanner_frames` measures is the work it claims to be: quiet frames, one stored signal, a whole year."""

from benchmarks.scanner_frames import ROWS_OF_DETECTORS, ask_detectors, part, year_of_minutes
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.signals.scanner.scan import scan
from hd_pipelines.tables.vocabulary import AssetClass
from tests.signals.detectors.frames import random_frame
from tests.signals.scanner.setups import chain, contexts, row, setup


def test_nothing_fires_on_fifty_quiet_symbols():
    kinds = [AssetClass.STOCK, AssetClass.EQUITY_ETF, AssetClass.INDEX]
    known, frames = contexts(), [row(kinds[i % 3]) for i in range(50)]
    assert sum(scan(frame, known).candidates for frame in frames) == 0


def test_a_perfect_setup_with_a_chain_is_one_signal():
    frame, known, quotes = setup(DETECTORS["breakout_bullish"]), contexts(), chain()
    assert len(scan(frame, known, chain_at=lambda _: quotes).signals) == 1


def test_a_symbols_year_is_scanned_at_once():
    year = year_of_minutes()
    assert len(year) > 97_000
    assert scan(year, contexts()).candidates > 100


def test_a_single_row_of_a_frame_fires_as_it_does_among_the_others():
    frame = random_frame(400, AssetClass.STOCK, seed=3)
    assert ask_detectors([frame]) == ask_detectors([part(frame, at) for at in range(len(frame))]) > 0
    assert 100 * len(frame) < ROWS_OF_DETECTORS
