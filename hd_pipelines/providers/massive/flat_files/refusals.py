"""Builds the typed errors for refusals of the vendor's bucket, each with a remedy.

`client` and `s3_bucket` decide which response leads to which error.
"""

from __future__ import annotations

from hd_pipelines.providers.errors import (
    ConnectionCutError,
    CredentialsRefusedError,
    DiskNearlyFullError,
    ObjectAbsentError,
    ObjectNotEntitledError,
    ObjectPlace,
    ObjectRepublishedError,
    ObjectUnavailableError,
)
from hd_pipelines.tables.vocabulary import Rule

_FREE_SPACE = "Free space on the disk of HD_HOME, or move HD_HOME to a larger one."


def build_absent_error(place: ObjectPlace) -> ObjectAbsentError:
    """Build the error for an object that is not, or not yet, in the bucket."""
    return ObjectAbsentError(
        place.error(
            Rule.OBJECT_ABSENT,
            "the object is not in the bucket.",
            "Files appear about 11:00 New York time on the next day, single datasets later; the sensor takes it then.",
        )
    )


def build_not_entitled_error(place: ObjectPlace) -> ObjectNotEntitledError:
    """Build the error for an object that is listed but forbidden."""
    return ObjectNotEntitledError(
        place.error(
            Rule.OBJECT_NOT_ENTITLED,
            "the object is listed but may not be read with this plan.",
            "The plan lacks this dataset or reaches less far back: upgrade it, or ask for later sessions only.",
        )
    )


def build_republished_error(place: ObjectPlace, what: str) -> ObjectRepublishedError:
    """Build the error for an object that has a new version; `what` says since when or how that was noticed."""
    return ObjectRepublishedError(
        place.error(Rule.OBJECT_REPUBLISHED, f"the object changed {what}.", "List again and download the new version.")
    )


def build_credentials_error(place: ObjectPlace, what: str) -> CredentialsRefusedError:
    """Build the error for credentials with which even listing is forbidden."""
    return CredentialsRefusedError(
        place.error(
            Rule.OBJECT_UNAVAILABLE,
            f"the bucket may not be listed with this key pair ({what}).",
            "Check HD_FLAT_FILES_KEY_ID and HD_FLAT_FILES_SECRET (the S3 pair of the dashboard, not the API key) and "
            "this machine's clock.",
        )
    )


def build_connection_cut_error(place: ObjectPlace, offset: int, size: int, cuts: int) -> ConnectionCutError:
    """Build the error for a body that stopped at `offset` of `size` bytes, after `cuts` resumptions without progress."""
    return ConnectionCutError(
        place.error(
            Rule.CONNECTION_CUT,
            f"the body stopped at byte {offset:,} of {size:,}, {cuts} times in a row.",
            "Run the download again; it starts from the beginning.",
        )
    )


def build_disk_error(place: ObjectPlace, what: str) -> DiskNearlyFullError:
    """Build the error for too little disk space; `what` says how much was needed."""
    return DiskNearlyFullError(place.error(Rule.DISK_NEARLY_FULL, what, _FREE_SPACE))


def build_unavailable_error(place: ObjectPlace, what: str) -> ObjectUnavailableError:
    """Build the error for a missing or invalid response; `what` names status and code, or the exception."""
    return ObjectUnavailableError(
        place.error(
            Rule.OBJECT_UNAVAILABLE,
            f"the bucket did not answer properly: {what}.",
            "Run again in a few minutes; with many downloads at a time lower HD_DOWNLOAD_WORKERS.",
        )
    )
