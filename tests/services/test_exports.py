"""Results as files: what each format keeps, what is said about the rest, and what stays at home."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from core.domain.errors import InvalidImage, InvalidMove
from core.domain.hashing import pixels_sha256
from core.domain.params import InpaintParams
from core.domain.request import InpaintRequest
from core.metadata.read import read
from core.services.exports import FileType
from tests.conftest import a_mask, a_picture, a_request


def painted(studio, mode: str = "RGB", width: int = 96, height: int = 64):
    params = InpaintParams(prompt="a cat", size=64, num_inference_steps=1)
    request = InpaintRequest(a_picture(width, height, mode), a_mask(width, height), params)
    [id] = studio.generations.submit(request)
    studio.dispatcher.drain()
    return studio.gallery.get(id)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.slow_but_first
@pytest.mark.parametrize("mode", ["I;16", "RGB", "RGBA"])
@pytest.mark.parametrize("metadata", [False, True])
def test_a_png_has_every_pixel_of_the_result(studio, mode, metadata):
    generation = painted(studio, mode)

    file = studio.exports.file(generation, FileType.PNG, metadata=metadata)

    assert pixels_sha256(opened(file)) == generation.pixels_sha256
    assert studio.exports.losses(generation, FileType.PNG) == ()


@pytest.mark.slow_but_first
@pytest.mark.parametrize("type", sorted(FileType))
def test_the_record_travels_along_unless_it_is_stripped(studio, type):
    generation = painted(studio)

    with_it, without = (studio.exports.file(generation, type, metadata=metadata) for metadata in (True, False))

    assert read(with_it).params == generation.params.model_dump()
    assert read(without) is None
    assert opened(without).format == type.mime.removeprefix("image/").upper()


def test_lossless_formats_are_exact_and_lossy_ones_are_smaller_and_say_what_they_lose(studio):
    generation = painted(studio, width=256, height=256)
    sizes = {type: len(studio.exports.file(generation, type, metadata=False)) for type in FileType}

    for type in FileType:
        is_exact = pixels_sha256(opened(studio.exports.file(generation, type))) == generation.pixels_sha256
        assert is_exact is type.is_lossless
        assert any("not pixel-exact" in loss for loss in studio.exports.losses(generation, type)) is not is_exact
    assert sizes[FileType.WEBP_LOSSY] < sizes[FileType.WEBP] / 2


@pytest.mark.parametrize(
    ("mode", "type", "word"),
    [("I;16", FileType.WEBP, "16 bits"), ("I;16", FileType.JPEG, "16 bits"), ("RGBA", FileType.JPEG, "transparency")],
)
def test_what_a_format_cannot_keep_is_reported_with_a_message_and_the_rest_is_written(studio, mode, type, word):
    generation = painted(studio, mode)

    assert any(word in loss for loss in studio.exports.losses(generation, type))
    assert opened(studio.exports.file(generation, type)).size == (96, 64)


def test_a_picture_that_is_too_large_for_a_format_is_refused_with_a_message(studio):
    generation = painted(studio, width=16_400, height=16)

    with pytest.raises(InvalidImage, match="16,383 pixels a side. Choose PNG"):
        studio.exports.losses(generation, FileType.WEBP)


def test_without_a_result_there_is_nothing_to_download(studio):
    [id] = studio.generations.submit(a_request())

    with pytest.raises(InvalidMove, match="no result"):
        studio.exports.file(studio.gallery.get(id))
