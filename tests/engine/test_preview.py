from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image

from core.domain.params import InpaintParams
from core.domain.request import WorkingRequest
from core.engine.models.catalogue import ROOT
from core.engine.run import preview
from core.engine.run.latents import Layout
from tests.engine.tiny import a_mask, a_picture, a_working_request


@pytest.fixture(scope="module")
def shower(shared):
    """Of a request, with the colours of a model learned once."""
    return shown_by(shared(in_channels=9))


def shown_by(inpainter):
    colours = preview.colours_of(inpainter._pipe)

    def of(request: WorkingRequest) -> preview.Preview:
        return preview.Preview(request, colours, Layout(inpainter._pipe, *request.image.size))

    return of


@pytest.fixture(scope="module")
def pocket():
    """The bundled pipeline, whose autoencoder is a trained one."""
    from diffusers import StableDiffusionInpaintPipeline

    folder = ROOT / "assets" / "models" / "pocket-inpaint"
    return StableDiffusionInpaintPipeline.from_pretrained(folder, use_safetensors=True, local_files_only=True)


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
def test_a_preview_is_at_most_256_px_and_a_few_kilobytes(shower, size, shown):
    import torch

    drawn = torch.randn((1, 4, size[1] // 8, size[0] // 8), generator=torch.Generator().manual_seed(1))

    data = shower(a_large_request(*size)).of(drawn)

    assert (opened(data).format, opened(data).size) == ("JPEG", shown)
    assert len(data) < 30_000


def test_outside_the_mask_the_preview_shows_the_picture(shower):
    request = a_working_request()

    shown = np.asarray(opened(shower(request).of(latents()))).astype(int)

    around = np.asarray(request.image).astype(int)
    assert np.abs(shown - around)[:12].mean() < 12, "but for what JPEG takes"
    assert np.abs(shown - around)[20:44, 20:44].mean() > 20


def test_the_colours_of_latents_are_learned_from_the_autoencoder(pocket):
    """Of a real one, beside what its own decoder makes of the same latents."""
    import torch

    learned, picture = preview.Linear.learned(pocket), a_picture(128, 128, seed=9)
    latents = Layout(pocket, 128, 128).encoded(picture)
    with torch.no_grad():
        decoded = pocket.vae.decode(latents / pocket.vae.config.scaling_factor, return_dict=False)[0]
    wanted = torch.nn.functional.avg_pool2d(decoded, pocket.vae_scale_factor)[0].numpy().transpose(1, 2, 0) / 2 + 0.5

    shown = learned.of(latents)

    assert shown.shape == wanted.shape
    for colour in range(3):
        assert np.corrcoef(shown[..., colour].ravel(), wanted[..., colour].ravel())[0, 1] > 0.9


def test_a_preview_changes_neither_latents_nor_random_numbers(shared):
    import torch

    for inpainter in (shared(in_channels=9), shared(in_channels=9, tiny_vae=True)):
        given, state = latents(), torch.random.get_rng_state()
        before = given.clone()

        shown_by(inpainter)(a_working_request()).of(given)

        assert torch.equal(given, before)
        assert torch.equal(torch.random.get_rng_state(), state)


def test_a_tiny_autoencoder_shows_what_it_would_decode(shared):
    import torch

    inpainter = shared(in_channels=9, tiny_vae=True)
    vae = inpainter._pipe.vae
    given = latents() * 0.5
    request = WorkingRequest(a_picture(), a_mask(box=(0, 0, 64, 64)), InpaintParams())
    with torch.no_grad():
        decoded = vae.decode(given, return_dict=False)[0][0].numpy().transpose(1, 2, 0)

    shown = np.asarray(opened(shown_by(inpainter)(request).of(given))).astype(int)

    assert np.abs(shown - np.clip(decoded * 127.5 + 127.5, 0, 255)).mean() < 6


def test_large_latents_are_averaged_before_a_tiny_autoencoder_decodes_them(shared, monkeypatch):
    inpainter, sizes = shared(in_channels=9, tiny_vae=True), []
    vae = inpainter._pipe.vae
    decode = vae.decode
    monkeypatch.setattr(vae, "decode", lambda z, **kw: (sizes.append(tuple(z.shape[2:])), decode(z, **kw))[1])

    assert shown_by(inpainter)(a_large_request(1024, 512)).of(latents(128)[:, :, :64])

    assert sizes == [(16, 32)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_broken_latents_do_not_break_the_preview(shower, value):
    with np.errstate(all="raise"):
        assert shower(a_working_request()).of(latents(value=value))


@pytest.mark.parametrize(("cost_s", "shown"), [(0.001, [0.0, 0.3, 0.6]), (0.02, [0.0, 0.5])], ids=["cheap", "dear"])
def test_fast_steps_share_a_preview_and_dear_previews_are_rarer(shower, monkeypatch, cost_s, shown):
    monkeypatch.setattr(preview, "EVERY_S", 0.2)
    monkeypatch.setattr(preview, "SHARE", 0.05)
    times, now = [], [0.0]

    def clock() -> float:
        now[0] += cost_s
        return now[0]

    monkeypatch.setattr(time, "monotonic", clock)
    run = shower(a_working_request())
    for step in range(8):
        now[0] = step / 10
        if run.of(latents()):
            times.append(step / 10)

    assert times == shown


def test_a_preview_of_512_px_takes_a_few_milliseconds(shower):
    """A step of Stable Diffusion takes 39 s of processor time on this class of machine: far below 1 %."""
    shown, given = shower(a_large_request(512, 512)), latents(64)
    shown.of(given)

    started = time.process_time()
    for _ in range(5):
        shown.of(given)

    assert (time.process_time() - started) / 5 < 0.05
