"""Putting files of models into our folders, and taking them out again, so that nothing half done is ever seen."""

from __future__ import annotations

import errno
import filecmp
import os
import secrets
import shutil
from pathlib import Path

from core.domain.errors import InvalidInput, StorageFull
from core.engine.models import beside
from core.files import why


def place(path: Path, folder: Path, *, link: bool) -> Path:
    """A copy of this file or folder in that folder, or a link to it, and of what belongs to it.

    Returns where it is. What is there already, the same to the byte, stays. Raises InvalidInput for a name that
    something else has there, StorageFull.
    """
    target = folder / path.name
    if _is_within(path, folder):
        return path
    if os.path.lexists(target):
        if _is_same(path, target):
            return target
        raise InvalidInput(f"There is another {target.name} in {folder}. Rename one of the two, then add it again.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not link:
            _check_room(path, folder)
        _place(path, target, link=link)
        for other in () if path.is_dir() else beside.files(path):
            if not os.path.lexists(folder / other.name):
                _place(other, folder / other.name, link=link)
    except OSError as error:
        raise StorageFull(f"{path.name} cannot be put into {folder} ({why(error)}). Make room, or allow it.") from error
    return target


def remove(path: Path, *, within: Path) -> None:
    """Delete a file, a link or a folder. Raises InvalidInput for what does not lie in that folder, StorageFull."""
    if not _is_within(path, within):
        raise InvalidInput(f"{path} lies in a folder of another program, so it is not removed.")
    try:
        if path.is_dir() and not path.is_symlink():
            # Out of sight at once: a folder half of which is deleted must not be loaded.
            gone = path.with_name(f".removed-{secrets.token_hex(4)}")
            os.replace(path, gone)
            shutil.rmtree(gone)
        else:
            path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageFull(
            f"{path.name} cannot be deleted ({why(error)}). Close what uses it, or allow it, then try again."
        ) from error


def _is_within(path: Path, folder: Path) -> bool:
    """By the folder in which it really stands: one that is a link leads to another program's files."""
    return path.parent.resolve().is_relative_to(folder.resolve())


def _place(path: Path, target: Path, *, link: bool) -> None:
    """Under a hidden name first, which nobody looks at."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        if link:
            part.symlink_to(path, target_is_directory=path.is_dir())
        elif path.is_dir():
            shutil.copytree(path, part)
        else:
            shutil.copyfile(path, part)
        os.replace(part, target)
    except BaseException:
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
        raise


def _check_room(path: Path, folder: Path) -> None:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    needed, free = sum(file.stat().st_size for file in files), shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"it needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")


def _is_same(path: Path, target: Path) -> bool:
    if not target.exists():
        return False
    if path.is_dir() or target.is_dir():
        return path.resolve() == target.resolve()
    return filecmp.cmp(path, target, shallow=False)
