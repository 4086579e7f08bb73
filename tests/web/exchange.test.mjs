import assert from "node:assert/strict"
import { beforeEach, mock, test } from "node:test"

import { Exchange } from "../../pages/ui/inpaint/painter/src/exchange.js"
import { Mask } from "../../pages/ui/inpaint/painter/src/mask.js"
import { ImageData, document, install, rectangle } from "./browser.mjs"

install("document", document)
install("ImageData", ImageData)

beforeEach(() => {
  mock.timers.reset()
  mock.timers.enable({ apis: ["setTimeout"] })
})

// A painter of 40 x 30 pixels that keeps what it sends.
function opened() {
  const sent = []
  const painter = {
    seeMask() {},
    mask: new Mask(40, 30),
    data: { revision: 1, width: 40, height: 30, mask: null },
    component: { setStateValue: (name, value) => sent.push({ name, ...value }) },
    draw() {},
  }
  const exchange = new Exchange(painter)
  exchange.begin(1)
  exchange.held = painter.mask.values.slice()
  const paint = (...shapes) => {
    for (const shape of shapes) if (painter.mask.paint(shape, 255)) exchange.changed()
  }
  const hear = (answer) => exchange.hear(Object.assign(painter.data, answer))
  return { painter, exchange, sent, paint, hear }
}

test("a stroke is sent at once, and is stored when the server has answered with its stamp", async () => {
  const { exchange, sent, paint, hear } = opened()
  paint(rectangle(1, 1, 5, 5))

  assert.equal(sent.length, 1)
  assert.deepEqual([sent[0].name, sent[0].revision], ["painted", 1])
  assert.equal(exchange.isStored, false)
  await hear({ seen: sent[0].stamp })
  assert.equal(exchange.isStored, true)
})

test("strokes that follow one another leave together, after a pause", () => {
  const { sent, paint } = opened()
  paint(rectangle(1, 1, 5, 5), rectangle(10, 1, 5, 5), rectangle(20, 1, 5, 5))

  assert.equal(sent.length, 1)
  mock.timers.tick(300)
  assert.equal(sent.length, 2)
  assert.notEqual(sent[0].stamp, sent[1].stamp)
})

test("what nobody answers is sent again, until somebody does", async () => {
  const { sent, paint, hear } = opened()
  paint(rectangle(1, 1, 5, 5))
  mock.timers.tick(6000)
  mock.timers.tick(6000)
  assert.equal(sent.length, 3)
  assert.equal(sent[2].png, sent[0].png)

  await hear({ seen: sent[2].stamp })
  mock.timers.tick(60000)
  assert.equal(sent.length, 3)
})

test("nothing is sent where nothing was painted, but a question about colours is", () => {
  const { exchange, sent } = opened()
  exchange.send()
  assert.equal(sent.length, 0)

  exchange.send({ x: 3, y: 4 })
  assert.deepEqual(sent[0].place, { x: 3, y: 4 })
})

test("a mask changed on the server keeps what was painted here meanwhile, which is sent", async () => {
  const { painter, exchange, sent, paint, hear } = opened()
  paint(rectangle(0, 0, 10, 10))
  await hear({ seen: sent[0].stamp })
  paint(rectangle(20, 20, 5, 5))
  sent.length = 0
  await hear({ revision: 2, mask: null })

  // The server has cleared its mask; the stroke that it did not know of stays.
  assert.equal(painter.mask.count, 25)
  assert.equal(exchange.revision, 2)
  mock.timers.tick(300)
  assert.deepEqual([sent.length, sent[0].revision], [1, 2])
})

test("a mask changed on the server is taken as it is where nothing was painted meanwhile, and can be undone", async () => {
  const { painter, exchange, sent, paint, hear } = opened()
  paint(rectangle(0, 0, 10, 10))
  await hear({ seen: sent[0].stamp })
  await hear({ revision: 2, mask: null })

  assert.equal(painter.mask.count, 0)
  assert.equal(exchange.isStored, true)
  painter.mask.undo()
  assert.equal(painter.mask.count, 100)
})

test("the last stroke is sent when the painter is left", () => {
  const { exchange, sent, paint } = opened()
  paint(rectangle(1, 1, 5, 5), rectangle(10, 1, 5, 5))
  exchange.end()

  assert.equal(sent.length, 2)
  mock.timers.tick(60000)
  assert.equal(sent.length, 2)
})
