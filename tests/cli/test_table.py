"""Tables keep their essential columns whole at 80 characters, show more at 120 and everything at 200."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from hd_pipelines.cli import alerts, detectors, doctor
from hd_pipelines.cli.output import radar, signals, summary
from hd_pipelines.cli.output.table import Column, Priority, choose_columns, compute_total_width, print_table
from hd_pipelines.cli.terminal import console
from hd_pipelines.signals.detectors.registry import DETECTORS
from hd_pipelines.warehouse.records.findings import OpenFinding

RADAR_ROW = {
    "symbol": "GOOGL",
    "close_price": 27123.45,
    "change_pct": -11.36,
    "expected_move_1d_pct": 12.93,
    "iv30": 1.148,
    "iv_rank": 1.0,
    "iv_percentile": 1.0,
    "iv_change_20d": -0.123,
    "iv_less_realized": 0.157,
    "iv_recommendation": "WAIT_FOR_IV_DROP",
    "gex_usd_per_1pct": -12.6e9,
    "gamma_underlying_price": 27123.45,
    "gamma_wall_support": 24000,
    "zero_gamma": 30500,
    "gamma_wall_resistance": 30000,
    "max_pain": 27000,
    "positioning_strength": "MODERATE",
    "dealer_positioning": "SHORT_GAMMA",
    "expected_behavior": "RANGE_BOUND",
}
SIGNAL_ROW = {
    "signal_id": "17908ab0" * 4,
    "as_of": datetime(2026, 11, 20, 20, 57, tzinfo=UTC),
    "symbol": "META",
    "detector": "power_hour_reversal_bullish",
    "direction": "SHORT",
    "style": "day_trade",
    "style_score": 100.0,
    "entry_price": 27135.62,
    "stop_price": 27134.15,
    "target_1": 27137.58,
    "target_2": 27138.42,
    "target_3": 27139.54,
    "risk_reward": 1.9,
    "contract_ticker": "O:META261127C00290000",
    "exit_reason": "EXPIRED",
    "r_multiple": -12.39,
    "hold_minutes": 20.0,
}
DIAGNOSIS = doctor.Diagnosis(
    "schema and data", is_well=False, state="not checked: the database is not running", cure="hd db up"
)


@pytest.fixture
def printed(monkeypatch, capsys):
    """Print a table at a width and return its lines."""

    def run(columns, rows, width, *, wide=False):
        monkeypatch.setenv("COLUMNS", str(width))
        console.cache_clear()
        print_table(columns, rows, wide=wide)
        console.cache_clear()
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return run


TABLES = {
    "radar": (radar.COLUMNS, RADAR_ROW),
    "signals": (signals._SIGNAL_COLUMNS, SIGNAL_ROW),
    "detectors": (detectors._COLUMNS, DETECTORS["power_hour_reversal_bullish"]),
    "doctor": (doctor._COLUMNS, DIAGNOSIS),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("width", [80, 120, 200])
def test_essential_columns_are_whole_at_every_width(printed, name, width):
    columns, row = TABLES[name]
    header, *lines = printed(columns, [row], width)
    table = [line for line in (header, *lines) if not line.startswith("Left out")]
    assert max(map(len, table)) <= width
    assert "…" not in "".join(table)
    for column in columns:
        if column.priority is Priority.ESSENTIAL:
            assert column.title in header
            for word in _plain(column.write(row)).split():
                assert any(word in line for line in lines), word


@pytest.mark.parametrize("name", TABLES)
def test_more_columns_fit_at_120_and_all_at_200(printed, name):
    columns, row = TABLES[name]
    shown = {}
    for width in (80, 120, 200):
        hidden = [line for line in printed(columns, [row], width) if line.startswith("Left out")]
        shown[width] = len(columns) - (hidden[0].count(",") + 1 if hidden else 0)
    assert shown[80] <= shown[120] <= shown[200] == len(columns)
    assert shown[80] < shown[200] or all(column.priority is Priority.ESSENTIAL for column in columns)


def test_wide_shows_everything_on_one_line_whatever_the_width(printed):
    lines = printed(radar.COLUMNS, [RADAR_ROW], 80, wide=True)
    assert len(lines) == 2
    for column in radar.COLUMNS:
        assert column.title in lines[0]
        assert _plain(column.write(RADAR_ROW)) in lines[1]


def test_a_narrow_terminal_keeps_the_essential_columns_and_lets_lines_run_over(printed):
    header, line, *_ = printed(radar.COLUMNS, [RADAR_ROW], 40)
    assert header.startswith("symbol")
    assert "GOOGL" in line
    assert "RANGE_BOUND" in line


def test_usual_columns_come_before_details_and_keep_their_place():
    columns = [
        Column("detail", str, Priority.DETAIL),
        Column("essential", str),
        Column("usual", str, Priority.USUAL),
    ]
    assert choose_columns(columns, [10, 10, 10], compute_total_width([10, 10])) == [1, 2]
    assert choose_columns(columns, [10, 10, 10], compute_total_width([10, 10, 10])) == [0, 1, 2]
    assert choose_columns(columns, [10, 10, 10], 1) == [1]


@pytest.mark.parametrize("columns", [alerts._ALERT_COLUMNS, alerts._CHANNEL_COLUMNS, summary._FINDING_COLUMNS])
def test_tables_with_sentences_wrap_them_within_80_characters(columns):
    assert any(column.wraps_at for column in columns if column.priority is Priority.ESSENTIAL)


def test_findings_fit_into_80_characters(printed):
    seen = datetime(2026, 11, 20, 22, tzinfo=UTC)
    finding = OpenFinding(
        finding_id="f1",
        rule="snapshot_outside_session",
        severity="warning",
        dataset="option_chain_snapshots",
        session=date(2026, 11, 20),
        subject="SPX",
        detail="41 of 4,112 contracts have neither bid nor ask at the close of the session",
        cure="",
        rows=41,
        first_row=None,
        first_seen_at=seen,
        last_seen_at=seen,
        run_id=None,
    )
    lines = printed(summary._FINDING_COLUMNS, [(finding, 12)], 80)
    assert max(map(len, lines[:-1])) <= 80
    assert "41 of 4,112" in " ".join(" ".join(lines).split())


def _plain(text: str) -> str:
    from rich.text import Text

    return Text.from_markup(text).plain
