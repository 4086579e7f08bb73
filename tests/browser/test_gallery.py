"""The gallery in a real browser: mouse, keyboard, addresses. What AppTest cannot see of our own component."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.bootstrap import Studio, build_studio
from core.dispatch.inline import InlineDispatcher
from core.engine.fake import FakeCatalogue, FakeLoader
from core.settings import Settings
from pages.ui.address import UNDER_WAY_S
from tests.conftest import a_request

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
HOSTILE = "<img src=x onerror=\"document.title='broken'\"> :smile: **bold** $x$ [link](http://example.org) `code`"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SWITCHES = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync")  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A running dashboard and what its gallery holds, newest first. hostile, broken: ids of special ones."""

    address: str
    studio: Studio
    ids: list[str]
    hostile: str
    broken: str


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("gallery")
    studio = build_studio(
        Settings(data=data, _env_file=None),
        FakeLoader(),
        catalogue=FakeCatalogue(),
        dispatcher=lambda worker: InlineDispatcher(worker.run),
        resolve_device=lambda wish: "cpu",
    )
    prompts = ["with a missing thumbnail", "one", "two", "three", HOSTILE, "four", "five"]
    made = [id for p in prompts for id in studio.generations.submit(a_request(prompt=p, num_inference_steps=1))]
    studio.gallery.images.path(studio.gallery.get(made[0]).thumbnail).unlink()
    studio.generations.rerun(made[4])
    ids = [generation.id for generation in studio.gallery.browse().generations]
    with _server(data) as address:
        yield Served(address, studio, ids, hostile=made[4], broken=made[0])


class _server:
    """The dashboard in a process of its own, until the block ends."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def __enter__(self) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.port", str(port),
                   "--server.address", "127.0.0.1", "--server.headless", "true",
                   "--server.fileWatcherType", "none"]  # fmt: skip
        environment = {**os.environ, "INPAINT_STUDIO_DATA": str(self.data)}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{port}"
        self._wait_for(f"{address}/_stcore/health")
        return address

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(30)

    def _wait_for(self, address: str) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            try:
                urllib.request.urlopen(address, timeout=5)
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.process.kill()
        pytest.fail("The dashboard did not start.")


@pytest.fixture(scope="module")
def chromium():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _without_browser("playwright is not installed")
    if CHROMIUM is None:
        _without_browser("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield browser
        browser.close()


def _without_browser(reason: str) -> None:
    if os.environ.get("INPAINT_STUDIO_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def gallery(chromium, served):
    """Open the gallery at this query, with all its tiles there."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))

    def open_at(query: str = ""):
        page.goto(f"{served.address}/Gallery{query}")
        page.locator(".tile").first.wait_for()
        return page

    yield open_at
    context.close()
    assert not problems


def tile(page, id: str):
    return page.locator(f".tile[data-id='{id}']")


def focused(page) -> str | None:
    """The id of the tile that has the keyboard."""
    return page.evaluate(
        """() => {
            let at = document.activeElement;
            while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
            return at?.dataset?.id ?? null;
        }"""
    )


def wait_for_focus(page, id: str) -> None:
    for _ in range(100):
        if focused(page) == id:
            return
        page.wait_for_timeout(100)
    pytest.fail(f"the keyboard is at {focused(page)}, not at {id}")


def test_a_click_opens_the_detail_and_closing_it_cleans_the_address(gallery, served):
    page = gallery()
    id = served.ids[2]

    tile(page, id).click()

    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Parameters").wait_for()
    page.wait_for_url(f"**/Gallery?generation={id}")
    page.keyboard.press("Escape")
    page.wait_for_url("**/Gallery")
    dialog.wait_for(state="detached")
    wait_for_focus(page, id)


def test_arrows_and_enter_open_the_detail_without_a_mouse(gallery, served):
    page = gallery()
    tile(page, served.ids[0]).focus()

    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")

    page.wait_for_url(f"**/Gallery?generation={served.ids[1]}")
    page.get_by_role("dialog").get_by_text("Parameters").wait_for()


def test_only_one_tile_is_a_stop_of_the_tab_key(gallery, served):
    page = gallery()

    tile(page, served.ids[0]).focus()
    page.keyboard.press("End")

    assert focused(page) == served.ids[-1]
    stops = page.locator(".tile").evaluate_all("tiles => tiles.map(t => t.tabIndex)")
    assert stops == [-1] * (len(served.ids) - 1) + [0]


def test_the_address_of_a_generation_opens_it_at_the_first_visit(gallery, served):
    page = gallery(f"?generation={served.ids[3]}")

    page.get_by_role("dialog").get_by_text("Parameters").wait_for()
    assert page.get_by_role("dialog").locator("img").first.evaluate("i => i.decode().then(() => i.naturalWidth)") == 96


def test_the_browsers_back_button_closes_the_detail(gallery, served):
    page = gallery()
    tile(page, served.ids[1]).click()
    page.wait_for_url(f"**/Gallery?generation={served.ids[1]}")
    time.sleep(UNDER_WAY_S)

    page.go_back()

    page.get_by_role("dialog").wait_for(state="detached")


def test_ctrl_click_shift_click_and_space_select_several_for_the_buttons_above(gallery, served):
    page = gallery()
    rerun = page.get_by_role("button", name="Re-run")
    assert rerun.is_disabled()

    tile(page, served.ids[0]).click(modifiers=["Control"])
    tile(page, served.ids[2]).click(modifiers=["Shift"])
    page.keyboard.press("ArrowRight")
    tile(page, served.ids[4]).focus()
    tile(page, served.ids[4]).click(modifiers=["Control"])
    page.keyboard.press("Space")

    page.get_by_text("3 selected").wait_for()
    selected = page.locator(".tile[aria-selected=true]").evaluate_all("tiles => tiles.map(t => t.dataset.id)")
    assert selected == served.ids[:3]
    page.wait_for_function("() => !document.querySelector('.st-key-trash-selected button').disabled")
    assert page.get_by_role("dialog").count() == 0


def test_several_go_to_the_trash_and_come_back(gallery, served):
    page = gallery()
    chosen = served.ids[1:3]
    for id in chosen:
        tile(page, id).click(modifiers=["Control"])
    page.wait_for_function("() => !document.querySelector('.st-key-trash-selected button').disabled")
    page.locator(".st-key-trash-selected button").first.click()
    tile(page, chosen[0]).wait_for(state="detached")
    assert {id for id in served.ids if served.studio.gallery.get(id).deleted_at} == set(chosen)

    page = gallery("?trash=true")
    tile(page, chosen[0]).focus()
    page.keyboard.press("Control+a")
    page.wait_for_function("() => !document.querySelector('.st-key-restore-selected button').disabled")
    page.locator(".st-key-restore-selected button").first.click()
    page.get_by_text("The trash is empty.").wait_for()

    assert not any(served.studio.gallery.get(id).deleted_at for id in served.ids)


def test_filters_stay_open_while_they_are_chosen_and_the_address_follows(gallery, served):
    page = gallery()
    page.get_by_role("button", name="Filters").click()
    counted = page.get_by_text(f"Succeeded · {len(served.ids)}")
    counted.click()
    page.wait_for_url("**status=succeeded")
    page.get_by_text("Others ·").click()
    page.wait_for_url("**status=succeeded&favourite=false")
    assert counted.is_visible()

    page.keyboard.press("Escape")
    page.get_by_role("button", name="Succeeded", exact=True).click()

    page.wait_for_url("**/Gallery?favourite=false")
    page.get_by_role("button", name="Others", exact=True).click()
    page.wait_for_url("**/Gallery")
    assert page.locator(".tile").count() == len(served.ids)


def test_a_hostile_prompt_stays_text_in_the_grid_the_card_and_the_family_tree(gallery, served):
    page = gallery(f"?generation={served.hostile}")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Lineage", exact=True).click()
    dialog.locator(".twig").nth(1).wait_for()

    assert tile(page, served.hostile).get_attribute("aria-label") == HOSTILE
    assert dialog.locator("code").first.inner_text() == HOSTILE
    assert dialog.locator(".twig .title").all_inner_texts() == [HOSTILE, HOSTILE]
    assert page.locator("img[src=x]").count() == 0
    assert "broken" not in page.title()


def test_a_missing_thumbnail_says_so_in_its_tile(gallery, served):
    page = gallery()

    assert "missing from the data folder" in tile(page, served.broken).inner_text()
    assert page.locator(".tile img").count() == len(served.ids) - 1


def test_pictures_are_taken_from_the_server_as_they_are_stored(gallery, served):
    page = gallery()
    picture = tile(page, served.ids[1]).locator("img")

    sizes = picture.evaluate("i => i.decode().then(() => [i.naturalWidth, i.naturalHeight, i.loading])")
    stored = served.studio.gallery.file(served.studio.gallery.get(served.ids[1]).thumbnail)

    assert sizes == [96, 64, "lazy"]
    fetched = page.request.get(picture.evaluate("i => i.src"))
    assert fetched.body() == stored


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_grid_fits_a_phone_in_light_and_dark(chromium, served, scheme):
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True, is_mobile=True
    )
    page = context.new_page()

    page.goto(f"{served.address}/Gallery")
    page.locator(".tile").first.wait_for()

    boxes = [page.locator(".tile").nth(n).bounding_box() for n in range(3)]
    assert boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"], "two columns"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
