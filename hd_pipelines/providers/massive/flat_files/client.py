"""Lists and downloads the vendor's flat files, from the bucket to a verified file on this disk.

`s3_bucket` interprets the bucket's responses, `landing` defines where files are stored, `reading` reads their contents.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hd_pipelines.providers.errors import CredentialsRefusedError, FlatFileError, ObjectPlace, ObjectRepublishedError
from hd_pipelines.providers.massive.flat_files import refusals
from hd_pipelines.providers.massive.flat_files.disk_reserve import (
    DISK_MARGIN_BYTES,
    DiskReserve,
    DiskUsage,
    name_disk_errors,
)
from hd_pipelines.providers.massive.flat_files.gzip_stream import count_lines
from hd_pipelines.providers.massive.flat_files.landing import (
    LandedFile,
    build_landed_path,
    find_newest_version,
    read_landed,
    write_sidecar,
)
from hd_pipelines.providers.massive.flat_files.layout import BUCKET, FlatFileDataset, parse_key
from hd_pipelines.providers.massive.flat_files.s3_bucket import ObjectVersion, S3Bucket

if TYPE_CHECKING:
    from pydantic import SecretStr

_MANY_MONTHS = 3


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """One version of one object in the bucket. `session` is None for a key that is not of this dataset's form."""

    key: str
    dataset: FlatFileDataset
    session: date | None
    etag: str
    size: int
    last_modified: datetime

    @property
    def place(self) -> ObjectPlace:
        """The place that findings about this object refer to."""
        return ObjectPlace(self.dataset.name, self.session, self.key)


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """Progress of `download_many`: objects and bytes done (landed or failed), and the totals."""

    objects_done: int
    objects: int
    bytes_done: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Downloads:
    """Result of `download_many`: landed files in the requested order, and why the others did not land.

    `downloaded` counts the files fetched now; the rest of `landed` was already on this disk.
    """

    landed: tuple[LandedFile, ...]
    errors: tuple[FlatFileError, ...]
    downloaded: int
    downloaded_bytes: int


class FlatFiles:
    """Client of the flat-file bucket. It can be shared between threads, and its repr contains no secret.

    `landing` is the folder of landed files. `disk_usage` is an argument so that a test can fill the disk. `max_attempts`
    counts requests of one operation (429, 5xx, timeouts) and resumptions of one body without progress.
    """

    def __init__(
        self,
        url: str,
        key_id: SecretStr,
        secret: SecretStr,
        landing: Path,
        *,
        bucket: str = BUCKET,
        max_attempts: int = 4,
        max_connections: int = 16,
        disk_margin_bytes: int = DISK_MARGIN_BYTES,
        disk_usage: Callable[[Path], DiskUsage] = shutil.disk_usage,
    ) -> None:
        self._bucket = S3Bucket(url, bucket, key_id, secret, max_attempts=max_attempts, max_connections=max_connections)
        self._landing, self._max_attempts = landing, max_attempts
        self._disk = DiskReserve(landing, disk_margin_bytes, disk_usage)

    def __repr__(self) -> str:
        return f"FlatFiles({self._bucket!r})"

    def list_objects(self, dataset: FlatFileDataset, first: date, last: date) -> list[RemoteObject]:
        """List the objects of `dataset` from `first` to `last`, by key, including stray objects (`session` None).

        One LIST per month, or per year if the window touches more than three of its months. Days without an object are
        absent, so compare with the calendar. Raises `CredentialsRefusedError`, `ObjectUnavailableError`.
        """
        versions = [
            version
            for prefix in _list_prefixes(dataset, first, last)
            for version in self._bucket.list_versions(ObjectPlace(dataset.name, None, prefix))
        ]
        remotes = [_build_remote(dataset, version) for version in sorted(versions, key=lambda version: version.key)]
        return [remote for remote in remotes if remote.session is None or first <= remote.session <= last]

    def head(self, key: str) -> RemoteObject:
        """Get the current version of the object `key`.

        Raises `ValueError` for a key of no known dataset, `ObjectAbsentError`, `ObjectNotEntitledError`,
        `CredentialsRefusedError` or `ObjectUnavailableError`.
        """
        parsed = parse_key(key)
        if parsed is None:
            raise ValueError(
                f"{key!r} is not the key of a known dataset; see `DATASETS` in "
                "hd_pipelines/providers/massive/flat_files/layout.py"
            )
        dataset, session = parsed
        return _build_remote(dataset, self._bucket.head(ObjectPlace(dataset.name, session, key)))

    def find_landed(self, dataset: FlatFileDataset, sessions: Iterable[date]) -> list[LandedFile]:
        """The newest landed version of each of `sessions` that has one. Looks at this disk only."""
        newest = (find_newest_version(self._landing, dataset, session) for session in sessions)
        return [landed for landed in newest if landed is not None]

    def find_landed_version(self, remote: RemoteObject) -> LandedFile | None:
        """This exact version of the object if it has landed before. Costs one stat and no request."""
        if remote.session is None:
            return None
        known = read_landed(build_landed_path(self._landing, remote.dataset, remote.session, remote.etag))
        if known is None or (known.etag, known.size) != (remote.etag, remote.size):
            return None
        if known.last_modified < remote.last_modified:  # put back by the vendor: this version is the newest again
            known = replace(known, last_modified=remote.last_modified)
            write_sidecar(known)
        return known

    def download(self, remote: RemoteObject) -> LandedFile:
        """Land this version of the object, unless it has landed already.

        The body goes to a temporary file, is resumed where it was cut (If-Match prevents mixing versions), verified to the
        gzip trailer, synced and renamed. The object's version is checked by each response and again afterwards. Nothing
        is left on failure.
        Raises `FlatFileError`s: absent, not entitled, unavailable, republished, cut, disk nearly full, refused.
        """
        if remote.session is None:
            raise ValueError(f"{remote.key!r} is a stray object of {remote.dataset}, not one of its sessions")
        if known := self.find_landed_version(remote):
            return known
        target = build_landed_path(self._landing, remote.dataset, remote.session, remote.etag)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.part")
        try:
            with self._disk.reserve(remote.place, remote.size):
                sha256 = self._fetch(remote, temporary)
                lines = count_lines(temporary, remote.place)
                self._expect_unchanged(remote, "while it was downloaded")
                temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        landed = LandedFile(
            remote.dataset,
            remote.session,
            remote.key,
            remote.etag,
            remote.size,
            sha256,
            max(lines - 1, 0),
            remote.last_modified,
            target,
        )
        write_sidecar(landed)
        return landed

    def download_many(
        self,
        remotes: Sequence[RemoteObject],
        workers: int = 6,
        on_progress: Callable[[DownloadProgress], None] | None = None,
    ) -> Downloads:
        """Download all, `workers` at a time; a failure of one object does not affect the others.

        An object that is republished meanwhile is downloaded once more in its new version. Refused credentials stop the
        remaining downloads, which then fail for the same reason without a request.
        """
        landed: dict[int, LandedFile] = {}
        errors: dict[int, FlatFileError] = {}
        fetched: list[int] = []
        refused: list[CredentialsRefusedError] = []

        def one(remote: RemoteObject) -> LandedFile:
            if known := self.find_landed_version(remote):
                return known
            if refused:
                raise refused[0]
            try:
                file = self._download_newest(remote)
            except CredentialsRefusedError as error:
                refused.append(error)
                raise
            fetched.append(file.size)
            return file

        total, done = sum(remote.size for remote in remotes), 0
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="flat-files") as pool:
            waiting = {pool.submit(one, remote): position for position, remote in enumerate(remotes)}
            for future in as_completed(waiting):
                position = waiting[future]
                try:
                    landed[position] = future.result()
                except FlatFileError as error:
                    errors[position] = error
                done += remotes[position].size
                if on_progress:
                    on_progress(DownloadProgress(len(landed) + len(errors), len(remotes), done, total))
        return Downloads(
            tuple(landed[position] for position in sorted(landed)),
            tuple(errors[position] for position in sorted(errors)),
            len(fetched),
            sum(fetched),
        )

    def _download_newest(self, remote: RemoteObject) -> LandedFile:
        try:
            return self.download(remote)
        except ObjectRepublishedError:
            return self.download(self.head(remote.key))

    def _expect_unchanged(self, remote: RemoteObject, when: str) -> None:
        now = self._bucket.head(remote.place)
        if (now.etag, now.size) != (remote.etag, remote.size):
            was, became = (f"ETag {version.etag} of {version.size:,} bytes" for version in (remote, now))
            raise refusals.build_republished_error(remote.place, f"{when}: {was} became {became}")

    def _fetch(self, remote: RemoteObject, temporary: Path) -> str:
        """Write the body to `temporary` and sync it; returns its SHA-256."""
        digest = hashlib.sha256()
        offset, cuts = 0, 0
        with name_disk_errors(remote.place, remote.size), temporary.open("wb") as file:
            while offset < remote.size:
                before = offset
                for piece in self._bucket.body(remote.place, remote.etag, offset, remote.size):
                    file.write(piece)
                    digest.update(piece)
                    offset += len(piece)
                cuts = 0 if offset > before else cuts + 1  # a cut that brought bytes is progress
                if cuts >= self._max_attempts:
                    raise refusals.build_connection_cut_error(remote.place, offset, remote.size, cuts)
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest()


def _build_remote(dataset: FlatFileDataset, version: ObjectVersion) -> RemoteObject:
    parsed = parse_key(version.key)
    session = parsed[1] if parsed and parsed[0] == dataset else None
    return RemoteObject(version.key, dataset, session, version.etag, version.size, version.last_modified)


def _list_prefixes(dataset: FlatFileDataset, first: date, last: date) -> Iterator[str]:
    for year in range(first.year, last.year + 1):
        months = range(first.month if year == first.year else 1, (last.month if year == last.year else 12) + 1)
        if len(months) > _MANY_MONTHS:
            yield f"{dataset.prefix}/{year}/"
        else:
            yield from (f"{dataset.prefix}/{year}/{month:02d}/" for month in months)
