"""`hd scan`, `hd explain`, `hd detectors`: what they print about signals."""

from __future__ import annotations

import json
import os
from functools import partial

import pytest
from typer.testing import CliRunner

from hd_pipelines.cli import app
from hd_pipelines.cli import scan as scan_command
from hd_pipelines.cli.terminal import console
from hd_pipelines.loading.signals.scan import scan_sessions
from hd_pipelines.warehouse.records.watchlist import add_to_watchlist
from tests.support.installation import SYMBOLS, rows
from tests.support.signal_installation import LAST, POLICY


@pytest.fixture
def hd(monkeypatch, tmp_path, breakout_installation):
    """Run `hd` on an installation whose last session holds a breakout; the marts are not built."""
    for name in [name for name in os.environ if name.startswith("HD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HD_DATABASE_URL", breakout_installation.url)
    with breakout_installation.database.begin() as connection:
        add_to_watchlist(connection, SYMBOLS)
    monkeypatch.setattr(scan_command, "scan_sessions", partial(scan_sessions, policy=POLICY))

    def run(*arguments: str):
        console.cache_clear()
        result = CliRunner().invoke(app, list(arguments))
        console.cache_clear()
        return result

    return run


def test_a_scan_prints_signals_by_detector_the_newest_ones_and_rejections(hd, breakout_installation):
    result = hd("scan", "--from", str(LAST), "--to", str(LAST))
    assert result.exit_code == 0, result.output
    ids = [
        row[0] for row in rows(breakout_installation.url, "select signal_id from composite_signals order by as_of desc")
    ]
    assert f"{len(ids)} new signals" in result.stdout
    assert "1,170 symbol-minutes scanned" in result.stdout
    assert "The warehouse has no marts.rpt_radar" in result.stdout
    assert "breakout_bullish" in result.stdout
    assert f".venv/bin/hd explain {ids[0][:8]}` explains the first of these." in result.stdout
    assert "Rejected:" in result.stdout
    again = hd("scan", "--from", str(LAST), "--to", str(LAST))
    assert "Nothing changed since the last scan." in again.stdout
    assert ids[0][:8] in again.stdout


def test_a_signal_is_explained_by_the_beginning_of_its_id(hd, breakout_installation):
    hd("scan", "--from", str(LAST))
    ((signal_id, detector),) = rows(
        breakout_installation.url,
        "select signal_id, detector from composite_signals order by as_of desc, signal_id limit 1",
    )
    result = hd("explain", signal_id[:10]).stdout
    assert signal_id in result
    assert detector in result
    for block in ("Detector", "Data confidence", "Contexts", "Thresholds", "Plan", "Contract", "Labels"):
        assert block in result


@pytest.mark.parametrize(("beginning", "reason"), [("zz", "no signal's id begins"), ("", "several signals begin")])
def test_a_beginning_that_does_not_name_one_signal_is_refused(hd, beginning, reason):
    hd("scan", "--from", str(LAST))
    result = hd("explain", beginning)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_a_range_without_a_session_is_refused(hd):
    result = hd("scan", "--from", "2026-05-23", "--to", "2026-05-24")
    assert result.exit_code == 2
    assert "no exchange session" in result.stderr


def test_detectors_are_listed_and_shown_parameter_by_parameter(hd):
    assert "17 detectors" in hd("detectors").stdout
    result = hd("detectors", "eod_pin_setup").stdout
    assert "condition.open_interest.max_pain_open_interest.at_least = 5000" in result
    refused = hd("detectors", "eod_pin")
    assert refused.exit_code == 2
    assert "did you mean eod_pin_setup?" in refused.stderr


def test_a_scan_as_json_is_one_document_with_every_value(hd, breakout_installation):
    result = hd("scan", "--from", str(LAST), "--to", str(LAST), "--json")
    document = json.loads(result.stdout)
    ((count,),) = rows(breakout_installation.url, "select count(*) from composite_signals")
    assert document["new_signals"] == len(document["signals"]) == count > 0
    assert document["sessions"] == [str(LAST)]
    assert document["signals"][0]["explanation"]
    assert {"detector", "reason", "count"} == set(document["rejections"][0])


@pytest.mark.parametrize(("width", "hidden"), [(80, "T3"), (120, "T3"), (200, None)])
def test_a_scan_fits_the_terminal_and_names_the_columns_it_leaves_out(hd, monkeypatch, width, hidden):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = hd("scan", "--from", str(LAST), "--to", str(LAST)).stdout.splitlines()
    header = next(line for line in lines if line.startswith("id "))
    assert ("T3" in header) == (hidden is None)
    assert all(title in header for title in ("New York", "symbol", "detector", "outcome"))
    assert any(line.startswith("Left out at this width") and "T3" in line for line in lines) == (hidden is not None)
    table = lines[lines.index(header) :]
    assert all(
        len(line.rstrip()) <= width for line in table[: table.index(table[-1])] if not line.startswith(("`hd", "Left"))
    )
    assert "…" not in "\n".join(lines)


def test_an_explanation_and_detectors_as_json(hd, breakout_installation):
    hd("scan", "--from", str(LAST))
    ((signal_id,),) = rows(
        breakout_installation.url, "select signal_id from composite_signals order by signal_id limit 1"
    )
    assert json.loads(hd("explain", signal_id, "--json").stdout)["signal_id"] == signal_id
    assert len(json.loads(hd("detectors", "--json").stdout)) == 17
    (one,) = json.loads(hd("detectors", "eod_pin_setup", "--json").stdout)
    assert one["parameters"]["condition.open_interest.max_pain_open_interest.at_least"] == 5000
