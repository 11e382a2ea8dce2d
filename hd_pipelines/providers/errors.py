"""Defines the errors between vendor and lake as exception types, and the place that they refer to.

Each carries `Finding`s that name rule, object, row and remedy, and none carries a secret. Rules are defined in
`market.findings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from hd_pipelines.market.findings import Finding
from hd_pipelines.tables.vocabulary import Rule, Severity


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """Location in the vendor's bucket, shared by all findings about one object."""

    dataset: str
    session: date | None
    key: str

    def error(self, rule: Rule, detail: str, cure: str, *, rows: int = 1, first_row: int | None = None) -> Finding:
        """Build a finding that keeps data from being published."""
        return Finding(rule, Severity.ERROR, self.dataset, self.session, self.key, detail, cure, rows, first_row)

    def warning(self, rule: Rule, detail: str, cure: str, *, rows: int = 1, first_row: int | None = None) -> Finding:
        """Build a finding about data that is published and reported."""
        return Finding(rule, Severity.WARNING, self.dataset, self.session, self.key, detail, cure, rows, first_row)


class VendorError(Exception):
    """Data of the vendor could not be obtained or may not be published. `findings[0]` is the reason.

    `is_transient`: the same call may succeed a little later without any intervention.
    """

    is_transient = False

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings

    @property
    def finding(self) -> Finding:
        """The finding that stopped the work."""
        return self.findings[0]

    def __reduce__(self) -> tuple[type[VendorError], tuple[Finding, ...]]:
        return type(self), self.findings  # survives a process boundary with its findings


class FlatFileError(VendorError):
    """A flat file, or a file of an archive, could not be obtained or may not be published."""


class ObjectAbsentError(FlatFileError):
    """404: the vendor has not published the object, or never will. Try again tomorrow; retrying now does not help."""


class ObjectNotEntitledError(FlatFileError):
    """403 although the bucket can be listed: the plan does not include this dataset or this date."""


class CredentialsRefusedError(FlatFileError):
    """403 on listing too: the key pair is wrong, revoked, or this machine's clock is off."""


class ObjectUnavailableError(FlatFileError):
    """429, 5xx or no answer, after the retries of the client."""

    is_transient = True


class ObjectRepublishedError(FlatFileError):
    """The object changed between listing, download and the check afterwards. List again and take the new version."""

    is_transient = True


class ConnectionCutError(FlatFileError):
    """The body stopped arriving and resuming did not help."""

    is_transient = True


class DiskNearlyFullError(FlatFileError):
    """Writing the object would leave less free space than the margin."""


class FileRefusedError(FlatFileError):
    """The file arrived but may not be published: its bytes, text, rows or the file as a whole are wrong."""


class ApiError(VendorError):
    """The REST service did not give a complete, readable response.

    `retry_after_seconds`: how long the service asked to wait; None if it did not.
    """

    retry_after_seconds: float | None = None


class ApiKeyRefusedError(ApiError):
    """401: the key is missing, wrong or revoked. Every further request would fail in the same way."""


class ApiNotEntitledError(ApiError):
    """403, or NOT_AUTHORIZED inside a 200: the plan does not include this."""


class ApiNotFoundError(ApiError):
    """404: the service does not know the requested resource."""


class ApiRequestRefusedError(ApiError):
    """Other 4xx such as 400: the request itself is wrong, which is a defect of this client."""


class ApiRateLimitedError(ApiError):
    """429 until the retries or the time were used up."""

    is_transient = True


class ApiUnavailableError(ApiError):
    """5xx, no connection, no complete body in time, or no JSON, until the retries or the time were used up."""

    is_transient = True


class ApiResponseError(ApiError):
    """A response that cannot be read: a field is missing, renamed or of another type, or the body is too large."""


class ApiPaginationError(ApiError):
    """The pages lead to another host, in a circle or on for ever. The pages read so far are not used."""
