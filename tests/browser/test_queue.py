"""The queue in a real browser: rows that are dragged, and moved by keys. What AppTest cannot see of our component."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from core.bootstrap import Studio
from core.domain.generation import Origin
from core.settings import Settings
from tests.browser.artist import dashboard, wait_until
from tests.browser.test_accessibility import without_a_name
from tests.conftest import a_request, make_studio
from tests.fakes import FakeInpainter

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FOCUSED = """() => {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    return at?.closest(".row")?.dataset.id ?? null;
}"""


@dataclass(frozen=True)
class Served:
    """A running dashboard whose queue is paused."""

    address: str
    studio: Studio

    @property
    def waiting(self) -> list[str]:
        return [w.id for w in self.studio.queue.repo.waiting()]


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("queue")
    studio = make_studio(Settings(data=data, _env_file=None), FakeInpainter(), lambda: datetime.now(UTC))
    studio.queue.pause()
    with dashboard(data) as address:
        yield Served(address, studio)


@pytest.fixture
def queue(window, served):
    """Open the page with four that wait, and return it with their ids."""
    served.studio.queue.cancel_all()
    ids = served.studio.generations.submit(a_request(prompt="a fox"), count=4, origin=Origin(session="somebody"))
    page = window(has_touch=True)
    page.goto(f"{served.address}/Queue")
    page.locator(".row").nth(3).wait_for()
    return page, ids


def handle(page, id: str):
    return page.locator(f".row[data-id='{id}'] .handle")


def test_a_row_has_56_px_and_the_keys_of_its_handle_move_it_and_keep_the_keyboard(queue, served):
    page, [a, b, c, d] = queue
    assert {row.bounding_box()["height"] for row in page.locator(".row").all()} == {56}

    handle(page, c).focus()
    for key, order in (("ArrowUp", [a, c, b, d]), ("ArrowDown", [a, b, c, d]), ("End", [a, b, d, c])):
        page.keyboard.press(key)
        wait_until(lambda order=order: served.waiting == order, f"{key} moved it")
        first = page.locator(".row").nth(order.index(c))
        wait_until(lambda first=first: first.get_attribute("data-id") == c, "it stands there")
        wait_until(lambda: page.evaluate(FOCUSED) == c, "it keeps the keyboard")


@pytest.mark.parametrize("below", [True, False])
def test_a_row_is_dragged_to_another_place(queue, served, below):
    page, [a, b, c, d] = queue
    start, end = handle(page, d if not below else a).bounding_box(), page.locator(".row").nth(1 + below).bounding_box()

    page.mouse.move(start["x"] + 8, start["y"] + 20)
    page.mouse.down()
    page.mouse.move(start["x"] + 8, end["y"] + (50 if below else 6), steps=8)
    # What comes in each second must not take it out of the hand.
    page.wait_for_timeout(1500)
    page.mouse.up()

    wait_until(lambda: served.waiting == ([b, c, a, d] if below else [a, d, b, c]), "it was dropped there")


def test_every_button_of_a_row_has_a_name_and_nothing_is_wider_than_a_phone(queue):
    page, _ = queue
    page.set_viewport_size({"width": 390, "height": 844})

    assert without_a_name(page) == []
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390


def test_a_row_is_cancelled_by_its_button_and_by_a_key(queue, served):
    page, [a, b, c, d] = queue

    page.get_by_role("button", name="Cancel: No. 2 in queue, a fox, seed 1").click()
    wait_until(lambda: served.waiting == [a, c, d], "the button cancelled it")
    handle(page, d).press("Delete")

    wait_until(lambda: served.waiting == [a, c], "the key cancelled it")
