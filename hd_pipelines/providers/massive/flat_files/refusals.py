"""How each refusal of the vendor's bucket reads: typed errors with a cure.

Belongs here: the words. Which answer of the bucket leads to which error is decided in `flat_files`.
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


def absent(place: ObjectPlace) -> ObjectAbsentError:
    """Not in the bucket, or not yet."""
    return ObjectAbsentError(
        place.error(
            Rule.OBJECT_ABSENT,
            "the object is not in the bucket.",
            "Files appear about 11:00 New York time on the next day, single datasets later; the sensor takes it then.",
        )
    )


def not_entitled(place: ObjectPlace) -> ObjectNotEntitledError:
    """Listed, but forbidden."""
    return ObjectNotEntitledError(
        place.error(
            Rule.OBJECT_NOT_ENTITLED,
            "the object is listed but may not be read with this plan.",
            "The plan lacks this dataset or reaches less far back: upgrade it, or ask for later sessions only.",
        )
    )


def republished(place: ObjectPlace, what: str) -> ObjectRepublishedError:
    """It is another version now; `what` says since when or how we know."""
    return ObjectRepublishedError(
        place.error(Rule.OBJECT_REPUBLISHED, f"the object changed {what}.", "List again and download the new version.")
    )


def credentials_refused(place: ObjectPlace, what: str) -> CredentialsRefusedError:
    """Even listing is forbidden."""
    return CredentialsRefusedError(
        place.error(
            Rule.OBJECT_UNAVAILABLE,
            f"the bucket may not be listed with this key pair ({what}).",
            "Check HD_FLAT_FILES_KEY_ID and HD_FLAT_FILES_SECRET (the S3 pair of the dashboard, not the API key) and "
            "this machine's clock.",
        )
    )


def connection_cut(place: ObjectPlace, offset: int, size: int, cuts: int) -> ConnectionCutError:
    """The body stopped at `offset` of `size` bytes, and `cuts` resumptions brought nothing."""
    return ConnectionCutError(
        place.error(
            Rule.CONNECTION_CUT,
            f"the body stopped at byte {offset:,} of {size:,}, {cuts} times in a row.",
            "Run the download again; it starts from the beginning.",
        )
    )


def disk_nearly_full(place: ObjectPlace, what: str) -> DiskNearlyFullError:
    """`what` says how much was needed."""
    return DiskNearlyFullError(place.error(Rule.DISK_NEARLY_FULL, what, _FREE_SPACE))


def unavailable(place: ObjectPlace, what: str) -> ObjectUnavailableError:
    """No proper answer; `what` names status and code, or the exception."""
    return ObjectUnavailableError(
        place.error(
            Rule.OBJECT_UNAVAILABLE,
            f"the bucket did not answer properly: {what}.",
            "Run again in a few minutes; with many downloads at a time lower HD_DOWNLOAD_WORKERS.",
        )
    )
