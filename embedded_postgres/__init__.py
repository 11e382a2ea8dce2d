"""The PostgreSQL server that runs when no `HD_DATABASE_URL` is given: its owner, its clients, its cluster on disk.

One detached supervisor per `HD_HOME` owns the server (`supervisor`); everybody else asks `client` for a URL. Only the
programs of the wheel are used, never its manager. Linux only. Importing this loads the standard library alone.
"""

from embedded_postgres.client import Lease, attach, running, stop, up
from embedded_postgres.errors import EmbeddedPostgresError
from embedded_postgres.state import State, Status, masked, status

__all__ = ["EmbeddedPostgresError", "Lease", "State", "Status", "attach", "masked", "running", "status", "stop", "up"]
