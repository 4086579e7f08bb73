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
  before: "M12 3v18M9 6H4v12h5M15 6h5v12h-5",
  mask: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
  difference: "M4 4h11v11H4zM9 9h11v11H9z",
  accept: "m5 12.500 5 5 9-11",
  "accept-masked": "m3 12 4 4 7-9M15 19h6M18 16v6",
  discard: "M6 6l12 12M18 6 6 18",
  favourite: "M12 20C5.500 15.500 3 12.500 3 9a4.500 4.500 0 0 1 9-1 4.500 4.500 0 0 1 9 1c0 3.500-2.500 6.500-9 11z",
  vary: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  again: "M5 5h14v14H5zM9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01",
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
  similar: ["Magic wand", "W"],
  hand: ["Pan", "H"],
}

const button = (name, title, key, kind = "act") =>
  `<button type="button" data-${kind}="${name}" aria-label="${title}" title="${title}${key ? ` (${key})` : ""}"
  ${kind === "tool" ? 'aria-pressed="false"' : ""} aria-keyshortcuts="${key.split(",")[0]}">${icon(name)}</button>`

// words: seen beside the icon.
const does = (name, title, key, isToggle = false, words = "") =>
  `<button type="button" data-do="${name}" aria-label="${title}" title="${title} (${key})" aria-keyshortcuts="${key}"
  ${isToggle ? 'aria-pressed="false"' : ""}>${icon(name)}${words && `<span>${words}</span>`}</button>`

const KEYS = [
  ["B E R O L P W H", "select a tool"],
  ["[ ]", "smaller, larger brush"],
  ["Shift", "straight line, square, circle"],
  ["Alt", "subtract with a shape or the magic wand"],
  ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
  ["Delete", "clear the mask"],
  ["+ - 0, wheel, two fingers", "zoom in, out, fit"],
  ["Space or middle button, Ctrl+arrows", "pan"],
  ["Arrows", "move the brush, with Shift further"],
  ["Space, Enter", "paint; hold for a stroke"],
  ["Enter, Backspace, Esc", "polygon: close, remove last corner, cancel"],
  ["Left, Right, Esc", "candidates: newer, older, back to the picture"],
  ["X, M, D", "candidate: before (hold), mask, difference"],
  ["Enter, Shift+Enter, Delete", "candidate: accept, with its mask, discard"],
  ["F, V, A", "candidate: favourite, more like it, again"],
]

export const HTML = `
<div class="painter">
  <div class="bar tools" role="toolbar" aria-label="Painting tools">
    ${Object.entries(TOOLS)
      .map(([name, [title, key]]) => button(name, title, key, "tool"))
      .join("")}
  </div>
  <div class="bar steps" role="toolbar" aria-label="Undo and zoom">
    <span class="group">
      ${button("undo", "Undo", "Control+Z")}${button("redo", "Redo", "Control+Shift+Z")}
      ${button("clear", "Clear the mask", "Delete")}
    </span>
    <span class="group">
      ${button("minus", "Zoom out", "-")}<output class="zoom" title="Zoom">100 %</output>${button("plus", "Zoom in", "+")}
      ${button("fit", "Fit to window", "0")}${button("keys", "Keyboard shortcuts", "?")}
    </span>
  </div>
  <div class="stage" tabindex="0" role="application"
    aria-label="The picture, to paint the mask on. Arrow keys move the brush, with Shift further. Space or Enter paints there, and a stroke while it is held. Keys: B brush, E eraser, brackets for the size, Control and Z to undo.">
    <div class="scene">
      <img class="picture" alt="" draggable="false">
      <img class="result" alt="" draggable="false" hidden>
    </div>
    <canvas></canvas>
    <div class="scene above"><div class="veiled" hidden><img alt="" draggable="false"></div></div>
    <div class="ring" hidden></div>
    <dl class="keys" hidden>${KEYS.map(([key, does]) => `<div><dt>${key}</dt><dd>${does}</dd></div>`).join("")}</dl>
  </div>
  <div class="bar options">
    <label data-for="brush eraser">Size <input type="range" name="size" min="0" max="1000" step="1" aria-label="Brush size">
      <output class="size"></output></label>
    <label data-for="brush rectangle ellipse lasso polygon">Mask strength <input type="range" name="amount" min="5" max="100" step="5"
      aria-label="Mask strength" title="Below 100 % paints a soft mask, whose areas change less"> <output class="amount"></output></label>
    <label data-for="similar">Tolerance <input type="range" name="tolerance" min="0" max="128" step="1"
      aria-label="Tolerance"> <output class="tolerance"></output></label>
    <label data-for="similar"><input type="checkbox" name="connected" checked> Contiguous</label>
    <label data-for="rectangle ellipse lasso polygon similar"><input type="checkbox" name="subtract"> Subtract</label>
    <label data-for="brush eraser" class="pen" hidden><input type="checkbox" name="pressure" checked> Pen pressure</label>
    <label class="veil">Overlay <input type="range" name="opacity" min="10" max="100" step="1"
      aria-label="Mask overlay opacity"></label>
    <p class="words" role="status"></p>
  </div>
  <div class="strip" hidden>
    <div class="candidates" role="listbox" aria-label="Candidates, newest first" aria-orientation="horizontal"></div>
    <div class="bar" role="toolbar" aria-label="What is seen of the candidate">
      ${does("before", "Before: hold", "X")}${does("mask", "Show the mask", "M", true)}
      ${does("difference", "Show the difference", "D", true)}
    </div>
    <div class="bar" role="toolbar" aria-label="What is done with the candidate">
      ${does("accept", "Accept: make it the picture, with an empty mask", "Enter", false, "Accept")}
      ${does("accept-masked", "Accept and keep the mask", "Shift+Enter")}
      ${does("discard", "Discard: move to trash", "Delete")}${does("favourite", "Favourite", "F", true)}
      ${does("vary", "More like this: variations", "V")}${does("again", "Again with another seed", "A")}
    </div>
  </div>
  <p class="said" aria-live="polite"></p>
</div>`
