"""Two pictures on top of each other, with a divider between them: drag it, tap, or use the arrow keys.

A component of our own, as Streamlit has none. It says nothing to the server, so moving the divider costs nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import streamlit as st

from core.domain.geometry import Size


@dataclass(frozen=True, slots=True)
class Layer:
    """address: of a picture on the media server. title: stands on the picture. alt: for those who do not see it."""

    address: str
    title: str
    alt: str


def wipe(left: Layer, right: Layer, size: Size, *, key: str, at: float = 0.5) -> None:
    """size: of the pictures, which are of one size; only its shape counts. at: where the divider is first, 0 to 1."""
    data = {"left": asdict(left), "right": asdict(right), "width": size.width, "height": size.height, "at": 100 * at}
    _component(key=key, data=data)


_HTML = """
<div class="wipe">
  <img class="right" draggable="false">
  <img class="left" draggable="false">
  <span class="name of-left"></span>
  <span class="name of-right"></span>
  <div class="line">
    <div class="handle" role="slider" tabindex="0" aria-orientation="horizontal" aria-valuemin="0" aria-valuemax="100">
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 6 3 12l6 6M15 6l6 6-6 6"/></svg>
    </div>
  </div>
</div>
<div class="below">
  <button type="button" class="flip"></button>
  <span class="hint">Drag the line, or use the arrow keys.</span>
</div>
"""

_CSS = """
:host { display: block; }
.wipe {
  position: relative; overflow: hidden; cursor: ew-resize; user-select: none; -webkit-user-select: none;
  /* A finger that moves up or down still scrolls the page. */
  touch-action: pan-y;
  border-radius: var(--st-base-radius); background: var(--st-secondary-background-color);
  --at: 50%;
}
.wipe img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.wipe img.left { clip-path: inset(0 calc(100% - var(--at)) 0 0); }
.line {
  position: absolute; inset: 0 auto 0 var(--at); width: 2px; margin-left: -1px; background: #fff;
  box-shadow: 0 0 0 1px rgb(0 0 0 / .35); pointer-events: none;
}
.handle {
  position: absolute; left: 50%; top: 50%; width: 2.5rem; height: 2.5rem; margin: -1.25rem 0 0 -1.25rem;
  box-sizing: border-box; border-radius: 50%; background: rgb(0 0 0 / .55); border: 2px solid #fff;
}
.handle:focus { outline: none; }
.handle:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 2px; }
.handle svg { width: 100%; height: 100%; fill: none; stroke: #fff; stroke-width: 2.5; stroke-linejoin: round; }
.name {
  position: absolute; top: .5rem; max-width: 45%; padding: .1rem .5rem; border-radius: 1rem; pointer-events: none;
  font: 600 .75rem/1.5 var(--st-font); color: #fff; background: rgb(0 0 0 / .6); transition: opacity .15s;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
.of-left { left: .5rem; }
.of-right { right: .5rem; }
.name.away { opacity: 0; }
.below { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: center; min-height: 2.25rem; }
.hint { font: 400 .875rem var(--st-font); color: var(--st-text-color); opacity: .7; }
.flip {
  font: 400 .875rem var(--st-font); color: var(--st-link-color); background: none; border: 0; cursor: pointer;
  padding: .4rem 0; text-decoration: underline; border-radius: var(--st-base-radius);
}
.flip:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 2px; }
@media (prefers-reduced-motion: reduce) { .name { transition: none; } }
"""

# Text reaches the page by textContent and attributes only: a title may hold any HTML.
_JS = """
export default function ({ data, parentElement }) {
  const wipe = parentElement.inpaintWipe ?? (parentElement.inpaintWipe = makeWipe(parentElement));
  wipe.show(data);
}

function makeWipe(root) {
  const part = (name) => root.querySelector(name);
  const frame = part(".wipe"), handle = part(".handle"), flip = part(".flip");
  const images = { left: part("img.left"), right: part("img.right") };
  const names = { left: part(".of-left"), right: part(".of-right") };
  let titles = { left: "", right: "" };
  // Where it was put by hand it stays, until it has to show something else first.
  let at = null, first = null;

  function show(data) {
    frame.style.aspectRatio = data.width + " / " + data.height;
    // No taller than a screen leaves room for.
    frame.style.maxWidth = "calc(62vh * " + data.width / data.height + ")";
    for (const side of ["left", "right"]) {
      titles[side] = data[side].title;
      names[side].textContent = data[side].title;
      images[side].alt = data[side].alt;
      if (images[side].getAttribute("src") !== data[side].address) images[side].src = data[side].address;
    }
    handle.setAttribute("aria-label", "Divider: " + titles.left + " on its left, " + titles.right + " on its right");
    if (at === null || first !== data.at) at = first = data.at;
    move(at);
  }

  function move(to) {
    at = Math.min(100, Math.max(0, to));
    frame.style.setProperty("--at", at + "%");
    names.left.classList.toggle("away", at < 20);
    names.right.classList.toggle("away", at > 80);
    const shown = Math.round(at);
    handle.setAttribute("aria-valuenow", String(shown));
    handle.setAttribute("aria-valuetext", shown + " % " + titles.left + ", " + (100 - shown) + " % " + titles.right);
    flip.textContent = "Show only: " + (at >= 100 ? titles.right : titles.left);
  }

  function follow(event) {
    const box = frame.getBoundingClientRect();
    move(((event.clientX - box.left) / box.width) * 100);
  }

  frame.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    frame.setPointerCapture(event.pointerId);
    follow(event);
    handle.focus({ preventScroll: true, focusVisible: false });
    // Or the browser drags the picture away as a file.
    if (event.pointerType === "mouse") event.preventDefault();
  });
  frame.addEventListener("pointermove", (event) => {
    if (frame.hasPointerCapture(event.pointerId)) follow(event);
  });

  handle.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 2;
    const moves = {
      ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step,
      PageDown: at - 10, PageUp: at + 10, Home: 0, End: 100,
    };
    if (event.key in moves) move(moves[event.key]);
    else if (event.key === " " || event.key === "Enter") move(at >= 100 ? 0 : 100);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  flip.addEventListener("click", () => move(at >= 100 ? 0 : 100));
  return { show };
}
"""

_component = st.components.v2.component("inpaint_wipe", html=_HTML, css=_CSS, js=_JS)
