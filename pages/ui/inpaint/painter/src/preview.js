// The preview of each step, laid over the picture where it was masked. It comes from a fragment of the page of its own
// (painter/live.js), so that the canvas is not drawn anew with each step.

import { place } from "./results.js"

export const NEWS = "inpaint-preview"

export class Preview {
  // of: the generation that is painted, null where none is. signal: ends it.
  constructor(painter, signal) {
    this.painter = painter
    this.of = null
    window.addEventListener(NEWS, ({ detail }) => this.hear(detail), { signal })
  }

  async hear(told) {
    const { painter } = this
    if (told && told.draft !== painter.data?.draft) return
    const veil = painter.find(".veiled")
    if (!told) {
      this.of = null
      veil.hidden = true
      return
    }
    // What is being made is looked at from its first preview on.
    if (this.of !== told.generation) painter.results.show(null)
    this.of = told.generation
    const next = new Image()
    next.src = told.picture
    try {
      await next.decode()
    } catch {
      return // replaced by the next one meanwhile
    }
    if (this.of !== told.generation) return
    const image = veil.querySelector("img")
    image.src = told.picture
    place(image, told.box)
    Object.assign(veil.style, { maskImage: `url("${told.mask}")`, maskSize: "100% 100%", maskMode: "luminance" })
    veil.hidden = false
  }
}
