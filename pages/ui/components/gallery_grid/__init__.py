"""A grid of thumbnails: click or Enter opens one, Ctrl or Shift click and Space select several.

A component of our own: st.image in columns took 480 ms of script time for 60 pictures, sent each file re-encoded, and
could neither be clicked nor be reached by keyboard (docs/decisions/0002-thumbnails.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from core.domain.errors import StudioError
from core.domain.generation import Generation, Status, Verdict
from core.services.gallery import Gallery
from pages.ui.shell.media import address
from pages.ui.shell.wording import beginning

STATUS_TITLES = {status: status.capitalize() for status in Status}

# One picture for a screen reader needs a name, also when the artist gave no words.
NO_PROMPT = "(no prompt: filled from its surroundings)"
TITLE_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Tile:
    """picture: address of the thumbnail. title: the prompt. badge: a word on what is special, with its tone.

    sign: of the newest verdict; said: what it means, for those who cannot see it.
    """

    id: str
    title: str
    picture: str | None = None
    badge: str | None = None
    tone: str = "neutral"
    problem: str | None = None
    sign: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class GridAnswer:
    """opened: the id of the tile that was just clicked. selected: ids, in the order of the grid."""

    opened: str | None = None
    selected: tuple[str, ...] = ()


def gallery_grid(
    gallery: Gallery,
    generations: Sequence[Generation],
    *,
    key: str,
    selectable: bool = True,
) -> GridAnswer:
    """Show the thumbnails of these generations. A missing picture gets a sentence in its tile."""
    tiles = [tile_of(gallery, generation, f"{key}.{n}") for n, generation in enumerate(generations)]
    given = _component(
        key=key,
        data={"tiles": [asdict(tile) for tile in tiles], "selectable": selectable},
        on_selected_change=lambda: None,
        on_open_change=lambda: None,
    )
    ids = [tile.id for tile in tiles]
    opened = given.get("open")
    selected = set(given.get("selected") or ())
    return GridAnswer(opened if opened in ids else None, tuple(id for id in ids if id in selected))


def tile_of(gallery: Gallery, generation: Generation, coordinates: str) -> Tile:
    """coordinates: the place of the tile on the page, a name of its own for each."""
    picture, problem = None, generation.error
    if generation.thumbnail:
        try:
            picture, problem = address(gallery.thumbnail(generation.id, generation.thumbnail), coordinates), None
        except StudioError as error:
            problem = str(error)
    succeeded = generation.status is Status.SUCCEEDED
    verdict = generation.verdict
    return Tile(
        id=generation.id,
        title=beginning(generation.params.prompt, TITLE_SHOWN) or NO_PROMPT,
        picture=picture,
        badge=None if succeeded else STATUS_TITLES[generation.status],
        tone=_TONES.get(generation.status, "neutral"),
        problem=problem,
        sign=_SIGNS[verdict] if verdict else None,
        said=f"Reproduction: {verdict}" if verdict else None,
    )


_SIGNS = {Verdict.EXACT: "=", Verdict.CLOSE: "≈", Verdict.DIFFERENT: "≠"}
_TONES = {Status.FAILED: "bad", Status.RUNNING: "busy", Status.QUEUED: "busy", Status.INTERRUPTED: "odd"}


_HTML = """
<div class="strip" hidden>
  <span class="count" role="status"></span>
  <button type="button" class="clear" hidden>Clear selection</button>
</div>
<ul class="grid" role="listbox" aria-label="Generations. Enter opens one, Space selects it."></ul>
"""

_CSS = """
:host { display: block; }
.strip {
  display: flex; gap: .75rem; align-items: center;
  font: 400 .875rem var(--st-font); color: var(--st-text-color);
  min-height: 1.75rem; margin-bottom: .5rem;
}
.strip[hidden], .clear[hidden] { display: none; }
.hint { opacity: .7; }
.clear {
  font: inherit; color: var(--st-link-color); background: none; border: 0; padding: .25rem; cursor: pointer;
  border-radius: var(--st-base-radius); text-decoration: underline;
}
.grid {
  display: grid; gap: .75rem; list-style: none; margin: 0; padding: 3px;
  grid-template-columns: repeat(auto-fill, minmax(min(10.5rem, 44%), 1fr));
}
.tile {
  position: relative; aspect-ratio: 1; overflow: hidden; cursor: pointer; user-select: none;
  border-radius: var(--st-base-radius); background: var(--st-secondary-background-color);
  box-shadow: 0 0 0 1px var(--st-border-color);
  -webkit-tap-highlight-color: transparent;
}
.tile img { width: 100%; height: 100%; object-fit: cover; display: block; transition: transform .15s; }
.tile:focus { outline: none; }
.tile:focus-visible, .clear:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 2px; }
.tile[aria-selected="true"] { box-shadow: 0 0 0 3px var(--st-primary-color); }
.tile[aria-selected="true"] img { transform: scale(.93); border-radius: var(--st-base-radius); }
.words {
  position: absolute; inset: auto 0 0 0; margin: 0; padding: 1.75rem .6rem .5rem; pointer-events: none;
  font: 400 .8125rem/1.35 var(--st-font); color: #fff; opacity: 0; transition: opacity .15s;
  background: linear-gradient(transparent, rgb(0 0 0 / .78) 45%);
}
.words span, .plain span {
  display: -webkit-box; -webkit-box-orient: vertical; overflow: hidden; overflow-wrap: anywhere;
}
.words span { -webkit-line-clamp: 2; }
.tile:hover .words, .tile:focus-visible .words { opacity: 1; }
.plain {
  position: absolute; inset: 0; padding: 2.5rem .6rem .5rem; margin: 0; color: var(--st-text-color);
  font: 400 .8125rem/1.35 var(--st-font); display: flex; flex-direction: column; gap: .35rem;
}
.plain .title { -webkit-line-clamp: 3; }
.plain .problem { -webkit-line-clamp: 4; opacity: .75; }
.badge {
  position: absolute; left: .5rem; top: .5rem; padding: .1rem .5rem; border-radius: 1rem;
  font: 600 .75rem/1.4 var(--st-font); color: var(--st-text-color); background: var(--st-background-color);
  box-shadow: 0 0 0 1px var(--st-border-color);
}
.badge.bad { color: var(--st-red-text-color); }
.badge.odd { color: var(--st-orange-text-color); }
.badge.busy { color: var(--st-link-color); }
.sign {
  position: absolute; right: .5rem; bottom: .5rem; width: 1.375rem; height: 1.375rem; border-radius: 50%;
  font: 700 .9375rem/1.375rem var(--st-font); text-align: center; color: var(--st-text-color);
  background: var(--st-background-color); box-shadow: 0 0 0 1px var(--st-border-color);
}
.sign.exact { color: var(--st-green-text-color); }
.sign.close { color: var(--st-blue-text-color); }
.sign.different { color: var(--st-orange-text-color); }
.signed .words { padding-right: 2.25rem; }
.pick {
  position: absolute; right: 0; top: 0; width: 2.5rem; height: 2.5rem; opacity: 0; transition: opacity .15s;
}
.pick::after {
  content: ""; position: absolute; right: .5rem; top: .5rem; width: 1.375rem; height: 1.375rem; border-radius: 50%;
  background: rgb(0 0 0 / .35); box-shadow: inset 0 0 0 2px #fff, 0 0 2px rgb(0 0 0 / .5); box-sizing: border-box;
}
.tile:hover .pick, .tile:focus-visible .pick, .choosing .pick { opacity: 1; }
.tile[aria-selected="true"] .pick { opacity: 1; }
.tile[aria-selected="true"] .pick::after {
  content: "\\2713"; background: var(--st-primary-color); color: #fff; font: 700 .875rem/1.375rem var(--st-font);
  text-align: center;
}
@media (hover: none) { .pick { opacity: .8; } }
@media (prefers-reduced-motion: reduce) { .tile img, .words, .pick { transition: none; } }
"""

# Text reaches the page by textContent and attributes only: a prompt may hold any HTML.
_JS = """
export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component;
  const grid = parentElement.inpaintGrid ?? (parentElement.inpaintGrid = makeGrid(parentElement));
  grid.setState = setStateValue;
  grid.trigger = setTriggerValue;
  grid.show(data);
}

const HINT = matchMedia("(hover: none)").matches
  ? "Tap a picture to open it; tap its circle to select it."
  : "Click opens; Ctrl or Shift with a click selects several. Keys: arrows, Enter, Space.";

function makeGrid(root) {
  const list = root.querySelector(".grid");
  const strip = root.querySelector(".strip");
  const count = root.querySelector(".count");
  const clear = root.querySelector(".clear");
  const self = { show };
  let tiles = new Map();
  let selected = new Set();
  let current = null;      // the id that Tab reaches
  let anchor = null;       // where a Shift selection starts
  let selectable = true;
  let watching = null;     // the timer that waits for a dialog to close

  function show(data) {
    const before = [...tiles.keys()];
    const hadFocus = root.activeElement?.dataset?.id;
    selectable = data.selectable;
    list.setAttribute("aria-multiselectable", String(selectable));
    const wanted = new Map(data.tiles.map((tile) => [tile.id, tile]));
    for (const [id, element] of tiles) if (!wanted.has(id)) { element.remove(); tiles.delete(id); }
    const next = new Map();
    let place = list.firstElementChild;
    for (const [id, tile] of wanted) {
      const made = JSON.stringify(tile);
      let element = tiles.get(id);
      if (!element) element = document.createElement("li");
      if (element.made !== made) { fill(element, tile); element.made = made; }
      if (element === place) place = place.nextElementSibling;
      else list.insertBefore(element, place);
      next.set(id, element);
    }
    tiles = next;
    const kept = [...selected].filter((id) => tiles.has(id));
    if (kept.length !== selected.size) { selected = new Set(kept); tell(); }
    if (!tiles.has(current)) current = tiles.keys().next().value ?? null;
    if (!tiles.has(anchor)) anchor = null;
    paint();
    const turned = before.length > 0 && !before.some((id) => tiles.has(id));
    if (turned && list.getBoundingClientRect().top < 0) list.scrollIntoView({ block: "start" });
    if (hadFocus && !tiles.has(hadFocus)) focus(current);
  }

  function open(id) {
    current = id;
    paint();
    self.trigger("open", id);
    clearInterval(watching);
    // A dialog that closes leaves the keyboard nowhere: give it back to the tile, once the dialog is gone. For a
    // moment more: where the page is used at once, Streamlit shows the closed one again for a twentieth of a second.
    let seen = false;
    let goneFor = 0;
    watching = setInterval(() => {
      const dialog = document.querySelector("[role=dialog]");
      seen = seen || dialog !== null;
      goneFor = seen && dialog === null ? goneFor + 1 : 0;
      if (goneFor && document.activeElement === document.body) focus(current);
      if (goneFor === 10 || !root.host.isConnected) clearInterval(watching);
    }, 200);
  }

  function fill(element, tile) {
    element.className = tile.sign ? "tile signed" : "tile";
    element.dataset.id = tile.id;
    element.setAttribute("role", "option");
    // In the order in which they stand there, for who speaks to the computer reads a name out to reach it.
    const said = [tile.title, tile.picture ? null : tile.problem, tile.badge, tile.said].filter(Boolean);
    element.setAttribute("aria-label", said.join(". "));
    element.replaceChildren();
    if (tile.picture) {
      const image = document.createElement("img");
      image.loading = "lazy";
      image.decoding = "async";
      image.draggable = false;
      image.alt = tile.title;
      image.onerror = () => {
        image.remove();
        element.append(words("plain", tile.title, "This thumbnail cannot be shown. Reload the page."));
      };
      image.src = tile.picture;
      element.append(image, words("words", tile.title));
    } else {
      element.append(words("plain", tile.title, tile.problem));
    }
    if (tile.badge) {
      const badge = document.createElement("span");
      badge.className = "badge " + tile.tone;
      badge.textContent = tile.badge;
      element.append(badge);
    }
    if (tile.sign) {
      const sign = document.createElement("span");
      sign.className = "sign " + tile.said.split(" ").pop().toLowerCase();
      sign.textContent = tile.sign;
      sign.title = tile.said;
      sign.setAttribute("aria-hidden", "true");
      element.append(sign);
    }
    if (selectable) {
      const pick = document.createElement("span");
      pick.className = "pick";
      element.append(pick);
    }
  }

  function words(kind, title, problem) {
    const paragraph = document.createElement("p");
    paragraph.className = kind;
    paragraph.setAttribute("aria-hidden", "true");
    for (const [name, text] of [["title", title], ["problem", problem]]) {
      if (!text) continue;
      const span = document.createElement("span");
      span.className = name;
      span.textContent = text;
      paragraph.append(span, " ");
    }
    return paragraph;
  }

  function paint() {
    for (const [id, element] of tiles) {
      element.tabIndex = id === current ? 0 : -1;
      element.setAttribute("aria-selected", String(selected.has(id)));
    }
    list.classList.toggle("choosing", selected.size > 0);
    // Always there, so that nothing moves under the mouse with the first selection.
    strip.hidden = !selectable || tiles.size === 0;
    clear.hidden = selected.size === 0;
    count.classList.toggle("hint", selected.size === 0);
    count.textContent = selected.size ? selected.size + " selected" : HINT;
  }

  function tell() { self.setState("selected", [...selected]); }

  function focus(id) {
    if (!tiles.has(id)) return;
    current = id;
    paint();
    tiles.get(id).focus();
  }

  function choose(ids, add) {
    if (!selectable) return;
    selected = new Set(add ? [...selected, ...ids] : ids);
    paint();
    tell();
  }

  function toggle(id) {
    if (!selectable) return;
    selected.has(id) ? selected.delete(id) : selected.add(id);
    anchor = id;
    paint();
    tell();
  }

  function extendTo(id) {
    const ids = [...tiles.keys()];
    const from = Math.max(0, ids.indexOf(anchor ?? current));
    const to = ids.indexOf(id);
    anchor = anchor ?? ids[from];
    choose(ids.slice(Math.min(from, to), Math.max(from, to) + 1), false);
  }

  list.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    const id = tile.dataset.id;
    if (selectable && event.shiftKey) { extendTo(id); current = id; paint(); return; }
    if (selectable && (event.ctrlKey || event.metaKey || event.target.closest(".pick"))) { current = id; toggle(id); }
    else open(id);
  });

  list.addEventListener("keydown", (event) => {
    const ids = [...tiles.keys()];
    const at = ids.indexOf(current);
    if (at < 0) return;
    const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
    const moves = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -at, End: ids.length - 1 - at,
    };
    if (event.key in moves) {
      const to = at + moves[event.key];
      if (to < 0 || to >= ids.length) { event.preventDefault(); return; }
      if (event.shiftKey && selectable) extendTo(ids[to]);
      focus(ids[to]);
    } else if (event.key === "Enter") open(current);
    else if (event.key === " ") toggle(current);
    else if (event.key === "Escape" && selected.size) choose([], false);
    else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) choose(ids, false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  clear.addEventListener("click", () => { choose([], false); focus(current); });
  return self;
}
"""

_component = st.components.v2.component("inpaint_gallery_grid", html=_HTML, css=_CSS, js=_JS)
