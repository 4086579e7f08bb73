"""The file that is handed on: its pixels, what it says, and what it keeps to itself."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from core import __version__
from core.domain.errors import InvalidImage
from core.domain.hashing import canonical_json, pixels_sha256
from core.domain.params import MAX_PROMPT
from core.domain.record import NO_RECORD
from core.metadata import a1111, exif, ours, write, xmp
from core.metadata.carriers import carried_by, open_picture
from core.metadata.exif import USER_COMMENT
from core.metadata.read import read
from core.metadata.write import FORMATS, embedded
from core.metadata.xmp import SOURCE_TYPE
from tests.conftest import a_picture
from tests.metadata.generations import GENERATION, a_generation, generations

formats = pytest.mark.parametrize("format", FORMATS)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize(
    ("format", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "I;16"), ("WEBP", "RGB"), ("WEBP", "RGBA")]
)
@pytest.mark.parametrize("metadata", [True, False])
def test_png_and_webp_keep_every_pixel_also_under_full_transparency(format, mode, metadata):
    image = a_picture(mode=mode)
    if mode == "RGBA":
        image.putalpha(image.getchannel("A").point(lambda a: a if a > 128 else 0))
    before = pixels_sha256(image)

    written = opened(embedded(image, GENERATION, format=format, metadata=metadata))

    assert pixels_sha256(written) == before == pixels_sha256(image)


@formats
def test_our_record_comes_back_exactly(format):
    found = read(embedded(a_picture(), GENERATION, format=format))

    assert found.tool == "inpaint-studio"
    assert canonical_json(found.record) == canonical_json(ours.record_of(GENERATION))
    assert found.params == GENERATION.params.model_dump()
    assert found.raw == {}


@settings(deadline=None)
@given(generations(), st.sampled_from(FORMATS))
@example(a_generation(prompt="\ufffe\uffff\x01\x85\u2028\r]]>&amp;"), "JPEG")
def test_whatever_the_prompt_holds_it_comes_back_exactly_in_each_format(generation, format):
    found = read(embedded(Image.new("RGB", (16, 16)), generation, format=format))

    assert canonical_json(found.record) == canonical_json(ours.record_of(generation))
    assert found.params == generation.params.model_dump()


@formats
def test_other_tools_find_the_text_they_know(format):
    carried = carried_by(open_picture(embedded(a_picture(), GENERATION, format=format)))

    text = carried.texts["parameters"] if format == "PNG" else carried.exif(USER_COMMENT)

    assert text == a1111.text_of(GENERATION)


@formats
def test_every_file_says_that_a_model_has_repainted_a_part(format):
    carried = carried_by(open_picture(embedded(a_picture(), GENERATION, format=format)))

    assert f"<Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>" in carried.xmp


def test_the_xmp_holds_only_what_xml_can_hold():
    generation = a_generation(prompt="\ufffe\uffff\x01")

    carried = carried_by(open_picture(embedded(a_picture(), generation, format="WEBP")))

    assert r"\ufffe\uffff\u0001" in carried.xmp
    assert not {"\ufffe", "\uffff", "\x01"} & set(carried.xmp)


def test_the_text_chunks_of_a_png_are_where_readers_look_for_them():
    image = opened(embedded(a_picture(), GENERATION))

    assert list(image.text) == ["inpaint_studio", "parameters", "XML:com.adobe.xmp"]


@formats
def test_the_switch_strips_everything_but_the_colour_profile(format):
    image = a_picture()
    image.info |= {"icc_profile": b"profile" * 20, "comment": b"SECRET", "exif": b"SECRET", "Title": "SECRET"}

    data = embedded(image, GENERATION, format=format, metadata=False)

    assert opened(data).info["icc_profile"] == image.info["icc_profile"]
    assert read(data) is None
    assert carried_by(open_picture(data)) == type(carried_by(open_picture(data)))()
    assert all(word not in data for word in (b"SECRET", b"balloon", b"Inpaint Studio", b"xmpmeta"))


@formats
def test_the_colour_profile_is_kept_and_no_other_entry_of_the_picture(format):
    image = a_picture()
    image.info |= {"icc_profile": b"profile" * 20, "comment": b"SECRET", "transparency": (1, 2, 3), "Title": "SECRET"}

    data = embedded(image, GENERATION, format=format)

    assert opened(data).info["icc_profile"] == image.info["icc_profile"]
    assert b"SECRET" not in data
    assert "transparency" not in opened(data).info


@formats
def test_no_path_no_address_and_no_name_of_a_machine_file_or_session_leaves(format):
    generation = replace(GENERATION, params=GENERATION.params.changed(model="/home/SECRET/models/my-model"))

    data = embedded(a_picture(), generation, format=format)

    assert all("SECRET".encode(encoding) not in data for encoding in ("utf-8", "utf-16-be", "utf-16-le"))
    assert read(data).params["model"] == "my-model"


@pytest.mark.parametrize(
    ("model", "repository", "shared"),
    [
        ("sd15-inpainting", None, "sd15-inpainting"),
        ("owner/name", "owner/name", "owner/name"),
        ("owner/name@refs-1", "owner/name", "owner/name@refs-1"),
        ("models/mine", None, "mine"),
        ("../mine/", None, "mine"),
        ("~/deep/folder/mine", None, "mine"),
        ("C:\\models\\mine", None, "mine"),
        ("/", None, "local folder"),
    ],
)
def test_of_a_model_in_a_folder_only_the_folders_name_is_shared(model, repository, shared):
    generation = a_generation(model=model, record={"model": {"key": model, "repository": repository}})

    record = ours.record_of(generation)

    assert (record["params"]["model"], record["model"]["key"]) == (shared, shared)
    assert f"Model: {shared}" in a1111.text_of(generation)


def test_what_decides_the_pixels_is_in_the_record():
    record = ours.record_of(GENERATION)

    assert record["schema"] == 1
    assert record["hashes"] == {
        "source": GENERATION.source,
        "mask": GENERATION.mask,
        "pixels": GENERATION.pixels_sha256,
    }
    assert record["model"] == {
        "key": "sd15-inpainting",
        "repository": "owner/name",
        "revision": GENERATION.model_revision,
        "weights": {"unet/model.safetensors": "sha256:00"},
    }
    assert record["run"]["crop"] == [10, 20, 410, 420]
    assert record["run"]["effective_steps"] == 24
    assert record["run"]["inpainter"]["scheduler"] == GENERATION.record.inpainter.scheduler
    assert record["environment"] == {
        "torch": "2.13.0",
        "os": "Debian GNU/Linux 12",
        "app_commit": "0123456789abcdef0123",
    }
    assert (record["device"], record["dtype"]) == ("cuda:0", "float16")
    assert record["created_at"] == "2026-01-02T03:04:05.000678+00:00"
    assert record["program"] == {"name": "Inpaint Studio", "version": "0123456789ab"}


def test_a_generation_that_never_ran_can_be_written_too():
    generation = replace(GENERATION, record=NO_RECORD, environment={}, model_revision=None, pixels_sha256=None)

    found = read(embedded(a_picture(), generation))

    assert found.params == GENERATION.params.model_dump()
    assert found.record["program"]["version"] == __version__


def test_a_record_too_long_for_one_segment_of_a_jpeg_goes_on_in_the_next():
    generation = a_generation(record={**GENERATION.record.raw, "timesteps": list(range(20_000))})

    data = embedded(a_picture(), generation, format="JPEG")

    assert read(data).record == ours.record_of(generation)
    assert read(data).record["run"]["timesteps"][-1] == 19_999
    assert data.count(xmp.IN_JPEG) == 2


def test_an_extension_of_which_a_part_is_missing_or_another_files_is_no_record():
    generation = a_generation(record={**GENERATION.record.raw, "timesteps": list(range(20_000))})
    data = embedded(a_picture(), generation, format="JPEG")
    begin = data.rindex(xmp.IN_JPEG) - 4
    length = int.from_bytes(data[begin + 2 : begin + 4], "big") + 2
    digest = data[data.index(xmp.IN_JPEG) + len(xmp.IN_JPEG) :][:32]

    lacking = data[:begin] + data[begin + length :]
    foreign = data.replace(xmp.IN_JPEG + digest, xmp.IN_JPEG + b"0" * 32)

    assert read(lacking).tool == read(foreign).tool == "a1111"


@formats
def test_the_longest_prompts_fit(format):
    longest = MAX_PROMPT
    generation = a_generation(prompt="\U0001f388" * longest, negative_prompt="\x01" * longest)

    data = embedded(a_picture(), generation, format=format)

    assert read(data).params == generation.params.model_dump()
    assert read(data).record == ours.record_of(generation)


def test_a_prompt_too_long_for_exif_in_a_jpeg_is_cut_there_and_settings_stay():
    data = embedded(a_picture(), a_generation(prompt="ж" * 20_000, negative_prompt="я" * 20_000), format="JPEG")

    said = a1111.parse(carried_by(open_picture(data)).exif(USER_COMMENT))

    assert said.prompt == "ж" * write.LONGEST_IN_JPEG + " ..."
    assert said.negative == "я" * write.LONGEST_IN_JPEG + " ..."
    assert said.pairs["Seed"] == "4294967295"


def inner_entries(block: bytes) -> dict[int, tuple[int, bytes]]:
    """Types and bytes of the inner directory's entries, read by the standard as piexif does; its own reader here."""
    order = {b"MM": ">", b"II": "<"}[block[6:8]]
    tiff = block[6:]

    def entries(at):
        for number in range(struct.unpack_from(f"{order}H", tiff, at)[0]):
            tag, kind, count, value = struct.unpack_from(f"{order}HHII", tiff, at + 2 + 12 * number)
            yield tag, kind, count, value

    inner = next(value for tag, _, _, value in entries(struct.unpack_from(f"{order}I", tiff, 4)[0]) if tag == 0x8769)
    return {tag: (kind, tiff[value : value + count]) for tag, kind, count, value in entries(inner)}


def exif_block(data: bytes, format: str) -> bytes:
    """As it stands in the file."""
    if format == "JPEG":
        begin = data.index(b"Exif\0\0")
        return data[begin : begin + int.from_bytes(data[begin - 2 : begin], "big")]
    begin = max(data.find(b"II*\0"), data.find(b"MM\0*"))
    return b"Exif\0\0" + data[begin:]


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_the_user_comment_is_of_the_type_that_the_standard_asks_for(format):
    data = embedded(a_picture(), GENERATION, format=format)

    kind, comment = inner_entries(exif_block(data, format))[0x9286]

    assert kind == 7
    assert comment == b"UNICODE\0" + a1111.text_of(GENERATION).encode("utf-16-be")


def test_other_tags_of_bytes_keep_their_types_and_text_stays_text():
    before = Image.Exif()
    before[0x010F] = "A maker"
    before.get_ifd(0x8769)[0x9000] = b"0232"
    before.get_ifd(0x8769)[0xA002] = 640

    block = exif.with_comment("said", before)
    after = Image.Exif()
    after.load(block)

    assert inner_entries(block)[0x9000][0] == 7
    assert inner_entries(block)[0xA002][0] in (3, 4)
    assert (after[0x010F], after.get_ifd(0x8769)[0xA002]) == ("A maker", 640)


def test_the_programs_version_is_told_where_there_is_no_git():
    generation = replace(GENERATION, environment={"torch": "2.13.0"})

    assert a1111.text_of(generation).endswith(f"Version: Inpaint Studio {__version__}")
    assert (
        f"<xmp:CreatorTool>Inpaint Studio {__version__}</xmp:CreatorTool>"
        in carried_by(open_picture(embedded(a_picture(), generation))).xmp
    )


def test_transparent_parts_are_laid_on_white_for_jpeg():
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))

    written = opened(embedded(image, GENERATION, format="JPEG"))

    assert written.mode == "RGB"
    assert written.getpixel((16, 16)) == (255, 255, 255)


def test_avif_keeps_transparency():
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))

    assert opened(embedded(image, GENERATION, format="AVIF")).getpixel((16, 16))[3] == 0


@pytest.mark.parametrize(
    ("image", "format", "words"),
    [
        (a_picture(mode="I;16"), "JPEG", "Choose PNG"),
        (a_picture(mode="I;16"), "WEBP", "Choose PNG"),
        (Image.new("RGB", (16_384, 16)), "WEBP", "16383 pixels a side"),
        (Image.new("P", (32, 32)), "PNG", "Convert it to RGB"),
        (a_picture(), "TIFF", "PNG, WEBP, JPEG, AVIF"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_with_a_message(image, format, words):
    with pytest.raises(InvalidImage, match=words):
        embedded(image, GENERATION, format=format)


@pytest.mark.parametrize("letter", ["x", "é", "🙂"])
@pytest.mark.parametrize("length", [10, 7_000, 20_000])
def test_a_jpeg_holds_what_has_room_beside_the_photos_own_words_and_the_record_always(letter, length):
    generation = a_generation(prompt=letter * length, negative_prompt=letter * length)
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Canon"
    exif[ExifTags.Base.Copyright] = b"c" * 30_000

    data = embedded(a_picture(), generation, format="JPEG", exif=exif)

    assert read(data).params == generation.params.model_dump()
    assert (ExifTags.Base.Make in opened(data).getexif()) is (letter != "🙂" or length == 10)
