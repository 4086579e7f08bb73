"""A file that came from the hub, put where the files of its kind are found."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from core.domain.errors import DamagedModel, StorageFull
from core.domain.model_file import FileKind
from core.engine.models import fingerprint, folders, kinds
from core.files import why

KINDS = {
    folders.OWN[FileKind.LORA]: {FileKind.LORA},
    folders.OWN[FileKind.VAE]: {FileKind.VAE, FileKind.TINY_VAE},
}
"""By folder, what a file in it has to be."""


def take_in(file: Path, place: Path) -> None:
    """Nothing half written is ever seen there. Raises DamagedModel for another kind of file, StorageFull.

    On the same disk both are one file, which takes room once: what is in the hub's cache may be of other programs too.
    Its hash, which was checked when it arrived, is kept.
    """
    about = kinds.of(file)
    if about.kind not in KINDS[place.parent.name]:
        raise DamagedModel(f"What the hub has as {file.name} is a {about.title}, so it was not taken. Try again later.")
    part = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file.resolve(), part)
        except OSError:
            shutil.copyfile(file, part)
        os.replace(part, place)
        # Two names of one file already: then replacing does nothing.
        part.unlink(missing_ok=True)
        fingerprint.keep(place, fingerprint.of_file(file))
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StorageFull(f"{place.name} cannot be written ({why(error)}). Make room, or allow it.") from error
