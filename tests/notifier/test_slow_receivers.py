"""Receivers that drip, and receivers that never stop: a request is bounded as a whole, in time and in size."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import requests

from hd_pipelines.notifier import observed_http
from hd_pipelines.notifier.observed_http import HTTP, observe_sending

MESSAGE = "0123456789abcdef"


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """One raw HTTP server whose answer is written by `answer`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.recv(65536)
                    answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    finally:
        listener.close()


def drip(connection, text, count=200):
    for _ in range(count):
        connection.sendall(text)
        threading.Event().wait(0.02)  # other tests forbid `time.sleep` while this thread may still drip


def test_headers_that_drip_are_given_up_as_a_whole_and_may_have_arrived(monkeypatch):
    monkeypatch.setattr(observed_http, "LONGEST_SECONDS", 0.3)

    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        drip(connection, b"X-A: a\r\n")

    with serving(answer) as url, observe_sending(MESSAGE) as observed:
        began = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            HTTP.post(url, json={})
        assert time.monotonic() - began < 3
        with pytest.raises(requests.ConnectionError, match="not sent"):
            HTTP.post(url, json={})  # a plugin that goes on with the picture
    assert observed.was_cut_off
    assert observed.requests == 1


def test_receivers_that_drip_collect_no_threads_without_end(monkeypatch):
    monkeypatch.setattr(observed_http, "LONGEST_SECONDS", 0.05)
    monkeypatch.setattr(observed_http, "_UNANSWERED", threading.BoundedSemaphore(2))

    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        drip(connection, b"X-A: a\r\n", 100)

    with serving(answer) as url:
        for _ in range(2):
            with pytest.raises(requests.ReadTimeout):
                HTTP.post(url, json={})
        with pytest.raises(requests.ConnectTimeout, match="too many"):
            HTTP.post(url, json={})


def test_a_body_that_drips_does_not_make_a_delivered_message_unknown(monkeypatch):
    monkeypatch.setattr(observed_http, "LONGEST_SECONDS", 2.0)

    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        drip(connection, b"x")

    with serving(answer) as url, observe_sending(MESSAGE) as observed:
        assert HTTP.post(url, json={}).status_code == 200
    assert [each.status for each in observed.answers] == [200]
    assert not observed.was_cut_off


def test_of_an_answer_without_end_sixty_four_kibibytes_are_read():
    sent = []

    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.settimeout(5)
        piece = bytes(1 << 16)
        while sum(sent) < 1 << 30:
            sent.append(connection.send(piece))

    with serving(answer) as url, observe_sending(MESSAGE):
        response = HTTP.post(url, json={})
    assert len(response.content) <= 1 << 16
    assert sum(sent) < 64 << 20  # what fits into the buffers of two sockets


def test_an_alert_to_this_machine_goes_through_no_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(lambda connection: connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")) as url:
        assert HTTP.post(url, json={}).status_code == 204
