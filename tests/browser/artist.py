"""Somebody in front of a real browser, and what they need: a running dashboard and Chromium."""

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
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from core.bootstrap import Studio, build_studio
from core.settings import Settings
from tests.fakes import FakeCatalogue, FakeLoader, InlineDispatcher

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "assets" / "samples" / "mountain-meadow.jpg"
POCKET = ROOT / "assets" / "models" / "pocket-inpaint" / "model_index.json"
PATIENCE_S = 200
"""A machine that also does other things may take long; a quiet one answers in a tenth of it."""
PRESSES = 8


@contextmanager
def dashboard(data: Path) -> Iterator[str]:
    """The address of a running dashboard on a data folder of its own."""
    with running_dashboard(data) as (address, _):
        yield address


@contextmanager
def running_dashboard(
    data: Path, in_child: Callable[[], None] | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Its address, and its process. in_child: called in that process, before it becomes the dashboard."""
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
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env=inherited | ours,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=in_child,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(f"{address}/_stcore/health") or server.poll(), "the server answers", log.read_text)
        assert server.poll() is None, log.read_text()
        yield address, server
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            raise


def filled_studio(data: Path) -> Studio:
    """To fill the gallery of a dashboard with what stand-ins have painted, at once, before it is opened."""
    return build_studio(
        Settings(data=data, _env_file=None),
        FakeLoader(),
        catalogue=FakeCatalogue(),
        dispatcher=lambda worker: InlineDispatcher(worker.run),
        resolve_device=lambda wish: "cpu",
    )


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def chromium() -> Iterator[Any]:
    """Raises FileNotFoundError where there is none, ImportError without playwright."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("INPAINT_STUDIO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise FileNotFoundError("there is no Chromium on this machine")
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *quiet])
        yield browser
        browser.close()


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

    def open_photo(self, photo: Path = PHOTO, *, simple_canvas: bool = False) -> None:
        self.page.goto(f"{self.address}/Inpaint")
        self.page.locator("input[type=file]").first.set_input_files(photo)
        self.see_painter()
        if simple_canvas:
            self.page.get_by_text("Simple canvas").click()
            self.stage.wait_for(state="detached")
            self.canvas.wait_for()
            self.see_rest()

    def see_painter(self) -> None:
        self.stage.locator("canvas.upper-canvas").wait_for()
        self.page.locator(".painter[data-stored=true]").wait_for()
        self.see_rest()

    def go_to(self, page: str) -> None:
        """By the sidebar, which is folded where there is no room for it."""
        link = self.page.get_by_test_id("stSidebar").get_by_role("link", name=page, exact=True)
        if self.page.get_by_test_id("stSidebar").get_attribute("data-collapsed") == "true":
            self.page.get_by_test_id("stExpandSidebarButton").click()
        link.click()

    def see_rest(self) -> None:
        """Until the page has run, and nothing moves any more."""
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()

    @property
    def stage(self) -> Any:
        """The window of the painter."""
        return self.page.locator(".painter .stage")

    @property
    def picture_box(self) -> dict[str, float]:
        """Where the picture is seen on the screen, as far as it is: not zoomed, that is all of it."""
        stage, picture = self.stage.bounding_box(), self.page.locator(".painter .picture").bounding_box()
        left, top = max(stage["x"], picture["x"]), max(stage["y"], picture["y"])
        right = min(stage["x"] + stage["width"], picture["x"] + picture["width"])
        bottom = min(stage["y"] + stage["height"], picture["y"] + picture["height"])
        return {"x": left, "y": top, "width": right - left, "height": bottom - top}

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
        slider = self.page.get_by_role("slider", name=title)
        if slider.input_value() == slider.get_attribute("min" if key == "Home" else "max"):
            # What was used last comes back, also for somebody else.
            return
        before = self.draft["params"].get(name)
        slider.press(key)
        wait_until(lambda: self.draft["params"].get(name) != before, f"{title} is stored")

    def take_few_steps(self) -> None:
        """Two: at the strength with which a first picture begins, one would be none."""
        slider = self.page.get_by_role("slider", name="Steps")
        if slider.input_value() == "2":
            return

        # Again if it was lost, as a person would: a page that is just being drawn anew may take no key.
        for _ in range(PRESSES):
            slider.press("Home")
            slider.press("ArrowRight")
            if self._takes_steps(2):
                return
        raise AssertionError(f"{slider.input_value()} steps are shown, and stored: {self.draft['params']}")

    def _takes_steps(self, steps: int) -> bool:
        ends = time.monotonic() + PATIENCE_S / PRESSES
        while time.monotonic() < ends:
            if self.draft["params"].get("num_inference_steps") == steps:
                return True
            time.sleep(0.05)
        return False

    def generate(self) -> None:
        before = len(self.draft["generations"])
        self.page.get_by_role("button", name="Generate").click()
        wait_until(lambda: len(self.draft["generations"]) > before or self.rows, "it is submitted")

    def see_result(self) -> None:
        self.page.get_by_text("Outside the mask: unchanged (checked)").wait_for()
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
    def mask(self) -> Image.Image | None:
        """What the painter has painted, as it is stored."""
        key = self.draft["base_mask"]
        return self.image(key) if key else None

    @property
    def rows(self) -> list[dict[str, Any]]:
        ids = self.draft["generations"]
        return self._query(f"SELECT * FROM generations WHERE id IN ({','.join('?' * len(ids))})", *ids)

    def all_rows(self, source: str) -> list[dict[str, Any]]:
        """Everything that was ever submitted with this picture."""
        return self._query("SELECT * FROM generations WHERE source = ?", source)

    def image(self, key: str) -> Image.Image:
        name = key.removeprefix("sha256:")
        return Image.open(self.data / "images" / name[:2] / f"{name}.png")

    def _query(self, sql: str, *values: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.data / 'studio.db'}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(sql, values)]
