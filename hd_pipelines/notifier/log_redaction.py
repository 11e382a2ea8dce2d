"""Log records without secrets: apprise and urllib3 write the addresses of webhooks into theirs.

Belongs here: a filter for loggers and handlers, and where it is put.
"""

from __future__ import annotations

import logging

from hd_pipelines.alerts.redaction import Redactor

TALKATIVE = ("apprise", "urllib3.connectionpool")
"""Loggers that write requests with their addresses. Filters of a logger see its own records, not its children's."""


class RedactingFilter(logging.Filter):
    """Cleans every record that passes; refuses none."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the record's text, and the traceback's, by clean ones."""
        record.msg, record.args = self._redactor.clean(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = self._redactor.clean(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def keep_secrets_out_of_logs(redactor: Redactor) -> None:
    """From now on the talkative loggers are cleaned by `redactor`; an earlier one is replaced."""
    for name in TALKATIVE:
        logger = logging.getLogger(name)
        for earlier in [each for each in logger.filters if isinstance(each, RedactingFilter)]:
            logger.removeFilter(earlier)
        logger.addFilter(RedactingFilter(redactor))
