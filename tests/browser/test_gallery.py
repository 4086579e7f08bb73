"""The gallery in a real browser: mouse, keyboard, addresses. What AppTest cannot see of our own component."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from core.bootstrap import Studio
from pages.ui.shell.address import UNDER_WAY_S
from tests.browser.artist import dashboard, filled_studio, wait_until
from tests.conftest import a_request

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = "<img src=x onerror=\"document.title='broken'\"> :smile: **bold** $x$ [link](http://example.org) `code`"


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
    studio = filled_studio(data)
    prompts = ["with missing files", "one", "two", "three", HOSTILE, "four", "five"]
    made = [id for p in prompts for id in studio.generations.submit(a_request(prompt=p, num_inference_steps=1))]
    # Of one whose result is there a thumbnail is made again.
    lost = studio.gallery.get(made[0])
    for key in (lost.thumbnail, lost.output):
        studio.gallery.images.path(key).unlink()
    studio.generations.rerun(made[4])
    ids = [generation.id for generation in studio.gallery.browse().generations]
    with dashboard(data) as address:
        yield Served(address, studio, ids, hostile=made[4], broken=made[0])


@pytest.fixture
def gallery(window, served):
    """Open the gallery at this query, with all its tiles there. What a test left in the trash comes back after it."""
    page = window()

    def open_at(query: str = ""):
        page.goto(f"{served.address}/Gallery{query}")
        page.locator(".tile").first.wait_for()
        # Until then what stands above the tiles still changes its height.
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        page.evaluate("document.fonts.ready")
        return page

    yield open_at
    trashed = [one.id for one in served.studio.gallery.known(served.ids) if one.deleted_at is not None]
    if trashed:
        served.studio.gallery.restore(trashed)


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
    wait_until(lambda: focused(page) == id, f"{id} has the keyboard", lambda: str(focused(page)))


def test_a_click_opens_the_detail_and_closing_it_cleans_the_address(gallery, served):
    page = gallery()
    id = served.ids[2]

    tile(page, id).click()

    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Parameters", exact=True).wait_for()
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
    page.get_by_role("dialog").get_by_text("Parameters", exact=True).wait_for()


def test_only_one_tile_is_a_stop_of_the_tab_key(gallery, served):
    page = gallery()

    tile(page, served.ids[0]).focus()
    page.keyboard.press("End")

    assert focused(page) == served.ids[-1]
    stops = page.locator(".tile").evaluate_all("tiles => tiles.map(t => t.tabIndex)")
    assert stops == [-1] * (len(served.ids) - 1) + [0]


def test_the_address_of_a_generation_opens_it_at_the_first_visit(gallery, served):
    page = gallery(f"?generation={served.ids[3]}")

    page.get_by_role("dialog").get_by_text("Parameters", exact=True).wait_for()
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
    page.wait_for_function("() => document.querySelector('.st-key-trash-selected button')?.disabled === false")
    assert page.get_by_role("dialog").count() == 0


def test_several_go_to_the_trash_and_come_back(gallery, served):
    page = gallery()
    chosen = served.ids[1:3]
    for id in chosen:
        tile(page, id).click(modifiers=["Control"])
    page.wait_for_function("() => document.querySelector('.st-key-trash-selected button')?.disabled === false")
    page.locator(".st-key-trash-selected button").first.click()
    tile(page, chosen[0]).wait_for(state="detached")
    assert {id for id in served.ids if served.studio.gallery.get(id).deleted_at} == set(chosen)

    page = gallery("?trash=true")
    tile(page, chosen[0]).focus()
    page.keyboard.press("Control+a")
    page.wait_for_function("() => document.querySelector('.st-key-restore-selected button')?.disabled === false")
    page.locator(".st-key-restore-selected button").first.click()
    page.get_by_text("The trash is empty.").wait_for()

    assert not any(served.studio.gallery.get(id).deleted_at for id in served.ids)


def test_undo_floats_over_the_gallery_and_takes_the_move_to_the_trash_back(gallery, served):
    page = gallery()
    before = tile(page, served.ids[3]).bounding_box()
    tile(page, served.ids[5]).click(modifiers=["Control"])
    page.wait_for_function("() => document.querySelector('.st-key-trash-selected button')?.disabled === false")
    page.locator(".st-key-trash-selected button").first.click()
    tile(page, served.ids[5]).wait_for(state="detached")
    page.get_by_text("1 generation moved to the trash.").wait_for()
    assert tile(page, served.ids[3]).bounding_box() == before

    page.get_by_role("button", name="Undo").click()

    tile(page, served.ids[5]).wait_for()
    page.get_by_role("button", name="Undo").wait_for(state="detached")


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
    dialog.locator(".tree-row").nth(1).wait_for()

    assert tile(page, served.hostile).get_attribute("aria-label") == HOSTILE
    assert dialog.locator("code").first.inner_text() == HOSTILE
    assert dialog.locator(".tree-row .title").all_inner_texts() == [HOSTILE, HOSTILE]
    assert page.locator("img[src=x]").count() == 0
    assert "broken" not in page.title()


def test_a_missing_picture_says_so_in_its_tile(gallery, served):
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
def test_the_grid_fits_a_phone_in_light_and_dark(window, served, scheme):
    page = window(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True, is_mobile=True)

    page.goto(f"{served.address}/Gallery")
    page.locator(".tile").first.wait_for()

    # In one look: the page above the grid may still grow.
    tops = page.locator(".tile").evaluate_all("tiles => tiles.slice(0, 3).map(t => t.getBoundingClientRect().top)")
    assert tops[0] == tops[1] < tops[2], "two columns"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
