"""Settings from the environment and .env."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.errors import InvalidSettings
from core.settings import Settings, variable_of

EXAMPLE = Path(__file__).parents[1] / ".env.example"


def test_all_bad_values_are_told_at_once_in_words(monkeypatch):
    monkeypatch.setenv("INPAINT_STUDIO_DEVICE", "toaster")
    monkeypatch.setenv("INPAINT_STUDIO_THREADS", "none")
    monkeypatch.setenv("INPAINT_STUDIO_LOG_LEVEL", "loud")

    with pytest.raises(InvalidSettings) as raised:
        Settings()

    for name in ("INPAINT_STUDIO_DEVICE", "INPAINT_STUDIO_THREADS", "INPAINT_STUDIO_LOG_LEVEL"):
        assert name in str(raised.value)


def test_the_token_is_never_shown(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("INPAINT_STUDIO_DEVICE", "toaster")

    with pytest.raises(InvalidSettings) as raised:
        Settings()
    monkeypatch.delenv("INPAINT_STUDIO_DEVICE")
    settings = Settings()

    assert "hf_secret" not in str(raised.value) + repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.token == "hf_secret"


def test_a_dotenv_file_is_read(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("HF_TOKEN=hf_x\nINPAINT_STUDIO_DATA=elsewhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")

    assert (Settings().token, Settings().data) == ("hf_x", Path("elsewhere"))


def test_the_example_lists_every_setting():
    text = EXAMPLE.read_text(encoding="utf-8")

    assert [name for name in map(variable_of, Settings.model_fields) if name not in text] == []


def test_an_empty_token_counts_as_none(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "  ")

    assert Settings().token is None
