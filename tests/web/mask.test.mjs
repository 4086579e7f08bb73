import assert from "node:assert/strict"
import { test } from "node:test"

import { Mask } from "../../pages/ui/inpaint/painter/src/mask.js"
import { ImageData, document, install, rectangle } from "./browser.mjs"

install("document", document)
install("ImageData", ImageData)

const painted = (...shapes) => {
  const mask = new Mask(40, 30)
  for (const shape of shapes) mask.paint(shape, 255)
  return mask
}

const isInside = ({ box }, k) => {
  const [x, y] = [k % 40, Math.floor(k / 40)]
  return x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height
}

test("a shape paints the pixels that it covers and no others", () => {
  const shape = rectangle(5, 6, 10, 4)
  const mask = painted(shape)

  assert.deepEqual(
    [...mask.values],
    Array.from(mask.values, (_, k) => (isInside(shape, k) ? 255 : 0)),
  )
  assert.equal(mask.coverage, 40 / 1200)
})

test("a shape beyond the edge is cut, and one outside of the picture is no step", () => {
  const mask = painted(rectangle(-5, -5, 10, 10))

  assert.equal(mask.count, 25)
  assert.equal(mask.paint(rectangle(100, 100, 5, 5), 255), false)
  assert.equal(mask.history.length, 1)
})

test("a shape may change its pixels by a degree", () => {
  const mask = new Mask(40, 30)
  mask.paint(rectangle(0, 0, 2, 1), 128)

  assert.deepEqual([...mask.values.subarray(0, 3)], [128, 128, 0])
})

test("a hundred strokes are taken back one by one and done again", () => {
  const mask = new Mask(40, 30)
  const states = [mask.values.slice()]
  for (let n = 0; n < 100; n++) {
    mask.paint(rectangle((7 * n) % 35, (5 * n) % 25, 1 + (n % 5), 1 + (n % 3)), n % 3 ? 255 : 0)
    if (mask.history.length === states.length) states.push(mask.values.slice())
  }
  assert.ok(states.length > 60)

  for (let n = states.length - 2; n >= 0; n--) {
    assert.equal(mask.undo(), true)
    assert.deepEqual(mask.values, states[n])
  }
  assert.equal(mask.undo(), false)
  assert.equal(mask.count, 0)
  for (const state of states.slice(1)) {
    assert.equal(mask.redo(), true)
    assert.deepEqual(mask.values, state)
  }
  assert.equal(mask.redo(), false)
})

test("a stroke after undo forgets what was taken back", () => {
  const mask = painted(rectangle(0, 0, 3, 3), rectangle(10, 10, 3, 3))
  mask.undo()
  mask.paint(rectangle(20, 20, 3, 3), 255)

  assert.equal(mask.canRedo, false)
  assert.equal(mask.count, 18)
  mask.undo()
  mask.undo()
  assert.equal(mask.count, 0)
})

test("a stroke that changes nothing is no step", () => {
  const mask = painted(rectangle(0, 0, 10, 10))

  assert.equal(mask.paint(rectangle(2, 2, 4, 4), 255), false)
  assert.equal(mask.paint(rectangle(20, 20, 4, 4), 0), false)
  assert.equal(mask.history.length, 1)
})

test("the oldest of more than two hundred steps cannot be taken back", () => {
  const mask = new Mask(40, 30)
  for (let n = 0; n < 250; n++) mask.paint(rectangle(n % 40, Math.floor(n / 40), 1, 1), 255)
  let steps = 0
  while (mask.undo()) steps++

  assert.equal(steps, 200)
  assert.equal(mask.count, 50)
})

test("the tint shown over the picture is as strong as the mask", () => {
  const mask = new Mask(40, 30)
  mask.paint(rectangle(3, 4, 1, 1), 100)
  const shown = mask.canvas.getContext("2d").getImageData(3, 4, 1, 1)

  assert.deepEqual([...shown.data], [225, 29, 116, 100])
})

test("what was changed elsewhere becomes one more step over a remembered history", () => {
  const before = painted(rectangle(0, 0, 10, 10))
  const elsewhere = painted(rectangle(20, 20, 5, 5))
  const remembered = {
    values: before.values.slice(),
    history: before.history,
    taken: before.taken,
  }
  const now = elsewhere.values.slice()
  elsewhere.resume(remembered)

  assert.deepEqual(elsewhere.values, now)
  elsewhere.undo()
  assert.deepEqual(elsewhere.values, before.values)
  elsewhere.undo()
  assert.equal(elsewhere.count, 0)
})

test("a history is resumed without a step where the mask is the same", () => {
  const before = painted(rectangle(0, 0, 10, 10), rectangle(12, 12, 3, 3))
  const again = new Mask(40, 30)
  again.load(before.values)
  again.resume({
    values: before.values.slice(),
    history: before.history,
    taken: before.taken,
  })

  assert.equal(again.history.length, 2)
  assert.equal(again.undo(), true)
  assert.equal(again.count, 100)
})
