"""Stores the lake's files in a folder of this machine, or under a prefix in an S3 bucket.

Implements the few operations that the lake needs. In both, a file appears whole or not at all: by a rename on disk, or by
the completion of an upload in S3.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import pyarrow.fs

UNPUBLISHED = ".unpublished"
"""Folder below the root for files that are not published yet."""
LAST_NAME = "\U0010ffff"
"""Sorts after every file name."""


class Store(Protocol):
    """Files below one root, addressed by relative paths with `/`."""

    def url(self, path: str) -> str:
        """The location as polars opens it: an absolute path or an s3:// URL."""

    def list_versions(self, folder: str, first: str = "", last: str = LAST_NAME) -> dict[str, str]:
        """List all Parquet files below `folder` with a token that changes when they do; empty if `folder` is absent.

        Of the names directly in `folder`, only those from `first` to `last` are examined.
        """

    def publish(self, written: Path, path: str) -> None:
        """Make the complete local file `written` appear at `path`, replacing what was there. `written` is consumed."""

    def publish_all(self, written: Mapping[str, Path]) -> None:
        """Publish many files, given by path. Each appears whole; when this returns, all of them survive a crash."""

    def remove(self, path: str) -> None:
        """Delete a file, and its folder if that contains nothing else. Does nothing if the file is absent."""

    def scratch(self) -> Path:
        """Get the folder for files that are about to be published."""


class FolderStore:
    """A folder of this machine (or a network mount with atomic rename)."""

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser().resolve()

    def url(self, path: str) -> str:
        """Absolute path."""
        return os.path.join(self._root, path)  # noqa: PTH118 - asked for thousands of paths at a time

    def list_versions(self, folder: str, first: str = "", last: str = LAST_NAME) -> dict[str, str]:
        """Inode and time of every Parquet file below `folder`."""
        found: dict[str, str] = {}
        waiting = [folder]
        while waiting:
            inside = waiting.pop()
            try:
                with os.scandir(self._root / inside) as entries:
                    for entry in entries:
                        if inside == folder and not first <= entry.name <= last:
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(f"{inside}/{entry.name}")
                        elif entry.name.endswith(".parquet"):
                            with suppress(FileNotFoundError):  # removed since it was listed
                                found[f"{inside}/{entry.name}"] = _build_token(entry.stat())
            except FileNotFoundError:
                continue  # never there, or removed since it was listed
        return found

    def publish(self, written: Path, path: str) -> None:
        """Sync, then rename: after a crash either the old or the new version is whole."""
        self.publish_all({path: written})

    def publish_all(self, written: Mapping[str, Path]) -> None:
        """Sync all, then rename all, then sync each folder once."""
        folders = {(self._root / path).parent for path in written}
        made = {folder.parent for folder in folders if not folder.is_dir()}
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for file in written.values():
            _sync(file)
        for path, file in written.items():
            file.replace(self._root / path)
        for folder in folders | made:
            _sync(folder)

    def remove(self, path: str) -> None:
        """Delete a file and its folder."""
        if (self._root / path).exists():
            shutil.rmtree((self._root / path).parent)

    def scratch(self) -> Path:
        """A hidden folder on the same file system, so that publishing is a rename."""
        folder = self._root / UNPUBLISHED
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class ObjectStore:
    """A prefix of a bucket, through pyarrow's file systems; tests pass another `filesystem`."""

    def __init__(self, url: str, filesystem: pyarrow.fs.FileSystem, scratch: Path) -> None:
        self._url, self._filesystem, self._scratch = url.rstrip("/"), filesystem, scratch
        parts = urlsplit(self._url)
        self._base = parts.netloc + parts.path

    def url(self, path: str) -> str:
        """An s3:// URL."""
        return f"{self._url}/{path}"

    def list_versions(self, folder: str, first: str = "", last: str = LAST_NAME) -> dict[str, str]:
        """Time and size of every object below `folder`. One LIST per thousand objects.

        Objects outside `first` to `last` are listed too.
        """
        import pyarrow.fs

        below = f"{self._base}/{folder}"
        selector = pyarrow.fs.FileSelector(below, allow_not_found=True, recursive=True)
        return {
            info.path.removeprefix(f"{self._base}/"): f"{info.mtime_ns}-{info.size}"
            for info in self._filesystem.get_file_info(selector)
            if info.type == pyarrow.fs.FileType.File
            and info.extension == "parquet"
            and first <= info.path[len(below) + 1 :].partition("/")[0] <= last
        }

    def publish(self, written: Path, path: str) -> None:
        """Upload the file under a name that nobody reads, measure it, then let the service copy it to its place.

        pyarrow completes an upload that an error interrupts, so a part of the file would be visible.
        """
        own = f"{self._base}/{UNPUBLISHED}/{uuid.uuid4().hex}"
        uploaded = f"{own}/part.parquet"
        size = written.stat().st_size
        try:
            with written.open("rb") as source, self._filesystem.open_output_stream(uploaded) as target:
                shutil.copyfileobj(source, target, 8 << 20)
            arrived = self._filesystem.get_file_info(uploaded).size
            if arrived != size:
                raise OSError(f"{arrived} of {size} bytes of {path} arrived in {self._url}")
            self._filesystem.copy_file(uploaded, f"{self._base}/{path}")
        finally:
            with suppress(OSError):  # what stays is not in any dataset
                self._filesystem.delete_dir(own)
        written.unlink()

    def publish_all(self, written: Mapping[str, Path]) -> None:
        """Upload the files one after the other."""
        for path, file in written.items():
            self.publish(file, path)

    def remove(self, path: str) -> None:
        """Delete the object. S3 has no folders to delete, and pyarrow would leave a marker of one."""
        if path in self.list_versions(path.rpartition("/")[0]):
            self._filesystem.delete_dir(f"{self._base}/{path}".rpartition("/")[0])

    def scratch(self) -> Path:
        """A local folder."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch


def open_store(root: str) -> tuple[Store, dict[str, str] | None]:
    """Open the store of `root`, a path or `s3://bucket/prefix`, with polars' storage options for its URLs.

    Credentials, region and endpoint of S3 come from the standard AWS variables.
    """
    if not root.startswith("s3://"):
        return FolderStore(Path(root)), None
    import pyarrow.fs

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    filesystem = pyarrow.fs.S3FileSystem(
        **({"endpoint_override": endpoint} if endpoint else {}), **({"region": region} if region else {})
    )
    options = {"aws_endpoint_url": endpoint, "aws_region": region}
    scratch = Path(tempfile.gettempdir()) / "hd-lake-unpublished"
    return ObjectStore(root, filesystem, scratch), {name: value for name, value in options.items() if value}


def _build_token(status: os.stat_result) -> str:
    return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
