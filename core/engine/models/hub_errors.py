"""What goes wrong between this machine and the model hub, in words: its answers, the way there, the disk."""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.domain.errors import (
    GateNotAccepted,
    NoNetwork,
    RepositoryGone,
    StorageFull,
    StudioError,
    TokenMissing,
)
from core.domain.model import ModelSpec
from core.files import why

log = logging.getLogger(__name__)

TOKENS = "https://huggingface.co/settings/tokens"
TOKEN = re.compile(r"[\w.-]+", re.ASCII)
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@contextmanager
def translate_errors(spec: ModelSpec, *, token: str | None, cache: Path) -> Iterator[None]:
    """Raises a StudioError in the place of whatever the libraries raise. token: None for the one of this machine."""
    try:
        _check(token or _token_of_this_machine())
        yield
    except StudioError:
        raise
    except Exception as error:  # noqa: BLE001 - each becomes one of ours
        # Without their cause: it holds the request, and the token in its headers.
        raise _told(error, spec, token, cache) from None


def _check(token: str | None) -> None:
    """Raises TokenMissing if it could not be sent, which the libraries tell by showing it."""
    if token and not TOKEN.fullmatch(token):
        raise TokenMissing(
            "Your access token contains invalid characters, such as quotation marks, spaces, or a long dash. Copy it "
            "again and put it as HF_TOKEN=hf_... into the file .env.",
            link=TOKENS,
        )


def _told(error: Exception, spec: ModelSpec, token: str | None, cache: Path) -> StudioError:
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        return _told_of_answer(error, spec, token)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return NoNetwork("HF_HUB_OFFLINE is set, so nothing is downloaded. Unset it and start again.")
    if isinstance(error, errors.LocalEntryNotFoundError | httpx2.TransportError):
        if isinstance(error.__cause__, errors.HfHubHTTPError):
            return _told_of_answer(error.__cause__, spec, token)
        return NoNetwork(f"{NoNetwork()}{_proxy_hint()}", link=spec.url)
    if isinstance(error, errors.HFValidationError):
        return RepositoryGone(f"{spec.repository} is not a valid name on the hub.")
    if isinstance(error, OSError):
        return _told_of_disk(error, spec, cache)
    if isinstance(error, ImportError) and "socks" in str(error).lower():
        return NoNetwork(
            "A SOCKS proxy needs the package socksio. Install it (pip install socksio), or unset ALL_PROXY."
        )
    if isinstance(error, ValueError | ImportError | httpx2.InvalidURL) and (proxies := _proxies()):
        return NoNetwork(
            f"The proxy in {' or '.join(proxies)} cannot be used. Write it as http://host:port or "
            "socks5://host:port, or unset it."
        )
    log.error("the hub's library raised %s", type(error).__name__)  # its message may hold the token
    return NoNetwork(
        f"The hub's address or its response is invalid ({type(error).__name__}). Check HF_ENDPOINT if you set it, "
        "and try again later.",
        link=spec.url,
    )


def _told_of_disk(error: OSError, spec: ModelSpec, cache: Path) -> StudioError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            "The model does not fit on the disk. Make room, then download it again: it resumes where it stopped."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) or error.filename is not None:
        return StorageFull(
            f"The folder of models, {cache}, cannot be written to ({why(error)}). Allow it, or set "
            "HF_HOME to another folder, then download the model again."
        )
    return NoNetwork("The download was interrupted. Try again: it resumes where it stopped.", link=spec.url)


def _told_of_answer(error: Any, spec: ModelSpec, token: str | None) -> StudioError:
    from huggingface_hub import errors

    status = error.response.status_code
    token = token or _token_of_this_machine()
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
            f"{spec.repository} has no revision {spec.revision}. See its page for those that exist.",
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
        return NoNetwork("The model hub limits the rate of requests. Try again in a few minutes.", link=spec.url)
    return NoNetwork(f"The model hub has a problem (status {status}). Try again later.", link=spec.url)


def _proxies() -> list[str]:
    """Names of the variables that name a proxy."""
    return sorted(name for name in os.environ if name.lower() in PROXIES and os.environ[name].strip())


def _proxy_hint() -> str:
    proxies = _proxies()
    return f" The proxy in {' or '.join(proxies)} may be the reason: check it, or unset it." if proxies else ""


def _token_of_this_machine() -> str | None:
    from huggingface_hub import get_token

    return get_token()
