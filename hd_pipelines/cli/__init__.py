"""`hd`, the command line of the desk.

Belongs here: one module per group of commands, thin. A command imports what it needs when it runs, so that `hd query`
does not wait for dagster.
"""

from hd_pipelines.cli.main import app

__all__ = ["app"]
