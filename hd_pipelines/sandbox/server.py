"""Run the sandbox: in a thread beside other work, or in the foreground for `hd sandbox`.

It owns sockets, threads and signals and routes paths; `s3` and `rest` produce the answers.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import closing
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import uvicorn
from starlette.types import Receive, Scope, Send

from hd_pipelines.providers.massive.flat_files.layout import BUCKET
from hd_pipelines.sandbox.bucket import Bucket
from hd_pipelines.sandbox.faults import FaultScript
from hd_pipelines.sandbox.rest.app import PREFIXES, RestApp
from hd_pipelines.sandbox.rest.market import RestMarket
from hd_pipelines.sandbox.rest.wire import RestPlan
from hd_pipelines.sandbox.s3.app import SANDBOX_KEYS, Plan, S3App
from hd_pipelines.sandbox.s3.signature import KeyPair

HOST = "127.0.0.1"
START_TIMEOUT_SECONDS = 10.0
GRACE_SECONDS = 1
"""How long running requests may take to end when the server is stopped."""


class SandboxStartError(RuntimeError):
    """The sandbox could not start listening."""


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise SandboxStartError(
            f"port {port} on {HOST} cannot be used ({error.strerror}); stop what listens there or choose another port"
        ) from error
    return listener


class SandboxApp:
    """Bucket and REST service on one port: the paths of the vendor's API go to the one, all others to the other."""

    def __init__(self, s3: S3App, rest: RestApp | None) -> None:
        self.s3, self.rest = s3, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_rest = self.rest is not None and scope["path"].startswith(PREFIXES)
        await (self.rest if self.rest is not None and is_rest else self.s3)(scope, receive, send)


def _build_uvicorn(app: SandboxApp) -> uvicorn.Server:
    # No access log: it has one line per ranged GET. No error log: the app cuts connections on purpose.
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


class SandboxServer:
    """The sandbox in a background thread. Use as a context manager, or `start()` and `stop()`.

    `bucket`: folder of objects. `port`: 0 chooses a free one. `market`: what the REST service shows; without one there is
    only the bucket. `faults`, `bucket` and the clock may be changed while it runs: `server.faults.add(...)`,
    `server.bucket.put(key, body)`, `server.rest.now = moment`.
    """

    def __init__(
        self,
        bucket: Path,
        *,
        port: int = 0,
        plan: Plan | None = None,
        faults: FaultScript | None = None,
        market: RestMarket | None = None,
        rest_plan: RestPlan | None = None,
    ) -> None:
        script = faults or FaultScript()
        self.app = S3App(Bucket(bucket), plan=plan, faults=script)
        self._rest = RestApp(market, faults=script, plan=rest_plan) if market is not None else None
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def bucket(self) -> Bucket:
        """The served bucket."""
        return self.app.bucket

    @property
    def rest(self) -> RestApp:
        """The REST service. Raises `SandboxStartError` for a server without a market."""
        if self._rest is None:
            raise SandboxStartError("this sandbox was started without a market, so it has no REST service")
        return self._rest

    @property
    def faults(self) -> FaultScript:
        """The scripted faults; empty unless a test added some."""
        return self.app.faults

    @property
    def keys(self) -> KeyPair:
        """The account that the server accepts."""
        return SANDBOX_KEYS

    @property
    def bucket_name(self) -> str:
        """Name of the bucket in paths."""
        return BUCKET

    @property
    def port(self) -> int:
        """The port of the server; before `start` the requested one."""
        return self._port

    @property
    def url(self) -> str:
        """Endpoint URL for S3 clients."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> Self:
        """Listen and return once requests are answered. Raises `SandboxStartError`."""
        if self._thread is not None:
            raise SandboxStartError(f"the sandbox already listens on {self.url}")
        listener = _listen(self._port)
        self._port = listener.getsockname()[1]
        server = self._server = _build_uvicorn(SandboxApp(self.app, self._rest))
        self._thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="sandbox-s3", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise SandboxStartError(f"the sandbox did not begin to answer on {self.url}")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Stop listening and wait for the thread. Safe to call twice."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def run_sandbox(bucket: Path, port: int, *, plan: Plan | None = None, market: RestMarket | None = None) -> None:
    """Serve `bucket`, and `market` as REST service, on `port` in the foreground until SIGINT or SIGTERM, then return.

    Raises `SandboxStartError`.
    """
    faults = FaultScript()
    rest = RestApp(market, faults=faults) if market is not None else None
    server = _build_uvicorn(SandboxApp(S3App(Bucket(bucket), plan=plan, faults=faults), rest))

    def already_handled(_number: int, _frame: FrameType | None) -> None:
        """Ignore the signal that Uvicorn raises again for earlier handlers after it has stopped."""

    with closing(_listen(port)) as listener:
        before = {number: signal.signal(number, already_handled) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            server.run(sockets=[listener])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
