"""What was made from the open picture, as the painter is told of it, and what is asked there of one of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.domain.generation import Relation, Status
from core.domain.pixels.mask import Mask
from tests.conftest import a_mask
from tests.pages.conftest import Browser, picture_at
from tests.pages.test_inpaint import draft, draft_id, generate, widget, words_on
from tests.pages.test_inpaint_session import finished


@pytest.fixture
def page(browser, opened, dispatcher) -> AppTest:
    """With one candidate."""
    browser.paint(a_mask())
    generate(opened)
    return finished(opened, dispatcher)


@pytest.fixture
def ask(page, browser) -> Callable[..., AppTest]:
    """What the painter is asked for, and what the page makes of it."""

    def asked(name: object, id: object = "") -> AppTest:
        browser.asked = {"name": name, "id": id}
        page.run()
        # In a browser the painter is a fragment, which asks for a run of the whole page.
        page.run()
        assert not page.exception
        return page

    return asked


def ids(browser: Browser) -> list[str]:
    return [candidate["id"] for candidate in browser.told["candidates"]]


def test_a_candidate_is_the_painted_part_in_its_place_with_all_its_pixels(page, browser, studio):
    [candidate] = browser.told["candidates"]
    generation = studio.gallery.get(candidate["id"])
    box, part = generation.painted_part, picture_at(candidate["picture"])

    assert part.size == box.size.sides
    assert candidate["box"] == (box.left / 96, box.top / 64, box.size.width / 96, box.size.height / 64)
    # The picture is noise, of whose colours a JPEG keeps little.
    painted = studio.gallery.image(generation.output).crop(box.box)
    brightness = [np.asarray(image.convert("L")).ravel() for image in (part, painted)]
    assert np.corrcoef(brightness)[0, 1] > 0.95
    assert (candidate["title"], candidate["checked"]) == (f"Seed {generation.params.seed}", True)


def test_candidates_stay_when_more_is_generated_the_newest_first(page, browser, dispatcher, studio):
    first = ids(browser)
    widget(page, "slider", "num_inference_steps").set_value(7).run()
    generate(page)

    finished(page, dispatcher)

    assert ids(browser)[1:] == first
    assert [one["title"] for one in browser.told["candidates"]][0] == "Steps 7"
    assert draft(studio, page).earlier == tuple(first)


def test_accept_makes_it_the_picture_and_back_leads_to_the_one_before_with_its_candidates(page, browser, studio, ask):
    before, [made] = draft_id(page), ids(browser)

    ask("accept", made)

    after, accepted = draft_id(page), draft(studio, page)
    assert (accepted.source, accepted.base_mask, accepted.before) == (studio.gallery.get(made).output, None, before)
    assert accepted.relation is Relation.CONTINUATION
    assert (ids(browser), browser.told["back"]) == ([], True)
    ask("back")
    assert (draft_id(page), ids(browser), browser.told["back"]) == (before, [made], False)
    ask("forward")
    assert draft_id(page) == after


def test_accept_can_keep_the_mask(page, browser, studio, ask):
    [made] = ids(browser)

    ask("accept-masked", made)

    assert Mask.from_image(studio.gallery.image(draft(studio, page).base_mask)) == a_mask()


def test_a_discarded_one_goes_to_the_trash_and_can_be_taken_back(page, browser, studio, ask):
    [made] = ids(browser)

    ask("discard", made)

    assert ids(browser) == []
    assert studio.gallery.get(made).deleted_at is not None
    page.button(key="undo-trash").click().run()
    assert ids(browser) == [made]


def test_a_favourite_is_one_until_it_is_asked_for_again(page, browser, studio, ask):
    [made] = ids(browser)

    ask("favourite", made)
    assert browser.told["candidates"][0]["favourite"]
    ask("favourite", made)

    assert not studio.gallery.get(made).favourite


@pytest.mark.parametrize(("name", "count"), [("again", 1), ("vary", 4)])
@pytest.mark.slow_but_first
def test_more_of_it_is_queued_with_the_same_mask_and_it_stays(page, browser, studio, ask, name, count):
    [made] = ids(browser)

    ask(name, made)

    asked = [studio.gallery.get(id) for id in draft(studio, page).generations]
    assert [one.status for one in asked] == [Status.QUEUED] * count
    assert {one.mask for one in asked} == {studio.gallery.get(made).mask}
    assert ids(browser) == [made]


def test_the_page_tells_more_of_the_one_that_is_looked_at(page, browser, dispatcher, studio, ask):
    [first] = ids(browser)
    generate(page)
    finished(page, dispatcher)

    ask("choose", first)

    assert browser.told["chosen"] == first
    assert f"Seed {studio.gallery.get(first).params.seed}" in words_on(page)
    assert page.button(key=f"keep-{first}")


HOSTILE = [("accept", "nothing"), ("erase", ""), (5, None), ("accept", ["x"]), ("back", ""), ("__class__", "")]


@pytest.mark.parametrize(("name", "id"), HOSTILE)
@pytest.mark.slow_but_first
def test_what_is_no_action_or_none_of_its_candidates_changes_nothing(page, browser, studio, ask, name, id):
    before, count = draft(studio, page), studio.gallery.count()

    ask(name, id)

    assert (draft(studio, page), studio.gallery.count()) == (before, count)


def test_one_of_another_draft_is_left_alone(page, browser, studio, ask, inpaint):
    [made] = ids(browser)
    other = inpaint()
    other.button(key="sample-dandelions.jpg").click().run()

    browser.asked = {"name": "discard", "id": made}
    other.run()

    assert studio.gallery.get(made).deleted_at is None
