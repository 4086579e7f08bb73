"""Pictures in a folder, each named by the hash of its pixels: equal pictures are kept once."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from PIL import Image

from core.domain.errors import StorageFull, StoredImageDamaged, StoredImageMissing
from core.domain.hashing import pixels_sha256, sha256_of
from core.memory import decoding

PNG_LEVEL = 1
"""zlib level 1: 1.6 times as fast as Pillow's 6 for 12 % more bytes (512 px photographs)."""


class LocalImageStore:
    """folder/ab/abcdef....png. A file is complete or not there: written beside, synced, then renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, image: Image.Image) -> str:
        key = pixels_sha256(image)
        path = self._path(key, ".png")
        if not _touched(path):
            with self._new_file(path) as file:
                image.save(file, "PNG", compress_level=PNG_LEVEL, icc_profile=image.info.get("icc_profile"))
        return key

    def get(self, key: str) -> Image.Image:
        path = self.path(key)
        try:
            # Our own files: the limit for strangers' pictures was checked when they came in.
            with Image.open(path, formats=("PNG",)) as opened, decoding(opened.width * opened.height):
                opened.load()
                image = opened.copy()
        except FileNotFoundError as error:
            raise StoredImageMissing from error
        except (OSError, SyntaxError, ValueError) as error:
            raise StoredImageDamaged from error
        if pixels_sha256(image) != key:
            raise StoredImageDamaged
        return image

    def put_file(self, data: bytes, suffix: str) -> str:
        key = sha256_of(data) + suffix
        path = self.path(key)
        if not _touched(path):
            with self._new_file(path) as file:
                file.write(data)
        return key

    def read_file(self, key: str) -> bytes:
        try:
            return self.path(key).read_bytes()
        except FileNotFoundError as error:
            raise StoredImageMissing from error

    def has(self, key: str) -> bool:
        return self.path(key).exists()

    def keys(self) -> Iterator[str]:
        for path in self.folder.glob("??/*"):
            key = f"sha256:{path.stem}" + ("" if path.suffix == ".png" else path.suffix)
            with suppress(StoredImageMissing):
                if self.path(key) == path:
                    yield key

    def remove(self, key: str, *, settled_s: float = 0) -> bool:
        path = self.path(key)
        aside = path.with_name(f".gone-{path.name}")
        try:
            if _is_young(path, settled_s):
                return False
            # Whoever stores it at this very moment finds it gone and writes it, or has made it young before it went.
            os.replace(path, aside)
            if _is_young(aside, settled_s):
                os.replace(aside, path)
                return False
            aside.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StorageFull("A file in the data folder cannot be removed. Check who may write there.") from error
        return True

    def location(self, key: str) -> str:
        return str(self.path(key).absolute())

    def path(self, key: str) -> Path:
        """Where a key's file lies. A key is "sha256:" and 64 hex digits, with a suffix if it is not a picture."""
        digest, dot, suffix = key.partition(".")
        return self._path(digest, dot + suffix if dot else ".png")

    def _path(self, digest: str, suffix: str) -> Path:
        name = digest.removeprefix("sha256:")
        if len(name) != 64 or any(c not in "0123456789abcdef" for c in name) or not suffix[1:].isalnum():
            raise StoredImageMissing(f"“{digest}{suffix}” is not the key of a stored picture.")
        return self.folder / name[:2] / (name + suffix)

    @contextmanager
    def _new_file(self, path: Path):
        try:
            is_new = not path.parent.is_dir()
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            except BaseException:
                os.unlink(temporary)
                raise
            _sync_folder(path.parent)
            if is_new:
                _sync_folder(self.folder)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
                raise StorageFull from error
            raise


def _sync_folder(folder: Path) -> None:
    """A file can be on the disk and its name not yet. Windows keeps its names in a journal, and opens no folders."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _touched(path: Path) -> bool:
    """Whether it is there. If so it is young from now on, so that nobody takes it for a leftover."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:
        # It belongs to another user, who lets us read it.
        return path.exists()
    return True


def _is_young(path: Path, settled_s: float) -> bool:
    return time.time() - path.stat().st_mtime < settled_s
