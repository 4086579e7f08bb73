"""How long the server works on one run of the gallery page's script, in a real server with a real browser.

    python -m tests.benchmarks.gallery_page --rows 100000

The newest rows get thumbnails that lie on the disk. Times are taken in the server's script thread, from the request
to the end of the script: on the clock, and of the CPU (of that thread), which other programs do not lengthen.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Error, sync_playwright
from sqlalchemy import bindparam, func, select, update

from core.services.thumbnails import thumbnail
from core.storage.local import LocalImageStore
from db.connection import make_engine
from db.tables import GenerationRow
from db.upgrade import upgrade
from tests.benchmarks.gallery import COMMON, Rows, Times, fill

ROOT = Path(__file__).parents[2]
THUMBNAILS = 200
WITH_THUMBNAIL = 5_000
RUN = re.compile(r"^script (\S+) ms, CPU (\S+) ms$")


def make_data(folder: Path, count: int) -> None:
    """As the gallery's benchmark makes it, unless it is there. Nothing waits: a worker would disturb the times."""
    engine = make_engine(f"sqlite:///{folder / 'studio.db'}")
    upgrade(engine)
    with engine.connect() as connection:
        made = connection.scalar(select(func.count()).select_from(GenerationRow)) or 0
    if made < count:
        fill(engine, Rows(count))
    images = LocalImageStore(folder / "images")
    chance = np.random.default_rng(1)
    keys = [images.put_file(thumbnail(_a_picture(chance)), ".webp") for _ in range(THUMBNAILS)]
    with engine.begin() as connection:
        connection.execute(update(GenerationRow).where(GenerationRow.status == "queued").values(status="cancelled"))
        newest = connection.scalars(
            select(GenerationRow.number).order_by(GenerationRow.number.desc()).limit(WITH_THUMBNAIL)
        )
        connection.execute(
            update(GenerationRow).where(GenerationRow.number == bindparam("nth")).values(thumbnail=bindparam("key")),
            [{"nth": number, "key": keys[n % THUMBNAILS]} for n, number in enumerate(newest)],
        )
    engine.dispose()


def _a_picture(chance: np.random.Generator) -> Image.Image:
    """Smooth, with some grain: as large as a thumbnail of a photograph when stored."""
    small = Image.fromarray(chance.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((1024, 768), Image.Resampling.BICUBIC), np.int16)
    return Image.fromarray(np.clip(smooth + chance.integers(-12, 13, smooth.shape), 0, 255).astype(np.uint8))


# The server ----------------------------------------------------------------------------------------------------


def serve() -> None:
    """Streamlit as from the command line, but it writes how long each run of a script took."""
    from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
    from streamlit.web import cli

    run_script = ScriptRunner._run_script

    def timed(self, rerun_data) -> None:
        at, cpu = time.perf_counter(), time.thread_time()
        try:
            run_script(self, rerun_data)
        finally:
            taken = (time.perf_counter() - at) * 1000, (time.thread_time() - cpu) * 1000
            print("script {:.2f} ms, CPU {:.2f} ms".format(*taken), flush=True)

    ScriptRunner._run_script = timed
    sys.argv = ["streamlit", "run", str(ROOT / "Home.py"), *sys.argv[2:]]
    cli.main()


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, Times]]:
    """Its address, and the times of its runs so far: they go on growing."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true", "--server.fileWatcherType", "none"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.gallery_page", "--serve", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"INPAINT_STUDIO_DATA": str(folder)},
    )
    times = Times([], [])

    def listen() -> None:
        for line in process.stdout:
            if found := RUN.match(line.strip()):
                times.wall.append(float(found[1]))
                times.cpu.append(float(found[2]))

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{port}/Gallery", times
    finally:
        process.terminate()
        process.wait(10)


# What a user does ----------------------------------------------------------------------------------------------


def walk(address: str, times: Times, repeats: int) -> Iterator[tuple[str, Times]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        _open(page, address)

        def of(do: Callable[[int], None]) -> Times:
            began = len(times.wall)
            for n in range(repeats):
                before = len(times.wall)
                do(n)
                _until_at_rest(times, before)
            return Times(times.wall[began:], times.cpu[began:])

        yield "older page", of(lambda n: page.get_by_role("button", name="Older").click())
        yield "select one", of(lambda n: page.locator(".tile").nth(n % 40).click(modifiers=["Control"]))
        yield "search a common word", of(lambda n: _search(page, COMMON[n % len(COMMON)]))
        _search(page, "")
        page.get_by_role("button", name="Filters").click()
        page.get_by_text("Succeeded ·").wait_for()
        yield "a filter on and off, its counts shown", of(lambda n: page.get_by_text("Succeeded ·").click())
        browser.close()


def _open(page, address: str) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            page.goto(address)
            break
        except Error:
            # It is still starting.
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
    page.locator(".tile").first.wait_for(timeout=120_000)


def _search(page, words: str) -> None:
    page.get_by_label("Search", exact=True).fill(words)
    page.keyboard.press("Enter")


def _until_at_rest(times: Times, before: int) -> None:
    """Until what was done has led to a run, and no other follows."""
    until = time.monotonic() + 20
    seen, at = len(times.wall), time.monotonic()
    while time.monotonic() < until:
        time.sleep(0.02)
        if len(times.wall) != seen:
            seen, at = len(times.wall), time.monotonic()
        elif seen > before and time.monotonic() - at > 0.3:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=30, help="how often each thing is done")
    parser.add_argument("--keep", type=Path, help="a data folder that is kept, to measure it again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        make_data(folder, options.rows)
        with server(folder) as (address, times):
            print(
                f"\n| {options.rows:,} rows, ms of the script | median | p95 | CPU | CPU p95 |\n|---|---|---|---|---|"
            )
            for name, found in walk(address, times, options.times):
                print(f"| {name} |{found}", flush=True)


if __name__ == "__main__":
    serve() if sys.argv[1:2] == ["--serve"] else main()
