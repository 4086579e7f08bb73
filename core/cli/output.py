"""Where --output leads: looked at before any work begins, and written so that nothing that is there is lost."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol

import typer

from core.bootstrap import Studio
from core.domain.errors import InvalidInput, StorageFull
from core.domain.generation import Generation
from core.domain.geometry import Size
from core.services.exports import ENDINGS, FileType, check_size

FORCE = Annotated[
    bool,
    typer.Option("--force", help="Overwrite the --output file; never the source, the mask or the gallery's files."),
]

OUTPUT = Annotated[
    str | None,
    typer.Option(
        "--output",
        help="Output file ending in .png, .webp (both lossless), .jpg or .avif; or a folder for PNG files.",
    ),
]

STRIP = Annotated[bool, typer.Option("--strip", help="Write the file without generation metadata.")]

GPS = Annotated[bool, typer.Option("--gps", help="Keep the photo's GPS location, if it has one.")]

PICTURES = tuple(ENDINGS)


class Fill(Protocol):
    def __call__(self, file: BinaryIO) -> object: ...


@dataclass(frozen=True, slots=True)
class Output:
    """path: as it was given. place: where that leads, through links. is_folder: files get names of their own in it."""

    path: Path
    place: Path
    is_folder: bool
    force: bool

    @property
    def type(self) -> FileType:
        """Of the pictures that are written: what the name says, PNG in a folder."""
        return FileType.PNG if self.is_folder else ENDINGS[self.path.suffix.lower()]

    def write(self, name: str, fill: Fill) -> Path:
        """Fill the file, or one of this name in the folder (with a number where the name is taken); returns its path.

        It is complete or not there. Raises StorageFull.
        """
        try:
            unfinished = self._folder / _unfinished()
            try:
                with unfinished.open("xb") as file:
                    fill(file)
                    file.flush()
                    os.fsync(file.fileno())
                return self._put_in_place(unfinished, name)
            finally:
                unfinished.unlink(missing_ok=True)
        except OSError as error:
            raise StorageFull(f"{self.path} cannot be written: {error.strerror or error}.") from error

    @property
    def _folder(self) -> Path:
        return self.place if self.is_folder else self.place.parent

    def _put_in_place(self, unfinished: Path, name: str) -> Path:
        if self.is_folder:
            for free in _numbered(name):
                with suppress(FileExistsError):
                    _rename_beside(unfinished, self.place / free)
                    return self.path / free
        if self.force:
            os.replace(unfinished, self.place)
        else:
            _rename_beside(unfinished, self.place)
        return self.path

    def check_writable(self) -> None:
        """By writing there. Makes the folder. Raises InvalidInput."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            probe = self._folder / _unfinished()
            probe.open("xb").close()
            probe.unlink()
        except OSError as error:
            raise InvalidInput(f"{self.path} cannot be written: {error.strerror or error}.") from error


def output_of(
    given: str,
    endings: Collection[str],
    *,
    several: bool = False,
    force: bool = False,
    keep: Sequence[Path] = (),
    gallery: Path | None = None,
) -> Output:
    """Look at what was given, and whether it can be written; nothing is written yet.

    A folder is one that is there, a name that ends with a slash, or a name without an ending. endings: those that a
    file may have. several: there will be more than one, for which there must be a folder. keep: files that are never
    overwritten, however they are called. gallery: the folder of stored pictures, in which nobody writes.

    Raises InvalidInput.
    """
    if not given.strip() or "\0" in given:
        raise InvalidInput("--output needs the name of a file or of a folder.")
    path = Path(os.path.expanduser(given))
    place = Path(os.path.realpath(path))
    try:
        output = Output(path, place, place.is_dir() or given.endswith(_SEPARATORS) or not path.suffix, force)
        _check(output, endings, several, keep)
        if gallery is not None and place.is_relative_to(os.path.realpath(gallery)):
            raise InvalidInput(f"{path} lies in the folder of the gallery's own pictures. Choose another folder.")
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.") from error
    output.check_writable()
    return output


def place_of(
    studio: Studio,
    output: str,
    size: Size,
    *,
    several: bool = False,
    force: bool = False,
    keep: Sequence[Path] = (),
) -> Output:
    """Raises InvalidInput before minutes of work whose pictures, of this size, could not be written."""
    gallery = studio.settings.images
    place = output_of(output, PICTURES, several=several, force=force, keep=keep, gallery=gallery)
    check_size(place.type, size.width, size.height)
    return place


def write_result(studio: Studio, generation: Generation, output: Output, strip: bool, gps: bool) -> Path:
    data = studio.exports.file(generation, output.type, metadata=not strip, place=gps)
    return output.write(f"{generation.id}-{generation.params.seed}.png", lambda file: file.write(data))


def _check(output: Output, endings: Collection[str], several: bool, keep: Sequence[Path]) -> None:
    path, there = output.path, os.path.lexists(output.place)
    if output.is_folder:
        if there and not output.place.is_dir():
            raise InvalidInput(
                f"{path} is a file, not a folder. Choose another name, or one that ends in {_or(endings)}."
            )
        return
    if path.suffix.lower() not in endings:
        raise InvalidInput(
            f"{path.name} must end in {_or(endings)}. A folder is named with a slash at its end: {path}/"
        )
    if several:
        raise InvalidInput(f"{path} is one file. For several pictures --output must be a folder, such as {path.stem}/")
    if any(there and kept.exists() and os.path.samefile(output.place, kept) for kept in keep):
        raise InvalidInput(
            f"{path} is the picture or the mask itself, which are never overwritten. Choose another name."
        )
    if there and not output.place.is_file():
        raise InvalidInput(f"{path} is no file that can be written. Choose another name.")
    if there and not output.force:
        raise InvalidInput(f"{path} exists. Choose another name, or add --force to overwrite it.")


_SEPARATORS = tuple(separator for separator in (os.sep, os.altsep) if separator)


def _or(endings: Collection[str]) -> str:
    *others, last = dict.fromkeys(endings)
    return f"{', '.join(others)} or {last}" if others else last


def _unfinished() -> str:
    return f".{secrets.token_hex(8)}.part"


def _numbered(name: str) -> Iterator[str]:
    yield name
    stem, ending = os.path.splitext(name)
    yield from (f"{stem}-{number}{ending}" for number in count(2))


def _rename_beside(unfinished: Path, place: Path) -> None:
    """Like a rename, but FileExistsError if something is there, at whatever moment it came."""
    try:
        os.link(unfinished, place)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        # No hard links here: the name is taken first.
        place.open("xb").close()
        os.replace(unfinished, place)
