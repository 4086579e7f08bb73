"""Expanders and popovers of Inpaint: closed ones are not drawn, and lose nothing of what was chosen in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.inpaint import mask_numbers, mask_tools, outpaint, sheet_form
from tests.pages.test_inpaint import draft_id

Shown = Callable[[], Sequence[Any]]
"""The fields that were set, as they stand now."""


def turned(page: AppTest, panel: str, *, is_open: bool) -> AppTest:
    page.session_state[panel] = is_open
    page.run()
    assert not page.exception
    return page


def told(field: Any) -> Any:
    """What the browser is told to show in this field; None if it shows what it showed before, or the default."""
    return field.value if field.proto.set_value else None


def vary(page: AppTest) -> Shown:
    id = draft_id(page)
    page.selectbox(key=f"{id}.sheet.columns").set_value("strength").run()
    page.text_input(key=f"{id}.sheet.columns.strength").set_value("0.5, 1").run()
    return lambda: (page.selectbox(key=f"{id}.sheet.columns"), page.text_input(key=f"{id}.sheet.columns.strength"))


def extend(page: AppTest) -> Shown:
    id = draft_id(page)
    page.number_input(key=f"{id}.extend-left").set_value(64).run()
    page.slider(key=f"{id}.overlap").set_value(16).run()
    return lambda: (page.number_input(key=f"{id}.extend-left"), page.slider(key=f"{id}.overlap"))


def by_numbers(page: AppTest) -> Shown:
    page.segmented_control(key=mask_numbers.KIND).set_value("Ellipse").run()
    width = next(field.key for field in page.number_input if field.label == mask_numbers.WIDTH)
    page.number_input(key=width).set_value(30).run()
    return lambda: (page.segmented_control(key=mask_numbers.KIND), page.number_input(key=width))


def adjust(page: AppTest) -> Shown:
    page.number_input(key=mask_tools.PX).set_value(3).run()
    return lambda: (page.number_input(key=mask_tools.PX),)


PANELS = [
    (sheet_form.PANEL, vary, ("strength", "0.5, 1")),
    (outpaint.PANEL, extend, (64, 16)),
    (mask_numbers.PANEL, by_numbers, ("Ellipse", 30)),
    (mask_tools.ADJUST, adjust, (3,)),
]


@pytest.mark.parametrize(("panel", "choose", "chosen"), PANELS)
def test_a_panel_that_was_closed_shows_what_was_chosen_in_it(pictured, inpaint, panel, choose, chosen):
    page = inpaint(panels=[panel], draft=pictured)
    fields = choose(page)

    turned(page, panel, is_open=False).run()
    turned(page, panel, is_open=True)

    assert tuple(map(told, fields())) == chosen
    assert not page.warning


def test_what_stands_in_closed_panels_is_not_drawn(pictured, inpaint):
    page = inpaint(panels=(), draft=pictured)

    drawn = {str(widget.key) for kind in ("button", "number_input", "selectbox") for widget in getattr(page, kind)}

    assert f"{draft_id(page)}.count" in drawn
    assert not [key for key in drawn if any(part in key for part in (".sheet", ".extend", "numbers-", "canvas-px"))]
