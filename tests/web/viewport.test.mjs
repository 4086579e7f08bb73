import assert from "node:assert/strict"
import { test } from "node:test"

import { Viewport } from "../../pages/ui/inpaint/painter/src/viewport.js"

const canvasOf = (width, height) => ({
  width,
  height,
  viewportTransform: [1, 0, 0, 1, 0, 0],
  getZoom() {
    return this.viewportTransform[0]
  },
  setViewportTransform(transform) {
    this.viewportTransform = transform
  },
  setDimensions(size) {
    Object.assign(this, size)
  },
})

// A window of 400 x 300 on a picture of 800 x 400, its top left corner 10 from the left and 20 from the top.
function opened(size = { width: 800, height: 400 }) {
  const stage = { getBoundingClientRect: () => ({ left: 10, top: 20 }) }
  const viewport = new Viewport(stage, canvasOf(400, 300), { style: {} }, size, () => {})
  viewport.resize(400, 300)
  return viewport
}

const near = (found, wanted) => {
  assert.ok(Math.hypot(found.x - wanted.x, found.y - wanted.y) < 1e-9, `${found.x}, ${found.y}`)
}

const finger = (type, pointerId, x, y) => ({
  type,
  pointerId,
  pointerType: "touch",
  clientX: 10 + x,
  clientY: 20 + y,
})

test("a picture is shown whole and centred at first", () => {
  const { canvas, zoom, isFitted } = opened()

  assert.deepEqual([zoom, isFitted], [0.5, true])
  assert.deepEqual(canvas.viewportTransform, [0.5, 0, 0, 0.5, 0, 50])
})

test("the picture lies where the canvas does", () => {
  const viewport = opened()
  viewport.zoomBy(3, 100, 100)
  const [zoom, , , , left, top] = viewport.canvas.viewportTransform

  assert.equal(viewport.picture.style.transform, `translate(${left}px, ${top}px) scale(${zoom})`)
})

test("a place of the window and its place in the picture lead to each other", () => {
  const viewport = opened()
  viewport.zoomBy(2.7, 310, 120)

  for (const [x, y] of [
    [0, 0],
    [33, 250],
    [400, 300],
  ]) {
    near(viewport.screenOf(viewport.sceneOf(x, y)), { x, y })
  }
})

test("zooming keeps the place under the mouse where it is", () => {
  const viewport = opened()
  viewport.zoomBy(4, 200, 150)
  const before = viewport.sceneOf(120, 90)
  viewport.zoomBy(1.7, 120, 90)

  near(viewport.sceneOf(120, 90), before)
})

test("zoom ends at the whole picture and at sixteen pixels for one", () => {
  const viewport = opened()
  viewport.zoomBy(1e6)
  assert.equal(viewport.zoom, 16)
  viewport.zoomBy(1e-6)
  assert.equal(viewport.zoom, 0.5)
  assert.equal(opened({ width: 10, height: 10 }).zoom, 30)
})

test("a picture cannot be moved out of the window: there is no more room beside it than as a whole", () => {
  const viewport = opened()
  viewport.zoomBy(4)
  viewport.panBy(1e6, -1e6)
  near(viewport.screenOf({ x: 0, y: 400 }), { x: 0, y: 250 })
  viewport.panBy(-1e6, 1e6)
  near(viewport.screenOf({ x: 800, y: 0 }), { x: 400, y: 50 })
})

test("a window that grows keeps a fitted picture fitted, and else the middle in the middle", () => {
  const viewport = opened()
  viewport.resize(800, 600)
  assert.equal(viewport.zoom, 1)

  viewport.zoomBy(4, 300, 200)
  const middle = viewport.sceneOf(400, 300)
  viewport.resize(600, 500)
  assert.equal(viewport.zoom, 4)
  near(viewport.sceneOf(300, 250), middle)
})

test("a place out of sight is brought into view with some margin, one in sight moves nothing", () => {
  const viewport = opened()
  viewport.zoomBy(8, 0, 150)
  viewport.reveal({ x: 700, y: 200 })
  assert.ok(Math.abs(viewport.screenOf({ x: 700, y: 200 }).x - 376) < 1e-9)

  const before = viewport.canvas.viewportTransform
  viewport.reveal({ x: 690, y: 200 })
  assert.deepEqual(viewport.canvas.viewportTransform, before)
})

test("two fingers enlarge what lies between them, and one alone is for painting", () => {
  const viewport = opened()
  viewport.zoomBy(2)
  assert.equal(viewport.touch(finger("pointerdown", 1, 150, 150)), false)
  assert.equal(viewport.touch(finger("pointerdown", 2, 250, 150)), true)
  const between = viewport.sceneOf(200, 150)
  viewport.touch(finger("pointermove", 1, 100, 150))
  viewport.touch(finger("pointermove", 2, 300, 150))

  assert.ok(Math.abs(viewport.zoom - 2) < 1e-9)
  near(viewport.sceneOf(200, 150), between)
})

test("the finger that stays after a pinch does not paint until it is lifted", () => {
  const viewport = opened()
  viewport.touch(finger("pointerdown", 1, 150, 150))
  viewport.touch(finger("pointerdown", 2, 250, 150))

  assert.equal(viewport.touch(finger("pointerup", 2, 250, 150)), true)
  assert.equal(viewport.touch(finger("pointermove", 1, 160, 150)), true)
  assert.equal(viewport.touch(finger("pointerup", 1, 160, 150)), true)
  assert.equal(viewport.touch(finger("pointerdown", 3, 100, 100)), false)
})

test("a mouse is no finger", () => {
  const viewport = opened()

  assert.equal(viewport.touch({ type: "pointerdown", pointerType: "mouse", pointerId: 1 }), false)
})
