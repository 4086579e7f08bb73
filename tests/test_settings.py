"""Settings from the environment and .env."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import env_file
from core.domain.errors import InvalidSettings
from core.settings import Settings, variable_of

EXAMPLE = Path(__file__).parents[1] / ".env.example"


@pytest.fixture(autouse=True)
def _no_folder_of_the_test(monkeypatch):
    monkeypatch.delenv("INPAINT_STUDIO_DATA")


def test_all_bad_values_are_reported_together(monkeypatch):
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


def test_an_empty_value_counts_as_none(monkeypatch):
    """Else the gallery would lie wherever the program was started."""
    monkeypatch.setenv("INPAINT_STUDIO_DATA", "")
    monkeypatch.setenv("INPAINT_STUDIO_THREADS", "")

    assert (Settings().data, Settings().threads) == (Path("data"), None)


# The file .env ------------------------------------------------------------------------------------------------


@pytest.fixture
def env(tmp_path, monkeypatch) -> Path:
    """The place of .env, in an environment that says nothing of the hub; what is set is unset afterwards."""
    for name in (*os.environ, *NAMES):
        if env_file.HANDED_ON.fullmatch(name) or name == "HF_TOKEN":
            monkeypatch.setenv(name, "")  # so that it is put back, also where it was not there
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    return tmp_path / ".env"


NAMES = (
    *("HF_HOME", "HF_ENDPOINT", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN_PATH", "HF_HUB_DOWNLOAD_TIMEOUT"),
    *("HTTP_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY"),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_env_says_to_the_hubs_library_counts_and_the_environment_is_stronger(env, monkeypatch, name):
    first, second = ("20", "30") if "TIMEOUT" in name else ("http://first.invalid", "http://second.invalid")
    env.write_text(f"{name}={first}\n")

    Settings()
    assert os.environ[name] == first

    monkeypatch.setenv(name, second)
    Settings()
    assert os.environ[name] == second


@pytest.mark.slow
def test_the_hubs_library_takes_what_env_says(env):
    """In a process of its own, as the library reads the environment once."""
    env.write_text("HF_HOME=/somewhere\nHF_ENDPOINT=https://mirror.invalid\nHF_TOKEN=hf_secret\n")
    code = (
        "from core.settings import Settings; from core.engine.models.catalogue import Catalogue\n"
        "catalogue = Catalogue(Settings())\n"
        "from huggingface_hub import constants; import os\n"
        "print(constants.HF_HUB_CACHE, constants.ENDPOINT, os.environ.get('HF_TOKEN'), catalogue._hub.cache_folder)"
    )
    clean = {k: v for k, v in os.environ.items() if not env_file.HANDED_ON.fullmatch(k) and k != "HF_TOKEN"}

    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=env.parent,
        env={**clean, "PYTHONPATH": str(EXAMPLE.parent)},
        capture_output=True,
        text=True,
    )

    assert run.stdout.split() == ["/somewhere/hub", "https://mirror.invalid", "None", "/somewhere/hub"], run.stderr


def test_other_variables_and_the_token_do_not_get_from_env_into_the_environment(env):
    env.write_text("PATH_OF_MINE=x\nLD_PRELOAD=/evil.so\nHF_TOKEN=hf_secret\nPYTHONSTARTUP=x\n")

    assert Settings().token == "hf_secret"
    assert not {"PATH_OF_MINE", "LD_PRELOAD", "HF_TOKEN", "PYTHONSTARTUP"} & set(os.environ)


def test_a_byte_order_mark_is_no_part_of_the_first_name(env):
    env.write_bytes(b"\xef\xbb\xbfINPAINT_STUDIO_DATA=elsewhere\r\nHF_HOME=/x\r\n")

    assert Settings().data == Path("elsewhere")
    assert os.environ["HF_HOME"] == "/x"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("INPAINT_STUDIO_DATA=für\n".encode("latin-1"), "not written in UTF-8 .line 1"),
        ("INPAINT_STUDIO_DATA=x\n".encode("utf-16"), "not written in UTF-8"),
        (b"#" * 2_000_000, "larger than 1 MiB"),
    ],
)
def test_an_env_file_that_cannot_be_read_is_reported_with_a_message(env, content, told):
    env.write_bytes(content)

    with pytest.raises(InvalidSettings, match=told):
        Settings()


@pytest.mark.parametrize(("make", "told"), [(Path.mkdir, "folder"), (os.mkfifo, "not a regular file")])
def test_something_else_in_the_place_of_env_is_told_and_nothing_waits_for_it(env, make, told):
    make(env)

    with pytest.raises(InvalidSettings, match=told):
        Settings()


def test_all_bad_values_of_env_and_of_the_hub_are_told_at_once_without_their_values(env):
    env.write_text(
        "INPAINT_STUDIO_THREADS=many\nHF_HUB_ETAG_TIMEOUT=secret1\nHF_ENDPOINT=secret2\nINPAINT_STUDIO_OFFLOAD=secret3\n"
    )

    with pytest.raises(InvalidSettings) as raised:
        Settings()

    for name in ("INPAINT_STUDIO_THREADS", "HF_HUB_ETAG_TIMEOUT", "HF_ENDPOINT", "INPAINT_STUDIO_OFFLOAD"):
        assert name in str(raised.value)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert "HF_ENDPOINT" not in os.environ, "else it would be stronger than the corrected file"


LINES = st.lists(
    st.builds("{}={}".format, st.sampled_from([variable_of(field) for field in Settings.model_fields]), st.text())
).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))


@given(LINES | st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_stands_in_env_settings_come_of_it_or_one_sentence(tmp_path_factory, content):
    env = tmp_path_factory.mktemp("env") / ".env"
    env.write_bytes(content)

    with contextlib.suppress(InvalidSettings):
        env_file.read(env)
        Settings(_env_file=env)
