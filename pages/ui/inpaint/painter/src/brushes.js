// What a hand can draw. Each brush hands over a finished shape, in pixels of the mask.

import { EraserBrush } from "@erase2d/fabric"
import { BaseBrush, Ellipse, PencilBrush, Polygon, Rect } from "fabric"

export const PAINT = "rgb(225, 29, 116)"
export const TAKE_AWAY = "rgb(255, 255, 255)"
const CENTRED = { originX: "center", originY: "center" }

// Opaque, however much it lets change: the mask asks only which pixels it covers.
const shapeOf = (object) => {
  object.objectCaching = false
  if (object.stroke) object.stroke = PAINT
  if (object.fill) object.fill = PAINT
  const { left, top, width, height } = object.getBoundingRect()
  return { box: { x: left, y: top, width, height }, draw: (context) => object.render(context) }
}

// With a pen, the harder it is pressed the wider.
const Pressed = (Kind) =>
  class extends Kind {
    feelsPressure = true

    onMouseDown(pointer, event) {
      this.feel(event.e)
      super.onMouseDown(pointer, event)
    }

    onMouseMove(pointer, event) {
      this.feel(event.e)
      super.onMouseMove(pointer, event)
    }

    feel(event) {
      this.pressure = this.feelsPressure && event.pointerType === "pen" ? Math.min(1, 0.1 + 1.2 * event.pressure) : 1
    }

    _addPoint(point) {
      point.pressure = this.pressure
      return super._addPoint(point)
    }

    get isPressed() {
      return this._points.some((point) => point.pressure !== 1)
    }

    needsFullRender() {
      return super.needsFullRender() || this.isPressed
    }

    drawPressed(context) {
      this._saveAndTransform(context)
      drawPressed(context, this._points, this.width)
      context.restore()
    }

    shapeOfStroke(path) {
      const shape = shapeOf(path)
      const { _points: points, width } = this
      if (this.isPressed) shape.draw = (context) => drawPressed(context, points, width)
      return shape
    }
  }

export class Brush extends Pressed(PencilBrush) {
  color = PAINT

  constructor(canvas, finished) {
    super(canvas)
    this.finished = finished
  }

  _render(context = this.canvas.contextTop) {
    if (this.isPressed) this.drawPressed(context)
    else super._render(context)
  }

  _finalizeAndAddPath() {
    this.canvas.clearContext(this.canvas.contextTop)
    const path = this.createPath(this.convertPointsToSVGPath(this.decimatePoints(this._points, this.decimate)))
    this.finished(this.shapeOfStroke(path))
  }
}

function drawPressed(context, points, width) {
  context.save()
  context.strokeStyle = PAINT
  context.lineCap = "round"
  points.forEach((to, n) => {
    const from = points[Math.max(0, n - 1)]
    const pieces = Math.max(1, Math.ceil((8 * Math.hypot(to.x - from.x, to.y - from.y)) / width))
    for (let k = 1; k <= pieces; k++) {
      const [a, b] = [(k - 1) / pieces, k / pieces]
      context.lineWidth = width * (from.pressure + (to.pressure - from.pressure) * b)
      context.beginPath()
      context.moveTo(from.x + (to.x - from.x) * a - 1e-3, from.y + (to.y - from.y) * a)
      context.lineTo(from.x + (to.x - from.x) * b, from.y + (to.y - from.y) * b)
      context.stroke()
    }
  })
  context.restore()
}

export class Eraser extends Pressed(EraserBrush) {
  constructor(canvas, finished) {
    super(canvas)
    this.on("end", (event) => {
      // The mask takes the stroke itself: erasers that stay with an object would pile up with each of them.
      event.preventDefault()
      const { path } = event.detail
      path.globalCompositeOperation = "source-over"
      finished(this.shapeOfStroke(path))
    })
  }

  _render(context = this.canvas.contextTop) {
    if (!this.isPressed) return super._render(context)
    this.drawPressed(context)
    // As erase2d does with a stroke of one width: out of the mask, and over it what is no mask.
    drawOver(this.canvas.getContext(), context, "destination-out")
    drawOver(context, this.effectContext, "source-in")
  }

  leave() {
    this.active = false
    this._disposer?.()
    delete this._disposer
  }
}

function drawOver(context, other, operation) {
  context.save()
  context.globalCompositeOperation = operation
  context.resetTransform()
  context.drawImage(other.canvas, 0, 0)
  context.restore()
}

class ShapeBrush extends BaseBrush {
  constructor(canvas, finished) {
    super(canvas)
    this.finished = finished
  }

  onMouseDown(pointer) {
    this.points = [pointer]
  }

  onMouseMove(pointer, { e }) {
    this.points.push(pointer)
    this.isEven = e.shiftKey
    this._render()
  }

  onMouseUp() {
    this.canvas.clearContext(this.canvas.contextTop)
    const object = this.make()
    if (object) this.finished(shapeOf(object))
    this.points = []
  }

  _render() {
    const context = this.canvas.contextTop
    this.canvas.clearContext(context)
    const object = this.make()
    if (!object) return
    object.objectCaching = false
    this._saveAndTransform(context)
    object.render(context)
    context.restore()
  }

  // From where the hand came down to where it is; the longer side on both with Shift.
  get frame() {
    const from = this.points[0]
    const to = this.points[this.points.length - 1]
    let [width, height] = [to.x - from.x, to.y - from.y]
    if (this.isEven) {
      const side = Math.max(Math.abs(width), Math.abs(height))
      width = width < 0 ? -side : side
      height = height < 0 ? -side : side
    }
    return { left: from.x + width / 2, top: from.y + height / 2, width: Math.abs(width), height: Math.abs(height) }
  }

  get look() {
    return { fill: this.color, strokeWidth: 0 }
  }
}

export class RectangleBrush extends ShapeBrush {
  make() {
    const { width, height } = this.frame
    return width && height ? new Rect({ ...this.frame, ...this.look, ...CENTRED }) : null
  }
}

export class EllipseBrush extends ShapeBrush {
  make() {
    const { left, top, width, height } = this.frame
    return width && height ? new Ellipse({ left, top, rx: width / 2, ry: height / 2, ...this.look, ...CENTRED }) : null
  }
}

export class LassoBrush extends ShapeBrush {
  make() {
    return this.points.length > 2 ? new Polygon(this.points, this.look) : null
  }
}

const NEAR = { mouse: 9, touch: 22 } // pixels of the screen that count as the same place
const TWICE_MS = 500

// Corner by corner. It is closed upon its first corner, by two clicks at one place, or from the keys.
export class PolygonBrush extends ShapeBrush {
  constructor(canvas, finished, changed) {
    super(canvas, finished)
    this.changed = changed
    this.corners = []
    this.points = []
  }

  // points: where the hand is, if it is down. ahead: where the next corner would be.
  onMouseDown(pointer) {
    this.points = [pointer]
    this.lookAt(pointer)
  }

  onMouseMove(pointer) {
    if (this.points.length) this.points = [pointer]
    this.lookAt(pointer)
  }

  // True: the line goes on following the mouse.
  onMouseUp({ e }) {
    const [at] = this.points
    this.points = []
    if (at) this.put(at, e)
    if (e.pointerType === "touch") this.lookAt(null)
    return this.corners.length > 0
  }

  put(at, { pointerType, timeStamp }) {
    const last = this.corners.at(-1)
    const reach = (NEAR[pointerType] ?? NEAR.mouse) / this.canvas.getZoom()
    const isNear = (corner) => corner && Math.hypot(at.x - corner.x, at.y - corner.y) <= reach
    const isTwice = isNear(last) && timeStamp - this.putAt < TWICE_MS
    this.putAt = timeStamp
    if (this.canClose && (isTwice || isNear(this.corners[0]))) return this.close()
    if (!isTwice) this.corners.push(at)
    this.show()
    this.changed()
  }

  get canClose() {
    return this.corners.length > 2
  }

  close() {
    const object = new Polygon(this.corners, this.look)
    this.forget()
    this.finished(shapeOf(object))
  }

  takeBack() {
    this.corners.pop()
    this.show()
    this.changed()
  }

  forget() {
    this.corners = []
    this.points = []
    this.show()
    this.changed()
  }

  lookAt(pointer) {
    this.ahead = pointer
    this.show()
  }

  // The area, its outline, and a dot on each corner; a ring around the first one where it would be closed.
  show() {
    const context = this.canvas.contextTop
    this.canvas.clearContext(context)
    const [first] = this.corners
    if (!first) return
    const line = this.ahead ? [...this.corners, this.ahead] : this.corners
    const px = 1 / this.canvas.getZoom()
    this._saveAndTransform(context)
    context.beginPath()
    for (const { x, y } of line) context.lineTo(x, y)
    context.fillStyle = this.color
    context.fill()
    for (const [colour, width] of [
      ["#000", 3.5],
      ["#fff", 1.5],
    ]) {
      context.strokeStyle = colour
      context.lineWidth = width * px
      context.stroke()
    }
    for (const corner of this.corners) {
      context.beginPath()
      context.arc(corner.x, corner.y, (corner === first && this.canClose ? 7 : 3.5) * px, 0, 2 * Math.PI)
      context.fillStyle = "#fff"
      context.fill()
      context.strokeStyle = "#000"
      context.stroke()
    }
    context.restore()
  }
}
