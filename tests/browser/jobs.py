"""Four complete jobs in a real browser, as a series of pictures: remove, add, extend, repair softly.

    python -m tests.browser.jobs FOLDER

Starts a dashboard of its own, uses the bundled models and the sample photographs (the first one enlarged to 24
megapixels), and writes screenshots and, for each job, the picture before and after as it lies in the gallery.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.browser.artist import ROOT, Artist, chromium, dashboard, wait_until

SAMPLES = ROOT / "assets" / "samples"
LARGE = (5656, 4242)
"""24 megapixels."""

SCREEN = {"width": 1440, "height": 900}
SHOWN = (1440, 900)


@dataclass
class Job:
    """One job: its name, and what it leaves behind."""

    name: str
    mia: Artist
    folder: Path
    shots: int = 0

    def shoot(self, what: str) -> None:
        self.shots += 1
        # Where it points at nothing, and no help is shown.
        self.mia.page.mouse.move(5, SCREEN["height"] - 5)
        self.mia.page.wait_for_timeout(700)
        file = self.folder / f"{self.name}-{self.shots}-{what}.webp"
        png = self.folder / "screen.png"
        self.mia.page.screenshot(path=png)
        Image.open(png).convert("RGB").save(file, "WEBP", quality=82, method=6)
        png.unlink()

    def choose_mode(self, title: str) -> None:
        self.mia.page.get_by_role("radio", name=title, exact=True).or_(
            self.mia.page.get_by_role("button", name=title, exact=True)
        ).first.click()
        # What the mode has set must reach the browser before anything else is typed there.
        self.mia.page.wait_for_timeout(1500)
        self.mia.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()

    def brush(self, *points: tuple[float, float]) -> None:
        """A stroke over points given as shares of the picture."""
        self.mia.stage.scroll_into_view_if_needed()
        box = self.mia.picture_box
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.mia.page.mouse.move(*places[0])
        self.mia.page.mouse.down()
        for place in [*places[1:], places[-1]]:
            self.mia.page.mouse.move(*place, steps=10)
        self.mia.page.mouse.up()
        self.mia.page.locator(".painter[data-stored=true]").wait_for()

    def brush_size(self, larger: int) -> None:
        self.mia.stage.focus()
        for _ in range(abs(larger)):
            self.mia.page.keyboard.press("]" if larger > 0 else "[")

    def generate(self) -> dict[str, Any]:
        started = time.perf_counter()
        known = set(self.mia.draft["generations"])
        self.mia.page.get_by_role("button", name="Generate", exact=True).click()
        wait_until(lambda: set(self.mia.draft["generations"]) - known, "it is submitted")
        wait_until(lambda: [row for row in self.mia.rows if row["status"] not in ("queued", "running")], "it ends")
        self.mia.see_result()
        row = self.mia.rows[-1]
        print(
            f"{self.name}: {row['model']}, {row['status']}, {row['width']} x {row['height']}, "
            f"{time.perf_counter() - started:.1f} s from the click to the result, {row['runtime_s']:.2f} s of painting"
        )
        self._keep(row)
        return row

    def _keep(self, row: dict[str, Any]) -> None:
        before, after = self.mia.image(row["source"]), self.mia.image(row["output"])
        mask = np.asarray(self.mia.image(row["mask"])) > 0
        differs = (np.asarray(before) != np.asarray(after)).any(axis=2)
        print(f"  {differs.sum():,} of {differs.size:,} pixels changed, the painted mask has {mask.sum():,}")
        for image, what in ((before, "before"), (after, "after")):
            small = image.convert("RGB")
            small.thumbnail(SHOWN)
            small.save(self.folder / f"{self.name}-{what}.webp", "WEBP", quality=85, method=6)


def remove(job: Job) -> None:
    job.mia.open_photo(_large("mountain-path.jpg", job.folder))
    job.choose_mode("Remove")
    job.brush_size(2)
    job.brush((0.77, 0.90), (0.80, 0.95), (0.80, 0.89), (0.77, 0.94))
    job.brush((0.485, 0.645), (0.505, 0.69))
    job.shoot("painted")
    job.generate()
    job.shoot("result")


def add(job: Job) -> None:
    """On the result of the job before: a session is a chain."""
    page = job.mia.page
    before = page.url
    page.get_by_role("button", name="Accept: make it the picture, with an empty mask").click()
    page.wait_for_url(lambda url: url != before)
    job.mia.see_painter()
    job.choose_mode("Add")
    job.mia.type_prompt("a red balloon")
    page.get_by_role("button", name="Ellipse", exact=True).click()
    job.brush((0.66, 0.03), (0.80, 0.24))
    job.shoot("painted")
    job.generate()
    job.shoot("result")


def extend(job: Job) -> None:
    page = job.mia.page
    job.mia.open_photo(SAMPLES / "mountain-meadow.jpg")
    page.get_by_role("button", name="Extend", exact=True).click()
    page.get_by_role("spinbutton", name="Left (px)").fill("256")
    page.get_by_role("spinbutton", name="Left (px)").press("Tab")
    page.get_by_text("From 1280 x 852 to").wait_for()
    job.shoot("choice")
    before = page.url
    page.get_by_role("button", name="Extend the canvas", exact=True).click()
    page.wait_for_url(lambda url: url != before)
    job.mia.see_painter()
    job.shoot("masked")
    job.generate()
    job.shoot("result")


def repair(job: Job) -> None:
    """A retouch beside the face: the brush paints at a part of its strength, so that something of it stays."""
    page = job.mia.page
    job.mia.open_photo(SAMPLES / "dogs-at-the-door.jpg")
    job.choose_mode("Remove")
    page.get_by_text("More parameters").click()
    page.get_by_text("Soft mask").first.click()
    change = page.locator(".painter").get_by_label("Mask strength")
    change.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    job.brush_size(-3)
    job.brush((0.325, 0.395), (0.335, 0.425), (0.345, 0.40), (0.33, 0.41))
    job.shoot("painted")
    job.generate()
    job.shoot("result")


def _large(name: str, folder: Path) -> Path:
    file = folder / f"large-{name}"
    Image.open(SAMPLES / name).resize(LARGE, Image.Resampling.LANCZOS).save(file, quality=92)
    return file


JOBS: dict[str, Callable[[Job], None]] = {"remove": remove, "add": add, "extend": extend, "repair": repair}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:] or list(JOBS)
    with tempfile.TemporaryDirectory() as data, dashboard(Path(data)) as address, chromium() as browser:
        page = browser.new_context(viewport=SCREEN).new_page()
        page.set_default_timeout(120_000)
        mia = Artist(page, address, Path(data))
        for name in wanted:
            try:
                JOBS[name](Job(name, mia, folder))
            except BaseException:
                page.screenshot(path=folder / f"{name}-failed.png")
                raise
    for file in folder.glob("large-*"):
        file.unlink()


if __name__ == "__main__":
    main()
