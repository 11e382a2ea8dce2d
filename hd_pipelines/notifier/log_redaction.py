"""Removes secrets from log records: apprise and urllib3 log the addresses of webhooks."""

from __future__ import annotations

import logging

from hd_pipelines.alerts.redaction import Redactor

ADDRESS_LOGGERS = ("apprise", "urllib3.connectionpool")
"""Loggers that write requests with their addresses. Filters of a logger see its own records, not its children's."""


class RedactingFilter(logging.Filter):
    """Cleans every record; drops none."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the text of the record and of its traceback."""
        record.msg, record.args = self._redactor.clean(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = self._redactor.clean(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def install_redactor(redactor: Redactor) -> None:
    """Install `redactor` on the loggers that write addresses; it replaces an earlier one."""
    for name in ADDRESS_LOGGERS:
        logger = logging.getLogger(name)
        for earlier in [each for each in logger.filters if isinstance(each, RedactingFilter)]:
            logger.removeFilter(earlier)
        logger.addFilter(RedactingFilter(redactor))
