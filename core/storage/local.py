"""Pictures in a folder, each named by the hash of its pixels: equal pictures are kept once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, TypeVar

from PIL import Image

from core.domain.errors import OutOfMemory, StoredImageDamaged, StoredImageMissing, StoredImageUnreadable
from core.domain.geometry import Size
from core.domain.hashing import is_named, picture_sha256, sha256_of
from core.files import sync_folder
from core.memory import decoding
from core.storage.files import synced, unwritable

PNG_LEVEL = 1
"""zlib level 1: 1.6 times as fast as Pillow's 6 for 12 % more bytes (512 px photographs)."""

UNFINISHED, GONE = ".new-", ".gone-"
"""Beginnings of names: a file that is being written, and one that earlier versions were removing."""

LEFT_BEHIND = timedelta(days=1)
"""Nobody writes a file for so long: whoever began it was killed."""

MOST_KNOWN = 10_000

Mark = tuple[int, int, int]
Read = TypeVar("Read")


class LocalImageStore:
    """folder/ab/abcdef....png. A file is complete or not there: written beside, synced, then renamed.

    Beside the folder: trash/2026-01-31/abcdef....png, what was discarded that day. Whoever asks for it gets it back.
    gallery-id: which database the folder belongs to. now: the clock by which files are young, in UTC.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self.trash = folder.with_name("trash")
        self._owner_file = folder.with_name("gallery-id")
        self._now = now
        self._sound: dict[Path, Mark] = {}

    # Storing and reading

    def put(self, image: Image.Image, key: str | None = None) -> str:
        key = key or picture_sha256(image)
        path = self._path(key, ".png")
        if not self._touched(path, lambda: self._is_sound(path, key)):
            with self._new_file(path) as file:
                image.save(file, "PNG", compress_level=PNG_LEVEL, icc_profile=image.info.get("icc_profile"))
            self._remember(path)
        return key

    def get(self, key: str) -> Image.Image:
        return self._reading(key, lambda path: self._picture(path, key))

    def size(self, key: str) -> Size:
        return self._reading(key, _size)

    def put_file(self, data: bytes, suffix: str) -> str:
        key = sha256_of(data) + suffix
        path = self.path(key)
        if not self._touched(path, lambda: path.read_bytes() == data):
            with self._new_file(path) as file:
                file.write(data)
        return key

    def read_file(self, key: str) -> bytes:
        data = self._reading(key, Path.read_bytes)
        if "." in key and sha256_of(data) != key.partition(".")[0]:
            raise StoredImageDamaged
        return data

    def has(self, key: str) -> bool:
        try:
            self._reading(key, Path.stat)
        except StoredImageMissing:
            return False
        return True

    def keys(self) -> Iterator[str]:
        for path in self.folder.glob("??/*"):
            if (key := self._key(path)) is not None and self.path(key) == path:
                yield key

    def location(self, key: str) -> str:
        return str(self.path(key).absolute())

    # Throwing away

    def discard(self, key: str, *, min_age_s: float = 0) -> bool:
        path = self.path(key)
        aside = self.trash / f"{self._now():%Y-%m-%d}" / path.name
        try:
            if self._is_young(path, min_age_s):
                return False
            aside.parent.mkdir(parents=True, exist_ok=True)
            # Whoever stores it at this very moment finds it gone and writes it, or has made it young before it went.
            os.replace(path, aside)
            if self._is_young(aside, min_age_s):
                os.replace(aside, path)
                return False
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unwritable(error, "A file in the data folder cannot be moved to its trash") from error
        return True

    def discarded(self, until: date) -> Iterator[str]:
        for folder in self._days(until):
            for path in folder.iterdir():
                if (key := self._key(path)) is not None:
                    yield key

    def erase(self, key: str, until: date) -> int:
        freed, name = 0, self.path(key).name
        for folder in self._days(until):
            with suppress(FileNotFoundError):
                path = folder / name
                size = path.stat().st_size
                try:
                    path.unlink()
                except FileNotFoundError:
                    raise
                except OSError as error:
                    raise unwritable(error, "A file in the trash of the data folder cannot be removed") from error
                freed += size
            with suppress(OSError):
                folder.rmdir()
        return freed

    def tidy(self) -> None:
        """What writers that were killed have left goes: unfinished files at once, whole ones into the trash."""
        before = (self._now() - LEFT_BEHIND).timestamp()
        for path in self.folder.glob("??/.*"):
            with suppress(OSError):
                if path.stat().st_mtime >= before:
                    continue
                if path.name.startswith(UNFINISHED):
                    path.unlink()
                elif path.name.startswith(GONE):
                    aside = self.trash / f"{self._now():%Y-%m-%d}" / path.name.removeprefix(GONE)
                    aside.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(path, aside)

    # Whose it is

    def owner(self) -> str | None:
        try:
            return self._owner_file.read_text("utf-8").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoredImageUnreadable(f"{self._owner_file.name} in the data folder cannot be read.") from error

    def belong_to(self, owner: str) -> None:
        with self._new_file(self._owner_file) as file:
            file.write(owner.encode() + b"\n")

    # What it is made of

    def path(self, key: str) -> Path:
        """Where a key's file lies. A key is "sha256:" and 64 hex digits, with a suffix if it is not a picture."""
        digest, dot, suffix = key.partition(".")
        return self._path(digest, dot + suffix if dot else ".png")

    def _path(self, digest: str, suffix: str) -> Path:
        name = digest.removeprefix("sha256:")
        if len(name) != 64 or any(c not in "0123456789abcdef" for c in name) or not suffix[1:].isalnum():
            raise StoredImageMissing(f"“{digest}{suffix}” is not the key of a stored picture.")
        return self.folder / name[:2] / (name + suffix)

    def _key(self, path: Path) -> str | None:
        """None for a file that is not ours."""
        key = f"sha256:{path.stem}" + ("" if path.suffix == ".png" else path.suffix)
        try:
            return key if self.path(key).name == path.name else None
        except StoredImageMissing:
            return None

    def _reading(self, key: str, read: Callable[[Path], Read]) -> Read:
        """read of the file of this key, wherever it lies. Raises StoredImageMissing, Unreadable or Damaged."""
        path = self.path(key)
        try:
            try:
                return read(path)
            except FileNotFoundError:
                return read(self._brought_back(path))
        except FileNotFoundError as error:
            raise StoredImageMissing from error
        except OSError as error:
            if error.errno is None:
                # Pillow's: the bytes came, and are no picture.
                raise StoredImageDamaged from error
            raise StoredImageUnreadable(
                f"A stored picture cannot be read: {error.strerror or error}. Check who may read the data folder."
            ) from error

    def _brought_back(self, path: Path) -> Path:
        """Out of the trash. Raises FileNotFoundError if it is not there either."""
        for folder in sorted(self._days(), reverse=True):
            aside = folder / path.name
            if not aside.exists():
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._make_young(aside)
                os.replace(aside, path)
            except FileNotFoundError:
                # Another process was faster.
                return path
            except OSError:
                # A disk that cannot be written: it is read where it lies.
                return aside
            return path
        return path

    def _picture(self, path: Path, key: str) -> Image.Image:
        mark = _mark(path)
        try:
            # Our own files: the limit for strangers' pictures was checked when they came in.
            with Image.open(path, formats=("PNG",)) as opened, decoding(opened.width * opened.height):
                opened.load()
                image = opened.copy()
        except (SyntaxError, ValueError) as error:
            raise StoredImageDamaged from error
        if not is_named(key, image):
            raise StoredImageDamaged
        self._remember(path, mark)
        return image

    def _is_sound(self, path: Path, key: str) -> bool:
        """Whether the file holds these pixels. It is read for that once, and again when it has changed.

        A picture of 24 megapixels takes half a second to read, and comes in with every press of Generate.
        """
        if self._sound.get(path) == _mark(path):
            return True
        try:
            self._picture(path, key)
        except StoredImageDamaged:
            return False
        except OutOfMemory:
            # Nobody can look at it now.
            return True
        except OSError as error:
            if error.errno is not None:
                raise
            return False
        return True

    def _remember(self, path: Path, mark: Mark | None = None) -> None:
        if len(self._sound) >= MOST_KNOWN:
            self._sound.clear()
        with suppress(OSError):
            self._sound[path] = mark or _mark(path)

    def _touched(self, path: Path, is_sound: Callable[[], bool]) -> bool:
        """Whether it is there and sound. If so it is young from now on, so that nobody takes it for a leftover."""
        try:
            if not path.exists() and self._brought_back(path) != path:
                return False
            if not is_sound():
                return False
            known = path in self._sound
            self._make_young(path)
            if known:
                self._remember(path)
        except FileNotFoundError:
            return False
        except OSError:
            # It belongs to another user, who lets us read it or not: whoever reads it is told.
            return path.exists()
        return True

    def _make_young(self, path: Path) -> None:
        at = self._now().timestamp()
        os.utime(path, (at, at))

    def _is_young(self, path: Path, min_age_s: float) -> bool:
        return self._now().timestamp() - path.stat().st_mtime < min_age_s

    def _days(self, until: date = date.max) -> list[Path]:
        """The dated folders of the trash, up to and with this day."""
        days = []
        with suppress(FileNotFoundError):
            for folder in self.trash.iterdir():
                with suppress(ValueError):
                    if date.fromisoformat(folder.name) <= until and folder.is_dir():
                        days.append(folder)
        return days

    @contextmanager
    def _new_file(self, path: Path) -> Iterator[BinaryIO]:
        try:
            is_new = not path.parent.is_dir()
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
            try:
                with synced(handle) as file:
                    yield file
                self._make_young(Path(temporary))
                os.replace(temporary, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary)
                raise
            sync_folder(path.parent)
            if is_new:
                sync_folder(path.parent.parent)
        except OSError as error:
            raise unwritable(error, "The data folder cannot be written to") from error


def _size(path: Path) -> Size:
    try:
        with Image.open(path, formats=("PNG",)) as opened:
            return Size(*opened.size)
    except (SyntaxError, ValueError) as error:
        raise StoredImageDamaged from error


def _mark(path: Path) -> Mark:
    """Another one for a file that was changed."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino
