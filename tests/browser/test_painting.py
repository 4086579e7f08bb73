"""The main job in a real browser: upload a photo, paint with the mouse, generate, and look at what is on disk."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.domain.mask import Mask

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "assets" / "samples" / "mountain-meadow.jpg"
POCKET = ROOT / "assets" / "models" / "pocket-inpaint" / "model_index.json"
PATIENCE_S = 400
"""A machine that also does other things may take long; a quiet one answers in a tenth of it."""

BRUSH_PX = 40

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def unavailable(reason: str) -> None:
    """Where the browser test has to run, its absence is a failure."""
    if os.environ.get("INPAINT_STUDIO_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def address(data) -> Iterator[str]:
    """A running dashboard on a data folder of its own."""
    if not POCKET.is_file():
        unavailable(f"the pocket model is missing: {POCKET.parent.relative_to(ROOT)}")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = {
        "INPAINT_STUDIO_DATA": str(data),
        "INPAINT_STUDIO_OFFLINE": "true",
        "INPAINT_STUDIO_MODEL": "pocket-inpaint",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INPAINT_STUDIO_")}
    command = [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1", "--server.fileWatcherType=none"]
    log = data / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=inherited | ours, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/_stcore/health"), "the server answers", log.read_text)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("playwright is not installed")
    path = os.environ.get("INPAINT_STUDIO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        unavailable("there is no Chromium on this machine")
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *quiet])
        yield browser
        browser.close()


@pytest.fixture
def artist(chromium, address, data) -> Iterator[Callable[[], Artist]]:
    """Each artist works in a browser of their own. What their pages log as an error fails the test."""
    contexts, crashes = [], []

    def new_artist() -> Artist:
        contexts.append(chromium.new_context(viewport={"width": 1440, "height": 1200}))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: crashes.append(str(error)))
        return Artist(page, address, data)

    yield new_artist
    for context in contexts:
        context.close()
    assert not crashes


def wait_until(is_so: Callable[[], Any], what: str, details: Callable[[], str] = str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited in vain until {what}\n{details()[-3000:]}")


class Artist:
    """Somebody in front of a browser, and what the data folder holds of their work."""

    def __init__(self, page: Any, address: str, data: Path) -> None:
        self.page, self.address, self.data = page, address, data

    # In front of the screen

    def open_photo(self) -> None:
        self.page.goto(f"{self.address}/Inpaint")
        self.page.locator("input[type=file]").first.set_input_files(PHOTO)
        self.canvas.wait_for()

    @property
    def canvas(self) -> Any:
        return self.page.locator("canvas.upper-canvas")

    def paint(self, *points: tuple[float, float]) -> None:
        """With the mouse, along points given as shares of the canvas; on return the stroke is stored."""
        before = len(self.strokes)
        self.canvas.scroll_into_view_if_needed()
        box = self.canvas.bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=12)
        self.page.mouse.up()
        wait_until(lambda: len(self.strokes) == before + 1, "the stroke is stored")

    def type_prompt(self, words: str) -> None:
        field = self.page.get_by_role("textbox", name="Prompt", exact=True)
        field.fill(words)
        field.press("Tab")
        wait_until(lambda: self.draft["params"].get("prompt") == words, "the prompt is stored")

    def slide(self, title: str, name: str, key: str) -> None:
        """Home: as low as it goes; End: as high."""
        before = self.draft["params"].get(name)
        self.page.get_by_role("slider", name=title).press(key)
        wait_until(lambda: self.draft["params"].get(name) != before, f"{title} is stored")

    def generate(self) -> None:
        before = len(self.draft["generations"])
        self.page.get_by_role("button", name="Generate").click()
        wait_until(lambda: len(self.draft["generations"]) > before or self.rows, "it is submitted")

    def see_result(self) -> None:
        self.page.get_by_text("Outside the mask: unchanged, checked").wait_for()
        self.page.get_by_role("img", name="After").wait_for()

    # What is on disk

    @property
    def draft(self) -> dict[str, Any]:
        id = self.page.url.partition("draft=")[2]
        found = self._query("SELECT draft_json FROM drafts WHERE id = ?", id)
        return json.loads(found[0]["draft_json"])

    @property
    def strokes(self) -> list[dict[str, Any]]:
        return json.loads(self.draft["drawing"] or '{"objects": []}')["objects"]

    @property
    def rows(self) -> list[dict[str, Any]]:
        ids = self.draft["generations"]
        return self._query(f"SELECT * FROM generations WHERE id IN ({','.join('?' * len(ids))})", *ids)

    def image(self, key: str) -> Image.Image:
        name = key.removeprefix("sha256:")
        return Image.open(self.data / "images" / name[:2] / f"{name}.png")

    def _query(self, sql: str, *values: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.data / 'studio.db'}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(sql, values)]


def a_line_in(size: tuple[int, int], canvas_width: int, *points: tuple[float, float]) -> np.ndarray:
    """What a round brush would cover in a picture of this size."""
    width, height = size
    brush = BRUSH_PX * width / canvas_width
    image = Image.new("1", size)
    pen = ImageDraw.Draw(image)
    places = [(x * width, y * height) for x, y in points]
    pen.line(places, fill=1, width=round(brush))
    for x, y in places:
        pen.ellipse((x - brush / 2, y - brush / 2, x + brush / 2, y + brush / 2), fill=1)
    return np.asarray(image)


def test_the_mask_is_where_the_mouse_went_and_no_other_pixel_changed(artist):
    line = [(0.3, 0.4), (0.6, 0.5), (0.5, 0.7)]
    mia = artist()
    mia.open_photo()
    mia.slide("Steps", "num_inference_steps", "Home")
    mia.type_prompt("a red ball")

    mia.paint(*line)
    mia.generate()
    mia.see_result()

    [row] = mia.rows
    source, result = np.asarray(mia.image(row["source"])), np.asarray(mia.image(row["output"]))
    mask = Mask.from_image(mia.image(row["mask"]))
    assert row["status"] == "succeeded"
    assert row["prompt"] == "a red ball"
    with Image.open(PHOTO) as photo:
        assert np.array_equal(source, np.asarray(photo))
        drawn = a_line_in(photo.size, mia.draft["canvas_width"], *line)
    painted = mask.pixels > 0
    assert np.count_nonzero(painted & drawn) / np.count_nonzero(painted | drawn) > 0.93
    outside = mask.grown(json.loads(row["params_json"])["mask_grow_px"]).pixels == 0
    assert np.array_equal(source[outside], result[outside])
    assert (source[painted] != result[painted]).any()


def test_a_refresh_and_another_page_keep_the_picture_the_drawing_and_the_parameters(artist):
    mia = artist()
    mia.open_photo()
    mia.paint((0.2, 0.2), (0.4, 0.3))
    mia.page.get_by_role("radio", name="Rectangle").click()
    mia.paint((0.6, 0.6), (0.8, 0.8))
    mia.type_prompt("a green tree")
    before, address = mia.strokes, mia.page.url

    mia.page.reload()
    mia.canvas.wait_for()
    mia.page.get_by_text("will be repainted").wait_for()
    mia.paint((0.2, 0.7), (0.4, 0.7))

    assert mia.page.url == address
    assert [stroke["left"] for stroke in mia.strokes[:2]] == [stroke["left"] for stroke in before]
    assert mia.page.get_by_text("mountain-meadow.jpg").is_visible()
    assert mia.page.get_by_role("textbox", name="Prompt", exact=True).input_value() == "a green tree"

    mia.page.get_by_role("link", name="Gallery").first.click()
    mia.page.get_by_role("heading", name="Gallery").wait_for()
    mia.page.get_by_role("link", name="Inpaint", exact=True).first.click()
    mia.canvas.wait_for()
    mia.page.get_by_text("will be repainted").wait_for()
    mia.paint((0.2, 0.9), (0.4, 0.9))

    assert len(mia.strokes) == 4
    assert mia.page.url == address
    assert mia.page.get_by_role("textbox", name="Prompt", exact=True).input_value() == "a green tree"


def test_a_long_run_goes_on_over_a_refresh_and_can_be_cancelled(artist):
    mia = artist()
    mia.open_photo()
    mia.slide("Steps", "num_inference_steps", "End")
    images = mia.page.get_by_role("spinbutton", name="Images")
    images.fill("8")
    images.press("Tab")
    wait_until(lambda: mia.draft["params"]["count"] == 8, "the number of images is stored")
    mia.paint((0.3, 0.4), (0.6, 0.5))
    mia.generate()

    mia.page.reload()
    mia.page.get_by_role("button", name="Cancel").click()
    mia.page.get_by_text("Image 8: Cancelled").wait_for()

    ended = wait_until(lambda: all(row["finished_at"] for row in mia.rows) and mia.rows, "all have ended")
    statuses = [row["status"] for row in ended]
    assert len(statuses) == 8
    assert set(statuses) <= {"cancelled", "succeeded"}
    assert statuses.count("cancelled") >= 6
    mia.page.get_by_role("button", name="Generate").wait_for()


def test_two_artists_who_generate_at_the_same_time_both_get_their_pictures(artist):
    mia, noa = artist(), artist()
    lines = {mia: [(0.2, 0.3), (0.4, 0.3)], noa: [(0.6, 0.7), (0.8, 0.7)]}
    for someone, line in lines.items():
        someone.open_photo()
        someone.slide("Steps", "num_inference_steps", "Home")
        someone.paint(*line)

    mia.generate()
    noa.generate()
    mia.see_result()
    noa.see_result()

    for someone, line in lines.items():
        [row] = someone.rows
        mask = np.asarray(someone.image(row["mask"])) > 0
        drawn = a_line_in(mask.shape[::-1], someone.draft["canvas_width"], *line)
        assert row["status"] == "succeeded"
        assert np.count_nonzero(mask & drawn) / np.count_nonzero(mask | drawn) > 0.9
    assert mia.rows[0]["session"] != noa.rows[0]["session"]
