"""The file .env: what it says to the libraries that look into the environment, and why it cannot be read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from core.domain.errors import InvalidSettings
from core.files import read_regular, why

MAX_BYTES = 2**20

HANDED_ON = re.compile(
    r"HF_(?!TOKEN$)\w+|TRANSFORMERS_OFFLINE|SSL_CERT_(FILE|DIR)|(HTTPS?|ALL|NO)_PROXY|(https?|all|no)_proxy"
)
"""Variables of the hub's library, of the way to it, and of nothing else. The token stays in our settings."""

NUMBERS = ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT")
ENDPOINT = "HF_ENDPOINT"


def read(path: Path) -> Mapping[str, str]:
    """What is set in this file; nothing if there is none. Raises InvalidSettings."""
    from dotenv import dotenv_values

    if not os.path.lexists(path):
        return {}
    try:
        text = read_regular(path, MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise InvalidSettings(
            f"The file {path.name} cannot be read ({why(error)}). Make it a text file that this program may read, or "
            "remove it."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidSettings(
            f"The file {path.name} is not written in UTF-8 (line {_line_of(error)}). Save it again as UTF-8 text."
        ) from None
    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}


def hand_on(values: Mapping[str, str]) -> None:
    """Set what is meant for the hub's library, which reads it when it is imported. The environment is stronger."""
    for name, value in values.items():
        is_set = any(os.environ.get(each) for each in (name, name.upper(), name.lower()))
        if HANDED_ON.fullmatch(name) and value.strip() and "\x00" not in value and not is_set:
            os.environ[name] = value.strip()


def problems(values: Mapping[str, str]) -> list[str]:
    """Of the hub's variables, in .env or the environment, those that would stop its library; in words."""
    given = {**values, **os.environ}
    found = [f"{name}: not a number of seconds." for name in NUMBERS if not _is_number(given.get(name) or "1")]
    endpoint = (given.get(ENDPOINT) or "https://huggingface.co").strip()
    if not _is_address(endpoint):
        found.append(f"{ENDPOINT}: not an address. Write it as https://huggingface.co")
    return found


def _is_number(text: str) -> bool:
    return text.strip().isdecimal()


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _line_of(error: UnicodeDecodeError) -> int:
    return error.object[: error.start].count(b"\n") + 1
