"""A folder that behaves like a bucket: keys, atomic writes, ETags.

`generation` and `recording` write the objects; `s3` serves them over HTTP.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SIDECAR_PREFIX = "."
"""Names that start with it are the sandbox's own files (manifest, unfinished writes) and not objects."""


class UnsafeKeyError(ValueError):
    """A key that would leave the bucket's folder or hide in it."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Result of HEAD and LIST: `etag` without quotes, `size` in bytes, `modified` in UTC."""

    key: str
    etag: str
    size: int
    modified: datetime


class Bucket:
    """Objects below `root`, one file each. Safe to share between threads; writers replace whole objects."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._etags: dict[tuple[int, int, int], str] = {}

    def path(self, key: str) -> Path:
        """Return the file of `key`. Raises `UnsafeKeyError` unless it is a plain relative path."""
        parts = key.split("/")
        if any(part == "" or part.startswith(SIDECAR_PREFIX) for part in parts) or "\0" in key or "\\" in key:
            raise UnsafeKeyError(f"{key!r} is not an object key: use names without leading dots, joined by single '/'")
        return self.root.joinpath(*parts)

    def put(self, key: str, body: bytes) -> Path:
        """Write an object so that readers see the old or the new one, never a part. Returns its path."""
        target = self.path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=target.parent, prefix=f"{SIDECAR_PREFIX}put-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(body)
            Path(unfinished).replace(target)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
        return target

    def delete(self, key: str) -> None:
        """Remove an object. Raises `FileNotFoundError`."""
        self.path(key).unlink()

    def get(self, key: str) -> bytes:
        """Read an object. Raises `FileNotFoundError`."""
        return self.path(key).read_bytes()

    def open(self, key: str) -> tuple[io.BufferedReader, ObjectInfo]:
        """Open an object; the returned info describes exactly these bytes, even if the key is replaced meanwhile."""
        stream = self.path(key).open("rb")
        return stream, self._info(key, stream)

    def info(self, key: str) -> ObjectInfo:
        """Read size, ETag and time of an object. Raises `FileNotFoundError`."""
        stream, info = self.open(key)
        stream.close()
        return info

    def list_keys(self, prefix: str = "") -> list[str]:
        """List all keys that start with `prefix`, in byte order."""
        folder = self.root / prefix.rpartition("/")[0]
        found: list[str] = []
        for parent, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(SIDECAR_PREFIX)]
            at = Path(parent).relative_to(self.root).as_posix()
            base = "" if at == "." else f"{at}/"
            found += [base + name for name in files if not name.startswith(SIDECAR_PREFIX)]
        return sorted(key for key in found if key.startswith(prefix))

    def _info(self, key: str, stream: io.BufferedReader) -> ObjectInfo:
        stat = os.fstat(stream.fileno())
        version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if version not in self._etags:
            self._etags[version] = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            stream.seek(0)
        return ObjectInfo(key, self._etags[version], stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))
