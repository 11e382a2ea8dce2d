"""The services of `hd up` as processes of their own, which end when their parent does, however that ends.

`python -m hd_pipelines.cli.child page|daemon`. The parent holds the other end of this process's standard input: its first
line is what the service needs to know, and its end is the end of the parent.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from hd_pipelines.cli.runs import WORKSPACE

STOP_SECONDS = 20.0
STATEMENT_TIMEOUT_MS, POOL_RECYCLE_SECONDS, POOL_OVERFLOW = 15_000, 3_600, 20
"""Dagster's own defaults for its web server's connections to the database."""
LIVE_DATA_POLL_MS = 2_000


def main() -> None:
    """Run the service that the first argument names."""
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    {"page": _serve_page, "daemon": _run_daemon}[sys.argv[1]](order)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _run_daemon(_: dict[str, Any]) -> None:
    from dagster._daemon.cli import main as run

    sys.argv = ["dagster-daemon", "run", "-w", str(WORKSPACE)]
    run()


def _serve_page(order: dict[str, Any]) -> None:
    """Serve Dagster's page behind the guard, on loopback only: whoever reaches the page can run code as this user."""
    import uvicorn
    from dagster import DagsterInstance
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.version import __version__

    from hd_pipelines.web.guard import Guard

    port = int(order["port"])
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(STATEMENT_TIMEOUT_MS, POOL_RECYCLE_SECONDS, POOL_OVERFLOW)
        with WorkspaceProcessContext(
            instance, version=__version__, read_only=False, workspace_load_target=WorkspaceFileTarget([str(WORKSPACE)])
        ) as context:
            app = create_app_from_workspace_process_context(
                context, live_data_poll_rate=LIVE_DATA_POLL_MS, lifespan=_lifespan
            )
            guarded = Guard(app, port=port, token=order["token"])
            config = uvicorn.Config(guarded, log_level="warning", proxy_headers=False, server_header=False)
            uvicorn.Server(config).run(sockets=[socket.socket(fileno=order["listening"])])


@asynccontextmanager
async def _lifespan(_: object) -> AsyncIterator[None]:
    with suppress(asyncio.CancelledError):  # what uvicorn raises here when it is stopped
        yield


if __name__ == "__main__":
    main()
