"""A stand-in for the model hub on this machine's loopback: the few addresses that a download uses."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_a-secret-that-nobody-may-read"
LARGE = 10_000
"""Files from this size on are kept as large ones, with a sha256."""


@dataclass
class LoopbackHub:
    """repository -> files. requests: (method, path) of all there were. The rest: how it behaves."""

    address: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    ranges: list[tuple[str, str]] = field(default_factory=list)
    gated: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    """Tokens with which gated and private repositories can be read."""
    known: set[str] = field(default_factory=lambda: {TOKEN})
    status: int = 200
    """Given to every request if it is not 200."""
    cut_after: int | None = None
    """Bytes after which the next file that is longer breaks off, once."""
    ignores_ranges: bool = False
    corrupts: bool = False

    def add(self, repository: str, folder: Path, **further: bytes) -> None:
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        self.repositories[repository] = files | further

    def fetched(self) -> set[str]:
        """Names of the files that were sent."""
        return {path.partition(f"/resolve/{COMMIT}/")[2] for method, path in self.requests if method == "GET"} - {""}


@contextmanager
def serving(hub: LoopbackHub) -> Iterator[LoopbackHub]:
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LoopbackHub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *args) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append((self.command, path))
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token:
            self.hub.tokens.add(token)
        if self.hub.status != 200:
            return self._refuse(self.hub.status)
        is_api = path.startswith("/api/models/")
        name, _, rest = path.removeprefix("/api/models/" if is_api else "/").partition(
            "/revision/" if is_api else "/resolve/"
        )
        if (refused := self._refusal(name, token, is_api)) is not None:
            return self._refuse(*refused)
        revision, _, file = rest.partition("/")
        if revision not in ("main", COMMIT):
            return self._refuse(404, "RevisionNotFound")
        if is_api:
            return self._send(self._about(name), "application/json")
        if file not in self.hub.repositories[name]:
            return self._refuse(404, "EntryNotFound")
        return self._file(file, self.hub.repositories[name][file], with_body=with_body)

    def _refusal(self, name: str, token: str, is_api: bool) -> tuple[int, str] | None:
        """As huggingface.co answers, by the library's own comments in utils/_http.py."""
        if token and token not in self.hub.known:
            return 401, ""
        if name not in self.hub.repositories or (name in self.hub.private and token not in self.hub.accepted):
            return (404 if token else 401), "RepoNotFound"
        if name in self.hub.gated and not is_api and token not in self.hub.accepted:
            return (403 if token else 401), "GatedRepo"
        return None

    def _about(self, name: str) -> bytes:
        siblings = []
        for file, data in self.hub.repositories[name].items():
            about = {"rfilename": file, "size": len(data), "blobId": _git_hash(data)}
            if len(data) >= LARGE:
                about["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            siblings.append(about)
        return json.dumps({"id": name, "sha": COMMIT, "siblings": siblings, "tags": []}).encode()

    def _file(self, name: str, data: bytes, *, with_body: bool) -> None:
        is_large = len(data) >= LARGE
        etag = hashlib.sha256(data).hexdigest() if is_large else _git_hash(data)
        start, status = 0, 200
        if with_body and (wanted := self.headers.get("Range")) is not None:
            self.hub.ranges.append((name, wanted))
            if not self.hub.ignores_ranges:
                start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
        body = data[start:]
        self.send_response(status)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{etag}"')
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if not with_body:
            return
        if is_large and self.hub.corrupts:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if is_large and self.hub.cut_after is not None and len(body) > self.hub.cut_after:
            body, self.hub.cut_after = body[: self.hub.cut_after], None
            self.close_connection = True
        self.wfile.write(body)

    def _refuse(self, status: int, code: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        elif status == 401:
            self.send_header("X-Error-Message", "Invalid credentials in Authorization header")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
