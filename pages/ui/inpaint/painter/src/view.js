// What is on the screen around the picture: the bar of tools, the window, and a line of words.

const ICON = {
  brush: "M4 20c3 0 5-1 5-4a2.5 2.5 0 0 1 3 3c-1 3-5 3-8 1zM12 15 20 5a1.5 1.5 0 0 0-2-2L9 12",
  eraser: "M8 20h12M5 15 14 5l6 6-9 9H9l-4-4a1 1 0 0 1 0-1zM10 9l6 6",
  rectangle: "M4 6h16v12H4z",
  ellipse: "M12 6c5 0 8 2.7 8 6s-3 6-8 6-8-2.7-8-6 3-6 8-6z",
  lasso: "M8 16c-3-1-5-3-5-5 0-4 4-6 9-6s9 2 9 6-4 6-9 6c-1 0-3 0-4-1zM8 16a2 2 0 1 0-2 2c0 2 1 3 3 3",
  polygon: "M12 4l8 6-3 10H7L4 10zM12 4h.01M20 10h.01M17 20h.01M7 20h.01M4 10h.01",
  similar: "M4 20 14 10M12 8l4 4M18 3v4M16 5h4M20 12v3M18.5 13.500h3M9 3v3M7.5 4.500h3",
  hand: "M12 3v18M3 12h18M12 3 9.5 5.500M12 3l2.5 2.500M12 21l-2.5-2.500M12 21l2.5-2.500M3 12l2.5-2.500M3 12l2.5 2.500M21 12l-2.5-2.500M21 12l-2.5 2.5",
  minus: "M5 12h14",
  plus: "M5 12h14M12 5v14",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  undo: "M9 7 4 12l5 5M4 12h11a5 5 0 0 1 0 8h-3",
  redo: "m15 7 5 5-5 5M20 12H9a5 5 0 0 0 0 8h3",
  clear: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  keys: "M3 7h18v10H3zM7 10h.01M11 10h.01M15 10h.01M8 14h8",
}

const icon = (name) =>
  `<svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.8"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="${ICON[name]}"/></svg>`

export const TOOLS = {
  brush: ["Brush", "B"],
  eraser: ["Eraser", "E"],
  rectangle: ["Rectangle", "R"],
  ellipse: ["Ellipse", "O"],
  lasso: ["Lasso", "L"],
  polygon: ["Polygon", "P"],
  similar: ["Similar colour", "W"],
  hand: ["Move the picture", "H"],
}

const button = (name, title, key, kind = "act") =>
  `<button type="button" data-${kind}="${name}" aria-label="${title}" title="${title}${key ? ` (${key})` : ""}"
  ${kind === "tool" ? 'aria-pressed="false"' : ""} aria-keyshortcuts="${key.split(",")[0]}">${icon(name)}</button>`

const KEYS = [
  ["B E R O L P W H", "choose a tool"],
  ["[ ]", "smaller, larger brush"],
  ["Shift", "straight line, square, circle"],
  ["Alt", "take away with a shape or similar colours"],
  ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
  ["Delete", "clear the mask"],
  ["+ - 0, wheel, two fingers", "zoom in, out, fit"],
  ["Space or middle button, Ctrl+arrows", "move the picture"],
  ["Arrows", "move the brush, with Shift further"],
  ["Space, Enter", "paint there; hold it for a stroke"],
  ["Enter, Backspace, Esc", "polygon: close, one corner back, drop"],
]

export const HTML = `
<div class="painter">
  <div class="bar" role="toolbar" aria-label="Tools of the painter">
    <span class="group">${Object.entries(TOOLS)
      .map(([name, [title, key]]) => button(name, title, key, "tool"))
      .join("")}</span>
    <span class="group">
      ${button("undo", "Undo", "Control+Z")}${button("redo", "Redo", "Control+Shift+Z")}
      ${button("clear", "Clear the mask", "Delete")}
    </span>
    <span class="group zooms">
      ${button("minus", "Zoom out", "-")}<output class="zoom" title="Zoom">100 %</output>${button("plus", "Zoom in", "+")}
      ${button("fit", "Fit the picture into the window", "0")}${button("keys", "Keys of the painter", "?")}
    </span>
  </div>
  <div class="bar options">
    <label data-for="brush eraser">Size <input type="range" name="size" min="0" max="1000" step="1" aria-label="Brush size">
      <output class="size"></output></label>
    <label data-for="brush rectangle ellipse lasso polygon">Change <input type="range" name="amount" min="5" max="100" step="5"
      aria-label="How much may change" title="How much may change: less makes a soft mask"> <output class="amount"></output></label>
    <label data-for="similar">Tolerance <input type="range" name="tolerance" min="0" max="128" step="1"
      aria-label="Tolerance"> <output class="tolerance"></output></label>
    <label data-for="similar"><input type="checkbox" name="connected" checked> Connected</label>
    <label data-for="rectangle ellipse lasso polygon similar"><input type="checkbox" name="subtract"> Take away</label>
    <label data-for="brush eraser" class="pen" hidden><input type="checkbox" name="pressure" checked> Pen pressure</label>
    <label class="veil">Overlay <input type="range" name="opacity" min="10" max="100" step="1"
      aria-label="Strength of the overlay"></label>
  </div>
  <div class="stage" tabindex="0" role="application"
    aria-label="The picture, to paint the mask on. Arrow keys move the brush, with Shift further. Space or Enter paints there, and a stroke while it is held. Keys: B brush, E eraser, brackets for the size, Control and Z to undo.">
    <img class="picture" alt="" draggable="false">
    <canvas></canvas>
    <div class="ring" hidden></div>
    <dl class="keys" hidden>${KEYS.map(([key, does]) => `<div><dt>${key}</dt><dd>${does}</dd></div>`).join("")}</dl>
  </div>
  <p class="words" role="status"></p>
  <p class="said" aria-live="polite"></p>
</div>`

export const CSS = `
:host { display: block; }
.painter { font: 400 .875rem/1.4 var(--st-font); color: var(--st-text-color); }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .5rem; margin-bottom: .375rem; }
.group { display: inline-flex; align-items: center; gap: 1px; }
.bar button {
  display: inline-grid; place-items: center; width: 2.125rem; height: 2.125rem; padding: 0; cursor: pointer;
  color: inherit; background: none; border: 1px solid transparent; border-radius: var(--st-base-radius);
}
@media (hover: hover) { .bar button:hover:not(:disabled) { background: var(--st-secondary-background-color); } }
.bar button:disabled { opacity: .35; cursor: default; }
.bar button[aria-pressed="true"][aria-pressed] { background: var(--st-primary-color); color: #fff; }
.bar button:focus-visible, .stage:focus-visible, .bar input:focus-visible {
  outline: 3px solid var(--st-primary-color); outline-offset: 2px;
}
.options { gap: .25rem 1rem; }
.zooms { margin-left: auto; }
.options label { display: inline-flex; align-items: center; gap: .5rem; white-space: nowrap; }
.options label[hidden] { display: none; }
.options input { accent-color: var(--st-primary-color); margin: 0; height: 1.5rem; background: none; cursor: pointer; }
.options input[type="range"] { appearance: none; }
.options input::-webkit-slider-runnable-track {
  height: .25rem; border-radius: 1rem; background: var(--st-border-color);
}
.options input::-moz-range-track { height: .25rem; border-radius: 1rem; background: var(--st-border-color); }
.options input::-webkit-slider-thumb {
  appearance: none; width: 1rem; height: 1rem; margin-top: -.375rem; border-radius: 50%;
  background: var(--st-primary-color);
}
.options input::-moz-range-thumb {
  width: 1rem; height: 1rem; border: 0; border-radius: 50%; background: var(--st-primary-color);
}
.options input[type="checkbox"] { width: 1.125rem; }
.options input[type="range"] { width: 6.5rem; }
.options .veil input, .options [name="amount"] { width: 4.5rem; }
.options output { min-width: 3em; }
.zoom { min-width: 3.25em; text-align: center; font-size: .8125rem; }
.stage {
  position: relative; overflow: hidden; touch-action: none; user-select: none; -webkit-user-select: none;
  border-radius: var(--st-base-radius); box-shadow: 0 0 0 1px var(--st-border-color);
  background: var(--st-secondary-background-color); -webkit-touch-callout: none;
}
.stage:focus:not(:focus-visible) { outline: none; }
.picture { position: absolute; left: 0; top: 0; max-width: none; transform-origin: 0 0; pointer-events: none; }
.stage .canvas-container { opacity: var(--veil); }
.ring {
  position: absolute; left: 0; top: 0; border-radius: 50%; pointer-events: none; box-sizing: border-box;
  border: 1.5px solid #fff; box-shadow: 0 0 0 1px rgb(0 0 0 / .7), inset 0 0 0 1px rgb(0 0 0 / .7);
}
.ring[hidden] { display: none; }
.ring.by-keys::after {
  content: ""; position: absolute; left: 50%; top: 50%; width: 19px; height: 19px; transform: translate(-50%, -50%);
  background: linear-gradient(#fff 0 0) center / 17px 1.5px, linear-gradient(#fff 0 0) center / 1.5px 17px,
    linear-gradient(#000 0 0) center / 19px 3.5px, linear-gradient(#000 0 0) center / 3.5px 19px;
  background-repeat: no-repeat;
}
.said { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); }
.keys {
  position: absolute; right: .5rem; top: .5rem; margin: 0; padding: .625rem .875rem; max-width: calc(100% - 1rem);
  box-sizing: border-box; background: var(--st-background-color); border-radius: var(--st-base-radius);
  box-shadow: 0 0 0 1px var(--st-border-color), 0 4px 16px rgb(0 0 0 / .2); font-size: .8125rem; pointer-events: none;
}
.keys[hidden] { display: none; }
.keys div { display: flex; gap: .75rem; justify-content: space-between; }
.keys dt { font-weight: 600; }
.keys dd { margin: 0; text-align: right; }
.words { margin: .375rem 0 0; min-height: 1.4em; font-size: .875rem; opacity: .8; }
@media (pointer: coarse) {
  .bar button { width: 2.5rem; height: 2.5rem; }
  .bar [data-act="keys"] { display: none; }
  .options input::-webkit-slider-thumb { width: 1.375rem; height: 1.375rem; margin-top: -.5625rem; }
}
`
