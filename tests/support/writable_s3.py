"""A writable bucket in memory, with just enough of S3 for pyarrow and polars to keep a lake in it.

Nothing is checked (no signatures); a multipart upload becomes visible when it is completed, as in S3.
"""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]
    uploads: dict[str, dict[int, bytes]]

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return unquote(parts.path).lstrip("/"), query

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return data
        plain = b""
        while (head := data.split(b"\r\n", 1)) and (size := int(head[0].split(b";")[0], 16)):
            plain, data = plain + head[1][:size], head[1][size + 2 :]
        return plain

    def do_PUT(self) -> None:
        key, query = self._asked()
        body = self._body()
        if "x-amz-copy-source" in self.headers:
            copied = self.objects.get(unquote(self.headers["x-amz-copy-source"]).lstrip("/"))
            if copied is None:
                return self._xml("<Error><Code>NoSuchKey</Code></Error>", 404)
            self.objects[key] = copied
            return self._xml(f"<CopyObjectResult><ETag>{_etag(copied)}</ETag></CopyObjectResult>")
        if "uploadId" in query:
            self.uploads[query["uploadId"]][int(query["partNumber"])] = body
        else:
            self.objects[key] = body
        return self._answer(200, ETag=_etag(body))

    def do_POST(self) -> None:
        key, query = self._asked()
        body = self._body()
        if "uploads" in query:
            name = str(len(self.uploads) + 1)
            self.uploads[name] = {}
            self._xml(f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>")
        elif "uploadId" in query:
            parts = self.uploads.pop(query["uploadId"])
            self.objects[key] = b"".join(parts[number] for number in sorted(parts))
            self._xml("<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
        else:
            for name in re.findall(r"<Key>(.*?)</Key>", body.decode()):
                self.objects.pop(f"{key.rstrip('/')}/{name}", None)
            self._xml("<DeleteResult></DeleteResult>")

    def do_DELETE(self) -> None:
        self.objects.pop(self._asked()[0], None)
        self._answer(204)

    def do_HEAD(self) -> None:
        body = self.objects.get(self._asked()[0])
        if body is None:
            self._answer(404)
        else:
            self._answer(200, Content_Length=str(len(body)), ETag=_etag(body), Last_Modified=formatdate(usegmt=True))

    def do_GET(self) -> None:
        key, query = self._asked()
        if "list-type" in query:
            return self._list(key.rstrip("/"), query)
        body = self.objects.get(key)
        if body is None:
            return self._xml("<Error><Code>NoSuchKey</Code></Error>", 404)
        first, last = 0, len(body) - 1
        if match := re.match(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "")):
            first = int(match[1]) if match[1] else max(len(body) - int(match[2]), 0)
            last = min(int(match[2]), last) if match[1] and match[2] else last
        headers = {"ETag": _etag(body), "Last_Modified": formatdate(usegmt=True)}
        headers["Content_Range"] = f"bytes {first}-{last}/{len(body)}"
        return self._answer(206 if "Range" in self.headers else 200, body[first : last + 1], **headers)

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        names = [key.removeprefix(f"{bucket}/") for key in sorted(self.objects) if key.startswith(f"{bucket}/{prefix}")]
        folders, files = [], []
        for name in names:
            rest = name.removeprefix(prefix)
            if delimiter and delimiter in rest:
                folders.append(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                files.append(name)
        contents = "".join(
            f"<Contents><Key>{name}</Key><Size>{len(self.objects[f'{bucket}/{name}'])}</Size><ETag>x</ETag>"
            "<LastModified>2026-05-22T00:00:00.000Z</LastModified></Contents>"
            for name in files
        )
        common = "".join(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in dict.fromkeys(folders))
        self._xml(
            f"<ListBucketResult><Name>{bucket}</Name><Prefix>{prefix}</Prefix><IsTruncated>false</IsTruncated>"
            f"<KeyCount>{len(names)}</KeyCount>{contents}{common}</ListBucketResult>"
        )

    def _xml(self, text: str, status: int = 200) -> None:
        self._answer(status, b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode(), Content_Type="application/xml")


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@contextmanager
def writable_s3() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Endpoint URL and the objects in it, by `bucket/key`."""
    handler = type("Handler", (_Handler,), {"objects": {}, "uploads": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.objects
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
