"""What the Inpaint page asks of an artist, measured in Chromium: room for the picture, clicks, scrolling, waiting.

    python -m tests.browser.measure [--json] [NAME ...]

NAME: of MEASURES; all of them if none is given. Starts a dashboard of its own with the bundled models and the sample
photographs. Times depend on what else the machine does: compare only those of the same minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.browser.artist import ROOT, Artist, chromium, dashboard, wait_until

SAMPLES = ROOT / "assets" / "samples"
LANDSCAPE, PORTRAIT = "mountain-path.jpg", "dogs-at-the-door.jpg"
"""4:3 and 2:3."""

DESK: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
}
RUNS = 12
"""Of the page, for each kind of widget."""

SCROLLED = """(element) => {
    const all = []
    for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) all.push([at, at.scrollTop])
    element.scrollIntoView({ block: "nearest" })
    return all.reduce((sum, [at, before]) => sum + Math.abs(at.scrollTop - before), 0)
}"""
"""Brings an element into view, and says by how many pixels something had to be scrolled for it."""


@dataclass
class Effort:
    """What one job takes. clicks: of a mouse, those that put the caret into a field included. strokes: painted.

    scrolled_px: until each thing that was clicked, painted on or looked at was in sight.
    """

    clicks: int = 0
    strokes: int = 0
    scrolled_px: int = 0


@dataclass
class Worker:
    """An artist whose effort is counted."""

    mia: Artist
    effort: Effort = field(default_factory=Effort)

    def look_at(self, what: Any) -> None:
        self.effort.scrolled_px += round(what.evaluate(SCROLLED))

    def click(self, name: str, role: str = "button") -> None:
        target = self.mia.page.get_by_role(role, name=name, exact=True).first
        target.wait_for()
        self.look_at(target)
        target.click()
        self.effort.clicks += 1
        self.rest()

    def type(self, name: str, words: str, role: str = "textbox") -> None:
        target = self.mia.page.get_by_role(role, name=name, exact=True)
        self.look_at(target)
        target.click()
        self.effort.clicks += 1
        target.fill(words)
        target.press("Tab")
        self.rest()

    def stroke(self, *points: tuple[float, float]) -> None:
        self.look_at(self.mia.stage)
        box = self.mia.picture_box
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.mia.page.mouse.move(*places[0])
        self.mia.page.mouse.down()
        for place in places[1:]:
            self.mia.page.mouse.move(*place, steps=10)
        self.mia.page.mouse.up()
        self.effort.strokes += 1
        self.mia.page.locator(".painter[data-stored=true]").wait_for()

    def generate(self) -> None:
        known = set(self.mia.draft["generations"])
        self.click("Generate")
        wait_until(lambda: set(self.mia.draft["generations"]) - known, "it is submitted")
        wait_until(lambda: all(row["finished_at"] for row in self.mia.rows), "it ends")
        result = self.mia.page.get_by_role("img", name="After")
        result.wait_for()
        self.rest()
        self.look_at(result)

    def rest(self) -> None:
        self.mia.page.wait_for_timeout(400)
        self.mia.see_rest()

    def begin(self, sample: str) -> None:
        self.mia.page.goto(f"{self.mia.address}/Inpaint")
        self.click(sample)
        self.mia.see_painter()


def remove(artist: Worker) -> None:
    artist.begin("Mountain path")
    artist.click("Remove", "radio")
    artist.stroke((0.77, 0.90), (0.80, 0.95), (0.80, 0.89), (0.77, 0.94))
    artist.stroke((0.485, 0.645), (0.505, 0.69))
    artist.generate()


def add(artist: Worker) -> None:
    """On the result of the job before; beginning it is part of this one."""
    remove(artist)
    artist.effort = Effort()
    before = artist.mia.page.url
    artist.click("Accept: make it the picture, with an empty mask")
    artist.mia.page.wait_for_url(lambda url: url != before)
    artist.mia.see_painter()
    artist.click("Add", "radio")
    artist.type("Prompt", "a red balloon")
    artist.click("Ellipse")
    artist.stroke((0.66, 0.03), (0.80, 0.24))
    artist.generate()


def extend(artist: Worker) -> None:
    artist.begin("Mountain meadow")
    artist.click("Extend")
    artist.type("Left (px)", "256", "spinbutton")
    before = artist.mia.page.url
    artist.click("Extend the canvas")
    artist.mia.page.wait_for_url(lambda url: url != before)
    artist.mia.see_painter()
    artist.generate()


def repair(artist: Worker) -> None:
    """A retouch with a soft mask."""
    artist.begin("Dogs at the door")
    artist.click("Remove", "radio")
    strength = artist.mia.page.locator(".painter").get_by_label("Mask strength")
    artist.look_at(strength)
    strength.click()
    artist.effort.clicks += 1
    artist.stroke((0.325, 0.395), (0.335, 0.425), (0.345, 0.40), (0.33, 0.41))
    artist.click("Use as a soft mask")
    artist.generate()


JOBS: dict[str, Callable[[Worker], None]] = {"remove": remove, "add": add, "extend": extend, "repair": repair}


def jobs(new_artist: Callable[..., Artist]) -> dict[str, Any]:
    efforts = {}
    for name, job in JOBS.items():
        worker = Worker(new_artist(**DESK))
        job(worker)
        efforts[name] = asdict(worker.effort)
    return efforts


def room(new_artist: Callable[..., Artist]) -> dict[str, Any]:
    """For each window and picture: the share of the window that the picture has, and of the picture that is seen."""
    found = {}
    for window, options in {"desk": DESK, "phone": PHONE}.items():
        for shape, file in {"landscape": LANDSCAPE, "portrait": PORTRAIT}.items():
            mia = new_artist(**options)
            mia.open_photo(SAMPLES / file)
            seen, whole = mia.picture_box, mia.page.locator(".painter .picture").bounding_box()
            view = options["viewport"]
            width = min(view["width"], seen["x"] + seen["width"]) - max(0, seen["x"])
            height = min(view["height"], seen["y"] + seen["height"]) - max(0, seen["y"])
            button = mia.page.get_by_role("button", name="Generate", exact=True).bounding_box()
            found[f"{window}, {shape}"] = {
                "share_of_window": round(width * height / (view["width"] * view["height"]), 3),
                "seen_of_picture": round(width * height / (whole["width"] * whole["height"]), 3),
                "generate_above_foot_px": round(view["height"] - button["y"] - button["height"]),
            }
    return found


def runs(new_artist: Callable[..., Artist]) -> dict[str, Any]:
    """Milliseconds from what a hand does to the page at rest, for kinds of widgets: median and 95th percentile."""
    mia = new_artist(**DESK)
    mia.open_photo(SAMPLES / LANDSCAPE)
    page = mia.page
    mia.page.get_by_role("slider", name="Steps").wait_for()

    def slider(n: int) -> None:
        page.get_by_role("slider", name="Steps").press("ArrowRight" if n % 2 else "ArrowLeft")

    def words(n: int) -> None:
        prompt = page.get_by_role("textbox", name="Prompt", exact=True)
        prompt.fill(f"a red balloon {n}")
        prompt.press("Control+Enter")

    def mode(n: int) -> None:
        page.get_by_role("radio", name=("Add", "Replace")[n % 2], exact=True).click()

    def switch(_: int) -> None:
        page.locator("label").filter(has_text="Random").first.click()

    def mask_tool(_: int) -> None:
        page.get_by_role("button", name="Invert", exact=True).click()

    told = {}
    for kind in (slider, words, mode, switch, mask_tool):
        times = [_run_ms(page, lambda n=n, kind=kind: kind(n)) for n in range(RUNS)]
        ordered = sorted(times[2:])
        told[kind.__name__] = {"median_ms": round(statistics.median(ordered)), "p95_ms": round(ordered[-1])}
    return told


WATCH_RUNS = """() => {
    const app = document.querySelector("[data-testid=stApp]")
    window.ended = new Promise((done) => {
        const begun = performance.now()
        let ran = false
        const look = () => {
            const isRunning = app.dataset.testScriptState !== "notRunning"
            ran ||= isRunning
            if (ran && !isRunning) done(performance.now() - begun)
        }
        new MutationObserver(look).observe(app, { attributes: true })
    })
}"""


def _run_ms(page: Any, act: Callable[[], None]) -> float:
    page.evaluate(WATCH_RUNS)
    act()
    took: float = page.evaluate("window.ended")
    page.wait_for_timeout(300)
    return took


MEASURES: dict[str, Callable[[Callable[..., Artist]], dict[str, Any]]] = {"room": room, "jobs": jobs, "runs": runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*MEASURES, []], metavar="NAME")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    measured: dict[str, Any] = {"at": time.strftime("%Y-%m-%d")}
    with tempfile.TemporaryDirectory() as data, dashboard(Path(data)) as address, chromium() as browser:

        def new_artist(**options: Any) -> Artist:
            page = browser.new_context(**options).new_page()
            page.set_default_timeout(60_000)
            return Artist(page, address, Path(data))

        for name in asked.names or MEASURES:
            measured[name] = MEASURES[name](new_artist)
    if asked.json:
        print(json.dumps(measured, indent=2))
        return
    for name in asked.names or MEASURES:
        print(name)
        for what, figures in measured[name].items():
            print(f"  {what}: " + ", ".join(f"{title} {figure}" for title, figure in figures.items()))


if __name__ == "__main__":
    main()
