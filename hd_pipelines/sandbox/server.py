"""Running the sandbox: in a thread for the demo and tests, in the foreground for `hd sandbox`.

Belongs here: sockets, threads and signals. What is answered is in `s3`.
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

from hd_pipelines.sandbox.bucket import Bucket
from hd_pipelines.sandbox.faults import FaultScript
from hd_pipelines.sandbox.s3 import SANDBOX_KEYS, Plan, S3App
from hd_pipelines.sandbox.s3_signature import KeyPair
from hd_pipelines.vendor.flat_file_layout import BUCKET

HOST = "127.0.0.1"
START_TIMEOUT_SECONDS = 10.0
GRACE_SECONDS = 1
"""How long running requests may take to end when the server is stopped."""


class SandboxStartError(RuntimeError):
    """The sandbox could not begin to listen."""


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


def _uvicorn(app: S3App) -> uvicorn.Server:
    # The access log would be one line per ranged GET; errors on purpose (cut connections) are the app's business.
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

    `bucket`: folder of objects. `port`: 0 chooses a free one. `faults` and `bucket` may be changed while it runs:
    `server.faults.add(...)`, `server.bucket.put(key, body)`.
    """

    def __init__(
        self, bucket: Path, *, port: int = 0, plan: Plan | None = None, faults: FaultScript | None = None
    ) -> None:
        self.app = S3App(Bucket(bucket), plan=plan, faults=faults)
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def bucket(self) -> Bucket:
        """The objects served."""
        return self.app.bucket

    @property
    def faults(self) -> FaultScript:
        """What goes wrong; empty unless something was added."""
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
        """The port listened on; before `start` the one asked for."""
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
        server = self._server = _uvicorn(self.app)
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


def run_sandbox(bucket: Path, port: int, *, plan: Plan | None = None) -> None:
    """Serve `bucket` on `port` in the foreground until SIGINT or SIGTERM, then return. Raises `SandboxStartError`."""
    server = _uvicorn(S3App(Bucket(bucket), plan=plan))

    def already_handled(_number: int, _frame: FrameType | None) -> None:
        """Uvicorn stops on the signal itself and then raises it once more for whoever was there before."""

    with closing(_listen(port)) as listener:
        before = {number: signal.signal(number, already_handled) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            server.run(sockets=[listener])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
