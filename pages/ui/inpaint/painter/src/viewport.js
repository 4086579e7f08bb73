// Where the picture stands in the window: zoom, pan, wheel, pinch. The picture itself lies below the canvas as an
// image of the browser's, moved along by a transform.

import { Point } from "fabric"

const LARGEST = 16 // pixels of the screen for one of the mask
const MARGIN = 24

export class Viewport {
  constructor(stage, canvas, picture, size, changed) {
    Object.assign(this, { stage, canvas, picture, size, changed })
    this.isNew = true
    this.pinched = null
    this.touches = new Map()
  }

  get fitting() {
    return Math.min(this.canvas.width / this.size.width, this.canvas.height / this.size.height)
  }

  get zoom() {
    return this.canvas.getZoom()
  }

  get isFitted() {
    return this.zoom <= this.fitting * 1.001
  }

  resize(width, height) {
    const wasFitted = this.isNew || this.isFitted
    const centre = this.sceneOf(this.canvas.width / 2, this.canvas.height / 2)
    this.isNew = false
    this.canvas.setDimensions({ width, height })
    if (wasFitted) return this.fit()
    this.set(this.zoom, width / 2 - centre.x * this.zoom, height / 2 - centre.y * this.zoom)
  }

  fit() {
    this.set(this.fitting, 0, 0)
  }

  zoomBy(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const zoom = Math.min(Math.max(LARGEST, this.fitting), Math.max(this.fitting, this.zoom * factor))
    const at = this.sceneOf(x, y)
    this.set(zoom, x - at.x * zoom, y - at.y * zoom)
  }

  panBy(dx, dy) {
    const [, , , , x, y] = this.canvas.viewportTransform
    this.set(this.zoom, x + dx, y + dy)
  }

  // As far as it takes to have this place in the window, and not at its very edge.
  reveal({ x, y }) {
    const [zoom, , , , left, top] = this.canvas.viewportTransform
    const missing = (at, room) => Math.max(0, MARGIN - at) + Math.min(0, room - MARGIN - at)
    this.panBy(missing(left + x * zoom, this.canvas.width), missing(top + y * zoom, this.canvas.height))
  }

  set(zoom, x, y) {
    // Never out of sight: beside it there is never more room than beside the whole picture, which stands in the middle.
    const placed = (at, room, length) => {
      const spare = (room - (length * this.fitting) / zoom) / 2
      return Math.min(spare, Math.max(room - length - spare, at))
    }
    const left = placed(x, this.canvas.width, this.size.width * zoom)
    const top = placed(y, this.canvas.height, this.size.height * zoom)
    this.canvas.setViewportTransform([zoom, 0, 0, zoom, left, top])
    this.picture.style.transform = `translate(${left}px, ${top}px) scale(${zoom})`
    this.picture.style.imageRendering = zoom > 3 ? "pixelated" : "auto"
    this.changed()
  }

  sceneOf(x, y) {
    const [zoom, , , , left, top] = this.canvas.viewportTransform
    return new Point((x - left) / zoom, (y - top) / zoom)
  }

  screenOf({ x, y }) {
    const [zoom, , , , left, top] = this.canvas.viewportTransform
    return { x: x * zoom + left, y: y * zoom + top }
  }

  placeOf(event) {
    const { left, top } = this.stage.getBoundingClientRect()
    return { x: event.clientX - left, y: event.clientY - top }
  }

  // Two fingers move and enlarge. Returns whether they do.
  touch(event) {
    if (event.pointerType !== "touch") return false
    if (event.type === "pointerup" || event.type === "pointercancel") {
      this.touches.delete(event.pointerId)
      const wasPinching = this.pinched !== null
      if (wasPinching) this.pinched = this.touches.size ? {} : null
      return wasPinching
    }
    if (event.type === "pointerdown" || this.touches.has(event.pointerId)) {
      this.touches.set(event.pointerId, this.placeOf(event))
    }
    if (this.touches.size < 2) return this.pinched !== null
    const [a, b] = [...this.touches.values()]
    const now = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, span: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)) }
    if (event.type === "pointermove" && this.pinched?.span) {
      this.panBy(now.x - this.pinched.x, now.y - this.pinched.y)
      this.zoomBy(now.span / this.pinched.span, now.x, now.y)
    }
    this.pinched = now
    return true
  }
}
