"""Room for a run: asked for before it begins, by its size; in tiles where that helps, which a verification repeats."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from core.domain.environment import Device
from core.domain.errors import OutOfMemory
from core.domain.run_memory import LEAST_PX, OF_TILE, TILE_PX, Work
from core.engine import memory
from core.engine.run import room
from tests.engine.tiny import a_working_request


@pytest.fixture
def with_room_for(monkeypatch):
    """with_room_for(numbers): of float32, in the memory of this machine."""
    return lambda numbers: monkeypatch.setattr(memory, "free_memory", lambda: 4 * round(numbers))


def painted(inpainter, **params):
    return inpainter.inpaint(a_working_request(num_inference_steps=2, **params), lambda report: None)


def again_of(inpainter, repainted):
    request = replace(a_working_request(num_inference_steps=2), recorded=repainted.record)
    return inpainter.inpaint(request, lambda report: None)


@pytest.fixture
def needs(nine):
    """Numbers that the run of this model takes: its VAE has fewer channels than those of full size."""
    request = a_working_request()
    return room._work(nine._pipe, nine._family, request.params, may_tile=True).whole(request.image.width**2)


def test_a_run_that_does_not_fit_is_refused_in_words_before_it_begins_and_with_what_fits_it_paints(
    nine, needs, with_room_for
):
    steps = []
    with_room_for(needs - 1)

    with pytest.raises(OutOfMemory, match=r"To paint 64 x 64 pixels takes about .* GB of memory beside the model"):
        nine.inpaint(a_working_request(), steps.append)

    assert steps == []
    with_room_for(needs)
    assert painted(nine).record["vae_tiling"] is False


@pytest.fixture
def small_tiles(monkeypatch, needs):
    """Tiles for pictures of 64 pixels, which take half as much."""
    monkeypatch.setattr(room, "TILE_PX", 32)
    monkeypatch.setattr("core.domain.run_memory.TILE_PX", 32)
    monkeypatch.setattr("core.domain.run_memory.OF_TILE", needs // 2 / 32**2)


def test_where_only_tiles_fit_they_are_used_recorded_and_used_again_with_more_memory(
    nine, needs, small_tiles, with_room_for
):
    whole = painted(nine)
    with_room_for(needs - 1)

    tiled = painted(nine)

    assert (tiled.record["vae_tiling"], tiled.record["vae_tile_px"]) == (True, 32)
    assert tiled.image.tobytes() != whole.image.tobytes()
    with_room_for(100 * needs)
    again = again_of(nine, tiled)
    assert again.image.tobytes() == tiled.image.tobytes()
    assert again.record["vae_tiling"] is True
    assert painted(nine).image.tobytes() == whole.image.tobytes()


def test_what_was_painted_without_tiles_is_not_verified_with_them(nine, needs, small_tiles, with_room_for):
    whole = painted(nine)
    with_room_for(needs - 1)

    with pytest.raises(OutOfMemory):
        again_of(nine, whole)


@pytest.mark.parametrize(("dtype", "bytes_each"), [("bfloat16", 2), ("float16", 4), ("float32", 4)])
def test_on_a_card_tiles_are_taken_where_the_whole_does_not_fit_and_nothing_is_refused(
    nine, monkeypatch, dtype, bytes_each
):
    request, card = a_working_request(), Device("cuda:0", "a card", dtype)
    at_once = 64 * 64 * room._work(nine._pipe, nine._family, request.params, may_tile=True).of_vae * bytes_each
    untiled = replace(request, recorded={"vae_tiling": False})
    tiled = replace(request, recorded={"vae_tiling": True})

    def taken(free, asked=request):
        monkeypatch.setattr(memory, "free_on", lambda device: free)
        return room.takes_tiles(nine._pipe, nine._family, asked, card)

    assert [taken(at_once), taken(at_once - 1), taken(0)] == [False, True, True]
    assert [taken(0, untiled), taken(10 * at_once, tiled)] == [False, True]


def test_a_tiny_autoencoder_takes_a_quarter_and_guidance_a_batch_of_two(nine):
    from diffusers import AutoencoderTiny

    params = a_working_request().params
    of_own = room._work(nine._pipe, nine._family, params, may_tile=True)
    tiny = SimpleNamespace(unet=nine._pipe.unet, vae=AutoencoderTiny(latent_channels=4))

    of_tiny = room._work(tiny, nine._family, params.changed(guidance_scale=1.0), may_tile=True)

    assert (of_own.batch, of_own.of_vae, of_own.has_tiles) == (2, 33, True)
    assert (of_tiny.batch, of_tiny.of_vae, of_tiny.has_tiles) == (1, 260, False)


def test_the_largest_side_is_one_that_fits_and_the_next_one_does_not():
    work = Work()
    for numbers in (work.whole(LEAST_PX**2), 10**8, TILE_PX**2 * OF_TILE, 10**9, 10**10):
        side = work.side(numbers)
        assert work.least(side * side) <= numbers
        assert side == 2048 or work.least((side + 8) ** 2) > numbers
    assert work.side(work.whole(LEAST_PX**2) - 1) is None


def test_a_refusal_names_the_size_that_would_fit():
    text = room._too_little(a_working_request(), 2 * 10**9, 10**9, 512)

    assert re.search(r"takes about 2\.0 GB .* 1\.0 GB are free\. Choose a processing resolution of at most 512", text)
