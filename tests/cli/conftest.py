from __future__ import annotations

from functools import cache

import pytest
from typer.main import get_command


@pytest.fixture(scope="session", autouse=True)
def _commands_built_once():
    """Typer's runner reads the signatures of all commands at each call, where a process does it once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("typer.testing._get_command", cache(get_command))
        yield
