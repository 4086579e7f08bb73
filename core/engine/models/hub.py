"""Models from the Hugging Face hub: what is in the cache on this machine, and the download of the rest.

Nothing else in this program reaches for the hub. Its errors are put into words here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from core.domain.errors import (
    DamagedModel,
    ModelUnavailable,
    NoNetwork,
    NotAnInpaintingModel,
    StorageFull,
    StudioError,
)
from core.domain.model import ModelSpec, PinnedFile
from core.engine import families
from core.engine.models import hub_errors
from core.engine.models.hub_progress import Progress, Stopped, silent_bar
from core.engine.models.integrity import git_hash, is_described, read_object
from core.engine.models.weights import INDEX, Components, choose
from core.files import read_regular, why
from core.ports import OnDownload

COMMIT = re.compile(r"[0-9a-f]{40}")
CHUNK = 1024 * 1024
TIMEOUT_S = 30
ATTEMPTS = 5
WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """sha256: of its bytes, for the large files; small ones have only a hash of git's."""

    name: str
    size: int
    sha256: str | None
    git_hash: str | None = None


@dataclass(frozen=True, slots=True)
class DownloadPlan:
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
        """The folder of this revision in the cache, complete or not. Reads no network. Raises ModelUnavailable."""
        try:
            repository = self._repository_folder(spec)
            commit = spec.revision
            if not COMMIT.fullmatch(commit):
                commit = read_regular(repository / "refs" / commit, 1000).decode("ascii", "replace").strip()
            folder = repository / "snapshots" / commit
            return folder if COMMIT.fullmatch(commit) and folder.is_dir() else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            told = why(error) if isinstance(error, OSError) else type(error).__name__
            raise ModelUnavailable(
                f"The folder of downloaded models cannot be read ({told}). Allow this program to read it, or "
                "set HF_HOME to another folder."
            ) from error

    def repositories(self) -> Sequence[str]:
        """Ids of those with anything in the cache, also half of it or no pipeline; none if it cannot be read."""
        try:
            names = sorted(path.name for path in self.cache_folder.glob("models--*--*") if path.is_dir())
        except OSError:
            return []
        return [name.removeprefix("models--").replace("--", "/") for name in names]

    def download(self, spec: ModelSpec, on_progress: OnDownload, *, dtype: str, safety_checker: bool) -> None:
        """Fetch the files that the pipeline needs and that are not here yet, also of a repository that it needs beside.

        on_progress gets bytes done and in all, those already here included; it may raise to stop. What was fetched
        by then is kept and the next call continues in the middle of the file.
        """
        if self._offline:
            raise NoNetwork(
                "Inpaint Studio is set to stay offline (INPAINT_STUDIO_OFFLINE). Change that, or choose a model that "
                "is already downloaded."
            )
        progress = Progress(on_progress)
        try:
            with self._translate_errors(spec):
                plans = self._plans(spec, dtype, safety_checker=safety_checker)
                progress.total = sum(file.size for plan in plans for file in plan.files)
                self._check_room(plans)
            for plan in plans:
                with self._translate_errors(plan.spec):
                    self._fetch(plan, progress)
                    self._remember(plan)
        except Stopped as stopped:
            raise stopped.reason from None

    def discard_parts(self, spec: ModelSpec) -> None:
        """Delete what was fetched in part, of this repository and of the one that it needs beside it."""
        repositories = [self._repository_folder(spec)]
        with suppress(StudioError):
            snapshot = self.snapshot(spec)
            index = read_object(snapshot / INDEX) if snapshot else None
            if index and (companion := families.of(index).companion):
                repositories.append(self._repository_folder(replace(spec, repository=companion)))
        for part in (part for folder in repositories for part in folder.glob("blobs/*.part")):
            part.unlink(missing_ok=True)

    def forget(self, spec: ModelSpec) -> None:
        """Delete the file that was pinned from the cache: it is kept elsewhere now. What another commit shows stays."""
        snapshot = self.snapshot(spec)
        if snapshot is None or spec.pinned is None:
            return
        shown = snapshot / spec.pinned.name
        stored = shown.resolve()
        with suppress(OSError):
            shown.unlink(missing_ok=True)
            if all((other / spec.pinned.name).resolve() != stored for other in snapshot.parent.iterdir()):
                stored.unlink(missing_ok=True)

    def _plans(self, spec: ModelSpec, dtype: str, *, safety_checker: bool) -> list[DownloadPlan]:
        with self._translate_errors(spec):
            commit, files = self._list(spec)
            if spec.pinned is not None:
                return [DownloadPlan(spec, commit, [_pinned(spec.pinned, files)])]
            if INDEX not in files:
                raise NotAnInpaintingModel(link=spec.url)
            self._drop_if_damaged(spec, commit, files[INDEX])
            index = read_object(Path(self._fetch_small(spec, commit, INDEX))) or {}
            components = Components.of(index, safety_checker=safety_checker)
            plan = DownloadPlan(spec, commit, [files[name] for name in choose(files, components, dtype=dtype).files])
        repository = families.of(index).companion
        if repository is None:
            return [plan]
        companion = replace(spec, key=repository, repository=repository, revision="main")
        return [plan, *self._plans(companion, dtype, safety_checker=safety_checker)]

    def _list(self, spec: ModelSpec) -> tuple[str, dict[str, RemoteFile]]:
        from huggingface_hub import HfApi

        api = HfApi(endpoint=self._endpoint, token=self._token)
        about = api.model_info(_id_of(spec), revision=spec.revision, files_metadata=True, timeout=20)
        files = [
            RemoteFile(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else None, s.blob_id)
            for s in about.siblings or ()
            if "\\" not in s.rfilename  # a folder on Windows
        ]
        if about.sha is None:
            raise ModelUnavailable("The hub does not say which version of this model it has. Try again later.")
        return about.sha, {file.name: file for file in files}

    def _fetch(self, plan: DownloadPlan, progress: Progress) -> None:
        progress.report()
        with self._download_lock(plan.spec, progress):
            self._fetch_each(plan, progress)

    def _fetch_each(self, plan: DownloadPlan, progress: Progress) -> None:
        spec, commit = plan.spec, plan.commit
        # The small ones first: an unreadable repository shows before gigabytes are spent on it.
        for file in sorted(plan.files, key=lambda file: (file.sha256 is not None, file.size)):
            with progress.file(file.size):
                self._drop_if_damaged(spec, commit, file)
                if file.sha256 and not self._is_here(spec, commit, file):
                    self._fetch_large(spec, commit, file, progress)
                self._fetch_small(spec, commit, file.name)

    @contextmanager
    def _download_lock(self, spec: ModelSpec, progress: Progress) -> Iterator[None]:
        """One download of a model at a time, in all processes; who waits can still be stopped."""
        from filelock import Timeout
        from huggingface_hub.utils import WeakFileLock

        lock = self.cache_folder / ".locks" / self._repository_folder(spec).name / "download.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(WeakFileLock(lock, timeout=0.5))
                    break
                except Timeout:
                    progress.report()
            yield

    def _check_room(self, plans: Sequence[DownloadPlan]) -> None:
        needed = sum(self._missing_bytes(plan) for plan in plans)
        self.cache_folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.cache_folder).free
        if needed > free:
            raise StorageFull(
                f"This model needs {needed / 1e9:.1f} GB more on the disk, and {free / 1e9:.1f} GB are free in "
                f"{self.cache_folder}. Make room, or set HF_HOME to a folder on another disk."
            )

    def _missing_bytes(self, plan: DownloadPlan) -> int:
        missing = [file for file in plan.files if not self._is_here(plan.spec, plan.commit, file)]
        # Of another commit with the same weights they are in the store already.
        missing = [file for file in missing if not (file.sha256 and self._stored(plan.spec, file).exists())]
        parts = [self._part(plan.spec, file) for file in missing if file.sha256]
        return sum(file.size for file in missing) - sum(_size(part) for part in parts)

    def _is_here(self, spec: ModelSpec, commit: str, file: RemoteFile) -> bool:
        return _is_whole(self._in_snapshot(spec, commit, file), file)

    def _in_snapshot(self, spec: ModelSpec, commit: str, file: RemoteFile) -> Path:
        return self._repository_folder(spec) / "snapshots" / commit / file.name

    def _drop_if_damaged(self, spec: ModelSpec, commit: str, file: RemoteFile) -> None:
        """Out of the way what stands in the place of this file and is not it: the library takes whatever is there."""
        shown = self._in_snapshot(spec, commit, file)
        for path in (shown.resolve(), shown, self._stored(spec, file)):
            if not os.path.lexists(path) or _is_whole(path, file):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _stored(self, spec: ModelSpec, file: RemoteFile) -> Path:
        return self._repository_folder(spec) / "blobs" / (file.sha256 or file.git_hash or "unknown")

    def _part(self, spec: ModelSpec, file: RemoteFile) -> Path:
        return self._stored(spec, file).with_suffix(".part")

    def _fetch_small(self, spec: ModelSpec, commit: str, name: str) -> str:
        """Also links a large file that is in the cache's store already into the snapshot."""
        from huggingface_hub import hf_hub_download

        return hf_hub_download(
            _id_of(spec),
            name,
            revision=commit,
            cache_dir=self.cache_folder,
            token=self._token,
            endpoint=self._endpoint,
            tqdm_class=silent_bar(),
        )

    def _fetch_large(self, spec: ModelSpec, commit: str, file: RemoteFile, progress: Progress) -> None:
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

    def _stream(self, spec: ModelSpec, commit: str, file: RemoteFile, sink: BinaryIO, progress: Progress) -> None:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_stream_backoff

        headers = build_hf_headers(token=self._token)
        headers["Accept-Encoding"] = "identity"  # the bytes on the wire are the bytes of the file
        if sink.tell():
            headers["Range"] = f"bytes={sink.tell()}-"
        url = hf_hub_url(_id_of(spec), file.name, revision=commit, endpoint=self._endpoint)
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

    def _remember(self, plan: DownloadPlan) -> None:
        """Note which commit the branch or tag stood at, as the hub's library does."""
        if not COMMIT.fullmatch(plan.spec.revision):
            ref = self._repository_folder(plan.spec) / "refs" / plan.spec.revision
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(plan.commit, "utf-8")

    @property
    def cache_folder(self) -> Path:
        if self._cache is None:
            from huggingface_hub import constants

            return Path(constants.HF_HUB_CACHE)
        return self._cache

    def _repository_folder(self, spec: ModelSpec) -> Path:
        return self.cache_folder / f"models--{str(spec.repository).replace('/', '--')}"

    @contextmanager
    def _translate_errors(self, spec: ModelSpec) -> Iterator[None]:
        with hub_errors.translate_errors(spec, token=self._token, cache=self.cache_folder):
            yield


def _pinned(pinned: PinnedFile, files: Mapping[str, RemoteFile]) -> RemoteFile:
    """The file that was pinned. Raises DamagedModel if the hub has another one under its name, or none."""
    file = files.get(pinned.name)
    if file is None or (pinned.sha256 and f"sha256:{file.sha256}" != pinned.sha256):
        raise DamagedModel(
            f"The hub has {'another' if file else 'no'} {pinned.name} than the one that this version was made for, so "
            "nothing was downloaded. Update Inpaint Studio, or choose another model."
        )
    return file


def _id_of(spec: ModelSpec) -> str:
    if spec.repository is None:
        raise ValueError(f"{spec.key} is no model of the hub")
    return spec.repository


def _is_whole(path: Path, file: RemoteFile) -> bool:
    """Whether this is the file, as far as can be told without reading gigabytes."""
    try:
        if not path.is_file() or path.stat().st_size != file.size:
            return False
        if file.name.endswith(".safetensors"):
            return is_described(path)
        if file.sha256 is not None:
            return _sha256(path) == file.sha256
        return file.git_hash is None or git_hash(path.read_bytes()) == file.git_hash
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # not begun, or finished just now by another download


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
