"""The table and file of benchmark results: what is compared with what, and that a partial run keeps other results."""

import json
from datetime import date

import pytest

from benchmarks import __main__ as command
from benchmarks import report

MACHINE = {"cores": 2, "model": "Some CPU", "memory_gb": 8.0, "load": 0.1, "python": "3.11.7"}


def result(name, **contestants):
    return {"benchmark": name, "machine": MACHINE, "rounds": 1, "contestants": contestants, "measured_on": "2026-11-20"}


def line_of(text, name):
    return next(line for line in text.splitlines() if line.startswith(name))


def test_a_peer_that_takes_twice_as_long_makes_ours_twice_as_fast():
    text = report.build_table([result("b", ours={"wall_s": 2.0}, peer={"wall_s": 4.0}, quick={"wall_s": 1.0})])
    assert line_of(text, "b peer").endswith("2.00 x faster")
    assert line_of(text, "b quick").endswith("2.00 x slower")
    assert "x" not in line_of(text, "b ours")


def test_a_benchmark_of_several_tasks_names_the_task_that_its_peer_is_compared_with():
    slow = {"wall_s": 300.0, "beside": "ours_b"}
    text = report.build_table([result("b", ours_a={"wall_s": 1.0}, ours_b={"wall_s": 2.0}, peer_b=slow)])
    assert line_of(text, "b peer_b").endswith(" 150 x faster")


def test_work_is_compared_rather_than_the_start_of_the_process():
    text = report.build_table([result("b", ours={"wall_s": 9.0, "work_s": 1.0}, peer={"wall_s": 9.0, "work_s": 3.0})])
    assert line_of(text, "b peer").endswith("3.00 x faster")


def test_a_figure_with_a_limit_is_shown_as_its_share():
    text = report.build_table([result("demo", first={"wall_s": 45.0, "limit_s": 90.0})])
    assert line_of(text, "demo first").endswith("0.50 of limit")


def test_the_figures_of_the_earlier_system_stand_beside_ours():
    case = {"rows_per_s": 200.0, "wall_s": 1.0, "earlier_system_rows_per_s": {"repaired": 50.0, "parse_only": 300.0}}
    text = report.build_table([result("b", ours={"wall_s": 1.0}) | {"earlier_system_case": case}])
    assert line_of(text, "earlier_system_case repaired").endswith("4.00 x faster")
    assert line_of(text, "earlier_system_case parse_only").endswith("1.50 x slower")


def test_the_machine_is_named_once_where_it_is_the_same():
    text = report.build_table([result("a", ours={"wall_s": 1.0}), result("b", ours={"wall_s": 1.0})])
    assert text.count("Some CPU") == 1


def test_recording_one_benchmark_keeps_the_others(tmp_path):
    path = tmp_path / "results.json"
    report.record_result(result("a", ours={"wall_s": 1.0}), date(2026, 11, 20), path)
    report.record_result(result("b", ours={"wall_s": 2.0}), date(2026, 11, 21), path)
    report.record_result({"benchmark": "a", "machine": MACHINE, "contestants": {}}, date(2026, 11, 22), path)
    written = json.loads(path.read_text())
    assert written["a"]["measured_on"] == "2026-11-22"
    assert written["b"]["contestants"]["ours"]["wall_s"] == 2.0


def test_an_unknown_benchmark_is_refused_before_anything_runs(capsys):
    with pytest.raises(SystemExit):
        command.main(["no_such_benchmark"])
    assert "no_such_benchmark" in capsys.readouterr().err


def test_a_failed_benchmark_is_reported_and_the_others_run(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(command, "_run_and_report", lambda name: asked.append(name) or name != "publish_bars")
    monkeypatch.setattr(
        command, "read_results", lambda: {name: result(name, ours={"wall_s": 1.0}) for name in command.NAMES}
    )
    assert command.main([]) == 1
    assert asked == list(command.NAMES)
    out, err = capsys.readouterr()
    assert "publish_bars" in err
    assert "publish_bars" not in out
