"""What nobody has foreseen is one sentence with a number on the command line, and the rest stands in the log."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from core import cli, last_resort
from core.domain.errors import StudioError


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("INPAINT_STUDIO_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def invoke(error: BaseException):
    def fail() -> None:
        raise error

    return CliRunner().invoke(cli.app, ["doctor"], obj=fail)


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), KeyError("secret"), RecursionError(), UnicodeError("secret")]
)
def test_an_error_that_nobody_has_foreseen_is_a_sentence_with_its_number_in_the_log(data, monkeypatch, error):
    result = invoke(error)

    assert result.exit_code == 1
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr
    number = re.search(r"\(error ([0-9a-f]{8})\)", result.stderr)[1]
    log = (data / last_resort.LOG).read_text("utf-8")
    assert number in log
    assert "Traceback" in log
    assert type(error).__name__ in log


def test_what_was_foreseen_is_told_in_its_own_words_and_does_not_get_into_the_log(data, monkeypatch):
    result = invoke(StudioError("Words of its own."))

    assert (result.exit_code, result.stderr) == (1, "Words of its own.\n")
    assert not (data / last_resort.LOG).exists()


@pytest.mark.parametrize(("error", "code"), [(typer.Exit(7), 7), (KeyboardInterrupt(), 130), (SystemExit(5), 5)])
def test_how_a_command_ends_is_left_as_it_is(data, monkeypatch, error, code):
    result = invoke(error)

    assert result.exit_code == code
    assert "unexpected" not in result.stderr


def test_a_signal_while_an_error_is_told_ends_the_command_as_at_any_other_moment(data, monkeypatch):
    monkeypatch.setattr("core.cli.exits.say", lambda sentence: os.kill(os.getpid(), signal.SIGTERM))

    result = invoke(StudioError())

    assert (result.exit_code, type(result.exception)) == (143, SystemExit)


def test_a_log_that_cannot_be_written_costs_no_sentence(tmp_path, monkeypatch):
    (tmp_path / "data").write_text("a file in the place of the folder")
    monkeypatch.setenv("INPAINT_STUDIO_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert str(tmp_path / last_resort.LOG) in str(last_resort.told(RuntimeError()))

    (tmp_path / last_resort.LOG).unlink()
    os.mkfifo(tmp_path / last_resort.LOG)
    assert "could not be written" in str(last_resort.told(RuntimeError("\ud800")))


def test_the_log_does_not_grow_for_ever(data, monkeypatch):
    monkeypatch.setattr(last_resort, "LARGEST", 1000)

    for _ in range(20):
        last_resort.told(RuntimeError("x" * 300))

    assert sorted(file.name for file in data.iterdir()) == ["errors.log", "errors.log.1"]
    assert sum(file.stat().st_size for file in data.iterdir()) < 4000


@pytest.mark.parametrize("command", ["inpaint", "import"])
def test_a_fifo_is_not_waited_for(data, tmp_path, command):
    os.mkfifo(tmp_path / "picture.png")
    arguments = {"inpaint": ["inpaint"], "import": ["gallery", "import"]}[command]

    result = CliRunner().invoke(cli.app, [*arguments, str(tmp_path / "picture.png")])

    assert result.exit_code in (1, 2)
    assert "not a regular file" in result.stderr
