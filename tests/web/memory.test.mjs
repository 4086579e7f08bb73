import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"

import { Mask } from "../../pages/ui/inpaint/painter/src/mask.js"
import { recall, remember } from "../../pages/ui/inpaint/painter/src/memory.js"
import { ImageData, Storage, document, install, rectangle } from "./browser.mjs"

install("document", document)
install("ImageData", ImageData)

beforeEach(() => install("sessionStorage", new Storage()))

const painted = (steps = 3, width = 40, height = 30) => {
  const mask = new Mask(width, height)
  for (let n = 0; n < steps; n++) mask.paint(rectangle(3 * n, 2 * n, 5, 4), 255)
  return mask
}

test("a history comes back with its steps, those taken back too", () => {
  const mask = painted()
  mask.undo()
  remember("a", mask)
  const again = new Mask(40, 30)
  again.load(mask.values)
  again.resume(recall("a", again))

  assert.equal(again.redo(), true)
  assert.deepEqual(again.values, painted().values)
  while (again.undo());
  assert.equal(again.count, 0)
})

test("nothing is recalled for another picture or another size", () => {
  remember("a", painted())

  assert.equal(recall("b", new Mask(40, 30)), null)
  assert.equal(recall("a", new Mask(30, 40)), null)
})

test("what is no history of ours is none", () => {
  for (const text of ["", "null", "{}", '{"width":40,"height":30,"values":"!","steps":[],"taken":0}']) {
    sessionStorage.setItem("inpaint-history.a", text)

    assert.equal(recall("a", new Mask(40, 30)), null)
  }
})

test("three pictures are remembered, the newest ones", (context) => {
  context.mock.timers.enable({ apis: ["Date"] })
  for (const key of ["a", "b", "c", "d"]) {
    remember(key, painted())
    context.mock.timers.tick(1000)
  }

  assert.deepEqual(
    ["a", "b", "c", "d"].filter((key) => recall(key, new Mask(40, 30))),
    ["b", "c", "d"],
  )
})

test("a long history loses its oldest steps first and fits into its room", () => {
  const mask = new Mask(300, 300)
  // Noise cannot be packed: a step takes 240,000 characters.
  let seed = 1
  const noise = () =>
    Uint8Array.from({ length: 300 * 300 }, () => (seed = Math.imul(seed, 1664525) + 1013904223) >>> 24)
  const states = Array.from({ length: 8 }, noise)
  for (const values of states) mask.replace(values)
  remember("a", mask)
  const again = new Mask(300, 300)
  again.load(states[7])
  again.resume(recall("a", again))

  assert.ok(sessionStorage.getItem("inpaint-history.a").length <= 1.2e6)
  assert.equal(again.history.length, 4)
  for (const values of states.slice(3, 7).reverse()) {
    assert.equal(again.undo(), true)
    assert.deepEqual(again.values, values)
  }
})

test("a full storage keeps nothing of other pictures and raises nothing", () => {
  install("sessionStorage", new Storage(1500))
  remember("a", painted(1))
  assert.notEqual(recall("a", new Mask(40, 30)), null)
  remember("b", painted(12))

  assert.equal(recall("b", new Mask(40, 30)), null)
  assert.equal(recall("a", new Mask(40, 30)), null)
})

test("where storage is forbidden painting goes on", () => {
  install("sessionStorage", null)

  assert.doesNotThrow(() => remember("a", painted()))
  assert.equal(recall("a", new Mask(40, 30)), null)
})
