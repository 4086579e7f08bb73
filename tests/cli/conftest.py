from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from core import cli
from core.bootstrap import Studio


@pytest.fixture(scope="session", autouse=True)
def _commands_built_once():
    """Typer's runner reads the signatures of all commands at each call, where a process does it once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("typer.testing._get_command", cache(get_command))
        yield


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch):
    """The stand-ins need none of its libraries."""
    monkeypatch.setattr("core.bootstrap.warm_up", lambda: None)


@pytest.fixture
def run(studio) -> Callable[..., Result]:
    """Run a command of this process, with the test's studio or another one. code: how it must end."""

    def run(*arguments: object, code: int = 0, studio: Studio = studio) -> Result:
        result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], obj=lambda: studio)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return run
