"""How commands end: exit codes, and signals where nothing has to be taken back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import typer

from core import last_resort
from core.cli.common import errors
from core.domain.errors import InvalidInput, StudioError
from core.interrupts import Ended

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


@contextmanager
def exit_codes() -> Iterator[None]:
    """2 for bad input, 1 for everything else that went wrong, 128 and its number for a signal: 130 for Ctrl+C."""
    with handled_by(_end):
        try:
            yield from _told()
        except KeyboardInterrupt:
            raise typer.Exit(exit_code(signal.SIGINT)) from None
        except Ended as ended:
            # Also while an error is told.
            raise typer.Exit(exit_code(ended.number)) from None


def _told() -> Iterator[None]:
    """Errors, in a sentence each."""
    try:
        yield
    except InvalidInput as error:
        complain(error)
        raise typer.Exit(2) from None
    except StudioError as error:
        complain(error)
        raise typer.Exit(1) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - no traceback on a terminal, whatever it is
        complain(last_resort.told(error))
        raise typer.Exit(1) from None


def complain(error: StudioError) -> None:
    say(f"{error} {error.link or ''}".strip())


def say(sentence: str) -> None:
    # The terminal may have gone away, and with it standard error.
    with suppress(OSError, ValueError):
        errors.print(sentence, markup=False, soft_wrap=True, highlight=False)


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended(number)


def exit_code(number: int) -> int:
    return 128 + number


@contextmanager
def handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Signals that are ignored stay so, as nohup and scripts in the background want it."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
