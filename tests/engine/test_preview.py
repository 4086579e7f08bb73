from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image

from core.domain.params import InpaintParams
from core.domain.request import WorkingRequest
from core.engine import preview
from tests.engine.tiny import a_mask, a_picture, a_working_request


@pytest.fixture
def vae(nine):
    return nine._pipe.vae


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(preview, "EVERY_S", 0.0)
    monkeypatch.setattr(preview, "SHARE", float("inf"))


def latents(side: int = 8, value: float | None = None):
    import torch

    shape = (1, 4, side, side)
    return (
        torch.full(shape, value)
        if value is not None
        else torch.randn(shape, generator=torch.Generator().manual_seed(1))
    )


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def a_large_request(width: int, height: int) -> WorkingRequest:
    mask = a_mask(width, height, (width // 4, height // 4, width // 2, height // 2))
    return WorkingRequest(a_picture(width, height), mask, InpaintParams())


@pytest.mark.parametrize(("size", "shown"), [((512, 512), (256, 256)), ((512, 128), (256, 64)), ((64, 64), (64, 64))])
def test_a_preview_is_at_most_256_px_and_a_few_kilobytes(vae, size, shown):
    import torch

    drawn = torch.randn((1, 4, size[1] // 8, size[0] // 8), generator=torch.Generator().manual_seed(1))

    data = preview.Preview(a_large_request(*size), vae).of(drawn)

    assert (opened(data).format, opened(data).size) == ("JPEG", shown)
    assert len(data) < 30_000


def test_outside_the_mask_the_preview_shows_the_picture(vae):
    request = a_working_request()

    shown = np.asarray(opened(preview.Preview(request, vae).of(latents()))).astype(int)

    around = np.asarray(request.image).astype(int)
    assert np.abs(shown - around)[:12].mean() < 12, "but for what JPEG takes"
    assert np.abs(shown - around)[20:44, 20:44].mean() > 20


def test_bright_latents_look_brighter_than_dark_ones(vae):
    import torch

    bright = torch.zeros(1, 4, 8, 8)
    bright[:, 0], bright[:, 3] = 1.0, -1.0  # both factors raise every colour
    shown = [
        np.asarray(opened(preview.Preview(a_working_request(), vae).of(x)))[32, 32].mean() for x in (bright, -bright)
    ]

    assert shown[0] > 180 > 70 > shown[1]


def test_a_preview_changes_neither_latents_nor_random_numbers(shared):
    import torch

    for inpainter in (shared(in_channels=9), shared(in_channels=9, tiny_vae=True)):
        given, state = latents(), torch.random.get_rng_state()
        before = given.clone()

        preview.Preview(a_working_request(), inpainter._pipe.vae).of(given)

        assert torch.equal(given, before)
        assert torch.equal(torch.random.get_rng_state(), state)


def test_a_tiny_autoencoder_shows_what_it_would_decode(shared):
    import torch

    vae = shared(in_channels=9, tiny_vae=True)._pipe.vae
    given = latents() * 0.5
    request = WorkingRequest(a_picture(), a_mask(box=(0, 0, 64, 64)), InpaintParams())
    with torch.no_grad():
        decoded = vae.decode(given, return_dict=False)[0][0].numpy().transpose(1, 2, 0)

    shown = np.asarray(opened(preview.Preview(request, vae).of(given))).astype(int)

    assert np.abs(shown - np.clip(decoded * 127.5 + 127.5, 0, 255)).mean() < 6


def test_large_latents_are_averaged_before_a_tiny_autoencoder_decodes_them(shared, monkeypatch):
    vae, sizes = shared(in_channels=9, tiny_vae=True)._pipe.vae, []
    decode = vae.decode
    monkeypatch.setattr(vae, "decode", lambda z, **kw: (sizes.append(tuple(z.shape[2:])), decode(z, **kw))[1])

    assert preview.Preview(a_large_request(1024, 512), vae).of(latents(128)[:, :, :64])

    assert sizes == [(16, 32)]


def test_latents_of_an_unknown_autoencoder_have_no_preview(vae):
    import torch

    class Other:
        class config:
            scaling_factor = 0.13025

    assert preview.Preview(a_working_request(), Other()).of(latents()) is None
    assert preview.Preview(a_working_request(), vae).of(torch.zeros(1, 16, 8, 8)) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_broken_latents_do_not_break_the_preview(vae, value):
    with np.errstate(all="raise"):
        assert preview.Preview(a_working_request(), vae).of(latents(value=value))


@pytest.mark.parametrize(("cost_s", "shown"), [(0.001, [0.0, 0.3, 0.6]), (0.02, [0.0, 0.5])], ids=["cheap", "dear"])
def test_fast_steps_share_a_preview_and_dear_previews_are_rarer(vae, monkeypatch, cost_s, shown):
    monkeypatch.setattr(preview, "EVERY_S", 0.2)
    monkeypatch.setattr(preview, "SHARE", 0.05)
    times, now = [], [0.0]

    def clock() -> float:
        now[0] += cost_s
        return now[0]

    monkeypatch.setattr(time, "monotonic", clock)
    run = preview.Preview(a_working_request(), vae)
    for step in range(8):
        now[0] = step / 10
        if run.of(latents()):
            times.append(step / 10)

    assert times == shown


def test_a_preview_of_512_px_takes_a_few_milliseconds(vae):
    """A step of Stable Diffusion takes 39 s of processor time on this class of machine: far below 1 %."""
    shown, given = preview.Preview(a_large_request(512, 512), vae), latents(64)
    shown.of(given)

    started = time.process_time()
    for _ in range(5):
        shown.of(given)

    assert (time.process_time() - started) / 5 < 0.05
