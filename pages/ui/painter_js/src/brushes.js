// What a hand can draw. Each brush hands over a finished shape, in pixels of the mask.

import { EraserBrush } from "@erase2d/fabric"
import { BaseBrush, Ellipse, PencilBrush, Polygon, Rect } from "fabric"

export const PAINT = "rgb(225, 29, 116)"
export const TAKE_AWAY = "rgb(255, 255, 255)"

// Opaque, however much it lets change: the mask asks only which pixels it covers.
const shapeOf = (object) => {
  object.objectCaching = false
  if (object.stroke) object.stroke = PAINT
  if (object.fill) object.fill = PAINT
  const { left, top, width, height } = object.getBoundingRect()
  return { box: { x: left, y: top, width, height }, draw: (context) => object.render(context) }
}

// A round brush; with a pen, the harder it is pressed the wider.
export class Brush extends PencilBrush {
  color = PAINT

  constructor(canvas, finished) {
    super(canvas)
    this.finished = finished
    this.feelsPressure = true
  }

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

  _render(context = this.canvas.contextTop) {
    if (!this.isPressed) return super._render(context)
    this._saveAndTransform(context)
    drawPressed(context, this._points, this.width)
    context.restore()
  }

  _finalizeAndAddPath() {
    this.canvas.clearContext(this.canvas.contextTop)
    const points = this._points
    const path = this.createPath(this.convertPointsToSVGPath(this.decimatePoints(points, this.decimate)))
    const shape = shapeOf(path)
    if (this.isPressed) shape.draw = (context) => drawPressed(context, points, this.width)
    this.finished(shape)
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

export class Eraser extends EraserBrush {
  constructor(canvas, finished) {
    super(canvas)
    this.on("end", (event) => {
      // The mask takes the stroke itself: erasers that stay with an object would pile up with each of them.
      event.preventDefault()
      const { path } = event.detail
      path.globalCompositeOperation = "source-over"
      finished(shapeOf(path))
    })
  }

  leave() {
    this.active = false
    this._disposer?.()
    delete this._disposer
  }
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
    return { fill: this.color, strokeWidth: 0, originX: "center", originY: "center" }
  }
}

export class RectangleBrush extends ShapeBrush {
  make() {
    const { width, height } = this.frame
    return width && height ? new Rect({ ...this.frame, ...this.look }) : null
  }
}

export class EllipseBrush extends ShapeBrush {
  make() {
    const { left, top, width, height } = this.frame
    return width && height ? new Ellipse({ left, top, rx: width / 2, ry: height / 2, ...this.look }) : null
  }
}

export class LassoBrush extends ShapeBrush {
  make() {
    return this.points.length > 2 ? new Polygon(this.points, { fill: this.color, strokeWidth: 0 }) : null
  }
}
