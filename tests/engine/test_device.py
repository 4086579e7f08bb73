from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from core.domain.errors import DeviceUnavailable
from core.engine import device


@pytest.fixture
def torch():
    import torch

    return torch


@pytest.fixture
def two_cards(monkeypatch, torch):
    class About:
        name, total_memory, major, minor = "A fine card", 8 * 2**30, 8, 6

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: About)
    return About


@pytest.fixture
def no_cards(monkeypatch, torch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_a_machine_without_a_card_uses_its_processor_in_full_precision(no_cards):
    (only,) = device.devices()

    assert (only.key, only.dtype) == ("cpu", "float32")
    assert only.title
    assert device.resolve("auto") == device.resolve("cpu") == only


@pytest.mark.parametrize(
    ("amx", "avx", "dtypes"),
    [(False, False, "float32"), (False, True, "float32, bfloat16"), (True, True, "float32, bfloat16")],
)
def test_a_processor_offers_bfloat16_where_it_has_units_for_it(no_cards, monkeypatch, torch, amx, avx, dtypes):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)

    (only,) = device.devices()

    assert only.dtypes == dtypes
    facts = device.environment(replace(only, dtype="bfloat16")).facts
    assert facts["cpu_bfloat16"] == ("amx" if amx else "avx512_bf16" if avx else "none")


def test_cards_come_first_and_compute_in_half_precision(no_cards, two_cards):
    assert [(d.key, d.dtype) for d in device.devices()] == [
        ("cuda:0", "float16"),
        ("cuda:1", "float16"),
        ("cpu", "float32"),
    ]
    assert device.devices()[0].title == "A fine card, 8 GB"
    assert device.resolve("auto").key == device.resolve("cuda").key == "cuda:0"
    assert device.resolve("cuda:1").key == "cuda:1"


@pytest.mark.parametrize(
    ("name", "capability", "half", "takes_bfloat16"),
    [
        ("NVIDIA GeForce RTX 3060", (8, 6), "float16", True),
        ("Tesla T4", (7, 5), "float16", False),
        ("NVIDIA GeForce GTX 1660 Ti", (7, 5), "float32", False),
        ("NVIDIA T1200 Laptop GPU", (7, 5), "float32", False),
        ("NVIDIA GeForce GTX 1080", (6, 1), "float16", False),
    ],
)
def test_a_card_computes_in_what_it_has_units_for(no_cards, two_cards, name, capability, half, takes_bfloat16):
    """torch tells of each that it takes bfloat16: it would compute it in float32."""
    two_cards.name, (two_cards.major, two_cards.minor) = name, capability

    found = device.devices()[0]

    assert (found.dtype, found.takes_bfloat16) == (half, takes_bfloat16)
    assert device.card(found).capability == capability
    assert device.card(device.devices()[-1]) is None


def test_a_card_of_amd_is_none_of_nvidias(no_cards, two_cards, monkeypatch, torch):
    monkeypatch.setattr(torch.version, "hip", "7.0")

    found = device.devices()[0]

    assert found.takes_bfloat16
    assert device.card(found).capability is None


def test_apples_graphics_compute_in_full_precision(no_cards, monkeypatch, torch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)

    assert [(d.key, d.dtype) for d in device.devices()] == [("mps", "float32"), ("cpu", "float32")]


@pytest.mark.parametrize("wish", ["cuda", "cuda:1", "mps", "xpu", "tpu", ""])
def test_a_device_that_is_not_here_is_refused_with_those_that_are(no_cards, wish):
    with pytest.raises(DeviceUnavailable, match="Choose one of: cpu, or auto"):
        device.resolve(wish)


def test_the_environment_names_everything_that_decides_bits(no_cards):
    facts = device.environment(device.resolve("cpu")).facts

    assert {
        "python",
        "torch",
        "diffusers",
        "transformers",
        "tokenizers",
        "safetensors",
        "accelerate",
        "huggingface_hub",
        "numpy",
        "pillow",
        "os",
        "machine",
        "cpu",
        "cpu_capability",
        "threads",
        "device",
        "dtype",
        "deterministic_algorithms",
        "tf32",
    } <= set(facts)
    assert all(isinstance(value, str) and value for value in facts.values())
    assert device.environment(device.resolve("cpu")).id == device.environment(device.resolve("cpu")).id


def test_threads_are_set_only_if_asked_for(torch):
    before = torch.get_num_threads()

    assert device.set_threads(None) == before
    assert device.set_threads(2) == torch.get_num_threads() == 2
    assert device.set_threads(before) == before


def test_the_commit_comes_from_the_variable_or_from_git_or_from_nowhere(monkeypatch, tmp_path):
    device.app_commit.cache_clear()
    monkeypatch.setenv("INPAINT_STUDIO_COMMIT", "abc123")
    given = device.app_commit()
    device.app_commit.cache_clear()
    monkeypatch.delenv("INPAINT_STUDIO_COMMIT")

    def no_git(*args, **kwargs):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", no_git)
    without = device.app_commit()
    device.app_commit.cache_clear()

    assert (given, without) == ("abc123", None)
