// Which mask the server has. What is painted here is sent to it, and what was changed there is merged with it: its
// answers say which mask it holds, so that nothing is lost when both change it.

import { valuesOf } from "./mask.js"
import { base64, pngOf } from "./png.js"

const PAUSE_MS = 300 // between two masks: strokes often follow one another
const AGAIN_MS = 6000 // without an answer: the connection may have been lost

export class Exchange {
  // held: the values that the server is known to have. snapshots: those on their way, by their stamp.
  constructor(painter) {
    this.painter = painter
    this.id = Math.random().toString(36).slice(2, 10)
    this.sent = 0
    this.sentAt = -Infinity
    this.held = null
    this.begin(0)
  }

  begin(revision) {
    this.revision = revision
    this.snapshots = new Map()
  }

  get isStored() {
    return !this.unsent && this.snapshots.size === 0
  }

  async hear(data) {
    const known = this.snapshots.get(data.seen)
    if (known) {
      this.snapshots.clear()
      this.held = known
      clearTimeout(this.again)
    }
    if (data.revision !== this.revision) await this.merge(data)
  }

  // The server has changed the mask: over it goes what was painted here since it last heard.
  async merge(data) {
    const revision = data.revision
    const values = data.mask
      ? await valuesOf(data.mask, data.width, data.height)
      : new Uint8Array(data.width * data.height)
    if (revision !== this.painter.data.revision || revision === this.revision) return
    const { held } = this
    const { mask } = this.painter
    const merged = values.map((value, k) => (mask.values[k] === held[k] ? value : mask.values[k]))
    this.revision = revision
    this.held = values
    this.snapshots.clear()
    if (mask.replace(merged)) this.painter.seeMask()
    this.unsent = merged.some((value, k) => value !== values[k])
    if (this.unsent) this.sendSoon()
    this.painter.draw()
  }

  changed() {
    this.unsent = true
    this.sendSoon()
  }

  sendSoon() {
    clearTimeout(this.waiting)
    const pause = this.sentAt + PAUSE_MS - performance.now()
    if (pause <= 0) this.send()
    else this.waiting = setTimeout(() => this.send(), pause)
  }

  // place: where similar colours are asked for.
  send(place) {
    const { mask, component } = this.painter
    clearTimeout(this.waiting)
    if (!mask || (!this.unsent && !place)) return
    this.unsent = false
    const stamp = `${this.id}.${++this.sent}`
    this.snapshots.set(stamp, mask.values.slice())
    const png = base64(pngOf(mask.values, mask.width, mask.height))
    this.sentAt = performance.now()
    // A state, not a trigger: it is still there when a run is cut short by the next one.
    component.setStateValue("painted", { png, stamp, revision: this.revision, place })
    // Streamlit sends in a moment, with whatever happens until then.
    this.isLeaving = true
    setTimeout(() => {
      this.isLeaving = false
    })
    clearTimeout(this.again)
    this.again = setTimeout(() => {
      this.unsent = this.snapshots.size > 0
      this.send()
    }, AGAIN_MS)
  }

  end() {
    this.send()
    clearTimeout(this.again)
  }
}
