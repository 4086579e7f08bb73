"""A dashboard, a browser, and artists who use them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.artist import PATIENCE_S, POCKET, ROOT, Artist, dashboard
from tests.browser.artist import chromium as a_chromium


def unavailable(reason: str) -> None:
    """Where the browser test has to run, its absence is a failure."""
    if os.environ.get("INPAINT_STUDIO_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def address(data) -> Iterator[str]:
    if not POCKET.is_file():
        unavailable(f"the pocket model is missing: {POCKET.parent.relative_to(ROOT)}")
    with dashboard(data) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    try:
        with a_chromium() as browser:
            yield browser
    except ImportError:
        unavailable("playwright is not installed")
    except FileNotFoundError as error:
        unavailable(str(error))


@pytest.fixture
def window(chromium) -> Iterator[Callable[..., Any]]:
    """An empty page in a browser of its own. What it logs as an error fails the test.

    What is given is of Playwright: has_touch, viewport, ...
    """
    contexts, crashes = [], []

    def new_window(**options: Any) -> Any:
        contexts.append(chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options}))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: crashes.append(str(error)))
        return page

    yield new_window
    for context in contexts:
        context.close()
    assert not crashes


@pytest.fixture
def artist(window, address, data) -> Callable[..., Artist]:
    """Each artist works in a browser of their own."""
    high = {"width": 1440, "height": 1200}
    return lambda **options: Artist(window(**{"viewport": high, **options}), address, data)
