"""`hd scan`, `hd explain`, `hd detectors`: what a person reads of signals."""

from __future__ import annotations

import os
from functools import partial

import pytest
from typer.testing import CliRunner

from hd_pipelines.cli import app
from hd_pipelines.cli import scan as scan_command
from hd_pipelines.cli.terminal import console
from hd_pipelines.loading.signals import scan_sessions
from hd_pipelines.warehouse.records.watchlist import add_to_watchlist
from tests.support.desk import SYMBOLS, rows
from tests.support.signal_desk import LAST, POLICY, breakout_desk

__all__ = ["breakout_desk"]


@pytest.fixture
def hd(monkeypatch, tmp_path, breakout_desk):
    """Run `hd` with words on a desk whose last session holds a breakout; the marts are not built."""
    for name in [name for name in os.environ if name.startswith("HD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HD_DATABASE_URL", breakout_desk.url)
    with breakout_desk.database.begin() as connection:
        add_to_watchlist(connection, SYMBOLS)
    monkeypatch.setattr(scan_command, "scan_sessions", partial(scan_sessions, policy=POLICY))

    def run(*words: str):
        console.cache_clear()
        result = CliRunner().invoke(app, list(words))
        console.cache_clear()
        return result

    return run


def test_a_scan_prints_signals_by_detector_the_newest_and_what_was_kept_back(hd, breakout_desk):
    told = hd("scan", "--from", str(LAST), "--to", str(LAST))
    assert told.exit_code == 0, told.output
    ids = [row[0] for row in rows(breakout_desk.url, "select signal_id from composite_signals order by as_of desc")]
    assert f"{len(ids)} new signals" in told.stdout
    assert "1,170 symbol-minutes scanned" in told.stdout
    assert "The warehouse has no marts.rpt_radar" in told.stdout
    assert "breakout_bullish" in told.stdout
    assert ids[0][:8] in told.stdout
    assert "Kept back:" in told.stdout
    again = hd("scan", "--from", str(LAST), "--to", str(LAST))
    assert "Nothing changed since the last scan." in again.stdout
    assert ids[0][:8] in again.stdout


def test_a_signal_is_explained_by_the_beginning_of_its_id(hd, breakout_desk):
    hd("scan", "--from", str(LAST))
    ((signal_id, detector),) = rows(
        breakout_desk.url, "select signal_id, detector from composite_signals order by as_of desc, signal_id limit 1"
    )
    told = hd("explain", signal_id[:10]).stdout
    assert signal_id in told
    assert detector in told
    for block in ("Detector", "Data confidence", "Contexts", "Thresholds", "Plan", "Contract", "Labels"):
        assert block in told


@pytest.mark.parametrize(("beginning", "reason"), [("zz", "no signal's id begins"), ("", "several signals begin")])
def test_a_beginning_that_names_no_one_signal_is_refused(hd, beginning, reason):
    hd("scan", "--from", str(LAST))
    told = hd("explain", beginning)
    assert told.exit_code == 2
    assert reason in told.stderr


def test_a_stretch_without_a_session_is_refused(hd):
    told = hd("scan", "--from", "2026-05-23", "--to", "2026-05-24")
    assert told.exit_code == 2
    assert "no exchange session" in told.stderr


def test_detectors_are_listed_and_told_number_by_number(hd):
    assert "17 detectors" in hd("detectors").stdout
    told = hd("detectors", "eod_pin_setup").stdout
    assert "condition.open_interest.max_pain_open_interest.at_least = 5000" in told
    refused = hd("detectors", "eod_pin")
    assert refused.exit_code == 2
    assert "did you mean eod_pin_setup?" in refused.stderr
