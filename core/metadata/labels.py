"""Tools that say who made a picture, and next to nothing of how: Midjourney, and what bears content credentials."""

from __future__ import annotations

import re

from core.domain.imported import Imported
from core.metadata.carriers import Carried

# Midjourney: the prompt with its options, in a description.
MIDJOURNEY = "midjourney"
DESCRIPTIONS = ("Description", "exif:ImageDescription", "xmp:description", "comment")
SIGNS = ("xmp:DigitalImageGUID", "xmp:DigImageGUID")
JOB = re.compile(r"\s*Job ID: *[0-9a-f-]{32,40}", re.IGNORECASE)
OPTIONS = re.compile(r"\s--(?:ar|aspect|v|version|niji|s|stylize|chaos|c|q|quality|seed|style|raw|no|iw|weird|tile)\b")
SEED = re.compile(r"\s--seed +(\d{1,20})\b")
NO = re.compile(r"\s--no +([^-]{1,2000})")


def read_midjourney(carried: Carried) -> Imported | None:
    for name in DESCRIPTIONS:
        text = carried.texts.get(name, "")[:100_000]
        is_signed = "Author" in carried.texts or any(sign in carried.texts for sign in SIGNS)
        if JOB.search(text) or (is_signed and OPTIONS.search(text)):
            said = JOB.sub("", text)
            prompt = OPTIONS.split(said, maxsplit=1)[0].strip()
            seed, no = SEED.search(said), NO.search(said)
            found = {"prompt": prompt, "seed": seed and seed[1], "negative_prompt": no and no[1].strip()}
            return Imported.of(MIDJOURNEY, found, raw={"options": said[len(prompt) :].strip() or None})
    return None


# C2PA: a signed box of binary data.
BOX = b"c2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"
"""The identifier that each store of content credentials begins with, in every file format."""

MAX_STORE = 2 * 2**20
IS_GENERATED = re.compile(rb"digitalsourcetype/(?:compositeWith)?TrainedAlgorithmicMedia", re.IGNORECASE)
MAKERS = (
    ("openai", re.compile(rb"OpenAI|ChatGPT|GPT-4o|gpt-image|DALL.{1,3}E", re.DOTALL)),
    ("google", re.compile(rb"Google|Gemini|Imagen")),
    ("adobe", re.compile(rb"Adobe|Firefly")),
)
CREDENTIALS = "c2pa"


def read_credentials(data: bytes) -> Imported | None:
    """Who made a picture that says it was generated. What a camera or an editor signed is no generation."""
    begin = data.find(BOX)
    if begin < 0:
        return None
    store = data[begin : begin + MAX_STORE]
    if not IS_GENERATED.search(store):
        return None
    return Imported.of(next((tool for tool, words in MAKERS if words.search(store)), CREDENTIALS), {})


def read_source_type(carried: Carried) -> Imported | None:
    """The same said in XMP, which stays when a picture is exported."""
    if not IS_GENERATED.search(carried.xmp.encode("utf-8", "replace")):
        return None
    words = " ".join(carried.texts.get(f"xmp:{name}", "") for name in ("Credit", "CreatorTool", "creator"))
    maker = next((tool for tool, name in MAKERS if name.search(words.encode("utf-8", "replace"))), None)
    return Imported.of(maker, {}) if maker else None
