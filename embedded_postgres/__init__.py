"""The PostgreSQL server that runs when no `HD_DATABASE_URL` is set.

One detached supervisor per `HD_HOME` owns the server (`supervisor`); all other processes ask `client` for a URL. Only the
wheel's programs are used, never its Python code. Linux only. Importing this package loads only the standard library.
"""

from embedded_postgres.client import Lease, attach, running, stop, up
from embedded_postgres.errors import EmbeddedPostgresError
from embedded_postgres.state import State, Status, masked, status

__all__ = ["EmbeddedPostgresError", "Lease", "State", "Status", "attach", "masked", "running", "status", "stop", "up"]
