"""Every page by phone, by keyboard and for a screen reader: what a browser's own tree of accessibility holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from core.bootstrap import Studio
from core.domain.gallery.filter import GalleryFilter
from core.domain.generation import Origin, Relation
from pages.ui.shell.page import SIDEBAR_PX
from tests.browser.artist import dashboard, filled_studio, wait_until
from tests.conftest import a_request

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
}

PLACES = {
    "a card of the gallery": "Gallery?generation={1}",
    "a model": "Models?model=pocket-inpaint",
    "a comparison": "Gallery?compare={1}&compare={2}",
    "gallery": "Gallery",
    "home": "",
    "inpaint": "Inpaint",
    "inpaint with a candidate": "Inpaint?draft={tried}",
    "inpaint with a picture": "Inpaint?draft={draft}",
    "models": "Models",
    "models to download": "Models?view=download",
    "queue": "Queue",
    "reproduction": "Reproduction",
    "statistics": "Statistics",
    "trash": "Gallery?trash=true",
}

NAMED = {
    "button",
    "checkbox",
    "combobox",
    "img",
    "image",
    "link",
    "listbox",
    "option",
    "radio",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "textbox",
}
"""Roles that nobody can use, or see, without a name."""


@dataclass(frozen=True)
class Filled:
    """A running dashboard with a chain of three, one of them verified, one in the trash, and two drafts.

    tried: the one with a candidate.
    """

    address: str
    studio: Studio
    ids: list[str]
    draft: str
    tried: str

    def url(self, place: str) -> str:
        return f"{self.address}/{PLACES[place].format(*self.ids, draft=self.draft, tried=self.tried)}"


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Iterator[Filled]:
    data = tmp_path_factory.mktemp("everything")
    studio = filled_studio(data)
    ids: list[str] = []
    for prompt in ("a red balloon", "a boat", "", "a bird"):
        origin = Origin(ids[-1], Relation.CONTINUATION) if ids else Origin()
        ids += studio.generations.submit(a_request(prompt=prompt, num_inference_steps=1 + len(ids)), origin=origin)
    studio.reproductions.verify(ids[:1])
    studio.gallery.trash(ids[3:])
    studio.gallery.save_search("Boats", GalleryFilter(text="boat"))
    draft = studio.drafts.start()
    studio.drafts.save(draft, studio.drafts.from_generation(studio.gallery.get(ids[0])))
    tried = studio.drafts.start()
    studio.drafts.save(tried, studio.drafts.get(draft).changed(generations=tuple(ids[:1])))
    with dashboard(data) as address:
        yield Filled(address, studio, ids, draft, tried)


@pytest.fixture
def visit(window, filled) -> Callable[..., Any]:
    """Open a place, as on a desk or as the options say; on return the page has come to rest."""

    def at(place: str, **options: Any) -> Any:
        page = window(**options)
        page.goto(filled.url(place))
        page.get_by_role("heading", level=1, include_hidden=True).wait_for()
        at_rest(page)
        if "generation=" in page.url:
            page.get_by_role("dialog").get_by_text("Parameters", exact=True).wait_for()
        if "compare=" in page.url:
            page.get_by_role("dialog").get_by_role("slider").wait_for()
        if "draft=" in filled.url(place):
            page.locator(".painter[data-stored=true]").wait_for()
        if filled.tried in filled.url(place):
            page.locator(".painter [role=option]").wait_for()
        at_rest(page)
        return page

    return at


def at_rest(page: Any) -> None:
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def without_a_name(page: Any) -> list[str]:
    """What is on the screen for everybody but somebody who listens."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        f"{node['role']['value']} {node['properties']}"
        for node in tree
        if not node["ignored"] and node["role"]["value"] in NAMED and not node["name"]["value"].strip()
    ]


FOCUSED = """() => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    return at;
}"""


def focused(page: Any) -> str:
    """The name of what has the keyboard, as far as it has one; of a tile its id."""
    words = "a => a?.dataset?.id ?? a?.getAttribute('aria-label') ?? a?.innerText?.trim() ?? ''"
    return page.evaluate(f"() => ({words})(({FOCUSED})())")


def tab_to(page: Any, name: str, *, key: str = "Tab") -> None:
    """With the Tab key alone. Once more from where it is if the page was still being drawn meanwhile."""
    seen = []
    for _ in range(4):
        for _ in range(60):
            page.keyboard.press(key)
            seen.append(focused(page))
            # Before its name there may be that of its icon, and after it that of an arrow.
            if name in seen[-1].splitlines()[-3:] and len(seen[-1].splitlines()) <= 5:
                return
        at_rest(page)
    pytest.fail(f"the {key} key does not come to {name!r}: {seen}")


@pytest.mark.parametrize("place", sorted(PLACES))
def test_every_control_and_every_picture_has_a_name(visit, place):
    page = visit(place)

    assert without_a_name(page) == []


@pytest.mark.parametrize("place", sorted(PLACES))
def test_a_page_has_one_title_and_leaves_no_level_of_headings_out(visit, place):
    page = visit(place)

    levels = page.locator("h1, h2, h3, h4, h5, h6").evaluate_all("all => all.map(h => Number(h.tagName[1]))")

    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in zip(levels, levels[1:], strict=False)), levels


@pytest.mark.parametrize("place", sorted(PLACES))
def test_a_page_fetches_nothing_from_another_host_and_its_sidebar_is_narrow(visit, filled, place):
    page = visit(place)

    icons = page.locator("link[rel~=icon]").evaluate_all("all => all.map(link => link.href)")
    fetched = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [url for url in icons + fetched if not url.startswith((filled.address, "data:", "blob:"))] == []
    sidebar = page.get_by_test_id("stSidebar")
    if place.startswith("inpaint"):
        page.get_by_test_id("stExpandSidebarButton").click()
    wait_until(lambda: sidebar.bounding_box()["width"] == SIDEBAR_PX, "the sidebar has its width")


@pytest.mark.parametrize("place", sorted(PLACES))
def test_nothing_is_wider_than_a_phone(visit, place):
    page = visit(place, **PHONE)

    widest = page.evaluate(
        """() => Math.max(...[document.documentElement,
            ...document.querySelectorAll('[data-testid=stMain], [role=dialog], [role=dialog] *')]
            .filter((e) => e.matches('html, [data-testid=stMain], [role=dialog]')
                || getComputedStyle(e).overflowX === 'visible')
            .map((e) => e.matches('html, [data-testid=stMain]') ? e.scrollWidth : e.getBoundingClientRect().right))"""
    )
    assert widest <= 390


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
def test_the_title_stands_right_below_the_bar_at_the_top(visit, options):
    page = visit("gallery", **options)
    bar, title = page.get_by_test_id("stHeader"), page.locator("h1").first

    def words_top() -> float:
        return title.evaluate("h => h.getBoundingClientRect().top + parseFloat(getComputedStyle(h).paddingTop)")

    wait_until(lambda: words_top() < 70, "the title is high up", lambda: str(words_top()))
    box = bar.bounding_box()
    assert words_top() >= box["y"] + box["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chosen_segment_is_written_in_the_colour_of_text(visit, scheme):
    page = visit("inpaint with a picture", color_scheme=scheme)
    chosen, title = page.locator("[data-testid=stButtonGroup] button[data-selected]").first, page.locator("h1").first

    def colours() -> list[str]:
        return [where.evaluate("at => getComputedStyle(at).color") for where in (chosen, title)]

    # It fades into its colour.
    wait_until(lambda: len(set(colours())) == 1, "both have the same colour", lambda: str(colours()))


def test_on_a_phone_one_button_holds_what_can_be_done_with_the_selected(visit, filled):
    page = visit("gallery", **PHONE)
    button = page.get_by_role("button", name="Selected")
    assert button.is_disabled()

    page.locator(f".tile[data-id='{filled.ids[0]}'] .pick").tap()
    wait_until(button.is_enabled, "something can be done")
    button.tap()

    for action in ("Re-run", "Verify", "Export", "Move to trash", "Favourite"):
        page.get_by_role("button", name=action, exact=True).wait_for()


def test_the_keyboard_is_back_at_the_button_when_its_dialog_is_closed(visit):
    page = visit("trash")
    page.get_by_role("button", name="Empty trash").focus()

    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")

    wait_until(lambda: "Empty trash" in focused(page), "the button has the keyboard", lambda: focused(page))


def test_the_gallery_is_used_by_keyboard_alone(visit, filled):
    page = visit("gallery")
    first, second = reversed(filled.ids[1:3])

    tab_to(page, first)
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_text("Parameters", exact=True).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    wait_until(lambda: focused(page) == first, "the tile has the keyboard", lambda: focused(page))
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.get_by_text("2 selected").wait_for()
    wait_until(page.get_by_role("button", name="Organise").is_enabled, "something can be done")
    at_rest(page)
    tab_to(page, "Organise", key="Shift+Tab")
    tags = page.get_by_role("combobox", name="Tags")
    wait_until(lambda: _opens(page, tags), "the popover opens", lambda: focused(page))
    wait_until(lambda: _reached(page, tags), "the field has the keyboard", lambda: focused(page))
    page.keyboard.type("portfolio")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    tab_to(page, "Add tags")
    page.keyboard.press("Enter")

    wait_until(lambda: _tagged(filled, "portfolio") == {first, second}, "both are tagged")


def _opens(page: Any, field: Any) -> bool:
    """A key that falls into a rerun of the page may be lost, for a person too: they press it again."""
    from playwright.sync_api import TimeoutError as WaitedInVain

    page.keyboard.press("Enter")
    try:
        field.wait_for(timeout=5000)
    except WaitedInVain:
        return False
    return True


def _reached(page: Any, field: Any) -> bool:
    if field.evaluate(f"field => field === ({FOCUSED})()"):
        return True
    page.keyboard.press("Tab")
    return False


def _tagged(filled: Filled, tag: str) -> set[str]:
    return {g.id for g in filled.studio.gallery.browse(GalleryFilter(tags=(tag,))).generations}


def test_the_inpaint_page_is_used_by_keyboard_alone(visit, filled):
    page = visit("inpaint")

    tab_to(page, "Fig in a bowl")
    page.keyboard.press("Enter")
    page.locator(".painter[data-stored=true]").wait_for()
    at_rest(page)
    tab_to(page, "Invert")
    page.keyboard.press("Enter")
    page.get_by_text("100 % of the picture will be repainted.").wait_for()
    at_rest(page)
    tab_to(page, "Prompt")
    page.keyboard.type("a green lake")
    tab_to(page, "Generate")
    page.keyboard.press("Enter")
    page.get_by_role("img", name="After: “a green lake”").wait_for()
    at_rest(page)
    tab_to(page, "Favourite", key="Shift+Tab")
    page.keyboard.press("Enter")

    def kept() -> list[str]:
        return [g.params.prompt for g in filled.studio.gallery.browse(GalleryFilter(favourite=True)).generations]

    wait_until(lambda: kept() == ["a green lake"], "it is a favourite", lambda: str(kept()))


def test_a_table_is_sorted_by_the_name_of_a_column_and_once_more_the_other_way_round(visit):
    page = visit("statistics")
    page.get_by_text("As a table", exact=True).first.click()
    table = page.get_by_role("table", name="By steps")
    steps = table.get_by_role("button", name="Steps")

    for way, told in (("ascending", ["1", "2", "3"]), ("descending", ["3", "2", "1"])):
        steps.focus()
        page.keyboard.press("Enter")
        assert table.locator("tbody td:nth-child(2)").all_inner_texts() == told
        assert table.locator("th[aria-sort]").evaluate_all("all => all.map((one) => one.ariaSort)") == [way]


COVERED = """() => {
    const around = [...document.querySelectorAll('.st-key-bar, .st-key-canvas')]
    const shadows = around.flatMap(part => [...part.querySelectorAll('*')].map(one => one.shadowRoot).filter(Boolean))
    const is_covered = button => {
        button.scrollIntoView({block: 'center'})
        const {x, y, width, height} = button.getBoundingClientRect()
        const there = width && !button.disabled && button.getRootNode().elementFromPoint(x + width / 2, y + height / 2)
        return width && !button.disabled && !(there && button.contains(there))
    }
    return [...around, ...shadows].flatMap(part => [...part.querySelectorAll('button')]).filter(is_covered)
        .map(button => button.ariaLabel || button.title || button.innerText)
}"""
"""Names of buttons that something else lies over."""


@pytest.mark.parametrize("place", ["inpaint with a picture", "inpaint with a candidate"])
@pytest.mark.parametrize(
    "options", [PHONE, {"viewport": {"width": 390, "height": 844}}, {"viewport": {"width": 820, "height": 900}}, {}]
)
def test_each_button_around_the_canvas_is_hit_where_it_stands(filled, window, place, options):
    page = window(**options)
    page.goto(filled.url(place))
    page.locator(".painter[data-stored=true]").wait_for()

    wait_until(lambda: page.evaluate(COVERED) == [], "each is hit", lambda: str(page.evaluate(COVERED)))
