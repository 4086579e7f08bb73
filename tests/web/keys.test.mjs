import assert from "node:assert/strict"
import { test } from "node:test"

import { meaningOf } from "../../pages/ui/inpaint/painter/src/keys.js"

// What a key calls on the painter, in order.
function calls(key, event = {}, painter = {}) {
  const called = []
  const note =
    (name) =>
    (...values) =>
      called.push([name, ...values].join(" "))
  const stage = {}
  const stand = {
    stage,
    corners: [],
    find: () => ({ hidden: true }),
    viewport: { panBy: note("pan") },
    cursor: { move: note("move"), press: note("press"), isShown: true },
    ...Object.fromEntries(["act", "choose", "resizeBrush", "showKeys", "moveRing", "adjust"].map((k) => [k, note(k)])),
    ...painter,
  }
  const hands = {}
  meaningOf({ key, target: stage, ...event }, stand, hands)?.()
  return called
}

test("letters choose tools, with Caps Lock too", () => {
  assert.deepEqual(calls("b"), ["choose brush"])
  assert.deepEqual(calls("E"), ["choose eraser"])
})

test("undo and redo have their usual keys, on a Mac too", () => {
  assert.deepEqual(calls("z", { ctrlKey: true }), ["act undo"])
  assert.deepEqual(calls("Z", { metaKey: true, shiftKey: true }), ["act redo"])
  assert.deepEqual(calls("y", { ctrlKey: true }), ["act redo"])
})

test("keys of the browser and of Streamlit are not the painter's", () => {
  for (const [key, event] of [
    ["r", { ctrlKey: true }],
    ["b", { metaKey: true }],
    ["Tab", {}],
    ["F5", {}],
    ["c", {}],
  ]) {
    assert.deepEqual(calls(key, event), [], key)
  }
})

test("arrows lead the brush on the stage only, and move the picture with Ctrl", () => {
  assert.deepEqual(calls("ArrowLeft"), ["move -1 0 ", "moveRing"])
  assert.deepEqual(calls("ArrowLeft", { target: {} }), [])
  assert.deepEqual(calls("ArrowUp", { ctrlKey: true, shiftKey: true }), ["pan 0 200"])
})

test("Enter closes a polygon that can be closed, and Backspace takes one corner back", () => {
  const called = []
  const polygon = { canClose: true, close: () => called.push("close"), takeBack: () => called.push("back") }
  const painter = { corners: [1, 2, 3], canvas: { freeDrawingBrush: polygon } }
  calls("Enter", {}, painter)
  calls("Backspace", {}, painter)

  assert.deepEqual(called, ["close", "back"])
  assert.deepEqual(calls("Backspace"), ["act clear"])
})
