"""Pages in Streamlit's own test driver, on the studio of stand-ins, with a hand that paints in place of a browser."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from PIL import Image
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest

from core.domain.files.picture import Picture
from core.domain.pixels.drawing import ERASE, PAINT
from core.domain.pixels.mask import Mask
from pages.ui.inpaint import candidates, canvas, mask_numbers, mask_tools, outpaint, painter, result_view, sheet_form
from pages.ui.shell import state
from pages.ui.shell.messages import NOT_FORESEEN
from tests.conftest import a_picture
from tests.fakes import fake_devices

ROOT = Path(__file__).parents[2]
ROOM_PX = 480
COMPILED_PAGES = ScriptCache()
PANELS = (outpaint.PANEL, mask_numbers.PANEL, mask_tools.ADJUST, sheet_form.PANEL, result_view.PANEL)


@dataclass
class Hand:
    """Stands in for the canvas component. strokes are delivered at its next run, as if drawn since the last one."""

    key: str | None = None
    objects: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    strokes: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, **given: Any) -> SimpleNamespace:
        self.calls.append(given)
        if given["key"] != self.key:
            self.key = given["key"]
            self.objects = list((given["initial_drawing"] or {}).get("objects", []))
        self.objects += self.strokes
        self.strokes = []
        return SimpleNamespace(json_data={"version": "7.4.0", "objects": list(self.objects)})

    def paint(self, left: float, top: float, right: float, bottom: float, colour: str = PAINT) -> None:
        self.strokes.append(
            {
                "type": "Rect",
                "originX": "left",
                "originY": "top",
                "left": left,
                "top": top,
                "width": right - left,
                "height": bottom - top,
                "fill": colour,
                "stroke": colour,
                "strokeWidth": 0,
            }
        )

    def held(self) -> dict[str, Any]:
        """What a browser would have sent along with a click, strokes that no run has seen yet included."""
        return {self.key: {"drawing": {"raw": {"objects": [*self.objects, *self.strokes]}}}} if self.key else {}

    def erase(self, *box: float) -> None:
        self.paint(*box, colour=ERASE)


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch):
    """The libraries of the engine have no part in these tests."""
    monkeypatch.setattr("core.engine.device.devices", fake_devices)


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    """Where the real studio is built, no process is started."""
    monkeypatch.setenv("INPAINT_STUDIO_EMBEDDED_WORKER", "false")


@pytest.fixture(autouse=True)
def _nothing_unforeseen(request, caplog):
    """What nobody has foreseen is told to artists in a sentence, and a test that brought it about fails."""
    yield
    if request.node.get_closest_marker("unforeseen") is None:
        assert [
            record.exc_text or record.exc_info for record in caplog.get_records("call") if record.msg == NOT_FORESEEN
        ] == []


@pytest.fixture(autouse=True)
def _quick_hands(monkeypatch):
    """A test clicks twice on purpose within a moment in which a hand does so by mistake only."""
    monkeypatch.setattr("pages.ui.shell.actions.DOUBLE_CLICK_S", 0)


@pytest.fixture(autouse=True)
def _no_repeated_work_of_the_driver(monkeypatch):
    """What Streamlit's driver does anew for each page it opens, where a server does it once."""
    # Looking through all installed packages for components takes a third of a second.
    scan = "streamlit.components.v2.component_manager.BidiComponentManager.discover_and_register_components"
    monkeypatch.setattr(scan, lambda *_, **__: None)
    for driver in ("app_test", "local_script_runner"):
        monkeypatch.setattr(f"streamlit.testing.v1.{driver}.ScriptCache", lambda: COMPILED_PAGES)


@pytest.fixture
def hand(monkeypatch) -> Hand:
    hand = Hand()
    monkeypatch.setitem(sys.modules, "streamlit_drawable_canvas", SimpleNamespace(st_canvas=hand))
    monkeypatch.setattr("pages.ui.inpaint.canvas._ruler", lambda **_: {"width": ROOM_PX})
    session = state.snapshot
    monkeypatch.setattr(state, "snapshot", lambda: {**session(), **hand.held()})
    # The painter has no drawing to hand in: who paints with this hand does so on the simple canvas.
    monkeypatch.setattr(canvas, "_painter", lambda opened, _: canvas._simple_canvas(opened))
    return hand


@pytest.fixture
def inpaint(studio, hand, monkeypatch) -> Callable[..., AppTest]:
    """Open the Inpaint page in a new browser session, at an address, with these of its panels open: all of them."""
    monkeypatch.setattr("pages.ui.shell.resources.studio", lambda: studio)
    monkeypatch.setattr("pages.ui.components.gallery_grid._component", lambda **_: {})
    st.cache_resource.clear()

    def open_page(panels: Collection[str] = PANELS, **query: str) -> AppTest:
        page = AppTest.from_file(ROOT / "Home.py", default_timeout=30)
        for panel in panels:
            page.session_state[panel] = True
        page.switch_page("pages/1_Inpaint.py")
        page.query_params.update(query)
        page.run()
        assert not page.exception
        return page

    return open_page


@pytest.fixture
def pictured(studio) -> str:
    """The id of a draft with a picture of 96 x 64 pixels: to upload one is four runs of the page for each test."""
    id = studio.drafts.start()
    studio.drafts.save(id, studio.drafts.open_picture(studio.drafts.get(id), Picture(a_picture()), "photo.png"))
    return id


@pytest.fixture
def opened(pictured, inpaint) -> AppTest:
    """The page with that picture, on a canvas five times as large."""
    return inpaint(draft=pictured)


@pytest.fixture
def ready(pictured, hand, inpaint) -> AppTest:
    """The page with that picture and a mask: its pixels 20 to 50 across and 10 to 40 down."""
    hand.paint(100, 50, 250, 200)
    return inpaint(draft=pictured)


@pytest.fixture
def home(studio, monkeypatch):
    """Open the first page; given an error, the studio cannot be built."""
    monkeypatch.setattr("core.engine.device.devices", fake_devices)
    st.cache_resource.clear()

    def open_page(error: Exception | None = None) -> AppTest:
        def resource():
            if error is not None:
                raise error
            return studio

        monkeypatch.setattr("pages.ui.shell.resources.studio", resource)
        page = AppTest.from_file(ROOT / "Home.py", default_timeout=30).run()
        assert not page.exception
        return page

    return open_page


PAINTER = canvas._painter


@dataclass
class Browser:
    """Stands in for the painter in the browser. told: what it was told last. sent: what its widget holds.

    asked: of the page, in its next run.
    """

    told: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    sent: dict[str, Any] | None = None
    count: int = 0
    asked: Any = None

    def __call__(self, *, key: str, data: dict[str, Any], on_painted_change: Any, on_act_change: Any) -> None:
        self.key, self.told = key, data
        if self.asked is not None:
            on_act_change()
            self.asked = None

    def paint(self, mask: Mask, **other: Any) -> None:
        self.count += 1
        file = io.BytesIO()
        mask.to_image().save(file, "PNG")
        text = base64.b64encode(file.getvalue()).decode()
        self.sent = {"png": text, "stamp": f"b.{self.count}", "revision": self.told["revision"], **other}

    @property
    def held(self) -> dict[str, Any]:
        return {"painted": self.sent, "act": self.asked}

    @property
    def shows(self) -> Mask | None:
        """The mask it was given, if it has to take one."""
        address = self.told["mask"]
        return address and Mask.from_image(picture_at(address))


def picture_at(address: str) -> Image.Image:
    """Of what travels in its address."""
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


@pytest.fixture
def browser(inpaint, hand, monkeypatch) -> Browser:
    browser = Browser()
    monkeypatch.setattr(canvas, "_painter", PAINTER)
    monkeypatch.setattr(painter, "_component", browser)
    for module in (painter, candidates):
        monkeypatch.setattr(module, "address", lambda file, *_: "data:," + base64.b64encode(file).decode())
    session = state.snapshot
    monkeypatch.setattr(state, "snapshot", lambda: {**session(), browser.key: browser.held})
    return browser
