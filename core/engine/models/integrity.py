"""Whether the files of a model can be what their names say, looked at before any of them is loaded.

The libraries fill what is missing or empty with defaults, and then paint another picture than the model's. Headers and
texts are read, never tensors; what was found is remembered until a file changes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from core.domain.errors import DamagedModel
from core.engine.models import header
from core.engine.models.header import Damaged
from core.engine.models.weights import INDEX, WEIGHTS_INDEX, Choice
from core.files import read_regular, why

MAX_TEXT = 256 * 2**20
"""The vocabularies of the largest text encoders take 40 MB."""

MAX_REMEMBERED = 2**16
"""Bytes. The largest configuration of a pipeline's part has 4 KB."""

STORED_BY_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

BLOCK = re.compile(r"\{%-?\s*(for|if|macro|endfor|endif|endmacro)\b")

UNMADE = 8
"""Words that a vocabulary may have without a merge that makes them, beside those in angle brackets."""


def check(folder: Path, choice: Choice) -> None:
    """Raises DamagedModel with the first file that is missing, unreadable, or not what its name says."""
    problem = _first_problem(folder, tuple((name, state_of(folder / name)) for name in choice.files))
    if problem:
        raise DamagedModel(f"{problem}. Download or copy the model again.")


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in this file; None if there is no such file. Raises DamagedModel."""
    state = state_of(path)
    if isinstance(state, str) or state[0] > MAX_REMEMBERED:
        return _read_object(path)
    # A dict of their own for each who asks: what is in it nobody changes.
    return dict(_remembered_object(path, state) or {})


@functools.lru_cache(maxsize=64)
def _remembered_object(path: Path, state: tuple[int, ...]) -> dict[str, Any] | None:
    """Only once for each state of the file: a run of Inpaint asks twelve times."""
    return _read_object(path)


def _read_object(path: Path) -> dict[str, Any] | None:
    if not os.path.lexists(path):
        return None
    try:
        return _object(_text(path))
    except Damaged as error:
        raise DamagedModel(f"The file {path.name} of this model {error}. Download or copy it again.") from error


def read_index(folder: Path) -> Mapping[str, Any]:
    """The content of model_index.json. Raises DamagedModel."""
    index = read_object(folder / INDEX)
    if index is None:
        raise DamagedModel("The model_index.json of this model is missing. Download or copy it again.")
    return index


def is_described(weights: Path) -> bool:
    """Whether the header of a safetensors file describes all that follows."""
    try:
        _check_weights(weights)
    except Damaged:
        return False
    return True


def git_hash(data: bytes) -> str:
    """As git names a file, and the hub its small ones."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def state_of(path: Path) -> tuple[int, ...] | str:
    """What changes with the file; why it cannot be read, if it cannot."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return "is a link to a missing file" if path.is_symlink() else "is missing"
    except (OSError, ValueError) as error:
        return f"cannot be read ({why(error) if isinstance(error, OSError) else error})"
    if not stat.S_ISREG(about.st_mode):
        return "is not a regular file"
    if not os.access(path, os.R_OK):
        return "cannot be read (no permission)"
    return (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino) if about.st_size else "is empty"


@functools.lru_cache(maxsize=64)
def _first_problem(folder: Path, files: tuple[tuple[str, tuple[int, ...] | str], ...]) -> str | None:
    for name, state in files:
        try:
            if isinstance(state, str):
                raise Damaged(state)
            _check_of(name)(folder / name)
            if not name.endswith(".safetensors"):
                _check_stored((folder / name).resolve())
            if WEIGHTS_INDEX.fullmatch(name):
                _check_parts(folder / name)
            if name.endswith("/tokenizer_config.json"):
                _check_words(folder / name)
        except Damaged as error:
            return f"The file {name} of this model {error}"
    return None


def _check_of(name: str) -> Callable[[Path], None]:
    if name.endswith(".safetensors"):
        return _check_weights
    for ending, check in CHECKS.items():
        if name.endswith(ending):
            return check
    return _check_json if name.endswith(".json") else _check_readable


# Texts -------------------------------------------------------------------------------------------------------


def _bytes(path: Path) -> bytes:
    try:
        data = read_regular(path, MAX_TEXT)
    except OSError as error:
        raise Damaged(f"cannot be read ({why(error)})") from error
    if data.startswith(b"version https://git-lfs"):
        raise Damaged("is only a Git LFS pointer, not the file itself")
    if data.lstrip()[:15].lower().startswith((b"<!doctype", b"<html")):
        raise Damaged("is a web page, not the file itself")
    return data


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damaged("is damaged: not UTF-8 text") from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged("is damaged: not JSON") from error


def _object(text: str) -> dict[str, Any]:
    content = _json(text)
    if not isinstance(content, dict):
        raise Damaged("is not a JSON object, as expected")
    return content


def _check_readable(path: Path) -> None:
    _bytes(path)


def _check_json(path: Path) -> None:
    _json(_text(path))


def _check_object(path: Path) -> None:
    _object(_text(path))


def _check_settings(path: Path) -> None:
    if not _object(_text(path)):
        raise Damaged("is empty")


def _check_names_its_class(path: Path) -> None:
    content = _object(_text(path))
    named = [content.get(name) for name in ("_class_name", "model_type", "architectures")]
    if not any(named):
        raise Damaged("does not name the class that it configures")


def _check_scheduler(path: Path) -> None:
    if not isinstance(_object(_text(path)).get("_class_name"), str):
        raise Damaged("does not name a scheduler")


def _check_fast_tokenizer(path: Path) -> None:
    model = _object(_text(path)).get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list) or not model["vocab"]:
        raise Damaged("holds no vocabulary")


def _check_vocabulary(path: Path) -> None:
    words = _object(_text(path))
    if not words or not all(type(number) is int for number in words.values()):
        raise Damaged("is not a vocabulary of words and numbers")


def _check_template(path: Path) -> None:
    text = _text(path)
    blocks = Counter(BLOCK.findall(text))
    is_closed = all(blocks[name] == blocks[f"end{name}"] for name in ("for", "if", "macro"))
    if "messages" not in text or not is_closed or text.count("{%") != text.count("%}"):
        raise Damaged("is damaged or cut off: not a chat template")


def _check_merges(path: Path) -> None:
    for line in _merges(path):
        if len(line.split(" ")) != 2:
            raise Damaged(f"is damaged: {line[:40]!r} is no pair of a byte-pair encoding")


def _merges(path: Path) -> Iterator[str]:
    for number, line in enumerate(_text(path).split("\n")):
        line = line.rstrip("\r")
        if line and not (number == 0 and line.startswith("#version")):
            yield line


def _check_sentencepiece(path: Path) -> None:
    """Pieces, how they were trained, and how text is prepared for them: the last two stand at the end."""
    data = _bytes(path)
    if not {1, 2, 3} <= set(_protobuf_fields(data)):
        raise Damaged("is damaged or cut off: not a complete SentencePiece model")


def _protobuf_fields(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 != 2:
            raise Damaged("is damaged: not a SentencePiece model")
        size, at = _varint(data, at)
        at += size
        if at > len(data):
            raise Damaged("is cut off")
        yield key >> 3


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at
    raise Damaged("is damaged or cut off")


CHECKS: Mapping[str, Callable[[Path], None]] = {
    "scheduler_config.json": _check_scheduler,
    "tokenizer_config.json": _check_settings,
    "preprocessor_config.json": _check_settings,
    "processor_config.json": _check_settings,
    "generation_config.json": _check_object,
    "special_tokens_map.json": _check_object,
    "added_tokens.json": _check_object,
    "model_index.json": _check_settings,
    "config.json": _check_names_its_class,
    "tokenizer.json": _check_fast_tokenizer,
    "vocab.json": _check_vocabulary,
    "merges.txt": _check_merges,
    "spiece.model": _check_sentencepiece,
    "tokenizer.model": _check_sentencepiece,
    ".jinja": _check_template,
}
"""By how the name of the file ends; the first that fits."""


def _check_words(settings: Path) -> None:
    """What several files of a tokenizer say only together. settings: its tokenizer_config.json."""
    folder = settings.parent
    said, names = _object(_text(settings)), folder / "special_tokens_map.json"
    if not ("pad_token" in said or (names.exists() and "pad_token" in _object(_text(names)))):
        raise Damaged("does not name the padding token (pad_token), nor does another file beside it")
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    if (folder / "tokenizer.json").exists() or not (vocabulary.exists() and merges.exists()):
        return
    words, made = set(_object(_text(vocabulary))), {line.replace(" ", "") for line in _merges(merges)}
    letters = {word for word in words if len(word.removesuffix("</w>")) <= 1 or word.startswith("<")}
    if len(words - made - letters) > UNMADE or len(made - words) > UNMADE:
        raise Damaged("does not match merges.txt, which is cut off or belongs to another vocab.json")


def _check_stored(path: Path) -> None:
    """The hub's cache names a file by its hash: of git for the small ones, SHA-256 for the large."""
    if path.parent.name != "blobs" or not STORED_BY_HASH.fullmatch(path.name):
        return
    data = _bytes(path)
    if path.name != (hashlib.sha256(data).hexdigest() if len(path.name) == 64 else git_hash(data)):
        raise Damaged("is damaged: its content differs from the hub's")


# Weights -----------------------------------------------------------------------------------------------------


def _check_weights(path: Path) -> None:
    header.read(path)


def _check_parts(index: Path) -> None:
    """Whether the parts of split weights hold what their index says."""
    where = _object(_text(index)).get("weight_map")
    if not isinstance(where, dict) or not where or not all(isinstance(part, str) for part in where.values()):
        raise Damaged("does not list the parts of the weights")
    for part in sorted(set(where.values())):
        if part != PurePosixPath(part).name or not (index.parent / part).is_file():
            raise Damaged(f"names the part {part[:80]!r}, which is missing")
        held = header.read(index.parent / part).tensors
        if lost := [name for name, at in where.items() if at == part and name not in held]:
            raise Damaged(f"names {lost[0][:80]!r} in {part}, which does not hold it")
