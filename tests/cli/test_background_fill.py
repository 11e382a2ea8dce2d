"""Sandbox files written in the background: the history's first, then the window's; an error stops the rest."""

import threading
from datetime import date

import pytest

from hd_pipelines.cli import background_fill
from hd_pipelines.cli.background_fill import fill_in_background
from hd_pipelines.cli.sandbox import Filled

HISTORY, WINDOW = [date(2026, 5, 21)], [date(2026, 5, 22)]


@pytest.fixture
def written(monkeypatch):
    """What was written, in order; the window waits for `may_go_on`."""
    calls, may_go_on = [], threading.Event()

    def fill(_settings, _replay, window, on_progress, *, history, workers):
        if window:
            assert may_go_on.wait(30)
        on_progress(1, 1)
        calls.append((list(window), list(history)))
        return Filled(written=len(calls), known=0)

    monkeypatch.setattr(background_fill, "fill", fill)
    return calls, may_go_on


def test_the_history_is_there_while_the_window_is_still_written(written):
    calls, may_go_on = written
    progress = []
    with fill_in_background(None, None, WINDOW, HISTORY) as files:
        assert files.wait_for_history(lambda *_: None).written == 1
        assert calls == [([], HISTORY)]
        may_go_on.set()
        assert files.wait_for_window(lambda *done: progress.append(done)).written == 2
    assert calls == [([], HISTORY), (WINDOW, [])]


def test_without_a_history_everything_is_waited_for(written):
    calls, may_go_on = written
    may_go_on.set()
    with fill_in_background(None, None, WINDOW, []) as files:
        assert files.wait_for_history(lambda *_: None).written == 1
    assert calls == [(WINDOW, [])]


def test_what_stops_the_writing_reaches_whoever_waits(monkeypatch):
    def fail(*_given, **_named):
        raise OSError("no space left")

    monkeypatch.setattr(background_fill, "fill", fail)
    with pytest.raises(OSError, match="no space left"), fill_in_background(None, None, WINDOW, HISTORY) as files:
        files.wait_for_window(lambda *_: None)


def test_leaving_early_does_not_write_the_window(written):
    calls, may_go_on = written
    threading.Timer(0.5, may_go_on.set).start()
    with pytest.raises(KeyError), fill_in_background(None, None, WINDOW, HISTORY) as files:
        raise KeyError(files.wait_for_history(lambda *_: None).written)
    assert calls[0] == ([], HISTORY)
