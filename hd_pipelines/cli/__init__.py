"""The command line `hd`: one thin module per group of commands."""

from hd_pipelines.cli.main import app

__all__ = ["app"]
