// The mask: one byte a pixel, 255 is repainted and 0 kept, with every step taken back or again.

import { deflateSync, inflateSync } from "fflate"

const COLOUR = [225, 29, 116] // as prepared.TINT
const STEPS = 200
const HISTORY_BYTES = 64e6
const SAME = 0.0005 // share of all pixels that may differ between two masks that are the same

export class Mask {
  constructor(width, height) {
    this.width = width
    this.height = height
    this.values = new Uint8Array(width * height)
    this.count = 0
    this.canvas = canvasOf(width, height)
    this.scratch = canvasOf(width, height)
    this.history = []
    this.taken = 0 // how many steps of the history are in the values now
  }

  get coverage() {
    return this.count / this.values.length
  }

  get canUndo() {
    return this.taken > 0
  }

  get canRedo() {
    return this.taken < this.history.length
  }

  // shape: draws itself on a context in pixels of the mask, within its box. Edges are hard: a pixel is in or out.
  paint(shape, value) {
    const box = this.within(shape.box)
    if (!box) return false
    const context = this.scratch.getContext("2d")
    context.clearRect(box.x, box.y, box.width, box.height)
    context.save()
    context.beginPath()
    context.rect(box.x, box.y, box.width, box.height)
    context.clip()
    shape.draw(context)
    context.restore()
    const drawn = context.getImageData(box.x, box.y, box.width, box.height).data
    const after = this.part(box)
    for (let k = 0; k < after.length; k++) if (drawn[4 * k + 3] >= 128) after[k] = value
    return this.step(box, after)
  }

  replace(values) {
    return this.step({ x: 0, y: 0, width: this.width, height: this.height }, values)
  }

  // With what was remembered of it: what was changed elsewhere since then is one more step.
  resume({ values, history, taken }) {
    const now = this.values.slice()
    const isNear = now.reduce((n, value, k) => n + (value > 127 !== values[k] > 127), 0) <= now.length * SAME
    if (!isNear) this.load(values)
    this.history = history
    this.taken = taken
    // Of a large picture the server has more pixels than the painter: at edges it may round otherwise.
    if (!isNear) this.replace(now)
  }

  // From the outside, without a step to take back.
  load(values) {
    this.put({ x: 0, y: 0, width: this.width, height: this.height }, values)
  }

  undo() {
    if (!this.canUndo) return false
    const { box, before } = this.history[--this.taken]
    this.put(box, inflateSync(before))
    return true
  }

  redo() {
    if (!this.canRedo) return false
    const { box, after } = this.history[this.taken++]
    this.put(box, inflateSync(after))
    return true
  }

  step(box, after) {
    const before = this.part(box)
    if (after.every((value, k) => value === before[k])) return false
    this.history.length = this.taken
    this.history.push({ box, before: deflateSync(before, { level: 1 }), after: deflateSync(after, { level: 1 }) })
    let bytes = this.history.reduce((sum, step) => sum + step.before.length + step.after.length, 0)
    while (this.history.length > STEPS || (this.history.length > 1 && bytes > HISTORY_BYTES)) {
      const { before, after } = this.history.shift()
      bytes -= before.length + after.length
    }
    this.taken = this.history.length
    this.put(box, after)
    return true
  }

  part({ x, y, width, height }) {
    const made = new Uint8Array(width * height)
    for (let row = 0; row < height; row++) {
      const at = (y + row) * this.width + x
      made.set(this.values.subarray(at, at + width), row * width)
    }
    return made
  }

  put(box, part) {
    const { x, y, width, height } = box
    const shown = new ImageData(width, height)
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const at = (y + row) * this.width + x + column
        const k = row * width + column
        this.count += (part[k] > 0) - (this.values[at] > 0)
        this.values[at] = part[k]
        shown.data.set(COLOUR, 4 * k)
        shown.data[4 * k + 3] = part[k]
      }
    }
    this.canvas.getContext("2d").putImageData(shown, x, y)
  }

  within({ x, y, width, height }) {
    const left = Math.max(0, Math.floor(x) - 2)
    const top = Math.max(0, Math.floor(y) - 2)
    const right = Math.min(this.width, Math.ceil(x + width) + 2)
    const bottom = Math.min(this.height, Math.ceil(y + height) + 2)
    return right > left && bottom > top ? { x: left, y: top, width: right - left, height: bottom - top } : null
  }
}

// The values of a picture whose brightness is the mask.
export async function valuesOf(url, width, height) {
  const picture = new Image()
  picture.src = url
  await picture.decode()
  const context = canvasOf(width, height).getContext("2d")
  context.drawImage(picture, 0, 0, width, height)
  const { data } = context.getImageData(0, 0, width, height)
  return Uint8Array.from({ length: width * height }, (_, k) => data[4 * k])
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas")
  canvas.width = width
  canvas.height = height
  // In memory, not on the graphics card: it is read after each stroke.
  canvas.getContext("2d", { willReadFrequently: true })
  return canvas
}
