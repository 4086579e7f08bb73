"""A family of generations as a small tree of thumbnails: each can be opened by mouse, finger or keyboard.

A component of our own: fifty pictures with buttons would be a hundred elements of Streamlit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st


@dataclass(frozen=True, slots=True)
class Twig:
    """A line of the tree. title: the prompt. detail: how it came about, and when. more: what is said below it."""

    id: str
    depth: int
    title: str
    detail: str
    picture: str | None = None
    is_current: bool = False
    is_step: bool = False
    more: str | None = None


def family_tree(twigs: Sequence[Twig], *, key: str) -> str | None:
    """The id of the one that was just clicked."""
    given = _component(key=key, data={"twigs": [asdict(twig) for twig in twigs]}, on_open_change=lambda: None)
    opened = given.get("open")
    return opened if opened in {twig.id for twig in twigs} else None


_HTML = '<ol class="tree" aria-label="The family of this generation. Enter opens one."></ol>'

_CSS = """
:host { display: block; }
.tree {
  list-style: none; margin: 0; padding: 3px; max-height: 26rem; overflow: auto;
  font: 400 .875rem/1.35 var(--st-font); color: var(--st-text-color);
}
.tree li { --depth: var(--level); padding-left: calc(var(--depth) * 1.25rem); position: relative; }
.tree li.below::before {
  content: ""; position: absolute; left: calc(var(--depth) * 1.25rem - .6rem); top: -.25rem;
  width: .5rem; height: 1.9rem;
  border: solid var(--st-border-color); border-width: 0 0 2px 2px; border-bottom-left-radius: .4rem;
}
.twig {
  display: flex; gap: .6rem; align-items: center; width: 100%; min-height: 3.25rem; padding: .2rem .4rem; margin: 0;
  font: inherit; color: inherit; text-align: left; background: none; border: 0; cursor: pointer;
  border-radius: var(--st-base-radius);
}
.twig:hover { background: var(--st-secondary-background-color); }
.twig:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: -1px; }
.twig[aria-current] { box-shadow: inset 0 0 0 2px var(--st-primary-color); cursor: default; }
.twig img, .twig .none {
  width: 2.9rem; height: 2.9rem; object-fit: cover; flex: none; border-radius: var(--st-base-radius);
  background: var(--st-secondary-background-color);
}
.words { min-width: 0; }
.title { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.step .title { font-weight: 600; }
.detail {
  display: block; font-size: .8125rem; opacity: .75; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
.more { font-size: .8125rem; opacity: .75; padding: .1rem .4rem .4rem 4rem; margin: 0; }
@media (max-width: 480px) { .tree li { --depth: min(var(--level), 5); } }
"""

# Text reaches the page by textContent and attributes only: a prompt may hold any HTML.
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector(".tree");
  const made = JSON.stringify(data);
  if (list.made === made) return;
  list.made = made;
  list.replaceChildren(...data.twigs.map(twigOf));
  const current = list.querySelector("[aria-current]");
  if (current) list.scrollTop = current.offsetTop - list.clientHeight / 2;

  function twigOf(twig) {
    const item = document.createElement("li");
    // Deeper ones stand below each other, or a long session would leave the page.
    const level = Math.min(twig.depth, 10);
    item.style.setProperty("--level", level);
    item.classList.toggle("below", twig.depth > 0);
    item.classList.toggle("step", twig.is_step);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "twig";
    button.dataset.id = twig.id;
    if (twig.is_current) button.setAttribute("aria-current", "true");
    else button.addEventListener("click", () => setTriggerValue("open", twig.id));
    button.append(pictureOf(twig), wordsOf(twig));
    item.append(button);
    if (twig.more) {
      const more = document.createElement("p");
      more.className = "more";
      more.textContent = twig.more;
      item.append(more);
    }
    return item;
  }

  function pictureOf(twig) {
    const picture = document.createElement(twig.picture ? "img" : "span");
    if (twig.picture) {
      picture.alt = "";
      picture.loading = "lazy";
      picture.src = twig.picture;
    } else picture.className = "none";
    return picture;
  }

  function wordsOf(twig) {
    const words = document.createElement("span");
    words.className = "words";
    for (const name of ["title", "detail"]) {
      const line = document.createElement("span");
      line.className = name;
      line.textContent = twig[name];
      words.append(line);
    }
    return words;
  }
}
"""

_component = st.components.v2.component("inpaint_family_tree", html=_HTML, css=_CSS, js=_JS)
