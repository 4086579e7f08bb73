// Painting without a pointer: the arrows move the brush, Space or Enter press it down for as long as they are held.

import { Point } from "fabric"

const STEP = 8 // pixels of the screen: closer looked at, the steps are finer
const FAR = 6 // times as many
const QUIET_MS = 600 // how long the brush has to rest before its place is read out

const BY_KEYS = { isPrimary: true, shiftKey: false, pointerType: "keys" }

export class Cursor {
  // at: in pixels of the mask, null where the mouse was used last. isShown: whether it leads the brush.
  constructor(painter) {
    this.painter = painter
    this.at = null
    this.isShown = false
    this.isDown = false
  }

  get brush() {
    return this.painter.canvas.freeDrawingBrush
  }

  show() {
    const { viewport, canvas, pointer } = this.painter
    const { x, y } = pointer ?? { x: canvas.width / 2, y: canvas.height / 2 }
    this.at = this.within(this.at ?? viewport.sceneOf(x, y))
    this.isShown = true
    viewport.reveal(this.at)
  }

  // A hand has taken the mouse.
  leave() {
    this.lift()
    this.at = null
    this.isShown = false
  }

  hide() {
    this.lift()
    this.isShown = false
  }

  move(dx, dy, isFar) {
    this.show()
    const step = Math.max(1, (STEP * (isFar ? FAR : 1)) / this.painter.viewport.zoom)
    this.at = this.within({ x: this.at.x + dx * step, y: this.at.y + dy * step })
    this.painter.viewport.reveal(this.at)
    this.look()
    this.speakSoon()
  }

  look() {
    if (this.isDown || this.brush?.corners) this.brush.onMouseMove(this.at.clone(), { e: BY_KEYS })
  }

  press() {
    this.show()
    if (this.isDown) return
    this.isDown = true
    this.brush?.onMouseDown(this.at.clone(), { e: BY_KEYS })
    if (!this.brush) this.painter.pick(this.at)
  }

  lift() {
    if (!this.isDown) return
    this.isDown = false
    this.brush?.onMouseUp({ e: BY_KEYS })
  }

  within({ x, y }) {
    const { width, height } = this.painter.mask
    return new Point(Math.min(width - 0.5, Math.max(0.5, x)), Math.min(height - 0.5, Math.max(0.5, y)))
  }

  // Once it rests, and not at each step.
  speakSoon() {
    clearTimeout(this.waiting)
    this.waiting = setTimeout(() => this.isShown && this.painter.say(this.words), QUIET_MS)
  }

  get words() {
    const { mask, data } = this.painter
    const inPicture = (pixels) => Math.floor((pixels * data.picture_width) / mask.width)
    const [left, top] = [inPicture(this.at.x), inPicture(this.at.y)]
    const isPainted = mask.values[Math.floor(this.at.y) * mask.width + Math.floor(this.at.x)] > 0
    return `${left} pixels from the left, ${top} from the top. ${isPainted ? "In the mask." : "Not in the mask."}`
  }
}
