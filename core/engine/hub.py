"""Models from the Hugging Face hub: what is in the cache on this machine, and the download of the rest.

Nothing else in this program reaches for the hub. Its errors are put into words here.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from core.domain.errors import (
    DamagedModel,
    GateNotAccepted,
    NoNetwork,
    NotAnInpaintingModel,
    RepositoryGone,
    StorageFull,
    TokenMissing,
)
from core.domain.model import ModelSpec
from core.engine import families
from core.engine.weights import INDEX, Components, choose
from core.ports import OnDownload

TOKENS = "https://huggingface.co/settings/tokens"
COMMIT = re.compile(r"[0-9a-f]{40}")
CHUNK = 1024 * 1024
TIMEOUT_S = 30
ATTEMPTS = 5
WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """sha256: of its bytes, for the large files; small ones have only a git hash."""

    name: str
    size: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of one repository, of one commit."""

    spec: ModelSpec
    commit: str
    files: Sequence[RemoteFile]


class Hub:
    """cache: the folder that models are kept in, laid out as the hub's own library does. token: never shown."""

    def __init__(
        self, *, token: str | None = None, offline: bool = False, cache: Path | None = None, endpoint: str | None = None
    ) -> None:
        self._token = token
        self._offline = offline
        self._cache = cache
        self._endpoint = endpoint

    def snapshot(self, spec: ModelSpec) -> Path | None:
        """The folder of this revision in the cache, complete or not. Reads no network."""
        repository = self._repository_folder(spec)
        commit = spec.revision
        if not COMMIT.fullmatch(commit):
            try:
                commit = (repository / "refs" / commit).read_text("utf-8").strip()
            except OSError:
                return None
        folder = repository / "snapshots" / commit
        return folder if folder.is_dir() else None

    def download(self, spec: ModelSpec, on_progress: OnDownload, *, dtype: str, safety_checker: bool) -> None:
        """Fetch the files that the pipeline needs and that are not here yet, also of a repository that it needs beside.

        on_progress gets bytes done and in all, those already here included; it may raise to stop. What was fetched
        by then is kept and the next call continues in the middle of the file.
        """
        if self._offline:
            raise NoNetwork(
                "This program is set to stay offline (INPAINT_STUDIO_OFFLINE), so nothing is downloaded. "
                "Change that, or choose a model that is already here."
            )
        orders = self._orders(spec, dtype, safety_checker=safety_checker)
        progress = _Progress(on_progress, total=sum(file.size for order in orders for file in order.files))
        self._check_room(orders)
        for order in orders:
            with self._errors_in_words(order.spec):
                self._fetch(order, progress)
                self._remember(order)

    def _orders(self, spec: ModelSpec, dtype: str, *, safety_checker: bool) -> list[Order]:
        with self._errors_in_words(spec):
            commit, files = self._list(spec)
            if INDEX not in files:
                raise NotAnInpaintingModel(link=spec.url)
            index = json.loads(Path(self._fetch_small(spec, commit, INDEX)).read_text("utf-8"))
            components = Components.of(index, safety_checker=safety_checker)
            order = Order(spec, commit, [files[name] for name in choose(files, components, dtype=dtype).files])
        repository = families.of(index).beside
        if repository is None:
            return [order]
        beside = replace(spec, key=repository, repository=repository, revision="main")
        return [order, *self._orders(beside, dtype, safety_checker=safety_checker)]

    def _list(self, spec: ModelSpec) -> tuple[str, dict[str, RemoteFile]]:
        from huggingface_hub import HfApi

        api = HfApi(endpoint=self._endpoint, token=self._token)
        about = api.model_info(spec.repository, revision=spec.revision, files_metadata=True, timeout=20)
        files = [RemoteFile(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else None) for s in about.siblings or ()]
        return about.sha, {file.name: file for file in files}

    def _fetch(self, order: Order, progress: _Progress) -> None:
        progress.report()
        with self._alone(order.spec, progress):
            self._fetch_each(order, progress)

    def _fetch_each(self, order: Order, progress: _Progress) -> None:
        spec, commit = order.spec, order.commit
        # The small ones first: an unreadable repository shows before gigabytes are spent on it.
        for file in sorted(order.files, key=lambda file: (file.sha256 is not None, file.size)):
            with progress.file(file):
                if file.sha256 and not self._is_here(spec, commit, file):
                    self._fetch_large(spec, commit, file, progress)
                self._fetch_small(spec, commit, file.name)

    @contextmanager
    def _alone(self, spec: ModelSpec, progress: _Progress) -> Iterator[None]:
        """One download of a model at a time, in all processes; who waits can still be stopped."""
        from filelock import Timeout
        from huggingface_hub.utils import WeakFileLock

        lock = self._cache_folder() / ".locks" / self._repository_folder(spec).name / "download.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(WeakFileLock(lock, timeout=0.5))
                    break
                except Timeout:
                    progress.report()
            yield

    def _check_room(self, orders: Sequence[Order]) -> None:
        needed = sum(self._missing_bytes(order) for order in orders)
        free = shutil.disk_usage(self._cache_folder()).free
        if needed > free:
            raise StorageFull(
                f"This model needs {needed / 1e9:.1f} GB more on the disk, and {free / 1e9:.1f} GB are free in "
                f"{self._cache_folder()}. Make room, or set HF_HOME to a folder on another disk."
            )

    def _missing_bytes(self, order: Order) -> int:
        missing = [file for file in order.files if not self._is_here(order.spec, order.commit, file)]
        # Of another commit with the same weights they are in the store already.
        missing = [file for file in missing if not (file.sha256 and self._stored(order.spec, file).exists())]
        parts = [self._part(order.spec, file) for file in missing if file.sha256]
        return sum(file.size for file in missing) - sum(_size(part) for part in parts)

    def _is_here(self, spec: ModelSpec, commit: str, file: RemoteFile) -> bool:
        return (self._repository_folder(spec) / "snapshots" / commit / file.name).exists()

    def _stored(self, spec: ModelSpec, file: RemoteFile) -> Path:
        return self._repository_folder(spec) / "blobs" / str(file.sha256)

    def _part(self, spec: ModelSpec, file: RemoteFile) -> Path:
        return self._stored(spec, file).with_suffix(".part")

    def _fetch_small(self, spec: ModelSpec, commit: str, name: str) -> str:
        """Also links a large file that is in the cache's store already into the snapshot."""
        from huggingface_hub import hf_hub_download

        return hf_hub_download(
            spec.repository,
            name,
            revision=commit,
            cache_dir=self._cache_folder(),
            token=self._token,
            endpoint=self._endpoint,
            tqdm_class=_silent(),
        )

    def _fetch_large(self, spec: ModelSpec, commit: str, file: RemoteFile, progress: _Progress) -> None:
        """Into the cache's store, continuing a part that is there.

        The library itself (2.x) starts a broken download anew in a file of another name: with weights of
        gigabytes and a home connection that never ends.
        """
        import httpx2

        stored = self._stored(spec, file)
        if stored.exists():
            return
        stored.parent.mkdir(parents=True, exist_ok=True)
        part = self._part(spec, file)
        with part.open("ab") as sink:
            progress.advance(sink.tell())
            attempts = ATTEMPTS
            while sink.tell() < file.size:
                before = sink.tell()
                try:
                    self._stream(spec, commit, file, sink, progress)
                    if sink.tell() == before:
                        raise httpx2.RemoteProtocolError("an answer without any content")
                except (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError):
                    # Whoever gets further each time may go on; who does not has no network.
                    attempts = ATTEMPTS if sink.tell() > before else attempts - 1
                    if not attempts:
                        raise
                    time.sleep(WAIT_S)
        if _sha256(part) != file.sha256:
            part.unlink()
            raise DamagedModel(f"The file {file.name} arrived damaged. Download the model again.")
        os.replace(part, stored)

    def _stream(self, spec: ModelSpec, commit: str, file: RemoteFile, sink: BinaryIO, progress: _Progress) -> None:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_stream_backoff

        headers = build_hf_headers(token=self._token)
        headers["Accept-Encoding"] = "identity"  # the bytes on the wire are the bytes of the file
        if sink.tell():
            headers["Range"] = f"bytes={sink.tell()}-"
        url = hf_hub_url(spec.repository, file.name, revision=commit, endpoint=self._endpoint)
        with http_stream_backoff("GET", url, headers=headers, timeout=TIMEOUT_S, retry_on_exceptions=()) as response:
            hf_raise_for_status(response)
            if sink.tell() and response.status_code != 206:
                # The server sends the whole file instead of the rest of it.
                progress.advance(-sink.tell())
                sink.truncate(0)
                sink.seek(0)
            for chunk in response.iter_bytes(CHUNK):
                sink.write(chunk)
                sink.flush()  # what is counted is on the disk
                progress.advance(len(chunk))

    def _remember(self, order: Order) -> None:
        """Note which commit the branch or tag stood at, as the hub's library does."""
        if not COMMIT.fullmatch(order.spec.revision):
            ref = self._repository_folder(order.spec) / "refs" / order.spec.revision
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(order.commit, "utf-8")

    def _cache_folder(self) -> Path:
        if self._cache is None:
            from huggingface_hub import constants

            return Path(constants.HF_HUB_CACHE)
        return self._cache

    def _repository_folder(self, spec: ModelSpec) -> Path:
        return self._cache_folder() / f"models--{str(spec.repository).replace('/', '--')}"

    @contextmanager
    def _errors_in_words(self, spec: ModelSpec) -> Iterator[None]:
        import httpx2
        from huggingface_hub import errors

        try:
            yield
        except errors.HfHubHTTPError as error:
            raise self._in_words(error, spec) from None  # the cause holds the request, and the token in its headers
        except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, httpx2.TransportError) as error:
            if isinstance(error.__cause__, errors.HfHubHTTPError):
                raise self._in_words(error.__cause__, spec) from None
            raise NoNetwork(link=spec.url) from None
        except errors.HFValidationError:
            raise RepositoryGone(f"{spec.repository} is not a name that the hub could have.") from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
                raise StorageFull(
                    "The model does not fit on the disk, or its folder cannot be written to. Make room, then download "
                    "it again: what has arrived is kept."
                ) from error
            raise NoNetwork("The download broke off. Try again: what has arrived is kept.", link=spec.url) from None

    def _in_words(self, error: Any, spec: ModelSpec) -> Exception:
        from huggingface_hub import errors

        status = error.response.status_code
        token = self._token or _token_of_this_machine()
        if isinstance(error, errors.GatedRepoError) and (token or status == 403):
            return GateNotAccepted(
                f"{spec.repository} asks you to accept its licence first. Open its page, accept it with the account "
                "of your token, and try again.",
                link=spec.url,
            )
        if isinstance(error, errors.GatedRepoError):
            return TokenMissing(
                f"{spec.repository} asks for its licence to be accepted, with a Hugging Face account. Open its page "
                "and accept, make an access token, put HF_TOKEN=hf_... into the file .env and start again.",
                link=TOKENS,
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return RepositoryGone(
                f"{spec.repository} has no revision called {spec.revision}. Look on its page for one that is there.",
                link=spec.url,
            )
        if status == 401 and token:
            return TokenMissing(
                "The hub does not accept your access token: it may be mistyped, expired or revoked. Make a new one "
                "and put it as HF_TOKEN=hf_... into the file .env. "
                f"If the token is right, {spec.repository} is private or does not exist.",
                link=TOKENS,
            )
        if status == 401:
            return TokenMissing(
                f"The hub shows {spec.repository} to nobody without an access token: it is private, or it does not "
                "exist (any more). Check its name; if it is right, put HF_TOKEN=hf_... into the file .env and start "
                "again.",
                link=TOKENS,
            )
        if status == 403:
            return GateNotAccepted(
                f"The hub does not let you download {spec.repository}. Open its page to see what it asks for; a token "
                "needs the right to read gated repositories.",
                link=spec.url,
            )
        if status in (404, 410):
            return RepositoryGone(link=spec.url)
        if status == 429:
            return NoNetwork("The model hub asks to slow down. Try again in some minutes.", link=spec.url)
        return NoNetwork(f"The model hub has a problem of its own (status {status}). Try again later.", link=spec.url)


class _Progress:
    """Counts the bytes of all files; a file that was here already, or was linked, counts whole at its end."""

    def __init__(self, on_progress: OnDownload, *, total: int) -> None:
        self._on_progress = on_progress
        self._total = total
        self._finished = 0
        self._current = 0

    @contextmanager
    def file(self, file: RemoteFile) -> Iterator[None]:
        self._current = 0
        yield
        self._finished += file.size
        self._current = 0
        self.report()

    def advance(self, size: int) -> None:
        self._current += size
        self.report()

    def report(self) -> None:
        self._on_progress(min(self._finished + self._current, self._total), self._total)


def _silent() -> type:
    """A progress bar that draws nothing."""
    from tqdm import tqdm

    class Silent(tqdm):
        # Else each class begins a thread that redraws its bars, for ever.
        monitor_interval = 0

        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

    return Silent


def _token_of_this_machine() -> str | None:
    from huggingface_hub import get_token

    return get_token()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # not begun, or finished just now by another download


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
