"""Somebody in front of a page, without a browser: what one sends and hears over Streamlit's websocket.

Pictures are not fetched, and no component answers: what is measured is the server's part of a page.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.Navigation_pb2 import Navigation
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from pages.ui.shell.state import PERSON_COOKIE

LONGEST_RUN_S = 120.0
"""A page that has not come after so long counts as one that took so long, and as a failure."""


@dataclass(frozen=True, slots=True)
class Artist:
    """person: 16 hex digits, the name of their browser. draft: the id of what they have open on Inpaint."""

    person: str
    draft: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One run of a page. seconds: from asking for it until its script has finished. problem: what it showed instead."""

    page: str
    seconds: float
    problem: str | None = None


@dataclass
class Session:
    """One tab of a browser."""

    socket: ClientConnection
    artist: Artist
    visits: list[Visit] = field(default_factory=list)
    _page: str = ""
    _query: str = ""
    _hashes: dict[str, str] = field(default_factory=dict)
    """Of the pages' scripts, by the names in their addresses, as the server has told them."""
    _wanted: asyncio.Future[None] | None = None
    _begun: str = ""
    """The newest run of a whole page."""
    _run: str | None = None
    """The run of the page that was asked for, once it has begun."""
    _problem: str | None = None
    _fragments: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def visit(self, page: str, query: str = "") -> None:
        """Open a page, or run it again if it is open. page: the name in its address, which Home has not.

        query: what follows in the address; on Inpaint their own draft, unless something is given.
        """
        self._page, self._run, self._problem = page, None, None
        self._query = query or (f"draft={self.artist.draft}" if page == "Inpaint" else "")
        self._forget_fragments()
        self._wanted = asyncio.get_running_loop().create_future()
        began = time.monotonic()
        try:
            await self._ask()
            await asyncio.wait_for(self._wanted, LONGEST_RUN_S)
        except TimeoutError:
            self._problem = f"no answer within {LONGEST_RUN_S:.0f} s"
        except (ConnectionClosed, ConnectionError):
            self._problem = "the connection was closed"
        self.visits.append(Visit(page, time.monotonic() - began, self._problem))

    async def browse(self, seconds: float, pause_s: float, chance: random.Random) -> None:
        """Go from page to page, and look at each for up to twice pause_s."""
        ends = time.monotonic() + seconds
        await asyncio.sleep(chance.uniform(0, min(2 * pause_s, seconds)))
        while time.monotonic() < ends and self.socket.close_code is None:
            await self.visit(chance.choice(("Inpaint", "Inpaint", "Gallery")))
            await asyncio.sleep(chance.uniform(0, 2 * pause_s))

    async def listen(self) -> None:
        """Until the connection ends, which is a failure of the page that is waited for."""
        try:
            async for data in self.socket:
                message = ForwardMsg.FromString(data if isinstance(data, bytes) else data.encode())
                self._hear(message)
        except ConnectionClosed:
            pass
        finally:
            self._forget_fragments()
            if self._wanted is not None and not self._wanted.done():
                self._wanted.set_exception(ConnectionError())

    def _hear(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        run = message.metadata.run
        if kind == "new_session" and not run.fragment_ids:
            # Because it was asked for, or because the run before has asked for it.
            self._begun = run.script_run_id
            self._forget_fragments()
        elif kind == "navigation":
            self._begin(message.navigation)
        elif kind == "auto_rerun":
            asked = message.auto_rerun
            self._fragments[asked.fragment_id] = asyncio.ensure_future(self._repeat(asked.fragment_id, asked.interval))
        elif kind == "stop_auto_rerun":
            self._forget_fragments(*message.stop_auto_rerun.fragment_ids)
        elif kind == "delta":
            self._problem = self._problem or _problem_in(message.delta)
        elif kind == "script_finished" and self._run is not None and run.script_run_id == self._run:
            # A run that gave way to the next one has not shown the page.
            is_shown = message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
            if is_shown and self._wanted is not None and not self._wanted.done():
                self._wanted.set_result(None)

    def _begin(self, at: Navigation) -> None:
        """The run has found out which page it is of."""
        self._hashes = {page.url_pathname: page.page_script_hash for page in at.app_pages}
        if at.page_script_hash == self._hashes.get(self._page):
            self._run = self._begun

    async def _repeat(self, fragment: str, interval_s: float) -> None:
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(interval_s)
                await self._ask(fragment)

    def _forget_fragments(self, *ids: str) -> None:
        """These, or all of them."""
        for id in ids or tuple(self._fragments):
            if (task := self._fragments.pop(id, None)) is not None:
                task.cancel()

    async def _ask(self, fragment: str = "") -> None:
        """For a run of the page, or of one of its fragments. A page is asked for by name until its hash is known."""
        message = BackMsg()
        state = message.rerun_script
        state.query_string = self._query
        state.page_script_hash = self._hashes.get(self._page, "")
        state.page_name = "" if state.page_script_hash else self._page
        state.fragment_id, state.is_auto_rerun = fragment, bool(fragment)
        await self.socket.send(message.SerializeToString())


def _problem_in(delta: Delta) -> str | None:
    element = delta.new_element
    if element.WhichOneof("type") == "exception":
        return f"{element.exception.type}: {element.exception.message}"
    if element.WhichOneof("type") == "alert" and element.alert.format == Alert.ERROR:
        return element.alert.body
    return None


@asynccontextmanager
async def session(address: str, artist: Artist) -> AsyncIterator[Session]:
    """address: http://127.0.0.1:PORT."""
    stream = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    cookie = {"Cookie": f"{PERSON_COOKIE}={artist.person}"}
    async with connect(
        stream,
        proxy=None,
        max_size=None,
        open_timeout=LONGEST_RUN_S,
        ping_timeout=None,
        additional_headers=cookie,
    ) as socket:
        opened = Session(socket, artist)
        listening = asyncio.ensure_future(opened.listen())
        try:
            yield opened
        finally:
            await socket.close()
            await listening
