"""The painter beside the simple canvas, in real Chromium, with the same strokes: how true, how fast, how many bytes.

    python -m tests.benchmarks.painter

A stroke is a polyline of whole pixels of the screen, walked by the mouse. The ideal is what a round brush of exactly
that size covers of the picture: each pixel whose middle is no further from the line than half the brush. Likeness is
intersection over union with it, at the picture's full size. Latency runs from the mouse button's release in the page
until the caption shows another share, and until the draft in the database has changed. Bytes are what the websocket
carried for one stroke, in both directions.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.domain.files.painted_mask import painted_size
from core.domain.geometry import Size
from core.domain.pixels.drawing import Drawing, canvas_size
from core.domain.pixels.mask import Mask
from tests.browser.artist import PHOTO, Artist, chromium, dashboard

Points = list[tuple[float, float]]

STROKES: dict[str, Points] = {
    "line": [(0.2, 0.3), (0.7, 0.6)],
    "arc": [(0.5 + 0.3 * math.cos(a / 10), 0.5 + 0.3 * math.sin(a / 10)) for a in range(36)],
    "zigzag": [(0.2 + 0.06 * n, 0.4 if n % 2 else 0.6) for n in range(10)],
}
BRUSHES_PX = (8, 40, 100)
"""Of the screen; the simple canvas has 4 to 120."""

STEPS = 8
"""Positions of the mouse between two points of a stroke."""


@dataclass
class Wire:
    """Bytes on the websockets of a page."""

    up: int = 0
    down: int = 0

    def watch(self, page: Any) -> None:
        page.on("websocket", self._listen)

    def _listen(self, socket: Any) -> None:
        socket.on("framesent", lambda payload: self._count("up", payload))
        socket.on("framereceived", lambda payload: self._count("down", payload))

    def _count(self, way: str, payload: Any) -> None:
        setattr(self, way, getattr(self, way) + len(payload))


@dataclass
class Measured:
    """Of the strokes with one brush on one canvas. likeness: 0 to 1. caption_s, stored_s: seconds."""

    likeness: list[float] = field(default_factory=list)
    caption_s: list[float] = field(default_factory=list)
    stored_s: list[float] = field(default_factory=list)
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        caption = f"{1000 * statistics.median(self.caption_s):.0f}" if self.caption_s else ""
        return (
            f" {min(self.likeness):.3f} | {statistics.mean(self.likeness):.3f} | {caption} |"
            f" {1000 * statistics.median(self.stored_s):.0f} | {statistics.median(self.up) / 1000:.1f} |"
            f" {statistics.median(self.down) / 1000:.1f} |"
        )


class SimpleCanvas:
    title = "simple canvas"

    def __init__(self, mia: Artist, picture: Size) -> None:
        self.mia, self.picture = mia, picture

    @property
    def window(self) -> dict[str, float]:
        return self.mia.canvas.bounding_box()

    def take_brush(self, px: int) -> None:
        slider = self.mia.page.get_by_role("slider", name="Brush size")
        while (now := int(slider.input_value())) != px:
            slider.press("ArrowRight" if now < px else "ArrowLeft")
        self.mia.page.wait_for_timeout(1500)
        self.px = px

    def in_picture(self, points: Points) -> Points:
        box = self.window
        return [
            ((x - box["x"]) * self.picture.width / box["width"], (y - box["y"]) * self.picture.height / box["height"])
            for x, y in points
        ]

    @property
    def brush(self) -> float:
        """In pixels of the picture."""
        return self.px * self.picture.width / self.window["width"]

    def mask(self) -> Mask:
        draft = self.mia.draft
        drawing = Drawing.from_json(draft["drawing"], canvas_size(self.picture, draft["canvas_width"]))
        return drawing.mask(self.picture)

    def clear(self) -> None:
        self.mia.page.get_by_role("button", name="Clear").click()
        settled(self.mia, lambda: self.mia.draft["drawing"] is None)

    caption = """() => [...document.querySelectorAll("[data-testid=stCaptionContainer]")]
        .map((e) => e.textContent).find((t) => /painted|repainted/.test(t))"""


class Painter:
    title = "painter"

    def __init__(self, mia: Artist, picture: Size) -> None:
        self.mia, self.picture = mia, picture
        self.larger = picture.width / painted_size(picture).width

    @property
    def window(self) -> dict[str, float]:
        return self.mia.picture_box

    def take_brush(self, px: int) -> None:
        _, _, zoom = self.transform
        widest = math.log(max(painted_size(self.picture)) / 2)
        value = round(1000 * math.log(px / zoom) / widest)
        self.mia.page.locator(".painter input[name=size]").evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})) }",
            value,
        )
        self.brush = math.exp(value / 1000 * widest) * self.larger

    @property
    def transform(self) -> tuple[float, float, float]:
        style = self.mia.page.locator(".painter .scene").first.get_attribute("style")
        numbers = re.search(r"translate\(([-\d.]+)px, ([-\d.]+)px\) scale\(([\d.]+)\)", style).groups()
        left, top, zoom = map(float, numbers)
        return left, top, zoom

    def in_picture(self, points: Points) -> Points:
        box, (left, top, zoom) = self.mia.stage.bounding_box(), self.transform
        scale = self.larger / zoom
        return [((x - box["x"] - left) * scale, (y - box["y"] - top) * scale) for x, y in points]

    def zoom_in(self, times: int) -> None:
        self.mia.stage.focus()
        for _ in range(times):
            self.mia.page.keyboard.press("+")

    def mask(self) -> Mask:
        return Mask.from_image(self.mia.mask).resized(self.picture)

    def clear(self) -> None:
        self.mia.stage.focus()
        self.mia.page.keyboard.press("Delete")
        settled(self.mia, lambda: self.mia.draft["base_mask"] is None)

    caption = """() => [...document.querySelectorAll("*")].map((e) => e.shadowRoot?.querySelector(".painter .words"))
        .find(Boolean)?.textContent"""


def settled(mia: Artist, is_so: Callable[[], bool]) -> None:
    while not is_so():
        time.sleep(0.02)
    mia.page.wait_for_timeout(700)


def ideal(picture: Size, points: Points, brush: float) -> np.ndarray:
    covered = np.zeros((picture.height, picture.width), bool)
    radius = brush / 2
    for (ax, ay), (bx, by) in zip(points, points[1:], strict=False):
        left, right = max(0, int(min(ax, bx) - radius) - 1), min(picture.width, int(max(ax, bx) + radius) + 2)
        top, bottom = max(0, int(min(ay, by) - radius) - 1), min(picture.height, int(max(ay, by) + radius) + 2)
        y, x = np.mgrid[top:bottom, left:right] + 0.5
        length = (bx - ax) ** 2 + (by - ay) ** 2
        t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1) if length else 0
        covered[top:bottom, left:right] |= np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)) <= radius
    return covered


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return np.count_nonzero(one & other) / max(1, np.count_nonzero(one | other))


def walk(canvas: SimpleCanvas | Painter, stroke: Points) -> Points:
    """The places of the mouse, in whole pixels of the screen."""
    box = canvas.window
    places = [(round(box["x"] + x * box["width"]), round(box["y"] + y * box["height"])) for x, y in stroke]
    walked: Points = [places[0]]
    for (ax, ay), (bx, by) in zip(places, places[1:], strict=False):
        steps = STEPS if len(stroke) < 20 else 2
        walked += [(round(ax + (bx - ax) * n / steps), round(ay + (by - ay) * n / steps)) for n in range(1, steps + 1)]
    return walked


WATCH = """(caption) => {
  const read = eval(caption)
  const before = read()
  window.measured = null
  addEventListener("pointerup", () => {
    const up = performance.now()
    const look = () => read() === before ? requestAnimationFrame(look) : (window.measured = performance.now() - up)
    look()
  }, { capture: true, once: true })
}"""


def paint(canvas: SimpleCanvas | Painter, stroke: Points, wire: Wire, measured: Measured, has_caption: bool) -> None:
    mia, mouse = canvas.mia, canvas.mia.page.mouse
    mia.page.evaluate(WATCH, canvas.caption)
    before = json.dumps(mia.draft)
    walked = walk(canvas, stroke)
    wire.up = wire.down = 0
    mouse.move(*walked[0])
    mouse.down()
    for place in walked[1:]:
        mouse.move(*place)
    mouse.up()
    at = time.perf_counter()
    while json.dumps(mia.draft) == before:
        time.sleep(0.002)
    measured.stored_s.append(time.perf_counter() - at)
    mia.page.wait_for_timeout(1200)
    if has_caption and (caption_ms := mia.page.evaluate("() => window.measured")) is not None:
        measured.caption_s.append(caption_ms / 1000)
    measured.up.append(wire.up)
    measured.down.append(wire.down)
    covered = canvas.mask().pixels > 0
    measured.likeness.append(likeness(covered, ideal(canvas.picture, canvas.in_picture(walked), canvas.brush)))


def measure(mia: Artist, canvas: SimpleCanvas | Painter, wire: Wire, zoomed: str = "") -> None:
    for px in BRUSHES_PX:
        measured = Measured()
        canvas.take_brush(px)
        for stroke in STROKES.values():
            paint(canvas, stroke, wire, measured, has_caption=px > BRUSHES_PX[0])
            canvas.clear()
        print(f"| {canvas.picture} | {canvas.title}{zoomed} | {px} |{measured}", flush=True)


def run(size: Size, folder: Path, browser: Any, address: str) -> None:
    photo = folder / f"{size.width}.jpg"
    Image.open(PHOTO).resize(tuple(size)).save(photo, quality=95)
    for kind in (SimpleCanvas, Painter):
        context = browser.new_context(viewport={"width": 1440, "height": 1200})
        page, wire = context.new_page(), Wire()
        page.set_default_timeout(120_000)
        wire.watch(page)
        mia = Artist(page, address, folder)
        mia.open_photo(photo, simple_canvas=kind is SimpleCanvas)
        page.wait_for_timeout(2000)
        canvas = kind(mia, size)
        measure(mia, canvas, wire)
        if isinstance(canvas, Painter):
            canvas.zoom_in(4)
            measure(mia, canvas, wire, " at 4 x")
        context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", action="append", help="of the picture, as 1280x852; may be given several times")
    sizes = [Size(*map(int, text.split("x"))) for text in parser.parse_args().size or ["1280x852", "6000x4000"]]
    print(
        "| picture | canvas | brush, screen px | likeness, worst | mean | caption ms | stored ms | kB up | kB down |"
        "\n|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder, dashboard(Path(folder)) as address, chromium() as browser:
        for size in sizes:
            run(size, Path(folder), browser, address)


if __name__ == "__main__":
    main()
